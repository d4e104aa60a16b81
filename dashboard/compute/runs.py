"""What a run is, and what has changed since."""

from dashboard.compute.preflight import both_usable
from dashboard.jobs import Result, Workspace
from transrec_core.reporting.sentences import (
    parameter_words,
)
from transrec_core.settings import Settings


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


def new_items(result: Result | None) -> bool:
    """Whether items stand in the place of users, and lists name users for them."""
    return result is not None and result.run.settings.cold == "items"


def target_only(result: Result | None) -> bool:
    """Whether test users are of the target alone, as nobody is in both catalogues."""
    return result is not None and not result.run.pair.linked
