"""A file as text cells, with a report on everything odd about it.

Nothing is converted here: ``001``, ``NA`` and ``9007199254740993`` stay as they are written.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transrec_core.data import sniffing
from transrec_core.data.growing import LineNumbers
from transrec_core.data.mapping import guess_mapping
from transrec_core.data.opening import (
    NUMBER_COPIES,
    OpenedFile,
    head_of_text,
    is_utf8,
    open_file,
    refusal,
    require_columns,
    require_memory,
    start_hashing,
    to_utf8,
)
from transrec_core.data.parsing import LARGE, BrokenQuotesError, Parsed, parse, plain_quotes
from transrec_core.data.records import (
    JSON_BEGINS,
    empty_cells,
    json_columns,
    parquet_columns,
    text_size,
)
from transrec_core.data.report import DELIMITER_NAMES, ImportReport, Problem, plural
from transrec_core.errors import BadSettingError, UnreadableFileError
from transrec_core.limits import Limits, or_allow_more

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = TypeVar("Rows", bound="CountedRows")

# Cells over several lines that are looked at for rows that an open quote has swallowed.
MOST_LOOKED_AT = 1000
SEVERITIES = ("error", "warning", "info")


class CountedRows(Protocol):
    """Rows of a table, however they are kept."""

    @property
    def count(self) -> int:
        """How many have the table's width."""

    @property
    def ragged(self) -> int:
        """How many have another one."""


