"""What each method knows of a source user, and how it comes to know it.

Every method but ``ridge`` ends in a prior for the target user, which the fold-in joins with the
user's own target data. Learning reads training users alone, and who is who from ``links``, so that
a placebo is the same learning with the links permuted.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.data.linking import DomainPair
from transrec_core.factors.biases import Biases, fold_in_biases
from transrec_core.factors.model import Factors
from transrec_core.factors.solver import solve_semidefinite
from transrec_core.transfer.deep.histories import HistoryMap
from transrec_core.transfer.deep.neural_map import NeuralMap
from transrec_core.transfer.fold_in import Prior, fold_in, mean_prior, prior_precision
from transrec_core.transfer.linear_map import (
    LinearMap,
    Reading,
    SourceRows,
    along_directions,
    factor_features,
    rows_of,
)
from transrec_core.transfer.scorers import PlacedUsers, Scorer

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Texts:
    """What the items of both catalogues are about.

    Attributes
    ----------
    source, target
        Titles, genres and descriptions: index item_id, as ``Items.frame``.
    source_vectors, target_vectors
        What a language model makes of them, items × dimensions in the same order, zero for an item
        without text; ``None`` where their words are read.
    """

    source: pd.DataFrame
    target: pd.DataFrame
    source_vectors: "NDArray[np.float32] | None" = None
    target_vectors: "NDArray[np.float32] | None" = None


@dataclass(frozen=True)
class Ground:
    """What all methods and all their trials read of a pair, worked out once.

    Attributes
    ----------
    pair
        The linked domains.
    feedback
        ``"ratings"`` or ``"implicit"``.
    seed
        Of the searches for directions.
    texts
        What the items are about; ``None`` where it is not known.
    by_words
        Whether the source is the words of the target's items (which are the users of this pair):
        its values are weights of words then.
    nameless
        Whether its columns are the dimensions of a language model, not words that tell anything.
    """

    pair: DomainPair
    feedback: Literal["ratings", "implicit"]
    seed: int
    texts: Texts | None = None
    by_words: bool = False
    nameless: bool = False

    @cached_property
    def _timed_rows(self) -> tuple[SourceRows, float]:
        started = time.perf_counter()
        if self.by_words:
            rows = along_directions(self.pair.source.matrix, self.seed)
        else:
            rows = rows_of(self.pair.source, self.feedback, self.seed)
        return rows, time.perf_counter() - started

    @property
    def rows(self) -> SourceRows:
        """Every source user's own row."""
        return self._timed_rows[0]

    @property
    def rows_seconds(self) -> float:
        """What it took to work out ``rows``."""
        return self._timed_rows[1]

    @cached_property
    def profiles(self) -> tuple[SourceRows, SourceRows]:
        """What source and target users' items are about, on average; the target's are of all data.

        Only rows of users who are not held out may be read of the latter.
        """
        from transrec_core.content.features import text_features

        assert self.texts is not None, "content needs the texts of both catalogues"
        texts, domains = self.texts, (self.pair.source, self.pair.target)
        places: Sequence[NDArray[np.floating]]
        if texts.source_vectors is not None and texts.target_vectors is not None:
            places = [
                _in_order(texts.source_vectors, texts.source.index, domains[0].items),
                _in_order(texts.target_vectors, texts.target.index, domains[1].items),
            ]
        else:
            frames = [
                frame.reindex(domain.items).fillna("")
                for domain, frame in zip(domains, (texts.source, texts.target), strict=True)
            ]
            places = text_features(frames, seed=self.seed)
        mean = Reading(power=1, ones=True)
        source, target = (
            SourceRows(mean.cells(domain.matrix), place, mean)
            for domain, place in zip(domains, places, strict=True)
        )
        return source, target

    @property
    def item_places(self) -> "tuple[NDArray[np.floating], NDArray[np.floating]] | None":
        """What source and target items are about, items × dimensions; ``None`` without texts."""
        if self.texts is None or self.by_words:
            return None
        source, target = (rows.directions for rows in self.profiles)
        return None if source is None or target is None else (source, target)


def _in_order(
    vectors: "NDArray[np.float32]", have: pd.Index, wanted: pd.Index
) -> "NDArray[np.floating]":
    """Rows of the wanted items; zero for those that there are none of."""
    rows = have.get_indexer(wanted)
    return np.where(rows[:, None] >= 0, vectors[rows], np.float32(0))


@dataclass(frozen=True)
class Parts:
    """A user's prior as a sum over their source interactions.

    Attributes
    ----------
    taken
        Columns of the source items.
    shares
        What each adds to the prior: interactions × k.
    rest
        What hangs on none of them: k.
    """

    taken: "NDArray[np.int64]"
    shares: "NDArray[np.float64]"
    rest: "NDArray[np.float64]"


