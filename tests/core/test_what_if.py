"""What a user would get with other rows: the same fit, asked of what was changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from worlds import checkerboard, texts_of

from transrec_core.content.features import words_domain
from transrec_core.data.linking import link
from transrec_core.errors import BadSettingError
from transrec_core.evidence.results import Chosen
from transrec_core.explaining import explain
from transrec_core.extras import installed
from transrec_core.recommending import history, listed_methods, recommend_for
from transrec_core.settings import DEEP, PRIORS
from transrec_core.supposing import what_if
from transrec_core.transfer.fitting import FitSpec, fit_transfer
from transrec_core.transfer.fold_in import prior_precision
from transrec_core.transfer.knowledge import Ground

READ_FACTORS = ("factor_map", *DEEP)
STRENGTHS = {"strength": {0: 0.5, 13: 2.0}, "mean_strength": {0: 0.0, 13: 0.7}}


def fitted(method="factor_map", feedback="implicit", model="als", **changes):
    spec = FitSpec(feedback, model, 4, 0.02, 0.2, 1.0, 0)
    pair = checkerboard(users=200, overlap=150)
    return fit_transfer(pair, spec, method=method, texts=texts_of(pair), **STRENGTHS, **changes)


@pytest.fixture(scope="module")
def fits():
    """One fit a method and feedback, where the method knows that feedback."""
    methods = [method for method in PRIORS if method not in DEEP or installed("deep")]
    kinds = [(method, "implicit") for method in methods]
    lists_alone = ("ridge", "two_tower")
    kinds += [(method, "ratings") for method in methods if method not in lists_alone]
    with pytest.MonkeyPatch.context() as patch:
        # What has hardly learned is less smooth than is asked below.
        patch.setattr("transrec_core.transfer.deep.training.UPDATES", 200)
        return {kind: fitted(*kind) for kind in kinds}


def rows(domain, user):
    """A user's interactions as changes would name them."""
    found = history(domain, user)
    return dict(zip(found["item_id"], found.get("rating", np.ones(len(found))), strict=True))


def scores(fit, user, method):
    """Every item's score for a user, in the order of the items."""
    found = recommend_for(fit, [user], top=10_000, method=method, keep_seen=True)
    return found.set_index("item_id")["score"].reindex(fit.pair.target.items).to_numpy()


@pytest.mark.parametrize("user", ["u003", "u170", "tu180", "nobody"])
def test_without_changes_the_scores_are_the_present_ones(fits, user):
    for (method, feedback), fit in fits.items():
        same = what_if(fit, user)
        # The rows are folded in: source factors differ by the last half-sweep's move.
        near = 0.06 if method in DEEP else 0.02 if method in READ_FACTORS else 1e-6
        for served in listed_methods(fit):
            before, after = scores(fit, user, served), scores(same, user, served)
            off = np.abs(after - before).max() / max(np.abs(before).max(), 1e-9)
            assert off <= (near if served == method else 1e-6), (method, feedback, served, off)


def test_a_fold_in_gives_a_users_source_factors_up_to_the_last_half_sweep(fits):
    for feedback in ("implicit", "ratings"):
        known = fits["factor_map", feedback].knowledge
        folded = known.of(known.matrix).features
        spread = known.features.std(axis=0).max()
        assert np.abs(folded - known.features).max() < 0.05 * spread
        # Bias and log(1 + n) come from the row alone.
        own = slice(4, None)
        np.testing.assert_allclose(folded[:, own], known.features[:, own], rtol=1e-6, atol=1e-8)


def test_with_somebody_elses_rows_a_user_gets_what_they_get(fits):
    """Nothing but the rows may count: ids, training and trained factors of the user do not."""
    for (method, feedback), fit in fits.items():
        changes = {}
        for name in ("source", "target"):
            domain = getattr(fit.pair, name)
            dropped = dict.fromkeys(rows(domain, "u003"))
            changes[name] = dropped | rows(domain, "u010")
        turned, other = what_if(fit, "u003", **changes), what_if(fit, "u010")
        for served in listed_methods(fit):
            np.testing.assert_allclose(
                scores(turned, "u003", served),
                scores(other, "u010", served),
                rtol=1e-5, atol=1e-6, err_msg=f"{method} {feedback} {served}",
            )  # fmt: skip


