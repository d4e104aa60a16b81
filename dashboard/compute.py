"""Everything that the pages let the core compute, remembered within bounds.

A result is kept with the workspace or run that it belongs to and goes when that goes.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from dashboard import sample, studies, wording
from dashboard.jobs import Failure, Loaded, LoadedItems, Result, Side, Workspace
from transrec_core.columns import DESCRIPTION, GENRES, ITEM, RANK, RATING, TIME, TITLE
from transrec_core.content import Topics, fit_topics, similar_items
from transrec_core.data.checks import check_pair
from transrec_core.data.interactions import Interactions
from transrec_core.data.items import read_items
from transrec_core.data.linking import DomainPair, link
from transrec_core.data.ratings import to_ratings
from transrec_core.data.reading import Table, read_table
from transrec_core.data.report import Problem
from transrec_core.errors import BadSettingError, NoTextError, TransrecError
from transrec_core.evidence.results import Chosen, Evidence, ShotEvidence
from transrec_core.explaining import explain
from transrec_core.factors.geometry import Alignment
from transrec_core.recommending import history as core_history
from transrec_core.recommending import listed_users, named_for, recommend_for
from transrec_core.reporting.bundle import bundle_files, compare_command, recommend_command
from transrec_core.reporting.sentences import (
    cohort_words,
    level_words,
    parameter_words,
    served_words,
)
from transrec_core.reporting.tables import csv_bytes, table_bytes
from transrec_core.settings import Settings
from transrec_core.space import FactorCard, ItemMap
from transrec_core.space import alignment as core_alignment
from transrec_core.space import factor_cards as core_factor_cards
from transrec_core.space import item_map as core_item_map
from transrec_core.space import neighbours as core_neighbours

KEPT = 48
PREVIEW_ROWS = 20
SIDES: tuple[Side, ...] = ("source", "target")
Duplicates = Literal["last", "mean", "refuse"]
Status = Literal["pass", "warn", "fail"]
T = TypeVar("T")


def remember(owner: Workspace | Result, key: Hashable, make: Callable[[], T]) -> T:
    """The value of ``make``, kept with its owner; the oldest of 48 goes."""
    shelf = owner.derived
    if key in shelf:
        shelf.move_to_end(key)
        return shelf[key]  # type: ignore[no-any-return]
    made = make()
    shelf[key] = made
    while len(shelf) > KEPT:
        shelf.popitem(last=False)
    return made


# --- loading ---------------------------------------------------------------------------------


def _failure(title: str, error: TransrecError) -> Failure:
    report = getattr(error, "report", None)
    problems = tuple(report.problems) if report is not None else ()
    return Failure(title, error.message, error.fix, problems, kind=type(error).__name__)


def _read(name: str, table: Table, mapping: Mapping[str, str | None], dup: Duplicates) -> Loaded:
    try:
        ratings = to_ratings(table, mapping, duplicates=dup)
    except TransrecError as error:
        return Loaded(name, table, mapping, dup, None, _failure("Not usable yet", error))
    return Loaded(name, table, mapping, dup, ratings)


def load_side(space: Workspace, side: Side, content: bytes, name: str) -> bool:
    """Read a ratings file into a workspace; a refused file leaves the earlier one in place."""
    try:
        loaded_table = read_table(content, name=name)
    except TransrecError as error:
        with space.lock:
            space.refused[side] = _failure(f"{name} could not be read", error)
        return False
    loaded = _read(name, loaded_table, dict(loaded_table.report.mapping), "last")
    with space.lock:
        space.refused.pop(side, None)
        if side == "source":
            space.source = loaded
        else:
            space.target = loaded
    return True


def remap(
    space: Workspace, side: Side, mapping: Mapping[str, str | None], duplicates: Duplicates
) -> None:
    """Read a loaded table's columns in another way."""
    before = space.side(side)
    assert before is not None
    loaded = _read(before.name, before.table, dict(mapping), duplicates)
    with space.lock:
        if side == "source":
            space.source = loaded
        else:
            space.target = loaded


