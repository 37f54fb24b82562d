"""Transforms of any kind and program, from their files."""

import gzip
import struct
from contextlib import suppress

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.displacement_field import DisplacementField
from madreg.image.transform import Transform
from madreg.io.any_transform import read_any_transform
from madreg.io.displacement_files import RAS_INTENT
from madreg.io.itk_transform import write_transform

POINT = np.array([10.0, -28.0, 40.0])


@pytest.fixture
def grids(odd_grids):
    return odd_grids["plain"], odd_grids["oblique"]


@pytest.fixture
def vectors(grids):
    """An image of displacements that vary, and have a large part along each axis."""
    fixed, _ = grids
    values = 5 * np.sin(fixed.points().double().numpy() / 40) + [7, 8, 9]
    image = sitk.GetImageFromArray(values, isVector=True)
    image.CopyInformation(fixed.as_image(np.zeros(fixed.shape, np.uint8)))
    return image


@pytest.mark.parametrize("ending", ["nii.gz", "nii", "nrrd", "mha", "h5", "tfm", "txt", "mat"])
def test_displacement_fields(tmp_path, grids, vectors, ending):
    path = tmp_path / f"field.{ending}"
    wanted = sitk.DisplacementFieldTransform(sitk.Image(vectors)).TransformPoint(POINT.tolist())
    if ending in ("h5", "tfm", "txt", "mat"):
        sitk.WriteTransform(sitk.DisplacementFieldTransform(sitk.Image(vectors)), str(path))
    else:
        sitk.WriteImage(vectors, str(path))
    found = read_any_transform(path, *grids)
    assert isinstance(found, DisplacementField) and found.grid.size == grids[0].size
    assert found.apply(POINT) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("kind", ["last", "compressed"])
def test_numbers_of_an_nrrd_may_be_along_the_last_axis_and_compressed(tmp_path, grids, vectors, kind):
    path = tmp_path / "field.nrrd"
    sitk.WriteImage(vectors, str(path), useCompression=kind == "compressed")
    if kind == "last":
        head, _, data = path.read_bytes().partition(b"\n\n")
        text = head.decode()
        ni, nj, nk = vectors.GetSize()
        text = text.replace(f"sizes: 3 {ni} {nj} {nk}", f"sizes: {ni} {nj} {nk} 3")
        text = text.replace("kinds: vector domain domain domain", "kinds: domain domain domain vector")
        directions = next(line for line in text.splitlines() if line.startswith("space directions: "))
        text = text.replace(directions, directions.replace("none ", "") + " none")
        moved = np.moveaxis(np.frombuffer(data, "<f8").reshape(nk, nj, ni, 3), 3, 0)
        path.write_bytes(text.encode() + b"\n\n" + moved.tobytes())
    wanted = sitk.DisplacementFieldTransform(sitk.Image(vectors)).TransformPoint(POINT.tolist())
    assert read_any_transform(path, *grids).apply(POINT) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("ending", ["nrrd", "mha", "nii.gz"])
