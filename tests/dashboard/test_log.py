"""The log says where an error happened, and quotes nothing."""

from dashboard import log


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
    told = log.trace(caught("ada@example.org"))
    assert "ada@example.org" not in told
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
