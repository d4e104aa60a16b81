"""What can be measured beside the fits: other sources, fewer target ratings."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd

from dashboard import sample, studies, wording
from dashboard.compute.loading import _failure, _later, read_ratings
from dashboard.jobs import Workspace
from dashboard.originals import put_aside
from transrec_core.data.formats import FileFormat
from transrec_core.errors import TransrecError
from transrec_core.settings import Settings


def add_candidate(space: Workspace, content: bytes, name: str, encoding: str | None = None) -> bool:
    """Read another source to rank; a refused one is told and leaves the others in place."""
    original = put_aside(content)
    try:
        found = read_ratings(content, name, FileFormat(encoding), original)
        failure = found.failure
    except TransrecError as error:
        failure = _failure(
            "", error, _later(original, lambda again, e: add_candidate(space, again, name, e))
        )
    if failure is not None:
        with space.lock:
            space.refused["candidate"] = replace(failure, title=f"{name} could not be used")
        return False
    space.keep_file(content, name)
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
    """What a study hangs on: the data, and for the ranking all sources, whichever is loaded."""
    if kind != "sources":
        return space.inputs
    sources = [c.fingerprint for c in (space.source, *space.candidates) if c is not None]
    return "|".join([space.target.fingerprint if space.target else "", *sorted(sources)])


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


def ranked_sources(space: Workspace) -> tuple[pd.DataFrame, str]:
    """The ranked sources that have a gain, for a figure, and the metric that it is in.

    Returns
    -------
    source, gain, low, high, users, the best first; empty before they were ranked.
    """
    study = space.studies.get("sources")
    if study is None:
        return pd.DataFrame(), ""
    told = study.table[study.table["note"] == ""]
    metric = str(told["metric"].iloc[0]) if len(told) else ""
    rows = told[["source", "gain", "low", "high", "judged_users"]]
    return rows.rename(columns={"judged_users": "users"}), metric


def other_sources(space: Workspace) -> list[tuple[int, str]]:
    """Ranked sources that could take the place of the present one, the best first.

    Returns
    -------
    The place of each among the candidates, and its name.
    """
    study = space.studies.get("sources")
    places = {candidate.name: place for place, candidate in enumerate(space.candidates)}
    ranked = [] if study is None else list(study.table["source"])
    return [(places[name], name) for name in ranked if name in places]


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
