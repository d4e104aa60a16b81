"""What readers make of a folder of messy files whose right answers are known.

    python tests/benchmarks/corpus.py FOLDER [--readers transrec,pandas,polars,duckdb,clevercsv]

FOLDER has ``manifest.csv``: file, what is owed (``expect``), rows and columns. Every reader takes
each file as it does by default, in a process of its own. One JSON line a reader counts

- of the files that can be read: ``right`` shape, ``told`` (another shape, and a problem with its
  code; only transrec reports any), ``error``, ``silent`` (another shape without a word);
- of those that must be refused: ``refused`` and ``taken``;
- of those whose encoding must be asked: ``asked`` (an error) and ``guessed``;
- of all: ``lost``, where the process ended or took more than 5 seconds.

Where the manifest's first row is data (``tests/corpus.py``), both counts of rows are right, whoever
the reader is. The peers come with ``pip install -e '.[bench]'``.
"""

import argparse
import csv
import importlib
import json
import multiprocessing
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from corpus import FIRST_ROW_IS_DATA, OTHER_RIGHT_ANSWERS

SECONDS = 5.0
Shape = tuple[int, int]
# Codes that say nothing about the shape.
MILD = {"NO_MAPPING", "NO_RATING_COLUMN"}


def with_transrec(path: Path) -> tuple[Shape, bool]:
    """The shape, and whether the report tells of something odd about it."""
    from transrec_core.data import read_table

    table = read_table(path)
    told = {problem.code for problem in table.report.problems} - MILD
    return table.frame.shape, bool(told)


def with_pandas(path: Path) -> tuple[Shape, bool]:
    """``read_csv`` as it is."""
    import pandas as pd

    return pd.read_csv(path).shape, False


def with_pandas_sniffing(path: Path) -> tuple[Shape, bool]:
    """``read_csv`` with the delimiter sniffed."""
    import pandas as pd

    return pd.read_csv(path, sep=None, engine="python").shape, False


def with_polars(path: Path) -> tuple[Shape, bool]:
    """``read_csv`` as it is."""
    import polars as pl

    return pl.read_csv(path).shape, False


def with_duckdb(path: Path) -> tuple[Shape, bool]:
    """``read_csv`` as it is, which sniffs the dialect."""
    import duckdb

    frame = duckdb.read_csv(str(path)).df()
    return frame.shape, False


def with_clevercsv(path: Path) -> tuple[Shape, bool]:
    """``read_dataframe``, which detects the dialect."""
    import clevercsv

    return clevercsv.read_dataframe(str(path)).shape, False


READERS: dict[str, Callable[[Path], tuple[Shape, bool]]] = {
    "transrec": with_transrec,
    "pandas": with_pandas,
    "pandas_sniffing": with_pandas_sniffing,
    "polars": with_polars,
    "duckdb": with_duckdb,
    "clevercsv": with_clevercsv,
}

MODULES = {"transrec": "transrec_core.data", "pandas_sniffing": "pandas"}


def _read(reader: str, path: Path, answers: Connection) -> None:
    warnings.simplefilter("ignore")
    try:
        answers.send(READERS[reader](path))
    except Exception:
        answers.send(None)


def outcome(reader: str, folder: Path, row: dict[str, str]) -> str:
    """What a reader makes of one file."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_read, args=(reader, folder / row["file"], send)
    )
    process.start()
    send.close()
    try:
        answer = receive.recv() if receive.poll(4 * SECONDS) else "lost"
    except EOFError:
        answer = "lost"
    process.kill()
    process.join()
    if answer == "lost":
        return "lost"
    kinds = {"refuse": ("refused", "taken"), "ask_encoding": ("asked", "guessed")}
    if row["expect"] in kinds:
        return kinds[row["expect"]][answer is not None]
    if row["expect"] not in ("accept", "accept_report"):
        return "survived"
    if answer is None:
        return "error"
    shape, told = answer
    expected = (int(row["rows"]), int(row["cols"]))
    right = {expected, OTHER_RIGHT_ANSWERS.get(row["file"], expected)}
    right |= {(expected[0] + 1, expected[1])} if row["file"] in FIRST_ROW_IS_DATA else set()
    return "right" if tuple(shape) in right else "told" if told else "silent"


def main() -> None:
    """Read everything with everything, and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--readers", default=",".join(READERS))
    parser.add_argument("--wrong", action="store_true", help="name the files that are not right")
    options = parser.parse_args()
    rows = list(csv.DictReader((options.folder / "manifest.csv").open()))
    for reader in options.readers.split(","):
        # Loaded once, before the processes are forked; nothing is read here.
        importlib.import_module(MODULES.get(reader, reader))
        counts: Counter[str] = Counter()
        for row in rows:
            found = outcome(reader, options.folder, row)
            counts[found] += 1
            if options.wrong and found in ("told", "error", "silent", "taken", "guessed", "lost"):
                print(
                    json.dumps({"reader": reader, "file": row["file"], "outcome": found}),
                    flush=True,
                )
        print(
            json.dumps({"reader": reader, "files": len(rows), **dict(counts.most_common())}),
            flush=True,
        )


if __name__ == "__main__":
    main()
