"""One contract for every estimator: each check is run on each kind of factorization.

In the spirit of scikit-learn's ``check_estimator``: a table of small functions, each told how to
fit. The last ones hold what has failed in other libraries in the field.
"""

from __future__ import annotations

import dataclasses
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import pytest
import scipy.sparse as sp
from fits import finite, predictions

from transrec_core.errors import (
    BadRatingsError,
    BadSettingError,
    RankTooLargeError,
    TooLargeError,
    TransrecError,
)
from transrec_core.factors import Explicit, Factors, Implicit, factorize
from transrec_core.limits import GIB, Limits
from transrec_core.transfer.fold_in import Prior, fold_in

ESTIMATORS = [
    {"feedback": "ratings", "model": "als", "biases": True},
    {"feedback": "ratings", "model": "als", "biases": False},
    {"feedback": "ratings", "model": "nmf", "biases": True},
    {"feedback": "ratings", "model": "nmf", "biases": False},
    {"feedback": "implicit", "model": "als", "biases": True},
    {"feedback": "implicit", "model": "als", "biases": False},
    {"feedback": "implicit", "model": "nmf", "biases": True},
    {"feedback": "implicit", "model": "nmf", "biases": False},
    {"feedback": "implicit", "model": "als", "biases": True, "confidence": "values"},
    {"feedback": "implicit", "model": "nmf", "biases": True, "confidence": "values"},
]
RANK, SHAPE = 3, (11, 8)


@dataclass(frozen=True)
class Estimator:
    """One kind of factorization."""

    options: dict[str, Any]

    def __call__(self, matrix: Any = None, **changes: Any) -> Factors:
        matrix = ratings() if matrix is None else matrix
        settings = {"rank": RANK, "lam": 0.1, "sweeps": 3, "tolerance": 0, **self.options}
        return factorize(matrix, **{**settings, **changes})

    @property
    def biased(self) -> bool:
        options = self.options
        return options["feedback"] == "ratings" and options["model"] == "als" and options["biases"]


def ratings(dtype: Any = np.float32) -> sp.csr_array:
    """11 users × 8 items, whole stars; one user and one item have none."""
    random = np.random.default_rng(0)
    dense = random.integers(1, 6, SHAPE) * (random.random(SHAPE) < 0.5)
    dense[4], dense[:, 6] = 0, 0
    return sp.csr_array(dense.astype(dtype))


CHECKS: list[Callable[[Estimator], None]] = []


def check(function: Callable[[Estimator], None]) -> Callable[[Estimator], None]:
    CHECKS.append(function)
    return function


def same(one: Factors, two: Factors) -> bool:
    """Bit-equal."""
    return (
        one.user_factors.tobytes() == two.user_factors.tobytes()
        and one.item_factors.tobytes() == two.item_factors.tobytes()
        and one.objective == two.objective
    )


