"""What is tried where a registration fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import InputError
from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor
from ..quality.alternatives import are_apart
from ..quality.assessment import assess
from ..quality.cut_out import leaves_empty, without_outline
from ..quality.fine_features import is_comparable
from ..settings import Settings
from .block_alignment import BEST, BlockAlignment
from .candidates import candidates_of
from .feature_retry import found_by_features
from .found import Found
from .initialization import Search, Start, initialization
from .ordering import most_plausible_first
from .refining import best_refined, better_refined


@dataclass(frozen=True)
class Retries:
    """Other ways to the right pose: each returns what failed, or what it found if that is better.

    Attributes:
        pair: the whole volumes.
        near: the same, without what lies far from all candidates.
        start: where the moving volume lies before.
        begin: what found the candidates.
        others: candidates of the search, with which a result is compared; none without a search.
    """

    pair: Pair
    near: Pair
    start: Transform
    begin: Search | Start
    others: list[Transform]
    settings: Settings

    def run(self, found: Found, monitor: Monitor) -> Found:
        """Retry what failed until it does not."""
        retries: list[tuple[Callable[[Found, Monitor], Found], float, float]] = [(self.from_what_is_shown, 0.3, 0.5)]
        if isinstance(self.begin, Search):
            if is_comparable(self.pair):
                retries = [(self.from_features, 0.0, 0.6), (self.from_what_is_shown, 0.6, 1.0)]
            else:  # where features are searched with, these mended none of 14 tuning trials more
                retries += [(self.from_other, 0.5, 0.55), (self.from_wider_search, 0.55, 1.0)]
        for retry, begin, end in retries:
            if found.verdict != "failed":
                break
            found = retry(found, monitor.part(begin, end))
        return found

    def from_what_is_shown(self, failed: Found, monitor: Monitor) -> Found:
        """The best pose without the outline of what a scan shows, where it agrees better without that outline.

        The outline of the sector of an ultrasound scan, of a brain without its skull, or of what was resampled, is no
        anatomy, and the strongest edge: poses at which two outlines coincide may agree best until both are left out.
        """
        if not leaves_empty(self.pair):
            return failed
        begin, kind = initialization(self.settings.init), self.settings.type
        shown = without_outline(self.pair)
        try:
            near, candidates = candidates_of(shown, self.start, begin, self.settings, monitor.part(0.0, 0.7))
        except InputError:  # what is left has nothing in common at the start
            return failed
        if not _has_most_evidence(near, failed.transform, candidates):
            transform = best_refined(near, candidates[:BEST], kind, monitor.part(0.7, 1.0))
            if self._is_same(failed.transform, transform):
                transform = better_refined(near, failed.transform, transform, kind)
        elif any(self._is_same(failed.transform, one) for one in candidates):
            transform = failed.transform  # found twice
        else:
            return failed
        rest = [failed.transform]
        if isinstance(begin, Search):
            rest += [*candidates, *self.others]
        elif failed.quality is not None and failed.quality.other is not None:
            rest.append(failed.quality.other)
        quality = assess(self.pair.near([transform.matrix]), transform, kind, rest, has_outline=False)
        return failed.or_better(Found(transform, quality))

    def from_features(self, failed: Found, monitor: Monitor) -> Found:
        """The pose at which MAD's finest features clearly agree best, if it is better."""
        return found_by_features(self.pair, failed, self.others, self.settings.type, monitor)

    def from_other(self, failed: Found, monitor: Monitor) -> Found:
        """The best other pose, refined, where it agrees better."""
        quality = failed.quality
        if quality is None or quality.other is None or not quality.other_is_better:
            return failed
        other = best_refined(self.near, [quality.other], self.settings.type, monitor)
        return failed.or_better(Found.at(self.near, other, self.settings.type, self.others))

    def from_wider_search(self, failed: Found, monitor: Monitor) -> Found:
        """The best pose of a wider search."""
        assert isinstance(self.begin, Search)
        found = self.begin.wider(self.others[0], monitor.part(0.0, 0.35))
        return _failed_or_best(self.pair, failed, found, self.others, self.settings.type, monitor.part(0.35, 1.0))

    def _is_same(self, first: Transform, second: Transform) -> bool:
        """Whether two transforms are so near each other that their refinements may end at one pose."""
        return not are_apart(self.pair, first.matrix, second.matrix)


def _failed_or_best(
    pair: Pair, failed: Found, found: list[Transform], others: list[Transform], kind: str, monitor: Monitor
) -> Found:
    """What failed, or the best of what a search found, refined, where it agrees better.

    Args:
        others: with which it is compared.
    """
    pair = pair.near([transform.matrix for transform in [failed.transform, *others, *found]])
    found = BlockAlignment(kind).run(pair, found, monitor.part(0.0, 0.4))
    if _has_most_evidence(pair, failed.transform, found):
        return failed
    other = best_refined(pair, found[:BEST], kind, monitor.part(0.4, 1.0))
    return failed.or_better(Found.at(pair, other, kind, others))


def _has_most_evidence(pair: Pair, transform: Transform, others: list[Transform]) -> bool:
    """Whether there is more evidence for a refined transform than for others, the likeliest first, that are not.

    Of six tuning trials in which the best of them had less evidence, none gained by refining it.
    """
    return most_plausible_first(pair, [transform, *others[:BEST]])[0] is transform
