"""The compiled inner loops: one row solver that every objective and every fold-in shares.

Each row r of one side is the minimiser of a quadratic in x with

    A_r = Σ_{j∈S_r} w_rj v_j v_jᵀ + gram + ridge_r·I        b_r = Σ_{j∈S_r} w_rj y_rj v_j + rhs_r

where S_r are the row's observed columns, w their weights (1 unless given), y what they should be,
and v_j the fixed factors of the other side. What differs between objectives is only ``w``, ``y``,
``gram``, ``ridge`` and ``rhs`` (see ``objectives``).

Rows are independent, so they run in parallel and the result does not depend on the number of
threads. The factors of a row's columns are gathered into panels, so that the Gram matrix is
accumulated by matrix products instead of rank-one updates. A row with fewer columns than factors is
solved through the smaller system of its columns, which gives the same x.
"""

import logging
from contextlib import AbstractContextManager
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import config
from threadpoolctl import ThreadpoolController

from transrec_core.compiling import compiled, is_kept
from transrec_core.factors import plain_tiles
from transrec_core.factors import tiles as vector_tiles
from transrec_core.factors.tile_trial import failure_of
from transrec_core.factors.tiles import padded
from transrec_core.threads import in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

PANEL = 128
"""Rows of a gathered panel: large enough for a fast product, small enough to stay in cache."""

CHUNKS_PER_CALL = 64
"""Pieces of equal work that a call is cut into: balances threads when row lengths are skewed."""

LEAST_WORK = 2**21
"""Operations of a piece: starting a thread takes as long as about so many."""

THREADS: int = vars(config)["NUMBA_NUM_THREADS"]
"""As many as there are processors, or ``NUMBA_NUM_THREADS``."""

MAX_JITTERS = 12
"""Tenfold steps of the diagonal before a row is given up as zero; only overflow gets there."""

NNLS_ROUNDS = 40
NNLS_PASSES = 4
NNLS_TOLERANCE = 1e-6

_blas = ThreadpoolController()

tiles: Any = vector_tiles
"""What rows' systems are made and solved by; plain loops where vector instructions fail."""

_compiled = partial(compiled, made_of=lambda: tiles.__name__)


@_compiled()
def _copy(source: Any, out: Any) -> None:
    """Copy a C-contiguous matrix; slices are copied cell by cell."""
    cells, to = source.reshape(-1), out.reshape(-1)
    for at in range(len(cells)):
        to[at] = cells[at]


@_compiled()
def _square(flat: Any, n: int) -> Any:
    """The first cells of ``flat`` as a matrix of whole tiles, the identity beyond n × n."""
    size = padded(n)
    flat[: size * size] = 0
    A = flat[: size * size].reshape(size, size)
    for p in range(n, size):
        A[p, p] = 1
    return A


@_compiled(fastmath=True)
def _find_slope(A: Any, b: Any, x: Any, slope: Any) -> None:
    """Write Ax − b."""
    for f in range(len(x)):
        slope[f] = -b[f]
    for p in range(len(x)):
        if x[p] != 0:
            for f in range(len(x)):
                slope[f] += x[p] * A[p, f]


@_compiled(fastmath=True)
def _descend(A: Any, x: Any, slope: Any, passes: int) -> Any:
    """Coordinate descent on ½xᵀAx − bᵀx under x ≥ 0; the last pass's largest step over max x."""
    k = len(x)
    change, largest = x[0] * 0, x[0] * 0
    for _ in range(passes):
        change, largest = x[0] * 0, x[0] * 0
        for f in range(k):
            value = max(x[f] - slope[f] / A[f, f], x[f] * 0) if A[f, f] > 0 else x[f] * 0
            step = value - x[f]
            if step != 0:
                for p in range(k):
                    slope[p] += step * A[f, p]
                x[f] = value
                change = max(change, abs(step))
            largest = max(largest, value)
        if change <= NNLS_TOLERANCE * largest:
            return change * 0
    # All at zero after a step that led there: not yet known to be at rest.
    return change / largest if largest > 0 else change * 0 + 1


