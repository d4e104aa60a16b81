"""Whom to look at (an item, where items are new), and what the comparison found of them."""

import random
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from dashboard.compute.evidence import evidences
from dashboard.compute.memory import remember
from dashboard.compute.runs import new_items
from dashboard.jobs import Result
from transrec_core.columns import (
    DESCRIPTION,
    GENRES,
    ITEM,
    METHOD,
    METRIC,
    SHOTS,
    TITLE,
    USER,
    VALUE,
)
from transrec_core.recommending import listed_users


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


@dataclass(frozen=True)
class UserGains:
    """What transfer gave each test user in the comparison, against the best baseline.

    Attributes
    ----------
    values
        Index user, the gain in the metric's units (positive: transfer was better), largest first.
    shots
        How many of their target interactions were known there.
    metric, transfer, baseline
        What was measured, and of which two methods.
    """

    values: "pd.Series[float]"
    shots: int
    metric: str
    transfer: str
    baseline: str


def user_gains(result: Result, kind: object = None, shots: object = None) -> UserGains | None:
    """Gains of all test users; ``None`` without a comparison.

    Parameters
    ----------
    kind, shots
        As picked on the Compare page; what the comparison does not have stands for its first.
    """
    parts = evidences(result)
    if not parts:
        return None
    evidence = parts.get(str(kind)) or next(iter(parts.values()))
    found = {shot.shots: shot for shot in evidence.shots}
    shot = found[shots] if isinstance(shots, int) and shots in found else evidence.shots[0]

    def make() -> UserGains:
        table = evidence.per_user
        table = table[(table[SHOTS] == shot.shots) & (table[METRIC] == evidence.metric)]
        who = ITEM if new_items(result) else USER
        moved, alone = (
            table[table[METHOD] == name].set_index(who)[VALUE]
            for name in (shot.transfer, shot.best_baseline)
        )
        sign = 1 if evidence.higher_is_better else -1
        values = (sign * (moved - alone)).sort_values(ascending=False, kind="stable")
        return UserGains(values, shot.shots, evidence.metric, shot.transfer, shot.best_baseline)

    return remember(result, ("gains", evidence.metric, shot.shots), make)


def most_moved(gains: UserGains | None, which: Literal["helped", "harmed"]) -> list[str]:
    """Test users whom transfer helped, or harmed; who gained or lost most comes first."""
    if gains is None:
        return []
    values = gains.values
    moved = values[values > 0] if which == "helped" else values[values < 0][::-1]
    return list(map(str, moved.index))


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