def test_changed_target_rows_are_folded_in_as_the_equations_say(fits):
    fit = fits["factor_map", "implicit"]
    items = fit.pair.target.items
    had = list(rows(fit.pair.target, "u003"))
    added = [item for item in items if item not in had][:2]
    asked = what_if(
        fit, "u003", target={had[0]: None, had[1]: None, had[2]: None, added[0]: 5, added[1]: 5}
    )
    now = items.get_indexer(pd.Index([*had[3:], *added]))
    model = fit.target
    V = model.item_factors.astype(np.float64)
    prior = fit.knowledge.of(fit.pair.source.matrix[[3]]).predict(np.array([0])).factors[0]
    assert len(now) == 13
    H = prior_precision(model, 2.0)  # thirteen interactions: the second strength
    own = 2 * model.lam * len(now)
    u = np.linalg.solve(V[now].T @ V[now] + H + own * np.eye(4), V[now].sum(axis=0) + H @ prior)
    np.testing.assert_allclose(scores(asked, "u003", "factor_map"), V @ u, rtol=1e-4, atol=1e-5)
    # One interaction fewer, and the first strength counts.
    fewer = what_if(
        fit, "u003", target={**dict.fromkeys(had[:3]), **dict.fromkeys(added, 5), had[3]: None}
    )
    now = now[1:]
    H = prior_precision(model, 0.5)
    own = 2 * model.lam * len(now)
    u = np.linalg.solve(V[now].T @ V[now] + H + own * np.eye(4), V[now].sum(axis=0) + H @ prior)
    np.testing.assert_allclose(scores(fewer, "u003", "factor_map"), V @ u, rtol=1e-4, atol=1e-5)


def test_without_target_rows_a_user_is_cold(fits):
    for (method, _), fit in fits.items():
        asked = what_if(fit, "u003", target=dict.fromkeys(rows(fit.pair.target, "u003")))
        row = fit.knowledge.of(fit.pair.source.matrix[[3]]).scorer(fit.target, np.array([0]))
        nothing = fit.pair.target.matrix[[3]][:, :0]
        nothing.resize((1, len(fit.pair.target.items)))
        expected = row.scores(slice(None), nothing, STRENGTHS["strength"][0])[0]
        np.testing.assert_allclose(scores(asked, "u003", method), expected, rtol=1e-5, atol=1e-6)
        assert set(recommend_for(asked, ["u003"], method="target_only")["method"]) == {"popularity"}


def test_a_changed_rating_matters_where_ratings_are_predicted(fits):
    for (method, feedback), fit in fits.items():
        item = next(iter(rows(fit.pair.source, "u170")))
        before = scores(what_if(fit, "u170"), "u170", method)
        after = scores(what_if(fit, "u170", source={item: 1}), "u170", method)
        moved = np.abs(after - before).max() > 1e-6
        assert moved == (feedback == "ratings" and method not in ("codebook", "content")), method


def test_source_rows_move_transfer_and_nothing_else(fits):
    for (method, feedback), fit in fits.items():
        changes = dict.fromkeys([f"i{n:03d}" for n in range(1, 40, 2)], 5.0)
        dropped = dict.fromkeys(rows(fit.pair.source, "u004"))
        asked = what_if(fit, "u004", source=dropped | changes)
        for served in ("target_only", "popularity"):
            np.testing.assert_array_equal(
                scores(asked, "u004", served), scores(fit, "u004", served)
            )
        moved = scores(asked, "u004", method) - scores(what_if(fit, "u004"), "u004", method)
        if method == "codebook":
            assert not moved.any()
        elif feedback == "implicit":
            # Somebody of the even kind who took odd items in the source.
            assert moved[1::2].mean() > moved[::2].mean(), method


