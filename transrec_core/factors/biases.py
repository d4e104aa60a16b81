"""The damped bias model μ + b_u + b_i that comes before the factors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

DAMPING = 5.0
"""Ratings that a row is pretended to have at its prior bias, so that few ratings move it little."""

ROUNDS = 10


@dataclass(frozen=True)
class Biases:
    """μ + b_u + b_i.

    Attributes
    ----------
    mean
        μ, in rating units.
    user, item
        b_u and b_i, one value a row and a column.
    """

    mean: float
    user: "NDArray[np.float64]"
    item: "NDArray[np.float64]"

    def residual(self, matrix: "sp.csr_array") -> "NDArray[np.float64]":
        """Rating − (μ + b_u + b_i) of each stored cell, in the order of ``matrix.data``."""
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        return np.asarray(
            matrix.data.astype(np.float64) - self.mean - self.user[rows] - self.item[matrix.indices]
        )


def fit_biases(matrix: "sp.csr_array", damping: float = DAMPING) -> Biases:
    """Fit μ, b_u and b_i by alternating damped means.

    Minimises Σ (r − μ − b_u − b_i)² + damping·(Σ b_u² + Σ b_i²) for the fixed μ = mean rating;
    rows without ratings get zero.
    """
    n_users, n_items = matrix.shape
    rows = np.repeat(np.arange(n_users), np.diff(matrix.indptr))
    cols = matrix.indices
    values = matrix.data.astype(np.float64)
    mean = float(values.mean()) if len(values) else 0.0
    centred = values - mean
    user_n = np.bincount(rows, minlength=n_users) + damping
    item_n = np.bincount(cols, minlength=n_items) + damping
    user = np.zeros(n_users)
    item = np.zeros(n_items)
    for _ in range(ROUNDS):
        item = np.bincount(cols, centred - user[rows], n_items) / item_n
        user = np.bincount(rows, centred - item[cols], n_users) / user_n
    return Biases(mean, user, item)


def fold_in_biases(
    matrix: "sp.csr_array",
    biases: Biases,
    prior: "NDArray[np.float64] | float" = 0.0,
    damping: float = DAMPING,
) -> "NDArray[np.float64]":
    """Bias of new users from their ratings of known items.

    Parameters
    ----------
    matrix
        New users × the same items.
    prior
        Bias that a user without ratings has; the damping pulls towards it.
    """
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    rest = matrix.data.astype(np.float64) - biases.mean - biases.item[matrix.indices]
    total = np.bincount(rows, rest, minlength=matrix.shape[0]) + damping * np.asarray(prior)
    return np.asarray(total / (np.diff(matrix.indptr) + damping))
