"""Large tables of numbers and short texts: read as the other parsers read them, only faster."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transrec_core.data import plain, read_table, to_ratings
from transrec_core.data.interactions import Encoded
from transrec_core.data.plain import parse_plain
from transrec_core.errors import TransrecError

BLOCKS = (128, plain.BLOCK)


def outcome(source, how, **settings):
    """All that reading gives: cells, report, hash and lines, ratings and matrix, or the error."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setattr(f"transrec_core.{name}", value)
        try:
            table = read_table(source, **how)
        except TransrecError as error:
            return str(error), error.report
        lines = table.lines_of(np.arange(len(table.cells)))
        found = [table.frame.to_dict("list"), table.report, table.sha256, lines]
        try:
            ratings = to_ratings(table)
        except TransrecError as error:
            return [*found, str(error)]
        domain = ratings.interactions()
        times = None if domain.times is None else domain.times.tolist()
        return [
            *found,
            ratings.report,
            ratings.frame.dtypes.to_dict(),
            repr(ratings.frame.to_dict("list")),
            domain.users.tolist(),
            domain.items.tolist(),
            domain.matrix.dtype,
            domain.matrix.data.tolist(),
            domain.matrix.indices.tolist(),
            domain.matrix.indptr.tolist(),
            repr(times),
            domain.explicit,
        ]


def large(block: int = plain.BLOCK) -> dict[str, int]:
    """Read every file as a large one."""
    return {
        "data.parsing.LARGE": 0,
        "data.reading.LARGE": 0,
        "data.interactions.MANY_ROWS": 0,
        "threads.LEAST_ROWS": 1,
        "data.plain.BLOCK": block,
    }


SMALL = st.integers(0, 30).map(str)
TIME = st.integers(10**9, 10**9 + 10**8).map(str)
STARS = st.sampled_from(["5", "4.5", "3", "0.5", "4,5"])
WIDE = st.sampled_from(
    ["2147483647", "2147483648", "9" * 18, "1" + "0" * 18, "9223372036854775808"]
)
ODD = st.sampled_from(
    ["", "0", "00", "01", "1", "+1", "-1", "-0", " 1", "1 ", "1e3", "0x1F", "1_0", "１", "é", "NA",
     "u1", "abcdefg", "abcdefgh", '"1"', '"a""b"', 'a"b', '"', '"1,2"', "\t", "\x7f", "\x00"]
)  # fmt: skip
CELLS = st.sampled_from([SMALL, SMALL, TIME, STARS, SMALL | WIDE, SMALL | ODD, TIME | st.just("")])


@st.composite
def texts(draw) -> str:
    """Tables that are mostly plain and sometimes break one of its rules."""
    width = draw(st.integers(1, 4))
    columns = [draw(CELLS) for _ in range(width)]
    delimiter = draw(st.sampled_from([",", "\t", ";", "|"]))
    row = st.tuples(*columns).map(delimiter.join)
    rows = draw(st.lists(row, min_size=1, max_size=12))
    names = ["userId", "movieId", "rating", "timestamp"][:width]
    head = draw(
        st.sampled_from(
            [[], [delimiter.join(names)], [delimiter.join(f'"{name}"' for name in names)]]
        )
    )
    if draw(st.integers(0, 9)) == 0:
        rows.insert(
            draw(st.integers(0, len(rows))),
            draw(st.sampled_from(["", delimiter * (width - 1), "1", delimiter * width])),
        )
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    return end.join(head + rows) + draw(st.sampled_from([end, end, "", "\r", end * 2]))


@example("\r\n0\r\n", 128, True)
@example("\n0\n1\n", 128, True)
@given(texts(), st.sampled_from(BLOCKS), st.sampled_from([None, True, False]))
def test_any_table_is_read_as_by_the_other_parsers(tmp_path_factory, text, block, header):
    content = text.encode()
    path = tmp_path_factory.getbasetemp() / "ratings.csv"
    path.write_bytes(content)
    how = {"header": header, "name": "ratings.csv"}
    expected = outcome(content, how)
    assert outcome(content, how, **large(block)) == expected
    assert outcome(path, how, **large(block)) == expected


ROWS = [f"{n % 7},{n * 31 % 11},{n % 10 / 2},{10**9 + n * 10**6}" for n in range(400)]


def test_large_files_of_ratings_are_read_so(tmp_path, monkeypatch):
    """Nothing else compares anything if the other parsers read all files."""
    path = tmp_path / "ratings.csv"
    path.write_text("userId,movieId,rating,timestamp\n" + "\n".join(ROWS))
    expected = outcome(path, {})
    monkeypatch.setattr("transrec_core.data.parsing._parse_clean", None)
    for block in BLOCKS:
        assert outcome(path, {}, **large(block)) == expected
        assert outcome(path.read_bytes(), {"name": path.name}, **large(block)) == expected


