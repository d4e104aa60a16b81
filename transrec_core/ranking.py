"""The best of each row of a table of scores, ties decided the same way everywhere."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray


CHUNK_CELLS = 16_000_000
"""Scores held at once, rows × columns."""

MANY = 64
"""Longer lists are sorted, shorter ones kept in order while the row is read once."""


def chunks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Cut the rows so that no piece holds more than ``CHUNK_CELLS`` scores."""
    size = max(1, CHUNK_CELLS // max(n_columns, 1))
    for first in range(0, n_rows, size):
        yield slice(first, min(first + size, n_rows))


def top_items(
    scores: "NDArray[np.floating]", n: int, seen: "sp.csr_array | None" = None
) -> "NDArray[np.int64]":
    """Columns of the n highest scores of each row, best first; ties go to the lower column.

    Parameters
    ----------
    scores
        Rows × columns. A score of −∞ marks a column that may not be listed.
    n
        How many, at most all columns.
    seen
        Rows × columns: stored cells may not be listed either.

    Returns
    -------
    Rows × n; rows with fewer than n others end in −1.
    """
    n = min(n, scores.shape[1])
    if n > MANY:
        return _sorted(scores if seen is None else _hidden(scores, seen), n)
    from transrec_core.ranking_kernel import best_of_rows  # compiled, and slow to load

    found = np.full((len(scores), n), -1, np.int64)
    if n:
        shape = (len(scores) + 1,)
        indptr = np.zeros(shape, np.int32) if seen is None else seen.indptr
        indices = np.zeros(0, np.int32) if seen is None else seen.indices
        best_of_rows(np.ascontiguousarray(scores), indptr, indices, found)
    return found


def _sorted(scores: "NDArray[np.floating]", n: int) -> "NDArray[np.int64]":
    """``top_items`` of long lists."""
    n_items = scores.shape[1]
    if n < n_items:
        # The n-th best value cuts; among equals at the cut the lowest columns have to win.
        cut = np.partition(scores, n_items - n, axis=1)[:, n_items - n]
        above = scores > cut[:, None]
        level = scores == cut[:, None]
        room = n - above.sum(axis=1)
        chosen = above | (level & (np.cumsum(level, axis=1) <= room[:, None]))
        columns = np.nonzero(chosen)[1].reshape(len(scores), n)
    else:
        columns = np.broadcast_to(np.arange(n_items), scores.shape)
    values = np.take_along_axis(scores, columns, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    best = np.take_along_axis(columns, order, axis=1).astype(np.int64)
    best[np.isneginf(np.take_along_axis(values, order, axis=1))] = -1
    return best


def _hidden(scores: "NDArray[np.floating]", seen: "sp.csr_array") -> "NDArray[np.floating]":
    """A copy of the scores with each row's seen items at −∞."""
    hidden = np.array(scores)
    rows = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
    hidden[rows, seen.indices] = -np.inf
    return hidden
