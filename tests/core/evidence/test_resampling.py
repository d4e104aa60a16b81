"""Intervals that cover, tests that keep their level, bands that hold the placebo."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from transrec_core.evidence.resampling import (
    bootstrap_means,
    holm,
    interval,
    mean_intervals,
    paired_gain,
    placebo_band,
    sign_flips,
)
from transrec_core.evidence.results import Gain, Interval
from transrec_core.evidence.verdict import verdict


def gain_of(values: np.ndarray, seed: int = 0, spread: float = 0.0) -> Gain:
    random = np.random.default_rng(seed)
    (band,) = mean_intervals(values[:, None], random, spread)
    return paired_gain(values, band, float(sign_flips(values[:, None], random)[0]), spread)


def test_the_interval_is_scipys_percentile_bootstrap():
    values = np.random.default_rng(0).exponential(size=300)
    found = interval(
        values.mean(), bootstrap_means(values[:, None], np.random.default_rng(1))[:, 0], 300
    )
    other = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=5000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert found.low == pytest.approx(other.low, abs=0.01)
    assert found.high == pytest.approx(other.high, abs=0.01)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(3)
    for users in (10, 120):
        covered = 0
        for trial in range(400):
            values = random.normal(0.3, 1.0, (users, 1))
            (found,) = mean_intervals(values, np.random.default_rng(trial), 1.0)
            covered += found.low <= 0.3 <= found.high
        assert 0.92 <= covered / 400 <= 0.98


def test_a_handful_of_users_who_differ_do_not_close_the_interval():
    """One user in a hundred gains much: a sample that holds few of them, or none, must allow it."""
    random = np.random.default_rng(9)
    covered = {0.0: 0, 0.25: 0}
    for trial in range(200):
        values = np.where(random.random((100, 1)) < 0.01, 0.3, 0.0)
        for spread in covered:
            (found,) = mean_intervals(values, np.random.default_rng(trial), spread)
            covered[spread] += found.low <= 0.003 <= found.high
    assert covered[0.0] / 200 < 0.75
    assert covered[0.25] / 200 > 0.93


def test_nothing_is_found_where_nothing_is_more_than_one_time_in_twenty():
    random = np.random.default_rng(4)
    p = [gain_of(random.normal(0, 1, 60), trial).p for trial in range(200)]
    assert np.mean(np.array(p) < 0.05) <= 0.10
    assert 0.35 < np.mean(p) < 0.65


def test_sign_flips_are_scipys_permutation_test_of_the_mean():
    random = np.random.default_rng(7)
    values = random.normal([0.15, 0.25, -0.15], 1, (80, 3))
    found = sign_flips(values, random)
    for column, p in enumerate(found):
        other = stats.permutation_test(
            (values[:, column],), lambda x, axis: np.mean(x, axis=axis),
            permutation_type="samples", vectorized=True, n_resamples=9999,
            rng=np.random.default_rng(8),
        ).pvalue  # fmt: skip
        assert p == pytest.approx(other, abs=0.025)


def test_columns_share_their_resamples():
    values = np.random.default_rng(5).normal(size=(50, 1))
    means = bootstrap_means(np.hstack([values, values + 1]), np.random.default_rng(0))
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 1)


def test_shares_and_power_are_what_they_say():
    found = gain_of(np.array([1.0, 1.0, -1.0, 0.0] * 50))
    assert found.helped == 0.5
    assert found.harmed == 0.25
    spread = np.std([1.0, 1.0, -1.0, 0.0] * 50, ddof=1)
    assert found.detectable == pytest.approx(2.8016 * spread / np.sqrt(200), rel=0.01)
    assert gain_of(np.zeros(20), spread=0.2).detectable > 0.03
    assert gain_of(np.zeros(20)).p == 1.0


def test_the_placebo_band_holds_the_spread_between_shuffles():
    random = np.random.default_rng(6)
    shift = np.array([-0.5, 0.0, 0.5])[:, None]
    band = placebo_band(shift + 0.1 * random.normal(size=(3, 200)), random)
    assert band.low < -0.4
    assert band.high > 0.4


@pytest.mark.parametrize(
    ("low", "high", "placebo_high", "expected"),
    [
        (0.02, 0.05, 0.01, "helps"),
        (0.02, 0.05, 0.03, "no evidence"),
        (-0.01, 0.05, -0.02, "no evidence"),
        (-0.05, -0.01, 0.0, "hurts"),
        (0.0, 0.0, 0.0, "no evidence"),
    ],
)
def test_the_verdict_needs_the_whole_interval(low, high, placebo_high, expected):
    gain = Gain((low + high) / 2, low, high, 0.01, 0.5, 0.3, 0.02)
    assert verdict(gain, Interval(0.0, -0.1, placebo_high)) == expected


def test_holm_steps_down_from_the_smallest_p():
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({"a": 0.7, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({"one": 0.03}) == {"one": 0.03}
    assert holm({}) == {}
