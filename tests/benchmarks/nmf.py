"""Zero-filled NMF: seconds to the objective that scikit-learn's coordinate descent reaches.

    python tests/benchmarks/nmf.py [--ratings 2000000] [--rank 32] [--repeats 3]

Both minimise ½‖R − UVᵀ‖² over all cells, unrated ones as zeros, from the same random start in
single precision. Every row has the system A = VᵀV, b = VᵀR of the one row kernel and is solved
exactly, or takes a few passes of coordinate descent. Prints JSON rows
{"case", "ours_s", "peer", "peer_s", "ratio"} for the objective after some iterations of theirs:
medians over repeats in turn.
"""

import argparse
import json
import statistics
import time
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import non_negative_factorization
from sklearn.exceptions import ConvergenceWarning
from synthetic import ratings

from transrec_core.factors.kernels import single_threaded_blas, solve_rows
from transrec_core.factors.solver import STEPS


def half(matrix: Any, fixed: Any, own: Any, steps: int | None) -> Any:
    """The best non-negative rows for R ≈ rows · fixedᵀ, or some steps towards them."""
    n = matrix.shape[0]
    rows, _ = solve_rows(
        np.zeros(n + 1, np.int32), np.zeros(0, np.int32), np.zeros(0, fixed.dtype), fixed,
        gram=fixed.T @ fixed, ridge=np.zeros(n), rhs=matrix @ fixed, nonnegative=True, start=own,
        steps=steps,
    )  # fmt: skip
    return rows


def objective(matrix: Any, users: Any, items: Any) -> float:
    """½‖R − UVᵀ‖² without the dense difference."""
    wide_users, wide_items = users.astype(np.float64), items.astype(np.float64)
    square = float((matrix.data.astype(np.float64) ** 2).sum())
    cross = float(((matrix @ items).astype(np.float64) * wide_users).sum())
    every = float(((wide_users.T @ wide_users) * (wide_items.T @ wide_items)).sum())
    return 0.5 * (square - 2 * cross + every)


def theirs(matrix: Any, users: Any, items: Any, iterations: int) -> tuple[float, float]:
    """Seconds and objective of scikit-learn."""
    started = time.perf_counter()
    W, H, _ = non_negative_factorization(
        matrix, W=users.copy(), H=items.T.copy(), init="custom", n_components=users.shape[1],
        max_iter=iterations, tol=0, solver="cd",
    )  # fmt: skip
    return time.perf_counter() - started, objective(matrix, W, np.ascontiguousarray(H.T))


def ours(
    matrix: Any, users: Any, items: Any, wanted: float, steps: int | None
) -> tuple[float, int]:
    """Seconds and sweeps to an objective."""
    by_item = sp.csr_array(matrix.T.tocsr())
    started = time.perf_counter()
    sweeps, reached = 0, np.inf
    while reached > wanted and sweeps < 500:
        with single_threaded_blas():
            users = half(matrix, items, users, steps)
            items = half(by_item, users, items, steps)
            reached = objective(matrix, users, items)
        sweeps += 1
    return time.perf_counter() - started, sweeps


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", type=int, default=2_000_000)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    matrix = ratings(options.ratings)
    random = np.random.default_rng(0)
    scale = np.sqrt(matrix.sum() / np.prod([float(n) for n in matrix.shape]) / options.rank)
    users, items = (
        np.abs(random.normal(0, scale, (n, options.rank))).astype(np.float32) for n in matrix.shape
    )
    kinds = {"exact": None, "steps": STEPS}
    for steps in kinds.values():
        ours(matrix, users, items, np.inf, steps)
    for iterations in (20, 100):
        peer: list[float] = []
        mine: dict[str, list[float]] = {name: [] for name in kinds}
        sweeps = {}
        for _ in range(options.repeats):
            seconds, wanted = theirs(matrix, users, items, iterations)
            peer.append(seconds)
            for name, steps in kinds.items():
                seconds, sweeps[name] = ours(matrix, users, items, wanted, steps)
                mine[name].append(seconds)
        for name in kinds:
            a, b = statistics.median(mine[name]), statistics.median(peer)
            print(json.dumps({
                "case": f"NMF {name} to the J of {iterations} iterations, "
                f"{matrix.nnz / 1e6:.1f}M ratings, rank {options.rank}",
                "ours_s": round(a, 3), "sweeps": sweeps[name],
                "peer": "scikit-learn NMF", "peer_s": round(b, 3), "ratio": round(b / a, 2),
            }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
