"""The comparison of a run as tables of words."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dashboard import wording
from dashboard.compute.memory import remember
from dashboard.jobs import Result
from transrec_core.evidence.costs import Costs, costs
from transrec_core.evidence.results import AUTO, Chosen, Comparison, Evidence, ShotEvidence
from transrec_core.reporting.sentences import (
    cohort_words,
    level_words,
    parameter_words,
    seconds_words,
    served_words,
)


def evidences(result: Result) -> dict[str, Evidence]:
    """The comparison's parts by kind: ``ranking``, ``ratings``."""
    return evidence_parts(result.run.comparison)


def evidence_parts(comparison: Comparison | None) -> dict[str, Evidence]:
    """The same of a comparison, wherever it is from."""
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


def cohort_rows(evidence: Evidence, shots: int) -> pd.DataFrame:
    """The gain in each level of each cohort at one number of shots, for a figure.

    Returns
    -------
    heading, level, users, gain, low, high; levels of one heading stand together.
    """
    found = evidence.cohorts
    cold = evidence.cold
    rows = [
        {
            "heading": cohort_words(row["cohort"], cold),
            "level": level_words(row["cohort"], row["level"], cold),
            **{name: row[name] for name in ("users", "gain", "low", "high")},
        }
        for row in found.to_dict("records")
        if row["shots"] == shots
    ]
    frame = pd.DataFrame(rows, columns=["heading", "level", "users", "gain", "low", "high"])
    order = {heading: place for place, heading in enumerate(dict.fromkeys(frame["heading"]))}
    return frame.sort_values(
        "heading", key=lambda names: names.map(order), kind="stable", ignore_index=True
    )


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


def worth(result: Result, kind: str, shot: ShotEvidence) -> Costs:
    """What every method gains beside what it takes to fit, at one number of shots."""
    return remember(
        result,
        ("costs", kind, shot.shots),
        lambda: costs(
            evidences(result)[kind], shot, chosen_of(result, kind), result.run.settings.seed
        ),
    )


def cost_table(found: Costs, cold: str) -> pd.DataFrame:
    """The methods by what they take, the quickest first, one row each, in words."""
    rows = []
    for cost in found.methods:
        gain = cost.gain
        rows.append(
            {
                "Method": wording.method_word(cost.method, cold),
                "Time to fit": seconds_words(cost.seconds),
                "Gain over the baseline": "–" if gain is None else wording.signed(gain.mean),
                "95 % interval": "–" if gain is None else wording.interval(gain.low, gain.high),
                "Interval": "the baseline itself"
                if gain is None
                else "above zero"
                if gain.low > 0
                else "below zero"
                if gain.high < 0
                else "zero inside",
            }
        )
    return pd.DataFrame(rows)


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


def searched(chosen: Chosen, evidence: Evidence, method: str = "") -> tuple[str, pd.DataFrame]:
    """The ranks and λ that validation users judged.

    Of ``method``, by default the one they chose; of target only where that has no rank and λ.

    Returns
    -------
    The method's name and a frame with rank, lam and under the metric's name the best validation
    score of each pair, by rank and λ in rising order; an empty one where there is none.
    """
    for name in (method or chosen.method, "target_only"):
        rows = [dict(row) for row in chosen.tried if row["method"] == name and "rank" in row]
        if rows:
            scores = pd.DataFrame(rows)[["rank", "lam", evidence.metric]].groupby(
                ["rank", "lam"], as_index=False
            )
            return name, scores.max() if evidence.higher_is_better else scores.min()
    return "", pd.DataFrame()


def served_name(result: Result, evidence: Evidence) -> str:
    """The method of the table that the run's lists come from: auto decides, others are used."""
    return AUTO if result.run.settings.method == "auto" else evidence.shots[0].transfer
