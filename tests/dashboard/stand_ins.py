"""Stand-ins for ``transrec_core.running.run`` that end in every way a fit can end."""

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transrec_core.errors import RankTooLargeError


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
