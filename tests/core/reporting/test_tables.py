"""Tables as files: exact, harmless in a spreadsheet, whole or not at all."""

import csv
import io
import json
import os

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import POSIX
from profiles import scale

from transrec_core.errors import BadSettingError
from transrec_core.reporting import table_bytes, tables, write_table
from transrec_core.reporting.saving import write_atomically

FRAME = pd.DataFrame(
    {"user_id": ["001", "=1+1"], "item_id": ["-5", "x"], "rank": [1, 2], "score": [-0.5, 0.25],
     "method": ["factor_map", "popularity"], "title": ["@cmd, \"q\"", "Zoé\nTwo"]}
)  # fmt: skip


def _read_csv(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)


def test_csv_disarms_text_and_leaves_numbers():
    back = _read_csv(table_bytes(FRAME, "csv"))
    assert back["user_id"].tolist() == ["001", "'=1+1"]
    assert back["item_id"].tolist() == ["'-5", "x"]
    assert back["score"].tolist() == ["-0.5", "0.25"]
    assert back["title"].tolist() == ['\'@cmd, "q"', "Zoé\nTwo"]


ASCII_TRIGGERS, WIDE_TRIGGERS = "=+-@", "＝＋－＠﹦﹢﹣﹫"
STARTS = [*ASCII_TRIGGERS, *WIDE_TRIGGERS, "\t", "\r", "\n"]
BEFORE = ["", " ", "\u00a0", "\u3000", "\ufeff", "\u200b", '"', "\t "]
PLACES = ["user_id", "title", "header"]


def _cells(frame: pd.DataFrame, *, raw: bool = False) -> list[list[str]]:
    content = table_bytes(frame, "csv", raw=raw).decode()
    return list(csv.reader(io.StringIO(content, newline="")))


def _with(text: str, place: str) -> pd.DataFrame:
    if place == "header":
        return FRAME.rename(columns={"title": text})
    return FRAME.assign(**{place: text})


def _texts(rows: list[list[str]]) -> list[str]:
    numbers = {rows[0].index("rank"), rows[0].index("score")}
    return [cell for row in rows for i, cell in enumerate(row) if i not in numbers]


def _runs(cell: str) -> bool:
    """What a spreadsheet may do with a cell, told without the expression that is tested."""
    for separator in ("", ";", "\t", "\r", "\n"):
        for place, piece in enumerate(cell.split(separator) if separator else [cell]):
            opened = piece.lstrip(' \t\r\n"\ufeff\u200b')
            if opened[:1] in tuple(ASCII_TRIGGERS + WIDE_TRIGGERS):
                return True
            if place == 0 and piece[:1] in ("\t", "\r", "\n"):
                return True
    return False


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "start", [*STARTS, *(b + t for b in BEFORE[1:] for t in ASCII_TRIGGERS + WIDE_TRIGGERS)]
)
def test_every_way_to_start_a_formula_gets_a_quote(start, place):
    text = f"{start}1"
    rows = _cells(_with(text, place))
    assert not any(map(_runs, _texts(rows)))
    cell = next(cell for cell in _texts(rows) if cell.replace("'", "") == text)
    assert cell.startswith("'")


@pytest.mark.parametrize(
    "inside", ["a;=1+1", "a\t=1+1;b", "a\n+1", "a\r\n@x", 'a;"=1+1;b', "a; ＝1"]
)
def test_a_formula_behind_another_separator_gets_a_quote(inside):
    rows = _cells(FRAME.assign(title=inside))
    assert not any(map(_runs, _texts(rows)))
    assert rows[1][-1].replace("'", "") == inside


@settings(max_examples=scale(50))
@given(
    st.text(st.sampled_from("=+-@\t\r\n;,\"' ＝a1"), max_size=8)
    | st.tuples(
        st.sampled_from(STARTS),
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=10),
    ).map("".join),
    st.sampled_from(PLACES),
)  # fmt: skip
def test_no_cell_or_header_of_a_csv_starts_a_formula(text, place):
    if place == "header" and text in FRAME.columns:
        return
    frame = _with(text, place)
    rows = _cells(frame)
    assert not any(map(_runs, _texts(rows)))
    # As many rows and columns as there were, and the same texts but for the quotes.
    originals = [list(frame.columns), *frame.astype(str).to_numpy().tolist()]
    assert [[cell.replace("'", "") for cell in row] for row in rows] == [
        [cell.replace("'", "") for cell in row] for row in originals
    ]


