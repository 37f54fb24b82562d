"""Transforms of FSL and FreeSurfer, in millimetres: examples worked out by hand, and any two lattices."""

import numpy as np
import pytest

from madreg.errors import InputError
from madreg.image.geometry import Grid, apply
from madreg.io.foreign_transforms import flirt_notices, is_foreign_transform, read_foreign_transform

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def grid_of(size, spacing, ras_axes, ras_origin):
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(ras_axes, float) * spacing
    matrix[:3, 3] = ras_origin
    return Grid(size, RAS @ matrix)


RADIOLOGICAL = np.diag([-1.0, 1.0, 1.0])  # x runs from the patient's left to the right: what FSL expects


def write_matrix(path, matrix):
    path.write_text("\n".join("  ".join(f"{v:.9f}" for v in row) + "  " for row in matrix) + "\n")
    return path


def test_flirt_by_hand(tmp_path):
    """An identity of FLIRT lays corner on corner; a shift of 5 along x is one of 5 mm to the right."""
    fixed = grid_of((10, 10, 10), (2, 2, 2), RADIOLOGICAL, (9, -9, 0))
    moving = grid_of((8, 8, 8), (3, 3, 3), RADIOLOGICAL, (40, 50, 60))
    matrix = np.eye(4)
    transform = read_foreign_transform(write_matrix(tmp_path / "a.mat", matrix), fixed, moving)
    # fixed corner at RAS (9, -9, 0) lies on the moving corner at RAS (40, 50, 60), which in LPS is (-40, -50, 60)
    assert transform.apply(np.array([-9.0, 9.0, 0.0])) == pytest.approx([-40, -50, 60])
    matrix[0, 3] = 5.0  # moving x + 5 = fixed x, so that fixed corner is at moving x = -5: 5 mm to the left
    transform = read_foreign_transform(write_matrix(tmp_path / "b.mat", matrix), fixed, moving)
    assert transform.apply(np.array([-9.0, 9.0, 0.0])) == pytest.approx([-45, -50, 60])


def test_flirt_counts_from_the_other_side_of_neurological_images(tmp_path):
    """The same anatomy stored with x reversed is the same image for FSL: the transform must not change."""
    matrix = np.eye(4)
    matrix[:3, 3] = (4.0, -3.0, 2.0)
    path = write_matrix(tmp_path / "a.mat", matrix)
    moving = grid_of((8, 8, 8), (3, 3, 3), RADIOLOGICAL, (40, 50, 60))
    radiological = grid_of((10, 10, 10), (2, 2, 2), RADIOLOGICAL, (9, -9, 0))
    neurological = grid_of((10, 10, 10), (2, 2, 2), np.eye(3), (9 - 2 * 9, -9, 0))
    points = np.random.default_rng(0).uniform(-20, 20, (50, 3))
    first, second = (read_foreign_transform(path, one, moving).apply(points) for one in (radiological, neurological))
    assert np.abs(first - second).max() < 1e-6


def test_flirt_rotates_about_the_corner(tmp_path, rigid_motion):
    fixed = moving = grid_of((10, 10, 10), (2, 2, 2), RADIOLOGICAL, (0, 0, 0))
    rotated = rigid_motion((0, 0, 1), 90)  # FSL: x to y; FSL's x is L (LPS x), its y is A (LPS -y)
    transform = read_foreign_transform(write_matrix(tmp_path / "a.mat", rotated), fixed, moving)
    # fixed FSL (0, 10, 0) came from moving FSL (10, 0, 0)
    assert transform.apply(np.array([0.0, -10.0, 0.0])) == pytest.approx([10, 0, 0], abs=1e-6)


def lta(kind, matrix, source, destination):
    def info(name, grid):
        ras = RAS @ grid.matrix
        center = apply(ras, np.array(grid.size) / 2)
        axes = ras[:3, :3] / grid.spacing
        rows = "\n".join(
            f"{n} = " + " ".join(f"{v:.10e}" for v in axes[:, i]) for i, n in enumerate(("xras", "yras", "zras"))
        )
        return (
            f"{name} volume info\nvalid = 1  # volume info valid\nfilename = x.mgz\n"
            f"volume = {' '.join(map(str, grid.size))}\nvoxelsize = {' '.join(f'{s:.10e}' for s in grid.spacing)}\n"
            f"{rows}\ncras   = {' '.join(f'{v:.10e}' for v in center)}\n"
        )  # fmt: skip

    rows = "\n".join(" ".join(f"{v:.12e}" for v in row) for row in matrix)
    return (
        f"# transform file x.lta\ntype      = {kind} # LINEAR\nnxforms   = 1\nmean = 0.0 0.0 0.0\nsigma = 1.0\n"
        f"1 4 4\n{rows}\n{info('src', source)}{info('dst', destination)}subject fsaverage\nfscale 0.15\n"
    )


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("source_is", ["moving", "fixed"])
@pytest.mark.parametrize("names", [("oblique", "anisotropic"), ("sagittal", "left-handed")])
def test_freesurfer(tmp_path, odd_grids, rigid_motion, kind, source_is, names):
    fixed, moving = (odd_grids[name] for name in names)
    truth = rigid_motion((1, 2, 3), 40, (10, -5, 20))  # fixed LPS to moving LPS
    source, destination = (moving, fixed) if source_is == "moving" else (fixed, moving)
    world = np.linalg.inv(truth) if source_is == "moving" else truth
    matrix = RAS @ world @ RAS if kind == 1 else destination.inverse @ world @ source.matrix
    path = tmp_path / "x.lta"
    path.write_text(lta(kind, matrix, source, destination))
    found = read_foreign_transform(path, fixed, moving)
    assert np.abs(found.apply(fixed.corners) - apply(truth, fixed.corners)).max() < 1e-4