def test_no_flipped_bit_in_a_compressed_field_is_taken(tmp_path, grids, vectors, ending):
    """ITK's reader of MetaImage takes all of them."""
    path = tmp_path / f"field.{ending}"
    sitk.WriteImage(vectors, str(path), useCompression=True)
    content = path.read_bytes()
    intact = read_any_transform(path, *grids).displacements
    refused = 0
    for place in np.random.default_rng(0).integers(len(content) // 3, len(content) - 20, 12):
        damaged = bytearray(content)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        found = None
        with suppress(InputError):
            found = read_any_transform(path, *grids)
        refused += found is None
        if found is not None:
            np.testing.assert_array_equal(found.displacements, intact)  # some bits of deflated data have no meaning
    assert refused >= 9


def test_displacements_along_ras_are_understood(tmp_path, grids, vectors):
    """NIfTI's own intent for displacements, 1006, means RAS, as of the image's axes."""
    flipped = sitk.GetImageFromArray(sitk.GetArrayFromImage(vectors) * [-1, -1, 1], isVector=True)
    flipped.CopyInformation(vectors)
    path = tmp_path / "field.nii"
    sitk.WriteImage(flipped, str(path))
    content = bytearray(path.read_bytes())
    struct.pack_into("<h", content, 68, RAS_INTENT)
    path = tmp_path / "field.nii.gz"
    path.write_bytes(gzip.compress(bytes(content)))
    wanted = sitk.DisplacementFieldTransform(sitk.Image(vectors)).TransformPoint(POINT.tolist())
    assert read_any_transform(path, *grids).apply(POINT) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("field", "text", "program"),
    [
        ("intent_name", "NREG_TRANS", "NiftyReg"),
        ("intent_name", "Mapping", "SPM"),
        ("descrip", "Inverse Deformation", "SPM"),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_deformations_of_other_programs_are_no_displacements(tmp_path, grids, vectors, version, field, text, program):
    """They lie in a NIfTI file as ITK's do, but hold positions, or displacements along RAS."""
    nib = pytest.importorskip("nibabel")
    path = tmp_path / "field.nii.gz"
    sitk.WriteImage(vectors, str(path))
    loaded = nib.load(path)
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    changed = kind(np.asanyarray(loaded.dataobj), loaded.affine, kind.header_class.from_header(loaded.header))
    changed.header[field] = text
    nib.save(changed, path)
    with pytest.raises(InputError, match=rf"field.nii.gz is a deformation of {program}, .*: convert it"):
        read_any_transform(path, *grids)


def test_chains_and_b_splines_become_fields(tmp_path, grids, vectors):
    rigid = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.1, 0.0, 0.2, (3, -4, 5))
    spline = sitk.BSplineTransformInitializer(grids[0].as_image(np.zeros(grids[0].shape, np.uint8)), [4, 4, 4])
    spline.SetParameters(np.random.default_rng(0).normal(0, 4, len(spline.GetParameters())).tolist())
    for transform in (sitk.CompositeTransform([rigid, sitk.DisplacementFieldTransform(vectors)]), spline):
        sitk.WriteTransform(transform, str(tmp_path / "t.h5"))
        found = read_any_transform(tmp_path / "t.h5", *grids)
        assert isinstance(found, DisplacementField)
        assert found.apply(POINT) == pytest.approx(transform.TransformPoint(POINT.tolist()), abs=0.05)


def test_of_a_mouse_they_are_as_fine_as_of_a_head(tmp_path, grids):
    head = grids[0].isotropic(4.0)
    mouse = head.resized(0.05)
    wave = sitk.BSplineTransformInitializer(mouse.as_image(np.zeros(mouse.shape, np.uint8)), [4, 4, 4])
    wave.SetParameters(np.random.default_rng(0).normal(0, 0.2, len(wave.GetParameters())).tolist())
    sitk.WriteTransform(wave, str(tmp_path / "t.h5"))
    found = read_any_transform(tmp_path / "t.h5", mouse, mouse)
    point = mouse.center + 0.13
    assert max(found.grid.size) >= 64
    assert found.apply(point) == pytest.approx(wave.TransformPoint(point.tolist()), abs=0.002)


def test_linear_ones(tmp_path, grids, rigid_motion):
    wanted = Transform(rigid_motion((1, 2, 3), 20, (4, 5, 6)))
    for ending in ("tfm", "txt", "h5", "mat"):
        write_transform(wanted, tmp_path / f"t.{ending}")
        assert read_any_transform(tmp_path / f"t.{ending}", *grids).matrix == pytest.approx(wanted.matrix, abs=1e-9)
    chain = sitk.CompositeTransform([wanted.to_itk(), wanted.to_itk()])
    sitk.WriteTransform(chain, str(tmp_path / "chain.h5"))
    found = read_any_transform(tmp_path / "chain.h5", *grids)
    assert found.matrix == pytest.approx(wanted.after(wanted).matrix, abs=1e-9)
    np.savetxt(tmp_path / "fsl.mat", np.eye(4))
    fixed, moving = grids
    corner = read_any_transform(tmp_path / "fsl.mat", fixed, moving)
    assert isinstance(corner, Transform) and corner.type == "rigid"


@pytest.mark.parametrize("ending", ["tfm", "txt"])
def test_of_several_transforms_the_first_alone_is_not_taken(tmp_path, grids, ending):
    """As ITK 3 wrote a B-spline and the affine transform before it."""
    shift = "Transform: AffineTransform_double_3_3\nParameters: 1 0 0 0 1 0 0 0 1 {} 0 0\nFixedParameters: 0 0 0\n"
    path = tmp_path / f"two.{ending}"
    path.write_text(f"#Insight Transform File V1.0\n#Transform 0\n{shift.format(10)}#Transform 1\n{shift.format(20)}")
    with pytest.raises(InputError, match=rf"two.{ending} holds several transforms"):
        read_any_transform(path, *grids)
    chain = sitk.CompositeTransform(
        [sitk.TranslationTransform(3, (10, 0, 0)), sitk.TranslationTransform(3, (20, 0, 0))]
    )
    sitk.WriteTransform(chain, str(path))
    assert read_any_transform(path, *grids).matrix[0, 3] == 30


def bad(folder, vectors):
    """Files that are no transforms."""
    content = folder / "whole.nii"
    sitk.WriteImage(vectors, str(content))
    (folder / "cut.nii").write_bytes(content.read_bytes()[:-50])
    array = sitk.GetArrayFromImage(vectors)
    array[0, 0, 0] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=True), str(folder / "nan.nii.gz"))
    sitk.WriteImage(sitk.VectorIndexSelectionCast(vectors, 0), str(folder / "scalar.nii.gz"))
    sitk.WriteImage(sitk.VectorIndexSelectionCast(vectors, 0), str(folder / "scalar.mha"))
    sitk.WriteImage(sitk.VectorIndexSelectionCast(vectors, 0), str(folder / "scalar.nrrd"))
    sitk.WriteImage(
        sitk.JoinSeries([sitk.VectorIndexSelectionCast(vectors, n) for n in range(3)]), str(folder / "4d.nii")
    )
    (folder / "text.nii.gz").write_text("hello")
    (folder / "text.mha").write_text("hello")
    (folder / "text.tfm").write_text("hello")
    vectors_of = "ElementNumberOfChannels = 3\nElementType = MET_FLOAT\nElementDataFile"
    negative = f"ObjectType = Image\nNDims = -3\nDimSize = 4 4 4\n{vectors_of} = LOCAL\n"
    (folder / "negative.mha").write_bytes(negative.encode() + bytes(768))  # ITK's reader does not end
    outside = f"ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\n{vectors_of} = ../../etc/passwd\n"
    (folder / "outside.mhd").write_text(outside)
    large = f"ObjectType = Image\nNDims = 3\nDimSize = 40000 40000 400\n{vectors_of} = LOCAL\n"
    (folder / "large.mha").write_bytes(large.encode() + bytes(768))
    array = sitk.GetArrayFromImage(vectors)
    array[0, 0, 0] = 1e300
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=True), str(folder / "overflow.nrrd"))
    (folder / "folder.tfm").mkdir()
    (folder / "folder.nii.gz").mkdir()
    affine = "#Insight Transform File V1.0\n#Transform 0\nTransform: Affine{}Transform_double_3_3\nParameters: 1\n"
    (folder / "latin.tfm").write_bytes(affine.format("é").encode("latin-1"))  # SimpleITK cannot print its complaint
    spline = affine.replace("Affine{}", "BSpline") + "FixedParameters: 999999 999999 9 0 0 0 1 1 1 1 0 0 0 1 0 0 0 1\n"
    (folder / "spline.tfm").write_text(spline)  # ITK's reader ends the process
    sitk.WriteTransform(sitk.Euler2DTransform(), str(folder / "flat.tfm"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.tfm", "does not exist"),
        ("none.nii.gz", "does not exist"),
        ("cut.nii", "is damaged or incomplete"),
        ("nan.nii.gz", "displacements that are no numbers"),
        ("scalar.nii.gz", "is no displacement field"),
        ("scalar.mha", "is no displacement field"),
        ("scalar.nrrd", "is no displacement field"),
        ("4d.nii", "is no displacement field"),
        ("text.nii.gz", "is damaged or incomplete"),
        ("text.mha", "is damaged or incomplete"),
        ("text.tfm", "cannot be read as a transform"),
        ("flat.tfm", "is a 2D transform"),
        ("negative.mha", "is damaged or incomplete"),
        ("outside.mhd", "names a data file outside its folder"),
        ("large.mha", "for which"),
        ("overflow.nrrd", "displacements that are no numbers"),
        ("folder.tfm", "is a folder"),
        ("folder.nii.gz", "is a folder"),
        ("latin.tfm", "cannot be read as a transform"),
        ("spline.tfm", "cannot be read as a transform"),
    ],
)
def test_what_is_no_transform_is_one_sentence(tmp_path, grids, vectors, name, message):
    bad(tmp_path, vectors)
    with pytest.raises(InputError) as caught:
        read_any_transform(tmp_path / name, *grids)
    text = str(caught.value)
    assert message in text and name in text and text.endswith(".") and "\n" not in text
