"""Files that are read block by block: the same report and the same matrix as at once."""

import gzip
import hashlib
import io
import json
import lzma
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from transrec_core import cli
from transrec_core.data import blocks, growing, read_ratings, read_table, streaming, to_ratings
from transrec_core.data.mapping import amended
from transrec_core.data.streaming import read_rated, stream_table
from transrec_core.errors import (
    BadRatingsError,
    BadSettingError,
    TransrecError,
    UnreadableFileError,
)

HEAD = "user_id,item_id,rating,timestamp"


@pytest.fixture
def small(monkeypatch):
    """Blocks, pieces and batches so small that a little file has many."""
    monkeypatch.setattr(blocks, "BLOCK", 64)
    monkeypatch.setattr(blocks, "PIECE", 200)
    monkeypatch.setattr(growing, "LEAST_PENDING", 3)
    monkeypatch.setattr("transrec_core.data.parquet.BATCH_ROWS", 7)


def outcome(read, file, named=None, duplicates="last", **how):
    """All that reading gives: report, hash, ratings' report and matrix, or the error."""
    try:
        table = read(file, name="ratings.csv", **how)
    except (UnreadableFileError, BadSettingError) as error:
        return str(error), getattr(error, "report", None)
    mapping = amended(table.report.mapping, named or {})
    try:
        ratings = to_ratings(table, mapping, duplicates=duplicates)
    except TransrecError as error:
        return table.report, table.sha256, str(error)
    domain = ratings.interactions()
    arrays = [domain.matrix.data, domain.matrix.indices, domain.matrix.indptr]
    return (
        table.report, table.sha256, ratings.report, domain.fingerprint, domain.explicit,
        domain.times is None, [str(array.dtype) for array in arrays], str(domain.users.dtype),
    )  # fmt: skip


def assert_same(file, named=None, **how):
    found = outcome(lambda f, **h: stream_table(f, named, **h), file, named, **how)
    assert found == outcome(read_table, file, named, **how)
    return found


IDS = st.sampled_from(["1", "2", "3", "01", "u1", "é", "é", "9.78E+12", " 1", "", "NA", "x" * 40])
STARS = st.sampled_from(["5", "4.5", "3", "0", "4,5", "NA", "", "1e400"])
TIMES = st.sampled_from(
    ["1600000000", "1600000000123", "2020-09-13", "2020-09-13T12:26:40.5Z", "soon", "", "-5",
     "9" * 18, "1e9", "160000000000000000"]
)  # fmt: skip
NOTES = st.sampled_from(
    ["", "fine", "a\nb", "a\r\nb,c", 'she said "no"', "1,2,3,4,5\n1,2,3,4,5\n1,2,3,4,5", "\\"]
)


