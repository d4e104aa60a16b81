"""Linear maps: ridge regression from what the source says of a user to target factors.

Outputs are the target factors and, for ratings, the target user bias. Fitted on users of both
domains, each weighted by the target interactions behind their factors. ``factor_map`` reads
[source factors, source user bias, log(1 + n)] (the linear map of EMCDR, Man et al. 2017);
``row_map`` reads the user's source row itself, which is kernel ridge with the cosine of rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from transrec_core.data.interactions import Interactions
from transrec_core.factors.biases import fit_biases
from transrec_core.factors.model import Factors
from transrec_core.transfer.fold_in import FoldedUsers, Prior

if TYPE_CHECKING:
    from numpy.typing import NDArray

PENALTIES = tuple(float(x) for x in np.logspace(-3, 4, 29))
"""Ridge penalties tried, as multiples of the features' mean weighted sum of squares."""

LEAST_SPREAD, LEAST_SQUARE = 1e-12, 1e-12
"""Below these a feature, or a share of the largest squared direction, counts as constant."""

DIRECTIONS = 512
"""Rows of a larger source are read along so many of its leading singular directions."""


@dataclass(frozen=True)
class LinearMap:
    """A fitted linear map from features of source users to target factors.

    Attributes
    ----------
    weights
        Features × outputs, for standardised features.
    centre, scale
        Mean of each feature among the users it was fitted on, and its unit: the standard deviation,
        or 1 where features have the same unit already.
    intercept
        Output of a user with average features.
    penalty
        The ridge penalty that leave-one-out error chose.
    rank
        Number of target factors; an output beyond them is the user bias.
    nonnegative
        Whether predicted factors are cut at zero.
    users
        How many users it was fitted on.
    """

    weights: "NDArray[np.float64]"
    centre: "NDArray[np.float64]"
    scale: "NDArray[np.float64]"
    intercept: "NDArray[np.float64]"
    penalty: float
    rank: int
    nonnegative: bool
    users: int

    def predict(self, features: "NDArray[np.float64]") -> Prior:
        """The prior of users given by their source features (users × features)."""
        weights = self.weights / self.scale[:, None]
        outputs = features @ weights + (self.intercept - self.centre @ weights)
        return Prior.of(outputs, self.rank, self.nonnegative)

    @property
    def turned(self) -> "NDArray[np.float64]":
        """What a unit of each feature adds to the target factors: features × rank."""
        return np.asarray(self.weights[:, : self.rank] / self.scale[:, None])

    def map_items(self, item_factors: "NDArray[np.floating]") -> "NDArray[np.float64]":
        """Source item factors moved into the target's space by the map's linear part.

        The place of the taste that a source item stands for: items × k in, items × rank out.
        """
        return np.asarray(item_factors @ self.turned[: item_factors.shape[1]], np.float64)


