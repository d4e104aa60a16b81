"""The map of both catalogues: positions, neighbours, texts, factor cards, regions."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from dashboard import wording
from dashboard.compute.memory import SIDES, remember
from dashboard.compute.naming import name_of, names
from dashboard.compute.runs import new_items
from dashboard.jobs import Result
from transrec_core.columns import ITEM
from transrec_core.content import Topics, fit_topics, similar_items
from transrec_core.errors import NoTextError
from transrec_core.factors.geometry import Alignment
from transrec_core.space import FactorCard, ItemMap
from transrec_core.space import alignment as core_alignment
from transrec_core.space import factor_cards as core_factor_cards
from transrec_core.space import item_map as core_item_map
from transrec_core.space import neighbours as core_neighbours


def has_space(result: Result) -> bool:
    """Whether the items of both catalogues lie in one space."""
    fit = result.run.fit
    return not new_items(result) and remember(result, "space", lambda: fit.factor_map is not None)


def alignment(result: Result) -> Alignment:
    """How far both catalogues see the same tastes in the people they share."""
    return remember(result, "alignment", lambda: core_alignment(result.run.fit))


def item_map(result: Result) -> ItemMap:
    """The map of all items, with their ``name``, at most 20,000 points in all."""

    def make() -> ItemMap:
        found = core_item_map(result.run.fit)
        frame = found.frame.copy()
        for domain in SIDES:
            mine = frame["domain"] == domain
            frame.loc[mine, "name"] = names(result, domain, frame.loc[mine, ITEM])
        return ItemMap(frame.reset_index(drop=True), found.variance, found.faithfulness)

    return remember(result, "map", make)


def row_of(frame: pd.DataFrame, domain: str, item: str) -> int | None:
    """Row of an item on the map; ``None`` where it is not there."""
    found = frame.index[(frame["domain"] == domain) & (frame[ITEM] == item)]
    return int(found[0]) if len(found) else None


def rows_of(frame: pd.DataFrame, near: pd.DataFrame) -> dict[int, str]:
    """Rows of many items on the map, with their names."""
    rows = [row_of(frame, d, i) for d, i in zip(near["domain"], near[ITEM], strict=True)]
    return {r: str(frame.loc[r, "name"]) for r in rows if r is not None}


def label(frame: pd.DataFrame, row: int) -> str:
    """An item's name on the map with its domain, on one line."""
    name, domain = frame.loc[row, ["name", "domain"]]
    return wording.plain(f"{name} ({str(domain).lower()})", 70)


def popular_first(frame: pd.DataFrame) -> list[int]:
    """Rows of the map by falling number of interactions."""
    order = frame["interactions"].to_numpy().argsort(kind="stable")[::-1]
    return [int(row) for row in frame.index.to_numpy()[order]]


def matches(frame: pd.DataFrame, query: str) -> pd.DataFrame:
    """Rows of a map whose name or id holds the query, letters of either case."""
    words = query.strip()
    if not words:
        return frame.iloc[:0]
    in_name = frame["name"].str.contains(words, case=False, regex=False)
    return frame[in_name | (frame[ITEM] == words)]


def neighbours(result: Result, domain: str, item: str, n: int = 10) -> pd.DataFrame:
    """Nearest items in both domains with their cosine and name."""

    def make() -> pd.DataFrame:
        found = core_neighbours(result.run.fit, domain, item, n)
        return found.assign(
            name=[name_of(result, d, i) for d, i in zip(found["domain"], found[ITEM], strict=True)]
        )

    return remember(result, ("neighbours", domain, item, n), make)


def similar_by_text(result: Result, domain: str, item: str, n: int = 5) -> pd.DataFrame | None:
    """Items of the same catalogue with the most similar text, their cosine and name.

    Empty for an item without text; ``None`` where there are no texts to compare.
    """

    def make() -> pd.DataFrame | None:
        topics = _topics(result, domain)
        if topics is None:
            return None
        if item not in topics.item_ids:
            return pd.DataFrame({ITEM: [], "cosine": [], "name": []})
        found = similar_items(topics, item, n)
        return found.assign(name=names(result, domain, found[ITEM]))

    return remember(result, ("text", domain, item, n), make)


def _topics(result: Result, domain: str) -> Topics | None:
    """Topics of the rated items of a domain."""
    run = result.run
    items, side = (
        (run.source_items, run.pair.source)
        if domain == "source"
        else (run.target_items, run.pair.target)
    )
    if items is None:
        return None

    def make() -> Topics | None:
        try:
            return fit_topics(items.loc[items.index.isin(side.items)])
        except NoTextError:
            return None

    return remember(result, ("topics", domain), make)


def factor_cards(result: Result) -> tuple[FactorCard, ...]:
    """The strongest factors with their top items."""
    return remember(result, "cards", lambda: core_factor_cards(result.run.fit))


def over_represented(result: Result, domain: str, ids: Sequence[str]) -> pd.DataFrame:
    """Genres of chosen items: per cent of them and of the catalogue, ratio; empty without."""
    run = result.run
    items = run.source_items if domain == "source" else run.target_items
    if items is None:
        return pd.DataFrame()
    genres = items["genres"]
    everything = _genre_counts(genres)
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


def _genre_counts(genres: "pd.Series[str]") -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in genres:
        parts = str(text).replace("|", ",").split(",")
        counts.update({p.strip() for p in parts if p.strip()})
    return counts
