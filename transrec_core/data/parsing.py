"""UTF-8 bytes with a known delimiter to columns of text, and every row that does not fit.

Clean files go through Arrow's parser, large ones of nothing but whole numbers and a few short
texts, which most ratings are, as numbers; a file with quotes, blank lines or widths that Arrow
would guess about goes through Python's csv module, which counts lines and refuses broken quoting.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from transrec_core.limits import Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

# From here on, loading the compiled code takes less time than it saves.
LARGE = 2**26
SCAN_BLOCK = 2**23
ARROW_BLOCK = 2**24
ROW_BLOCK = 2**16
# A column whose first cells repeat is stored as codes into a dictionary of its distinct texts.
TRIAL_BLOCK = 2**18
REPEATING = 0.5
ENCODED = pa.dictionary(pa.int32(), pa.string())
QUOTE, LF, CR = 34, 10, 13


class BrokenQuotesError(Exception):
    """The quoting does not follow RFC 4180 in this line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


@dataclass(frozen=True)
class Parsed:
    """The rows of a file that have the table's width.

    Attributes
    ----------
    columns
        One array a column: text, dictionary-encoded where cells repeat; or whole numbers, where
        every cell is one just as ``str`` writes it. Every text of a dictionary occurs.
    lines
        1-based line of each row, or ``None`` where row i is line ``first_line + i``.
    first_line
        Line of the first row.
    ragged, ragged_lines
        How many rows had another width, and the lines of the first five.
    next_line
        Line that follows the last one read.
    """

    columns: list[pa.ChunkedArray]
    lines: "NDArray[np.int64] | None"
    first_line: int
    ragged: int = 0
    ragged_lines: tuple[int, ...] = ()
    next_line: int = 0

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.columns[0])


def parse(
    data: bytes,
    delimiter: str,
    width: int,
    header: bool,
    *,
    quoting: bool = True,
    escape: str | None = None,
    line: int = 1,
    more: Callable[[], bytes] = bytes,
) -> Parsed:
    """Read all rows of ``width`` cells as text; rows whose cells are all empty are dropped.

    Parameters
    ----------
    data
        UTF-8 without a byte order mark, from the first row that has a cell that is not empty.
    delimiter
        One character; of blanks any number in a row.
    width
        Number of columns.
    header
        Whether to leave out the first row.
    quoting
        Whether ``"`` encloses cells.
    escape
        Character that takes the meaning from the next one, where the file has one.
    line
        Line of the file that the data begins in.
    more
        Gives the lines that follow, for a row that the data ends within.

    Raises
    ------
    BrokenQuotesError
        When quotes are not closed or are followed by something else than a delimiter.
    """
    first = data[:1]
    if (
        width > 1
        and escape is None
        and delimiter != " "
        and delimiter.isascii()
        and first not in (b"\n", b"\r")
        and (not quoting or plain_quotes(data, delimiter))
    ):
        parsed = _parse_plain(data, delimiter, width, header) if len(data) >= LARGE else None
        parsed = parsed or _parse_clean(data, delimiter, width, header, quoting)
        if parsed is not None:
            lines = None if parsed.lines is None else parsed.lines + (line - 1)
            return replace(
                parsed,
                lines=lines,
                first_line=parsed.first_line + line - 1,
                next_line=parsed.next_line + line - 1,
            )
    return _parse_carefully(data, delimiter, width, header, quoting, escape, line, more)


def plain_quotes(data: bytes, delimiter: str) -> bool:
    """Whether every quote opens or closes a cell as RFC 4180 says, and none spans lines.

    Seen left to right, quotes open and close by turns (a doubled quote closes and opens again).
    An opening one follows a delimiter, a line end or the quote before it; a closing one precedes
    a delimiter, a line end or the quote after it.
    """
    if b'"' not in data:
        return True
    edge = np.zeros(256, bool)
    edge[[ord(delimiter), LF, CR, QUOTE]] = True
    whole = np.frombuffer(data, np.uint8)
    inside = 0
    for start in range(0, len(whole), SCAN_BLOCK):
        block = whole[start : start + SCAN_BLOCK]
        is_quote = block == QUOTE
        state = np.bitwise_xor.accumulate(is_quote.view(np.uint8)) ^ np.uint8(inside)
        if np.any((block == LF) & (state == 1)) or np.any((block == CR) & (state == 1)):
            return False
        at = np.flatnonzero(is_quote)
        opening = at[state[at] == 1] + start
        closing = at[state[at] == 0] + start
        if not edge[whole[opening[opening > 0] - 1]].all():
            return False
        if not edge[whole[closing[closing < len(whole) - 1] + 1]].all():
            return False
        inside = int(state[-1])
    return inside == 0


def _parse_plain(data: bytes, delimiter: str, width: int, header: bool) -> Parsed | None:
    from transrec_core.data.plain import parse_plain  # compiled, and slow to load

    columns = parse_plain(data, delimiter, width, header)
    if columns is None:
        return None
    return Parsed(columns, None, 1 + int(header), next_line=1 + int(header) + len(columns[0]))