def factor_features(source: Factors, counts: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """[source factors, source user bias (ratings only), log(1 + n)] of every source user."""
    columns = [source.user_factors.astype(np.float64)]
    if source.biases is not None:
        columns.append(source.biases.user[:, None])
    columns.append(np.log1p(counts)[:, None])
    return np.hstack(columns)


@dataclass(frozen=True)
class Reading:
    """How the values of a source row become its cells: (value − usual) / n^power.

    Attributes
    ----------
    power
        Of the row's number of interactions n.
    ones
        Whether every value counts as a 1.
    usual
        What is usual of each item, in rating units; ``None`` is 0 for all.
    """

    power: float = 0.0
    ones: bool = False
    usual: "NDArray[np.float64] | None" = None

    def cells(self, matrix: sp.csr_array) -> sp.csr_array:
        """Users × items, as ``SourceRows`` holds them."""
        counts = np.diff(matrix.indptr)
        values = np.ones(matrix.nnz) if self.ones else matrix.data.astype(np.float64)
        if self.usual is not None:
            values = values - self.usual[matrix.indices]
        if self.power:
            values = values / np.repeat(np.maximum(counts, 1) ** self.power, counts)
        return sp.csr_array((values, matrix.indices, matrix.indptr), matrix.shape)


@dataclass(frozen=True)
class SourceRows:
    """Every source user's own row: what they took, or how much more than others they liked it.

    Attributes
    ----------
    cells
        Users × items: 1 for lists, the rating less the item's bias for ratings; each row divided
        by √n, so that the inner product of two users is the cosine of what they took.
    directions
        Items × directions: the leading singular directions along which the rows of a source of more
        than ``DIRECTIONS`` items are read; ``None`` where they are read whole.
    reading
        How the cells came from the source's values.
    """

    cells: sp.csr_array
    directions: "NDArray[np.floating] | None"
    reading: Reading = Reading()

    def of(self, matrix: sp.csr_array) -> "SourceRows":
        """Other users' rows (users × source items), read in the same way."""
        return replace(self, cells=self.reading.cells(matrix))

    def features_of(self, users: "NDArray[np.integer]") -> "NDArray[np.float64]":
        """Features of some users, users × features."""
        cells = self.cells[users]
        return np.asarray(cells.toarray() if self.directions is None else cells @ self.directions)


def rows_of(source: Interactions, feedback: str, seed: int) -> SourceRows:
    """The rows of a source for ``row_map``; ``seed`` is of the search for directions."""
    if feedback == "ratings":
        biases = fit_biases(source.matrix)
        reading = Reading(power=0.5, usual=biases.mean + biases.item)
    else:
        reading = Reading(power=0.5, ones=True)
    return replace(along_directions(reading.cells(source.matrix), seed), reading=reading)


def along_directions(cells: sp.csr_array, seed: int) -> SourceRows:
    """Rows that are read along their leading singular directions where they are long."""
    if cells.shape[1] <= DIRECTIONS:
        return SourceRows(cells, None)
    # Here, because it takes longer to load than the rest of the core.
    from sklearn.utils.extmath import randomized_svd

    size = min(DIRECTIONS, *cells.shape)
    # In single precision, or without a basis between the steps, rounding decides on the last
    # directions: a fit on one thread would then give other lists than one on two.
    _, _, directions = randomized_svd(
        sp.csr_matrix(cells, dtype=np.float64),
        size,
        n_iter=2,
        power_iteration_normalizer="LU",
        random_state=seed,
    )
    return SourceRows(cells, np.ascontiguousarray(directions.T, np.float32))


def fit_linear_map(
    features: "NDArray[np.float64]",
    target: Factors,
    users: FoldedUsers,
    counts: "NDArray[np.int64]",
    *,
    standardise: bool = True,
) -> LinearMap:
    """Fit the map on users of both domains.

    Parameters
    ----------
    features
        Users × features, from ``factor_features`` or ``SourceRows``.
    target
        The target model, for the metric in which errors are compared.
    users
        The same users' target factors and biases.
    counts
        Their numbers of target interactions, the weights.
    standardise
        Whether features are brought to the same spread first.

    Notes
    -----
    The penalty is the one with the smallest weighted leave-one-out error e_i / (1 − h_ii), where
    factor errors are measured in predictions (through VᵀV), and biases in rating units.
    """
    outputs = outputs_of(users)
    metric = _metric(target, outputs.shape[1])
    weight = counts / counts.mean()
    centre = np.average(features, axis=0, weights=weight)
    scale = np.ones(features.shape[1])
    if standardise:
        spread = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weight))
        scale = np.where(spread > LEAST_SPREAD, spread, 1.0)
    intercept = np.average(outputs, axis=0, weights=weight)
    root = np.sqrt(weight)[:, None]
    Y = root * (outputs - intercept)
    X = root * (features - centre) / scale
    # X = P diag(s) Qᵀ from the small Gram matrix: features are few, users many.
    squares, Q = np.linalg.eigh(X.T @ X)
    kept = squares > squares[-1] * LEAST_SQUARE
    s, Q = np.sqrt(squares[kept]), Q[:, kept]
    P = (X @ Q) / s
    projected = P.T @ Y
    seen_outputs, seen_projected = Y @ metric, projected @ metric
    squared = P**2
    mean_leverage = weight / weight.sum()

    def left_out_error(multiple: float) -> float:
        shrink = s**2 / (s**2 + multiple * len(X))
        residual = seen_outputs - P @ (shrink[:, None] * seen_projected)
        leverage = squared @ shrink + mean_leverage
        loo = np.einsum("ij,ij->i", residual, residual) / np.maximum(1 - leverage, 1e-3) ** 2
        return float(loo.sum())

    penalty = least(left_out_error, PENALTIES) * len(X)
    weights = Q @ ((s / (s**2 + penalty))[:, None] * projected)
    return LinearMap(
        weights, centre, scale, intercept, penalty, target.rank, target.nonnegative, len(X)
    )


@dataclass(frozen=True)
class Moments:
    """Weighted sums over users from which a standardised linear map can be fitted in parts.

    Attributes
    ----------
    users, weight
        How many, and the sum of their weights (numbers of target interactions).
    features, outputs
        Weighted sums of both.
    squares
        Weighted sum of (features, outputs)(features, outputs)ᵀ.
    """

    users: int
    weight: float
    features: "NDArray[np.float64]"
    outputs: "NDArray[np.float64]"
    squares: "NDArray[np.float64]"

    @classmethod
    def of(
        cls,
        features: "NDArray[np.float64]",
        outputs: "NDArray[np.float64]",
        counts: "NDArray[np.integer]",
    ) -> "Moments":
        """Of some users: users × features, users × outputs, and their weights."""
        both = np.hstack([features, outputs])
        weighted = both * counts[:, None]
        total = weighted.sum(axis=0)
        k = features.shape[1]
        return cls(len(features), float(counts.sum()), total[:k], total[k:], weighted.T @ both)

    def to_vector(self) -> "NDArray[np.float64]":
        """All of it as one vector; the vector of all users is the sum of those of their parts."""
        front = np.array([self.users, self.weight])
        return np.concatenate([front, self.features, self.outputs, self.squares.ravel()])

    @classmethod
    def from_vector(cls, vector: "NDArray[np.float64]", features: int) -> "Moments":
        """Back from a vector; ``features`` is their number."""
        # 2 + n + n² numbers, n = features + outputs.
        both = int((np.sqrt(4 * len(vector) - 7) - 1) / 2 + 0.5)
        first, second, rest = vector[2 : 2 + features], vector[2 + features : 2 + both], 2 + both
        squares = vector[rest:].reshape(both, both)
        return cls(round(float(vector[0])), float(vector[1]), first, second, squares)


