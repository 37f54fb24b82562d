"""BIDS: the pairs of a data set, and the derivative that they become.

The transforms are named as in BIDS Extension Proposal 14: ``sub-01_from-ct_to-T1w_mode-image_xfm.h5`` takes images from
the space of the CT to that of the T1w, so it is what ITK resamples the CT with, and maps points of the T1w to points of
the CT.  Nothing here loads torch, numpy or Dask.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import InputError
from .pair import PICTURES, Pair, check_id

if TYPE_CHECKING:
    from .manifest import Entry

VERSION = "1.10.0"
"""Of BIDS."""
IMAGES = (".nii.gz", ".nii")
NOT_IMAGES = {("part", "phase"), ("part", "imag"), ("part", "real")}
IGNORED = [
    "*_xfm.*",
    "index.html",
    "summary.tsv",
    "manifest*.jsonl",
    ".manifest*",
    "figures",  # with a slash at its end the validator does not heed it
]
"""What the validator reports as NOT_INCLUDED: BIDS 1.11.2 has neither the suffix ``xfm`` nor the entities ``from``,
``to`` and ``mode``; the rest is for people."""
README = """# Registrations by MADRegistration {version}

Images of each participant, registered to one of their images. `sub-X_from-A_to-B_mode-image_xfm.h5` is an ITK transform
that resamples image A onto the grid of image B: it maps points of B to points of A (LPS, mm). The JSON file beside it
has the inputs with their hashes, the settings, the estimated error and the verdict (`aligned`, `check`, `failed`); a
registration with the verdict `failed` has no transform. `index.html` shows all pairs, those to look at first.
"""


@dataclass(frozen=True)
class Image:
    """An image of a data set.

    Attributes:
        path: relative to the data set, with slashes.
        entities: by their key, in the order of the name, such as ``{"sub": "01", "ses": "2", "run": "1"}``.
        suffix: the contrast, such as ``T1w``.
    """

    path: str
    entities: dict[str, str]
    suffix: str

    @property
    def folder(self) -> str:
        """Folder of the image, relative to the data set."""
        return self.path.rpartition("/")[0]

    @property
    def session(self) -> str | None:
        return self.entities.get("ses")


def find_pairs(
    dataset: Path,
    fixed: str,
    moving: Sequence[str],
    labels: Iterable[str] = (),
    common: Mapping[str, Any] | None = None,
    resampled: bool = False,
    pictures: bool = True,
) -> list[Pair]:
    """Every moving image of every participant, with the fixed image of its session.

    If its session has no fixed image, it is the participant's first one; of several, the first by name.

    Args:
        fixed, moving: suffixes such as ``T1w``.
        labels: participants, with or without ``sub-``; all if there are none.
        common: values of fields of :class:`~madreg.batch.pair.Pair`.
        resampled: whether to write the resampled images too.
        pictures: whether to write overlays and thumbnails.

    Raises:
        InputError: if it is no data set, or has no such participant or no pair, or two images whose results would have
            the same names.
    """
    if not (dataset / "dataset_description.json").is_file():
        raise InputError(f"{dataset} has no dataset_description.json: give the folder of a BIDS data set.")
    if fixed in moving:
        raise InputError(f"{fixed} is the fixed image and cannot be a moving image too: choose other suffixes.")
    pairs = []
    for folder in _participants(dataset, labels):
        images = _images(dataset, folder)
        references = [image for image in images if image.suffix == fixed]
        for image in images:
            if image.suffix in moving and references:
                reference = next((one for one in references if one.session == image.session), references[0])
                pairs.append(_pair(reference, image, common or {}, resampled, pictures))
    if not pairs:
        raise InputError(
            f"{dataset} has no participant with a {fixed} image and one of {', '.join(moving)}: check the suffixes."
        )
    _check_names(pairs, dataset)
    return pairs


def _check_names(pairs: Sequence[Pair], dataset: Path) -> None:
    """Refuse two moving images whose names differ in nothing but the folder, the ending or the case of letters."""
    seen: dict[str, str] = {}
    for pair in pairs:
        other = seen.setdefault(pair.id.lower(), pair.moving)
        if other != pair.moving:
            raise InputError(
                f"{dataset / other} and {dataset / pair.moving} would have results of the same name: remove or rename "
                "one of them."
            )


def participants_without(pairs: Sequence[Pair], dataset: Path, labels: Iterable[str] = ()) -> list[str]:
    """The participants, such as ``sub-01``, of whom there is no pair."""
    found = {pair.moving.partition("/")[0] for pair in pairs}
    return [folder.name for folder in _participants(dataset, labels) if folder.name not in found]


def _participants(dataset: Path, labels: Iterable[str]) -> list[Path]:
    wanted = [label.removeprefix("sub-") for label in labels]
    if not wanted:
        return sorted(path for path in dataset.glob("sub-*") if path.is_dir())
    folders = [dataset / f"sub-{label}" for label in dict.fromkeys(wanted)]
    for folder in folders:
        if not re.fullmatch(r"sub-[A-Za-z0-9]+", folder.name) or not folder.is_dir():
            raise InputError(f"{dataset} has no participant {folder.name}: check the labels.")
    return folders


def _images(dataset: Path, folder: Path) -> list[Image]:
    """The images of a participant, sorted by path."""
    files = (path for path in _files(folder) if path.name.endswith(IMAGES))
    found = (parsed(path.relative_to(dataset).as_posix()) for path in sorted(files))
    return [image for image in found if image is not None and not NOT_IMAGES & set(image.entities.items())]


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, without hidden folders, as those of version control.

    Raises:
        InputError: if one of the folders cannot be read: its images would be left out unnoticed.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read ({error.strerror}): check your rights to it.") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names)


def parsed(path: str) -> Image | None:
    """The image of a path; None if its name is not of BIDS."""
    ending = next((ending for ending in IMAGES if path.endswith(ending)), "")
    *parts, suffix = path.rpartition("/")[2].removesuffix(ending).split("_")
    pieces = [part.partition("-") for part in parts]
    if not parts or not all(key and value for key, _, value in pieces) or not re.fullmatch("[A-Za-z0-9]+", suffix):
        return None
    return Image(path, {key: value for key, _, value in pieces}, suffix)


def _pair(fixed: Image, moving: Image, common: Mapping[str, Any], resampled: bool, pictures: bool) -> Pair:
    entities = "_".join(f"{key}-{value}" for key, value in moving.entities.items())
    direct, inverse = (
        f"{entities}_from-{one.suffix}_to-{other.suffix}_mode-image_xfm"
        for one, other in ((moving, fixed), (fixed, moving))
    )
    name = check_id(f"{entities}_from-{moving.suffix}_to-{fixed.suffix}", moving.path)
    figures = "/".join(part for part in moving.folder.split("/") if part.startswith(("sub-", "ses-"))) + "/figures"
    image = f"{moving.folder}/{entities}_space-{fixed.suffix}_{moving.suffix}"
    files = {
        "transform": f"{moving.folder}/{direct}.h5",
        "sidecar": f"{moving.folder}/{direct}.json",
        "inverse": f"{moving.folder}/{inverse}.h5",
        "inverse_sidecar": f"{moving.folder}/{inverse}.json",
        **({"resampled": f"{image}.nii.gz", "resampled_sidecar": f"{image}.json"} if resampled else {}),
        **({key: f"{figures}/{name}_{file}" for key, file in PICTURES.items()} if pictures else {}),
        "page": f"{figures}/{name}.html",
        "result": f"{figures}/{name}_result.json",
    }
    return Pair(**{**common, "id": name, "fixed": fixed.path, "moving": moving.path, "files": files})


def sidecars(pair: Pair, report: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Any]]:
    """The JSON files beside the transforms and the resampled image, by their key in ``Pair.files``."""
    if "sidecar" not in pair.files:
        return {}
    common = {
        "Sources": [f"bids:raw:{pair.moving}", f"bids:raw:{pair.fixed}"],
        "Verdict": report["verdict"],
        "EstimatedError": report["error_after_mm"],
        "EstimatedErrorBefore": report["error_before_mm"],
        "EstimatedErrorSource": report["error_source"],
        "EstimatedErrorUnits": "mm",
        **({"ErrorBound": report["bound_mm"]} if "bound_mm" in report else {}),
        "Overlap": report["overlap"],
        "Seed": pair.seed,
        "Settings": entry["settings"],
        "Threads": entry["threads"],
        "InputSHA256": {name: one["sha256"] for name, one in entry["inputs"].items()},
        "WeightsSHA256": entry["weights_sha256"],
        "Versions": entry["software"],
        "Notices": report["notices"],
    }
    direct = {
        "Description": "ITK transform that resamples the moving image onto the grid of the fixed one",
        "MovingImage": f"bids:raw:{pair.moving}",
        "FixedImage": f"bids:raw:{pair.fixed}",
        **common,
        "MatrixFixedToMovingLPS": report["matrix_fixed_to_moving_lps"],
    }
    inverse = {
        "Description": f"Inverse of {pair.files['transform'].rpartition('/')[2]}",
        "MovingImage": f"bids:raw:{pair.fixed}",
        "FixedImage": f"bids:raw:{pair.moving}",
        **common,
    }
    image = {
        "Description": "The moving image on the grid of the fixed one",
        "SpatialReference": f"bids:raw:{pair.fixed}",
        "SkullStripped": False,
        **common,
    }
    return {"sidecar": direct, "inverse_sidecar": inverse, "resampled_sidecar": image}


def dataset_files(dataset: Path) -> dict[str, str]:
    """The files at the top of the derivative, by name."""
    return {
        "dataset_description.json": json.dumps(_description(dataset), indent=2) + "\n",
        ".bidsignore": "\n".join(IGNORED) + "\n",
        "README.md": README.format(version=__version__),
    }


def _description(dataset: Path) -> dict[str, Any]:
    source = _read_description(dataset)
    url = dataset.resolve().as_uri()
    doi = {"DOI": source["DatasetDOI"]} if isinstance(source.get("DatasetDOI"), str) else {}
    return {
        "Name": f"{source.get('Name') or dataset.resolve().name}: registrations",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "MADRegistration",
                "Version": __version__,
                "CodeURL": "https://github.com/MADRegistration/SlicerMADRegistration",
            }
        ],
        "SourceDatasets": [{"URL": url, **doi}],
        "DatasetLinks": {"raw": url},
    }


def _read_description(dataset: Path) -> dict[str, Any]:
    path = dataset / "dataset_description.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not JSON: correct it.") from error
    return found if isinstance(found, dict) else {}