class Knowledge(Protocol):
    """What a method has learned of source users."""

    def scorer(self, target: Factors, source_rows: "NDArray[np.integer]") -> Scorer:
        """A scorer of the target's items for these source users."""
        ...

    def parts(self, source_row: int) -> Parts | None:
        """The prior of one user as a sum; ``None`` where it is no such sum."""
        ...

    def of(self, matrix: sp.csr_array) -> "Knowledge":
        """The same knowledge about other source users, given by their rows: users × source items.

        What was learned stays as it is. Of the users that it was learned from it says the same as
        before; ``factor_map`` and the networks up to what the last half-sweep of the source's
        factorization has left, because the rows are folded in.
        """
        ...


class _Placing:
    """Knowledge that is a prior in the target's space."""

    def predict(self, source_rows: "NDArray[np.integer]") -> Prior:
        raise NotImplementedError

    def scorer(self, target: Factors, source_rows: "NDArray[np.integer]") -> Scorer:
        """See ``Knowledge``."""
        return PlacedUsers(target, self.predict(source_rows))

    def parts(self, source_row: int) -> Parts | None:
        """See ``Knowledge``."""
        return None


@dataclass(frozen=True)
class MappedFactors(_Placing):
    """``factor_map``: a linear map of source factors."""

    map: LinearMap
    features: "NDArray[np.float64]"
    source: Factors
    matrix: sp.csr_array

    def of(self, matrix: sp.csr_array) -> "MappedFactors":
        """See ``Knowledge``."""
        features = folded_features(self.source, matrix)
        return replace(self, features=features, matrix=matrix)

    def predict(self, source_rows: "NDArray[np.integer]") -> Prior:
        """The prior of source users."""
        return self.map.predict(self.features[source_rows])

    def parts(self, source_row: int) -> Parts | None:
        """See ``Knowledge``."""
        # Source factors are a plain fold-in of the source row, up to the last half-sweep.
        if self.source.nonnegative or self.source.feedback != "implicit":
            return None
        taken, places = folded_parts(self.source, self.matrix, source_row)
        mapped = self.map.turned[: self.source.rank]
        return _parts(self.predict(np.array([source_row])), taken, places @ mapped)


@dataclass(frozen=True)
class MappedByNetwork(_Placing):
    """``neural_map``: a network that reads source factors."""

    network: NeuralMap
    features: "NDArray[np.float64]"
    source: Factors

    def of(self, matrix: sp.csr_array) -> "MappedByNetwork":
        """See ``Knowledge``."""
        return replace(self, features=folded_features(self.source, matrix))

    def predict(self, source_rows: "NDArray[np.integer]") -> Prior:
        """The prior of source users."""
        return self.network.predict(self.features[source_rows])


@dataclass(frozen=True)
class MappedByHistory(_Placing):
    """``meta_map`` and ``two_tower``: a network that reads source factors and the source row."""

    network: HistoryMap
    features: "NDArray[np.float64]"
    source: Factors
    matrix: sp.csr_array

    def of(self, matrix: sp.csr_array) -> "MappedByHistory":
        """See ``Knowledge``."""
        return replace(self, features=folded_features(self.source, matrix), matrix=matrix)

    def predict(self, source_rows: "NDArray[np.integer]") -> Prior:
        """The prior of source users."""
        return self.network.predict(self.features[source_rows], self.matrix[source_rows])


@dataclass(frozen=True)
class MappedRows(_Placing):
    """``row_map`` and ``content``: a linear map of the source row, or of what it is about."""

    map: LinearMap
    rows: SourceRows

    def of(self, matrix: sp.csr_array) -> "MappedRows":
        """See ``Knowledge``."""
        return replace(self, rows=self.rows.of(matrix))

    def predict(self, source_rows: "NDArray[np.integer]") -> Prior:
        """The prior of source users."""
        return self.map.predict(self.rows.features_of(source_rows))

    def parts(self, source_row: int) -> Parts | None:
        """See ``Knowledge``."""
        cells = self.rows.cells
        own = slice(cells.indptr[source_row], cells.indptr[source_row + 1])
        taken = cells.indices[own].astype(np.int64)
        directions = self.rows.directions
        mapped = self.map.turned
        turned = mapped[taken] if directions is None else directions[taken] @ mapped
        shares = cells.data[own][:, None] * turned
        return _parts(self.predict(np.array([source_row])), taken, shares)


