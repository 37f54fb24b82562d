"""What a registration does, from the first pose to the last.

By default: search every pose, of small volumes by matches of MAD's features (:mod:`madreg.pose.match_search`) and
otherwise by edges (:mod:`madreg.pose.search`), and bring the candidates closer with blocks
(:mod:`madreg.pipeline.candidates`), refine the best with NMI, keep the most plausible, refine it with NMI and NGF
together (:mod:`madreg.pipeline.refining`), and assess it (:mod:`madreg.quality.assessment`).  What may be off is
refined once more from where its blocks prefer it (:mod:`madreg.pipeline.corrections`); what fails is tried again
(:mod:`madreg.pipeline.retries`), from where MAD's features agree best, without the outline of what a scan shows, from
another pose that agrees better, and with a wider search.  What fails in the end is described as an assessment of its
pose describes it.

With another measure than the default, that measure alone is minimized at one resolution from the chosen start.
"""

from __future__ import annotations

from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor
from ..settings import Settings
from .block_alignment import BEST
from .candidates import candidates_of
from .corrections import followed_by_features, re_refined
from .found import Found
from .initialization import Search, initialization
from .refining import best_refined
from .retries import Retries
from .single_measure import SingleMeasure


def run_plan(pair: Pair, start: Transform, settings: Settings, monitor: Monitor) -> Found:
    """The transform of a pair, and how good it is.

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
    return Found.at(pair, transform, settings.type).as_assessed(pair, settings.type)


def _default(pair: Pair, start: Transform, settings: Settings, monitor: Monitor) -> Found:
    """The best pose of all, refined; tried again if it fails."""
    begin, kind = initialization(settings.init, with_features=True), settings.type
    near, candidates = candidates_of(pair, start, begin, settings, monitor.part(0.0, 0.65))
    transform = best_refined(near, candidates[:BEST], kind, monitor.part(0.65, 0.8))
    monitor.report("estimate", 0.8, transform)
    others = candidates if isinstance(begin, Search) else []
    found = Found.at(near, transform, kind, others)
    if not others or found.has_clear_margin:
        found = re_refined(near, found, kind, others, monitor.part(0.8, 0.83))
    found = Retries(pair, near, start, begin, others, settings).run(found, monitor.part(0.83, 0.95))
    found = followed_by_features(near, found, kind, others, monitor.part(0.95, 1.0))
    return found.as_assessed(pair, kind)