def test_lists_leave_out_what_was_added_and_may_name_what_was_dropped(fits):
    fit = fits["row_map", "implicit"]
    had = rows(fit.pair.target, "u004")
    for method in listed_methods(fit):
        best = recommend_for(fit, ["u004"], method=method)["item_id"].tolist()
        asked = what_if(fit, "u004", target={best[0]: 5, **dict.fromkeys(had)})
        now = recommend_for(asked, ["u004"], top=100, method=method)["item_id"].tolist()
        assert best[0] not in now
        assert set(had) <= set(now)
        assert len(now) == len(fit.pair.target.items) - 1


def test_without_any_source_row_a_user_is_not_in_the_source(fits):
    fit = fits["joint", "implicit"]
    asked = what_if(fit, "u004", source=dict.fromkeys(rows(fit.pair.source, "u004")))
    assert set(recommend_for(asked, ["u004"])["method"]) == {"target_only"}
    # And somebody whom only the target knows may be given one.
    assert set(recommend_for(fit, ["tu180"])["method"]) == {"target_only"}
    asked = what_if(fit, "tu180", source={"i000": 5})
    assert set(recommend_for(asked, ["tu180"])["method"]) == {"joint"}


def test_somebody_new_is_known_by_what_is_given(fits):
    for (method, feedback), fit in fits.items():
        asked = what_if(fit, "nobody", source={"i000": 5, "i002": 4}, target={"i004": 5})
        found = recommend_for(asked, ["nobody"], method=method)
        assert set(found["method"]) == {method}
        assert "i004" not in set(found["item_id"])
        # Networks learned from users of fourteen items, and may be wrong about one of two.
        if method not in ("codebook", *DEEP) and feedback == "implicit":
            even = found["item_id"].str[1:].astype(int) % 2 == 0
            assert even.mean() > 0.8, method


@pytest.mark.parametrize("method", ["factor_map", "row_map", "joint", "ridge", "content"])
def test_reasons_of_changed_rows_sum_to_the_changed_score(fits, method):
    fit = fits[method, "implicit"]
    chosen = Chosen(
        method, 4, 0.02, STRENGTHS["strength"], STRENGTHS["mean_strength"], {0: True},
        {0: "popularity"}, blend={0: 1.0, 1: 0.3},
    )  # fmt: skip
    had = rows(fit.pair.target, "u004")
    asked = what_if(fit, "u004", source={"i001": 5}, target={"i003": 4, next(iter(had)): None})
    found = recommend_for(asked, ["u004"], chosen=chosen)
    reasons = explain(asked, "u004", found["item_id"].tolist(), chosen=chosen)
    for row, reason in zip(found.itertuples(), reasons, strict=True):
        assert reason.weight == 0.3
        assert {("source", "i001"), ("target", "i003")} <= set(
            reason.parts[["domain", "item_id"]].itertuples(index=False, name=None)
        )
        total = reason.general + reason.parts["contribution"].sum()
        assert total == pytest.approx(row.score, rel=2e-4, abs=2e-5)


def test_non_negative_factors_are_folded_in_too():
    fit = fitted(model="nmf", feedback="implicit")
    before, after = (scores(one, "u004", "factor_map") for one in (fit, what_if(fit, "u004")))
    assert np.abs(after - before).max() < 0.05 * np.abs(before).max()
    asked = what_if(fit, "u004", target={"i001": 5, "i003": 5})
    assert scores(asked, "u004", "target_only")[5::2].mean() > before[5::2].mean()


