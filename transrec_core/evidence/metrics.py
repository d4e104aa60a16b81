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


def mae(predictions: "NDArray[np.float64]", test: "sp.csr_array") -> "NDArray[np.float64]":
    """Mean absolute error of each user's test ratings; parameters as for ``rmse``."""
    counts = np.diff(test.indptr)
    rows = np.repeat(np.arange(test.shape[0]), counts)
    missed = np.bincount(rows, np.abs(predictions - test.data), test.shape[0])
    return np.asarray(missed / np.where(counts > 0, counts, np.nan))


def recall(top: "NDArray[np.int64]", test: "sp.csr_array") -> "NDArray[np.float64]":
    """Share of the relevant items that are listed; of the list's length where they are more."""
    counts = np.minimum(np.diff(test.indptr), top.shape[1])
    found = _contains(test, top).sum(axis=1)
    return np.asarray(found / np.where(counts > 0, counts, np.nan))


def reciprocal_rank(top: "NDArray[np.int64]", test: "sp.csr_array") -> "NDArray[np.float64]":
    """1 / place of the first relevant item, 0 where none is listed; its mean over users is MRR."""
    relevant = _contains(test, top)
    first = np.where(relevant.any(axis=1), 1 / (relevant.argmax(axis=1) + 1), 0.0)
    return np.where(np.diff(test.indptr) > 0, first, np.nan)


def coverage(top: "NDArray[np.int64]", n_items: int) -> float:
    """Share of the catalogue that is in any of the lists."""
    return len(np.unique(top[top >= 0])) / n_items


def mean_share(
    top: "NDArray[np.int64]", share: "NDArray[np.float64]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """How popular the listed items are: mean share of users who took them, and mean −log₂ of it.

    The second is the novelty of Zhou et al. 2010 in bits. An item nobody took counts as one user's.

    Parameters
    ----------
    share
        Of the training users, for each item; its smallest positive value stands for one user.
    """
    listed = top >= 0
    least = share[share > 0].min(initial=1.0)
    bits = -np.log2(np.maximum(share, least))
    n = np.maximum(listed.sum(axis=1), 1)
    return (
        np.where(listed, share[top], 0).sum(axis=1) / n,
        np.where(listed, bits[top], 0).sum(axis=1) / n,
    )


def _contains(test: "sp.csr_array", columns: "NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Whether each (row, column) is a stored cell; rows × n."""
    n_items = test.shape[1]
    rows = np.repeat(np.arange(test.shape[0], dtype=np.int64), np.diff(test.indptr))
    stored = rows * n_items + test.indices
    asked = np.arange(test.shape[0], dtype=np.int64)[:, None] * n_items + columns
    if not len(stored):
        return np.zeros(columns.shape, bool)
    if not test.has_sorted_indices:
        stored = np.sort(stored)
    at = np.minimum(np.searchsorted(stored, asked), len(stored) - 1)
    return np.asarray((stored[at] == asked) & (columns >= 0))
