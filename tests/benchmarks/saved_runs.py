"""A saved run beside a pickle of it: seconds to write and read, bytes, and the reader's memory.

    python tests/benchmarks/saved_runs.py [SOURCE TARGET] [--ratings 4000000] [--repeats 3]

On two files, or on invented data: two catalogues of that many ratings each, the same people. The
run is fitted by one method at rank 32. Prints one JSON row; seconds are medians, both ways in turn.
"""

import argparse
import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from warm_start import invented

import transrec_core as tr
from transrec_core.data.linking import link
from transrec_core.progress import Meter
from transrec_core.running import Run
from transrec_core.settings import Settings
from transrec_core.transfer.factorizations import Factorizations
from transrec_core.transfer.fitting import FitSpec
from transrec_core.transfer.knowledge import Ground

PEAK = r"""
import re, sys
from pathlib import Path
from transrec_core.persistence import load_run

def peak():
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])

before = peak()
load_run(sys.argv[1])
print(peak() - before)
"""


def fitted(n: int) -> Run:
    """A run on invented data, without evidence: that hardly grows with the data."""
    pair = link(invented(n, 0), invented(n, 1))
    ground = Ground(pair, "implicit", 0)
    spec = FitSpec("implicit", "als", 32, 0.02, 0.2, 1.0, 0)
    meter = Meter(None)
    fit = Factorizations().fit(ground, spec, "all", pair.target.matrix, on_fit=meter.fits("Fit"))
    settings = Settings(feedback="implicit", method="factor_map", rank=32, lam=0.02)
    return Run(settings, pair, None, "", fit.by("factor_map"), None, None, None, {}, 0.0)


def main() -> None:
    """Write and read in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--ratings", type=int, default=4_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if options.files:
        source, target = map(tr.read_ratings, options.files)
        run = tr.run(source, target, Settings(method="factor_map", rank=32, lam=0.02))
    else:
        run = fitted(options.ratings)
    seconds: dict[str, list[float]] = {}

    def timed(name: str, work) -> object:
        started = time.perf_counter()
        found = work()
        seconds.setdefault(name, []).append(time.perf_counter() - started)
        return found

    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "run.transrec", Path(folder) / "run.pickle"
        for _ in range(options.repeats):
            timed("save_run", lambda: tr.save_run(run, ours))
            timed("pickle.dump", lambda: theirs.write_bytes(pickle.dumps(run, protocol=5)))
            timed("load_run", lambda: tr.load_run(ours))
            timed("pickle.load", lambda: pickle.loads(theirs.read_bytes()))
        peak = subprocess.run(
            [sys.executable, "-c", PEAK, str(ours)], capture_output=True, text=True, check=True
        )
        sizes = {"run_mb": ours.stat().st_size / 1e6, "pickle_mb": theirs.stat().st_size / 1e6}
        ratings = run.pair.source.matrix.nnz + run.pair.target.matrix.nnz
        medians = {name: round(statistics.median(times), 3) for name, times in seconds.items()}
        reading = {"reader_peak_mb": int(peak.stdout) / 1024}
        print(json.dumps({"ratings": ratings, **medians, **sizes, **reading}))


if __name__ == "__main__":
    main()