def quiet(estimator: Estimator, matrix: Any, **changes: Any) -> Factors:
    """A fit in which no warning may occur."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return estimator(matrix, **changes)


def refused(estimator: Estimator, matrix: Any, error: type[TransrecError], **changes: Any) -> str:
    """Refused before any work; gives the message, which says what to do, too."""
    calls: list[Any] = []
    with pytest.raises(error) as caught:
        estimator(matrix, on_sweep=lambda *step: calls.append(step), **changes)
    assert calls == []
    assert caught.value.fix.endswith(".")
    return str(caught.value)


# Input that is accepted


@check
def accepts_every_sparse_format_alike(fit):
    for form in ("csr", "csc", "coo", "lil", "dok", "bsr"):
        assert same(fit(ratings().asformat(form)), fit())


@check
def accepts_sparse_matrices_as_sparse_arrays(fit):
    for kind in (sp.csr_matrix, sp.csc_matrix, sp.coo_matrix):
        assert same(fit(kind(ratings())), fit())


@check
def accepts_every_type_of_number_alike(fit):
    for dtype in (np.int8, np.uint8, np.int16, np.int32, np.int64, np.float32, np.float64):
        assert same(fit(ratings().astype(dtype)), fit())


@check
def accepts_big_endian_numbers(fit):
    matrix = ratings()
    swapped = sp.csr_array(matrix)
    swapped.data = matrix.data.astype(">f4")
    assert same(fit(swapped), fit())


@check
def accepts_unsorted_indices(fit):
    matrix = ratings()
    backwards = np.concatenate([
        np.arange(matrix.indptr[u + 1] - 1, matrix.indptr[u] - 1, -1) for u in range(SHAPE[0])
    ])  # fmt: skip
    unsorted = sp.csr_array(
        (matrix.data[backwards], matrix.indices[backwards], matrix.indptr), SHAPE
    )
    assert not unsorted.has_sorted_indices
    assert same(fit(unsorted), fit())


@check
def sums_duplicates(fit):
    cells = ratings().tocoo()
    rows, cols = cells.coords
    halves = np.tile(cells.data / 2, 2)
    twice = sp.coo_array((halves, (np.tile(rows, 2), np.tile(cols, 2))), SHAPE)
    assert same(fit(twice), fit())


@check
def accepts_64_bit_indices(fit):
    matrix = ratings()
    matrix.indices, matrix.indptr = (
        matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64),
    )  # fmt: skip
    assert same(fit(matrix), fit())


@check
def accepts_read_only_arrays(fit):
    matrix = ratings()
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part.flags.writeable = False
    assert same(fit(matrix), fit())


@check
def accepts_slices_and_transposes(fit):
    matrix = ratings()
    assert same(fit(sp.csr_array(matrix.T).T), fit())
    assert same(fit(matrix[:]), fit())
    assert finite(fit(matrix[::2, ::2]))


@check
def accepts_numpy_scalars_as_settings(fit):
    found = fit(rank=np.int64(RANK), lam=np.float64(0.1), seed=np.int64(0), sweeps=np.int64(3))
    assert same(found, fit())


@check
def accepts_names_and_types_as_dtype(fit):
    for dtype in ("float64", np.dtype("float64"), np.float64, float):
        assert same(fit(dtype=dtype), fit(dtype=np.float64))


@check
def accepts_stored_zeros_or_says_why_not(fit):
    matrix = ratings()
    matrix.data[3] = 0
    if fit.options.get("confidence") == "values":
        message = refused(fit, matrix, BadRatingsError)
        assert "1 interactions have a confidence of zero or less" in message
    else:
        assert finite(fit(matrix))


@check
def accepts_negative_ratings_or_says_why_not(fit):
    matrix = ratings()
    matrix.data -= 3
    if fit.options.get("confidence") == "values":
        message = refused(fit, matrix, BadRatingsError)
        assert f"{(matrix.data <= 0).sum()} interactions" in message
        assert "-2" in message
    else:
        assert finite(fit(matrix))


# Input that is refused


@check
def refuses_dense_arrays(fit):
    assert "ndarray" in refused(fit, ratings().toarray(), BadRatingsError)


@check
def refuses_numpy_matrices(fit):
    assert "matrix" in refused(fit, ratings().todense(), BadRatingsError)


@check
def refuses_lists(fit):
    assert "list" in refused(fit, ratings().toarray().tolist(), BadRatingsError)


@check
def refuses_nothing_and_text_and_numbers(fit):
    # ``None`` itself is passed: the estimator's own default must not step in.
    for wrong in (None, "ratings.csv", 3.0):
        with pytest.raises(BadRatingsError, match=type(wrong).__name__):
            factorize(wrong, rank=1, lam=0.1, **fit.options)


@check
def refuses_truth_values(fit):
    assert "bool" in refused(fit, ratings().astype(bool), BadRatingsError)


@check
def refuses_complex_numbers(fit):
    assert "complex128" in refused(fit, ratings().astype(complex), BadRatingsError)


@check
def refuses_objects(fit):
    matrix = ratings()
    matrix.data = matrix.data.astype(object)
    refused(fit, matrix, BadRatingsError)


@check
def refuses_nan_with_its_place(fit):
    matrix = ratings()
    matrix.data[[5, 9]] = np.nan
    message = refused(fit, matrix, BadRatingsError)
    row = int(np.searchsorted(matrix.indptr, 5, side="right")) - 1
    assert (
        f"2 ratings are not finite, the first at row {row}, column {matrix.indices[5]}" in message
    )


@check
def refuses_both_infinities(fit):
    for bad in (np.inf, -np.inf):
        matrix = ratings()
        matrix.data[-1] = bad
        assert "1 ratings are not finite" in refused(fit, matrix, BadRatingsError)


@check
def refuses_what_is_too_large_for_single_precision(fit):
    for bad in (1e30, -2e9):
        matrix = ratings()
        matrix.data[-1] = bad
        assert "1 ratings are larger than" in refused(fit, matrix, BadRatingsError)


@check
def refuses_what_is_infinite_only_once_summed(fit):
    matrix = sp.coo_array(([1e308, 1e308, 1.0], ([0, 0, 1], [0, 0, 1])), (2, 2))
    assert "not finite" in refused(fit, matrix, BadRatingsError, rank=1)


@check
def refuses_matrices_without_ratings(fit):
    for shape in (SHAPE, (0, 3), (3, 0), (0, 0)):
        assert "no ratings" in refused(fit, sp.csr_array(shape), BadRatingsError)


@check
def refuses_negative_lambda(fit):
    assert "lam is -0.5" in refused(fit, ratings(), BadSettingError, lam=-0.5)


@check
def refuses_lambda_that_is_not_finite(fit):
    for bad in (np.nan, np.inf, -np.inf):
        assert f"lam is {bad}" in refused(fit, ratings(), BadSettingError, lam=bad)


@check
def refuses_ranks_below_one(fit):
    for bad in (0, -1):
        assert f"rank is {bad}" in refused(fit, ratings(), BadSettingError, rank=bad)


@check
def refuses_ranks_above_the_smaller_side_with_the_numbers(fit):
    for matrix in (ratings(), ratings().T):
        message = refused(fit, matrix, RankTooLargeError, rank=9)
        assert "Rank 9" in message
        assert f"{matrix.shape[0]} users × {matrix.shape[1]} items" in message
        assert "at most 8" in message
        assert fit(matrix, rank=8).rank == 8


@check
def refuses_unknown_feedback(fit):
    for bad in ("stars", "", None, "Ratings"):
        assert repr(bad) in refused(fit, ratings(), BadSettingError, feedback=bad)


@check
def refuses_unknown_models(fit):
    for bad in ("svd", "", None, "ALS"):
        assert repr(bad) in refused(fit, ratings(), BadSettingError, model=bad)


@check
def refuses_a_start_of_another_shape_with_the_numbers(fit):
    start = fit(ratings()[:7])
    message = refused(fit, ratings(), BadSettingError, start=start)
    assert "7 rows where the matrix has 11" in message


@check
def refuses_more_memory_than_allowed_before_any_work(fit):
    message = refused(fit, ratings(), TooLargeError, limits=Limits(100))
    assert "11 users × 8 items" in message
    assert f"rank {RANK}" in message
    assert same(fit(limits=Limits(GIB)), fit())


# Input stays as it was


@check
def never_changes_its_input(fit):
    for form in ("csr", "csc", "coo"):
        matrix = ratings(np.float64).asformat(form)
        names = ("data", "row", "col") if form == "coo" else ("data", "indices", "indptr")
        before = [getattr(matrix, name).tobytes() for name in names]
        fit(matrix, dtype=np.float64)
        assert [getattr(matrix, name).tobytes() for name in names] == before


@check
def never_changes_unsummed_input(fit):
    matrix = sp.csr_array(([1.0, 2, 3], [1, 1, 0], [0, 2, 3]), (2, 2))
    fit(matrix, rank=1)
    assert matrix.nnz == 3
    assert matrix.data.tolist() == [1, 2, 3]
    assert matrix.indices.tolist() == [1, 1, 0]


@check
def never_changes_its_start(fit):
    start = fit()
    before = start.user_factors.tobytes(), start.item_factors.tobytes()
    fit(start=start)
    assert (start.user_factors.tobytes(), start.item_factors.tobytes()) == before


@check
def shares_no_memory_with_its_input_or_start(fit):
    matrix, start = ratings(), fit()
    found = fit(matrix, start=start)
    for part in (found.user_factors, found.item_factors):
        for other in (matrix.data, start.user_factors, start.item_factors):
            assert not np.shares_memory(part, other)


# Output


@check
def gives_factors_of_the_documented_shape(fit):
    for rank in (1, 2, 8):
        found = fit(rank=rank)
        assert found.user_factors.shape == (11, rank)
        assert found.item_factors.shape == (8, rank)
        assert found.item_gram.shape == (rank, rank)
        assert found.rank == rank


@check
def gives_the_precision_that_was_asked_for(fit):
    for dtype in (np.float32, np.float64):
        for given in (np.int32, np.float32, np.float64):
            found = fit(ratings(given), dtype=dtype)
            assert found.user_factors.dtype == found.item_factors.dtype == dtype
    assert fit().user_factors.dtype == np.float32


@check
def gives_contiguous_rows(fit):
    found = fit()
    assert found.user_factors.flags.c_contiguous
    assert found.item_factors.flags.c_contiguous


@check
def gives_finite_numbers(fit):
    for rank in (1, 8):
        assert finite(quiet(fit, ratings(), rank=rank))


@check
def keeps_factors_non_negative_where_it_says_so(fit):
    found = fit()
    assert found.nonnegative == (fit.options["model"] == "nmf")
    if found.nonnegative:
        assert found.user_factors.min() >= 0
        assert found.item_factors.min() >= 0


@check
def has_biases_only_where_documented(fit):
    found = fit()
    assert (found.biases is not None) == fit.biased
    if found.biases is not None:
        assert found.biases.user.shape == (11,)
        assert found.biases.item.shape == (8,)
        assert found.biases.mean == pytest.approx(ratings().data.mean())


@check
def ignores_biases_where_the_objective_has_none(fit):
    if fit.options["model"] == "nmf" or fit.options["feedback"] == "implicit":
        assert same(fit(biases=True), fit(biases=False))
    else:
        assert not same(fit(biases=True), fit(biases=False))


@check
def tells_its_own_settings(fit):
    found = fit(lam=0.25, alpha0=0.2, regularization_exponent=0.5)
    assert found.lam == 0.25
    assert found.feedback == fit.options["feedback"]
    if found.feedback == "implicit":
        confidence = fit.options.get("confidence", "equal")
        assert found.spec == Implicit(0.25, 0.2, 0.5, confidence)
        assert found.alpha0 == 0.2
    else:
        assert found.spec == Explicit(0.25, 0.5)
        assert found.alpha0 == 0


@check
def gives_users_and_items_without_ratings_zero_factors(fit):
    found = fit()
    assert not found.user_factors[4].any()
    assert not found.item_factors[6].any()


@check
def reports_a_gradient_that_is_a_share(fit):
    assert 0 <= fit(sweeps=200, dtype=np.float64).gradient < 0.05
    assert fit(sweeps=200, dtype=np.float64).gradient < fit(sweeps=1, dtype=np.float64).gradient


# The course of a fit


@check
def reports_j_once_a_half_sweep(fit):
    for sweeps in (1, 2, 5):
        found = fit(sweeps=sweeps, tolerance=-1)
        assert len(found.objective) == 2 * sweeps
        assert all(type(value) is float for value in found.objective)


@check
def does_no_more_sweeps_than_allowed(fit):
    assert len(fit(sweeps=1, tolerance=1e9).objective) == 2
    assert not fit(sweeps=1, tolerance=1e9).converged
    stopped = fit(sweeps=9, tolerance=1e9)
    assert len(stopped.objective) == 4
    assert stopped.converged


@check
def lowers_j_with_every_half_sweep(fit):
    for dtype, slack in ((np.float32, 1e-5), (np.float64, 1e-12)):
        J = np.array(fit(sweeps=15, dtype=dtype).objective)
        assert (np.diff(J) <= slack * J[:-1]).all()


@check
def calls_on_sweep_with_rising_counts_and_the_same_j(fit):
    calls = []
    found = fit(on_sweep=lambda done, value: calls.append((done, value)))
    assert [done for done, _ in calls] == list(range(1, len(found.objective) + 1))
    assert tuple(value for _, value in calls) == found.objective


@check
def is_not_changed_by_being_watched(fit):
    assert same(fit(on_sweep=lambda done, value: None), fit())


@check
def passes_exceptions_of_on_sweep_on_unchanged(fit):
    class StopHere(BaseException):
        pass

    for error in (StopHere("here"), KeyboardInterrupt(), ValueError("there")):

        def fail(done, value, error=error):
            raise error

        with pytest.raises(type(error)) as caught:
            fit(on_sweep=fail)
        assert caught.value is error
    assert same(fit(), fit())  # the kernels' lock was given back


@check
def may_be_called_from_its_own_on_sweep(fit):
    inner = []
    outer = fit(on_sweep=lambda done, value: inner.append(fit(sweeps=1)))
    assert same(outer, fit())
    assert all(same(one, inner[0]) for one in inner)


# The same again


@check
def gives_the_same_bits_for_the_same_seed(fit):
    for dtype in (np.float32, np.float64):
        assert same(fit(seed=7, dtype=dtype), fit(seed=7, dtype=dtype))


@check
def starts_elsewhere_for_another_seed(fit):
    assert not same(fit(seed=1, sweeps=1), fit(seed=2, sweeps=1))


@check
def leaves_the_global_random_state_alone(fit):
    np.random.seed(0)  # noqa: NPY002 - the state that must not be read or written
    first = fit()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert same(fit(), first)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@check
def does_not_need_its_seed_with_a_whole_start(fit):
    start = fit()
    assert same(fit(start=start, seed=1), fit(start=start, seed=2))


@check
def starts_from_another_lambda_or_rank(fit):
    start = fit()
    assert fit(start=start, lam=1.0).lam == 1.0
    for rank in (1, 2, 5):
        found = fit(start=start, rank=rank)
        assert found.rank == rank
        assert finite(found)


@check
def starts_from_the_other_precision(fit):
    found = fit(start=fit(dtype=np.float64), dtype=np.float32)
    assert found.user_factors.dtype == np.float32
    assert finite(found)


@check
def goes_on_where_a_fit_stopped(fit):
    whole = fit(sweeps=4, tolerance=-1)
    rest = fit(sweeps=2, tolerance=-1, start=fit(sweeps=2, tolerance=-1))
    assert rest.objective == whole.objective[4:]
    assert rest.user_factors.tobytes() == whole.user_factors.tobytes()


@check
def is_close_to_double_in_single_precision(fit):
    start = fit(dtype=np.float64)
    narrow, wide = (fit(start=start, dtype=dtype) for dtype in (np.float32, np.float64))
    np.testing.assert_allclose(predictions(narrow), predictions(wide), atol=1e-3)
    np.testing.assert_allclose(narrow.objective, wide.objective, rtol=1e-4)


@check
def shrinks_to_nothing_as_lambda_grows(fit):
    sizes = [np.abs(fit(lam=lam).user_factors).max() for lam in (0.01, 1.0, 1e3, 1e9)]
    assert sizes[0] > sizes[2]
    assert sizes[3] < 1e-6


# Small and odd matrices


@check
def fits_one_user(fit):
    assert finite(quiet(fit, sp.csr_array(np.array([[1.0, 0, 5, 3]])), rank=1))


@check
def fits_one_item(fit):
    assert finite(quiet(fit, sp.csr_array(np.array([[1.0], [0], [5], [3]])), rank=1))


@check
def fits_one_rating(fit):
    for shape in ((1, 1), (5, 4)):
        matrix = sp.csr_array(([3.0], ([0], [0])), shape)
        assert finite(quiet(fit, matrix, rank=1))


@check
def fits_the_transpose(fit):
    found = fit(ratings().T)
    assert found.user_factors.shape == (8, RANK)
    assert found.item_factors.shape == (11, RANK)
    assert finite(found)


@check
def fits_a_full_matrix(fit):
    full = np.random.default_rng(0).integers(1, 6, SHAPE).astype(float)
    assert finite(quiet(fit, sp.csr_array(full), rank=8))


# What a fit can be asked


@check
def predicts_one_number_a_pair(fit):
    found = fit()
    predicted = found.predict(np.array([0, 1, 1]), np.array([2, 2, 7]))
    assert predicted.shape == (3,)
    assert predicted.dtype == np.float64
    np.testing.assert_array_equal(predicted, predictions(found)[[0, 1, 1], [2, 2, 7]])


@check
def predicts_for_lists_single_pairs_and_none(fit):
    found = fit()
    assert found.predict([3], [2]).shape == (1,)
    assert found.predict([3, 0], [2, 0])[0] == found.predict([3], [2])[0]
    nothing = np.zeros(0, np.int64)
    assert found.predict(nothing, nothing).shape == (0,)


@check
def refuses_to_predict_for_users_and_items_it_does_not_have(fit):
    found = fit()
    for row, column in ((11, 0), (0, 8)):
        with pytest.raises(IndexError):
            found.predict([row], [column])


@check
def scores_are_the_predictions(fit):
    found = fit(dtype=np.float64)
    bias = None if found.biases is None else found.biases.user
    scores = found.scores(found.user_factors, bias)
    assert scores.shape == SHAPE
    np.testing.assert_allclose(scores, predictions(found), atol=1e-12)


@check
def scores_keep_the_precision_of_the_factors(fit):
    found = fit()
    bias = None if found.biases is None else found.biases.user
    assert found.scores(found.user_factors, bias).dtype == np.float32


@check
def places_its_own_users_and_the_prior(fit):
    found = fit(dtype=np.float64)
    placed = fold_in(found, ratings())
    assert placed.factors.shape == (11, RANK)
    assert (placed.bias is None) == (found.biases is None)
    factors = np.ones((11, RANK))
    prior = Prior(factors, None if found.biases is None else np.zeros(11))
    assert np.array_equal(fold_in(found, sp.csr_array(SHAPE), prior).factors, factors)


@check
def survives_a_pickle(fit):
    found = fit()
    back = pickle.loads(pickle.dumps(found))
    assert same(back, found)
    assert back.spec == found.spec
    assert np.array_equal(predictions(back), predictions(found))


@check
def is_frozen(fit):
    found = fit()
    for name in ("user_factors", "objective", "spec"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(found, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.spec.lam = 1.0


@check
def shows_sizes_and_no_data_in_its_repr(fit):
    text = repr(fit())
    assert len(text) < 300
    assert "array" not in text


@check
def fits_in_two_threads_at_once(fit):
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda seed: fit(seed=seed), [0, 1, 0, 1]))
    alone = [fit(seed=seed) for seed in (0, 1)]
    assert all(same(found, alone[i % 2]) for i, found in enumerate(together))


# What has failed in the field


@check
def field_a_rank_above_the_items_is_refused_and_gives_no_nan(fit):
    """implicit #377."""
    matrix = sp.csr_array(np.ones((20, 3)))
    message = refused(fit, matrix, RankTooLargeError, rank=10)
    assert re.search(r"Rank 10 .* 20 users × 3 items.* at most 3", message)
    assert finite(quiet(fit, matrix, rank=3))


