"""A folder on disk that outlives the server. What is in it, and who may remove it; no Streamlit.

::

    workspaces/<hash of a link's id>.json   what the link shows; small, and names what it needs
    files/<hash of the content>             files of ratings and titles, as they came
    runs/<hash of the content>.transrec     saved runs
    lock                                    held by the one server that uses the folder

Everything is written whole or not at all, and contents before the record that names them. So a
server that is killed leaves the state before a change or the one after it, and at worst a content
that nobody names, which the next sweep removes.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from filelock import FileLock, Timeout

from transrec_core import log
from transrec_core.errors import TransrecError
from transrec_core.limits import Limits, or_allow_more, size_in_words
from transrec_core.places import folder_of
from transrec_core.reporting.saving import TEMPORARY, write_atomically

ENVIRONMENT = "TRANSREC_STORE"
VERSION = 1
"""Of the records. A newer one is refused; an older one would be read as it was."""

DAY = 86_400.0
Kind = Literal["files", "runs"]
ENDINGS: dict[Kind, str] = {"files": "", "runs": ".transrec"}
_HASH = re.compile(r"[0-9a-f]{64}")


class StoreInUseError(TransrecError):
    """Another server keeps its workspaces in this folder."""


class StoreFullError(TransrecError):
    """What is in use leaves too little room for something new."""


class UnreadableRecordError(TransrecError):
    """A record is damaged, or a newer version of transrec wrote it."""


class MissingContentError(TransrecError):
    """A file that a record names is not there, or no longer what it was."""


def key_of(id_: str) -> str:
    """Name of the record of a workspace: who lists the folder learns no link."""
    return hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()


def default_folder() -> Path | None:
    """``TRANSREC_STORE``, else the platform's folder for users' data; ``None`` for ``off``."""
    return folder_of(ENVIRONMENT, "data")


@dataclass(frozen=True)
class InUse:
    """What may not be removed: records by key, and contents that no record names yet."""

    keys: Collection[str] = ()
    names: Collection[str] = ()


class Store:
    """The folder, locked for this server.

    Contents may take ``store_bytes`` of the limits. Where a new one needs room, the workspaces that
    nobody has looked at for longest go, never one in use. ``store_days`` after it was last looked
    at a workspace goes anyway.

    Parameters
    ----------
    folder
        Where; made, for its owner alone, where it is not there.

    Raises
    ------
    StoreInUseError
        Another server uses the folder.
    OSError
        It cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = RLock()
        self._coming: list[int] = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = FileLock(folder / "lock", mode=0o600, thread_local=False)
        try:
            self._server.acquire(timeout=0)
        except Timeout:
            raise StoreInUseError(
                f"Another transrec server keeps its workspaces in {folder}.",
                "Give this one a folder of its own with --store, or none with --no-store.",
            ) from None
        for place in ("workspaces", *ENDINGS):
            # The folder itself may have been there before; these hold ratings of people.
            (folder / place).mkdir(mode=0o700, exist_ok=True)
            for left in (folder / place).glob(f"{TEMPORARY}*"):
                left.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another server use the folder."""
        self._server.release()

    # ── records ──────────────────────────────────────────────────────────────────────────────

    def write(self, key: str, record: Mapping[str, Any], contents: Collection[str]) -> None:
        """Replace the record of a workspace.

        Parameters
        ----------
        key
            From :func:`key_of`.
        record
            Plain JSON values.
        contents
            Names of the contents that it needs; they stay as long as it does. Every version of
            transrec finds them at the same place in a record.

        Raises
        ------
        OSError
            It could not be written; the one before it is still there.
        """
        content = {"version": VERSION, "contents": sorted(contents), **record}
        data = json.dumps(content, ensure_ascii=True, indent=1).encode()
        with self._lock:
            write_atomically(self._record(key), data)

    def read(self, key: str) -> dict[str, Any] | None:
        """The record of a workspace, ``None`` where there is none.

        Raises
        ------
        UnreadableRecordError
            It is damaged, or a newer version of transrec wrote it. It stays where it is.
        """
        try:
            data = self._record(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreadableRecordError(
                f"What was kept under this link cannot be read: {error.strerror}."
            ) from error
        try:
            record = json.loads(data)
            version = record["version"]
        except (ValueError, KeyError, TypeError):
            raise UnreadableRecordError(
                "What was kept under this link is damaged.", "Load the data again to go on."
            ) from None
        if version != VERSION:
            raise UnreadableRecordError(
                f"What was kept under this link is of version {version}; this transrec reads "
                f"version {VERSION}.",
                "Open it with the transrec that wrote it, or a newer one.",
            )
        return dict(record)

    def touch(self, key: str) -> None:
        """Note that somebody looks at a workspace."""
        with suppress(OSError):
            os.utime(self._record(key))

    def forget(self, key: str, in_use: InUse) -> None:
        """Remove a record, and the contents that nothing else needs."""
        with self._lock:
            named = self._names_in(self._record(key))
            self._record(key).unlink(missing_ok=True)
            self.drop(named, in_use)

    # ── contents ─────────────────────────────────────────────────────────────────────────────

    def put(self, kind: Kind, content: bytes, in_use: InUse) -> str:
        """Keep a content; its name, which is its hash.

        Raises
        ------
        StoreFullError
            There is no room, and what could be removed would not make enough.
        OSError
            It could not be written.
        """
        name = hashlib.sha256(content).hexdigest()
        path = self._content(kind, name)
        if _is(path, name):
            return name
        with self._lock:
            self._make_room(len(content), in_use)
            self._coming.append(len(content))
        try:
            # Not under the lock: records of others need not wait for a large file.
            write_atomically(path, content)
        finally:
            self._coming.remove(len(content))
        return name

    def get(self, kind: Kind, name: str) -> bytes:
        """A content, exactly as it was kept.

        Raises
        ------
        MissingContentError
            It is not there, cannot be read, or is no longer what it was.
        """
        if not _HASH.fullmatch(name):
            raise MissingContentError("its file is no longer there")
        try:
            content = self._content(kind, name).read_bytes()
        except FileNotFoundError:
            raise MissingContentError("its file is no longer there") from None
        except OSError as error:
            raise MissingContentError(f"its file cannot be read ({error.strerror})") from error
        if hashlib.sha256(content).hexdigest() != name:
            raise MissingContentError("its file is damaged")
        return content

    def drop(self, names: Collection[str], in_use: InUse) -> None:
        """Remove contents, but for those that a record names or that are in use."""
        with self._lock:
            spare = set(names) - set(in_use.names)
            if spare:
                spare -= self._named()
            for name in spare:
                for kind in ENDINGS:
                    self._content(kind, name).unlink(missing_ok=True)

    def used(self) -> int:
        """Bytes of all contents."""
        return sum(size for _, _, size in self._contents()) + sum(self._coming)

    # ── life ─────────────────────────────────────────────────────────────────────────────────

    def sweep(self, in_use: InUse) -> int:
        """Remove workspaces that nobody has looked at for long, and contents that none needs.

        Returns
        -------
        How many workspaces went.
        """
        gone, days = 0, Limits.current().store_days
        with self._lock:
            for key, seen in self._oldest():
                if key not in in_use.keys and time.time() - seen > days * DAY:
                    self._record(key).unlink(missing_ok=True)
                    gone += 1
            self.drop({name for _, name, _ in self._contents()}, in_use)
        return gone

    def _make_room(self, size: int, in_use: InUse) -> None:
        most = Limits.current().store_bytes
        if self.used() + size <= most:
            return
        needed = set(in_use.names).union(*(self._names_in(self._record(k)) for k in in_use.keys))
        staying = sum(of for _, name, of in self._contents() if name in needed)
        if staying + sum(self._coming) + size > most:
            raise StoreFullError(
                f"{size_in_words(size)} more do not fit beside what is in use: workspaces may take "
                f"{size_in_words(most)} on disk.",
                f"Forget workspaces that are no longer needed, {or_allow_more('store_bytes')}.",
            )
        self.sweep(in_use)
        for key, _ in self._oldest():
            if self.used() + size <= most:
                return
            if key not in in_use.keys:
                log.write("the longest unused workspace made room for another")
                self.forget(key, in_use)

    def _record(self, key: str) -> Path:
        return self.folder / "workspaces" / f"{key}.json"

    def _content(self, kind: Kind, name: str) -> Path:
        assert _HASH.fullmatch(name), name
        return self.folder / kind / f"{name}{ENDINGS[kind]}"

    def _oldest(self) -> list[tuple[str, float]]:
        """Keys of all records and when each was last looked at, the longest ago first."""
        found = []
        for path in (self.folder / "workspaces").glob("*.json"):
            with suppress(FileNotFoundError):
                found.append((path.stem, path.stat().st_mtime))
        return sorted(found, key=lambda entry: entry[1])

    def _contents(self) -> Iterator[tuple[Kind, str, int]]:
        for kind, ending in ENDINGS.items():
            for path in (self.folder / kind).iterdir():
                name = path.name.removesuffix(ending)
                with suppress(FileNotFoundError):
                    if _HASH.fullmatch(name):
                        yield kind, name, path.stat().st_size

    def _named(self) -> set[str]:
        return set().union(
            *(self._names_in(path) for path in (self.folder / "workspaces").glob("*.json"))
        )

    @staticmethod
    def _names_in(record: Path) -> set[str]:
        """Contents that a record needs; of a damaged one, all that it could mean."""
        try:
            text = record.read_text("utf-8", "replace")
        except FileNotFoundError:
            return set()
        try:
            return {name for name in json.loads(text)["contents"] if _HASH.fullmatch(name)}
        except (ValueError, KeyError, TypeError):
            return set(_HASH.findall(text))


def _is(path: Path, name: str) -> bool:
    """Whether a content is there and undamaged."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == name
    except OSError:
        return False
