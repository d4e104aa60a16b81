"""Fits in child processes, and the register of what each link may see. No Streamlit here.

A *workspace* is what one link (``?run=<id>``) shows: the loaded data, the job at work and the
results so far. Its id cannot be guessed, and knowing it is the only way to see it. A fit runs in a
child process started with *spawn*; the child writes its result to a private file, which a watcher
thread of the server loads once.
"""

import atexit
import contextlib
import errno
import multiprocessing
import os
import pickle
import secrets
import tempfile
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary

from transrec_core import log
from transrec_core.data.report import EncodingChoice, Problem
from transrec_core.errors import Cancelled, TransrecError
from transrec_core.limits import Limits
from transrec_core.settings import Settings
from transrec_core.system import give_memory_back, ignore_interrupts, lower_priority, was_killed
from transrec_core.temporary import temporary_folder

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.keeping import Keeper
    from dashboard.originals import Original
    from transrec_core.data.formats import FileFormat
    from transrec_core.data.items import Items
    from transrec_core.data.ratings import Ratings
    from transrec_core.data.reading import Table
    from transrec_core.running import Run
    from transrec_core.transfer.factorizations import WarmStart

STOP_SECONDS = 10.0

Side = Literal["source", "target"]
Status = Literal["queued", "running", "cancelling", "done", "cancelled", "failed"]
ENDED = ("done", "cancelled", "failed")

_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Failure:
    """Something that went wrong, ready to be shown.

    Attributes
    ----------
    title
        What failed, as a short heading.
    message, fix
        What is wrong and where; what to do about it.
    problems
        Details of a file that was refused.
    reference
        Id under which the server's log holds the traceback, empty where there is none.
    kind
        Class name of the error, for views that have more to say about one kind.
    encodings, read_in
        Of a file that was refused for its encoding: those that it may be in, and what reads it
        in one of them.
    """

    title: str
    message: str
    fix: str = ""
    problems: tuple[Problem, ...] = ()
    reference: str = ""
    kind: str = ""
    encodings: tuple[EncodingChoice, ...] = ()
    read_in: Callable[[str], bool] | None = None


@dataclass(frozen=True)
class Loaded:
    """One side's file as the analyst sees it: cells, mapping, and the ratings or why not.

    ``original`` is the file as it came, where it can still be read in another way; ``written`` what
    the analyst said about how it is written.
    """

    name: str
    table: "Table"
    mapping: Mapping[str, str | None]
    duplicates: Literal["last", "mean", "refuse"]
    ratings: "Ratings | None"
    failure: Failure | None = None
    original: "Original | None" = field(default=None, compare=False)
    written: "FileFormat | None" = field(default=None, compare=False)

    @property
    def fingerprint(self) -> str:
        """Changes with the file's bytes and with how they and the columns are read."""
        report = self.table.report
        written = f"{report.encoding}:{report.delimiter}:{report.header}"
        return f"{self.table.sha256}:{written}:{sorted(self.mapping.items())}:{self.duplicates}"


@dataclass(frozen=True)
class LoadedItems:
    """An items file, the hash of its bytes, and the sides that it describes.

    ``encoding`` is that which the analyst chose, where it was not plain.
    """

    name: str
    items: "Items"
    sides: tuple[Side, ...]
    sha256: str
    encoding: str | None = None


@dataclass(frozen=True)
class Request:
    """Everything that a fit needs, picklable."""

    source: "Ratings"
    target: "Ratings"
    settings: Settings
    source_items: "Items | None"
    target_items: "Items | None"
    names: tuple[str, str]
    inputs: str
    items_names: tuple[str, str] = ("", "")
    start: "WarmStart | None" = None


@dataclass(eq=False)
class Result:
    """A finished run in its workspace; ``derived`` is filled by the compute module only.

    ``names`` and ``items_names`` are the files of source and target, empty where there is none.
    ``name`` is what the analyst calls it; a ``pinned`` one stays however many come after. ``file``
    is its name in the store, empty while it is not there. ``opened`` is the name of the saved run
    that it was opened from, empty for one that was fitted here.
    """

    id: str
    run: "Run"
    at: datetime
    inputs: str
    names: tuple[str, str]
    items_names: tuple[str, str] = ("", "")
    derived: "OrderedDict[Any, Any]" = field(default_factory=OrderedDict)
    name: str = ""
    pinned: bool = False
    file: str = ""
    opened: str = ""


