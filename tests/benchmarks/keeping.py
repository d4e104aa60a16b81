"""What keeping a workspace on disk costs, and finding it again after a restart.

    python tests/benchmarks/keeping.py [--ratings N ...] [--runs N]

For synthetic catalogues of N ratings each and a workspace with a number of runs, prints a JSON
line: seconds that an upload waits for its file, that a page waits for a changed record, that a run
takes in the background, and that the first page after a restart waits; bytes on disk.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from synthetic import ratings

from dashboard import compute
from dashboard.jobs import Register
from dashboard.keeping import Keeper
from dashboard.store import Store
from transrec_core.running import run
from transrec_core.settings import Settings

SETTINGS = Settings(method="factor_map", rank=32, lam=0.05, shots=(0,))
REPEATS = 20


def csv_of(n: int, seed: int) -> bytes:
    """A file of about n ratings."""
    matrix = ratings(n, seed).tocoo()
    users, items = matrix.coords
    rows = (
        f"u{u},i{i},{v:.0f}"
        for u, i, v in zip(users.tolist(), items.tolist(), matrix.data.tolist(), strict=True)
    )
    return "\n".join(["user,item,rating", *rows, ""]).encode()


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def one(n: int, runs: int, folder: Path) -> dict[str, float]:
    """Measure one size."""
    register = Register()
    register.keeper = keeper = Keeper(Store(folder))
    space = register.create()
    contents = {side: csv_of(n, seed) for seed, side in enumerate(compute.SIDES)}
    kept = seconds(lambda: [space.keep_file(content, side) for side, content in contents.items()])
    for side in compute.SIDES:
        compute.load_side(space, side, contents[side], f"{side}.csv")
    assert space.source is not None
    assert space.source.ratings is not None
    assert space.target is not None
    assert space.target.ratings is not None
    made = run(space.source.ratings, space.target.ratings, SETTINGS, compare=False)
    for number in range(runs):
        space.install(made, space.inputs, ("source.csv", "target.csv"), f"{number:08x}")

    def keep_runs() -> None:
        space.keep()
        keeper.flush()

    run_seconds = seconds(keep_runs) / runs
    records = []
    for number in range(REPEATS):
        space.rename(space.results[0], f"name {number}")
        records.append(seconds(space.keep))
    keeper.close()
    again = Register()
    again.keeper = Keeper(Store(folder))
    found = seconds(lambda: again.find(space.id))
    used = again.keeper.store.used()
    again.keeper.close()
    return {
        "ratings": n,
        "runs": runs,
        "upload_s": round(kept / 2, 3),
        "record_ms": round(1000 * float(np.median(records)), 1),
        "run_s": round(run_seconds, 3),
        "found_s": round(found, 3),
        "disk_mib": round(used / 2**20, 1),
    }


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    for n in options.ratings:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(one(n, options.runs, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
