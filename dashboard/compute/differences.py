"""Two runs side by side: what was set and settled otherwise, and what came of it."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dashboard import wording
from dashboard.compute.evidence import chosen_of, evidences, served_name
from dashboard.compute.memory import remember
from dashboard.compute.runs import setting_changes
from dashboard.jobs import Result
from transrec_core.data.interactions import Interactions
from transrec_core.evidence.differences import Difference, paired_differences
from transrec_core.evidence.results import Chosen
from transrec_core.reporting.sentences import parameter_words, served_words

if TYPE_CHECKING:
    from transrec_core.running import Run

What = Literal["served", "transfer"]


def shared_kinds(before: Result, after: Result) -> list[str]:
    """Kinds of evidence that both runs have, in one metric and of the same side."""
    one, other = evidences(before), evidences(after)
    return [
        kind
        for kind in other
        if kind in one
        and one[kind].metric == other[kind].metric
        and one[kind].cold == other[kind].cold
    ]


def unpaired(before: Result, after: Result) -> str:
    """Why two runs cannot be held against each other user by user; empty when they can."""
    for result in (before, after):
        if not evidences(result):
            return f"{result.name} has no comparison: {result.run.no_comparison}"
    if not shared_kinds(before, after):
        return "They are judged in different metrics, or one of users and one of items."
    return remember(after, ("unpaired", before.id), lambda: _other_task(before.run, after.run))


def _other_task(one: "Run", other: "Run") -> str:
    if one.settings.seed != other.settings.seed:
        return "Another seed draws other test users."
    rules = ("shots", "min_target", "test_share")
    if any(getattr(one.settings, name) != getattr(other.settings, name) for name in rules):
        return "The test users were drawn by other rules."
    if not _same(one.pair.target, other.pair.target):
        return "The target's ratings are not the same, so other interactions were hidden."
    if not one.pair.shared.equals(other.pair.shared):
        return "Other people are in both catalogues, so other test users were drawn."
    return ""


def _same(one: Interactions, other: Interactions) -> bool:
    return (
        one.users.equals(other.users)
        and one.items.equals(other.items)
        and np.array_equal(one.matrix.indptr, other.matrix.indptr)
        and np.array_equal(one.matrix.indices, other.matrix.indices)
        and np.array_equal(one.matrix.data, other.matrix.data)
    )


def method_of(result: Result, kind: str, what: What) -> str:
    """The method of a run's table that its lists come from, or its transfer method."""
    evidence = evidences(result)[kind]
    return served_name(result, evidence) if what == "served" else evidence.shots[0].transfer


def differences(before: Result, after: Result, kind: str, what: What) -> dict[int, Difference]:
    """What ``after`` gains on ``before`` at each number of shots; empty where they do not pair."""
    if unpaired(before, after) or kind not in shared_kinds(before, after):
        return {}
    methods = (method_of(before, kind, what), method_of(after, kind, what))

    def make() -> dict[int, Difference]:
        seed = after.run.settings.seed
        return paired_differences(evidences(before)[kind], evidences(after)[kind], methods, seed)

    return remember(after, ("differences", before.id, kind, *methods), make)


def setting_table(before: Result, after: Result) -> pd.DataFrame:
    """What was set otherwise, a row each: data and settings of both runs."""
    rows = setting_changes(before, after)
    if before.inputs != after.inputs:
        names = [" → ".join(result.names) for result in (before, after)]
        rows.insert(0, ("data", *(_told_apart(names))))
    return _table(before, after, [(word.capitalize(), a, b) for word, a, b in rows])


def _told_apart(names: list[str]) -> tuple[str, str]:
    same = names[0] == names[1]
    return names[0], f"{names[1]} (changed)" if same else names[1]


def choice_changes(before: Result, after: Result, kind: str) -> pd.DataFrame:
    """What validation users settled otherwise, a row each."""
    chosen = (chosen_of(before, kind), chosen_of(after, kind))
    if chosen[0] is None or chosen[1] is None:
        return _table(before, after, [])
    cold = after.run.settings.cold
    told = [_settled(one, cold) for one in chosen if one is not None]
    rows = [
        (word, told[0].get(word, "–"), told[1].get(word, "–"))
        for word in dict.fromkeys([*told[0], *told[1]])
        if told[0].get(word) != told[1].get(word)
    ]
    return _table(before, after, rows)


