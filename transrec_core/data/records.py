"""Formats that bring their own column names: JSON lines, JSON tables and Parquet."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transrec_core.data.growing import Texts
from transrec_core.data.opening import (
    COPIES,
    LINE_COPIES,
    SAVE_AS_CSV,
    OpenedFile,
    refusal,
    require_columns,
    require_memory,
    require_unpacked,
)
from transrec_core.data.parquet import PARQUET_ERRORS, ParquetReader
from transrec_core.errors import UnreadableFileError
from transrec_core.limits import Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

JSON_BEGINS = (b"{", b"[")
LOOKS_LIKE_JSON = re.compile(rb'\s*(?:\[\s*)?\{\s*"[^"\n]{0,200}"\s*:')
PYTHON_RECORDS = re.compile(rb"\s*(?:\[\s*)?\{\s*u?'[^'\n]{0,200}'\s*:")
BLOCK_CELLS = 2**18
# Memory for a cell of JSON that is read as a whole, with its share of an object, and of a cell of
# Parquet as text, both measured.
CELL_BYTES, PARQUET_CELL_BYTES = 250, 80
# A table may have so many empty cells for one that is filled, beside those that do no harm.
SPARSE, SPARSE_FREE_CELLS = 50, 10**6
ONE_OBJECT_A_LINE = "Write one JSON object a line, or one list of objects."

Columns = tuple[list[str], list[pa.ChunkedArray]]
Block = tuple[int, dict[str, pa.Array]]


class _RepeatedNameError(ValueError):
    """An object has two values of one name, of which most readers drop one in silence."""


def json_columns(data: bytes, name: str) -> Columns | None:
    """Names and cells of JSON lines or one JSON table; ``None`` where the text is not JSON.

    A JSON table is a list of objects, or an object with one list (or object) of cells a column.

    Raises
    ------
    UnreadableFileError
        With the code BAD_JSON, when it is JSON but no table, or breaks off.
    """
    lines = lines_of(data)
    number, first = next(lines)
    try:
        if 2 * len(first) > len(data):
            _require_objects(name, data)
        record = _json(first)
        if isinstance(record, dict) and (rest := next(lines, None)) is not None:
            require_memory(name, len(data), LINE_COPIES)
            return _from_lines(name, [(number, first), rest], lines)
        if LOOKS_LIKE_JSON.match(data):
            _require_objects(name, data)
        whole = record if isinstance(record, dict) else _json(data)
    except _RepeatedNameError as error:
        raise _bad_json(name, number, str(error)) from None
    if whole is None:
        if LOOKS_LIKE_JSON.match(data):
            raise _bad_json(name, number, "The text begins as JSON but is not all JSON")
        if PYTHON_RECORDS.match(data):
            raise _bad_json(name, number, "The text holds Python dictionaries, not JSON")
        return None
    if isinstance(whole, dict):
        by_column = _by_column(whole)
        if by_column is not None:
            return by_column
        if not any(_is_records(value) for value in whole.values()):
            return _columns(iter([whole]), name)
    if _is_records(whole):
        return _columns(iter(whole), name)
    raise _bad_json(name, number, "The JSON text holds no list of objects")


def _require_objects(name: str, data: bytes) -> None:
    """Refuse what does not fit as objects of Python; commas divide cells in any kind of table."""
    require_memory(name, len(data), 2 + CELL_BYTES * data.count(b",") / max(len(data), 1))


def kind_of_json(data: bytes, name: str) -> Literal["lines", "whole"] | None:
    """How ``json_columns`` reads a text that begins so; ``None`` where it is not JSON.

    Raises
    ------
    UnreadableFileError
        With the code TOO_LARGE, where its first line does not fit into memory as objects.
    """
    lines = lines_of(data)
    _, line = next(lines, (0, b""))
    more = next(lines, None) is not None
    if not more and LOOKS_LIKE_JSON.match(line):
        return "whole"
    try:
        _require_objects(name, line)
        first = _json(line)
        if isinstance(first, dict) and more:
            return "lines"
        begun = isinstance(first, dict | list) or LOOKS_LIKE_JSON.match(data)
    except _RepeatedNameError:
        return "lines"
    return "whole" if begun else None


def lines_of(data: bytes, first: int = 1) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers."""
    for number, line in enumerate(io.BytesIO(data), first):
        if line.strip():
            yield number, line


def _from_lines(
    name: str, begin: Sequence[tuple[int, bytes]], rest: Iterator[tuple[int, bytes]]
) -> Columns:
    names: dict[str, None] = {}
    blocks = list(record_blocks(chain(begin, rest), name, names))
    return _whole(names, blocks)


