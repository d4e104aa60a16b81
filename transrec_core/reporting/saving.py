"""Write a file whole or not at all."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` in one step, so that a crash leaves the old file or the new.

    Raises
    ------
    OSError
        When the folder cannot be written; nothing is left behind.
    """
    # A name of its own, not one built from `path`: that may already be as long as names can be.
    descriptor, temporary = tempfile.mkstemp(prefix=".transrec-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


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
