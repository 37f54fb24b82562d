"""From the slices of a series to its volumes: no two slices of a volume lie in one place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...system.counted import counted
from .slices import ATTRIBUTES, OF_FRAMES, Slice, in_words
from .stack import SAME_STEP

COSINE_TOLERANCE = 1e-3
"""Difference of orientation cosines within a volume: a quarter of a millimetre at the edge of a large image."""

PLACE_TOLERANCE = 0.01
"""Slices nearer to each other than this share of the usual step lie in one place."""

USUAL = 80
"""Percentile of the steps that is the usual one: where two volumes lie in nearly the same places, half are tiny."""

NOISE = 1e-4
"""Rounding of positions, as a share of the size of a slice."""

SHARE_OF_PLACES = 0.5
"""A value that distinguishes volumes belongs to slices in at least this share of all places."""


SHARE_IN_COMMON = 0.5
"""Volumes whose slices lie between each other have at least this share of the range of the shortest in common."""


@dataclass(frozen=True)
class VolumeSlices:
    """Slices that are one volume.

    Attributes:
        slices: sorted along their normal; of one size and orientation, no two in one place.
        label: what distinguishes this volume from others of the series, in words; empty if it is the only one.
    """

    slices: tuple[Slice, ...]
    label: str

    @property
    def first(self) -> Slice:
        return self.slices[0]


def volumes_of(slices: Iterable[Slice]) -> list[VolumeSlices]:
    """Divide the slices of one series into volumes, in their order in time."""
    unique = list({one.identity if one.identity and one.identity[0] else id(one): one for one in slices}.values())
    volumes = []
    planes = _by_plane(unique)
    for plane in planes:
        parts = _divided(plane, list(_names(plane)))
        for part, words in parts:
            if len(planes) > 1 and len(parts) == 1:
                words = (in_words_of_size(part),)
            volumes.append(VolumeSlices(tuple(_sorted(part)), ", ".join(words)))
    return sorted(volumes, key=lambda volume: min(one.order for one in volume.slices))


def _by_plane(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Groups of one size, pixel spacing, orientation and stack."""
    groups: list[list[Slice]] = []
    for one in slices:
        group = next((group for group in groups if _alike(group[0], one)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return groups


def _alike(first: Slice, other: Slice) -> bool:
    if (first.rows, first.columns) != (other.rows, other.columns):
        return False
    if first.attributes.get("stack") != other.attributes.get("stack"):
        return False
    spacings = [None if one.pixel_spacing is None else np.array(one.pixel_spacing) for one in (first, other)]
    for mine, yours, tolerance in (
        (first.axes, other.axes, COSINE_TOLERANCE),
        (*spacings, 0.0 if spacings[0] is None else 1e-4 * spacings[0][0]),
    ):
        if mine is None or yours is None:
            if mine is not yours:
                return False
        elif np.abs(mine - yours).max() > tolerance:
            return False
    return (first.position is None) == (other.position is None)


def _names(slices: Sequence[Slice]) -> Iterable[str]:
    """Attributes that differ among some slices, the most specific first."""
    for name in (*ATTRIBUTES, *OF_FRAMES):
        if len({_key(one, name) for one in slices}) > 1:
            yield name


def _key(one: Slice, name: str) -> Hashable:
    return one.attributes.get(name)


def places(slices: Sequence[Slice]) -> np.ndarray:
    """Number of the place of each slice along the normal; those in one place have the same."""
    if slices[0].position is None or slices[0].axes is None:
        return np.zeros(len(slices), int)
    along = _along(slices)
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    least = NOISE * _extent(slices[0])
    apart = steps[steps > least]
    usual = float(np.percentile(apart, USUAL)) if len(apart) else 0.0
    numbers = np.empty(len(slices), int)
    numbers[order] = np.concatenate([[0], np.cumsum(steps > max(PLACE_TOLERANCE * usual, least))])
    return numbers


def _extent(one: Slice) -> float:
    """Largest side of a slice in mm."""
    spacing = one.pixel_spacing or (1.0, 1.0)
    return max(one.columns * spacing[0], one.rows * spacing[1])


def _divided(slices: list[Slice], names: list[str]) -> list[tuple[list[Slice], tuple[str, ...]]]:
    """Slices of one plane in groups without two in one place, and what distinguishes each group from the others."""
    where = places(slices)
    different = len(set(where))
    in_one_place = different < len(slices)
    if not in_one_place and _is_even(slices):
        return [(slices, ())]
    for number, name in enumerate(names):
        groups: dict[Hashable, list[Slice]] = defaultdict(list)
        for one in slices:
            groups[_key(one, name)].append(one)
        if len(groups) > 1 and (_hold_most(groups.values(), slices) if in_one_place else _are_shifted(groups.values())):
            return [
                (part, (in_words(name, value), *words))
                for value, group in groups.items()
                for part, words in _divided(group, names[number + 1 :])
            ]
    return _by_turn(slices, where) if in_one_place else [(slices, ())]


def _hold_most(groups: Collection[list[Slice]], slices: list[Slice]) -> bool:
    """Whether each of some groups of slices lies in :data:`SHARE_OF_PLACES` of their places."""
    held = [len(set(places(group))) for group in groups]
    return min(held) >= max(SHARE_OF_PLACES * len(set(places(slices))), 1) and len(groups) < len(slices)


def _are_shifted(groups: Collection[list[Slice]]) -> bool:
    """Whether each of some groups of slices is a stack with even steps, of nearly the same range: the slices of one lie
    between those of another."""
    if not all(len(group) > 2 and _is_even(group) for group in groups):
        return False
    ends = np.array([np.sort(_along(group))[[0, -1]] for group in groups])
    in_common = ends[:, 1].min() - ends[:, 0].max()
    return bool(in_common >= SHARE_IN_COMMON * np.ptp(ends, axis=1).min())


def _is_even(slices: list[Slice]) -> bool:
    """Whether slices, no two of which lie in one place, have even steps."""
    if slices[0].position is None or slices[0].axes is None or len(slices) < 3:
        return True
    steps = np.diff(np.sort(_along(slices)))
    return bool(np.abs(steps - steps.mean()).max() <= SAME_STEP * steps.mean())


def _along(slices: Sequence[Slice]) -> np.ndarray:
    """Where slices that have a place lie along their normal, mm."""
    return np.array([one.position @ slices[0].normal for one in slices])


def _by_turn(slices: list[Slice], where: np.ndarray) -> list[tuple[list[Slice], tuple[str, ...]]]:
    """The first slice of each place, the second, and so on, as they were acquired."""
    turns: dict[int, list[Slice]] = defaultdict(list)
    seen: dict[int, int] = defaultdict(int)
    for number in sorted(range(len(slices)), key=lambda n: slices[n].order):
        turns[seen[where[number]]].append(slices[number])
        seen[where[number]] += 1
    return [(part, (f"repetition {turn + 1} of {len(turns)}",)) for turn, part in sorted(turns.items())]


def _sorted(slices: list[Slice]) -> list[Slice]:
    if slices[0].position is None or slices[0].axes is None:
        return sorted(slices, key=lambda one: one.order)
    normal = slices[0].normal
    return sorted(slices, key=lambda one: float(one.position @ normal))


def in_words_of_size(slices: Sequence[Slice]) -> str:
    """For the user, such as ``40 slices of 256 x 256``."""
    return f"{counted(len(slices), 'slice')} of {slices[0].columns} x {slices[0].rows}"
