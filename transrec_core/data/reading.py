"""A file as text cells, with a report on everything odd about it.

Nothing is converted here: ``001``, ``NA`` and ``9007199254740993`` stay as they are written.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transrec_core.data import sniffing
from transrec_core.data.mapping import guess_mapping
from transrec_core.data.opening import (
    OpenedFile,
    head_of_text,
    is_utf8,
    open_file,
    refusal,
    require_columns,
    start_hashing,
    to_utf8,
)
from transrec_core.data.parsing import LARGE, BrokenQuotesError, Parsed, parse, plain_quotes
from transrec_core.data.records import JSON_BEGINS, json_columns, parquet_columns
from transrec_core.data.report import DELIMITER_NAMES, ImportReport, Problem, plural
from transrec_core.errors import BadSettingError, UnreadableFileError
from transrec_core.limits import Limits, or_allow_more

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cells over several lines that are looked at for rows that an open quote has swallowed.
MOST_LOOKED_AT = 1000
SEVERITIES = ("error", "warning", "info")


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
    """

    cells: pa.Table
    report: ImportReport
    sha256: str
    lines: "NDArray[np.int64] | None" = None
    first_line: int = 2

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The cells as a table of plain text columns, made when first asked for."""
        return as_frame(dict(zip(self.cells.column_names, self.cells.columns, strict=True)))

    def lines_of(self, rows: "NDArray[np.int64]") -> tuple[int, ...]:
        """Line numbers of the first five of these row positions."""
        rows = rows[:5]
        return tuple(
            int(line)
            for line in (rows + self.first_line if self.lines is None else self.lines[rows])
        )


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
    if delimiter is not None and (not delimiter or set(delimiter) & set('"\r\n\0')):
        raise BadSettingError(
            f"The delimiter is {delimiter!r}.",
            "It must be one or more characters, but no quote, line end or zero byte.",
        )
    asked = {
        "encoding": encoding,
        "delimiter": delimiter and DELIMITER_NAMES.get(delimiter, delimiter),
        "header": None if header is None else ("yes" if header else "no"),
    }
    table = _read_table(file, name, delimiter, header, encoding)
    said = {flag: value for flag, value in asked.items() if value is not None}
    return replace(table, report=replace(table.report, asked=said)) if said else table


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
            return _with(_from_columns(opened, *columns, encoding=found_encoding), doubt)
    return _with(_from_text(opened, data, delimiter, header, found_encoding), doubt)


def _doubted(opened: OpenedFile, data: bytes, encoding: str | None) -> Problem | None:
    """What to say of a text that was read in another encoding, as asked, although it is UTF-8."""
    if encoding is None or data == opened.data or not is_utf8(opened.data):
        return None
    return Problem(
        "ENCODING_DOUBT",
        "warning",
        f"The text was read as {encoding}, as asked, but it is UTF-8, so other letters than these "
        "may be meant.",
        "Leave the encoding out.",
    )


def _with(table: Table, problem: Problem | None) -> Table:
    if problem is None:
        return table
    problems = sorted((problem, *table.report.problems), key=lambda p: SEVERITIES.index(p.severity))
    return replace(table, report=replace(table.report, problems=tuple(problems)))


@dataclass(frozen=True)
class _Dialect:
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
        return len(self.delimiter) == 1

    @property
    def width(self) -> int:
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
) -> _Dialect:
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
    return _Dialect(delimiter, rows[0], has_header, header is None, line, comments)


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
        opened = OpenedFile(name, head, start_hashing(path))
        columns = parse_plain(path, *how)
    except (OSError, UnreadableFileError):
        return None
    if columns is None:
        return None
    parsed = Parsed(columns, None, 1 + int(dialect.header))
    return _text_table(opened, dialect, parsed, [], "utf-8")


def _from_text(
    opened: OpenedFile, data: bytes, delimiter: str | None, header: bool | None, encoding: str
) -> Table:
    name = opened.name
    notes: list[Problem] = []
    named = sniffing.named_delimiter(data)
    if named is not None:
        # The line end stays: a blank line above the table, and lines count as in the file.
        delimiter, data = delimiter or named[0], data[named[1] :]
        notes.append(_named_delimiter(named[0]))
    asked = delimiter is not None
    sample = sniffing.sample_of(data)
    delimiter = delimiter or sniffing.guess_delimiter(sample)
    begin, line = sniffing.first_row(data, delimiter)
    data = data[begin:]
    dialect = _dialect(sample, delimiter, header, name, line)
    parsed_with = dialect.delimiter
    if not dialect.quoting:
        parsed_with = sniffing.stand_in(data) or ""
        if not parsed_with:
            raise refusal(
                name,
                "CONTROL_CHARACTERS",
                "The file holds too many kinds of control characters to be a table of text.",
                "Export the table again as CSV.",
            )
        data = data.replace(dialect.delimiter.encode(), parsed_with.encode())
    if dialect.header and b"\n" not in data and b"\r" not in data:
        raise _no_rows(name, dialect.found(encoding))
    parsed, quotes = _parse(data, parsed_with, dialect, name)
    count = len(parsed.columns[0])
    if count == 0 and parsed.ragged:
        raise refusal(
            name,
            "RAGGED",
            f"No row has {dialect.width} cells as the first one has ({parsed.ragged} have another "
            "number).",
            "Check the delimiter and the first row.",
            parsed.ragged,
            parsed.ragged_lines,
            **dialect.found(encoding),
        )
    if count == 0:
        raise _no_rows(name, dialect.found(encoding))
    found = (
        quotes,
        None if asked else _blanks(dialect),
        _comments(dialect),
        _swallowed_rows(parsed, dialect),
    )
    notes += [note for note in found if note is not None]
    return _text_table(opened, dialect, parsed, notes, encoding)


def _named_delimiter(delimiter: str) -> Problem:
    return Problem(
        "SEP_LINE",
        "info",
        f"The first line names the delimiter ({delimiter}), as Excel writes it, and is no row.",
        "",
        rows=(1,),
    )


def _blanks(dialect: _Dialect) -> Problem | None:
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


def _comments(dialect: _Dialect) -> Problem | None:
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


def _swallowed_rows(parsed: Parsed, dialect: _Dialect) -> Problem | None:
    """What to say of quoted cells over several lines that look like rows of the table."""
    found: set[int] = set()
    for column in parsed.columns if dialect.quoting and dialect.width > 1 else ():
        if not pa.types.is_large_string(column.type):
            continue  # encoded columns come from files without line ends in cells
        many = _mask_of(column, "\n") | _mask_of(column, "\r")
        for row in np.flatnonzero(many)[:MOST_LOOKED_AT]:
            inner = sniffing.LINE_END.split(column[int(row)].as_py())[1:-1]
            alike = sum(line.count(dialect.delimiter) == dialect.width - 1 for line in inner)
            # Prose has a comma or two in a line, but hardly ever a tab.
            least = 1 if dialect.delimiter == "\t" or dialect.width > 3 else 2
            if alike >= least and alike >= 0.5 * len(inner):
                found.add(int(row))
    if not found:
        return None
    rows = np.array(sorted(found)[:5])
    lines = rows + parsed.first_line if parsed.lines is None else parsed.lines[rows]
    return Problem(
        "ROWS_IN_QUOTES",
        "warning",
        plural(len(found), "quoted cell spans", "quoted cells span")
        + " lines that look like rows of the table.",
        "If they are rows, a quote is missing or too many: look where the quotes open and close.",
        len(found),
        tuple(int(line) for line in lines),
    )


def _mask_of(column: pa.ChunkedArray, text: str) -> "NDArray[np.bool_]":
    return np.array(pc.match_substring(column, text).to_numpy(zero_copy_only=False), bool)


def _text_table(
    opened: OpenedFile, dialect: _Dialect, parsed: Parsed, notes: list[Problem], encoding: str
) -> Table:
    """Table from parsed text, with what is odd about it."""
    first, width, count = dialect.first, dialect.width, len(parsed.columns[0])
    names = first if dialect.header else [""] * width
    columns, problems = _column_names(names, dialect.header, dialect.line)
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
    if parsed.ragged:
        problems.append(
            Problem(
                "RAGGED",
                "warning",
                plural(parsed.ragged, "row does", "rows do")
                + f" not have {plural(width, 'cell')} and "
                + ("was" if parsed.ragged == 1 else "were")
                + " left out; "
                + plural(count, "row was", "rows were")
                + " kept.",
                "Correct these rows, often a delimiter inside a cell without quotes.",
                parsed.ragged,
                parsed.ragged_lines,
            )
        )
    problems += notes
    if width == 1:
        problems.append(
            Problem(
                "ONE_COLUMN",
                "warning",
                "The file has one column only; no delimiter divides its rows.",
                "If it should have more, name the delimiter.",
            )
        )
    return _table(opened, columns, parsed, problems, encoding, dialect.delimiter, dialect.header)


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


def _require_limits(name: str, parsed: Parsed) -> None:
    """Refuse tables with too many rows or a cell that is too long."""
    limits = Limits.current()
    rows = len(parsed.columns[0])
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


def _parse(
    data: bytes, delimiter: str, dialect: _Dialect, name: str
) -> tuple[Parsed, Problem | None]:
    """Parse by RFC 4180, else with backslash escapes, else with quotes as plain characters."""

    def read(**how: Any) -> Parsed:
        return parse(data, delimiter, dialect.width, dialect.header, line=dialect.line, **how)

    try:
        return read(quoting=dialect.quoting), None
    except BrokenQuotesError as error:
        broken = error
    # Tab-separated tables often mean quotes literally; elsewhere the row widths could not tell.
    others: tuple[tuple[dict[str, Any], bool], ...] = (
        ({"escape": "\\"}, b'\\"' in data),
        ({"quoting": False}, delimiter == "\t"),
    )
    for how, applies in others:
        try:
            parsed = read(**how) if applies else None
        except BrokenQuotesError:
            continue
        if parsed is None or len(parsed.columns[0]) == 0:
            continue
        if "escape" in how:
            return parsed, Problem(
                "BACKSLASH_ESCAPES",
                "info",
                "Quotes inside cells are written with a backslash and were read so.",
                "",
                rows=(broken.line,),
            )
        if parsed.ragged == 0:
            return parsed, Problem(
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


def _column_names(
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
    _require_limits(opened.name, parsed)
    cells = pa.table(dict(zip(columns, parsed.columns, strict=True)))
    head = [column.slice(0, 1000).cast(pa.string()).to_pylist() for column in parsed.columns]
    mapping = guess_mapping(columns, header, list(zip(*head, strict=True)))
    problems.extend(_mapping_problems(mapping, columns))
    problems.sort(key=lambda problem: SEVERITIES.index(problem.severity))
    report = ImportReport(
        opened.name,
        True,
        len(cells),
        tuple(columns),
        encoding,
        delimiter,
        header,
        mapping,
        tuple(problems),
    )
    return Table(cells, report, opened.hashing.result(), parsed.lines, parsed.first_line)


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
        empty &= pc.equal(column, "").to_numpy(zero_copy_only=False)
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
    unique, problems = _column_names(names, True)
    problems = [replace(problem, rows=()) for problem in problems]
    return _table(opened, unique, Parsed(columns, lines, 1), problems, encoding, None, True)
