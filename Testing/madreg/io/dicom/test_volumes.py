"""Several volumes in one folder, one series, or one file: which are found, and which one is read."""

import os
import struct
import subprocess
import sys

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid
from madreg.io.dicom.reading import list_volumes
from madreg.io.images import open_image


def scaled(dicom, factor):
    return lambda points: factor * dicom.blob(points)


def level(image):
    """Brightness, which differs between the volumes of these tests."""
    return float(np.nanmean(sitk.GetArrayFromImage(image)))


def test_two_echoes_in_one_series_are_two_volumes(tmp_path, dicom, straight, off_mm):
    folder = dicom.write_slices(tmp_path / "scan", straight(16), EchoTime="90", Modality="MR")
    dicom.write_slices(folder, straight(16), first=100, values=scaled(dicom, 0.5), EchoTime="20", Modality="MR")
    image, source = open_image(folder)
    assert image.GetSize() == (32, 40, 16) and off_mm(image) < 0.1
    assert "echo time 90 ms" in source.volume and len(source.notices) == 1
    assert "2 volumes in 1 DICOM series" in source.notices[0] and f"{folder}:NUMBER" in source.notices[0]
    assert len(list_volumes(folder)) == 2
    other, source = open_image(f"{folder}:2")
    assert level(other) == pytest.approx(level(image) / 2, rel=0.01)
    assert "echo time 20 ms" in source.volume and source.notices == ()


def test_b_values_and_directions_are_volumes(tmp_path, dicom, straight):
    folder = tmp_path / "dwi"
    for number, (b, direction) in enumerate([(0.0, None), (1000.0, [1, 0, 0]), (1000.0, [0, 1, 0])]):
        dicom.write_slices(
            folder,
            straight(12),
            first=1 + 100 * number,
            values=scaled(dicom, 1 / (number + 1)),
            DiffusionBValue=b,
            DiffusionGradientOrientation=direction,
        )
    words = [one.words for one in list_volumes(folder)]
    assert len(words) == 3 and "b-value 0" in words[0] and "b-value 1000, gradient 1/0/0" in words[1]
    levels = [level(open_image(f"{folder}:{n}")[0]) for n in (1, 2, 3)]
    assert levels == pytest.approx([levels[0], levels[0] / 2, levels[0] / 3], rel=0.01)


@pytest.mark.parametrize("by_time", [True, False])
def test_time_points_are_volumes_in_their_order(tmp_path, dicom, straight, by_time):
    """Slice times differ within each volume too, so that they distinguish nothing by themselves."""
    folder = tmp_path / "fmri"
    for t in range(4):
        time = {"AcquisitionTime": (lambda k, t=t: f"{100000 + 10 * t + k % 5}.0")} if by_time else {}
        dicom.write_slices(folder, straight(12), first=1 + 12 * t, values=scaled(dicom, 1 - t / 10), **time)
    levels = [level(open_image(f"{folder}:{n}")[0]) for n in (1, 2, 3, 4)]
    assert levels == pytest.approx([levels[0] * (1 - t / 10) for t in range(4)], rel=0.01)
    assert "repetition 3 of 4" in open_image(f"{folder}:3")[1].volume


def test_a_scout_in_the_series_is_left_out(tmp_path, dicom, straight, off_mm):
    folder = dicom.write_slices(tmp_path / "scan", straight(16))
    sagittal = np.array([[0, 0], [1.0, 0], [0, -1]])
    dicom.write_slices(folder, np.array([[0.0, -100, 80]]), sagittal, first=900)
    image, source = open_image(folder)
    assert image.GetSize() == (32, 40, 16) and off_mm(image) < 0.1
    assert "2 volumes in 1 DICOM series" in source.notices[0] and "1 slice of 32 x 40" in source.notices[0]


def test_one_place_four_times_is_no_stack(tmp_path, dicom):
    positions = np.repeat([[-30.0, -25.0, 0.0]], 4, axis=0)
    with pytest.raises(InputError, match="single slice"):
        open_image(dicom.write_slices(tmp_path / "scan", positions))


