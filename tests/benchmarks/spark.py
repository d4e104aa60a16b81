"""The Spark engine beside the embedded one, and the memory of its driver as users grow.

    pip install '.[spark]'
    python tests/benchmarks/spark.py [--ratings 20000000] [--engines embedded,spark]
    python tests/benchmarks/spark.py --users 1000000,2000000,4000000
    python tests/benchmarks/spark.py --constants

The first compares a made pair of catalogues, half of the ratings in each, by ``transrec compare``
in processes of their own; one JSON line an engine: seconds, the peak of the process that was
started, and of all processes below it together (proportional set size), and with Spark the bytes
that were shuffled, by its event log. The second makes lists for ever more people, most of them
with few ratings, on a cluster of one worker process, so that the driver is alone in its own two:
their peaks, without the worker's. The third tells what a worker's steps of a sweep cost in
processor time, from which ``transrec_core/engines/SPARK.md`` plans a larger cluster. Needs Linux.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from synthetic import ratings

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--method", "factor_map", "--rank", "32", "--lam", "0.006", "--feedback", "implicit"]
PARTS = 8
EVERY = 0.5


def write_pair(folder: Path, n: int) -> dict[str, Any]:
    """Two catalogues of people who are in both, as folders of Parquet."""
    facts = {}
    for seed, side in enumerate(("source", "target")):
        matrix = ratings(n // 2, seed)
        users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        write(folder / side, users, matrix.indices, matrix.data)
        facts[side] = [*matrix.shape, matrix.nnz]
    return facts


def write_many(folder: Path, n: int) -> dict[str, Any]:
    """So many people; one in twenty has done a dozen things on each side, the others three."""
    facts = {}
    for seed, side in enumerate(("source", "target")):
        random = np.random.default_rng([seed, n])
        counts = np.where(np.arange(n) % 20 == 0, 12, 3)
        users = np.repeat(np.arange(n), counts)
        items = (random.pareto(1.2, len(users)) * 40).astype(np.int64) % 5000
        write(folder / side, users, items, random.integers(1, 6, len(users)).astype(np.float32))
        facts[side] = [n, 5000, len(users)]
    return facts


def write(folder: Path, users: Any, items: Any, values: Any) -> None:
    """Rows as parts of Parquet, ids as text."""
    folder.mkdir(parents=True)
    for part, rows in enumerate(np.array_split(np.arange(len(users)), PARTS)):
        table = pa.table(
            {
                "user_id": pa.array(users[rows].astype(np.int64)).cast(pa.string()),
                "item_id": pa.array(np.asarray(items[rows], np.int64)).cast(pa.string()),
                "rating": pa.array(values[rows]),
            }
        )
        pq.write_table(table, folder / f"part-{part:05d}.parquet")
    (folder / "_SUCCESS").touch()


def family(pid: int) -> dict[int, str]:
    """Command line of a process and of all below it."""
    parents, told = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            parents[int(entry.name)] = int(fields[1])
            told[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
    found, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return {process: told.get(process, "") for process in found}


def share(pid: int) -> int:
    """Proportional set size of a process in bytes."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def watched(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run a command to its end; its seconds and peaks in MiB."""
    started = time.perf_counter()
    peaks = {"all": 0, "python": 0, "driver JVM": 0}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)
        while process.poll() is None:
            sizes = {pid: (share(pid), told) for pid, told in family(process.pid).items()}
            driver = sum(s for s, told in sizes.values() if "deploy.SparkSubmit" in told)
            own = sizes.get(process.pid, (0, ""))[0]
            for name, size in (
                ("all", sum(size for size, _ in sizes.values())),
                ("python", own),
                ("driver JVM", driver),
            ):
                peaks[name] = max(peaks[name], size)
            time.sleep(EVERY)
        log.seek(0)
        if process.returncode:
            sys.exit(log.read().decode(errors="replace")[-3000:])
    seconds = round(time.perf_counter() - started, 1)
    return {"seconds": seconds, "MiB": {name: size // 2**20 for name, size in peaks.items()}}


def shuffled(folder: Path) -> int:
    """Bytes written to shuffles, by Spark's event log."""
    total = 0
    for event in _events(folder):
        if event.get("Event") == "SparkListenerTaskEnd":
            metrics = event.get("Task Metrics") or {}
            written = metrics.get("Shuffle Write Metrics") or {}
            total += int(written.get("Shuffle Bytes Written", 0))
    return total


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    for file in folder.rglob("*"):
        if file.is_file() and not file.name.endswith(".crc"):
            for line in file.read_text(errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    yield json.loads(line)


def with_spark(
    command: str, folder: Path, out: Path, master: str, memory: str, flags: list[str]
) -> dict[str, Any]:
    """One command on Spark, watched."""
    events = Path(tempfile.mkdtemp(dir=folder))
    confs = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": events.as_uri(),
        "spark.driver.memory": memory,
    }
    told = " ".join(f"--conf {key}={value}" for key, value in confs.items())
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYSPARK_SUBMIT_ARGS": f"{told} pyspark-shell",
    }
    found = watched(
        [sys.executable, "-m", "transrec_core.cli", command, str(folder / "source"),
         str(folder / "target"), "--out", str(out), *flags, "--engine", "spark",
         "--master", master],
        environment,
    )  # fmt: skip
    return {**found, "shuffled MiB": shuffled(events) // 2**20}


def side_by_side(options: argparse.Namespace, folder: Path) -> None:
    """Both engines on the same pair."""
    facts = write_pair(folder, options.ratings)
    for engine in options.engines.split(","):
        out = folder / f"evidence_{engine}"
        if engine == "spark":
            found = with_spark("compare", folder, out, "local[2]", options.memory, FLAGS)
        else:
            found = watched(
                [sys.executable, "-m", "transrec_core.cli", "compare", str(folder / "source"),
                 str(folder / "target"), "--out", str(out), *FLAGS],
                {**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        evidence = json.loads((out / "evidence.json").read_text())
        means = {
            str(shot["shots"]): round(shot["methods"]["factor_map"]["mean"], 4)
            for shot in evidence["shots"]
        }
        line = {"engine": engine, **facts, **found, "ndcg": means, "verdict": evidence["verdict"]}
        print(json.dumps(line), flush=True)


def growth(options: argparse.Namespace, folder: Path) -> None:
    """The driver's memory for ever more people."""
    flags = ["--method", "factor_map", "--rank", "8", "--lam", "0.006", "--feedback", "implicit"]
    for users in map(int, options.users.split(",")):
        own = folder / str(users)
        facts = write_many(own, users)
        found = with_spark("recommend", own, own / "lists", "local-cluster[1,2,4096]", "1g", flags)
        print(json.dumps({"users": users, **facts, **found}), flush=True)


def constants(rank: int = 32, users: int = 20_000, items: int = 20_000) -> None:
    """What a sweep's steps cost one core: microseconds a rating and a user, nanoseconds a byte."""
    from transrec_core.engines.spark.factorizing import State, Task, _Systems
    from transrec_core.ranking import top_items
    from transrec_core.transfer.fitting import FitSpec

    random = np.random.default_rng(0)
    spec = FitSpec("implicit", "als", rank, 0.006, 0.1, 1.0, 0)
    state = State(
        Task("t", "source", spec, ()),
        random.normal(0, 0.1, (items, rank)).astype(np.float32),
        None,
        0.0,
        items,
    )
    found = []
    for each in (1, 1, 8, 64):
        batch = pa.RecordBatch.from_pydict(
            {
                "source_items": [
                    np.sort(random.choice(items, each, replace=False)).astype(np.int32)
                    for _ in range(users)
                ],
                "source_values": [np.ones(each, np.float32)] * users,
            }
        )
        own = _Systems(state)
        started = time.process_time()
        own.add(batch)
        solved = time.process_time()
        ((_, vector),) = own.vectors("t")
        payload = vector.astype(np.float32).tobytes()
        packed = time.process_time()
        total = np.zeros(len(vector))
        before = time.process_time()
        total += np.frombuffer(payload, np.float32).astype(np.float64)
        added = time.process_time()
        found.append((each * users, solved - started, packed - solved, added - before))
    # The first has loaded the kernels.
    _, one, few, many = found
    rows = random.normal(size=(200, rank)).astype(np.float32)
    for _ in range(2):
        before = time.process_time()
        scores = rows @ state.items.T
        top_items(scores, 10)
        ranked = time.process_time() - before
    rating = (many[1] - few[1]) / (many[0] - few[0])
    system = (many[2] - few[2]) / (many[0] - few[0])
    line = {
        "rank": rank,
        "solve_us_a_rating": 1e6 * rating,
        "solve_us_a_user": 1e6 * (few[1] - rating * few[0]) / users,
        "systems_us_a_rating": 1e6 * system,
        "pack_ns_a_byte": 1e9 * one[2] / len(payload),
        "add_ns_a_byte": 1e9 * many[3] / len(payload),
        "rank_ns_an_item": 1e9 * ranked / scores.size,
    }
    print(json.dumps({key: round(value, 2) for key, value in line.items()}), flush=True)


def main() -> None:
    """Make the data, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ratings", type=int, default=20_000_000)
    parser.add_argument("--engines", default="embedded,spark")
    parser.add_argument("--memory", default="6g", help="of Spark's process in local mode")
    parser.add_argument("--users", default="", help="numbers of people for the driver's memory")
    parser.add_argument("--constants", action="store_true", help="cost of a sweep's steps")
    options = parser.parse_args()
    if options.constants:
        constants()
        return
    with tempfile.TemporaryDirectory() as folder:
        (growth if options.users else side_by_side)(options, Path(folder))


if __name__ == "__main__":
    main()
