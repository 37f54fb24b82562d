"""What a registration does, from the first pose to the last.

By default: search every pose (:mod:`madreg.pose.search`), bring the candidates closer with blocks
(:mod:`madreg.pipeline.block_alignment`), refine the best with NMI, keep the most plausible
(:mod:`madreg.pipeline.ordering`), refine it with NMI and NGF together, and assess it
(:mod:`madreg.quality.assessment`).  What may be off is refined once more from where its blocks prefer it; what fails is
tried again, without the outline of what a scan shows, from where MAD's features agree best
(:mod:`madreg.pipeline.feature_search`), from another pose that agrees better, and with a wider search.

With another measure than the default, that measure alone is minimized at one resolution from the chosen start.
"""

from __future__ import annotations

from collections.abc import Callable

from ..descent.refinement import (
    CANDIDATES,
    COARSE,
    FINE,
    FINE_RIGID,
    LEAST_OVERLAP,
    MEDIUM,
    SIZE,
    Refinement,
    best_first,
)
from ..errors import InputError
from ..image.fitting import restricted
from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor
from ..quality.alternatives import are_apart
from ..quality.assessment import assess, estimated_error
from ..quality.cut_out import leaves_empty, without_outline
from ..quality.fine_features import agreement_at, followed, is_comparable, recognized
from ..quality.quality import Quality
from ..quality.shape import is_supported, is_worth_it
from ..quality.verdict import ALIGNED_MM, margin_is_small
from ..settings import Settings
from .block_alignment import BEST, BlockAlignment
from .feature_search import feature_search
from .initialization import Search, Start, initialization
from .match_following import MatchFollowing
from .ordering import most_plausible_first
from .single_measure import SingleMeasure

Found = tuple[Transform, Quality | None]
COMPARED = 8  # candidates whose finest features are compared
AGREES_STILL = 0.8  # of the agreement of features, where NMI and NGF refine what features found


def run_plan(pair: Pair, start: Transform, settings: Settings, monitor: Monitor) -> Found:
    """The transform of a pair, and how good it is (None without overlap).

    Args:
        start: where the moving volume lies before.

    Raises:
        InputError: if there is no pose to start from.
    """
    plan = _default if settings.measure == "default" else _single
    return plan(pair, start, settings, monitor)


def _single(pair: Pair, start: Transform, settings: Settings, monitor: Monitor) -> Found:
    """One measure, one resolution."""
    transforms = initialization(settings.init).run(pair, [start], monitor.part(0.0, 0.3))
    stage = SingleMeasure(settings.measure, settings.type, settings.weights)
    transform = stage.run(pair, transforms, monitor.part(0.3, 0.95))[0]
    return transform, assess(pair, transform, settings.type)


def _default(pair: Pair, start: Transform, settings: Settings, monitor: Monitor) -> Found:
    """The best pose of all, refined; tried again if it fails."""
    begin = initialization(settings.init)
    near, candidates = _candidates(pair, start, begin, settings, monitor.part(0.0, 0.65))
    others = candidates if isinstance(begin, Search) else []
    transform = _best(near, candidates, begin, settings.type, monitor.part(0.65, 0.8))
    monitor.report("estimate", 0.8, transform)
    found: Found = (transform, assess(near, transform, settings.type, others))
    if not others or _has_clear_margin(found):
        found = _re_refined(near, found, settings.type, others, monitor.part(0.8, 0.83))
    retries: list[Callable[[Found], Found]] = [
        lambda failed: _from_what_is_shown(pair, start, failed, others, settings, monitor.part(0.83, 0.87))
    ]
    if isinstance(begin, Search) and is_comparable(pair):
        retries.append(lambda failed: _from_features(pair, failed, settings.type, others, monitor.part(0.87, 0.9)))
    if isinstance(begin, Search):
        retries += [
            lambda failed: _from_other(near, failed, settings.type, others, monitor.part(0.9, 0.91)),
            lambda failed: _from_wider_search(pair, begin, failed, others, settings.type, monitor.part(0.91, 0.95)),
        ]
    for retry in retries:
        if _verdict(found) != "failed":
            break
        found = retry(found)
    return _followed(near, found, settings.type, others, monitor.part(0.95, 1.0))


