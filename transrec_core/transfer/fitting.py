"""Both domains factorized and joined by a method: everything that scoring a user needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from transrec_core.baselines import POPULARITY
from transrec_core.data.linking import DomainPair
from transrec_core.extras import installed
from transrec_core.factors.model import Factors
from transrec_core.factors.solver import factorize, half_sweep
from transrec_core.settings import DEEP, PRIORS
from transrec_core.transfer.codebook import expand, learn_codebook, random_codebook
from transrec_core.transfer.deep.meta_map import fit_meta_map
from transrec_core.transfer.deep.neural_map import fit_neural_map
from transrec_core.transfer.deep.training import MOST_USERS, OnEpoch
from transrec_core.transfer.deep.two_tower import fit_two_tower
from transrec_core.transfer.fold_in import FoldedUsers, Prior, at_shots, mean_prior
from transrec_core.transfer.joint import fit_joint
from transrec_core.transfer.knowledge import (
    Average,
    Ground,
    Knowledge,
    MappedByHistory,
    MappedByNetwork,
    MappedFactors,
    MappedRows,
    Texts,
)
from transrec_core.transfer.linear_map import LinearMap, SourceRows, factor_features, fit_linear_map
from transrec_core.transfer.ridge import LARGEST_TARGET, ItemRidge, fit_ease, fit_item_ridge
from transrec_core.transfer.scorers import PlacedUsers, Scorer

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

DEFAULT_STRENGTH: Mapping[int, float] = {0: 0.5}
DEFAULT_MEAN_STRENGTH: Mapping[int, float] = {0: 0.0}

TARGET_ONLY, EASE = "target_only", "ease"
"""Baselines that learn from the target: its own factors, and its items regressed on each other."""
SERVED_BASELINES = (POPULARITY, TARGET_ONLY, EASE)
"""Baselines that lists can be made by."""

FACTOR_MAP, ROW_MAP, JOINT, RIDGE = "factor_map", "row_map", "joint", "ridge"
CONTENT, CODEBOOK = "content", "codebook"
NEURAL_MAP, META_MAP, TWO_TOWER = DEEP

OnFit = Callable[[str, int, float], None]
"""Called with the domain being fitted, half-sweeps done and J."""


@dataclass(frozen=True)
class FitSpec:
    """How both domains are factorized, and what a method has of its own.

    Attributes
    ----------
    feedback, model, rank, lam, alpha0, regularization_exponent, seed
        As for ``factorize``; ``rank`` is also the number of user clusters of ``codebook``.
    source_weight
        α of ``joint``, the weight of a source interaction beside a target one.
    penalty
        Of ``ridge``, for the other items of the target.
    """

    feedback: Literal["ratings", "implicit"]
    model: Literal["als", "nmf"]
    rank: int
    lam: float
    alpha0: float
    regularization_exponent: float
    seed: int
    source_weight: float = 1.0
    penalty: float = 200.0

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
    """A source and a target factorization and what a method carries between them.

    Attributes
    ----------
    ground
        The linked domains, and what is worked out of them once.
    spec
        How both were factorized.
    source, alone
        The two factorizations.
    target
        The model that the method's scores come from: ``alone``, but for ``joint``, ``codebook`` and
        ``two_tower``.
    plain
        The model that target-only scores come from: ``alone``, or one with its own parameters.
    ease
        The target's items regressed on each other, where that is among the baselines.
    trained_on
        The target matrix that ``alone`` was fitted on; rows of held-out users are empty.
    map_users
        Positions in ``pair.shared`` of the users that the method learned from.
    method
        How source knowledge reaches the target, one of ``settings.PRIORS``.
    knowledge
        What the method knows; ``None`` where the domains share nothing that it needs.
    strength
        τ, precision of the prior, for users with so many target interactions or more.
    mean_strength
        The same for the average-user prior, where a user is placed by target data alone; 0 is the
        plain fold-in.
    """

    ground: Ground
    spec: FitSpec
    source: Factors
    alone: Factors
    target: Factors
    plain: Factors
    trained_on: "sp.csr_array"
    map_users: "NDArray[np.integer]"
    method: str
    knowledge: Knowledge | None
    strength: Mapping[int, float]
    mean_strength: Mapping[int, float]
    ease: ItemRidge | None = None

    @property
    def pair(self) -> DomainPair:
        """The linked domains."""
        return self.ground.pair

    @property
    def feedback(self) -> Literal["ratings", "implicit"]:
        """``"ratings"`` or ``"implicit"``."""
        return self.spec.feedback

    @property
    def trained_counts(self) -> "NDArray[np.int64]":
        """Target interactions of each user that were learned from."""
        return np.diff(self.trained_on.indptr)

    @property
    def popularity(self) -> "NDArray[np.integer]":
        """Users of each target item that were learned from."""
        return np.bincount(self.trained_on.indices, minlength=self.trained_on.shape[1])

    @property
    def average(self) -> Prior:
        """What is expected of a user whom nobody knows, where target data alone places users."""
        return mean_prior(self.plain, self.trained_counts, 1)

    def by(
        self, method: str, *, shuffle: int | None = None, on_epoch: OnEpoch | None = None
    ) -> "TransferFit":
        """The same factorizations with another method between them.

        ``shuffle`` makes it a placebo, a different one for each number: who is who in the source is
        permuted before the method learns; of ``codebook`` the entries are. What ``on_epoch`` raises
        stops the learning.

        Raises
        ------
        MissingExtraError
            A network without the extra that trains it.
        """
        links = self.links(shuffle)
        unlearned = replace(self, method=method, target=self.alone)
        if method in _BY_USERS and len(_learners(unlearned)) < 2:
            return replace(unlearned, knowledge=None)
        return _LEARNERS[method](unlearned, Lesson(links, shuffle, on_epoch))

    def links(self, shuffle: int | None = None) -> "NDArray[np.integer]":
        """Who each shared user is in the source; permuted for a placebo."""
        rows = self.pair.source_rows
        if shuffle is None:
            return rows
        return np.random.default_rng([self.spec.seed, 4, shuffle]).permutation(rows)

    def scorer(self, source_rows: "NDArray[np.integer] | None", users: int = 0) -> Scorer:
        """A scorer of users of the source; of ``users`` whom nothing is known of for ``None``."""
        if source_rows is None:
            return PlacedUsers(self.plain, self.average[np.zeros(users, np.int64)])
        assert self.knowledge is not None, f"{self.method} knows nothing of these domains"
        return self.knowledge.scorer(self.target, source_rows)

    def scores(
        self, matrix: "sp.csr_array", source_rows: "NDArray[np.integer] | None" = None
    ) -> "NDArray[np.floating]":
        """Scores of all target items, users × items.

        Parameters
        ----------
        matrix
            The users' target data, users × target items.
        source_rows
            Their rows in the source; ``None`` scores them by target data alone.
        """
        scorer, taus = self._told(matrix, source_rows)
        return scorer.scores(slice(None), matrix, taus)

    def place(
        self, matrix: "sp.csr_array", source_rows: "NDArray[np.integer] | None" = None
    ) -> FoldedUsers:
        """Users' places in the space of their scores; parameters as for ``scores``."""
        scorer, taus = self._told(matrix, source_rows)
        assert isinstance(scorer, PlacedUsers), f"{self.method} has no space"
        return scorer.place(slice(None), matrix, taus)

    def _told(
        self, matrix: "sp.csr_array", source_rows: "NDArray[np.integer] | None"
    ) -> "tuple[Scorer, NDArray[np.float64]]":
        strength = self.mean_strength if source_rows is None else self.strength
        taus = at_shots(strength, np.diff(matrix.indptr)).astype(np.float64)
        return self.scorer(source_rows, matrix.shape[0]), taus

    @property
    def factor_map(self) -> LinearMap | None:
        """The map of source factors, whichever method makes the scores; ``None`` without overlap.

        It also places the source's items in the target's space.
        """
        own = self if self.method == FACTOR_MAP else self.by(FACTOR_MAP)
        return own.knowledge.map if isinstance(own.knowledge, MappedFactors) else None


