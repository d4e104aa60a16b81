"""One sweep (both halves) of alternating least squares, ours beside the peers'.

    pip install '.[bench]'
    python tests/benchmarks/sweeps.py [--ratings 2000000] [--rank 64] [--repeats 3] [--peers NAME]

Prints JSON rows {"case", "ours_s", "peer", "peer_s", "ratio"}: medians over repeats in which ours
and the peers run in turn on the same matrix. A sweep is the time of a fit of 1 + n sweeps less that
of one of 1, over n, so that set-up does not count; the same for ours, J included. The first rows
give ours as a share of the machine's own single-precision matrix product, at 2·k² operations a
rating and half-sweep.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from synthetic import ratings
from threadpoolctl import threadpool_limits

from transrec_core.factors import factorize

THREADS = os.cpu_count() or 1
LAM = 0.05


def ours(matrix: sp.csr_array, rank: int, feedback: Any) -> Callable[[int], Any]:
    """Fit by the package itself, with J after each half-sweep."""

    def fit(sweeps: int) -> Any:
        return factorize(
            matrix, rank=rank, lam=LAM, feedback=feedback, biases=False, sweeps=sweeps, tolerance=0
        )

    return fit


def implicit_als(matrix: sp.csr_array, rank: int, use_cg: bool) -> Callable[[int], Any]:
    from implicit.cpu.als import AlternatingLeastSquares

    data = sp.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr))

    def fit(sweeps: int) -> Any:
        model = AlternatingLeastSquares(
            factors=rank, regularization=2 * LAM, use_cg=use_cg, iterations=sweeps,
            num_threads=THREADS, random_state=1,
        )  # fmt: skip
        with threadpool_limits(1, "blas"):
            model.fit(data, show_progress=False)
        return model

    return fit


def irspack_ials(matrix: sp.csr_array, rank: int, solver: Any) -> Callable[[int], Any]:
    from irspack.recommenders.ials import IALSRecommender

    data = sp.csr_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr))

    def fit(sweeps: int) -> Any:
        model = IALSRecommender(
            data, n_components=rank, alpha0=0.1, reg=2 * LAM, nu=0.0, solver_type=solver,
            train_epochs=sweeps, n_threads=THREADS,
        )  # fmt: skip
        return model.learn()

    return fit


def cmfrec_als(
    matrix: sp.csr_array, rank: int, use_cg: bool, implicit: bool
) -> Callable[[int], Any]:
    import cmfrec

    data = sp.coo_matrix(matrix.tocoo())
    common = {
        "k": rank, "lambda_": 2 * LAM, "use_cg": use_cg, "use_float": True, "nthreads": THREADS,
        "precompute_for_predictions": False, "verbose": False, "finalize_chol": False,
    }  # fmt: skip

    def fit(sweeps: int) -> Any:
        if implicit:
            return cmfrec.CMF_implicit(niter=sweeps, **common).fit(data)
        return cmfrec.CMF(
            niter=sweeps, user_bias=False, item_bias=False, center=False, **common
        ).fit(data)

    return fit


def peers(matrix: sp.csr_array, rank: int) -> dict[str, tuple[str, Callable[[int], Any]]]:
    """Every peer: the feedback that it is compared on, and its fit."""
    return {
        "cmfrec exact": ("ratings", cmfrec_als(matrix, rank, False, False)),
        "cmfrec CG": ("ratings", cmfrec_als(matrix, rank, True, False)),
        "implicit exact": ("implicit", implicit_als(matrix, rank, False)),
        "implicit CG": ("implicit", implicit_als(matrix, rank, True)),
        "irspack exact": ("implicit", irspack_ials(matrix, rank, "CHOLESKY")),
        "irspack iALS++": ("implicit", irspack_ials(matrix, rank, "IALSPP")),
        "cmfrec implicit exact": ("implicit", cmfrec_als(matrix, rank, False, True)),
    }


def sweep_seconds(fit: Callable[[int], Any], sweeps: int) -> float:
    """Seconds of one sweep, set-up taken off."""
    started = time.perf_counter()
    fit(1)
    between = time.perf_counter()
    fit(1 + sweeps)
    return ((time.perf_counter() - between) - (between - started)) / sweeps


def matmul_gflops() -> float:
    """Single-precision matrix product of this machine, all cores."""
    square = np.ones((3000, 3000), np.float32)
    square @ square
    times = []
    for _ in range(5):
        started = time.perf_counter()
        square @ square
        times.append(time.perf_counter() - started)
    return 2 * 3000**3 / statistics.median(times) / 1e9


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", type=int, default=2_000_000)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sweeps", type=int, default=2)
    parser.add_argument("--peers", nargs="*")
    options = parser.parse_args()
    matrix = ratings(options.ratings)
    shape = f"{matrix.shape[0]} × {matrix.shape[1]}"
    size = f"{matrix.nnz / 1e6:.1f}M ratings, {shape}, rank {options.rank}"
    own = {kind: ours(matrix, options.rank, kind) for kind in ("ratings", "implicit")}
    for fit in own.values():
        fit(1)
    there = peers(matrix, options.rank)
    times: dict[str, list[float]] = {name: [] for name in there}
    mine: dict[str, list[float]] = {kind: [] for kind in own}
    names = options.peers or list(there)
    for _ in range(options.repeats):
        for kind, fit in own.items():
            mine[kind].append(sweep_seconds(fit, options.sweeps))
        for name in names:
            times[name].append(sweep_seconds(there[name][1], options.sweeps))
    peak = matmul_gflops()
    for kind, seconds in mine.items():
        work = 2 * matrix.nnz * 2 * options.rank**2 / statistics.median(seconds) / 1e9
        row = {"case": f"{kind}, {size}", "ours_s": round(statistics.median(seconds), 4)}
        print(json.dumps({**row, "gflops": round(work, 1), "matmul_gflops": round(peak, 1),
                          "share": round(work / peak, 3)}), flush=True)  # fmt: skip
    for name in names:
        kind = there[name][0]
        a, b = statistics.median(mine[kind]), statistics.median(times[name])
        row = {"case": f"{kind} sweep, {size}", "ours_s": round(a, 4)}
        print(json.dumps({**row, "peer": name, "peer_s": round(b, 4), "ratio": round(b / a, 2)}),
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
