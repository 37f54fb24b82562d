"""Parametrised linear transforms whose every parameter is worth about a millimetre.

A transform is ``x -> A (x - center) + center + start_translation + t`` where ``A = R(w) S(s) A_start``.  Rotations,
scales and shears are divided by ``radius`` (mm), so a step of 1 in any parameter moves a point at that distance from
the centre by about 1 mm; one learning rate fits all.  Parameters are zero at the start, whatever the start is.
"""

from __future__ import annotations

import numpy as np
import torch

DEGREES_OF_FREEDOM = {"rigid": 6, "similarity": 7, "affine": 12}
LEAST_RADIUS = 1.0  # mm; a single point has none


def _skew(w: torch.Tensor) -> torch.Tensor:
    """Cross-product matrices (..., 3, 3) of vectors (..., 3)."""
    zero = torch.zeros_like(w[..., 0])
    x, y, z = w.unbind(-1)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*w.shape[:-1], 3, 3)


class LinearTransform:
    """A batch of rigid, similarity or affine transforms about one centre.

    Args:
        start: (B, 4, 4) or (4, 4) matrices, fixed LPS to moving LPS, that the parameters start from.
        center: (3,) fixed point, LPS mm, about which rotation and scale act.
        kind: ``rigid`` (6 parameters), ``similarity`` (7) or ``affine`` (12).
        radius: mm; the typical distance of the anatomy from the centre.

    The dozen numbers stay on the CPU in double precision (MPS has none); measures move the matrices to their device.

    Raises:
        KeyError: for an unknown ``kind``.
    """

    def __init__(self, start: np.ndarray, center: np.ndarray, kind: str = "rigid", radius: float = 80.0) -> None:
        self.kind = kind
        self.radius = float(radius)
        self.start = torch.tensor(np.asarray(start), dtype=torch.float64).reshape(-1, 4, 4)
        self.center = torch.as_tensor(np.asarray(center), dtype=torch.float64)
        shape = len(self.start), DEGREES_OF_FREEDOM[kind]
        self.parameters = torch.zeros(shape, dtype=torch.float64, requires_grad=True)

    @classmethod
    def over(cls, points: np.ndarray, start: np.ndarray, kind: str = "rigid") -> LinearTransform:
        """Transforms about the middle of some anatomy, given by points (n, 3), LPS mm, and scaled to its size."""
        center = points.mean(0)
        return cls(start, center, kind, max(float(np.linalg.norm(points - center, axis=1).mean()), LEAST_RADIUS))

    def matrices(self) -> torch.Tensor:
        """(B, 4, 4) float64 matrices, fixed LPS to moving LPS, differentiable in ``parameters``.

        The update acts on moving points: ``U (T_start x - c') + c' + t`` with ``c' = T_start center``.
        """
        translation, rest = self.parameters[:, :3], self.parameters[:, 3:] / self.radius
        update = torch.linalg.matrix_exp(_skew(rest[:, :3]))
        if self.kind == "similarity":
            update = update * torch.exp(rest[:, 3])[:, None, None]
        elif self.kind == "affine":
            # a symmetric logarithm: three scales and three shears, with no rotation in it
            xx, yy, zz, xy, xz, yz = rest[:, 3:].unbind(-1)
            stretch = torch.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], -1).reshape(-1, 3, 3)
            update = update @ torch.linalg.matrix_exp(stretch)
        linear = update @ self.start[:, :3, :3]
        image_of_center = self.start[:, :3, :3] @ self.center + self.start[:, :3, 3]
        offset = image_of_center + translation - (linear @ self.center)
        top = torch.cat([linear, offset[..., None]], -1)
        bottom = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=top.dtype).expand(len(top), 1, 4)
        return torch.cat([top, bottom], 1)

    def some(self, which: torch.Tensor) -> LinearTransform:
        """Those of the batch that are chosen by bool (B,), where they are now."""
        chosen = LinearTransform(self.start[which].numpy(), self.center.numpy(), self.kind, self.radius)
        with torch.no_grad():
            chosen.parameters.copy_(self.parameters[which])
        return chosen

    def numpy(self) -> np.ndarray:
        """(B, 4, 4) matrices as numpy, without gradient."""
        return self.matrices().detach().cpu().numpy()