def fit_transfer(
    pair: DomainPair,
    spec: FitSpec,
    *,
    target_matrix: "sp.csr_array | None" = None,
    map_users: "NDArray[np.integer] | None" = None,
    method: str | None = FACTOR_MAP,
    ground: Ground | None = None,
    texts: Texts | None = None,
    start: TransferFit | None = None,
    source: Factors | None = None,
    target: Factors | None = None,
    plain: Factors | None = None,
    strength: Mapping[int, float] | None = None,
    mean_strength: Mapping[int, float] | None = None,
    on_fit: OnFit | None = None,
) -> TransferFit:
    """Factorize both domains and let a method learn what carries over.

    Parameters
    ----------
    pair
        The linked domains.
    spec
        How to factorize.
    target_matrix
        Target data to learn from where some users are held out; default all of it.
    map_users
        Positions in ``pair.shared`` of the users to learn from; default all.
    method
        One of ``settings.PRIORS``; ``None`` leaves the learning to ``by``.
    ground
        What was worked out of the pair already.
    texts
        What the items are about, for ``content``, where there is no ``ground``.
    start
        An earlier fit to start from.
    source, target
        Factorizations to use as they are, of the whole source and of ``target_matrix``.
    plain
        A factorization of ``target_matrix`` for target-only scores; default the same.
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
    if target is None:
        target = spec.factorize(matrix, None if start is None else start.alone, report("target"))
    unlearned = TransferFit(
        ground or Ground(pair, spec.feedback, spec.seed, texts),
        spec,
        source,
        target,
        target,
        plain or target,
        matrix,
        np.arange(len(pair.shared)) if map_users is None else map_users,
        method or FACTOR_MAP,
        None,
        strength or DEFAULT_STRENGTH,
        mean_strength or DEFAULT_MEAN_STRENGTH,
    )
    return unlearned if method is None else unlearned.by(method)


def applicable(ground: Ground, model: str) -> dict[str, str]:
    """Every method with the reason why it cannot be used on these domains; empty where it can.

    ``model`` says how domains are factorized.
    """
    pair, feedback = ground.pair, ground.feedback
    if ground.by_words:
        others = "new items are known by their words alone"
        return {method: "" if method == CONTENT else others for method in PRIORS}
    several = pair.linked and len(pair.shared) >= 2
    one = pair.linked and len(pair.shared) == 1
    shared = "" if several else f"{'one user alone' if one else 'nobody'} is in both catalogues"
    signed = "" if model == "als" else "it needs als"
    small = "" if len(pair.target.items) <= LARGEST_TARGET else (
        f"the target has more than {LARGEST_TARGET:,} items"
    )  # fmt: skip
    lists = "" if feedback == "implicit" else "it makes lists, not ratings"
    trained = "" if installed("deep") else "it needs pip install 'transrec[deep]'"
    return {
        FACTOR_MAP: shared,
        ROW_MAP: shared,
        JOINT: shared or signed,
        RIDGE: shared or lists or small,
        CONTENT: "" if ground.texts is not None else "it needs the texts of both catalogues",
        CODEBOOK: signed,
        NEURAL_MAP: shared or trained,
        META_MAP: shared or trained,
        TWO_TOWER: shared or lists or signed or trained,
    }


# ── what each method learns ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Lesson:
    """How a method learns.

    Attributes
    ----------
    links
        Who each shared user is in the source.
    shuffle
        Number of the placebo; ``None`` where it is none.
    on_epoch
        See ``TransferFit.by``.
    """

    links: "NDArray[np.integer]"
    shuffle: int | None
    on_epoch: OnEpoch | None


def _learners(fit: TransferFit) -> "NDArray[np.integer]":
    """Positions of the shared users with target data, among those to learn from."""
    counts = fit.trained_counts[fit.pair.target_rows[fit.map_users]]
    return np.asarray(fit.map_users[counts > 0])


def _places(
    fit: TransferFit, rows: "NDArray[np.integer]"
) -> "tuple[FoldedUsers, NDArray[np.int64]]":
    """Target factors and biases of some target users, and their numbers of interactions."""
    target = fit.alone
    bias = None if target.biases is None else target.biases.user[rows]
    return FoldedUsers(target.user_factors[rows], bias), fit.trained_counts[rows]


def _by_factors(fit: TransferFit, lesson: Lesson) -> TransferFit:
    who = _learners(fit)
    features = factor_features(fit.source, fit.pair.source.counts)
    users, counts = _places(fit, fit.pair.target_rows[who])
    found = fit_linear_map(features[lesson.links[who]], fit.alone, users, counts)
    return replace(
        fit, knowledge=MappedFactors(found, features, fit.source, fit.pair.source.matrix)
    )


def _by_network(fit: TransferFit, lesson: Lesson) -> TransferFit:
    who = _pupils(fit)
    features = factor_features(fit.source, fit.pair.source.counts)
    users, counts = _places(fit, fit.pair.target_rows[who])
    network = fit_neural_map(
        features[lesson.links[who]],
        fit.alone,
        users,
        counts,
        seed=fit.spec.seed,
        on_epoch=lesson.on_epoch,
    )
    return replace(fit, knowledge=MappedByNetwork(network, features, fit.source))


def _by_history(fit: TransferFit, lesson: Lesson) -> TransferFit:
    """Networks that read the source history: ``meta_map`` and ``two_tower``."""
    who, matrix = _pupils(fit), fit.pair.source.matrix
    features = factor_features(fit.source, fit.pair.source.counts)
    rows, taken = lesson.links[who], fit.pair.target_rows[who]
    users, _ = _places(fit, taken)
    told = (features[rows], fit.source, matrix[rows], fit.alone, users, fit.trained_on[taken])
    if fit.method == META_MAP:
        bridges = fit_meta_map(*told, seed=fit.spec.seed, on_epoch=lesson.on_epoch)
        return replace(fit, knowledge=MappedByHistory(bridges, features, fit.source, matrix))
    texts = fit.ground.item_places
    towers = fit_two_tower(*told, texts, seed=fit.spec.seed, on_epoch=lesson.on_epoch)
    spec, known = fit.alone.spec, fit.alone.user_factors
    placed, _ = half_sweep(fit.trained_on, towers.items, known, spec, nonnegative=False)
    space = replace(
        fit.alone, user_factors=placed, item_factors=towers.items, objective=(), converged=False
    )
    network = MappedByHistory(towers.users, features, fit.source, matrix)
    return replace(fit, target=space, knowledge=network)


def _pupils(fit: TransferFit) -> "NDArray[np.integer]":
    """The users that a network learns from: some of the others where there are very many."""
    who = _learners(fit)
    if len(who) <= MOST_USERS:
        return who
    return np.random.default_rng([fit.spec.seed, 5]).choice(who, MOST_USERS, replace=False)


def _by_rows(fit: TransferFit, lesson: Lesson) -> TransferFit:
    who = _learners(fit)
    rows = fit.ground.rows
    users, counts = _places(fit, fit.pair.target_rows[who])
    found = fit_linear_map(
        rows.features_of(lesson.links[who]), fit.alone, users, counts, standardise=False
    )
    return replace(fit, knowledge=MappedRows(found, rows))


def _by_joint(fit: TransferFit, lesson: Lesson) -> TransferFit:
    known, target = fit_joint(fit.pair, fit.spec, fit.trained_on, lesson.links, fit.map_users)
    return replace(fit, knowledge=known, target=target)


def _by_ridge(fit: TransferFit, lesson: Lesson) -> TransferFit:
    who = _learners(fit)
    earlier = fit.knowledge if isinstance(fit.knowledge, ItemRidge) else None
    found = fit_item_ridge(
        fit.ground.rows,
        lesson.links[who],
        fit.trained_on,
        fit.pair.target_rows[who],
        fit.spec.penalty,
        None if earlier is None else earlier.from_target,
    )
    return replace(fit, knowledge=found)


def _by_content(fit: TransferFit, lesson: Lesson) -> TransferFit:
    """Learn on the target's own users what a profile says; links are not needed."""
    if fit.ground.by_words:
        return _by_rows(fit, lesson)
    source, target = fit.ground.profiles
    who = np.flatnonzero(fit.trained_counts > 0)
    users, counts = _places(fit, who)
    found = fit_linear_map(target.features_of(who), fit.alone, users, counts, standardise=False)
    # Catalogues are about different things on the whole; only what sets a user apart carries over.
    return replace(fit, knowledge=MappedRows(replace(found, centre=_middle(source)), source))


