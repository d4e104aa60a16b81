"""Vectors of texts that were embedded before, in one file that several processes may share.

A row is named by a hash of the model and the text, so the file tells nothing of the texts. Nothing
hangs on it but time: a broken file is put aside, and where none can be written there is none.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from transrec_core.limits import Limits
from transrec_core.places import folder_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENVIRONMENT = "TRANSREC_CACHE"
FILE = "embeddings.sqlite3"
PATIENCE = 10.0
"""Seconds to wait for another process that writes."""

KEPT = 0.9
"""Share of the allowed size that is left where the oldest rows have to go."""

Found = Mapping[bytes, "tuple[NDArray[np.float32], bool]"]
"""By key a vector, and whether its text was longer than the model reads."""


def default_folder() -> Path | None:
    """``TRANSREC_CACHE``, else the platform's folder for what can be made anew; ``None``: off."""
    return folder_of(ENVIRONMENT, "cache")


class VectorCache:
    """The file in one folder; ``None`` keeps nothing.

    It may take ``embedding_cache_bytes`` of the limits; beyond that the oldest rows go.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, keys: Sequence[bytes]) -> Found:
        """What is known of these keys."""
        found: dict[bytes, tuple[NDArray[np.float32], bool]] = {}

        def read(file: sqlite3.Connection) -> None:
            for key in keys:
                query = "SELECT cut, vector FROM vectors WHERE key = ?"
                for cut, vector in file.execute(query, (key,)):
                    numbers = np.frombuffer(vector, "<f4").astype(np.float32)
                    if np.isfinite(numbers).all():
                        found[key] = numbers, bool(cut)

        self._use(read)
        return found

    def put(self, rows: Found) -> None:
        """Keep vectors by their keys."""
        cells = [
            (key, int(cut), np.asarray(vector, "<f4").tobytes())
            for key, (vector, cut) in rows.items()
        ]

        def write(file: sqlite3.Connection) -> None:
            file.executemany(
                "INSERT OR IGNORE INTO vectors (key, cut, vector) VALUES (?, ?, ?)", cells
            )
            _make_room(file, Limits.current().embedding_cache_bytes)
            file.commit()

        self._use(write)

    def _use(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do something with the file, where there is one."""
        if self.folder is None:
            return
        try:
            with closing(self._connected(self.folder)) as file:
                work(file)
        except (sqlite3.OperationalError, OSError):
            self.folder = None  # it cannot be read or written, or somebody holds it for long
        except (sqlite3.DatabaseError, ValueError):
            self._put_aside()

    def _connected(self, folder: Path) -> sqlite3.Connection:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return _prepared(folder / FILE)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._put_aside()
            return _prepared(folder / FILE)

    def _put_aside(self) -> None:
        if self.folder is not None:
            with suppress(OSError):
                (self.folder / FILE).replace(self.folder / f"{FILE}.broken")


def _prepared(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=PATIENCE)
    try:
        file.execute("PRAGMA auto_vacuum = FULL")
        file.execute(
            "CREATE TABLE IF NOT EXISTS vectors "
            "(key BLOB UNIQUE NOT NULL, cut INTEGER NOT NULL, vector BLOB NOT NULL)"
        )
        file.commit()
    except sqlite3.Error:
        file.close()
        raise
    return file


def _make_room(file: sqlite3.Connection, most: int) -> None:
    """Delete the oldest rows until the others take less than what is allowed."""

    def number(question: str) -> int:
        return int(file.execute(question).fetchone()[0] or 0)

    pages = number("PRAGMA page_count") - number("PRAGMA freelist_count")
    size = pages * number("PRAGMA page_size")
    if size <= most:
        return
    oldest, newest = number("SELECT min(rowid) FROM vectors"), number(
        "SELECT max(rowid) FROM vectors"
    )  # fmt: skip
    going = int((newest - oldest + 1) * (1 - KEPT * most / size)) + 1
    file.execute("DELETE FROM vectors WHERE rowid < ?", (oldest + going,))
