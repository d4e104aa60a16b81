"""Is the data all right: the joined pair, its checks, sizes and histograms."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from dashboard import wording
from dashboard.compute.memory import SIDES, remember
from dashboard.jobs import Workspace
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
                found += [Check(_STATUS[p.severity], where, p) for p in report.problems]
        for entry in space.items:
            found += [Check(_STATUS[p.severity], "Titles", p) for p in entry.items.report.problems]
        if both_usable(space):
            texts = (space.items_of(side) for side in SIDES)
            frames = (None if items is None else items.frame for items in texts)
            problems = check_pair(pair(space), *frames)
            found += [Check(_STATUS[p.severity], "Pair", p) for p in problems]
        return sorted(found, key=lambda check: _ORDER[check.status])

    return remember(space, ("checks", space.inputs), make)


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
