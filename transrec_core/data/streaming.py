"""Ratings from files that are larger than memory: read block by block, by the same parsers.

What is kept are the columns that ratings are made of, as numbers: codes of users, items and
ratings, and times in seconds. The table is checked and encoded as any other after that.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from transrec_core.data import sniffing
from transrec_core.data.blocks import BLOCK, Pieces, Source, Text
from transrec_core.data.folders import parts_of
from transrec_core.data.growing import LineNumbers, Numbers, Texts
from transrec_core.data.mapping import amended, guess_mapping
from transrec_core.data.numerals import of_epoch, seconds, whole_numbers
from transrec_core.data.opening import (
    COPIES,
    TooLargeAtOnceError,
    compression,
    refusal,
    require_columns,
    require_size,
    require_table,
    start_hashing,
)
from transrec_core.data.parquet import PARQUET_ERRORS, ParquetReader
from transrec_core.data.parsing import LARGE, Parsed, parse
from transrec_core.data.reading import (
    Beginning,
    Dialect,
    Streamed,
    SwallowedRows,
    Table,
    as_asked,
    beginning,
    column_names,
    doubted,
    first_rows,
    names_of,
    one_column,
    parse_somehow,
    ragged_rows,
    read_plain_table,
    read_table,
    report_on,
    require_delimiter,
    require_limits,
    require_lines,
    require_rows,
    with_one_delimiter,
    with_problem,
)
from transrec_core.data.records import (
    JSON_BEGINS,
    as_text,
    damaged_parquet,
    empty_cells,
    kind_of_json,
    lines_of,
    record_blocks,
    shortened,
)
from transrec_core.data.report import Problem, plural
from transrec_core.limits import Limits, or_allow_more, size_in_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

BYTES_A_ROW = 48
"""Memory for a row while the matrix is made: codes and times of the file, their places by user, and
the matrix itself."""

TIMES_TEXTS = 3
"""Memory for the ids while they are sorted and looked up, in times their text."""

MOST_ODD_TIMES = 1000
HEAD = 2**23
"""Bytes that tell how a text is written."""

LONGEST_TIME = 100
INT32 = np.iinfo(np.int32)


def read_rated(
    file: str | Path | bytes,
    named: Mapping[str, str | None] | None = None,
    *,
    name: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> Table:
    """Read what ratings are made of from a file of any size, or from a folder of files.

    Parameters
    ----------
    file
        As for ``read_table``, or a folder with the parts of one table.
    named
        Columns by role that somebody has named; the guess stands for the others.
    name, delimiter, header, encoding
        As for ``read_table``.

    Returns
    -------
    Table
        All of a file that fits into memory as it is read; else ``Table.streamed``.

    Raises
    ------
    UnreadableFileError, BadSettingError
        As ``read_table``; with the code UNFINISHED_FOLDER for a folder that is still written to.
    """
    how: dict[str, Any] = {"delimiter": delimiter, "header": header, "encoding": encoding}
    if isinstance(file, bytes) or not _streamed_anyway(Path(file)):
        try:
            return read_table(file, name=name, **how)
        except TooLargeAtOnceError:
            return stream_table(file, named, name=name, **how)
    table = read_plain_table(Path(file), name=name, **how)
    return table or stream_table(file, named, name=name, **how)


def _streamed_anyway(path: Path) -> bool:
    """Whether a file is read block by block sooner than as a whole, or is a folder of files."""
    try:
        if path.is_dir():
            return True
        with path.open("rb") as stream:
            head = stream.read(BLOCK)
        large = path.stat().st_size >= LARGE
    except (OSError, ValueError):
        return False  # reading it as a whole says why
    return large and not compression(head) and head.lstrip()[:1] not in JSON_BEGINS


def stream_table(
    file: str | Path | bytes,
    named: Mapping[str, str | None] | None = None,
    *,
    name: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> Table:
    """The same, block by block in any case."""
    require_delimiter(delimiter)
    notes: list[Problem] = []
    if isinstance(file, bytes):
        name = name or "table"
        parts, hashing = [Source(file, name)], start_hashing(file)
    elif (path := Path(file)).is_dir():
        name = name or path.name or str(path)
        files = parts_of(path, name)
        parts, hashing = [Source(part, f"{name}/{part.name}") for part in files], None
        notes += [_parts(len(parts))] if len(parts) > 1 else []
    else:
        name = name or path.name or str(path)
        parts, hashing = [Source(path, name)], start_hashing(path)
    require_size(name, sum(part.size for part in parts))
    room, named = _Room(name, parts, Limits.current().memory), named or {}
    begins = {part.head[:4] == b"PAR1" for part in parts}
    if begins == {True}:
        table = _from_parquet(room, named, notes)
    elif True in begins:
        raise refusal(
            name,
            "NOT_A_TABLE",
            "Some files of the folder are Parquet, others are not.",
            "Give a folder that holds the parts of one table.",
        )
    else:
        table = _from_text(room, named, notes, delimiter, header, encoding)
    sha256 = _sha256_of(parts) if hashing is None else hashing.result()
    table = replace(table, sha256=sha256)
    return as_asked(table, delimiter, header, encoding)


def _parts(count: int) -> Problem:
    return Problem(
        "PARTS",
        "info",
        f"The folder's {count:,} files were read as one table, in the order of their names; lines "
        "count on from file to file.",
    )


def _sha256_of(parts: Sequence[Source]) -> str:
    """Hash of the hashes and names of a folder's parts, as ``sha256sum`` lists them."""
    lines = []
    for part in parts:
        with part.open() as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        lines.append(f"{found}  {part.name.rpartition('/')[2]}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass
class _Room:
    """What the rows of a file may take; how many they are is known or told from those read."""

    name: str
    parts: Sequence[Source]
    memory: int
    rows: int = 0

    @property
    def scarce(self) -> bool:
        """Whether the file would not fit into memory as a whole."""
        return COPIES * sum(part.size for part in self.parts) > self.memory

    def require(self, rows: int, texts: int) -> None:
        """Refuse a file whose matrix would not fit into memory.

        Parameters
        ----------
        rows
            Read so far.
        texts
            Bytes of the ids among them.
        """
        done = sum(part.done for part in self.parts)
        size = sum(part.size for part in self.parts)
        expected = max(rows, self.rows or int(rows * size / max(done, 1)))
        need = BYTES_A_ROW * expected + TIMES_TEXTS * texts
        if need > self.memory:
            raise refusal(
                self.name,
                "TOO_LARGE",
                f"The ratings alone of about {plural(expected, 'row')} need about "
                f"{size_in_words(need)} of memory; {size_in_words(self.memory)} may be used.",
                f"Split the file, {or_allow_more('memory')}.",
            )


class _Times:
    """A column of times as seconds: whole ones as such, all others in double precision."""

    def __init__(self) -> None:
        self._seconds = Numbers(np.int32)
        self.odd: dict[int, str] = {}

    def append(self, column: pa.ChunkedArray) -> None:
        """Put the cells of a block behind those that are there."""
        if pa.types.is_dictionary(column.type):
            # Longer texts are no times, and may be millions of times the same.
            column = shortened(column, LONGEST_TIME).cast(pa.large_string())
        whole = whole_numbers(column)
        times = seconds(column) if whole is None else of_epoch(whole)
        whole_here = whole is not None and times is whole and _fits_int32(times)
        if not whole_here and self._seconds.dtype == np.int32:
            self._seconds.widen(np.float64)
        odd = np.flatnonzero(np.isnan(times)) if whole is None else ()
        for row in odd[: MOST_ODD_TIMES - len(self.odd)]:
            self.odd[len(self._seconds) + int(row)] = column[int(row)].as_py()
        self._seconds.append(times)

    def take(self) -> pa.Array:
        """The column; nothing can be appended after."""
        return pa.array(self._seconds.take())


def _fits_int32(numbers: "NDArray[np.number[Any]]") -> bool:
    return bool(len(numbers) == 0 or (numbers.min() >= INT32.min and numbers.max() <= INT32.max))


class _Kept:
    """Rows of a table of which the columns of ratings are kept."""

    def __init__(
        self,
        room: _Room,
        names: Sequence[str],
        header: bool,
        named: Mapping[str, str | None],
    ) -> None:
        self._room, self._names, self._header, self._named = room, names, header, named
        self._texts: dict[str, Texts] = {}
        self._times: dict[str, _Times] = {}
        self.roles: dict[str, str | None] = {}
        self.head: Sequence[tuple[str, ...]] = ()
        self.count = self.ragged = 0
        self.ragged_lines: tuple[int, ...] = ()
        self.numbers = LineNumbers()

    def settle(self, head: Sequence[tuple[str, ...]]) -> None:
        """Settle which columns are kept, by some rows where the columns have no names."""
        self.head = head
        guess = guess_mapping(self._names, self._header, head)
        self.roles = amended(guess, self._named)
        used = [column for column in self.roles.values() if column in self._names]
        for role, column in self.roles.items():
            if column in self._names and column is not None:
                if role == "time" and used.count(column) == 1:
                    self._times[column] = _Times()
                else:
                    self._texts[column] = Texts()

    def rename(self, names: Sequence[str]) -> None:
        """Give the table all names that it has, where the first rows had fewer."""
        self._names = names

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are kept."""
        return (*self._texts, *self._times)

    def append(self, rows: Parsed, names: Sequence[str] | None = None) -> None:
        """Put the rows of a block, with all columns or those named, behind those that are there."""
        require_limits(self._room.name, rows, self.count + rows.count)
        if not self.roles and rows.count:
            self.settle(first_rows(rows))
        self.ragged += rows.ragged
        self.ragged_lines = (*self.ragged_lines, *rows.ragged_lines)[:5]
        lines = rows.first_line if rows.lines is None else rows.lines
        self.numbers.append(self.count, rows.count, lines)
        for column, cells in zip(names or self._names, rows.columns, strict=True):
            if rows.count and column in self._texts:
                self._texts[column].append(cells)
            elif rows.count and column in self._times:
                self._times[column].append(cells)
        self.count += rows.count
        self._room.require(self.count, sum(texts.nbytes for texts in self._texts.values()))

    def table(self, problems: list[Problem], encoding: str | None, delimiter: str | None) -> Table:
        """The table, without its hash."""
        report = report_on(
            self._room.name,
            self._names,
            self.head,
            self.count,
            problems,
            encoding,
            delimiter,
            self._header,
        )
        ids = {self.roles.get(role) for role in ("user", "item")}
        cells: dict[str, Any] = {
            column: texts.take(in_order=column in ids) for column, texts in self._texts.items()
        }
        cells |= {column: times.take() for column, times in self._times.items()}
        odd = {row: text for times in self._times.values() for row, text in times.odd.items()}
        return Table(
            pa.table(cells), report, "", streamed=Streamed(self.numbers, odd, self._room.scarce)
        )


# ── text ─────────────────────────────────────────────────────────────────────────────────────────


def _from_text(
    room: _Room,
    named: Mapping[str, str | None],
    notes: list[Problem],
    delimiter: str | None,
    header: bool | None,
    encoding: str | None,
) -> Table:
    name, texts = room.name, [Text(part, encoding) for part in room.parts]
    texts = [text for text in texts if _has_content(text.source, alone=len(texts) == 1)]
    if not texts:
        raise refusal(name, "EMPTY_FILE", "The file is empty.", "Choose a file with a table in it.")
    data = Pieces(texts[0]).take(HEAD)
    if delimiter is None and header is None and data.lstrip()[:1] in JSON_BEGINS:
        kind = kind_of_json(data, name)
        if kind == "whole":
            raise _json_refused(room)
        if kind == "lines":
            return _from_lines(room, named, notes, texts)
    begin = beginning(data, delimiter, header, name)
    dialect, found = begin.dialect, texts[0].encoding
    require_lines(data[begin.skipped :], dialect, name, found)
    del data
    columns, problems = names_of(dialect)
    swallowed = SwallowedRows(dialect)

    def read(**how: Any) -> _Kept:
        nonlocal swallowed
        swallowed = SwallowedRows(dialect)
        kept = _Kept(room, columns, dialect.header, named)
        for rows in _rows(texts, begin, name, how):
            swallowed.look(rows)
            kept.append(rows)
            del rows
        return kept

    kept, quotes = parse_somehow(read, lambda: _has_escapes(texts), dialect, name)
    require_rows(kept.count, kept.ragged, kept.ragged_lines, dialect, name, found)
    problems += ragged_rows(dialect, kept.count, kept.ragged, kept.ragged_lines)
    said = (*begin.notes, quotes, swallowed.problem())
    problems += [note for note in said if note is not None]
    problems += [*one_column(dialect), *notes]
    return _doubted(kept.table(problems, found, dialect.delimiter), texts)


def _doubted(table: Table, texts: Sequence[Text]) -> Table:
    doubtful = any(text.doubtful for text in texts)
    return with_problem(table, doubted(texts[0].encoding) if doubtful else None)


def _rows(
    texts: Iterable[Text], begin: Beginning, name: str, how: Mapping[str, Any]
) -> Iterator[Parsed]:
    """The rows of all parts, piece by piece."""
    dialect = begin.dialect
    line, skipped, header = dialect.line, begin.skipped, dialect.header
    for place, text in enumerate(texts):
        pieces = Pieces(text)
        data = pieces.take()
        if place > 0:
            skipped, above = sniffing.first_row(data, dialect.delimiter)
            line += above - 1
            first = _first_cells(data[skipped:], dialect)
            _require_alike(text.source.name, first, dialect)
            header = dialect.header and first == dialect.first
        while len(data) < skipped:
            data += pieces.take()
        data = data[skipped:]
        while data:
            rows, delimiter = with_one_delimiter(data, dialect, name)
            parsed = parse(
                rows, delimiter, dialect.width, header, line=line, more=pieces.take, **how
            )
            yield parsed
            line, header = parsed.next_line, False
            del rows, data, parsed  # before the next ones are there
            data = pieces.take()


def _first_cells(data: bytes, dialect: Dialect) -> list[str]:
    rows = sniffing.sample_rows(sniffing.sample_of(data), dialect.delimiter, dialect.quoting)
    return rows[0] if rows else []


def _require_alike(name: str, first: list[str], dialect: Dialect) -> None:
    """Refuse a file of a folder that is another table than the first one."""
    names = dialect.header and first != dialect.first and len(first) == dialect.width
    guess = guess_mapping(first, True, ()) if names else {}
    if len(first) not in (0, dialect.width) or (guess.get("user") and guess.get("item")):
        shown = ", ".join(cell[:20] for cell in first[:4])
        raise refusal(
            name,
            "NOT_A_TABLE",
            f"This file begins with other columns ({shown}) than the first one of its folder "
            f"({', '.join(cell[:20] for cell in dialect.first[:4])}).",
            "Give a folder that holds the parts of one table.",
        )


def _has_escapes(texts: Sequence[Text]) -> bool:
    """Whether a quote follows a backslash anywhere."""
    for text in texts:
        pieces = Pieces(text)
        while data := pieces.take():
            if b'\\"' in data:
                return True
    return False


def _has_content(source: Source, *, alone: bool) -> bool:
    """Whether a source has a text that can be a table; one of several may be empty."""
    packed = source.packed is not None
    for block in source.blocks():
        if block.strip() or alone:
            end = b"" if packed or source.size <= len(block) else _tail(source)
            require_table(block + end, source.name, packed)
            return True
    if alone:
        require_table(b"", source.name, packed)
    return False


def _tail(source: Source) -> bytes:
    with source.open() as stream:
        stream.seek(max(0, source.size - 512))
        return stream.read()


# ── JSON lines ───────────────────────────────────────────────────────────────────────────────────


def _from_lines(
    room: _Room, named: Mapping[str, str | None], notes: list[Problem], texts: Sequence[Text]
) -> Table:
    known: tuple[str, ...] = ()
    while True:
        kept, names, roles = _kept_of_lines(room, named, texts, known)
        unique, problems = column_names(names, True)
        _require_some(room.name, names, kept.count)
        # A name that comes up late may be of a column that ratings are made of.
        if _keys(amended(guess_mapping(unique, True, ()), named), unique, names) == roles:
            break
        known = tuple(names)
    problems = [*(replace(problem, rows=()) for problem in problems), *notes]
    kept.rename(unique)
    return _doubted(kept.table(problems, texts[0].encoding, None), texts)


def _kept_of_lines(
    room: _Room, named: Mapping[str, str | None], texts: Sequence[Text], known: Sequence[str]
) -> "tuple[_Kept, list[str], dict[str, str | None]]":
    """Rows of JSON lines, all names, and which of them played a part."""
    names: dict[str, None] = dict.fromkeys(known)
    kept: _Kept | None = None
    roles: dict[str, str | None] = {}
    row = 1
    for length, found in record_blocks(_numbered(texts), room.name, names):
        columns = [pa.chunked_array([cells]) for cells in found.values()]
        empty = _all_empty(columns) if columns else np.ones(length, bool)
        if kept is None:
            unique = column_names(list(names), True)[0]
            kept = _Kept(room, unique, True, named)
            kept.settle(())
            roles = _keys(kept.roles, unique, list(names))
        if columns:
            filled = pa.array(~empty)
            kept.append(
                Parsed(
                    [column.filter(filled) for column in columns],
                    np.flatnonzero(~empty) + row,
                    row,
                ),
                [unique[n] if n < len(unique) else "" for n in range(len(columns))],
            )
        row += length
    assert kept is not None, "there is a last block"
    return kept, list(names), roles


def _keys(
    roles: Mapping[str, str | None], unique: Sequence[str], names: Sequence[str]
) -> dict[str, str | None]:
    """Names in the file of the columns that play a part."""
    by_unique = dict(zip(unique, names, strict=True))
    return {role: by_unique.get(column or "") for role, column in roles.items()}


def _numbered(texts: Iterable[Text]) -> Iterator[tuple[int, bytes]]:
    """The lines of all parts that are not blank, with their numbers."""
    first = 1
    for text in texts:
        pieces = Pieces(text)
        while data := pieces.take():
            yield from lines_of(data, first)
            first += data.count(b"\n")
        first += 1


def _json_refused(room: _Room) -> Exception:
    return refusal(
        room.name,
        "TOO_LARGE",
        f"A table in one piece of JSON is read as a whole, which takes more than the "
        f"{size_in_words(room.memory)} of memory that may be used.",
        f"Write one object a line, or CSV or Parquet, which are read block by block, "
        f"{or_allow_more('memory')}.",
    )


# ── Parquet ──────────────────────────────────────────────────────────────────────────────────────


def _from_parquet(room: _Room, named: Mapping[str, str | None], notes: list[Problem]) -> Table:
    name = room.name
    shapes = [_shape(part) for part in room.parts]
    names, room.rows = shapes[0][0], sum(rows for _, rows in shapes)
    _require_some(name, names, None)
    require_columns(name, len(names))
    other = next((p.name for p, s in zip(room.parts, shapes, strict=True) if s[0] != names), None)
    if other is not None:
        raise refusal(
            name,
            "NOT_A_TABLE",
            f"{other} has other columns than the first file of the folder.",
            "Give a folder that holds the parts of one table.",
            columns=tuple(names),
        )
    room.require(0, 0)
    unique, problems = column_names(names, True)
    kept = _Kept(room, unique, True, named)
    kept.settle(())
    line = 1
    for source, (_, rows) in zip(room.parts, shapes, strict=True):
        for columns, batch in _batches(source, names, unique, kept.columns, line):
            kept.append(batch, columns)
        line += rows
    _require_some(name, names, kept.count)
    problems = [*(replace(problem, rows=()) for problem in problems), *notes]
    return kept.table(problems, None, None)


def _require_some(name: str, names: Sequence[str], count: int | None) -> None:
    """Refuse a table without columns, or without rows where their count is known."""
    if not names:
        raise refusal(name, "NO_ROWS", "The file has no columns.", "Choose a file with data.")
    if count == 0:
        raise refusal(
            name,
            "NO_ROWS",
            "The file has no rows with content.",
            "Choose a file with data.",
            columns=tuple(names),
        )


def _shape(source: Source) -> tuple[list[str], int]:
    """Columns and number of rows of a Parquet file."""
    try:
        with source.open() as stream:
            file = ParquetReader(stream, source.name)
            return file.names, file.rows
    except PARQUET_ERRORS as error:
        raise damaged_parquet(source.name, error) from None


def _batches(
    source: Source, names: Sequence[str], unique: Sequence[str], kept: Sequence[str], line: int
) -> Iterator[tuple[list[str], Parsed]]:
    """The kept columns of a Parquet file, batch by batch, without rows that are all empty."""
    # Columns are asked for by name, so where names are doubtful all are read.
    doubtful = len(set(names)) < len(names) or any("." in name for name in names)
    chosen = [n for n, name in enumerate(unique) if doubtful or not kept or name in kept]
    others = [n for n in range(len(names)) if n not in chosen]
    try:
        with source.open() as stream:
            file = ParquetReader(stream, source.name)

            def read(group: int, columns: Sequence[int]) -> Iterator[list[pa.ChunkedArray]]:
                for batch in file.batches(group, columns if others else None):
                    yield [
                        as_text(pa.chunked_array([column]), source.name) for column in batch.columns
                    ]

            for group in range(file.groups):
                rest: Iterator[list[pa.ChunkedArray]] | None = None
                for number, columns in enumerate(read(group, chosen)):
                    empty = _all_empty(columns)
                    # Such a row counts where any other column says something.
                    if others and rest is None and empty.any():
                        rest = islice(read(group, others), number, None)
                    if rest is not None:
                        empty &= _all_empty(next(rest))
                    filled = pa.array(~empty)
                    yield (
                        [unique[n] for n in chosen],
                        Parsed(
                            [column.filter(filled) for column in columns],
                            np.flatnonzero(~empty) + line,
                            line,
                        ),
                    )
                    line += len(empty)
    except PARQUET_ERRORS as error:
        raise damaged_parquet(source.name, error) from None


def _all_empty(columns: Sequence[pa.ChunkedArray]) -> "NDArray[np.bool_]":
    empty = np.ones(len(columns[0]), bool)
    for column in columns:
        empty &= empty_cells(column)
    return empty
