"""The shapes of the networks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

STRIDE = 4
UNIT_MM = 20.0


@dataclass(frozen=True)
class FusedSettings:
    """Shape of the published network.

    Attributes:
        widths: channels of the stem, at half and at quarter resolution.
        blocks: residual blocks at half resolution, and at quarter resolution, where dilation widens the view.
        head: ``distance``, or ``uncertainty``, which adds the logarithm of the expected error as a second channel.
        spacing: mm between input voxels that the network was made for.
        skip: whether a block adds its input to its output; a plain CNN does not.
    """

    widths: tuple[int, int, int] = (16, 32, 64)
    blocks: tuple[int, int] = (1, 3)
    head: str = "distance"
    spacing: float = 4.0
    skip: bool = True


@dataclass(frozen=True)
class SiameseSettings:
    """Shape of the network that encodes each image alone.

    Attributes:
        width: channels at half resolution; coarser levels have 2 and 4 times as many.
        depth: residual blocks at each coarser level.
        features: length of a feature to be matched.
        head, spacing: as in :class:`FusedSettings`.
    """

    width: int = 24
    depth: int = 2
    features: int = 32
    head: str = "distance"
    spacing: float = 4.0


@dataclass(frozen=True)
class FeatureSettings:
    """Shape of the network whose features are compared at the points of one scan and where they lie in the other.

    Attributes:
        levels: lengths of a feature at full, half, quarter ... resolution.
        spacing: mm between input voxels.
        context: channels at half, quarter, eighth ... resolution of the network that corrects linear features, so many
            as the levels and one more; none: features are linear.
        more: by how much a feature at half resolution is longer where points are matched.  More is needed to find a
            point among all others than to compare two.
    """

    levels: tuple[int, ...] = (16, 32, 32)
    spacing: float = 2.0
    context: tuple[int, ...] = ()
    more: int = 0


HEADS = ("distance", "uncertainty")


DistanceSettings = FusedSettings | SiameseSettings
NetworkSettings = DistanceSettings | FeatureSettings
KINDS: dict[str, type[NetworkSettings]] = {
    "siamese": SiameseSettings,
    "fused": FusedSettings,
    "features": FeatureSettings,
}
"""The forms of network by name."""


def plain(settings: NetworkSettings) -> dict:
    """Settings as plain types, to be stored beside the weights."""
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(settings).items()}
    return {"encoder": next(name for name, kind in KINDS.items() if isinstance(settings, kind)), **values}


def settings_of(values: dict) -> NetworkSettings:
    """Inverse of :func:`plain`.

    Raises:
        ValueError: if there is no such network.
    """
    if values.get("encoder") not in KINDS:
        raise ValueError(f"unknown encoder {values.get('encoder')!r}")
    kind: type = KINDS[values["encoder"]]
    known = {f.name for f in fields(kind)}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known})
