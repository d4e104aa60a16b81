"""A run that starts from an earlier one's factors: when it may, and what must not reach it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from worlds import checkerboard, ratings_of, texts_of

from transrec_core import running
from transrec_core.evidence.choosing import default_spec
from transrec_core.evidence.comparison import compare_domains
from transrec_core.evidence.splitting import split_users
from transrec_core.progress import Meter
from transrec_core.settings import Settings
from transrec_core.transfer.factorizations import Factorizations
from transrec_core.transfer.knowledge import Ground

QUICK = Settings(feedback="implicit", method="factor_map", rank=4, lam=0.02, shots=(0, 1, 5))


@pytest.fixture(scope="module")
def pair():
    return checkerboard(users=300)


@pytest.fixture(autouse=True)
def small_data_counts_too(monkeypatch):
    monkeypatch.setattr(running, "LEAST_WARM", 0.0)


def fit(pair, settings, start=None):
    return running.run(
        ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv"), settings, start=start
    )


def test_a_refit_under_another_lam_ends_at_the_same_optimum_in_fewer_sweeps(pair):
    first = fit(pair, QUICK)
    other = replace(QUICK, lam=0.025)
    cold, warm = fit(pair, other), fit(pair, other, first.warm_start)
    assert not cold.started_warm
    assert warm.started_warm
    for side in ("source", "alone"):
        ours, theirs = getattr(warm.fit, side), getattr(cold.fit, side)
        assert len(ours.objective) < len(theirs.objective)
        # Both stopped where a sweep lowers J by less than a thousandth.
        assert ours.objective[-1] <= theirs.objective[-1] * 1.002
    gains = [r.comparison.headline.shots[0].gain.mean for r in (cold, warm)]
    assert gains[0] == pytest.approx(gains[1], abs=0.05)


@pytest.mark.parametrize("rank", [2, 6])
def test_another_rank_starts_from_the_factors_cut_or_padded(pair, rank):
    first = fit(pair, QUICK)
    warm = fit(pair, replace(QUICK, rank=rank), first.warm_start)
    assert warm.started_warm
    assert warm.fit.alone.rank == warm.fit.source.rank == rank


def test_the_same_rank_and_lam_give_the_same_numbers_to_the_bit(pair):
    first = fit(pair, QUICK)
    again = fit(pair, replace(QUICK, top=QUICK.top), first.warm_start)
    assert again.comparison.ranking.shots == first.comparison.ranking.shots
    assert (again.fit.alone.item_factors == first.fit.alone.item_factors).all()


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"model": "nmf"}, {"min_target": 9}, {"alpha0": 0.3}, {"test_share": 0.2}],
)
def test_other_settings_start_afresh(pair, change):
    first = fit(pair, QUICK)
    settings = replace(QUICK, **change)
    warm, cold = fit(pair, settings, first.warm_start), fit(pair, settings)
    assert not warm.started_warm
    assert warm.comparison.ranking.shots == cold.comparison.ranking.shots


def test_other_data_starts_afresh(pair):
    first = fit(pair, QUICK)
    other = checkerboard(users=300, seed=1)
    assert not fit(other, QUICK, first.warm_start).started_warm


def test_small_data_starts_afresh(pair, monkeypatch):
    monkeypatch.setattr(running, "LEAST_WARM", 1.0)
    first = fit(pair, QUICK)
    assert not fit(pair, replace(QUICK, lam=0.03), first.warm_start).started_warm


def test_nothing_of_a_test_user_reaches_a_warm_start(pair):
    """Whatever stands in the test users' rows, a second comparison ends at the same numbers."""
    split = split_users(pair, QUICK)
    random = np.random.default_rng(0)
    matrix = pair.target.matrix.copy()
    for user in pair.target_rows[split.test.positions]:
        cells = slice(matrix.indptr[user], matrix.indptr[user + 1])
        size = cells.stop - cells.start
        matrix.indices[cells] = np.sort(random.choice(matrix.shape[1], size, replace=False))
        matrix.data[cells] = 99
    spoiled = replace(pair, target=replace(pair.target, matrix=matrix))
    found = []
    for world in (pair, spoiled):
        made = Factorizations()
        compare_domains(world, QUICK, Meter(), split, texts_of(pair), factorizations=made)
        spec = default_spec(world, "implicit", QUICK)
        ground = Ground(world, "implicit", QUICK.seed)
        made.fit(ground, spec, "all", world.target.matrix)
        kept = made.hand_on((spec,))
        assert {part for _, part in kept} == {"source", "choosing", "telling", "all"}
        settings = replace(QUICK, lam=0.03)
        found.append(
            compare_domains(
                world,
                settings,
                Meter(),
                split,
                texts_of(pair),
                factorizations=Factorizations(kept),
            )
        )
    clean, dirty = found
    assert clean.chosen == dirty.chosen
    assert clean.headline.shots == dirty.headline.shots
    pd.testing.assert_frame_equal(clean.headline.cohorts, dirty.headline.cohorts)


def test_what_is_too_large_is_not_handed_on(pair, monkeypatch):
    monkeypatch.setattr("transrec_core.transfer.factorizations.MOST_KEPT", 1000)
    assert fit(pair, QUICK).warm_start.factors == {}


def test_a_fingerprint_changes_with_every_id_value_and_time(pair):
    domain = pair.target
    timed = replace(domain, times=np.arange(domain.matrix.nnz, dtype=float))
    dearer = replace(domain, matrix=domain.matrix * 2)
    renamed = replace(domain, users=domain.users.str.replace("u000", "u00x"))
    moved = replace(timed, times=timed.times[::-1].copy())
    prints = [d.fingerprint for d in (domain, timed, dearer, renamed, moved)]
    assert len(set(prints)) == len(prints)
    assert replace(domain, matrix=domain.matrix.copy()).fingerprint == domain.fingerprint
