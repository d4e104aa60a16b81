"""Do networks recommend better than linear maps, and what do they cost?

    pip install '.[deep]'
    python tests/benchmarks/deep.py [PAIR ...] [--budget 3600]

Compares all ways of transfer with ``--deep`` on real pairs and the sample: lists, 0/1/2/5/10 shots,
full catalogue. Every method has the same budget of choosing: at most five settings of rank and λ
(the target-only baseline and the first method nine), tried on validation users; a network stops by
users held back from the learning ones. Test users are read once. One JSON row a method: seconds to
fit, mean, gain over the best baseline and paired difference to ``factor_map`` and ``row_map``, each
with its 95 % interval, by number of shots.
"""

import argparse
import json
import time

import numpy as np
import transfer_accuracy

import transrec_core as tr
from transrec_core.evidence.resampling import mean_intervals
from transrec_core.evidence.results import AUTO, Evidence
from transrec_core.settings import DEEP

REFERENCES = ("factor_map", "row_map")


def interval(found) -> list[float]:
    """Mean and both ends."""
    return [round(float(x), 4) for x in (found.mean, found.low, found.high)]


def against(evidence: Evidence, shots: int, method: str, other: str) -> list[float] | None:
    """Paired difference of two methods with its interval."""
    table = evidence.per_user
    wide = table[table["shots"] == shots].pivot(index="user_id", columns="method", values="value")
    if other not in wide or method not in wide or other == method:
        return None
    difference = (wide[method] - wide[other]).to_numpy()
    (found,) = mean_intervals(
        difference[:, None], np.random.default_rng(0), float(wide[other].std())
    )
    return interval(found)


def main() -> None:
    """Compare the named pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", nargs="*", metavar="PAIR")
    parser.add_argument("--budget", type=float, default=3600.0)
    options = parser.parse_args()
    for name in options.pairs or ("films-books", "anime_tv_to_movie", "elec_to_cell"):
        source, target = transfer_accuracy.PAIRS[name]
        started = time.perf_counter()
        texts = [
            tr.read_items(file) if file.exists() else None
            for file in transfer_accuracy._texts(source, target)
        ]
        found = tr.compare(
            tr.read_ratings(source),
            tr.read_ratings(target),
            tr.Settings(feedback="implicit", deep=True, budget=options.budget),
            source_items=texts[0],
            target_items=texts[1],
        )
        evidence, chosen = found.headline, found.chosen["ranking"]
        first = evidence.shots[0]
        head = {
            "pair": name,
            "test_users": first.users,
            "chosen": chosen.method,
            "left_out": dict(chosen.left_out),
            "verdict": {str(shots): said for shots, said in evidence.verdict.items()},
            "best_baseline": {str(shot.shots): shot.best_baseline for shot in evidence.shots},
            "seconds": round(time.perf_counter() - started, 1),
        }
        print(json.dumps(head), flush=True)
        for method in (*first.gains, "target_only", "ease", "popularity"):
            if method == AUTO or method not in first.methods:
                continue
            row = {
                "pair": name,
                "method": method,
                "deep": method in DEEP,
                "fit_seconds": round(evidence.fit_seconds.get(method, 0.0), 2),
                "tried": sum(row["method"] == method for row in chosen.tried),
                "parameters": {
                    key: round(float(value), 4)
                    for key, value in chosen.parameters.get(method, {}).items()
                },
                "ndcg": {str(s.shots): interval(s.methods[method]) for s in evidence.shots},
                "gain": {
                    str(s.shots): interval(s.gains[method])
                    for s in evidence.shots
                    if method in s.gains
                },
                **{
                    f"minus_{other}": {
                        str(s.shots): against(evidence, s.shots, method, other)
                        for s in evidence.shots
                    }
                    for other in REFERENCES
                    if other != method
                },
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
