"""Text cells as numbers and times, where they are written as such."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Numbers as people and programs write them; not 1_000, full-width digits, inf, nan or TRUE.
DECIMAL = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
DECIMAL_COMMA = r"^[+-]?[0-9]+,[0-9]+$"
# Epoch times count in units that their size gives away: seconds until the year 5138.
EPOCH_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


def whole_numbers(cells: pa.ChunkedArray) -> "NDArray[np.int64] | None":
    """Cells that are all whole numbers in digits alone; ``None`` where one is anything else."""
    for chunk in cells.chunks:
        text = chunk.buffers()[2]
        # Arrow also reads 0x1F, so no byte may lie above the digits.
        if text is None or not len(text) or np.frombuffer(text, np.uint8).max() > ord("9"):
            return None
    try:
        return np.concatenate([chunk.cast(pa.int64()).to_numpy() for chunk in cells.chunks])
    except pa.ArrowInvalid:
        return None


def numbers_of(cells: pa.Array | pa.ChunkedArray, pattern: str = DECIMAL) -> "NDArray[np.float64]":
    """Cells that are written as decimal numbers, NaN elsewhere; blanks around them are ignored."""
    cells = pc.utf8_trim_whitespace(cells)
    fits = pc.match_substring_regex(cells, pattern)
    if pattern == DECIMAL_COMMA:
        cells = pc.replace_substring(cells, ",", ".")
    cells = pc.utf8_ltrim(cells, "+")  # Arrow's cast does not read a plus sign
    values = pc.if_else(fits, cells, None).cast(pa.float64())
    numbers = np.array(values.to_numpy(zero_copy_only=False), np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def seconds(cells: pa.ChunkedArray) -> "NDArray[np.float64]":
    """Seconds since 1970 of Unix times and ISO dates, NaN elsewhere."""
    whole = whole_numbers(cells)
    numbers = numbers_of(cells) if whole is None else whole.astype(np.float64)
    times = np.asarray(of_epoch(numbers), np.float64)
    other = np.isnan(times)
    if other.any():
        texts = cells.filter(pa.array(other)).cast(pa.large_string()).to_pandas()
        dates = pd.to_datetime(texts.str.strip(), format="ISO8601", utc=True, errors="coerce")
        since = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
        times[other] = since.to_numpy(np.float64)
    return times


def of_epoch(times: "NDArray[np.number]") -> "NDArray[np.number]":
    """Seconds from Unix times in seconds, milli-, micro- or nanoseconds, whichever fit."""
    largest = EPOCH_UNITS[-1][0]
    if np.fmax.reduce(times) >= largest or np.fmin.reduce(times) <= -largest:
        for least, units in EPOCH_UNITS:
            times = np.where(np.abs(times) >= least, times / units, times)
    return times