@_compiled(fastmath=True)
def _at_rest(A: Any, x: Any, slope: Any) -> bool:
    """Whether no coordinate at zero would leave it, given that the positive ones are at rest."""
    largest = x[0] * 0
    for f in range(len(x)):
        largest = max(largest, x[f])
    for f in range(len(x)):
        if x[f] == 0 and -slope[f] > NNLS_TOLERANCE * largest * A[f, f]:
            return False
    return True


@_compiled(fastmath=True)
def _nonnegative_solve(
    A: Any, b: Any, x: Any, flat: Any, inverse: Any, z: Any, slope: Any, positive: Any
) -> None:
    """Minimise ½xᵀAx − bᵀx under x ≥ 0, from the x given.

    Coordinate descent finds which coordinates are positive, a Cholesky solve on these then gives
    the minimum itself, which descent alone would only creep up to where A is ill-conditioned.
    """
    k = len(x)
    exact = False
    for _ in range(NNLS_ROUNDS):
        _find_slope(A, b, x, slope)
        if exact and _at_rest(A, x, slope):
            return
        rested = _descend(A, x, slope, NNLS_PASSES) == 0
        free = 0
        for f in range(k):
            positive[free] = f
            free += x[f] > 0
        part = _square(flat, free)
        z[:] = 0
        for row in range(free):
            f = positive[row]
            z[row] = b[f]
            for column in range(row, free):
                part[row, column] = A[f, positive[column]]
        if free == 0 or not tiles.solve(part, inverse, z[: len(part)]):
            if rested:
                return
            continue
        # Towards the minimum on the positive coordinates, as far as none of them turns negative.
        step = x[0] * 0 + 1
        for row in range(free):
            if z[row] < 0:
                step = min(step, x[positive[row]] / (x[positive[row]] - z[row]))
        exact = step == 1
        for row in range(free):
            f = positive[row]
            if exact:
                x[f] = z[row]
            else:
                bound = z[row] < 0 and x[f] / (x[f] - z[row]) <= step
                x[f] = x[f] * 0 if bound else x[f] + step * (z[row] - x[f])


@_compiled(fastmath=True)
def _solve_short(
    V: Any,
    n: int,
    y: Any,
    r: Any,
    base: Any,
    scale: Any,
    flat: Any,
    wide: Any,
    inverse: Any,
    x: Any,
) -> bool:
    """Solve (VᵀV + diag(base)) x = Vᵀy + r through the n × n system of a row with n ≤ k columns.

    x = base⁻¹(r + Vᵀa) with (I + V base⁻¹ Vᵀ) a = y − V base⁻¹ r: the push-through identity. Exact,
    and the smaller of the two systems; ``y`` is used up.
    """
    k = len(x)
    size = padded(n)
    across = wide[: k * size].reshape(k, size)
    for p in range(n, size):
        V[p] = 0
        y[p] = 0
    flat[: size * size] = 0
    K = flat[: size * size].reshape(size, size)
    shifted = False
    for f in range(k):
        scale[f] = 1 / np.sqrt(base[f])
        x[f] = r[f] / base[f]
        shifted = shifted or r[f] != 0
    if shifted:
        for p in range(n):
            miss = y[p]
            for f in range(k):
                miss -= V[p, f] * x[f]
            y[p] = miss
    tiles.transpose(V, size, scale, across)
    tiles.add_gram(across, k, K)
    for p in range(size):
        K[p, p] += 1
    if not tiles.solve(K, inverse, y[:size]):
        return False
    for f in range(k):
        x[f] = r[f]
    for p in range(n):
        for f in range(k):
            x[f] += y[p] * V[p, f]
    for f in range(k):
        x[f] /= base[f]
    return True


