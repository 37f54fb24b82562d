"""Trace-free structure tensors of normalised gradients: which way edges run, whatever the contrast.

The tensor of a normalised gradient, ``n n^T``, does not depend on the sign of the contrast; removing the trace removes
the part that does not depend on the direction of the edge.  NGF: Haber and Modersitzki 2006.
"""

from __future__ import annotations

import numpy as np
import torch

from .geometry import Grid
from .gradients import gradient_mask, local_edge_parameter, world_gradient
from .smoothing import smooth
from .volume import Volume

SURROUNDINGS = 8.0  # voxels of the fine lattice, over which an edge is compared with others

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


def trace_free_tensors(gradient: torch.Tensor, eta: float | torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Coefficients (5, k, j, i) in :data:`TRACE_FREE_BASIS` of ``n n^T``, n the normalised gradient (3, k, j, i).

    Args:
        eta: edge parameter of the normalisation, one for all or (k, j, i).
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
    there = gradient_mask(fine.mask)
    outer = trace_free_tensors(gradient, local_edge_parameter(gradient, there, SURROUNDINGS), there)
    return smooth(torch.cat([outer, fine.mask.float()[None]]), [1.0] * 3), fine.grid


def rotate_tensors(rotations: torch.Tensor) -> torch.Tensor:
    """(B, 5, 5) matrices that act on trace-free coefficients as ``Q -> R Q R^T`` does on tensors."""
    basis = TRACE_FREE_BASIS.to(rotations)
    rotated = torch.einsum("bxy,nyz,bwz->bnxw", rotations, basis, rotations)
    return torch.einsum("mxw,bnxw->bmn", basis, rotated)
