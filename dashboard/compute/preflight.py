"""Is the data all right: the joined pair, its checks, sizes and histograms."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from dashboard import wording
from dashboard.compute.memory import SIDES, remember
from dashboard.jobs import Loaded, Side, Workspace
from transrec_core.data.checks import check_pair
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair, link
from transrec_core.data.report import Problem

Status = Literal["pass", "warn", "fail"]


def both_usable(space: Workspace) -> bool:
    """Whether both sides have ratings."""
    return all((s := space.side(side)) is not None and s.ratings is not None for side in SIDES)


def pair(space: Workspace) -> DomainPair:
    """The two loaded domains, joined by their users."""

    def make() -> DomainPair:
        assert space.source is not None
        assert space.target is not None
        assert space.source.ratings is not None
        assert space.target.ratings is not None
        return link(space.source.ratings.interactions(), space.target.ratings.interactions())

    return remember(space, ("pair", space.inputs), make)


@dataclass(frozen=True)
class Check:
    """One line of the pre-flight list."""

    status: Status
    where: str
    problem: Problem
    mends: "tuple[Mend, ...]" = ()


@dataclass(frozen=True)
class Mend:
    """Something that the app can do about a check.

    Attributes
    ----------
    act
        ``set`` a field of the fit form, ``columns`` of a side or both swapped, ``sides`` swapped,
        ``duplicates`` of a side by another rule, ``ignore`` a role's column, ``side`` or ``items``
        removed.
    words
        What the button says.
    of, value
        The form's field and its new value; the side and the rule or role; the place of the titles.
    done
        What it says once a field is set.
    """

    act: Literal["set", "columns", "sides", "duplicates", "ignore", "side", "items"]
    words: str
    of: str = ""
    value: str | bool | int = ""
    done: str = ""


_STATUS: dict[str, Status] = {"error": "fail", "warning": "warn", "info": "pass"}
_ORDER = {"fail": 0, "warn": 1, "pass": 2}


def checks(space: Workspace) -> list[Check]:
    """Everything that was noticed about the files and the pair, the worst first."""

    def make() -> list[Check]:
        found: list[Check] = []
        for side in SIDES:
            loaded = space.side(side)
            if loaded is not None:
                ratings = loaded.ratings
                report = ratings.report if ratings is not None else loaded.table.report
                where = wording.DOMAIN_WORDS[side]
                found += [
                    Check(_STATUS[p.severity], where, p, _of_file(p, side, loaded))
                    for p in report.problems
                ]
        for place, entry in enumerate(space.items):
            remove = Mend("items", "Remove this file", value=place)
            found += [
                Check(
                    _STATUS[p.severity],
                    "Titles",
                    p,
                    () if p.severity == "info" else (remove,),
                )
                for p in entry.items.report.problems
            ]
        if both_usable(space):
            texts = (space.items_of(side) for side in SIDES)
            frames = (None if items is None else items.frame for items in texts)
            problems = check_pair(pair(space), *frames)
            problems = (*_same_file(space), *problems)
            found += [Check(_STATUS[p.severity], "Pair", p, _of_pair(p, space)) for p in problems]
        return sorted(found, key=lambda check: _ORDER[check.status])

    return remember(space, ("checks", space.inputs), make)


def _same_file(space: Workspace) -> tuple[Problem, ...]:
    assert space.source is not None
    assert space.target is not None
    if space.source.table.sha256 != space.target.table.sha256:
        return ()
    return (
        Problem(
            "SAME_FILE",
            "error",
            "Source and target are the same file: what is known of people would be recommended to "
            "them again, and any gain would be false.",
            "Replace one of the two.",
        ),
    )


def _of_file(problem: Problem, side: Side, loaded: Loaded) -> tuple[Mend, ...]:
    match problem.code:
        case "DUPLICATE_PAIR":
            other = "mean" if loaded.duplicates == "last" else "last"
            return (Mend("duplicates", wording.DUPLICATE_WORDS[other], side, other),)
        case "BAD_TIME":
            return (Mend("ignore", "Leave the times out", side, "time"),)
    return ()


def _of_pair(problem: Problem, space: Workspace) -> tuple[Mend, ...]:
    match problem.code:
        case "CROSSLISTED" if "leave_out_crosslisted" in problem.fix:
            return (
                Mend(
                    "set",
                    "Leave them out",
                    "leave_out_crosslisted",
                    True,
                    "They are left out of the next fit",
                ),
            )
        case "EDITIONS" if "merge_editions" in problem.fix:
            return (
                Mend(
                    "set",
                    "Make one item of each work",
                    "merge_editions",
                    True,
                    "The next fit has one item of each work",
                ),
            )
        case "SWAPPED_COLUMNS":
            side = next((side for side in SIDES if side in problem.fix), "both")
            whose = "both files" if side == "both" else f"the {side}"
            return (Mend("columns", f"Swap user and item of {whose}", side),)
        case "NO_OVERLAP":
            return ways_without_overlap(space)
        case "COLD_USERS" if problem.count == 0 and _only_in_target(space):
            return (Mend("sides", "Swap source and target"),)
        case "SAME_FILE":
            return (
                Mend("side", "Remove the source", "source"),
                Mend("side", "Remove the target", "target"),
            )
    return ()


def _only_in_target(space: Workspace) -> int:
    both = pair(space)
    return len(both.target.users) - len(both.shared)


def ways_without_overlap(space: Workspace) -> tuple[Mend, ...]:
    """What can still carry over where nobody is in both catalogues."""
    ways = []
    if all(space.items_of(side) is not None for side in SIDES):
        done = "The next fit uses what items are about"
        ways.append(Mend("set", "Use what items are about", "method", "content", done))
    if both_usable(space) and len(pair(space).source.items.intersection(pair(space).target.items)):
        done = "The next fit asks it of new items"
        ways.append(Mend("set", "Ask it of new items instead", "cold", "items", done))
    done = "The next fit uses rating patterns"
    ways.append(Mend("set", "Use rating patterns (codebook)", "method", "codebook", done))
    return tuple(ways)


@dataclass(frozen=True)
class Sizes:
    """How large one domain is."""

    users: int
    items: int
    ratings: int


def sizes(domain: Interactions) -> Sizes:
    """Users, items and interactions of a domain."""
    return Sizes(len(domain.users), len(domain.items), int(domain.matrix.nnz))


@dataclass(frozen=True)
class Histogram:
    """Shares of two domains over the same bins.

    Attributes
    ----------
    labels
        Name of each bin.
    source, target
        Share of the domain's ratings or users in each bin; empty where it has none.
    """

    labels: tuple[str, ...]
    source: tuple[float, ...]
    target: tuple[float, ...]


def rating_histogram(space: Workspace) -> Histogram | None:
    """Shares of the rating values; ``None`` where neither side has ratings."""

    def make() -> Histogram | None:
        domains = (pair(space).source, pair(space).target)
        values = [d.matrix.data if d.explicit else np.empty(0, np.float32) for d in domains]
        together = np.concatenate(values)
        if not len(together):
            return None
        distinct = np.unique(together)
        if len(distinct) <= 21:
            shares = [
                tuple((v[:, None] == distinct[None, :]).mean(axis=0).tolist()) if len(v) else ()
                for v in values
            ]
            return Histogram(tuple(f"{x:g}" for x in distinct), shares[0], shares[1])
        edges = np.histogram_bin_edges(together, bins=20)
        shares = [
            tuple((np.histogram(v, edges)[0] / len(v)).tolist()) if len(v) else () for v in values
        ]
        labels = tuple(f"{a:.3g} to {b:.3g}" for a, b in pairwise(edges))
        return Histogram(labels, shares[0], shares[1])

    return remember(space, ("ratings", space.inputs), make)


def activity_histogram(space: Workspace) -> Histogram:
    """Shares of users by their number of interactions, in bins that double."""

    def make() -> Histogram:
        counts = [pair(space).source.counts, pair(space).target.counts]
        top = max(int(c.max()) for c in counts)
        edges = [1]
        while edges[-1] <= top:
            edges.append(edges[-1] * 2)
        labels = tuple(str(a) if b == a + 1 else f"{a}–{b - 1}" for a, b in pairwise(edges))
        shares = [tuple((np.histogram(c, edges)[0] / len(c)).tolist()) for c in counts]
        return Histogram(labels, shares[0], shares[1])

    return remember(space, ("activity", space.inputs), make)
