"""A server that fails, or is killed, at the k-th call that changes its disk.

``python crashing.py BASE WORK ID`` makes each change of a kept workspace again and again, each time
in a process of its own and on a copy of BASE: with the fault at its first call to the system, at
its second, and so on, until the change comes through. WORK has a folder for each change and kind of
fault: what is left after a fault at each call, and the names of the calls.
"""

import dataclasses
import errno
import itertools
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from dashboard import compute, keeping
from dashboard.compute import loading
from dashboard.jobs import Register, Workspace
from dashboard.keeping import Keeper
from dashboard.store import Store

CALLS = ("fsync", "chmod", "replace", "unlink", "utime")
THROUGH, FAULTY = 0, 7
TITLES = b"item_id,title\nf1,One\n"


class Fault:
    """What happens at the k-th call from when it is armed."""

    def __init__(self, at: int, kill: bool, told: Path) -> None:
        self.at, self.kill, self.told = at, kill, told
        self.calls, self.armed, self.happened = 0, False, ""
        self._lock = threading.Lock()

    def point(self, name: str) -> None:
        """One call is about to be made."""
        with self._lock:
            if not self.armed:
                return
            self.calls += 1
            if self.calls < self.at or self.happened:
                return
            self.happened = name
        with self.told.open("a") as stream:
            stream.write(f"{name}\n")
        if self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def install(self) -> None:
        """Put it before every call that the store makes."""

        def before(module: Any, name: str) -> None:
            original = getattr(module, name)

            def call(*args: Any, **more: Any) -> Any:
                self.point(name)
                return original(*args, **more)

            setattr(module, name, call)

        for name in CALLS:
            before(os, name)
        before(tempfile, "mkstemp")
        fdopen = os.fdopen
        os.fdopen = lambda *args, **more: Halving(fdopen(*args, **more), self)  # type: ignore


class Halving:
    """A stream that may fail when half of the data is on the disk."""

    def __init__(self, stream: Any, fault: Fault) -> None:
        self._stream, self._fault = stream, fault

    def write(self, data: bytes) -> None:
        self._stream.write(data[: len(data) // 2])
        self._stream.flush()
        self._fault.point("write")
        self._stream.write(data[len(data) // 2 :])

    def __enter__(self) -> "Halving":
        return self

    def __exit__(self, *raised: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def rename(space: Workspace) -> None:
    space.rename(space.results[0], "another name")
    space.pin(space.results[0], True)
    space.keep()


def take_in(space: Workspace) -> None:
    compute.load_items(space, TITLES, "titles.csv", ("source",))
    space.keep()


def finish_fit(space: Workspace) -> None:
    run = dataclasses.replace(space.results[0].run, seconds=1.0)
    result = space.install(run, space.inputs, ("films.csv", "books.csv"), "cafe0002")
    result.at = datetime(2026, 1, 31)
    space.keep()


def drop(space: Workspace) -> None:
    compute.drop_side(space, "source")
    space.keep()


def forget(space: Workspace) -> None:
    assert space.keeper is not None
    space.keeper.forget(space)


CHANGES: dict[str, Callable[[Workspace], None]] = {
    change.__name__: change for change in (rename, take_in, finish_fit, drop, forget)
}


def make(folder: Path, told: Path, id_: str, change: str, at: int, kill: bool) -> bool:
    """Make a change with its fault; whether the change came through without meeting it."""
    register = Register()
    register.keeper = keeper = Keeper(Store(folder))
    space = register.find(id_)
    assert space is not None
    fault = Fault(at, kill, told)
    fault.install()
    fault.armed = True
    try:
        CHANGES[change](space)
        keeper.flush()
    except OSError:
        # Only what removes everything says itself that it could not.
        assert change == "forget"
    fault.armed = False
    if fault.happened:
        # The disk has room again, and nothing was lost in the meantime.
        keeping.RETRY_SECONDS = 0.0
        if change != "forget":
            keeper.keep(space)
            keeper.flush()
    keeper.close()
    return not fault.happened


def read_here(read: Callable[..., Any], content: bytes, name: str, *arguments: Any) -> Any:
    """Read a file without a process of its own, which every server here would have to start."""
    return read(content, name, *arguments)


def main(base: Path, work: Path, id_: str) -> None:
    """Make every change with both faults at every call."""
    loading.read_apart = keeping.read_apart = read_here
    for change, mode in itertools.product(CHANGES, ("kill", "error")):
        place = work / f"{change}-{mode}"
        for at in itertools.count(1):
            folder = place / str(at)
            shutil.copytree(base, folder)
            child = os.fork()
            if child == 0:
                _in_child(folder, place / "calls", id_, change, at, mode == "kill")
            _, status = os.waitpid(child, 0)
            ended = os.waitstatus_to_exitcode(status)
            if ended == THROUGH:
                break
            assert ended == (-signal.SIGKILL if mode == "kill" else FAULTY), (change, at, ended)


def _in_child(*args: Any) -> None:
    code = 3
    try:
        code = THROUGH if make(*args) else FAULTY
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