@check
def field_the_loss_is_never_negative(fit):
    """implicit #367."""
    for lam in (0.0, 1e-6, 0.1, 10.0):
        for dtype in (np.float32, np.float64):
            for matrix in (ratings(), sp.csr_array(([1.0], ([0], [0])), (3, 3))):
                assert min(fit(matrix, lam=lam, dtype=dtype).objective) >= 0


@check
def field_lambda_zero_gives_no_nan(fit):
    """implicit #80, #94."""
    for dtype in (np.float32, np.float64):
        for rank in (1, 3, 8):
            assert finite(quiet(fit, ratings(), lam=0.0, rank=rank, dtype=dtype))


@check
def field_constant_data_gives_no_nan(fit):
    """implicit #80, #94: the residual of the biases, or of rank one, is exactly zero."""
    matrix = ratings()
    matrix.data[:] = 3
    for lam in (0.0, 0.1):
        assert finite(quiet(fit, matrix, lam=lam))
        assert finite(quiet(fit, sp.csr_array(np.full((6, 5), 3.0)), lam=lam))


@check
def field_huge_and_tiny_values_give_no_nan(fit):
    """implicit #80, #94."""
    for size in (1e6, 1e-6):
        for lam in (0.0, 0.1):
            for dtype in (np.float32, np.float64):
                assert finite(quiet(fit, size * ratings(), lam=lam, dtype=dtype))


