"""Items of one domain that are the same work under several ids.

A paperback and a hardcover, or a product listed again, share out the work's ratings between them,
and a list can recommend what the user already has.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from transrec_core.columns import GENRES, TITLE
from transrec_core.data.crosslisted import similar_columns
from transrec_core.data.interactions import Encoded, Interactions

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Words in brackets that name an edition, and words that only do so beside one of them: "(Special
# Edition)" does not count, "(Special)" may be another work.
EDITIONS = {
    "abridged", "audible", "audio", "audiobook", "blu", "bluray", "cassette", "cd", "cds", "cut",
    "digital", "disc", "discs", "dvd", "dvds", "ebook", "edition", "fullscreen", "hardback",
    "hardbound", "hardcover", "import", "kindle", "lp", "mp3", "paperback", "print", "reissue",
    "release", "remastered", "reprint", "softcover", "uhd", "unabridged", "uncut", "unrated",
    "version", "vhs", "vinyl", "widescreen",
}  # fmt: skip
BESIDE_EDITIONS = {
    "4k", "and", "anniversary", "board", "book", "collectors", "deluxe", "directors", "enhanced",
    "expanded", "extended", "final", "first", "format", "hd", "large", "library", "limited",
    "market", "mass", "ray", "revised", "second", "special", "the", "theatrical", "third", "trade",
    "two", "ultimate", "updated",
}  # fmt: skip
_COUNTED = re.compile(r"\d+(?:st|nd|rd|th)\b|\b\d{1,2}(?=[\W_]*(?:disc|cd|dvd|lp)s?\b)")
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")
_BRACKETS = re.compile(r"[(\[{【]([^()\[\]{}【】]*)[)\]}】]")
_BETWEEN_GENRES = re.compile(r"[|,;]")
_NO_GENRES = "(no genres listed)"  # what MovieLens writes

# Punctuation that one title is written with or without; "!", "?", "+", "#", "°" tell works apart,
# and at the end even some of these do: "Nisekoi:" follows "Nisekoi".
_LOOSE = frozenset(".,:;&/\\|~\"'`´·•_®©")
_CLOSING = ".:;'"


class _Blanks(dict[int, int | str]):
    """For ``str.translate``: dashes, brackets, quotes and the like become blanks."""

    def __missing__(self, code: int) -> int | str:
        kind = unicodedata.category(chr(code))
        loose = kind[0] in "CZ" or kind in ("Pc", "Pd", "Pe", "Pf", "Pi", "Ps")
        self[code] = " " if loose or chr(code) in _LOOSE else code
        return self[code]


_BLANKS = _Blanks()


@dataclass(frozen=True)
class Editions:
    """Items of one domain that seem to be the same works.

    Attributes
    ----------
    groups
        One array a work: columns of its items, at least two, most rated first. The works with most
        ratings come first; no column is in two of them.
    by_title
        Whether titles say so. Otherwise the items have nearly the same users, which is no proof:
        the parts of a trilogy have that too.
    """

    groups: tuple["NDArray[np.int64]", ...]
    by_title: bool


def find_editions(domain: Interactions, texts: pd.DataFrame | None = None) -> Editions:
    """Find items of one domain that are the same work.

    Parameters
    ----------
    domain
        Ratings of one domain.
    texts
        Index ``item_id``, columns ``title`` and ``genres``; one that is missing is empty text.

    Notes
    -----
    Items with the same ``work_title`` and the same genres are one work. An item without genres
    joins those with its title if they agree on theirs; an item without a title joins none.

    Where there is no title at all, nearly the same users (Jaccard 0.8, five in common) are taken
    for a sign. Items of more than half of the users are left out there: they are alike by chance.
    """
    known = (pd.DataFrame() if texts is None else texts).reindex(domain.items)
    known = known.reindex(columns=[TITLE, GENRES]).astype(object).fillna("").astype("str")
    by_title = bool(known[TITLE].str.strip().ne("").any())
    groups = _with_one_title(known) if by_title else _with_the_same_users(domain)
    counts = _counts(domain)
    ordered = [group[np.lexsort((group, -counts[group]))] for group in groups]
    ordered.sort(key=lambda group: (-counts[group].sum(), group[0]))
    return Editions(tuple(ordered), by_title)


def merge_editions(domain: Interactions, editions: Editions) -> Interactions:
    """Make one item of each group, under the id with most ratings (the lowest of several).

    A user's ratings of a group become their mean, at the latest of their times. The users stay.
    Every group is merged as it is given; whether what was not found by title is one work is for
    the caller to say.
    """
    if not editions.groups:
        return domain
    counts = _counts(domain)
    kept_as = np.arange(len(domain.items))
    for group in editions.groups:
        kept_as[group] = min(group, key=lambda column: (-counts[column], column))
    kept, number = np.unique(kept_as, return_inverse=True)
    matrix = domain.matrix
    at = Encoded(
        domain.users,
        domain.items[kept],
        np.repeat(np.arange(len(domain.users), dtype=np.int32), domain.counts),
        number[matrix.indices].astype(np.int32),
        None,
        None,
    ).positions
    first = np.ones(at.nnz, bool)
    np.not_equal(at.indices[1:], at.indices[:-1], out=first[1:])
    first[at.indptr[:-1][np.diff(at.indptr) > 0]] = True
    starts = np.flatnonzero(first)
    sums = np.add.reduceat(matrix.data[at.data].astype(np.float64), starts)
    values = (sums / np.diff(np.append(starts, at.nnz))).astype(np.float32)
    ends = np.append(0, np.cumsum(first))[at.indptr].astype(np.int32)
    return Interactions(
        domain.users,
        domain.items[kept],
        sp.csr_array((values, at.indices[starts], ends), at.shape),
        # Unlike the maximum, fmax passes over a time that is unknown.
        None if domain.times is None else np.fmax.reduceat(domain.times[at.data], starts),
        bool((values != values[:1]).any()),
    )


def work_title(title: str) -> str:
    """What the titles of all editions of a work have in common.

    Case, width, blanks and most punctuation do not count, nor do brackets that name an edition:
    ``"Spider-Man [DVD]"`` is ``"SPIDER MAN (Special Edition)"``. Years, volumes and all other
    brackets count, as do marks that works are told apart by: ``"K-On!"``, ``"K-On!!"``. A title
    without letters and numbers is empty.
    """
    text = unicodedata.normalize("NFKC", title.replace("™", "")).casefold()
    text = _BRACKETS.sub(_without_edition, text).rstrip()
    closing = text[len(text.rstrip(_CLOSING)) :]
    spaced = " ".join(text.translate(_BLANKS).split())
    # Between digits a blank stays: volumes 1-2 are not volume 12.
    plain = re.sub(r"(?<!\d) | (?!\d)", "", spaced)
    return plain + closing if any(map(str.isalnum, plain)) else ""


def _without_edition(bracket: re.Match[str]) -> str:
    inside = re.sub("['’]", "", bracket.group(1))
    words = set(re.split(r"[\W_]+", _COUNTED.sub("", inside))) - {""}
    years = {word for word in words if _YEAR.fullmatch(word)}
    if words & EDITIONS and words - years <= EDITIONS | BESIDE_EDITIONS:
        return f" {' '.join(sorted(years))} "
    return bracket.group()


def _genres(text: str) -> frozenset[str]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    parts = (part.strip(" []'\"") for part in _BETWEEN_GENRES.split(plain))
    return frozenset(parts) - {"", _NO_GENRES}


def _with_one_title(texts: pd.DataFrame) -> Iterator["NDArray[np.int64]"]:
    titles = texts[TITLE].map(work_title).to_numpy()
    repeated = np.flatnonzero(pd.Series(titles).duplicated(keep=False) & (titles != ""))
    genres = dict(zip(repeated, texts[GENRES].iloc[repeated].map(_genres), strict=True))
    for same in pd.Series(repeated).groupby(titles[repeated]):
        columns = same[1].to_numpy(np.int64)
        kinds = {genres[column] for column in columns if genres[column]}
        for kind in kinds or {frozenset()}:
            fits = {kind} if len(kinds) > 1 else {kind, frozenset()}
            group = np.array([column for column in columns if genres[column] in fits])
            if len(group) > 1:
                yield group


def _with_the_same_users(domain: Interactions) -> Iterable["NDArray[np.int64]"]:
    columns = np.flatnonzero(_counts(domain) <= 0.5 * len(domain.users))
    one, other, _ = similar_columns(sp.csc_array(domain.matrix[:, columns]))
    links = sp.coo_array((np.ones(len(one)), (one, other)), (len(columns),) * 2)
    _, group = connected_components(links, directed=False)
    linked = np.unique([one, other])
    return [columns[part.to_numpy()] for _, part in pd.Series(linked).groupby(group[linked])]


def _counts(domain: Interactions) -> "NDArray[np.int64]":
    """Number of ratings of each item."""
    return np.bincount(domain.matrix.indices, minlength=len(domain.items))
