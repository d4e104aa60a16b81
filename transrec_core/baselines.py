"""What transfer must beat: the simple methods that use no source data.

Target-only factorization is the other baseline; it is a fold-in without a prior
(``TransferFit.place``).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from transrec_core.factors.biases import DAMPING, Biases, fit_biases, fold_in_biases

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

POPULARITY = "popularity"


@dataclass(frozen=True)
class Baselines:
    """Popularity, item mean and damped biases of one domain's training data.

    Attributes
    ----------
    popularity
        Number of users of each item.
    item_mean
        Mean rating of each item, damped towards the mean of all ratings.
    biases
        The damped bias model.
    users
        How many users have any interaction.
    """

    popularity: "NDArray[np.float64]"
    item_mean: "NDArray[np.float64]"
    biases: Biases
    users: int

    @classmethod
    def fit(cls, matrix: "sp.csr_array") -> "Baselines":
        """Fit on users × items training data."""
        n_items = matrix.shape[1]
        values = matrix.data.astype(np.float64)
        popularity = np.bincount(matrix.indices, minlength=n_items).astype(np.float64)
        mean = float(values.mean()) if len(values) else 0.0
        total = np.bincount(matrix.indices, values, n_items)
        return cls(
            popularity,
            (total + DAMPING * mean) / (popularity + DAMPING),
            fit_biases(matrix),
            int((np.diff(matrix.indptr) > 0).sum()),
        )

    def scores(self, name: str, support: "sp.csr_array") -> "NDArray[np.float64]":
        """Scores of all items for users given by their target data, users × items.

        The result may be a read-only view that repeats one row.

        Parameters
        ----------
        name
            ``popularity``, ``item_mean`` or ``biases``.
        support
            The users' known target data, users × items; only ``biases`` reads it.
        """
        shape = (support.shape[0], len(self.popularity))
        if name == POPULARITY:
            return np.broadcast_to(self.popularity, shape)
        if name == "item_mean":
            return np.broadcast_to(self.item_mean, shape)
        assert name == "biases", name
        user = fold_in_biases(support, self.biases)
        return np.asarray(self.biases.mean + user[:, None] + self.biases.item[None, :])
