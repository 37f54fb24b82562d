"""Block matching about a pose: where would each part of the fixed scan rather lie in the moving one?

Around a pose the edges of both scans are compared block by block, at every displacement within reach, by the
normalised cross-correlation of trace-free structure tensors (see :mod:`madreg.pose.search`), which knows no contrast.
Every block so gets a small volume of scores.  The motion under which all blocks together score best is what the pose
is off by: no block has to decide on a displacement of its own, so a flat face, which slides along itself unpunished,
does no harm.

Block matching with a robust fit: Ourselin et al. 2000, "Block matching: a general framework to improve robustness of
rigid registration of medical images"; here with scores in place of matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from ..descent.adam import Adam
from ..image.fitting import robust_fit
from ..image.geometry import Grid, about, apply
from ..image.gradients import edge_parameter, gradient_mask, world_gradient
from ..image.points import lattice_points, map_points
from ..image.sampling import sample_array
from ..image.smoothing import smooth
from ..image.tensors import trace_free_tensors
from ..image.volume import Volume

SPACING = 4.0  # mm between samples, and between displacements
REACH_MM = 16.0  # of the displacements, to either side along each axis
HALF_MM = 12.0  # from the middle of a block to its end
STRIDE_MM = 16.0  # from block to block
MARGIN_MM = 8.0  # around the fixed content
MANY = 300  # blocks, of which a third still says the same
AT_ONCE = 256  # blocks, for the memory they take
RADIUS = 60.0  # mm at which the parameters of a motion are lengths
NEIGHBOURHOOD = 16.0  # mm, deviation of the blocks that have a say in a local displacement
LOCAL_PRIOR = 0.002  # what a mm^2 between a local displacement and the common motion costs, in scores
# What a motion may stretch: deviation in mm at RADIUS, and strength, in scores, of the prior.
PRIORS = {"rigid": (1.0, 0.01), "similarity": (3.0, 0.003), "affine": (3.0, 0.003)}


def _tensors(values: torch.Tensor, mask: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Trace-free structure tensors (5, k, j, i) of the normalised gradient of values (k, j, i) on a lattice."""
    gradient = world_gradient(smooth(values, [0.7] * 3), grid)
    there = gradient_mask(mask)
    outer = trace_free_tensors(gradient, edge_parameter(gradient, there > 0), there)
    return smooth(outer, [0.7] * 3)


def _window(half: int, device: torch.device) -> torch.Tensor:
    """(2 half + 1,) weights of a Hann window, which sum to 1."""
    window = torch.hann_window(2 * half + 3, periodic=False, device=device)[1:-1]
    return window / window.sum()


def _windows(count: int, half: int, stride: int, device: torch.device) -> torch.Tensor:
    """(blocks, count) weights of a Hann window of ``2 half + 1`` samples about every ``stride``-th of ``count``."""
    window = _window(half, device)
    middles = range(0, count, stride)
    weights = torch.zeros(len(middles), count + 2 * half, device=device)
    for row, middle in enumerate(middles):
        weights[row, middle : middle + 2 * half + 1] = window
    return weights[:, half : half + count]


def _block_means(images: torch.Tensor, half: int, stride: int) -> torch.Tensor:
    """Means (C, k', j', i') of (C, k, j, i) under the windows of :func:`_windows` along each axis."""
    along = [_windows(count, half, stride, images.device) for count in images.shape[1:]]
    out = (along[0] @ images.flatten(2)).unflatten(2, images.shape[2:])
    return along[1] @ out @ along[2].T


def _generators(device: torch.device) -> torch.Tensor:
    """(9, 3, 3): three rotations, then six stretches, as linear maps of unit Frobenius norm."""
    out = []
    for sign in (-1.0, 1.0):
        if sign > 0:
            out += [np.diag(row) for row in np.eye(3)]
        for a, b in ((0, 1), (0, 2), (1, 2)):
            linear = np.zeros((3, 3))
            linear[a, b], linear[b, a] = np.sqrt(0.5), sign * np.sqrt(0.5)
            out.append(linear)
    return torch.tensor(np.array(out), dtype=torch.float32, device=device)


@dataclass(frozen=True)
class Motion:
    """How the blocks would rather have the fixed points moved, before the pose is applied.

    Attributes:
        matrix: 4x4 affine, fixed LPS to fixed LPS: ``pose @ matrix`` is where they all agree best.
        consensus: how nearly every block is served as well by it as by its own favourite displacement: 1 is each,
            0 no better than by chance.
    """

    matrix: np.ndarray
    consensus: float


