"""The evidence of a run, read back from the ``evidence.json`` that a comparison leaves behind."""

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from transrec_core.columns import METHOD, METRIC, SHOTS, USER, VALUE
from transrec_core.data.report import Problem
from transrec_core.errors import UnreadableRunError
from transrec_core.evidence.cohorts import COLUMNS, table_of
from transrec_core.evidence.results import (
    Chosen,
    Comparison,
    Crosslisted,
    Evidence,
    Gain,
    Interval,
    ShotEvidence,
)
from transrec_core.persistence.consistency import UnknownContentError
from transrec_core.persistence.objects import instance
from transrec_core.reporting.bundle import EVIDENCE

LARGEST_EVIDENCE = 8 * 2**20
"""Bytes of an ``evidence.json``: it has some ten thousand, whatever the data's size."""

MOST = 2**53
"""Whole numbers from here on are no counts."""

METHOD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
METRIC_NAME = re.compile(r"[a-z]{1,20}(@[0-9]{1,4})?", re.ASCII)
SHOTS_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


def read_evidence(folder: str | Path, name: str | None = None) -> Comparison:
    """Read the evidence that ``write_bundle`` wrote into a folder.

    Parameters
    ----------
    folder
        With an ``evidence.json``.
    name
        What to call it in messages; the folder's own name by default.

    Returns
    -------
    Comparison
        All but the values of single users, which stay in ``per_user.csv``: the tables of them are
        empty. Where an older version wrote the file, the number of validation users is 0.

    Raises
    ------
    UnreadableRunError
        When there is no such file, or it is not the evidence of a comparison.
    """
    path = Path(folder) / EVIDENCE
    called = f"{name or Path(folder).name}/{EVIDENCE}"
    content = read_json(path, called, LARGEST_EVIDENCE)
    try:
        return comparison_from(content)
    except UnknownContentError as error:
        raise UnreadableRunError(
            f"{called} is not the evidence of a comparison: {error}.", "Copy or make it again."
        ) from None


def read_json(path: Path, called: str, largest: int) -> Any:
    """The content of a JSON file of at most so many bytes.

    Raises
    ------
    UnreadableRunError
        When it cannot be read, is too large, or is no JSON.
    """
    again = "Copy or make it again."
    try:
        with path.open("rb") as stream:
            text = stream.read(largest + 1)
    except OSError as error:
        raise UnreadableRunError(
            f"{called}: the file cannot be opened ({error.strerror or error}).",
            "Check the path and the permissions.",
        ) from None
    if len(text) > largest:
        raise UnreadableRunError(f"{called} has more than {largest:,} bytes.", again)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableRunError(f"{called} is no JSON.", again) from None


def comparison_from(content: Any) -> Comparison:
    """The comparison that ``evidence_json`` tells of; see ``read_evidence``.

    Raises
    ------
    UnknownContentError
        Naming what is missing or of another kind.
    """
    content = _mapping(content, "the whole")
    cold = _mapping(content.get("config", {}), "config").get("cold", "users")
    if cold not in ("users", "items"):
        raise UnknownContentError("its config.cold is neither users nor items")
    headline = _evidence(content, cold)
    lists = headline.higher_is_better
    ratings = _evidence(content["ratings"], cold) if "ratings" in content else None
    return instance(
        Comparison,
        {
            "ranking": headline if lists else None,
            "ratings": ratings if lists else headline,
            "chosen": {
                kind: _chosen(chosen)
                for kind, chosen in _mapping(content.get("chosen"), "chosen").items()
                if kind in ("ranking", "ratings")
            },
            "test_users": content.get("test_users", max(shot.users for shot in headline.shots)),
            "validation_users": content.get("validation_users", 0),
            "seconds": content.get("seconds"),
            "checks": tuple(_problem(check) for check in _list(content.get("checks", []))),
            "crosslisted": _crosslisted(content.get("crosslisted"), cold),
        },
    )


def _evidence(content: Any, cold: str) -> Evidence:
    content = _mapping(content, "the evidence")
    metric = content.get("metric")
    if not isinstance(metric, str) or not METRIC_NAME.fullmatch(metric):
        raise UnknownContentError("its metric has no name")
    verdicts = _mapping(content.get("verdict"), "verdict")
    shots = tuple(_shot(shot, verdicts) for shot in _list(content.get("shots")))
    numbers = [shot.shots for shot in shots]
    if not numbers or min(numbers) < 0 or sorted(set(numbers)) != numbers or numbers[-1] > MOST:
        raise UnknownContentError("its shots are not different numbers in rising order")
    values = {
        "metric": metric,
        "higher_is_better": metric != "rmse",
        "shots": shots,
        "per_user": pd.DataFrame(columns=[USER, SHOTS, METRIC, METHOD, VALUE]),
        "cohorts": _cohorts(content.get("cohorts", [])),
        "cold": cold,
        "fit_seconds": _named(content.get("fit_seconds", {}), _number),
    }
    return instance(Evidence, values)