def test_copies_of_slices_do_not_count(tmp_path, dicom, straight, off_mm):
    folder = dicom.write_slices(tmp_path / "scan", straight(12))
    for path in sorted(folder.iterdir())[:5]:
        (folder / f"copy of {path.name}").write_bytes(path.read_bytes())
    image, source = open_image(folder)
    assert image.GetSize()[2] == 12 and off_mm(image) < 0.1 and source.notices == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_pipes_and_dangling_links_beside_the_slices(tmp_path, dicom, straight, off_mm):
    folder = dicom.write_slices(tmp_path / "scan", straight(12))
    os.mkfifo(folder / "pipe")
    (folder / "dangling.dcm").symlink_to(folder / "nowhere.dcm")
    (folder / "notes.txt").write_text("not a slice")
    image, source = open_image(folder)
    assert image.GetSize()[2] == 12 and off_mm(image) < 0.1
    assert len(source.notices) == 1 and "dangling.dcm, cannot be opened or are damaged" in source.notices[0]


def test_a_series_is_chosen_by_its_uid_or_number(tmp_path, dicom, straight):
    folder = dicom.write_slices(tmp_path / "scan", straight(12), SeriesNumber=2, SeriesInstanceUID="1.2.3.4")
    dicom.write_slices(folder, straight(20), SeriesNumber=5, SeriesInstanceUID="1.2.3.5", SeriesDescription="thin")
    assert open_image(folder)[0].GetSize()[2] == 20
    for choice in ("1", "1.2.3.4"):
        image, source = open_image(f"{folder}:{choice}")
        assert image.GetSize()[2] == 12 and source.series == "1.2.3.4"
    with pytest.raises(InputError, match=r"holds no volume '7': choose one of 1: .*; 2: .thin."):
        open_image(f"{folder}:7")


def test_folders_below_are_named(tmp_path, dicom, straight):
    dicom.write_slices(tmp_path / "study/one", straight(12))
    dicom.write_slices(tmp_path / "study/two", straight(9))
    with pytest.raises(InputError, match="give one of those below it that hold some") as caught:
        open_image(tmp_path / "study")
    assert f"{tmp_path / 'study/one'} (12 files)" in str(caught.value) and "two (9 files)" in str(caught.value)


@pytest.mark.parametrize(
    ("keyword", "values", "shift_mm"),
    [
        *(("AcquisitionNumber", (1, 2), shift_mm) for shift_mm in (0.01, 0.05, 0.3, 0.7)),
        ("EchoTime", ("10", "80"), 0.4),
        ("KVP", ("80", "140"), 0.01),  # which distinguishes no volumes
    ],
)
def test_two_volumes_whose_slices_lie_between_each_other(tmp_path, dicom, straight, off_mm, shift_mm, keyword, values):
    dicom.write_slices(tmp_path, straight(16), **{keyword: values[0]})
    moved = straight(16) + [0, 0, shift_mm]
    dicom.write_slices(tmp_path, moved, first=101, values=lambda at: dicom.blob(at) / 2, **{keyword: values[1]})
    image, source = open_image(tmp_path)
    assert image.GetSize() == (32, 40, 16) and off_mm(image) < 0.1
    assert "2 volumes in 1 DICOM series" in source.notices[0]
    assert level(open_image(f"{tmp_path}:2")[0]) == pytest.approx(level(image) / 2, rel=0.01)


def test_every_other_slice_of_another_acquisition_is_one_volume(tmp_path, dicom, straight, off_mm):
    for first in (0, 1):
        dicom.write_slices(tmp_path, straight(16)[first::2], first=1 + 100 * first, AcquisitionNumber=first + 1)
    image, source = open_image(tmp_path)
    assert image.GetSize() == (32, 40, 16) and off_mm(image) < 0.1 and source.notices == ()


def test_slice_distances_of_two_acquisitions_become_one(tmp_path, dicom, straight):
    """As of the skull base and the rest of a head: neither lies between slices of the other."""
    dicom.write_slices(tmp_path, straight(10), AcquisitionNumber=1)
    dicom.write_slices(tmp_path, straight(8, 4.0) + [0, 0, 22.0], first=101, AcquisitionNumber=2)
    _, source = open_image(tmp_path)
    assert len(source.notices) == 1 and "slices are 2 to 4 mm apart" in source.notices[0]


@pytest.mark.parametrize("of_folder", [True, False])
def test_a_dicomdir_is_followed(tmp_path, dicom, straight, off_mm, of_folder):
    from pydicom.fileset import FileSet

    slices = dicom.write_slices(tmp_path / "slices", straight(12), PatientID="1", PatientName="A", StudyID="1",
                                StudyDate="20200101", StudyTime="101010", SeriesNumber=1)  # fmt: skip
    disc = FileSet()
    for path in slices.iterdir():
        disc.add(path)
    disc.write(tmp_path / "disc")
    image, _ = open_image(tmp_path / "disc" if of_folder else tmp_path / "disc/DICOMDIR")
    assert image.GetSize()[2] == 12 and off_mm(image) < 0.1