def _candidates(
    pair: Pair, start: Transform, begin: Search | Start, settings: Settings, monitor: Monitor
) -> tuple[Pair, list[Transform]]:
    """Transforms brought closer, the best first; and the pair, without what lies far from all that the search found."""
    found = begin.run(pair, [start], monitor.part(0.0, 0.7))
    if isinstance(begin, Search):
        if pair.greater_overlap(start.matrix) >= LEAST_OVERLAP:
            found = [*found, start]  # two series of one examination lie nearly right
        pair = pair.near([transform.matrix for transform in found])
        return pair, BlockAlignment(settings.type).run(pair, found, monitor.part(0.77, 1.0))
    found = MatchFollowing(settings.weights).run(pair, found, monitor.part(0.7, 0.77))
    found = CANDIDATES.run(pair, found, monitor.part(0.77, 0.92))
    if settings.type != "rigid":
        # Scale before shear: an affine transform far from the right pose shears what it should scale.
        found = SIZE.of_type("similarity").run(pair, found, monitor.part(0.92, 1.0))
    return pair, most_plausible_first(pair, found)


def _best(pair: Pair, candidates: list[Transform], begin: Search | Start, kind: str, monitor: Monitor) -> Transform:
    """The best of some candidates, refined, with a shape that the blocks support."""
    few = candidates[: BEST if isinstance(begin, Search) else 3]
    transform = refine(pair, few, kind, monitor.part(0.0, 0.67))
    return with_supported_shape(pair, transform, kind, monitor.part(0.67, 1.0))


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
        monitor.estimated(estimated_error(pair, best[0]))
    best = MEDIUM.of_type(kind).run(pair, best, monitor.part(0.3, 0.6))
    return _fine(pair, best[0], last or _last(pair, kind)).run(pair, best, monitor.part(0.6, 1.0))[0]


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


def with_supported_shape(pair: Pair, transform: Transform, kind: str, monitor: Monitor) -> Transform:
    """The transform, or a rigid one where its stretch is neither supported by blocks nor worth it.

    A histogram gains from any stretch that makes two outlines coincide, such as those of a brain and of its skull.
    What the blocks do not support is refined rigidly, with points of one volume as the stretched pose with which it is
    compared, and then again from there; the better of both stretched poses is kept where it is worth it.
    """
    if kind == "rigid" or is_supported(pair, transform.matrix):
        return transform
    rigid = Transform(restricted(transform.matrix, pair.points, "rigid"))
    rigid = refine(pair, [rigid], "rigid", monitor.part(0.0, 0.6), last=FINE)
    fine = _fine(pair, rigid, _last(pair, kind))
    free = fine.run(pair, [rigid], monitor.part(0.6, 1.0))[0]
    stretched = best_first(pair, [transform, free], fine)
    return next((one for one in stretched if is_worth_it(pair, one.matrix, rigid.matrix)), rigid)


def _re_refined(pair: Pair, found: Found, kind: str, others: list[Transform], monitor: Monitor) -> Found:
    """A pose whose blocks prefer another, refined from there; the old one if that is better, or if they do not.

    The histogram of a distorted slab has many local minima, in which descents end 10 to 20 mm off.
    """
    quality = found[1]
    if quality is None or quality.motion_mm is None or quality.motion_mm <= ALIGNED_MM:
        return found
    other = refine(pair, [quality.preferred], kind, monitor)
    other = with_supported_shape(pair, other, kind, monitor)
    best = best_first(pair, [quality.transform, other], _fine(pair, other, _last(pair, kind)))[0]
    return found if best is quality.transform else (best, assess(pair, best, kind, others))


def _followed(pair: Pair, found: Found, kind: str, others: list[Transform], monitor: Monitor) -> Found:
    """A pose that may be off, moved to where MAD's features agree clearly better, if they do nearby.

    Blocks and NMI of distorted slabs and of unlike contrasts may agree on a stretch that is none.
    """
    quality = found[1]
    if quality is None or quality.error_mm is None or quality.error_mm <= ALIGNED_MM or not _has_clear_place(found):
        return found
    monitor.report("estimate", 0.0, found[0])
    pose = followed(pair, found[0].matrix, kind)
    if pose is None:
        return found
    other = assess(pair, Transform(pose), kind, others)
    is_better = other is not None and other.error_mm is not None and other.error_mm < quality.error_mm
    return (other.transform, other) if other and is_better and other.verdict != "failed" else found


def _from_other(pair: Pair, failed: Found, kind: str, others: list[Transform], monitor: Monitor) -> Found:
    """The best other pose, refined, where it agrees better."""
    quality = failed[1]
    if quality is None or quality.other is None or not quality.other_is_better:
        return failed
    other = with_supported_shape(pair, refine(pair, [quality.other], kind, monitor), kind, monitor)
    return _better(failed, (other, assess(pair, other, kind, others)))


