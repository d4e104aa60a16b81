"""One user's lists side by side, and what their scores are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from dashboard import wording
from dashboard.compute.memory import SIDES, remember
from dashboard.compute.naming import names
from dashboard.compute.runs import new_items
from dashboard.compute.supposing import Changes, asked, own_rows
from dashboard.jobs import Result
from transrec_core.columns import GENRES, ITEM, RANK
from transrec_core.errors import BadSettingError
from transrec_core.explaining import explain
from transrec_core.recommending import recommend_for


@dataclass(frozen=True)
class UserLists:
    """Lists of one user by method.

    Attributes
    ----------
    frames
        As ``recommend_for``, with ``name``, ``genres`` (empty where unknown), ``had`` (whether the
        user had the item) and ``change``: places gained (positive), lost (negative) or missing
        where the item was not in the other list. That is the target-only list, or, with changes,
        the same method's list without them.
    gone
        With changes: names of items that each list would have without them.
    """

    frames: Mapping[str, pd.DataFrame]
    gone: Mapping[str, list[str]]


def user_lists(
    result: Result,
    user: str,
    top: int,
    methods: Sequence[str],
    *,
    keep_seen: bool = False,
    changes: Changes | None = None,
) -> UserLists:
    """Top lists of several methods side by side, as they are or with changed interactions."""

    def listed(method: str, changes: Changes | None) -> pd.DataFrame:
        run = result.run
        return recommend_for(
            asked(result, user, changes), [user], top=top, method=method, chosen=run.chosen,
            keep_seen=keep_seen,
        )  # fmt: skip

    def make() -> UserLists:
        had = set(own_rows(result, "target", user, changes or ()))
        frames = {
            method: listed(method, changes).assign(
                name=lambda f: names(result, "target", f[ITEM]),
                genres=lambda f: _genres(result, f[ITEM]),
                had=lambda f: f[ITEM].isin(had),
            )
            for method in methods
        }
        before = dict.fromkeys(methods, frames.get("target_only"))
        if changes:
            before = {method: listed(method, ()) for method in methods}
        gone = {}
        for method, frame in frames.items():
            other = before[method]
            ranks = pd.Series(dtype=float) if other is None else other.set_index(ITEM)[RANK]
            frames[method] = frame.assign(change=frame[ITEM].map(ranks) - frame[RANK])
            left = [item for item in ranks.index if item not in set(frame[ITEM])]
            gone[method] = names(result, "target", left) if changes else []
        return UserLists(frames, gone)

    return remember(result, ("lists", user, top, tuple(methods), keep_seen, changes), make)


def _genres(result: Result, ids: "pd.Series[str]") -> list[str]:
    items = result.run.target_items
    if items is None or GENRES not in items or new_items(result):
        return [""] * len(ids)
    return [g.replace("|", ", ") for g in items[GENRES].reindex(ids).fillna("")]


def shown_list(frame: pd.DataFrame, what: str, *, places: str = "") -> pd.DataFrame:
    """A list as a table of Markdown cells; ``places`` heads the column of moves, if any."""
    cells = []
    for name, genres, had in zip(frame["name"], frame["genres"], frame["had"], strict=True):
        cell = wording.escape_md(name, 90)
        if genres:
            cell += f" :small[:gray[{wording.escape_md(genres, 60)}]]"
        cells.append(cell + (" :gray-badge[had it]" if had else ""))
    shown = pd.DataFrame({"\\#": frame[RANK].astype(str), what.capitalize(): cells})
    return shown.assign(**{places: frame["change"].map(wording.places)}) if places else shown


class Part(NamedTuple):
    """What one thing adds to a score; ``domain`` is empty for what hangs on no interaction."""

    name: str
    domain: str
    value: float


@dataclass(frozen=True)
class Reasons:
    """Why one item stands in a list: parts that sum to its score.

    Attributes
    ----------
    item
        Its name.
    parts
        What suits anybody, then the largest parts, then all others of each domain together.
    score
        As in the list.
    method, weight
        What served the user, and w of a blend, as in ``Explanation``.
    """

    item: str
    parts: tuple[Part, ...]
    score: float
    method: str
    weight: float


def reasons(
    result: Result,
    user: str,
    item: str,
    *,
    method: str = "auto",
    changes: Changes | None = None,
    most: int = 10,
) -> Reasons | str:
    """What adds most to an item's score in a list, or why that cannot be told."""

    def make() -> Reasons | str:
        try:
            (found,) = explain(
                asked(result, user, changes), user, [item], method=method, chosen=result.run.chosen
            )
        except BadSettingError as error:
            return str(error)
        size = found.parts["contribution"].abs().rank(ascending=False, method="first")
        largest, rest = found.parts[size <= most], found.parts[size > most]
        parts = [Part("What suits anybody", "", found.general)]
        for domain, item_id, value in zip(*map(largest.get, largest), strict=True):
            parts.append(Part(names(result, domain, [item_id])[0], domain, value))
        for domain in SIDES:
            others = rest[rest["domain"] == domain]["contribution"]
            if len(others):
                words = wording.plural(len(others), f"other {domain} interaction")
                parts.append(Part(words, domain, float(others.sum())))
        return Reasons(
            names(result, "target", [item])[0],
            tuple(parts),
            found.score,
            found.method,
            found.weight,
        )

    return remember(result, ("why", user, item, method, changes, most), make)


def shown_reasons(result: Result, found: Reasons) -> pd.DataFrame:
    """Reasons as a table of Markdown cells that ends with the score."""
    by_words = result.run.fit.ground.by_words
    words = {**wording.DOMAIN_WORDS, **({"source": "Text"} if by_words else {})}
    rows = [*found.parts, Part("Score", "", found.score)]
    return pd.DataFrame(
        {
            "Because of": [wording.escape_md(part.name, 90) for part in rows],
            "From": [words.get(part.domain, "") for part in rows],
            "Adds": [wording.signed(part.value) for part in rows],
        }
    )
