"""Items by what they are about: a query finds texts that share its words, or its meaning."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.columns import ITEM
from transrec_core.content.embedding import Embedder
from transrec_core.content.topics import word_weights
from transrec_core.content.words import genre_words, item_sentences, item_words, words
from transrec_core.errors import BadSettingError, NoTextError
from transrec_core.progress import UNTOLD, Meter
from transrec_core.ranking import top_items

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_COSINE = 0.2
"""Below this a language model finds hardly anything in common; any two texts lie above zero."""


@dataclass(frozen=True)
class Searchable:
    """Items' texts, ready to be searched.

    Attributes
    ----------
    item_ids
        In the order of ``rows``.
    rows
        Items × words or dimensions, rows of length 1, or zero for an item without text.
    read
        Makes the row of a query, in the same way.
    least
        Cosines up to this are none.
    """

    item_ids: pd.Index
    rows: "sp.csr_array | NDArray[np.float32]"
    read: "Callable[[str], NDArray[np.float32]]"
    least: float


def searchable(
    items: pd.DataFrame, embedder: Embedder | None = None, meter: Meter = UNTOLD
) -> Searchable:
    """Read items' texts for a search.

    Parameters
    ----------
    items
        Index: unique item ids. Columns ``title``, ``genres``, ``description``; a missing column or
        cell is empty text.
    embedder
        A language model; by default words are counted, the rare ones for more (TF-IDF).
    meter
        Told how far a model is; what it raises stops it.

    Raises
    ------
    NoTextError
        No item has a text, or every word is in more than half of them.
    """
    if embedder is not None:
        vectors = embedder.embed(item_sentences(items), meter)
        if not vectors.any():
            raise _no_text(len(items))
        return Searchable(
            items.index, vectors, lambda query: embedder.embed([query])[0], LEAST_COSINE
        )
    texts = item_words(items)
    vectorizer = word_weights(sum(map(bool, texts)), min_items=1)
    try:
        vectorizer.fit([text for text in texts if text])
    except ValueError as error:
        raise _no_text(len(items)) from error
    rows = sp.csr_array(vectorizer.transform(texts), dtype=np.float32)

    def read(query: str) -> "NDArray[np.float32]":
        asked = list(dict.fromkeys([*words(query), *genre_words(query)]))
        return np.asarray(vectorizer.transform([asked]).toarray()[0], np.float32)

    return Searchable(items.index, rows, read, 0.0)


def search_items(texts: Searchable, query: str, n: int = 10) -> pd.DataFrame:
    """The n items whose texts have most in common with a query.

    Returns
    -------
    item_id, cosine; the best first, equals in the order of the items. Fewer than n where fewer have
    anything in common; none for a query without a known word.

    Raises
    ------
    BadSettingError
        n is below 1.
    """
    return _best(texts, texts.read(query) if query.strip() else None, n)


def items_like(texts: Searchable, item_id: object, n: int = 10) -> pd.DataFrame:
    """The n items whose texts have most in common with that of an item, as ``search_items``.

    Raises
    ------
    BadSettingError
        An unknown item, or n below 1.
    """
    place = texts.item_ids.get_indexer(pd.Index([item_id]))
    if place[0] < 0:
        raise BadSettingError(
            f"There is no item {item_id!r} among {len(texts.item_ids)}.", "Name one of them."
        )
    row = texts.rows[place]
    dense = row.toarray()[0] if sp.issparse(row) else row[0]
    found = _best(texts, np.asarray(dense), n + 1)
    return found[found[ITEM] != item_id].head(n).reset_index(drop=True)


def _best(texts: Searchable, query: "NDArray[np.float32] | None", n: int) -> pd.DataFrame:
    if n < 1:
        raise BadSettingError(f"n is {n}.", "It must be at least 1.")
    if query is None or not query.any():
        return pd.DataFrame({ITEM: texts.item_ids[:0], "cosine": np.empty(0)})
    cosine = np.round(np.asarray(texts.rows @ query, np.float64), 6).clip(max=1.0)
    (found,) = top_items(cosine[None], min(n, len(cosine)))
    found = found[cosine[found] > texts.least]
    return pd.DataFrame({ITEM: texts.item_ids[found], "cosine": cosine[found]})


def _no_text(count: int) -> NoTextError:
    return NoTextError(
        f"None of {count} items has a text that tells it from the others.",
        "Give a file with titles, genres or descriptions of the items.",
    )