def _parse_clean(
    data: bytes, delimiter: str, width: int, header: bool, quoting: bool
) -> Parsed | None:
    names = [str(i) for i in range(width)]

    def read(block: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        return pacsv.read_csv(
            pa.BufferReader(block),
            pacsv.ReadOptions(column_names=names, skip_rows=int(header), block_size=ARROW_BLOCK),
            pacsv.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if quoting else False,
                double_quote=quoting,
                ignore_empty_lines=False,
            ),
            pacsv.ConvertOptions(column_types=types, strings_can_be_null=False, check_utf8=False),
        )

    types = dict.fromkeys(names, pa.large_string())
    end = max(data.rfind(b"\n", 0, TRIAL_BLOCK), data.rfind(b"\r", 0, TRIAL_BLOCK)) + 1
    try:
        trial = read(data[:end] if end else data, types)
        for name in names:
            if pc.count_distinct(trial[name]).as_py() <= REPEATING * len(trial):
                types[name] = ENCODED
        table = read(data, types)
    except pa.ArrowInvalid:
        return None  # a blank line or a row of another width: count them line by line
    columns, lines = table.columns, None
    empty = _empty(columns[0])
    for column in columns[1:]:
        if not empty.any():
            break
        empty &= _empty(column)
    if empty.any():
        lines = np.flatnonzero(~empty) + 1 + int(header)
        # As text, since dictionaries would keep the empty text that may occur no more.
        columns = [column.cast(pa.large_string()).filter(pa.array(~empty)) for column in columns]
    first_line = 1 + int(header)
    return Parsed(list(columns), lines, first_line, next_line=first_line + len(table))


def _empty(column: pa.ChunkedArray) -> "NDArray[np.bool_]":
    """Which cells are empty; of an encoded column, the dictionaries tell whether any is."""
    if not pa.types.is_dictionary(column.type):
        return np.array(pc.equal(column, "").to_numpy(zero_copy_only=False), bool)
    parts = [np.zeros(0, bool)]
    for chunk in column.chunks:
        empty = np.array(pc.equal(chunk.dictionary, "").to_numpy(zero_copy_only=False), bool)
        found = empty.any()
        parts.append(empty[chunk.indices.to_numpy()] if found else np.zeros(len(chunk), bool))
    return np.concatenate(parts)


def _parse_carefully(
    data: bytes,
    delimiter: str,
    width: int,
    header: bool,
    quoting: bool,
    escape: str | None,
    begin: int,
    more: Callable[[], bytes],
) -> Parsed:
    csv.field_size_limit(Limits.current().cell_chars)
    text = _Lines(data, more)
    reader = csv.reader(
        text,
        delimiter=delimiter,
        strict=True,
        escapechar=escape,
        skipinitialspace=delimiter == " ",
        doublequote=escape is None,
        quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
    )
    chunks: list[list[pa.Array]] = []
    rows: list[Sequence[str]] = []
    lines: list[NDArray[np.int64]] = []
    row_lines: list[int] = []
    ragged_lines: list[int] = []
    ragged, line = 0, begin
    waiting_for_header = header

    def flush() -> None:
        if rows:
            chunks.append([pa.array(cells, pa.large_string()) for cells in zip(*rows, strict=True)])
            lines.append(np.array(row_lines, np.int64))
            rows.clear()
            row_lines.clear()

    try:
        while not text.ended and (row := next(reader, None)) is not None:
            start, line = line, begin + reader.line_num
            if not any(row):
                continue
            if waiting_for_header:
                waiting_for_header = False
            elif len(row) == width:
                rows.append(row)
                row_lines.append(start)
                if len(rows) == ROW_BLOCK:
                    flush()
            else:
                ragged += 1
                if len(ragged_lines) < 5:
                    ragged_lines.append(start)
    except csv.Error as error:
        raise BrokenQuotesError(line, str(error)) from None
    flush()
    columns = [
        pa.chunked_array([chunk[i] for chunk in chunks], pa.large_string()) for i in range(width)
    ]
    all_lines = np.concatenate(lines) if lines else np.empty(0, np.int64)
    first_line = int(all_lines[0]) if len(all_lines) else begin + int(header)
    regular = bool((all_lines == np.arange(len(all_lines)) + first_line).all())
    return Parsed(
        columns, None if regular else all_lines, first_line, ragged, tuple(ragged_lines), line
    )


class _Lines:
    """Lines of a text; of what follows it only as many as its last row goes on in."""

    def __init__(self, data: bytes, more: Callable[[], bytes]) -> None:
        self._more = more
        self._lines = _lines_of(data)
        self._next = next(self._lines, None)

    @property
    def ended(self) -> bool:
        """Whether all lines have been taken; asked between two rows."""
        return self._next is None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._next is None:  # within a row
            self._lines = _lines_of(self._more())
            self._next = next(self._lines, None)
        if self._next is None:
            raise StopIteration
        line, self._next = self._next, next(self._lines, None)
        return line


def _lines_of(data: bytes) -> Iterator[str]:
    return iter(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""))
