"""Parquet files of a few KB that unpack to gigabytes, and files as they are."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transrec_core.data import read_table
from transrec_core.data.formats import FileFormat
from transrec_core.data.parquet import ParquetReader, _pages
from transrec_core.data.records import as_text, empty_cells, shortened

MIB = 2**20
# Makes each bomb, reads it as a table, as ratings and as titles, and says what it took.
CHILD = """
import io, json, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from transrec_core.data.formats import FileFormat
from transrec_core.errors import TransrecError

def coded(text, rows):
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [text])

def file(columns, **how):
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, compression="zstd", **how)
    return stream.getvalue()

def ratings(rows, **more):
    return {"user": coded("u1", rows), "item": coded("i1", rows), **more}

LONG, ROWS = "a" * 100_000, 5000
BOMBS = {
    "one long text": lambda: file(ratings(ROWS, note=coded(LONG, ROWS))),
    "one long user": lambda: file({"user": coded(LONG, ROWS), "item": coded("i1", ROWS)}),
    "one long time": lambda: file(ratings(ROWS, time=coded(LONG, ROWS))),
    "many row groups": lambda: file(ratings(ROWS, note=coded(LONG, ROWS)), row_group_size=200),
    "text of 60 MB": lambda: file(ratings(9, note=coded("a" * 60_000_000, 9))),
    "many rows": lambda: file({"user": coded("u", 6_000_000)}, row_group_size=6_000_000),
    "texts by what they share": lambda: file(
        {"user": ["u1"] * ROWS, "item": ["i1"] * ROWS, "note": [LONG] * ROWS},
        use_dictionary=False, column_encoding={"note": "DELTA_BYTE_ARRAY"},
    ),
    "texts of one length": lambda: file(
        ratings(ROWS, note=pa.array([LONG.encode()] * ROWS, pa.binary(len(LONG))))
    ),
    "one long list": lambda: file(
        ratings(2, note=pa.ListArray.from_arrays([0, 1, 30_000_000], np.zeros(30_000_000, np.int8)))
    ),
    "lists of one long text": lambda: file(
        ratings(40, note=pa.ListArray.from_arrays(
            np.arange(41, dtype=np.int32) * 200, pa.array(["b" * 50_000] * 8000)))
    ),
    "many columns": lambda: file({f"c{n}": coded(LONG, 40) for n in range(500)}),
}

def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

for bomb, make in BOMBS.items():
    content = make()
    for how in ("table", "check", "items"):
        with open("/proc/self/clear_refs", "w") as reset:
            reset.write("5")
        before = status("VmRSS")
        try:
            found = getattr(FileFormat(), how)(content, "x")
            said = "read" if getattr(found, "usable", True) else found.problems[0].code
        except TransrecError as error:
            said = error.report.problems[0].code
        taken = status("VmHWM") - before
        print(json.dumps([bomb, how, len(content), taken, said]), flush=True)
"""
REFUSED = {"TOO_LARGE", "CELL_TOO_LONG"}


@pytest.fixture(scope="module")
def bombs() -> dict[tuple[str, str], tuple[int, int, str]]:
    """Bytes of each file, bytes of memory that reading it took, and what was said."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process can only be reset on Linux")
    limited = {**os.environ, "TRANSREC_LIMIT_MEMORY": "256M"}
    ran = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=False, env=limited
    )
    assert ran.returncode == 0, ran.stderr
    told = map(json.loads, ran.stdout.splitlines())
    return {(bomb, how): (size, taken, said) for bomb, how, size, taken, said in told}


def test_a_small_file_takes_no_more_memory_than_it_may(bombs):
    assert len(bombs) == 33
    for (bomb, how), (size, taken, said) in bombs.items():
        assert size < MIB, bomb
        assert taken < 256 * MIB, f"{bomb} as {how} took {taken / MIB:.0f} MiB"
        assert said == "read" or said in REFUSED, (bomb, how, said)


