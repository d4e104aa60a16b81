from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from transrec_core import places
from transrec_core.content.vector_cache import FILE, VectorCache, default_folder


def rows(count: int, first: int = 0, width: int = 8) -> dict[bytes, tuple[np.ndarray, bool]]:
    return {
        str(n).encode(): (np.full(width, n, np.float32), n % 2 == 0)
        for n in range(first, first + count)
    }


def require_same(found, wanted) -> None:
    assert set(found) == set(wanted)
    for key, (vector, cut) in wanted.items():
        assert (found[key][0] == vector).all()
        assert found[key][1] == cut


def test_what_was_put_is_found_by_another(tmp_path):
    wanted = rows(1200)
    VectorCache(tmp_path / "deep" / "er").put(wanted)
    require_same(VectorCache(tmp_path / "deep" / "er").get([*wanted, b"unknown"]), wanted)


def test_without_a_folder_nothing_is_kept():
    cache = VectorCache(None)
    cache.put(rows(3))
    assert cache.get([b"0"]) == {}


def test_the_oldest_rows_go_where_there_is_too_little_room(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSREC_LIMIT_EMBEDDING_CACHE_BYTES", "200K")
    cache = VectorCache(tmp_path)
    for first in range(0, 1000, 50):
        cache.put(rows(50, first, width=256))
    found = cache.get(list(rows(1000)))
    assert (tmp_path / FILE).stat().st_size <= 200 * 1024
    assert 100 <= len(found) < 200
    assert {int(key) for key in found} == set(range(1000 - len(found), 1000))


@pytest.mark.parametrize(
    "broken", [b"this is no database at all" * 100, b"SQLite format 3\0" * 400]
)
def test_a_broken_file_is_put_aside_and_made_anew(tmp_path, broken):
    (tmp_path / FILE).write_bytes(broken)
    cache = VectorCache(tmp_path)
    cache.put(rows(2))
    cache.put(rows(2))
    require_same(cache.get([b"0", b"1"]), rows(2))
    assert (tmp_path / f"{FILE}.broken").read_bytes() == broken


def test_a_page_that_breaks_later_costs_what_was_kept_and_no_more(tmp_path):
    cache = VectorCache(tmp_path)
    cache.put(rows(500))
    content = bytearray((tmp_path / FILE).read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / FILE).write_bytes(content)
    assert set(cache.get(list(rows(500)))) <= set(rows(500))
    cache.put(rows(3))
    require_same(VectorCache(tmp_path).get([b"0", b"1", b"2"]), rows(3))


def test_a_folder_that_cannot_be_made_is_only_slower(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = VectorCache(tmp_path / "file" / "below")
    cache.put(rows(1))
    assert cache.get([b"0"]) == {}


def test_numbers_that_are_none_are_not_believed(tmp_path):
    cache = VectorCache(tmp_path)
    cache.put({b"a": (np.array([np.nan, 1], np.float32), False), **rows(1)})
    assert set(cache.get([b"a", b"0"])) == {b"0"}


def test_several_processes_share_one_file(tmp_path):
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from transrec_core.content.vector_cache import VectorCache\n"
        "cache, first = VectorCache(Path(sys.argv[1])), int(sys.argv[2])\n"
        "for n in range(first, first + 40):\n"
        "    cache.put({str(n).encode(): (np.full(8, n, np.float32), n % 2 == 0)})\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(first)])
        for first in (0, 20)
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    require_same(VectorCache(tmp_path).get(list(rows(60))), rows(60))


def test_the_folder_is_the_operators_choice(monkeypatch, tmp_path):
    monkeypatch.setenv("TRANSREC_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.setenv("TRANSREC_CACHE", "OFF")
    assert default_folder() is None
    monkeypatch.delenv("TRANSREC_CACHE")
    assert isinstance(default_folder(), Path)
    assert places.OFF == "off"