@dataclass(frozen=True, eq=False)
class Study:
    """A table that was measured beside the fits, and what it was measured of."""

    table: "pd.DataFrame"
    inputs: str


@dataclass(frozen=True)
class Step:
    """How far a job is."""

    stage: str = "Starting"
    fraction: float = 0.0
    detail: str = ""


def wait_for_work(connection: Connection) -> None:
    """Body of a child process: load what every fit needs, then do the one job that arrives.

    Parameters
    ----------
    connection
        Brings a request, a path and a function, as ``do`` takes them; its end is the child's too.
    """
    begin_child()
    # A fit takes every core; whoever clicks meanwhile should not wait for it.
    lower_priority()
    from transrec_core.running import load_kernels

    load_kernels()
    try:
        work = connection.recv()
    except EOFError:
        return
    do(work, connection)


@dataclass(frozen=True)
class Work:
    """What a child process is to do.

    Attributes
    ----------
    request
        Data and settings.
    path
        File for the pickled result; complete or absent.
    run
        ``transrec_core.running.run`` or another function with its signature.
    """

    request: Request
    path: str
    run: Callable[..., Any]


def do(work: Work, connection: Connection) -> None:
    """Run, tell the progress, leave the result in a file.

    Parameters
    ----------
    work
        What to do.
    connection
        Where messages go: ``("step", Step)``, then one of ``done``, ``cancelled``, ``refused``,
        ``failed``. Anything that arrives is the analyst's wish to stop. (A shared
        event would be the shorter way, but a child that dies holding its lock blocks the server.)
    """
    request = work.request
    # Only a fit has where to start from; studies know nothing of it.
    warm = {} if request.start is None else {"start": request.start}

    def report(progress: Any) -> None:
        if connection.poll():
            raise Cancelled("The fit was cancelled.")
        connection.send(("step", Step(progress.stage, progress.fraction, progress.detail)))

    try:
        result = work.run(
            request.source,
            request.target,
            request.settings,
            source_items=request.source_items,
            target_items=request.target_items,
            on_progress=report,
            **warm,
        )
        report(_Last())
        partial = f"{work.path}.part"
        with open(partial, "wb") as file:
            pickle.dump(result, file, protocol=pickle.HIGHEST_PROTOCOL)
        os.replace(partial, work.path)
        connection.send(("done",))
    except Cancelled:
        connection.send(("cancelled",))
    except TransrecError as error:
        connection.send(("refused", type(error).__name__, error.message, error.fix))
    except Exception as error:
        connection.send(("failed", failure_of(error, "in a fit")))
    finally:
        connection.close()


@dataclass(frozen=True)
class _Last:
    stage: str = "Handing over the result"
    fraction: float = 0.99
    detail: str = ""


def begin_child() -> None:
    """Have this child process end when the server does, and not before."""
    # Ctrl-C in the server's terminal reaches the whole group; the server ends its children itself.
    ignore_interrupts()
    threading.Thread(target=_end_with_server, daemon=True).start()


def _end_with_server() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


Child = tuple[Any, Connection]
"""A child process and the server's end of the way to it."""


