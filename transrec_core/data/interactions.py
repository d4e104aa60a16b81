"""Ratings of one domain as a users × items matrix with the ids on both sides."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.columns import ITEM, RATING, TIME, USER

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Interactions:
    """One domain's ratings.

    Attributes
    ----------
    users, items
        Unique ids as text, in rising order; position = row or column of ``matrix``.
    matrix
        CSR, users × items, float32, one stored value an interaction: the rating, or 1 where the
        data has none. A stored zero is a rating of zero, not a missing one.
    times
        Seconds since 1970, aligned with ``matrix.data``; ``None`` where the data has none.
    explicit
        Whether the values are ratings; ``False`` when every value is the same (clicks, purchases).
    """

    users: pd.Index
    items: pd.Index
    matrix: sp.csr_array
    times: "NDArray[np.float64] | None"
    explicit: bool

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> "Interactions":
        """Encode a validated table with one row a user–item pair.

        Parameters
        ----------
        frame
            Columns ``user_id``, ``item_id`` (text), optionally ``rating`` and ``timestamp``
            (numbers, seconds). Pairs are unique: the importer has merged duplicates.
        """
        user_codes, users = pd.factorize(frame[USER].astype(str), sort=True)
        item_codes, items = pd.factorize(frame[ITEM].astype(str), sort=True)
        ratings = frame[RATING].to_numpy(np.float32) if RATING in frame else None
        values = np.ones(len(frame), np.float32) if ratings is None else ratings
        order = np.lexsort((item_codes, user_codes))
        counts = np.bincount(user_codes, minlength=len(users))
        indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        matrix = sp.csr_array(
            (values[order], item_codes[order].astype(np.int32), indptr),
            shape=(len(users), len(items)),
        )
        times = frame[TIME].to_numpy(np.float64)[order] if TIME in frame else None
        explicit = (
            ratings is not None and bool(len(ratings)) and bool((ratings != ratings[0]).any())
        )
        return cls(pd.Index(users), pd.Index(items), matrix, times, explicit)

    @property
    def counts(self) -> "NDArray[np.int64]":
        """Number of interactions of each user."""
        return np.diff(self.matrix.indptr).astype(np.int64)

    def rows_of(self, user_ids: "pd.Index | list[str]") -> "NDArray[np.int64]":
        """Row of each id, −1 where the id is not in this domain."""
        return self.users.get_indexer(pd.Index(user_ids)).astype(np.int64)

    def __repr__(self) -> str:
        """Sizes only: a repr in a log holds no rows of data."""
        return f"Interactions({len(self.users)} users × {len(self.items)} items, {self.matrix.nnz})"