@dataclass(frozen=True)
class Table:
    """A file as rows × columns of text.

    Attributes
    ----------
    cells
        All columns text, dictionary-encoded where cells repeat, or whole numbers where every cell
        is one just as ``str`` writes it; unique column names, one row a data row.
    report
        How the file was read, the guessed mapping and all problems.
    sha256
        Hash of the file's bytes.
    lines
        1-based line in the file of each row, or ``None`` where row i is line ``first_line + i``.
    first_line
        Line of the first row.
    streamed
        Where the file was read block by block: ``cells`` are then those columns alone that ratings
        are made of, times among them as numbers.
    """

    cells: pa.Table
    report: ImportReport
    sha256: str
    lines: "NDArray[np.int64] | None" = None
    first_line: int = 2
    streamed: "Streamed | None" = None

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The cells as a table of plain text columns, made when first asked for.

        Raises
        ------
        UnreadableFileError
            With the code TOO_LARGE, where that would not fit into memory.
        """
        size = sum(text_size(chunk) for column in self.cells.columns for chunk in column.chunks)
        require_memory(self.report.file, size)
        return as_frame(dict(zip(self.cells.column_names, self.cells.columns, strict=True)))

    def lines_of(self, rows: "NDArray[np.int64]") -> tuple[int, ...]:
        """Line numbers of the first five of these row positions."""
        rows = rows[:5]
        if self.streamed is not None:
            return self.streamed.numbers.of(rows)
        return tuple(
            int(line)
            for line in (rows + self.first_line if self.lines is None else self.lines[rows])
        )


@dataclass(frozen=True)
class Streamed:
    """What is kept of a file beside its cells when it was read block by block.

    Attributes
    ----------
    numbers
        Lines of the rows.
    odd_times
        Cells of the time column that are no times, by row: the first ones.
    scarce
        Whether memory is too scarce to keep rows beside the matrix that is made of them.
    """

    numbers: LineNumbers
    odd_times: Mapping[int, str]
    scarce: bool


def as_frame(columns: Mapping[str, pa.ChunkedArray]) -> pd.DataFrame:
    """Table of text columns from whole numbers and text that may be dictionary-encoded."""
    text = {name: column.cast(pa.large_string()) for name, column in columns.items()}
    frame: pd.DataFrame = pa.table(text).to_pandas()
    return frame


def read_table(
    file: str | Path | bytes,
    *,
    name: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> Table:
    """Read delimited text, JSON lines or Parquet, also compressed, as text cells.

    Parameters
    ----------
    file
        A path, or the bytes of a file.
    name
        What to call it in messages; the file's own name by default.
    delimiter
        ``","``, ``";"``, ``"|"``, ``"::"``, a tab or any other; guessed by default.
    header
        Whether the first row holds the column names; guessed by default.
    encoding
        Of the text; UTF-8, or UTF-16 with a byte order mark, by default.

    Returns
    -------
    Table
        Rows of another width than the header's are left out and counted (RAGGED); rows without
        any content are dropped.

    Raises
    ------
    UnreadableFileError
        When the file is no table or it is not clear how to read it; ``.report`` has the code.
    BadSettingError
        For a delimiter that cannot divide cells.
    """
    require_delimiter(delimiter)
    return as_asked(
        _read_table(file, name, delimiter, header, encoding), delimiter, header, encoding
    )


def require_delimiter(delimiter: str | None) -> None:
    """Refuse what cannot divide cells."""
    if delimiter is not None and (not delimiter or set(delimiter) & set('"\r\n\0')):
        raise BadSettingError(
            f"The delimiter is {delimiter!r}.",
            "It must be one or more characters, but no quote, line end or zero byte.",
        )


def as_asked(
    table: Table, delimiter: str | None, header: bool | None, encoding: str | None
) -> Table:
    """The table with what was not guessed in its report."""
    said = asked_flags(delimiter, header, encoding)
    return replace(table, report=replace(table.report, asked=said)) if said else table


def asked_flags(delimiter: str | None, header: bool | None, encoding: str | None) -> dict[str, str]:
    """Flags of the command line, with their values, that say what is not to be guessed."""
    asked = {
        "encoding": encoding,
        "delimiter": delimiter and DELIMITER_NAMES.get(delimiter, delimiter),
        "header": None if header is None else ("yes" if header else "no"),
    }
    return {flag: value for flag, value in asked.items() if value is not None}


def read_plain_table(
    path: Path,
    *,
    name: str | None,
    delimiter: str | None,
    header: bool | None,
    encoding: str | None,
) -> Table | None:
    """The same of a large file of nothing but numbers and a few short texts, else ``None``."""
    require_delimiter(delimiter)
    if encoding is not None:
        return None
    table = _from_plain_file(path, name or path.name, delimiter, header)
    return None if table is None else as_asked(table, delimiter, header, encoding)


def _read_table(
    file: str | Path | bytes,
    name: str | None,
    delimiter: str | None,
    header: bool | None,
    encoding: str | None,
) -> Table:
    if encoding is None and not isinstance(file, bytes):
        path = Path(file)
        table = _from_plain_file(path, name or path.name, delimiter, header)
        if table is not None:
            return table
    opened = open_file(file, name)
    if opened.data[:4] == b"PAR1":
        return _from_columns(opened, *parquet_columns(opened), encoding=None)
    data, found_encoding = to_utf8(opened, encoding)
    doubt = _doubted(opened, data, encoding)
    if delimiter is None and header is None and data.lstrip()[:1] in JSON_BEGINS:
        columns = json_columns(data, opened.name)
        if columns is not None:
            return with_problem(_from_columns(opened, *columns, encoding=found_encoding), doubt)
    return with_problem(_from_text(opened, data, delimiter, header, found_encoding), doubt)


def _doubted(opened: OpenedFile, data: bytes, encoding: str | None) -> Problem | None:
    """What to say of a text that was read in another encoding, as asked, although it is UTF-8."""
    if encoding is None or data == opened.data or not is_utf8(opened.data):
        return None
    return doubted(encoding)


def doubted(encoding: str) -> Problem:
    """What to say of a text in UTF-8 that was read in another encoding, as asked."""
    return Problem(
        "ENCODING_DOUBT",
        "warning",
        f"The text was read as {encoding}, as asked, but it is UTF-8, so other letters than these "
        "may be meant.",
        "Leave the encoding out.",
    )


def with_problem(table: Table, problem: Problem | None) -> Table:
    """The table with one more problem in its report."""
    if problem is None:
        return table
    problems = sorted((problem, *table.report.problems), key=lambda p: SEVERITIES.index(p.severity))
    return replace(table, report=replace(table.report, problems=tuple(problems)))


@dataclass(frozen=True)
class Dialect:
    """How a text is written: ``first`` are the cells of its first row, which is in ``line``.

    ``comments`` is how many of the first rows begin with ``#``.
    """

    delimiter: str
    first: list[str]
    header: bool
    header_guessed: bool
    line: int
    comments: int

    @property
    def quoting(self) -> bool:
        """Whether quotes may enclose cells."""
        return len(self.delimiter) == 1

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.first)

    def found(self, encoding: str) -> dict[str, Any]:
        """What a refusal's report says about it."""
        return {
            "columns": tuple(self.first) if self.header else (),
            "encoding": encoding,
            "delimiter": self.delimiter,
            "header": self.header,
        }


