"""Parquet files batch by batch, where what a few bytes unpack to is known before they are unpacked.

What a file's footer says about sizes need not be true. Memory is taken for what the header of each
page says, so those are read first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from transrec_core.data.opening import require_memory
from transrec_core.limits import MIB, Limits

PARQUET_ERRORS = (pa.ArrowException, OSError, ValueError)
BATCH_ROWS = 2**16
BATCH_SHARE = 16
"""A batch may take such a part of the memory that may be used."""

FOOTER_COPIES, FREE_FOOTER = 30, MIB
"""Memory for a footer that is read, in times its size, and the size that does no harm."""

DICTIONARY_COPIES, PAGE_COPIES = 7, 2
"""The same for a dictionary and for other pages, measured on a dictionary of one long text."""

VALUE_BYTES = 16
HEADER, LARGEST_HEADER = 2**12, 2**24
# As parquet.thrift numbers them.
UNPACKED, PACKED, DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_2 = 2, 3, 5, 7, 8
KEPT_ENCODED = {"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"}
"""Arrow can leave texts encoded where they are written in no other way."""

PREFIXES = 7
"""The encoding in which a text is said by what it has in common with the one before."""


class ParquetReader:
    """A Parquet file whose texts stay encoded, and of which no batch takes much memory.

    Parameters
    ----------
    stream
        The file.
    name
        What to call it in messages.

    Attributes
    ----------
    names
        Its columns.
    encoded
        Which of them are texts that batches bring encoded.
    rows, groups
        How many rows and row groups it says it has.

    Raises
    ------
    UnreadableFileError
        With the code TOO_LARGE.
    pyarrow.ArrowException, OSError, ValueError
        Where it is damaged.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name
        stream.seek(-8, 2)
        footer = int.from_bytes(stream.read(4), "little")
        if footer > FREE_FOOTER:
            require_memory(name, footer, FOOTER_COPIES)
        metadata = pq.read_metadata(stream)
        self._leaves = [_Leaf.read(metadata, n) for n in range(metadata.num_columns)]
        texts = [leaf.path for leaf in self._leaves if leaf.encoded]
        self._file = pq.ParquetFile(
            stream, metadata=metadata, read_dictionary=texts, pre_buffer=False
        )
        self.names: list[str] = list(self._file.schema_arrow.names)
        self.encoded = [pa.types.is_dictionary(field.type) for field in self._file.schema_arrow]
        self.rows, self.groups = int(metadata.num_rows), int(metadata.num_row_groups)

    def batches(self, group: int, columns: Sequence[int] | None = None) -> Iterator[Any]:
        """Record batches of a row group, with all columns or those in some places.

        Names have to be unique, and without a dot, where not all columns are read.

        Raises
        ------
        UnreadableFileError
            With the code TOO_LARGE.
        pyarrow.ArrowException, OSError, ValueError
            Where the file is damaged.
        """
        asked = None if columns is None else [self.names[n] for n in columns]
        chunks = self._file.metadata.row_group(group)
        pages = [_pages(self._stream, chunks.column(n)) for n in range(len(self._leaves))]
        read = [
            (leaf, found)
            for leaf, found in zip(self._leaves, pages, strict=True)
            if asked is None or leaf.path.split(".")[0] in asked
        ]
        size = sum(found.dictionary + found.total for _, found in read)
        at_once = sum(_at_once(leaf, found) for leaf, found in read)
        require_memory(self._name, size, at_once / max(size, 1))
        # By all columns, so that other ones can be read in the same batches.
        a_row = sum(map(_a_value, self._leaves, pages))
        room = max(Limits.current().memory // BATCH_SHARE, MIB)
        rows = int(min(BATCH_ROWS, max(1, room / max(a_row, 1))))
        return iter(self._file.iter_batches(rows, [group], asked))


@dataclass(frozen=True)
class _Leaf:
    """A column without columns of its own.

    Attributes
    ----------
    path
        Its name, after those of the columns that it is in.
    encoded
        Whether its texts can stay encoded.
    written_out
        Whether they are written out, so that each may be as long as the dictionary.
    repeated
        Whether one row may hold many of its values.
    width
        Bytes of a value, where a dictionary does not say more.
    """

    path: str
    encoded: bool
    written_out: bool
    repeated: bool
    width: int

    @classmethod
    def read(cls, metadata: Any, place: int) -> "_Leaf":
        column = metadata.schema.column(place)
        variable = column.physical_type == "BYTE_ARRAY"
        texts = variable and column.logical_type.type != "DECIMAL"
        groups = range(metadata.num_row_groups) if texts else ()
        written = {e for group in groups for e in metadata.row_group(group).column(place).encodings}
        width = column.length if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else VALUE_BYTES
        encoded, repeated = texts and written <= KEPT_ENCODED, column.max_repetition_level > 0
        written_out = variable and not encoded
        return cls(column.path, encoded, written_out, repeated, max(width, VALUE_BYTES))


@dataclass(frozen=True)
class _Pages:
    """What the pages of one column in one row group unpack to.

    Attributes
    ----------
    dictionary, largest, total
        Bytes of the dictionary, of the largest other page, and of all others.
    values
        How many they hold.
    a_value
        The most bytes that one value takes on average over a page.
    """

    dictionary: int
    largest: int
    total: int
    values: int
    a_value: float


def _at_once(leaf: _Leaf, pages: _Pages) -> int:
    """Bytes that are taken even where a batch is a single row."""
    # One row may hold all values of a list.
    others = pages.total + pages.values * _a_value(leaf, pages) if leaf.repeated else pages.largest
    return int(DICTIONARY_COPIES * pages.dictionary + PAGE_COPIES * others)


def _a_value(leaf: _Leaf, pages: _Pages) -> float:
    """Bytes that one value of a batch may take."""
    written_out = pages.dictionary if leaf.written_out else 0
    return max(pages.a_value, leaf.width, written_out)


def _pages(stream: IO[bytes], chunk: Any) -> _Pages:
    """Read the headers of a column's pages, as far as Arrow would read the pages."""
    at = chunk.data_page_offset
    if chunk.dictionary_page_offset:
        at = min(at, chunk.dictionary_page_offset)
    end = at + chunk.total_compressed_size
    dictionary = largest = total = values = 0
    a_value = 0.0
    while at < end and values < chunk.num_values:
        header, length = _header(stream, at)
        unpacked, packed = header[UNPACKED], header[PACKED]
        page = header.get(DATA_PAGE) or header.get(DATA_PAGE_2)
        count = page[1] if page else 0
        if min(unpacked, packed, count) < 0:
            raise ValueError("a page of negative size")
        if DICTIONARY_PAGE in header:
            dictionary += unpacked
        elif page:
            prefixes = page.get(2 if DATA_PAGE in header else 4) == PREFIXES
            a_value = max(a_value, unpacked if prefixes else unpacked / max(count, 1))
            largest, total, values = max(largest, unpacked), total + unpacked, values + count
        at += length + packed
    return _Pages(dictionary, largest, total, values, a_value)


# ── page headers, in Thrift's compact protocol ───────────────────────────────────────────────────


def _header(stream: IO[bytes], at: int) -> tuple[dict[int, Any], int]:
    """Fields of the page header that begins somewhere, by number, and its length."""
    size = HEADER
    while True:
        stream.seek(at)
        data = stream.read(size)
        try:
            fields, length = _struct(data, 0)
            if not {UNPACKED, PACKED} <= fields.keys():
                raise ValueError("a page header without sizes")
            return fields, length
        except IndexError:
            if len(data) < size or size >= LARGEST_HEADER:
                raise ValueError("a page header is cut off") from None
            size *= 8


def _struct(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    if depth > 4:
        raise ValueError("a page header has too many levels")
    fields: dict[int, Any] = {}
    number = 0
    while True:
        byte, at = data[at], at + 1
        if byte == 0:
            return fields, at
        if byte >> 4:
            number += byte >> 4
        else:
            number, at = _integer(data, at)
        kind = byte & 15
        if kind in (1, 2):
            fields[number] = kind == 1
        else:
            fields[number], at = _value(data, at, kind, depth)


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    """A value of a kind, ``None`` for what is of no use here, and where the next one begins."""
    if kind in (1, 2, 3):
        return data[at], at + 1
    if kind in (4, 5, 6):
        return _integer(data, at)
    if kind == 7:
        return None, at + 8
    if kind == 8:
        length, at = _varint(data, at)
        return None, at + length
    if kind in (9, 10):
        size, element = data[at] >> 4, data[at] & 15
        at += 1
        if size == 15:
            size, at = _varint(data, at)
        for _ in range(size):
            _, at = _value(data, at, element, depth + 1)
        return None, at
    if kind == 12:
        return _struct(data, at, depth + 1)
    raise ValueError("a page header has a field of an unknown kind")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 70, 7):
        byte, at = data[at], at + 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found, at
    raise ValueError("a page header has a number that is too long")


def _integer(data: bytes, at: int) -> tuple[int, int]:
    found, at = _varint(data, at)
    return (found >> 1) ^ -(found & 1), at