@pytest.mark.parametrize(
    "cell",
    ["00", "01", "007", "+1", "-1", "-0", " 1", "1 ", "1.0", "1e3", "0x1F", "1_0", "NA", "9" * 18,
     "1" + "0" * 18, "9223372036854775808", "2147483648", "", '"1"', "１", "é"],
)  # fmt: skip
@pytest.mark.parametrize("at", [0, 20, 39])
def test_one_odd_id_among_numbers_stays_as_it_is_written(cell, at, tmp_path):
    rows = [f"{n % 7},{n},5" for n in range(40)]
    rows[at] = f"{cell},{at},5"
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join(["userId,movieId,rating", *rows, ""]))
    assert outcome(path, {}, **large()) == outcome(path, {})


@pytest.mark.parametrize(
    "text",
    ["user,item\r1,2\n3,4\n", '"user"x,item\n1,2\n', '"user\nid",item\n1,2\n', "{}\n1\n2\n",
     "user,item", "user,item\n", "\n1,2\n", ",\n1,2\n", "\ufeffuser,item\n1,2\n", "%PDF,1\n1,2\n",
     "PK\x03\x04,1\n1,2\n", "made by me\nuser,item\n1,2\n", "user::item\n1::2\n"],
)  # fmt: skip
def test_an_odd_first_line_is_noticed(text, tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_bytes(text.encode())
    assert outcome(path, {}, **large()) == outcome(path, {})


def columns(text: str, width: int, monkeypatch, block: int = plain.BLOCK):
    monkeypatch.setattr(plain, "BLOCK", block)
    return parse_plain(text.encode(), ",", width, False)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_column_may_turn_out_otherwise_in_its_last_row(block, monkeypatch):
    rows = [f"{n},{n % 5}" for n in range(300)]
    for last, kind in (("1,3", "int32"), ("1,2147483648", "int64"), ("1,4.5", "dictionary")):
        first, second = columns("\n".join([*rows, last]), 2, monkeypatch, block)
        assert len(first) == len(second) == 301
        assert first[7].as_py() == "7"
        assert kind in str(second.type)
        assert str(second[300].as_py()) == last[2:]
    stars = columns("\n".join([*rows, "1,4.5 stars"]), 2, monkeypatch, block)[1]
    assert stars[300].as_py() == "4.5 stars"
    assert columns("\n".join([*rows, "1,"]), 2, monkeypatch, block)[1][300].as_py() == ""


def test_many_different_texts_are_left_to_the_other_parsers(monkeypatch):
    most = plain.MOST_TEXTS
    rows = [f"1,t{n % most}" for n in range(3 * most)]
    read = columns("\n".join(rows), 2, monkeypatch)
    assert [f"1,{text}" for text in read[1].to_pylist()] == rows
    assert columns("\n".join([*rows, "1,new"]), 2, monkeypatch) is None
    assert columns("\n".join([*rows, "1,new"]), 2, monkeypatch, block=128) is None


def test_whole_numbers_that_hardly_repeat_stay_numbers(monkeypatch):
    sparse, dense = columns("0,10\n2000000000,9\n77,9\n", 2, monkeypatch)
    assert sparse.to_pylist() == [0, 2_000_000_000, 77]
    assert dense.to_pylist() == ["10", "9", "9"]
    assert dense.chunk(0).dictionary.to_pylist() == ["10", "9"]  # sorted as texts


def test_a_file_that_changes_while_it_is_read_is_no_plain_one(tmp_path, monkeypatch):
    path = tmp_path / "ratings.csv"
    path.write_text("1,2\n" * 50)
    read = plain._read

    def grown(*parts):
        found = read(*parts)
        if parts[0] == path:
            path.write_text("1,2\n1,22\n" * 25)
        return found

    monkeypatch.setattr(plain, "_read", grown)
    assert parse_plain(path, ",", 2, False) is None


@pytest.mark.parametrize("text", ["1,2\r3,4\n", "1,2\r\n3,4\n", "01,2\n3,4\r\n", "1,2\n\n3,4"])
def test_lines_that_end_otherwise_are_left_to_the_other_parsers(text):
    assert parse_plain(text.encode(), ",", 2, False) is None
    for end in ("\n", "\r\n"):
        assert parse_plain(f"1,2{end}3,4{end}".encode(), ",", 2, False) is not None
    assert parse_plain(b"1,2\n3,4", ",", 2, False) is not None


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 300, 70_000]), st.integers(1, 4))
def test_many_rows_are_arranged_as_few_ones_are(seed, n_items, n_users):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 400))
    user_codes = np.unique(random.integers(0, n_users, n), return_inverse=True)[1].astype(np.int32)
    items, item_codes = np.unique(
        random.integers(0, n_items, n) ** 2 % n_items, return_inverse=True
    )
    if n_items == 70_000:  # codes of three bytes, without that many rows
        item_codes, items = items[item_codes], range(n_items)
    rows = Encoded(
        pd.RangeIndex(user_codes.max() + 1), pd.RangeIndex(len(items)),
        user_codes, item_codes.astype(np.int32), None, None,
    )  # fmt: skip
    expected = rows.positions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transrec_core.data.interactions.MANY_ROWS", 0)
        patch.setattr("transrec_core.threads.LEAST_ROWS", 1)
        found = replace(rows).positions
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
        assert getattr(found, part).dtype == getattr(expected, part).dtype
