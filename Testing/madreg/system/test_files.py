"""Several files, all or none: every call that can fail does so in turn, and processes are killed at each of them."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from madreg.errors import InputError
from madreg.system import files
from madreg.system.files import Content, bytes_content, write_all, write_file
from madreg.system.journal import JOURNAL

SOURCES = Path(files.__file__).parents[2]
CALLS = ("fsync", "replace", "link", "chmod", "unlink", "open", "mkdir")
"""The functions of ``os`` by which files are put in place."""

FORMER = {"a.txt": b"former a", "b.txt": b"former b"}
NEW = {"a.txt": b"new a", "b.txt": b"new b", "c.txt": b"new c"}


@pytest.fixture
def folder(tmp_path):
    """Two of three targets are there already."""
    for name, data in FORMER.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def found(folder: Path) -> dict[str, bytes | None]:
    """All that is visible in a folder, and the hidden folders of drafts, whose content is None."""
    return {path.name: None if path.is_dir() else path.read_bytes() for path in folder.iterdir()}


def visible(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in found(folder).items() if not name.startswith(".")}


def write_new(folder: Path, durable: bool = True) -> None:
    write_all({folder / name: bytes_content(data) for name, data in NEW.items()}, durable)


class Faults:
    """Has the n-th of some calls fail.  Nothing waits for the disk, as no power is cut."""

    def __init__(self, monkeypatch, number: int, error: BaseException) -> None:
        self.count, self.number, self.error = 0, number, error
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrapped(getattr(os, name)))

    def _wrapped(self, function):
        def call(*args, **options):
            self.count += 1
            if self.count == self.number:
                raise self.error
            return function(*args, **options)

        return call

    @property
    def happened(self) -> bool:
        return self.count >= self.number


@pytest.mark.parametrize("durable", [True, False])
def test_all_files_are_written_and_nothing_else_is_left(folder, durable):
    write_new(folder, durable)
    assert found(folder) == NEW


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "I/O error")])
def test_whichever_call_fails_no_file_changes(folder, monkeypatch, error):
    for number in range(1, 200):
        with monkeypatch.context() as patch:
            faults = Faults(patch, number, error)
            try:
                write_new(folder)
                succeeded = True
            except InputError as sentence:
                succeeded, said = False, str(sentence)
        if succeeded:
            # either there are no more calls, or the one that failed does not matter, as a copy replaces a link
            assert found(folder) == NEW, number
            if not faults.happened:
                break
            for name, data in FORMER.items():
                (folder / name).write_bytes(data)
            (folder / "c.txt").unlink()
        else:
            assert "\n" not in said and str(folder) in said
            assert found(folder) == FORMER, number
    assert 25 < number < 199  # so many calls there are


def test_an_interrupt_at_any_call_leaves_all_old_or_all_new(folder, monkeypatch):
    for number in range(1, 200):
        with monkeypatch.context() as patch:
            faults = Faults(patch, number, KeyboardInterrupt())
            try:
                write_new(folder)
            except KeyboardInterrupt:
                assert faults.happened
        assert visible(folder) in (FORMER, NEW), number
        if not faults.happened:
            break
        write_new(folder)  # removes what an interrupted clean-up has left
        assert found(folder) == NEW, number
        for name, data in FORMER.items():
            (folder / name).write_bytes(data)
        (folder / "c.txt").unlink()
    assert 25 < number < 199


def killed_at(number: int, folder: Path) -> int:
    """The exit status of a process that writes and is killed at the n-th call: 9, or 0 if there are fewer calls."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count = 0

    def wrapped(function):
        def call(*args, **options):
            nonlocal count
            count += 1
            if count == number:
                os._exit(9)
            return function(*args, **options)

        return call

    os.fsync = lambda descriptor: None  # no power is cut
    for name in CALLS:
        setattr(os, name, wrapped(getattr(os, name)))
    try:
        write_new(folder)
    finally:
        os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs hard links and locks of POSIX")
