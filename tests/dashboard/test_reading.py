"""Files are read in a process of their own: what goes wrong there ends that process alone."""

import io
import os
import signal
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stand_ins import (
    end_the_process,
    end_whatever_is_written,
    fail_unforeseen,
    fill_memory,
    fill_memory_by_system,
    process_number,
    read_limits,
)

from dashboard import compute, reading
from dashboard.jobs import Workspace
from dashboard.reading import ReadingError, read_apart
from transrec_core.data.formats import FileFormat
from transrec_core.data.ratings import read_ratings
from transrec_core.errors import TooLargeError, UnreadableFileError
from transrec_core.limits import MIB, Limits
from transrec_core.system import process_memory

ROWS = b"user_id,item_id,rating,timestamp\nann,1,4,10\nbob,2,5,20\nann,2,1,30\n"


@pytest.fixture(autouse=True, scope="module")
def no_reader_left() -> Iterator[None]:
    yield
    reading.READERS.close()


def test_what_is_read_apart_is_what_is_read_here(sample_data) -> None:
    content = (sample_data / "books.csv").read_bytes()
    found = read_apart(reading.read_ratings_file, content, "books.csv", FileFormat())
    here = read_ratings(content, name="books.csv")
    assert found.refusal is None
    assert found.ratings.report == here.report
    one, other = found.ratings.interactions(), here.interactions()
    assert (one.matrix != other.matrix).nnz == 0
    pd.testing.assert_index_equal(one.users, other.users)
    np.testing.assert_array_equal(one.times, other.times)
    # Arrays come back writable, as they are where a file is read in the same process.
    assert one.matrix.data.flags.writeable


def test_the_next_file_is_read_by_the_same_process() -> None:
    assert read_apart(process_number, b"", "a") == read_apart(process_number, b"", "b")
    assert read_apart(process_number, b"", "a") != os.getpid()


def test_a_refusal_is_the_same_with_its_report() -> None:
    before = read_apart(process_number, b"", "a")
    with pytest.raises(UnreadableFileError) as refused:
        read_apart(reading.read_ratings_file, b"\x89PNG\r\n\x1a\n" * 9, "cat.csv", FileFormat())
    assert refused.value.report.problems[0].code == "NOT_A_TABLE"
    assert read_apart(process_number, b"", "a") == before


@pytest.mark.parametrize("fill", [fill_memory, fill_memory_by_system])
def test_what_takes_too_much_memory_ends_its_process_alone(fill, monkeypatch) -> None:
    before = read_apart(process_number, b"", "a")
    held = process_memory()
    monkeypatch.setenv("TRANSREC_LIMIT_MEMORY", "300M")
    with pytest.raises(TooLargeError, match=r"Reading bomb\.parquet would .* than the 300 MiB"):
        read_apart(fill, b"", "bomb.parquet", 2000 * MIB)
    assert process_memory() - held < 50 * MIB
    monkeypatch.delenv("TRANSREC_LIMIT_MEMORY")
    assert read_apart(process_number, b"", "a") != before


def test_a_large_file_leaves_no_large_process(monkeypatch) -> None:
    monkeypatch.setattr(reading, "MAX_KEPT_MEMORY", 1)
    before = read_apart(process_number, b"", "a")
    assert read_apart(process_number, b"", "a") != before


@pytest.mark.parametrize(
    ("how", "said"),
    [
        pytest.param(
            -signal.SIGABRT,
            f"signal {int(signal.SIGABRT)}",
            marks=pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals"),
        ),
        (3, "exit code 3"),
    ],
)
def test_a_decoder_that_crashes_is_told_of_and_the_next_file_is_read(how, said) -> None:
    with pytest.raises(UnreadableFileError, match=rf"odd\.csv brought down .*{said}"):
        read_apart(end_the_process, b"", "odd.csv", how)
    found = read_apart(reading.read_ratings_file, ROWS, "films.csv", FileFormat())
    assert found.table.report.rows == 3


def test_a_fault_of_the_program_has_an_id_and_keeps_the_data_out_of_the_log(capfd) -> None:
    reading.READERS.close()  # a process writes where errors went when it was started
    with pytest.raises(ReadingError) as met:
        read_apart(fail_unforeseen, b"", "films.csv", "ada@example.org")
    log = capfd.readouterr().err
    assert f"error {met.value.reference} while a file was read" in log
    assert "fail_unforeseen" in log
    assert "ada@example.org" not in log


def test_the_servers_limits_hold_there_too(monkeypatch) -> None:
    read_apart(process_number, b"", "a")
    monkeypatch.setenv("TRANSREC_LIMIT_COLUMNS", "7")
    monkeypatch.setenv("TRANSREC_LIMIT_IDLE_HOURS", "0.5")
    assert read_apart(read_limits, b"", "a").columns == 7
    assert read_apart(read_limits, b"", "a").idle_hours == 0.5
    monkeypatch.undo()
    assert read_apart(read_limits, b"", "a").columns == Limits.current().columns


def test_a_file_that_brings_its_process_down_leaves_the_page_as_it_was(
    workspace: Workspace, monkeypatch
) -> None:
    assert compute.load_side(workspace, "source", ROWS, "films.csv")
    monkeypatch.setattr("dashboard.compute.loading.read_ratings_file", end_whatever_is_written)
    assert not compute.load_side(workspace, "source", ROWS, "odd.csv")
    assert workspace.source is not None
    assert workspace.source.name == "films.csv"
    assert "brought down the process" in workspace.refused["source"].message


def test_a_bomb_of_a_few_kilobytes_is_refused(workspace: Workspace, monkeypatch) -> None:
    text = pa.array(["x" * 1000])
    rows = 3_000_000
    codes = pa.array(np.zeros(rows, np.int32))
    table = pa.table({"user": pa.DictionaryArray.from_arrays(codes, text), "item": codes})
    stream = io.BytesIO()
    pq.write_table(table, stream, row_group_size=rows)
    monkeypatch.setenv("TRANSREC_LIMIT_MEMORY", "400M")
    monkeypatch.setenv("TRANSREC_LIMIT_UNPACK_RATIO", "1000000")
    held = process_memory()
    loaded = compute.load_side(workspace, "source", stream.getvalue(), "bomb.parquet")
    assert process_memory() - held < 400 * MIB
    # Either it is read within the limit, or it is refused for its size.
    assert loaded or "memory" in workspace.refused["source"].message
