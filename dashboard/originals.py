"""Uploaded files as they came, so that one can be read in another way without a second upload."""

import tempfile
import threading


class Original:
    """A file's bytes outside memory, gone when nobody holds this any more.

    Parameters
    ----------
    content
        The bytes.

    Raises
    ------
    OSError
        When they cannot be put aside.
    """

    def __init__(self, content: bytes) -> None:
        self._lock = threading.Lock()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
        self._file.write(content)

    def read(self) -> bytes:
        """The bytes."""
        with self._lock:
            self._file.seek(0)
            return self._file.read()


def put_aside(content: bytes) -> Original | None:
    """The original of some bytes; ``None`` where the disk has no room for it."""
    try:
        return Original(content)
    except OSError:
        return None
