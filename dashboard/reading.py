"""Files that people bring are read in a process of their own, within a limit of memory.

What unpacks to far more than it seems, or brings its decoder down, ends that process alone: its
page says so, and everybody else's session goes on. No Streamlit here.
"""

import contextlib
import pickle
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeVar

from dashboard.jobs import STOP_SECONDS, Spare, begin_child, broken
from transrec_core import log
from transrec_core.data.formats import FileFormat
from transrec_core.errors import TooLargeError, TransrecError, UnreadableFileError
from transrec_core.limits import MIB, Limits, or_allow_more, overridden, size_in_words
from transrec_core.system import (
    limited_memory,
    process_memory,
    processor_count,
    was_killed,
)

if TYPE_CHECKING:
    from transrec_core.data.items import Items
    from transrec_core.data.ratings import Ratings
    from transrec_core.data.reading import Table

Found = TypeVar("Found")

WATCH_SECONDS = 0.05
MAX_KEPT_MEMORY = 512 * MIB
"""A process that holds more after a file is not used for the next one."""


class ReadingError(TransrecError):
    """Reading a file met a fault of the program; ``reference`` is its id in the log."""

    def __init__(self, message: str, fix: str = "", reference: str = "") -> None:
        super().__init__(message, fix)
        self.reference = reference


@dataclass(frozen=True)
class RatingsFile:
    """A file of ratings: its table, which column is what, and the ratings or why there are none."""

    table: "Table"
    mapping: Mapping[str, str | None]
    ratings: "Ratings | None"
    refusal: TransrecError | None


def read_ratings_file(content: bytes, name: str, written: FileFormat) -> RatingsFile:
    """Read a table and the ratings in it; columns that ``written`` names keep their roles.

    Raises
    ------
    UnreadableFileError
        It is no table.
    """
    from transrec_core.data.mapping import amended
    from transrec_core.data.ratings import to_ratings

    table = written.table(content, name)
    kept = {r: c for r, c in written.columns.items() if c is None or c in table.report.columns}
    mapping = amended(table.report.mapping, kept)
    try:
        ratings = to_ratings(table, mapping, duplicates=written.duplicates)
    except TransrecError as error:
        return RatingsFile(table, mapping, None, error)
    return RatingsFile(table, mapping, ratings, None)


def read_items_file(content: bytes, name: str, encoding: str | None) -> "Items":
    """Read a file of titles; see ``read_items``."""
    from transrec_core.data.items import read_items

    return read_items(content, name=name, encoding=encoding)


@dataclass(frozen=True)
class Task:
    """What a reading process is to do with the bytes that follow.

    Attributes
    ----------
    read
        A function of a module, called with the bytes and the arguments.
    arguments
        Picklable.
    limits
        The server's, each as ``name=value``.
    memory
        Bytes that the process may take beyond what it holds.
    """

    read: Callable[..., Any]
    arguments: tuple[Any, ...]
    limits: tuple[str, ...]
    memory: int


def wait_for_files(connection: Connection) -> None:
    """Body of a reading process: read what arrives, until the server closes its end."""
    begin_child()
    import pyarrow as pa

    # Arrow's own allocators reserve room ahead, which would count as used.
    pa.set_memory_pool(pa.system_memory_pool())
    from transrec_core.data import items, ratings  # noqa: F401 - loaded before they are needed

    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            task = connection.recv()
            _answer(task, connection.recv_bytes(), connection)


def _answer(task: Task, content: bytes, connection: Connection) -> None:
    buffers: list[pickle.PickleBuffer] = []
    try:
        with overridden(task.limits), limited_memory(task.memory):
            found = task.read(content, *task.arguments)
            packed = pickle.dumps(found, protocol=5, buffer_callback=buffers.append)
    except TransrecError as error:
        connection.send(("refused", error))
    except MemoryError:
        connection.send(("memory",))
    except Exception as error:
        reference = secrets.token_hex(4)
        log.tell(error, reference, "while a file was read")
        connection.send(("broken", reference))
    else:
        parts = [buffer.raw() for buffer in buffers]
        connection.send(("read", packed, [part.nbytes for part in parts]))
        for part in parts:
            connection.send_bytes(part)


READERS = Spare(wait_for_files, "transrec-read")
_PLACES = threading.BoundedSemaphore(max(2, processor_count()))


def read_apart(read: Callable[..., Found], content: bytes, name: str, *arguments: object) -> Found:
    """What ``read(content, name, *arguments)`` gives, called in a process with a limit of memory.

    Parameters
    ----------
    read
        A function of a module; what it gives is picklable.
    content
        The file.
    name
        What the file is called.
    arguments
        Picklable.

    Raises
    ------
    TransrecError
        As ``read`` does.
    TooLargeError
        It would take more memory than it may use.
    UnreadableFileError
        It brought its process down.
    ReadingError
        It met a fault of the program, which the log has under the error's ``reference``.
    """
    limits = Limits.current()
    given = tuple(
        f"{limit.name}={_digits(getattr(limits, limit.name))}" for limit in fields(limits)
    )
    task = Task(read, (name, *arguments), given, limits.memory)
    with _PLACES:
        process, connection = READERS.take()
        try:
            answer = _ask(process.pid, connection, task, content)
        except (EOFError, OSError):
            process.join(STOP_SECONDS)
            answer = ("ended", process.exitcode)
        except BaseException:
            READERS.end((process, connection))
            raise
        unharmed = answer[0] in ("read", "refused")
        if unharmed and process_memory(process.pid) <= MAX_KEPT_MEMORY:
            READERS.give_back((process, connection))
        else:
            READERS.end((process, connection))
        READERS.renew()
    found: Found = _outcome(answer, name, limits.memory)
    return found


def _digits(value: float) -> str:
    return f"{value}" if isinstance(value, int) else f"{value:f}"


def _ask(pid: int, connection: Connection, task: Task, content: bytes) -> tuple[Any, ...]:
    """Hand a task over and wait for the answer, while the process keeps within its memory."""
    most = process_memory(pid) + task.memory
    connection.send(task)
    connection.send_bytes(content)
    while not connection.poll(WATCH_SECONDS):
        if process_memory(pid) > most:
            return ("memory",)
    answer = connection.recv()
    if answer[0] != "read":
        return tuple(answer)
    _, packed, sizes = answer
    return "read", packed, list(_received(connection, sizes))


def _received(connection: Connection, sizes: list[int]) -> Iterator[bytearray]:
    for size in sizes:
        buffer = bytearray(size)
        connection.recv_bytes_into(buffer)
        yield buffer


def _outcome(answer: tuple[Any, ...], name: str, memory: int) -> Any:
    match answer:
        case ("read", packed, buffers):
            # Our own process has made it, of the file's cells and our own types.
            return pickle.loads(packed, buffers=buffers)  # noqa: S301
        case ("refused", error):
            raise error
        case ("broken", reference):
            failure = broken(reference)
            raise ReadingError(failure.message, failure.fix, reference)
        case ("ended", code) if code is not None and not was_killed(code):
            raise UnreadableFileError(
                f"{name} brought down the process that read it ({_ended(code)}).",
                "It is probably damaged. Save it anew, as CSV for instance.",
            )
    raise TooLargeError(
        f"Reading {name} would take more than the {size_in_words(memory)} of memory that it may "
        "use.",
        f"Bring a smaller file, {or_allow_more('memory')}.",
    )


def _ended(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
