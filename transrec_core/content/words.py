"""An item's title, genres and description as a list of words, in any script."""

import re
import unicodedata
from collections.abc import Iterator

import pandas as pd

from transrec_core.columns import DESCRIPTION, GENRES, TITLE

SHORTEST = 2
"""Characters that a word needs, unless its script is written without blanks."""

LONGEST_GENRE = 4
"""Words of the longest genre; anything longer is read as text."""

_YEAR = re.compile(r"\s*\(\d{4}\)\s*$")
_BETWEEN_GENRES = re.compile(r"[|,;]")
_NO_GENRES = "(no genres listed)"  # what MovieLens writes

# Thai to Lao, Burmese, Khmer, kana and Han: words stand there without blanks between them.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(rf"([{_UNSPACED}]+)|[^\s{_UNSPACED}]+")


class _Blanks(dict[int, int | str]):
    """For ``str.translate``: letters, marks and numbers stay, all else becomes a blank."""

    def __missing__(self, code: int) -> int | str:
        kept = unicodedata.category(chr(code))[0] in "LMN"
        self[code] = code if kept else " "
        return self[code]


_BLANKS = _Blanks()


def item_words(items: pd.DataFrame) -> list[list[str]]:
    """The words of each item's title, genres and description, in that order.

    Parameters
    ----------
    items
        Columns ``title``, ``genres``, ``description``; a missing column or cell is empty text.
    """
    return [
        [*words(_YEAR.sub("", title)), *genre_words(genres), *words(description)]
        for title, genres, description in _texts(items)
    ]


def words(text: str) -> list[str]:
    """Lower-case words of at least two characters.

    A run of a script that is written without blanks (Thai, Japanese, Chinese and others) is cut
    into its overlapping pairs of characters, which search engines do where they have no dictionary.
    """
    found: list[str] = []
    for match in _RUN.finditer(_plain(text).translate(_BLANKS)):
        run = match.group()
        if match.lastindex:
            found.extend(run[i : i + 2] for i in range(max(1, len(run) - 1)))
        elif len(run) >= SHORTEST:
            found.append(run)
    return found


def genre_words(text: str) -> list[str]:
    """Genres, each one word: ``"Sci-Fi|Slice of Life"`` → ``["sci-fi", "slice of life"]``.

    They are separated by ``|``, ``,`` or ``;``. Where there is no separator, blanks may be one
    ("Comedy Drama") or may not ("Slice of Life"): the whole and its parts both count.
    """
    genres = genre_names(_plain(text))
    found: list[str] = []
    for genre in genres:
        parts = genre.split()
        if len(parts) > LONGEST_GENRE:
            found.extend(words(genre))
        elif genre:
            found.append(genre)
            if len(genres) == 1 and len(parts) > 1:
                found.extend(parts)
    return found


def genre_names(text: str) -> list[str]:
    """Genres as they are written, between ``|``, ``,`` or ``;``; empty ones stay."""
    if text.strip().casefold() == _NO_GENRES:
        return []
    return [" ".join(part.strip(" []'\"").split()) for part in _BETWEEN_GENRES.split(text)]


def item_sentences(items: pd.DataFrame) -> list[str]:
    """Each item's text as a reader would want it: ``Alien. Genres: Horror, Sci-Fi. In space …``.

    Parameters
    ----------
    items
        Columns ``title``, ``genres``, ``description``; what is missing is left out, and an item
        without any of them has an empty text.
    """
    found = []
    for title, genres, description in _texts(items):
        named = ", ".join(filter(None, genre_names(genres)))
        parts = (_YEAR.sub("", title), f"Genres: {named}" if named else "", description)
        told = [" ".join(part.split()) for part in parts]
        found.append(" ".join(f"{part}." if part[-1].isalnum() else part for part in told if part))
    return found


def _texts(items: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Title, genres and description of each item."""
    texts = (
        items.reindex(columns=[TITLE, GENRES, DESCRIPTION]).astype(object).fillna("").astype("str")
    )
    return texts.itertuples(index=False, name=None)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