def test_where_items_are_new_their_users_can_be_changed():
    pair = checkerboard(users=200, overlap=150)
    items = link(pair.source.transposed(), pair.target.transposed())
    fit = fit_transfer(items, FitSpec("implicit", "als", 4, 0.02, 0.2, 1.0, 0), method="row_map")
    asked = what_if(fit, "i004", target={"u001": 5})
    before, after = (
        recommend_for(one, ["i004"], top=200, method="row_map")["item_id"] for one in (fit, asked)
    )
    assert "u001" in set(before)
    assert "u001" not in set(after)

    frame = texts_of(pair).target.assign(description=[f"word{n % 5}" for n in range(40)])
    told = link(words_domain(frame), pair.target.transposed())
    ground = Ground(told, "implicit", 0, by_words=True)
    fit = fit_transfer(told, fit.spec, method="content", ground=ground)
    np.testing.assert_allclose(
        scores(what_if(fit, "i004"), "i004", "content"), scores(fit, "i004", "content"), rtol=1e-6
    )
    odd = {f"u{n:03d}": 5 for n in range(1, 40, 2)}
    asked = what_if(fit, "i004", target=odd)
    assert set(odd).isdisjoint(recommend_for(asked, ["i004"], top=200)["item_id"])
    with pytest.raises(BadSettingError, match="text says cannot be changed"):
        what_if(fit, "i004", source={"comedy": 1})


def test_a_codebook_of_two_catalogues_that_share_nobody_can_be_asked():
    pair = checkerboard().unlinked()
    spec = FitSpec("implicit", "als", 4, 0.02, 0.2, 1.0, 0)
    fit = fit_transfer(pair, spec, method="codebook")
    np.testing.assert_allclose(
        scores(what_if(fit, "u004"), "u004", "codebook"), scores(fit, "u004", "codebook"), rtol=1e-6
    )
    asked = what_if(fit, "u004", target={"i001": 5})
    assert set(recommend_for(asked, ["u004"])["method"]) == {"codebook"}


def test_a_row_that_was_empty_from_the_start_stays_known():
    pair = checkerboard(users=200, overlap=150)
    none_left = pair.source.without_items(np.arange(40)[1::2])
    fit = fit_transfer(
        link(none_left, pair.target), FitSpec("implicit", "als", 4, 0.02, 0.2, 1.0, 0),
        method="row_map",
    )  # fmt: skip
    assert history(none_left, "u003").empty
    np.testing.assert_allclose(
        scores(what_if(fit, "u003"), "u003", "row_map"), scores(fit, "u003", "row_map"), rtol=1e-6
    )


def test_seen_items_can_be_kept(fits):
    fit = fits["row_map", "implicit"]
    had = rows(fit.pair.target, "u004")
    for method in listed_methods(fit):
        kept = recommend_for(fit, ["u004"], top=100, method=method, keep_seen=True)
        left = recommend_for(fit, ["u004"], top=100, method=method)
        assert set(kept["item_id"]) == set(fit.pair.target.items)
        assert set(kept["item_id"]) - set(left["item_id"]) == set(had)
        same = kept[~kept["item_id"].isin(had)].reset_index(drop=True)
        pd.testing.assert_frame_equal(same.drop(columns="rank"), left.drop(columns="rank"))


def test_what_cannot_be_changed_is_named(fits):
    fit = fits["row_map", "implicit"]
    missing = next(i for i in fit.pair.target.items if i not in rows(fit.pair.target, "u004"))
    for changes, words in (
        ({"source": {"none": 5}}, "'none' is no source item"),
        ({"target": {"none": None}}, "'none' is no target item"),
        ({"target": {missing: None}}, "no target interaction with"),
        ({"target": {missing: float("nan")}}, "must be a number"),
    ):
        with pytest.raises(BadSettingError, match=words):
            what_if(fit, "u004", **changes)


def test_the_fit_itself_stays_as_it_is(fits):
    fit = fits["joint", "ratings"]
    before = fit.pair.target.matrix.copy()
    what_if(fit, "u004", target=dict.fromkeys(rows(fit.pair.target, "u004")))
    assert (before != fit.pair.target.matrix).nnz == 0
    assert replace(fit).pair is fit.pair
