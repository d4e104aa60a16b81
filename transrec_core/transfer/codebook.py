"""Codebook transfer: what groups of users think of groups of items, for domains that share nobody.

Li, Yang & Xue, "Can Movies and Books Collaborate? Cross-Domain Collaborative Filtering for Sparsity
Reduction" (IJCAI 2009). The codebook is the mean of each block of source user groups × source item
groups. In the target every item follows one column of it, scaled to how much is known of the item:

    v_j = s_j·b_{d(j)} / ‖b_{d(j)}‖,   s_j ≥ 0,      u ≥ 0

so a user is a mixture of source user groups, placed by the ordinary fold-in. Without u ≥ 0,
codebooks of full rank would differ in what the ridge prefers alone. Users, and columns with their
scales, take turns to minimise the J of ``factors.objectives``; it never rises.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.optimize import quadratic_assignment

from transrec_core.factors.biases import DAMPING, fit_biases
from transrec_core.factors.kernels import single_threaded_blas
from transrec_core.factors.model import Factors
from transrec_core.factors.objectives import Objective
from transrec_core.factors.solver import half_sweep, objective_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

STARTS = 8
"""Matchings of item groups to columns that are tried; the one with the lowest J is kept."""

TRIAL_SWEEPS, SWEEPS = 3, 10


@dataclass(frozen=True)
class Codebook:
    """Patterns of a source domain, free of its users and items.

    Attributes
    ----------
    patterns
        User groups × item groups. Ratings: mean rating beyond the damped biases, damped towards 0.
        Implicit: interactions as a multiple of what activity and popularity alone would give,
        damped towards 1.
    """

    patterns: "NDArray[np.float64]"


def learn_codebook(
    source: Factors, matrix: "sp.csr_array", *, clusters: int, seed: int
) -> Codebook:
    """Group source users and items, and take the mean of each block.

    Parameters
    ----------
    source
        The fitted source factorization.
    matrix
        The users × items data it was fitted on.
    clusters
        Groups of users and, as many, of items; fewer where there are fewer of them.
    seed
        Of the first centres.
    """
    U, V = source.user_factors, source.item_factors
    rows = np.repeat(np.arange(len(U)), np.diff(matrix.indptr))
    user_group = _groups(_seen(U, V), clusters, seed)[rows]
    item_group = _groups(_seen(V, U), clusters, seed)[matrix.indices]
    shape = (min(clusters, len(U)), min(clusters, len(V)))
    if source.feedback == "ratings":
        biases = source.biases or fit_biases(matrix)
        total = _blocks(user_group, item_group, biases.residual(matrix), shape)
        number = _blocks(user_group, item_group, np.ones(matrix.nnz), shape)
        return Codebook(total / (number + DAMPING))
    number = _blocks(user_group, item_group, np.ones(matrix.nnz), shape)
    expected = np.outer(number.sum(axis=1), number.sum(axis=0)) / max(matrix.nnz, 1)
    return Codebook((number + DAMPING) / (expected + DAMPING))


def random_codebook(codebook: Codebook, *, seed: int) -> Codebook:
    """The control: the same entries at random places, a codebook without knowledge."""
    return Codebook(np.random.default_rng(seed).permuted(codebook.patterns))


def expand(codebook: Codebook, target: Factors, matrix: "sp.csr_array", *, seed: int) -> Factors:
    """A target model whose items follow the columns of the codebook.

    Items are grouped as those of the source were, and groups matched to columns so that what is
    alike in one is alike in the other (fast approximate quadratic assignment, Vogelstein et al.
    2015); from there J falls. Of several such starts the one that
    leads to the lowest J is kept. Items without data get zero factors.

    Parameters
    ----------
    codebook
        Patterns of the source.
    target
        The fitted target factorization, for its objective, its biases and the first groups.
    matrix
        The users × items data it was fitted on; rows and columns may be empty.
    seed
        Of the groups and the matching.
    """
    spec = target.spec
    biases = None
    values = matrix.data
    if target.feedback == "ratings":
        biases = target.biases or fit_biases(matrix)
        values = biases.residual(matrix)
    by_user = sp.csr_array(
        (values.astype(np.float32), matrix.indices, matrix.indptr), matrix.shape, copy=True
    )
    columns = _columns(codebook)
    group = _groups(_seen(target.item_factors, target.user_factors), len(columns), seed)
    # From zero the non-negative rows cannot fall back to zero, which their solver does not expect.
    nobody = np.zeros((matrix.shape[0], columns.shape[1]), np.float32)

    def descend(items: "NDArray[np.float32]", sweeps: int) -> Factors:
        objective: list[float] = []
        for _ in range(sweeps):
            # Threads of a BLAS that wait for more work would take the cores from the kernel.
            with single_threaded_blas():
                users, error = half_sweep(by_user, items, nobody, spec, nonnegative=True)
                objective.append(objective_value(by_user, users, items, spec, error))
                items = follow(by_user, users, columns, spec)
                objective.append(objective_value(by_user, users, items, spec))
        return Factors(users, items, tuple(objective), spec, nonnegative=True, biases=biases)

    starts = (
        descend(columns[column_of[group]], TRIAL_SWEEPS)
        for column_of in _matchings(codebook, by_user, group, target.feedback, seed)
    )
    best = min(starts, key=lambda fit: fit.objective[-1])
    rest = descend(best.item_factors, SWEEPS)
    return replace(rest, objective=best.objective + rest.objective)


def _matchings(
    codebook: Codebook,
    by_user: "sp.csr_array",
    group: "NDArray[np.integer]",
    feedback: str,
    seed: int,
) -> "Iterator[NDArray[np.integer]]":
    """Column of each group of target items, from several starts of the quadratic assignment."""
    size = codebook.patterns.shape[1]
    implicit = feedback == "implicit"
    values = np.ones(by_user.nnz) if implicit else by_user.data
    cells = sp.csr_array((values, by_user.indices, by_user.indptr), by_user.shape)
    liked, patterns = np.asarray(cells @ np.eye(size)[group]), codebook.patterns
    if implicit:
        # What activity and popularity alone would give is in neither.
        liked = liked - np.outer(liked.sum(axis=1), liked.sum(axis=0)) / max(by_user.nnz, 1)
        patterns = patterns - 1
    random = np.random.default_rng(seed)
    for _ in range(STARTS):
        yield quadratic_assignment(
            _likeness(liked),
            _likeness(patterns),
            options={"maximize": True, "P0": "randomized", "rng": random},
        ).col_ind


def _likeness(columns: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Cosine of each two columns, 0 of a column with itself."""
    length = np.linalg.norm(columns, axis=0)
    unit = columns / np.where(length > 0, length, 1)
    return np.asarray(unit.T @ unit * (1 - np.eye(len(length))))


