"""What a command says when it is done: what was found, what is served, where the files are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from transrec_core.evidence.results import AUTO, Comparison
from transrec_core.reporting.sentences import (
    counted,
    method_inside,
    metric_words,
    number,
    served_words,
    verdict_sentence,
    who,
)
from transrec_core.settings import Settings


def found_lines(comparison: Comparison | None, reason: str, settings: Settings) -> list[str]:
    """The verdict, and what ``auto`` serves new users; or why there is no verdict.

    Parameters
    ----------
    comparison, reason
        What was found, and why nothing was where it is ``None``; empty where nobody told.
    settings
        What was asked for.
    """
    if comparison is None:
        return [reason] if reason else []
    headline = comparison.headline
    first, *more = headline.shots
    lines = [verdict_sentence(first, headline)]
    if more:
        verdicts = ", ".join(f"{shot.shots}: {shot.verdict}" for shot in headline.shots)
        lines.append(f"Verdict by known interactions in the target: {verdicts}.")
    if settings.method == AUTO:
        chosen = comparison.chosen["ranking" if comparison.ranking is not None else "ratings"]
        served = served_words(chosen, first.shots, headline.cold)
        lines.append(f"Auto serves {who(first.shots, headline.cold)}: {served}.")
    else:
        lines.append(f"Served, as asked, is {method_inside(first.transfer, headline.cold)}.")
    return lines


def served_line(served: Mapping[str, int], cold: str) -> str:
    """How many lists were made, and by which methods.

    Parameters
    ----------
    served
        Number of lists by the method that served, as the lists tell it.
    cold
        As in ``Settings``.
    """
    parts = sorted(served.items(), key=lambda item: -item[1])
    by = ", ".join(f"{count:,} by {method_inside(name, cold)}" for name, count in parts)
    return f"Lists for {counted(sum(served.values()), cold)}{f': {by}' if by else ''}."


def evidence_line(folder: str | Path) -> str:
    """Where the evidence is."""
    return f"Evidence in {folder}: report.html for a browser, evidence.json, per_user.csv."


def run_line(run: str, *, folder: bool) -> str:
    """Where a run was kept, and what to do with it."""
    parts = ": lists, factors, map and evidence" if folder else ""
    return (
        f"The run is in {run}{parts}. Next: transrec lists {run} --out lists.csv, "
        f"transrec report {run} --out evidence."
    )


def ranking_lines(table: pd.DataFrame, target: str) -> list[str]:
    """Which source to choose, from the table of ``rank_sources``."""
    best = table.iloc[0]
    if best["note"]:
        return ["No source could be measured; the notes say why."]
    metric, gain = metric_words(best["metric"]), number(best["gain"])
    name = best["source"]
    if not best["low"] > 0:
        first = (
            f"No source surely gains anything for {target}: even {name}, the first, gains {gain} "
            f"in {metric} with an interval that reaches {number(best['low'])}."
        )
    else:
        first = f"{name} promises most for {target}: a gain of {gain} in {metric}."
    return [
        f"{first} This is a first look; to be sure: transrec compare {name} {target} --out evidence"
    ]


def sparsity_lines(table: pd.DataFrame, cold: str) -> list[str]:
    """With how many target ratings the source helps, from the table of ``sparsity``."""
    start = table.iloc[0]
    rows = table[(table["metric"] == start["metric"]) & (table["shots"] == start["shots"])]
    parts = []
    for verdict, words in (
        ("helps", "transfer helps with"),
        ("no evidence", "there is no evidence with"),
        ("hurts", "transfer hurts with"),
    ):
        shares: Sequence[float] = rows.loc[rows["verdict"] == verdict, "share"].tolist()
        if shares:
            parts.append(f"{words} {', '.join(f'{share:.0%}' for share in shares)}")
    return [
        f"For {who(int(start['shots']), cold)}, by shares of the target ratings: "
        f"{'; '.join(parts)}."
    ]
