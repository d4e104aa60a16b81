"""Large tables of whole numbers and a few short texts, which most ratings are: read as numbers.

Arrow reads whole numbers several times as fast as texts, but forgets how they were written. They
were written as ``str`` writes them if, and only if, the text is just as long as that: a sign, a
leading zero, a blank, a quote or an empty line would make it longer. Everything else is left to the
other parsers: nothing here guesses, repairs or leaves out.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from transrec_core.data.kernels import encode, mark
from transrec_core.threads import in_threads, shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAD, BLOCK = 2**16, 2**22
MOST_TEXTS = 255
SPAN = 4
"""Whole numbers within a range of up to so many times their count are encoded."""

LF, CR = 10, 13
TEXT = pa.dictionary(pa.int32(), pa.string())
KINDS = (pa.int32(), pa.int64(), TEXT)
UNFIT_COLUMN = re.compile(r"^In CSV column #(\d+):")


def parse_plain(
    source: bytes | Path, delimiter: str, width: int, header: bool
) -> list[pa.ChunkedArray] | None:
    """Read a table in which every cell is a whole number or one of a few short texts.

    Parameters
    ----------
    source
        UTF-8 in memory, or a file.
    delimiter
        One character.
    width
        Number of columns.
    header
        Whether to leave out the first line.

    Returns
    -------
    list of pyarrow.ChunkedArray or None
        Dictionary-encoded text; int32 or int64 where cells are whole numbers as ``str`` writes
        them that hardly repeat; ``None`` where the table is any other.
    """
    head = _part(source, 0, HEAD)
    begin = head.find(b"\n") + 1 if header else 0
    names = head[:begin].rstrip(b"\r\n")
    # Names are looked for in the first line that is not empty.
    if header and (len(names) < width or b"\r" in names):
        return None
    lines = head[: head.rfind(b"\n") + 1]
    trial = _read(lines, delimiter, [KINDS[0]] * width, header)
    # Where the first lines have many texts all lines have, whose dictionary takes long to make.
    if trial is None or any(c.type == TEXT and _text_column(c) is None for c in trial.columns):
        return None
    table = _read(source, delimiter, trial.schema.types, header)
    # Without any number, a row might be empty.
    if table is None or table.num_rows == 0 or set(table.schema.types) == {TEXT}:
        return None
    columns, length = [], 0
    for column in table.columns:
        read = _text_column(column) if column.type == TEXT else _number_column(column)
        if read is None:
            return None
        columns.append(read[0])
        length += read[1]
    rows, size = table.num_rows, _size(source) - begin
    feeds, returns = _line_ends(source, begin)
    ended = _part(source, begin + size - 1, begin + size) == b"\n"
    if rows != feeds + (not ended) or returns not in (0, feeds):
        return None
    return columns if length + rows * (width - 1) + feeds + returns == size else None


def _size(source: bytes | Path) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def _part(source: bytes | Path, begin: int, end: int) -> bytes:
    if isinstance(source, bytes):
        return source[begin:end]
    with source.open("rb", buffering=0) as file:
        file.seek(begin)
        return file.read(end - begin)


def _read(
    source: bytes | Path, delimiter: str, kinds: list[pa.DataType], header: bool
) -> pa.Table | None:
    """Columns of such kinds; a kind that does not hold all cells is replaced by the next one."""
    names = [str(column) for column in range(len(kinds))]
    found = dict(zip(names, kinds, strict=True))
    while True:
        try:
            return pacsv.read_csv(
                pa.BufferReader(source) if isinstance(source, bytes) else str(source),
                read_options=pacsv.ReadOptions(
                    column_names=names, skip_rows=int(header), block_size=BLOCK
                ),
                parse_options=pacsv.ParseOptions(delimiter=delimiter),
                convert_options=pacsv.ConvertOptions(
                    column_types=found, null_values=[], strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            unfit = UNFIT_COLUMN.search(str(error))
            if unfit is None or found[unfit[1]] == TEXT:
                return None
            found[unfit[1]] = KINDS[KINDS.index(found[unfit[1]]) + 1]


def _line_ends(source: bytes | Path, begin: int) -> tuple[int, int]:
    """Line feeds and carriage returns."""

    def found(first: int) -> "NDArray[np.int64]":
        cells = np.frombuffer(_part(source, first, first + BLOCK), np.uint8)
        return np.array([np.count_nonzero(cells == end) for end in (LF, CR)])

    blocks = in_threads(found, range(begin, _size(source), BLOCK))
    feeds, returns = np.sum(blocks, axis=0)
    return int(feeds), int(returns)


def _number_column(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    """Column of whole numbers, encoded where their range is small, and the length of their text."""
    values = column.to_numpy()
    least, most = int(values.min()), int(values.max())
    if values.dtype == np.int64 or most - least > SPAN * len(values):
        return column, _length(values, least, most)
    parts = [values[rows] for rows in shares(len(values))]
    found = np.zeros(most - least + 1, bool)
    in_threads(lambda part: mark(part, least, found), parts)
    distinct = np.flatnonzero(found)
    texts = pa.array(distinct + least).cast(pa.string())
    order = pc.sort_indices(texts)
    code = np.empty(len(found), np.int32)
    code[distinct[order]] = np.arange(len(distinct), dtype=np.int32)
    codes = np.empty(len(values), np.int32)
    in_threads(lambda rows: encode(values[rows], least, code, codes[rows]), shares(len(values)))
    return _coded(codes, texts.take(order))


def _length(values: "NDArray[Any]", least: int, most: int) -> int:
    """Characters of all numbers as ``str`` writes them."""
    if least >= 0 and len(str(least)) == len(str(most)):
        return len(values) * len(str(least))
    powers = 10 ** np.arange(1, 19)
    digits = np.searchsorted(powers, np.abs(values), side="right") + 1
    return int(digits.sum()) + int(np.count_nonzero(values < 0))


def _text_column(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int] | None:
    """Column of a few texts, and their length; ``None`` where they are many."""
    if any(len(chunk.dictionary) > MOST_TEXTS for chunk in column.chunks):
        return None
    whole = column.unify_dictionaries()
    texts = whole.chunk(0).dictionary
    if len(texts) > MOST_TEXTS:
        return None
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in whole.chunks])
    return _coded(codes, texts)


def _coded(codes: "NDArray[np.int32]", texts: pa.Array) -> tuple[pa.ChunkedArray, int]:
    """Dictionary-encoded column, and the bytes of its text."""
    sizes = pc.binary_length(texts).to_numpy().astype(np.int64)
    length = int(np.bincount(codes, minlength=len(texts)) @ sizes)
    column = pa.chunked_array([pa.DictionaryArray.from_arrays(codes, texts, safe=False)])
    return column, length
