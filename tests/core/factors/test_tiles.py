"""The tiles, of vectors and plain, against NumPy: every size of border, both precisions."""

import os
import subprocess
import sys

import numpy as np
import pytest

from transrec_core.factors import plain_tiles
from transrec_core.factors import tiles as vector_tiles
from transrec_core.factors.tile_trial import failure_of

SIZES = (8, 16, 24, 40, 64, 128)
PRECISIONS = (np.float32, np.float64)


def close(dtype):
    return {"rtol": 2e-4, "atol": 2e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}


@pytest.fixture(params=[vector_tiles, plain_tiles], ids=["vectors", "plain"])
def tiles(request):
    return request.param


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("k", SIZES)
@pytest.mark.parametrize("n", [0, 1, 7, 100])
def test_a_gram_matrix_is_added_to_the_upper_tiles(tiles, dtype, k, n, random):
    P = random.normal(size=(100, k)).astype(dtype)
    A = random.normal(size=(k, k)).astype(dtype)
    before = A.copy()
    tiles.add_gram(P, n, A)
    upper = np.triu(np.ones((k, k), bool))
    tile = np.arange(k) // vector_tiles.TILE
    below = tile[:, None] > tile[None, :]
    wide = P[:n].astype(float)
    np.testing.assert_allclose(A[upper], (before + wide.T @ wide)[upper], **close(dtype))
    np.testing.assert_array_equal(A[below], before[below])


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("k", SIZES)
def test_a_system_is_solved_by_its_upper_tiles_alone(tiles, dtype, k, random):
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
def test_a_matrix_that_is_not_positive_is_refused(tiles, dtype, at):
    A = np.eye(24, dtype=dtype)
    for bad in (0.0, -1.0, np.nan):
        broken = A.copy()
        broken[at, at] = bad
        assert not tiles.solve(broken, np.empty(24, dtype), np.ones(24, dtype))
    doubled = A.copy()
    doubled[at, at + 1] = 2  # clearly not: at 1 it hangs on the last digit of a square root
    assert not tiles.solve(doubled, np.empty(24, dtype), np.ones(24, dtype))


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_matrix_is_transposed_and_scaled(tiles, dtype, random):
    P, scale = random.normal(size=(32, 24)).astype(dtype), random.normal(size=24).astype(dtype)
    out = np.zeros((24, 16), dtype)
    tiles.transpose(P, 16, scale, out)
    np.testing.assert_array_equal(out, scale[:, None] * P[:16].T)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("n", [0, 3, 8, 13])
def test_products_with_rows_chosen_by_number(tiles, dtype, n, random):
    cols, x = random.normal(size=(50, 24)).astype(dtype), random.normal(size=24).astype(dtype)
    chosen = random.integers(0, 50, 20).astype(np.int32)
    out = np.zeros(14, dtype)
    tiles.predict(5, 5 + n, chosen, cols, x, out)
    np.testing.assert_allclose(out[:n], cols[chosen[5 : 5 + n]].astype(float) @ x, **close(dtype))
    assert not out[n:].any()
    total = x.copy()
    tiles.add_products(5, 5 + n, chosen, cols, out, total)
    wanted = x + cols[chosen[5 : 5 + n]].astype(float).T @ out[:n]
    np.testing.assert_allclose(total, wanted, **close(dtype))


@pytest.mark.parametrize(("k", "columns"), [(0, 0), (1, 8), (8, 8), (9, 16), (64, 64)])
def test_whole_tiles(k, columns):
    assert vector_tiles.padded(k) == columns


# ── computers on which vectors fail ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_tiles_that_work_pass_their_trial(tiles, dtype):
    assert failure_of(tiles, dtype) == ""


BREAKS = {
    "add_gram": lambda P, n, A: vector_tiles.add_gram(P, n - 1, A),
    "solve": lambda A, inverse, b: vector_tiles.solve(A, inverse, b[::-1].copy()),
    "transpose": lambda P, n, scale, out: vector_tiles.transpose(P, n, scale * 2, out),
    "predict": lambda *given: vector_tiles.predict(given[0], given[1] - 1, *given[2:]),
    "add_products": lambda *given: None,
}


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", BREAKS)
def test_every_function_that_is_wrong_is_noticed(name, dtype, monkeypatch):
    right = {other: getattr(vector_tiles, other) for other in BREAKS if other != name}
    broken = type("Tiles", (), {n: staticmethod(f) for n, f in right.items()})
    setattr(broken, name, staticmethod(BREAKS[name]))
    assert "wrong" in failure_of(broken, dtype)
    setattr(broken, name, staticmethod(lambda *_: 1 / 0))
    assert failure_of(broken, dtype) == "they cannot be compiled: ZeroDivisionError"


BROKEN = """
import sys
from transrec_core.factors import tiles
from transrec_core.factors.tile_trial import failure_of


def refuse(*given):
    raise AttributeError("as_pointer")


def add_instead(writer, total, a, b):
    return writer.plus(total, a, b)


if sys.argv[1] == "refused":
    tiles._Writer.vector_of = refuse
else:
    tiles._Writer.minus = add_instead
print(failure_of(tiles, "float32"))
"""

FIT = """
import sys
import numpy as np
import scipy.sparse as sp
from transrec_core.factors import factorize, kernels

if sys.argv[1] == "forced":
    kernels.failure_of = lambda *given: "forced"
ratings = sp.csr_array(np.random.default_rng(0).random((60, 40), np.float32))
made = factorize(ratings, rank=11, lam=0.1, feedback="implicit", sweeps=4)
print(kernels.tiles.__name__.split(".")[-1], *made.objective)
"""


def ran(code, how, **changes):
    return subprocess.run(
        [sys.executable, "-c", code, how], env=os.environ | changes, capture_output=True,
        text=True, check=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("how", "why"),
    [("refused", "they cannot be compiled"), ("wrong", "wrong about which systems can be solved")],
)
def test_vectors_that_a_compiler_refuses_or_gets_wrong_are_noticed(how, why, tmp_path):
    assert why in ran(BROKEN, how, NUMBA_CACHE_DIR=str(tmp_path)).stdout


def test_where_vectors_fail_fits_are_made_of_plain_loops():
    """Also where kernels of vectors lie in the cache."""
    objectives = {}
    for how, wanted in (("no", "tiles"), ("forced", "plain_tiles"), ("no", "tiles")):
        done = ran(FIT, how)
        made, *objective = done.stdout.split()
        assert made == wanted
        assert done.stderr.count("\n") == (how == "forced")
        objectives[made] = np.array(objective, float)
    np.testing.assert_allclose(objectives["plain_tiles"], objectives["tiles"], rtol=1e-5)
    assert not np.array_equal(objectives["plain_tiles"], objectives["tiles"])
