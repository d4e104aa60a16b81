"""Workspaces on disk: written after each change, found again when the server has been restarted.

What a page shows was written before it was drawn; only saved runs, which may be large, follow in
the background. No Streamlit here.
"""

import io
import math
import secrets
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from dashboard.jobs import (
    Loaded,
    LoadedItems,
    Result,
    Side,
    Study,
    Workspace,
    broken,
)
from dashboard.originals import put_aside
from dashboard.reading import read_apart, read_items_file
from dashboard.store import (
    InUse,
    Kind,
    MissingContentError,
    Store,
    UnreadableRecordError,
    key_of,
)
from transrec_core import log
from transrec_core.errors import TransrecError
from transrec_core.settings import Settings

TOUCH_SECONDS = 600.0
RETRY_SECONDS = 60.0
RECORD = "What is loaded and shown"
SIDES: tuple[Side, ...] = ("source", "target")


@dataclass(eq=False)
class _Kept:
    """What is on disk of a workspace, and what is on its way there.

    Attributes
    ----------
    record
        As it was last written.
    held
        Names of contents that the record does not know yet.
    studies
        Kept studies and the names of their tables.
    unread
        Results that the record names and that could not be loaded. They stay in it: another
        version of transrec may be able to.
    pending
        How many times the background is to look at the workspace.
    failed
        When a result or a study could not be kept.
    """

    record: tuple[dict[str, Any], set[str]] | None = None
    touched: float = field(default_factory=time.monotonic)
    held: set[str] = field(default_factory=set)
    studies: dict[str, tuple[Study, str]] = field(default_factory=dict)
    unread: tuple[dict[str, Any], ...] = ()
    pending: int = 0
    failed: WeakKeyDictionary[Result | Study, float] = field(default_factory=WeakKeyDictionary)
    gone: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Keeper:
    """Keeps the workspaces of a register in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._all: WeakKeyDictionary[Workspace, _Kept] = WeakKeyDictionary()
        self._lock = threading.RLock()
        self._closed = False
        self._background = ThreadPoolExecutor(1, thread_name_prefix="keep")
        # Its thread starts here and not when there is something to keep, and no thread to be had.
        self.flush()

    def keep(self, space: Workspace) -> None:
        """Write what has changed: the record at once, runs and studies in the background.

        A disk that is full does no harm: what could not be kept stands in ``space.unkept``.
        """
        kept = self._of(space)
        if self._closed or kept.gone:
            return
        self._write(space, kept)
        if self._left(space, kept):
            with self._lock:
                kept.pending += 1
            try:
                self._background.submit(self._keep_contents, space, kept)
            except RuntimeError:  # the server ends at this moment
                with self._lock:
                    kept.pending -= 1

    def keep_file(self, space: Workspace, content: bytes, name: str) -> None:
        """Keep a file that has been read; the next record that is written names it."""
        kept = self._of(space)
        if self._closed or kept.gone:
            return
        try:
            self._hold(space, kept, "files", content)
            space.unkept.pop(name, None)
        except (OSError, TransrecError) as error:
            space.unkept[name] = _why(error)

    def busy(self, space: Workspace) -> bool:
        """Whether something of a workspace is on its way to the disk."""
        return self._of(space).pending > 0

    def has_all(self, space: Workspace) -> bool:
        """Whether the disk has a workspace as it is now, with every run and study."""
        kept = self._of(space)
        with kept.lock, space.lock:
            return (
                kept.pending == 0
                and not space.unkept
                and kept.record == _record_of(space, kept)
                and all(result.file for result in space.results)
                and all(_is_kept(kept, kind, study) for kind, study in space.studies.items())
            )

    def flush(self) -> None:
        """Wait until all that is on its way has arrived."""
        self._background.submit(int).result()

    def find(self, id_: str) -> Workspace | None:
        """The workspace of a link as it was last kept; ``None`` where there is none.

        What is missing or damaged is left out, and told of in ``notes``.

        Raises
        ------
        UnreadableRecordError
            There is one, but it cannot be read.
        """
        key = key_of(id_)
        record = self.store.read(key)
        if record is None:
            return None
        self.store.touch(key)
        space = Workspace(id_, keeper=self)
        kept = self._of(space)
        try:
            self._fill(space, kept, record)
        except (KeyError, TypeError, ValueError, AttributeError, TransrecError) as error:
            _log("a kept workspace cannot be read", error)
            raise UnreadableRecordError(
                "What was kept under this link is damaged.", "Load the data again to go on."
            ) from error
        kept.record = _record_of(space, kept)
        return space

    def forget(self, space: Workspace) -> None:
        """Remove a workspace from the disk, and what only it needed.

        Raises
        ------
        OSError
            It could not be removed.
        """
        kept = self._of(space)
        with kept.lock:
            kept.gone = True
            self.store.forget(key_of(space.id), self._in_use(but=space))
            self.store.drop(kept.held, self._in_use(but=space))

    def sweep(self) -> None:
        """Remove what nobody has looked at for long, and contents that none needs."""
        try:
            self.store.sweep(self._in_use())
        except OSError as error:
            _log("the folder for kept workspaces could not be swept", error)

    def close(self) -> None:
        """Finish what is on its way and give the folder free; nothing is written after that."""
        self._closed = True
        self._background.shutdown()
        self.store.close()

    # ── to the disk ──────────────────────────────────────────────────────────────────────────

    def _of(self, space: Workspace) -> _Kept:
        with self._lock:
            return self._all.setdefault(space, _Kept())

    def _in_use(self, but: Workspace | None = None) -> InUse:
        with self._lock:
            alive = [(space, kept) for space, kept in self._all.items() if space is not but]
        return InUse(
            {key_of(space.id) for space, _ in alive},
            set().union(*(kept.held for _, kept in alive)),
        )

    def _write(self, space: Workspace, kept: _Kept) -> None:
        key = key_of(space.id)
        with kept.lock:
            with space.lock:
                record, contents = made = _record_of(space, kept)
            if kept.gone:
                return
            for what in space.unkept.keys() - {RECORD, *_names(space)}:
                space.unkept.pop(what, None)
            before = kept.record
            if made == before or (before is None and space.empty):
                if before is not None and time.monotonic() - kept.touched > TOUCH_SECONDS:
                    self.store.touch(key)
                    kept.touched = time.monotonic()
                return
            try:
                if space.empty:
                    self.store.forget(key, self._in_use(but=space))
                    kept.record = None
                else:
                    self.store.write(key, record, contents)
                    kept.record = made
                kept.held.difference_update(contents)
                space.unkept.pop(RECORD, None)
            except OSError as error:
                space.unkept[RECORD] = _why(error)
                _log("a workspace could not be kept", error)
                return
            if before is not None:
                try:
                    self.store.drop(before[1] - contents, self._in_use())
                except OSError as error:
                    # The next sweep tries again.
                    _log("what a workspace no longer needs could not be removed", error)

    def _hold(self, space: Workspace, kept: _Kept, kind: Kind, content: bytes) -> str:
        """Keep a content until a record names it; its name."""
        name = self.store.put(kind, content, self._in_use())
        with kept.lock:
            kept.held.add(name)
            if kept.gone:
                self.store.drop({name}, self._in_use(but=space))
        return name

    def _left(self, space: Workspace, kept: _Kept) -> list[tuple[str, Result | Study]]:
        """Results, and studies by kind, that are not on the disk and did not just fail."""
        left: list[tuple[str, Result | Study]] = [
            ("", result) for result in space.results if not result.file
        ]
        left += [
            (kind, study)
            for kind, study in list(space.studies.items())
            if not _is_kept(kept, kind, study)
        ]
        since = time.monotonic() - RETRY_SECONDS
        return [entry for entry in left if kept.failed.get(entry[1], -math.inf) < since]

    def _keep_contents(self, space: Workspace, kept: _Kept) -> None:
        from transrec_core.persistence import run_bytes

        try:
            for kind, what in self._left(space, kept):
                name = what.name if isinstance(what, Result) else kind
                try:
                    if isinstance(what, Result):
                        content = run_bytes(what.run, about(what))
                        what.file = self._hold(space, kept, "runs", content)
                    else:
                        held = self._hold(space, kept, "files", _table_bytes(what))
                        kept.studies[kind] = what, held
                    space.unkept.pop(name, None)
                except (OSError, TransrecError) as error:
                    kept.failed[what] = time.monotonic()
                    if isinstance(what, Result):
                        space.unkept[name] = _why(error)
                    _log("a run or a study could not be kept", error)
                except Exception as error:
                    reference = secrets.token_hex(4)
                    log.tell(error, reference, "while a run was kept")
                    kept.failed[what] = math.inf
                    space.unkept[name] = f"{broken(reference).message} Error id: {reference}."
            self._write(space, kept)
        except Exception as error:
            # Nobody asks the pool how its work ended.
            log.tell(error, secrets.token_hex(4), "while a workspace was kept")
        finally:
            with self._lock:
                kept.pending -= 1

    # ── from the disk ────────────────────────────────────────────────────────────────────────

    def _fill(self, space: Workspace, kept: _Kept, record: Mapping[str, Any]) -> None:
        notes: list[str] = []
        space.source, space.target = (self._loaded(record["sides"][s], notes) for s in SIDES)
        candidates = [self._loaded(entry, notes) for entry in record["candidates"]]
        space.candidates = tuple(c for c in candidates if c is not None)
        items = [self._items(entry, notes) for entry in record["items"]]
        space.items = tuple(i for i in items if i is not None)
        space.settings = settings_of(record["settings"])
        for kind, entry in record["studies"].items():
            study = self._study(entry)
            if study is not None:
                space.studies[kind] = study
                kept.studies[kind] = study, entry["table"]
        results = [self._result(entry, kept, notes) for entry in record["results"]]
        space.results = tuple(r for r in results if r is not None)
        wanted = (r for r in space.results if r.id == record["shown"])
        space.shown = next(wanted, next(iter(space.results), None))
        space.runs_made = int(record["runs_made"])
        space.interrupted = str(record["unfinished"])
        space.notes = tuple(notes)
        if notes:
            _log(f"{len(notes)} parts of a kept workspace were left out")

    def _loaded(self, entry: Mapping[str, Any] | None, notes: list[str]) -> Loaded | None:
        if entry is None:
            return None
        from dashboard.compute.loading import read_ratings
        from transrec_core.data.formats import FileFormat

        said = entry["encoding"], entry["delimiter"], entry["header"]
        written = FileFormat(*said, entry["mapping"], entry["duplicates"])
        try:
            content = self.store.get("files", entry["sha256"])
            return read_ratings(content, entry["name"], written, put_aside(content))
        except (MissingContentError, TransrecError) as error:
            notes.append(_left_out(entry["name"], error, "Load it again."))
            return None

    def _items(self, entry: Mapping[str, Any], notes: list[str]) -> LoadedItems | None:
        name, digest, encoding = entry["name"], entry["sha256"], entry["encoding"]
        try:
            content = self.store.get("files", digest)
            items = read_apart(read_items_file, content, name, encoding)
        except (MissingContentError, TransrecError) as error:
            notes.append(_left_out(name, error, "Load it again."))
            return None
        sides = tuple(side for side in SIDES if side in entry["sides"])
        return LoadedItems(name, items, sides, digest, encoding)

    def _study(self, entry: Mapping[str, Any]) -> Study | None:
        import pandas as pd

        try:
            content = self.store.get("files", entry["table"])
        except MissingContentError as error:
            _log("a kept study was left out", error)
            return None
        return Study(pd.read_parquet(io.BytesIO(content)), entry["inputs"])

    def _result(self, entry: dict[str, Any], kept: _Kept, notes: list[str]) -> Result | None:
        from transrec_core.persistence import load_run

        name = entry["name"]
        if not entry["run"]:
            notes.append(
                f"{name} is left out: it was not on the disk yet when the server ended. "
                "Fit again to have it back."
            )
            return None
        try:
            content = self.store.get("runs", entry["run"])
        except MissingContentError as error:
            notes.append(_left_out(name, error, "Fit again to have it back."))
            return None
        try:
            run = load_run(content, name).run
        except TransrecError as error:
            notes.append(_left_out(name, error, ""))
            kept.unread += (entry,)
            return None
        return Result(
            entry["id"],
            run,
            datetime.fromisoformat(entry["at"]),
            entry["inputs"],
            tuple(entry["names"]),
            tuple(entry["items_names"]),
            name=name,
            pinned=bool(entry["pinned"]),
            file=entry["run"],
            opened=entry["opened"],
        )


def about(result: Result) -> dict[str, str]:
    """What a saved run says beside the run itself."""
    source, target = result.names
    source_items, target_items = result.items_names
    return {
        "name": result.name,
        "source": source,
        "target": target,
        "source_items": source_items,
        "target_items": target_items,
        "inputs": result.inputs,
        "at": result.at.isoformat(),
    }


def settings_of(record: Mapping[str, Any]) -> Settings:
    """Settings as ``to_json`` tells them."""
    return Settings(**{**record, "shots": tuple(record["shots"])})


def _record_of(space: Workspace, kept: _Kept) -> tuple[dict[str, Any], set[str]]:
    """What is written of a workspace, and the names of the contents that it needs."""

    def side(loaded: Loaded | None) -> dict[str, Any] | None:
        if loaded is None:
            return None
        said = loaded.written
        return {
            "name": loaded.name,
            "sha256": loaded.table.sha256,
            "encoding": said and said.encoding,
            "delimiter": said and said.delimiter,
            "header": said and said.header,
            "mapping": dict(loaded.mapping),
            "duplicates": loaded.duplicates,
        }

    sides = {name: side(space.side(name)) for name in SIDES}
    candidates = [side(candidate) for candidate in space.candidates]
    items = [
        {"name": i.name, "sha256": i.sha256, "sides": list(i.sides), "encoding": i.encoding}
        for i in space.items
    ]
    studies = {
        kind: {"inputs": study.inputs, "table": kept.studies[kind][1]}
        for kind, study in space.studies.items()
        if _is_kept(kept, kind, study)
    }
    results = [
        {
            "id": result.id,
            "name": result.name,
            "pinned": result.pinned,
            "at": result.at.isoformat(),
            "inputs": result.inputs,
            "names": list(result.names),
            "items_names": list(result.items_names),
            "opened": result.opened,
            "run": result.file,
        }
        for result in space.results
    ]
    results += kept.unread
    at_work = space.job is not None and space.job.active
    record = {
        "sides": sides,
        "candidates": candidates,
        "items": items,
        "settings": space.settings.to_json(),
        "studies": studies,
        "results": results,
        "shown": "" if space.shown is None else space.shown.id,
        "runs_made": space.runs_made,
        "unfinished": space.job.kind if at_work and space.job else space.interrupted,
    }
    files = [entry for entry in (*sides.values(), *candidates) if entry is not None]
    contents = {str(entry["sha256"]) for entry in files}
    contents |= {i.sha256 for i in space.items}
    contents |= {entry["table"] for entry in studies.values()}
    contents |= {str(entry["run"]) for entry in results if entry["run"]}
    return record, contents


def _names(space: Workspace) -> set[str]:
    """What could be told not to be kept."""
    files = [space.source, space.target, *space.candidates, *space.items, *space.results]
    return {entry.name for entry in files if entry is not None}


def _is_kept(kept: _Kept, kind: str, study: Study) -> bool:
    return kind in kept.studies and kept.studies[kind][0] is study


def _table_bytes(study: Study) -> bytes:
    buffer = io.BytesIO()
    study.table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _why(error: Exception) -> str:
    """Why something could not be kept, without a path."""
    if isinstance(error, TransrecError):
        return str(error)
    return f"{getattr(error, 'strerror', None) or type(error).__name__}."


def _left_out(name: str, error: TransrecError, fix: str) -> str:
    message = error.message.rstrip(".")
    return f"{name} is left out: {message}. {error.fix or fix}".strip()


def _log(what: str, error: Exception | None = None) -> None:
    """A line in the server's log; file names and data stay out of it."""
    system = getattr(error, "strerror", None)
    why = "" if error is None else f": {system or type(error).__name__}"
    log.write(f"{what}{why}")