@dataclass(frozen=True)
class Joint(_Placing):
    """``joint``: the fold-in of the source row in the space of both catalogues.

    Attributes
    ----------
    source
        The source's part of the factorization.
    cells
        Source users × items, weighted as they were factorized.
    bias
        Intercept and slope from source to target user biases; ``None`` without biases.
    source_bias
        One value a source user, in rating units; ``None`` without biases.
    weight
        α, the weight of a source interaction beside a target one.
    biases
        The source's own; ``None`` without.
    """

    source: Factors
    cells: sp.csr_array
    bias: tuple[float, float] | None
    source_bias: "NDArray[np.float64] | None"
    weight: float
    biases: Biases | None

    def of(self, matrix: sp.csr_array) -> "Joint":
        """See ``Knowledge``."""
        cells, source_bias = joint_cells(matrix, self.weight, self.biases)
        return replace(self, cells=cells, source_bias=source_bias)

    def predict(self, source_rows: "NDArray[np.integer]") -> Prior:
        """The prior of source users."""
        placed = fold_in(self.source, self.cells[source_rows])
        if self.bias is None or self.source_bias is None:
            return Prior(placed.factors)
        return Prior(placed.factors, self.bias[0] + self.bias[1] * self.source_bias[source_rows])

    def parts(self, source_row: int) -> Parts | None:
        """See ``Knowledge``."""
        taken, shares = folded_parts(self.source, self.cells, source_row)
        return _parts(self.predict(np.array([source_row])), taken, shares)


@dataclass(frozen=True)
class Average(_Placing):
    """``codebook``: nothing of single users; the source is in the target's item factors."""

    target: Factors
    counts: "NDArray[np.int64]"

    def of(self, matrix: sp.csr_array) -> "Average":
        """See ``Knowledge``."""
        return self

    def predict(self, source_rows: "NDArray[np.integer]") -> Prior:
        """The average user, once for each."""
        return mean_prior(self.target, self.counts, len(source_rows))

    def parts(self, source_row: int) -> Parts | None:
        """See ``Knowledge``."""
        nothing = np.zeros((0, self.target.rank))
        return _parts(self.predict(np.array([source_row])), np.zeros(0, np.int64), nothing)


def joint_cells(
    matrix: sp.csr_array, weight: float, biases: Biases | None
) -> "tuple[sp.csr_array, NDArray[np.float64] | None]":
    """Source rows as ``joint`` factorizes them, and their users' biases.

    Parameters
    ----------
    matrix
        Users × source items.
    weight
        α.
    biases
        The source's, for ratings; ``None`` for implicit feedback.
    """
    if weight == 0:
        nobody = None if biases is None else np.zeros(matrix.shape[0])
        return sp.csr_array(matrix.shape), nobody
    values, user = np.full(matrix.nnz, weight), None
    if biases is not None:
        user = fold_in_biases(matrix, biases)
        values = np.sqrt(weight) * replace(biases, user=user).residual(matrix)
    return sp.csr_array((values, matrix.indices, matrix.indptr), matrix.shape), user


def folded_features(source: Factors, matrix: sp.csr_array) -> "NDArray[np.float64]":
    """``factor_features`` of users who are given by their source rows, users × items."""
    placed = fold_in(source, matrix)
    biases = source.biases
    if biases is not None and placed.bias is not None:
        biases = replace(biases, user=placed.bias)
    others = replace(source, user_factors=placed.factors, biases=biases)
    return factor_features(others, np.diff(matrix.indptr))


def folded_parts(
    model: Factors, matrix: sp.csr_array, row: int
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """A row's plain fold-in as a sum over its cells: their columns, and cells × k."""
    taken, wanted, weights = cells_of(model, matrix, row)
    V = model.item_factors[taken].astype(np.float64)
    system = fold_in_system(model, V, weights, prior_precision(model, 1.0))
    return taken, solve_semidefinite(system, (V * (weights * wanted)[:, None]).T).T


def cells_of(
    model: Factors, matrix: sp.csr_array, row: int
) -> "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]":
    """Columns of a row's cells, what the model wants there, and their weights; row −1 is empty."""
    cells = slice(matrix.indptr[row], matrix.indptr[row + 1]) if row >= 0 else slice(0, 0)
    wanted, weights = model.spec.cells(matrix.data[cells].astype(np.float64))
    weights = np.ones(len(wanted)) if weights is None else weights
    return (
        matrix.indices[cells].astype(np.int64),
        np.asarray(wanted, np.float64),
        np.asarray(weights, np.float64),
    )


def fold_in_system(
    model: Factors,
    rows: "NDArray[np.float64]",
    weights: "NDArray[np.float64]",
    pull: "NDArray[np.float64]",
) -> "NDArray[np.float64]":
    """The matrix that ``fold_in`` solves for a user with these item factors and weights."""
    spec, items = model.spec, len(model.item_factors)
    own = 2 * spec.lam * float(np.diff(spec.weights(np.array([0, len(rows)]), items))[0])
    return np.asarray((rows * weights[:, None]).T @ rows + pull + own * np.eye(len(pull)))


def _parts(whole: Prior, taken: "NDArray[np.int64]", shares: "NDArray[np.float64]") -> Parts:
    return Parts(taken, shares, whole.factors[0] - shares.sum(axis=0))