@_compiled(fastmath=True)
def _row_error(
    start: Any, stop: Any, indices: Any, values: Any, weights: Any, cols: Any, x: Any, found: Any
) -> Any:
    """Σ w (y − v·x)² of one row, in double precision."""
    tiles.predict(start, stop, indices, cols, x, found)
    total = 0.0
    for at in range(start, stop):
        miss = np.float64(values[at]) - np.float64(found[at - start])
        total += miss * miss * (np.float64(weights[at]) if len(weights) > 0 else 1.0)
    return total


@_compiled()
def _longest(indptr: Any, first: Any, stop: Any) -> Any:
    """Cells of the longest of some rows."""
    longest = 0
    for row in range(first, stop):
        longest = max(longest, indptr[row + 1] - indptr[row])
    return longest


@_compiled()
def _solve_chunk(
    first: int,
    last: int,
    indptr: Any,
    indices: Any,
    values: Any,
    weights: Any,
    fixed: Any,
    gram: Any,
    ridge: Any,
    rhs: Any,
    diagonal: bool,
    nonnegative: bool,
    passes: int,
    out: Any,
) -> Any:
    """Solve rows ``first`` to ``last`` (exclusive); their Σ w (y − v·x)²."""
    k, size = out.shape[1], fixed.shape[1]
    short = min(k, PANEL) if diagonal else -1
    weighted = len(weights) > 0
    one = fixed.dtype.type(1)
    panel = np.empty((PANEL, size), fixed.dtype)
    y = np.empty(PANEL, fixed.dtype)
    widest = max(size, padded(short))
    flat = np.empty(widest * widest, fixed.dtype)
    across = np.empty(size * padded(short), fixed.dtype)
    inverse = np.empty(widest, fixed.dtype)
    base = np.ones(size, fixed.dtype)
    scale = np.empty(size, fixed.dtype)
    positive = np.empty(size + 1, np.int64)
    A = np.empty((size, size), fixed.dtype)
    work = flat[: size * size].reshape(size, size)
    b = np.zeros(size, fixed.dtype)
    x = np.zeros(size, fixed.dtype)
    found = np.empty(_longest(indptr, first, last), fixed.dtype)
    error = 0.0
    for row in range(first, last):
        r = rhs[row] if rhs.shape[0] > 1 else rhs[0]
        start, stop = indptr[row], indptr[row + 1]
        solved = stop - start <= short
        if solved:
            for f in range(k):
                base[f] = gram[f, f] + ridge[row]
                solved = solved and base[f] > 0
            for p in range(stop - start):
                j = indices[start + p]
                root = np.sqrt(weights[start + p]) if weighted else one
                y[p] = root * values[start + p]
                for f in range(size):
                    panel[p, f] = root * fixed[j, f]
            solved = solved and _solve_short(
                panel, stop - start, y, r, base, scale, flat, across, inverse, x
            )
        if not solved:
            _copy(gram, A)
            b[:] = r
            for at in range(start, stop, PANEL):
                n = min(PANEL, stop - at)
                for p in range(n):
                    j = indices[at + p]
                    root = np.sqrt(weights[at + p]) if weighted else one
                    wanted = root * values[at + p]
                    for f in range(size):
                        panel[p, f] = root * fixed[j, f]
                        b[f] += wanted * panel[p, f]
                tiles.add_gram(panel, n, A)
            largest = fixed.dtype.type(0)
            for f in range(k):
                A[f, f] += ridge[row]
                largest = max(largest, A[f, f])
            if nonnegative:
                for f in range(k):
                    for p in range(f):
                        A[f, p] = A[p, f]
                if passes > 0:
                    _find_slope(A, b, out[row], scale)
                    _descend(A, out[row], scale, passes)
                else:
                    _nonnegative_solve(A, b, out[row], flat, inverse, x, scale, positive)
                x[:k] = out[row]
                x[k:] = 0
            elif largest == 0:
                x[:] = 0
            else:
                # Singular systems exist (λ = 0 with more factors than ratings): the diagonal
                # is then raised by the smallest tenfold of rounding error that makes it
                # positive.
                jitter = largest * fixed.dtype.type(1e-6 if fixed.itemsize == 4 else 1e-14)
                for attempt in range(MAX_JITTERS):
                    _copy(A, work)
                    for f in range(k):
                        work[f, f] += jitter if attempt > 0 else 0
                    x[:] = b
                    if tiles.solve(work, inverse, x):
                        break
                    jitter *= 10 if attempt > 0 else 1
                else:
                    x[:] = 0
        out[row] = x[:k]
        error += _row_error(start, stop, indices, values, weights, fixed, x, found)
    return error


