"""The user's own folder: for nobody else, and through no link."""

import os
import stat
import sys
import tempfile

import pytest

from madreg.system.private_folder import open_private, private_folder


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    private_folder.cache_clear()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    private_folder.cache_clear()


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.skipif(os.name == "nt", reason="needs modes of POSIX")
def test_it_is_made_for_the_user_alone(tmp_path):
    folder = private_folder()
    assert folder == tmp_path / "cache" / "MADRegistration" and mode(folder) == 0o700
    folder.chmod(0o777)
    private_folder.cache_clear()
    assert private_folder() == folder and mode(folder) == 0o700
    with open(folder / "a.log", "wb", opener=open_private) as stream:
        stream.write(b"a")
    assert mode(folder / "a.log") == 0o600


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_links_are_not_followed(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache" / "MADRegistration").symlink_to(tmp_path / "elsewhere")
    folder = private_folder()
    assert folder.parent == tmp_path and folder.name.startswith("MADRegistration-") and mode(folder) == 0o700
    (tmp_path / "victim").write_text("mine")
    (folder / "worker.log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="worker"), open(folder / "worker.log", "wb", opener=open_private):
        pass
    assert (tmp_path / "victim").read_text() == "mine"


def test_without_a_home_it_is_a_temporary_folder(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    assert private_folder().parent == tmp_path
