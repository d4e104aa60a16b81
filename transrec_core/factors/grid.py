"""Fits over a grid of ranks and λ, each started from its neighbour."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from transrec_core.factors.model import Factors


@dataclass(frozen=True)
class GridCell:
    """One fit of the grid.

    Attributes
    ----------
    rank, lam
        Its place.
    factors
        The fit.
    """

    rank: int
    lam: float
    factors: Factors


def factorize_grid(
    fit: Callable[[int, float, Factors | None], Factors],
    *,
    ranks: Sequence[int],
    lams: Sequence[float],
) -> Iterator[GridCell]:
    """Walk the grid so that every fit starts from a near one, and give each cell as it is done.

    From small to large rank; within a rank to and fro in λ, so that each step changes one of the
    two. The result of a cell depends on the path, as any warm start does: a local minimum near
    the neighbour's.

    Parameters
    ----------
    fit
        ``fit(rank, lam, start)``, as
        ``lambda rank, lam, start: factorize(matrix, rank=rank, lam=lam, start=start)``.
    ranks, lams
        The grid; each value once.
    """
    ordered = sorted(set(lams), reverse=True)
    start: Factors | None = None
    for rank in sorted(set(ranks)):
        for lam in ordered:
            start = fit(rank, lam, start)
            yield GridCell(rank, lam, start)
        ordered.reverse()
