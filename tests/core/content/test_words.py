"""Words of items in any script, and genres as words."""

import pandas as pd
import pytest

from transrec_core.content.words import genre_words, item_words, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Cat's  Cradle, a b-side", ["the", "cat", "cradle", "side"]),
        ("ПРЕСТУПЛЕНИЕ и наказание", ["преступление", "наказание"]),
        ("हिन्दी कहानी", ["हिन्दी", "कहानी"]),
        ("Straße STRASSE ｆｕｌｌ", ["strasse", "strasse", "full"]),
        ("進撃の巨人", ["進撃", "撃の", "の巨", "巨人"]),
        ("愛 Love", ["愛", "love"]),
        ("劇場版ABC", ["劇場", "場版", "abc"]),
        ("…!? 😀", []),
    ],
)
def test_text_is_cut_into_words(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sci-Fi|Slice of Life", ["sci-fi", "slice of life"]),
        ("Children's, Horror ; War", ["children's", "horror", "war"]),
        ("['Drama', 'Film Noir']", ["drama", "film noir"]),
        ("Sci-Fi", ["sci-fi"]),
        ("Comedy Drama", ["comedy drama", "comedy", "drama"]),
        ("(no genres listed)", []),
        ("||", []),
        ("A film about two old friends|War", ["film", "about", "two", "old", "friends", "war"]),
    ],
)
def test_a_genre_is_one_word(text, expected):
    assert genre_words(text) == expected


def test_missing_columns_and_cells_are_empty_and_years_are_no_words():
    frame = pd.DataFrame({"title": ["Heat (1995)", None, "1984"]})
    assert item_words(frame) == [["heat"], [], ["1984"]]
