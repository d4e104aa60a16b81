"""Tables as files: exact, harmless in a spreadsheet, whole or not at all."""

import csv
import io
import json
import os

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transrec_core.errors import BadSettingError
from transrec_core.reporting import table_bytes, write_table
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


@settings(max_examples=300)
@given(
    st.sampled_from(["=", "+", "-", "@", "\t", "\r"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=10),
    st.sampled_from(["user_id", "title", "header"]),
)
def test_no_cell_or_header_of_a_csv_starts_a_formula(trigger, rest, place):
    text = trigger + rest
    frame = (
        FRAME.rename(columns={"title": text})
        if place == "header"
        else FRAME.assign(**{place: text})
    )
    content = table_bytes(frame, "csv").decode()
    rows = list(csv.reader(io.StringIO(content, newline="")))
    numbers = {rows[0].index("rank"), rows[0].index("score")}
    for row in rows:
        for i, cell in enumerate(row):
            if i not in numbers:
                assert cell[:1] not in tuple("=+-@\t\r")
    assert any(cell == "'" + text for row in rows for cell in row)


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
