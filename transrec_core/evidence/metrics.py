"""Metrics of one user's list or predictions, for many users at once."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray


def top_items(scores: "NDArray[np.floating]", n: int) -> "NDArray[np.int64]":
    """Columns of the n highest scores of each row, best first; ties go to the lower column.

    A score of −∞ marks an item that may not be listed; rows with fewer than n others end in −1.
    """
    n_items = scores.shape[1]
    n = min(n, n_items)
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


def hide(scores: "NDArray[np.floating]", seen: "sp.csr_array") -> "NDArray[np.floating]":
    """A copy of the scores with each row's seen items at −∞."""
    hidden = np.array(scores)
    rows = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
    hidden[rows, seen.indices] = -np.inf
    return hidden


def ndcg(top: "NDArray[np.int64]", test: "sp.csr_array") -> "NDArray[np.float64]":
    """Normalised discounted cumulative gain of lists with binary relevance, one value a user.

    DCG = Σ_r [item at rank r is relevant] / log₂(r + 1), divided by that of the best possible list
    of the same length (Järvelin & Kekäläinen 2002). Users without test items get NaN.

    Parameters
    ----------
    top
        Users × n item columns, best first; −1 is an empty place.
    test
        Users × items: the relevant items.
    """
    n = top.shape[1]
    discounts = 1 / np.log2(np.arange(2, n + 2))
    relevant = _contains(test, top)
    counts = np.diff(test.indptr)
    ideal = np.concatenate(([0.0], np.cumsum(discounts)))[np.minimum(counts, n)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(relevant @ discounts / np.where(ideal > 0, ideal, np.nan))


def rmse(predictions: "NDArray[np.float64]", test: "sp.csr_array") -> "NDArray[np.float64]":
    """Root mean squared error of each user's test ratings; NaN for a user without any.

    Parameters
    ----------
    predictions
        One value a stored cell of ``test``, in its order.
    test
        Users × items with the true ratings.
    """
    counts = np.diff(test.indptr)
    rows = np.repeat(np.arange(test.shape[0]), counts)
    squared = np.bincount(rows, (predictions - test.data) ** 2, test.shape[0])
    return np.asarray(np.sqrt(squared / np.where(counts > 0, counts, np.nan)))


def _contains(test: "sp.csr_array", columns: "NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Whether each (row, column) is a stored cell; rows × n."""
    n_items = test.shape[1]
    rows = np.repeat(np.arange(test.shape[0], dtype=np.int64), np.diff(test.indptr))
    stored = rows * n_items + test.indices
    asked = np.arange(test.shape[0], dtype=np.int64)[:, None] * n_items + columns
    return np.asarray(np.isin(asked, stored) & (columns >= 0))
