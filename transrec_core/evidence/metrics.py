"""Metrics of one user's list or predictions, for many users at once."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray


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