def test_freesurfer_by_hand(tmp_path):
    """A shift of 7 mm to the right from source to destination, in RAS."""
    grid = grid_of((256, 256, 256), (1, 1, 1), [[-1, 0, 0], [0, 0, 1], [0, -1, 0]], (128, -128, 128))
    matrix = np.eye(4)
    matrix[0, 3] = 7
    other = grid_of((256, 256, 100), (1, 1, 2), [[-1, 0, 0], [0, 0, 1], [0, -1, 0]], (128, -100, 128))
    path = tmp_path / "x.lta"
    path.write_text(lta(1, matrix, other, grid))
    # the source is the moving image: fixed RAS (0, 0, 0) lies at moving RAS (-7, 0, 0), which in LPS is (7, 0, 0)
    assert read_foreign_transform(path, grid, other).apply(np.zeros(3)) == pytest.approx([7, 0, 0])
    # and the other way round if it is the fixed image
    assert read_foreign_transform(path, other, grid).apply(np.zeros(3)) == pytest.approx([-7, 0, 0])


def test_freesurfer_of_other_images_is_refused(tmp_path, odd_grids):
    path = tmp_path / "x.lta"
    path.write_text(lta(1, np.eye(4), odd_grids["plain"], odd_grids["oblique"]))
    with pytest.raises(InputError, match="made between other images"):
        read_foreign_transform(path, odd_grids["sagittal"], odd_grids["anisotropic"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mat", "1 0 0 0\n0 1 0 0\n0 0 1 0\n"),
        ("a.mat", "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 2\n"),
        ("a.mat", "1 0 0 0\n0 1 0 nan\n0 0 1 0\n0 0 0 1\n"),
        ("a.mat", "1 0 0 0\n0 0 0 0\n0 0 1 0\n0 0 0 1\n"),
        ("a.lta", "type = 14\nnxforms = 1\n"),
        ("a.lta", "type = 1\nnxforms = 1\n1 4 4\n1 0 0 0\n0 0 0 0\n0 0 1 0\n0 0 0 1\n"),
        ("a.lta", ""),
        ("a.lta", "type = 1\nnxforms = 1\n1 4 4\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 0\n"),  # no inverse
        ("a.lta", "type = 1\nnxforms = 1\n1 4 4\n1.25 0 0 0\n0 1.25 0 0\n0 0 1.25 0\n0.5\n"),  # cut off
        ("a.lta", "type = 1\nnxforms = 1\n1 4 4\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1.0.1\n"),
    ],
)
def test_what_is_no_transform_is_refused(tmp_path, odd_grids, name, content):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_foreign_transform(path, odd_grids["plain"], odd_grids["oblique"])
    assert str(path) in str(caught.value) and ": " in str(caught.value)


def test_itk_files_are_not_taken_for_others(tmp_path):
    import SimpleITK as sitk

    for suffix in (".mat", ".tfm", ".txt"):
        path = tmp_path / f"itk{suffix}"
        sitk.WriteTransform(sitk.AffineTransform(3), str(path))
        assert not is_foreign_transform(path)
    assert is_foreign_transform(write_matrix(tmp_path / "fsl.mat", np.eye(4)))


@pytest.mark.parametrize(
    "numbers",
    [np.eye(3), np.full((4, 4), np.nan), np.eye(4) + np.eye(4, k=-1)],
    ids=["three lines", "not finite", "projective"],
)
def test_other_numbers_than_a_matrix_of_flirt_are_one_sentence(tmp_path, numbers):
    np.savetxt(tmp_path / "numbers.mat", numbers)
    with pytest.raises(InputError, match=r"numbers.mat is no matrix of FLIRT, which has four lines of four finite"):
        is_foreign_transform(tmp_path / "numbers.mat")


def test_a_matrix_that_fsl_has_not_written_is_a_notice(tmp_path):
    """Greedy and NiftyReg write four lines of four numbers, too, which hold in RAS: nothing in them says so."""
    import SimpleITK as sitk

    sitk.WriteTransform(sitk.AffineTransform(3), str(tmp_path / "itk.mat"))
    assert flirt_notices(write_matrix(tmp_path / "fsl.mat", np.eye(4)), NIFTI) == []
    assert flirt_notices(tmp_path / "itk.mat", {"f": "DICOM"}) == []
    for name in ("greedy.mat", "niftyreg.txt"):
        np.savetxt(tmp_path / name, np.eye(4))
        (notice,) = flirt_notices(tmp_path / name, NIFTI)
        assert f"{name} holds nothing but a matrix" in notice and notice.endswith(".")


def test_a_matrix_of_fsl_and_images_that_it_cannot_read_are_a_notice(tmp_path):
    """Converters to NIfTI reverse the rows of DICOM, for instance."""
    (notice,) = flirt_notices(write_matrix(tmp_path / "fsl.mat", np.eye(4)), {"CT": "DICOM", "m.nii.gz": "NIfTI"})
    assert "holds between NIfTI files, and CT is none" in notice


NIFTI = {"f.nii": "NIfTI", "m.hdr": "Analyze"}
