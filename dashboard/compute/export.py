"""Lists, evidence and configuration as files."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd

from dashboard.compute.memory import SIDES, remember
from dashboard.compute.people import users
from dashboard.compute.runs import new_items
from dashboard.jobs import Result
from transrec_core.columns import ITEM, TITLE, USER
from transrec_core.recommending import listed_methods, named_for, recommend_for
from transrec_core.reporting.archive import README, factor_files, zip_bytes
from transrec_core.reporting.bundle import (
    bundle_files,
    compare_command,
    metrics_table,
    recommend_command,
)
from transrec_core.reporting.tables import csv_bytes, table_bytes

LISTS, METRICS, CHOSEN = "recommendations.csv", "metrics.csv", "users.csv"
CONFIGURATION, COMMANDS = "configuration.json", "commands.txt"
FILES = {
    LISTS: "a list for everybody, or for those chosen; a column says by which method",
    CHOSEN: "those chosen, for the command that makes their lists",
    CONFIGURATION: "settings, seed, what validation settled, and hashes of the data",
    COMMANDS: "command lines that repeat the evidence and the lists",
    "evidence.json": "the verdict with all its numbers",
    "per_user.csv": "every method's metric for every test user",
    "report.html": "the evidence as one page for any browser",
    METRICS: "every metric of every method at every number of shots",
}


def parse_ids(text: str) -> list[str]:
    """User ids, one a line, in order and once each."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def decode_ids(content: bytes) -> str:
    """The text of an uploaded id list."""
    return content.decode("utf-8-sig", errors="replace")


def lists(
    result: Result,
    chosen: Sequence[str] | None,
    top: int,
    method: str,
    keep_seen: bool = False,
) -> pd.DataFrame:
    """Recommendation lists of the chosen users (items, where these are new), or of all.

    The last ones made are kept: the preview and a download are of the same table.
    """
    asked = (None if chosen is None else tuple(chosen), top, method, keep_seen)
    made: tuple[object, pd.DataFrame] | None = result.derived.get("export")
    if made is None or made[0] != asked:
        # One entry whatever is asked: a table of a million rows is not kept 48 times.
        made = (asked, _lists(result, chosen, top, method, keep_seen))
        result.derived["export"] = made
    return made[1]


def own_method(result: Result) -> str:
    """The method that a run was asked for, by which its command makes the lists."""
    asked = result.run.settings.method
    return asked if asked in listed_methods(result.run.fit) else "auto"


def _lists(
    result: Result, chosen: Sequence[str] | None, top: int, method: str, keep_seen: bool
) -> pd.DataFrame:
    run = result.run
    everyone = users(result) if chosen is None else list(chosen)
    items = None if new_items(result) else run.target_items
    found = recommend_for(
        run.fit, everyone, top=top, method=method, chosen=run.chosen, items=items,
        keep_seen=keep_seen,
    )  # fmt: skip
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
        "started_warm": run.started_warm,
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
    keep_seen: bool = False,
) -> bytes:
    """Recommendation lists as the content of a file."""
    return table_bytes(lists(result, chosen, top, method, keep_seen), kind)


def metrics(result: Result) -> bytes:
    """Every metric of every method as CSV; there is a comparison."""
    assert result.run.comparison is not None
    return csv_bytes(metrics_table(result.run.comparison))


def factors_zip(result: Result, kind: Literal["csv", "npz"]) -> bytes:
    """Factors of both domains with their ids, as one zip."""
    return zip_bytes(factor_files(result.run.fit, kind, result.run.settings.cold))


def everything_zip(
    result: Result,
    chosen: Sequence[str] | None,
    top: int,
    keep_seen: bool,
    kind: Literal["csv", "npz"],
) -> bytes:
    """Lists by the run's own method, evidence, configuration, commands and factors, as one zip."""
    files = {LISTS: lists_file(result, chosen, top, own_method(result), "csv", keep_seen)}
    if chosen is not None:
        column = ITEM if new_items(result) else USER
        files[CHOSEN] = csv_bytes(pd.DataFrame({column: list(chosen)}, dtype="str"), raw=True)
    files |= {
        CONFIGURATION: configuration(result),
        COMMANDS: ("\n".join(commands(result, "" if chosen is None else CHOSEN)) + "\n").encode(),
    }
    if result.run.comparison is not None:
        files |= {**bundle(result), METRICS: metrics(result)}
    factors = factor_files(result.run.fit, kind, result.run.settings.cold)
    files |= {f"factors/{name}": content for name, content in factors.items()}
    lines = [
        f"transrec, run {result.id}: {result.names[0]} to {result.names[1]}",
        "",
        *(f"{name}: {FILES[name]}" for name in files if name in FILES),
        "factors/: both catalogues' factors; see factors/README.txt",
    ]
    if result.run.comparison is None:
        lines += ["", f"No evidence: {result.run.no_comparison}"]
    fitted = result.run.settings.top
    if top != fitted:
        lines += ["", f"The lists are {top} long, those that the command makes {fitted}."]
    if keep_seen:
        lines += [
            "",
            "The lists may name what is in the target history already; the command's do not.",
        ]
    return zip_bytes({README: ("\n".join(lines) + "\n").encode(), **files})


def table_csv(frame: pd.DataFrame) -> bytes:
    """A table as CSV that no spreadsheet takes for formulas."""
    return csv_bytes(frame)


def commands(result: Result, users: str = "") -> tuple[str, str]:
    """The commands that repeat the evidence and the lists, run beside the files.

    ``users`` as in ``recommend_command``.
    """
    settings, facts = result.run.settings, _facts(result)
    return compare_command(settings, facts), recommend_command(settings, facts, users=users)


def _facts(result: Result) -> dict[str, dict[str, Any]]:
    """What is known of both sides' data, with the names of their files."""
    return {
        side: {**result.run.data[side], "file": name, "items_files": [items] if items else []}
        for side, name, items in zip(SIDES, result.names, result.items_names, strict=True)
    }