@check
def field_values_of_very_unequal_size_give_no_nan(fit):
    """implicit #80, #94."""
    matrix = ratings(np.float64)
    matrix.data *= 10.0 ** np.random.default_rng(0).integers(-6, 7, matrix.nnz)
    for dtype in (np.float32, np.float64):
        assert finite(quiet(fit, matrix, dtype=dtype))


@check
def field_two_runs_are_bit_equal(fit):
    """implicit #263."""
    runs = [fit(sweeps=10) for _ in range(3)]
    assert all(same(run, runs[0]) for run in runs)


@check
def field_one_thread_and_two_are_bit_equal(fit):
    """implicit #402."""
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("this machine has one processor")
    before = numba.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            found.append(fit(sweeps=2))
    finally:
        numba.set_num_threads(before)
    assert same(*found)


# Settings that no objective can mean


@check
def refuses_alpha0_below_zero_or_not_finite(fit):
    if fit.options["feedback"] == "implicit":
        for bad in (-0.1, np.nan, np.inf):
            assert f"{bad}" in refused(fit, ratings(), BadSettingError, alpha0=bad)


@check
def refuses_exponents_that_are_not_finite(fit):
    for bad in (np.nan, np.inf):
        assert f"{bad}" in refused(fit, ratings(), BadSettingError, regularization_exponent=bad)


