"""Write a file whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

TEMPORARY = ".transrec-"
"""How the names of unfinished files begin; one that a crash has left can be deleted."""


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content becomes ``path`` in one step when the block ends well.

    A crash at any moment leaves the old file or the new one, whole.

    Raises
    ------
    OSError
        When the folder cannot be written; the old file stays and nothing is left behind.
    """
    # A name of its own, not one built from `path`: that may already be as long as names can be.
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``; see ``atomic_file``."""
    with atomic_file(path) as stream:
        stream.write(data)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows does not open folders; the replacement itself is done
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems refuse to sync folders
    finally:
        os.close(descriptor)
