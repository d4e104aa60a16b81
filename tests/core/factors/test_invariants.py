"""What must hold for every small matrix and every objective, whatever the numbers in it.

Each test is named after its invariant and draws matrix, objective and settings together, 200
examples a test. The reference at the top works cell by cell on dense arrays and shares nothing with
the library. Beyond single fits: 9 begins at the file, 11 and 15 take whole runs and comparisons
(one example of each kind), 17 stands with the saved runs; more on 9 is in ``data/test_ratings.py``,
on 15 in ``evidence/test_comparison.py`` and ``transfer/test_methods.py``, on 16 in
``evidence/test_metrics.py``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from fits import finite, predictions
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from profiles import scale
from scipy.optimize import nnls
from threadpoolctl import threadpool_info
from worlds import checkerboard, items_of, ratings_of, texts_of

from transrec_core import ranking
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair
from transrec_core.data.ratings import Ratings, read_ratings
from transrec_core.data.report import ImportReport
from transrec_core.errors import BadRatingsError, Cancelled, RankTooLargeError
from transrec_core.evidence.metrics import ndcg, rmse
from transrec_core.factors import Explicit, Factors, Implicit, factorize, objective_value
from transrec_core.factors.geometry import canonical, nearest, unit_rows
from transrec_core.factors.kernels import solve_rows
from transrec_core.ranking import top_items
from transrec_core.recommending import recommend_for
from transrec_core.running import Run, compare, run
from transrec_core.settings import Settings
from transrec_core.transfer.fitting import FitSpec, TransferFit, fit_transfer
from transrec_core.transfer.fold_in import Prior, fold_in

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny matrices: starting threads would take longer than the work; one test compares both."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


# ---------------------------------------------------------------------------------------------
# Cases


class Kind(NamedTuple):
    feedback: str
    model: str
    biases: bool
    confidence: str


KINDS = [
    Kind("ratings", "als", True, "equal"),
    Kind("ratings", "als", False, "equal"),
    Kind("ratings", "nmf", True, "equal"),
    Kind("ratings", "nmf", False, "equal"),
    Kind("implicit", "als", True, "equal"),
    Kind("implicit", "als", False, "values"),
    Kind("implicit", "nmf", True, "values"),
    Kind("implicit", "nmf", False, "equal"),
]
ALS = [kind for kind in KINDS if kind.model == "als"]
UNBIASED_RATINGS = [KINDS[1], KINDS[3]]
EXPONENTS = [0.0, 0.5, 1.0]
STARS = [0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 4.5, 5.0]
SIGNED = [-3.0, -1.0, 0.0, 1.0, 2.5, 5.0]
COUNTS = [0.5, 1.0, 2.0, 3.0, 7.0]


@dataclass(frozen=True)
class Case:
    """A matrix with everything that ``factorize`` is told of it."""

    kind: Kind
    matrix: sp.csr_array
    rank: int
    lam: float
    nu: float
    alpha0: float
    seed: int

    @property
    def options(self) -> dict:
        return {
            **self.kind._asdict(),
            "rank": self.rank,
            "lam": self.lam,
            "regularization_exponent": self.nu,
            "alpha0": self.alpha0,
            "seed": self.seed,
        }

    def fit(self, **changes) -> Factors:
        matrix = changes.pop("matrix", self.matrix)
        defaults = {"dtype": np.float64, "sweeps": 2, "tolerance": 0}
        return factorize(matrix, **{**self.options, **defaults, **changes})

    def start(self, size: float = 0.5) -> Factors:
        """Random factors of this case's shape, as an earlier fit."""
        random = np.random.default_rng(self.seed)
        sides = [size * random.normal(size=(n, self.rank)) for n in self.matrix.shape]
        return earlier(*(np.abs(f) if self.kind.model == "nmf" else f for f in sides))


def earlier(users: np.ndarray, items: np.ndarray) -> Factors:
    """Factors to start from."""
    return Factors(users, items, (), Explicit(1.0))


