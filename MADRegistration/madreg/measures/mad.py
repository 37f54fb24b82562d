"""MAD, the Modality Agnostic Distance: the mean distance in mm that a trained network predicts between two scans."""

from __future__ import annotations

import numpy as np
import torch

from ..image.geometry import apply
from ..image.pair import Pair
from ..image.points import map_points
from ..image.volume import Volume
from ..network import weights
from ..network.features import FeatureNetwork
from ..network.models import DistanceNetwork
from .predictors import SiamesePredictor, predictor
from .sites import dense_sites, patch_sites

MODES = ("dense", "patches")


class MAD:
    """Mean predicted distance in mm between corresponding anatomy (arXiv 2309.02875), over the fixed foreground.

    ``dense`` predicts on a lattice over the whole fixed foreground at once; ``patches`` averages over random patches,
    as published.  Positions outside the moving field of view have a weight of 2 %.

    Args:
        fixed, moving: the pair, intensities normalised (0 background, about 1 bright).
        network: from :func:`madreg.network.weights.load`; the bundled one if None.
        seed: of the patches.
        mode: ``dense`` or ``patches``.
        patches: how many patches in that mode.
        margin: mm around the fixed foreground in which the dense mode looks for moving anatomy; negative, as the
            foreground includes 10 mm of air.

    Attributes:
        points: (n, 3) float32 LPS mm, the fixed positions whose distance is predicted.
    """

    name = "mad-distance"

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
        self.mode = mode
        spacing = network.settings.spacing
        fixed, self.moving = fixed.resampled(spacing), moving.resampled(spacing)
        sites = dense_sites(fixed, spacing, margin) if mode == "dense" else patch_sites(fixed, spacing, patches, seed)
        self.sites, self.weight, self.points = sites, sites.weight, sites.points
        self.predictor = predictor(network, fixed.sample(sites.lattice)[0][:, None], sites.queries)

    @property
    def finds_correspondences(self) -> bool:
        """Whether :meth:`correspondences` can be asked for."""
        return self.mode == "dense" and isinstance(self.predictor, SiamesePredictor)

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
            sharpness: weight of the features, as a multiple of that in training.
            farther: how far to look, as a multiple of that in training.

        Returns:
            Fixed points (n, 3) and moving points (n, 3), LPS mm, and the standard deviation (n,) in mm of each match.

        Raises:
            ValueError: if the network or the mode does not match points.
        """
        if not isinstance(self.predictor, SiamesePredictor) or self.sites.grid is None:
            raise ValueError("correspondences need a siamese network and the dense mode")
        moving, inside = self._moved(torch.tensor(matrix, dtype=torch.float64))
        chosen = torch.nonzero(((self.weight > 0) & (inside[0] > 0.5)).flatten())[:, 0]
        moments = self.predictor.moments(moving, chosen, sharpness, farther).cpu().double().numpy()
        points = self.sites.middles(self.sites.lattice)[0].reshape(-1, 3)[chosen].cpu().numpy()
        matched = points + moments[:, :3] @ self.sites.grid.axes.T  # the network counts along the lattice
        return points, apply(matrix, matched), moments[:, 4]

    def _moved(self, matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Moving values at the transformed lattice, and how far its labelled points lie in the moving field of view."""
        lattice = self.sites.lattice
        where = map_points(matrix[None], lattice.reshape(-1, 3))[0].reshape(lattice.shape)
        return self.moving.sample(where)[0], self.moving.sample(self.sites.middles(where).detach())[1]

    def _predict(self, matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Distances in mm, shaped like :attr:`weight`, and how far each position lies in the moving scan."""
        values, inside = self._moved(matrix)
        distances = self.predictor(values)
        if self.mode == "patches":
            return distances.mean((1, 2, 3)), inside[:, 0, 0, 0]
        return distances[0], inside[0]


def mad_of(pair: Pair, weights_path: str | None = None) -> MAD:
    """MAD of a pair, on the lattice that its network was trained for; made once.

    Args:
        weights_path: ``.pt`` file of the network; the bundled one if None, or if the file's network predicts no
            distances.

    Raises:
        InputError: if the weights are missing, damaged or foreign.
    """

    def make() -> MAD:
        network = weights.load_any(weights_path, pair.fixed.device)[0]
        if isinstance(network, FeatureNetwork):
            network = weights.load(device=pair.fixed.device)[0]
        return MAD(pair.fixed, pair.moving, network, pair.seed)

    return pair.once(("mad", weights_path), make)


def mean_prediction(mad: MAD, pose: np.ndarray) -> float:
    """Mean predicted distance in mm at a 4x4 pose, fixed LPS to moving LPS, over what lies in both scans."""
    predicted, seen = mad.map(pose)
    return float(predicted[seen].mean()) if seen.any() else float(predicted.mean())