class BlockMatching:
    """A pair of scans whose blocks can be asked about any pose.

    Args:
        fixed, moving: the pair.
    """

    def __init__(self, fixed: Volume, moving: Volume) -> None:
        self.reach, self.half, self.stride = (int(round(mm / SPACING)) for mm in (REACH_MM, HALF_MM, STRIDE_MM))
        fixed, self.moving = fixed.resampled(SPACING), moving.resampled(SPACING)
        content = apply(fixed.grid.matrix, torch.nonzero(fixed.foreground).cpu().numpy()[:, ::-1]) @ fixed.grid.axes
        low, high = content.min(0) - MARGIN_MM, content.max(0) + MARGIN_MM
        # along the fixed volume's own axes: what is said of a pose must not depend on how both volumes lie in the world
        self.lattice = Grid.covering(low, high, SPACING, fixed.grid.axes)
        points = self.lattice.points(fixed.device)
        values, mask = fixed.sample(points)
        self.tensors = _tensors(values, mask > 0.5, self.lattice)
        inverse = torch.as_tensor(fixed.grid.inverse, dtype=torch.float32, device=fixed.device)
        self.inside = sample_array(fixed.foreground.float()[None], inverse, points, "zeros")
        self.energy = _block_means(self.tensors.square().sum(0, keepdim=True), self.half, self.stride)[0]
        # a wider lattice, so that what lies just outside can be moved in
        self.wide = self.lattice.widened(self.reach)
        self.wide_points = self.wide.points(fixed.device)

    def about(self, pose: np.ndarray, few: bool = False) -> Blocks:
        """The blocks about a pose.

        Args:
            pose: 4x4, fixed LPS to moving LPS.
            few: whether a third of the blocks will do, evenly spread, where there are many: on tuning pairs their
                consensus is the same to 0.02.
        """
        moved = map_points(torch.tensor(pose)[None], self.wide_points.reshape(-1, 3))[0]
        values, mask = self.moving.sample(moved.reshape(self.wide_points.shape))
        there = mask > 0.5
        core = slice(self.reach, -self.reach)
        common = self.inside * there[core, core, core]
        shown = self.energy.sqrt() * _block_means(common, self.half, self.stride)[0]
        speaks = shown > 0.1 * shown.max()
        if few and speaks.sum() > MANY:
            k, j, i = (torch.arange(n, device=shown.device) for n in shown.shape)
            speaks &= (k[:, None, None] + j[:, None] + i) % 3 == 0
        chosen = torch.nonzero(speaks.flatten())[:, 0]
        scores = self._scores(_tensors(values, there, self.wide), smooth(gradient_mask(there), [0.7] * 3), chosen)
        scaled = self.lattice.matrix @ np.diag([self.stride, self.stride, self.stride, 1.0])
        grid = Grid(tuple(shown.shape[::-1]), scaled)
        weight = shown.flatten()[chosen]
        return Blocks(
            self.reach, grid, chosen, grid.points(weight.device).reshape(-1, 3)[chosen], weight / weight.sum(), scores
        )

    def _scores(self, tensors: torch.Tensor, seen: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Scores (B, n, n, n) of the chosen blocks.

        What of a block lies where the moving scan has no data does not count: else every block at the edge of a slab
        would rather lie in its middle.

        Args:
            tensors: moving ones on the wide lattice, and
            seen: how far the moving scan has data there, from 0 to 1.
        """
        count = 2 * self.reach + 1
        around = _block_means(torch.stack([tensors.square().sum(0), seen]), self.half, 1)  # every sample
        for axis in (1, 2, 3):
            around = around.unfold(axis, count, self.stride)
        moved_energy, share = around.flatten(1, 3)[:, chosen]
        energy = self.energy.flatten()[chosen][:, None, None, None]
        faint = 0.05 * self.energy.mean().clamp(min=1e-9)  # where there is next to nothing, nothing agrees
        likely = ((energy * share + faint) * (moved_energy + faint)).sqrt()
        return _agreement(self.tensors, tensors, chosen, self.reach, self.half, self.stride) / likely


@dataclass(frozen=True)
class Blocks:
    """Scores of every block of the fixed scan at every displacement about one pose.

    Attributes:
        reach: displacements to either side, along each axis; ``n = 2 reach + 1``.
        grid: lattice of the blocks' middles.
        chosen: (B,) flat indices into it: the blocks that show something in both scans.
        centers: (B, 3) LPS mm, their middles.
        weight: (B,) how much each shows; sums to 1.
        scores: (B, n, n, n) at displacements of ``-reach`` to ``reach`` times 4 mm along k, j, i of the lattice.
    """

    reach: int
    grid: Grid
    chosen: torch.Tensor
    centers: torch.Tensor
    weight: torch.Tensor
    scores: torch.Tensor

    def at(self, displacements: torch.Tensor, scores: torch.Tensor | None = None) -> torch.Tensor:
        """Scores (S, B) at displacements (S, B, 3), mm along the lattice's axes; beyond reach, as at its end.

        They are smooth and differentiable.

        A uniform cubic B-spline that does not interpolate: under linear interpolation every optimum were a sample.
        """
        padded = self._padded if scores is None else _padded(scores)
        count, width = 2 * self.reach + 1, 2 * self.reach + 3
        where = (displacements / SPACING).clamp(-self.reach, self.reach) + self.reach
        base = where.detach().floor().clamp(max=count - 2)
        t = where - base
        taps = torch.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
        step = torch.arange(4, device=base.device)
        around = ((step[:, None, None] * width + step[:, None]) * width + step).flatten()
        x, y, z = base.long().unbind(-1)
        flat = ((z * width + y) * width + x)[..., None] + around
        near = padded.expand(len(flat), -1, -1).gather(2, flat).unflatten(2, (4, 4, 4))
        along_x = torch.einsum("sbzyx,xsb->sbzy", near, taps[..., 0])
        return torch.einsum("sbz,zsb->sb", torch.einsum("sbzy,ysb->sbz", along_x, taps[..., 1]), taps[..., 2])

    @cached_property
    def _padded(self) -> torch.Tensor:
        return _padded(self.scores)

    def motion(self, kind: str = "rigid", steps: int = 60) -> Motion:
        """The motion under which all blocks together score best.

        Args:
            kind: of the pose: what a rigid registration left is rigid but for small stretches, for which a prior
                allows; ``similarity`` and ``affine`` allow for more.
        """
        deviation, strength = PRIORS[kind]
        generators = _generators(self.weight.device)
        center = self.weight @ self.centers
        from_center = (self.centers - center) @ self._axes / RADIUS
        parameters = _starts(self, from_center, generators)
        # a fit to the favourites of a thin slab stretches without limit
        parameters[:, 3:9].clamp_(-3 * deviation, 3 * deviation)
        parameters.requires_grad_()

        def displacements() -> torch.Tensor:
            linear = torch.einsum("sn,nab->sab", parameters[:, :9], generators)
            return torch.einsum("sab,pb->spa", linear, from_center) + parameters[:, None, 9:]

        def agreement() -> tuple[torch.Tensor, torch.Tensor]:
            return (self.at(displacements()) * self.weight).sum(1), (parameters[:, 3:9] / deviation).square().sum(1)

        optimiser = Adam(parameters)
        for step in range(steps):
            value, stretch = agreement()
            loss = (strength * stretch - value).sum()
            optimiser.step(torch.autograd.grad(loss, parameters)[0], 2.0 * 0.02 ** (step / steps))
        with torch.no_grad():
            value, stretch = agreement()
            best = int((value - strength * stretch).argmax())
            linear = torch.einsum("n,nab->ab", parameters[best, :9], generators) / RADIUS
            own = float((self.scores.flatten(1).amax(1) * self.weight).sum())
            chance = float((self.scores.flatten(1).mean(1) * self.weight).sum())
        axes = self.grid.axes
        matrix = about(
            center.cpu().double().numpy(),
            np.eye(3) + axes @ linear.cpu().double().numpy() @ axes.T,
            axes @ parameters[best, 9:].detach().cpu().double().numpy(),
        )
        return Motion(matrix, (float(value[best]) - chance) / max(own - chance, 1e-6))

    def local(self, motion: Motion, steps: int = 40) -> torch.Tensor:
        """Displacements (B, 3) in mm that each block and its neighbours score best at, held near a motion by a prior.

        This sees what no linear transform explains: distortion, swelling, a jaw that moved.
        """
        with torch.no_grad():
            apart = torch.cdist(self.centers, self.centers)
            share = torch.exp(-0.5 * (apart / NEIGHBOURHOOD) ** 2) * self.weight
            share = share / share.sum(1, keepdim=True)
            scores = (share @ self.scores.flatten(1)).reshape(self.scores.shape)
            centers = self.centers.cpu().double().numpy()
            moved = (apply(motion.matrix, centers) - centers) @ self.grid.axes
            common = torch.as_tensor(moved, dtype=torch.float32, device=share.device)
            height = scores.flatten(1) - LOCAL_PRIOR * torch.cdist(common, self._displacements()).square()
            favourite = self._displacements()[height.argmax(1)]
        found = torch.stack([common, favourite]).requires_grad_()
        optimiser = Adam(found)
        for step in range(steps):
            value = self.at(found, scores) - LOCAL_PRIOR * (found - common).square().sum(-1)
            optimiser.step(torch.autograd.grad(-value.sum(), found)[0], 0.5 * 0.05 ** (step / steps))
        found = found.detach()
        value = self.at(found, scores) - LOCAL_PRIOR * (found - common).square().sum(-1)
        return torch.where((value[0] >= value[1])[:, None], found[0], found[1]) @ self._axes.T

    @cached_property
    def _axes(self) -> torch.Tensor:
        """(3, 3), a column each: the axes of the lattice."""
        return torch.as_tensor(self.grid.axes, dtype=self.centers.dtype, device=self.centers.device)

    def _displacements(self) -> torch.Tensor:
        """(n^3, 3) mm along the lattice's axes, in the order of the flattened scores."""
        at = torch.arange(-self.reach, self.reach + 1, device=self.weight.device) * SPACING
        return lattice_points(at, at, at).reshape(-1, 3).float()


def _starts(blocks: Blocks, from_center: torch.Tensor, generators: torch.Tensor) -> torch.Tensor:
    """Parameters (3, 12) to start from: no motion, the median of the favourites, a robust affine fit to them."""
    height, favourite = blocks.scores.flatten(1).max(1)
    favourite = blocks._displacements()[favourite]
    shift = favourite.median(0).values
    trust = (blocks.weight * height.clamp(min=0).square()).cpu().double().numpy()
    here, there = (from_center * RADIUS).cpu().double().numpy(), favourite.cpu().double().numpy()
    fitted = robust_fit(here, here + there, 1 / np.sqrt(trust + 1e-12), "affine")
    linear = torch.as_tensor(fitted[:3, :3] - np.eye(3), dtype=torch.float32, device=shift.device) * RADIUS
    flat = torch.einsum("ab,nab->n", linear, generators)
    nothing = torch.zeros_like(flat)
    moved = torch.as_tensor(fitted[:3, 3], dtype=torch.float32, device=shift.device)
    return torch.stack([torch.cat([nothing, 0 * shift]), torch.cat([nothing, shift]), torch.cat([flat, moved])])


def _padded(scores: torch.Tensor) -> torch.Tensor:
    """Scores (B, n, n, n) with their ends repeated once on every side: (B, (n + 2)^3)."""
    return F.pad(scores[None], [1] * 6, mode="replicate")[0].flatten(1)


def _agreement(
    first: torch.Tensor, second: torch.Tensor, chosen: torch.Tensor, reach: int, half: int, stride: int
) -> torch.Tensor:
    """Products (B, n, n, n) of fixed blocks with what lies at every displacement, by FFT of each block.

    Args:
        first: (5, k, j, i) fixed tensors.
        second: moving tensors, ``reach`` samples more on every side.
        chosen: (B,) flat indices of the blocks.
    """
    size, count = 2 * (half + reach) + 1, 2 * reach + 1
    if not len(chosen):  # FFTs refuse to do nothing
        return first.new_zeros(0, count, count, count)
    window = _window(half, first.device)
    window = window[:, None, None] * window[:, None] * window
    fixed, moving = F.pad(first, [half] * 6), F.pad(second, [half] * 6)
    for axis in (1, 2, 3):
        fixed, moving = fixed.unfold(axis, 2 * half + 1, stride), moving.unfold(axis, size, stride)
    blocks = fixed.shape[1:4]
    found = []
    for some in chosen.split(AT_ONCE):
        k, j, i = some // (blocks[1] * blocks[2]), some // blocks[2] % blocks[1], some % blocks[2]
        of_fixed = torch.fft.rfftn(fixed[:, k, j, i] * window, s=(size,) * 3, dim=(2, 3, 4))
        of_moving = torch.fft.rfftn(moving[:, k, j, i], dim=(2, 3, 4))
        product = torch.fft.irfftn((of_fixed.conj() * of_moving).sum(0), s=(size,) * 3, dim=(1, 2, 3))
        found.append(product[:, :count, :count, :count])
    return torch.cat(found)
