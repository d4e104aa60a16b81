"""Messy files with known right answers, made here: every kind that other projects test with.

A case is the bytes of a file and what is owed for them: the cells, or a refusal by its code; beside
cells, codes that the report must have.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import pyarrow as pa
import pyarrow.parquet as pq

Rows = list[list[str]]


@dataclass(frozen=True)
class Case:
    """One file.

    ``rows`` are the right cells with the names first (``None``: it must be refused, with the first
    of ``codes``), ``header`` whether the names are in the file, ``codes`` what must be reported.
    """

    name: str
    content: bytes
    rows: Rows | None
    header: bool = True
    codes: tuple[str, ...] = ()
    how: dict[str, object] = field(default_factory=dict)


NAMES = ["user_id", "item_id", "rating", "timestamp"]
RATINGS = [[f"u{i % 7}", f"i{i * 3 % 11}", str(i % 5 + 1), str(1400000000 + i)] for i in range(30)]
TABLES: dict[str, tuple[Rows, bool]] = {
    "ratings": ([NAMES, *RATINGS], True),
    "odd ids": ([["user", "item"], ["001", "NA"], ["1", "null"], ["01", "None"],
                 ["9007199254740993", "TRUE"], ["１２", "1e400"], ["1_000", "-0"]], True),
    "texts": ([["user", "item", "review"], ["u1", "i1", 'He said "no", twice'],
               ["u2", "i2", "two\nlines"], ["u3", "i3", ""], ["u4", "i4", "a;b|c\td::e"],
               ["u5", "i5", "it's"], ["u6", "i6", '"'], ["u7", "i7", "naïve 東京 🎬"]], True),
    "no header": ([[str(i % 7 + 1), str(i * 3 % 11 + 1), str(i % 5 + 1), str(881250949 + i)]
                   for i in range(30)], False),
    "no header, coded ids": ([[f"A{i:03d}X", f"B{i:05d}", f"{i % 5 + 1}.0", str(1381250949 + i)]
                              for i in range(30)], False),
    "wide": ([[f"c{i}" for i in range(40)], *([str(r * c) for c in range(40)] for r in range(5))],
             True),
    "one row": ([["user", "item", "rating"], ["a", "b", "4"]], True),
    "decimal comma": ([["user", "item", "rating"],
                       *([f"u{i}", f"i{i}", f"{i % 5},5"] for i in range(10))], True),
    "dates": ([["user", "item", "when"],
               *([f"u{i}", f"i{i}", f"2020-01-{i + 1:02d} 10:00:00"] for i in range(10))], True),
    "empty cells": ([["user", "item", "note", "x"],
                     *([f"u{i}", f"i{i}", "" if i % 3 else "n", ""] for i in range(10))], True),
    "genres": ([["item_id", "title", "genres"],
                *([str(i), f"Film, the {i} (19{i + 50})", "A|B|C"[: 1 + 2 * (i % 3)]]
                  for i in range(10))], True),
}  # fmt: skip
DELIMITERS = (",", ";", "\t", "|", "::")
ENDS = ("\n", "\r\n", "\r")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")


def written(rows: Rows, delimiter: str, end: str, quote_all: bool = False) -> str | None:
    """Rows as text; ``None`` where they cannot be written so."""
    if len(delimiter) > 1:
        fits = all(delimiter not in c and "\n" not in c and '"' not in c for r in rows for c in r)
        plain = end.join(delimiter.join(row) for row in rows) + end
        return plain if fits and not quote_all else None
    text = io.StringIO(newline="")
    # A line feed in a cell has to be quoted whatever the line end of the file.
    odd = end == "\r" and any("\n" in cell for row in rows for cell in row)
    quoting = csv.QUOTE_ALL if quote_all or odd else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue()


def regular() -> Iterator[Case]:
    """Every table × delimiter × line end × quoting, in turns of encoding and ending."""
    endings = ("as written", "no last line end", "blank lines")
    grid = product(TABLES.items(), DELIMITERS, ENDS, (False, True))
    for number, ((name, (rows, header)), delimiter, end, quote_all) in enumerate(grid):
        text = written(rows, delimiter, end, quote_all)
        if text is None:
            continue
        encoding, ending = ENCODINGS[number % 4], endings[number % 3]
        if ending == "no last line end":
            text = text.removesuffix(end)
        elif ending == "blank lines":
            text = end + text + end + end
        what = f"{name}, {delimiter!r}, {end!r}, {encoding}, {ending}, quoted {quote_all}"
        yield Case(what, text.encode(encoding), rows, header)


def _case(
    name: str, text: str | bytes, rows: Rows | None, *codes: str, header: bool = True, **how: object
) -> Case:
    return Case(name, text.encode() if isinstance(text, str) else text, rows, header, codes, how)


HEAD = ["user", "item", "rating"]
BODY = [[f"u{i}", f"i{i * 3 % 7}", str(i % 5 + 1)] for i in range(10)]
GOOD = [HEAD, *BODY]
TEXT = "".join(",".join(row) + "\n" for row in GOOD)


def _lines(rows: Rows, delimiter: str = ",") -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


def _plus(*rows: list[str]) -> Rows:
    return [*GOOD, *rows]


def polluted() -> Iterator[Case]:
    """Files with something odd about their lines, cells, quotes, names or widths."""
    titled = [[f"{i}", f'A "T" {i}, x'] for i in range(10)]
    escaped = "id,title\n" + "".join(f'{i},"A \\"T\\" {i}, x"\n' for i in range(10))
    yield _case("backslash escapes", escaped, [["id", "title"], *titled], "BACKSLASH_ESCAPES")
    for name, first in (("", "sep=;\n"), (" quoted", '"sep=;"\r\n'), (" BOM", "\ufeffSEP=;\n")):
        yield _case(f"Excel's first line{name}", first + _lines(GOOD, ";"), GOOD, "SEP_LINE")
    yield _case("Excel's first line, tab", "sep=\t\n" + _lines(GOOD, "\t"), GOOD, "SEP_LINE")
    spaced = [row[:1] + [" " + cell for cell in row[1:]] for row in GOOD]
    yield _case("blanks after the delimiter", _lines(spaced), spaced)
    numbers = [[str(i), str(i * 3), str(i % 5)] for i in range(9)]
    for blanks in (" ", "    "):
        yield _case(
            f"numbers between {len(blanks)} blanks", _lines(numbers, blanks), numbers,
            "SPACE_DELIMITER", header=False,
        )  # fmt: skip
        yield _case(
            f"words between {len(blanks)} blanks, said", _lines(GOOD, blanks), GOOD, delimiter=" "
        )
    for odd in ("^", "~", ":", "¦", "~|~", "\x01"):
        yield _case(f"delimiter {odd!r}, said", _lines(GOOD, odd), GOOD, delimiter=odd)
        if "|" not in odd:
            joined = [[odd.join(row)] for row in GOOD]
            yield _case(f"delimiter {odd!r}", _lines(GOOD, odd), joined, "ONE_COLUMN")
    yield _case("words between blanks", _lines(GOOD, " "), [[" ".join(row)] for row in GOOD],
                "ONE_COLUMN")  # fmt: skip
    for name, above in (("one line", "Ratings\n"), ("three lines", "Ratings\nof 2020\n\n"),
                        ("a comment", "# made today\n")):  # fmt: skip
        yield _case(f"{name} above the table", above + TEXT, None, "PREAMBLE")
    yield _case("comments that look like rows", "# a,b,c\n" + TEXT + "# d,e,f\n",
                [["# a", "b", "c"], *GOOD, ["# d", "e", "f"]], "COMMENT_LINES")  # fmt: skip
    for name, above in (("cells", ",,\n"), ("quoted cells", '"",,""\n\r\n,,\n')):
        yield _case(f"empty {name} above the names", above + TEXT, GOOD)
        broken = above + TEXT + "u,i\n"
        yield _case(f"empty {name} above, a short row below", broken, GOOD, "RAGGED")
    padded = [["Report", "", ""], *GOOD]
    yield _case("a padded line above", _lines(padded), padded, "BLANK_COLUMN")
    for name, more in (("short row", "u,i\n"), ("long row", "u,i,1,2\n"), ("footer", "Sum: 9\n"),
                       ("Ctrl-Z", "\x1a"), ("blanks alone in a line", "   \n")):  # fmt: skip
        yield _case(name, TEXT + more, GOOD, "RAGGED")
    yield _case("second table below", TEXT + "\nitem,title\ni1,A\n", GOOD, "RAGGED")
    yield _case("delimiter at the end of all lines", TEXT.replace("\n", ",\n"),
                [[*row, ""] for row in GOOD], "BLANK_COLUMN")  # fmt: skip
    for name, text in (
        ("delimiter at the end of rows alone", _lines([HEAD]) + _lines(BODY).replace("\n", ",\n")),
        ("delimiter at the end of the names alone", _lines([[*HEAD, ""]]) + _lines(BODY)),
        ("row numbers without a name", _lines([HEAD]) + _lines([["7", *row] for row in BODY])),
        ("names of fewer columns", "user,item\n" + _lines(BODY)),
        ("decimal commas without quotes", _lines([HEAD]) + _lines([[*r, "5"] for r in BODY])),
    ):
        yield _case(name, text, None, "RAGGED")
    yield _case("row numbers under a blank name", _lines([["", *HEAD], *(["7", *r] for r in BODY)]),
                [["", *HEAD], *(["7", *r] for r in BODY)], "BLANK_COLUMN")  # fmt: skip
    yield _case("names twice", _lines([["a", "a", "b"], *BODY]), [["a", "a", "b"], *BODY],
                "DUPLICATE_COLUMN")  # fmt: skip
    for cell in ('u"x', 'u "x" y', 'ux"', "'u'", "u\tx", "u;x", "u\x0bv", "u\u2028v", "u\x85v",
                 "\x1f"):  # fmt: skip
        yield _case(f"cell {cell!r}", TEXT + f"{cell},i,3\n", _plus([cell, "i", "3"]))
    yield _case("text after a closing quote", TEXT + '"u"x,i,3\n', None, "BAD_QUOTE")
    yield _case("blank after a closing quote", TEXT + '"u" ,i,3\n', None, "BAD_QUOTE")
    yield _case("blank before a quote", TEXT + 'u, "i,j",3\n', GOOD, "RAGGED")
    yield _case("open quote", TEXT + '"u,i,3\n', None, "UNTERMINATED_QUOTE")
    swallowed = ["u,i,3\n" + _lines(BODY) + "v", "j", "4"]
    yield _case("rows between stray quotes", _lines([HEAD]) + f'"{swallowed[0]}",j,4\n',
                [HEAD, swallowed], "ROWS_IN_QUOTES")  # fmt: skip
    tabbed = [[*row[:2], f'"{row[2]}'] for row in BODY]
    yield _case("quotes as letters between tabs", _lines([HEAD, *tabbed], "\t"), [HEAD, *tabbed],
                "BAD_QUOTE")  # fmt: skip
    yield _case("zero byte", TEXT + "u\0,i,3\n", None, "NUL_BYTES")
    yield _case("CR CR LF", TEXT.replace("\n", "\r\r\n"), GOOD)
    yield _case("mixed line ends", TEXT[:40] + TEXT[40:].replace("\n", "\r\n"), GOOD)
    yield _case("CR in a quoted cell", TEXT + '"u\rv",i,3\n', _plus(["u\rv", "i", "3"]))
    long = "x" * 100_000
    yield _case("long cell", TEXT + f"{long},i,3\n", _plus([long, "i", "3"]))
    yield _case("cell too long", TEXT + f"{long}{long},i,3\n", None, "CELL_TOO_LONG")
    yield _case("long name", _lines([[*HEAD, long], *([*r, ""] for r in BODY)]),
                [[*HEAD, long], *([*r, ""] for r in BODY)])  # fmt: skip
    review = "x, y\n" * 20_000
    yield _case("long cell over lines", f'user,text\nu,"{review}"\n', [["user", "text"],
                ["u", review]])  # fmt: skip
    yield _case("one column", "user\na\nb\n", [["user"], ["a"], ["b"]], "ONE_COLUMN")
    many = [["a"] * 2000, ["1"] * 2000]
    yield _case("2,000 columns of one name", _lines(many), many, "DUPLICATE_COLUMN")
    yield _case("too many columns", _lines([["a"] * 2001] * 2), None, "TOO_MANY_COLUMNS")
    for name, text, code in (
        ("nothing", "", "EMPTY_FILE"), ("line ends alone", "\n\r\n\n", "EMPTY_FILE"),
        ("blanks alone", "  \n \n", "EMPTY_FILE"), ("delimiters alone", ",,\n,,\n", "NO_ROWS"),
        ("names alone", "user,item\n", "NO_ROWS"), ("names and blank lines", "a,b\n\n", "NO_ROWS"),
        ("byte order mark alone", "\ufeff", "EMPTY_FILE"), ("sep alone", "sep=;\n", "NO_ROWS"),
    ):  # fmt: skip
        yield _case(name, text, None, code)


def rating_forms() -> Iterator[Case]:
    """Rating and title files as they are published."""
    n = range(10)
    coded = [
        [f"A{i}2WFE4HA97951I", f"B00005{i}YQ2", f"{i % 5 + 1}.0", f"14000000{i:02d}"] for i in n
    ]
    yield _case("Amazon, ratings only", _lines(coded), coded, "NO_HEADER_GUESS", header=False)
    dat = [[str(i + 1), str(i * 3), str(i % 5 + 1), f"97830{i:04d}"] for i in n]
    yield _case("ratings.dat", _lines(dat, "::"), dat, header=False)
    yield _case("u.data", _lines(dat, "\t"), dat, header=False)
    odd = [[*row[:1], f"i\x1f{row[1]}", *row[2:]] for row in dat]
    yield _case("ratings.dat with control characters", _lines(odd, "::"), odd, header=False)
    films = [[str(i), f"Film, The ({1990 + i})", "Comedy|Drama"] for i in n]
    yield _case("movies.dat", _lines(films, "::"), films, header=False)
    accents = [[row[0], f"Café {row[1]}", row[2]] for row in films]
    yield _case("movies.dat, Latin-1", _lines(accents, "::").encode("latin-1"), None, "ENCODING")
    yield _case("movies.dat, Latin-1, said", _lines(accents, "::").encode("latin-1"), accents,
                header=False, encoding="latin-1")  # fmt: skip
    book = [["User-ID", "ISBN", "Book-Rating"], *([f"2767{i}", f"034545104{i}", str(i)] for i in n)]
    yield _case("Book-Crossing", _quoted(book), book)
    books = [["ISBN", "Book-Title"], *([f"034545104{i}", f'A "T" {i}; x'] for i in n)]
    text = "".join(";".join('"' + c.replace('"', '\\"') + '"' for c in r) + "\n" for r in books)
    yield _case("Book-Crossing's books", text, books, "BACKSLASH_ESCAPES")
    typed = [["user_id:token", "item_id:token", "rating:float", "timestamp:float"], *dat]
    yield _case("RecBole", _lines(typed, "\t"), typed)
    listed = [["item_id:token", "title:token_seq"], *([str(i), "a b c"] for i in n)]
    yield _case("RecBole's items", _lines(listed, "\t"), listed)
    netflix = "".join(f"{m}:\n" + "".join(f"{u * 17},{u % 5},2005-09-0{u + 1}\n" for u in range(9))
                      for m in range(1, 4))  # fmt: skip
    yield _case("Netflix", netflix, None, "PREAMBLE")
    matrix = [["user", "i1", "i2"], ["u1", "5", ""], ["u2", "", "4"]]
    yield _case("a matrix of ratings", _lines(matrix), matrix, "NO_MAPPING")
    plays = [["user", "item", "plays"], *([f"u{i}", f"i{i}", f"1,{i}00"] for i in n)]
    yield _case("thousands separators", written(plays, ",", "\n") or "", plays)
    sheet = [["isbn", "user", "rating"], *([f"9.7804390234{i}E+12", f"u{i}", "3"] for i in n)]
    yield _case("ids that a spreadsheet has rounded", _lines(sheet), sheet, "SCIENTIFIC_ID")


def _quoted(rows: Rows) -> str:
    return "".join(";".join(f'"{cell}"' for cell in row) + "\r\n" for row in rows)


def records() -> Iterator[Case]:
    """JSON and Parquet, good and bad."""
    names, rows = ["user", "item", "rating"], [["u", "1", "4.50"], ["v", "9007199254740993", "5"]]
    lines = [f'{{"user": "{user}", "item": {item}, "rating": {r}}}' for user, item, r in rows]
    good = [names, *rows]
    yield _case("JSON lines", "\n".join(lines), good)
    yield _case("JSON lines, CRLF and blank lines", "\ufeff" + "\r\n\r\n".join(lines), good)
    yield _case("JSON array", "[" + ",\n ".join(lines) + "]", good)
    pretty = json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1)
    yield _case("JSON array, indented", pretty, good)
    by_column = {n: [row[i] for row in rows] for i, n in enumerate(names)}
    yield _case("JSON of columns", json.dumps(by_column), good)
    keyed = {n: dict(enumerate(cells)) for n, cells in by_column.items()}
    yield _case("JSON of columns by row", json.dumps(keyed, indent=2), good)
    nested = '{"user": {"id": 1}, "item": ["a", "b"], "rating": null}'
    yield _case("JSON, nested", f"{nested}\n{nested}",
                [names, *[['{"id": "1"}', "a|b", ""]] * 2])  # fmt: skip
    yield _case("JSON, names missing", '{"user":"u","item":1}\n{"rating":3,"user":"v"}',
                [names, ["u", "1", ""], ["v", "", "3"]])  # fmt: skip
    separators = '{"user":"a\u2028b","item":"\x85"}\n{"user":"c","item":"d"}'
    yield _case("JSON, line separators", separators, [["user", "item"], ["a\u2028b", "\x85"],
                ["c", "d"]])  # fmt: skip
    for name, text in (
        ("lines that break off", lines[0] + "\n" + lines[1][:20]),
        ("array that breaks off", "[" + lines[0] + ",\n" + lines[1][:20]),
        ("lines with commas", ",\n".join(lines) + ",\n"),
        ("a name twice", '{"user":"u","user":"v","item":"i"}'),
        ("no objects", '[["user","item"],["u","i"]]'),
        ("a list inside", '{"data": [' + ",".join(lines) + "]}"),
        ("Python dictionaries", "{'user': 'u', 'item': 1}\n" * 3),
        ("half a character", '{"user":"\\ud800","item":"i"}\n{"user":"v","item":"j"}'),
        ("no common names", "\n".join(f'{{"k{i}":1}}' for i in range(1500))),
    ):
        yield _case(f"JSON, {name}", text, None, "BAD_JSON")
    typed = pa.table({
        "user": pa.array(["u", "v"]).dictionary_encode(), "item": pa.array([1, None]),
        "tags": pa.array([["a", "b"], None]), "raw": pa.array([b"x", b"\xff"]),
        "when": pa.array([0, 1], pa.timestamp("s")), "what": pa.array([{"a": 1}, None]),
        "none": pa.nulls(2),
    })  # fmt: skip
    cells = [["u", "1", "a|b", "x", "1970-01-01 00:00:00.000", '{"a": 1}', ""],
             ["v", "", "", "\\xff", "1970-01-01 00:00:01.000", "", ""]]  # fmt: skip
    yield _case("Parquet", parquet(typed), [typed.column_names, *cells])
    yield _case("Parquet, cut", parquet(typed)[:-20], None, "DAMAGED_FILE")
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 10**7, pa.int8()), pa.array(["u"]))
    yield _case("Parquet, one cell ten million times", parquet(pa.table({"user": same})), None,
                "TOO_LARGE")  # fmt: skip


def parquet(table: pa.Table) -> bytes:
    """A Parquet file in memory."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    """A zip archive in memory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def packed() -> Iterator[Case]:
    """Compressed files, good, cut and false."""
    raw = TEXT.encode()
    kinds = {
        "gzip": gzip.compress(raw), "bzip2": bz2.compress(raw), "xz": lzma.compress(raw),
        "zip": zipped(a=raw),
    }  # fmt: skip
    for kind, content in kinds.items():
        yield _case(kind, content, GOOD)
        yield _case(f"{kind}, cut", content[:-9], None, "DAMAGED_FILE")
        yield _case(f"{kind} twice", gzip.compress(content), None, "UNSUPPORTED_COMPRESSION")
        at = len(content) // 2
        flipped = content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]
        yield _case(f"{kind}, a byte changed", flipped, None, "DAMAGED_FILE")
    yield _case("gzip in two parts", gzip.compress(raw[:50]) + gzip.compress(raw[50:]), GOOD)
    yield _case("zip of two", zipped(a=raw, b=raw), None, "ARCHIVE_MANY_MEMBERS")
    yield _case("zip of none", zipped(), None, "ARCHIVE_MANY_MEMBERS")
    small = parquet(pa.table({"user": ["u"], "item": ["i"]}))
    yield _case("zip of a Parquet file", zipped(a=small), [["user", "item"], ["u", "i"]])
    bomb = b"user,item\n" + b"u,i\n" * (2**24 + 9)
    yield _case("gzip bomb", gzip.compress(bomb), None, "TOO_LARGE")


