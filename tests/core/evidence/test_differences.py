"""Two comparisons of the same people: paired, mirrored, and only of those in both."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from transrec_core.evidence.differences import paired_differences
from transrec_core.evidence.results import Evidence

RANDOM = np.random.default_rng(5)


def evidence(
    values: dict[str, dict[int, dict[str, float]]],
    *,
    metric: str = "ndcg@10",
    higher: bool = True,
    cold: str = "users",
) -> Evidence:
    """Evidence that holds nothing but values by method, shots and user."""
    who = "item_id" if cold == "items" else "user_id"
    rows = [
        {who: user, "shots": shots, "metric": metric, "method": method, "value": value}
        for method, by_shots in values.items()
        for shots, by_user in by_shots.items()
        for user, value in by_user.items()
    ]
    return Evidence(metric, higher, (), pd.DataFrame(rows), cold=cold)


def drawn(users: range, shots: tuple[int, ...] = (0, 5)) -> dict[int, dict[str, float]]:
    return {s: {f"u{n}": float(RANDOM.random()) for n in users} for s in shots}


@pytest.fixture(scope="module")
def two() -> tuple[Evidence, Evidence]:
    return (
        evidence({"auto": drawn(range(80)), "joint": drawn(range(80))}),
        evidence({"auto": drawn(range(20, 100)), "joint": drawn(range(20, 100))}),
    )


@pytest.mark.parametrize("higher", [True, False])
def test_the_mean_is_that_of_everybody_in_both(
    two: tuple[Evidence, Evidence], higher: bool
) -> None:
    earlier, later = (replace(e, higher_is_better=higher) for e in two)
    found = paired_differences(earlier, later, ("auto", "joint"))
    assert list(found) == [0, 5]
    for shots, difference in found.items():
        slow = []
        for user in [f"u{n}" for n in range(20, 80)]:
            values = [
                frame[
                    (frame["user_id"] == user)
                    & (frame["shots"] == shots)
                    & (frame["method"] == method)
                ]["value"].item()
                for frame, method in ((earlier.per_user, "auto"), (later.per_user, "joint"))
            ]
            slow.append((values[1] - values[0]) * (1 if higher else -1))
        assert difference.users == 60
        assert difference.gain.mean == pytest.approx(np.mean(slow))
        assert difference.gain.low < difference.gain.mean < difference.gain.high
        assert difference.better == np.mean(np.array(slow) > 0)
        assert difference.worse == np.mean(np.array(slow) < 0)


def test_in_the_other_order_it_is_mirrored(two: tuple[Evidence, Evidence]) -> None:
    there = paired_differences(*two, ("auto", "auto"))
    back = paired_differences(two[1], two[0], ("auto", "auto"))
    for shots, one in there.items():
        other = back[shots]
        assert other.gain.mean == -one.gain.mean
        assert other.gain.low == pytest.approx(-one.gain.high)
        assert other.gain.high == pytest.approx(-one.gain.low)
        assert (other.better, other.worse) == (one.worse, one.better)


def test_a_run_does_not_differ_from_itself(two: tuple[Evidence, Evidence]) -> None:
    for difference in paired_differences(two[0], two[0], ("joint", "joint")).values():
        assert difference.gain.mean == 0
        assert difference.gain.low <= 0 <= difference.gain.high
        assert difference.better == difference.worse == 0


def test_only_shots_and_users_of_both_count() -> None:
    one = evidence({"auto": drawn(range(10), (0, 1, 5))})
    other = evidence({"auto": {**drawn(range(10), (0, 10)), 1: {"u3": 0.5}}})
    assert list(paired_differences(one, other, ("auto", "auto"))) == [0]
    strangers = evidence({"auto": drawn(range(50, 60))})
    assert paired_differences(one, strangers, ("auto", "auto")) == {}
    assert paired_differences(one, other, ("auto", "unheard_of")) == {}


def test_the_order_of_rows_does_not_matter(two: tuple[Evidence, Evidence]) -> None:
    shuffled = replace(two[1], per_user=two[1].per_user.sample(frac=1, random_state=1))
    assert paired_differences(two[0], shuffled, ("auto", "auto")) == paired_differences(
        *two, ("auto", "auto")
    )


def test_items_are_paired_by_their_own_ids() -> None:
    one, other = (evidence({"auto": drawn(range(30))}, cold="items") for _ in range(2))
    assert paired_differences(one, other, ("auto", "auto"))[0].users == 30


def test_what_cannot_be_paired_is_refused(two: tuple[Evidence, Evidence]) -> None:
    with pytest.raises(ValueError, match=r"metric is 'ndcg@10' and 'rmse'"):
        paired_differences(two[0], replace(two[1], metric="rmse"), ("auto", "auto"))
    with pytest.raises(ValueError, match="cold is 'users' and 'items'"):
        paired_differences(two[0], replace(two[1], cold="items"), ("auto", "auto"))


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    random = np.random.default_rng(11)
    for trial in range(200):
        base = random.random(60)
        moved = base + random.normal(0.02, 0.1, 60)
        one, other = (
            evidence({"auto": {0: {f"u{n}": float(v) for n, v in enumerate(values)}}})
            for values in (base, moved)
        )
        gain = paired_differences(one, other, ("auto", "auto"), seed=trial)[0].gain
        held += gain.low <= 0.02 <= gain.high
    assert held >= 184  # 95 % of 200 is 190; fewer than 184 has a chance of 1 in 50
