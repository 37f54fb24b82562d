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

from .geometry import Grid, apply, rotation_angle
from .measures.ngf import edge_parameter
from .smoothing import smooth, world_gradient
from .volume import Volume, sample_array

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
    return torch.stack([smooth(channel, [1.0] * 3) for channel in (*outer, mask)]), fine.grid


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
    """Centre (3,) LPS mm and radius in mm of the ball that holds nearly all edges."""
    energy = features[:5].square().sum(0).flatten()
    points = grid.points(features.device).reshape(-1, 3)
    center = (points * energy[:, None]).sum(0) / energy.sum().clamp(min=1e-9)
    distance, order = (points - center).norm(dim=1).sort()
    share = energy[order].cumsum(0) / energy.sum().clamp(min=1e-9)
    return center.cpu().double().numpy(), float(distance[(share < 0.99).sum().clamp(max=len(distance) - 1)])


def search(
    fixed: Volume,
    moving: Volume,
    *,
    rotations: np.ndarray | None = None,
    spacing: float = 10.0,
    count: int = 6,
    min_overlap: float = 0.25,
    progress: Callable[[float], None] | None = None,
    batch: int = 4,
) -> list[Candidate]:
    """The best poses over all rotations and translations, best first.

    Args:
        fixed, moving: the pair; where they lie in the world does not matter.
        rotations: (R, 3, 3), fixed directions to moving directions; 400 super-Fibonacci rotations by default.
        spacing: mm, of the correlation lattice.
        count: how many candidates to return; no two within 20 degrees and 20 mm of each other.
        min_overlap: share of the smaller image's content that must lie in the other's field of view.
        progress: called with the share done, may raise to stop.
        batch: rotations a step.
    """
    device = fixed.device
    if rotations is None:
        rotations = super_fibonacci(400)
    fixed_features, fixed_grid = structure_tensors(fixed, spacing)
    moving_features, moving_grid = structure_tensors(moving, spacing)
    fixed_center, fixed_radius = _content(fixed_features, fixed_grid)
    moving_center, moving_radius = _content(moving_features, moving_grid)

    half_fixed, half_moving = (int(np.ceil(r / spacing)) for r in (fixed_radius, moving_radius))
    reach = max(half_fixed, half_moving)  # shifts beyond leave less than half an image in common
    length = _fast_length(half_fixed + half_moving + reach + 1)

    fixed_inverse = torch.as_tensor(fixed_grid.inverse, dtype=torch.float32, device=device)
    moving_inverse = torch.as_tensor(moving_grid.inverse, dtype=torch.float32, device=device)

    def lattice(half: int) -> torch.Tensor:
        axis = torch.arange(-half, half + 1, dtype=torch.float32, device=device) * spacing
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        return torch.stack([x, y, z], -1)

    offsets = lattice(half_fixed)
    center = torch.as_tensor(fixed_center, dtype=torch.float32, device=device)
    f = sample_array(fixed_features, fixed_inverse, offsets + center, "zeros")
    f = torch.cat([f, f[:5].square().sum(0, keepdim=True)])
    f_hat = torch.fft.rfftn(f, s=(length,) * 3, dim=(1, 2, 3))

    offsets = lattice(half_moving)
    center = torch.as_tensor(moving_center, dtype=torch.float32, device=device)
    best_score = torch.full((len(rotations),), -torch.inf)
    best_shift = torch.zeros(len(rotations), 3)
    # Fixed sample a meets moving sample a - s; in mm, fixed offset x meets moving offset x - d with d = s - origin.
    origin = half_fixed - half_moving
    shifts = (torch.arange(length, device=device) - origin + length // 2) % length - length // 2
    near = shifts.abs() <= reach
    usable = near[:, None, None] & near[None, :, None] & near[None, None, :]
    total_fixed = f[6].sum()
    for begin in range(0, len(rotations), batch):
        turn = torch.as_tensor(rotations[begin : begin + batch], dtype=torch.float32, device=device)
        where = torch.einsum("bxy,kjiy->bkjix", turn, offsets) + center
        m = sample_array(moving_features, moving_inverse, where, "zeros").movedim(1, 0)
        upright = torch.einsum("bmn,bnkji->bmkji", rotate_tensors(turn.transpose(1, 2)), m[:, :5])
        energy = m[:, :5].square().sum(1, keepdim=True)
        m_hat = torch.fft.rfftn(torch.cat([upright, m[:, 5:], energy], 1), s=(length,) * 3, dim=(2, 3, 4)).conj()
        products = torch.stack(
            [
                (f_hat[:5] * m_hat[:, :5]).sum(1),  # agreement of the tensors
                f_hat[6] * m_hat[:, 5],  # fixed energy in the common view
                f_hat[5] * m_hat[:, 6],  # moving energy in the common view
            ],
            1,
        )
        agreement, in_fixed, in_moving = torch.fft.irfftn(products, s=(length,) * 3, dim=(2, 3, 4)).unbind(1)
        total_moving = energy.sum((1, 2, 3, 4))[:, None, None, None]
        common = torch.maximum(in_fixed / total_fixed, in_moving / total_moving).clamp(0, 1)
        score = agreement / (in_fixed.clamp(min=1e-6) * in_moving.clamp(min=1e-6)).sqrt() * common.sqrt()
        score = torch.where(usable & (common >= min_overlap), score, -torch.inf).flatten(1)
        value, index = score.max(1)
        best_score[begin : begin + len(turn)] = value.cpu()
        shift = torch.stack([index % length, index // length % length, index // length**2], -1)
        best_shift[begin : begin + len(turn)] = shifts[shift].float().cpu() * spacing
        if progress:
            progress(min(1.0, (begin + batch) / len(rotations)))

    candidates: list[Candidate] = []
    for n in best_score.argsort(descending=True).tolist():
        if len(candidates) == count or not torch.isfinite(best_score[n]):
            break
        matrix = np.eye(4)
        matrix[:3, :3] = rotations[n]
        matrix[:3, 3] = moving_center - rotations[n] @ (fixed_center + best_shift[n].numpy())
        if all(_differ(matrix, other.matrix, fixed_center) for other in candidates):
            candidates.append(Candidate(matrix, float(best_score[n])))
    return candidates


def _differ(first: np.ndarray, second: np.ndarray, center: np.ndarray, degrees: float = 20, mm: float = 20) -> bool:
    """Whether two poses are more than ``degrees`` or, at ``center``, ``mm`` apart."""
    apart = np.linalg.norm(apply(first, center) - apply(second, center))
    return apart > mm or rotation_angle(first[:3, :3] @ second[:3, :3].T) > degrees
