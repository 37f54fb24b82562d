"""The quality of an existing alignment: nothing is registered, and nothing is changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .. import __version__
from ..image.displacement_field import DisplacementField
from ..image.pair import Pair, reduced
from ..image.transform import Transform
from ..image.volume import FINEST, Volume
from ..progress import Monitor, Progress
from ..quality.assessment import assess
from ..quality.quality import Quality, basis_of_verdict, remarks_or_no_overlap, verdict_or_failed
from ..settings import Settings
from ..system import device
from .error_estimate import estimated_error
from .on_device import on_device
from .size import enlargement, unit_doubts

FIELD = "displacement field"
LEAST_INSIDE = 0.99  # of the fixed foreground
TYPE = "rigid"
"""Of all transforms that are assessed, so that the answer depends on the pose alone: any stretch left is an error."""


@dataclass(frozen=True)
class Assessment:
    """What is known of an alignment.

    Attributes:
        transform: fixed to moving, LPS mm.
        linear: the transform between the two volumes that were compared: the transform itself, or the identity where a
            displacement field was applied to the moving one.
        moving: the moving volume that was compared.
        error_mm: estimated mean error over the fixed foreground; None where unknown.
        error_source: ``blocks``, or, where these are not to be relied on, ``mad`` or ``other``: see
            :func:`~madreg.pipeline.error_estimate.estimated_error`.
        quality: all that was found out; None without overlap.
        overlap: share of the fixed foreground that lies in the moving field of view.
    """

    transform: Transform | DisplacementField
    linear: Transform
    moving: Volume
    error_mm: float | None
    error_source: str
    quality: Quality | None
    overlap: float
    seconds: float
    device: str
    notices: list[str]

    @property
    def verdict(self) -> str:
        """``aligned``, ``check`` or ``failed``."""
        return verdict_or_failed(self.quality)

    @property
    def type(self) -> str:
        """``rigid``, ``similarity``, ``affine`` or ``displacement field``."""
        return self.transform.type if isinstance(self.transform, Transform) else FIELD

    def report(self) -> dict[str, Any]:
        """Everything as plain types, for JSON."""
        linear = self.transform if isinstance(self.transform, Transform) else None
        return {
            "madreg": __version__,
            "transform_type": self.type,
            "matrix_fixed_to_moving_lps": linear and linear.matrix.tolist(),
            "matrix_fixed_to_moving_ras": linear and linear.matrix_ras.tolist(),
            "error_mm": self.error_mm,
            "error_source": self.error_source,
            "verdict": self.verdict,
            **basis_of_verdict(self.quality),
            "overlap": self.overlap,
            "seconds": self.seconds,
            "device": self.device,
            "notices": self.notices,
        }


def assess_alignment(
    fixed: Volume,
    moving: Volume,
    transform: Transform | DisplacementField | None = None,
    settings: Settings | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Assessment:
    """How good an alignment is.

    A displacement field is applied to the moving volume first, whose alignment is then assessed where it lies.  The
    answer depends on the images and the transform, not on how the transform was found.

    Args:
        transform: fixed to moving; the identity if None.
        settings: of which only the device, the random seed and the weights are used.
        progress: called a few times, from this thread; may raise :class:`~madreg.progress.Cancelled` to stop.

    Raises:
        InputError: for unknown settings, a device that is not there, or weights that are missing, damaged or foreign.
        Cancelled: from the callback.
    """
    transform = Transform.identity() if transform is None else transform

    def work(fixed: Volume, moving: Volume, settings: Settings) -> Assessment:
        return _assessed(fixed, moving, transform, settings, Monitor(progress))

    return on_device(fixed, moving, settings or Settings(), work, "the assessment was done on the CPU.")


def assess_all(
    fixed: Volume, moving: Volume, transforms: Iterable[Transform], settings: Settings | None = None
) -> Iterator[Quality | None]:
    """How good each of some transforms is, as a registration would say; None where there is no overlap.

    Raises:
        InputError: for unknown settings, or a device that is not there.
    """
    settings = settings or Settings()
    settings.check()
    where = device.choose(settings.device)
    factor = enlargement(fixed, moving)
    pair = Pair(fixed.resized(factor).to(where), moving.resized(factor).to(where), settings.seed)
    for transform in transforms:
        here = transform.resized(factor)
        quality = assess(pair.near([here.matrix]), here, settings.type, is_last=True)
        yield None if quality is None else quality.resized(1 / factor)


def _assessed(
    fixed: Volume, moving: Volume, transform: Transform | DisplacementField, settings: Settings, monitor: Monitor
) -> Assessment:
    began = time.perf_counter()
    notices: list[str] = []
    linear = transform if isinstance(transform, Transform) else Transform.identity()
    monitor.report("estimate", 0.05, linear)
    factor = enlargement(fixed, moving)
    if isinstance(transform, DisplacementField):
        finest = FINEST / factor
        grid = fixed.grid.isotropic(finest) if fixed.grid.spacing.min() < finest else fixed.grid
        moving = transform.warped(reduced(moving.resized(factor)).resized(1 / factor), grid)
        inside = transform.covers(fixed.grid.points()[fixed.foreground.cpu()].double().numpy())
        if inside < LEAST_INSIDE:
            notices.append(
                f"The displacement field covers {100 * inside:.0f} % of {fixed.name}: elsewhere nothing was displaced."
            )
    quality = next(iter(assess_all(fixed, moving, [linear], replace(settings, type=TYPE))))
    monitor.report("estimate", 0.7, linear)
    here = linear.resized(factor)
    pair = Pair(fixed.resized(factor), moving.resized(factor), settings.seed).near([here.matrix])
    enlarged = None if quality is None else quality.resized(factor)
    error_mm, source = estimated_error(pair, here, enlarged, settings)
    error_mm = None if error_mm is None else error_mm / factor
    monitor.estimated(error_mm)
    monitor.report("estimate", 0.8, linear)
    notices += remarks_or_no_overlap(quality)
    if verdict_or_failed(quality) == "failed":
        notices += unit_doubts(fixed, moving)
    return Assessment(
        transform=transform,
        linear=linear,
        moving=moving,
        error_mm=error_mm,
        error_source=source,
        quality=quality,
        overlap=pair.overlap(here.matrix),
        seconds=time.perf_counter() - began,
        device=device.describe(fixed.device),
        notices=notices,
    )