def test_a_single_slice_file_is_refused(tmp_path, dicom, straight):
    folder = dicom.write_slices(tmp_path / "scan", straight(12))
    with pytest.raises(InputError, match="is a single slice: give a folder"):
        open_image(next(folder.iterdir()))


def test_a_slice_that_is_cut_off_is_named(tmp_path, dicom, straight):
    path = sorted(dicom.write_slices(tmp_path / "scan", straight(12)).iterdir())[4]
    one = pydicom.dcmread(path)
    one.PixelData = one.PixelData[:100]
    one.save_as(path)
    with pytest.raises(InputError, match=f"cut off in {path.name}"):
        open_image(tmp_path / "scan")


@pytest.mark.parametrize("size", [0, 50, 131, 140, 300])
@pytest.mark.parametrize("which", [0, 5, 11])
def test_a_slice_of_which_only_the_beginning_is_left_is_a_notice(tmp_path, dicom, straight, size, which):
    folder = dicom.write_slices(tmp_path / "scan", straight(12))
    path = next(one for one in folder.iterdir() if pydicom.dcmread(one).InstanceNumber == which + 1)
    path.write_bytes(path.read_bytes()[:size])
    (folder / "._1.dcm").write_bytes(b"of a file system")
    (folder / "notes.txt").write_bytes(b"")
    notices = open_image(folder)[1].notices
    assert f"1 of its files, such as {path.name}, cannot be opened or are damaged" in notices[0]
    assert len(notices) == (2 if which == 5 else 1)


@pytest.mark.parametrize("tags", [{"SamplesPerPixel": 3}, {"PhotometricInterpretation": "PALETTE COLOR"}])
def test_colour_is_refused(tmp_path, dicom, straight, tags):
    folder = dicom.write_slices(tmp_path / "scan", straight(12), **tags)
    with pytest.raises(InputError, match="colour"):
        open_image(folder)


def test_compressed_slices_are_decoded(tmp_path, dicom, straight, off_mm):
    folder = dicom.write_slices(tmp_path / "scan", straight(12))
    for path in folder.iterdir():
        one = pydicom.dcmread(path)
        one.compress(pydicom.uid.RLELossless)
        one.save_as(path)
    image, _ = open_image(folder)
    assert image.GetSize()[2] == 12 and off_mm(image) < 0.1


# --- multi-frame ----------------------------------------------------------------------------------------------------


def frames_at(dicom, positions, factor=1.0):
    axes = np.eye(3)[:, :2]
    return [
        (factor * dicom.blob(dicom.plane_points(one, axes, (2.0, 1.5), (40, 32)))).round().astype(np.int16)
        for one in positions
    ]


def test_frames_out_of_order_are_put_in_place(tmp_path, dicom, straight, off_mm):
    positions = np.concatenate([straight(16)[::2], straight(16)[1::2]])
    path = dicom.write(dicom.enhanced(frames_at(dicom, positions), positions), tmp_path / "one.dcm")
    image, source = open_image(path)
    assert image.GetSize() == (32, 40, 16) and off_mm(image) < 0.1 and source.notices == ()


@pytest.mark.parametrize("distinguished_by", ["temporal", "b-value", "nothing"])
def test_three_volumes_in_one_file(tmp_path, dicom, straight, off_mm, distinguished_by):
    positions = np.repeat(straight(12), 3, axis=0)  # frame 0, 1, 2 in one place
    frames = [frame for one in straight(12) for n in range(3) for frame in frames_at(dicom, [one], 1 / (n + 1))]

    def own(number):
        return {
            "temporal": {"FrameContentSequence": {"TemporalPositionIndex": number % 3 + 1}},
            "b-value": {"MRDiffusionSequence": {"DiffusionBValue": 500.0 * (number % 3)}},
            "nothing": {},
        }[distinguished_by]

    path = dicom.write(dicom.enhanced(frames, positions, own=own), tmp_path / "scan/one.dcm")
    image, source = open_image(path)
    assert image.GetSize() == (32, 40, 12) and off_mm(image) < 0.1
    assert "3 volumes in 1 DICOM series" in source.notices[0]
    assert level(open_image(f"{path.parent}:3")[0]) == pytest.approx(level(image) / 3, rel=0.01)


