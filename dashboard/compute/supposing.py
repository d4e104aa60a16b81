"""What a user did, and what if they had done other things."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from dashboard import wording
from dashboard.compute.memory import SIDES, remember
from dashboard.compute.naming import names
from dashboard.compute.runs import new_items
from dashboard.jobs import Result
from transrec_core.columns import GENRES, ITEM, RATING, TIME
from transrec_core.data.interactions import Interactions
from transrec_core.recommending import history as core_history
from transrec_core.supposing import what_if
from transrec_core.transfer.fitting import TransferFit


class Change(NamedTuple):
    """A rating that a user would have given; without a value an interaction dropped."""

    domain: str
    item: str
    value: float | None


Changes = tuple[Change, ...]
"""At most one an item."""


@dataclass(frozen=True)
class Scale:
    """Ratings that a domain knows: the lowest, the highest, steps between, and a usual high one."""

    low: float
    high: float
    step: float
    usual: float


def scale(result: Result, domain: str) -> Scale | None:
    """The ratings of a domain; ``None`` where interactions are not rated."""
    side = _side(result, domain)
    if not side.explicit:
        return None

    def make() -> Scale:
        values = np.unique(side.matrix.data).astype(float)
        grids = (s for s in (1.0, 0.5, 0.1) if np.allclose(values / s, np.rint(values / s)))
        step = next(grids, 0.01)
        usual = float(np.quantile(side.matrix.data, 0.75))
        return Scale(float(values[0]), float(values[-1]), step, round(usual / step) * step)

    return remember(result, ("scale", domain), make)


def changeable(result: Result) -> tuple[str, ...]:
    """Domains whose interactions can be changed: not the words of new items."""
    return ("target",) if result.run.fit.ground.by_words else SIDES


def own_rows(result: Result, domain: str, user: str, changes: Changes = ()) -> dict[str, float]:
    """A user's interactions in a domain by item: the rating, or 1 where there are none."""
    frame = history(result, domain, user)
    values = frame[RATING] if RATING in frame else [1.0] * len(frame)
    rows = dict(zip(map(str, frame[ITEM]), map(float, values), strict=True))
    for change in changes:
        if change.domain == domain:
            rows.pop(change.item, None)
            if change.value is not None:
                rows[change.item] = change.value
    return rows


def settled_changes(result: Result, user: str, steps: Sequence[Change]) -> Changes:
    """What a number of steps comes to: the last one of each item, where it changes anything."""
    last = {(step.domain, step.item): step for step in steps}
    rows = {domain: own_rows(result, domain, user) for domain in changeable(result)}
    return tuple(
        step for step in last.values() if rows.get(step.domain, {}).get(step.item) != step.value
    )


def changed_items(
    result: Result, domain: str, user: str, search: str = "", most: int = 20_000
) -> list[str]:
    """Items to add, drop or rate anew: the user's own first, then the most popular ones.

    ``search`` leaves those whose title or id holds the text.
    """
    side = _side(result, domain)

    def make() -> list[str]:
        counts = np.bincount(side.matrix.indices, minlength=len(side.items))
        return list(map(str, side.items[np.argsort(-counts, kind="stable")]))

    every = remember(result, ("popular", domain), make)
    wanted = search.strip().lower()
    if wanted:
        named = labels(result, domain)
        every = [item for item in every if wanted in named[item].lower() or wanted in item.lower()]
    own = own_rows(result, domain, user)
    return [*own, *(item for item in every[:most] if item not in own)]


def labels(result: Result, domain: str) -> Mapping[str, str]:
    """A name of each item that no other item of the domain has: pickers tell them apart by it."""

    def make() -> dict[str, str]:
        items = list(map(str, _side(result, domain).items))
        short = pd.Series([wording.plain(name, 90) for name in names(result, domain, items)])
        twice = short.duplicated(keep=False)
        return {
            item: f"{name} ({item})" if again and name != item else name
            for item, name, again in zip(items, short, twice, strict=True)
        }

    return remember(result, ("labels", domain), make)


def item_count(result: Result, domain: str) -> int:
    """How many items a domain has."""
    return len(_side(result, domain).items)


def told_changes(result: Result, user: str, changes: Changes) -> list[str]:
    """Each change in a few words."""
    said = []
    for domain, item, value in changes:
        name = wording.plain(names(result, domain, [item])[0], 60)
        before = own_rows(result, domain, user).get(item)
        rated = scale(result, domain) is not None
        if value is None:
            words = f"without {name}"
        elif before is None:
            words = f"with {name}" + (f" rated {value:g}" if rated else "")
        else:
            words = f"{name} rated {value:g} instead of {before:g}"
        said.append(f"{words} ({wording.DOMAIN_WORDS[domain].lower()})")
    return said


def _side(result: Result, domain: str) -> Interactions:
    pair = result.run.pair
    return pair.source if domain == "source" else pair.target


def asked(result: Result, user: str, changes: Changes | None) -> TransferFit:
    """The fit that lists are made by; for ``None`` the one that serves everybody."""
    if changes is None:
        return result.run.fit

    def make() -> TransferFit:
        sides = {
            domain: {c.item: c.value for c in changes if c.domain == domain} for domain in SIDES
        }
        return what_if(result.run.fit, user, source=sides["source"], target=sides["target"])

    return remember(result, ("what if", user, changes), make)


def history(result: Result, domain: str, user: str, changes: Changes = ()) -> pd.DataFrame:
    """What a user did in a domain, best first; with changes, as it would be.

    With changes there is a column ``changed``: ``added``, ``was 3`` or empty; what was added stands
    first.
    """
    run = result.run
    items = run.source_items if domain == "source" else run.target_items
    items = None if new_items(result) else items
    frame = remember(
        result,
        ("history", domain, user),
        lambda: core_history(_side(result, domain), user, items),
    )
    mine = {c.item: c.value for c in changes if c.domain == domain}
    if not mine:
        return frame
    dropped = [item for item, value in mine.items() if value is None]
    kept = frame[~frame[ITEM].isin(dropped)].assign(changed="")
    if RATING in kept:
        anew = kept[ITEM].isin(mine)
        kept.loc[anew, "changed"] = [f"was {value:g}" for value in kept.loc[anew, RATING]]
        kept.loc[anew, RATING] = [mine[item] for item in kept.loc[anew, ITEM]]
    had = set(frame[ITEM])
    added = pd.DataFrame(
        {ITEM: [i for i, value in mine.items() if value is not None and i not in had]}
    ).assign(changed="added")
    if RATING in kept:
        added[RATING] = [mine[item] for item in added[ITEM]]
    if GENRES in kept and items is not None:
        added[GENRES] = items[GENRES].reindex(added[ITEM]).fillna("").to_numpy()
    return pd.concat([added, kept], ignore_index=True) if len(added) else kept


def shown_history(result: Result, domain: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A history as columns to show: name, rating, genres and day, where there are any."""
    shown = pd.DataFrame({"name": names(result, domain, frame[ITEM])})
    side = result.run.pair.source if domain == "source" else result.run.pair.target
    if side.explicit and RATING in frame:
        shown["rating"] = frame[RATING].to_numpy()
    if "changed" in frame and (frame["changed"] != "").any():
        shown["changed"] = frame["changed"].to_numpy()
    if GENRES in frame and (frame[GENRES].fillna("") != "").any():
        shown["genres"] = frame[GENRES].fillna("").str.replace("|", ", ").to_numpy()
    if TIME in frame and frame[TIME].notna().any():
        shown["when"] = pd.to_datetime(frame[TIME].to_numpy(), unit="s")
    return shown