class Spare:
    """A child process that has loaded what it needs and waits, so that work begins at once.

    Parameters
    ----------
    body
        What it does; given its end of a connection.
    name
        What it is called.
    """

    def __init__(self, body: Callable[[Connection], None], name: str) -> None:
        self._body, self._name = body, name
        self._lock = threading.Lock()
        self._wanted = False
        self._child: Child | None = None

    def keep_one(self) -> None:
        """From now on let one wait whenever nothing is at work."""
        self._wanted = True
        self.renew()

    def renew(self) -> None:
        """Let one wait again, where that is wanted."""
        with self._lock:
            if self._wanted and (self._child is None or not self._child[0].is_alive()):
                try:
                    self._child = self._start()
                except OSError as error:
                    # Work starts its own then; it only begins a little later.
                    log.tell(error, secrets.token_hex(4), "while a process was started ahead")

    def take(self) -> Child:
        """The process that waits, else a new one, and the way to it."""
        with self._lock:
            child, self._child = self._child, None
        return child if child is not None and child[0].is_alive() else self._start()

    def give_back(self, child: Child) -> None:
        """Let a process that was taken wait again, or end it where another waits."""
        with self._lock:
            if self._child is None:
                self._child = child
                return
        self.end(child)

    @staticmethod
    def end(child: Child) -> None:
        """End a process that was taken."""
        child[1].close()
        child[0].kill()
        child[0].join(STOP_SECONDS)

    def close(self) -> None:
        """End the one that waits, and let no other wait."""
        with self._lock:
            self._wanted = False
            child, self._child = self._child, None
        if child is not None:
            self.end(child)

    def _start(self) -> Child:
        ours, theirs = _SPAWN.Pipe()
        with theirs:
            process = _SPAWN.Process(
                target=self._body, args=(theirs,), name=self._name, daemon=True
            )
            try:
                process.start()
            except BaseException:
                ours.close()
                raise
        return process, ours


SPARE = Spare(wait_for_work, "transrec-fit")


class Turnstile:
    """Lets one job through at a time, in the order of arrival."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._line: deque[Job] = deque()

    def position(self, job: "Job") -> int:
        """Number of jobs before this one; 0 when it is at work."""
        with self._condition:
            return self._line.index(job) if job in self._line else 0

    def enter(self, job: "Job") -> None:
        """Stand in line; the caller holds its place until :meth:`leave`."""
        with self._condition:
            self._line.append(job)

    def wait(self, job: "Job") -> bool:
        """Wait for the job's turn; ``False`` when it was cancelled on the way."""
        with self._condition:
            self._condition.wait_for(lambda: self._line[0] is job or job.stopping)
            return not job.stopping

    def leave(self, job: "Job") -> None:
        """Give the place up."""
        with self._condition:
            self._line.remove(job)
            self._condition.notify_all()

    def nudge(self) -> None:
        """Let waiting jobs look again whether they were cancelled."""
        with self._condition:
            self._condition.notify_all()


TURNS = Turnstile()


