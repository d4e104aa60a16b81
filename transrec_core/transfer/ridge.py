"""Target items from interactions, without a latent space: a reference that factors have to beat.

Two linear models are added. Each target item is regressed on the source rows of shared users
(ridge), and on the other items of the target (EASE, Steck 2019):

    scores = τ·(mean + (f − f̄) W) + x B,    B = I − P diag(1 / diag P),   P = (XᵀX + penalty·I)⁻¹

with f the source row (along its leading directions, as in ``row_map``), x the target row. τ weighs
the two; with none of the target known the source speaks alone.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve

from transrec_core.factors.model import Factors
from transrec_core.transfer.linear_map import PENALTIES, least

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from transrec_core.transfer.linear_map import SourceRows
    from transrec_core.transfer.scorers import Strength, Users

LARGEST_TARGET = 6000
"""Target items up to which it is offered: B is dense, items × items."""

SKETCH = 64


@dataclass(frozen=True)
class ItemRidge:
    """What each interaction says of each target item.

    Attributes
    ----------
    rows
        The source rows that it reads; ``None`` where it knows the target alone.
    mean
        Share of the users learned from who took each target item.
    centre
        Mean features of these users.
    from_source
        W, features × target items.
    from_target
        B, target items × target items; its diagonal is zero.
    """

    rows: "SourceRows | None"
    mean: "NDArray[np.float64]"
    centre: "NDArray[np.float64]"
    from_source: "NDArray[np.float64]"
    from_target: "NDArray[np.float32]"

    def scorer(self, target: Factors, source_rows: "NDArray[np.integer]") -> "RidgeScorer":
        """See ``Knowledge``; a model of the target's factors is not read."""
        if self.rows is None:
            shape = (len(source_rows), len(self.mean))
            return RidgeScorer(self, np.broadcast_to(self.mean.astype(np.float32), shape))
        features = self.rows.features_of(source_rows) - self.centre
        return RidgeScorer(self, (self.mean + features @ self.from_source).astype(np.float32))

    def parts(self, source_row: int) -> None:
        """There is no prior: ``explain`` reads the weights themselves."""

    def of(self, matrix: sp.csr_array) -> "ItemRidge":
        """See ``Knowledge``."""
        return self if self.rows is None else replace(self, rows=self.rows.of(matrix))


@dataclass(frozen=True)
class RidgeScorer:
    """Scores by ``ItemRidge``; ``by_source`` are users × items."""

    ridge: ItemRidge
    by_source: "NDArray[np.float32]"

    def scores(
        self, users: "Users", support: sp.csr_array, strength: "Strength"
    ) -> "NDArray[np.floating]":
        """See ``Scorer``."""
        taken = _ones(support, np.float32)
        tau = np.broadcast_to(np.asarray(strength, np.float32), support.shape[:1])[:, None]
        by_target = np.asarray(taken @ self.ridge.from_target)
        return np.asarray(by_target + tau * self.by_source[users])


def fit_item_ridge(
    rows: "SourceRows",
    source_rows: "NDArray[np.integer]",
    target: sp.csr_array,
    target_rows: "NDArray[np.integer]",
    penalty: float,
    from_target: "NDArray[np.float32] | None" = None,
) -> ItemRidge:
    """Fit both models.

    Parameters
    ----------
    rows
        The source rows.
    source_rows, target_rows
        The rows of the shared users to learn from.
    target
        Target training data, users × items; B is learned from all of it.
    penalty
        Of B. That of W is the one with the smallest leave-one-out error e / (1 − h), which is
        measured on ``SKETCH`` random sums of the items.
    from_target
        B where it is known already: it does not depend on the source.
    """
    taken = _ones(target)
    own = taken[target_rows]
    features = rows.features_of(source_rows)
    centre, mean = features.mean(axis=0), np.asarray(own.mean(axis=0), np.float64)
    X = features - centre
    # Columns of X sum to zero, so that Y need not be centred for the projection.
    squares, Q = np.linalg.eigh(X.T @ X)
    kept = squares > max(float(squares[-1]), 1e-30) * 1e-12
    s, Q = np.sqrt(squares[kept]), Q[:, kept]
    P = (X @ Q) / s
    random = np.random.default_rng(0)
    sums = random.choice([-1.0, 1.0], (target.shape[1], min(SKETCH, target.shape[1])))
    Y = own @ sums - mean @ sums
    projected = P.T @ Y
    squared = P**2

    def left_out_error(multiple: float) -> float:
        shrink = s**2 / (s**2 + multiple * len(X))
        residual = Y - P @ (shrink[:, None] * projected)
        leverage = squared @ shrink + 1 / len(X)
        loo = np.einsum("ij,ij->i", residual, residual) / np.maximum(1 - leverage, 1e-3) ** 2
        return float(loo.sum())

    best = least(left_out_error, PENALTIES) * len(X)
    answer = (Q * (1 / (s**2 + best))) @ Q.T @ X.T
    weights = np.asarray((own.T @ answer.T).T)
    if from_target is None:
        from_target = _ease(taken, penalty)
    return ItemRidge(rows, mean, centre, weights, from_target)


def fit_ease(target: sp.csr_array, penalty: float) -> ItemRidge:
    """The same without a source: scores = τ·mean + x B, the baseline that ``ridge`` has to beat."""
    taken = _ones(target)
    users = max(int((np.diff(target.indptr) > 0).sum()), 1)
    mean = np.asarray(taken.sum(axis=0)).ravel() / users
    return ItemRidge(None, mean, np.zeros(0), np.zeros((0, len(mean))), _ease(taken, penalty))


def _ones(matrix: sp.csr_array, dtype: type = np.float64) -> sp.csr_array:
    """1 at every interaction, whatever its value."""
    return sp.csr_array((np.ones(matrix.nnz, dtype), matrix.indices, matrix.indptr), matrix.shape)


def _ease(taken: sp.csr_array, penalty: float) -> "NDArray[np.float32]":
    gram = (taken.T @ taken).toarray()
    gram[np.diag_indices_from(gram)] += penalty
    inverse = cho_solve(cho_factor(gram), np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    weights[np.diag_indices_from(weights)] = 0
    return weights.astype(np.float32)