def preview(loaded: Loaded) -> pd.DataFrame:
    """The first rows as they were read; columns with a role say so."""
    roles = {column: role for role, column in loaded.mapping.items() if column}
    head = loaded.table.frame.head(PREVIEW_ROWS)
    return head.rename(
        columns={
            c: f"{c} → {wording.ROLE_WORDS[roles[c]].lower()}" for c in head.columns if c in roles
        }
    )


def load_items(space: Workspace, content: bytes, name: str, sides: Sequence[Side]) -> bool:
    """Read a file of titles for one side or both."""
    try:
        items = read_items(content, name=name)
    except TransrecError as error:
        with space.lock:
            space.refused["items"] = _failure(f"{name} could not be read", error)
        return False
    with space.lock:
        space.refused.pop("items", None)
        kept = tuple(e for e in space.items if not set(e.sides) <= set(sides))
        digest = hashlib.sha256(content).hexdigest()
        space.items = (*kept, LoadedItems(name, items, tuple(sides), digest))
    return True


def drop_items(space: Workspace, position: int) -> None:
    """Forget one file of titles."""
    with space.lock:
        space.items = tuple(e for i, e in enumerate(space.items) if i != position)


def load_sample(space: Workspace, source: Literal["films", "podcasts"] = "films") -> None:
    """Load the sample: films or podcasts as the source, books as the target."""
    folder = sample.folder()
    with space.lock:
        space.items = ()
        for side, name in zip(SIDES, (source, "books"), strict=True):
            load_side(space, side, (folder / f"{name}.csv").read_bytes(), f"{name}.csv")
            titles = f"{name}_items.csv"
            load_items(space, (folder / titles).read_bytes(), titles, (side,))


# --- is the data all right -------------------------------------------------------------------


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


def stale(space: Workspace, settings: Settings) -> list[str]:
    """What changed since the shown result, in words; empty when nothing did."""
    shown = space.shown
    if shown is None:
        return []
    changed = []
    if both_usable(space) and shown.inputs != space.inputs:
        changed.append("the data")
    words = {
        "feedback": "feedback",
        "method": "method",
        "model": "model",
        "rank": "rank",
        "lam": "λ",
        "cold": "who is new",
        "budget": "time budget",
        "merge_editions": "editions of one work",
        "leave_out_crosslisted": "products listed twice",
    }
    before = shown.run.settings
    changed += [w for k, w in words.items() if getattr(before, k) != getattr(settings, k)]
    return changed


def fitted(result: Result) -> str:
    """The parameters that the fit on all data used, in words."""
    run = result.run
    spec = run.fit.spec
    own = {"rank": float(spec.rank), "lam": spec.lam}
    if run.chosen is not None:
        own = dict(run.chosen.parameters.get(run.fit.method, own))
    elif run.fit.method == "ridge":
        own = {"penalty": spec.penalty}
    return parameter_words(own)


# --- studies beside the fits -------------------------------------------------------------------


def add_candidate(space: Workspace, content: bytes, name: str) -> bool:
    """Read another source to rank; a refused one is told and leaves the others in place."""
    try:
        table = read_table(content, name=name)
        found = Loaded(name, table, table.report.mapping, "last", to_ratings(table))
    except TransrecError as error:
        with space.lock:
            space.refused["candidate"] = _failure(f"{name} could not be used", error)
        return False
    with space.lock:
        space.refused.pop("candidate", None)
        others = tuple(c for c in space.candidates if c.name != name)
        space.candidates = (*others, found)
    return True


def drop_candidate(space: Workspace, place: int) -> None:
    """Leave one of the other sources out."""
    with space.lock:
        space.candidates = tuple(c for at, c in enumerate(space.candidates) if at != place)


def sample_candidate(space: Workspace) -> bool:
    """Whether the sample's own second source is missing beside its first."""
    names = {side.name for side in (space.source, space.target) if side is not None}
    added = {candidate.name for candidate in space.candidates}
    return names == {"films.csv", "books.csv"} and "podcasts.csv" not in added


def add_sample_candidate(space: Workspace) -> None:
    """Add the sample's podcasts as another source."""
    add_candidate(space, (sample.folder() / "podcasts.csv").read_bytes(), "podcasts.csv")


