"""What it takes to open a run folder and to look a user up in it.

    python tests/benchmarks/run_folder.py [--users N ...] [--files N ...] [--folder DIR]

Writes lists of N users × 10 items as one file, as the embedded engine does, and as many, to which
users are hashed as Spark does; or takes a run folder that is there. Prints a JSON line for each:
bytes on disk, seconds to open, to look one user up (median and the slowest of 200), to look 1,000
up at once, and the peak memory above that of a process which has only loaded the core. Each runs
in a process of its own.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from transrec_core.engines import folder as folders
from transrec_core.settings import Settings

TOP = 10
LOOKED_UP = 200
AT_ONCE = 1000


def user_id(number: int) -> str:
    """Ids of one length rise as their numbers do."""
    return f"user-{number:09d}"


def lists(users: np.ndarray, seed: int) -> Iterator[pa.Table]:
    """Random lists of some users, as tables of the size that the engine makes."""
    random = np.random.default_rng(seed)
    for start in range(0, len(users), folders.USERS_AT_ONCE):
        ids = [user_id(number) for number in users[start : start + folders.USERS_AT_ONCE]]
        rows = len(ids) * TOP
        items = random.integers(0, 200_000, rows)
        yield pa.table(
            {
                "user_id": pa.array(np.repeat(np.array(ids, object), TOP), pa.string()),
                "item_id": pa.array([f"item-{number:07d}" for number in items]),
                "rank": pa.array(np.tile(np.arange(1, TOP + 1), len(ids)), pa.int32()),
                "score": pa.array(random.random(rows)),
                "method": pa.array(["factor_map"] * rows),
            },
            schema=folders.SCHEMAS[folders.LISTS],
        )


def write(place: Path, users: int, files: int) -> None:
    """Write a run folder that has lists alone."""
    belongs = np.random.default_rng(0).integers(0, files, users)
    for number in range(files):
        mine = np.flatnonzero(belongs == number)
        folders.write_part(place, folders.LISTS, lists(mine, number), number)
    facts = folders.run_json(
        "embedded", Settings(), {}, None, 1.0, {folders.LISTS: users * TOP},
        no_comparison="Only lists are measured.",
    )  # fmt: skip
    (place / folders.RUN).write_bytes(facts)


def peak() -> float:
    """MiB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def one(place: Path) -> None:
    """Measure one folder and print its row."""
    before = peak()
    opened = seconds(lambda: folders.open_run_folder(place))
    found = folders.open_run_folder(place)
    assert found.run is not None
    users = found.run.contents[folders.LISTS] // TOP
    random = np.random.default_rng(1)
    ids = [user_id(number) for number in random.integers(0, users, LOOKED_UP)]
    for user in ids[:3]:
        assert len(found.lists_of(user)) == TOP, "the folder has other ids than this script's"
    times = [seconds(lambda user=user: found.lists_of(user)) for user in ids]
    alone = peak() - before
    many = [user_id(number) for number in random.choice(users, AT_ONCE, replace=False)]
    at_once = seconds(lambda: found.lists_of(*many))
    read, groups = found.row_groups(ids[0])
    row = {
        "users": users,
        "rows": found.run.contents[folders.LISTS],
        "files": len(list((place / folders.LISTS).glob("*.parquet"))),
        "mib": round(sum(f.stat().st_size for f in place.rglob("*.parquet")) / 2**20, 1),
        "row_groups": groups,
        "row_groups_read": read,
        "open_s": round(opened, 3),
        "look_up_s": round(statistics.median(times), 4),
        "slowest_s": round(max(times), 4),
        "peak_mib": round(alone, 1),
        f"look_up_{AT_ONCE}_s": round(at_once, 3),
        f"peak_{AT_ONCE}_mib": round(peak() - before, 1),
        "loaded_mib": round(before, 1),
    }
    print(json.dumps(row), flush=True)


def measured(place: Path) -> None:
    """The same in a new process."""
    subprocess.run([sys.executable, __file__, "--one", "--folder", str(place)], check=True)


def main() -> None:
    """Write and measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--files", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.folder)
    elif options.folder is not None:
        measured(options.folder)
    else:
        for users in options.users:
            for files in options.files:
                with tempfile.TemporaryDirectory() as folder:
                    write(Path(folder), users, files)
                    measured(Path(folder))


if __name__ == "__main__":
    main()
