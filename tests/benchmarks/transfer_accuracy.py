"""Accuracy of transfer against the baselines on real pairs and the sample.

    python tests/benchmarks/transfer_accuracy.py [PAIR ...] [--leave-out-crosslisted]

Prints one JSON row a number of shots: users, every method's mean, the gain with its interval, the
placebo band and the verdict. Default settings, full catalogue, and the design's protocol: 30 % of
the shared users with at least eight target interactions are cold.
"""

import argparse
import json
import time
from pathlib import Path

import transrec_core as tr

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
PAIRS = {
    "films-books": (ROOT / "sample_data" / "films.csv", ROOT / "sample_data" / "books.csv"),
    "podcasts-books": (ROOT / "sample_data" / "podcasts.csv", ROOT / "sample_data" / "books.csv"),
    **{
        name: (SHARED / name / "source.csv", SHARED / name / "target.csv")
        for name in (
            "anime_tv_to_movie",
            "movietweetings_genre_pair",
            "elec_to_cell",
            "elec_to_cell_crosslisted",
        )
    },
}


def _texts(source: Path, target: Path) -> list[Path]:
    """Where the texts of both catalogues lie: one table beside them, or one for each."""
    if source.parent == target.parent == ROOT / "sample_data":
        return [file.with_name(f"{file.stem}_items.csv") for file in (source, target)]
    return [source.with_name("items.csv")] * 2


def main() -> None:
    """Compare the named pairs, by default all that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", nargs="*", metavar="PAIR")
    parser.add_argument("--leave-out-crosslisted", action="store_true")
    options = parser.parse_args()
    for name in options.pairs or PAIRS:
        source, target = PAIRS[name]
        if not source.exists():
            print(json.dumps({"pair": name, "skipped": f"{source} is not there"}))
            continue
        started = time.perf_counter()
        texts = [tr.read_items(file) if file.exists() else None for file in _texts(source, target)]
        found = tr.compare(
            tr.read_ratings(source),
            tr.read_ratings(target),
            tr.Settings(shots=(0, 1, 2, 5), leave_out_crosslisted=options.leave_out_crosslisted),
            source_items=texts[0],
            target_items=texts[1],
        )
        seconds = round(time.perf_counter() - started, 1)
        for evidence in filter(None, (found.ranking, found.ratings)):
            for shot in evidence.shots:
                row = {
                    "pair": name,
                    "metric": evidence.metric,
                    "shots": shot.shots,
                    "users": shot.users,
                    **{method: round(value.mean, 4) for method, value in shot.methods.items()},
                    "best_baseline": shot.best_baseline,
                    "transfer": shot.transfer,
                    "gain": [round(x, 4) for x in (shot.gain.mean, shot.gain.low, shot.gain.high)],
                    "placebo": [round(x, 4) for x in (shot.placebo.low, shot.placebo.high)],
                    "verdict": shot.verdict,
                    "seconds": seconds,
                }
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
