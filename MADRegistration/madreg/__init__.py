"""Rigid and affine registration of 3D scans of any contrast, from any pose.

Everything that is listed in ``__all__`` is imported when it is first used: ``import madreg`` takes no time and does
not need torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = {
    "AssessmentJob": "pipeline.assessment_job",
    "DisplacementField": "image.displacement_field",
    "InputError": "errors",
    "Job": "pipeline.job",
    "Outputs": "pipeline.outputs",
    "Result": "pipeline.result",
    "ScanFile": "pipeline.job_sources",
    "Settings": "settings",
    "Transform": "image.transform",
    "Volume": "image.volume",
    "assess_alignment": "pipeline.assessment",
    "read_any_transform": "io.any_transform",
    "read_transform": "io.itk_transform",
    "read_volume": "io.reading",
    "register": "pipeline.registration",
    "run_assessment": "pipeline.assessment_job",
    "run_job": "pipeline.job",
    "volume_from_image": "io.reading",
    "write_transform": "io.itk_transform",
}

__all__ = [  # the keys of _MODULES; a test compares them
    "AssessmentJob",
    "DisplacementField",
    "InputError",
    "Job",
    "Outputs",
    "Result",
    "ScanFile",
    "Settings",
    "Transform",
    "Volume",
    "__version__",
    "assess_alignment",
    "read_any_transform",
    "read_transform",
    "read_volume",
    "register",
    "run_assessment",
    "run_job",
    "volume_from_image",
    "write_transform",
]

if TYPE_CHECKING:
    from .errors import InputError
    from .image.displacement_field import DisplacementField
    from .image.transform import Transform
    from .image.volume import Volume
    from .io.any_transform import read_any_transform
    from .io.itk_transform import read_transform, write_transform
    from .io.reading import read_volume, volume_from_image
    from .pipeline.assessment import assess_alignment
    from .pipeline.assessment_job import AssessmentJob, run_assessment
    from .pipeline.job import Job, run_job
    from .pipeline.job_sources import ScanFile
    from .pipeline.outputs import Outputs
    from .pipeline.registration import register
    from .pipeline.result import Result
    from .settings import Settings


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
