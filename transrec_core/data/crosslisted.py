"""Items of the two domains that are the same thing under two ids.

Such a pair leaks: whoever has the one has the other, and transfer looks better than it is.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from transrec_core.data.linking import DomainPair

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sets with Jaccard 0.8 agree in one of 16 bands of 4 minimum hashes with probability 0.9998.
BANDS, ROWS = 16, 4


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

    Notes
    -----
    Candidates by MinHash with banding (Broder 1997; Leskovec et al., Mining of Massive Datasets,
    chapter 3), then exact similarity of each candidate.
    """
    source = sp.csc_array(pair.source.matrix[pair.source_rows])
    target = sp.csc_array(pair.target.matrix[pair.target_rows])
    rng = np.random.default_rng(0)
    candidates: set[tuple[int, int]] = set()
    columns = [np.flatnonzero(np.diff(m.indptr) >= users) for m in (source, target)]
    if len(columns[0]) == 0 or len(columns[1]) == 0:
        return Crosslisted(*(np.empty(0, np.int64),) * 2, np.empty(0))
    for _ in range(BANDS):
        hashes = rng.permuted(
            np.tile(np.arange(len(pair.shared), dtype=np.int32), (ROWS, 1)), axis=1
        )
        keys = [_band(m, hashes, kept) for m, kept in zip((source, target), columns, strict=True)]
        held: dict[bytes, list[int]] = {}
        for key, column in zip(keys[1], columns[1], strict=True):
            held.setdefault(key, []).append(int(column))
        for key, column in zip(keys[0], columns[0], strict=True):
            candidates.update((int(column), other) for other in held.get(key, ()))
    found = []
    for s, t in sorted(candidates):
        a = source.indices[source.indptr[s] : source.indptr[s + 1]]
        b = target.indices[target.indptr[t] : target.indptr[t + 1]]
        common = len(np.intersect1d(a, b, assume_unique=True))
        similarity = common / (len(a) + len(b) - common)
        if common >= users and similarity >= least:
            found.append((-similarity, s, t))
    found.sort()
    return Crosslisted(
        np.array([s for _, s, _ in found], np.int64),
        np.array([t for _, _, t in found], np.int64),
        np.array([-j for j, _, _ in found], np.float64),
    )


def without_crosslisted(pair: DomainPair) -> DomainPair:
    """The pair without the source's copies of target items; the target keeps all of its own.

    Whoever took the copy can then no longer give the target item away.
    """
    copies = np.unique(find_crosslisted(pair).source_items)
    return replace(pair, source=pair.source.without_items(copies)) if len(copies) else pair


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
