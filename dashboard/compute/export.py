"""Lists, evidence and configuration as files."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd

from dashboard.compute.memory import SIDES, remember
from dashboard.compute.people import users
from dashboard.compute.runs import new_items
from dashboard.jobs import Result
from transrec_core.columns import ITEM, TITLE
from transrec_core.recommending import named_for, recommend_for
from transrec_core.reporting.bundle import bundle_files, compare_command, recommend_command
from transrec_core.reporting.tables import csv_bytes, table_bytes


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
