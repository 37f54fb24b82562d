"""MAD, the Modality Agnostic Distance: the mean distance in mm that a trained network sees between two scans."""

from __future__ import annotations

import numpy as np
import torch

from ..image.geometry import apply
from ..image.morphology import dilate
from ..image.pair import Pair
from ..image.points import map_points
from ..image.volume import Volume
from ..network import weights
from ..network.models import DistanceNetwork, folded
from ..network.settings import UNIT_MM
from ..network.siamese import SiameseNetwork
from .sites import dense_sites, patch_sites

MODES = ("dense", "patches")


def _native_bfloat16() -> bool:
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(known())


class MAD:
    """Mean predicted distance in mm between corresponding anatomy (arXiv 2309.02875), over the fixed content.

    ``dense`` looks at a lattice over the whole fixed content at once; ``patches`` averages over random patches, as
    published.  Positions that the transform moves out of the moving field of view have next to no say.

    Args:
        fixed, moving: the pair, intensities normalised (0 background, about 1 bright).
        network: from :func:`madreg.network.weights.load`; the bundled one if None.
        seed: of the patches.
        mode: ``dense`` or ``patches``.
        patches: how many patches in that mode.
        margin: mm around the fixed content in which the dense mode looks for moving anatomy; negative, as content
            takes in 10 mm of air.

    Attributes:
        points: (n, 3) float32 LPS mm, the fixed positions whose distance is predicted.
    """

    name = "mad"

    def __init__(
        self,
        fixed: Volume,
        moving: Volume,
        network: DistanceNetwork | None = None,
        seed: int = 0,
        mode: str = "dense",
        patches: int = 96,
        margin: float = -4.0,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"unknown mode {mode!r}")
        if network is None:
            network = weights.load(device=fixed.device)[0]
        self.network, self.mode = folded(network), mode
        # where the processor multiplies bfloat16 natively, that is twice as fast
        self.quick = fixed.device.type == "cpu" and _native_bfloat16()
        spacing = network.settings.spacing
        fixed, self.moving = fixed.resampled(spacing), moving.resampled(spacing)
        sites = dense_sites(fixed, spacing, margin) if mode == "dense" else patch_sites(fixed, spacing, patches, seed)
        self.sites, self.weight, self.points = sites, sites.weight, sites.points
        self.fixed_values = fixed.sample(sites.lattice)[0][:, None]
        with torch.no_grad():
            self.encoded = self._encoded(self.fixed_values) if isinstance(network, SiameseNetwork) else None

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        values = []
        for matrix in matrices:
            distances, inside = self._predict(matrix)
            weight = self.weight * (0.02 + inside)
            values.append((distances * weight).sum() / weight.sum())
        return torch.stack(values)

    @torch.no_grad()
    def map(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """At a 4x4 matrix: distances (n,) in mm at :attr:`points`, and which of them (n,) lie in both scans."""
        distances, inside = self._predict(torch.tensor(matrix, dtype=torch.float64))
        chosen = self.weight > 0
        return distances[chosen].cpu().numpy(), (inside[chosen] > 0.5).cpu().numpy()

    @torch.no_grad()
    def correspondences(
        self,
        matrix: np.ndarray,
        sharpness: float = 1.0,
        farther: float = 1.0,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the siamese network finds the fixed positions in the moving scan, starting from a 4x4 matrix.

        Args:
            sharpness: weight of what things look like, and
            farther: how far to look, both as multiples of what was trained.

        Returns:
            Fixed points (n, 3) and moving points (n, 3), LPS mm, and the spread (n,) in mm of what else each could be.

        Raises:
            ValueError: if the network or the mode does not match points.
        """
        if self.encoded is None or self.mode != "dense":
            raise ValueError("correspondences need a siamese network and the dense mode")
        moving, inside = self._moved(torch.tensor(matrix, dtype=torch.float64))
        features = self._encoded(moving[:, None])[0]
        chosen = torch.nonzero(((self.weight > 0) & (inside[0] > 0.5)).flatten())[:, 0]
        keys = self._keys(moving)
        moments = self.network.matched_moments(self.encoded[0], features, 0, chosen, keys, sharpness, farther)[0]
        moments = (moments * UNIT_MM).cpu().double().numpy()
        points = self.sites.middles(self.sites.lattice)[0].reshape(-1, 3)[chosen].cpu().numpy()
        wished = points + moments[:, :3] @ self.sites.grid.axes.T  # the network counts along the lattice
        return points, apply(matrix, wished), moments[:, 4]

    def _encoded(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.quick):
            features, context = self.network.encoder(images)
        return features.float(), context.float()

    def _keys(self, moving: torch.Tensor) -> torch.Tensor:
        """Indices of the moving features (1, k, j, i every second voxel) that lie in or next to something bright."""
        near = dilate(moving.detach()[0], (1, 1, 1))[::2, ::2, ::2].flatten()
        keys = torch.nonzero(near > 0.1)[:, 0]
        return keys if len(keys) > 8 else torch.arange(len(near), device=near.device)

    def _moved(self, matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Moving values at the transformed lattice, and how far its labelled points lie in the moving field of view."""
        lattice = self.sites.lattice
        where = map_points(matrix[None], lattice.reshape(-1, 3))[0].reshape(lattice.shape)
        return self.moving.sample(where)[0], self.moving.sample(self.sites.middles(where).detach())[1]

    def _predict(self, matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Distances in mm, shaped like :attr:`weight`, and how far each position lies in the moving scan."""
        values, inside = self._moved(matrix)
        if self.encoded is not None:
            moving = self._encoded(values[:, None])
            if self.mode == "dense":
                distances = self.network.measure(self.encoded, moving, self.sites.queries, self._keys(values))
            else:
                distances = self.network.compare(self.encoded, moving)[0]
        else:
            distances = self.network(torch.cat([self.fixed_values, values[:, None]], 1))
        distances = distances[:, 0]
        if self.mode == "patches":
            return distances.mean((1, 2, 3)), inside[:, 0, 0, 0]
        return distances[0], inside[0]


def mad_of(pair: Pair, weights_path: str | None = None) -> MAD:
    """MAD of a pair, on the lattice that its network was trained for; made once.

    Args:
        weights_path: ``.pt`` file of the network; the bundled one if None.

    Raises:
        InputError: if the weights are missing, damaged or foreign.
    """

    def make() -> MAD:
        network = weights.load(weights_path, pair.fixed.device)[0]
        return MAD(pair.fixed, pair.moving, network, pair.seed)

    return pair.once(("mad", weights_path), make)


def mean_prediction(mad: MAD, pose: np.ndarray) -> float:
    """Mean predicted distance in mm at a 4x4 pose, fixed LPS to moving LPS, over what lies in both scans."""
    predicted, seen = mad.map(pose)
    return float(predicted[seen].mean()) if seen.any() else float(predicted.mean())
