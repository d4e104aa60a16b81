"""The map of both catalogues: positions, colours, neighbours, users, texts, factors, regions."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd

from dashboard import studies, wording
from dashboard.compute.meaning import by_meaning, like_text
from dashboard.compute.memory import SIDES, remember
from dashboard.compute.naming import name_of, names
from dashboard.compute.preflight import both_usable
from dashboard.compute.runs import new_items
from dashboard.jobs import Result, Workspace
from transrec_core.columns import ITEM
from transrec_core.content import Topics, fit_topics, similar_items
from transrec_core.data.interactions import Interactions
from transrec_core.errors import NoTextError
from transrec_core.factors.geometry import Alignment, faithfulness
from transrec_core.space import (
    AlignmentMatrix,
    FactorCard,
    ItemMap,
    Places,
    UserPath,
    agreement,
    crowd,
    own_map,
    own_neighbours,
    places,
    strengths,
    user_path,
)
from transrec_core.space import alignment as core_alignment
from transrec_core.space import alignment_matrix as core_alignment_matrix
from transrec_core.space import factor_cards as core_factor_cards
from transrec_core.space import item_map as core_item_map
from transrec_core.space import neighbours as core_neighbours

ALIGNED, BEFORE, TSNE = "aligned", "before", "tsne"
"""Both catalogues in the target's space by two axes, each in its own, or by neighbourhoods."""

DOMAIN, GENRE, INTERACTIONS, RATING, FACTOR = "domain", "genre", "interactions", "rating", "factor"
"""What points can be coloured by; ``factor`` with a number from 1."""

MOST_GENRES = 7
TITLES_LISTED = 20
"""Items found by title that a list names; the map shows all of them."""
MOST_TITLES, MOST_PEOPLE = 3_000, 5_000
"""Options of one select box."""
FACTORS = 6
CARD_ITEMS, GENRE_ITEMS = 6, 30
"""Items named on a factor's card, and those whose genres are counted for it."""

T = TypeVar("T")


@dataclass(frozen=True)
class Mapped:
    """A map as the page shows it.

    Attributes
    ----------
    items
        Positions, with a ``name``; rows are the same items in every view.
    apart
        The two maps where each catalogue has axes of its own; empty where they share them.
    """

    items: ItemMap
    apart: Mapping[str, ItemMap] = field(default_factory=dict)


@dataclass(frozen=True)
class Colouring:
    """What the points of a map are coloured by.

    Attributes
    ----------
    title
        In words, with the unit.
    groups
        Name of the group of each row, the names in their order; empty for a scale.
    values
        A number a row, NaN where there is none; empty for groups.
    log
        Whether the values are counts to be told by their order of magnitude.
    """

    title: str
    groups: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    values: tuple[float, ...] = ()
    log: bool = False


def has_space(result: Result) -> bool:
    """Whether the items of both catalogues lie in one space."""
    fit = result.run.fit
    return not new_items(result) and remember(result, "space", lambda: fit.factor_map is not None)


def views(result: Result) -> tuple[str, ...]:
    """The maps that can be drawn; none where the factors are not of items by their users."""
    if new_items(result):
        return ()
    return (ALIGNED, BEFORE, TSNE) if has_space(result) else (BEFORE,)


def alignment(result: Result) -> Alignment:
    """How far both catalogues see the same tastes in the people they share."""
    return remember(result, "alignment", lambda: core_alignment(result.run.fit))


def alignment_matrix(result: Result) -> AlignmentMatrix:
    """Source directions against target directions; item ids stand as names."""

    def make() -> AlignmentMatrix:
        found = core_alignment_matrix(result.run.fit)
        return AlignmentMatrix(
            found.correlations,
            found.source_shares,
            found.target_shares,
            tuple(tuple(names(result, "source", ids)) for ids in found.source_items),
            tuple(tuple(names(result, "target", ids)) for ids in found.target_items),
            found.users,
            found.chance,
        )

    return remember(result, "matrix", make)


def _placed(result: Result) -> Places:
    return remember(result, "places", lambda: places(result.run.fit))


def item_map(result: Result) -> ItemMap:
    """The map of all items in one space, with their ``name``."""
    return remember(
        result,
        "map",
        lambda: _named(result, core_item_map(result.run.fit, placed=_placed(result))),
    )


def mapped(result: Result, view: str) -> Mapped:
    """One of the ``views``; the t-SNE map after ``tsne_drawn`` has found it."""
    if view == ALIGNED:
        return Mapped(item_map(result))
    if view == TSNE:
        return Mapped(remember(result, "tsne", lambda: item_map(result)))

    def make() -> Mapped:
        apart = {domain: own_map(result.run.fit, domain) for domain in ("target", "source")}
        frame = pd.concat([one.frame for one in apart.values()], ignore_index=True)
        sides: dict[str, ItemMap] = {domain: apart[domain] for domain in SIDES}
        return Mapped(_named(result, ItemMap(frame, (0.0, 0.0), 0.0)), sides)

    return remember(result, "own maps", make)


