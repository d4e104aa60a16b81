"""Items found by what their texts are about, on the map and beside an item."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dashboard import wording
from dashboard.compute.memory import SIDES, remember
from dashboard.compute.naming import names
from dashboard.compute.offers import text_models_offered
from dashboard.jobs import Result
from transrec_core.columns import ITEM
from transrec_core.content.embedding import SentenceEmbedder
from transrec_core.content.searching import (
    LEAST_COSINE,
    Searchable,
    items_like,
    search_items,
    searchable,
)
from transrec_core.errors import NoTextError, TransrecError
from transrec_core.settings import TFIDF

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOUND = 10
"""Items that a search by meaning names."""

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Meant:
    """What a search by meaning has found.

    Attributes
    ----------
    items
        domain, item_id, name, cosine; the best first.
    reader
        What compared the texts, in words.
    trouble
        Why the run's language model could not do it, as a sentence; empty where it did, or where
        the run has none.
    """

    items: pd.DataFrame
    reader: str
    trouble: str = ""


def by_meaning(result: Result, query: str, n: int = FOUND) -> Meant | None:
    """Items of both catalogues whose texts have most in common with a query.

    ``None`` where there are no texts to compare, or nothing was asked.
    """
    query = query.strip()
    if not query:
        return None
    trouble = ""
    for model in (text_model(result), TFIDF) if text_model(result) != TFIDF else (TFIDF,):
        texts = _searchable(result, model)
        if texts is None:
            return None
        try:
            found = search_items(texts, query, n)
        except TransrecError as error:
            trouble = f"{error.message} So words are compared."
            continue
        keys = found[ITEM].tolist()
        rows = pd.DataFrame(keys, columns=["domain", ITEM]).assign(cosine=found["cosine"])
        for domain in SIDES:
            mine = rows["domain"] == domain
            rows.loc[mine, "name"] = names(result, domain, rows.loc[mine, ITEM])
        return Meant(rows, reader_words(model), trouble)
    return None


def reader_words(model: str) -> str:
    """What compares texts, inside a sentence."""
    return "their words (TF-IDF)" if model == TFIDF else wording.text_model_word(model)


def like_text(result: Result, domain: str, item: str, n: int) -> pd.DataFrame | None:
    """Items of a domain whose texts the run's language model finds most alike.

    ``None`` where the run has none.
    """
    vectors = _vectors(result).get(domain)
    if vectors is None:
        return None
    if item not in vectors.item_ids:
        return pd.DataFrame({ITEM: [], "cosine": []})
    return items_like(vectors, item, n)


def reader(result: Result) -> str:
    """What compares texts in this run, inside a sentence."""
    return reader_words(text_model(result))


def text_model(result: Result) -> str:
    """What compares texts in this run: its language model if that is offered here, else words.

    A run that comes from elsewhere must not name what this server loads. And what the run has not
    read is not read now, as that may take minutes.
    """
    model = result.run.settings.text_model
    return model if model in text_models_offered() and _vectors(result) else TFIDF


def _searchable(result: Result, model: str) -> Searchable | None:
    """Both catalogues' texts by (domain, item_id); ``None`` where there are none."""

    def by_words() -> Searchable | None:
        run = result.run
        frames = {
            domain: items.loc[items.index.isin(side.items)]
            for domain, items, side in (
                ("source", run.source_items, run.pair.source),
                ("target", run.target_items, run.pair.target),
            )
            if items is not None
        }
        try:
            return searchable(pd.concat(frames)) if frames else None
        except NoTextError:
            return None

    def by_model() -> Searchable:
        parts = _vectors(result)
        return Searchable(
            pd.Index([(domain, item) for domain in parts for item in parts[domain].item_ids]),
            np.concatenate([np.asarray(part.rows) for part in parts.values()]),
            lambda query: _read(model, query),
            LEAST_COSINE,
        )

    return remember(result, ("searchable", model), by_words if model == TFIDF else by_model)


def _vectors(result: Result) -> dict[str, Searchable]:
    """What the run's language model made of the rated items' texts, by domain."""

    def make() -> dict[str, Searchable]:
        run = result.run
        texts = run.fit.ground.texts
        if texts is None or texts.source_vectors is None or texts.target_vectors is None:
            return {}
        model = run.settings.text_model
        found = {}
        for domain, items, vectors, side in (
            ("source", texts.source, texts.source_vectors, run.pair.source),
            ("target", texts.target, texts.target_vectors, run.pair.target),
        ):
            rated = items.index.isin(side.items)
            found[domain] = Searchable(
                items.index[rated], vectors[rated], lambda query: _read(model, query), LEAST_COSINE
            )
        return found

    return remember(result, "text vectors", make)


def _read(model: str, query: str) -> "NDArray[np.float32]":
    # A model is loaded once for everybody, and nobody loads it twice at the same moment.
    with _ONE_AT_A_TIME:
        return np.asarray(_embedder(model).embed([query])[0])


@lru_cache(maxsize=2)
def _embedder(model: str) -> SentenceEmbedder:
    return SentenceEmbedder(model)
