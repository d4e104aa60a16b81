"""Files to text cells: what is read exactly, what is reported, what is refused."""

import bz2
import csv
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transrec_core.data import read_table
from transrec_core.data.formats import FileFormat
from transrec_core.data.reading import Table
from transrec_core.errors import UnreadableFileError


def codes(table: Table) -> list[str]:
    return [problem.code for problem in table.report.problems]


def refused(data: bytes, **how) -> tuple[str, UnreadableFileError]:
    with pytest.raises(UnreadableFileError) as caught:
        read_table(data, name="file.csv", **how)
    report = caught.value.report
    assert report is not None
    assert not report.usable
    assert report.problems[0].severity == "error"
    assert caught.value.fix
    return report.problems[0].code, caught.value


PLAIN = "user,item,rating\nu1,i1,5\nu2,i2,3\n"
ROWS = [["u1", "i1", "5"], ["u2", "i2", "3"]]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "::"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda text: text.encode(), id="utf-8"),
        pytest.param(lambda text: text.encode("utf-8-sig"), id="bom"),
        pytest.param(lambda text: text.encode("utf-16"), id="utf-16"),
        pytest.param(lambda text: b"\xfe\xff" + text.encode("utf-16-be"), id="utf-16-be"),
        pytest.param(lambda text: gzip.compress(text.encode()), id="gzip"),
        pytest.param(lambda text: lzma.compress(text.encode()), id="xz"),
        pytest.param(lambda text: bz2.compress(text.encode()), id="bzip2"),
    ],
)
def test_every_delimiter_line_end_and_encoding_reads_the_same(delimiter, end, encode):
    text = PLAIN.replace("\n", end).replace(",", delimiter)
    table = read_table(encode(text))
    assert table.frame.to_numpy().tolist() == ROWS
    assert table.report.columns == ("user", "item", "rating")
    assert table.report.delimiter == delimiter
    assert table.report.header
    assert codes(table) == []
    assert dict(table.report.mapping) == {
        "user": "user", "item": "item", "rating": "rating", "time": None,
    }  # fmt: skip


CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8
)


@given(st.data())
def test_what_csv_writes_is_read_back_exactly(data):
    width = data.draw(st.integers(2, 4))
    rows = data.draw(
        st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=6)
    )
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    delimiter = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=end, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow([f"name {i}" for i in range(width)])
    writer.writerows(rows)
    kept = [row for row in rows if any(row)]
    content = stream.getvalue().encode()
    if not kept:
        assert refused(content, delimiter=delimiter, header=True)[0] == "NO_ROWS"
        return
    table = read_table(content, delimiter=delimiter, header=True)
    assert table.frame.to_numpy().tolist() == kept
    # Cells may by chance look like comments, or like rows that a quote has swallowed.
    told = [code for code in codes(table) if code not in ("COMMENT_LINES", "ROWS_IN_QUOTES")]
    assert told == ["NO_MAPPING", "NO_RATING_COLUMN"]


@given(
    st.binary(max_size=300)
    | st.text(alphabet='ab1,;"\n\r\t|: \\{}[]', max_size=120).map(str.encode)
)
def test_any_bytes_give_a_table_or_a_typed_refusal(content):
    try:
        table = read_table(content)
    except UnreadableFileError as refusal:
        report = refusal.report
        assert report is not None
        assert report.problems
    else:
        assert table.frame.shape == (table.report.rows, len(table.report.columns))
        assert all(isinstance(cell, str) for cell in table.frame.to_numpy().ravel())


def test_cells_stay_text():
    cells = [
        "001",
        "1",
        "01",
        "NA",
        "null",
        "9007199254740993",
        "1e400",
        "TRUE",
        " x ",
        "1_000",
        "１２",
    ]
    text = "user,item,rating\n" + "".join(f"{cell},i,1\n" for cell in cells)
    assert read_table(text.encode()).frame["user"].tolist() == cells