def tsne_drawn(space: Workspace, result: Result) -> bool:
    """Whether the t-SNE map of this very result is there."""
    study = space.studies.get("tsne")
    if study is None or study.inputs != result.id:
        return False

    def make() -> ItemMap:
        plane = study.table.set_index("row")[["x", "y"]]
        items = item_map(result)
        rows, points = crowd(items, _placed(result))
        frame = items.frame.loc[rows].assign(x=plane["x"], y=plane["y"])
        return ItemMap(frame, (0.0, 0.0), faithfulness(points, plane.to_numpy()))

    remember(result, "tsne", make)
    return True


def start_tsne(space: Workspace, result: Result) -> None:
    """Draw the t-SNE map beside the fits, unless something else is at work by now."""
    with space.lock:
        if (space.job is not None and space.job.active) or not both_usable(space):
            return
        items = item_map(result)
        rows, points = crowd(items, _placed(result))
        start = items.frame.loc[rows, ["x", "y"]].to_numpy()
        run = partial(studies.neighbourhoods, rows=rows, points=points, start=start)
        space.study("tsne", result.run.settings, result.id, run)


def _named(result: Result, found: ItemMap) -> ItemMap:
    frame = found.frame.reset_index(drop=True)
    for domain in SIDES:
        mine = frame["domain"] == domain
        frame.loc[mine, "name"] = names(result, domain, frame.loc[mine, ITEM])
    return ItemMap(frame, found.variance, found.faithfulness, found.axes)


def drawn(result: Result, key: Hashable, make: Callable[[], T]) -> T:
    """A figure, kept while what it shows stays the same."""
    return remember(result, ("drawn", key), make)


# ── colours ──────────────────────────────────────────────────────────────────────────────────────


def colourings(result: Result) -> dict[str, str]:
    """What the points can be coloured by in this result, with the words for it."""
    run = result.run
    found = {DOMAIN: "Domain"}
    if len(_common_genres(result)) > 1:
        found[GENRE] = "Genre"
    found[INTERACTIONS] = "Interactions"
    if run.pair.source.explicit or run.pair.target.explicit:
        found[RATING] = "Mean rating"
    if has_space(result):
        for card in factor_cards(result):
            found[f"{FACTOR} {card.factor}"] = f"Factor {card.factor}"
    return found


def colouring(result: Result, by: str) -> Colouring | None:
    """The colours of all rows of a map; ``None`` for the colours of the domains."""
    if by == DOMAIN or by not in colourings(result):
        return None

    def make() -> Colouring:
        if by == GENRE:
            return _by_genre(result)
        facts = _facts(result)
        if by == INTERACTIONS:
            return Colouring("Interactions", values=tuple(facts["interactions"]), log=True)
        if by == RATING:
            return Colouring("Mean rating", values=tuple(facts["rating"]))
        factor = int(by.removeprefix(FACTOR))
        values = strengths(_placed(result), factor)
        return Colouring(f"Strength on factor {factor} (cosine)", values=tuple(values.tolist()))

    return remember(result, ("colouring", by), make)


def _sides(result: Result) -> tuple[tuple[str, Interactions], ...]:
    """In the order of a map's rows."""
    pair = result.run.pair
    return ("target", pair.target), ("source", pair.source)


def _facts(result: Result) -> pd.DataFrame:
    """domain, item_id, genres, interactions and mean rating of every row of a map."""

    def make() -> pd.DataFrame:
        frames = []
        for domain, side in _sides(result):
            columns = side.matrix.indices
            counts = np.bincount(columns, minlength=len(side.items))
            sums = np.bincount(columns, side.matrix.data, len(side.items))
            described = _described(result, domain)
            genres = "" if described is None else described["genres"].reindex(side.items).fillna("")
            frames.append(
                pd.DataFrame(
                    {
                        "domain": domain,
                        ITEM: np.asarray(side.items),
                        "genres": np.asarray(genres) if described is not None else "",
                        "interactions": counts,
                        "rating": sums / np.maximum(counts, 1) if side.explicit else np.nan,
                    }
                )
            )
        return pd.concat(frames, ignore_index=True)

    return remember(result, "facts", make)


def _described(result: Result, domain: str) -> pd.DataFrame | None:
    run = result.run
    return run.source_items if domain == "source" else run.target_items


def _common_genres(result: Result) -> list[str]:
    """The most common genres of both catalogues together, the most common first."""

    def make() -> list[str]:
        counts = _genre_counts(_facts(result)["genres"])
        return [genre for genre, _ in counts.most_common(MOST_GENRES)]

    return remember(result, "genres", make)