@st.composite
def texts(draw) -> str:
    """Tables of ratings, mostly as they should be."""
    delimiter = draw(st.sampled_from([",", ",", "\t", ";", "|"]))
    quoted = draw(st.booleans())

    def cell(text: str) -> str:
        if quoted or any(mark in text for mark in '"\n\r' + delimiter):
            return '"' + text.replace('"', '""') + '"'
        return text

    row = st.tuples(IDS, IDS, STARS, TIMES, NOTES).map(lambda r: delimiter.join(map(cell, r)))
    rows = draw(st.lists(row, min_size=1, max_size=40))
    if draw(st.integers(0, 4)) == 0:
        rows.insert(
            draw(st.integers(0, len(rows))),
            draw(st.sampled_from(["", "1", delimiter * 4, '1"2', '"', 'a"b,c', "# no"])),
        )
    head = delimiter.join(["userId", "movieId", "rating", "timestamp", "note"])
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    return end.join([head, *rows]) + draw(st.sampled_from([end, "", end * 2]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("userId\tmovieId\n" + "a\tb\n" * 30 + '"\t1\n', "utf-8", "last")
@example('userId,movieId\na,"b\\"c"\n' + "a,b\n" * 40, "utf-8", "mean")
@given(
    texts(),
    st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["last", "mean", "refuse"]),
)
def test_any_table_is_read_as_at_once(small, text, encoding, duplicates):
    assert_same(text.encode(encoding), duplicates=duplicates)


@pytest.mark.parametrize("encoding", ["cp1252", "gb18030", "utf-16-le", "utf-8", "no-such", "hex"])
@pytest.mark.parametrize(
    "content",
    [
        "user,item\nJosé,x\n".encode() * 40,
        "user,item\nJosé,x\n".encode("cp1252") * 40,
        b"user,item\n" + b"1,2\n" * 90 + b"\xff\xff,2\n",
        b"user,item\n" + b"1,2\n" * 90 + b"a\0b,2\n",
        b"\xff\xfe",
        "user,item\nJosé,x\n".encode("utf-16-le") * 20,
    ],
)
@pytest.mark.parametrize("asked", [True, False])
def test_encodings_are_decoded_or_refused_as_at_once(small, content, encoding, asked):
    assert_same(content, encoding=encoding if asked else None)


def rows_of(count: int) -> list[str]:
    return [f"u{n % 17},i{n * 31 % 11},{n % 10 / 2},{10**9 + n * 10**6}" for n in range(count)]


@pytest.mark.parametrize("sep", ["::", "~~"])
def test_a_delimiter_of_several_characters_divides_in_every_piece(small, sep):
    content = "\n".join(row.replace(",", sep) for row in rows_of(200)).encode()
    assert_same(content, delimiter=sep, header=False)


def test_lines_are_those_of_the_file(small):
    rows = rows_of(300)
    rows[250], rows[260], rows[270] = '"u\n1",x,5,1', "u1,,3,1", "u1,x,bad,1"
    found = assert_same("\n".join(["sep=,", "", HEAD, *rows, ""]).encode())
    problems = {problem.code: problem for problem in found[2].problems}
    assert problems["MISSING_ID"].rows == (265,)
    assert problems["BAD_RATING"].rows == (275,)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_packed_files_are_unpacked_on_the_way(small, pack):
    content = pack("\n".join([HEAD, *rows_of(500)]).encode())
    assert_same(content)
    assert_same(content[:-20])
    assert_same(pack(content))


def test_the_only_file_of_a_zip_is_read_and_no_other(small):
    for count in (0, 1, 2):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(count):
                archive.writestr(f"{n}.csv", "\n".join([HEAD, *rows_of(300)]))
        assert_same(packed.getvalue())


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n\n", b"%PDF-1.4 " + b"x" * 500, b"<html>" + b"<p>a,b</p>\n" * 50, b"user,item\n",
     b"a\nuser,item\n" + b"1,2\n" * 50, b"user,item\n1,2,3\n", b"\x28\xb5\x2f\xfd123", b"x" * 900],
)  # fmt: skip
def test_what_is_no_table_is_refused_as_at_once(small, content):
    assert_same(content)


def test_a_bomb_is_noticed_before_its_end(small, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 2**20)
    found = assert_same(gzip.compress(bytes(2**26)))
    assert found[1].problems[0].code == "TOO_LARGE"


def test_messy_files_are_read_as_at_once(messy_csv):
    # In pieces of the usual size: what a table is like is told by its first 8 MiB.
    for file in sorted((messy_csv / "files").iterdir()):
        if file.is_file() and file.stat().st_size < 10**6:
            expected = outcome(read_table, file)
            found = outcome(stream_table, file)
            assert found == expected or "is read as a whole" in str(found[0]), file.name


# ── Parquet and folders ──────────────────────────────────────────────────────────────────────────


def frame_of(count: int) -> pd.DataFrame:
    frame = pd.DataFrame([row.split(",") for row in rows_of(count)], columns=HEAD.split(","))
    frame["timestamp"] = pd.to_datetime(frame["timestamp"].astype("int64"), unit="s")
    frame["review"] = [f"words {n}" for n in range(count)]
    return frame.astype({"rating": "float32"})


def parquet(frame: pd.DataFrame, **how) -> bytes:
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False, **how)
    return stream.getvalue()


def test_parquet_is_read_as_at_once_by_its_needed_columns(small):
    frame = frame_of(200)
    frame.loc[[3, 50, 199], ["user_id", "item_id"]] = None
    frame.loc[[3, 50], ["rating", "timestamp"]] = None
    frame.loc[50, "review"] = ""
    content = parquet(frame, row_group_size=40)
    found = assert_same(content)
    assert found[0].rows == 199  # row 51 is empty, row 4 has a review
    table = stream_table(content, {"rating": None})
    assert table.cells.column_names == ["user_id", "item_id", "timestamp"]
    assert assert_same(content[:-9])[1].problems[0].code == "DAMAGED_FILE"
    assert_same(parquet(frame.iloc[:0]))
    assert_same(parquet(frame.rename(columns={"review": "user.name"})))


def test_text_that_ratings_do_not_need_is_not_kept(small):
    content = "\n".join([HEAD + ",review", *(f"{row},words" for row in rows_of(99))]).encode()
    table = stream_table(content)
    assert table.cells.column_names == HEAD.split(",")
    assert table.report.columns == (*HEAD.split(","), "review")
    with pytest.raises(BadRatingsError, match="review was not kept"):
        to_ratings(table, {"user": "user_id", "item": "review"})
    named = {"item": "review", "time": None}
    assert stream_table(content, named).cells.column_names == ["user_id", "review", "rating"]
    assert_same(content, named)


