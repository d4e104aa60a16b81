"""Makes the process that finds this file on its path behave as on another computer.

``EMULATED`` names what is taken away, separated by spaces:

- ``posix``: what Windows lacks of ``os``, ``signal`` and the modules for POSIX alone, and the
  files of ``/proc`` and ``/sys``. Our own code misses them; libraries, which ask what system they
  are on and have their own ways on each, do not.
- ``home``: no ``HOME``, and an account that the system's list of accounts does not name.
- ``writing``: nothing below the folders of ``READ_ONLY`` can be written, by anybody.
"""

import builtins
import errno
import os
import signal
import sys
import types
from pathlib import Path

OURS = ("transrec_core", "dashboard")
MISSING = {
    "os": {
        "chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getpgid",
        "getpgrp", "getpriority", "getresuid", "getuid", "initgroups", "killpg", "lchown", "mkfifo",
        "nice", "openpty", "pread", "process_cpu_count", "pwrite", "sched_getaffinity",
        "sched_setaffinity", "sched_yield", "setpgid", "setpriority", "setsid", "setuid", "statvfs",
        "sync", "sysconf", "sysconf_names", "uname", "wait", "wait3", "wait4", "waitid",
        "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "WEXITSTATUS", "WIFSIGNALED",
    },
    "signal": {
        "SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2", "alarm",
        "pause", "pthread_kill", "pthread_sigmask", "setitimer", "sigwait",
    },
}  # fmt: skip
MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
BETWEEN = {"codecs", "contextlib", "genericpath", "io", "os", "pathlib", "posixpath", "tempfile"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

taken = set(os.environ.get("EMULATED", "").split())
read_only = [folder for folder in os.environ.get("READ_ONLY", "").split(os.pathsep) if folder]


def is_ours() -> bool:
    """Whether code of ours has asked, itself or through modules that pass a path on."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        name = str(frame.f_globals.get("__name__", "")).split(".")[0]
        if name not in BETWEEN and name != __name__:
            return name in OURS
        frame = frame.f_back
    return False


def take_away(module: types.ModuleType, names: set[str]) -> None:
    class Emulated(types.ModuleType):
        def __getattribute__(self, name: str) -> object:
            if name in names:
                asking = sys._getframe(1).f_globals.get("__name__", "")
                if str(asking).split(".")[0] in OURS:
                    raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            return super().__getattribute__(name)

    module.__class__ = Emulated


def refuse_modules() -> None:
    real = builtins.__import__

    def take(name: str, globals: object = None, *rest: object, **more: object) -> object:
        asking = globals.get("__name__", "") if isinstance(globals, dict) else ""
        if name in MODULES and str(asking).split(".")[0] in OURS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, globals, *rest, **more)  # type: ignore[arg-type]

    builtins.__import__ = take  # type: ignore[assignment]


def is_below(path: object, folders: list[str]) -> bool:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str | os.PathLike):
        return False
    whole = os.path.abspath(path)
    return any(whole == folder or whole.startswith(f"{folder}/") for folder in folders)


busy = False


def watch(event: str, given: tuple[object, ...]) -> None:
    global busy
    if busy or event not in ("open", "os.mkdir", "os.rename", "os.remove", "sqlite3.connect"):
        return
    busy = True
    try:
        path, flags = given[0], given[2] if event == "open" else WRITING
        changes = event != "open" or (isinstance(flags, int) and flags & WRITING)
        if "writing" in taken and changes and is_below(path, read_only):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        if "posix" in taken and event == "open" and is_ours():
            if is_below(path, ["/proc", "/sys"]):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            if isinstance(path, str | os.PathLike) and os.path.isdir(path):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    finally:
        busy = False


if "posix" in taken:
    take_away(os, MISSING["os"])
    take_away(signal, MISSING["signal"])
    refuse_modules()
if "home" in taken:
    import pwd

    def unknown(_number: int) -> object:
        raise KeyError("no such account")

    pwd.getpwuid = unknown  # type: ignore[assignment]
    os.environ.pop("HOME", None)
if "writing" in taken:
    allowed = os.access

    def access(path: object, mode: int, **options: object) -> bool:
        refused = mode & os.W_OK and is_below(path, read_only)
        return not refused and allowed(path, mode, **options)  # type: ignore[arg-type]

    os.access = access  # type: ignore[assignment]
if taken:
    sys.addaudithook(watch)
    Path(os.environ["EMULATION_TOLD"]).touch()
