"""How a text table is written: its delimiter, and whether its first row holds names.

Works on a bounded prefix, in time linear in its length.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

SAMPLE_BYTES, SAMPLE_ROWS = 2**16, 200
DELIMITERS = (",", "\t", ";", "|", "::")
# A delimiter of two characters becomes this one before parsing; text does not contain it.
UNIT_SEPARATOR = "\x1f"

NUMBER = re.compile(r"\s*[+-]?([0-9]+([.,][0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
DIGITS, LETTERS = re.compile(r"[0-9]+"), re.compile(r"[^\W\d_]+")


def sample_of(data: bytes) -> str:
    """Return the first whole lines of a UTF-8 text, at most ``SAMPLE_BYTES``."""
    if len(data) <= SAMPLE_BYTES:
        return data.decode("utf-8")
    head = data[:SAMPLE_BYTES]
    end = max(head.rfind(b"\n"), head.rfind(b"\r"))
    return head[: end + 1 if end >= 0 else None].decode("utf-8", "ignore")


def sample_rows(sample: str, delimiter: str, quoting: bool = True) -> list[list[str]]:
    """Cells of the first rows; rows whose cells are all empty are left out."""
    if len(delimiter) > 1:
        sample, delimiter, quoting = (
            sample.replace(delimiter, UNIT_SEPARATOR),
            UNIT_SEPARATOR,
            False,
        )
    reader = csv.reader(
        io.StringIO(sample, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
    )
    rows: list[list[str]] = []
    try:
        for row in reader:
            if any(row):
                rows.append(row)
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # an odd quote: what was read so far is enough to compare delimiters
    return rows


def guess_delimiter(sample: str) -> str:
    """Choose the delimiter under which most rows have one common width above 1.

    Parameters
    ----------
    sample
        From ``sample_of``.

    Returns
    -------
    str
        One of ``DELIMITERS``; the comma when nothing divides the rows (one column).
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
    return best


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