def test_bombs_in_columns_that_ratings_do_not_need_are_left_alone(bombs):
    for bomb in ("one long text", "one long time", "many row groups", "one long list"):
        assert bombs[bomb, "check"][2] == "read", bomb
    for bomb in ("text of 60 MB", "one long list", "lists of one long text", "many columns"):
        assert bombs[bomb, "table"][2] in REFUSED, bomb
        assert bombs[bomb, "items"][2] in REFUSED, bomb


def written(table: pa.Table, **how: object) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **how)
    return stream.getvalue()


TEXTS = ["é", None, "", "x" * 40, "1", "é"] * 50


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", [None, "PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_texts_are_read_however_they_are_encoded(compression, version, encoding):
    table = pa.table({"user": TEXTS, "item": pa.array(TEXTS, pa.large_string()), "n": range(300)})
    chosen = None if encoding is None else {"user": encoding, "item": encoding}
    content = written(
        table,
        compression=compression,
        data_page_version=version,
        row_group_size=70,
        use_dictionary=encoding is None,
        column_encoding=chosen,
    )
    frame = read_table(content).frame
    assert frame["user"].tolist() == [text or "" for text in TEXTS]
    assert frame["item"].tolist() == frame["user"].tolist()
    assert frame["n"].tolist() == [str(n) for n in range(300)]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_sizes_are_those_of_the_pages_whatever_the_footer_says(version):
    texts = pa.array([f"text {n % 5000}" for n in range(40_000)])
    content = written(
        pa.table({"text": texts}), data_page_version=version, data_page_size=4096,
        dictionary_pagesize_limit=10_000, compression="zstd",
    )  # fmt: skip
    chunk = pq.read_metadata(io.BytesIO(content)).row_group(0).column(0)
    lying = SimpleNamespace(
        data_page_offset=chunk.data_page_offset,
        dictionary_page_offset=chunk.dictionary_page_offset,
        total_compressed_size=chunk.total_compressed_size,
        num_values=chunk.num_values,
        total_uncompressed_size=1,
    )
    pages = _pages(io.BytesIO(content), lying)
    assert pages.values == 40_000
    assert 10_000 <= pages.dictionary < 30_000
    unpacked = pages.dictionary + pages.total
    assert 0.9 * chunk.total_uncompressed_size < unpacked <= chunk.total_uncompressed_size


@pytest.mark.parametrize("seed", range(40))
def test_damaged_pages_are_refused_in_words(seed):
    rng = np.random.default_rng(seed)
    content = bytearray(written(pa.table({"user": TEXTS, "item": TEXTS, "n": range(300)})))
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for at in rng.integers(4, footer if seed % 2 else len(content) - 8, 20):
        content[at] = rng.integers(256)
    report = FileFormat().check(bytes(content), "x")
    known = ("DAMAGED_FILE", "TOO_LARGE", "NO_ROWS", "NOT_A_TABLE")
    assert report.usable or report.problems[0].code in known


def test_rows_of_long_texts_come_in_small_batches(monkeypatch):
    monkeypatch.setenv("TRANSREC_LIMIT_MEMORY", "64M")
    texts = pa.array([f"{n:05d}" + "x" * 50_000 for n in range(300)])
    content = written(pa.table({"text": texts}), use_dictionary=False, compression="zstd")
    rows = [batch.num_rows for batch in ParquetReader(io.BytesIO(content), "x").batches(0)]
    assert sum(rows) == 300
    assert max(rows) * 50_000 <= 4 * MIB


def test_encoded_texts_stay_encoded():
    cells = pa.chunked_array([pa.array(["a" * 500, None, "", "b"]).dictionary_encode()])
    text = as_text(cells, "x")
    assert pa.types.is_dictionary(text.type)
    assert text.to_pylist() == ["a" * 500, "", "", "b"]
    assert empty_cells(text).tolist() == [False, True, True, False]
    assert shortened(text, 3).to_pylist() == ["aaa", "", "", "b"]
