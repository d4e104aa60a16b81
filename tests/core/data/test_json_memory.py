"""JSON takes memory by the size of its text, not by the number of its objects."""

import tracemalloc
from collections.abc import Callable

import pytest

from transrec_core.data.records import json_columns, kind_of_json
from transrec_core.errors import UnreadableFileError

MANY = b"[" + b"[1]," * 3000 + b"[1]]"


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_lists_within_lines_are_not_kept_as_objects():
    content = b"".join(b'{"user":"u%d","item":"i","x":%s}\n' % (n, MANY) for n in range(60))
    assert peak_of(lambda: json_columns(content, "x")) < 6 * len(content)


def test_one_long_line_is_not_parsed_to_see_that_it_is_one():
    content = b'[{"user":"u","item":"i","x":' + MANY * 20 + b"}]"
    assert peak_of(lambda: kind_of_json(content, "x")) < 2 * len(content)
    assert kind_of_json(content, "x") == "whole"


def test_a_line_that_does_not_fit_as_objects_is_refused(monkeypatch):
    monkeypatch.setenv("TRANSREC_LIMIT_MEMORY", "100K")
    with pytest.raises(UnreadableFileError, match="of memory are needed"):
        kind_of_json(MANY, "x")
