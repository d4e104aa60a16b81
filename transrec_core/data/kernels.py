"""Compiled loops over the rows of a large table.

They hold no lock of the interpreter, so parts of a table are worked on beside each other in
threads. Loading them takes longer than reading a small file does: import this module only where a
table is large.
"""

from typing import Any

import numpy as np
from numba import boolean, int32, int64, types

from transrec_core.compiling import compiled

# Types of arrays: with them, all is compiled, or loaded from what has been compiled, on import.
CODES = types.Array(int32, 1, "C", readonly=True)
MASK, INTS, LONGS = boolean[::1], int32[::1], int64[::1]

ROW, DIGIT = 0xFFFFFFFF, 0xFF
FEW = 48
"""Fewer rows than this are sorted by insertion."""


@compiled(types.void(CODES, int64, MASK))
def mark(values: Any, least: int, found: Any) -> None:
    """Set ``found[v − least]`` for each value v."""
    for value in values:
        found[value - least] = True


@compiled(types.void(CODES, int64, INTS, INTS))
def encode(values: Any, least: int, code: Any, codes: Any) -> None:
    """Write ``code[v − least]`` of each value v."""
    for row in range(len(values)):
        codes[row] = code[values[row] - least]


@compiled(types.void(CODES, LONGS))
def count(codes: Any, counts: Any) -> None:
    """Add to ``counts`` how often each code occurs."""
    for code in codes:
        counts[code] += 1


@compiled(types.void(CODES, int64, LONGS, INTS))
def put(codes: Any, first: int, at: Any, rows: Any) -> None:
    """Put the numbers of rows, from ``first`` on, behind others of the same code.

    ``at`` holds where the next row of each code goes, and is moved on.
    """
    for row in range(len(codes)):
        code = codes[row]
        rows[at[code]] = first + row
        at[code] += 1


@compiled(types.void(LONGS, INTS, CODES, int64, INTS))
def sort_each(starts: Any, rows: Any, codes: Any, most: int, sorted_codes: Any) -> None:
    """Sort the rows of each part by code, stably, and write their codes.

    Parameters
    ----------
    starts
        Where each part begins, and where the last one ends.
    rows
        Numbers of rows, part by part; sorted in place.
    codes
        Of all rows, by number.
    most
        The largest code.
    sorted_codes
        To be filled: the code of each of ``rows``.
    """
    longest = 0
    for part in range(len(starts) - 1):
        longest = max(longest, starts[part + 1] - starts[part])
    keys, others = np.empty(longest, np.int64), np.empty(longest, np.int64)
    ends = np.empty(DIGIT + 1, np.int64)
    for part in range(len(starts) - 1):
        first, n = starts[part], starts[part + 1] - starts[part]
        for k in range(n):
            keys[k] = np.int64(codes[rows[first + k]]) << 32 | rows[first + k]
        if n < FEW:
            for k in range(1, n):
                key = keys[k]
                while k > 0 and keys[k - 1] > key:
                    keys[k] = keys[k - 1]
                    k -= 1
                keys[k] = key
        else:
            shift = 32
            while most >> (shift - 32) > 0:  # by digits of eight bits, the last first
                ends[:] = 0
                for k in range(n):
                    ends[keys[k] >> shift & DIGIT] += 1
                end = 0
                for digit in range(len(ends)):
                    end += ends[digit]
                    ends[digit] = end
                for k in range(n - 1, -1, -1):
                    digit = keys[k] >> shift & DIGIT
                    ends[digit] -= 1
                    others[ends[digit]] = keys[k]
                keys, others = others, keys
                shift += 8
        for k in range(n):
            rows[first + k] = keys[k] & ROW
            sorted_codes[first + k] = keys[k] >> 32