def test_volumes_that_only_a_dimension_index_distinguishes(tmp_path, dicom, straight, off_mm):
    numbers = np.random.default_rng(2).permutation(36)  # frames in no order
    places, volumes = numbers // 3, numbers % 3
    frames = [frames_at(dicom, [straight(12)[k]], 1 / (v + 1))[0] for k, v in zip(places, volumes, strict=True)]
    one = dicom.enhanced(
        frames,
        straight(12)[places],
        own=lambda n: {"FrameContentSequence": {"DimensionIndexValues": [1, int(volumes[n]) + 1, int(places[n]) + 1]}},
    )
    one.DimensionIndexSequence = [pydicom.Dataset() for _ in range(3)]
    for item, pointer in zip(one.DimensionIndexSequence, ("StackID", 0x20051001, "InStackPositionNumber"), strict=True):
        item.DimensionIndexPointer = pydicom.tag.Tag(pointer)  # the second one is private
    path = dicom.write(one, tmp_path / "scan/one.dcm")
    by_level = sorted((open_image(f"{path}:{number}")[0] for number in (1, 2, 3)), key=level)
    for image, factor in zip(by_level, (3, 2, 1), strict=True):
        assert image.GetSize() == (32, 40, 12) and off_mm(image * factor) < 0.3


NUCLEAR = "1.2.840.10008.5.1.4.1.1.20"


def nuclear(dicom, frames, first, **vectors):
    """A file of nuclear medicine, whose frames have nothing but numbers."""
    detector = pydicom.Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = first.tolist(), [1, 0, 0, 0, 1, 0]
    return dicom.dataset(
        np.stack(frames),
        NUCLEAR,
        Modality="NM",
        PixelSpacing=["1.5", "2"],
        SpacingBetweenSlices="2",
        DetectorInformationSequence=[detector],
        **vectors,
    )


@pytest.mark.parametrize("name", ["TimeSlotVector", "EnergyWindowVector", "RRIntervalVector", "PhaseVector"])
@pytest.mark.parametrize("slices_first", [True, False])
def test_nuclear_medicine_of_several_volumes(tmp_path, dicom, straight, off_mm, name, slices_first):
    order = [(k, v) for v in range(3) for k in range(12)] if slices_first else np.ndindex(12, 3)
    places, volumes = np.array(list(order)).T
    frames = [frames_at(dicom, [straight(12)[k]], 1 / (v + 1))[0] for k, v in zip(places, volumes, strict=True)]
    vectors = {"SliceVector": (places + 1).tolist(), name: (volumes + 1).tolist()}
    path = dicom.write(nuclear(dicom, frames, straight(1)[0], **vectors), tmp_path / "one.dcm")
    image, source = open_image(path)
    assert image.GetSize() == (32, 40, 12) and off_mm(image) < 0.1
    assert "3 volumes in 1 DICOM series" in source.notices[0]
    assert level(open_image(f"{path}:3")[0]) == pytest.approx(level(image) / 3, rel=0.01)


def test_slices_of_nuclear_medicine_lie_where_their_numbers_say(tmp_path, dicom, straight, off_mm):
    places = np.arange(12)[::-1]
    frames = frames_at(dicom, straight(12)[places])
    one = nuclear(dicom, frames, straight(1)[0], SliceVector=(places + 1).tolist())
    image, _ = open_image(dicom.write(one, tmp_path / "one.dcm"))
    assert image.GetSize() == (32, 40, 12) and off_mm(image) < 0.1


@pytest.mark.parametrize(
    ("vector", "words"), [("AngularViewVector", "12 projections"), ("TimeSliceVector", "a single slice")]
)
def test_projections_and_repeated_images_are_no_stack(tmp_path, dicom, straight, vector, words):
    one = nuclear(dicom, frames_at(dicom, straight(12)), straight(1)[0], **{vector: list(range(1, 13))})
    with pytest.raises(InputError, match=words):
        open_image(dicom.write(one, tmp_path / "one.dcm"))


def test_frames_with_slopes_of_their_own(tmp_path, dicom, straight):
    positions = straight(12)
    slopes = 0.5 + np.arange(12) / 10
    path = dicom.write(
        dicom.enhanced(
            [
                (frame / slope).round().astype(np.int16)
                for frame, slope in zip(frames_at(dicom, positions), slopes, strict=True)
            ],
            positions,
            own=lambda n: {
                "PixelValueTransformationSequence": {"RescaleSlope": f"{slopes[n]:.4f}", "RescaleIntercept": "0"}
            },
        ),
        tmp_path / "one.dcm",
    )
    image, _ = open_image(path)
    points = Grid.of_image(image).points().numpy().astype(float)
    assert np.abs(sitk.GetArrayFromImage(image) - dicom.blob(points)).max() < 2


