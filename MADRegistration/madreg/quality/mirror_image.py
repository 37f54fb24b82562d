"""Whether a mirror image of a scan fits better or as well: then its header is wrong, or it shows another body.

No body is quite symmetric, and each is asymmetric in its own way.  At a right pose of one body's scans their mutual
information is therefore clearly higher than with a mirror image, distorted and deformed scans included.  Of scans of
two bodies it is the same.
"""

from __future__ import annotations

import numpy as np

from ..descent.bfgs import bfgs
from ..descent.objective import Schedule
from ..descent.refinement import Refinement
from ..image.pair import Pair
from ..measures.nmi import NMI

REFINED = Refinement("mirror image", NMI, 3.0, 20_000, Schedule(bfgs, 15, 1.0, 0.1))
LEAST_NMI = 1e-3  # above 1, which is none


def refined_share(pair: Pair, pose: np.ndarray, mirrored: np.ndarray) -> tuple[float, np.ndarray]:
    """NMI, as far as it is above 1, at a mirrored pose (4, 4) as a share of that at a pose (4, 4), both refined.

    Both map fixed LPS to moving LPS and are nearly right, of their kind.

    Returns:
        The share, and the refined poses (2, 4, 4).
    """
    poses, values = REFINED.objective(pair).descend(np.stack([pose, mirrored]), "rigid", REFINED.schedule)
    here, there = np.maximum(-values - 1, LEAST_NMI)
    return float(there / here), poses
