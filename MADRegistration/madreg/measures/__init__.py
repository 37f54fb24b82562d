"""Image distances with one interface; see :class:`madreg.measures.base.Measure`.

A new measure is a module in this package and an entry in :data:`MEASURES`.  Importing this package does not import
torch; the module of a measure is imported when the measure is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from ..image.volume import Volume
    from .base import Measure


@dataclass(frozen=True)
class Entry:
    """A measure that can be chosen by name.

    Calling it makes the measure for a pair: ``MEASURES["nmi"](fixed, moving, seed=0)``.

    Attributes:
        label: for people.
        module: in this package.
        class_name: in that module.
        resolution: of the images, where it is used alone.
    """

    label: str
    module: str
    class_name: str
    resolution: str = "4 mm"

    def load(self) -> type:
        """The class of the measure."""
        return getattr(import_module(f"{__name__}.{self.module}"), self.class_name)

    def __call__(self, *args: Any, **options: Any) -> Measure:
        return self.load()(*args, **options)


MEASURES: dict[str, Entry] = {
    "mad": Entry("Modality Agnostic Distance", "feature_mad", "FeatureMAD", "8, 4 and 2 mm"),
    "nmi": Entry("Normalized mutual information", "nmi", "NMI"),
    "ngf": Entry("Normalized gradient fields", "ngf", "NGF"),
    "mad-distance": Entry("Published Modality Agnostic Distance (in mm)", "mad", "MAD"),
}


def __getattr__(name: str) -> Any:
    """The classes of the measures, imported when they are asked for."""
    for entry in MEASURES.values():
        if entry.class_name == name:
            return entry.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def distance(name: str, fixed: Volume, moving: Volume, matrix: np.ndarray) -> float:
    """Value of a measure in :data:`MEASURES` at one 4x4 matrix, fixed LPS to moving LPS; lower is better."""
    import torch

    with torch.no_grad():
        return float(MEASURES[name](fixed, moving)(torch.tensor(matrix, dtype=torch.float64)[None])[0])
