"""Items are found by what they are about, in any script, by words and by a model alike."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from transrec_core.content.embedding import SentenceEmbedder
from transrec_core.content.searching import LEAST_COSINE, items_like, search_items, searchable
from transrec_core.errors import BadSettingError, NoTextError
from transrec_core.progress import UNTOLD, Meter

ITEMS = pd.DataFrame(
    {
        "title": ["Alien (1979)", "Solaris", "Notting Hill", "となりのトトロ", "", "Heat"],
        "genres": [
            "Horror|Sci-Fi",
            "Sci-Fi|Drama",
            "Romance",
            "Slice of Life|Fantasy",
            "",
            "Crime",
        ],
        "description": ["A crew in space", "An ocean in space", "A bookshop", "Forest", "", ""],
    },
    index=pd.Index(["a", "s", "n", "t", "none", "h"], name="item_id"),
)


class Colours:
    """A stand-in for a model: three dimensions, one for each group of words that mean the like."""

    GROUPS = (("space", "star"), ("romance", "love"), ("forest", "wood"))

    def embed(self, texts: Sequence[str], meter: Meter = UNTOLD) -> "np.ndarray":
        rows = np.array(
            [[sum(w in text.lower() for w in group) for group in self.GROUPS] for text in texts],
            np.float32,
        ).reshape(len(texts), 3)
        sizes = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, sizes, out=np.zeros_like(rows), where=sizes > 0)


class Far(Colours):
    """The same, but a query is hardly like anything."""

    def embed(self, texts: Sequence[str], meter: Meter = UNTOLD) -> "np.ndarray":
        rows = super().embed(texts, meter)
        return rows * LEAST_COSINE if len(texts) == 1 else rows


def ids(found: pd.DataFrame) -> list[str]:
    return found["item_id"].tolist()


def test_words_of_title_genre_and_description_are_found_the_best_first() -> None:
    texts = searchable(ITEMS)
    assert ids(search_items(texts, "solaris space")) == ["s", "a"]
    assert ids(search_items(texts, "ROMANCE")) == ["n"]
    assert ids(search_items(texts, "slice of life")) == ["t"]
    assert ids(search_items(texts, "トトロ")) == ["t"]
    assert ids(search_items(texts, "space", n=1)) == ids(search_items(texts, "space"))[:1]
    found = search_items(texts, "space")
    assert (np.diff(found["cosine"]) <= 0).all()
    assert found["cosine"].between(0, 1, inclusive="right").all()


def test_the_cosine_is_that_of_the_words() -> None:
    plain = pd.DataFrame({"title": ["red blue", "red green", "one two", "six ten"]}, list("abcd"))
    found = search_items(searchable(plain), "blue").set_index("item_id")["cosine"]
    # Each word counts ln((1 + 4) / (1 + items with it)) + 1.
    blue, red = np.log(5 / 2) + 1, np.log(5 / 3) + 1
    assert found.to_dict() == {"a": pytest.approx(blue / np.hypot(blue, red), abs=1e-6)}


@pytest.mark.parametrize("query", ["", "   ", "zzz", "🚀", "!"])
def test_a_query_without_a_known_word_finds_nothing(query: str) -> None:
    for found in (
        search_items(searchable(ITEMS), query),
        search_items(searchable(ITEMS, Colours()), query),
    ):
        assert found.empty
        assert list(found) == ["item_id", "cosine"]


def test_a_model_finds_what_means_the_like_in_other_words() -> None:
    texts = searchable(ITEMS, Colours())
    assert ids(search_items(texts, "star")) == ["a", "s"]
    assert ids(search_items(texts, "love")) == ["n"]
    assert search_items(searchable(ITEMS), "star").empty
    # What has next to nothing in common with the query is not told, though it is above zero.
    assert search_items(searchable(ITEMS, Far()), "star").empty


def test_items_like_one() -> None:
    for texts in (searchable(ITEMS), searchable(ITEMS, Colours())):
        assert ids(items_like(texts, "a", 1)) == ["s"]
        assert items_like(texts, "none").empty
    with pytest.raises(BadSettingError, match="no item 'x'"):
        items_like(texts, "x")
    with pytest.raises(BadSettingError, match="n is 0"):
        search_items(texts, "space", 0)


def test_without_any_text_there_is_nothing_to_search() -> None:
    empty = ITEMS.assign(title="", genres="", description=None)
    for embedder in (None, Colours()):
        with pytest.raises(NoTextError, match="None of 6 items"):
            searchable(empty, embedder)


def test_a_real_model_finds_what_shares_no_word(real_model: SentenceEmbedder) -> None:
    query = "extraterrestrial creature"
    assert ids(search_items(searchable(ITEMS, real_model), query))[0] == "a"
    assert search_items(searchable(ITEMS), query).empty