@_compiled(fastmath=True)
def _system_chunk(
    first: int,
    last: int,
    indptr: Any,
    indices: Any,
    values: Any,
    weights: Any,
    fixed: Any,
    systems: Any,
    sides: Any,
) -> None:
    """Write Σ w v vᵀ (upper half) and Σ w y v of each row."""
    size = fixed.shape[1]
    weighted = len(weights) > 0
    one = fixed.dtype.type(1)
    panel = np.empty((PANEL, size), fixed.dtype)
    for row in range(first, last):
        A, b = systems[row], sides[row]
        start, stop = indptr[row], indptr[row + 1]
        for at in range(start, stop, PANEL):
            n = min(PANEL, stop - at)
            for p in range(n):
                j = indices[at + p]
                root = np.sqrt(weights[at + p]) if weighted else one
                wanted = root * values[at + p]
                for f in range(size):
                    panel[p, f] = root * fixed[j, f]
                    b[f] += wanted * panel[p, f]
            tiles.add_gram(panel, n, A)


@_compiled(fastmath=True)
def _descend_chunk(
    first: int,
    last: int,
    indptr: Any,
    indices: Any,
    values: Any,
    weights: Any,
    fixed: Any,
    gram: Any,
    ridge: Any,
    rhs: Any,
    steps: int,
    out: Any,
) -> Any:
    """Some steps of conjugate gradients on each row from where it is; ``gram`` is diagonal."""
    k = fixed.shape[1]
    weighted = len(weights) > 0
    longest = _longest(indptr, first, last)
    miss = np.empty(longest, fixed.dtype)
    moved = np.empty(longest, fixed.dtype)
    pushed = np.empty(longest, fixed.dtype)
    base = np.empty(k, fixed.dtype)
    slope = np.empty(k, fixed.dtype)
    step = np.empty(k, fixed.dtype)
    bend = np.empty(k, fixed.dtype)
    error = 0.0
    for row in range(first, last):
        r = rhs[row] if rhs.shape[0] > 1 else rhs[0]
        x = out[row]
        start, stop = indptr[row], indptr[row + 1]
        n = stop - start
        w = weights[start:stop] if weighted else weights
        tiles.predict(start, stop, indices, fixed, x, miss)
        for p in range(n):
            miss[p] = values[start + p] - miss[p]
            pushed[p] = w[p] * miss[p] if weighted else miss[p]
        for f in range(k):
            base[f] = gram[f, f] + ridge[row]
            slope[f] = r[f] - base[f] * x[f]
        tiles.add_products(start, stop, indices, fixed, pushed, slope)
        size = fixed.dtype.type(0)
        for f in range(k):
            step[f] = slope[f]
            size += slope[f] * slope[f]
        for _ in range(steps):
            tiles.predict(start, stop, indices, fixed, step, moved)
            for p in range(n):
                pushed[p] = w[p] * moved[p] if weighted else moved[p]
            for f in range(k):
                bend[f] = base[f] * step[f]
            tiles.add_products(start, stop, indices, fixed, pushed, bend)
            curve = fixed.dtype.type(0)
            for f in range(k):
                curve += step[f] * bend[f]
            if not curve > 0:
                break
            length = size / curve
            for p in range(n):
                miss[p] -= length * moved[p]
            before = size
            size = fixed.dtype.type(0)
            for f in range(k):
                x[f] += length * step[f]
                slope[f] -= length * bend[f]
                size += slope[f] * slope[f]
            for f in range(k):
                step[f] = slope[f] + size / before * step[f]
        for p in range(n):
            square = np.float64(miss[p]) * np.float64(miss[p])
            error += np.float64(w[p]) * square if weighted else square
    return error


