"""Items of one or several catalogues in one space, by their texts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from transrec_core.content.embedding import Embedder, cut_problems
from transrec_core.content.topics import word_weights
from transrec_core.content.words import item_sentences, item_words
from transrec_core.data.interactions import Interactions
from transrec_core.data.report import Problem
from transrec_core.errors import NoTextError
from transrec_core.progress import UNTOLD, Meter

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIRECTIONS = 128


def text_features(
    catalogues: Sequence[pd.DataFrame], *, seed: int = 0
) -> "list[NDArray[np.float64]]":
    """TF-IDF of the items' words, along the leading singular directions of all catalogues together.

    Parameters
    ----------
    catalogues
        Columns ``title``, ``genres``, ``description``; a missing column or cell is empty text.
    seed
        Of the search for directions.

    Returns
    -------
    One array a catalogue, items × at most ``DIRECTIONS``; the inner product of two items is about
    the cosine of their words, and an item without text is zero.

    Raises
    ------
    NoTextError
        No word occurs in two items.
    """
    tfidf, _ = _tfidf([words for items in catalogues for words in item_words(items)])
    size = min(DIRECTIONS, *tfidf.shape)
    _, _, directions = randomized_svd(
        tfidf, size, n_iter=2, power_iteration_normalizer="LU", random_state=seed
    )
    places = np.asarray(tfidf @ directions.T)
    ends = np.cumsum([len(items) for items in catalogues])
    return np.split(places, ends[:-1])


def text_vectors(
    catalogues: Sequence[pd.DataFrame],
    rated: Sequence[pd.Index],
    embedder: Embedder,
    meter: Meter = UNTOLD,
) -> "tuple[list[NDArray[np.float32]], tuple[Problem, ...]]":
    """What a language model makes of the rated items of several catalogues.

    Parameters
    ----------
    catalogues
        Index item_id; columns as for ``text_features``.
    rated
        Ids of the items that matter; others are taken for items without text.
    embedder
        The model.
    meter
        Told how far the work is; what it raises stops it.

    Returns
    -------
    One array a catalogue, items × dimensions with rows of length 1 or zero; and how many texts the
    model has not read to their end.

    Raises
    ------
    NoTextError
        A catalogue has no rated item with text.
    """
    texts: list[str] = []
    for items, ids in zip(catalogues, rated, strict=True):
        matters = items.index.isin(ids)
        own = [
            text if kept else "" for text, kept in zip(item_sentences(items), matters, strict=True)
        ]
        if not any(own):
            raise NoTextError(
                f"None of the {len(ids)} items of a catalogue has a text.",
                "Give a file with titles, genres or descriptions of its items.",
            )
        texts += own
    vectors = embedder.embed(texts, meter)
    ends = np.cumsum([len(items) for items in catalogues])
    return np.split(vectors, ends[:-1]), cut_problems(embedder, texts)


def meaning_domain(
    items: pd.DataFrame, embedder: Embedder, meter: Meter = UNTOLD
) -> tuple[Interactions, tuple[Problem, ...]]:
    """As ``words_domain``, by a language model: its dimensions stand where the words stood.

    Raises
    ------
    NoTextError
        Fewer than two items have text.
    """
    frame = items.sort_index()
    texts = item_sentences(frame)
    vectors = embedder.embed(texts, meter)
    told = np.asarray(vectors.any(axis=1))
    if told.sum() < 2:
        raise NoTextError(
            f"{int(told.sum())} of {len(frame)} items have a text.",
            "Give items titles, genres or descriptions.",
        )
    names = pd.Index([f"dimension {number:04d}" for number in range(1, vectors.shape[1] + 1)])
    cells = sp.csr_array(vectors[told])
    domain = Interactions(frame.index[told], names, cells, times=None, explicit=False)
    return domain, cut_problems(embedder, texts)


def words_domain(items: pd.DataFrame) -> Interactions:
    """A catalogue's words as a domain of their own: items are its users, words are its items.

    What is known of an item before anybody rated it then carries over like what a source knows of
    a user. Values are TF-IDF, each item's of length 1; items without any word are left out.

    Parameters
    ----------
    items
        Index item_id; columns as for ``text_features``.

    Raises
    ------
    NoTextError
        No word occurs in two items.
    """
    frame = items.sort_index()
    tfidf, words = _tfidf(item_words(frame))
    told = np.diff(tfidf.indptr) > 0
    return Interactions(frame.index[told], pd.Index(words), tfidf[told], times=None, explicit=False)


def _tfidf(texts: list[list[str]]) -> "tuple[sp.csr_array, NDArray[np.object_]]":
    """Items × words, rows of length 1, and the words."""
    told = [words for words in texts if words]
    vectorizer = word_weights(len(told))
    try:
        vectorizer.fit(told)
    except ValueError as error:
        raise NoTextError(
            f"None of the words of {len(told)} items occurs in at least two of them.",
            "Give items genres or descriptions.",
        ) from error
    tfidf = sp.csr_array(vectorizer.transform(texts), dtype=np.float32)
    tfidf.sort_indices()
    return tfidf, vectorizer.get_feature_names_out()
