"""Calls of the operating system that differ from one system to the next.

No other module makes them: what Linux has, macOS or Windows may lack, and a sandbox may forbid.
"""

# psutil is imported where it is used: help has to be quick.
import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

INTERRUPTED = 130
"""Exit code of a process that Ctrl-C has ended, as shells have it."""

_interrupt = threading.Event()


@contextmanager
def remembering_interrupts() -> Iterator[None]:
    """Remember Ctrl-C meanwhile, as compiled code that calls Python drops ``KeyboardInterrupt``.

    The first Ctrl-C raises ``KeyboardInterrupt`` as ever; where that was dropped,
    ``raise_if_interrupted`` raises it again. A second one ends the process at once. In threads
    other than the main one, and where the process was told to ignore Ctrl-C, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    # What was installed from outside Python (None) could not be put back.
    if not main or before in (signal.SIG_IGN, None):
        yield
        return

    def remember(_number: int, _frame: FrameType | None) -> None:
        if _interrupt.is_set():
            os._exit(INTERRUPTED)
        _interrupt.set()
        raise KeyboardInterrupt

    _interrupt.clear()
    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _interrupt.clear()


def raise_if_interrupted() -> None:
    """Stop work that somebody wanted to end.

    Raises
    ------
    KeyboardInterrupt
        Where Ctrl-C was pressed within ``remembering_interrupts``.
    """
    if _interrupt.is_set():
        raise KeyboardInterrupt


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that started this one: a terminal sends it to all of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# ── memory and processors ────────────────────────────────────────────────────────────────────────


def free_memory() -> int:
    """Bytes available without swapping, no more than a container's or service's limit leaves."""
    import psutil

    free = int(psutil.virtual_memory().available)
    return max(min([free, *left_in_control_groups(), *left_of_addresses()]), 0)


def process_memory(pid: int | None = None, *, descendants: bool = False) -> int:
    """Bytes of memory that a process holds.

    Parameters
    ----------
    pid
        Its number; ``None`` for this process.
    descendants
        Whether to add what its child processes hold, and theirs. Pages that several processes
        share are counted for each.

    Returns
    -------
    int
        0 where the process has ended.
    """
    import psutil

    held = 0
    for process in _with_descendants(pid) if descendants else _with_descendants(pid)[:1]:
        with contextlib.suppress(psutil.Error):
            held += process.memory_info().rss
    return held


def give_memory_back() -> None:
    """Let the system have memory that is no longer needed, where the allocator can be asked to.

    The GNU C library otherwise keeps what lies below anything that is still in use: the memory of a
    dropped run would stay with the process.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def limited_memory(more: int) -> Iterator[None]:
    """Let this process take so many more bytes meanwhile, where the system can hold it to that.

    What would take more raises ``MemoryError``. On Windows and macOS nothing changes.

    Parameters
    ----------
    more
        Bytes beyond what it has now.
    """
    import psutil

    process = psutil.Process()
    if not hasattr(process, "rlimit") or not hasattr(process.memory_info(), "data"):
        yield
        return
    before, hard = process.rlimit(psutil.RLIMIT_DATA)
    allowed = [process.memory_info().data + more]
    allowed += [limit for limit in (before, hard) if limit != psutil.RLIM_INFINITY]
    process.rlimit(psutil.RLIMIT_DATA, (min(allowed), hard))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_DATA, (before, hard))


def left_of_addresses() -> Iterator[int]:
    """What a limit on the addresses of this process leaves (``ulimit -v``), where there is one."""
    import psutil

    process = psutil.Process()
    if hasattr(process, "rlimit"):  # Linux and FreeBSD; macOS does not enforce it
        limit, _ = process.rlimit(psutil.RLIMIT_AS)
        if limit != psutil.RLIM_INFINITY:
            yield limit - process.memory_info().vms


def left_in_control_groups(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> Iterator[int]:
    """What is left below the limit of this process's control group, and of each above it."""
    own = next((x.removeprefix("0::") for x in _lines(membership) if x.startswith("0::")), "/")
    folder = root / own.strip("/")
    for group in (folder, *folder.parents):
        limit = _lines(group / "memory.max") if group.is_relative_to(root) else []
        used = _lines(group / "memory.current")
        if limit and used and limit[0].isdigit():
            # Files that were read lately count as used, but give way to whoever needs memory.
            cached = dict(line.split() for line in _lines(group / "memory.stat"))
            yield int(limit[0]) - int(used[0]) + int(cached.get("inactive_file", 0))


def _lines(path: Path) -> list[str]:
    """Lines of a file that the system keeps; none where it is not there, or not for us."""
    try:
        return path.read_text(encoding="ascii").splitlines()
    except OSError:
        return []


def processor_count() -> int:
    """Processors that this process may use, at least 1."""
    import psutil

    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        return max(1, len(process.cpu_affinity()))
    return os.cpu_count() or 1


# ── processes ────────────────────────────────────────────────────────────────────────────────────

STEPS_BACK = 10
"""How far a process of low priority stands back, on the scale of nice(1)."""

KILL = -9
"""Exit code of a process that was killed, as ``multiprocessing`` gives it; Windows has none."""

OUT_OF_MEMORY = (0xC0000017, 0xC000012D)
"""Exit codes by which Windows says that there was no more memory."""


def lower_priority() -> None:
    """Let every other process have a processor first; where that is forbidden, nothing happens."""
    import psutil

    process = psutil.Process()
    with contextlib.suppress(psutil.Error, OSError):
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            process.nice(min(process.nice() + STEPS_BACK, 19))


def was_killed(exit_code: int) -> bool:
    """Whether the system has most likely ended a process for its use of memory."""
    return exit_code == KILL or exit_code in OUT_OF_MEMORY


def _with_descendants(pid: int | None) -> list["psutil.Process"]:
    import psutil

    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


# ── files and folders ────────────────────────────────────────────────────────────────────────────

AT_WORKING_FOLDER, EXCHANGE = -100, 2
"""Of renameat2(2), on Linux."""

SWAP = 2
"""Of renamex_np(2), on macOS."""


def create_file(path: Path, mode: int = 0o666) -> IO[bytes]:
    """Make a file that is not there yet and open it for writing.

    Parameters
    ----------
    path
        Where it is to be.
    mode
        Who may read and write it, less what the account's mask takes away.

    Raises
    ------
    OSError
        It is there already, or cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, mode), "wb")


def sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows does not open folders
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems refuse to sync folders
    finally:
        os.close(descriptor)


def swap_folders(one: Path, other: Path) -> bool:
    """Give each of two folders the other's name in one step.

    Returns
    -------
    bool
        ``False`` where the system or the file system cannot; both are then as they were.
    """
    if os.name != "posix":
        return False
    library = ctypes.CDLL(None)
    first, second = os.fsencode(one), os.fsencode(other)
    if hasattr(library, "renameat2"):
        places = (AT_WORKING_FOLDER, first, AT_WORKING_FOLDER, second)
        return bool(library.renameat2(*places, EXCHANGE) == 0)
    if hasattr(library, "renamex_np"):
        return bool(library.renamex_np(first, second, SWAP) == 0)
    return False
