"""Hashes of inputs."""

import hashlib

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