@_compiled()
def _error_chunk(
    first: int,
    last: int,
    indptr: Any,
    indices: Any,
    values: Any,
    weights: Any,
    rows: Any,
    cols: Any,
) -> Any:
    """Σ w (y − v·x)² over some rows."""
    found = np.empty(_longest(indptr, first, last), cols.dtype)
    total = 0.0
    for row in range(first, last):
        total += _row_error(
            indptr[row], indptr[row + 1], indices, values, weights, cols, rows[row], found
        )
    return total


@_compiled(fastmath=True)
def _gradient_chunk(
    first: int,
    last: int,
    indptr: Any,
    indices: Any,
    values: Any,
    weights: Any,
    rows: Any,
    cols: Any,
    gram: Any,
    ridge: Any,
    nonnegative: bool,
) -> Any:
    """Squared length of A x − b and of b over some rows."""
    k = rows.shape[1]
    weighted = len(weights) > 0
    g = np.empty(k, np.float64)
    b = np.empty(k, np.float64)
    gradient = 0.0
    size = 0.0
    for row in range(first, last):
        for f in range(k):
            g[f] = ridge[row] * rows[row, f]
            b[f] = 0.0
            for p in range(k):
                g[f] += gram[f, p] * rows[row, p]
        for at in range(indptr[row], indptr[row + 1]):
            j = indices[at]
            dot = rows[row, 0] * 0
            for f in range(k):
                dot += rows[row, f] * cols[j, f]
            w = np.float64(weights[at]) if weighted else 1.0
            for f in range(k):
                g[f] += w * (dot - values[at]) * cols[j, f]
                b[f] += w * values[at] * cols[j, f]
        for f in range(k):
            size += b[f] * b[f]
            if not (nonnegative and rows[row, f] <= 0 and g[f] > 0):
                gradient += g[f] * g[f]
    return gradient, size


def kernels_are_compiled() -> bool:
    """Whether this process or an earlier one has compiled them, so that the next call is quick."""
    if _solve_chunk.signatures:
        return True
    folder = _solve_chunk.stats.cache_path
    return kernels_can_be_kept() and any(
        Path(folder).glob(f"{Path(__file__).stem}._solve_chunk*.nbi")
    )


def kernels_can_be_kept() -> bool:
    """Whether compiled kernels can be left on disk for other processes."""
    return is_kept(_solve_chunk)