@pytest.mark.parametrize("slopes", ["alike", "different"])
def test_compressed_frames(tmp_path, dicom, straight, off_mm, slopes):
    positions = straight(16)[::-1]

    def own(number):
        slope = "1" if slopes == "alike" else f"{1 + number}"
        return {"PixelValueTransformationSequence": {"RescaleSlope": slope, "RescaleIntercept": "0"}}

    one = dicom.enhanced(frames_at(dicom, positions), positions, own=own)
    one.compress(pydicom.uid.RLELossless)
    path = dicom.write(one, tmp_path / "one.dcm")
    if slopes == "alike":
        image, _ = open_image(path)
        assert image.GetSize() == (32, 40, 16) and off_mm(image) < 0.1
    else:
        with pytest.raises(InputError, match="scales its frames differently: decompress it first"):
            open_image(path)


def test_a_dose_lies_at_its_offsets(tmp_path, dicom, off_mm):
    first = np.array([-30.0, -25.0, 10.0])
    positions = first + 3.0 * np.arange(12)[:, None] * [0, 0, 1]
    one = dicom.dataset(
        np.stack(frames_at(dicom, positions)).astype(np.uint16),
        "1.2.840.10008.5.1.4.1.1.481.2",
        Modality="RTDOSE",
        ImagePositionPatient=first.tolist(),
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=["1.5", "2"],
        GridFrameOffsetVector=[3.0 * k for k in range(12)],
        DoseGridScaling="0.5",
    )
    image, _ = open_image(dicom.write(one, tmp_path / "dose.dcm"))
    assert image.GetSize() == (32, 40, 12)
    assert off_mm(image * 2) < 0.1


def test_frames_without_a_place_are_refused(tmp_path, dicom, straight):
    path = dicom.write(dicom.dataset(np.stack(frames_at(dicom, straight(12)))), tmp_path / "film.dcm")
    with pytest.raises(InputError, match="12 frames without a place in the body"):
        open_image(path)


def test_more_frames_than_the_file_can_hold_are_refused_before_they_are_listed(tmp_path, dicom, straight):
    one = dicom.dataset(np.stack(frames_at(dicom, straight(12))), SliceThickness=3.0)
    one.NumberOfFrames = 10**9
    with pytest.raises(InputError, match=r"declares 1e\+09 frames, more than its file can hold"):
        open_image(dicom.write(one, tmp_path / "frames.dcm"))


def csa(normal, count):
    """A Siemens CSA header with two elements."""
    content = b"SV10\4\3\2\1" + struct.pack("<II", 2, 77)
    for name, values in ((b"SliceNormalVector", normal), (b"NumberOfImagesInMosaic", [count])):
        content += name.ljust(64, b"\0") + struct.pack("<i4s3i", 3, b"FD\0\0", 0, len(values), 77)
        for value in values:
            text = f"{value}".encode() + b"\0"
            content += struct.pack("<4i", len(text), len(text), 77, len(text)) + text.ljust(
                -(-len(text) // 4) * 4, b"\0"
            )
    return content


@pytest.mark.parametrize("sign", [1, -1])
def test_a_mosaic_is_a_stack_of_its_tiles(tmp_path, dicom, off_mm, sign):
    count, rows, columns, spacing = 10, 40, 32, (2.0, 1.5)
    axes, normal = np.eye(3)[:, :2], np.array([0.0, 0, sign])
    first = np.array([-30.0, -25.0, 0.0])
    positions = first + 2.5 * np.arange(count)[:, None] * normal
    whole = np.zeros((4 * rows, 4 * columns), np.int16)
    for n, frame in enumerate(frames_at(dicom, positions)):
        whole[n // 4 * rows :, n % 4 * columns :][:rows, :columns] = frame
    # a mosaic's position is that of a slice as large as the mosaic, about the same centre
    corner = first - axes @ (np.array([3 * columns, 3 * rows]) / 2 * spacing)
    one = dicom.dataset(
        whole,
        dicom.MR,
        Modality="MR",
        ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"],
        ImagePositionPatient=[f"{v:.6f}" for v in corner],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[spacing[1], spacing[0]],
        SpacingBetweenSlices="2.5",
    )
    block = one.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", csa(normal, count))
    image, _ = open_image(dicom.write(one, tmp_path / "mosaic.dcm"))
    assert image.GetSize() == (columns, rows, count) and off_mm(image) < 0.1


def test_reading_dicom_loads_pydicom_only_then():
    code = "import sys, madreg.io.reading; sys.exit('pydicom' in sys.modules or 'scipy' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
