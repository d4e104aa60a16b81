"""Names for ids: titles where there are any."""

from collections.abc import Sequence

import pandas as pd

from dashboard import wording
from dashboard.compute.memory import remember
from dashboard.compute.runs import new_items
from dashboard.jobs import Result
from transrec_core.columns import TITLE


def titles(result: Result, domain: str) -> "pd.Series[str] | None":
    """Title by item id, ids without a title left out; ``None`` without an items file."""
    run = result.run
    items = run.source_items if domain == "source" else run.target_items
    # Where items are new, lists and histories are of users, who have no titles.
    if items is None or new_items(result):
        return None

    def make() -> "pd.Series[str]":
        found = items[TITLE]
        return found[found != ""]

    return remember(result, ("titles", domain), make)


def name_of(result: Result, domain: str, item: str) -> str:
    """An item's title, or its id where it has none."""
    known = titles(result, domain)
    return str(known.get(item, item)) if known is not None else item


def names(result: Result, domain: str, ids: "pd.Series[str] | Sequence[str]") -> list[str]:
    """Titles of many items of one domain, ids where there is none."""
    column = pd.Series(list(ids), dtype=object)
    known = titles(result, domain)
    if known is None:
        return [str(x) for x in column]
    return [str(x) for x in column.map(known).fillna(column)]


def subject(result: Result, user: str) -> str:
    """A user by id; an item, where items are new, by its title and id."""
    run = result.run

    def make() -> dict[str, str]:
        found: dict[str, str] = {}
        for items in (run.source_items, run.target_items):
            if items is not None:
                told = items[TITLE][items[TITLE] != ""]
                found |= {str(item): f"{title} ({item})" for item, title in told.items()}
        return found

    return remember(result, "subjects", make).get(user, user) if new_items(result) else user


def plain_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts and heads are fit to be shown; the same table where they all are."""
    shown = frame
    for place in range(frame.shape[1]):
        values = frame.iloc[:, place]
        if not isinstance(values.dtype, pd.StringDtype) and values.dtype != object:
            continue
        # Long lists repeat their texts many times over.
        texts = [text for text in values.drop_duplicates() if isinstance(text, str)]
        odd = {t: wording.plain(t, len(t) + 1) for t in texts if not t.isprintable()}
        if odd:
            shown = shown.copy(deep=False) if shown is frame else shown
            shown.isetitem(place, [odd.get(value, value) for value in values])
    heads: dict[object, None] = {}
    for column in frame.columns:
        head = wording.plain(column, len(column) + 1) if isinstance(column, str) else column
        while head in heads:
            head = f"{head} *"  # two columns of one name could not be told apart
        heads[head] = None
    return shown if list(heads) == list(frame.columns) else shown.set_axis(list(heads), axis=1)
