"""What methods gain beside what they take: who is worth the wait, and what networks add."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from transrec_core.evidence.costs import Costs, costs
from transrec_core.evidence.results import Chosen, Evidence, Gain, Interval, ShotEvidence
from transrec_core.reporting.sentences import cost_sentences, seconds_words

USERS = 200
SECONDS = {
    "target_only": 0.1,
    "ease": 0.2,
    "factor_map": 1.0,
    "ridge": 2.0,
    "neural_map": 60.0,
}


def made(means: dict[str, float], *, higher: bool = True, seconds: dict[str, float] = SECONDS):
    """Evidence in which every method's values are one noise around its own mean."""
    random = np.random.default_rng(3)
    noise = random.normal(0, 0.05, USERS)
    values = {name: mean + noise + random.normal(0, 0.01, USERS) for name, mean in means.items()}
    rows = [
        (f"u{n}", 0, "ndcg@10", name, value)
        for name, mine in values.items()
        for n, value in enumerate(mine)
    ]
    table = pd.DataFrame(rows, columns=["user_id", "shots", "metric", "method", "value"])
    sign = 1.0 if higher else -1.0

    def gain(name: str) -> Gain:
        mean = sign * float((values[name] - values["target_only"]).mean())
        return Gain(mean, mean - 0.01, mean + 0.01, 0.01, 0.6, 0.4, 0.01)

    transfer = [name for name in means if name not in ("target_only", "ease", "popularity")]
    shot = ShotEvidence(
        0,
        USERS,
        {name: Interval(mean, mean - 0.01, mean + 0.01) for name, mean in means.items()},
        "target_only",
        "factor_map",
        {name: gain(name) for name in transfer},
        {},
        Interval(0.0, -0.01, 0.01),
        "helps",
    )
    evidence = Evidence("ndcg@10", higher, (shot,), table, fit_seconds=seconds)
    tried = [{"method": name, "ndcg@10": means[name]} for name in means if name in seconds]
    chosen = Chosen("factor_map", 8, 0.1, {0: 1.0}, {0: 0.0}, {0: True}, {0: "target_only"},
                    tuple(tried))  # fmt: skip
    return evidence, shot, chosen


MEANS = {
    "popularity": 0.2,
    "target_only": 0.3,
    "ease": 0.31,
    "factor_map": 0.4,
    "ridge": 0.38,
    "neural_map": 0.35,
}


def test_methods_stand_by_what_they_take_with_their_gain_over_the_best_baseline() -> None:
    evidence, shot, chosen = made(MEANS)
    found = costs(evidence, shot, chosen)
    assert [cost.method for cost in found.methods] == list(SECONDS)
    by_name = {cost.method: cost.gain for cost in found.methods}
    assert by_name["target_only"] is None
    assert by_name["ridge"] == Interval(*dataclasses.astuple(shot.gains["ridge"])[:3])
    # A further baseline is no transfer method, so its gain is worked out from its users.
    values = evidence.per_user.pivot_table(index="user_id", columns="method", values="value")
    assert by_name["ease"].mean == pytest.approx((values["ease"] - values["target_only"]).mean())
    assert by_name["ease"].low < by_name["ease"].mean < by_name["ease"].high


def test_the_quickest_that_nothing_slower_beats_is_enough() -> None:
    evidence, shot, chosen = made(MEANS)
    found = costs(evidence, shot, chosen)
    assert found.enough == "factor_map"
    assert cost_sentences(found, evidence)[0] == (
        "No method that takes longer surely gains more than Transfer (factor map), fitted in 1 s."
    )
    # One that is slow and best leaves no other: every quicker one is beaten.
    evidence, shot, chosen = made({**MEANS, "neural_map": 0.5})
    found = costs(evidence, shot, chosen)
    assert found.enough == "neural_map"
    assert "takes longest (60 s), and every quicker method" in cost_sentences(found, evidence)[0]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (0.35, "gains less than Transfer (factor map)"),
        (0.45, "gains more than Transfer (factor map)"),
        (0.4, "gains neither surely more nor surely less than Transfer (factor map)"),
    ],
)
def test_the_best_network_is_held_against_the_best_other(network: float, words: str) -> None:
    evidence, shot, chosen = made({**MEANS, "neural_map": network})
    found = costs(evidence, shot, chosen)
    assert found.networks is not None
    assert found.networks[:2] == ("factor_map", "neural_map")
    told = cost_sentences(found, evidence)[1]
    assert words in told
    assert "It takes 60 s, the other 1 s." in told
    # Who is best is settled on validation users, whatever test users say.
    tried = [{**row, "ndcg@10": 0.9} if row["method"] == "ridge" else row for row in chosen.tried]
    other = costs(evidence, shot, dataclasses.replace(chosen, tried=tuple(tried)))
    assert other.networks is not None
    assert other.networks[0] == "ridge"
    assert costs(evidence, shot).networks is None


def test_errors_turn_round() -> None:
    # Of errors the least is best: the same means, mirrored.
    mirrored = {name: 1 - mean for name, mean in MEANS.items()}
    evidence, shot, chosen = made(mirrored, higher=False)
    found = costs(evidence, shot, chosen)
    assert found.enough == "factor_map"
    assert found.networks is not None
    assert found.networks[0] == "factor_map"
    assert found.networks[2].gain.high < 0


def test_without_seconds_nothing_is_said() -> None:
    evidence, shot, chosen = made(MEANS, seconds={})
    found = costs(evidence, shot, chosen)
    assert found == Costs(0, "target_only", (), "", None)
    assert cost_sentences(found, evidence) == []
    alone = costs(*made(MEANS, seconds={"factor_map": 1.0}))
    assert [cost.method for cost in alone.methods] == ["factor_map"]
    assert alone.enough == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "under 0.01 s"), (0.0543, "0.054 s"), (9.96, "10 s"), (61, "61 s"), (600, "10 min"),
     (7200, "2.0 h")],
)  # fmt: skip
def test_seconds_in_words(seconds: float, words: str) -> None:
    assert seconds_words(seconds) == words