def test_an_empty_cell_is_empty_text():
    assert read_table(b"user,item,rating\n,i,1\nu,,2\n").frame.to_numpy().tolist() == [
        ["", "i", "1"],
        ["u", "", "2"],
    ]


def test_ragged_rows_are_left_out_and_named_by_line():
    lines = ["user,item,rating"] + [f"u{i},i{i},1" for i in range(100)]
    for at in (3, 10, 11, 12, 50, 60, 70):
        lines[at] = "u,i"
    lines[20] = "u,i,1,2"
    table = read_table("\n".join(lines).encode())
    (problem,) = table.report.problems
    assert problem.code == "RAGGED"
    assert problem.count == 8
    assert problem.rows == (4, 11, 12, 13, 21)
    assert table.report.rows == 92
    assert "u,i" not in table.frame["user"].tolist()


def test_a_trailing_comma_does_not_shift_columns():
    code, _ = refused(b"user,item,rating\nu1,i1,5,\nu2,i2,4,\n")
    assert code == "RAGGED"


def test_line_numbers_count_lines_inside_quoted_cells_and_blank_lines():
    table = read_table(b'user,item,rating\n"a\nb",i,1\n\n\nu,i\nc,i,2\n')
    assert table.lines_of(np.array([0, 1])) == (2, 7)
    assert table.report.problems[0].rows == (6,)


def test_rows_without_content_are_dropped_and_lines_stay_right():
    table = read_table(b"user,item,rating\n,,\nu,i,1\n,,\nv,i,2\n")
    assert table.frame["user"].tolist() == ["u", "v"]
    assert table.lines_of(np.array([0, 1])) == (3, 5)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", 4),
        ("1::1193::5::978300760\n1::661::3::978302109\n", 4),
        ("A2WFE4HA97951I,B000052YQ2,5.0,1400000000\nALN6H6554BDZV,B000052YQ2,4.0,1400000001\n", 4),
        ("u0660,b229,5\nu0661,b230,4\n", 3),
        ("18378\t93\n18379\t361\n", 2),
    ],
)
def test_a_first_row_of_data_is_no_header(text, names):
    table = read_table(text.encode())
    assert not table.report.header
    assert table.report.rows == 2
    assert table.report.columns == tuple(f"column_{i + 1}" for i in range(names))
    assert codes(table)[0] == "NO_HEADER_GUESS" or "NO_HEADER_GUESS" in codes(table)


@pytest.mark.parametrize(
    "header",
    ["user_id:token\titem_id:token\trating:float", "a\tb\tc", "User ID\tISBN10\tScore 2023"],
)
def test_names_above_numbers_are_a_header(header):
    table = read_table(f"{header}\n1\t2\t3.5\n2\t2\t4\n".encode())
    assert table.report.header
    assert table.report.rows == 2


def test_header_can_be_said():
    assert read_table(b"a,b\nc,d\n", header=False).report.rows == 2
    assert read_table(b"1,2\n3,4\n", header=True).report.columns == ("1", "2")


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ('"User-ID";"ISBN";"Book-Rating"\n"276725";"034545104X";"0"\n"276726";"0155061224";"5"\n',
         ("User-ID", "ISBN", "Book-Rating", None)),
        ("user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n",
         ("user_id:token", "item_id:token", "rating:float", "timestamp:float")),
        ("userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n",
         ("userId", "movieId", "rating", "timestamp")),
        ("user_id,item_id,rating,split\nu0,s17732,1.0,train\nu1,s17733,1.0,train\n",
         ("user_id", "item_id", "rating", None)),
        ("date,stars,business_id,user_id,text\n2020-01-01,5,b1,u1,fine\n",
         ("user_id", "business_id", "stars", "date")),
        ("title,the_movie_id,my_user_id,score\nA,1,2,3\n",
         ("my_user_id", "the_movie_id", "score", None)),
        ("1,2,3,881250949\n4,5,6,881250950\n", ("column_1", "column_2", "column_3", "column_4")),
        ("881250949,1,2.5,2020-01-01\n881250950,2,3.5,2020-01-02\n",
         ("column_1", "column_2", "column_3", "column_4")),
        ("u00001,i00001,1400000000\nu00002,i00002,1400000001\n",
         ("column_1", "column_2", None, "column_3")),
    ],
)  # fmt: skip
def test_the_mapping_is_guessed(text, mapping):
    table = read_table(text.encode())
    assert (
        tuple(table.report.mapping[role] for role in ("user", "item", "rating", "time")) == mapping
    )


