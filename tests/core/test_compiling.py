"""Compiled code is kept where that is possible, and never needed on disk."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from transrec_core.compiling import compiled, is_kept


def doubled(x: Any) -> Any:
    return 2 * x


def test_without_a_place_for_a_cache_code_is_compiled_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_self: Any, _function: Any) -> None:
        raise RuntimeError("cannot cache function 'doubled': no locator available")

    monkeypatch.setattr("numba.core.caching.FunctionCache.__init__", refuse)
    made = compiled()(doubled)
    assert made(21) == 42
    assert not is_kept(made)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_the_code_does_no_harm(
    fault: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", refuse)
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.load", refuse)
    assert compiled()(doubled)(21) == 42


def test_code_that_is_made_of_something_else_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    hits = []
    for made_of in ("one", "one", "other", "other"):
        made = compiled(made_of=lambda made_of=made_of: made_of)(doubled)
        assert made(21) == 42
        hits.append(sum(made.stats.cache_hits.values()))
    assert hits == [0, 1, 0, 1]


def test_signatures_are_compiled_at_once_and_no_others() -> None:
    from numba import float64

    made = compiled(float64(float64))(doubled)
    assert len(made.signatures) == 1
    assert made(2) == 4.0
