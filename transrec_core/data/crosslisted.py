"""Items of the two domains that are the same thing under two ids.

Such a pair leaks: whoever has the one has the other, and transfer looks better than it is.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.data.linking import DomainPair
from transrec_core.data.report import plural
from transrec_core.errors import AllCrosslistedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sets with Jaccard 0.8 agree in one of 16 bands of 4 minimum hashes with probability 0.9998.
BANDS, ROWS = 16, 4
CELLS = 2**22


@dataclass(frozen=True)
class Crosslisted:
    """Pairs of items with nearly the same shared users, most alike first.

    Attributes
    ----------
    source_items, target_items
        Column of each pair's item in its domain.
    similarity
        Jaccard similarity of the two user sets, among shared users.
    """

    source_items: "NDArray[np.int64]"
    target_items: "NDArray[np.int64]"
    similarity: "NDArray[np.float64]"


def find_crosslisted(pair: DomainPair, *, least: float = 0.8, users: int = 5) -> Crosslisted:
    """Find source–target item pairs whose shared users are nearly the same.

    Parameters
    ----------
    pair
        Two linked domains.
    least
        Jaccard similarity from which a pair counts.
    users
        Shared users that both items must have in common; fewer agree by chance.
    """
    return Crosslisted(
        *similar_columns(
            sp.csc_array(pair.source.matrix[pair.source_rows]),
            sp.csc_array(pair.target.matrix[pair.target_rows]),
            least=least,
            users=users,
        )
    )


def without_crosslisted(pair: DomainPair, found: Crosslisted | None = None) -> DomainPair:
    """The pair without the source's copies of target items; the target keeps all of its own.

    Whoever took the copy can then no longer give the target item away.

    Raises
    ------
    AllCrosslistedError
        The source has nothing else.
    """
    found = found or find_crosslisted(pair)
    copies = np.unique(found.source_items)
    if 0 < len(copies) == len(pair.source.items):
        one = pair.source.items[found.source_items[0]], pair.target.items[found.target_items[0]]
        items = plural(len(copies), "source item has", "source items have")
        raise AllCrosslistedError(
            f"All {items} nearly the same users as a target item (such as {one[0]} and {one[1]}), "
            "so nothing of the source is left when products listed twice are left out.",
            "Bring a source with products of its own, or fit with them (leave_out_crosslisted "
            "off) and mind that copies fake a gain.",
        )
    return replace(pair, source=pair.source.without_items(copies)) if len(copies) else pair


def similar_columns(
    one: sp.csc_array, other: sp.csc_array | None = None, *, least: float = 0.8, users: int = 5
) -> tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float64]"]:
    """Pairs of columns with nearly the same users: the two columns and their similarity.

    Parameters
    ----------
    one, other
        Users × items, with the same users; without ``other``, ``one`` is compared with itself and
        each pair is there once.
    least
        Jaccard similarity from which a pair counts.
    users
        Users that both columns must have in common.

    Returns
    -------
    tuple of arrays
        Column of ``one``, column of ``other``, similarity; most alike first.

    Notes
    -----
    Candidates by MinHash with banding (Broder 1997; Leskovec et al., Mining of Massive Datasets,
    chapter 3), then exact similarity of each candidate.
    """
    matrices = (one,) if other is None else (one, other)
    columns = [np.flatnonzero(np.diff(m.indptr) >= users) for m in matrices]
    rng = np.random.default_rng(0)
    found = [np.empty(0, np.int64)]
    for _ in range(BANDS if all(map(len, columns)) else 0):
        hashes = rng.permuted(np.tile(np.arange(one.shape[0], dtype=np.int32), (ROWS, 1)), axis=1)
        bands = [
            pd.DataFrame({"band": _band(m, hashes, kept), "column": kept})
            for m, kept in zip(matrices, columns, strict=True)
        ]
        met = bands[0].merge(bands[-1], on="band")
        first, second = met["column_x"].to_numpy(), met["column_y"].to_numpy()
        if other is None:
            first, second = first[first < second], second[first < second]
        found.append(first * matrices[-1].shape[1] + second)
    first, second = np.divmod(np.unique(np.concatenate(found)), matrices[-1].shape[1])
    sizes = [np.diff(m.indptr).astype(np.int64) for m in (one, matrices[-1])]
    total = sizes[0][first] + sizes[1][second]
    common = _common(one, matrices[-1], first, second, total)
    similarity = common / (total - common)
    alike = (common >= users) & (similarity >= least)
    first, second, similarity = first[alike], second[alike], similarity[alike]
    order = np.lexsort((second, first, -similarity))
    return first[order], second[order], similarity[order]


def _band(
    matrix: sp.csc_array, hashes: "NDArray[np.int32]", columns: "NDArray[np.int64]"
) -> list[bytes]:
    """Signature of each column: its users' smallest value under each hash."""
    filled = np.flatnonzero(np.diff(matrix.indptr))
    starts = matrix.indptr[filled]
    smallest = np.empty((matrix.shape[1], len(hashes)), np.int32)
    for row, permutation in enumerate(hashes):
        smallest[filled, row] = np.minimum.reduceat(permutation[matrix.indices], starts)
    return [signature.tobytes() for signature in smallest[columns]]


def _common(
    one: sp.csc_array,
    other: sp.csc_array,
    first: "NDArray[np.int64]",
    second: "NDArray[np.int64]",
    cells: "NDArray[np.int64]",
) -> "NDArray[np.int64]":
    """Number of users that each pair of columns has in common, so many cells at a time."""
    # Ones, because a stored zero is an interaction too.
    one, other = (
        sp.csc_array((np.ones(m.nnz, np.int32), m.indices, m.indptr), m.shape) for m in (one, other)
    )
    cuts = np.flatnonzero(np.diff(np.cumsum(cells) // CELLS)) + 1
    return np.concatenate(
        [
            one[:, part].multiply(other[:, opposite]).sum(axis=0, dtype=np.int64)
            for part, opposite in zip(np.split(first, cuts), np.split(second, cuts), strict=True)
        ]
    )
