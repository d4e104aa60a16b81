"""Time and memory of reading a large CSV of ratings, beside pandas and Polars.

    python tests/benchmarks/reading.py [--rows 20000000] [--repeats 3] [--order user|time]

Writes ratings like MovieLens-20M in their skew and form (whole-number ids, half stars, Unix times)
to a temporary folder and prints one JSON row a case. Ours is ``read_ratings(path).interactions()``:
all checks, ids kept as exact text, duplicates looked for, a CSR matrix. The peers check nothing:

- pandas: ``read_csv`` with both ids as text, ``factorize``, a CSR matrix;
- Polars: ``scan_csv(path).collect()`` alone, which turns ids into numbers and makes no matrix.

Every run is a fresh process, so that none inherits another's memory; imports are not timed, of ours
not the compiled code either, which the first large file of a process loads (half a second). The
runs alternate and the medians are compared. ``peak_gb`` is the largest resident size of a run
(Linux only).
Polars comes with ``pip install -e '.[bench]'``.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import synthetic

HEADER = b"user_id,item_id,rating,timestamp\n"
BLOCK = 2_000_000

START = "import sys, time\npath = sys.argv[1]\n"
END = """
seconds = time.perf_counter() - started
with open("/proc/self/status") as status:  # getrusage would count the parent's peak too
    peak = next(line for line in status if line.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 2**20)
"""
RUNS = {
    "ours": """
import transrec_core as tr
read = tr.read_ratings
import pyarrow.csv, transrec_core.data.plain
started = time.perf_counter()
matrix = read(path).interactions().matrix
assert matrix.nnz
""",
    "pandas": """
import pandas as pd, scipy.sparse as sp
started = time.perf_counter()
frame = pd.read_csv(path, dtype={"user_id": str, "item_id": str})
users, user_ids = pd.factorize(frame["user_id"], sort=True)
items, item_ids = pd.factorize(frame["item_id"], sort=True)
shape = (len(user_ids), len(item_ids))
matrix = sp.csr_array((frame["rating"].to_numpy("float32"), (users, items)), shape)
assert matrix.nnz
""",
    "polars": """
import polars as pl
started = time.perf_counter()
frame = pl.scan_csv(path).collect()
assert len(frame)
""",
}


def write(path: Path, rows: int, order: str, seed: int = 0) -> int:
    """Write about this many ratings by user or by time; return how many."""
    random = np.random.default_rng(seed)
    matrix = synthetic.ratings(rows, seed)
    users = np.repeat(np.arange(1, matrix.shape[0] + 1), np.diff(matrix.indptr))
    since = random.integers(789_652_009, 1_427_784_002, matrix.shape[0])[users - 1]
    times = since + random.integers(0, 500_000, len(users))
    stars = random.choice(np.arange(1, 11) / 2, len(users), p=np.array(HALF_STARS) / 100)
    at = np.argsort(times) if order == "time" else slice(None)
    columns = [array[at] for array in (users, matrix.indices + 1, stars, times)]
    table = pa.table(dict(zip("abcd", columns, strict=True)))
    with path.open("wb") as file:
        file.write(HEADER)
        for first in range(0, len(table), BLOCK):
            pacsv.write_csv(
                table.slice(first, BLOCK), file, pacsv.WriteOptions(include_header=False)
            )
    return len(table)


# Percent of MovieLens-20M's ratings from half a star to five.
HALF_STARS = (1, 3, 1, 7, 5, 21, 11, 28, 8, 15)


def measure(run: str, path: Path) -> tuple[float, float]:
    """Seconds and peak memory in GB of one run in its own process."""
    done = subprocess.run(
        [sys.executable, "-c", START + RUNS[run] + END, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak)


def main() -> None:
    """Write the file, time all three by turns, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--order", choices=("user", "time"), default="user")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        rows = write(path, asked.rows, asked.order)
        found: dict[str, list[tuple[float, float]]] = {run: [] for run in RUNS}
        for _ in range(asked.repeats):
            for run in RUNS:
                found[run].append(measure(run, path))
        size = path.stat().st_size / 1e9
    seconds = {run: statistics.median(s for s, _ in pairs) for run, pairs in found.items()}
    peak = {run: max(p for _, p in pairs) for run, pairs in found.items()}
    for peer in ("pandas", "polars"):
        row = {
            "case": f"read {rows} ratings by {asked.order}, {size:.2f} GB",
            "ours_s": round(seconds["ours"], 2),
            "peer": peer,
            "peer_s": round(seconds[peer], 2),
            "ratio": round(seconds["ours"] / seconds[peer], 2),
            "ours_peak_gb": round(peak["ours"], 2),
            "peer_peak_gb": round(peak[peer], 2),
        }
        print(json.dumps(row))


if __name__ == "__main__":
    main()
