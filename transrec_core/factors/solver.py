"""Alternating minimisation: one half-sweep after the other until J stops falling."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import scipy.sparse as sp

from transrec_core.columns import MAX_RATING
from transrec_core.errors import BadRatingsError, BadSettingError, RankTooLargeError
from transrec_core.factors.biases import Biases, fit_biases
from transrec_core.factors.kernels import (
    gradient_ratio,
    single_threaded_blas,
    solve_rows,
    squared_error,
)
from transrec_core.factors.model import Factors
from transrec_core.factors.objectives import Explicit, Implicit, Objective
from transrec_core.limits import Limits, estimate_fit
from transrec_core.system import raise_if_interrupted

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA0 = 0.1
REGULARIZATION_EXPONENT = 0.0
SWEEPS = 15
STEPS = 3
TOLERANCE = 1e-3
"""A fit stops when a whole sweep lowers J by less than this share."""

OnSweep = Callable[[int, float], None]


def factorize(
    matrix: Any,
    *,
    rank: int,
    lam: float,
    feedback: Literal["ratings", "implicit"] = "ratings",
    model: Literal["als", "nmf"] = "als",
    biases: bool = True,
    alpha0: float = ALPHA0,
    confidence: Literal["equal", "values"] = "equal",
    regularization_exponent: float = REGULARIZATION_EXPONENT,
    rows: Literal["exact", "steps"] = "exact",
    sweeps: int = SWEEPS,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    start: Factors | None = None,
    on_sweep: OnSweep | None = None,
    dtype: Any = np.float32,
    limits: Limits | None = None,
) -> Factors:
    """Factorize a users × items matrix as U Vᵀ.

    Minimises J(U, V) = ½ Σ (…)² + λ (Σ w_u‖u‖² + Σ w_i‖v‖²); see ``objectives`` for the data term
    and the weights of each kind of feedback.

    Parameters
    ----------
    matrix
        SciPy sparse, users × items. Stored cells are observed, a stored zero included.
    rank
        Number of factors k.
    lam
        λ ≥ 0. The normal equations carry 2λ.
    feedback
        ``"ratings"``: observed values only. ``"implicit"``: every stored cell is a 1, all others
        are zeros of weight ``alpha0``.
    model
        ``"als"``, or ``"nmf"`` for U, V ≥ 0 (no biases; negative ratings are shifted to ≥ 0).
        This NMF ignores unrated cells for ratings; zero-filled NMF is scikit-learn's.
    biases
        Fit damped biases first and factorize the residual (ratings with ``als`` only); without
        them J is the bare objective.
    alpha0
        α₀, weight of an unobserved cell.
    confidence
        ``"values"`` weights each interaction by its stored value (a count, a rating) instead of 1.
    regularization_exponent
        ν: λ grows with a row's interactions to this power.
    rows
        ``"exact"`` solves every row to its minimum. ``"steps"`` lets it take a few steps from where
        it is: of conjugate gradients (Takács, Pilászy & Tikk 2011), of coordinate descent for
        ``nmf``. J falls about as far in a sweep, and a sweep is cheaper at large ranks.
    sweeps, tolerance
        At most this many sweeps (both halves); stop once a sweep lowers J by a smaller share.
    seed
        Of the random start.
    start
        An earlier fit to start from; padded or cut to ``rank``.
    on_sweep
        Called after each half-sweep with (half-sweeps done, J); what it raises stops the fit.
    dtype
        ``float32`` or ``float64``.
    limits
        What the fit may use; by default 80 % of the memory that is free now.

    Raises
    ------
    BadRatingsError
        Nothing stored, or a value that is not finite or larger than ``MAX_RATING``.
    BadSettingError
        A setting outside its range.
    RankTooLargeError
        A rank above the smaller side of the matrix.
    TooLargeError
        More memory would be needed than may be used.
    """
    matrix = _as_csr(matrix)
    if rank < 1:
        raise BadSettingError(f"rank is {rank}.", "It must be at least 1.")
    if not 0 <= lam < np.inf:
        raise BadSettingError(f"lam is {lam}.", "It must be zero or a positive number.")
    for name, value, ok, need in (
        ("alpha0", alpha0, 0 <= alpha0 < np.inf, "zero or a positive number"),
        (
            "regularization_exponent",
            regularization_exponent,
            np.isfinite(regularization_exponent),
            "a number, as 0 or 1",
        ),
        ("confidence", confidence, confidence in ("equal", "values"), "equal or values"),
        ("rows", rows, rows in ("exact", "steps"), "exact or steps"),
        ("sweeps", sweeps, sweeps >= 1, "at least 1"),
        (
            "dtype",
            np.dtype(dtype).name,
            np.dtype(dtype) in (np.float32, np.float64),
            "float32 or float64",
        ),
    ):
        if not ok:
            raise BadSettingError(f"{name} is {value!r}.", f"It must be {need}.")
    if feedback not in ("ratings", "implicit") or model not in ("als", "nmf"):
        raise BadSettingError(
            f"feedback is {feedback!r} and model is {model!r}.",
            "Feedback must be ratings or implicit, model must be als or nmf.",
        )
    if rank > min(matrix.shape):
        raise RankTooLargeError(
            f"Rank {rank} is larger than the smaller side of a matrix of {matrix.shape[0]} users × "
            f"{matrix.shape[1]} items.",
            f"Choose a rank of at most {min(matrix.shape)}.",
        )
    nonnegative = model == "nmf"
    with_biases = feedback == "ratings" and not nonnegative and biases
    estimate = estimate_fit(
        matrix.shape[0],
        matrix.shape[1],
        matrix.nnz,
        rank,
        itemsize=np.dtype(dtype).itemsize,
        biases=with_biases,
    )
    (limits or Limits.current()).require(estimate)
    fitted_biases: Biases | None = None
    shift = 0.0
    spec: Objective
    if feedback == "implicit":
        spec = Implicit(lam, alpha0, regularization_exponent, confidence)
        values = matrix.data
        if confidence == "values" and values.min() <= 0:
            raise BadRatingsError(
                f"{int((values <= 0).sum())} interactions have a confidence of zero or less, "
                f"the smallest {values.min()}.",
                "Shift or drop them, or leave confidence at equal.",
            )
    else:
        spec = Explicit(lam, regularization_exponent)
        if nonnegative:
            shift = min(0.0, float(matrix.data.min()))
            values = matrix.data.astype(np.float64) - shift
        elif with_biases:
            fitted_biases = fit_biases(matrix)
            values = fitted_biases.residual(matrix)
        else:
            values = matrix.data.astype(np.float64)

    by_user = sp.csr_array((values.astype(dtype), matrix.indices, matrix.indptr), matrix.shape)
    by_item = sp.csr_array(by_user.T.tocsr())
    users, items = _start(matrix.shape, rank, seed, nonnegative, start, dtype)
    objective: list[float] = []
    converged = False
    steps = STEPS if rows == "steps" else None
    item_counts = np.diff(by_item.indptr)
    for _ in range(sweeps):
        for half in ("users", "items"):
            # Threads of a BLAS that wait for more work would take the cores from the kernel.
            with single_threaded_blas():
                if half == "users":
                    users, error = half_sweep(by_user, items, users, spec, nonnegative, steps)
                else:
                    items, error = half_sweep(by_item, users, items, spec, nonnegative, steps)
                value = objective_value(by_user, users, items, spec, error, item_counts)
            objective.append(value)
            raise_if_interrupted()
            if on_sweep is not None:
                on_sweep(len(objective), value)
        if len(objective) > 2 and objective[-3] - objective[-1] <= tolerance * objective[-3]:
            converged = True
            break
    targets, weights = spec.cells(by_user.data)
    gradient = gradient_ratio(
        by_user.indptr,
        by_user.indices,
        targets,
        users,
        items,
        gram=spec.gram(items),
        ridge=2 * lam * spec.weights(np.diff(by_user.indptr), len(items)),
        weights=weights,
        nonnegative=nonnegative,
    )
    return Factors(
        users, items, tuple(objective), spec, nonnegative, fitted_biases, shift, converged, gradient
    )


def half_sweep(
    rows: "sp.csr_array",
    fixed: "NDArray[Any]",
    own: "NDArray[Any]",
    spec: Objective,
    nonnegative: bool,
    steps: int | None = None,
) -> "tuple[NDArray[Any], float]":
    """The best factors of one side while the other is fixed, and Σ (…)² with them.

    Users and items alike.

    Parameters
    ----------
    rows
        CSR of the side to solve: its rows × the fixed side.
    fixed
        Factors of the other side.
    own
        Present factors of this side, where non-negative descent and ``steps`` start.
    steps
        So many steps towards the best factors instead.
    """
    targets, weights = spec.cells(rows.data)
    return solve_rows(
        rows.indptr,
        rows.indices,
        targets,
        fixed,
        gram=spec.gram(fixed),
        ridge=2 * spec.lam * spec.weights(np.diff(rows.indptr), len(fixed)),
        weights=weights,
        nonnegative=nonnegative,
        start=own,
        steps=steps,
    )


def solve_semidefinite(A: "NDArray[np.float64]", b: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Solve A x = b for symmetric positive semi-definite A; a singular one by its shortest x.

    At λ = 0 the normal equations of a user with few items, or of constant data, are singular.

    Parameters
    ----------
    A, b
        (…, k, k) and (…, k, m).
    """
    try:
        return np.asarray(np.linalg.solve(A, b), np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(A, hermitian=True) @ b, np.float64)


