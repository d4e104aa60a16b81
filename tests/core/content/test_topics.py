"""TF-IDF and NMF of item texts against slow versions, and planted topics."""

import math
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import TfidfVectorizer

import transrec_core as tr
from transrec_core.errors import BadSettingError, NoTextError
from transrec_core.factors.geometry import unit_rows

SEA = ["anchor", "harbour", "lighthouse", "sailor", "storm", "tide", "whale", "wharf"]
SPACE = ["android", "comet", "galaxy", "nebula", "orbit", "planet", "rocket", "starship"]


def catalogue(texts: dict[str, str], column: str = "description") -> pd.DataFrame:
    blank = pd.DataFrame(
        "", index=pd.Index(list(texts)), columns=["title", "genres", "description"]
    )
    return blank.assign(**{column: list(texts.values())})


@pytest.fixture
def planted() -> pd.DataFrame:
    """Thirty items about the sea, thirty about space, five words each."""
    rng = np.random.default_rng(3)
    return catalogue(
        {
            f"{name}{number}": " ".join(rng.choice(about, 5, replace=False))
            for name, about in (("sea", SEA), ("space", SPACE))
            for number in range(30)
        }
    )


def test_planted_topics_are_separated(planted):
    topics = tr.fit_topics(planted, topics=2)
    kind = topics.item_ids.str.startswith("sea")
    topic = topics.weights.argmax(axis=1)
    assert len(set(topic[kind])) == len(set(topic[~kind])) == 1
    assert topic[0] != topic[-1]
    assert set(topics.labels[topic[0]]) <= set(SEA)
    assert set(topics.labels[topic[-1]]) <= set(SPACE)
    assert topics.converged
    assert not topics.empty.any()


def test_the_weights_are_those_of_scikit_learns_own_pipeline(planted):
    topics = tr.fit_topics(planted, topics=4, seed=5)
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, max_df=0.5)
    X = vectorizer.fit_transform(planted["description"])
    nmf = NMF(4, init="nndsvda", random_state=5, max_iter=400)
    np.testing.assert_allclose(topics.weights, nmf.fit_transform(X), atol=1e-12)
    np.testing.assert_allclose(topics.words, nmf.components_, atol=1e-12)
    assert topics.vocabulary == tuple(vectorizer.get_feature_names_out())


def test_tf_idf_is_the_formula_of_the_docstring():
    texts = ["owl owl fox", "fox hen hen hen", "owl hen", "elk elk fox elk", "elk yak", "bee fox"]
    topics = tr.fit_topics(catalogue(dict(zip("abcdef", texts, strict=True))))
    # fox is in four of six, more than half; bee and yak in one only.
    assert topics.vocabulary == ("elk", "hen", "owl")
    expected = []
    for text in texts:
        row = []
        for word in topics.vocabulary:
            count = text.split().count(word)
            holders = sum(word in other.split() for other in texts)
            idf = math.log((1 + len(texts)) / (1 + holders)) + 1
            row.append((1 + math.log(count)) * idf if count else 0.0)
        length = math.sqrt(sum(x * x for x in row))
        expected.append([x / length if length else 0.0 for x in row])
    tfidf = topics.vectorizer.transform([text.split() for text in texts]).toarray()
    np.testing.assert_allclose(tfidf, expected, atol=1e-14)
    assert topics.empty.tolist() == [False, False, False, False, False, True]
    assert topics.weights.shape == (6, 3)
    np.testing.assert_allclose(topics.weights @ topics.words, expected, atol=1e-3)


def test_placing_solves_the_non_negative_least_squares(planted):
    topics = tr.fit_topics(planted, topics=3)
    new = catalogue({"n1": "whale tide rocket", "n2": "comet comet orbit", "n3": "unheard"})
    placed = topics.place(new)
    tfidf = topics.vectorizer.transform([text.split() for text in new["description"]]).toarray()
    exact = [nnls(topics.words.T, row)[0] for row in tfidf]
    np.testing.assert_allclose(placed, exact, atol=1e-3)
    assert (placed[2] == 0).all()
    assert topics.place(new.iloc[:0]).shape == (0, 3)
    assert (topics.place(new[["title"]]) == 0).all()


def test_new_items_lie_near_their_likes(planted):
    topics = tr.fit_topics(planted, topics=2)
    new = unit_rows(topics.place(catalogue({"n": "Nebula, GALAXY and a whole new planet"})))
    cosine = unit_rows(topics.weights) @ new[0]
    space = topics.item_ids.str.startswith("space")
    assert cosine[space].min() > cosine[~space].max()


