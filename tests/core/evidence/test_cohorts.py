"""Cohorts are thirds of the test users, each with its own mean and interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from worlds import checkerboard

from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import link
from transrec_core.evidence.cohorts import LEAST_USERS, cohort_gains
from transrec_core.evidence.comparison import compare_domains
from transrec_core.progress import Meter
from transrec_core.settings import Settings


def pair_of(counts: np.ndarray):
    """User n did counts[n] things in the source and three in the target."""
    source = [(f"u{n:03d}", f"s{i}") for n, count in enumerate(counts) for i in range(count)]
    target = [(f"u{n:03d}", f"t{i}") for n in range(len(counts)) for i in range(3)]
    names = ["user_id", "item_id"]
    return link(
        *(Interactions.from_frame(pd.DataFrame(rows, columns=names)) for rows in (source, target))
    )


def test_thirds_by_activity_hold_everybody_once_and_give_the_means_back():
    counts = np.random.default_rng(0).integers(1, 60, 90)
    pair = pair_of(counts)
    gain = counts / 100 + np.random.default_rng(1).normal(0, 0.01, 90)
    enough = np.ones(90, bool)
    enough[:5] = False
    found = cohort_gains(
        pair, np.arange(90), [(0, np.ones(90, bool), gain, 1.0), (5, enough, gain[enough], 1.0)],
        np.random.default_rng(2),
    )  # fmt: skip
    source = found[found["cohort"] == "source"]
    assert source.groupby("shots")["users"].sum().tolist() == [90, 85]
    whole = source[source["shots"] == 0]
    assert len(whole) == 3
    assert (whole["gain"] * whole["users"]).sum() / 90 == pytest.approx(gain.mean())
    assert whole["gain"].is_monotonic_increasing
    assert ((whole["low"] <= whole["gain"]) & (whole["gain"] <= whole["high"])).all()
    for row in whole.itertuples():
        low, high = (int(part) for part in row.level.split(" to "))
        inside = (counts >= low) & (counts <= high)
        assert inside.sum() == row.users
        assert gain[inside].mean() == pytest.approx(row.gain)
    # Everybody did three things in the target: one level.
    assert set(found[found["cohort"] == "target"]["level"]) == {"3"}


def test_few_users_are_no_cohort():
    pair = pair_of(np.arange(1, 2 * LEAST_USERS))
    n = len(pair.shared)
    found = cohort_gains(
        pair, np.arange(n), [(0, np.ones(n, bool), np.ones(n), 1.0)], np.random.default_rng(0)
    )
    assert set(found["cohort"]) == {"target"}


def test_a_comparison_has_them_for_every_number_of_shots():
    settings = Settings(feedback="implicit", method="factor_map", rank=4, lam=0.02, shots=(0, 5))
    found = compare_domains(checkerboard(users=300), settings, Meter()).headline
    assert set(found.cohorts["shots"]) == {0, 5}
    assert set(found.cohorts["cohort"]) >= {"source", "target", "item popularity"}
    for shot in found.shots:
        part = found.cohorts[(found.cohorts["shots"] == shot.shots)]
        for cohort, levels in part.groupby("cohort"):
            if cohort.startswith("item"):
                continue
            mean = np.average(levels["gain"], weights=levels["users"])
            assert mean == pytest.approx(shot.gain.mean)
    again = compare_domains(checkerboard(users=300), replace(settings), Meter()).headline
    pd.testing.assert_frame_equal(found.cohorts, again.cohorts)