@check
def refuses_unknown_confidence(fit):
    if fit.options["feedback"] == "implicit":
        assert "'stars'" in refused(fit, ratings(), BadSettingError, confidence="stars")


@check
def refuses_fewer_than_one_sweep(fit):
    for bad in (0, -1):
        assert f"{bad}" in refused(fit, ratings(), BadSettingError, sweeps=bad)


@check
def refuses_precisions_it_has_no_kernels_for(fit):
    for bad in (np.float16, np.int32, complex):
        assert np.dtype(bad).name in refused(fit, ratings(), BadSettingError, dtype=bad)


@check
def refuses_ranks_that_are_not_whole_numbers(fit):
    calls = []
    for bad in (1.5, "2", None):
        with pytest.raises((BadSettingError, TypeError)):
            fit(rank=bad, on_sweep=lambda *step: calls.append(step))
    assert calls == []


@check
def refuses_arrays_of_one_dimension(fit):
    assert "1" in refused(fit, sp.coo_array(np.ones(3)), BadRatingsError, rank=1)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny matrices: starting threads would take longer than the work; one check compares both."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


def named(options: dict[str, Any]) -> str:
    return "-".join(str(value) for value in options.values())


def rows() -> Iterator[Any]:
    """Every check with every estimator; those that are open are expected to fail."""
    for function in CHECKS:
        for options in ESTIMATORS:
            yield pytest.param(function, options, id=f"{function.__name__}-{named(options)}")


@pytest.mark.parametrize(("function", "options"), list(rows()))
def test_contract(function, options):
    function(Estimator(options))


def test_the_contract_is_as_long_as_it_says_and_repeats_nothing():
    assert len(CHECKS) >= 48
    assert len({function.__name__ for function in CHECKS}) == len(CHECKS)
