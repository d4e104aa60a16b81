"""How long the next fit will take, as the form says it."""

from dataclasses import replace

import pytest
from needs import NEEDS_DEEP

from dashboard import compute, jobs
from transrec_core.settings import Settings

ONE = Settings(rank=8, lam=0.05, method="factor_map", feedback="implicit")


def test_nothing_is_said_without_data_or_for_new_items(loaded: jobs.Workspace) -> None:
    assert compute.expected(jobs.Register().create(), ONE) is None
    assert compute.expected(loaded, replace(ONE, cold="items")) is None
    assert compute.expected(loaded, replace(ONE, rank=1000)) is None


def test_more_to_try_takes_longer(loaded: jobs.Workspace) -> None:
    one, several = (compute.expected(loaded, s) for s in (ONE, replace(ONE, method="auto")))
    assert one is not None
    assert several is not None
    assert one < several


@NEEDS_DEEP
def test_networks_take_longer_still(loaded: jobs.Workspace) -> None:
    auto = replace(ONE, method="auto")
    plain, deep = (compute.expected(loaded, s) for s in (auto, replace(auto, deep=True)))
    assert plain is not None
    assert deep is not None
    assert deep > plain + 1


def test_nothing_is_expected_of_networks_that_cannot_be_trained(
    loaded: jobs.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transrec_core.extras.find_spec", lambda name: None)
    assert compute.expected(loaded, replace(ONE, method="auto", deep=True)) is None


def test_the_pace_of_the_last_fit_counts(fitted: jobs.Workspace) -> None:
    shown = fitted.shown
    assert shown is not None
    times = []
    for seconds in (5.0, 9.0):
        shown.run = replace(shown.run, seconds=seconds)
        found = compute.expected(fitted, shown.run.settings)
        assert found is not None
        times.append(found)
    assert times[0] < times[1] <= 9.1
