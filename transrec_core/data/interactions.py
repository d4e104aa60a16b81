"""Ratings of one domain as a users × items matrix with the ids on both sides."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.columns import ITEM, MAX_RATING, RATING, TIME, USER
from transrec_core.data.report import plural
from transrec_core.errors import BadRatingsError
from transrec_core.threads import in_threads, shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

# From here on, loading the compiled code takes less time than it saves.
MANY_ROWS = 2**23
GATHERED = 2**16


@dataclass(frozen=True)
class Repeated:
    """Numbers that repeat a few values.

    Attributes
    ----------
    values
        float64, different ones or not.
    codes
        int32 or uint8, one a row: position of the row's number in ``values``.
    """

    values: "NDArray[np.floating]"
    codes: "NDArray[np.int32] | NDArray[np.uint8]"

    @classmethod
    def of(cls, values: "NDArray[np.floating]") -> "Repeated":
        """Numbers that are not known to repeat."""
        return cls(values, np.arange(len(values), dtype=np.int32))

    def __getitem__(self, rows: "slice | NDArray[np.integer]") -> "NDArray[np.floating]":
        """Numbers of some rows."""
        return np.asarray(self.values[self.codes[rows]])


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
        One number a row, or ``None`` where the data has none; times in seconds.
    counted
        Which rows count, all by default.
    """

    users: pd.Index
    items: pd.Index
    user_codes: "NDArray[np.int32]"
    item_codes: "NDArray[np.int32]"
    ratings: Repeated | None
    times: "NDArray[np.number] | None"
    counted: "NDArray[np.bool_] | None" = None

    def __getstate__(self) -> dict[str, Any]:
        """A copy, as another thread may work out the positions while this one is pickled."""
        return dict(self.__dict__)

    @cached_property
    def positions(self) -> sp.csr_array:
        """Users × items with each row's position as value; rows of one pair in their order."""
        shape = (len(self.users), len(self.items))
        if len(self.user_codes) >= MANY_ROWS:
            return _arranged(self.user_codes, self.item_codes, shape)
        # Two stable counting sorts, by item and then by user.
        rows = np.arange(len(self.user_codes), dtype=np.int32)
        by_item = sp.coo_array((rows, (self.item_codes, self.user_codes)), shape[::-1])
        by_item.has_canonical_format = True  # repeated pairs stay apart instead of being summed
        by_user = by_item.tocsr().tocsc()
        return sp.csr_array((by_user.data, by_user.indices, by_user.indptr), shape)

    def only(self, counted: "NDArray[np.bool_]", ratings: Repeated | None) -> "Encoded":
        """The same rows with other ratings, of which some do not count; each id has one that does.

        Many rows take much memory, so they are not copied, and the positions are handed on.
        """
        left = replace(self, counted=counted, ratings=ratings)
        left.__dict__["positions"] = _without(self.__dict__.pop("positions"), counted)
        return left


def _arranged(
    users: "NDArray[np.int32]", items: "NDArray[np.int32]", shape: tuple[int, int]
) -> sp.csr_array:
    """``Encoded.positions`` of many rows: a counting sort by user, then a sort of each user's rows.

    Each thread places a part of the rows behind the rows of the same user in the parts before.
    """
    from transrec_core.data import kernels  # compiled, and slow to load

    parts = shares(len(users))
    counts = np.zeros((len(parts), shape[0]), np.int64)
    in_threads(lambda t: kernels.count(users[parts[t]], counts[t]), range(len(parts)))
    starts = np.append(0, np.cumsum(counts.sum(axis=0)))
    at = starts[:-1] + np.cumsum(counts, axis=0) - counts
    rows, columns = np.empty(len(users), np.int32), np.empty(len(users), np.int32)
    in_threads(
        lambda t: kernels.put(users[parts[t]], parts[t].start, at[t], rows), range(len(parts))
    )
    cuts = np.searchsorted(starts, [0, *(part.stop for part in parts)])
    in_threads(
        lambda part: kernels.sort_each(
            starts[part[0] : part[1] + 1], rows, items, shape[1] - 1, columns
        ),
        pairwise(cuts),
    )
    return sp.csr_array((rows, columns, starts.astype(np.int32)), shape)


def _without(at: sp.csr_array, counted: "NDArray[np.bool_]") -> sp.csr_array:
    """Positions of rows that count, in the memory of all positions."""
    end = 0
    dropped = []
    for first in range(0, at.nnz, GATHERED):
        block = slice(first, min(first + GATHERED, at.nnz))
        kept = counted[at.data[block]]
        dropped.append(np.flatnonzero(~kept) + first)
        left = slice(end, end + int(kept.sum()))
        at.data[left], at.indices[left] = at.data[block][kept], at.indices[block][kept]
        end = left.stop
    before = np.searchsorted(np.concatenate(dropped), at.indptr)
    ends = (at.indptr - before).astype(np.int32)
    return sp.csr_array((at.data[:end], at.indices[:end], ends), at.shape)


