"""What a run is, which others there are, and what has changed since."""

from dataclasses import dataclass, fields, replace
from typing import Any

import pandas as pd

from dashboard import wording
from dashboard.compute.evidence import chosen_of, evidences, searched, served_name
from dashboard.compute.preflight import both_usable
from dashboard.jobs import Result, Workspace
from transrec_core.reporting.sentences import (
    metric_words,
    parameter_words,
)
from transrec_core.settings import PRIORS, Settings

# Settings in the order of the form, then those that it does not have.
SETTING_WORDS = {
    "feedback": "feedback",
    "method": "method",
    "model": "model",
    "rank": "rank",
    "lam": "λ",
    "cold": "who is new",
    "budget": "time budget",
    "merge_editions": "editions of one work",
    "leave_out_crosslisted": "products listed twice",
    "seed": "seed",
    "deep": "networks",
    "text_model": "what reads texts",
    "alpha0": "α₀",
    "regularization_exponent": "ν",
    "shots": "shots",
    "top": "list length",
    "test_share": "share of test users",
    "min_target": "least target interactions",
}
assert set(SETTING_WORDS) == {field.name for field in fields(Settings)}


def stale(space: Workspace, shown: Result | None, settings: Settings) -> list[str]:
    """What changed since the shown result, in words; empty when nothing did."""
    if shown is None:
        return []
    changed = []
    if both_usable(space) and shown.inputs != space.inputs:
        changed.append("the data")
    before = shown.run.settings
    # The form holds all settings that it has, and the rest as they are by default.
    changed += [
        word
        for name, word in SETTING_WORDS.items()
        if name in _IN_FORM and getattr(before, name) != getattr(settings, name)
    ]
    return changed


_IN_FORM = tuple(SETTING_WORDS)[:12]