def sparse(shape: tuple[int, int], places, values) -> sp.csr_array:
    """CSR in double precision; zeros among the values stay stored."""
    places = np.asarray(places, np.int64)
    cells = (np.asarray(values, np.float64), (places // shape[1], places % shape[1]))
    return sp.csr_array(sp.coo_array(cells, shape).tocsr())


@st.composite
def matrices(draw, values=STARS, least: int = 1, users: int = 12, items: int = 9) -> sp.csr_array:
    """Up to 12 × 9, one cell at least; rows, columns and whole matrices of one rating occur."""
    shape = draw(st.integers(least, users)), draw(st.integers(least, items))
    n = len(values)
    codes = st.integers(0, shape[0] * shape[1] * n - 1)  # a place and a rating in one number
    drawn = draw(st.lists(codes, min_size=1, max_size=22, unique_by=lambda code: code // n))
    places = np.array(drawn) // n
    ratings = np.array(values)[np.array(drawn) % n]
    if draw(st.integers(0, 4)) == 0:
        ratings[:] = ratings[0]
    return sparse(shape, places, ratings)


@st.composite
def cases(draw, kinds=KINDS, lams=(0.01, 0.1, 1.0), exponents=EXPONENTS, least: int = 1) -> Case:
    """Every objective on a small matrix."""
    kind = draw(st.sampled_from(kinds))
    values = COUNTS if kind.confidence == "values" else draw(st.sampled_from([STARS, SIGNED]))
    matrix = draw(matrices(values, least))
    return Case(
        kind,
        matrix,
        draw(st.integers(1, min(4, *matrix.shape))),
        draw(st.sampled_from(lams)),
        draw(st.sampled_from(exponents)),
        draw(st.sampled_from([0.05, 0.3])),
        draw(st.integers(0, 999)),
    )


# ---------------------------------------------------------------------------------------------
# The reference


@dataclass(frozen=True)
class Book:
    """The objective as dense arrays: ½ Σ c (t − x)² + ½ α₀ Σ x² + λ Σ w ‖·‖²."""

    weights: np.ndarray
    targets: np.ndarray
    alpha0: float
    user_ridge: np.ndarray
    item_ridge: np.ndarray
    nonnegative: bool

    @classmethod
    def of(cls, case: Case, fit: Factors) -> Book:
        """Of a case, with the biases and the shift that its fit took off first."""
        cells = case.matrix.tocoo()
        rows, cols = cells.coords
        observed, ratings = np.zeros(cells.shape), np.zeros(cells.shape)
        observed[rows, cols], ratings[rows, cols] = 1, cells.data
        counts = [observed.sum(axis=1), observed.sum(axis=0)]
        if case.kind.feedback == "implicit":
            weights = ratings if case.kind.confidence == "values" else observed
            targets, alpha0 = np.ones(cells.shape), case.alpha0
            counts = [
                n + alpha0 * other for n, other in zip(counts, cells.shape[::-1], strict=True)
            ]
        else:
            weights, targets, alpha0 = observed, ratings - fit.shift, 0.0
            if fit.biases is not None:
                level = fit.biases.user[:, None] + fit.biases.item[None]
                targets = targets - fit.biases.mean - level
            counts = [np.maximum(n, 1) for n in counts]
        ridges = [case.lam * n**case.nu for n in counts]
        return cls(weights, targets, alpha0, *ridges, case.kind.model == "nmf")

    def value(self, U: np.ndarray, V: np.ndarray) -> float:
        """J."""
        X = U @ V.T
        data = (
            0.5 * (self.weights * (self.targets - X) ** 2).sum() + 0.5 * self.alpha0 * (X**2).sum()
        )
        size = self.user_ridge @ (U**2).sum(axis=1) + self.item_ridge @ (V**2).sum(axis=1)
        return float(data + size)

    def item_gradient(self, U: np.ndarray, V: np.ndarray) -> np.ndarray:
        """∂J/∂V."""
        X = U @ V.T
        slope = self.weights * (X - self.targets) + self.alpha0 * X
        return slope.T @ U + 2 * self.item_ridge[:, None] * V

    def turned(self) -> Book:
        """The same with users and items exchanged."""
        return Book(
            self.weights.T, self.targets.T, self.alpha0, self.item_ridge, self.user_ridge,
            self.nonnegative,
        )  # fmt: skip

    def best_users(self, V: np.ndarray) -> np.ndarray:
        """Row by row the least squares of data, zeros of weight α₀ and ridge, one under another."""
        k = V.shape[1]
        best = []
        for weights, targets, ridge in zip(
            self.weights, self.targets, self.user_ridge, strict=True
        ):
            root = np.sqrt(weights)[:, None]
            blocks = [root * V, np.sqrt(self.alpha0) * V, np.sqrt(2 * ridge) * np.eye(k)]
            design = np.vstack(blocks)
            wanted = np.concatenate([root[:, 0] * targets, np.zeros(len(V) + k)])
            if self.nonnegative:
                best.append(nnls(design, wanted)[0])
            else:
                best.append(np.linalg.lstsq(design, wanted)[0])
        return np.array(best)


# ---------------------------------------------------------------------------------------------
# 1. The objective


def half_steps(case: Case, sweeps: int) -> list[tuple[float, float, float]]:
    """J as the fit and as the reference say it, and the least J, after each half-step."""
    fit = case.start()
    found = []
    for _ in range(sweeps):
        V = fit.item_factors
        fit = case.fit(start=fit, sweeps=1)
        book = Book.of(case, fit)
        U, W = fit.user_factors, fit.item_factors
        best = book.best_users(V), book.turned().best_users(U)
        found.append((fit.objective[0], book.value(U, V), book.value(best[0], V)))
        found.append((fit.objective[1], book.value(U, W), book.value(U, best[1])))
    return found


@given(cases())
def test_01_j_never_rises_and_is_the_references_at_every_half_step(case):
    start = case.start()
    book = Book.of(case, case.fit(sweeps=1))
    scale = 0.5 * float((book.weights * book.targets**2).sum())
    before = book.value(start.user_factors, start.item_factors)
    for said, reference, least in half_steps(case, sweeps=2):
        assert said == pytest.approx(reference, rel=1e-10, abs=1e-14 * scale)
        assert reference <= before * (1 + 1e-12) + 1e-14 * scale
        assert reference == pytest.approx(least, rel=1e-6, abs=1e-12 * scale)
        assert said >= 0
        before = reference


@given(cases(lams=(0.0,)))
def test_01_j_never_rises_without_regularisation_either(case):
    start = case.start()
    book = Book.of(case, case.fit(sweeps=1))
    first = before = book.value(start.user_factors, start.item_factors)
    for said, reference, _ in half_steps(case, sweeps=2):
        assert said == pytest.approx(reference, rel=1e-8, abs=1e-10 * first)
        # Singular systems are solved up to a small share of their diagonal.
        assert reference <= before + 1e-6 * first
        assert said >= 0
        before = reference


# ---------------------------------------------------------------------------------------------
# 2. Optimality


@given(cases())
def test_02_the_gradient_of_the_side_solved_last_is_zero_or_points_outwards(case):
    fit = case.fit(start=case.start())
    book = Book.of(case, fit)
    gradient = book.item_gradient(fit.user_factors, fit.item_factors)
    pull = np.abs((book.weights * book.targets).T @ fit.user_factors).max() + 1e-12
    if case.kind.model == "nmf":
        assert fit.item_factors.min() >= 0
        held = fit.item_factors == 0
        assert gradient[held].min(initial=0) >= -1e-5 * pull
        assert np.abs(gradient[~held]).max(initial=0) <= 1e-5 * pull
    else:
        assert np.abs(gradient).max() <= 1e-9 * pull


@given(cases())
def test_02_a_half_step_is_least_squares(case):
    fit = case.fit(start=case.start())
    expected = Book.of(case, fit).turned().best_users(fit.user_factors)
    atol = 1e-4 if case.kind.model == "nmf" else 1e-9
    scale = 1 + np.abs(expected).max()
    np.testing.assert_allclose(fit.item_factors, expected, atol=atol * scale)


@given(cases())
def test_02_the_reported_gradient_is_that_of_finite_differences(case):
    fit = case.fit(start=case.start(), sweeps=1)
    book = Book.of(case, fit)
    U, V = fit.user_factors, fit.item_factors
    slopes = np.empty_like(U)
    for place in np.ndindex(U.shape):
        step = np.zeros_like(U)
        step[place] = 1e-3  # J is quadratic in U: central differences have no error of their own.
        slopes[place] = (book.value(U + step, V) - book.value(U - step, V)) / 2e-3
    wanted = np.linalg.norm((book.weights * book.targets) @ V)
    if case.kind.model == "nmf":
        slopes[(U == 0) & (slopes > 0)] = 0
    expected = np.linalg.norm(slopes) / wanted if wanted > 0 else 0.0
    noise = 1e-9 * book.value(U, V) / wanted if wanted > 0 else 0.0
    assume(noise < 1e-3)
    assert fit.gradient == pytest.approx(expected, rel=1e-6, abs=1e-7 + noise)


# ---------------------------------------------------------------------------------------------
# 3. Permutations


@given(cases(), st.randoms(use_true_random=False))
def test_03_relabelling_users_and_items_only_permutes(case, random):
    rows, cols = list(range(case.matrix.shape[0])), list(range(case.matrix.shape[1]))
    random.shuffle(rows)
    random.shuffle(cols)
    start = case.start()
    fit = case.fit(start=start)
    other = case.fit(
        matrix=sp.csr_array(case.matrix[rows][:, cols]),
        start=earlier(start.user_factors[rows], start.item_factors[cols]),
    )
    scale = 1 + np.abs(predictions(fit)).max()
    np.testing.assert_allclose(
        predictions(other), predictions(fit)[rows][:, cols], atol=1e-6 * scale
    )
    np.testing.assert_allclose(other.objective, fit.objective, rtol=1e-8, atol=1e-11)


@given(cases(), st.randoms(use_true_random=False))
def test_03_the_order_of_the_rows_of_a_table_changes_no_bit(case, random):
    cells = case.matrix.tocoo()
    order = list(range(cells.nnz))
    random.shuffle(order)
    rows, cols = cells.coords
    shuffled = sp.coo_array((cells.data[order], (rows[order], cols[order])), cells.shape)
    assert same(case.fit(matrix=shuffled), case.fit())


def same(one: Factors, two: Factors) -> bool:
    """Bit-equal."""
    return (
        np.array_equal(one.user_factors, two.user_factors)
        and np.array_equal(one.item_factors, two.item_factors)
        and one.objective == two.objective
        and np.array_equal(predictions(one), predictions(two))
    )


# ---------------------------------------------------------------------------------------------
# 4. Scales


@given(cases([k for k in KINDS if k.confidence == "values"], exponents=[0.0]))
def test_04_doubled_data_with_doubled_lambda_is_the_same_fit(case):
    """Twice every interaction is twice its confidence; so is every unobserved cell twice there."""
    start = case.start()
    fit = case.fit(start=start)
    twice = case.fit(matrix=2 * case.matrix, start=start, lam=2 * case.lam, alpha0=2 * case.alpha0)
    np.testing.assert_allclose(predictions(twice), predictions(fit), atol=1e-9)
    np.testing.assert_allclose(twice.objective, 2 * np.array(fit.objective), rtol=1e-10)


@given(st.integers(1, 4), st.integers(0, 9), st.integers(0, 999), st.booleans())
def test_04_a_row_with_every_cell_twice_and_a_doubled_ridge_is_the_same_row(
    k, n, seed, nonnegative
):
    random = np.random.default_rng(seed)
    V, y = random.normal(size=(9, k)), random.normal(size=n)
    V = np.abs(V) if nonnegative else V
    columns = np.sort(random.choice(9, n, replace=False))
    rows = []
    for times in (1, 2):
        row, _ = solve_rows(
            np.array([0, times * n], np.int32),
            np.repeat(columns, times).astype(np.int32),
            np.repeat(y, times),
            V,
            gram=np.zeros((k, k)),
            ridge=np.array([0.2 * times]),
            nonnegative=nonnegative,
        )
        rows.append(row)
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-5 if nonnegative else 1e-10)


@given(cases(UNBIASED_RATINGS), st.sampled_from([0.01, 0.25, 3.0, 16.0, 1e4]))
def test_04_ratings_and_lambda_times_c_predict_c_times_as_much(case, c):
    start, root = case.start(), np.sqrt(c)
    fit = case.fit(start=start)
    scaled = case.fit(
        matrix=c * case.matrix,
        lam=c * case.lam,
        start=earlier(root * start.user_factors, root * start.item_factors),
    )
    scale = c * (1 + np.abs(predictions(fit)).max())
    np.testing.assert_allclose(predictions(scaled), c * predictions(fit), atol=1e-6 * scale)
    expected = c**2 * np.array(fit.objective)
    np.testing.assert_allclose(scaled.objective, expected, rtol=1e-7, atol=1e-11 * c**2)


# ---------------------------------------------------------------------------------------------
# 5. Rotations


def turn_of(k: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(k, k)))[0]


@given(cases(ALS), st.integers(0, 999))
def test_05_a_rotation_changes_no_prediction_and_no_step(case, seed):
    start, Q = case.start(), turn_of(case.rank, seed)
    fit = case.fit(start=start)
    turned = earlier(start.user_factors @ Q, start.item_factors @ Q)
    other = case.fit(start=turned)
    scale = 1 + np.abs(predictions(fit)).max()
    np.testing.assert_allclose(predictions(other), predictions(fit), atol=1e-9 * scale)
    np.testing.assert_allclose(other.objective, fit.objective, rtol=1e-9, atol=1e-12)
    rotated = objective_value(case.matrix, fit.user_factors @ Q, fit.item_factors @ Q, fit.spec)
    plain = objective_value(case.matrix, fit.user_factors, fit.item_factors, fit.spec)
    assert rotated == pytest.approx(plain, rel=1e-10)


@given(cases(ALS), st.integers(0, 999))
def test_05_canonical_coordinates_do_not_depend_on_the_rotation(case, seed):
    fit, Q = case.fit(start=case.start()), turn_of(case.rank, seed)
    U, V = fit.user_factors, fit.item_factors
    one, two = canonical(U, V), canonical(U @ Q, V @ Q)
    np.testing.assert_allclose(two.shares, one.shares, atol=1e-9)
    assert (np.diff(one.shares) <= 1e-12).all()
    first, second = V @ one.rotation, (V @ Q) @ two.rotation
    gaps = np.diff(one.shares, prepend=2.0, append=-1.0)
    for f in range(case.rank):
        alone = min(-gaps[f], -gaps[f + 1]) > 1e-3 and one.shares[f] > 1e-3
        size = np.sort(np.abs(first[:, f]))[::-1]
        certain = len(size) == 1 or size[0] - size[1] > 1e-6 * size[0]
        if alone and certain:
            np.testing.assert_allclose(second[:, f], first[:, f], atol=1e-6 * size[0])


# ---------------------------------------------------------------------------------------------
# 6. The ends of λ


@given(
    st.sampled_from([k for k in KINDS if k.feedback == "ratings" and k.model == "als"]),
    st.integers(1, 3), st.integers(3, 12), st.integers(3, 9), st.integers(0, 999),
)  # fmt: skip
def test_06_exact_rank_k_is_recovered_as_lambda_vanishes(kind, k, users, items, seed):
    random = np.random.default_rng(seed)
    left, right = (np.linalg.qr(random.normal(size=(n, k)))[0] for n in (users, items))
    full = left * np.array([4.0, 3.0, 2.0][:k]) @ right.T
    rank = min(k + 2, users, items) if kind.biases else k  # the biases' own residual has rank k + 2
    fit = factorize(
        sp.csr_array(full.reshape(users, items)), rank=rank, lam=1e-10, biases=kind.biases,
        sweeps=4, tolerance=0, dtype=np.float64, seed=seed,
    )  # fmt: skip
    np.testing.assert_allclose(predictions(fit), full, atol=1e-4)


@given(
    st.sampled_from(KINDS[4:]), st.integers(1, 12), st.integers(1, 9), st.sampled_from([0.1, 0.5])
)
def test_06_full_implicit_data_is_recovered_as_lambda_vanishes(kind, users, items, alpha0):
    fit = factorize(
        sp.csr_array(np.ones((users, items))), rank=1, lam=1e-10, alpha0=alpha0, sweeps=3,
        tolerance=0, dtype=np.float64, **kind._asdict(),
    )  # fmt: skip
    np.testing.assert_allclose(predictions(fit), 1 / (1 + alpha0), atol=1e-4)


@given(cases(lams=(1e12,)))
def test_06_an_infinite_lambda_leaves_zero_factors_and_the_mean(case):
    fit = case.fit()
    assert np.abs(fit.user_factors).max() < 1e-6
    assert np.abs(fit.item_factors).max() < 1e-6
    expected = np.full(case.matrix.shape, fit.shift)
    if fit.biases is not None:
        expected += fit.biases.mean + fit.biases.user[:, None] + fit.biases.item[None]
        assert fit.biases.mean == pytest.approx(case.matrix.data.mean())
    np.testing.assert_allclose(predictions(fit), expected, atol=1e-9)


@given(
    cases(lams=(0.0,)), st.sampled_from([np.float32, np.float64]), st.sampled_from([0.0, 0.1]),
    st.sampled_from([1e-6, 1.0, 1e6]),
)  # fmt: skip
def test_06_lambda_zero_gives_no_nan(case, dtype, alpha0, size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert finite(case.fit(matrix=size * case.matrix, alpha0=alpha0, dtype=dtype))


# ---------------------------------------------------------------------------------------------
# 7. Small and degenerate


@given(cases(lams=(1e-6, 0.1)), st.sampled_from([np.float32, np.float64]))
def test_07_one_user_one_item_one_rating_constant_ratings_and_empty_rows_are_finite(case, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = case.fit(dtype=dtype)
    assert finite(fit)
    if case.kind.feedback == "ratings":
        rows = np.diff(case.matrix.indptr) == 0
        assert not fit.user_factors[rows].any()


@given(cases(), st.integers(1, 5))
def test_07_a_rank_above_the_smaller_side_is_refused_with_the_numbers(case, more):
    users, items = case.matrix.shape
    rank = min(users, items) + more
    with pytest.raises(RankTooLargeError) as error:
        case.fit(rank=rank)
    assert f"Rank {rank} " in str(error.value)
    assert f"{users} users × {items} items" in str(error.value)
    assert f"at most {min(users, items)}" in str(error.value)
    assert finite(case.fit(rank=min(users, items)))


# ---------------------------------------------------------------------------------------------
# 8. Unobserved


@given(
    st.sampled_from(UNBIASED_RATINGS), matrices(), st.integers(0, 999), st.sampled_from(EXPONENTS)
)
def test_08_unobserved_cells_are_not_zeros(kind, pattern, seed, nu):
    """Factors that fit every rating stay, whatever they say of the cells without one."""
    # One more cell in every row and column, so that the ratings settle all factors.
    n = np.arange(max(pattern.shape))
    cover = sp.csr_array(
        (np.ones(len(n)), (n % pattern.shape[0], n % pattern.shape[1])), pattern.shape
    )
    pattern = sp.csr_array(abs(pattern) + cover)
    random = np.random.default_rng(seed)
    users, items = (random.uniform(0.5, 2, (n, 1)) for n in pattern.shape)
    full = users @ items.T
    rows = np.repeat(np.arange(len(users)), np.diff(pattern.indptr))
    matrix = sp.csr_array(
        (full[rows, pattern.indices], pattern.indices, pattern.indptr), full.shape
    )
    fit = factorize(
        matrix, rank=1, lam=1e-9, start=earlier(users, items), regularization_exponent=nu,
        sweeps=2, tolerance=0, dtype=np.float64, **kind._asdict(),
    )  # fmt: skip
    np.testing.assert_allclose(predictions(fit), full, atol=1e-5)
    assert fit.objective[-1] < 1e-6


@given(cases(), st.integers(1, 3), st.integers(1, 2))
def test_08_ids_without_ratings_change_no_other_row(case, users, items):
    # With ν > 0 the weights of implicit feedback count all users and items, by definition.
    assume(case.kind.feedback == "ratings" or case.nu == 0)
    matrix = case.matrix
    n_users, n_items = matrix.shape
    indptr = np.append(matrix.indptr, [matrix.nnz] * users)
    padded = sp.csr_array((matrix.data, matrix.indices, indptr), (n_users + users, n_items + items))
    start = case.start()
    fit = case.fit(start=start)
    zeros = [np.zeros((more, case.rank)) for more in (users, items)]
    other = case.fit(
        matrix=padded,
        start=earlier(
            np.vstack([start.user_factors, zeros[0]]), np.vstack([start.item_factors, zeros[1]])
        ),
    )
    atol = 0 if case.kind.feedback == "ratings" else 1e-9 * (1 + np.abs(fit.item_factors).max())
    np.testing.assert_allclose(other.user_factors[:n_users], fit.user_factors, rtol=0, atol=atol)
    np.testing.assert_allclose(other.item_factors[:n_items], fit.item_factors, rtol=0, atol=atol)
    assert not other.user_factors[n_users:].any()
    assert not other.item_factors[n_items:].any()


# ---------------------------------------------------------------------------------------------
# 9. Duplicates


@given(cases(), st.randoms(use_true_random=False))
def test_09_repeated_cells_are_their_sum_in_any_order(case, random):
    cells = case.matrix.tocoo()
    rows, cols = cells.coords
    parts = [
        (u, i, r / 4) for u, i, r in zip(rows, cols, cells.data, strict=True) for _ in range(4)
    ]
    random.shuffle(parts)  # quarters of halves and whole stars add up exactly, in any order
    u, i, r = (np.array(column) for column in zip(*parts, strict=True))
    assert same(case.fit(matrix=sp.coo_array((r, (u, i)), cells.shape)), case.fit())
    indptr = np.append(0, np.cumsum(np.bincount(u, minlength=cells.shape[0])))
    order = np.argsort(u, kind="stable")
    unsummed = sp.csr_array((r[order], i[order], indptr), cells.shape)
    assert same(case.fit(matrix=unsummed), case.fit())
    assert unsummed.nnz == 4 * cells.nnz


ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.sampled_from([1, 2.5, 4, 4.75])),
    min_size=1,
    max_size=25,
)


@given(ROWS, st.sampled_from(["last", "mean"]), st.randoms(use_true_random=False), st.booleans())
def test_09_a_file_with_repeated_pairs_is_the_file_merged_by_hand_in_any_order_of_rows(
    rows, policy, random, timed
):
    """From the file on: ids, matrix and fit are those of the merged file, to the bit."""
    assume(timed or policy == "mean")  # without times the last is the last in the file
    by_hand: dict[tuple[int, int], list[float]] = {}
    for user, item, rating in rows:
        by_hand.setdefault((user, item), []).append(rating)
    merged = {p: r[-1] if policy == "last" else sum(r) / len(r) for p, r in by_hand.items()}
    lines = [f"u{u},i{i},{r}" + f",{10**9 + n}" * timed for n, (u, i, r) in enumerate(rows)]
    random.shuffle(lines)
    header = "user,item,rating" + ",time" * timed
    kept = "\n".join(f"u{u},i{i},{r!r}" for (u, i), r in merged.items())
    found, expected = (
        read_ratings("\n".join(parts).encode(), duplicates=policy).interactions()
        for parts in ((header, *lines), ("user,item,rating", kept))
    )
    assert found.users.equals(expected.users)
    assert found.items.equals(expected.items)
    np.testing.assert_array_equal(found.matrix.toarray(), expected.matrix.toarray())
    fits = [factorize(d.matrix, rank=1, lam=0.1, sweeps=2) for d in (found, expected)]
    assert same(*fits)


# ---------------------------------------------------------------------------------------------
# 10. Refusals


def copies(matrix) -> list[np.ndarray]:
    parts = (matrix.data, *matrix.coords) if matrix.format == "coo" else (
        matrix.data, matrix.indices, matrix.indptr,
    )  # fmt: skip
    return [np.array(part) for part in parts]


@given(
    cases(), st.sampled_from(["csr", "csc", "coo"]),
    st.sampled_from([np.nan, np.inf, -np.inf]), st.integers(0, 999),
)  # fmt: skip
def test_10_what_is_not_finite_is_refused_with_its_place_before_any_work(case, form, bad, place):
    cells = case.matrix.tocoo()
    at = place % cells.nnz
    cells.data[at] = bad
    matrix = cells.asformat(form)
    before = copies(matrix)
    calls = []
    with pytest.raises(BadRatingsError) as error:
        case.fit(matrix=matrix, on_sweep=lambda *step: calls.append(step))
    row, column = (int(c[at]) for c in cells.coords)
    assert f"1 ratings are not finite, the first at row {row}, column {column}" in str(error.value)
    assert calls == []
    assert np.array_equal(before[0], copies(matrix)[0], equal_nan=True)
    assert all(map(np.array_equal, before[1:], copies(matrix)[1:]))


@given(cases(), st.sampled_from([bool, complex]))
def test_10_types_that_are_no_ratings_are_refused(case, kind):
    with pytest.raises(BadRatingsError, match=f"type {np.dtype(kind)}"):
        case.fit(matrix=case.matrix.astype(kind))


@given(cases([k for k in KINDS if k.confidence == "values"]), st.sampled_from([0.0, -1.0]))
def test_10_confidences_of_zero_or_less_are_refused(case, bad):
    matrix = case.matrix.copy()
    matrix.data[0] = bad
    with pytest.raises(BadRatingsError, match=r"1 interactions have a confidence of zero or less"):
        case.fit(matrix=matrix)


@given(cases(), st.sampled_from(["csr", "csc", "coo"]))
def test_10_inputs_are_never_changed(case, form):
    matrix, start = case.matrix.asformat(form), case.start()
    before = [*copies(matrix), start.user_factors.copy(), start.item_factors.copy()]
    case.fit(matrix=matrix, start=start)
    after = [*copies(matrix), start.user_factors, start.item_factors]
    assert all(map(np.array_equal, before, after))


# ---------------------------------------------------------------------------------------------
# 11. The same numbers again

AGAIN = """
import hashlib, numpy as np, scipy.sparse as sp
from transrec_core.factors import factorize
random = np.random.default_rng(0)
matrix = sp.csr_array((random.random((12, 9)) < 0.4) * random.integers(1, 6, (12, 9)))
digest = hashlib.sha256()
for feedback in ("ratings", "implicit"):
    for model in ("als", "nmf"):
        for dtype in (np.float32, np.float64):
            fit = factorize(matrix, rank=3, lam=0.1, feedback=feedback, model=model, dtype=dtype)
            for part in (fit.user_factors, fit.item_factors, np.array(fit.objective)):
                digest.update(part.tobytes())
print(digest.hexdigest())
"""


def test_11_the_same_seed_is_bit_equal_across_processes_and_hash_seeds(monkeypatch):
    runs = []
    for hash_seed in ("0", "1"):
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        runs.append(
            subprocess.Popen([sys.executable, "-c", AGAIN], stdout=subprocess.PIPE, text=True)
        )
    found = [run.communicate()[0].strip() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert len(found[0]) == 64
    assert found[0] == found[1]


@given(cases())
def test_11_the_same_seed_is_bit_equal_in_one_process(case):
    assert same(case.fit(), case.fit())


@given(cases())
def test_11_one_thread_and_two_agree_to_1e_10_and_list_the_same_items(case):
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("this machine has one processor")
    fit = case.fit(sweeps=1)
    try:
        numba.set_num_threads(2)
        other = case.fit(sweeps=1)
    finally:
        numba.set_num_threads(1)
    np.testing.assert_allclose(other.user_factors, fit.user_factors, rtol=0, atol=1e-10)
    np.testing.assert_allclose(other.item_factors, fit.item_factors, rtol=0, atol=1e-10)
    np.testing.assert_allclose(other.objective, fit.objective, rtol=1e-12)
    scores = predictions(fit)
    gaps = np.diff(np.sort(scores, axis=1), axis=1)
    clear = (gaps > 1e-8).all(axis=1)
    one, two = top_items(scores, 3)[clear], top_items(predictions(other), 3)[clear]
    assert np.array_equal(one, two)


WHOLE = """
import hashlib, json, sys
sys.path.insert(0, TESTS)
from worlds import checkerboard, ratings_of
import transrec_core as tr
pair = checkerboard(users=60, items=20, overlap=50)
settings = tr.Settings(rank=3, lam=0.02, shots=(0, 2), min_target=6, feedback="auto")
done = tr.run(ratings_of(pair.source, "s"), ratings_of(pair.target, "t"), settings)
lists = tr.recommend_for(done.fit, sorted(pair.source.users), chosen=done.chosen, top=5)
json.dump(
    {
        "lists": lists.drop(columns="score").to_csv(),
        "scores": lists["score"].tolist(),
        "chosen": {name: str(chosen) for name, chosen in done.comparison.chosen.items()},
        "shots": [shot.to_json() for shot in done.comparison.headline.shots],
    },
    sys.stdout,
)
"""


def test_11_a_whole_run_is_the_same_with_other_threads_and_another_hash_seed():
    """Of kernels and of BLAS: the same lists, choices and evidence; ties are ties in both."""
    script = WHOLE.replace("TESTS", repr(str(Path(__file__).parents[2])))
    runs = []
    for number in ("1", "2"):
        threads = dict.fromkeys(
            ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), number
        )
        runs.append(
            subprocess.Popen(
                [sys.executable, "-c", script],
                stdout=subprocess.PIPE,
                env={**os.environ, **threads, "PYTHONHASHSEED": number},
            )
        )
    one, two = (json.loads(run.communicate()[0]) for run in runs)
    np.testing.assert_allclose(two.pop("scores"), one.pop("scores"), rtol=1e-5, atol=1e-6)
    assert one["lists"].count("\n") == 1 + 5 * 60
    assert two == one


# ---------------------------------------------------------------------------------------------
# 12. Precision


@given(cases(lams=(0.1, 1.0)))
def test_12_single_precision_is_within_1e_4_of_double(case):
    start = case.start()
    wide = case.fit(start=start)
    narrow = case.fit(start=start, dtype=np.float32)
    assert narrow.user_factors.dtype == np.float32
    scale = max(1.0, np.abs(predictions(wide)).max(), np.abs(case.matrix.data).max())
    np.testing.assert_allclose(predictions(narrow), predictions(wide), atol=1e-4 * scale)
    J = Book.of(case, wide).value(start.user_factors, start.item_factors)
    np.testing.assert_allclose(narrow.objective, wide.objective, rtol=1e-4, atol=1e-6 * J)


@given(cases([KINDS[0]], lams=(0.1, 1.0)), st.sampled_from([1e4, -1e6, 1e8]))
def test_12_large_means_do_not_cancel(case, mean):
    high = case.matrix.copy()
    high.data += mean
    start = case.start()
    plain = predictions(case.fit(start=start))
    moved = predictions(case.fit(matrix=high, start=start, dtype=np.float32)) - mean
    np.testing.assert_allclose(moved, plain, atol=1e-4 * max(1, np.abs(plain).max()))


# ---------------------------------------------------------------------------------------------
# 13. Fold-in


def prior_of(case: Case, fit: Factors) -> Prior:
    random = np.random.default_rng(case.seed + 1)
    factors = random.normal(size=fit.user_factors.shape)
    factors = np.abs(factors) if fit.nonnegative else factors
    return Prior(factors, None if fit.biases is None else random.normal(size=len(factors)))


@given(cases())
def test_13_a_training_user_folds_in_to_the_row_of_a_half_step(case):
    fit = case.fit(start=case.start())
    placed = fold_in(fit, case.matrix)
    if fit.biases is not None:
        # The user's bias is read off the ratings and the items' biases, as in the last round.
        np.testing.assert_allclose(placed.bias, fit.biases.user, atol=1e-12)
    wanted = Book.of(case, fit).best_users(fit.item_factors)
    atol = 1e-4 if fit.nonnegative else 1e-8
    np.testing.assert_allclose(placed.factors, wanted, atol=atol * (1 + np.abs(wanted).max()))


@given(cases(), st.sampled_from([0.01, 1.0, 100.0]))
def test_13_a_user_without_ratings_is_the_prior(case, strength):
    fit = case.fit(start=case.start())
    prior = prior_of(case, fit)
    placed = fold_in(fit, case.matrix, prior, strength)
    empty = np.diff(case.matrix.indptr) == 0
    assert np.array_equal(placed.factors[empty], prior.factors[empty])
    assert not fold_in(fit, case.matrix).factors[empty].any()
    nobody = fold_in(fit, sp.csr_array(case.matrix.shape), prior, strength)
    assert np.array_equal(nobody.factors, prior.factors)
    if prior.bias is not None:
        np.testing.assert_allclose(nobody.bias, prior.bias, rtol=1e-14)


@given(cases(), st.sampled_from([0.1, 1.0]))
def test_13_where_a_user_is_placed_does_not_depend_on_who_else_is(case, strength):
    fit = case.fit(start=case.start())
    for prior in (None, prior_of(case, fit)):
        together = fold_in(fit, case.matrix, prior, strength)
        for user in range(case.matrix.shape[0]):
            own = None if prior is None else prior[np.array([user])]
            alone = fold_in(fit, sp.csr_array(case.matrix[[user]]), own, strength)
            np.testing.assert_allclose(alone.factors[0], together.factors[user], atol=1e-10)
            if together.bias is not None:
                assert alone.bias[0] == together.bias[user]


# ---------------------------------------------------------------------------------------------
# 14. Transfer


@given(cases())
def test_14_an_infinitely_strong_prior_pins(case):
    fit = case.fit(start=case.start())
    prior = prior_of(case, fit)
    if case.kind.feedback == "implicit" and case.alpha0 == 0:
        return
    placed = fold_in(fit, case.matrix, prior, 1e12)
    np.testing.assert_allclose(placed.factors, prior.factors, atol=1e-6)


@given(cases(lams=(0.1, 1.0)))
def test_14_a_stronger_prior_never_leaves_a_user_farther_from_it(case):
    """In the metric that the prior's precision itself defines: of predictions, for implicit."""
    fit = case.fit(start=case.start())
    prior = prior_of(case, fit)
    V = fit.item_factors
    metric = np.eye(case.rank)
    if case.kind.feedback == "implicit":
        empty = float(fit.spec.weights(np.zeros(1, np.int64), len(V))[0])
        metric = case.alpha0 * V.T @ V + 2 * case.lam * empty * np.eye(case.rank)
    distances = []
    for tau in (0.01, 0.1, 1.0, 10.0, 1000.0):
        gap = fold_in(fit, case.matrix, prior, tau).factors - prior.factors
        distances.append(np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", gap, metric, gap), 0)))
    assert (np.diff(distances, axis=0) <= 1e-4).all()


@cache
def transfer(
    feedback: str, model: str, overlap: int | None = None
) -> tuple[DomainPair, TransferFit]:
    pair = checkerboard(users=40, items=12, overlap=overlap)
    return pair, fit_transfer(pair, FitSpec(feedback, model, 3, 0.05, 0.2, 1.0, 0))


@given(
    st.sampled_from(["ratings", "implicit"]), st.sampled_from(["als", "nmf"]),
    st.lists(st.integers(0, 39), min_size=1, max_size=10), st.booleans(),
)  # fmt: skip
def test_14_no_weight_on_the_source_is_bit_equal_to_target_only(feedback, model, users, empty):
    pair, fit = transfer(feedback, model)
    alone = replace(fit, strength={0: 0.0}, mean_strength={0: 0.0})
    rows = pair.target_rows[users]
    matrix = sp.csr_array(pair.target.matrix[rows])
    if empty:
        matrix = sp.csr_array(matrix.shape, dtype=np.float32)
    mapped = alone.place(matrix, pair.source_rows[users])
    plain = alone.place(matrix)
    bare = fold_in(fit.target, matrix)
    for placed in (plain, bare):
        assert np.array_equal(mapped.factors, placed.factors)
        assert (mapped.bias is None) == (placed.bias is None)
        assert mapped.bias is None or np.array_equal(mapped.bias, placed.bias)


@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("feedback", ["ratings", "implicit"])
@pytest.mark.parametrize("model", ["als", "nmf"])
def test_14_without_overlap_there_is_no_map_and_nobody_is_mapped_in_silence(
    feedback, model, overlap
):
    pair, fit = transfer(feedback, model, overlap)
    assert len(pair.shared) == overlap
    assert fit.knowledge is None
    with pytest.raises(AssertionError, match="knows nothing"):
        fit.place(pair.target.matrix, np.zeros(len(pair.target.users), np.int64))
    assert np.isfinite(fit.place(pair.target.matrix).factors).all()


# ---------------------------------------------------------------------------------------------
# 15. Leakage


def timed(domain: Interactions, name: str) -> Ratings:
    """Ratings with a time of their own each, so that what is held out of a user is the latest."""
    frame = ratings_of(domain, name).frame
    order = np.random.default_rng(0).permutation(len(frame))
    return Ratings(frame.assign(timestamp=1e9 + order), ImportReport(name, True, len(frame)), name)


@pytest.mark.parametrize(
    ("model", "method", "garbage", "methods"),
    [("als", "auto", 1e6, 8), ("nmf", "content", 0.0, 5)],
)
def test_15_garbage_in_what_is_held_out_of_some_changes_no_number_of_the_others(
    model, method, garbage, methods
):
    """Other items and absurd ratings: no fit, mean, choice or measurement of anybody else moves."""
    pair = checkerboard(users=120)
    source, target = timed(pair.source, "s"), timed(pair.target, "t")
    items = {
        f"{side}_items": items_of(frame)
        for side, frame in zip(
            ("source", "target"), (texts_of(pair).source, texts_of(pair).target), strict=True
        )
    }
    asked = Settings(model=model, method=method, rank=4, lam=0.02, shots=(0, 1, 5), budget=600)
    clean = compare(source, target, asked, **items)
    tested = np.sort(clean.headline.per_user["user_id"].unique())
    spoiled, others = tested[::2], tested[1::2]
    frame, random = target.frame.copy(), np.random.default_rng(1)
    for user in spoiled:
        rows = frame.index[frame["user_id"] == user]
        rows = rows[np.argsort(frame.loc[rows, "timestamp"])]
        shown, held = rows[:5], rows[5:]
        left = np.setdiff1d(pair.target.items, frame.loc[shown, "item_id"])
        frame.loc[held, "item_id"] = random.choice(left, len(held), replace=False)
        frame.loc[held, "rating"] = garbage
    dirty = compare(source, replace(target, frame=frame), asked, **items)
    assert dirty.chosen == clean.chosen
    for before, after in ((clean.ranking, dirty.ranking), (clean.ratings, dirty.ratings)):
        measured, again = (e.per_user.set_index("user_id") for e in (before, after))
        assert len(set(measured["method"])) >= methods
        pd.testing.assert_frame_equal(again.loc[others], measured.loc[others], check_exact=True)
        # And what was spoiled is what those users are measured on.
        assert not again.loc[spoiled].equals(measured.loc[spoiled])


# ---------------------------------------------------------------------------------------------
# 16. Lists and metrics


@given(matrices(), matrices(), st.integers(1, 9), st.integers(0, 999))
def test_16_lists_of_unseen_items_and_their_ndcg_equal_slow_references(seen, truth, n, seed):
    users, items = min(seen.shape[0], truth.shape[0]), min(seen.shape[1], truth.shape[1])
    seen, truth = sp.csr_array(seen[:users, :items]), sp.csr_array(truth[:users, :items])
    scores = np.random.default_rng(seed).integers(0, 3, (users, items)).astype(float)
    best = top_items(scores, n, seen)
    found = ndcg(best, truth)
    assert best.shape == (users, min(n, items))
    for user in range(users):
        known = set(seen[[user]].indices.tolist())
        relevant = set(truth[[user]].indices.tolist())
        unseen = [i for i in range(items) if i not in known]
        expected = sorted(unseen, key=lambda i: (-scores[user, i], i))[:n]
        listed = [int(i) for i in best[user] if i >= 0]
        assert listed == expected
        if not relevant:
            assert np.isnan(found[user])
            continue
        gain = sum(1 / np.log2(place + 2) for place, i in enumerate(listed) if i in relevant)
        ideal = sum(1 / np.log2(place + 2) for place in range(min(len(relevant), best.shape[1])))
        assert found[user] == pytest.approx(gain / ideal)
        assert 0 <= found[user] <= 1 + 1e-12


@given(matrices(SIGNED), st.integers(0, 999))
def test_16_rmse_equals_a_slow_reference(truth, seed):
    guesses = np.random.default_rng(seed).normal(size=truth.nnz)
    found = rmse(guesses, truth)
    for user in range(truth.shape[0]):
        cells = range(truth.indptr[user], truth.indptr[user + 1])
        if not cells:
            assert np.isnan(found[user])
            continue
        squares = [(float(guesses[c]) - float(truth.data[c])) ** 2 for c in cells]
        assert found[user] == pytest.approx((sum(squares) / len(squares)) ** 0.5)


@given(cases(), st.integers(1, 5))
def test_16_scores_in_chunks_are_the_predictions_one_by_one(case, chunk):
    fit = case.fit(start=case.start())
    bias = None if fit.biases is None else fit.biases.user
    parts = []
    for first in range(0, case.matrix.shape[0], chunk):
        rows = slice(first, first + chunk)
        parts.append(fit.scores(fit.user_factors[rows], None if bias is None else bias[rows]))
    scale = 1 + np.abs(fit.predict([0], [0])[0])
    np.testing.assert_allclose(np.vstack(parts), predictions(fit), atol=1e-11 * scale, rtol=1e-11)


@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 5), st.integers(0, 999))
def test_16_neighbours_equal_a_slow_reference_whatever_the_chunk(points, queries, chunk, seed):
    random = np.random.default_rng(seed)
    # Small whole coordinates: equal points, and so equal cosines, occur.
    place, asked = (unit_rows(random.integers(-2, 3, (n, 2))) for n in (points, queries))
    found, cosines = nearest(place, asked, 3, chunk=chunk)
    whole, _ = nearest(place, asked, 3)
    assert cosines.shape == found.shape == (queries, min(3, points))
    for query in range(queries):
        exact = np.array([sum(a * b for a, b in zip(p, asked[query], strict=True)) for p in place])
        best = np.sort(exact)[::-1][: found.shape[1]]
        np.testing.assert_allclose(exact[found[query]], best, atol=1e-12)
        np.testing.assert_allclose(cosines[query], best, atol=1e-12)
        np.testing.assert_allclose(exact[whole[query]], best, atol=1e-12)


@pytest.mark.parametrize("feedback", ["ratings", "implicit"])
@pytest.mark.parametrize("model", ["als", "nmf"])
def test_16_recommendations_do_not_depend_on_the_chunk(feedback, model, monkeypatch):
    pair, fit = transfer(feedback, model)
    users = [*pair.target.users, "nobody"]
    whole = recommend_for(fit, users, top=4)
    for cells in (1, 30):
        monkeypatch.setattr(ranking, "CHUNK_CELLS", cells)
        parts = recommend_for(fit, users, top=4)
        np.testing.assert_allclose(parts["score"], whole["score"], rtol=1e-5, atol=1e-6)
        keys = ["user_id", "rank", "method"]
        assert parts[keys].equals(whole[keys])


# ---------------------------------------------------------------------------------------------
# 18. Convergence


@given(cases(), st.sampled_from([1e-1, 1e-2, 1e-3]))
def test_18_the_flag_is_honest_and_stopping_at_t_is_max_iter_t(case, tolerance):
    fit = case.fit(sweeps=6, tolerance=tolerance)
    J, done = fit.objective, len(fit.objective) // 2
    falls = [(J[2 * t - 1] - J[2 * t + 1], J[2 * t - 1]) for t in range(1, done)]
    small = [fall <= tolerance * before for fall, before in falls]
    assert fit.converged == (bool(small) and small[-1])
    assert not any(small[:-1])
    assert done == 6 or fit.converged
    exact = case.fit(sweeps=done, tolerance=tolerance)
    assert same(exact, fit)
    assert exact.converged == fit.converged
    assert exact.gradient == fit.gradient
    if done > 1:
        shorter = case.fit(sweeps=done - 1, tolerance=tolerance)
        assert shorter.objective == J[: 2 * done - 2]
        assert not shorter.converged


@given(cases(), st.integers(1, 3))
def test_18_going_on_from_a_fit_is_one_longer_fit(case, sweeps):
    whole = case.fit(sweeps=sweeps + 1, tolerance=-1)
    assume(whole.objective[-1] > 0)  # at J = 0 a fit stops, whatever the tolerance
    first = case.fit(sweeps=sweeps, tolerance=-1)
    rest = case.fit(sweeps=1, tolerance=-1, start=first)
    assert np.array_equal(rest.user_factors, whole.user_factors)
    assert np.array_equal(rest.item_factors, whole.item_factors)
    assert first.objective + rest.objective == whole.objective


# ---------------------------------------------------------------------------------------------
# Stopping


@given(cases(), st.integers(1, 6))
def test_a_fit_stopped_at_any_half_sweep_leaves_nothing_behind(case, last):
    matrix, start = case.matrix, case.start()
    before = [*copies(matrix), start.user_factors.copy(), start.item_factors.copy()]
    steps, told = [], []
    whole = case.fit(start=start, sweeps=3, on_sweep=lambda *step: steps.append(step))
    last = min(last, len(steps))  # at J = 0 a fit ends earlier

    def stop(*step):
        told.append(step)
        if len(told) == last:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        case.fit(start=start, sweeps=3, on_sweep=stop)
    assert len(told) == last
    after = [*copies(matrix), start.user_factors, start.item_factors]
    assert all(map(np.array_equal, before, after))
    assert same(case.fit(start=start, sweeps=3), whole)


def test_a_run_stopped_at_a_report_leaves_nothing_behind():
    """Every third report is tried as the last; what runs next is the same to the bit."""
    pair = checkerboard(users=40, items=16)
    source, target = ratings_of(pair.source, "s"), ratings_of(pair.target, "t")
    asked = Settings("implicit", method="factor_map", rank=2, lam=0.05, shots=(0, 2), min_target=6)
    before = [source.frame.copy(), target.frame.copy()]
    threads = [pool["num_threads"] for pool in threadpool_info()]

    def lists(done: Run) -> pd.DataFrame:
        return recommend_for(done.fit, sorted(pair.source.users), chosen=done.chosen)

    reports = []
    whole = run(source, target, asked, on_progress=reports.append)
    assert len(reports) > 30
    for last in range(1, len(reports) + 1, 3):
        told = []

        def stop(progress, told=told, last=last):
            told.append(progress)
            if len(told) == last:
                raise Cancelled("Stopped.")

        with pytest.raises(Cancelled):
            run(source, target, asked, on_progress=stop)
        assert len(told) == last
        assert [pool["num_threads"] for pool in threadpool_info()] == threads
    again = run(source, target, asked)
    pd.testing.assert_frame_equal(lists(again), lists(whole), check_exact=True)
    assert again.comparison.headline.shots == whole.comparison.headline.shots
    assert again.chosen == whole.chosen
    for now, then in zip((source.frame, target.frame), before, strict=True):
        pd.testing.assert_frame_equal(now, then)


# ---------------------------------------------------------------------------------------------
# All of them


ELSEWHERE = {17: ("tests/core/persistence/test_saved.py", "bit")}
"""Invariants whose tests stand in another file, and a word of their names."""


def test_every_invariant_has_its_tests():
    """1 to 18 by the numbers in the tests' names, here or in the file that is named for it."""
    here = {int(name[5:7]) for name in globals() if re.match(r"test_\d\d_", name)}
    assert here | set(ELSEWHERE) == set(range(1, 19))
    for file, word in ELSEWHERE.values():
        names = re.findall(r"^def (test_\w+)", (ROOT / file).read_text(), re.MULTILINE)
        assert any(word in name for name in names)


def test_every_kind_of_matrix_and_objective_is_drawn():
    """The strategy is not vacuous: what the names above promise does occur."""
    seen: set[str] = set()

    @settings(max_examples=scale(500), database=None, derandomize=True)
    @given(cases())
    def look(case):
        matrix = case.matrix
        columns = np.bincount(matrix.indices, minlength=matrix.shape[1])
        marks = {
            "one user": matrix.shape[0] == 1,
            "one item": matrix.shape[1] == 1,
            "one rating": matrix.nnz == 1,
            "constant": matrix.nnz > 1 and np.ptp(matrix.data) == 0,
            "stored zero": (matrix.data == 0).any(),
            "negative": (matrix.data < 0).any(),
            "empty row": (np.diff(matrix.indptr) == 0).any(),
            "empty column": (columns == 0).any(),
            "row shorter than the rank": (np.diff(matrix.indptr) < case.rank).any(),
            "row longer than the rank": (np.diff(matrix.indptr) > case.rank).any(),
            str((case.kind, case.nu)): True,
        }
        seen.update(name for name, there in marks.items() if there)

    look()
    assert len(seen) == 10 + len(KINDS) * len(EXPONENTS)
    assert {Explicit, Implicit} == {
        type(Case(k, sparse((1, 1), [0], [1.0]), 1, 0.1, 0, 0.1, 0).fit().spec) for k in KINDS
    }
