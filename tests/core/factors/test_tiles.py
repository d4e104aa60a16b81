"""The register tiles against NumPy: every size of tile border, both precisions."""

import numpy as np
import pytest
from numba import njit

from transrec_core.factors import tiles

SIZES = (8, 16, 24, 40, 64, 128)
PRECISIONS = (np.float32, np.float64)


@njit
def dots_of(cols, indices, at, x, out, to):
    tiles.dots(cols, indices, at, x, out, to)


@njit
def add_rows_of(cols, indices, at, t, out):
    tiles.add_rows(cols, indices, at, t, out)


def close(dtype):
    return {"rtol": 2e-4, "atol": 2e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("k", SIZES)
@pytest.mark.parametrize("n", [0, 1, 7, 100])
def test_a_gram_matrix_is_added_to_the_upper_tiles(dtype, k, n, random):
    P = random.normal(size=(100, k)).astype(dtype)
    A = random.normal(size=(k, k)).astype(dtype)
    before = A.copy()
    tiles.add_gram(P, n, A)
    upper = np.arange(k) // tiles.TILE
    upper = upper[:, None] <= upper[None, :]
    wide = P[:n].astype(float)
    np.testing.assert_allclose(A[upper], (before + wide.T @ wide)[upper], **close(dtype))
    np.testing.assert_array_equal(A[~upper], before[~upper])


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("k", SIZES)
def test_a_system_is_solved_by_its_upper_tiles_alone(dtype, k, random):
    P = random.normal(size=(2 * k, k))
    A = P.T @ P + np.eye(k)
    b = random.normal(size=k)
    upper = np.triu(A).astype(dtype)
    x, inverse = b.astype(dtype), np.empty(k, dtype)
    assert tiles.solve(upper, inverse, x)
    np.testing.assert_allclose(x, np.linalg.solve(A, b), **close(dtype))
    factor = np.linalg.cholesky(A).T
    np.testing.assert_allclose(np.triu(upper), factor, **close(dtype))
    np.testing.assert_allclose(inverse, 1 / np.diag(factor), **close(dtype))


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("at", [0, 5, 17])
def test_a_matrix_that_is_not_positive_is_refused(dtype, at):
    A = np.eye(24, dtype=dtype)
    for bad in (0.0, -1.0, np.nan):
        broken = A.copy()
        broken[at, at] = bad
        assert not tiles.solve(broken, np.empty(24, dtype), np.ones(24, dtype))
    doubled = A.copy()
    doubled[at, at + 1] = 2  # clearly not: at 1 it hangs on the last digit of a square root
    assert not tiles.solve(doubled, np.empty(24, dtype), np.ones(24, dtype))


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_matrix_is_transposed_and_scaled(dtype, random):
    P, scale = random.normal(size=(32, 24)).astype(dtype), random.normal(size=24).astype(dtype)
    out = np.zeros((24, 16), dtype)
    tiles.transpose(P, 16, scale, out)
    np.testing.assert_array_equal(out, scale[:, None] * P[:16].T)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_eight_products_with_rows_chosen_by_number(dtype, random):
    cols, x = random.normal(size=(50, 24)).astype(dtype), random.normal(size=24).astype(dtype)
    chosen = random.integers(0, 50, 20).astype(np.int32)
    out = np.zeros(10, dtype)
    dots_of(cols, chosen, 5, x, out, 1)
    np.testing.assert_allclose(out[1:9], cols[chosen[5:13]].astype(float) @ x, **close(dtype))
    assert out[0] == out[9] == 0
    total = x.copy()
    add_rows_of(cols, chosen, 5, out[1:9], total)
    wanted = x + cols[chosen[5:13]].astype(float).T @ out[1:9]
    np.testing.assert_allclose(total, wanted, **close(dtype))


@pytest.mark.parametrize(("k", "columns"), [(0, 0), (1, 8), (8, 8), (9, 16), (64, 64)])
def test_whole_tiles(k, columns):
    assert tiles.padded(k) == columns