def test_an_unclear_mapping_is_a_warning_not_a_refusal():
    table = read_table(b"alpha,beta\nx,y\n")
    assert codes(table) == ["NO_MAPPING", "NO_RATING_COLUMN"]
    assert table.report.usable


def test_duplicate_and_blank_names_become_unique():
    table = read_table(b"a,a,,a_2,\n1,2,3,4,5\n")
    assert table.report.columns == ("a", "a_3", "column_3", "a_2", "column_5")
    assert {"BLANK_COLUMN", "DUPLICATE_COLUMN"} <= set(codes(table))
    assert table.frame.to_numpy().tolist() == [["1", "2", "3", "4", "5"]]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "user,item,title\nu1,i1,Amélie – “le film”\nu2,i2,Les Misérables\n"),
        (
            "shift_jis",
            "user,item,title\nu1,i1,千と千尋の神隠し\nu2,i2,もののけ姫と風の谷のナウシカ\n",
        ),
        ("gb18030", "user,item,title\nu1,i1,霸王别姬是一部电影\nu2,i2,活着也是一部中国电影\n"),
    ],
)
def test_text_that_is_not_utf8_is_asked_about_and_read_when_told(encoding, text):
    content = text.encode(encoding)
    code, error = refused(content)
    assert code == "ENCODING"
    assert "Pass the encoding" in error.fix
    table = read_table(content, encoding=encoding)
    assert table.frame["title"].tolist() == [line.split(",")[2] for line in text.split("\n")[1:3]]
    assert table.report.encoding == encoding


def test_a_likely_encoding_is_named_with_a_preview():
    _, error = refused("user,item,title\nu1,i1,Amélie à Montréal\n".encode("cp1252"))
    assert "cp1252" in error.fix
    assert "Amélie" in error.message


def test_likely_encodings_are_offered_with_the_line_in_each():
    text = "id,名前\n1,東京タワー\n2,富士山と桜\n"
    with pytest.raises(UnreadableFileError) as error:
        read_table(text.encode("shift-jis"))
    choices = error.value.report.encodings
    assert choices[0].encoding in ("shift-jis", "cp932")
    assert choices[0].preview == "id,名前"
    assert len({choice.preview for choice in choices}) == len(choices) > 1
    for choice in choices:
        assert read_table(text.encode("shift-jis"), encoding=choice.encoding).report.rows == 2
    assert error.value.report.to_json()["encodings"][0]["preview"] == "id,名前"


def test_utf_16_without_a_mark_is_offered_in_both_orders():
    with pytest.raises(UnreadableFileError) as error:
        read_table(PLAIN.encode("utf-16-be"))
    first, second = error.value.report.encodings
    assert (first.encoding, second.encoding) == ("utf-16-be", "utf-16-le")
    assert first.preview == PLAIN.splitlines()[0]


def test_utf_8_that_is_read_otherwise_as_asked_is_told():
    table = read_table("user,item\nJosé,i\n".encode(), encoding="cp1252")
    assert [problem.code for problem in table.report.problems if problem.severity == "warning"] == [
        "ENCODING_DOUBT"
    ]
    for same in ("utf-8", "UTF8"):
        found = read_table("user,item\nJosé,i\n".encode(), encoding=same).report
        assert [problem.severity for problem in found.problems] == ["info"]


