"""The journal of replacements, in the folder of their drafts.

It is there from before the first file is replaced until all are: where a process was killed in between, the next one
undoes what that had begun.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from .replacement import Replacement, restore
from .sync import sync_file, sync_folder

JOURNAL = "journal.json"


def write_journal(drafts: Path, replacements: list[Replacement], durable: bool) -> None:
    """Write which files are about to be replaced.

    Args:
        drafts: the folder of drafts.
        durable: whether to wait until the journal is on the disk.

    Raises:
        OSError: if it cannot be written.
        ValueError: if it reads back differently.
    """
    text = json.dumps([_entry(one) for one in replacements])
    draft = drafts / "journal.draft"
    draft.write_text(text, encoding="utf-8")
    if durable:
        sync_file(draft)
    if draft.read_text(encoding="utf-8") != text:
        raise ValueError("it reads back differently")
    os.replace(draft, drafts / JOURNAL)
    if durable:
        sync_folder(drafts)


def _entry(one: Replacement) -> dict:
    return {"target": one.target.name, "inode": os.stat(one.draft).st_ino, "former": one.former.name}


def undo(folder: Path, drafts: Path) -> bool:
    """Undo the replacements in a folder that a dead process wrote into the journal.

    Args:
        drafts: the folder of drafts of that process.

    Returns:
        Whether this is done; not where the journal cannot be read.
    """
    try:
        entries = json.loads((drafts / JOURNAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return not (drafts / JOURNAL).exists()
    for entry in entries:
        target, former = folder / Path(entry["target"]).name, drafts / Path(entry["former"]).name
        if target.exists() and os.stat(target).st_ino == entry["inode"]:  # replaced by it, and by nobody since
            restore(target, former)
    return True