def study_inputs(space: Workspace, kind: str) -> str:
    """What a study hangs on: the data, and for the ranking the other sources."""
    others = [c.fingerprint for c in space.candidates] if kind == "sources" else []
    return "|".join([space.inputs, *others])


def start_study(space: Workspace, kind: str, settings: Settings) -> None:
    """Start a study, unless something else is at work by now."""
    with space.lock:
        if space.job is not None and space.job.active:
            return
        run: Callable[..., pd.DataFrame] = studies.thin
        if kind == "sources":
            assert space.source is not None
            loaded = (space.source, *space.candidates)
            candidates = {c.name: c.ratings for c in loaded if c.ratings is not None}
            run = partial(studies.rank, candidates=candidates)
        space.study(kind, settings, study_inputs(space, kind), run)


def leaderboard(space: Workspace) -> pd.DataFrame | None:
    """The ranked sources in words, the best first; ``None`` before they were ranked."""
    study = space.studies.get("sources")
    if study is None:
        return None
    rows = []
    for place, row in enumerate(study.table.to_dict("records"), 1):
        told = row["note"] == ""
        rows.append(
            {
                "#": place,
                "Source": row["source"],
                f"Gain in {wording.metric_word(row['metric'])}": (
                    f"{wording.signed(row['gain'])} ({wording.interval(row['low'], row['high'])})"
                    if told
                    else "–"
                ),
                "Over": wording.method_word(row["baseline"]) if told else row["note"],
                "Judged on": wording.count(row["judged_users"]),
                "Shared users": wording.count(row["shared_users"]),
                "Correlation": f"{row['correlation']:.2f}" if told else "–",
                "Ratings": wording.count(row["ratings"]),
                "Density": wording.share(row["density"]),
                "Time": wording.seconds(row["seconds"]),
            }
        )
    return pd.DataFrame(rows)


def thinned(space: Workspace) -> pd.DataFrame | None:
    """The gain at each share of the target ratings, shots in columns; ``None`` before."""
    study = space.studies.get("sparsity")
    if study is None:
        return None
    rows: dict[tuple[str, float], dict[str, str]] = {}
    for row in study.table.to_dict("records"):
        cells = rows.setdefault(
            (row["metric"], row["share"]),
            {
                "Metric": wording.metric_word(row["metric"]),
                "Target ratings": f"{wording.share(row['share'])}: {wording.count(row['ratings'])}",
            },
        )
        cells[f"{row['shots']} known"] = (
            f"{wording.signed(row['gain'])} ({wording.interval(row['low'], row['high'])}) "
            f"{row['verdict']}"
        )
    return pd.DataFrame(list(rows.values())).fillna("–")


# --- results ---------------------------------------------------------------------------------


def evidences(result: Result) -> dict[str, Evidence]:
    """The comparison's parts by kind: ``ranking``, ``ratings``."""
    comparison = result.run.comparison
    if comparison is None:
        return {}
    parts = {"ranking": comparison.ranking, "ratings": comparison.ratings}
    return {kind: evidence for kind, evidence in parts.items() if evidence is not None}


def method_table(evidence: Evidence) -> pd.DataFrame:
    """Every method at every number of shots: mean and interval as text, methods in rows."""
    names = list(dict.fromkeys(n for shot in evidence.shots for n in shot.methods))
    rows = []
    for name in names:
        row = {"Method": wording.method_word(name, evidence.cold)}
        for shot in evidence.shots:
            found = shot.methods.get(name)
            row[str(shot.shots)] = (
                f"{found.mean:.3f} ({found.low:.3f}–{found.high:.3f})" if found else "–"
            )
        rows.append(row)
    return pd.DataFrame(rows)


