"""How long a process takes to start, and that only the first one ever compiles.

    python tests/benchmarks/start.py [REPEATS]

Prints two JSON rows. The first: wall time of whole processes that import transrec (the package and
``transrec_core.running``, so every module a run needs), by turns with processes that import NumPy,
SciPy's sparse matrices and pandas alone; medians, target at most half a second more. The second: a
small fit in each of two processes one after the other, with how often Numba found
the row solver in its cache on disk and how often it had to compile it.
"""

import json
import statistics
import subprocess
import sys
import time

BASE = "import numpy, scipy.sparse, pandas"
OURS = BASE + "; import transrec_core, transrec_core.running"
FIT = """
import json, time
import scipy.sparse as sp
import transrec_core as tr
from transrec_core.factors import kernels
started = time.perf_counter()
tr.factorize(sp.random_array((50, 40), density=0.2, rng=0, format="csr"), rank=3, lam=0.1)
seconds = time.perf_counter() - started
stats = kernels._solve_rows.stats
found = [sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), seconds]
print(json.dumps(found))
"""


def run(code: str) -> tuple[float, str]:
    """Seconds of a whole process and what it printed."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return time.perf_counter() - started, done.stdout


def main(repeats: int = 7) -> None:
    """Measure both."""
    run(OURS)  # the first import writes byte code and fills the disk cache
    run(BASE)
    seconds: dict[str, list[float]] = {BASE: [], OURS: []}
    for _ in range(repeats):
        for code, found in seconds.items():
            found.append(run(code)[0])
    base, ours = (statistics.median(found) for found in seconds.values())
    row = {"case": "import", "ours_s": round(ours, 2), "peer": BASE, "peer_s": round(base, 2)}
    print(json.dumps(row | {"more_s": round(ours - base, 2)}))
    run(FIT)
    hits, misses, fit = json.loads(run(FIT)[1])
    print(
        json.dumps(
            {
                "case": "second process",
                "cache_hits": hits,
                "cache_misses": misses,
                "compiled": misses > 0,
                "first_fit_s": round(fit, 2),
            }
        )
    )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