class _OneThread:
    """A BLAS of one thread while anybody is inside: a setting of the whole process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._limit = _blas.limit(limits=1, user_api="blas")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


_one_thread = _OneThread()


def single_threaded_blas() -> AbstractContextManager[None]:
    """BLAS confined to the calling threads, so that its own do not wait beside the kernels.

    Several may be inside at once; when the last leaves, the setting is as it was.
    """
    return _one_thread


def solve_rows(
    indptr: "NDArray[np.int32]",
    indices: "NDArray[np.int32]",
    values: "NDArray[Any]",
    fixed: "NDArray[Any]",
    *,
    gram: "NDArray[Any]",
    ridge: "NDArray[Any]",
    weights: "NDArray[Any] | None" = None,
    rhs: "NDArray[Any] | None" = None,
    nonnegative: bool = False,
    start: "NDArray[Any] | None" = None,
    steps: int | None = None,
) -> "tuple[NDArray[Any], float]":
    """Solve every row of one side, the other side fixed.

    Parameters
    ----------
    indptr, indices, values
        CSR of the rows; ``values`` are what the products should be, y.
    fixed
        Factors of the other side, n × k, C-contiguous; its dtype is the working precision.
    gram
        k × k matrix added to every row's Gram matrix.
    ridge
        Added to the diagonal, one value a row.
    weights
        Weight w > 0 of each stored cell; all 1 by default.
    rhs
        Added to the right-hand side, rows × k.
    nonnegative
        Solve under x ≥ 0, from ``start``.
    start
        Rows × k; only the non-negative solver and ``steps`` read it.
    steps
        Instead of the minimum, so many steps towards it from ``start``: of conjugate gradients, or
        passes of coordinate descent for non-negative rows.

    Returns
    -------
    Rows × k, finite for finite input, and Σ w (y − v·x)² over the stored cells.
    """
    dtype = fixed.dtype
    n, k = len(indptr) - 1, fixed.shape[1]
    out = np.zeros((n, k), dtype) if start is None else np.array(start, dtype, order="C")
    if n == 0:
        return out, 0.0
    added = np.zeros((1, k), dtype) if rhs is None else np.asarray(rhs, dtype)
    turn = None
    with single_threaded_blas():
        # In the directions of the constant Gram matrix it is diagonal, as the ridge is, and short
        # rows can be solved through their own few columns. Not where its smallest directions are
        # rounding, which must not be divided by; and non-negativity does not survive a turn.
        diagonal = not nonnegative
        if diagonal and np.any(gram):
            shares, turned = np.linalg.eigh(np.asarray(gram, np.float64))
            safe = shares[0] + ridge.min() > k * np.finfo(dtype).eps * shares[-1]
            diagonal = bool(safe) or steps is not None
            if diagonal:
                turn = turned.astype(dtype)
                gram = np.diag(np.maximum(shares, 0))
                fixed, added = fixed @ turn, added @ turn
        whole = np.eye(padded(k), dtype=dtype)
        whole[:k, :k] = gram
        bounds = _equal_work(indptr, k, k * k)
        system = (
            indptr,
            indices,
            np.ascontiguousarray(values, dtype),
            _weights(weights, dtype),
            _pad(fixed),
            whole,
            np.ascontiguousarray(ridge, dtype),
            _pad(added),
        )
        if steps is None or nonnegative:
            errors = _in_chunks(
                _solve_chunk, dtype, bounds, *system, diagonal, nonnegative, steps or 0, out
            )
        else:
            wide = _pad(out if turn is None else out @ turn)
            errors = _in_chunks(_descend_chunk, dtype, bounds, *system, steps, wide)
            out = np.ascontiguousarray(wide[:, :k])
        if turn is not None:
            out = out @ turn.T
    return out, float(sum(errors))


def row_systems(
    indptr: "NDArray[np.int32]",
    indices: "NDArray[np.int32]",
    values: "NDArray[Any]",
    fixed: "NDArray[Any]",
    weights: "NDArray[Any] | None" = None,
) -> "NDArray[Any]":
    """What each row's own cells put into its system; sums over parts of the cells are those of all.

    Parameters
    ----------
    indptr, indices, values, fixed, weights
        As in ``solve_rows``.

    Returns
    -------
    Σ w y v, and the upper triangle of Σ w v vᵀ as ``np.triu_indices`` has it, side by side: rows ×
    (k + k(k + 1)/2).
    """
    n, k = len(indptr) - 1, fixed.shape[1]
    size = padded(k)
    systems = np.zeros((n, size, size), fixed.dtype)
    sides = np.zeros((n, size), fixed.dtype)
    if n:
        _in_chunks(
            _system_chunk,
            fixed.dtype,
            _equal_work(indptr, k, k * k),
            indptr,
            indices,
            np.ascontiguousarray(values, fixed.dtype),
            _weights(weights, fixed.dtype),
            _pad(fixed),
            systems,
            sides,
        )
    told = np.empty((n, k + k * (k + 1) // 2), fixed.dtype)
    told[:, :k] = sides[:, :k]
    first = k
    for row in range(k):
        told[:, first : first + k - row] = systems[:, row, row:k]
        first += k - row
    return told


def squared_error(
    indptr: "NDArray[np.int32]",
    indices: "NDArray[np.int32]",
    values: "NDArray[Any]",
    rows: "NDArray[Any]",
    cols: "NDArray[Any]",
    weights: "NDArray[Any] | None" = None,
) -> float:
    """Σ w (value − row·column)² over the stored cells, accumulated in double precision."""
    if len(indptr) < 2:
        return 0.0
    weights = _weights(weights, rows.dtype)
    system = (indptr, indices, values, weights, _pad(rows), _pad(cols))
    return float(
        sum(_in_chunks(_error_chunk, rows.dtype, _equal_work(indptr, 1, rows.shape[1]), *system))
    )


def gradient_ratio(
    indptr: "NDArray[np.int32]",
    indices: "NDArray[np.int32]",
    values: "NDArray[Any]",
    rows: "NDArray[Any]",
    cols: "NDArray[Any]",
    *,
    gram: "NDArray[Any]",
    ridge: "NDArray[Any]",
    weights: "NDArray[Any] | None" = None,
    nonnegative: bool = False,
) -> float:
    """‖A x − b‖ / ‖b‖ over all rows: how far one side is from its minimum, 0 at it.

    For non-negative factors the part of the gradient that points out of x ≥ 0 does not count.
    """
    if len(indptr) < 2:
        return 0.0
    dtype = rows.dtype
    found = _in_chunks(
        _gradient_chunk,
        dtype,
        _equal_work(indptr, 1, 2 * rows.shape[1]),
        indptr,
        indices,
        np.ascontiguousarray(values, dtype),
        _weights(weights, dtype),
        rows,
        cols,
        np.ascontiguousarray(gram, dtype),
        np.ascontiguousarray(ridge, dtype),
        nonnegative,
    )
    gradient, size = np.sum(found, axis=0)
    return float(np.sqrt(gradient / size)) if size > 0 else 0.0


@cache
def _choose_tiles(dtype: Any) -> None:
    """Take plain tiles from now on where those of vector instructions fail their trial."""
    global tiles
    failure = failure_of(vector_tiles, dtype)
    if failure:
        tiles = plain_tiles
        logging.getLogger(__name__).warning(
            "Vector instructions cannot be used on this computer (%s); fits take longer.", failure
        )


def _in_chunks(work: Any, dtype: Any, bounds: "NDArray[np.int64]", *given: Any) -> list[Any]:
    """Compiled work on each piece of the rows, in threads; what it returns, in order."""
    _choose_tiles(np.dtype(dtype))
    pieces = list(pairwise(bounds.tolist()))
    return in_threads(lambda piece: work(*piece, *given), pieces, THREADS)


def _pad(factors: "NDArray[Any]") -> "NDArray[Any]":
    """Factors with columns of zeros up to whole tiles."""
    n, k = factors.shape
    if k == padded(k):
        return np.ascontiguousarray(factors)
    wide = np.zeros((n, padded(k)), factors.dtype)
    wide[:, :k] = factors
    return wide


def _weights(weights: "NDArray[Any] | None", dtype: Any) -> "NDArray[Any]":
    return np.empty(0, dtype) if weights is None else np.ascontiguousarray(weights, dtype)


def _equal_work(indptr: "NDArray[np.int32]", k: int, per_cell: int) -> "NDArray[np.int64]":
    """Row numbers that cut the rows into pieces of about equal work.

    A row costs as much as ``k`` cells, a cell ``per_cell`` operations.
    """
    n = len(indptr) - 1
    work = indptr[1:].astype(np.int64) + k * np.arange(1, n + 1)
    pieces = min(n, CHUNKS_PER_CALL, 1 + int(work[-1]) * per_cell // LEAST_WORK)
    cuts = np.searchsorted(work, np.linspace(0, work[-1], pieces + 1)[1:-1])
    return np.unique(np.concatenate(([0], cuts, [n]))).astype(np.int64)
