"""Stand-ins for ``transrec_core.running.run`` that end in every way a fit can end."""

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transrec_core.errors import RankTooLargeError
from transrec_core.limits import Limits


@dataclass(frozen=True)
class Progress:
    stage: str
    fraction: float
    detail: str = ""


def finish(source: Any, target: Any, settings: Any, *, on_progress: Any, **rest: Any) -> str:
    on_progress(Progress("Fitting source factors", 0.5, "half-sweep 3"))
    return f"fitted {source} and {target}"


def work_until_cancelled(
    source: Any, target: Any, settings: Any, *, on_progress: Any, **rest: Any
) -> None:
    while True:
        on_progress(Progress("Fitting source factors", 0.4))
        time.sleep(0.02)


def tell_nothing(source: Any, target: Any, settings: Any, **rest: Any) -> None:
    time.sleep(600)


def refuse(source: Any, target: Any, settings: Any, **rest: Any) -> None:
    raise RankTooLargeError("Rank 900 is too large.", "Choose at most 20.")


def break_down(source: Any, target: Any, settings: Any, **rest: Any) -> None:
    raise ValueError("row 7 of secret.csv")


class FullDisk:
    """A result that no disk has room for."""

    def __reduce__(self) -> Any:
        raise OSError(errno.ENOSPC, "No space left", "/".join(("", "srv", "of-ada")))


def fill_the_disk(source: Any, target: Any, settings: Any, **rest: Any) -> FullDisk:
    return FullDisk()


def write_half(source: Any, target: Any, settings: Any, **rest: Any) -> bytes:
    """Work whose result is cut short on its way to the disk."""
    replace = os.replace

    def cut(partial: str, path: str) -> None:
        os.replace = replace
        os.truncate(partial, 500)
        replace(partial, path)

    os.replace = cut
    return bytes(1000)


def exit_at_once(source: Any, target: Any, settings: Any, **rest: Any) -> None:
    os._exit(3)


def be_killed(source: Any, target: Any, settings: Any, **rest: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tell_pid(source: Any, target: Any, settings: Any, *, on_progress: Any, **rest: Any) -> None:
    Path(str(source)).write_text(str(os.getpid()))
    time.sleep(600)


# What stands in for reading a file, in a process of its own.


def process_number(content: bytes, name: str) -> int:
    """Which process it is."""
    return os.getpid()


def read_limits(content: bytes, name: str) -> Limits:
    """The limits that hold there."""
    return Limits.current()


def fill_memory(content: bytes, name: str, size: int) -> int:
    """Take so many bytes at once."""
    return len(b"x" * size)


def fill_memory_by_system(content: bytes, name: str, size: int) -> int:
    """Take memory until somebody ends it, where no limit of the process's own holds."""
    import psutil

    process = psutil.Process()
    if hasattr(process, "rlimit"):
        no_limit = psutil.RLIM_INFINITY, process.rlimit(psutil.RLIMIT_DATA)[1]
        process.rlimit(psutil.RLIMIT_DATA, no_limit)
    parts = [b"x" * (size // 100) for _ in range(100)]
    time.sleep(60)
    return len(parts)


def end_the_process(content: bytes, name: str, how: int) -> None:
    """End as a decoder does that finds its own memory damaged."""
    if how < 0:
        signal.raise_signal(signal.Signals(-how))
    os._exit(how)


def end_whatever_is_written(content: bytes, name: str, written: Any) -> None:
    """The same, called as what reads ratings is."""
    os._exit(5)


def fail_unforeseen(content: bytes, name: str, cell: str) -> None:
    """Meet a fault of the program, with a cell in its words."""
    raise KeyError(cell)
