"""Write a file, or a folder of files, whole or not at all."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from transrec_core.system import (
    create_file,
    raise_if_interrupted,
    swap_folders,
    sync_folder,
)

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
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    temporary = _unfinished(path.parent)
    try:
        with create_file(temporary, 0o666 if mode is None else mode) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        raise_if_interrupted()
        if mode is not None:
            os.chmod(temporary, mode)  # what the account's mask took away at first
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``; see ``atomic_file``."""
    with atomic_file(path) as stream:
        stream.write(data)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder of these files, or replace one that holds nothing else, in one step.

    Parameters
    ----------
    folder
        Made with its parents where there is none.
    files
        Content by name; see ``atomic_folder`` for what the order means.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    with atomic_folder(folder, list(files)) as new:
        for name, content in files.items():
            write_atomically(new / name, content)


@contextmanager
def atomic_folder(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """An empty folder whose content becomes that of ``folder`` when the block ends well.

    That is one step where the folder is new or holds nothing but these names. One that holds other
    things too, or cannot be moved, stays: what it has under these names is replaced one by one. The
    last of them goes first and comes last, so that where it is the others belong to it.

    Parameters
    ----------
    folder
        Made with its parents where there is none.
    names
        Files and folders that may be put into it; those that are not are gone afterwards.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    folder = folder.resolve()
    movable = not folder.exists() or _replaceable(folder, set(names))
    place = folder.parent if movable else folder
    place.mkdir(parents=True, exist_ok=True)
    mode = folder.stat().st_mode & 0o777 if movable and folder.exists() else None
    temporary = _unfinished(place)
    os.mkdir(temporary, 0o777 if mode is None else mode | 0o700)
    try:
        yield temporary
        raise_if_interrupted()
        if not movable:
            _remove(folder / names[-1])
            for name in names:
                _remove(folder / name)
                if (temporary / name).exists():
                    os.replace(temporary / name, folder / name)
        else:
            if mode is not None:
                os.chmod(temporary, mode)
            if folder.exists():
                _exchange(temporary, folder)
            else:
                os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    sync_folder(place)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _replaceable(folder: Path, names: set[str]) -> bool:
    movable = not os.path.ismount(folder) and folder != Path.cwd()
    alone = {path.name for path in folder.iterdir()} <= names
    return movable and alone and os.access(folder.parent, os.W_OK | os.X_OK)


def _exchange(one: Path, other: Path) -> None:
    """Give each of two folders the other's name."""
    if swap_folders(one, other):
        return
    # Where the system cannot do it in one step, a crash in between leaves both under odd names.
    aside = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=other.parent)) / other.name
    os.replace(other, aside)
    os.replace(one, other)
    os.replace(aside, one)
    aside.parent.rmdir()


def _unfinished(folder: Path) -> Path:
    """A new name in a folder; not one built from the final name, which may be as long as can be."""
    return folder / f"{TEMPORARY}{secrets.token_hex(8)}"
