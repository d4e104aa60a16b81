"""Columns and line numbers that grow while a file is read block by block.

What is kept of a row are numbers: a code for each text that repeats, and seconds for a time.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_PENDING = 2**18
"""Texts that may wait to be looked up among those that are known."""

LEAST_PENDING_BYTES = 2**25
"""The same in bytes."""

BLOCK = 2**20


class Numbers:
    """An array that grows at its end, without being copied where the system can move pages."""

    def __init__(self, dtype: type[np.number[Any]]) -> None:
        self._room: NDArray[Any] = np.empty(0, dtype)
        self._length = 0

    @property
    def dtype(self) -> "np.dtype[Any]":
        """Type of the numbers."""
        return self._room.dtype

    def __len__(self) -> int:
        return self._length

    def append(self, numbers: "NDArray[Any]") -> None:
        """Put numbers behind those that are there."""
        end = self._length + len(numbers)
        if end > len(self._room):
            self._room.resize(max(end, len(self._room) * 5 // 4), refcheck=False)
        self._room[self._length : end] = numbers
        self._length = end

    def widen(self, dtype: type[np.number[Any]]) -> None:
        """Go on with another type."""
        self._room = self.view().astype(dtype)

    def view(self) -> "NDArray[Any]":
        """The numbers so far, to be changed in place before more are appended."""
        return self._room[: self._length]

    def take(self) -> "NDArray[Any]":
        """The numbers; nothing can be appended after."""
        self._room.resize(self._length, refcheck=False)
        return self._room


class Texts:
    """A column of texts as codes into a dictionary, in the order of their first rows.

    Each block brings a dictionary of its own. Looking its texts up among all that are known takes
    as long as those are many, so blocks wait until together they have half as many.
    """

    def __init__(self) -> None:
        self._codes = Numbers(np.uint8)
        self._known = pa.array([], pa.large_string())
        self._waiting: list[tuple[slice, pa.Array]] = []
        self._waiting_texts = self._waiting_bytes = 0

    @property
    def nbytes(self) -> int:
        """Memory of the dictionary."""
        return int(self._known.nbytes) + self._waiting_bytes

    def append(self, column: pa.ChunkedArray) -> None:
        """Put the cells of a block behind those that are there."""
        for chunk in column.chunks:
            encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
            texts = encoded.dictionary.cast(pa.large_string())
            self._make_room(len(texts))
            first = len(self._codes)
            self._codes.append(encoded.indices.to_numpy())
            self._waiting.append((slice(first, len(self._codes)), texts))
            self._waiting_texts += len(texts)
            self._waiting_bytes += int(texts.nbytes)
            many = self._waiting_texts > max(LEAST_PENDING, len(self._known) // 2)
            # Every block may bring the same few long texts.
            if many or self._waiting_bytes > max(LEAST_PENDING_BYTES, self._known.nbytes // 2):
                self._settle()

    def _make_room(self, texts: int) -> None:
        if texts > 2**8 and self._codes.dtype == np.uint8:
            self._codes.widen(np.int32)

    def _settle(self) -> None:
        """Look up the texts that wait."""
        whole = pa.chunked_array(
            [
                pa.DictionaryArray.from_arrays(np.arange(len(texts), dtype=np.int32), texts)
                for texts in (self._known, *(texts for _, texts in self._waiting))
            ]
        ).unify_dictionaries()
        self._known = whole.chunk(0).dictionary
        self._make_room(len(self._known))
        codes = self._codes.view()
        for (rows, _), chunk in zip(self._waiting, whole.chunks[1:], strict=True):
            codes[rows] = chunk.indices.to_numpy()[codes[rows]]
        self._waiting.clear()
        self._waiting_texts = self._waiting_bytes = 0

    def take(self, *, in_order: bool = False) -> pa.DictionaryArray:
        """The column, its dictionary sorted where that is asked for; nothing can be appended."""
        self._settle()
        codes, texts = self._codes.take(), self._known
        if in_order:
            order = pc.sort_indices(texts)
            rank = np.empty(len(texts), codes.dtype)
            rank[order.to_numpy()] = np.arange(len(texts), dtype=codes.dtype)
            for first in range(0, len(codes), BLOCK):
                codes[first : first + BLOCK] = rank[codes[first : first + BLOCK]]
            texts = texts.take(order)
        return pa.DictionaryArray.from_arrays(codes, texts, safe=False)


class LineNumbers:
    """Line of each row, kept as the rows at which lines are left out or a row takes several."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.int64]] = []
        self._ahead: list[NDArray[np.int64]] = []

    def append(self, first: int, count: int, lines: "NDArray[np.int64] | int") -> None:
        """Say in which lines the rows from ``first`` on are, or in which line the first one is."""
        if count == 0:
            return
        if isinstance(lines, int):
            ahead = np.array([lines - first], np.int64)
        else:
            ahead = lines - np.arange(first, first + count)
        before = self._ahead[-1][-1] if self._ahead else ahead[0] - 1
        jumps = np.flatnonzero(np.append(before, ahead[:-1]) != ahead)
        if len(jumps):
            self._rows.append(jumps + first)
            self._ahead.append(ahead[jumps])

    def of(self, rows: "NDArray[np.integer[Any]]") -> tuple[int, ...]:
        """Lines of some rows."""
        starts, ahead = np.concatenate(self._rows), np.concatenate(self._ahead)
        at = np.searchsorted(starts, rows, side="right") - 1
        return tuple(int(line) for line in rows + ahead[at])
