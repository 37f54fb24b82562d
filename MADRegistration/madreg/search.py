"""Find the pose from anywhere: every rotation on a grid, every translation at once.

For each of some hundred rotations the moving image's structure tensors are rotated and correlated with the fixed
image's over all translations by FFT.  The tensor of a normalised gradient, ``n n^T``, does not know the sign of the
contrast, so the correlation of two tensor fields is the NGF similarity ``(n_F . n_M)^2`` of every translation.
Taking out the trace removes the part that only says "here is an edge of any direction".

Sources: NGF: Haber and Modersitzki 2006.  All translations of a gradient measure by FFT: Oefverstedt et al. 2021,
"Cross-Sim-NGF: FFT-based global rigid multimodal alignment of image volumes using normalized gradient fields"
(arXiv 2110.10156).  Rotations: Alexa 2022, "Super-Fibonacci spirals: fast, low-discrepancy sampling of SO(3)".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .geometry import Grid, apply, rotation_angle
from .measures.ngf import edge_parameter
from .parallel import each
from .smoothing import smooth, world_gradient
from .volume import Volume, sample_array

SPACING, FINER_SPACING = 10.0, 6.0  # mm
SLAB = 45.0  # mm; of slabs of 20 and 30 mm, 10 mm lose one right pose in three among all candidates, 6 mm none
SMALL = 60.0  # mm, spread; of 12 stretched boxes of 110 mm and less out of heads, 10 mm find one pose, 6 mm ten
MIN_OVERLAP = 0.25  # of the smaller image's content that must lie in the other's field of view
LEAST_SHOWN = 0.05  # of the edges of the smaller image
COARSER = 1.7  # times the spacing: the lattice on which every rotation is tried
NEARLY_ALL = 0.99  # of the edges lie in the ball that is looked at
LIKELY = 40  # rotations that are tried again on the finer one
COUNT = 8  # candidates
TURNED = 8  # poses of which neighbours are tried
PLAUSIBLE = 0.08  # a candidate scores less below the best; of 128 tuning trials the right one never did by 0.02
AT_ONCE = (4_000_000, 100_000)  # translations, on a GPU and on a processor, whose cache they should not overflow
NEIGHBOUR = 8.0  # degrees between a pose and its neighbours; the rotations of the spiral lie 15 to 30 apart

# Orthonormal basis of the symmetric trace-free 3x3 matrices: the Frobenius product of two tensors is the dot
# product of their five coefficients.
_R2, _R6 = np.sqrt(0.5), np.sqrt(1 / 6)
TRACE_FREE_BASIS = torch.tensor(
    np.array(
        [
            [[_R2, 0, 0], [0, -_R2, 0], [0, 0, 0]],
            [[-_R6, 0, 0], [0, -_R6, 0], [0, 0, 2 * _R6]],
            [[0, _R2, 0], [_R2, 0, 0], [0, 0, 0]],
            [[0, 0, _R2], [0, 0, 0], [_R2, 0, 0]],
            [[0, 0, 0], [0, 0, _R2], [0, _R2, 0]],
        ]
    ),
    dtype=torch.float32,
)


@dataclass(frozen=True)
class Candidate:
    """A pose the search proposes: 4x4 matrix, fixed LPS to moving LPS, and its score (higher is better)."""

    matrix: np.ndarray
    score: float


def super_fibonacci(count: int) -> np.ndarray:
    """``count`` rotation matrices (count, 3, 3), evenly spread over SO(3) (Alexa 2022, algorithm 1)."""
    s = np.arange(count) + 0.5
    alpha = 2 * np.pi * s / np.sqrt(2)
    beta = 2 * np.pi * s / 1.533751168755204288118041
    r, rest = np.sqrt(s / count), np.sqrt(1 - s / count)
    x, y, z, w = r * np.sin(alpha), r * np.cos(alpha), rest * np.sin(beta), rest * np.cos(beta)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
            2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
            2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]  # fmt: skip
    return np.stack(rows, -1).reshape(-1, 3, 3)


def trace_free_tensors(gradient: torch.Tensor, eta: float, there: torch.Tensor) -> torch.Tensor:
    """Coefficients (5, k, j, i) in :data:`TRACE_FREE_BASIS` of ``n n^T``, n the normalised gradient (3, k, j, i).

    Args:
        eta: edge parameter of the normalisation.
        there: (k, j, i), 0 where there is no data.
    """
    normal = gradient / (gradient.square().sum(0) + eta**2).sqrt() * there
    return torch.einsum("akji,bkji,nab->nkji", normal, normal, TRACE_FREE_BASIS.to(normal.device))


def structure_tensors(volume: Volume, spacing: float) -> tuple[torch.Tensor, Grid]:
    """Trace-free structure tensors of the normalised gradient, averaged over cells of ``spacing`` mm.

    Returns:
        (6, k, j, i): five coefficients in :data:`TRACE_FREE_BASIS` along the world's axes, then the data mask;
        and the lattice they lie on (half of ``spacing``, the volume's own axes).
    """
    fine = volume.resampled(spacing / 2)
    gradient = world_gradient(smooth(fine.data, [0.7] * 3), fine.grid)
    mask = fine.mask.float()
    outer = trace_free_tensors(gradient, edge_parameter(gradient, fine.mask), mask)
    return smooth(torch.cat([outer, mask[None]]), [1.0] * 3), fine.grid


def rotate_tensors(rotations: torch.Tensor) -> torch.Tensor:
    """(B, 5, 5) matrices that act on trace-free coefficients as ``Q -> R Q R^T`` does on tensors."""
    basis = TRACE_FREE_BASIS.to(rotations)
    turned = torch.einsum("bxy,nyz,bwz->bnxw", rotations, basis, rotations)
    return torch.einsum("mxw,bnxw->bmn", basis, turned)


def _fast_length(n: int) -> int:
    """Smallest length of at least ``n`` whose prime factors are 2, 3 and 5."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def _content(features: torch.Tensor, grid: Grid) -> tuple[np.ndarray, float]:
    """Centre (3,) LPS mm and radius in mm of the ball that holds nearly all edges; the last feature is the mask."""
    energy = features[:-1].square().sum(0).flatten()
    points = grid.points(features.device).reshape(-1, 3)
    center = (points * energy[:, None]).sum(0) / energy.sum().clamp(min=1e-9)
    distance, order = (points - center).norm(dim=1).sort()
    share = energy[order].cumsum(0) / energy.sum().clamp(min=1e-9)
    return center.cpu().double().numpy(), float(distance[(share < NEARLY_ALL).sum().clamp(max=len(distance) - 1)])


class Correlation:
    """All translations of a moving image over a fixed one, for any rotation, on one lattice.

    Structure tensors are compared; what compares other features overrides :meth:`features` and :meth:`upright`.

    Args:
        spacing: mm, of the lattice.
        min_overlap: share of the smaller image's edges that must lie in the other's field of view.
    """

    def __init__(self, fixed: Volume, moving: Volume, spacing: float, min_overlap: float) -> None:
        self.spacing, self.min_overlap = spacing, min_overlap
        self.device = fixed.device
        fixed_features, fixed_grid = self.features(fixed)
        moving_features, self.moving_grid = self.features(moving)
        self.fixed_center, fixed_radius = _content(fixed_features, fixed_grid)
        self.moving_center, moving_radius = _content(moving_features, self.moving_grid)
        half_fixed, half_moving = self.halves = tuple(int(np.ceil(r / spacing)) for r in (fixed_radius, moving_radius))
        reach = max(half_fixed, half_moving)  # shifts beyond leave less than half an image in common
        self.length = _fast_length(half_fixed + half_moving + reach + 1)

        inverse = torch.as_tensor(fixed_grid.inverse, dtype=torch.float32, device=self.device)
        center = torch.as_tensor(self.fixed_center, dtype=torch.float32, device=self.device)
        self.set_fixed(sample_array(fixed_features, inverse, self._offsets(half_fixed) + center, "zeros"))

        # one row a voxel, and a row of nothing for what lies outside: a nearest voxel is then a single look-up, and
        # the tensors are smoother than the half cell by which it errs
        self.rows = F.pad(moving_features.flatten(1).T, (0, 0, 0, 1)).contiguous()
        offsets = self._offsets(half_moving)
        ball = torch.nonzero(offsets.norm(dim=-1) <= (half_moving + 0.5) * spacing)
        self.offsets = offsets[tuple(ball.T)]
        self.box = 2 * half_moving + 1
        self.ball = (ball[:, 0] * self.box + ball[:, 1]) * self.box + ball[:, 2]
        # Fixed sample a meets moving sample a - s; in mm, fixed offset x meets moving offset x - d, d = s - origin.
        origin, length = half_fixed - half_moving, self.length
        self.shifts = (torch.arange(length, device=self.device) - origin + length // 2) % length - length // 2
        near = self.shifts.abs() <= reach
        self.usable = near[:, None, None] & near[None, :, None] & near[None, None, :]

    def features(self, volume: Volume) -> tuple[torch.Tensor, Grid]:
        """Features (C + 1, k, j, i) of a volume, the last of which is the data mask, and the lattice they lie on."""
        return structure_tensors(volume, self.spacing)

    def upright(self, features: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """Features (B, n, C) of the moving image as they are once it is turned by the inverse of ``turn`` (B, 3, 3)."""
        return features @ rotate_tensors(turn.transpose(1, 2)).transpose(1, 2)

    def set_fixed(self, features: torch.Tensor) -> None:
        """Take fixed features and mask (C + 1, n, n, n) about the middle of the content, at the lattice's spacing."""
        f = torch.cat([features, features[:-1].square().sum(0, keepdim=True)])
        self.fixed_hat = torch.fft.rfftn(f, s=(self.length,) * 3, dim=(1, 2, 3))
        self.total_fixed = f[-1].sum()

    def _offsets(self, half: int) -> torch.Tensor:
        """(n, n, n, 3) mm from the middle, n = 2 half + 1."""
        axis = torch.arange(-half, half + 1, dtype=torch.float32, device=self.device) * self.spacing
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        return torch.stack([x, y, z], -1)

    def rotated(self, turn: torch.Tensor) -> torch.Tensor:
        """Moving features, mask and energy (B, C + 2, box, box, box) as rotations (B, 3, 3) bring them over the fixed
        image."""
        to_index = torch.as_tensor(self.moving_grid.inverse, dtype=torch.float32, device=self.device)
        center = torch.as_tensor(apply(self.moving_grid.inverse, self.moving_center), dtype=torch.float32)
        index = (self.offsets @ (to_index[:3, :3] @ turn).transpose(1, 2) + center.to(self.device)).round().long()
        ni, nj, nk = self.moving_grid.size
        inside = ((index >= 0) & (index < torch.tensor([ni, nj, nk], device=self.device))).all(-1)
        flat = torch.where(inside, (index[..., 2] * nj + index[..., 1]) * ni + index[..., 0], len(self.rows) - 1)
        found = self.rows[flat]  # (B, ball, C + 1)
        upright = self.upright(found[..., :-1], turn)
        energy = found[..., :-1].square().sum(-1, keepdim=True)
        out = torch.zeros(len(turn), found.shape[-1] + 1, self.box**3, device=self.device)
        out[:, :, self.ball] = torch.cat([upright, found[..., -1:], energy], -1).transpose(1, 2)
        return out.unflatten(2, (self.box,) * 3)

    def scores(self, turn: torch.Tensor) -> torch.Tensor:
        """Scores (B, length^3) of every translation at rotations (B, 3, 3), fixed to moving; -inf where not allowed."""
        moving = self.rotated(turn)
        size, axes = (self.length,) * 3, (2, 3, 4)
        # what is padded is nothing: the last axis is transformed where there is something alone
        moving_hat = torch.fft.fft(torch.fft.rfftn(moving, s=size[1:], dim=axes[1:]), n=self.length, dim=2).conj()
        products = torch.stack(
            [
                (self.fixed_hat[:-2] * moving_hat[:, :-2]).sum(1),  # agreement of the features
                self.fixed_hat[-1] * moving_hat[:, -2],  # fixed energy in the common view
                self.fixed_hat[-2] * moving_hat[:, -1],  # moving energy in the common view
            ],
            1,
        )
        agreement, in_fixed, in_moving = torch.fft.irfftn(products, s=size, dim=axes).unbind(1)
        total_moving = moving[:, -1].sum((1, 2, 3))[:, None, None, None]
        common = torch.maximum(in_fixed / self.total_fixed, in_moving / total_moving).clamp(0, 1)
        # where an image shows next to nothing, noise agrees with anything
        least = LEAST_SHOWN * torch.minimum(self.total_fixed, total_moving)
        shown = torch.maximum(in_fixed, least) * torch.maximum(in_moving, least)
        score = agreement / shown.sqrt() * common.sqrt()
        return torch.where(self.usable & (common >= self.min_overlap), score, -torch.inf).flatten(1)

    def best(self, rotations: np.ndarray, tell: Callable[[float], None]) -> list[Candidate]:
        """The best translation of each rotation (R, 3, 3), in their order; ``tell`` takes the share done."""
        batch = max(1, AT_ONCE[self.device.type == "cpu"] // self.length**3)
        batches = [rotations[begin : begin + batch] for begin in range(0, len(rotations), batch)]

        def highest(some: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
            return self.scores(torch.as_tensor(some, dtype=torch.float32, device=self.device)).max(1)

        n, found = self.length, []
        for some, (value, index) in zip(batches, each(highest, batches, self.device, tell), strict=True):
            shift = self.shifts[torch.stack([index % n, index // n % n, index // n**2], -1)].cpu().numpy()
            for rotation, moved, score in zip(some, shift * self.spacing, value.tolist(), strict=True):
                matrix = np.eye(4)
                matrix[:3, :3] = rotation
                matrix[:3, 3] = self.moving_center - rotation @ (self.fixed_center + moved)
                found.append(Candidate(matrix, score))
        return found


def is_slab(fixed: Volume, moving: Volume) -> bool:
    """Whether either volume is a thin slab."""
    return min(fixed.thickness, moving.thickness) <= SLAB


def search(
    fixed: Volume,
    moving: Volume,
    *,
    rotations: np.ndarray | None = None,
    spacing: float | None = None,
    likely: int = LIKELY,
    count: int = COUNT,
    min_overlap: float = MIN_OVERLAP,
    progress: Callable[[float], None] | None = None,
) -> list[Candidate]:
    """The best poses over all rotations and translations, best first.

    Every rotation is tried on a coarse lattice, the most likely ones again on a finer one, and there the neighbours of
    the best.

    Args:
        fixed, moving: the pair; where they lie in the world does not matter.
        rotations: (R, 3, 3), fixed directions to moving directions; 400 super-Fibonacci rotations by default.
        spacing: mm, of the finer correlation lattice; by default 10, or 6 if either volume is small or a thin slab.
        likely: how many rotations are tried on the finer lattice.
        count: how many candidates to return at most; no two within 20 degrees and 20 mm of each other, and none that
            scores much below the best.
        min_overlap: share of the smaller image's content that must lie in the other's field of view.
        progress: called with the share done, may raise to stop.
    """
    if rotations is None:
        rotations = super_fibonacci(400)
    if spacing is None:
        small = min(reduced.spread for reduced in (fixed.resampled(SPACING), moving.resampled(SPACING))) < SMALL
        spacing = FINER_SPACING if small or is_slab(fixed, moving) else SPACING
    tell = progress or (lambda share: None)
    coarse = Correlation(fixed, moving, COARSER * spacing, min_overlap)
    scores = np.array([one.score for one in coarse.best(rotations, lambda share: tell(0.4 * share))])
    promising = rotations[np.argsort(-scores, kind="stable")[:likely]]
    fine = Correlation(fixed, moving, spacing, min_overlap)
    found = distinct(fine.best(promising, lambda share: tell(0.4 + 0.3 * share)), fine.fixed_center)[:TURNED]
    around = _neighbours(NEIGHBOUR)
    turned = [turn @ one.matrix[:3, :3] for one in found for turn in around]
    found += fine.best(np.array(turned).reshape(-1, 3, 3), lambda share: tell(0.7 + 0.3 * share))
    candidates = distinct(found, fine.fixed_center)[:count]
    return [one for one in candidates if one.score > candidates[0].score - PLAUSIBLE]


def _neighbours(degrees: float) -> np.ndarray:
    """(6, 3, 3) rotations by so much to either side about each axis."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turns = np.array([[[1, 0, 0], [0, c, -s], [0, s, c]],
                      [[c, 0, s], [0, 1, 0], [-s, 0, c]],
                      [[c, -s, 0], [s, c, 0], [0, 0, 1]]])  # fmt: skip
    return np.concatenate([turns, turns.transpose(0, 2, 1)])


def distinct(found: list[Candidate], center: np.ndarray) -> list[Candidate]:
    """Those that are possible at all, best first, without any that is close to a better one; ``center``: (3,) LPS."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda one: -one.score):
        if np.isfinite(one.score) and all(_differ(one.matrix, other.matrix, center) for other in kept):
            kept.append(one)
    return kept


def _differ(first: np.ndarray, second: np.ndarray, center: np.ndarray, degrees: float = 20, mm: float = 20) -> bool:
    """Whether two poses are more than ``degrees`` or, at ``center``, ``mm`` apart."""
    apart = np.linalg.norm(apply(first, center) - apply(second, center))
    return apart > mm or rotation_angle(first[:3, :3] @ second[:3, :3].T) > degrees