class Job:
    """One fit, from the queue to its end."""

    def __init__(
        self,
        request: Request,
        on_end: "Callable[[Job], None]",
        run: Callable[..., Any] | None = None,
        kind: str = "fit",
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = secrets.token_hex(4)
        self.kind = kind
        self.request = request
        self.status: Status = "queued"
        self.step = Step()
        self.result: Any = None  # a Run, or the table of a study
        self.failure: Failure | None = None
        self.started = time.monotonic()
        self._on_end = on_end
        self._after = after
        self._run = run
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._killed = False
        self._process: Any = None
        self._thread = threading.Thread(target=self._watch, name=f"fit-{self.id}", daemon=True)
        TURNS.enter(self)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads for this account
            TURNS.leave(self)
            refused = OSError(errno.EAGAIN, str(error))
            self.failure = failure_of(refused, "before a fit")
            self.status = "failed"

    @property
    def active(self) -> bool:
        """Whether the job is still waiting or working."""
        return self.status not in ENDED

    @property
    def stopping(self) -> bool:
        """Whether the analyst asked to stop."""
        return self._stop.is_set()

    @property
    def ahead(self) -> int:
        """Number of fits that come before this one."""
        return TURNS.position(self)

    @property
    def elapsed(self) -> float:
        """Seconds since the fit began to work."""
        return time.monotonic() - self.started

    @property
    def remaining(self) -> float | None:
        """Seconds left by the pace so far; ``None`` while too little is known."""
        done = self.step.fraction
        if self.status != "running" or done < 0.03 or self.elapsed < 1:
            return None
        return self.elapsed * (1 - done) / done

    def cancel(self) -> None:
        """Ask the fit to stop at its next half-sweep; a child that does not is ended."""
        if self.active:
            self._stop.set()
            self.status = "cancelling"
            TURNS.nudge()

    def kill(self) -> None:
        """End the child now; for the server's own end."""
        self._stop.set()
        TURNS.nudge()
        with self._starting:
            self._killed = True
            if self._process is not None and self._process.is_alive():
                self._process.kill()
                self._process.join(STOP_SECONDS)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the job has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _watch(self) -> None:
        status: Status = "failed"
        try:
            try:
                status = self._take_turn()
            finally:
                TURNS.leave(self)
            if status == "done":
                self._on_end(self)
        except Exception as error:
            status = "failed"
            self.failure = failure_of(error, "around a fit")
        finally:
            self.status = status
        for work in (self._end_child, SPARE.renew, self._after, give_memory_back):
            try:
                work()
            except Exception as error:
                log.tell(error, secrets.token_hex(4), "after a fit")

    def _take_turn(self) -> Status:
        if not TURNS.wait(self):
            return "cancelled"
        self.started = time.monotonic()
        self.status = "cancelling" if self.stopping else "running"
        with temporary_folder() as folder:
            return self._work(folder / "result")

    def _work(self, path: Path) -> Status:
        run = self._run
        if run is None:
            from transrec_core.running import run as core_run

            run = core_run
        with self._starting:
            if self._killed:
                return "cancelled"
            self._process, ours = SPARE.take()
        with ours:
            last = None
            # A child that is killed while it takes its work over is told by its exit code.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                ours.send(Work(self.request, str(path), run))
                last = self._listen(ours)
        if last is None:
            self._end_child()
        return self._conclude(last, path)

    def _end_child(self) -> None:
        """Let the child end by itself, or end it."""
        if self._process is not None:
            self._process.join(STOP_SECONDS)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()

    def _listen(self, child: Connection) -> tuple[Any, ...] | None:
        """Follow the child's messages; its last word, or ``None`` when it fell silent."""
        asked: float | None = None
        while True:
            if self.stopping and asked is None:
                asked = time.monotonic()
                with contextlib.suppress(OSError):
                    child.send("stop")
            if asked is not None and time.monotonic() - asked > STOP_SECONDS:
                self._process.kill()
                return None
            try:
                if not child.poll(0.2):
                    continue
                message = child.recv()
            except (EOFError, OSError):
                return None
            if message[0] != "step":
                return tuple(message)
            self.step = message[1]

    def _conclude(self, last: tuple[Any, ...] | None, path: Path) -> Status:
        if last is not None and last[0] == "done":
            with path.open("rb") as file:
                # Our own child wrote this file into a folder that only this account can enter.
                self.result = pickle.load(file)  # noqa: S301
            return "done"
        if self.stopping or (last is not None and last[0] == "cancelled"):
            return "cancelled"
        if last is None:
            self.failure = crashed(self._process.exitcode)
        elif last[0] == "refused":
            _, kind, message, fix = last
            self.failure = Failure("This fit is not possible", message, fix, kind=kind)
        else:
            self.failure = last[1]
        return "failed"


def crashed(exit_code: int | None) -> Failure:
    """The failure of a fit whose process ended without a word."""
    if exit_code is None or was_killed(exit_code):
        message = "The fit ran out of memory and was ended by the system."
    elif exit_code < 0:
        message = f"The fit's process was ended by signal {-exit_code}."
    else:
        message = f"The fit's process ended with exit code {exit_code}."
    return Failure(
        "The fit ended too early",
        message,
        "Try a smaller rank or fewer rows. Earlier results are still here.",
        kind="Crashed",
    )


_FULL = "Free some room on the server, or set TMPDIR to a folder with more and start it again."
_BUSY = "Try again when less is at work on the server, or let its account use more."
_FOLDER = (
    "The server cannot use a file that the fit needs",
    "Whoever runs it should see whether its folder for temporary files (TMPDIR) can be written.",
)
SYSTEM_FAILURES = {
    errno.ENOSPC: ("The server's folder for temporary files is full", _FULL),
    errno.EDQUOT: ("The server's account may not keep more files", _FULL),
    errno.EROFS: _FOLDER,
    errno.EACCES: _FOLDER,
    errno.ENOENT: _FOLDER,
    errno.EMFILE: ("The server has as many files open as it may", _BUSY),
    errno.ENFILE: ("The server's system has as many files open as it can", _BUSY),
    errno.ENOMEM: ("The server has too little memory for another process", _BUSY),
    errno.EAGAIN: ("The server may not start more threads or processes", _BUSY),
}
"""What an error of the system means where a fit is begun or handed over, and what to do then."""


def failure_of(error: Exception, where: str) -> Failure:
    """The failure that an error becomes, with its cause where the system refused something.

    Paths stay in the log, which has the error under the failure's reference.

    Parameters
    ----------
    error
        What was raised.
    where
        In what, as the end of a sentence: "in a fit", "around a fit".
    """
    if isinstance(error, MemoryError):
        return crashed(None)
    reference = secrets.token_hex(4)
    log.tell(error, reference, where)
    if isinstance(error, EOFError | pickle.UnpicklingError):
        said, fix = "The result of the fit arrived incomplete.", f"Fit again. {_FULL}"
    elif isinstance(error, OSError) and error.errno is not None:
        said, fix = SYSTEM_FAILURES.get(
            error.errno,
            ("The server's system refused what the fit needs", "Try again, or look into the log."),
        )
        with contextlib.suppress(OSError):
            log.write(f"temporary files are in {tempfile.gettempdir()}")
        # Not the error's own words: those may name paths.
        said = f"{said} ({os.strerror(error.errno)})."
    else:
        return broken(reference)
    return Failure("The fit ended too early", said, fix, reference=reference, kind="System")


def broken(reference: str) -> Failure:
    """The failure of something that transrec did not foresee."""
    return Failure(
        "Something went wrong inside transrec",
        "This is a fault of the program, not of your data.",
        "Please report it with the error id below; the server's log holds the details.",
        reference=reference,
        kind="Broken",
    )


@dataclass(eq=False)
class Workspace:
    """What one link shows. Change it only while holding ``lock``.

    What is kept of it on disk and found there is told in four: ``keeper`` writes it, ``unkept``
    says of what could not be written why, ``notes`` says what was left out when it was found
    again, and ``interrupted`` is the kind of the job that the server's end cut short.
    """

    id: str
    source: Loaded | None = None
    target: Loaded | None = None
    items: tuple[LoadedItems, ...] = ()
    refused: dict[str, Failure] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    job: Job | None = None
    candidates: tuple[Loaded, ...] = ()
    studies: dict[str, Study] = field(default_factory=dict)
    results: tuple[Result, ...] = ()
    shown: Result | None = None
    runs_made: int = 0
    derived: "OrderedDict[Any, Any]" = field(default_factory=OrderedDict)
    keeper: "Keeper | None" = None
    unkept: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    interrupted: str = ""
    touched: float = field(default_factory=time.monotonic)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def empty(self) -> bool:
        """Whether nothing has been loaded yet."""
        return self.source is None and self.target is None and not self.items and not self.results

    @property
    def inputs(self) -> str:
        """Fingerprint of the loaded data; a result with another one is stale."""
        sides = [side.fingerprint if side else "" for side in (self.source, self.target)]
        return "|".join([*sides, *(f"{i.sha256}:{i.sides}" for i in self.items)])

    def side(self, name: str) -> Loaded | None:
        """The loaded file of a side."""
        return self.source if name == "source" else self.target

    def items_of(self, side: str) -> "Items | None":
        """Titles and genres of a side, from the file that was added last."""
        entry = self._entry_of(side)
        return None if entry is None else entry.items

    def _entry_of(self, side: str) -> LoadedItems | None:
        return next((entry for entry in reversed(self.items) if side in entry.sides), None)

    def keep(self) -> None:
        """Let the disk have what has changed; never call it while holding ``lock``."""
        if self.keeper is not None:
            self.keeper.keep(self)

    def keep_file(self, content: bytes, name: str) -> None:
        """Let the disk have a file that was read."""
        if self.keeper is not None:
            self.keeper.keep_file(self, content, name)

    @property
    def being_kept(self) -> bool:
        """Whether something is on its way to the disk."""
        return self.keeper is not None and self.keeper.busy(self)

    @property
    def is_kept(self) -> bool:
        """Whether all of it is on the disk as it is now."""
        return self.keeper is not None and self.keeper.has_all(self)

    def start(
        self,
        settings: Settings,
        run: Callable[..., Any] | None = None,
        *,
        warm: Result | None = None,
    ) -> Job:
        """Start a fit on the loaded data, where asked from the factors of the run ``warm``.

        Both sides have ratings and no other fit of this workspace is at work.
        """
        with self.lock:
            self.settings = settings
            request = self._request(settings, self.inputs)
            if warm is not None:
                request = replace(request, start=warm.run.warm_start)
            self.interrupted = ""
            self.job = Job(request, self._install, run, after=self.keep)
            return self.job

    def study(self, kind: str, settings: Settings, inputs: str, run: Callable[..., Any]) -> Job:
        """Start a study on the loaded data; its table is kept with ``inputs`` when it is done.

        As for a fit, both sides have ratings and nothing else of this workspace is at work.
        """

        def keep(job: Job) -> None:
            with self.lock:
                self.studies[kind] = Study(job.result, inputs)

        with self.lock:
            self.interrupted = ""
            self.job = Job(self._request(settings, inputs), keep, run, kind, self.keep)
            return self.job

    def _request(self, settings: Settings, inputs: str) -> Request:
        assert self.source is not None
        assert self.target is not None
        assert self.source.ratings is not None
        assert self.target.ratings is not None
        assert self.job is None or not self.job.active
        entries = (self._entry_of("source"), self._entry_of("target"))
        source_name, target_name = (entry.name if entry else "" for entry in entries)
        return Request(
            self.source.ratings,
            self.target.ratings,
            settings,
            self.items_of("source"),
            self.items_of("target"),
            (self.source.name, self.target.name),
            inputs,
            (source_name, target_name),
        )

    def _install(self, job: Job) -> None:
        assert job.result is not None
        request = job.request
        self.install(job.result, request.inputs, request.names, job.id, request.items_names)

    def install(
        self,
        run: "Run",
        inputs: str,
        names: tuple[str, str],
        id_: str,
        items_names: tuple[str, str] = ("", ""),
    ) -> Result:
        """Show a finished run; pinned ones and the newest before it stay in reach."""
        with self.lock:
            self.runs_made += 1
            name = f"Run {self.runs_made}"
            result = Result(id_, run, datetime.now(), inputs, names, items_names, name=name)
            self.add(result)
        return result

    def add(self, result: Result) -> None:
        """Show a run that is new here."""
        kept = Limits.current().kept_runs
        with self.lock:
            others = [r for r in (result, *self.results) if not r.pinned][:kept]
            self.results = tuple(r for r in (result, *self.results) if r.pinned or r in others)
            self.shown = result
            for earlier in self.results[1:]:
                # Quick to work out again, and large.
                earlier.derived = OrderedDict()

    def show(self, result: Result) -> None:
        """Show an earlier run; its settings are those that the next fit starts from."""
        with self.lock:
            if result in self.results:
                self.shown = result
                self.settings = result.run.settings

    def pin(self, result: Result, pinned: bool) -> bool:
        """Keep a run however many come after, or no longer; ``False`` when too many are pinned."""
        most = Limits.current().pinned_runs
        with self.lock:
            if pinned and sum(r.pinned for r in self.results) >= most:
                return False
            result.pinned = pinned
            return True

    def rename(self, result: Result, name: str) -> None:
        """Call a run something else; it keeps its name where nothing is given."""
        with self.lock:
            result.name = name.strip() or result.name

    def remove(self, result: Result) -> None:
        """Forget a run, unless it is the only one; where it was on show, the newest now is."""
        with self.lock:
            others = tuple(r for r in self.results if r is not result)
            if others:
                self.results = others
                if result is self.shown:
                    self.shown = others[0]


class Register:
    """All workspaces of this server; those that a ``keeper`` has on disk are found there.

    Of those, one that left memory is the very same object for as long as a tab refers to it: a
    button of an open page works on what the next page shows.
    """

    def __init__(self) -> None:
        self.keeper: Keeper | None = None
        self._lock = threading.Lock()
        self._finding = threading.Lock()
        self._all: dict[str, Workspace] = {}
        self._alive: WeakValueDictionary[str, Workspace] = WeakValueDictionary()

    def create(self) -> Workspace:
        """A new empty workspace under an id that cannot be guessed."""
        self.reap()
        workspace = Workspace(secrets.token_urlsafe(18), keeper=self.keeper)
        self._add(workspace)
        return workspace

    def find(self, id_: str) -> Workspace | None:
        """The workspace of an id, marked as in use; ``None`` when there is none (any more).

        Raises
        ------
        TransrecError
            It is on disk, and cannot be read.
        """
        workspace = self._in_memory(id_)
        if workspace is None and self.keeper is not None:
            # One at a time: two tabs of one link get the same workspace.
            with self._finding:
                workspace = self._in_memory(id_) or self.keeper.find(id_)
                if workspace is not None:
                    self.reap()
                    self._add(workspace)
        if workspace is not None:
            workspace.touched = time.monotonic()
        return workspace

    def _in_memory(self, id_: str) -> Workspace | None:
        with self._lock:
            found = self._alive.get(id_)
            if found is not None:
                self._all[id_] = found
            return found

    def _add(self, workspace: Workspace) -> None:
        with self._lock:
            self._all[workspace.id] = self._alive[workspace.id] = workspace

    def forget(self, workspace: Workspace) -> None:
        """Remove a workspace with all that it holds, from the disk too, and end its job.

        Raises
        ------
        OSError
            It could not be removed from the disk.
        """
        with self._lock:
            self._all.pop(workspace.id, None)
            self._alive.pop(workspace.id, None)
        if workspace.job is not None:
            workspace.job.cancel()
        if self.keeper is not None:
            self.keeper.forget(workspace)

    def reap(self) -> int:
        """Drop workspaces that nobody has looked at for long, and the oldest beyond the cap.

        Those on disk stay there, and leave memory sooner.
        """
        limits, now = Limits.current(), time.monotonic()
        with self._lock:
            known = list(self._all.values())
        # Not under the lock: a disk may be slow to answer, and pages wait for the lock.
        kept = {workspace.id for workspace in known if workspace.is_kept}
        with self._lock:
            idle = [w for w in self._all.values() if not w.being_kept]
            idle = [w for w in idle if w.job is None or not w.job.active]
            idle.sort(key=lambda w: w.touched)
            surplus = max(0, len(self._all) + 1 - limits.workspaces)
            gone = [
                w
                for i, w in enumerate(idle)
                if i < surplus
                or now - w.touched > limits.idle_hours * 3600
                or (now - w.touched > limits.idle_kept_hours * 3600 and w.id in kept)
            ]
            for workspace in gone:
                del self._all[workspace.id]
                if workspace.id not in kept:
                    del self._alive[workspace.id]
        return len(gone)

    def sweep(self) -> None:
        """Reap, and remove from the disk what nobody has looked at for longer still."""
        if self.reap():
            give_memory_back()
        if self.keeper is not None:
            self.keeper.sweep()

    def close(self) -> None:
        """Finish what is on its way to the disk, and end every child process."""
        try:
            if self.keeper is not None:
                # First, so that the disk says of a fit at work that it was cut short.
                self.keeper.close()
        finally:
            with self._lock:
                jobs = [w.job for w in self._all.values() if w.job is not None and w.job.active]
            for job in jobs:
                job.kill()
            SPARE.close()
        for job in jobs:
            # Its thread removes what it has in the temporary folder.
            job.join(STOP_SECONDS)


REGISTER = Register()
atexit.register(REGISTER.close)
