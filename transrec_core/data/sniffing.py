"""How a text table is written: its delimiter, and whether its first row holds names.

Works on a bounded prefix, in time linear in its length.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence

SAMPLE_BYTES, LONGEST_SAMPLE, SAMPLE_ROWS = 2**16, 2**22, 200
DELIMITERS = (",", "\t", ";", "|", "::")
# Excel's own first line, which names the delimiter and is no row.
NAMED_DELIMITER = re.compile(rb"\"?sep=([^\r\n\"])\"?[,;\t ]*(?=[\r\n]|$)", re.IGNORECASE)
LINE_END = re.compile(r"\r\n|\r|\n")
STAND_INS = "\x1f\x1e\x1d\x1c\x02\x03\x04\x05"
CONTENT = re.compile(rb"[^\r\n]")

NUMBER = re.compile(r"\s*[+-]?([0-9]+([.,][0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
DIGITS, LETTERS = re.compile(r"[0-9]+"), re.compile(r"[^\W\d_]+")


def sample_of(data: bytes) -> str:
    """Return the first whole lines of a UTF-8 text: more than one where they are not very long."""
    content = CONTENT.search(data)
    begin, size = content.start() if content else 0, SAMPLE_BYTES
    while True:
        head = data[begin : begin + size]
        if len(head) < size:
            return head.decode("utf-8", "ignore")
        end = max(head.rfind(b"\n"), head.rfind(b"\r"))
        first = min((at for at in (head.find(b"\n"), head.find(b"\r")) if at >= 0), default=end)
        if end > first + 1 or size >= LONGEST_SAMPLE:
            return head[: end + 1 if end >= 0 else None].decode("utf-8", "ignore")
        size *= 4


def named_delimiter(data: bytes) -> tuple[str, int] | None:
    """The delimiter that the first line names, and where that line ends."""
    found = NAMED_DELIMITER.match(data)
    return None if found is None else (found[1].decode("ascii", "replace"), found.end())


def first_row(data: bytes, delimiter: str) -> tuple[int, int]:
    """Where the first row begins that has a cell that is not empty, and in which line (from 1)."""
    divider = re.escape(delimiter.encode())
    empty = rb'(?:"")?' if len(delimiter) == 1 else b""
    above = rb"(?:%s(?:%s%s)*(?:\r\n|\r|\n))*" % (empty, divider, empty)
    found = re.match(above, data)
    end = found.end() if found else 0
    breaks = data.count(b"\n", 0, end) + data.count(b"\r", 0, end) - data.count(b"\r\n", 0, end)
    return end, 1 + breaks


def stand_in(data: bytes) -> str | None:
    """A character to stand for a delimiter of several; ``None`` where the text has all of them."""
    return next((c for c in STAND_INS if c.encode() not in data), None)


def sample_rows(sample: str, delimiter: str, quoting: bool = True) -> list[list[str]]:
    """Cells of the first rows; rows whose cells are all empty are left out."""
    rows: list[list[str]] = []
    try:
        for row in _rows(sample, delimiter, quoting):
            if any(row):
                rows.append(row)
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # an odd quote: what was read so far is enough to compare delimiters
    return rows


def _rows(sample: str, delimiter: str, quoting: bool) -> Iterator[list[str]]:
    if len(delimiter) > 1:
        yield from (line.split(delimiter) for line in LINE_END.split(sample))
        return
    yield from csv.reader(
        io.StringIO(sample, newline=""),
        delimiter=delimiter,
        skipinitialspace=delimiter == " ",
        quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
    )


def guess_delimiter(sample: str) -> str:
    """Choose the delimiter under which most rows have one common width above 1.

    Parameters
    ----------
    sample
        From ``sample_of``.

    Returns
    -------
    str
        One of ``DELIMITERS``; else a blank where it divides numbers; else the comma (one column).
    """
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        if delimiter not in sample:
            continue
        rows = sample_rows(sample, delimiter)
        if not rows:
            continue
        widths = Counter(len(row) for row in rows)
        # The first row's width is the table's when it is shared; else the commonest speaks.
        first, (common, often) = len(rows[0]), widths.most_common(1)[0]
        width, share = (common, 0.9 * often / len(rows))
        if first > 1 and widths[first] / len(rows) >= share:
            width, share = first, widths[first] / len(rows)
        if width > 1 and (share, width) > best_score:
            best, best_score = delimiter, (share, width)
    return " " if best_score == (0.0, 0) and _numbers_between_blanks(sample) else best


def _numbers_between_blanks(sample: str) -> bool:
    """Whether every row is three numbers or more with blanks between; words would be a text."""
    rows = sample_rows(sample, " ") if " " in sample else []
    width = len(rows[0]) if rows else 0
    numbers = all(len(row) == width and all(map(_is_number, row)) for row in rows[1:])
    return width >= 3 and len(rows) > 1 and numbers


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None


def _shape(cell: str) -> str:
    """Letters and digits by run: ``A2WFE4`` is ``a0a0``; a pattern that ids and dates share."""
    return LETTERS.sub("a", DIGITS.sub("0", cell.strip()))


def guess_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row holds names rather than data.

    A first row of numbers is data. A column whose cells are numbers decides: a first cell that is
    no number is a name. Otherwise a first cell that is a number, or an id or date of the same
    pattern as the cells below, is data. All-text tables have a header.
    """
    first = rows[0]
    below = [row for row in rows[1:] if len(row) == len(first)]
    if all(_is_number(cell) for cell in first):
        return False
    if not below:
        return True
    data_like = False
    for column, cell in enumerate(first):
        cells = [row[column] for row in below if row[column].strip()]
        numeric = bool(cells) and sum(map(_is_number, cells)) >= 0.9 * len(cells)
        if _is_number(cell):
            data_like |= numeric or not cells
        elif numeric and cell.strip():
            return True
        elif sum(c.isdigit() for c in cell) >= 3 and cells:
            shapes = Counter(map(_shape, cells))
            data_like |= shapes[_shape(cell)] >= 0.5 * len(cells)
            # Random ids (A2WFE4HA97951I) differ in pattern but agree in length and alphabet.
            same = [len(c) == len(cell) and any(map(str.isdigit, c)) for c in cells]
            data_like |= " " not in cell and sum(same) >= 0.5 * len(cells)
    return not data_like
