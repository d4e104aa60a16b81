"""Topics of a catalogue: TF-IDF of the items' texts, factorized without negative parts.

X ≈ W H with X the TF-IDF matrix (items × words, rows of length 1), W ≥ 0 (items × topics) and
H ≥ 0 (topics × words). This is scikit-learn's NMF, which reads a missing word as 0; the NMF of
``factors`` leaves unrated cells out.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import randomized_svd

from transrec_core.content.words import item_words
from transrec_core.data.report import plural
from transrec_core.errors import BadSettingError, NoTextError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

MAX_SHARE = 0.5
"""Words in a larger share of the items are dropped: stop words, in whatever language."""

MAX_VOCABULARY = 20_000
SWEEPS = 400
LABEL_WORDS = 6
NEGLIGIBLE = 1e-7
"""Singular values below this share of the largest carry no topic."""


@dataclass(frozen=True)
class Topics:
    """Topics of one catalogue's texts, and what it takes to place further items among them.

    Attributes
    ----------
    item_ids
        Ids of the items, the order of ``weights``.
    weights
        W, items × topics, ≥ 0.
    words
        H, topics × vocabulary, ≥ 0.
    vocabulary
        The words, sorted; a genre of several words is one of them.
    labels
        The strongest words of each topic, strongest first.
    empty
        True for items without any word of the vocabulary; their weights are zero.
    sweeps, converged
        Sweeps done, and whether they ended because the error had settled.
    vectorizer, factorization
        Fitted scikit-learn estimators, for ``place``.
    """

    item_ids: pd.Index
    weights: "NDArray[np.float64]"
    words: "NDArray[np.float64]"
    vocabulary: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    empty: "NDArray[np.bool_]"
    sweeps: int
    converged: bool
    vectorizer: TfidfVectorizer
    factorization: NMF

    def place(self, items: pd.DataFrame) -> "NDArray[np.float64]":
        """Topic weights of other items, with the words and topics left as they are.

        Parameters
        ----------
        items
            Columns ``title``, ``genres``, ``description``; a missing column is empty text.

        Returns
        -------
        Items × topics, ≥ 0; zero where no word is known.
        """
        weights = np.zeros((len(items), len(self.words)))
        if len(items):
            tfidf = self.vectorizer.transform(item_words(items))
            told = np.diff(tfidf.indptr) > 0
            if told.any():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    weights[told] = self.factorization.transform(tfidf[told])
        return weights


def word_weights(
    count: int, min_items: int = 2, max_vocabulary: int = MAX_VOCABULARY
) -> TfidfVectorizer:
    """TF-IDF of the words of so many items with text, not yet fitted; see ``fit_topics``."""
    return TfidfVectorizer(
        analyzer=list,  # the texts are lists of words already
        sublinear_tf=True,
        max_df=max(min_items, int(MAX_SHARE * count)),
        min_df=min_items,
        max_features=max_vocabulary,
    )


def fit_topics(
    items: pd.DataFrame,
    *,
    topics: int = 20,
    max_vocabulary: int = MAX_VOCABULARY,
    min_items: int = 2,
    seed: int = 0,
) -> Topics:
    """Find the topics of a catalogue.

    Words that occur in more than half of the items with text are dropped, instead of the stop
    words of one language. A word counts 1 + ln(occurrences) in an item, times
    ln((1 + items) / (1 + items with the word)) + 1; items' rows are scaled to length 1.

    Parameters
    ----------
    items
        Index: unique item ids. Columns ``title``, ``genres``, ``description`` as ``read_items``
        gives them in ``Items.frame``; a missing column is empty text.
    topics
        How many at most: cut to the rank of the TF-IDF matrix, thus to the number of distinct
        texts and of words.
    max_vocabulary
        Only so many words, the most frequent.
    min_items
        Words in fewer items are dropped.
    seed
        Of the start (NNDSVDa); the same items and seed give the same topics.

    Raises
    ------
    BadSettingError
        A setting below 1, or ids that repeat.
    NoTextError
        Fewer than two items with text, or no word that ``min_items`` items share.
    """
    for name, value in (
        ("topics", topics),
        ("max_vocabulary", max_vocabulary),
        ("min_items", min_items),
    ):
        if value < 1:
            raise BadSettingError(f"{name} is {value}.", "It must be at least 1.")
    repeated = items.index[items.index.duplicated()]
    if len(repeated):
        raise BadSettingError(
            f"{plural(len(repeated), 'row repeats', 'rows repeat')} an item id, "
            f"for example {repeated[0]!r}.",
            "Give each item one row.",
        )
    texts = item_words(items)
    told = np.array([bool(text) for text in texts], dtype=bool)
    count = int(told.sum())
    if count < 2:
        raise NoTextError(
            f"{count} of {len(items)} items have a title, genres or a description; topics need "
            "at least 2.",
            "Give a file of items with a title, genres or description column.",
        )
    vectorizer = word_weights(count, min_items, max_vocabulary)
    try:
        vectorizer.fit([text for text in texts if text])
    except ValueError as error:
        raise NoTextError(
            f"None of the words of {count} items occurs in at least {min_items} and at most half "
            "of them.",
            "Give items genres or descriptions, or lower min_items.",
        ) from error
    tfidf = vectorizer.transform(texts)
    empty = np.diff(tfidf.indptr) == 0
    tfidf = tfidf[~empty]

    factorization = NMF(
        _carried(tfidf, topics, seed), init="nndsvda", random_state=seed, max_iter=SWEEPS
    )
    weights = np.zeros((len(items), factorization.n_components))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ``converged`` tells it
        weights[~empty] = factorization.fit_transform(tfidf)
    vocabulary = tuple(map(str, vectorizer.get_feature_names_out()))
    words = factorization.components_
    return Topics(
        items.index,
        weights,
        words,
        vocabulary,
        tuple(_label(topic, vocabulary) for topic in words),
        empty,
        int(factorization.n_iter_),
        bool(factorization.n_iter_ < SWEEPS),
        vectorizer,
        factorization,
    )


def _carried(tfidf: "csr_matrix", topics: int, seed: int) -> int:
    """How many topics the matrix can carry: its rank, at most ``topics``."""
    _, sizes, _ = randomized_svd(tfidf, min(topics, *tfidf.shape), random_state=seed)
    return int((sizes > NEGLIGIBLE * sizes[0]).sum())


def _label(topic: "NDArray[np.float64]", vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    best = np.argsort(-topic, kind="stable")[:LABEL_WORDS]
    return tuple(vocabulary[i] for i in best if topic[i] > 0)
