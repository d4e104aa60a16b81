"""Ratings of one domain as a users × items matrix with the ids on both sides."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.columns import ITEM, RATING, TIME, USER

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Encoded:
    """Rows of ratings whose ids are positions in sorted lists of ids.

    Attributes
    ----------
    users, items
        Unique ids as text, in rising order.
    user_codes, item_codes
        int32, one value a row: position of the row's id.
    ratings, times
        One value a row, or ``None`` where the data has none.
    """

    users: pd.Index
    items: pd.Index
    user_codes: "NDArray[np.int32]"
    item_codes: "NDArray[np.int32]"
    ratings: "NDArray[np.floating] | None"
    times: "NDArray[np.float64] | None"

    @cached_property
    def positions(self) -> sp.csr_array:
        """Users × items with each row's position as value; rows of one pair in their order.

        Two stable counting sorts, by item and then by user, in time linear in the rows.
        """
        rows = np.arange(len(self.user_codes), dtype=np.int32)
        by_item = sp.coo_array(
            (rows, (self.item_codes, self.user_codes)), (len(self.items), len(self.users))
        )
        by_item.has_canonical_format = True  # repeated pairs stay apart instead of being summed
        by_user = by_item.tocsr().tocsc()
        return sp.csr_array(
            (by_user.data, by_user.indices, by_user.indptr), (len(self.users), len(self.items))
        )


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
        return cls.from_codes(
            Encoded(
                pd.Index(users),
                pd.Index(items),
                user_codes.astype(np.int32),
                item_codes.astype(np.int32),
                frame[RATING].to_numpy(np.float32) if RATING in frame else None,
                frame[TIME].to_numpy(np.float64) if TIME in frame else None,
            )
        )

    @classmethod
    def from_codes(cls, rows: Encoded) -> "Interactions":
        """Arrange rows whose ids are encoded already; pairs are unique."""
        at = rows.positions
        ratings = None if rows.ratings is None else rows.ratings.astype(np.float32, copy=False)
        values = np.ones(at.nnz, np.float32) if ratings is None else ratings[at.data]
        matrix = sp.csr_array((values, at.indices, at.indptr), shape=at.shape)
        times = None if rows.times is None else rows.times[at.data]
        explicit = ratings is not None and bool((ratings[1:] != ratings[:-1]).any())
        return cls(rows.users, rows.items, matrix, times, explicit)

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