def _by_genre(result: Result) -> Colouring:
    common = _common_genres(result)
    group = []
    for text in _facts(result)["genres"]:
        mine = [genre for genre in common if genre in _genres(text)]
        # The rarest of them: a genre that everything has would hide all others.
        group.append(mine[-1] if mine else "Other")
    return Colouring("Genre", (tuple(group), (*common, "Other")))


# ── one item ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class ItemFacts:
    """What is known of one item; ``rating`` is ``None`` where there are no ratings."""

    name: str
    domain: str
    item: str
    genres: str
    interactions: int
    rating: float | None


def item_facts(result: Result, row: int) -> ItemFacts | None:
    """What is known of the item of a row; ``None`` where there is no such row."""
    facts = _facts(result)
    if row not in facts.index:
        return None
    found = facts.loc[row].to_dict()
    domain, item = str(found["domain"]), str(found[ITEM])
    rating = float(found["rating"])
    return ItemFacts(
        name_of(result, domain, item),
        domain,
        item,
        ", ".join(_genres(found["genres"])),
        int(found["interactions"]),
        None if np.isnan(rating) else rating,
    )


def row_of(frame: pd.DataFrame, domain: str, item: str) -> int | None:
    """Row of an item on the map; ``None`` where it is not there."""
    found = frame.index[(frame["domain"] == domain) & (frame[ITEM] == item)]
    return int(found[0]) if len(found) else None


def item_options(result: Result, first: Sequence[int] = ()) -> dict[int, str]:
    """Rows to choose from with their labels: some first, then those of most interactions.

    At most 3,000 beside the first ones: a browser takes long over more.
    """

    def make() -> tuple[list[str], list[str], list[int]]:
        facts = _facts(result)
        order = facts["interactions"].to_numpy().argsort(kind="stable")[::-1][:MOST_TITLES]
        sides = dict(_sides(result))
        named = [
            name for domain in sides for name in names(result, domain, list(sides[domain].items))
        ]
        return named, facts["domain"].tolist(), [int(row) for row in order]

    named, domains, common = remember(result, "options", make)
    rows = dict.fromkeys([*(row for row in first if row < len(named)), *common])
    return {row: wording.plain(f"{named[row]} ({domains[row]})", 70) for row in rows}


def matches(frame: pd.DataFrame, query: str) -> pd.DataFrame:
    """Rows of a map whose name or id holds the query, letters of either case."""
    words = query.strip()
    if not words:
        return frame.iloc[:0]
    in_name = frame["name"].str.contains(words, case=False, regex=False)
    return frame[in_name | (frame[ITEM] == words)]


@dataclass(frozen=True)
class Found:
    """What a search has found: first by title, then by what texts are about.

    Attributes
    ----------
    rows
        Rows of all of them on the map.
    titled, meant
        How many there are of each; no item counts twice. ``meant`` is ``None`` without texts.
    listed
        found (how), name, domain, cosine (NaN by title) and row; ``TITLES_LISTED`` by title.
    reader, trouble
        As in ``Meant``.
    """

    rows: list[int]
    titled: int
    meant: int | None
    listed: pd.DataFrame
    reader: str = ""
    trouble: str = ""


def found_items(result: Result, frame: pd.DataFrame, query: str) -> Found:
    """Search a map's items by title and id, and where there are texts by meaning."""
    hits = matches(frame, query)
    titled = hits[["domain", "name"]].assign(row=hits.index, found="By title", cosine=np.nan)
    meant = by_meaning(result, query)
    if meant is None:
        return Found(hits.index.tolist(), len(hits), None, titled.head(TITLES_LISTED))
    items = meant.items.assign(row=rows_of(result, meant.items), found="By meaning")
    # Those of the map alone, which may be a sample, and none twice.
    items = items[items["row"].isin(frame.index) & ~items["row"].isin(hits.index)]
    return Found(
        [*hits.index.tolist(), *items["row"].tolist()],
        len(hits),
        len(items),
        pd.concat([titled.head(TITLES_LISTED), items[list(titled)]], ignore_index=True),
        meant.reader,
        meant.trouble,
    )


def rows_of(result: Result, items: pd.DataFrame) -> list[int]:
    """Rows of some items on the map, by their domain and item_id."""
    facts = _facts(result)
    rows = pd.Series(facts.index, index=pd.MultiIndex.from_frame(facts[["domain", ITEM]]))
    return rows.reindex(pd.MultiIndex.from_frame(items[["domain", ITEM]])).astype(int).tolist()


