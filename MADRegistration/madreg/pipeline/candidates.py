"""The transforms of which the best are refined: found by the search or from the start, and brought closer."""

from __future__ import annotations

from ..descent.refinement import CANDIDATES, SIZE, hardly_overlap
from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor
from ..settings import Settings
from .block_alignment import BlockAlignment
from .block_following import follow_blocks
from .initialization import Search, Start
from .match_following import MatchFollowing
from .ordering import most_plausible_first


def candidates_of(
    pair: Pair, start: Transform, begin: Search | Start, settings: Settings, monitor: Monitor
) -> tuple[Pair, list[Transform]]:
    """The pair, without what lies far from all that the search found, and transforms, the likeliest first.

    Args:
        start: where the moving volume lies before.
        begin: what finds the first transforms.

    Raises:
        InputError: if there is no pose to start from.
    """
    found = begin.run(pair, [start], monitor.part(0.0, 0.7))
    if isinstance(begin, Search):
        if not hardly_overlap(pair, start):
            found = [*found, start]  # two series of one examination lie nearly right
        pair = pair.near([transform.matrix for transform in found])
        return pair, BlockAlignment(settings.type).run(pair, found, monitor.part(0.77, 1.0))
    followed = follow_blocks(pair, found[0], monitor.part(0.7, 0.72))
    if followed is None or not followed.is_sure:
        found = MatchFollowing(settings.weights).run(pair, found, monitor.part(0.72, 0.77))
    found = CANDIDATES.run(pair, found, monitor.part(0.77, 0.92))
    if followed is not None:  # NMI at 6 mm may lead away from where blocks agree, in slabs above all
        found = [*found, followed.transform]
    if settings.type != "rigid":
        # Scale before shear: an affine transform far from the right pose shears what it should scale.
        found = SIZE.of_type("similarity").run(pair, found, monitor.part(0.92, 1.0))
    return pair, most_plausible_first(pair, found)
