"""How long a trial is likely to take, so that ``auto`` tries what there is time for.

The estimate hangs on sizes alone, not on the clock: the same data and settings are given the same
trials on every machine. The constants were measured on two cores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from transrec_core.data.linking import DomainPair
from transrec_core.factors.solver import SWEEPS
from transrec_core.transfer.deep.training import MOST_USERS, updates
from transrec_core.transfer.fitting import (
    CODEBOOK,
    EASE,
    JOINT,
    META_MAP,
    NEURAL_MAP,
    RIDGE,
    ROW_MAP,
    TWO_TOWER,
    FitSpec,
)
from transrec_core.transfer.linear_map import DIRECTIONS

FLOPS = 1e11
"""Operations a second of factorizing and of dense linear algebra, with all that is around them."""

SCORES = 4e8
"""Scores a second that are made and ranked."""

STEP_SECONDS: Mapping[str, float] = {NEURAL_MAP: 0.003, META_MAP: 0.008, TWO_TOWER: 0.015}
"""Seconds of one step in training a network, at most; most of it hangs on no size."""


@dataclass
class Budget:
    """Seconds of work for a search over several methods.

    Attributes
    ----------
    pair
        The linked domains.
    judged
        Scores that one trial makes: users × items × shots × strengths.
    seconds
        What all may take together.
    spent
        What the trials so far are estimated to have taken.
    """

    pair: DomainPair
    judged: float
    seconds: float
    spent: float = field(default=0.0)

    def cost(self, method: str, spec: FitSpec, factorized: bool) -> float:
        """Estimated seconds of one trial.

        Parameters
        ----------
        method
            What is tried.
        spec
            Under which parameters.
        factorized
            Whether both domains were factorized with them before.
        """
        source, target = self.pair.source.matrix, self.pair.target.matrix
        users, k = len(self.pair.shared), spec.rank
        work = 0.0
        if not factorized and method not in (RIDGE, EASE):
            work += sum(_factorizing(*m.shape, m.nnz, k) for m in (source, target))
        if method == JOINT:
            rows = source.shape[0] + target.shape[0] - users
            columns = source.shape[1] + target.shape[1]
            work += _factorizing(rows, columns, source.nnz + target.nnz, k)
        elif method == CODEBOOK:
            work += 4 * _factorizing(*target.shape, target.nnz, k)
        elif method in (ROW_MAP, RIDGE):
            work += 24.0 * users * min(DIRECTIONS, source.shape[1]) ** 2
        if method == RIDGE:
            work += 4.0 * users * DIRECTIONS * target.shape[1]
        if method in (RIDGE, EASE):
            work += 15.0 * target.shape[1] ** 3
        seconds = work / FLOPS + self.judged / SCORES
        if method in STEP_SECONDS:
            seconds += updates(min(users, MOST_USERS)) * STEP_SECONDS[method]
        return seconds

    def share(self, methods: int) -> float:
        """Seconds for the next of so many methods that are left."""
        return max(self.seconds - self.spent, 0.0) / methods


def factorizing_seconds(pair: DomainPair, rank: int) -> float:
    """Estimated seconds to factorize both domains."""
    matrices = (pair.source.matrix, pair.target.matrix)
    return sum(_factorizing(*m.shape, m.nnz, rank) for m in matrices) / FLOPS


def _factorizing(rows: int, columns: int, ratings: int, k: int) -> float:
    return SWEEPS * (2.0 * 2 * ratings * k * k + (rows + columns) * k**3 / 1.5)
