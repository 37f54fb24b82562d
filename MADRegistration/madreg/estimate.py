"""How many millimetres off a pose is, by what the MAD network sees there.

MAD's mean prediction follows the true distance but does not end at 0: where an image shows little, the network hedges,
and ten positions that are each unsure by 10 mm look 10 mm off on average although nothing says in which direction.
The siamese form also says where in the moving scan each fixed position is found.  A rigid motion fitted robustly to
all of these averages the doubts out; what is left of it, as a mean displacement over the fixed content, is the error.
Far off, and where the positions do not agree on any motion, the mean prediction stands.

On the eight pairs that its constants were chosen on (CT-T1 simulated, T1-T2; three show a head whose T1w scan was
trained on), misaligned by 0 to 20 mm, it is 1.5 mm from the truth on average, the mean prediction 3.5 mm.  It is blind
to one thing: a head turned by 180 degrees still looks like a head, and gets 4 to 14 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .correspondence import robust_fit
from .geometry import apply, mean_displacement
from .measures.mad import MAD

# Largest median distance in mm between the fitted motion and the matches at which these count as one opinion: twice
# what training pairs show at alignment, where half of the matches lie within 3 to 6 mm of the truth.
LARGEST_DISAGREEMENT_MM = 10.0
FEWEST_MATCHES = 12
NEAR_MM = (6.0, 14.0)  # from the fitted motion alone to the mean prediction


@dataclass(frozen=True)
class Estimate:
    """What MAD says of a pose.

    Attributes:
        error_mm: the estimated mean error over the fixed content.
        mean_prediction_mm: the mean of the predicted distances, MAD itself.
        disagreement_mm: median distance between the matches and the rigid motion fitted to them; None without one.
    """

    error_mm: float
    mean_prediction_mm: float
    disagreement_mm: float | None


def estimate(mad: MAD, matrix: np.ndarray) -> Estimate:
    """MAD's opinion of a 4x4 matrix, fixed LPS to moving LPS."""
    predicted, seen = mad.map(matrix)
    mean = float(predicted[seen].mean()) if seen.any() else float(predicted.mean())
    if mad.encoded is None or seen.sum() < FEWEST_MATCHES:
        return Estimate(mean, mean, None)
    fixed, moving, spread = mad.correspondences(matrix)
    if len(fixed) < FEWEST_MATCHES:
        return Estimate(mean, mean, None)
    motion = robust_fit(fixed, moving, spread + 4.0)
    disagreement = float(np.median(np.linalg.norm(apply(motion, fixed) - moving, axis=1)))
    if disagreement > LARGEST_DISAGREEMENT_MM:
        return Estimate(mean, mean, disagreement)
    agreed = mean_displacement(motion, matrix, fixed)
    # Far off, matches beyond the network's reach pull the motion short, while the doubt in the mean no longer matters.
    low, high = NEAR_MM
    far = float(np.clip((agreed - low) / (high - low), 0, 1))
    return Estimate((1 - far) * agreed + far * max(agreed, mean), mean, disagreement)