def test_the_order_of_items_permutes_the_result(planted):
    order = np.random.default_rng(0).permutation(len(planted))
    topics = tr.fit_topics(planted, topics=2)
    permuted = tr.fit_topics(planted.iloc[order], topics=2)
    assert permuted.item_ids.tolist() == topics.item_ids[order].tolist()
    np.testing.assert_allclose(
        permuted.weights @ permuted.words, (topics.weights @ topics.words)[order], atol=1e-2
    )


def test_the_same_seed_gives_the_same_and_a_pickle_keeps_it(planted):
    topics = tr.fit_topics(planted, topics=3)
    again = tr.fit_topics(planted, topics=3)
    kept = pickle.loads(pickle.dumps(topics))
    for other in (again, kept):
        np.testing.assert_array_equal(other.weights, topics.weights)
        np.testing.assert_array_equal(other.place(planted), topics.place(planted))


def test_the_vocabulary_is_capped_to_the_most_frequent_words(planted):
    topics = tr.fit_topics(planted, max_vocabulary=6)
    counts = " ".join(planted["description"]).split()
    fewest = min(counts.count(word) for word in topics.vocabulary)
    assert len(topics.vocabulary) == 6
    assert all(counts.count(w) <= fewest for w in {*SEA, *SPACE} - {*topics.vocabulary})


def test_topics_are_cut_to_what_the_texts_carry():
    twice = {f"{i}{word}": f"{word} {word}s" for i in range(2) for word in ("owl", "elk", "hen")}
    topics = tr.fit_topics(catalogue(twice))
    assert topics.weights.shape == (6, 3)
    assert np.isfinite(topics.weights).all()
    same = tr.fit_topics(catalogue({"a": "grey owl", "b": "grey owl"}))
    assert same.weights.shape == (2, 1)


def test_items_without_text_have_no_weight(planted):
    texts = pd.concat([planted, catalogue({"blank": "", "signs": "…!", "lone": "zyzzyva"})])
    topics = tr.fit_topics(texts, topics=2)
    assert topics.item_ids[topics.empty].tolist() == ["blank", "signs", "lone"]
    assert (topics.weights[topics.empty] == 0).all()
    assert (topics.weights[~topics.empty].sum(axis=1) > 0).all()
    assert (topics.weights >= 0).all()


def test_titles_in_other_scripts_have_topics():
    titles = {
        "j1": "進撃の巨人", "j2": "進撃の巨人 後編", "j3": "進撃の教室",
        "r1": "Дом у моря", "r2": "Тихий дом", "r3": "Дом",
        "k1": "Ghost Story", "k2": "GHOST town",
    }  # fmt: skip
    topics = tr.fit_topics(catalogue(titles, "title"))
    assert {"進撃", "дом", "ghost"} <= set(topics.vocabulary)
    for first, likes in (("j1", {"j2", "j3"}), ("r1", {"r2", "r3"}), ("k1", {"k2"})):
        assert set(tr.similar_items(topics, first)["item_id"]) == likes


def test_genres_alone_make_topics():
    genres = {"a": "Sci-Fi|War", "b": "War|Sci-Fi", "c": "Slice of Life", "d": "Slice of Life|Food",
              "e": "Food"}  # fmt: skip
    topics = tr.fit_topics(catalogue(genres, "genres"))
    assert topics.vocabulary == ("food", "sci-fi", "slice of life", "war")
    assert tr.similar_items(topics, "a", 1)["item_id"].tolist() == ["b"]


@pytest.mark.parametrize("texts", [{}, {"a": ""}, {"a": "a lone text", "b": "?"}])
def test_too_little_text_is_refused(texts):
    with pytest.raises(NoTextError, match=rf"of {len(texts)} items have a title") as caught:
        tr.fit_topics(catalogue(texts))
    assert caught.value.fix


def test_texts_without_common_words_are_refused():
    with pytest.raises(NoTextError, match="at least 2 and at most half"):
        tr.fit_topics(catalogue({"a": "one", "b": "two", "c": "three"}))


@pytest.mark.parametrize("setting", ["topics", "max_vocabulary", "min_items"])
def test_settings_out_of_range_are_refused(planted, setting):
    with pytest.raises(BadSettingError, match=f"{setting} is 0"):
        tr.fit_topics(planted, **{setting: 0})


def test_repeated_ids_are_refused(planted):
    with pytest.raises(BadSettingError, match="1 row repeats an item id, for example 'sea0'"):
        tr.fit_topics(pd.concat([planted, planted.iloc[:1]]))
