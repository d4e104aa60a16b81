"""Whether verdicts and intervals keep their word, on data whose truth is known.

    python tests/benchmarks/calibration.py [--simulations 300] [--permutations 100]

1. Simulated pairs in which the tastes of a user in the two catalogues correlate by ρ. At ρ = 0
   nothing can be transferred, so ``helps`` is false there; above, its share is the power.
   ``auto_harmed`` is how often what ``auto`` serves is surely worse than the best baseline.
2. Coverage: the 95 % interval of the mean gain from a sample of test users, against the mean gain
   of the many test users that were not sampled (whose own error costs about half a percent).
3. Real pairs (where the data is at hand) with who is who in the source permuted.

Prints JSON rows. Every method is tried, as by default; rank and λ are given, so that a simulation
takes about a second.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import transrec_core as tr
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair, link
from transrec_core.evidence.comparison import compare_domains
from transrec_core.evidence.resampling import mean_intervals
from transrec_core.evidence.results import AUTO, Evidence
from transrec_core.progress import Meter

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.8)
TASTES, ITEMS = 6, 200
SAMPLE = 150
SETTINGS = tr.Settings(feedback="implicit", rank=8, lam=0.02, shots=(0, 5))


def simulated(random: np.random.Generator, users: int, correlation: float) -> DomainPair:
    """Two catalogues of 200 items; people take what suits their taste, and what is popular."""
    source = random.normal(size=(users, TASTES))
    noise = random.normal(size=(users, TASTES))
    target = correlation * source + np.sqrt(1 - correlation**2) * noise
    domains = []
    for taste in (source, target):
        items = random.normal(size=(ITEMS, TASTES)) / np.sqrt(TASTES)
        popular = random.normal(0, 1, ITEMS)
        # The items with the largest randomly shifted utility are a draw without replacement.
        utility = 1.5 * taste @ items.T + popular + random.gumbel(size=(users, ITEMS))
        counts = np.clip(random.lognormal(3, 0.4, users), 8, 60).astype(int)
        order = np.argsort(-utility, axis=1)
        rows = np.repeat(np.arange(users), counts)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        frame = pd.DataFrame(
            {"user_id": rows.astype(str), "item_id": order[rows, place].astype(str)}
        )
        domains.append(Interactions.from_frame(frame))
    return link(*domains)


def gains(evidence: Evidence, shots: int) -> tuple[np.ndarray, np.ndarray]:
    """Gain of every test user at a number of shots, and the baseline's metric."""
    (shot,) = (shot for shot in evidence.shots if shot.shots == shots)
    table = evidence.per_user[evidence.per_user["shots"] == shots]
    table = table.pivot_table(index="user_id", columns="method", values="value")
    without = table[shot.best_baseline].to_numpy()
    return table[shot.transfer].to_numpy() - without, without


def verdicts(simulations: int) -> None:
    """Share of ``helps`` at each correlation."""
    for correlation in CORRELATIONS:
        helps = dict.fromkeys(SETTINGS.shots, 0)
        harmed = dict.fromkeys(SETTINGS.shots, 0)
        mean = dict.fromkeys(SETTINGS.shots, 0.0)
        for number in range(simulations):
            random = np.random.default_rng([1, number])
            pair = simulated(random, 500, correlation)
            found = compare_domains(pair, replace(SETTINGS, seed=number), Meter()).headline
            for shot in found.shots:
                helps[shot.shots] += shot.verdict == "helps"
                harmed[shot.shots] += shot.gains[AUTO].high < 0
                mean[shot.shots] += shot.gain.mean / simulations
        for shots in SETTINGS.shots:
            print(json.dumps({
                "case": "simulated", "correlation": correlation, "shots": shots,
                "simulations": simulations, "helps": round(helps[shots] / simulations, 4),
                "mean_gain": round(mean[shots], 4),
                "auto_harmed": round(harmed[shots] / simulations, 4),
            }), flush=True)  # fmt: skip


def coverage(simulations: int) -> None:
    """Share of intervals that hold the mean gain of the users who were not sampled."""
    settings = replace(SETTINGS, test_share=0.7)
    covered: dict[tuple[int, float], list[bool]] = defaultdict(list)
    for number in range(simulations):
        random = np.random.default_rng([2, number])
        correlation = CORRELATIONS[number % len(CORRELATIONS)]
        pair = simulated(random, 4000, correlation)
        found = compare_domains(pair, replace(settings, seed=number), Meter()).headline
        for shots in settings.shots:
            gain, without = gains(found, shots)
            order = random.permutation(len(gain))
            sample, rest = gain[order[:SAMPLE]], gain[order[SAMPLE:]]
            spread = float(without[order[:SAMPLE]].std())
            (band,) = mean_intervals(sample[:, None], random, spread)
            covered[shots, correlation].append(band.low <= rest.mean() <= band.high)
    for shots in settings.shots:
        each = {c: covered[shots, c] for c in CORRELATIONS}
        print(json.dumps({
            "case": "coverage", "shots": shots, "simulations": simulations, "users": SAMPLE,
            "covered": round(float(np.mean(np.concatenate(list(each.values())))), 4),
            "by_correlation": {c: round(float(np.mean(held)), 3) for c, held in each.items()},
        }), flush=True)  # fmt: skip


def permuted(permutations: int) -> None:
    """Share of ``helps`` on real pairs after permuting the source's users."""
    for name, lam in (("anime_tv_to_movie", 0.006), ("movietweetings_genre_pair", 0.006)):
        if not (SHARED / name).exists():
            print(json.dumps({"case": "permuted", "pair": name, "skipped": "not there"}))
            continue
        source, target = (
            tr.read_ratings(SHARED / name / f"{side}.csv").interactions()
            for side in ("source", "target")
        )
        settings = replace(SETTINGS, rank=16, lam=lam)
        helps = dict.fromkeys(settings.shots, 0)
        for number in range(permutations):
            order = np.random.default_rng([3, number]).permutation(len(source.users))
            matrix = source.matrix[order]
            pair = link(replace(source, matrix=matrix, times=None), target)
            found = compare_domains(pair, replace(settings, seed=number), Meter()).headline
            for shot in found.shots:
                helps[shot.shots] += shot.verdict == "helps"
        for shots, times in helps.items():
            print(json.dumps({
                "case": "permuted", "pair": name, "shots": shots, "permutations": permutations,
                "helps": round(times / permutations, 4),
            }), flush=True)  # fmt: skip


def main() -> None:
    """Run all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=300)
    parser.add_argument("--permutations", type=int, default=100)
    parser.add_argument("--only", choices=("verdicts", "coverage", "permuted"))
    options = parser.parse_args()
    if options.only in (None, "verdicts"):
        verdicts(options.simulations)
    if options.only in (None, "coverage"):
        coverage(options.simulations)
    if options.only in (None, "permuted"):
        permuted(options.permutations)


if __name__ == "__main__":
    main()
