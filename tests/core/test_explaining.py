"""Reasons are exact: they sum to the score of the list."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from needs import marked
from worlds import checkerboard, texts_of

from transrec_core.errors import BadSettingError
from transrec_core.evidence.results import Chosen
from transrec_core.explaining import explain
from transrec_core.recommending import recommend_for
from transrec_core.settings import DEEP, PRIORS
from transrec_core.transfer.fitting import FitSpec, fit_transfer
from transrec_core.transfer.ridge import fit_ease

LINEAR = [method for method in PRIORS if method not in ("codebook", *DEEP)]


def fitted(method="factor_map", feedback="implicit", model="als", **changes):
    spec = FitSpec(feedback, model, 4, 0.02, 0.2, 1.0, 0)
    pair = checkerboard(users=200, overlap=150)
    return fit_transfer(pair, spec, method=method, texts=texts_of(pair), **changes)


@pytest.mark.parametrize("directions", [8, 512])
@pytest.mark.parametrize("method", LINEAR)
@pytest.mark.parametrize("user", ["u003", "u170", "tu180"])
def test_the_parts_sum_to_the_score_in_the_list(method, user, directions, monkeypatch):
    """For users of both domains, of the source alone and of the target alone."""
    monkeypatch.setattr("transrec_core.transfer.linear_map.DIRECTIONS", directions)
    fit = fitted(method, strength={0: 0.5, 5: 2.0}, mean_strength={0: 0.0, 5: 0.7})
    for served in ("auto", "target_only"):
        if served == "target_only" and user == "u170":
            continue
        listed = recommend_for(fit, [user], top=6, method=served)
        reasons = explain(fit, user, listed["item_id"].tolist(), method=served)
        for row, reason in zip(listed.itertuples(), reasons, strict=True):
            total = reason.general + reason.parts["contribution"].sum()
            assert reason.item == row.item_id
            assert reason.score == pytest.approx(total, abs=1e-12)
            assert reason.score == pytest.approx(row.score, rel=2e-4, abs=2e-5)


@pytest.mark.parametrize("method", LINEAR)
def test_reasons_come_from_both_histories_and_from_what_is_alike(method):
    fit = fitted(method)
    listed = recommend_for(fit, ["u004"], top=1)
    (reason,) = explain(fit, "u004", listed["item_id"].tolist())
    assert set(reason.parts["domain"]) == {"source", "target"}
    assert len(reason.parts) == 28
    assert reason.parts["contribution"].is_monotonic_decreasing
    even = reason.parts["item_id"].str[1:].astype(int) % 2 == 0
    assert reason.parts["contribution"][even].sum() > 0.5 * (reason.score - reason.general)


def test_without_regularisation_and_with_fewer_tastes_than_factors_reasons_add_up_all_the_same():
    """λ = 0 and a factor that no item has: the equations of every user are singular."""
    spec = FitSpec("implicit", "als", 4, 0.0, 0.2, 1.0, 0)
    fit = fit_transfer(checkerboard(users=200, overlap=150), spec)
    items = fit.plain.item_factors.copy()
    items[:, 3] = 0
    flat = dataclasses.replace(fit.plain, item_factors=items)
    fit = dataclasses.replace(fit, plain=flat, alone=flat, target=flat)
    listed = recommend_for(fit, ["u003"], top=3, method="target_only")
    reasons = explain(fit, "u003", listed["item_id"].tolist(), method="target_only")
    scores = [reason.score for reason in reasons]
    assert scores == pytest.approx(listed["score"].tolist(), rel=1e-2, abs=1e-3)


def test_a_cold_user_is_explained_by_the_source_alone():
    fit = fitted()
    listed = recommend_for(fit, ["u171"], top=3)
    for reason in explain(fit, "u171", listed["item_id"].tolist()):
        assert set(reason.parts["domain"]) == {"source"}
        odd = reason.parts["item_id"].str[1:].astype(int) % 2 == 1
        assert odd.all()
        assert np.isfinite(reason.general)


@pytest.mark.parametrize("method", LINEAR)
def test_what_auto_serves_is_explained_as_it_is_served(method):
    """A blend, the target's items regressed on each other, target only, and popularity."""
    fit = fitted(method, strength={0: 0.5, 5: 2.0}, mean_strength={0: 0.0, 5: 0.7})
    fit = dataclasses.replace(fit, ease=fit_ease(fit.trained_on, 50.0))
    settled = {
        "blend": ({0: True}, {0: "popularity"}),
        "ease": ({0: False}, {0: "popularity", 5: "ease"}),
        "target_only": ({0: False}, {0: "popularity", 5: "target_only"}),
        "popularity": ({0: False}, {0: "popularity"}),
    }
    for served, (transfer_at, baseline_at) in settled.items():
        chosen = Chosen(
            method, 4, 0.02, fit.strength, fit.mean_strength, transfer_at, baseline_at,
            strengths={"ease": {0: 0.0, 5: 0.4}}, blend={0: 1.0, 5: 0.25},
        )  # fmt: skip
        listed = recommend_for(fit, ["u003"], top=6, chosen=chosen)
        assert set(listed["method"]) == {method if served == "blend" else served}
        reasons = explain(fit, "u003", listed["item_id"].tolist(), chosen=chosen)
        for row, reason in zip(listed.itertuples(), reasons, strict=True):
            assert (reason.method, reason.weight) == (
                row.method,
                0.25 if served == "blend" else 1.0,
            )
            assert reason.score == pytest.approx(row.score, rel=2e-4, abs=2e-5)
            assert len(reason.parts) == {"blend": 28, "popularity": 0}.get(served, 14)
    # Asked for by name, a method is explained by itself.
    alone = recommend_for(fit, ["u003"], top=1, method=method)
    (reason,) = explain(fit, "u003", alone["item_id"].tolist(), method=method, chosen=chosen)
    assert reason.weight == 1
    assert reason.score == pytest.approx(alone["score"][0], rel=2e-4, abs=2e-5)


@pytest.mark.parametrize("method", marked(["codebook", *DEEP]))
def test_a_method_whose_scores_are_no_sums_says_so(method):
    with pytest.raises(BadSettingError, match=f"{method}.*no sums"):
        explain(fitted(method), "u001", ["i000"])


def test_what_cannot_be_explained_is_named():
    fit = fitted()
    for arguments, words in (
        (("nobody", ["i000"]), "neither domain"),
        (("u001", ["i000", "none"]), "'none' is no target item"),
    ):
        with pytest.raises(BadSettingError, match=words):
            explain(fit, *arguments)
    with pytest.raises(BadSettingError, match="must be auto"):
        explain(fit, "u001", ["i000"], method="popularity")
    for feedback, model in (("ratings", "als"), ("implicit", "nmf")):
        with pytest.raises(BadSettingError, match="no sums"):
            explain(fitted(feedback=feedback, model=model), "u001", ["i000"])
