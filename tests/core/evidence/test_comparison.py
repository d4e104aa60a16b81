"""The comparison on worlds with a known answer, and its proof against leakage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from saved_runs import require_same
from worlds import checkerboard, ratings_of, texts_of

from transrec_core.data.interactions import keep_cells
from transrec_core.errors import Cancelled, NoOverlapError, TooFewUsersError
from transrec_core.evidence.choosing import MAX_CANDIDATES, Axis, Search
from transrec_core.evidence.cohorts import COLUMNS
from transrec_core.evidence.comparison import compare_domains
from transrec_core.evidence.splitting import split_users
from transrec_core.persistence import load_run, run_bytes
from transrec_core.progress import Meter
from transrec_core.running import run
from transrec_core.settings import DEEP, PRIORS, Settings

LINKED = tuple(method for method in PRIORS if method not in ("codebook", *DEEP))
"""Methods that know something of single users."""

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
        "popularity", "target_only", "ease", "factor_map", "row_map", "ridge", "joint",
        "auto",
    }  # fmt: skip


def test_per_user_values_give_back_the_means():
    found = compare_domains(checkerboard(users=300), QUICK, Meter()).headline
    means = found.per_user.groupby(["shots", "method"])["value"].mean()
    for shot in found.shots:
        for method, interval in shot.methods.items():
            assert means[shot.shots, method] == pytest.approx(interval.mean)
            assert interval.low <= interval.mean <= interval.high
    assert list(found.per_user.columns) == ["user_id", "shots", "metric", "method", "value"]


@pytest.mark.parametrize("method", LINKED)
def test_every_prior_helps_where_taste_is_shared_and_only_there(method):
    settings = replace(QUICK, method=method)
    pair = checkerboard(users=300)
    found = compare_domains(pair, settings, Meter(), texts=texts_of(pair))
    assert found.chosen["ranking"].method == method
    assert found.headline.verdict[0] == "helps"
    assert found.headline.shots[0].transfer == method
    assert set(found.headline.shots[0].gains) == {method, "auto"}
    pair = checkerboard(users=300, shared=False)
    noise = compare_domains(pair, settings, Meter(), texts=texts_of(pair))
    assert "helps" not in noise.headline.verdict.values()


def test_auto_measures_all_priors_and_lists_use_the_one_that_validation_users_chose():
    pair = checkerboard(users=300)
    found = compare_domains(pair, QUICK, Meter(), texts=texts_of(pair))
    chosen = found.chosen["ranking"]
    scores: dict[str, float] = {}
    for row in chosen.tried:
        if row["method"] in PRIORS:
            scores[row["method"]] = max(row["ndcg@10"], scores.get(row["method"], 0.0))
    assert set(scores) == set(LINKED)
    assert set(chosen.left_out) == {"codebook", *DEEP}
    assert scores[chosen.method] == max(scores.values())
    for shot in found.headline.shots:
        assert shot.transfer == chosen.method
        assert set(shot.gains) == {*LINKED, "auto"}
        assert set(shot.p_holm) == set(LINKED)
        assert shot.gain is shot.gains[chosen.method]
        for method, gain in shot.gains.items():
            mean = shot.methods[method].mean - shot.methods[shot.best_baseline].mean
            assert gain.mean == pytest.approx(mean)
            if method != "auto":
                assert gain.p <= shot.p_holm[method] <= min(1.0, len(LINKED) * gain.p)


@pytest.mark.parametrize("method", [method for method in LINKED if method != "ridge"])
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
    clean = compare_domains(pair, settings, Meter(), texts=texts_of(pair))
    dirty = compare_domains(spoiled, settings, Meter(), texts=texts_of(pair))
    assert clean.chosen == dirty.chosen
    # The item mean was learned from clean ratings of 4 and 5, so it misses 99 by about 94.5.
    assert dirty.ratings.shots[0].methods["item_mean"].mean == pytest.approx(94.5, abs=0.6)


@pytest.mark.parametrize("feedback", ["implicit", "ratings"])
def test_whatever_stands_in_the_test_users_rows_every_method_ends_at_the_same_numbers(feedback):
    """Items and ratings of the test users are replaced; only what was held out of them judges."""
    pair = checkerboard(users=300)
    split = split_users(pair, QUICK)
    random = np.random.default_rng(0)
    matrix = pair.target.matrix.copy()
    for user in pair.target_rows[split.test.positions]:
        cells = slice(matrix.indptr[user], matrix.indptr[user + 1])
        size = cells.stop - cells.start
        matrix.indices[cells] = np.sort(random.choice(matrix.shape[1], size, replace=False))
        matrix.data[cells] = 99
    spoiled = replace(pair, target=replace(pair.target, matrix=matrix))
    settings = replace(QUICK, feedback=feedback)
    clean, dirty = (
        compare_domains(p, settings, Meter(), split, texts_of(pair)) for p in (pair, spoiled)
    )
    assert clean.chosen == dirty.chosen
    assert set(clean.headline.shots[0].methods) >= set(LINKED) - {"ridge"}
    assert clean.headline.shots == dirty.headline.shots
    pd.testing.assert_frame_equal(clean.headline.cohorts, dirty.headline.cohorts)


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


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_small_pair_gives_evidence_that_can_be_kept(share):
    """Cohorts of so few users have no rows; their table has its types all the same."""
    settings = replace(QUICK, test_share=share, shots=(0, 1, 100))
    pair = checkerboard(users=40)
    done = run(ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv"), settings)
    assert done.comparison is not None
    evidence = done.comparison.headline
    assert [shot.shots for shot in evidence.shots] == [0, 1]
    assert "FEW_FOR_SHOTS" in [check.code for check in done.comparison.checks]
    types = {name: kind.__name__ for name, kind in COLUMNS.items()}
    found = {n: str(t).removesuffix("64") for n, t in evidence.cohorts.dtypes.items()}
    assert found == types
    require_same(load_run(run_bytes(done, {"name": "x"}), name="x").run, done)


@pytest.mark.parametrize("method", LINKED)
def test_where_only_the_held_out_have_target_data_there_is_nothing_to_learn_from(method):
    pair = checkerboard(users=60)
    split = split_users(pair, QUICK)
    held = np.concatenate([split.validation.positions, split.test.positions])
    kept = np.isin(np.repeat(np.arange(60), pair.target.counts), pair.target_rows[held])
    target = replace(pair.target, matrix=keep_cells(pair.target.matrix, kept))
    ground = replace(pair, target=target)
    with pytest.raises(TooFewUsersError, match="nothing is left to learn from"):
        compare_domains(ground, replace(QUICK, method=method), Meter(), split, texts_of(pair))


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
    search = Search([Axis("rank", (8, 16, 32, 64), 32), Axis("lam", (0.001, 0.01, 0.1, 1.0), 0.02)])

    def height(candidate) -> float:
        return -abs(np.log2(candidate["rank"]) - 4) - 10 * abs(np.log10(candidate["lam"]) + 3)

    seen = []
    best = None
    while (candidate := search.next()) is not None:
        seen.append(tuple(candidate.values()))
        if search.tell(height(candidate)):
            best = candidate
    assert seen[0] == (32, 0.01)
    assert best == {"rank": 16, "lam": 0.001}
    assert len(seen) == len(set(seen)) <= MAX_CANDIDATES


def test_every_method_has_a_search_of_its_own():
    """The baseline's parameters do not hang on which methods of transfer are tried beside it."""
    pair = checkerboard(users=150)
    settings = replace(QUICK, rank=None, lam=None)
    alone = []
    for method in ("factor_map", "joint"):
        found = compare_domains(pair, replace(settings, method=method), Meter())
        chosen = found.chosen["ranking"]
        alone.append([row for row in chosen.tried if row["method"] == "target_only"])
        assert chosen.parameters[method] != {}
        tried = [row for row in chosen.tried if row["method"] == method]
        assert 2 < len(tried) <= MAX_CANDIDATES
    assert alone[0] == alone[1]
    assert len(alone[0]) > 2


