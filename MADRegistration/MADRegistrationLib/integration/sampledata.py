"""The bundled pair in Slicer's Sample Data module."""

from __future__ import annotations

import json
from pathlib import Path

from madreg import resources

from ..translation import _

THUMBNAIL = Path(__file__).parents[2] / "Resources" / "Icons" / "MADRegistrationDemo.png"
"""The two scans side by side."""


def registerSampleData():
    """Offer the bundled pair in the Sample Data module, beside Slicer's own CT-MR Brain."""
    import SampleData

    if hasattr(SampleData.SampleDataLogic, "registerCustomSampleDataCategory"):  # since Slicer 5.12
        SampleData.SampleDataLogic.registerCustomSampleDataCategory("MADRegistration", title=_("MAD Registration"))
    hashes = json.loads(resources.path("Demo", "truth.json").read_text())["sha256"]
    names = {"T1w": "T1w.nii.gz", "EPI": "EPI.nii.gz"}
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="MADRegistration",
        sampleName="MADRegistrationDemo",
        uris=[resources.path("Demo", file).as_uri() for file in names.values()],
        fileNames=[f"MADRegistration-{file}" for file in names.values()],
        nodeNames=list(names),
        thumbnailFileName=str(THUMBNAIL),
        loadFileTypes="VolumeFile",  # a file like these could be read as a segmentation as well
        checksums=[f"SHA256:{hashes[file]}" for file in names.values()],
    )
