"""Pairs of a BIDS data set, and the names and sidecars of its derivative."""

import json
import os

import pytest

from madreg.batch import bids
from madreg.errors import InputError


@pytest.fixture
def dataset(tmp_path):
    """A data set with empty images."""
    root = tmp_path / "data"
    for name in (
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-01/ct/sub-01_acq-low_ct.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii",
        "sub-02/ses-a/anat/sub-02_ses-a_run-1_T2w.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_run-2_T2w.nii.gz",
        "sub-02/ses-b/anat/sub-02_ses-b_T2w.nii.gz",
        "sub-02/ses-b/anat/sub-02_ses-b_part-phase_T2w.nii.gz",
        "sub-03/anat/sub-03_T2w.nii.gz",
        "derivatives/other/sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/notes.nii.gz",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "dataset_description.json").write_text(json.dumps({"Name": "Heads", "BIDSVersion": "1.8.0"}))
    return root


def test_every_moving_image_goes_to_the_fixed_one_of_its_session(dataset):
    pairs = bids.find_pairs(dataset, "T1w", ["T2w", "ct"])
    found = {pair.id: (pair.fixed, pair.moving) for pair in pairs}
    one, two = "sub-01/anat/sub-01_T1w.nii.gz", "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii"
    assert found == {
        "sub-01_from-T2w_to-T1w": (one, "sub-01/anat/sub-01_T2w.nii.gz"),
        "sub-01_acq-low_from-ct_to-T1w": (one, "sub-01/ct/sub-01_acq-low_ct.nii.gz"),
        "sub-02_ses-a_run-1_from-T2w_to-T1w": (two, "sub-02/ses-a/anat/sub-02_ses-a_run-1_T2w.nii.gz"),
        "sub-02_ses-a_run-2_from-T2w_to-T1w": (two, "sub-02/ses-a/anat/sub-02_ses-a_run-2_T2w.nii.gz"),
        "sub-02_ses-b_from-T2w_to-T1w": (two, "sub-02/ses-b/anat/sub-02_ses-b_T2w.nii.gz"),
    }


@pytest.mark.parametrize("name", ["sub-01/anat/sub-01_T2w.nii", "sub-01/other/sub-01_T2w.nii.gz"])
def test_images_whose_results_would_have_one_name_are_refused(dataset, name):
    (dataset / name).parent.mkdir(exist_ok=True)
    (dataset / name).touch()
    with pytest.raises(
        InputError, match=r"sub-01_T2w\.nii.* and .*sub-01_T2w\.nii.* would have results of the same name"
    ):
        bids.find_pairs(dataset, "T1w", ["T2w"])


def test_hidden_folders_and_files_are_left_out(dataset):
    wanted = bids.find_pairs(dataset, "T1w", ["T2w"])
    for name in ("sub-01/.git/sub-01_T1w.nii.gz", "sub-01/anat/._sub-01_T1w.nii.gz"):
        (dataset / name).parent.mkdir(exist_ok=True)
        (dataset / name).touch()
    assert bids.find_pairs(dataset, "T1w", ["T2w"]) == wanted


def test_names_of_the_derivative(dataset):
    (pair,) = bids.find_pairs(dataset, "T1w", ["ct"], resampled=True)
    assert pair.files["transform"] == "sub-01/ct/sub-01_acq-low_from-ct_to-T1w_mode-image_xfm.h5"
    assert pair.files["inverse"] == "sub-01/ct/sub-01_acq-low_from-T1w_to-ct_mode-image_xfm.h5"
    assert pair.files["sidecar"] == pair.files["transform"].replace(".h5", ".json")
    assert pair.files["resampled"] == "sub-01/ct/sub-01_acq-low_space-T1w_ct.nii.gz"
    assert pair.files["page"] == "sub-01/figures/sub-01_acq-low_from-ct_to-T1w.html"
    (plain,) = bids.find_pairs(dataset, "T1w", ["ct"], pictures=False)
    assert {"overlay", "thumbnail", "resampled"}.isdisjoint(plain.files)


def test_participants_are_chosen_by_label(dataset):
    for label in ("02", "sub-02"):
        pairs = bids.find_pairs(dataset, "T1w", ["T2w"], [label])
        assert {pair.id[:6] for pair in pairs} == {"sub-02"} and len(pairs) == 3
    for label in ("04", "../data/sub-01", "*"):
        with pytest.raises(InputError, match="no participant"):
            bids.find_pairs(dataset, "T1w", ["T2w"], [label])


def test_a_folder_that_cannot_be_read_is_not_left_out(dataset, monkeypatch):
    scandir = os.scandir

    def denied(path):
        if os.path.basename(path) == "ses-b":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(InputError, match=r"ses-b cannot be read \(Permission denied\): check your rights"):
        bids.find_pairs(dataset, "T1w", ["T2w"])


def test_what_is_no_data_set_is_refused(tmp_path, dataset):
    with pytest.raises(InputError, match="dataset_description"):
        bids.find_pairs(tmp_path, "T1w", ["T2w"])
    with pytest.raises(InputError, match="no participant with a T1w image and one of PET"):
        bids.find_pairs(dataset, "T1w", ["PET"])
    with pytest.raises(InputError, match="cannot be a moving image too"):
        bids.find_pairs(dataset, "T1w", ["T2w", "T1w"])


def test_files_at_the_top_name_generator_and_source(dataset):
    files = bids.dataset_files(dataset)
    description = json.loads(files["dataset_description.json"])
    assert description["DatasetType"] == "derivative" and description["GeneratedBy"][0]["Name"] == "MADRegistration"
    assert description["SourceDatasets"] == [{"URL": dataset.resolve().as_uri()}]
    assert description["DatasetLinks"]["raw"] == dataset.resolve().as_uri()
    assert description["Name"] == "Heads: registrations"
    (dataset / "dataset_description.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        bids.dataset_files(dataset)


def test_names_that_are_not_of_bids():
    assert bids.parsed("sub-1/anat/T1w.nii.gz") is None
    assert bids.parsed("sub-1/anat/sub-1_x_T1w.nii.gz") is None
    image = bids.parsed("sub-1/anat/sub-1_acq-a_T1w.nii")
    assert image.suffix == "T1w" and image.entities == {"sub": "1", "acq": "a"} and image.folder == "sub-1/anat"