def _settled(chosen: Chosen, cold: str) -> dict[str, str]:
    found = {
        "Transfer method": wording.method_word(chosen.method, cold),
        "Methods tried": wording.count(len(chosen.parameters)),
    }
    for shots in chosen.baseline_at:
        words = wording.plural(shots, "shot")
        found[f"Auto serves at {words}"] = served_words(chosen, shots, cold)
        found[f"Best baseline at {words}"] = wording.method_word(chosen.baseline_at[shots], cold)
    for name, parameters in chosen.parameters.items():
        found[wording.method_word(name, cold)] = parameter_words(parameters)
    return found


def _table(before: Result, after: Result, rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Columns by place, not by name: two runs may have one name."""
    return pd.DataFrame(rows, columns=["what", "before", "after"])


def side_by_side(before: Result, after: Result, kind: str, what: What) -> pd.DataFrame:
    """The metric, the difference and the gain over baselines of both runs, one row a shot.

    Returns
    -------
    shots, before, after, difference, better, worse, users, gain_before, gain_after; without the
    middle four where the runs do not pair.
    """
    one, other = evidences(before)[kind], evidences(after)[kind]
    names = (method_of(before, kind, what), method_of(after, kind, what))
    paired = differences(before, after, kind, what)
    rows = []
    for shots in sorted({s.shots for s in (*one.shots, *other.shots)}):
        cells: dict[str, object] = {"shots": shots}
        for word, evidence, name in zip(("before", "after"), (one, other), names, strict=True):
            shot = next((s for s in evidence.shots if s.shots == shots), None)
            known = shot is not None and name in shot.methods
            cells[word] = wording.value(shot.methods[name].mean) if shot and known else "–"
            gain = shot.gains.get(name) if shot else None
            cells[f"gain_{word}"] = (
                f"{wording.signed(gain.mean)} ({wording.interval(gain.low, gain.high)})"
                if gain
                else "–"
            )
        found = paired.get(shots)
        cells["difference"] = difference_words(found) if found else "–"
        cells["better"] = wording.share(found.better) if found else "–"
        cells["worse"] = wording.share(found.worse) if found else "–"
        cells["users"] = wording.count(found.users) if found else "–"
        rows.append(cells)
    middle = ["difference", "better", "worse", "users"] if paired else []
    columns = ["shots", "before", "after", *middle, "gain_before", "gain_after"]
    return pd.DataFrame(rows, columns=columns)


def difference_words(found: Difference) -> str:
    """A paired difference with its interval; nobody differing is said, not given an interval."""
    if found.better == found.worse == 0:
        return "the same for everybody"
    gain = found.gain
    return f"{wording.signed(gain.mean)} ({wording.interval(gain.low, gain.high)})"


def change_sentence(before: Result, after: Result, kind: str, shots: int) -> str:
    """What was changed between two runs, and what that did at one number of shots.

    As ``Rank 32 → 64: NDCG@10 at 0 shots +0.004 (−0.002 to +0.010)``; not Markdown.
    """
    changes = [f"{word} {one} → {other}" for word, one, other in setting_changes(before, after)]
    if before.inputs != after.inputs:
        changes.insert(0, "the data")
    start = ", ".join(changes) or "the same settings"
    start = start[0].upper() + start[1:]
    why = unpaired(before, after)
    if why:
        return f"{start}. {why} So the numbers are not paired."
    found = differences(before, after, kind, "served").get(shots)
    evidence = evidences(after)[kind]
    metric = wording.metric_word(evidence.metric)
    at = f"{metric} at {wording.plural(shots, 'shot')}"
    if found is None:
        return f"{start}: {at} was not measured in both."
    if found.better == found.worse == 0:
        return f"{start}: {at} is the same for everybody."
    toward = "" if evidence.higher_is_better else " (above zero is better)"
    return f"{start}: {at} {difference_words(found)}{toward}."


def difference_frame(before: Result, after: Result, kind: str) -> pd.DataFrame:
    """Paired differences for a figure: what, shots, gain, low, high, users."""
    rows = []
    for what, word in (("served", "What the run serves"), ("transfer", "Its transfer method")):
        found = differences(before, after, kind, what)  # type: ignore[arg-type]
        rows += [
            (word, shots, d.gain.mean, d.gain.low, d.gain.high, d.users)
            for shots, d in found.items()
        ]
    return pd.DataFrame(rows, columns=["what", "shots", "gain", "low", "high", "users"])