def _dialect(
    sample: str, delimiter: str | None, header: bool | None, name: str, line: int = 1
) -> Dialect:
    delimiter = delimiter or sniffing.guess_delimiter(sample)
    rows = sniffing.sample_rows(sample, delimiter, len(delimiter) == 1)
    if not rows and '"' in sample:
        raise _broken_quotes(name, BrokenQuotesError(line, "unexpected end of data"))
    if not rows:
        raise _no_rows(name, {"delimiter": delimiter})
    _require_table(name, rows, delimiter, line)
    has_header = sniffing.guess_header(rows) if header is None else header
    comments = sum(row[0].lstrip().startswith("#") for row in rows)
    # Where many rows begin so, it is what ids or words of this table begin with.
    comments = comments if comments <= max(1, 0.2 * len(rows)) else 0
    return Dialect(delimiter, rows[0], has_header, header is None, line, comments)


def _from_plain_file(
    path: Path, name: str, delimiter: str | None, header: bool | None
) -> Table | None:
    """Table from a large file that need not be in memory; ``None`` where anything is odd."""
    head = head_of_text(path, LARGE)
    if head is None or head.lstrip()[:1] in JSON_BEGINS:
        return None
    from transrec_core.data.plain import parse_plain  # compiled, and slow to load

    try:
        dialect = _dialect(sniffing.sample_of(head), delimiter, header, name)
        how = dialect.delimiter, dialect.width, dialect.header
        fits = dialect.quoting and how[0] != " " and how[0].isascii()
        odd = sniffing.named_delimiter(head) or sniffing.first_row(head, how[0])[0] > 0
        if odd or not (fits and plain_quotes(head, how[0])):
            return None
        require_memory(name, path.stat().st_size, NUMBER_COPIES)
        opened = OpenedFile(name, head, start_hashing(path))
        columns = parse_plain(path, *how)
    except (OSError, UnreadableFileError):
        return None
    if columns is None:
        return None
    parsed = Parsed(columns, None, 1 + int(dialect.header))
    return _text_table(opened, dialect, parsed, [], "utf-8")


@dataclass(frozen=True)
class Beginning:
    """What the first lines of a text say about it.

    Attributes
    ----------
    dialect
        How it is written.
    skipped
        Bytes above the first row.
    notes
        What is odd about it so far.
    """

    dialect: Dialect
    skipped: int
    notes: tuple[Problem, ...]


def beginning(data: bytes, delimiter: str | None, header: bool | None, name: str) -> Beginning:
    """Look at the first lines; errors as in ``read_table``."""
    named = sniffing.named_delimiter(data)
    asked = delimiter or (named[0] if named else None)
    # The line end stays: a blank line above the table, and lines count as in the file.
    below = data[named[1] :] if named else data
    sample = sniffing.sample_of(below)
    delimiter = asked or sniffing.guess_delimiter(sample)
    above, line = sniffing.first_row(below, delimiter)
    dialect = _dialect(sample, delimiter, header, name, line)
    found = (
        _named_delimiter(named[0]) if named else None,
        None if asked else _blanks(dialect),
        _comments(dialect),
    )
    notes = tuple(note for note in found if note is not None)
    return Beginning(dialect, len(data) - len(below) + above, notes)


def _from_text(
    opened: OpenedFile, data: bytes, delimiter: str | None, header: bool | None, encoding: str
) -> Table:
    begin = beginning(data, delimiter, header, opened.name)
    dialect, data = begin.dialect, data[begin.skipped :]
    require_lines(data, dialect, opened.name, encoding)
    text, parsed_with = with_one_delimiter(data, dialect, opened.name)

    def read(**how: Any) -> Parsed:
        return parse(text, parsed_with, dialect.width, dialect.header, line=dialect.line, **how)

    parsed, quotes = parse_somehow(read, lambda: b'\\"' in data, dialect, opened.name)
    require_rows(parsed.count, parsed.ragged, parsed.ragged_lines, dialect, opened.name, encoding)
    swallowed = SwallowedRows(dialect)
    swallowed.look(parsed)
    notes = [*begin.notes, *(note for note in (quotes, swallowed.problem()) if note is not None)]
    return _text_table(opened, dialect, parsed, notes, encoding)


