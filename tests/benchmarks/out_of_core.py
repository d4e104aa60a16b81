"""A file of ratings three times as large as all memory that a process may have.

    python tests/benchmarks/out_of_core.py [--limit 1.5G] [--times 3] [--row-bytes 600]

Writes ratings with text ids, Unix times in milliseconds and reviews (a file as shops export it) and
a small catalogue of some of the same people, and gives them to ``transrec check`` and ``transrec
recommend`` in processes whose addresses are limited (``ulimit -v``). Code, threads and room that is
reserved but not used count too, so the allocators are told to reserve little. Prints one JSON row a
command: sizes, the limit, what the process took at most of memory (``peak_gib``, VmHWM) and of
addresses (VmPeak), seconds, and how it ended; ``at once`` is the same file read as a whole, where
it is said that there is memory enough. Linux only; what it writes is removed.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from transrec_core.limits import GIB

HEADER = b"user_id,parent_asin,rating,timestamp,text\n"
PER_USER, ITEMS, TARGET_ITEMS, BLOCK = 25, 100_000, 5_000, 200_000
LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", np.uint8)

CHILD = """
import sys
from transrec_core.cli import main
from transrec_core.data import read_table
try:
    code = {run}
finally:
    with open("/proc/self/status") as status:
        peaks = {{line.split()[0]: int(line.split()[1]) for line in status if "kB" in line}}
    sys.stderr.write("\\n%d %d\\n" % (peaks["VmHWM:"], peaks["VmPeak:"]))
sys.exit(code)
"""
COMMAND = "main(sys.argv[1:])"
AT_ONCE = "read_table(sys.argv[1]) is None"
# Both keep what was freed, or reserve far more than is used.
SPARING = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


def names(random: np.random.Generator, count: int, length: int) -> pa.Array:
    """Ids of capitals and digits, as shops give them."""
    letters = LETTERS[random.integers(0, len(LETTERS), (count, length))]
    return pa.array(letters.view(f"S{length}")[:, 0].astype(str))


def write(path: Path, users: pa.Array, items: pa.Array, size: float, text: int, seed: int) -> int:
    """Write ratings of popular items by busy users, each with a review; return how many."""
    random = np.random.default_rng(seed)
    words = names(random, 20_000, 6).to_pylist()
    reviews = pa.array(
        [" ".join(random.choice(words, max(text // 7, 1))).lower() for _ in range(5_000)]
    )
    stars = pa.array(["1.0", "2.0", "3.0", "4.0", "5.0"])
    with path.open("wb") as file:
        file.write(HEADER)
        rows, n = 0, BLOCK
        while file.tell() < size:
            rows += n
            columns = [
                users.take(pa.array((random.random(n) ** 2 * len(users)).astype(np.int32))),
                items.take(pa.array((random.random(n) ** 3 * len(items)).astype(np.int32))),
                stars.take(pa.array(random.integers(0, 5, n))),
                pa.array(random.integers(1_300_000_000_000, 1_700_000_000_000, n)),
                reviews.take(pa.array(random.integers(0, len(reviews), n))),
            ]
            options = pacsv.WriteOptions(include_header=False, quoting_style="none")
            pacsv.write_csv(pa.table(dict(zip("uirtx", columns, strict=True))), file, options)
    return rows


def measure(run: str, arguments: list[str], limit: int, **environment: str) -> dict[str, object]:
    """Run one command in a process whose addresses are limited."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(run=run), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **SPARING, **environment},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    at = next((n for n, line in enumerate(lines) if line.replace(" ", "").isdigit()), None)
    peaks = [0, 0] if at is None else [int(part) for part in lines[at].split()]
    said = [line for n, line in enumerate(lines) if n != at]
    return {
        "code": done.returncode,
        "peak_gib": round(peaks[0] / 2**20, 2),
        "addresses_gib": round(peaks[1] / 2**20, 2),
        "seconds": round(time.perf_counter() - started, 1),
        "said": said[-1][:200] if done.returncode and said else "",
    }


def main() -> None:
    """Write the files, run the commands, remove the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", default="1.5G", help="gibibytes that a process may have")
    parser.add_argument("--times", type=float, default=3.0, help="size of the file in limits")
    parser.add_argument("--row-bytes", type=int, default=600, help="bytes of a row")
    asked = parser.parse_args()
    limit = int(float(asked.limit.removesuffix("G")) * GIB)
    size = asked.times * limit
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        source, target, out = (Path(folder) / name for name in ("s.csv", "t.csv", "out.parquet"))
        users = names(random, int(size / asked.row_bytes / PER_USER), 28)
        rows = write(source, users, names(random, ITEMS, 10), size, asked.row_bytes - 62, 2)
        write(target, users[: len(users) // 10], names(random, TARGET_ITEMS, 10), 2e7, 20, 3)
        flags = ["--method", "factor_map", "--rank", "8", "--lam", "1", "--out", str(out)]
        for what, run, arguments, environment in (
            ("check", COMMAND, ["check", str(source)], {}),
            ("recommend", COMMAND, ["recommend", str(source), str(target), *flags], {}),
            ("at once", AT_ONCE, [str(source)], {"TRANSREC_LIMIT_MEMORY": "1T"}),
        ):
            found = measure(run, arguments, limit, **environment)
            size, lists = os.path.getsize(source), out.stat().st_size if out.exists() else 0
            about = {"command": what, "rows": rows, "users": len(users)}
            sizes = {"file_gib": round(size / GIB, 2), "limit_gib": limit / GIB}
            times = {"times": round(size / limit, 2), "lists_mib": round(lists / 2**20)}
            print(json.dumps({**about, **sizes, **times, **found}), flush=True)


if __name__ == "__main__":
    main()
