"""One sweep (both halves) of alternating least squares, ours beside the peers'.

    pip install '.[bench]'
    python tests/benchmarks/sweeps.py [--ratings 2000000] [--rank 64] [--repeats 3] [--peers NAME]

Prints JSON rows {"case", "ours_s", "peer", "peer_s", "ratio"}: medians over repeats in which ours
and the peers run in turn on the same matrix, exact rows beside exact ones and a few steps a row
beside the like. A sweep is the time of a fit of 1 + n sweeps less that of one of 1, over n, so that
set-up does not count; the same for ours, J included. The first rows give ours as a share of the
machine's own single-precision matrix product, at 2·k² operations a rating and half-sweep. The last
rows give the seconds to the J that the ``implicit`` package reaches in 15 sweeps of 3 steps, on its
own objective.
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

from transrec_core.factors import Implicit, factorize, objective_value
from transrec_core.factors.kernels import single_threaded_blas
from transrec_core.factors.solver import STEPS, half_sweep

THREADS = os.cpu_count() or 1
LAM = 0.05


def ours(matrix: sp.csr_array, rank: int, feedback: Any, rows: Any) -> Callable[[int], Any]:
    """Fit by the package itself, with J after each half-sweep."""

    def fit(sweeps: int) -> Any:
        return factorize(
            matrix, rank=rank, lam=LAM, feedback=feedback, biases=False, rows=rows,
            sweeps=sweeps, tolerance=0,
        )  # fmt: skip

    return fit


class Doubled(Implicit):
    """The objective of the ``implicit`` package at confidence 2, less a constant.

    2(1 − x)² on interactions and x² elsewhere is (2 − x)² − 2 on interactions and x² everywhere.
    """

    def cells(self, data: Any) -> Any:
        """A 2 at every interaction."""
        return np.full_like(data, 2), None


def seconds_to_same_objective(matrix: sp.csr_array, rank: int, repeats: int) -> None:
    """Print how long each solver takes to the J that the ``implicit`` package ends at."""
    spec = Doubled(LAM, alpha0=1.0)
    by_item = sp.csr_array(matrix.T.tocsr())
    by_item = sp.csr_array(
        (by_item.data, by_item.indices.astype(np.int32), by_item.indptr.astype(np.int32)),
        by_item.shape,
    )
    peer = implicit_als(matrix, rank, True, confidence=2)
    times: dict[str, list[float]] = {"theirs": [], "exact": [], "steps": []}
    sweeps: dict[str, int] = {}
    for repeat in range(repeats):
        started = time.perf_counter()
        model = peer(15)
        times["theirs"].append(time.perf_counter() - started)
        wanted = objective_value(matrix, model.user_factors, model.item_factors, spec)
        for name, steps in (("exact", None), ("steps", STEPS)):
            random = np.random.default_rng(repeat)
            users, items = (
                random.normal(0, 0.1 / rank**0.5, (n, rank)).astype(np.float32)
                for n in matrix.shape
            )
            started = time.perf_counter()
            reached, n = np.inf, 0
            while reached > wanted and n < 100:
                with single_threaded_blas():
                    users, _ = half_sweep(matrix, items, users, spec, False, steps)
                    items, error = half_sweep(by_item, users, items, spec, False, steps)
                    reached = objective_value(matrix, users, items, spec, error)
                n += 1
            times[name].append(time.perf_counter() - started)
            sweeps[name] = n
    theirs = statistics.median(times["theirs"])
    for name in ("exact", "steps"):
        seconds = statistics.median(times[name])
        print(json.dumps({
            "case": f"seconds to the same J, {matrix.nnz / 1e6:.1f}M ratings, rank {rank}, {name}",
            "ours_s": round(seconds, 3), "sweeps": sweeps[name], "peer": "implicit CG, 15 sweeps",
            "peer_s": round(theirs, 3), "ratio": round(theirs / seconds, 2),
        }), flush=True)  # fmt: skip


def implicit_als(
    matrix: sp.csr_array, rank: int, use_cg: bool, confidence: float = 1
) -> Callable[[int], Any]:
    from implicit.cpu.als import AlternatingLeastSquares

    stored = np.full(matrix.nnz, confidence, np.float32)
    data = sp.csr_matrix((stored, matrix.indices, matrix.indptr), matrix.shape)

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


def peers(matrix: sp.csr_array, rank: int) -> dict[str, tuple[Any, Any, Callable[[int], Any]]]:
    """Every peer: the feedback and the rows of ours that it is compared with, and its fit."""
    return {
        "cmfrec exact": ("ratings", "exact", cmfrec_als(matrix, rank, False, False)),
        "cmfrec CG": ("ratings", "steps", cmfrec_als(matrix, rank, True, False)),
        "implicit exact": ("implicit", "exact", implicit_als(matrix, rank, False)),
        "implicit CG": ("implicit", "steps", implicit_als(matrix, rank, True)),
        "irspack exact": ("implicit", "exact", irspack_ials(matrix, rank, "CHOLESKY")),
        "irspack iALS++": ("implicit", "steps", irspack_ials(matrix, rank, "IALSPP")),
        "cmfrec implicit exact": ("implicit", "exact", cmfrec_als(matrix, rank, False, True)),
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
    own = {
        (kind, rows): ours(matrix, options.rank, kind, rows)
        for kind in ("ratings", "implicit")
        for rows in ("exact", "steps")
    }
    for fit in own.values():
        fit(1)
    there = peers(matrix, options.rank)
    names = list(there) if options.peers is None else options.peers
    times: dict[str, list[float]] = {name: [] for name in names}
    mine: dict[Any, list[float]] = {which: [] for which in own}
    for _ in range(options.repeats):
        for which, fit in own.items():
            mine[which].append(sweep_seconds(fit, options.sweeps))
        for name in names:
            times[name].append(sweep_seconds(there[name][2], options.sweeps))
    peak = matmul_gflops()
    for (kind, rows), seconds in mine.items():
        row = {"case": f"{kind} {rows} sweep, {size}"}
        row["ours_s"] = round(statistics.median(seconds), 4)
        if rows == "exact":
            work = 2 * matrix.nnz * 2 * options.rank**2 / statistics.median(seconds) / 1e9
            row |= {"gflops": round(work, 1), "matmul_gflops": round(peak, 1),
                    "share": round(work / peak, 3)}  # fmt: skip
        print(json.dumps(row, ensure_ascii=False), flush=True)
    for name in names:
        kind, rows, _ = there[name]
        a, b = statistics.median(mine[kind, rows]), statistics.median(times[name])
        row = {"case": f"{kind} {rows} sweep, {size}", "ours_s": round(a, 4), "peer": name,
               "peer_s": round(b, 4), "ratio": round(b / a, 2)}  # fmt: skip
        print(json.dumps(row, ensure_ascii=False), flush=True)
    if "implicit CG" in names:
        seconds_to_same_objective(matrix, options.rank, options.repeats)


if __name__ == "__main__":
    main()
