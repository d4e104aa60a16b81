"""Similar items against brute force, and on the sample."""

import numpy as np
import pandas as pd
import pytest

import transrec_core as tr
from transrec_core.content import similar_to_all
from transrec_core.errors import BadSettingError


@pytest.fixture(scope="module")
def books(sample_data) -> pd.DataFrame:
    return tr.read_items(sample_data / "books_items.csv").frame


@pytest.fixture(scope="module")
def topics(books) -> tr.Topics:
    """The sample's books and one without text."""
    blank = pd.DataFrame("", index=["blank"], columns=books.columns)
    return tr.fit_topics(pd.concat([books, blank]))


def brute_force(topics: tr.Topics, row: int) -> np.ndarray:
    """Cosine of one item with every other, zero with itself."""
    w = topics.weights
    cosine = np.zeros(len(w))
    for other in range(len(w)):
        lengths = np.linalg.norm(w[row]) * np.linalg.norm(w[other])
        if other != row and lengths > 0:
            cosine[other] = w[row] @ w[other] / lengths
    return cosine


def test_similar_items_are_those_of_largest_cosine(topics):
    for row in range(0, len(topics.item_ids), 29):
        expected = np.sort(brute_force(topics, row))[::-1][:7]
        found = tr.similar_items(topics, topics.item_ids[row], 7)
        positions = topics.item_ids.get_indexer(found["item_id"])
        assert row not in positions
        np.testing.assert_allclose(found["cosine"], expected[expected > 0], atol=1e-12)
        np.testing.assert_allclose(brute_force(topics, row)[positions], found["cosine"], atol=1e-12)


def test_all_items_at_once_find_the_same(topics):
    found, cosines = similar_to_all(topics, 4)
    assert found.shape == cosines.shape == (401, 4)
    for row in (0, 17, 399):
        one = tr.similar_items(topics, topics.item_ids[row], 4)
        np.testing.assert_allclose(one["cosine"], cosines[row], atol=1e-12)
    assert (found != np.arange(401)[:, None]).all()


@pytest.mark.parametrize("chunk", [1, 7, 400, 5000])
def test_the_chunk_changes_nothing(topics, chunk):
    found, cosines = similar_to_all(topics, 6)
    other, other_cosines = similar_to_all(topics, 6, chunk=chunk)
    np.testing.assert_allclose(other_cosines, cosines, atol=1e-12)
    told_apart = np.abs(np.diff(cosines, axis=1, append=0)) > 1e-9
    told_apart[:, 1:] &= told_apart[:, :-1]
    assert told_apart.mean() > 0.5
    np.testing.assert_array_equal(other[told_apart], found[told_apart])


def test_an_item_without_text_has_none_and_is_nobodys(topics):
    assert tr.similar_items(topics, "blank").empty
    assert list(tr.similar_items(topics, "blank").columns) == ["item_id", "cosine"]
    found, cosines = similar_to_all(topics, 3)
    assert (found[-1] == -1).all()
    assert (cosines[-1] == 0).all()
    assert 400 not in found


def test_more_equals_than_asked_for_do_not_bring_back_the_item():
    same = pd.DataFrame({"title": ["red fox"] * 5 + ["grey owl"] * 2 + ["elk"] * 3})
    same.index = pd.Index(list("abcdefghij"))
    topics = tr.fit_topics(same)
    for item in "abcde":
        found = tr.similar_items(topics, item, 3)
        assert len(found) == 3
        assert item not in set(found["item_id"])
        assert set(found["item_id"]) <= set("abcde")
    assert tr.similar_items(topics, "f", 99)["item_id"].tolist() == ["g"]


def test_unknown_items_and_bad_sizes_are_refused(topics):
    with pytest.raises(BadSettingError, match="no item 'x' among the 401"):
        tr.similar_items(topics, "x")
    with pytest.raises(BadSettingError, match="n is 0"):
        tr.similar_items(topics, "b001", 0)
    with pytest.raises(BadSettingError, match="chunk is 0"):
        similar_to_all(topics, 3, chunk=0)


def test_books_like_a_horror_book_are_mostly_horror(books):
    """The sample names one theme Horror or Gothic."""
    topics = tr.fit_topics(books)
    horror = books["genres"].str.contains("Horror|Gothic")
    shares = [
        horror[tr.similar_items(topics, item)["item_id"]].mean() for item in books.index[horror]
    ]
    assert np.mean(shares) > 1.5 * horror.mean()
    assert np.mean(shares) > 0.5