def setting_words(name: str, value: Any) -> str:
    """The value of a setting in words."""
    if value is None:
        return "auto"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if name == "method":
        return wording.method_word(value)
    known = {
        "feedback": wording.FEEDBACK_WORDS,
        "model": wording.MODEL_WORDS,
        "cold": wording.COLD_WORDS,
    }.get(name)
    if name == "text_model":
        return wording.text_model_word(value)
    if known is not None:
        return known[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def setting_changes(before: Result, after: Result) -> list[tuple[str, str, str]]:
    """Settings in which two runs differ: what, and both values in words."""
    found = []
    for name, word in SETTING_WORDS.items():
        values = [getattr(result.run.settings, name) for result in (before, after)]
        if values[0] != values[1]:
            found.append((word, *(setting_words(name, value) for value in values)))
    return found  # type: ignore[return-value]


def fitted(result: Result) -> str:
    """The parameters that the fit on all data used, in words."""
    return parameter_words(fitted_parameters(result))


def fitted_parameters(result: Result) -> dict[str, float]:
    """The parameters that the fit on all data used, by name."""
    run = result.run
    spec = run.fit.spec
    own = {"rank": float(spec.rank), "lam": spec.lam}
    if run.chosen is not None:
        own = dict(run.chosen.parameters.get(run.fit.method, own))
    elif run.fit.method == "ridge":
        own = {"penalty": spec.penalty}
    return own


def new_items(result: Result | None) -> bool:
    """Whether items stand in the place of users, and lists name users for them."""
    return result is not None and result.run.settings.cold == "items"


def target_only(result: Result | None) -> bool:
    """Whether test users are of the target alone, as nobody is in both catalogues."""
    return result is not None and not result.run.pair.linked


@dataclass(frozen=True)
class Entry:
    """A run of the history in words; all from data or the analyst, so escape it.

    Attributes
    ----------
    settings
        Method, model, parameters, feedback and seed, in one line.
    data
        The names of the files.
    other_data
        Whether these are not the data that are loaded now.
    verdict
        The verdict at the smallest number of shots; empty where there is no comparison.
    gain
        The gain there, with its interval; without a comparison the reason.
    serves
        The metric of what the run would serve there; empty without a comparison.
    """

    settings: str
    data: str
    other_data: bool
    verdict: str
    gain: str
    serves: str


def entry(space: Workspace, result: Result) -> Entry:
    """What the history says of a run."""
    run, settings = result.run, result.run.settings
    auto = "Auto: " if settings.method == "auto" else ""
    words = [
        f"{auto}{wording.method_word(run.fit.method, settings.cold)}",
        wording.MODEL_WORDS[settings.model],
        fitted(result),
        f"{wording.FEEDBACK_WORDS[settings.feedback].lower()} feedback"
        if settings.feedback != "auto"
        else "feedback auto",
        f"seed {settings.seed}",
    ]
    if new_items(result):
        words.insert(1, "new items")
    verdict, gain, serves = "", run.no_comparison or "No comparison was made.", ""
    found = next(iter(evidences(result).values()), None)
    if found is not None:
        shot = found.shots[0]
        metric = metric_words(found.metric)
        verdict = shot.verdict
        gain = (
            f"{wording.signed(shot.gain.mean)} "
            f"({wording.interval(shot.gain.low, shot.gain.high)}) {metric} at "
            f"{wording.plural(shot.shots, 'shot')}"
        )
        name = served_name(result, found)
        if name in shot.methods:
            serves = f"{metric} {wording.value(shot.methods[name].mean)}"
    return Entry(
        " · ".join(words),
        " → ".join(result.names),
        both_usable(space) and result.inputs != space.inputs,
        verdict,
        gain,
        serves,
    )


def reference(space: Workspace, shown: Result | None) -> Result | None:
    """The run to hold the shown one against: the newest pinned, else the one before it."""
    others = [result for result in space.results if result is not shown]
    if shown is None or not others:
        return None
    pinned = [result for result in others if result.pinned]
    earlier = [result for result in others if result.at <= shown.at]
    return (pinned or earlier or others)[0]


@dataclass(frozen=True)
class Search:
    """Rank and λ as validation users judged them.

    Attributes
    ----------
    owner
        The run whose validation users searched.
    kind
        ``ranking`` or ``ratings``.
    method
        The method whose rank and λ these are.
    cells
        rank, lam and the metric, one row a cell; a cell's number is its row.
    fitted
        Row of the cell that the shown run was fitted with, −1 where it is none of them.
    """

    owner: Result
    kind: str
    method: str
    cells: pd.DataFrame
    fitted: int


def search(space: Workspace, result: Result, kind: str) -> Search | None:
    """The search of a run, or where its rank and λ were given, that of a run alike."""
    chosen = chosen_of(result, kind)
    if chosen is None:
        return None
    for owner in (result, *_alike(space, result)):
        settled = chosen_of(owner, kind)
        if settled is None:
            continue
        method, cells = searched(settled, evidences(owner)[kind], chosen.method)
        if len(cells) > 1:
            own = chosen.parameters.get(method, {})
            match = (cells["rank"] == own.get("rank")) & (cells["lam"] == own.get("lam"))
            fitted_row = int(match.to_numpy().argmax()) if match.any() else -1
            return Search(owner, kind, method, cells, fitted_row)
    return None


def cell_run(space: Workspace, found: Search, cell: int) -> Result | None:
    """The run of the history that was fitted with the rank and λ of a cell, all else alike."""
    wanted = found.cells.iloc[cell]
    model = chosen_of(found.owner, found.kind)
    assert model is not None
    for result in (found.owner, *_alike(space, found.owner)):
        chosen = chosen_of(result, found.kind)
        if chosen is None or result not in space.results:
            continue
        method = found.method if found.method in PRIORS else model.method
        own = chosen.parameters.get(found.method, {})
        if chosen.method == method and (own.get("rank"), own.get("lam")) == (
            wanted["rank"],
            wanted["lam"],
        ):
            return result
    return None


def cell_settings(found: Search, cell: int) -> Settings:
    """What to fit for a cell: the settings of the search, with its method, rank and λ."""
    wanted, settings = found.cells.iloc[cell], found.owner.run.settings
    method = found.method if found.method in PRIORS else settings.method
    return replace(settings, method=method, rank=int(wanted["rank"]), lam=float(wanted["lam"]))


def cell_words(found: Search, cell: int) -> str:
    """A cell by its rank and λ."""
    wanted = found.cells.iloc[cell]
    return f"rank {int(wanted['rank'])}, λ {wording.lam(wanted['lam'])}"


def _alike(space: Workspace, result: Result) -> list[Result]:
    """Other runs of the same data and settings, but for what a search decides and its time."""

    def apart(settings: Settings) -> Settings:
        return replace(settings, method="auto", rank=None, lam=None, budget=1.0)

    own = apart(result.run.settings)
    return [
        other
        for other in space.results
        if other is not result
        and other.inputs == result.inputs
        and apart(other.run.settings) == own
    ]