def _middle(rows: SourceRows) -> "NDArray[np.float64]":
    """Mean features of the users with any interaction."""
    told = np.flatnonzero(np.diff(rows.cells.indptr))
    return np.asarray(rows.features_of(told).mean(axis=0))


def _by_codebook(fit: TransferFit, lesson: Lesson) -> TransferFit:
    codebook = learn_codebook(
        fit.source, fit.pair.source.matrix, clusters=fit.spec.rank, seed=fit.spec.seed
    )
    if lesson.shuffle is not None:
        codebook = random_codebook(codebook, seed=lesson.shuffle)
    target = expand(codebook, fit.alone, fit.trained_on, seed=fit.spec.seed)
    return replace(fit, target=target, knowledge=Average(target, fit.trained_counts))


_LEARNERS: Mapping[str, Callable[[TransferFit, Lesson], TransferFit]] = {
    FACTOR_MAP: _by_factors,
    ROW_MAP: _by_rows,
    JOINT: _by_joint,
    RIDGE: _by_ridge,
    CONTENT: _by_content,
    CODEBOOK: _by_codebook,
    NEURAL_MAP: _by_network,
    META_MAP: _by_history,
    TWO_TOWER: _by_history,
    EASE: lambda fit, *_: replace(fit, knowledge=fit_ease(fit.trained_on, fit.spec.penalty)),
}  # fmt: skip

_BY_USERS = (FACTOR_MAP, ROW_MAP, RIDGE, *DEEP)
"""Methods that learn from users who are in both catalogues."""
