"""One user (an item, where items are new): history, lists, reasons."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dashboard import wording
from dashboard.compute.memory import remember
from dashboard.compute.naming import names
from dashboard.compute.runs import new_items
from dashboard.jobs import Result
from transrec_core.columns import DESCRIPTION, GENRES, ITEM, RANK, RATING, TIME, TITLE
from transrec_core.errors import BadSettingError
from transrec_core.explaining import explain
from transrec_core.recommending import history as core_history
from transrec_core.recommending import listed_users, recommend_for


def users(result: Result) -> list[str]:
    """Every user that lists can be made for."""
    return remember(result, "users", lambda: list(map(str, listed_users(result.run.pair))))


def cold_users(result: Result) -> list[str]:
    """Users of the source without any target interaction; items, where these are new."""

    def make() -> list[str]:
        run = result.run
        return list(map(str, run.pair.source.users.difference(run.pair.shared)))

    return remember(result, "cold", make)


def random_user(result: Result, cold: bool = False) -> str | None:
    """Somebody; ``None`` when there is nobody."""
    pool = cold_users(result) if cold else users(result)
    return random.choice(pool) if pool else None  # noqa: S311 - a pick to look at


def known(result: Result, user: str) -> bool:
    """Whether a user occurs in either domain."""
    run = result.run
    return user in run.pair.source.users or user in run.pair.target.users


def history(result: Result, domain: str, user: str) -> pd.DataFrame:
    """What a user did in a domain, best first."""
    run = result.run
    side = run.pair.source if domain == "source" else run.pair.target
    items = run.source_items if domain == "source" else run.target_items
    items = None if new_items(result) else items
    return remember(result, ("history", domain, user), lambda: core_history(side, user, items))


def own_text(result: Result, item: str) -> dict[str, str] | None:
    """Title, genres and description of a new item, where it is known by its text alone."""
    run = result.run
    if not run.fit.ground.by_words or run.target_items is None:
        return None
    known = item in run.target_items.index
    return {
        column: str(run.target_items.loc[item, column]).replace("|", ", ") if known else ""
        for column in (TITLE, GENRES, DESCRIPTION)
    }


def shown_history(result: Result, domain: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A history as columns to show: name, rating, genres and day, where there are any."""
    shown = pd.DataFrame({"name": names(result, domain, frame[ITEM])})
    side = result.run.pair.source if domain == "source" else result.run.pair.target
    if side.explicit and RATING in frame:
        shown["rating"] = frame[RATING].to_numpy()
    if GENRES in frame and (frame[GENRES].fillna("") != "").any():
        shown["genres"] = frame[GENRES].to_numpy()
    if TIME in frame and frame[TIME].notna().any():
        shown["when"] = pd.to_datetime(frame[TIME].to_numpy(), unit="s")
    return shown


@dataclass(frozen=True)
class UserLists:
    """Lists of one user by method, each with ``change`` against the target-only list.

    ``change`` is places gained (positive), lost (negative) or missing where the item is not in the
    target-only list at all.
    """

    frames: Mapping[str, pd.DataFrame]


def user_lists(result: Result, user: str, top: int, methods: Sequence[str]) -> UserLists:
    """Top lists of several methods side by side."""

    def make() -> UserLists:
        run = result.run
        frames = {
            method: recommend_for(
                run.fit,
                [user],
                top=top,
                method=method,
                chosen=run.chosen,
                items=None if new_items(result) else run.target_items,
            ).assign(name=lambda f: names(result, "target", f[ITEM]))
            for method in methods
        }
        reference = frames["target_only"].set_index(ITEM)["rank"]
        return UserLists(
            {
                method: frame.assign(change=frame[ITEM].map(reference) - frame["rank"])
                for method, frame in frames.items()
            }
        )

    return remember(result, ("lists", user, top, tuple(methods)), make)


def shown_list(frame: pd.DataFrame, what: str, *, places: bool) -> pd.DataFrame:
    """A list as a table of Markdown cells, with places against target only where asked."""
    shown = pd.DataFrame(
        {
            "\\#": frame[RANK].astype(str),
            what.capitalize(): [wording.escape_md(name, 90) for name in frame["name"]],
        }
    )
    return shown.assign(Places=frame["change"].map(wording.places)) if places else shown


def why(result: Result, user: str, item: str, most: int = 8) -> pd.DataFrame | str:
    """What adds most to an item's score in the transfer list, or why that cannot be told.

    Columns Because of, From, Adds: the largest parts, then all others and the general part, so that
    the column sums to the score in the last row.
    """

    def make() -> pd.DataFrame | str:
        try:
            (reason,) = explain(result.run.fit, user, [item])
        except BadSettingError as error:
            return str(error)
        largest = reason.parts.head(most)
        columns = (largest[column].tolist() for column in ("domain", ITEM, "contribution"))
        rows = [
            (names(result, domain, pd.Series([item]))[0], domain, value)
            for domain, item, value in zip(*columns, strict=True)
        ]
        rest = reason.parts["contribution"].iloc[most:]
        if len(rest):
            rows.append((wording.plural(len(rest), "other interaction"), "both", rest.sum()))
        rows.append(("What suits anybody", "", reason.general))
        rows.append(("Score", "", reason.score))
        by_words = result.run.fit.ground.by_words
        words = {**wording.DOMAIN_WORDS, **({"source": "Text"} if by_words else {})}
        return pd.DataFrame(
            {
                "Because of": [wording.escape_md(name, 90) for name, _, _ in rows],
                "From": [words.get(domain, "") for _, domain, _ in rows],
                "Adds": [f"{value:+.3f}".replace("-", "−") for _, _, value in rows],
            }
        )

    return remember(result, ("why", user, item, most), make)
