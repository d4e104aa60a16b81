"""What a log says of an unforeseen error: where it happened, never with what data."""

import errno
import logging
import os
import secrets
import sys
import threading
import traceback
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from transrec_core.places import folder_of

WITHHELD = "(its words are left out: they may quote the data)"


ENVIRONMENT = "TRANSREC_LOG"
NAME = "errors.log"
MAX_LOG_BYTES = 2**20


def keep_error(error: BaseException, where: str) -> tuple[str, Path | None]:
    """Write an error to the log file of this account.

    Parameters
    ----------
    error
        What was raised.
    where
        In what, as the end of a sentence: "in transrec fit".

    Returns
    -------
    The id under which it stands there, and the file; ``None`` where none can be written, or
    ``TRANSREC_LOG`` is off.
    """
    reference = secrets.token_hex(4)
    folder = folder_of(ENVIRONMENT, "log")
    if folder is None:
        return reference, None
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a"):
            pass  # a handler would complain about a place that cannot be written, not raise
        handler = RotatingFileHandler(path, maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8")
    except OSError:
        return reference, None
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    text = f"error {reference} {where}\n{trace(error)}"
    handler.emit(logging.LogRecord("transrec", logging.ERROR, "", 0, text, None, None))
    handler.close()
    return reference, path


def write(text: str) -> None:
    """Write a line to the log; where that cannot be written, what is at work goes on all the same.

    A log on a full disk, or one that a pipe no longer takes, may not end a thread of the server.
    """
    with suppress(OSError, ValueError):
        sys.stderr.write(f"transrec: {text}\n")


def tell(error: BaseException, reference: str, where: str) -> None:
    """Write an error to the log under the id that its page shows.

    Parameters
    ----------
    error
        What was raised.
    reference
        Id on the page.
    where
        In what, as the end of a sentence: "on a page", "in a fit".
    """
    write(f"error {reference} {where}\n{trace(error).rstrip()}")


def trace(error: BaseException) -> str:
    """Give the traceback with the classes of the errors, but without their messages.

    A message may quote a cell, an id or a path (``KeyError: 'ada@example.org'``). The lines of
    the program and the class say where to look; the log can be kept, and sent, without care.
    """
    told: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        frames = "".join(traceback.format_tb(link.__traceback__))
        kind = f"{type(link).__module__}.{type(link).__qualname__}"
        told.append(
            f"Traceback (most recent call last):\n{frames}{kind}{_number(link)} {WITHHELD}\n"
        )
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\n... which led to:\n\n".join(reversed(told))


def _number(error: BaseException) -> str:
    """The number of an error of the system, with the words that belong to it; else nothing."""
    if not isinstance(error, OSError) or error.errno is None:
        return ""
    name = errno.errorcode.get(error.errno, str(error.errno))
    return f" [{name}: {os.strerror(error.errno)}]"


def quote_nothing() -> None:
    """From now on let no library write an error's message to the log of this process either.

    Streamlit logs what a page raises before it hands it over, and the web server what breaks in a
    request.
    """
    make = logging.getLogRecordFactory()

    def record(*given: Any, **more: Any) -> logging.LogRecord:
        made = make(*given, **more)
        if made.exc_info and made.exc_info[1] is not None:
            made.exc_text = trace(made.exc_info[1]).rstrip()
            made.exc_info = None
        return made

    def in_thread(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None:
            write(f"error in a thread\n{trace(ended.exc_value).rstrip()}")

    logging.setLogRecordFactory(record)
    threading.excepthook = in_thread
