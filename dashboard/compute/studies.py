"""What can be measured beside the fits: other sources, fewer target ratings."""

from collections.abc import Callable
from functools import partial

import pandas as pd

from dashboard import sample, studies, wording
from dashboard.compute.loading import _failure
from dashboard.jobs import Loaded, Workspace
from transrec_core.data.ratings import to_ratings
from transrec_core.data.reading import read_table
from transrec_core.errors import TransrecError
from transrec_core.settings import Settings


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