def spark_folder(folder: Path, parts: list[bytes], ending: str, done: bool = True) -> Path:
    folder.mkdir()
    for n, part in enumerate(parts):
        (folder / f"part-{n:05}{ending}").write_bytes(part)
        (folder / f".part-{n:05}{ending}.crc").write_bytes(b"crc")
    if done:
        (folder / "_SUCCESS").touch()
    return folder


@pytest.mark.parametrize("header", [True, False])
def test_a_folder_of_csv_is_one_table(tmp_path, header):
    rows = rows_of(90)
    head = [HEAD] if header else []
    parts = ["\n".join([*head, *rows[n : n + 30]]).encode() for n in (0, 30, 60)]
    folder = spark_folder(tmp_path / "out", [*parts, b""], ".csv")
    whole = to_ratings(read_table("\n".join([*head, *rows]).encode()))
    found = read_ratings(folder)
    assert found.interactions().fingerprint == whole.interactions().fingerprint
    assert found.report.rows == 90
    assert "PARTS" in {problem.code for problem in found.report.problems}
    listing = "".join(
        f"{hashlib.sha256(part).hexdigest()}  part-{n:05}.csv\n" for n, part in enumerate(parts)
    )
    assert found.sha256 == hashlib.sha256(listing.encode()).hexdigest()


def test_a_folder_of_parquet_is_one_table(tmp_path):
    frame = frame_of(90)
    parts = [parquet(frame.iloc[n : n + 30]) for n in (0, 30, 60)]
    found = read_ratings(spark_folder(tmp_path / "out", parts, ".parquet"))
    whole = to_ratings(read_table(parquet(frame)))
    assert found.interactions().fingerprint == whole.interactions().fingerprint


def test_folders_that_are_not_one_whole_table_are_refused(tmp_path):
    part = "\n".join([HEAD, *rows_of(9)]).encode()
    other = parquet(frame_of(9))
    unfinished = spark_folder(tmp_path / "a", [part], ".csv", done=False)
    (unfinished / "_temporary").mkdir()
    nested = spark_folder(tmp_path / "b", [part], ".csv")
    (nested / "year=2020").mkdir()
    mixed = spark_folder(tmp_path / "c", [part, other], ".x")
    others = [other, parquet(frame_of(9)[["user_id", "item_id"]])]
    unequal = spark_folder(tmp_path / "d", others, ".parquet")
    empty = spark_folder(tmp_path / "e", [b""], ".csv")
    books = part.replace(b"item_id,rating", b"rating,item_id")
    other_order = spark_folder(tmp_path / "f", [part, books], ".csv")
    narrower = spark_folder(tmp_path / "g", [part, b"user_id,item_id\n1,2\n"], ".csv")
    for folder, code in (
        (unfinished, "UNFINISHED_FOLDER"), (nested, "NOT_A_TABLE"), (mixed, "NOT_A_TABLE"),
        (unequal, "NOT_A_TABLE"), (empty, "EMPTY_FILE"), (other_order, "NOT_A_TABLE"),
        (narrower, "NOT_A_TABLE"),
    ):  # fmt: skip
        with pytest.raises(UnreadableFileError) as refused:
            read_ratings(folder)
        assert refused.value.report.problems[0].code == code
    (unfinished / "_SUCCESS").touch()
    assert read_ratings(unfinished).report.rows == 9


# ── memory ───────────────────────────────────────────────────────────────────────────────────────


def write(path: Path, count: int, text: str = "") -> Path:
    rows = (f"user{n % 97:030},item{n * 31 % 89:030},{n % 5 + 1},{text}" for n in range(count))
    path.write_text("\n".join(["user_id,item_id,rating,review", *rows]))
    return path


def test_a_file_that_does_not_fit_at_once_is_streamed_and_its_rows_are_not_kept(
    tmp_path, monkeypatch
):
    path = write(tmp_path / "ratings.csv", 2000)
    whole = read_ratings(path)
    monkeypatch.setenv("TRANSREC_LIMIT_MEMORY", str(path.stat().st_size))
    with pytest.raises(UnreadableFileError, match="may be used"):
        read_table(path)
    found = read_ratings(path)
    assert found.interactions().fingerprint == whole.interactions().fingerprint
    assert "encoded" not in found.__dict__
    by_pair = ["user_id", "item_id"]
    expected = whole.frame.sort_values(by_pair, ignore_index=True)
    pd.testing.assert_frame_equal(found.frame, expected)