@given(st.sets(st.text(st.sampled_from("=;'\" \ta"), max_size=5), min_size=2))
def test_different_ids_stay_different(ids):
    frame = pd.DataFrame({"user_id": sorted(ids)})
    cells = [row[0] if row else "" for row in _cells(frame)[1:]]
    assert len(set(cells)) == len(ids)


def test_ordinary_text_is_left_alone():
    texts = [
        "001",
        "a-b",
        "2 + 2 = 4",
        "mail@example.org",
        "x; y",
        "Zoé",
        "O'Neil",
        "'tis",
        "−5",
        "",
    ]
    frame = pd.DataFrame({"item_id": range(len(texts)), "title": texts})
    assert [row[1] for row in _cells(frame)[1:]] == texts


@pytest.mark.parametrize("text", ["=1+1", "-5", "\tx", "a;=1", "\r", "＝1", 'say "=1"'])
@pytest.mark.parametrize("place", PLACES)
def test_raw_csv_holds_text_as_it_is(text, place):
    rows = _cells(_with(text, place), raw=True)
    assert text in _texts(rows)
    assert rows[1][1] == "-5"


def test_json_and_parquet_hold_the_text_as_it_is():
    records = json.loads(table_bytes(FRAME, "json"))
    assert records == FRAME.to_dict("records")
    back = pd.read_parquet(io.BytesIO(table_bytes(FRAME, "parquet")))
    assert back.to_dict("records") == FRAME.to_dict("records")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".json", ".CSV"])
def test_the_ending_chooses_the_format(tmp_path, ending):
    path = tmp_path / f"recs{ending}"
    write_table(FRAME, path)
    assert path.read_bytes() == table_bytes(FRAME, ending.lower()[1:])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(BadSettingError, match=r"recs\.xlsx"):
        write_table(FRAME, tmp_path / "recs.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["write", "fsync", "chmod", "replace"])
def test_a_failure_at_any_step_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    if step == "write":
        opened = os.fdopen

        class Full(io.BytesIO):
            def __init__(self, descriptor, *_):
                super().__init__()
                opened(descriptor, "wb").close()

            write = fail

        monkeypatch.setattr(os, "fdopen", Full)
    else:
        monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


@POSIX
def test_an_existing_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "out.csv"
    write_atomically(path, b"a")
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    path.chmod(0o640)
    write_atomically(path, b"b")
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes() == b"b"


def parts_of(frame, size):
    return lambda: (frame.iloc[n : n + size] for n in range(0, max(len(frame), 1), size))


LISTS = pd.DataFrame(
    {
        "user_id": [f"u{n // 3}" for n in range(40)],
        "item_id": [("=1+1", "a,b", 'a"b', "é", "n\nl", "NA")[n % 6] for n in range(40)],
        "rank": [n % 3 + 1 for n in range(40)],
        "score": [1 / (n + 3) for n in range(40)],
    }
)
RETURN = LISTS.assign(item_id=[*LISTS["item_id"][:-1], "a\rb"])


@pytest.mark.parametrize("frame", [LISTS, RETURN, LISTS.iloc[:0]], ids=["plain", "return", "empty"])
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_table_in_parts_is_written_as_a_whole_one(frame, raw, size, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PART_ROWS", size)
    for kind in ("csv", "json", "parquet"):
        whole, parted = tmp_path / f"whole.{kind}", tmp_path / f"parted.{kind}"
        write_table(frame, whole, raw=raw)
        tables.write_parts(parts_of(frame, size), parted, raw=raw)
        if kind == "parquet":
            pd.testing.assert_frame_equal(pd.read_parquet(parted), pd.read_parquet(whole))
        else:
            assert parted.read_bytes() == whole.read_bytes()


def test_a_part_that_fails_leaves_the_table_as_it_was(tmp_path):
    path = tmp_path / "lists.csv"
    path.write_text("before")

    def parts():
        yield LISTS
        raise MemoryError

    with pytest.raises(MemoryError):
        tables.write_parts(parts, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