def follow(
    by_user: "sp.csr_array",
    users: "NDArray[np.floating]",
    columns: "NDArray[np.floating]",
    spec: Objective,
) -> "NDArray[np.float32]":
    """The best multiple of the best column for every item, the users fixed: items × k.

    Along column b, J of item j is ½a s² − c s with p_u = u·b, c = Σ w y p_u and
    a = Σ w p_u² + α₀ Σ_all p_u² + 2λw_j; its minimum −c²/2a at s = c/a, or 0 where c < 0.

    Parameters
    ----------
    by_user
        What is factorized, users × items.
    users
        Users × k.
    columns
        Columns × k, of length 1.
    spec
        The objective.
    """
    wide = users.astype(np.float64) @ columns.T.astype(np.float64)
    targets, weights = spec.cells(by_user.data.astype(np.float64))
    weights = np.ones(by_user.nnz) if weights is None else weights
    by_item = sp.csr_array((targets * weights, by_user.indices, by_user.indptr), by_user.shape).T
    weight = sp.csr_array((weights, by_user.indices, by_user.indptr), by_user.shape).T
    fit = by_item @ wide
    everywhere = np.einsum("dk,kl,dl->d", columns, spec.gram(users.astype(np.float64)), columns)
    counts = np.bincount(by_user.indices, minlength=by_user.shape[1])
    ridge = 2 * spec.lam * spec.weights(counts, len(users))
    size = weight @ wide**2 + everywhere + ridge[:, None]
    scale = np.maximum(fit, 0) / np.where(size > 0, size, 1)
    chosen = (scale * fit).argmax(axis=1)
    items = np.arange(len(chosen))
    return np.asarray(scale[items, chosen][:, None] * columns[chosen], np.float32)


def _columns(codebook: Codebook) -> "NDArray[np.float32]":
    """Item groups × user groups, each of length 1."""
    length = np.linalg.norm(codebook.patterns, axis=0)
    return np.ascontiguousarray((codebook.patterns / np.where(length > 0, length, 1)).T, np.float32)


def _seen(own: "NDArray[np.floating]", other: "NDArray[np.floating]") -> "NDArray[np.float64]":
    """Rows whose distances are those of their predictions: V = QR, and ‖Vu‖ = ‖Ru‖."""
    _, R = np.linalg.qr(other.astype(np.float64))
    return np.asarray(own.astype(np.float64) @ R.T)


def _groups(points: "NDArray[np.float64]", clusters: int, seed: int) -> "NDArray[np.int32]":
    """K-means of directions: how much is known of a row sets its length, and here its weight."""
    # Here, because it takes longer to load than the rest of the core.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    length = np.linalg.norm(points, axis=1)
    directions = points / np.where(length > 0, length, 1)[:, None]
    means = KMeans(min(clusters, len(points)), n_init=4, random_state=seed)
    with warnings.catch_warnings():
        # Fewer different directions than groups: some groups stay empty.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(means.fit(directions, sample_weight=length + 1e-9).labels_)


def _blocks(
    rows: "NDArray[np.integer]",
    columns: "NDArray[np.integer]",
    values: "NDArray[np.floating]",
    shape: tuple[int, int],
) -> "NDArray[np.float64]":
    """Sum of the values in each block."""
    cells = np.bincount(rows * shape[1] + columns, values, shape[0] * shape[1])
    return np.asarray(cells.reshape(shape), np.float64)