def test_a_process_that_is_killed_at_any_call_is_undone_by_the_next_run(folder):
    for number in range(1, 200):
        status = killed_at(number, folder)
        write_all({folder / "d.txt": bytes_content(b"d")})
        (folder / "d.txt").unlink()
        if status == 0:
            break
        assert status == 9
        assert found(folder) in (FORMER, NEW), number
        for name, data in FORMER.items():
            (folder / name).write_bytes(data)
        (folder / "c.txt").unlink(missing_ok=True)
    assert 25 < number < 199
    assert found(folder) == NEW


def test_a_writer_that_lies_changes_no_file(folder):
    """As ITK does on a full disk: it writes half and reports success."""
    for lying in NEW:
        contents = {folder / name: bytes_content(data) for name, data in NEW.items()}
        honest = contents[folder / lying]
        contents[folder / lying] = Content(lambda path: path.write_bytes(b"ne"), honest.check)
        with pytest.raises(InputError, match=f"{lying} cannot be written .it was not complete"):
            write_all(contents)
        assert found(folder) == FORMER


def test_modes_are_kept_and_new_files_get_the_usual_one(folder):
    (folder / "a.txt").chmod(0o640)
    (folder / "b.txt").chmod(0o444)
    write_new(folder)
    (folder / "usual.txt").write_text("")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert (modes["a.txt"], modes["b.txt"]) == (0o640, 0o444)
    assert modes["c.txt"] == modes["usual.txt"]


def test_links_are_followed(folder):
    other = folder / "elsewhere"
    other.mkdir()
    (other / "real.txt").write_bytes(b"former")
    (folder / "link.txt").symlink_to(other / "real.txt")
    write_file(folder / "link.txt", bytes_content(b"new"))
    assert (folder / "link.txt").is_symlink() and (other / "real.txt").read_bytes() == b"new"
    assert [path.name for path in other.iterdir()] == ["real.txt"]


def test_files_in_two_folders_are_all_or_none(folder, monkeypatch):
    other = folder / "other"
    other.mkdir()
    (other / "e.txt").write_bytes(b"former e")
    real, count = os.replace, 0

    def replace(source, target):
        nonlocal count
        if Path(target).name == "e.txt" and "former" not in Path(source).name:
            raise OSError(errno.EACCES, "Permission denied")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(InputError, match=r"e\.txt cannot be written .Permission denied"):
            write_all({folder / "a.txt": bytes_content(b"new"), other / "e.txt": bytes_content(b"new")})
    assert (folder / "a.txt").read_bytes() == b"former a" and (other / "e.txt").read_bytes() == b"former e"
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.txt", "other"]
    assert [path.name for path in other.iterdir()] == ["e.txt"]


def test_former_files_that_cannot_be_restored_are_named_and_kept(folder, monkeypatch):
    real = os.replace

    def replace(source, target):
        if Path(source).suffix == ".former" or Path(target).name == "b.txt":
            raise OSError(errno.EIO, "I/O error")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(InputError, match=r"a.txt could not be restored .* the former files are (.*)\.") as caught:
            write_new(folder)
    kept = Path(str(caught.value).rsplit("are ", 1)[1].rstrip("."))
    assert kept.read_bytes() == b"former a"
    write_all({folder / "d.txt": bytes_content(b"d")})  # which puts it back
    (folder / "d.txt").unlink()
    assert found(folder) == FORMER


@pytest.mark.skipif(os.name == "nt", reason="needs locks of POSIX")
def test_drafts_of_the_living_stay_and_those_of_the_dead_go(folder):
    dead = folder / ".madreg-dead"
    dead.mkdir()
    (dead / "0.txt").write_text("half")
    descriptor = os.open(folder, os.O_RDONLY)
    os.close(descriptor)

    def write(path: Path) -> None:
        path.write_bytes(b"slow")
        write_file(folder / "other.txt", bytes_content(b"other"))  # another run in the meantime
        assert path.read_bytes() == b"slow"

    write_all({folder / "slow.txt": Content(write, lambda path: None)})
    assert found(folder) == {**FORMER, "slow.txt": b"slow", "other.txt": b"other"}


