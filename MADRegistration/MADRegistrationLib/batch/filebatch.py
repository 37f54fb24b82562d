"""Registering many files: the table, the folder of the results, and what has become of each pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from madreg.batch.manifest import Entry
from madreg.errors import InputError
from madreg.system.lengths import millimeters

from ..jobs.filejob import FileJob
from ..jobs.filepairs import FilePairs, commonSettings
from ..messages import Messages
from ..results import verdict
from ..run.run import Run
from ..selection.parameters import settingsOf
from ..selection.selection import Selection
from ..translation import _
from ..worker.client import WorkerClient
from .loadedpair import LoadedPair
from .tablerow import Row


class FilesView(Protocol):
    """What the widget can show of it."""

    def setFilesButton(self, text: str, isEnabled: bool, reason: str) -> None: ...
    def setFileRows(self, rows: list[Row]) -> None: ...
    def setFileRow(self, place: int, row: Row) -> None: ...


class FileBatch:
    """Behind "Pairs of files" in the section "Register many".

    Args:
        ensureTorch: makes sure that torch is there; raises InputError if it is not.
        onChange: called when something has begun or ended.

    Attributes:
        pairs: None until a table and a folder are chosen that can be read.
    """

    def __init__(
        self,
        view: FilesView,
        messages: Messages,
        client: WorkerClient,
        selection: Selection,
        run: Run,
        ensureTorch: Callable[[], None],
        onChange: Callable[[], None],
    ) -> None:
        self._view, self._messages, self._client, self._selection, self._run = view, messages, client, selection, run
        self._ensureTorch, self._onChange = ensureTorch, onChange
        self.pairs: FilePairs | None = None
        self._table, self._folder, self._why = "", "", ""
        self._common: dict[str, Any] | None = None
        self._shown: dict[str, LoadedPair] = {}

    def onPaths(self, table: str, folder: str) -> None:
        """The user chooses the table or the folder."""
        self._table, self._folder, self._shown = table, folder, {}
        self._read()
        self.update(self._run.isRunning)

    def _read(self) -> None:
        """Read table and manifest."""
        self.pairs, self._why, self._common = None, "", self._settings()
        if self._common is None:
            self._why = _("There is no scene.")
        elif not self._table:
            self._why = _("Choose a table: a file .csv, .tsv or .txt with the columns fixed and moving.")
        elif not self._folder:
            self._why = _("Choose a folder for the results.")
        else:
            try:
                self.pairs = FilePairs(Path(self._table), Path(self._folder), self._common)
            except InputError as error:
                self._why = str(error)
        pairs = [] if self.pairs is None else self.pairs.pairs
        self._view.setFileRows([_rowOf(pair.id, self.pairs.entries) for pair in pairs])

    def _settings(self) -> dict[str, Any] | None:
        parameters = self._selection.parameters
        return None if parameters is None else commonSettings(settingsOf(parameters))

    def update(self, isRunning: bool) -> None:
        """Show what the button would do."""
        if not isRunning and self._settings() != self._common:
            self._read()
        if self.pairs is None:
            return self._view.setFilesButton(_("Register files"), False, "" if isRunning else self._why)
        remaining, count = len(self.pairs.remaining), len(self.pairs.pairs)
        isAgain = remaining > 0 and not self.pairs.new
        text = _("Register {number} of {all} pairs again") if isAgain else _("Register {number} of {all} pairs")
        text = text.format(number=remaining, all=count)
        reason = "" if remaining or isRunning else _("All pairs have a result.")
        self._view.setFilesButton(text, remaining > 0 and not isRunning, reason)

    def onButton(self) -> None:
        """Register what remains, also after others have done some."""
        if self._run.isRunning or self.pairs is None:
            return
        self._read()
        if self.pairs is None or not self.pairs.remaining:
            return self._onChange()
        self._messages.setMessage("", False)
        try:
            self._ensureTorch()
            job = FileJob(self._client, self.pairs, self._run.showProgress, self._onEntry)
            self._run.do(job, lambda: self._onEnd(job), isBatch=True)
        except InputError as error:
            self._messages.setMessage(str(error), True)
        self._onChange()

    def _onEntry(self, place: int) -> None:
        self._shown.pop(self.pairs.pairs[place].id, None)  # of a former result
        self._view.setFileRow(place, _rowOf(self.pairs.pairs[place].id, self.pairs.entries))

    def _onEnd(self, job: FileJob) -> None:
        if job.state == "done":
            text = _("{done} of {all} pairs have a result. All are in {page}.")
            count, page = len(self.pairs.pairs), self.pairs.folder / "index.html"
            done = count - len(self.pairs.withoutResult)
            self._messages.setMessage(text.format(done=done, all=count, page=page), False)
        self._onChange()

    def show(self, place: int) -> bool:
        """Load a pair into the scene and choose it; returns whether it is registered there, which it is not without a
        result or with the verdict failed.

        Raises:
            InputError: if an image cannot be loaded.
        """
        pair, parameters = self.pairs.pairs[place], self._selection.parameters
        entry = self.pairs.entries.get(pair.id)
        loaded = self._shown.get(pair.id)
        if loaded is None or not loaded.isThere:
            paths = (pair.input(name, self.pairs.root) for name in ("fixed", "moving"))
            loaded = self._shown[pair.id] = LoadedPair.load(*paths)
        loaded.apply(entry)
        parameters.fixedVolume, parameters.movingVolume = loaded.fixed, loaded.moving
        return loaded.moving.GetParentTransformNode() is not None


def _rowOf(identifier: str, entries: Mapping[str, Entry]) -> Row:
    entry = entries.get(identifier)
    if entry is None:
        return Row(_("TO DO"), "", identifier, "", "")
    word = entry.get("verdict") or entry["state"]
    error = millimeters(entry["error_after_mm"]) if "error_after_mm" in entry else ""
    remark = " ".join(filter(None, (entry.get("message"), *entry.get("notices", []))))
    color = verdict.COLORS.get(word, verdict.COLORS["failed"])
    return Row(word.upper(), color, identifier, error, remark)