def cohort_tables(evidence: Evidence) -> dict[str, pd.DataFrame]:
    """The gain in each level of each cohort, shots in columns; cohorts by their heading."""
    cold = evidence.cold
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for row in evidence.cohorts.to_dict("records"):
        heading = cohort_words(row["cohort"], cold)
        level = level_words(row["cohort"], row["level"], cold)
        cells = tables.setdefault(heading, {}).setdefault(level, {"Level": level})
        # Fewer have so many target interactions that all shots can be given.
        cells.setdefault(wording.COLD_WORDS[cold], wording.count(row["users"]))
        cells[str(row["shots"])] = (
            f"{wording.signed(row['gain'])} ({wording.interval(row['low'], row['high'])})"
        )
    return {
        heading: pd.DataFrame(list(levels.values())).fillna("–")
        for heading, levels in tables.items()
    }


def gain_table(evidence: Evidence) -> pd.DataFrame:
    """The gain at every number of shots, one row each."""
    cold = evidence.cold
    return pd.DataFrame(
        [
            {
                "Target interactions": shot.shots,
                wording.COLD_WORDS[cold]: shot.users,
                "Verdict": wording.VERDICT_WORDS[shot.verdict],
                "Gain": wording.signed(shot.gain.mean),
                "95 % interval": wording.interval(shot.gain.low, shot.gain.high),
                "Placebo band": wording.interval(shot.placebo.low, shot.placebo.high),
                "p": wording.p_alone(shot.gain.p),
                "Helped": wording.share(shot.gain.helped),
                "Harmed": wording.share(shot.gain.harmed),
                "By": wording.method_word(shot.transfer, cold),
                "Against": wording.method_word(shot.best_baseline, cold),
            }
            for shot in evidence.shots
        ]
    )


def all_gains(shot: ShotEvidence, cold: str) -> pd.DataFrame:
    """The gain of every transfer method and of auto over the best baseline, one row each."""
    return pd.DataFrame(
        [
            {
                "Method": wording.method_word(name, cold),
                "Gain": wording.signed(gain.mean),
                "95 % interval": wording.interval(gain.low, gain.high),
                "p": wording.p_alone(gain.p),
                "p (Holm)": wording.p_alone(shot.p_holm[name]) if name in shot.p_holm else "–",
                "Helped": wording.share(gain.helped),
                "Harmed": wording.share(gain.harmed),
            }
            for name, gain in shot.gains.items()
        ]
    )


def further_table(shot: ShotEvidence, cold: str) -> pd.DataFrame:
    """Further metrics of every method; columns are named as the core names them."""
    rows = [
        {"Method": wording.method_word(name, cold), **values} for name, values in shot.more.items()
    ]
    return pd.DataFrame(rows)


def chosen_of(result: Result, kind: str) -> Chosen | None:
    """What validation users settled for a kind of evidence."""
    comparison = result.run.comparison
    return None if comparison is None else comparison.chosen.get(kind)


def served_table(result: Result, chosen: Chosen) -> pd.DataFrame:
    """What auto serves at each number of shots, and the weight of transfer in it."""
    cold = result.run.settings.cold
    return pd.DataFrame(
        [
            {
                "Target interactions": shots,
                "Auto serves": served_words(chosen, shots, cold),
                "w": f"{chosen.blend.get(shots, 0):g}",
            }
            for shots in chosen.baseline_at
        ]
    )


def settled_table(result: Result, chosen: Chosen) -> pd.DataFrame:
    """The parameters of every method and its τ at each number of shots."""
    return pd.DataFrame(
        [
            {
                "Method": wording.method_word(name, result.run.settings.cold),
                "Parameters": parameter_words(parameters),
                "τ by shots": _taus(chosen.strengths.get(name, {})),
            }
            for name, parameters in chosen.parameters.items()
        ]
    )


def _taus(strength: Mapping[Any, float]) -> str:
    """At zero shots a prior is all there is, whatever its τ."""
    return ", ".join(wording.lam(tau) for shots, tau in strength.items() if str(shots) != "0")


def tried_table(result: Result, chosen: Chosen, metric: str) -> pd.DataFrame:
    """Every candidate that validation users judged, in words, in the order tried."""
    score = wording.metric_word(metric)
    return pd.DataFrame(
        [
            {
                "Method": wording.method_word(row["method"], result.run.settings.cold),
                "Parameters": parameter_words(row),
                "τ by shots": _taus(row["strength"]),
                score: round(row[metric], 3),
            }
            for row in chosen.tried
        ]
    )