@dataclass(frozen=True)
class MapInParts:
    """``fit_linear_map`` for users in parts: their moments first, then the errors of each part.

    Attributes
    ----------
    moments
        Of all users.
    target
        As for ``fit_linear_map``.
    """

    moments: Moments
    target: Factors

    @cached_property
    def _solved(self) -> "tuple[NDArray[np.float64], ...]":
        m = self.moments
        centre, intercept = m.features / m.weight, m.outputs / m.weight
        # Weights are counts over their mean, as there.
        unit = m.users / m.weight
        middle = np.concatenate([centre, intercept])
        spread = unit * (m.squares - m.weight * np.outer(middle, middle))
        k = len(centre)
        deviation = np.sqrt(np.maximum(np.diag(spread)[:k], 0) / m.users)
        scale = np.where(deviation > LEAST_SPREAD, deviation, 1.0)
        squares, Q = np.linalg.eigh(spread[:k, :k] / np.outer(scale, scale))
        kept = squares > squares[-1] * LEAST_SQUARE
        s, Q = np.sqrt(squares[kept]), Q[:, kept]
        projected = (Q / s).T @ (spread[:k, k:] / scale[:, None])
        return centre, scale, intercept, s, Q, projected

    def errors(
        self,
        features: "NDArray[np.float64]",
        outputs: "NDArray[np.float64]",
        counts: "NDArray[np.integer]",
    ) -> "NDArray[np.float64]":
        """Weighted leave-one-out error of some of the users under each of ``PENALTIES``."""
        centre, scale, intercept, s, Q, projected = self._solved
        weight = counts * (self.moments.users / self.moments.weight)
        root = np.sqrt(weight)[:, None]
        P = (root * (features - centre) / scale) @ Q / s
        metric = _metric(self.target, outputs.shape[1])
        seen_outputs, seen_projected = (root * (outputs - intercept)) @ metric, projected @ metric
        squared, mean_leverage = P**2, weight / self.moments.users
        found = []
        for multiple in PENALTIES:
            shrink = s**2 / (s**2 + multiple * self.moments.users)
            residual = seen_outputs - P @ (shrink[:, None] * seen_projected)
            leverage = squared @ shrink + mean_leverage
            loo = np.einsum("ij,ij->i", residual, residual) / np.maximum(1 - leverage, 1e-3) ** 2
            found.append(float(loo.sum()))
        return np.array(found)

    def best(self, errors: "NDArray[np.float64]") -> LinearMap:
        """The map under the best of ``PENALTIES``, given the errors of all users."""
        centre, scale, intercept, s, Q, projected = self._solved
        n = self.moments.users
        told = dict(zip(PENALTIES, errors.tolist(), strict=True))
        penalty = least(lambda multiple: told[multiple], PENALTIES) * n
        weights = Q @ ((s / (s**2 + penalty))[:, None] * projected)
        return LinearMap(
            weights, centre, scale, intercept, penalty, self.target.rank, self.target.nonnegative, n
        )


def least(error: Callable[[float], float], values: Sequence[float], step: int = 4) -> float:
    """The value of the smallest error: every so many first, then all around the best of these."""
    found = {place: error(values[place]) for place in range(0, len(values), step)}
    best = min(found, key=lambda place: found[place])
    for place in range(max(best - step + 1, 0), min(best + step, len(values))):
        if place not in found:
            found[place] = error(values[place])
    return values[min(sorted(found), key=lambda place: found[place])]


def outputs_of(users: FoldedUsers) -> "NDArray[np.float64]":
    """What a map predicts of users: their target factors, and the bias where there is one."""
    outputs = users.factors.astype(np.float64)
    return outputs if users.bias is None else np.hstack([outputs, users.bias[:, None]])


def _metric(target: Factors, outputs: int) -> "NDArray[np.float64]":
    """Turns errors of outputs into errors of predictions; a bias counts in rating units."""
    metric = np.eye(outputs)
    gram = target.item_gram.astype(np.float64) / len(target.item_factors)
    metric[: target.rank, : target.rank] = _root(gram)
    return metric


def _root(gram: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(gram)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