def require_lines(data: bytes, dialect: Dialect, name: str, encoding: str) -> None:
    """Refuse a text of a single line of names."""
    if dialect.header and b"\n" not in data and b"\r" not in data:
        raise _no_rows(name, dialect.found(encoding))


def require_rows(
    count: int,
    ragged: int,
    ragged_lines: tuple[int, ...],
    dialect: Dialect,
    name: str,
    encoding: str,
) -> None:
    """Refuse a text without any row that has the table's width."""
    if count == 0 and ragged:
        raise refusal(
            name,
            "RAGGED",
            f"No row has {dialect.width} cells as the first one has ({ragged} have another "
            "number).",
            "Check the delimiter and the first row.",
            ragged,
            ragged_lines,
            **dialect.found(encoding),
        )
    if count == 0:
        raise _no_rows(name, dialect.found(encoding))


def with_one_delimiter(data: bytes, dialect: Dialect, name: str) -> tuple[bytes, str]:
    """The text with a delimiter of one character, and that character."""
    if dialect.quoting:
        return data, dialect.delimiter
    stand_in = sniffing.stand_in(data)
    if stand_in is None:
        raise refusal(
            name,
            "CONTROL_CHARACTERS",
            "The file holds too many kinds of control characters to be a table of text.",
            "Export the table again as CSV.",
        )
    return data.replace(dialect.delimiter.encode(), stand_in.encode()), stand_in


def _named_delimiter(delimiter: str) -> Problem:
    return Problem(
        "SEP_LINE",
        "info",
        f"The first line names the delimiter ({delimiter}), as Excel writes it, and is no row.",
        "",
        rows=(1,),
    )


def _blanks(dialect: Dialect) -> Problem | None:
    """What to say where blanks were taken for the delimiter."""
    if dialect.delimiter != " ":
        return None
    return Problem(
        "SPACE_DELIMITER",
        "warning",
        f"No other delimiter divides the rows, so blanks do: {dialect.width} numbers a row.",
        "If every row is one cell, name another delimiter.",
        rows=(dialect.line,),
    )


def _comments(dialect: Dialect) -> Problem | None:
    """What to say of rows that begin as comments do in other files."""
    if dialect.comments == 0:
        return None
    return Problem(
        "COMMENT_LINES",
        "warning",
        plural(dialect.comments, "row begins", "rows begin")
        + " with # among the first ones, as comments do, and "
        + ("was" if dialect.comments == 1 else "were")
        + " read like any other.",
        "Delete comments from the file.",
        dialect.comments,
    )


