"""From two tables to evidence and lists, on worlds with a known answer."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from worlds import checkerboard, ratings_of

import transrec_core as tr
from transrec_core.data.items import Items
from transrec_core.data.report import ImportReport
from transrec_core.errors import (
    BadSettingError,
    Cancelled,
    NoOverlapError,
    NothingNewError,
    RankTooLargeError,
    TransrecWarning,
    UnknownUserWarning,
)
from transrec_core.recommending import listed_methods, listed_users
from transrec_core.running import NOT_MEASURED, lists_from, recommend_from
from transrec_core.settings import Settings

QUICK = Settings(feedback="implicit", rank=4, lam=0.02, shots=(0, 1, 5))


@pytest.fixture(scope="module")
def pair():
    """240 users of the source, of whom 200 are in the target too and 40 are cold."""
    return checkerboard(users=240, overlap=200)


@pytest.fixture(scope="module")
def done(pair) -> tr.Run:
    return tr.run(ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv"), QUICK)


def parity(ids: pd.Series) -> np.ndarray:
    return ids.str.lstrip("tui").astype(int).to_numpy() % 2


def test_lists_hold_unseen_items_of_the_users_taste_in_order(pair, done):
    lists = tr.recommend_for(done.fit, list(listed_users(pair)), top=5, chosen=done.chosen)
    assert set(lists["user_id"]) == set(pair.source.users)
    assert (lists.groupby("user_id")["rank"].apply(list).map(lambda r: r == [1, 2, 3, 4, 5])).all()
    for _, one in lists.groupby("user_id"):
        assert one["score"].is_monotonic_decreasing
        assert one["item_id"].is_unique
    seen = {
        (pair.target.users[u], pair.target.items[i])
        for u, i in zip(*pair.target.matrix.nonzero(), strict=True)
    }
    assert not seen & set(zip(lists["user_id"], lists["item_id"], strict=True))
    cold = lists[~lists["user_id"].isin(pair.target.users)]
    assert len(cold) == 40 * 5
    assert (cold["method"] == done.chosen.method).all()
    assert (parity(cold["user_id"]) == parity(cold["item_id"])).mean() > 0.95


def test_a_shorter_catalogue_gives_a_shorter_list(pair, done):
    one = tr.recommend_for(done.fit, ["u000"], top=1000)
    assert len(one) == 40 - 14


def test_methods_fall_back_and_say_so(pair, done):
    users = ["u001", "u239", "tu220", "nobody"]
    served = {
        method: tr.recommend_for(done.fit, users, top=1, method=method)["method"].tolist()
        for method in listed_methods(done.fit)
    }
    moved = done.fit.method
    assert served[moved] == [moved, moved, "target_only", "popularity"]
    assert served["target_only"] == ["target_only", "popularity", "target_only", "popularity"]
    assert served["popularity"] == ["popularity"] * 4


def test_auto_follows_what_validation_users_settled(done):
    never = replace(
        done.chosen,
        transfer_at={0: False, 1: False, 5: False},
        fallback_at={0: "popularity", 1: "popularity", 5: "target_only"},
    )
    served = tr.recommend_for(done.fit, ["u239", "u001"], top=1, chosen=never)["method"]
    assert served.tolist() == ["popularity", "target_only"]
    rated = replace(never, fallback_at={0: "biases", 1: "biases", 5: "item_mean"})
    served = tr.recommend_for(done.fit, ["u239", "u001"], top=1, chosen=rated)["method"]
    assert served.tolist() == ["popularity", "target_only"]
    cold_only = replace(never, transfer_at={0: True, 1: False, 5: False})
    served = tr.recommend_for(done.fit, ["u239", "u001"], top=1, chosen=cold_only)["method"]
    assert served.tolist() == [done.chosen.method, "target_only"]


def test_chunks_change_nothing(done, monkeypatch):
    users = [f"u{n:03d}" for n in range(0, 240, 7)]
    whole = tr.recommend_for(done.fit, users)
    monkeypatch.setattr("transrec_core.ranking.CHUNK_CELLS", 100)
    # Up to single-precision rounding of scores that are themselves about zero.
    pd.testing.assert_frame_equal(tr.recommend_for(done.fit, users), whole, atol=1e-6)


def test_lists_come_some_users_at_a_time(done, monkeypatch):
    whole = recommend_from(done, top=3)
    monkeypatch.setattr(
        "transrec_core.ranking.CHUNK_CELLS", 7 * done.fit.pair.target.matrix.shape[1]
    )
    parts = list(lists_from(done, top=3))
    assert {part["user_id"].nunique() for part in parts[:-1]} == {7}
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole, atol=1e-6)


def test_ids_that_nobody_knows_are_warned_of(pair, done):
    known = ["u001", "u239"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recommend_from(done)
        recommend_from(done, users=known)
    asked = [*known, "U001", "x1", "x2", " u001"]
    words = (
        r"4 of 6 user ids are in neither catalogue \(such as 'U001', 'x1', 'x2'\): they get "
        "popular items. Check for"
    )
    with pytest.warns(UnknownUserWarning, match=words) as told:
        lists = recommend_from(done, users=asked)
    assert told[0].filename == __file__
    assert set(lists.set_index("user_id").loc[asked[2:], "method"]) == {"popularity"}
    with pytest.warns(UnknownUserWarning, match=r"1 of 1 user id is in neither .*: it gets"):
        tr.recommend(
            ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv"),
            replace(QUICK, method="factor_map"), users=["x1"],
        )  # fmt: skip


def test_order_of_users_is_kept_and_none_is_fine(done):
    lists = tr.recommend_for(done.fit, ["u005", "u001"], top=1)
    assert lists["user_id"].tolist() == ["u005", "u001"]
    assert list(tr.recommend_for(done.fit, []).columns) == [
        "user_id", "item_id", "rank", "score", "method",
    ]  # fmt: skip


def test_wrong_method_or_length_is_refused(done):
    with pytest.raises(BadSettingError, match="magic"):
        tr.recommend_for(done.fit, ["u001"], method="magic")
    with pytest.raises(BadSettingError, match="at least 1"):
        tr.recommend_for(done.fit, ["u001"], top=0)


def test_a_run_can_travel_between_processes_whole(done):
    other = pickle.loads(pickle.dumps(done))
    pd.testing.assert_frame_equal(
        tr.recommend_for(other.fit, ["u001"]), tr.recommend_for(done.fit, ["u001"])
    )
    assert other.comparison.headline.shots == done.comparison.headline.shots


def test_recommend_is_run_and_lists(pair, done):
    source, target = ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv")
    names = pd.DataFrame(
        {"title": [f"Book {i}" for i in pair.target.items], "genres": "", "description": ""},
        index=pd.Index(pair.target.items, name="item_id"),
    )
    lists = tr.recommend(
        source, target, QUICK, users=["u239"], items=Items(names, ImportReport("i.csv", True))
    )
    assert (lists["title"] == "Book " + lists["item_id"]).all()
    same = tr.recommend_for(done.fit, ["u239"], chosen=done.chosen)
    pd.testing.assert_frame_equal(lists.drop(columns="title"), same)
    quick = tr.recommend(source, target, replace(QUICK, method="factor_map"), users=["u239"])
    assert (quick["method"] == "factor_map").all()


def test_ratings_feedback_predicts_in_rating_units(pair):
    settings = replace(QUICK, feedback="ratings", method="factor_map")
    lists = tr.recommend(
        ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv"), settings,
        users=["u238", "u236"],
    )  # fmt: skip
    by_user = lists.groupby("user_id")["score"].mean()
    assert by_user["u238"] == pytest.approx(5, abs=0.35)
    assert by_user["u236"] == pytest.approx(4, abs=0.35)


def test_too_few_users_still_gives_lists_without_evidence():
    pair = checkerboard(users=40, overlap=20)
    done = tr.run(ratings_of(pair.source, "s"), ratings_of(pair.target, "t"), QUICK)
    assert done.comparison is None
    assert "Only 20 of 20 shared users" in done.no_comparison
    assert len(tr.recommend_for(done.fit, ["u039"])) == 10


def test_no_overlap_and_a_huge_rank_are_refused_before_any_work():
    calls = []
    pair = checkerboard(users=60, overlap=0)
    source, target = ratings_of(pair.source, "s"), ratings_of(pair.target, "t")
    with pytest.raises(NoOverlapError, match=r"Source \(60 users\) and target \(60 users\)"):
        tr.run(source, target, QUICK, on_progress=calls.append)
    pair = checkerboard(users=60)
    source, target = ratings_of(pair.source, "s"), ratings_of(pair.target, "t")
    with pytest.raises(RankTooLargeError, match="60 users × 40 items"):
        tr.run(source, target, replace(QUICK, rank=41), on_progress=calls.append)
    assert calls == []


def test_progress_covers_the_whole_run_and_can_stop_it(pair):
    source, target = ratings_of(pair.source, "s"), ratings_of(pair.target, "t")
    seen: list[tr.Progress] = []
    tr.run(source, target, QUICK, on_progress=seen.append)
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {"Choosing parameters for lists", "Fitting all data"} <= {p.stage for p in seen}

    def stop(progress: tr.Progress) -> None:
        if progress.fraction > 0.3:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        tr.run(source, target, QUICK, on_progress=stop)


def test_history_is_best_first_and_empty_for_strangers(pair):
    mine = tr.history(pair.target, "u002")
    assert len(mine) == 14
    assert mine["rating"].is_monotonic_decreasing
    assert tr.history(pair.target, "nobody").empty
    items = pd.DataFrame({"title": ["Only one"], "genres": ["g"]}, index=[mine["item_id"].iloc[0]])
    named = tr.history(pair.target, "u002", items)
    assert sorted(named["title"])[-1] == "Only one"
    assert (named["title"] == "").sum() == 13


def test_whoever_has_no_finite_score_is_served_by_popularity_and_says_so(done):
    place = done.pair.source.users.get_loc("u001")
    fit = done.fit.by("factor_map")
    features = fit.knowledge.features.copy()
    features[place] = np.nan
    broken = replace(fit, knowledge=replace(fit.knowledge, features=features))
    lists = tr.recommend_for(broken, ["u000", "u001", "u239"], method="factor_map")
    assert np.isfinite(lists["score"]).all()
    served = lists.groupby("user_id")["method"].unique().map(list).to_dict()
    assert served == {
        "u000": ["factor_map"], "u001": ["popularity"], "u239": ["factor_map"]
    }  # fmt: skip


def test_who_had_every_item_is_told_of_and_nobody_else_is_left_out(pair, tmp_path):
    """One user of the source has all of the target; all others get their lists."""
    everything = pd.DataFrame({"user_id": "u000", "item_id": pair.target.items, "rating": 4.0})
    target = ratings_of(pair.target, "t.csv")
    others = target.frame[target.frame["user_id"] != "u000"]
    full = replace(target, frame=pd.concat([others, everything], ignore_index=True))
    result = tr.run(ratings_of(pair.source, "s.csv"), full, QUICK, compare=False)
    with pytest.warns(TransrecWarning, match=r"1 user has every item .*'u000'.*no list") as told:
        lists = recommend_from(result)
    assert len(told) == 1
    assert set(lists["user_id"]) == set(pair.source.users) - {"u000"}
    with (
        pytest.warns(TransrecWarning),
        pytest.raises(NothingNewError, match="nothing to list: 1 user has every item"),
    ):
        recommend_from(result, users=["u000"])
    with pytest.warns(TransrecWarning, match="1 user has every item"):
        tr.write_run_folder(result, tmp_path / "run")
    opened = tr.open_run_folder(tmp_path / "run")
    assert opened.run.no_comparison == NOT_MEASURED
    assert set(pd.concat(opened.all_lists())["user_id"]) == set(lists["user_id"])


def test_the_public_names_exist():
    assert set(tr.__all__) <= set(dir(tr))
    for name in tr.__all__:
        assert getattr(tr, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        tr.nonsense  # noqa: B018