@pytest.mark.skipif(os.name == "nt", reason="needs users of POSIX")
def test_a_journal_cannot_name_files_elsewhere(folder):
    outside = folder / "outside.txt"
    outside.write_bytes(b"mine")
    inner = folder / "inner"
    stage = inner / ".madreg-x"
    stage.mkdir(parents=True)
    (stage / "0.former").write_bytes(b"evil")
    entry = {"target": "../outside.txt", "inode": outside.stat().st_ino, "former": "0.former"}
    (stage / JOURNAL).write_text(json.dumps([entry]))
    write_file(inner / "a.txt", bytes_content(b"a"))
    assert outside.read_bytes() == b"mine" and sorted(p.name for p in inner.iterdir()) == ["a.txt"]


SETS = """
import sys
from pathlib import Path
from madreg.system.files import bytes_content, write_all
folder, word = Path(sys.argv[1]), sys.argv[2].encode()
for _ in range(40):
    write_all({folder / name: bytes_content(word) for name in ("a", "b", "c", "d")}, durable=False)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs locks of POSIX")
def test_two_runs_on_one_set_of_names_do_not_mix(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    runs = [
        subprocess.Popen([sys.executable, "-c", SETS, str(tmp_path), word], env=environment) for word in ("one", "two")
    ]
    assert [run.wait(120) for run in runs] == [0, 0]
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "d"]


@pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_moves(folder, monkeypatch, number):
    before = signal.signal(number, signal.default_int_handler)
    real = os.replace

    def replace(source, target):
        real(source, target)
        if Path(target).name == "a.txt":
            signal.raise_signal(number)

    try:
        monkeypatch.setattr(os, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            write_new(folder)
    finally:
        signal.signal(number, before)
    assert found(folder) == NEW


def test_other_threads_can_write(folder):
    thread = threading.Thread(target=write_new, args=(folder,))
    thread.start()
    thread.join(30)
    assert found(folder) == NEW


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = hasattr(os, "geteuid") and os.geteuid() == 0
    if mounted:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
        mounted = done.returncode == 0
    if not mounted:
        pytest.skip("needs the right to mount a file system")
    yield place
    for _ in range(20):
        if subprocess.run(["umount", str(place)], capture_output=True).returncode == 0:
            break
        time.sleep(0.1)


FULL = """
import os, sys
from pathlib import Path
import numpy as np, SimpleITK as sitk
from madreg.errors import InputError
from madreg.image.transform import Transform
from madreg.io.itk_transform import read_transform, transform_content
from madreg.io.writing import image_content
from madreg.system.files import write_all
from madreg.system.stderr import allow_suppression

disk = Path(sys.argv[1])
transform, picture = (disk / name for name in sys.argv[2:])
matrix = np.eye(4)
matrix[:3, 3] = (1.5, 2.5, 3.5)
image = sitk.GetImageFromArray(np.random.default_rng(0).random((20, 20, 20)).astype(np.float32))  # 32 kB
for fill in (0, 24_000, 56_000, 65_536):
    for path in disk.iterdir():
        path.unlink()
    transform.write_text("former")
    picture.write_text("former")
    room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(b"x" * min(fill, room))
    try:
        with allow_suppression():
            contents = {transform: transform_content(Transform(matrix)), picture: image_content(image)}
            write_all(contents)
    except InputError as error:
        assert transform.read_text() == picture.read_text() == "former"
        print("refused", error)
    else:
        assert np.allclose(read_transform(transform).matrix, matrix)
        assert (sitk.GetArrayFromImage(sitk.ReadImage(str(picture))) == sitk.GetArrayFromImage(image)).all()
        print("written")
    assert sorted(disk.iterdir()) == sorted([disk / "filler", picture, transform])
sys.stdout.flush()
os._exit(0)  # HDF5 does not end well after a full disk
"""


@pytest.mark.parametrize(
    "names", [("t.tfm", "r.nii"), ("t.txt", "r.nii.gz"), ("t.mat", "r.mha"), ("t.h5", "r.nrrd")], ids=lambda n: n[0]
)
def test_a_full_disk_is_reported_and_changes_nothing(small_disk, names):
    """With the writers of ITK, which report nothing themselves."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(small_disk), *names],
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stderr == ""  # HDF5 prints pages
    ends = [line.split()[0] for line in done.stdout.splitlines()]
    assert len(ends) == 4 and ends[-2:] == ["refused", "refused"]
    assert ends[0] == "written" or names[0] == "t.h5"  # which takes more than there is