def _shot(content: Any, verdicts: Mapping[str, Any]) -> ShotEvidence:
    content = _mapping(content, "a shot")
    gains = _named(content.get("gains"), lambda gain: _mapping(gain, "a gain"))
    found = instance(
        ShotEvidence,
        {
            "shots": content.get("shots"),
            "users": content.get("users"),
            "methods": _named(content.get("methods"), lambda means: _numbers(Interval, means)),
            "best_baseline": content.get("best_baseline"),
            "transfer": content.get("transfer"),
            "gains": {name: _numbers(Gain, gain) for name, gain in gains.items()},
            "p_holm": {
                name: _number(gain["p_holm"])
                for name, gain in gains.items()
                if gain.get("p_holm") is not None
            },
            "placebo": _numbers(Interval, content.get("placebo")),
            "verdict": verdicts.get(str(content.get("shots"))),
            "more": _named(content.get("more", {}), _metrics),
        },
    )
    if not 0 <= found.users < MOST:
        raise UnknownContentError("the users of a shot are no count")
    if found.transfer not in found.gains or found.transfer not in found.methods:
        raise UnknownContentError("the transfer method of a shot has no numbers in it")
    if found.best_baseline not in found.methods:
        raise UnknownContentError("the baseline of a shot has no numbers in it")
    return found


def _chosen(content: Any) -> Chosen:
    content = _mapping(content, "what was chosen")
    by_shots = ("strength", "mean_strength", "transfer_at", "baseline_at", "blend", "fallback_at")
    return instance(
        Chosen,
        {
            **{name: content.get(name) for name in ("method", "rank", "lam")},
            **{name: _by_shots(content.get(name, {})) for name in by_shots},
            "tried": tuple(_mapping(row, "a candidate") for row in _list(content.get("tried", []))),
            "parameters": _named(content.get("parameters", {}), _metrics),
            "strengths": _named(content.get("strengths", {}), _by_shots),
            "left_out": _named(content.get("left_out", {}), lambda reason: reason),
        },
    )


def _crosslisted(content: Any, cold: str) -> Crosslisted | None:
    if content is None:
        return None
    content = _mapping(content, "crosslisted")
    pairs = tuple(tuple(_list(pair)) for pair in _list(content.get("products")))
    return instance(
        Crosslisted,
        {
            "products": pairs,
            "evidence": None if "reason" in content else _evidence(content, cold),
            "reason": content.get("reason", ""),
        },
    )


def _problem(content: Any) -> Problem:
    content = _mapping(content, "a check")
    names = ("code", "severity", "message", "fix", "count")
    values = {name: content.get(name) for name in names}
    return instance(Problem, {**values, "rows": tuple(_list(content.get("rows")))})


def _cohorts(content: Any) -> pd.DataFrame:
    def cell(row: Mapping[str, Any], name: str, kind: type) -> Any:
        value = _number(row.get(name)) if kind is float else row.get(name)
        if type(value) is not kind:
            raise UnknownContentError(f"the {name} of a cohort is of another kind")
        return value

    rows = [_mapping(row, "a cohort") for row in _list(content)]
    return table_of([tuple(cell(row, *column) for column in COLUMNS.items()) for row in rows])


def _mapping(content: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise UnknownContentError(f"{what} is no object of names in it")
    return content


def _list(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise UnknownContentError("it has something else where a list should be")
    return content


def _named(content: Any, made: Callable[[Any], Any]) -> dict[str, Any]:
    """Values by the names of methods, which pages and figures show as they are."""
    found = _mapping(content, "a table of methods")
    for name in found:
        if not METHOD_NAME.fullmatch(name):
            raise UnknownContentError(f"{name[:60]!r} is no name of a method")
    return {name: made(value) for name, value in found.items()}


def _metrics(content: Any) -> dict[str, Any]:
    found = _mapping(content, "a table of metrics")
    for name in found:
        if not (METRIC_NAME.fullmatch(name) or METHOD_NAME.fullmatch(name)):
            raise UnknownContentError(f"{name[:60]!r} is no name of a metric")
    return {name: _number(value) for name, value in found.items()}


def _by_shots(content: Any) -> dict[int, Any]:
    found = _mapping(content, "a table by shots")
    for name in found:
        if not SHOTS_NUMBER.fullmatch(name):
            raise UnknownContentError(f"{name[:60]!r} is no number of shots")
    return {int(name): value for name, value in found.items()}


def _numbers(found: type, content: Any) -> Any:
    names = found.__dataclass_fields__  # type: ignore[attr-defined]
    given = _mapping(content, f"a {found.__name__}")
    if not set(names) <= set(given):
        raise UnknownContentError(f"a {found.__name__} lacks some of its numbers")
    return instance(found, {name: _number(given[name]) for name in names})


def _number(value: Any) -> Any:
    """What JSON has no number for stands as ``null``; whole numbers are numbers too."""
    if value is None:
        return math.nan
    if type(value) is int and abs(value) < MOST:
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise UnknownContentError("it has a number that is not finite")
    return value
