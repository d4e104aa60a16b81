"""A comparison from the last one's factors beside one from scratch: time, and other numbers.

    python tests/benchmarks/warm_start.py [SOURCE TARGET] [--ratings 4000000] [--rank 64]

On two files, or on invented data: two catalogues of that many ratings each, the same people. After
a comparison of lists by one method (factor_map) at the given rank and λ 0.02, λ or rank is changed,
and the new comparison is made both ways in turn. Prints JSON rows: seconds of both, and NDCG@10 of
transfer at each number of shots where the data is not invented.
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from synthetic import ratings

import transrec_core as tr
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair, link
from transrec_core.evidence.choosing import default_spec, spec_from
from transrec_core.evidence.comparison import compare_domains
from transrec_core.evidence.results import Comparison
from transrec_core.progress import Meter
from transrec_core.settings import Settings
from transrec_core.transfer.factorizations import Factorizations
from transrec_core.transfer.knowledge import Ground


def invented(n: int, seed: int) -> Interactions:
    """One catalogue of about n interactions."""
    matrix = ratings(n, seed)
    users = pd.Index([f"u{u:08d}" for u in range(matrix.shape[0])])
    items = pd.Index([f"i{i:08d}" for i in range(matrix.shape[1])])
    matrix.data[:] = 1
    return Interactions(users, items, matrix, None, False)


def compared(
    pair: DomainPair, settings: Settings, start: Mapping[Any, Any] | None = None
) -> tuple[float, Comparison, Factorizations]:
    """Seconds, the comparison and its factorizations, those of all data among them."""
    made = Factorizations(start)
    started = time.perf_counter()
    found = compare_domains(pair, settings, Meter(), factorizations=made)
    spec = spec_from(settings, "implicit", found.chosen["ranking"], settings.method)
    made.fit(Ground(pair, "implicit", settings.seed), spec, "all", pair.target.matrix)
    return time.perf_counter() - started, found, made


def main() -> None:
    """Compare both ways, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--ratings", type=int, default=4_000_000)
    parser.add_argument("--rank", type=int, default=64)
    options = parser.parse_args()
    if options.files:
        pair = link(*(tr.read_ratings(file).interactions() for file in options.files))
    else:
        pair = link(invented(options.ratings, 0), invented(options.ratings, 1))
    settings = Settings(method="factor_map", feedback="implicit", rank=options.rank, lam=0.02)
    compared(pair, replace(settings, rank=4, shots=(0,)))  # loads the kernels
    _, _, first = compared(pair, settings)
    start = first.hand_on((default_spec(pair, "implicit", settings),))
    for change in (
        {"lam": 0.015},
        {"lam": 0.03},
        {"rank": options.rank + 16},
        {"rank": options.rank // 2},
    ):
        other = replace(settings, **change)  # type: ignore[arg-type]
        row: dict[str, Any] = dict(change)
        for way, begin in (("afresh", None), ("from the last", start)):
            seconds, found, _ = compared(pair, other, begin)
            row[way] = round(seconds, 2)
            if options.files:
                row[f"ndcg {way}"] = [
                    round(shot.methods["factor_map"].mean, 4) for shot in found.headline.shots
                ]
        row["ratio"] = round(row["afresh"] / row["from the last"], 2)
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