def test_what_would_not_fit_as_a_matrix_either_is_refused_with_the_numbers(tmp_path, monkeypatch):
    path = write(tmp_path / "ratings.csv", 2000)
    table = parquet(pd.read_csv(path))
    monkeypatch.setenv("TRANSREC_LIMIT_MEMORY", "20000")
    for file in (path, table):
        with pytest.raises(UnreadableFileError, match="ratings alone of about 2,0") as no:
            read_rated(file)
        assert "19.53 KiB may be used" in no.value.message
        assert "--limit memory=" in no.value.fix


def test_json_in_one_piece_is_refused_with_what_can_be_done(tmp_path, monkeypatch):
    path = tmp_path / "ratings.json"
    record = {"user": "u", "item": "i", "rating": 5}
    path.write_text(json.dumps([record] * 400))
    assert read_rated(path).report.rows == 400
    monkeypatch.setenv("TRANSREC_LIMIT_MEMORY", "50000")
    with pytest.raises(UnreadableFileError, match="is read as a whole") as refused:
        read_rated(path)
    assert "one object a line, or CSV or Parquet" in refused.value.fix
    path.write_text("\n".join([json.dumps(record)] * 400))
    assert read_rated(path).streamed is not None


RECORDS = [
    {"reviewerID": f"u{n % 17}", "asin": f"i{n * 31 % 11}", "overall": n % 5 + 1, "text": "a\nb"}
    for n in range(120)
]


@pytest.mark.parametrize(
    "records",
    [
        RECORDS,
        [*RECORDS[:60], {}, *RECORDS[60:], {"reviewerID": "", "asin": None}],
        [*RECORDS, {**RECORDS[0], "unixReviewTime": 1_500_000_000}],
        [{**record, "asin ": 1} for record in RECORDS],
        [*({"asin": "x", "text": "t"} for _ in range(50)), *RECORDS],
        [*RECORDS, 5],
        [*RECORDS, {"asin": "\ud800"}],
        [{}, {}],
        [{"a": 1, "b": 2}, {"c": 3}],
    ],
    ids=[
        "plain",
        "empty",
        "late time",
        "blank name",
        "late user",
        "no object",
        "half",
        "none",
        "unknown",
    ],
)
def test_json_lines_are_read_as_at_once(small, monkeypatch, records):
    monkeypatch.setattr("transrec_core.data.records.BLOCK_CELLS", 40)
    text = "\n".join(json.dumps(record) for record in records)
    assert_same(text.encode())
    assert_same(text.replace("\n", "\n\n").encode() + b"\n")
    assert_same(text.encode("utf-16"))
    assert_same((text + '\n{"asin": 1, "asin": 2}').encode())


def test_large_files_are_streamed_and_rows_kept_in_the_order_of_the_file(tmp_path, monkeypatch):
    path = write(tmp_path / "ratings.csv", 300)
    expected = read_ratings(path).frame
    monkeypatch.setattr(streaming, "LARGE", 1)
    monkeypatch.setattr(streaming, "read_table", None)
    pd.testing.assert_frame_equal(read_ratings(path).frame, expected)


def test_commands_take_it_without_a_flag(tmp_path, capsys):
    source = write(tmp_path / "source.csv", 3000, "much to read " * 20)
    target = write(tmp_path / "target.csv", 2000, "much to read " * 20)
    lists = [tmp_path / name for name in ("a.csv", "b.csv")]
    limit = ["--limit", "memory=400K"]
    told = []
    for out, flags in zip(lists, ([], limit), strict=True):
        assert cli.main(["check", "--json", str(source), *flags]) == 0
        told.append(capsys.readouterr().out)
        arguments = ["--rank", "4", "--lam", "1", "--method", "ridge", "--quiet", "--out", str(out)]
        assert cli.main(["recommend", str(source), str(target), *arguments, *flags]) == 0
    assert told[0] == told[1]
    assert lists[0].read_bytes() == lists[1].read_bytes()


CHILD = """
import resource, sys
import numpy, pandas, pyarrow.csv, pyarrow.parquet
import transrec_core.data.kernels, transrec_core.data.plain
from transrec_core.cli import main
from transrec_core.data import read_table
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
room, file, how = int(sys.argv[1]), sys.argv[2], sys.argv[3]
resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
sys.exit(main(["check", "--json", file]) if how == "check" else read_table(file) is None)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to count memory from a moment on")
def test_a_file_larger_than_the_memory_that_is_left_goes_through(tmp_path):
    path = write(tmp_path / "ratings.csv", 200_000, "much to read " * 120)
    room = path.stat().st_size * 2 // 3
    # Arenas of memory that threads reserve without using it count too.
    tight = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}

    def child(how: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", CHILD, str(room), str(path), how],
            capture_output=True,
            text=True,
            env=tight,
        )

    done = child("check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["rows"] == 200_000
    assert "of memory are needed" in child("read_table").stderr
