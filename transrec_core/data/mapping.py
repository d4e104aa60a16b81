"""Which column plays which part, guessed from names or else from positions and values."""

import re
from collections.abc import Mapping, Sequence

from transrec_core.data.sniffing import NUMBER

ROLES = ("user", "item", "rating", "time")

# Column names that are common in published rating data, best first; compared without case,
# blanks and punctuation.
NAMES: Mapping[str, tuple[str, ...]] = {
    "user": ("userid", "user", "uid", "reviewerid", "customerid", "memberid", "accountid",
             "visitorid", "profileid", "personid", "buyerid", "clientid", "readerid", "listenerid",
             "viewerid", "playerid", "studentid", "username", "customer", "reviewer", "member",
             "account", "visitor", "person", "buyer", "client", "reader", "listener", "viewer",
             "player", "useridx", "usercode"),
    "item": ("itemid", "item", "movieid", "bookid", "productid", "asin", "isbn", "isbn13", "isbn10",
             "parentasin", "animeid", "gameid", "songid", "trackid", "artistid", "albumid",
             "showid", "filmid", "articleid", "podcastid", "businessid", "recipeid",
             "beerid", "courseid", "jokeid", "appid", "sku", "iid", "contentid", "newsid",
             "videoid", "movie", "film",
             "book", "product", "anime", "game", "song", "track", "artist", "album", "article",
             "podcast", "recipe", "beer", "course", "business", "itemcode"),
    "rating": ("rating", "ratings", "bookrating", "userrating", "ratingvalue", "score", "userscore",
               "stars", "star", "starrating", "overall", "myrating", "reviewscore", "reviewrating",
               "rate", "value", "grade", "preference", "label", "playcount", "plays", "weight"),
    "time": ("timestamp", "unixreviewtime", "time", "datetime", "date", "ts", "ratedat",
             "createdat", "ratingtimestamp", "reviewtime", "reviewdate", "ratingdate", "updatedat",
             "eventtime", "dateadded"),
}  # fmt: skip
WEAK_NAMES: Mapping[str, tuple[str, ...]] = {
    "user": ("author", "u"),
    "item": ("title", "name", "i"),
    "rating": ("r",),
    "time": ("t",),
}
RECBOLE_TYPE = re.compile(r":(token|float|token_seq|float_seq)$")
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
FIRST_TIME = 1e8  # 1973 in seconds: larger whole numbers are times, ratings are far smaller
WIDEST_RATING = 100


def plain(name: str) -> str:
    """Return a column name without RecBole type, case, blanks and punctuation."""
    return re.sub(r"[\W_]+", "", RECBOLE_TYPE.sub("", name.strip())).lower()


def guess_mapping(
    columns: Sequence[str], header: bool, rows: Sequence[Sequence[str]]
) -> dict[str, str | None]:
    """Guess the user, item, rating and time column.

    Parameters
    ----------
    columns
        Column names.
    header
        Whether the names come from the file.
    rows
        Some data rows, looked at only when there are no names.

    Returns
    -------
    dict
        Role to column name, ``None`` where nothing fits; no column plays two parts.
    """
    if not header:
        return _by_position(columns, rows)
    found: dict[str, str | None] = dict.fromkeys(ROLES)
    free = {column: plain(column) for column in columns}
    # All exact names before all endings, and both before names that often mean something else:
    # `title` must not become the item where `the_movie_id` is.
    for names, endings in ((NAMES, False), (NAMES, True), (WEAK_NAMES, False)):
        for role in ROLES:
            if found[role] is None:
                found[role] = _first_match(free, names[role], endings)
                free.pop(found[role] or "", None)
    return found


def amended(
    guess: Mapping[str, str | None], named: Mapping[str, str | None]
) -> dict[str, str | None]:
    """The guess with the columns that somebody named; they play no second part."""
    taken = {column for column in named.values() if column}
    kept = {role: None if column in taken else column for role, column in guess.items()}
    return {**kept, **named}


def _first_match(free: Mapping[str, str], names: Sequence[str], endings: bool) -> str | None:
    for name in names:
        for column, have in free.items():
            if have == name or (endings and len(name) > 3 and have.endswith(name)):
                return column
    return None


def _by_position(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, str | None]:
    found: dict[str, str | None] = dict.fromkeys(ROLES)
    cells = dict(zip(columns, zip(*rows, strict=True), strict=True)) if rows else {}
    free = list(columns)
    for role, fits in (("time", _looks_like_time), ("rating", _looks_like_rating)):
        # Users and items come first in every published layout without names.
        found[role] = next((c for c in free if columns.index(c) >= 2 and fits(cells[c])), None)
        if found[role] is not None:
            free.remove(str(found[role]))
    if len(free) >= 2:
        found["user"], found["item"] = free[0], free[1]
    return found


def _looks_like_time(cells: Sequence[str]) -> bool:
    whole = all(cell.strip().isdecimal() and float(cell) > FIRST_TIME for cell in cells)
    return whole or all(ISO_DATE.match(cell.strip()) for cell in cells)


def _looks_like_rating(cells: Sequence[str]) -> bool:
    return all(
        NUMBER.fullmatch(cell) and abs(float(cell.replace(",", "."))) <= WIDEST_RATING
        for cell in cells
    )
