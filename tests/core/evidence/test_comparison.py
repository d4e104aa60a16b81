"""The comparison on worlds with a known answer, and its proof against leakage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from worlds import checkerboard

from transrec_core.errors import Cancelled, NoOverlapError, TooFewUsersError
from transrec_core.evidence.choosing import MAX_CANDIDATES, Search
from transrec_core.evidence.comparison import compare_domains
from transrec_core.evidence.splitting import split_users
from transrec_core.progress import Meter
from transrec_core.settings import PRIORS, Settings
from transrec_core.transfer.fitting import FitSpec

QUICK = Settings(feedback="implicit", rank=4, lam=0.02, shots=(0, 1, 5))


def test_shared_taste_helps_where_there_is_no_history_and_stops_later():
    found = compare_domains(checkerboard(users=300), QUICK, Meter()).headline
    assert found.metric == "ndcg@10"
    assert found.verdict[0] == "helps"
    first = found.shots[0]
    assert first.methods["factor_map"].mean > 1.5 * first.methods["popularity"].mean
    assert first.gain.low > first.placebo.high
    assert first.users == 90
    assert first.best_baseline in ("popularity", "target_only")


@pytest.mark.parametrize("seed", range(3))
def test_unrelated_taste_is_never_said_to_help(seed):
    pair = checkerboard(users=300, shared=False, seed=seed)
    found = compare_domains(pair, replace(QUICK, seed=seed), Meter())
    assert "helps" not in found.headline.verdict.values()
    assert not any(found.chosen["ranking"].transfer_at.values())


def test_ratings_have_evidence_of_their_own_where_there_are_ratings():
    pair = checkerboard(users=300)
    found = compare_domains(pair, replace(QUICK, feedback="auto"), Meter())
    assert found.ratings is not None
    assert found.ratings.metric == "rmse"
    assert not found.ratings.higher_is_better
    # A generous user is generous in both: known from the source before the first rating.
    assert found.ratings.verdict[0] == "helps"
    assert found.ratings.shots[0].methods["factor_map"].mean < 0.2
    only = compare_domains(pair, replace(QUICK, feedback="ratings"), Meter())
    assert only.ranking is None
    assert only.headline.metric == "rmse"


def test_clicks_have_no_rating_evidence():
    pair = checkerboard(users=300)
    clicks = replace(pair.target, explicit=False)
    found = compare_domains(replace(pair, target=clicks), replace(QUICK, feedback="auto"), Meter())
    assert found.ratings is None
    assert set(found.ranking.shots[0].methods) == {
        "popularity", "target_only", "factor_map", "row_map",
    }  # fmt: skip


def test_per_user_values_give_back_the_means():
    found = compare_domains(checkerboard(users=300), QUICK, Meter()).headline
    means = found.per_user.groupby(["shots", "method"])["value"].mean()
    for shot in found.shots:
        for method, interval in shot.methods.items():
            assert means[shot.shots, method] == pytest.approx(interval.mean)
            assert interval.low <= interval.mean <= interval.high
    assert list(found.per_user.columns) == ["user_id", "shots", "metric", "method", "value"]


@pytest.mark.parametrize("method", PRIORS)
def test_every_prior_helps_where_taste_is_shared_and_only_there(method):
    settings = replace(QUICK, method=method)
    found = compare_domains(checkerboard(users=300), settings, Meter())
    assert found.chosen["ranking"].method == method
    assert found.headline.verdict[0] == "helps"
    assert found.headline.shots[0].transfer == method
    assert set(found.headline.shots[0].gains) == {method}
    noise = compare_domains(checkerboard(users=300, shared=False), settings, Meter())
    assert "helps" not in noise.headline.verdict.values()


def test_auto_measures_all_priors_and_lists_use_the_one_that_validation_users_chose():
    found = compare_domains(checkerboard(users=300), QUICK, Meter())
    chosen = found.chosen["ranking"]
    scores = {row["method"]: row["ndcg@10"] for row in chosen.tried if row["method"] in PRIORS}
    assert set(scores) == set(PRIORS)
    assert scores[chosen.method] == max(scores.values())
    for shot in found.headline.shots:
        assert shot.transfer == chosen.method
        assert set(shot.gains) == set(shot.p_holm) == set(PRIORS)
        assert shot.gain is shot.gains[chosen.method]
        for method, gain in shot.gains.items():
            mean = shot.methods[method].mean - shot.methods[shot.best_baseline].mean
            assert gain.mean == pytest.approx(mean)
            assert gain.p <= shot.p_holm[method] <= min(1.0, 2 * gain.p)


@pytest.mark.parametrize("method", PRIORS)
def test_held_out_ratings_enter_nothing_but_the_measurement(method):
    """Garbage in the test users' test ratings changes no fit, no choice and no prediction."""
    pair = checkerboard(users=300)
    split = split_users(pair, QUICK)
    matrix = pair.target.matrix.copy()
    for row, position in enumerate(split.test.positions):
        user = pair.target_rows[position]
        cells = slice(matrix.indptr[user], matrix.indptr[user + 1])
        tested = np.isin(matrix.indices[cells], split.test.test[[row], :].indices)
        matrix.data[cells] = np.where(tested, 99.0, matrix.data[cells])
    spoiled = replace(pair, target=replace(pair.target, matrix=sp.csr_array(matrix)))
    settings = replace(QUICK, feedback="ratings", method=method)
    clean = compare_domains(pair, settings, Meter())
    dirty = compare_domains(spoiled, settings, Meter())
    assert clean.chosen == dirty.chosen
    # The item mean was learned from clean ratings of 4 and 5, so it misses 99 by about 94.5.
    assert dirty.ratings.shots[0].methods["item_mean"].mean == pytest.approx(94.5, abs=0.6)


def test_the_same_seed_gives_the_same_numbers():
    pair = checkerboard(users=150)
    one, two = (compare_domains(pair, QUICK, Meter()).headline for _ in range(2))
    assert one.shots == two.shots
    other = compare_domains(pair, replace(QUICK, seed=1), Meter()).headline
    assert other.shots != one.shots


def test_no_overlap_and_too_few_users_are_named():
    with pytest.raises(NoOverlapError, match="share no user ids"):
        compare_domains(checkerboard(overlap=0), QUICK, Meter())
    with pytest.raises(TooFewUsersError, match="shared users"):
        compare_domains(checkerboard(overlap=12), QUICK, Meter())


def test_progress_rises_to_one_and_cancel_stops():
    seen = []
    compare_domains(checkerboard(users=150), QUICK, Meter(lambda p: seen.append(p.fraction)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(progress) -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        compare_domains(checkerboard(users=150), QUICK, Meter(stop))


def test_the_search_climbs_to_the_best_of_the_grid():
    search = Search((8, 16, 32, 64), (0.001, 0.01, 0.1, 1.0))

    def height(candidate) -> float:
        return -abs(candidate[0] - 16) - 10 * abs(np.log10(candidate[1]) + 3)

    best = None
    seen = []
    while (candidate := search.next(best)) is not None:
        seen.append(candidate)
        spec = FitSpec("implicit", "als", *candidate, 0.2, 1.0, 0)
        if best is None or height(candidate) > height((best.rank, best.lam)):
            best = spec
    assert (best.rank, best.lam) == (16, 0.001)
    assert len(seen) == len(set(seen)) <= MAX_CANDIDATES


def test_nmf_is_compared_in_the_same_way():
    found = compare_domains(checkerboard(users=300), replace(QUICK, model="nmf"), Meter()).headline
    assert found.verdict[0] == "helps"
