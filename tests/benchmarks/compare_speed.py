"""A whole comparison beside plain fits of both domains by the ``implicit`` package.

    pip install '.[bench]'
    python tests/benchmarks/compare_speed.py [SOURCE TARGET] [--rank 32] [--repeats 5]

By default the anime pair, where it is at hand. Each repeat times, in turn on the same data already
in memory: 15 iterations of ``implicit``'s ALS on the source and on the target, by conjugate
gradients (its default) and with exact rows; and the whole comparison of lists at the same rank
(five numbers of shots, every baseline, 2,000 resamples, placebo), with one method of transfer and
with all of them. Prints medians as JSON rows with the ratio to ``implicit``.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import implicit
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

import transrec_core as tr
from transrec_core.data.linking import link
from transrec_core.evidence.comparison import compare_domains
from transrec_core.progress import Meter

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "anime_tv_to_movie"
METHODS = ("factor_map", "row_map", "ridge", "joint", "neural_map", "auto")


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Time both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    files = options.files or [SHARED / "source.csv", SHARED / "target.csv"]
    if not files[0].exists():
        print(json.dumps({"skipped": f"{files[0]} is not there"}))
        return
    pair = link(*(tr.read_ratings(file).interactions() for file in files))

    def peer(exact: bool) -> None:
        for domain in (pair.source, pair.target):
            taken = sp.csr_matrix(domain.matrix.astype(bool), dtype="float32")
            model = implicit.als.AlternatingLeastSquares(
                factors=options.rank, iterations=15, use_cg=not exact, random_state=0
            )
            model.fit(taken, show_progress=False)

    def ours(method: str) -> None:
        settings = tr.Settings(feedback="implicit", method=method, rank=options.rank, lam=0.006)
        compare_domains(pair, settings, Meter())

    cases = {
        "implicit, conjugate gradients": lambda: peer(False),
        "implicit, exact": lambda: peer(True),
        **{f"compare, {method}": lambda method=method: ours(method) for method in METHODS},
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    for repeat in range(options.repeats + 1):
        for name, work in cases.items():
            # implicit asks for one thread of BLAS; the first round compiles and warms up.
            with threadpool_limits(1 if name.startswith("implicit") else None, "blas"):
                taken = seconds(work)
            if repeat:
                found[name].append(taken)
    medians = {name: statistics.median(times) for name, times in found.items()}
    base, exact = medians["implicit, conjugate gradients"], medians["implicit, exact"]
    for name, median in medians.items():
        row = {"case": name, "seconds": round(median, 3), "times_cg": round(median / base, 2),
               "times_exact": round(median / exact, 2)}  # fmt: skip
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