def other_kinds() -> Iterator[Case]:
    """Files that are no table, and texts whose encoding has to be asked for."""
    for name, text in (
        ("HTML", "<!DOCTYPE html><table></table>"), ("a part of HTML", "<table><tr></tr></table>"),
        ("XML", "<?xml version='1.0'?><a/>"), ("XML without a head", "<root><r u='1'/></root>"),
        ("SQL", "INSERT INTO ratings VALUES (1,2,3);\n" * 3), ("ARFF", "@relation r\n@data\n1,2\n"),
        ("Matrix Market", "%%MatrixMarket matrix coordinate real general\n3 3 1\n1 1 5\n"),
        ("PDF", "%PDF-1.7\n"), ("SQLite", "SQLite format 3\0"),
    ):  # fmt: skip
        yield _case(name, text, None, "NOT_A_TABLE")
    for name, content in (
        ("cp1252", (TEXT + "é,i,3\n").encode("cp1252")),
        ("Shift-JIS", "名前,item\n東京,i\n".encode("shift-jis")),
        ("GBK", "用户,item\n小明,i\n".encode("gbk")),
        ("UTF-16 without a mark", TEXT.encode("utf-16-le")),
        ("UTF-16 cut", TEXT.encode("utf-16")[:-1]),
        ("a surrogate", TEXT.encode() + b"\xed\xa0\x80,i,3\n"),
        ("an overlong zero", TEXT.encode() + b"\xc0\x80,i,3\n"),
        ("a character cut", TEXT.encode() + "é".encode()[:1]),
    ):
        yield _case(name, content, None, "ENCODING")


def all_cases() -> list[Case]:
    """Every case."""
    makers = (regular, polluted, rating_forms, records, packed, other_kinds)
    return [case for maker in makers for case in maker()]