def record_blocks(
    lines: Iterable[tuple[int, bytes]], name: str, names: dict[str, None]
) -> Iterator[Block]:
    """Cells of JSON lines, block by block.

    Parameters
    ----------
    lines
        Those that are not blank, with their numbers.
    name
        Of the file, for messages.
    names
        Where the names of columns are put as they come up.

    Raises
    ------
    UnreadableFileError
        With the code BAD_JSON.
    """

    def records() -> Iterator[dict[str, Any]]:
        for number, line in lines:
            try:
                record = _json(line)
            except _RepeatedNameError as error:
                raise _bad_json(name, number, str(error)) from None
            if not isinstance(record, dict):
                text = line.decode("utf-8", "replace").strip()
                shown = text if len(text) <= 60 else text[:60] + "…"
                raise _bad_json(name, number, f"This is not a JSON object: {shown}")
            yield record

    return _blocks(records(), name, names)


def _bad_json(name: str, line: int, what: str) -> Exception:
    return refusal(name, "BAD_JSON", f"{what} (line {line}).", ONE_OBJECT_A_LINE, rows=(line,))


def _json(text: bytes) -> Any:
    """Parse with every number as it is written; ``None`` where it is not JSON."""
    try:
        return json.loads(
            text,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
            object_pairs_hook=_unique,
        )
    except _RepeatedNameError:
        raise
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RepeatedNameError(f"An object has two values of {twice[:40]!r}")
    return found


def _is_records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _by_column(whole: Mapping[str, Any]) -> Columns | None:
    """Columns of an object of equally long lists, or of objects with the same keys."""
    parts = list(whole.values())
    if parts and all(isinstance(part, list) for part in parts):
        same = len({len(part) for part in parts}) == 1 and len(parts) > 1
        nested = any(isinstance(cell, dict | list) for part in parts for cell in part)
        columns = parts if same and not nested else None
    elif parts and all(isinstance(part, dict) for part in parts):
        rows = list(parts[0])
        same = all(list(part) == rows for part in parts) and len(rows) > 0
        columns = [list(part.values()) for part in parts] if same else None
    else:
        columns = None
    if columns is None:
        return None
    return list(whole), [_text([_cell(cell) for cell in column]) for column in columns]


def _columns(records: Iterator[Mapping[str, Any]], name: str) -> Columns:
    """Columns of records that may lack some."""
    names: dict[str, None] = {}
    return _whole(names, list(_blocks(records, name, names)))


def _blocks(
    records: Iterator[Mapping[str, Any]], name: str, names: dict[str, None]
) -> Iterator[Block]:
    """Number of rows and cells of the columns known so far, block by block."""
    block: list[Mapping[str, str]] = []
    rows = filled = 0
    most = Limits.current().columns

    def cells() -> Block:
        found = {key: [record.get(key, "") for record in block] for key in names}
        return len(block), {key: pa.array(c, pa.large_string()) for key, c in found.items()}

    try:
        for record in records:
            # Lists and objects within take many times their text.
            block.append({key: _cell(value) for key, value in record.items()})
            names.update(dict.fromkeys(record))
            rows, filled = rows + 1, filled + len(record)
            if len(names) > most:
                require_columns(name, len(names))
            if rows * len(names) > SPARSE_FREE_CELLS + SPARSE * filled:
                raise _bad_json(name, rows, "The objects have hardly any names in common")
            if len(block) * len(names) >= BLOCK_CELLS:
                yield cells()
                block.clear()
        yield cells()
        for key in names:
            key.encode()
    except UnicodeEncodeError:
        raise refusal(
            name, "BAD_JSON", "A text holds half a character.", "Write it again as UTF-8."
        ) from None


def _whole(names: Iterable[str], blocks: Sequence[Block]) -> Columns:
    return list(names), [
        pa.chunked_array(
            [
                found[key] if key in found else pa.array([""] * length, pa.large_string())
                for length, found in blocks
            ]
        )
        for key in names
    ]


def _text(cells: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(cells, pa.large_string())])


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "|".join(value)
    return json.dumps(value, default=str)


def parquet_columns(opened: OpenedFile) -> Columns:
    """Names and cells of a Parquet file.

    Raises
    ------
    UnreadableFileError
        With the code DAMAGED_FILE or TOO_LARGE.
    """
    name = opened.name
    try:
        file = ParquetReader(io.BytesIO(opened.data), name)
        columns = [Texts() if encoded else _PlainTexts() for encoded in file.encoded]
        # Repeated cells take next to nothing in the file and their full size in memory.
        size = 8 * file.rows * len(columns)
        require_unpacked(name, len(opened.data), size)
        require_memory(name, size, PARQUET_CELL_BYTES / 8)
        for group in range(file.groups):
            for batch in file.batches(group):
                for texts, column in zip(columns, batch.columns, strict=True):
                    texts.append(as_text(pa.chunked_array([column]), name))
                require_memory(name, sum(texts.nbytes for texts in columns), COPIES)
    except PARQUET_ERRORS as error:
        raise damaged_parquet(name, error) from None
    return file.names, [pa.chunked_array([texts.take()]) for texts in columns]


