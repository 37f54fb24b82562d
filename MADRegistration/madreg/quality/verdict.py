"""The verdict on a pose, from what was observed of it."""

from __future__ import annotations

from .observations import Observations

# 33 tuning pairs (T1-T2 of heads, simulated CT-T1, synthetic bodies, slabs and boxes out of heads, shaded and noisy;
# rigid, affine, both fields of view cut): right poses have margins of 0.106 and more, but for a box of 42 by 76 mm
# (-0.03); 94 wrong ones, refined, 0.017 at most where the candidates of the search are compared too.  Compared with
# flips about the axes of the lattice alone, one of an oblique head reached 0.10: hence the principal axes.
# With little overlap wrong poses reach more: of simulated sectors of ultrasound scans and cylinders of cone-beam CTs,
# 14 right ones have 0.12 and more, and 6 wrong ones up to 0.10.
CLEAR_MARGIN, LEAST_MARGIN = 0.1, 0.05
# Tuning pairs in doubt (slabs of 20 and 30 mm; CT on a synthetic couch): right poses have 0.05 or more, wrong ones
# 0.02 at most; poses that slid by 11 mm had 0.045.
LEAST_JOINT_MARGIN = 0.045
# Of blocks, without which they do not show how far off a pose is: right poses of slabs of 20 and 30 mm have 0.49 to
# 0.66, most scans of other parts of a body 0.2 to 0.35; a brain was 83 mm off at 0.27, where NMI and NGF spoke for it.
LEAST_CONSENSUS = 0.4
ALIGNED_MM, FAILED_MM = 3.0, 10.0
GOOD_CONSENSUS = 0.55  # wrong poses of tuning pairs reach 0.53, right ones of simulated pairs 0.65 and more
LITTLE_OVERLAP = 0.2  # parts of parts have less in common


def verdict_of(observed: Observations) -> str:
    """``aligned``, ``check`` or ``failed``; its lengths are those of objects as large as a head or a person."""
    observed = observed.resized(1 / observed.unit_mm)
    is_near = observed.motion_mm is not None and observed.motion_mm <= ALIGNED_MM
    # NMI and NGF may outvote the blocks as to which pose is better, not as to how far off this one is.
    is_clear = (is_near and are_outvoted(observed.joint_margin, observed.consensus)) or observed.is_recognized
    # another registration corrects no deformation, however large it is
    is_far = observed.motion_mm is not None and observed.motion_mm > FAILED_MM
    if (margin_is_small(observed) and not is_clear) or is_far:
        return "failed"
    in_doubt = has_little_overlap(observed) or observed.has_doubtful_shape or observed.is_mirrored
    sure = observed.margin >= CLEAR_MARGIN and not in_doubt
    return "aligned" if sure and observed.error_mm is not None and observed.error_mm <= ALIGNED_MM else "check"


def are_outvoted(joint_margin: float | None, consensus: float) -> bool:
    """Whether NMI and NGF are so much better at a pose than at the other one that they outvote its blocks.

    Args:
        joint_margin, consensus: as in :class:`~madreg.quality.observations.Observations`.
    """
    return consensus >= LEAST_CONSENSUS and (joint_margin or 0.0) >= LEAST_JOINT_MARGIN


def least_margin(overlap: float) -> float:
    """Below which a pose is hardly better than others, at an overlap of the fixed foreground."""
    return CLEAR_MARGIN if overlap < LITTLE_OVERLAP else LEAST_MARGIN


def margin_is_small(observed: Observations) -> bool:
    """Whether the pose is hardly better than others: the less the scans have in common, the more so by chance."""
    return observed.margin < least_margin(observed.overlap)


def is_clearly_worse(observed: Observations) -> bool:
    """Whether another pose is the better one by a clear margin."""
    return observed.margin <= -CLEAR_MARGIN


def is_ambiguous(observed: Observations) -> bool:
    """Whether the scans agree well at several poses, as those of a nearly symmetric object do."""
    return observed.consensus >= GOOD_CONSENSUS and observed.margin < LEAST_MARGIN and not observed.is_recognized


def has_other_shape(observed: Observations) -> bool:
    """Whether the scans differ in shape, but for a stretch that is reported, by more than an aligned pair is off."""
    return observed.shape_error_mm > ALIGNED_MM * observed.unit_mm


def has_little_overlap(observed: Observations) -> bool:
    """Whether the scans have so little in common that no pose is sure; a part has all in common with its whole."""
    return max(observed.overlap, observed.moving_overlap) < LITTLE_OVERLAP