def objective_value(
    matrix: "sp.csr_array",
    users: "NDArray[np.floating]",
    items: "NDArray[np.floating]",
    spec: Objective,
    error: float | None = None,
    item_counts: "NDArray[np.int64] | None" = None,
) -> float:
    """J of given factors.

    Parameters
    ----------
    matrix
        Ratings (less biases) or interactions, users × items.
    users, items
        The factors.
    spec
        Which J.
    error
        Σ (…)² over the stored cells where it is known, as after a half-sweep.
    item_counts
        Stored cells of each item where they are known.
    """
    if error is None:
        targets, weights = spec.cells(matrix.data)
        error = squared_error(matrix.indptr, matrix.indices, targets, users, items, weights)
    if item_counts is None:
        item_counts = np.bincount(matrix.indices, minlength=len(items))
    size = 0.0
    user_counts = np.diff(matrix.indptr)
    for counts, n, own in ((user_counts, len(items), users), (item_counts, len(users), items)):
        norms = np.einsum("ij,ij->i", own, own, dtype=np.float64)
        size += float(spec.weights(counts, n) @ norms)
    return spec.loss(error, users, items) + spec.lam * size


def _as_csr(matrix: Any) -> "sp.csr_array":
    if not sp.issparse(matrix):
        raise BadRatingsError(
            f"The matrix is a {type(matrix).__name__}, not a SciPy sparse matrix.",
            "Pass users × items as scipy.sparse.csr_array.",
        )
    given = cast("Any", matrix)
    if len(given.shape) != 2:
        raise BadRatingsError(
            f"The matrix has {len(given.shape)} dimension.", "Pass users × items: two dimensions."
        )
    csr = sp.csr_array(given)
    if csr.dtype == bool or csr.dtype.kind not in "iuf":
        raise BadRatingsError(
            f"The ratings have type {csr.dtype}.", "Pass numbers: convert with .astype('float32')."
        )
    if csr.nnz == 0:
        raise BadRatingsError("The matrix has no ratings.", "Pass at least one stored value.")
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    size = np.abs(csr.data.astype(np.float64))
    for bad, what in (
        (~np.isfinite(size), "not finite"),
        (size > MAX_RATING, f"larger than {MAX_RATING:,.0f}"),
    ):
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            row = int(np.searchsorted(csr.indptr, at, side="right")) - 1
            raise BadRatingsError(
                f"{int(bad.sum())} ratings are {what}, the first at row {row}, "
                f"column {csr.indices[at]}: {csr.data[at]}.",
                "Remove or correct these cells.",
            )
    return sp.csr_array(
        (csr.data, csr.indices.astype(np.int32), csr.indptr.astype(np.int32)), csr.shape
    )


def _start(
    shape: tuple[int, int],
    rank: int,
    seed: int,
    nonnegative: bool,
    start: Factors | None,
    dtype: Any,
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Small random factors, or an earlier fit's, padded with random columns or cut."""
    random = np.random.default_rng(seed)
    sides = []
    for n, earlier in zip(
        shape,
        (None, None) if start is None else (start.user_factors, start.item_factors),
        strict=True,
    ):
        factors = random.normal(0, 0.1 / np.sqrt(rank), (n, rank)).astype(dtype)
        if nonnegative:
            factors = np.abs(factors)
        if earlier is not None:
            if len(earlier) != n:
                raise BadSettingError(
                    f"The earlier fit has {len(earlier)} rows where the matrix has {n}.",
                    "Start from a fit of a matrix of the same shape.",
                )
            kept = min(rank, earlier.shape[1])
            factors[:, :kept] = earlier[:, :kept]
        sides.append(factors)
    return sides[0], sides[1]