def left_out(result: Result, chosen: Chosen) -> list[tuple[str, str]]:
    """Reasons why methods were not tried, each with these methods in words."""
    methods: dict[str, list[str]] = {}
    for name, reason in chosen.left_out.items():
        word = wording.method_word(name, result.run.settings.cold)
        methods.setdefault(reason, []).append(word)
    return [(", ".join(names), reason) for reason, names in methods.items()]


def searched(chosen: Chosen) -> tuple[str, pd.DataFrame]:
    """The candidates of the chosen method, or where it has no rank and λ of target only."""
    for method in (chosen.method, "target_only"):
        rows = [row for row in chosen.tried if row["method"] == method and "rank" in row]
        if rows:
            return method, pd.DataFrame([dict(row) for row in rows])
    return "", pd.DataFrame()


# --- space -----------------------------------------------------------------------------------


def new_items(result: Result | None) -> bool:
    """Whether items stand in the place of users, and lists name users for them."""
    return result is not None and result.run.settings.cold == "items"


def target_only(result: Result | None) -> bool:
    """Whether test users are of the target alone, as nobody is in both catalogues."""
    return result is not None and not result.run.pair.linked


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


# --- users -----------------------------------------------------------------------------------


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


# --- export ----------------------------------------------------------------------------------


def parse_ids(text: str) -> list[str]:
    """User ids, one a line, in order and once each."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def decode_ids(content: bytes) -> str:
    """The text of an uploaded id list."""
    return content.decode("utf-8-sig", errors="replace")


def lists(result: Result, chosen: Sequence[str] | None, top: int, method: str) -> pd.DataFrame:
    """Recommendation lists of the chosen users (items, where these are new), or of all."""
    run = result.run
    everyone = users(result) if chosen is None else list(chosen)
    items = None if new_items(result) else run.target_items
    found = recommend_for(run.fit, everyone, top=top, method=method, chosen=run.chosen, items=items)
    found = named_for(found, run.settings.cold)
    if new_items(result) and run.target_items is not None:
        found[TITLE] = run.target_items[TITLE].reindex(found[ITEM]).fillna("").to_numpy()
    return found


def configuration(result: Result) -> bytes:
    """Settings, what validation users chose, data hashes and sizes as JSON."""
    run = result.run
    comparison = run.comparison
    chosen = {k: c.to_json() for k, c in comparison.chosen.items()} if comparison else {}
    content: dict[str, Any] = {
        "run": result.id,
        "files": dict(zip(SIDES, result.names, strict=True)),
        "data": _facts(result),
        "settings": run.settings.to_json(),
        "chosen": chosen,
        "seconds": round(run.seconds, 3),
    }
    return json.dumps(content, indent=2, ensure_ascii=False).encode()


def bundle(result: Result) -> dict[str, bytes]:
    """``evidence.json``, ``per_user.csv`` and ``report.html`` by name; there is a comparison."""

    def make() -> dict[str, bytes]:
        run = result.run
        assert run.comparison is not None
        return bundle_files(run.comparison, run.settings, _facts(result), run.seconds)

    return remember(result, "bundle", make)


def lists_file(
    result: Result,
    chosen: Sequence[str] | None,
    top: int,
    method: str,
    kind: Literal["csv", "parquet", "json"],
) -> bytes:
    """Recommendation lists as the content of a file."""
    return table_bytes(lists(result, chosen, top, method), kind)


def table_csv(frame: pd.DataFrame) -> bytes:
    """A table as CSV that no spreadsheet takes for formulas."""
    return csv_bytes(frame)


def commands(result: Result) -> tuple[str, str]:
    """The commands that repeat the evidence and the lists, run beside the files."""
    settings, facts = result.run.settings, _facts(result)
    return compare_command(settings, facts), recommend_command(settings, facts)


def _facts(result: Result) -> dict[str, dict[str, Any]]:
    """What is known of both sides' data, with the names of their files."""
    return {
        side: {**result.run.data[side], "file": name, "items_files": [items] if items else []}
        for side, name, items in zip(SIDES, result.names, result.items_names, strict=True)
    }
