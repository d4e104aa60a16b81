"""Time of a sweep and peak memory from 1 to 100 million ratings, at rank 32.

    python tests/benchmarks/growth.py [MILLIONS ...]

Each size runs in a process of its own. Prints a JSON row a size and the growth exponent of the time
(the slope of log time over log ratings).
"""

import json
import resource
import subprocess
import sys
import time

import numpy as np
from synthetic import ratings

from transrec_core.factors import factorize
from transrec_core.limits import estimate_fit

MILLIONS = (1, 2, 5, 10, 20, 50, 100)
RANK = 32


def one(millions: int) -> None:
    """Fit one size and print its row."""
    matrix = ratings(millions * 1_000_000)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    stamps: list[float] = []
    factorize(
        matrix, rank=RANK, lam=0.05, feedback="implicit", sweeps=4, tolerance=0,
        on_sweep=lambda half, value: stamps.append(time.perf_counter()),
    )  # fmt: skip
    sweeps = [stamps[i + 2] - stamps[i] for i in range(1, len(stamps) - 2, 2)]
    row = {
        "ratings": int(matrix.nnz),
        "users": matrix.shape[0],
        "items": matrix.shape[1],
        "sweep_s": round(float(np.median(sweeps)), 4),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "generator_gib": round(made, 2),
        "estimate_gib": round(estimate_fit(*matrix.shape, int(matrix.nnz), RANK).total / 2**30, 2),
    }
    print(json.dumps(row), flush=True)


def main(sizes: list[int]) -> None:
    """Run every size and fit the exponent."""
    rows = []
    for millions in sizes:
        ran = subprocess.run(
            [sys.executable, __file__, "--one", str(millions)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        rows.append(json.loads(ran.stdout.splitlines()[-1]))
        print(json.dumps(rows[-1]), flush=True)
    if len(rows) > 1:
        x, y = (np.log([row[key] for row in rows]) for key in ("ratings", "sweep_s"))
        print(json.dumps({"exponent": round(float(np.polyfit(x, y, 1)[0]), 3)}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]))
    else:
        main([int(size) for size in sys.argv[1:]] or list(MILLIONS))
