"""The log says where an error happened, and quotes nothing."""

import io
import logging
import threading
from collections.abc import Iterator

import pytest

from transrec_core import log

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


def test_an_error_is_kept_in_a_file_that_quotes_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TRANSREC_LOG", str(tmp_path / "logs"))
    first, path = log.keep_error(caught(SOMEBODY), "in transrec fit")
    second, _ = log.keep_error(caught(SOMEBODY), "in transrec fit")
    assert path == tmp_path / "logs" / "errors.log"
    text = path.read_text()
    assert SOMEBODY not in text
    assert f"error {first} in transrec fit\nTraceback" in text
    assert f"error {second} in transrec fit\nTraceback" in text
    monkeypatch.setattr(log, "MAX_LOG_BYTES", len(text))
    log.keep_error(caught(SOMEBODY), "in transrec fit")
    assert first not in path.read_text(), "the file does not grow for ever"


def test_where_no_log_can_be_written_the_error_has_an_id_all_the_same(
    tmp_path, monkeypatch
) -> None:
    (tmp_path / "file").write_text("")
    for place in (str(tmp_path / "file" / "logs"), "off"):
        monkeypatch.setenv("TRANSREC_LOG", place)
        reference, path = log.keep_error(caught("x"), "in a test")
        assert len(reference) == 8
        assert path is None