def _gathered(
    numbers: "Repeated | NDArray[np.number]",
    rows: "NDArray[np.int32]",
    dtype: type[np.floating],
) -> "NDArray[Any]":
    """Numbers of some rows, gathered in blocks, so that what is between stays in the cache."""
    gathered = np.empty(len(rows), dtype)

    def gather(part: slice) -> None:
        for first in range(part.start, part.stop, GATHERED):
            block = slice(first, min(first + GATHERED, part.stop))
            gathered[block] = numbers[rows[block]]

    in_threads(gather, shares(len(rows)))
    return gathered


def _require_plausible(values: "NDArray[np.float32]", rows: Encoded, at: sp.csr_array) -> None:
    """Refuse ratings that are not finite or too large, naming one of them."""
    if values.min() >= -MAX_RATING and values.max() <= MAX_RATING:
        return
    bad = np.flatnonzero(~(np.abs(values) <= MAX_RATING))
    first = int(at.data[bad].min())
    user, item = rows.users[rows.user_codes[first]], rows.items[rows.item_codes[first]]
    assert rows.ratings is not None
    number = float(rows.ratings[slice(first, first + 1)][0])
    raise BadRatingsError(
        f"{plural(len(bad), 'rating is', 'ratings are')} not a number from {-MAX_RATING:,.0f} to "
        f"{MAX_RATING:,.0f}, such as {number:g} of user {user} for item {item}.",
        "Correct them, or choose another column of ratings.",
    )


def keep_cells(matrix: sp.csr_array, kept: "NDArray[np.bool_]") -> sp.csr_array:
    """The matrix with only those stored cells, stored zeros among them; its shape stays."""
    before = np.zeros(len(kept) + 1, np.int32)
    np.cumsum(kept, dtype=np.int32, out=before[1:])
    ends = before[matrix.indptr]
    return sp.csr_array((matrix.data[kept], matrix.indices[kept], ends), matrix.shape)


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
                Repeated.of(frame[RATING].to_numpy(np.float64)) if RATING in frame else None,
                frame[TIME].to_numpy(np.float64) if TIME in frame else None,
            )
        )

    @classmethod
    def from_codes(cls, rows: Encoded) -> "Interactions":
        """Arrange rows whose ids are encoded already; pairs are unique.

        Raises
        ------
        BadRatingsError
            There are no rows, or a rating is not finite or larger than ``MAX_RATING``.
        """
        at = rows.positions
        if at.nnz == 0:
            raise BadRatingsError("There are no ratings.", "Give a table with at least one row.")
        if rows.ratings is None:
            values = np.ones(at.nnz, np.float32)
        else:
            with np.errstate(over="ignore"):  # what single precision cannot hold is refused below
                values = _gathered(rows.ratings, at.data, np.float32)
            _require_plausible(values, rows, at)
        matrix = sp.csr_array((values, at.indices, at.indptr), shape=at.shape)
        times = None if rows.times is None else _gathered(rows.times, at.data, np.float64)
        explicit = rows.ratings is not None and bool((values != values[:1]).any())
        return cls(rows.users, rows.items, matrix, times, explicit)

    @property
    def counts(self) -> "NDArray[np.int64]":
        """Number of interactions of each user."""
        return np.diff(self.matrix.indptr).astype(np.int64)

    def without_items(self, columns: "NDArray[np.integer]") -> "Interactions":
        """The same users without some items, given by column; users may be left with nothing."""
        kept = np.ones(len(self.items), bool)
        kept[columns] = False
        cells = kept[self.matrix.indices]
        left = keep_cells(self.matrix, cells)
        number = (np.cumsum(kept) - 1).astype(np.int32)
        matrix = sp.csr_array(
            (left.data, number[left.indices], left.indptr),
            shape=(len(self.users), int(kept.sum())),
        )
        times = None if self.times is None else self.times[cells]
        return Interactions(self.users, self.items[kept], matrix, times, self.explicit)

    def transposed(self) -> "Interactions":
        """Items as users and users as items: what is asked of new users, asked of new items."""
        matrix = self.matrix
        at = sp.csr_array(
            (np.arange(matrix.nnz, dtype=np.int32), matrix.indices, matrix.indptr), matrix.shape
        ).T.tocsr()
        turned = sp.csr_array((matrix.data[at.data], at.indices, at.indptr), at.shape)
        times = None if self.times is None else self.times[at.data]
        return Interactions(self.items, self.users, turned, times, self.explicit)

    @property
    def fingerprint(self) -> str:
        """Changes with every id, value and time."""
        hashed = hashlib.blake2b(digest_size=16)
        matrix = self.matrix
        for part in (matrix.indptr, matrix.indices, matrix.data, self.times):
            if part is not None:
                hashed.update(np.ascontiguousarray(part).data)
        for ids in (self.users, self.items):
            # Each id with its length, so that no two lists of ids run together alike.
            hashed.update("".join(f"{len(id_)}:{id_}" for id_ in ids).encode("utf-8", "replace"))
        return hashed.hexdigest()

    def rows_of(self, user_ids: "pd.Index | list[str]") -> "NDArray[np.int64]":
        """Row of each id, −1 where the id is not in this domain."""
        return self.users.get_indexer(pd.Index(user_ids)).astype(np.int64)

    def __repr__(self) -> str:
        """Sizes only: a repr in a log holds no rows of data."""
        return f"Interactions({len(self.users)} users × {len(self.items)} items, {self.matrix.nnz})"
