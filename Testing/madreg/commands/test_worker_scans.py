"""Images, masks and structures that come as arrays."""

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.commands.worker_scans import ScanArray, structures_of
from madreg.errors import InputError


def test_an_image_and_its_mask_are_read(description, tmp_path):
    np.save(tmp_path / "m.npy", np.ones((5, 5, 5), np.uint8))
    description["mask"] = {"voxels": str(tmp_path / "m.npy"), "matrix": np.diag([3.0, 3.0, 3.0, 1.0]).tolist()}
    scan = ScanArray(description)
    scan.check()
    loaded = scan.load()
    assert loaded.name == "CT" and loaded.mask[:5, :5, :5].all() and loaded.mask.sum() == 125
    assert isinstance(loaded.image, sitk.Image)


@pytest.mark.parametrize("name", ["voxels", "matrix", "name"])
@pytest.mark.parametrize("value", [None, 3, {}])
def test_a_part_that_is_missing_or_wrong_is_named(description, name, value):
    description[name] = value
    with pytest.raises(InputError, match=f'no usable "{name}"'):
        ScanArray(description).check()


@pytest.mark.parametrize("matrix", [[], [[1]], [[float("nan")] * 4] * 4, [[0.0] * 4] * 4, [["a"] * 4] * 4])
def test_a_matrix_that_is_none_is_refused(description, matrix):
    description["matrix"] = matrix
    with pytest.raises(InputError, match="CT "):
        ScanArray(description).load()


def test_a_file_that_is_cut_off_is_refused(description, tmp_path):
    data = (tmp_path / "a.npy").read_bytes()
    for length in (0, 5, 100, len(data) - 4):
        (tmp_path / "a.npy").write_bytes(data[:length])
        with pytest.raises(InputError, match="CT was not passed on completely"):
            ScanArray(description).load()


def test_structures_come_onto_the_grid_of_the_fixed_image_without_a_file(description, tmp_path):
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[:2], labels[2] = 1, 2
    np.save(tmp_path / "s.npy", labels)
    matrix = np.diag([6.0, 6.0, 6.0, 1.0])
    matrix[:3, 3] = 1.5
    given = {"name": "Organs", "voxels": str(tmp_path / "s.npy"), "matrix": matrix.tolist(), "names": {"1": "Eye"}}
    before, fixed = sorted(tmp_path.iterdir()), ScanArray(description).load()
    structures = structures_of({"segmentation": [given]})
    structures.check()
    found = structures.load(fixed)
    assert found.names == {1: "Eye", 2: "Structure 2"} and found.labels.shape == (10, 11, 12)
    assert (found.labels[:4, :8, :8] == 1).all() and (found.labels[4:6, :8, :8] == 2).all()
    assert not found.labels[6:].any() and not found.labels[:, 8:].any()
    assert sorted(tmp_path.iterdir()) == before
    assert structures_of({}) is None
    far = np.eye(4) + 500 * np.eye(4, k=3)
    with pytest.raises(InputError, match="No structure of Organs lies in CT"):
        structures_of({"segmentation": [{**given, "matrix": far.tolist()}]}).load(fixed)


def test_structures_that_overlap_come_in_layers(description, tmp_path):
    layers = []
    for number, end in ((1, 4), (2, 2)):
        labels = np.zeros((4, 4, 4), np.uint8)
        labels[:end] = number
        np.save(tmp_path / f"{number}.npy", labels)
        names = {str(number): f"Structure of {end}"}
        place = {"voxels": str(tmp_path / f"{number}.npy"), "matrix": np.diag([6.0, 6.0, 6.0, 1.0]).tolist()}
        layers.append({"name": "Organs", **place, "names": names})
    found = structures_of({"segmentation": layers}).load(ScanArray(description).load())
    assert found.names == {1: "Structure of 4"} and [one.names for one in found.others] == [{2: "Structure of 2"}]
    assert (found.labels == 1).sum() > 1.5 * (found.others[0].labels == 2).sum() > 0


@pytest.mark.parametrize("wrong", [3, {}, [], [{}], [{"name": "Organs", "voxels": "s.npy", "matrix": [], "names": []}]])
def test_structures_that_are_incomplete_are_refused(wrong):
    with pytest.raises(InputError, match="update MADRegistration"):
        structures_of({"segmentation": wrong}).check()