class _PlainTexts:
    """A column of texts, or of numbers as text, that is not worth encoding."""

    def __init__(self) -> None:
        self._chunks: list[pa.Array] = []
        self.nbytes = 0

    def append(self, column: pa.ChunkedArray) -> None:
        self._chunks += column.chunks
        self.nbytes += int(column.nbytes)

    def take(self) -> pa.Array:
        return pa.concat_arrays([pa.array([], pa.large_string()), *self._chunks])


def damaged_parquet(name: str, error: Exception) -> UnreadableFileError:
    """What to say of a Parquet file that cannot be read."""
    reason = str(error).splitlines()[0][:120] if str(error) else "unknown reason"
    return refusal(
        name,
        "DAMAGED_FILE",
        f"The Parquet file cannot be read ({reason}).",
        "Write it again, or " + SAVE_AS_CSV[0].lower() + SAVE_AS_CSV[1:],
    )


def _shown(cell: object) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "backslashreplace")
    return "" if cell is None else str(cell)


def as_text(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Cells of any type as text, empty where there is none; encoded texts stay encoded.

    Raises
    ------
    UnreadableFileError
        With the code TOO_LARGE, where lists and objects of the file ``name`` are too large as text.
    """
    if pa.types.is_dictionary(column.type):
        chunks = [_encoded_text(chunk, name) for chunk in column.chunks]
        return pa.chunked_array(chunks) if chunks else _text([])
    if pa.types.is_nested(column.type):
        cells, size = zip(*(_inner_size(chunk) for chunk in column.chunks), strict=True)
        require_memory(name, CELL_BYTES * sum(cells) + COPIES * sum(size), 1)
        return _text([_cell(cell) for cell in column.to_pylist()])
    try:
        text = column.cast(pa.large_string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return _text([_shown(cell) for cell in column.to_pylist()])
    return pc.fill_null(text, "")


def _encoded_text(cells: pa.DictionaryArray, name: str) -> pa.DictionaryArray:
    texts = as_text(pa.chunked_array([cells.dictionary]), name).combine_chunks()
    codes = cells.indices.cast(pa.int64())
    if codes.null_count:
        codes = pc.fill_null(codes, len(texts))
        texts = pa.concat_arrays([texts, pa.array([""], texts.type)])
    return pa.DictionaryArray.from_arrays(codes.cast(pa.int32()), texts)


def _inner_size(cells: pa.Array) -> tuple[int, int]:
    """Number of the values in lists and objects, and bytes of the texts among them."""
    kind = cells.type
    if pa.types.is_struct(kind):
        parts = [_inner_size(part) for part in cells.flatten()]
        return len(cells) + sum(n for n, _ in parts), sum(size for _, size in parts)
    if pa.types.is_map(kind):
        parts = [_inner_size(cells.keys), _inner_size(cells.items)]
        return len(cells) + sum(n for n, _ in parts), sum(size for _, size in parts)
    if pa.types.is_nested(kind):
        count, size = _inner_size(cells.flatten())
        return len(cells) + count, size
    return len(cells), text_size(cells)


def text_size(cells: pa.Array) -> int:
    """Bytes of some cells when every one of them is written out."""
    if pa.types.is_dictionary(cells.type):
        lengths = pc.binary_length(cells.dictionary).cast(pa.int64()).take(cells.indices)
        return int(pc.sum(lengths).as_py() or 0)
    return int(cells.nbytes)


def shortened(column: pa.ChunkedArray, most: int) -> pa.ChunkedArray:
    """Text cells without what they have beyond so many characters, encoded where they were.

    Columns of numbers stay as they are.
    """
    if not pa.types.is_dictionary(column.type) and not pa.types.is_large_string(column.type):
        return column
    chunks = [
        pa.DictionaryArray.from_arrays(
            chunk.indices, pc.utf8_slice_codeunits(chunk.dictionary, 0, most)
        )
        if pa.types.is_dictionary(chunk.type)
        else pc.utf8_slice_codeunits(chunk, 0, most)
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, column.type)


def empty_cells(column: pa.ChunkedArray) -> "NDArray[np.bool_]":
    """Which cells hold no text, without writing out encoded ones."""
    found = [
        pc.equal(chunk.dictionary, "").take(chunk.indices)
        if pa.types.is_dictionary(chunk.type)
        else pc.equal(chunk, "")
        for chunk in column.chunks
    ]
    return np.array(pa.chunked_array(found, pa.bool_()).to_numpy(zero_copy_only=False), bool)
