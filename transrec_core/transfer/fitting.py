"""Both domains factorized and joined by a prior: everything that scoring a user needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from transrec_core.data.linking import DomainPair
from transrec_core.factors.model import Factors
from transrec_core.factors.solver import factorize
from transrec_core.transfer.fold_in import FoldedUsers, Prior, at_shots, fold_in, mean_prior
from transrec_core.transfer.linear_map import (
    LinearMap,
    SourceRows,
    factor_features,
    fit_linear_map,
    rows_of,
)

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

DEFAULT_STRENGTH: Mapping[int, float] = {0: 0.5}
DEFAULT_MEAN_STRENGTH: Mapping[int, float] = {0: 0.0}

FACTOR_MAP, ROW_MAP = "factor_map", "row_map"

OnFit = Callable[[str, int, float], None]
"""Called with the domain being fitted, half-sweeps done and J."""


@dataclass(frozen=True)
class FitSpec:
    """How both domains are factorized.

    Attributes
    ----------
    feedback, model, rank, lam, alpha0, regularization_exponent, seed
        As for ``factorize``.
    """

    feedback: Literal["ratings", "implicit"]
    model: Literal["als", "nmf"]
    rank: int
    lam: float
    alpha0: float
    regularization_exponent: float
    seed: int

    def factorize(
        self,
        matrix: "sp.csr_array",
        start: Factors | None = None,
        on_sweep: Callable[[int, float], None] | None = None,
    ) -> Factors:
        """Factorize one domain; the rank is cut where a small domain cannot carry it."""
        return factorize(
            matrix,
            rank=min(self.rank, *matrix.shape),
            lam=self.lam,
            feedback=self.feedback,
            model=self.model,
            alpha0=self.alpha0,
            regularization_exponent=self.regularization_exponent,
            seed=self.seed,
            start=start,
            on_sweep=on_sweep,
        )


@dataclass(frozen=True)
class TransferFit:
    """A source and a target factorization with the map between them.

    Attributes
    ----------
    pair
        The linked domains.
    spec
        How both were factorized.
    source, target
        The two factorizations.
    trained_on
        The target matrix that ``target`` was fitted on; rows of held-out users are empty.
    map_users
        Positions in ``pair.shared`` of the users that the map was fitted on.
    method
        ``"factor_map"`` or ``"row_map"``: what the map reads of a source user.
    rows
        The source rows that ``row_map`` reads; ``None`` for another method.
    features
        Source users × features, for the method.
    prior
        The map; ``None`` where the domains share no users.
    strength
        τ, precision of the mapped prior, for users with so many target interactions or more.
    mean_strength
        The same for the average-user prior, where a user is placed by target data alone; 0 is the
        plain fold-in.
    """

    pair: DomainPair
    spec: FitSpec
    source: Factors
    target: Factors
    trained_on: "sp.csr_array"
    map_users: "NDArray[np.integer]"
    method: str
    rows: SourceRows | None
    features: "NDArray[np.float64]"
    prior: LinearMap | None
    strength: Mapping[int, float]
    mean_strength: Mapping[int, float]

    @property
    def feedback(self) -> str:
        """``"ratings"`` or ``"implicit"``."""
        return self.spec.feedback

    def mapped_by(self, method: str, rows: SourceRows | None = None) -> "TransferFit":
        """The same factorizations with another map between them.

        ``rows`` are the source's where they are known already.
        """
        if method == FACTOR_MAP:
            rows, features = None, factor_features(self.source, self.pair.source.counts)
        else:
            assert method == ROW_MAP, method
            rows = rows or rows_of(self.pair.source, self.spec.feedback, self.spec.seed)
            features = rows.features
        unmapped = replace(self, method=method, rows=rows, features=features, prior=None)
        return replace(unmapped, prior=fit_map(unmapped))

    def prior_of(self, source_rows: "NDArray[np.integer]") -> Prior:
        """What the map expects of source users, one row each."""
        assert self.prior is not None, "no shared users: there is no map"
        return self.prior.predict(self.features[source_rows])

    def place(
        self,
        matrix: "sp.csr_array",
        source_rows: "NDArray[np.integer] | None" = None,
    ) -> FoldedUsers:
        """Users' places in the target space.

        Parameters
        ----------
        matrix
            Their target data, users × target items.
        source_rows
            Their rows in the source; ``None`` places them by target data alone.
        """
        if source_rows is not None:
            prior, strength = self.prior_of(source_rows), self.strength
        else:
            counts = np.diff(self.trained_on.indptr)
            prior, strength = mean_prior(self.target, counts, matrix.shape[0]), self.mean_strength
        taus = at_shots(strength, np.diff(matrix.indptr))
        factors = np.empty((matrix.shape[0], self.target.rank), self.target.item_factors.dtype)
        bias = None if self.target.biases is None else np.empty(matrix.shape[0])
        for tau in np.unique(taus):
            who = np.flatnonzero(taus == tau)
            placed = fold_in(self.target, matrix[who], prior[who] if tau > 0 else None, float(tau))
            factors[who] = placed.factors
            if bias is not None and placed.bias is not None:
                bias[who] = placed.bias
        return FoldedUsers(factors, bias)


def fit_transfer(
    pair: DomainPair,
    spec: FitSpec,
    *,
    target_matrix: "sp.csr_array | None" = None,
    map_users: "NDArray[np.integer] | None" = None,
    method: str = FACTOR_MAP,
    rows: SourceRows | None = None,
    start: TransferFit | None = None,
    source: Factors | None = None,
    strength: Mapping[int, float] | None = None,
    mean_strength: Mapping[int, float] | None = None,
    on_fit: OnFit | None = None,
) -> TransferFit:
    """Factorize both domains and fit the map between them.

    Parameters
    ----------
    pair
        The linked domains.
    spec
        How to factorize.
    target_matrix
        Target data to learn from where some users are held out; default all of it.
    map_users
        Positions in ``pair.shared`` of the users to fit the map on; default all.
    method
        ``"factor_map"`` reads a user's source factors, ``"row_map"`` the source row itself.
    rows
        The source's, where they are known already.
    start
        An earlier fit to start from.
    source
        A source factorization to use as it is (it does not depend on who is held out).
    strength, mean_strength
        Precisions of the two priors in the result, by numbers of target interactions.
    on_fit
        Progress; what it raises stops the fit.
    """

    def report(domain: str) -> Callable[[int, float], None] | None:
        return None if on_fit is None else lambda half, value: on_fit(domain, half, value)

    matrix = pair.target.matrix if target_matrix is None else target_matrix
    if source is None:
        source = spec.factorize(
            pair.source.matrix, None if start is None else start.source, report("source")
        )
    target = spec.factorize(matrix, None if start is None else start.target, report("target"))
    unmapped = TransferFit(
        pair,
        spec,
        source,
        target,
        matrix,
        np.arange(len(pair.shared)) if map_users is None else map_users,
        method,
        None,
        np.zeros((0, 0)),
        None,
        strength or DEFAULT_STRENGTH,
        mean_strength or DEFAULT_MEAN_STRENGTH,
    )
    return unmapped.mapped_by(method, rows)


def fit_map(fit: TransferFit, source_rows: "NDArray[np.integer] | None" = None) -> LinearMap | None:
    """Fit the map of a fit from its features, on its own users.

    ``source_rows`` says who each shared user is in the source; other than ``pair.source_rows`` only
    for a placebo. ``None`` when fewer than two of the users have target data.
    """
    source_rows = fit.pair.source_rows if source_rows is None else source_rows
    rows = fit.pair.target_rows[fit.map_users]
    counts = np.diff(fit.trained_on.indptr)[rows]
    kept = counts > 0
    if kept.sum() < 2:
        return None
    target = fit.target
    bias = None if target.biases is None else target.biases.user[rows[kept]]
    return fit_linear_map(
        fit.features[source_rows[fit.map_users[kept]]],
        target,
        FoldedUsers(target.user_factors[rows[kept]], bias),
        counts[kept],
        standardise=fit.method == FACTOR_MAP,
    )
