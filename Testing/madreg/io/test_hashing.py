"""Hashes of inputs."""

import hashlib
from pathlib import Path

from madreg.io.hashing import sha256_of_input


def test_of_a_file_and_of_a_folder(tmp_path):
    folder = tmp_path / "series"
    (folder / "below").mkdir(parents=True)
    (folder / "a.dcm").write_bytes(b"one")
    (folder / "below" / "b.dcm").write_bytes(b"two")
    assert sha256_of_input(folder / "a.dcm") == hashlib.sha256(b"one").hexdigest()
    whole = sha256_of_input(folder)
    assert sha256_of_input(f"{folder}:2") == whole and sha256_of_input(tmp_path / "none") is None
    (folder / "below" / "b.dcm").rename(folder / "below" / "c.dcm")
    renamed = sha256_of_input(folder)
    (folder / "a.dcm").write_bytes(b"One")
    assert len({whole, renamed, sha256_of_input(folder)}) == 3


def test_a_file_that_may_not_be_read_does_not_end_the_work(tmp_path, monkeypatch):
    (tmp_path / "a.dcm").write_bytes(b"one")
    (tmp_path / "b.dcm").write_bytes(b"two")
    whole, opened = sha256_of_input(tmp_path), Path.open

    def denied(path, *arguments):
        if path.name == "b.dcm":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", denied)
    assert len({whole, sha256_of_input(tmp_path), None}) == 3
