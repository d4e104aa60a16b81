"""The log says where an error happened, and quotes nothing."""

import io
import logging
import threading
from collections.abc import Iterator

import pytest

from dashboard import log

# Put together, as the lines of the program themselves are shown.
SOMEBODY = "@".join(("ada", "example.org"))


def fail(text: str) -> None:
    {}[text]


def caught(text: str, *, silent: bool = False) -> BaseException:
    try:
        try:
            fail(text)
        except KeyError as error:
            if silent:
                raise ValueError(f"no number: {text}") from None
            raise ValueError(f"no number: {text}") from error
    except ValueError as error:
        return error


def test_every_error_of_a_chain_is_placed_and_none_is_quoted() -> None:
    told = log.trace(caught(SOMEBODY))
    assert SOMEBODY not in told
    first, second = told.split("... which led to:")
    assert "builtins.KeyError" in first
    assert ", in fail" in first
    assert "{}[text]" in first
    assert "builtins.ValueError" in second
    assert told.count(log.WITHHELD) == 2


def test_a_cause_that_was_put_aside_stays_aside() -> None:
    assert "KeyError" not in log.trace(caught("x", silent=True))


def test_an_error_that_is_its_own_context_ends() -> None:
    one, two = ValueError("one"), TypeError("two")
    one.__context__, two.__context__ = two, one
    assert log.trace(one).count("Traceback") == 2


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What a library's logger writes after ``quote_nothing``."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("a.library")
    factory, hook = logging.getLogRecordFactory(), threading.excepthook
    logger.addHandler(handler)
    log.quote_nothing()
    yield stream
    logging.setLogRecordFactory(factory)
    threading.excepthook = hook
    logger.removeHandler(handler)


def test_no_library_logs_what_an_error_says(logged: io.StringIO) -> None:
    try:
        fail(SOMEBODY)
    except KeyError:
        logging.getLogger("a.library").exception("Uncaught")
    told = logged.getvalue()
    assert told.startswith("Uncaught\nTraceback")
    assert f"builtins.KeyError {log.WITHHELD}" in told
    assert SOMEBODY not in told


@pytest.mark.usefixtures("logged")
def test_nor_does_a_thread_that_ends_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    thread = threading.Thread(target=fail, args=(SOMEBODY,))
    thread.start()
    thread.join()
    told = capsys.readouterr().err
    assert "transrec: error in a thread" in told
    assert SOMEBODY not in told