def _from_features(pair: Pair, failed: Found, kind: str, others: list[Transform], monitor: Monitor) -> Found:
    """The pose at which MAD's finest features clearly agree best, of a search of its own, refined while they agree.

    Args:
        others: candidates, which are compared as well, and with which the result is compared.
    """
    searching, comparing = monitor.part(0.0, 0.5), monitor.part(0.5, 0.7)
    candidates = feature_search(
        pair,
        [one.matrix for one in others],
        COMPARED,
        lambda share: searching.report("candidates", share, failed[0]),
    )
    pair = pair.near([failed[0].matrix, *candidates])
    found = recognized(
        pair, [failed[0].matrix, *candidates], lambda share: comparing.report("candidates", share, failed[0])
    )
    if found is None:
        return failed
    other = Transform(found.pose)
    refined = refine(pair, [other], kind, monitor.part(0.7, 0.9))
    refined = with_supported_shape(pair, refined, kind, monitor.part(0.9, 1.0))
    if agreement_at(pair, refined.matrix) >= AGREES_STILL * found.value:
        other = refined
    rest = [failed[0], *(Transform(pose) for pose in candidates), *others]
    return _better(failed, (other, assess(pair, other, kind, rest)))


def _from_what_is_shown(
    pair: Pair, start: Transform, failed: Found, others: list[Transform], settings: Settings, monitor: Monitor
) -> Found:
    """The best pose without the outline of what a scan shows, where it agrees better without that outline.

    The outline of the sector of an ultrasound scan, of a brain without its skull, or of what was resampled, is no
    anatomy, and the strongest edge: poses at which two outlines coincide may agree best until both are left out.
    """
    if not leaves_empty(pair):
        return failed
    begin = initialization(settings.init)
    try:
        near, candidates = _candidates(without_outline(pair), start, begin, settings, monitor.part(0.0, 0.7))
    except InputError:  # what is left has nothing in common at the start
        return failed
    if not _has_most_evidence(near, failed[0], candidates):
        other = _best(near, candidates, begin, settings.type, monitor.part(0.7, 1.0))
        if _is_same(pair, failed[0], other):
            other = best_first(near, [failed[0], other], _fine(near, other, _last(near, settings.type)))[0]
    elif any(_is_same(pair, failed[0], one) for one in candidates):
        other = failed[0]  # found twice
    else:
        return failed
    rest = [failed[0], *candidates, *others] if isinstance(begin, Search) else [failed[0]]
    quality = assess(pair.near([other.matrix]), other, settings.type, rest, has_outline=False)
    return (other, quality) if quality and (quality.verdict != "failed" or quality.margin > 0) else failed


def _from_wider_search(
    pair: Pair, search: Search, failed: Found, others: list[Transform], kind: str, monitor: Monitor
) -> Found:
    """The best pose of a wider search.

    Args:
        search: that found the other poses.
        others: with which the result is compared.
    """
    found = search.wider(others[0], monitor.part(0.0, 0.35))
    pair = pair.near([transform.matrix for transform in [*others, *found]])
    found = BlockAlignment(kind).run(pair, found, monitor.part(0.35, 0.55))
    if _has_most_evidence(pair, failed[0], found):
        return failed
    other = _best(pair, found, search, kind, monitor.part(0.55, 1.0))
    return _better(failed, (other, assess(pair, other, kind, others)))


def _has_most_evidence(pair: Pair, transform: Transform, others: list[Transform]) -> bool:
    """Whether there is more evidence for a refined transform than for others, the likeliest first, that are not.

    Of six tuning trials in which the best of them had less evidence, none gained by refining it.
    """
    return most_plausible_first(pair, [transform, *others[:BEST]])[0] is transform


def _is_same(pair: Pair, first: Transform, second: Transform) -> bool:
    """Whether two transforms are so near each other that their refinements may end at one pose."""
    return not are_apart(pair, first.matrix, second.matrix)


def _better(failed: Found, other: Found) -> Found:
    """The other pose if it does not fail, or by a smaller margin; else the one that failed."""
    if failed[1] is None or other[1] is None:
        return failed if other[1] is None else other
    return other if _verdict(other) != "failed" or other[1].margin > failed[1].margin else failed


def _has_clear_place(found: Found) -> bool:
    """Whether it is clear at which pose of all it is."""
    return _verdict(found) != "failed" or _has_clear_margin(found)


def _has_clear_margin(found: Found) -> bool:
    """Whether there is clearly more evidence for a pose than for any other, so that it is the right one or near it."""
    return found[1] is not None and not margin_is_small(found[1])


def _verdict(found: Found) -> str:
    return "failed" if found[1] is None else found[1].verdict