def test_an_encoding_that_does_not_fit_or_exist_is_refused():
    assert refused("é,b\n1,2\n".encode("cp1252"), encoding="utf-8")[0] == "ENCODING"
    assert refused(b"a,b\n1,2\n", encoding="klingon")[0] == "ENCODING"


def test_utf16_without_a_mark_is_named():
    code, error = refused(PLAIN.encode("utf-16-le"))
    assert code == "ENCODING"
    assert "utf-16-le" in error.fix
    assert read_table(PLAIN.encode("utf-16-le"), encoding="utf-16-le").report.rows == 2


def _zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _sqlite(folder) -> bytes:
    connection = sqlite3.connect(folder / "x.db")
    connection.execute("create table t (a)")
    connection.commit()
    connection.close()
    return (folder / "x.db").read_bytes()


def _npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda _: b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
        (lambda _: b"%PDF-1.7\n%\xe2\xe3\n1 0 obj", "PDF"),
        (lambda _: _zip({"[Content_Types].xml": b"", "xl/workbook.xml": b"<x/>"}), "Excel"),
        (_sqlite, "SQLite"),
        (lambda _: b"<!DOCTYPE html><html><body>x</body></html>", "HTML"),
        (lambda _: pickle.dumps({"a": 1}), "pickle"),
        (lambda _: _npz(), "NumPy"),
        (lambda _: gzip.compress(pickle.dumps([1])), "pickle"),
    ],
)
def test_other_kinds_of_files_are_named(make, kind, tmp_path):
    code, error = refused(make(tmp_path))
    assert code == "NOT_A_TABLE"
    assert kind in error.message


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b"\n\r\n  \n", "EMPTY_FILE"),
        (b"\xef\xbb\xbf", "EMPTY_FILE"),
        (b"user,item,rating\n", "NO_ROWS"),
        (b"user,item,rating\n\n\n", "NO_ROWS"),
        (b"user,item\nu\x00,i\n", "NUL_BYTES"),
        (b'user,item\n"u,i\nv,j\n', "UNTERMINATED_QUOTE"),
        (b'user,item\n"u"x,i\nv,j\n', "BAD_QUOTE"),
        (b"made by me\nuser,item,rating\nu,i,1\nv,j,2\n", "PREAMBLE"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-12], "DAMAGED_FILE"),
        (gzip.compress(gzip.compress(b"a,b\n1,2\n", mtime=0), mtime=0), "UNSUPPORTED_COMPRESSION"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "UNSUPPORTED_COMPRESSION"),
        (_zip({"a.csv": b"a,b\n1,2\n", "b.csv": b"a,b\n1,2\n"}), "ARCHIVE_MANY_MEMBERS"),
        (b"PAR1" + bytes(40), "DAMAGED_FILE"),
        (b"c," * 2999 + b"c\n" + b"1," * 2999 + b"1\n", "TOO_MANY_COLUMNS"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_a_code(content, code):
    assert refused(content)[0] == code


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr("transrec_core.data.opening.RATIO_FREE_BYTES", 2**20)
    code, error = refused(gzip.compress(b"a,b\n" * 2**20))
    assert code == "TOO_LARGE"
    assert "times its size" in error.message


def test_a_zip_with_one_file_is_read():
    assert read_table(_zip({"ratings.csv": PLAIN.encode()})).report.rows == 2


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(UnreadableFileError) as caught:
            read_table(path)
        assert caught.value.report.problems[0].code == "NOT_FOUND"


def test_quotes_that_mean_themselves():
    assert read_table(b'user,item,title\nu,i,5" disk\n').frame["title"].tolist() == ['5" disk']
    # Tab-separated exports seldom quote: a quote that is never closed is read as it stands.
    table = read_table(b'user\titem\ttitle\nu\ti\t"Never closed\nv\tj\tplain\n')
    assert table.frame["title"].tolist() == ['"Never closed', "plain"]
    assert codes(table)[0] == "BAD_QUOTE"


def test_backslash_escapes_are_read_and_reported():
    table = read_table(b'"id";"title"\n"1";"The \\"Best\\"; of all"\n"2";"x"\n')
    assert table.frame["title"].tolist() == ['The "Best"; of all', "x"]
    assert "BACKSLASH_ESCAPES" in codes(table)


@pytest.mark.parametrize("lines", [True, False])
def test_json_keeps_numbers_as_they_are_written(lines):
    records = (
        '{"user": 9007199254740993, "item": "001", "rating": 5.0}',
        '{"user": "u", "item": "i", "tags": ["a", "b"], "ok": true, "none": null}',
    )
    text = "\n".join(records) if lines else f"[{','.join(records)}]"
    table = read_table(text.encode())
    assert table.frame.to_dict("records") == [
        {"user": "9007199254740993", "item": "001", "rating": "5.0", "tags": "", "ok": "",
         "none": ""},
        {"user": "u", "item": "i", "rating": "", "tags": "a|b", "ok": "true", "none": ""},
    ]  # fmt: skip


def test_a_broken_json_line_is_named():
    code, error = refused(b'{"user": 1, "item": 2}\n{"user": 1, "item"\n')
    assert code == "BAD_JSON"
    assert error.report.problems[0].rows == (2,)


def test_parquet_becomes_text():
    frame = pd.DataFrame(
        {"user_id": [9007199254740993, 1], "item_id": ["001", None], "rating": [4.5, 3.0],
         "genres": [["a", "b"], None]}
    )  # fmt: skip
    stream = io.BytesIO()
    frame.to_parquet(stream)
    table = read_table(stream.getvalue())
    assert table.frame["user_id"].tolist() == ["9007199254740993", "1"]
    assert table.frame["item_id"].tolist() == ["001", ""]
    assert [float(cell) for cell in table.frame["rating"]] == [4.5, 3.0]
    assert table.frame["genres"].tolist() == ["a|b", ""]
    assert table.report.delimiter is None


def test_reading_is_the_same_from_a_path(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(PLAIN)
    from_path, from_bytes = read_table(path), read_table(PLAIN.encode(), name="ratings.csv")
    pd.testing.assert_frame_equal(from_path.frame, from_bytes.frame)
    assert from_path.report == from_bytes.report
    assert from_path.sha256 == from_bytes.sha256


def test_the_report_is_plain_json():
    report = read_table(PLAIN.encode() + b"u,i\n", name="r.csv").report.to_json()
    assert json.loads(json.dumps(report)) == report
    assert set(report) == {
        "file", "usable", "rows", "columns", "encoding", "delimiter", "header", "mapping",
        "problems", "encodings", "asked",
    }  # fmt: skip


def test_blocks_of_any_size_give_the_same_rows(monkeypatch):
    text = "user,item,title\n" + "".join(f'u{i},"i,{i}","a ""b"" {i}"\n' for i in range(500))
    whole = read_table(text.encode())
    assert whole.frame["title"][7] == 'a "b" 7'
    monkeypatch.setattr("transrec_core.data.parsing.SCAN_BLOCK", 7)
    monkeypatch.setattr("transrec_core.data.parsing.ARROW_BLOCK", 64)
    monkeypatch.setattr("transrec_core.data.parsing.ROW_BLOCK", 3)
    pd.testing.assert_frame_equal(read_table(text.encode()).frame, whole.frame)
    odd = read_table(text.encode() + b"\n\nu,i\n")
    pd.testing.assert_frame_equal(odd.frame, whole.frame)
    assert odd.report.problems[0].rows == (504,)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"encoding": "cp1252", "delimiter": "tab", "header": "no", "user-column": "who"},
        {"delimiter": "bar", "header": "yes", "time-column": "", "duplicates": "mean"},
    ],
)
def test_a_format_tells_the_flags_that_said_it(said):
    assert FileFormat.of(said).asked == said
