"""The fine stages: the best of some transforms, refined, and whether its stretch is kept."""

from __future__ import annotations

from ..descent.refinement import COARSE, FINE, FINE_RIGID, MEDIUM, Refinement, best_first
from ..image.fitting import restricted
from ..image.geometry import mean_displacement
from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor
from ..quality.assessment import rough_error_mm
from ..quality.cut_out import leaves_empty, without_outline
from ..quality.shape import is_supported, is_worth_it, is_worth_it_inside, nearest_rigid
from .ordering import most_plausible_first

# Right and wrong stretches of tuning pairs, up to 15 %, move a pose by up to 9 mm when they are taken out; poses that
# are others are 17 to 23 mm away.
SAME_MM = 12.0
# A descent of so many steps that comes from afar ends on its way: two thin slabs of CT on heads were left 9 and 24 mm
# off, from where three and four descents more led to the right pose.
SETTLED_MM = 2.0
MOST_ROUNDS = 6


def best_refined(pair: Pair, transforms: list[Transform], kind: str, monitor: Monitor) -> Transform:
    """The best of some transforms, refined, with a shape that the blocks support.

    Args:
        kind: of the transform: ``rigid``, ``similarity`` or ``affine``.
    """
    transform = refine(pair, transforms, kind, monitor.part(0.0, 0.67))
    return with_supported_shape(pair, transform, kind, monitor.part(0.67, 1.0))


def better_refined(pair: Pair, first: Transform, second: Transform, kind: str) -> Transform:
    """The one of two refined transforms at which the measure of the fine stage is better."""
    return best_first(pair, [first, second], _fine(pair, second, _last(pair, kind)))[0]


def refine(
    pair: Pair, transforms: list[Transform], kind: str, monitor: Monitor, last: Refinement | None = None
) -> Transform:
    """The best of some transforms, brought to fine resolution.

    Args:
        last: the fine stage, unless it is that of the type of transform.
    """
    refined = COARSE.of_type(kind).run(pair, transforms, monitor.part(0.0, 0.3))
    best = most_plausible_first(pair, refined)[:1]
    if monitor.is_watched:  # nothing depends on it
        monitor.estimated(rough_error_mm(pair, best[0]))
    settled = _settled(pair, best[0], MEDIUM.of_type(kind), monitor.part(0.3, 0.6))
    return _fine(pair, settled, last or _last(pair, kind)).run(pair, [settled], monitor.part(0.6, 1.0))[0]


def _settled(pair: Pair, transform: Transform, stage: Refinement, monitor: Monitor) -> Transform:
    """Where a stage leads, repeated while it still moves the transform."""
    for number in range(MOST_ROUNDS):
        before, part = transform, monitor.part(number / MOST_ROUNDS, (number + 1) / MOST_ROUNDS)
        transform = stage.run(pair, [before], part)[0]
        if mean_displacement(before.matrix, transform.matrix, pair.points) < SETTLED_MM:
            break
    return transform


def with_supported_shape(pair: Pair, transform: Transform, kind: str, monitor: Monitor) -> Transform:
    """The transform, or a rigid one where its stretch is neither supported by blocks nor worth it.

    A histogram gains from any stretch that makes two outlines coincide, such as those of a brain and of its skull.
    What the blocks do not support is refined rigidly, with points of one volume as the stretched pose with which it is
    compared, and then again from there; the better of both stretched poses is kept where it is worth it.  Where a
    volume shows nothing around what it shows, the pose refined without that outline is kept if that is the better one.
    """
    if kind == "rigid" or is_supported(pair, transform.matrix):
        return transform
    rigid = _without_stretch(pair, transform, monitor.part(0.0, 0.4))
    fine = _fine(pair, rigid, _last(pair, kind))
    free = fine.run(pair, [rigid], monitor.part(0.4, 0.7))[0]
    stretched = best_first(pair, [transform, free], fine)
    found = next((one for one in stretched if is_worth_it(pair, one.matrix, rigid.matrix)), rigid)
    return _or_without_outline(pair, found, rigid, kind, monitor.part(0.7, 1.0)) if leaves_empty(pair) else found


def _or_without_outline(pair: Pair, found: Transform, rigid: Transform, kind: str, monitor: Monitor) -> Transform:
    """What was found, or what a rigid transform is refined to without outlines, where that is worth it and better."""
    shown = without_outline(pair)
    inside = refine(shown, [rigid], kind, monitor)
    if not is_worth_it_inside(pair, inside.matrix, rigid.matrix):
        return found
    return better_refined(shown, found, inside, kind)


def _without_stretch(pair: Pair, transform: Transform, monitor: Monitor) -> Transform:
    """The transform without its stretch, refined; by the medium stage alone where the coarse one leads to another pose.

    There scans may agree as well without any stretch, which says nothing about the stretch here.
    """
    rigid = Transform(restricted(transform.matrix, pair.points, "rigid"))
    refined = refine(pair, [rigid], "rigid", monitor, last=FINE)
    is_same = mean_displacement(rigid.matrix, refined.matrix, pair.points) <= SAME_MM
    return refined if is_same else Transform(nearest_rigid(pair, transform.matrix))


def _last(pair: Pair, kind: str) -> Refinement:
    """The fine stage for a type of transform.

    Where one volume shows a part of the other, all points lie in the part: few of others would lie in both.
    """
    is_part = pair.moving_is_part or pair.swapped.moving_is_part
    return FINE_RIGID if kind == "rigid" and not is_part else FINE.of_type(kind)


def _fine(pair: Pair, transform: Transform, last: Refinement) -> Refinement:
    """A fine stage on the volumes that share more: flattened ones if they are shaded, otherwise as they were read.

    It is decided at the medium resolution, so that the fine one is made once.
    """
    as_read, flat = (
        float(stage.objective(pair).values(transform.matrix[None])[0]) for stage in (MEDIUM.as_read(), MEDIUM)
    )
    return last.as_read() if as_read <= flat + last.shaded else last
