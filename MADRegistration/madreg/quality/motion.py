"""The motion on which the blocks of a scan agree, and the displacement of each block about it.

No block has to decide on a displacement of its own, so a flat face, which fits wherever it slides along itself, does
no harm.  Block matching with a robust fit: Ourselin et al. 2000, "Block matching: a general framework to improve
robustness of rigid registration of medical images"; here with scores in place of matches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..descent.adam import Adam
from ..image.fitting import robust_fit
from ..image.geometry import about, apply
from .blocks import Blocks

RADIUS = 60.0  # mm at which the parameters of a motion are lengths
NEIGHBOURHOOD = 16.0  # mm, deviation of the weights of neighbours in a local displacement
LOCAL_STEPS = 40  # of the descent to a local displacement
LOCAL_PRIOR = 0.002  # what a mm^2 between a local displacement and the common motion costs, in scores
# What a motion may stretch: deviation in mm at RADIUS, and strength, in scores, of the prior.
PRIORS = {"rigid": (1.0, 0.01), "similarity": (3.0, 0.003), "affine": (3.0, 0.003)}


@dataclass(frozen=True)
class Motion:
    """A motion of the fixed points, before a pose is applied, under which all blocks together score best.

    Attributes:
        matrix: 4x4 affine, fixed LPS to fixed LPS: ``pose @ matrix`` is where the blocks agree best.
        consensus: the blocks' mean score under it, from 0, that of a random displacement, to 1, where every block
            scores as well as at its own best displacement.
    """

    matrix: np.ndarray
    consensus: float


def common_motion(blocks: Blocks, kind: str = "rigid", steps: int = 60) -> Motion:
    """The motion under which all blocks together score best.

    Args:
        kind: of the pose.  ``rigid`` allows small stretches, held by a prior; ``similarity`` and ``affine`` larger
            ones.
        steps: of the descent.

    Returns:
        No motion, without consensus, where there are no blocks.
    """
    if not len(blocks.centers):
        return Motion(np.eye(4), 0.0)
    deviation, strength = PRIORS[kind]
    generators = _generators(blocks.weight.device)
    center = blocks.weight @ blocks.centers
    from_center = (blocks.centers - center) @ blocks.axes / RADIUS
    parameters = _starts(blocks, from_center, generators)
    # a fit to the best displacements of a thin slab stretches without limit
    parameters[:, 3:9].clamp_(-3 * deviation, 3 * deviation)
    parameters.requires_grad_()

    def displacements() -> torch.Tensor:
        linear = torch.einsum("sn,nab->sab", parameters[:, :9], generators)
        return torch.einsum("sab,pb->spa", linear, from_center) + parameters[:, None, 9:]

    def agreement() -> tuple[torch.Tensor, torch.Tensor]:
        return (blocks.at(displacements()) * blocks.weight).sum(1), (parameters[:, 3:9] / deviation).square().sum(1)

    optimizer = Adam(parameters)
    for step in range(steps):
        value, stretch = agreement()
        loss = (strength * stretch - value).sum()
        optimizer.step(torch.autograd.grad(loss, parameters)[0], 2.0 * 0.02 ** (step / steps))
    with torch.no_grad():
        value, stretch = agreement()
        best = int((value - strength * stretch).argmax())
        linear = torch.einsum("n,nab->ab", parameters[best, :9], generators) / RADIUS
        at_best = float((blocks.scores.flatten(1).amax(1) * blocks.weight).sum())
        chance = float((blocks.scores.flatten(1).mean(1) * blocks.weight).sum())
    axes = blocks.grid.axes
    matrix = about(
        center.cpu().double().numpy(),
        np.eye(3) + axes @ linear.cpu().double().numpy() @ axes.T,
        axes @ parameters[best, 9:].detach().cpu().double().numpy(),
    )
    return Motion(matrix, (float(value[best]) - chance) / max(at_best - chance, 1e-6))


def neighbourhood(blocks: Blocks) -> torch.Tensor:
    """(B, B) how much every block counts in the local displacement at each: by nearness and edge strength."""
    apart = torch.cdist(blocks.centers, blocks.centers)
    return torch.exp(-0.5 * (apart / NEIGHBOURHOOD) ** 2) * blocks.weight


def local_displacements(blocks: Blocks, motion: Motion) -> torch.Tensor:
    """Displacements (B, 3), LPS mm, at which each block and its neighbours score best, held near a motion by a prior.

    They follow what no linear transform explains: distortion, swelling, a jaw that moved.
    """
    share = neighbourhood(blocks)
    common = _moved(blocks, motion)
    return (common + preferred_about(blocks, motion, share / share.sum(1, keepdim=True))) @ blocks.axes.T


def preferred_about(blocks: Blocks, motion: Motion, share: torch.Tensor) -> torch.Tensor:
    """Displacements (B, 3) beyond a motion, mm along the lattice's axes, at which the blocks around each score best.

    Args:
        share: (B, B) how much each block (column) counts at each place (row); rows sum to 1.
    """
    with torch.no_grad():
        around = replace(blocks, scores=(share @ blocks.scores.flatten(1)).reshape(blocks.scores.shape))
        common = _moved(blocks, motion)
        height = around.scores.flatten(1) - LOCAL_PRIOR * torch.cdist(common, blocks.displacements()).square()
        preferred = blocks.displacements()[height.argmax(1)]
    found = torch.stack([common, preferred]).requires_grad_()
    optimizer = Adam(found)
    for step in range(LOCAL_STEPS):
        value = around.at(found) - LOCAL_PRIOR * (found - common).square().sum(-1)
        optimizer.step(torch.autograd.grad(-value.sum(), found)[0], 0.5 * 0.05 ** (step / LOCAL_STEPS))
    found = found.detach()
    value = around.at(found) - LOCAL_PRIOR * (found - common).square().sum(-1)
    return torch.where((value[0] >= value[1])[:, None], found[0], found[1]) - common


def _moved(blocks: Blocks, motion: Motion) -> torch.Tensor:
    """Displacements (B, 3) of the blocks under a motion, mm along the lattice's axes."""
    centers = blocks.centers.cpu().double().numpy()
    moved = (apply(motion.matrix, centers) - centers) @ blocks.grid.axes
    return torch.as_tensor(moved, dtype=torch.float32, device=blocks.centers.device)


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


def _starts(blocks: Blocks, from_center: torch.Tensor, generators: torch.Tensor) -> torch.Tensor:
    """Parameters (3, 12) to start from: none, the median of preferred displacements, a robust affine fit to them."""
    height, index = blocks.scores.flatten(1).max(1)
    preferred = blocks.displacements()[index]
    shift = preferred.median(0).values
    trust = (blocks.weight * height.clamp(min=0).square()).cpu().double().numpy()
    here, there = (from_center * RADIUS).cpu().double().numpy(), preferred.cpu().double().numpy()
    fitted = robust_fit(here, here + there, 1 / np.sqrt(trust + 1e-12), "affine")
    linear = torch.as_tensor(fitted[:3, :3] - np.eye(3), dtype=torch.float32, device=shift.device) * RADIUS
    flat = torch.einsum("ab,nab->n", linear, generators)
    nothing = torch.zeros_like(flat)
    moved = torch.as_tensor(fitted[:3, 3], dtype=torch.float32, device=shift.device)
    return torch.stack([torch.cat([nothing, 0 * shift]), torch.cat([nothing, shift]), torch.cat([flat, moved])])
