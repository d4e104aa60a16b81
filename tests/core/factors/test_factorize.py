"""The factorization against its own mathematics: optimality, references, invariances."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.linear_model import Ridge

from transrec_core.errors import BadRatingsError, BadSettingError, Cancelled, RankTooLargeError
from transrec_core.factors import (
    Explicit,
    Implicit,
    factorize,
    factorize_grid,
    fit_biases,
    objective_value,
)
from transrec_core.factors.kernels import solve_rows
from transrec_core.factors.solver import half_sweep

KINDS = [(feedback, model) for feedback in ("ratings", "implicit") for model in ("als", "nmf")]


def random_matrix(
    seed: int, users: int = 23, items: int = 17, density: float = 0.3
) -> sp.csr_array:
    random = np.random.default_rng(seed)
    matrix = sp.random_array((users, items), density=density, rng=random, format="csr")
    matrix.data = random.integers(1, 6, matrix.nnz).astype(np.float32)
    return sp.csr_array(matrix)


def slow_objective(fit, matrix: sp.csr_array, alpha0: float, nu: float) -> float:
    """J by the book, cell after cell, sharing nothing with the library."""
    U, V = fit.user_factors.astype(float), fit.item_factors.astype(float)
    cells = matrix.tocoo()
    total = 0.0
    for u, i, r in zip(*cells.coords, cells.data, strict=True):
        wanted = 1.0 if fit.feedback == "implicit" else float(r) - fit.shift
        weight = float(r) if getattr(fit.spec, "confidence", "") == "values" else 1.0
        if fit.biases is not None:
            wanted -= fit.biases.mean + fit.biases.user[u] + fit.biases.item[i]
        total += 0.5 * weight * (wanted - U[u] @ V[i]) ** 2
    if fit.feedback == "implicit":
        for u in range(len(U)):
            for i in range(len(V)):
                total += 0.5 * alpha0 * (U[u] @ V[i]) ** 2
    users = np.bincount(cells.coords[0], minlength=len(U))
    items = np.bincount(cells.coords[1], minlength=len(V))
    if fit.feedback == "implicit":
        users, items = users + alpha0 * len(V), items + alpha0 * len(U)
    for factors, counts in ((U, users), (V, items)):
        for row, count in zip(factors, counts, strict=True):
            weight = (count if fit.feedback == "implicit" else max(count, 1)) ** nu
            total += fit.lam * weight * float(row @ row)
    return total


@pytest.mark.parametrize(("feedback", "model"), KINDS)
@pytest.mark.parametrize("nu", [0.0, 0.5, 1.0])
def test_objective_agrees_with_the_book_and_never_rises(feedback, model, nu):
    matrix = random_matrix(1)
    fit = factorize(
        matrix,
        rank=4,
        lam=0.3,
        feedback=feedback,
        model=model,
        alpha0=0.2,
        regularization_exponent=nu,
        sweeps=12,
        tolerance=0,
        dtype=np.float64,
    )
    assert fit.objective[-1] == pytest.approx(slow_objective(fit, matrix, 0.2, nu), rel=1e-9)
    assert len(fit.objective) == 24
    for before, after in zip(fit.objective, fit.objective[1:], strict=False):
        assert after <= before * (1 + 1e-12)


@pytest.mark.parametrize(
    ("feedback", "confidence"),
    [("ratings", "equal"), ("implicit", "equal"), ("implicit", "values")],
)
@pytest.mark.parametrize("model", ["als", "nmf"])
@pytest.mark.parametrize("rank", [4, 11])
def test_steps_never_raise_j_and_end_where_exact_rows_end(feedback, confidence, model, rank):
    matrix = random_matrix(1)
    fits = {
        rows: factorize(
            matrix,
            rank=rank,
            lam=0.4,
            feedback=feedback,
            model=model,
            alpha0=0.2,
            confidence=confidence,
            regularization_exponent=0.5,
            rows=rows,
            sweeps=80,
            tolerance=0,
            dtype=np.float64,
        )
        for rows in ("exact", "steps")
    }
    steps = fits["steps"]
    by_the_book = slow_objective(steps, matrix, 0.2, 0.5)
    assert steps.objective[-1] == pytest.approx(by_the_book, rel=1e-9)
    for before, after in zip(steps.objective, steps.objective[1:], strict=False):
        assert after <= before * (1 + 1e-12)
    assert steps.objective[0] >= fits["exact"].objective[0] * (1 - 1e-12)
    # J is not convex: from the same start the two may end at neighbouring minima.
    assert steps.objective[-1] == pytest.approx(fits["exact"].objective[-1], rel=0.01)
    assert steps.gradient < 1e-2


def test_as_many_steps_as_factors_are_the_exact_solution():
    matrix = random_matrix(4)
    random = np.random.default_rng(0)
    V = random.normal(size=(matrix.shape[1], 5))
    U = random.normal(size=(matrix.shape[0], 5))
    for spec in (Explicit(0.4, 1.0), Implicit(0.4, 0.3), Implicit(0.4, 0.3, 0.0, "values")):
        exact, error = half_sweep(matrix, V, U, spec, False)
        steps, same = half_sweep(matrix, V, U, spec, False, steps=5)
        np.testing.assert_allclose(steps, exact, rtol=1e-6, atol=1e-8)
        assert same == pytest.approx(error, rel=1e-9)
        fewer, _ = half_sweep(matrix, V, U, spec, False, steps=2)
        assert not np.allclose(fewer, exact, rtol=1e-2)


def test_rows_are_exact_or_steps():
    with pytest.raises(BadSettingError, match="exact or steps"):
        factorize(random_matrix(1), rank=2, lam=0.1, rows="lu")


@pytest.mark.parametrize("feedback", ["ratings", "implicit"])
@pytest.mark.parametrize("model", ["als", "nmf"])
def test_gradient_of_the_side_solved_last_is_zero_or_points_outwards(feedback, model):
    matrix = random_matrix(2)
    fit = factorize(
        matrix,
        rank=3,
        lam=0.2,
        feedback=feedback,
        model=model,
        biases=False,
        alpha0=0.3,
        sweeps=5,
        tolerance=0,
        dtype=np.float64,
    )
    values = (
        matrix
        if feedback == "ratings"
        else sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), matrix.shape)
    )
    V = fit.item_factors
    step = 1e-5
    for i in (0, 5, 16):
        for f in range(3):
            moved = []
            for sign in (1, -1):
                other = V.copy()
                other[i, f] += sign * step
                moved.append(objective_value(values, fit.user_factors, other, fit.spec))
            slope = (moved[0] - moved[1]) / (2 * step)
            if model == "nmf" and V[i, f] == 0:
                assert slope >= -1e-4
            else:
                assert slope == pytest.approx(0, abs=1e-3)


def test_a_half_sweep_is_ridge_regression_with_twice_lambda():
    matrix = random_matrix(3)
    fit = factorize(matrix, rank=3, lam=0.7, biases=False, sweeps=3, tolerance=0, dtype=np.float64)
    by_item = matrix.T.tocsr()
    for item in range(matrix.shape[1]):
        users = by_item.indices[by_item.indptr[item] : by_item.indptr[item + 1]]
        ratings = by_item.data[by_item.indptr[item] : by_item.indptr[item + 1]]
        ridge = Ridge(alpha=2 * 0.7, fit_intercept=False).fit(fit.user_factors[users], ratings)
        np.testing.assert_allclose(fit.item_factors[item], ridge.coef_, atol=1e-8)


def test_a_non_negative_row_is_scipys_nnls():
    random = np.random.default_rng(4)
    V = np.abs(random.normal(size=(40, 6)))
    y = random.normal(size=40)
    matrix = sp.csr_array(y[None, :])
    row, _ = solve_rows(
        matrix.indptr.astype(np.int32),
        matrix.indices.astype(np.int32),
        matrix.data,
        V,
        gram=np.zeros((6, 6)),
        ridge=np.array([0.5]),
        nonnegative=True,
    )
    stacked = np.vstack([V, np.sqrt(0.5) * np.eye(6)])
    expected, _ = nnls(stacked, np.concatenate([y, np.zeros(6)]))
    np.testing.assert_allclose(row[0], expected, atol=1e-5)


@pytest.mark.parametrize("cells", [0, 3, 40])
def test_a_non_negative_row_with_a_shared_gram_and_a_prior_is_scipys_nnls(cells):
    random = np.random.default_rng(cells)
    V = np.abs(random.normal(size=(40, 6)))
    y = random.normal(size=40)
    prior = random.normal(size=6)
    gram = 0.3 * V.T @ V
    row, _ = solve_rows(
        np.array([0, cells], np.int32),
        np.arange(cells, dtype=np.int32),
        y[:cells],
        V,
        gram=gram,
        ridge=np.array([0.5]),
        rhs=prior[None, :],
        nonnegative=True,
    )
    A = V[:cells].T @ V[:cells] + gram + 0.5 * np.eye(6)
    root = np.linalg.cholesky(A).T
    expected, _ = nnls(root, np.linalg.solve(root.T, V[:cells].T @ y[:cells] + prior))
    np.testing.assert_allclose(row[0], expected, atol=1e-9)


@given(st.integers(0, 10_000), st.sampled_from(KINDS))
def test_no_random_direction_lowers_a_converged_half_sweep(seed, kind):
    feedback, model = kind
    matrix = random_matrix(seed, 9, 7, 0.4)
    if matrix.nnz == 0:
        return
    fit = factorize(
        matrix,
        rank=2,
        lam=0.1,
        feedback=feedback,
        model=model,
        biases=False,
        sweeps=2,
        tolerance=0,
        dtype=np.float64,
    )
    values = (matrix.data - fit.shift) if feedback == "ratings" else np.ones(matrix.nnz)
    wanted = sp.csr_array((values, matrix.indices, matrix.indptr), matrix.shape)
    best = objective_value(wanted, fit.user_factors, fit.item_factors, fit.spec)
    random = np.random.default_rng(seed)
    for _ in range(5):
        other = fit.item_factors + 1e-3 * random.normal(size=fit.item_factors.shape)
        if model == "nmf":
            other = np.maximum(other, 0)
        assert objective_value(wanted, fit.user_factors, other, fit.spec) >= best * (1 - 1e-9)


def test_exact_low_rank_ratings_are_recovered_as_lambda_vanishes():
    random = np.random.default_rng(5)
    full = random.normal(size=(60, 3)) @ random.normal(size=(3, 40))
    observed = random.random(full.shape) < 0.7
    rows, cols = np.nonzero(observed)
    matrix = sp.csr_array((full[observed], (rows, cols)), shape=full.shape)
    fit = factorize(
        matrix, rank=3, lam=1e-6, biases=False, sweeps=300, tolerance=0, dtype=np.float64, seed=1
    )
    hidden = ~observed
    predicted = fit.user_factors @ fit.item_factors.T
    assert np.abs(predicted - full)[hidden].mean() < 1e-2 * np.abs(full).mean()


def test_a_huge_lambda_leaves_the_mean_and_biases():
    matrix = random_matrix(6)
    fit = factorize(matrix, rank=4, lam=1e9)
    assert np.abs(fit.user_factors).max() < 1e-6
    rows, cols = np.nonzero(np.ones(matrix.shape))
    expected = fit.biases.mean + fit.biases.user[rows] + fit.biases.item[cols]
    np.testing.assert_allclose(fit.predict(rows, cols), expected, atol=1e-5)


@pytest.mark.parametrize(("feedback", "model"), KINDS)
def test_lambda_zero_with_more_factors_than_ratings_stays_finite(feedback, model):
    matrix = random_matrix(7, 8, 6, 0.2)
    fit = factorize(matrix, rank=6, lam=0.0, feedback=feedback, model=model, sweeps=5)
    assert np.isfinite(fit.user_factors).all()
    assert np.isfinite(fit.item_factors).all()
    assert np.isfinite(fit.objective).all()


@pytest.mark.parametrize(("feedback", "model"), KINDS)
def test_one_rating_is_enough(feedback, model):
    matrix = sp.csr_array(np.array([[4.0]], np.float32))
    fit = factorize(matrix, rank=1, lam=0.1, feedback=feedback, model=model)
    assert np.isfinite(fit.predict([0], [0])).all()


def test_an_empty_row_changes_no_other_row():
    matrix = random_matrix(8)
    padded = sp.csr_array(
        (matrix.data, matrix.indices, np.append(matrix.indptr, matrix.indptr[-1])),
        (matrix.shape[0] + 1, matrix.shape[1]),
    )
    start = factorize(matrix, rank=3, lam=0.5, sweeps=1)
    items = start.item_factors
    one, _ = solve_rows(
        matrix.indptr.astype(np.int32),
        matrix.indices.astype(np.int32),
        matrix.data,
        items,
        gram=np.zeros((3, 3)),
        ridge=np.ones(matrix.shape[0]),
    )
    other, _ = solve_rows(
        padded.indptr.astype(np.int32),
        padded.indices.astype(np.int32),
        padded.data,
        items,
        gram=np.zeros((3, 3)),
        ridge=np.ones(padded.shape[0]),
    )
    assert np.array_equal(one, other[:-1])
    assert not other[-1].any()


def test_a_stored_zero_is_a_rating_of_zero_and_a_missing_cell_is_not():
    dense = np.array([[5.0, 0.0], [4.0, 1.0], [5.0, 0.0]])
    stored = sp.csr_array((dense.ravel(), np.tile([0, 1], 3), [0, 2, 4, 6]), shape=(3, 2))
    missing = sp.csr_array(dense)
    with_zero = factorize(stored, rank=1, lam=0.1, biases=False)
    without = factorize(missing, rank=1, lam=0.1, biases=False)
    assert with_zero.predict([0], [1])[0] < 0.5 * without.predict([0], [1])[0]


def test_scaling_ratings_and_lambda_scales_predictions():
    matrix = random_matrix(9)
    scaled = sp.csr_array((matrix.data * 4, matrix.indices, matrix.indptr), matrix.shape)
    one = factorize(matrix, rank=2, lam=0.3, biases=False, sweeps=400, tolerance=0, dtype=float)
    # Factors scale by 2 each, so the start must too for the same path.
    start = factorize(matrix, rank=2, lam=0.3, biases=False, sweeps=1, tolerance=0, dtype=float)
    object.__setattr__(start, "item_factors", start.item_factors * 2)
    two = factorize(
        scaled, rank=2, lam=4 * 0.3, biases=False, sweeps=400, tolerance=0, dtype=float, start=start
    )
    np.testing.assert_allclose(
        two.user_factors @ two.item_factors.T,
        4 * (one.user_factors @ one.item_factors.T),
        atol=2e-2,
    )


def test_relabelling_users_and_items_permutes_the_result():
    matrix = random_matrix(10)
    random = np.random.default_rng(0)
    rows, cols = random.permutation(matrix.shape[0]), random.permutation(matrix.shape[1])
    start = factorize(matrix, rank=3, lam=0.3, sweeps=1, dtype=np.float64)
    fit = factorize(matrix, rank=3, lam=0.3, sweeps=4, tolerance=0, start=start, dtype=np.float64)
    object.__setattr__(start, "user_factors", start.user_factors[rows])
    object.__setattr__(start, "item_factors", start.item_factors[cols])
    other = factorize(
        matrix[rows][:, cols], rank=3, lam=0.3, sweeps=4, tolerance=0, start=start, dtype=np.float64
    )
    np.testing.assert_allclose(other.user_factors, fit.user_factors[rows], atol=1e-9)
    np.testing.assert_allclose(other.item_factors, fit.item_factors[cols], atol=1e-9)


def test_same_seed_same_bits_and_single_precision_is_close_to_double():
    matrix = random_matrix(11, 60, 40)
    one = factorize(matrix, rank=5, lam=0.2, sweeps=6, tolerance=0)
    two = factorize(matrix, rank=5, lam=0.2, sweeps=6, tolerance=0)
    wide = factorize(matrix, rank=5, lam=0.2, sweeps=6, tolerance=0, dtype=np.float64)
    assert np.array_equal(one.user_factors, two.user_factors)
    assert one.objective[-1] == pytest.approx(wide.objective[-1], rel=1e-4)


def test_a_warm_start_continues_and_changes_rank():
    matrix = random_matrix(12, 60, 40)
    cold = factorize(matrix, rank=4, lam=0.2, sweeps=40, tolerance=0)
    warm = factorize(matrix, rank=4, lam=0.2, sweeps=1, tolerance=0, start=cold)
    assert warm.objective[0] <= cold.objective[-1] * (1 + 1e-5)
    assert factorize(matrix, rank=6, lam=0.2, start=cold, sweeps=1).rank == 6
    assert factorize(matrix, rank=2, lam=0.2, start=cold, sweeps=1).rank == 2


def test_convergence_is_told_honestly():
    matrix = random_matrix(13, 60, 40)
    assert not factorize(matrix, rank=4, lam=0.2, sweeps=1).converged
    done = factorize(matrix, rank=4, lam=0.2, sweeps=500, tolerance=1e-6)
    assert done.converged
    assert len(done.objective) < 1000


def test_cancel_stops_between_half_sweeps():
    calls = []

    def on_sweep(half_sweeps: int, value: float) -> None:
        calls.append(half_sweeps)
        if half_sweeps == 3:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        factorize(random_matrix(14), rank=2, lam=0.1, on_sweep=on_sweep, tolerance=0)
    assert calls == [1, 2, 3]


def test_input_is_not_changed():
    matrix = random_matrix(15)
    data, indices = matrix.data.copy(), matrix.indices.copy()
    factorize(matrix, rank=2, lam=0.1)
    assert np.array_equal(matrix.data, data)
    assert np.array_equal(matrix.indices, indices)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"rank": 18}, RankTooLargeError, "23 users × 17 items"),
        ({"rank": 0}, BadSettingError, "at least 1"),
        ({"lam": -1.0}, BadSettingError, "lam is -1.0"),
        ({"lam": float("nan")}, BadSettingError, "lam is nan"),
        ({"feedback": "stars"}, BadSettingError, "stars"),
    ],
)
def test_settings_out_of_range_are_refused_with_the_numbers(change, error, words):
    with pytest.raises(error, match=words):
        factorize(random_matrix(16), **{"rank": 2, "lam": 0.1, **change})


def test_bad_values_are_refused_with_their_place():
    matrix = random_matrix(17)
    matrix.data[5] = np.nan
    row = int(np.searchsorted(matrix.indptr, 5, side="right")) - 1
    with pytest.raises(BadRatingsError, match=f"row {row}, column {matrix.indices[5]}"):
        factorize(matrix, rank=2, lam=0.1)
    with pytest.raises(BadRatingsError, match="no ratings"):
        factorize(sp.csr_array((3, 3)), rank=1, lam=0.1)
    with pytest.raises(BadRatingsError, match="ndarray"):
        factorize(np.ones((3, 3)), rank=1, lam=0.1)
    with pytest.raises(BadRatingsError, match="type bool"):
        factorize(sp.csr_array(np.ones((3, 3), bool)), rank=1, lam=0.1)


def test_a_start_of_another_shape_is_refused():
    start = factorize(random_matrix(18), rank=2, lam=0.1, sweeps=1)
    with pytest.raises(BadSettingError, match="same shape"):
        factorize(random_matrix(18, 20, 17), rank=2, lam=0.1, start=start)


def test_biases_are_the_damped_least_squares():
    matrix = random_matrix(19)
    biases = fit_biases(matrix, damping=5.0)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    design = np.zeros((matrix.nnz, sum(matrix.shape)))
    design[np.arange(matrix.nnz), rows] = 1
    design[np.arange(matrix.nnz), matrix.shape[0] + matrix.indices] = 1
    ridge = Ridge(alpha=5.0, fit_intercept=False).fit(design, matrix.data - matrix.data.mean())
    np.testing.assert_allclose(biases.user, ridge.coef_[: matrix.shape[0]], atol=1e-2)
    np.testing.assert_allclose(biases.item, ridge.coef_[matrix.shape[0] :], atol=1e-2)
    assert biases.mean == pytest.approx(matrix.data.mean())


def test_negative_ratings_are_shifted_for_nmf_and_shifted_back():
    matrix = random_matrix(20)
    shifted = sp.csr_array((matrix.data - 10, matrix.indices, matrix.indptr), matrix.shape)
    fit = factorize(shifted, rank=3, lam=0.01, model="nmf", sweeps=50)
    assert fit.user_factors.min() >= 0
    assert fit.item_factors.min() >= 0
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    assert np.abs(fit.predict(rows, matrix.indices) - shifted.data).mean() < 1.0


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("length", [0, 1, 5, 12, 13, 127, 128, 129, 300])
def test_every_way_to_solve_a_row_gives_the_solution(length, diagonal):
    """Rows shorter than the rank, of a panel, of several: all equal a dense double solve."""
    random = np.random.default_rng(length)
    k = 12
    V = random.normal(size=(300, k))
    y = random.normal(size=length)
    rhs = random.normal(size=(2, k))
    root = random.normal(size=(k, k))
    gram = np.zeros((k, k)) if diagonal else root @ root.T
    columns = np.sort(random.choice(300, length, replace=False)).astype(np.int32)
    found, error = solve_rows(
        np.array([0, length, length], np.int32), columns, y, V,
        gram=gram, ridge=np.array([0.3, 0.7]), rhs=rhs,
    )  # fmt: skip
    S = V[columns]
    expected = np.linalg.solve(S.T @ S + gram + 0.3 * np.eye(k), S.T @ y + rhs[0])
    np.testing.assert_allclose(found[0], expected, atol=1e-9)
    assert error == pytest.approx(((y - S @ expected) ** 2).sum(), rel=1e-8)
    empty = np.linalg.solve(gram + 0.7 * np.eye(k), rhs[1])
    np.testing.assert_allclose(found[1], empty, atol=1e-9)


@pytest.mark.parametrize("model", ["als", "nmf"])
def test_confidence_weights_enter_the_objective_and_the_solution(model):
    matrix = random_matrix(21)
    fit = factorize(
        matrix, rank=4, lam=0.3, feedback="implicit", model=model, alpha0=0.2, confidence="values",
        sweeps=40, tolerance=0, dtype=np.float64,
    )  # fmt: skip
    assert fit.objective[-1] == pytest.approx(slow_objective(fit, matrix, 0.2, 0.0), rel=1e-9)
    assert all(b <= a * (1 + 1e-12) for a, b in zip(fit.objective, fit.objective[1:], strict=False))
    plain = factorize(matrix, rank=4, lam=0.3, feedback="implicit", model=model, dtype=np.float64)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    strong = matrix.data == 5
    lift = fit.predict(rows, matrix.indices) - plain.predict(rows, matrix.indices)
    assert lift[strong].mean() > lift[~strong].mean()


def test_confidence_of_one_changes_nothing_and_zero_is_refused():
    matrix = random_matrix(22)
    ones = sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), matrix.shape)
    equal = factorize(ones, rank=3, lam=0.2, feedback="implicit", dtype=np.float64)
    values = factorize(
        ones, rank=3, lam=0.2, feedback="implicit", confidence="values", dtype=np.float64
    )
    np.testing.assert_allclose(equal.user_factors, values.user_factors, atol=1e-12)
    matrix.data[3] = 0
    with pytest.raises(BadRatingsError, match="1 interactions have a confidence of zero"):
        factorize(matrix, rank=3, lam=0.2, feedback="implicit", confidence="values")


@pytest.mark.parametrize(("feedback", "model"), KINDS)
def test_the_gradient_falls_towards_zero(feedback, model):
    matrix = random_matrix(23, 40, 30)
    short, long = (
        factorize(
            matrix, rank=3, lam=0.5, feedback=feedback, model=model, sweeps=sweeps, tolerance=0,
            dtype=np.float64,
        ).gradient
        for sweeps in (1, 400)
    )  # fmt: skip
    assert 0 <= long < 0.05 * short


def test_a_grid_reuses_fits_and_covers_every_cell():
    matrix = random_matrix(24, 60, 40)
    starts = []

    def fit(rank, lam, start):
        starts.append(None if start is None else (start.rank, start.lam))
        return factorize(matrix, rank=rank, lam=lam, start=start, sweeps=60)

    cells = list(factorize_grid(fit, ranks=(4, 2), lams=(0.1, 1.0)))
    assert [(c.rank, c.lam) for c in cells] == [(2, 1.0), (2, 0.1), (4, 0.1), (4, 1.0)]
    assert starts == [None, (2, 1.0), (2, 0.1), (4, 0.1)]
    for cell in cells:
        cold = factorize(matrix, rank=cell.rank, lam=cell.lam, sweeps=60)
        assert cell.factors.objective[-1] <= 1.1 * cold.objective[-1]


def test_overflow_ends_in_zero_rows_not_in_a_loop():
    """``factorize`` refuses such ratings; the step itself must end all the same."""
    matrix = sp.csr_array(np.full((3, 3), 1e30, np.float32))
    fixed = np.full((3, 2), 1e30, np.float32)
    placed, _ = half_sweep(matrix, fixed, np.ones((3, 2), np.float32), Explicit(0.1), False)
    assert (placed == 0).all()
