"""Folders for files that one piece of work needs and nobody after it.

Each holds a file that is locked while the work goes on. The system gives the lock up when the
process ends, by SIGKILL too. So what a process has left behind is told from what one at work still
needs, even where several containers share a temporary folder and number their processes alike.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "transrec-"
LOCK, FILES = "transrec_at_work", "files"
_NAME = re.compile(rf"{PREFIX}[a-z0-9_]{{8}}")  # as mkdtemp completes it


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that only this account can enter, removed with all in it when the block ends.

    Raises
    ------
    OSError
        It cannot be made: the disk is full, say, or the process has too many files open.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with _locked(folder):
            files = folder / FILES
            files.mkdir()
            try:
                yield files
            finally:
                # Before the lock goes: nobody would recognize the folder without it.
                shutil.rmtree(files, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers() -> int:
    """Remove the folders of processes that ended before they could do it themselves.

    Returns
    -------
    How many went. What cannot be removed stays.
    """
    gone = 0
    with suppress(OSError):
        for folder in Path(tempfile.gettempdir()).iterdir():
            # Nothing but what `temporary_folder` has made: people name folders after programs.
            if _NAME.fullmatch(folder.name) and not folder.is_symlink():
                with suppress(OSError):  # another account's, for instance
                    gone += _remove_unless_at_work(folder)
    return gone


def _remove_unless_at_work(folder: Path) -> bool:
    if not (folder / LOCK).is_file():
        return False
    try:
        with _locked(folder):
            shutil.rmtree(folder / FILES, ignore_errors=True)
    except Timeout:
        return False
    shutil.rmtree(folder)
    return True


def _locked(folder: Path) -> FileLock:
    return FileLock(folder / LOCK, timeout=0, mode=0o600, thread_local=False)