def test_auto_is_one_of_the_methods_or_a_baseline_and_never_far_below():
    for shared in (True, False):
        found = compare_domains(checkerboard(users=300, shared=shared), QUICK, Meter())
        chosen = found.chosen["ranking"]
        for shot in found.headline.shots:
            weight = chosen.blend[shot.shots]
            assert (weight > 0) == chosen.transfer_at[shot.shots]
            if weight == 0:
                assert shot.gains["auto"].mean == 0
            elif weight == 1:
                assert shot.methods["auto"] == shot.methods[chosen.method]
            assert shot.gains["auto"].high >= 0


def test_a_small_budget_leaves_methods_out_and_says_so():
    found = compare_domains(checkerboard(users=150), replace(QUICK, budget=1e-9), Meter())
    chosen = found.chosen["ranking"]
    assert set(chosen.parameters) == {"target_only", "factor_map"}
    assert "budget" in chosen.left_out["row_map"]


def test_nmf_is_compared_in_the_same_way():
    found = compare_domains(checkerboard(users=300), replace(QUICK, model="nmf"), Meter()).headline
    assert found.verdict[0] == "helps"


def test_what_every_method_took_to_fit_is_told():
    pair = checkerboard(users=300)
    found = compare_domains(pair, QUICK, Meter(), texts=texts_of(pair)).headline
    assert set(found.fit_seconds) == {*LINKED, "target_only", "ease"}
    assert min(found.fit_seconds.values()) > 0
    # Both factorizations and the learning, not the learning alone.
    assert found.fit_seconds["factor_map"] > found.fit_seconds["target_only"] / 2