class SwallowedRows:
    """Quoted cells over several lines that look like rows of the table."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._looked_at = [0] * dialect.width
        self._count = 0
        self._lines: list[int] = []

    def look(self, parsed: Parsed) -> None:
        """Look at the next rows of the table."""
        found: set[int] = set()
        delimiter, width = self._dialect.delimiter, self._dialect.width
        for place, column in enumerate(parsed.columns if self._dialect.quoting else ()):
            if width == 1 or not pa.types.is_large_string(column.type):
                continue  # encoded columns come from files without line ends in cells
            many = np.flatnonzero(_mask_of(column, "\n") | _mask_of(column, "\r"))
            rows = many[: MOST_LOOKED_AT - self._looked_at[place]]
            self._looked_at[place] += len(rows)
            for row in rows:
                inner = sniffing.LINE_END.split(column[int(row)].as_py())[1:-1]
                alike = sum(line.count(delimiter) == width - 1 for line in inner)
                # Prose has a comma or two in a line, but hardly ever a tab.
                least = 1 if delimiter == "\t" or width > 3 else 2
                if alike >= least and alike >= 0.5 * len(inner):
                    found.add(int(row))
        self._count += len(found)
        rows = np.array(sorted(found)[: 5 - len(self._lines)], np.int64)
        lines = rows + parsed.first_line if parsed.lines is None else parsed.lines[rows]
        self._lines += [int(line) for line in lines]

    def problem(self) -> Problem | None:
        """What to say of them."""
        if self._count == 0:
            return None
        return Problem(
            "ROWS_IN_QUOTES",
            "warning",
            plural(self._count, "quoted cell spans", "quoted cells span")
            + " lines that look like rows of the table.",
            "If they are rows, a quote is missing or too many: look where the quotes open and "
            "close.",
            self._count,
            tuple(self._lines),
        )


def _mask_of(column: pa.ChunkedArray, text: str) -> "NDArray[np.bool_]":
    return np.array(pc.match_substring(column, text).to_numpy(zero_copy_only=False), bool)


def _text_table(
    opened: OpenedFile, dialect: Dialect, parsed: Parsed, notes: list[Problem], encoding: str
) -> Table:
    """Table from parsed text, with what is odd about it."""
    columns, problems = names_of(dialect)
    problems += ragged_rows(dialect, parsed.count, parsed.ragged, parsed.ragged_lines)
    problems += [*notes, *one_column(dialect)]
    return _table(opened, columns, parsed, problems, encoding, dialect.delimiter, dialect.header)


def names_of(dialect: Dialect) -> tuple[list[str], list[Problem]]:
    """Unique names of the columns, and what is to be said of them."""
    first = dialect.first
    columns, problems = column_names(first, dialect.header, dialect.line)
    if not dialect.header and dialect.header_guessed:
        numeric = all(sniffing.NUMBER.fullmatch(cell) for cell in first)
        problems.append(
            Problem(
                "NO_HEADER_GUESS",
                "info" if numeric else "warning",
                f"The first row ({_shown(first)}) looks like data, so the columns are called "
                f"{columns[0]} to {columns[-1]}.",
                "If it holds the column names, write them as words, such as user, item and rating.",
                rows=(dialect.line,),
            )
        )
    return columns, problems


def ragged_rows(dialect: Dialect, count: int, ragged: int, lines: tuple[int, ...]) -> list[Problem]:
    """What to say of rows of another width."""
    if ragged == 0:
        return []
    return [
        Problem(
            "RAGGED",
            "warning",
            plural(ragged, "row does", "rows do")
            + f" not have {plural(dialect.width, 'cell')} and "
            + ("was" if ragged == 1 else "were")
            + " left out; "
            + plural(count, "row was", "rows were")
            + " kept.",
            "Correct these rows, often a delimiter inside a cell without quotes.",
            ragged,
            lines,
        )
    ]


def one_column(dialect: Dialect) -> list[Problem]:
    """What to say of a table of one column."""
    if dialect.width > 1:
        return []
    return [
        Problem(
            "ONE_COLUMN",
            "warning",
            "The file has one column only; no delimiter divides its rows.",
            "If it should have more, name the delimiter.",
        )
    ]


def _no_rows(name: str, found: Mapping[str, Any]) -> Exception:
    return refusal(
        name,
        "NO_ROWS",
        "The file has a row of column names but no data.",
        "Choose a file with data below the names. If the first row is data itself, write a row of "
        "column names above it.",
        **found,
    )


def _require_table(name: str, rows: Sequence[Sequence[str]], delimiter: str, line: int) -> None:
    """Refuse lines of prose above the table and more columns than a rating table can have."""
    width = len(rows[0])
    require_columns(name, width)
    below = Counter(len(row) for row in rows[1:])
    if width == 1 and below and below.most_common(1)[0][0] > 1:
        before = next(i for i, row in enumerate(rows) if len(row) > 1)
        raise refusal(
            name,
            "PREAMBLE",
            f"The first {'row has' if before == 1 else f'{before} rows have'} one cell but the "
            f"rows below have {len(rows[before])} (divided by {delimiter!r}), so they are not part "
            "of the table.",
            "Delete the rows above the table.",
            before,
            (line,),
        )


def require_limits(name: str, parsed: Parsed, rows: int) -> None:
    """Refuse tables with too many rows, by what they have so far, or a cell that is too long."""
    limits = Limits.current()
    if rows > limits.rows:
        raise refusal(
            name,
            "TOO_LARGE",
            f"The file has {rows:,} rows; {limits.rows:,} may be read.",
            f"Split it, {or_allow_more('rows')}.",
            rows,
        )
    for column in parsed.columns:
        for row, length in _longest_cells(column, limits.cell_chars):
            if length > limits.cell_chars:
                lines = parsed.lines
                line = row + parsed.first_line if lines is None else int(lines[row])
                raise _cell_too_long(name, line)


def _longest_cells(column: pa.ChunkedArray, most: int) -> Iterator[tuple[int, int]]:
    """Position and characters of the longest cell of each chunk with more bytes than ``most``."""
    begin = 0
    for chunk in column.chunks:
        encoded = pa.types.is_dictionary(chunk.type)
        texts = chunk.dictionary if encoded else chunk
        if len(texts) and not pa.types.is_integer(texts.type):
            longest = pc.max(pc.binary_length(texts)).as_py()
            # Letters take up to four bytes, so few texts have to be counted.
            if longest > most:
                lengths = pc.utf8_length(texts)
                at = pc.index(lengths, pc.max(lengths)).as_py()
                row = pc.index(chunk.indices, pa.scalar(at, chunk.indices.type)) if encoded else at
                yield begin + int(row.as_py() if encoded else row), lengths[at].as_py()
        begin += len(chunk)


def _cell_too_long(name: str, line: int) -> Exception:
    return refusal(
        name,
        "CELL_TOO_LONG",
        f"A cell from line {line} on is longer than {Limits.current().cell_chars:,} characters; "
        "perhaps a quote is never closed.",
        f"Look at that line, {or_allow_more('cell_chars')}.",
        rows=(line,),
    )


def parse_somehow(
    read: Callable[..., Rows], has_escapes: Callable[[], bool], dialect: Dialect, name: str
) -> tuple[Rows, Problem | None]:
    """Read by RFC 4180, else with backslash escapes, else with quotes as plain characters."""
    try:
        return read(quoting=dialect.quoting), None
    except BrokenQuotesError as error:
        broken = error
    # Tab-separated tables often mean quotes literally; elsewhere the row widths could not tell.
    tabs = dialect.quoting and dialect.delimiter == "\t"
    others: tuple[tuple[dict[str, Any], Callable[[], bool]], ...] = (
        ({"escape": "\\"}, has_escapes),
        ({"quoting": False}, lambda: tabs),
    )
    for how, applies in others:
        try:
            rows = read(**how) if applies() else None
        except BrokenQuotesError:
            continue
        if rows is None or rows.count == 0:
            continue
        if "escape" in how:
            return rows, Problem(
                "BACKSLASH_ESCAPES",
                "info",
                "Quotes inside cells are written with a backslash and were read so.",
                "",
                rows=(broken.line,),
            )
        if rows.ragged == 0:
            return rows, Problem(
                "BAD_QUOTE",
                "warning",
                f"Quotes are not closed as they should be (line {broken.line}), so all quotes were "
                "read as plain characters.",
                "Look at the cells with quotes.",
                rows=(broken.line,),
            )
    raise _broken_quotes(name, broken)


def _broken_quotes(name: str, error: BrokenQuotesError) -> Exception:
    if "limit" in error.reason:
        return _cell_too_long(name, error.line)
    if "end of data" in error.reason:
        return refusal(
            name,
            "UNTERMINATED_QUOTE",
            f"A quote that opens in line {error.line} is never closed.",
            "Close it, or double quotes inside cells.",
            rows=(error.line,),
        )
    return refusal(
        name,
        "BAD_QUOTE",
        f"Line {error.line} has text after a closing quote ({error.reason}).",
        'Double the quotes inside cells, as in "a ""b"" c".',
        rows=(error.line,),
    )


def _shown(cells: Sequence[str], limit: int = 4) -> str:
    shown = ", ".join(cell if len(cell) <= 20 else cell[:20] + "…" for cell in cells[:limit])
    return shown + (", …" if len(cells) > limit else "")


def column_names(
    first: Sequence[str], header: bool, line: int = 1
) -> tuple[list[str], list[Problem]]:
    """Return unique, non-empty names, and what had to be changed for that."""
    if not header:
        return [f"column_{i + 1}" for i in range(len(first))], []
    stripped = [cell.strip() for cell in first]
    blank = [i + 1 for i, cell in enumerate(stripped) if not cell]
    repeated = [cell for cell, often in Counter(stripped).items() if often > 1]
    names: list[str] = []
    taken, used = set(stripped), set[str]()
    following: Counter[str] = Counter()
    for i, cell in enumerate(stripped):
        candidate = base = cell or f"column_{i + 1}"
        while candidate in used or (candidate in taken and candidate != cell):
            following[base] += 1
            candidate = f"{base}_{following[base] + 1}"
        names.append(candidate)
        used.add(candidate)
    problems = []
    if blank:
        problems.append(
            Problem(
                "BLANK_COLUMN",
                "warning",
                f"{len(blank)} columns have no name and are called by their "
                f"position, as {names[blank[0] - 1]}.",
                "Name them in the file's first row.",
                len(blank),
                (line,),
            )
        )
    if repeated:
        shown = _shown([cell or "(no name)" for cell in repeated])
        problems.append(
            Problem(
                "DUPLICATE_COLUMN",
                "warning",
                f"Column names occur more than once ({shown}); the later ones got a number.",
                "Give each column its own name.",
                len(repeated),
                (line,),
            )
        )
    return names, problems


def _table(
    opened: OpenedFile,
    columns: list[str],
    parsed: Parsed,
    problems: list[Problem],
    encoding: str | None,
    delimiter: str | None,
    header: bool,
) -> Table:
    require_limits(opened.name, parsed, parsed.count)
    cells = pa.table(dict(zip(columns, parsed.columns, strict=True)))
    head, count = () if header else first_rows(parsed), parsed.count
    report = report_on(opened.name, columns, head, count, problems, encoding, delimiter, header)
    return Table(cells, report, opened.hashing.result(), parsed.lines, parsed.first_line)


def first_rows(parsed: Parsed) -> list[tuple[str, ...]]:
    """Some rows by which to guess what the columns mean."""
    head = [column.slice(0, 1000).cast(pa.string()).to_pylist() for column in parsed.columns]
    return list(zip(*head, strict=True))


def report_on(
    name: str,
    columns: Sequence[str],
    head: Sequence[Sequence[str]],
    count: int,
    problems: Sequence[Problem],
    encoding: str | None,
    delimiter: str | None,
    header: bool,
) -> ImportReport:
    """The report on a table that could be read."""
    mapping = guess_mapping(columns, header, head)
    problems = [*problems, *_mapping_problems(mapping, columns)]
    problems.sort(key=lambda problem: SEVERITIES.index(problem.severity))
    return ImportReport(
        name,
        True,
        count,
        tuple(columns),
        encoding,
        delimiter,
        header,
        mapping,
        tuple(problems),
    )


def _mapping_problems(mapping: Mapping[str, str | None], columns: Sequence[str]) -> list[Problem]:
    problems = []
    missing = [role for role in ("user", "item") if mapping[role] is None]
    if missing:
        problems.append(
            Problem(
                "NO_MAPPING",
                "warning",
                f"It is not clear which column holds the {' and the '.join(missing)} "
                f"id (columns: {_shown(columns, 8)}).",
                "Name the columns for user and item.",
            )
        )
    if mapping["rating"] is None:
        problems.append(
            Problem(
                "NO_RATING_COLUMN",
                "info",
                "There is no rating column, so every row counts as one interaction.",
                "If there are ratings, name their column.",
            )
        )
    return problems


def _from_columns(
    opened: OpenedFile, names: list[str], columns: list[pa.ChunkedArray], encoding: str | None
) -> Table:
    """Table from a format that brings its own names and cells."""
    if not names:
        raise refusal(
            opened.name, "NO_ROWS", "The file has no columns.", "Choose a file with data."
        )
    require_columns(opened.name, len(names))
    empty = np.ones(len(columns[0]), bool)
    for column in columns:
        empty &= empty_cells(column)
    kept = pa.array(~empty)
    columns = [column.filter(kept) for column in columns]
    lines = np.flatnonzero(~empty) + 1
    if len(lines) == 0:
        raise refusal(
            opened.name,
            "NO_ROWS",
            "The file has no rows with content.",
            "Choose a file with data.",
            columns=tuple(names),
        )
    unique, problems = column_names(names, True)
    problems = [replace(problem, rows=()) for problem in problems]
    return _table(opened, unique, Parsed(columns, lines, 1), problems, encoding, None, True)
