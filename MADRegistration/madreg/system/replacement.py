"""A file that is about to be replaced by a draft, which may have to be undone."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Replacement:
    """A draft, where it goes, and where the former file is kept meanwhile.

    Attributes:
        target: the file that is replaced; it need not be there.
        draft: on the same file system.
        former: in the folder of the draft.
    """

    target: Path
    draft: Path
    former: Path

    def keep_former(self) -> None:
        """Keep the file that is about to be replaced, and give the draft its mode and owner."""
        try:
            before = os.stat(self.target)
        except FileNotFoundError:
            return
        os.chmod(self.draft, stat.S_IMODE(before.st_mode))
        if hasattr(os, "chown") and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            with suppress(OSError):
                os.chown(self.draft, before.st_uid, before.st_gid)
        try:
            os.link(self.target, self.former)
        except OSError:  # a file system without hard links
            shutil.copy2(self.target, self.former)

    def make(self) -> None:
        """Move the draft into place."""
        os.replace(self.draft, self.target)

    def undo(self) -> None:
        """Put the former file back, if the draft was moved into place; remove it if there was no file before."""
        if self.draft.exists():
            return  # not moved yet
        restore(self.target, self.former)


def restore(target: Path, former: Path) -> None:
    """Put the former file back; remove the new one if there was none before."""
    if former.exists():
        os.replace(former, target)
    else:
        os.unlink(target)