def neighbours(
    result: Result, domain: str, item: str, n: int = 10, *, view: str = ALIGNED
) -> pd.DataFrame:
    """Nearest items with their cosine, name and row: of both domains, or by its own alone."""

    def make() -> pd.DataFrame:
        fit = result.run.fit
        if view == BEFORE:
            found = own_neighbours(fit, "source" if domain == "source" else "target", item, n)
        else:
            found = core_neighbours(fit, domain, item, n, placed=_placed(result))
        return found.assign(
            name=[name_of(result, d, i) for d, i in zip(found["domain"], found[ITEM], strict=True)],
            row=rows_of(result, found),
        )

    return remember(result, ("neighbours", domain, item, n, view), make)


def kept_neighbours(result: Result, view: str, domain: str, item: str) -> tuple[int, int]:
    """How many of an item's listed neighbours are its nearest on the map too, and of how many."""
    near = neighbours(result, domain, item, view=view)
    return agreement(mapped(result, view).items, domain, item, near)


def similar_by_text(result: Result, domain: str, item: str, n: int = 5) -> pd.DataFrame | None:
    """Items of the same catalogue with the most similar text, their cosine and name.

    Empty for an item without text; ``None`` where there are no texts to compare.
    """

    def make() -> pd.DataFrame | None:
        alike = like_text(result, domain, item, n)
        if alike is not None:
            return alike.assign(name=names(result, domain, alike[ITEM]))
        topics = _topics(result, domain)
        if topics is None:
            return None
        if item not in topics.item_ids:
            return pd.DataFrame({ITEM: [], "cosine": [], "name": []})
        found = similar_items(topics, item, n)
        return found.assign(name=names(result, domain, found[ITEM]))

    return remember(result, ("text", domain, item, n), make)


def has_texts(result: Result, domain: str) -> bool:
    """Whether there is a file that describes the items of a domain."""
    return _described(result, domain) is not None


def _topics(result: Result, domain: str) -> Topics | None:
    """Topics of the rated items of a domain."""
    items = _described(result, domain)
    side = result.run.pair.source if domain == "source" else result.run.pair.target
    if items is None:
        return None

    def make() -> Topics | None:
        try:
            return fit_topics(items.loc[items.index.isin(side.items)])
        except NoTextError:
            return None

    return remember(result, ("topics", domain), make)


# ── one user ─────────────────────────────────────────────────────────────────────────────────────


def path_of(result: Result, user: str) -> UserPath:
    """Where a user lies on the aligned map, by the source, by the target and by both."""
    return remember(
        result,
        ("path", user),
        lambda: user_path(result.run.fit, user, item_map(result), placed=_placed(result)),
    )


def drawable_users(result: Result) -> list[str] | None:
    """Everybody who can be drawn on the map; ``None`` where they are too many for one list."""
    run = result.run
    people = remember(
        result, "people", lambda: list(map(str, run.pair.source.users.union(run.pair.target.users)))
    )
    return people if len(people) <= MOST_PEOPLE else None


# ── factors and genres ───────────────────────────────────────────────────────────────────────────


def factor_cards(result: Result) -> tuple[FactorCard, ...]:
    """The strongest factors with their top items, more of them than a card names."""
    return remember(
        result,
        "cards",
        lambda: core_factor_cards(
            result.run.fit, FACTORS, max(CARD_ITEMS, GENRE_ITEMS), placed=_placed(result)
        ),
    )


def card_genres(result: Result, domain: str, ids: Sequence[str]) -> list[str]:
    """The genres that the items of a factor have clearly more often than the catalogue."""
    table = over_represented(result, domain, ids)
    if table.empty:
        return []
    clear = table[(table["Times"] >= 1.5) & (table["Chosen"] >= 10)].head(3)
    return [
        f"{genre} {times:.1f} ×"
        for genre, times in zip(clear["Genre"], clear["Times"], strict=True)
    ]


def over_represented(result: Result, domain: str, ids: Sequence[str]) -> pd.DataFrame:
    """Genres of chosen items: per cent of them and of the catalogue, ratio; empty without."""
    items = _described(result, domain)
    if items is None:
        return pd.DataFrame()
    side = result.run.pair.source if domain == "source" else result.run.pair.target
    genres = items.loc[items.index.isin(side.items), "genres"]
    everything = remember(result, ("genre counts", domain), lambda: _genre_counts(genres))
    chosen = _genre_counts(genres.reindex(list(ids)).dropna())
    rows = [
        {
            "Genre": genre,
            "Chosen": 100 * n / max(1, len(ids)),
            "Catalogue": 100 * everything[genre] / max(1, len(genres)),
        }
        for genre, n in chosen.items()
        if n >= 2
    ]
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    table["Times"] = table["Chosen"] / table["Catalogue"]
    return table.sort_values("Times", ascending=False).head(8).reset_index(drop=True)


def _genres(text: object) -> list[str]:
    parts = str(text).replace("|", ",").split(",")
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _genre_counts(genres: "pd.Series[str]") -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in genres:
        counts.update(_genres(text))
    return counts
