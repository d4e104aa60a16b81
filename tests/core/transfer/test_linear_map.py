"""The map against ordinary weighted ridge regression and brute-force leave-one-out."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits
from worlds import checkerboard

from transrec_core.evidence.splitting import without_users
from transrec_core.factors import factorize
from transrec_core.transfer.fitting import FitSpec, fit_transfer
from transrec_core.transfer.fold_in import FoldedUsers
from transrec_core.transfer.linear_map import (
    DIRECTIONS,
    PENALTIES,
    along_directions,
    factor_features,
    fit_linear_map,
    rows_of,
)


def regression(noise: float, users: int = 80, biased: bool = False):
    """A target model and users whose factors are a linear function of their features."""
    random = np.random.default_rng(0)
    pair = checkerboard()
    target = factorize(
        pair.target.matrix, rank=3, lam=0.1, feedback="ratings" if biased else "implicit",
        dtype=np.float64,
    )  # fmt: skip
    features = random.normal(size=(users, 5)) * [1, 10, 0.1, 1, 1] + 2
    truth = random.normal(size=(5, 4 if biased else 3))
    outputs = features @ truth + 1 + noise * random.normal(size=(users, truth.shape[1]))
    counts = random.integers(1, 30, users)
    placed = FoldedUsers(outputs[:, :3], outputs[:, 3] if biased else None)
    return features, target, placed, counts, outputs


@pytest.mark.parametrize("biased", [False, True])
def test_an_exact_linear_map_is_found(biased):
    features, target, placed, counts, outputs = regression(0.0, biased=biased)
    prior = fit_linear_map(features, target, placed, counts).predict(features)
    np.testing.assert_allclose(prior.factors, outputs[:, :3], atol=0.05)
    assert (prior.bias is not None) == biased
    if biased:
        np.testing.assert_allclose(prior.bias, outputs[:, 3], atol=0.05)


def test_the_weights_are_weighted_ridge_on_standardised_features():
    features, target, placed, counts, outputs = regression(1.0)
    found = fit_linear_map(features, target, placed, counts)
    weight = counts / counts.mean()
    ridge = Ridge(alpha=found.penalty).fit(
        (features - found.centre) / found.scale, outputs, sample_weight=weight
    )
    np.testing.assert_allclose(found.weights, ridge.coef_.T, atol=1e-8)
    np.testing.assert_allclose(found.intercept, ridge.intercept_, atol=1e-8)


def test_the_penalty_is_the_best_of_brute_force_leave_one_out():
    features, target, placed, counts, outputs = regression(3.0, users=30)
    found = fit_linear_map(features, target, placed, counts)
    weight = counts / counts.mean()
    X = (features - found.centre) / found.scale
    values, vectors = np.linalg.eigh(target.item_gram / len(target.item_factors))
    metric = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    errors = []
    for multiple in PENALTIES:
        error = 0.0
        for left_out in range(len(X)):
            rest = np.arange(len(X)) != left_out
            ridge = Ridge(alpha=multiple * len(X)).fit(
                X[rest], outputs[rest], sample_weight=weight[rest]
            )
            miss = (outputs[left_out] - ridge.predict(X[[left_out]])[0]) @ metric
            error += weight[left_out] * float(miss @ miss)
        errors.append(error)
    best = PENALTIES[int(np.argmin(errors))] * len(X)
    # The same place on the grid, give or take one step: both curves are flat at their minimum.
    assert abs(np.log10(found.penalty / best)) <= 0.26


def test_constant_features_and_two_users_stay_finite():
    features, target, placed, counts, _ = regression(1.0, users=2)
    features[:, 2] = 5.0
    prior = fit_linear_map(features, target, placed, counts).predict(features)
    assert np.isfinite(prior.factors).all()


@pytest.mark.parametrize("model", ["als", "nmf"])
@pytest.mark.parametrize("feedback", ["ratings", "implicit"])
def test_shared_taste_is_carried_to_users_without_target_data(feedback, model):
    pair = checkerboard()
    spec = FitSpec(feedback, model, 4, 0.02, 0.2, 1.0, 0)
    held = np.arange(0, len(pair.shared), 5)
    matrix = without_users(pair.target.matrix, pair.target_rows[held])
    others = np.setdiff1d(np.arange(len(pair.shared)), held)
    fit = fit_transfer(pair, spec, target_matrix=matrix, map_users=others)
    prior = fit.knowledge.predict(pair.source_rows[held])
    scores = fit.target.scores(prior.factors)
    if feedback == "implicit":
        even = pair.target.items.str[1:].astype(int).to_numpy() % 2 == 0
        kind = pair.shared[held].str[1:].astype(int).to_numpy() % 2
        own = np.where(kind[:, None] == 0, even, ~even)
        assert scores[own].mean() > 5 * abs(scores[~own].mean())
        assert (scores.argmax(axis=1)[:, None] == np.flatnonzero(~even)[None]).any(1).tolist() == (
            kind == 1
        ).tolist()
    elif model == "als":
        generous = pair.shared[held].str[1:].astype(int).to_numpy() // 2 % 2 == 1
        assert prior.bias[generous].min() > prior.bias[~generous].max()
    if model == "nmf":
        assert prior.factors.min() >= 0


def test_features_are_factors_bias_and_activity():
    pair = checkerboard()
    explicit = factorize(pair.source.matrix, rank=3, lam=0.1)
    features = factor_features(explicit, pair.source.counts)
    assert features.shape == (120, 5)
    np.testing.assert_allclose(features[:, 3], explicit.biases.user)
    np.testing.assert_allclose(features[:, 4], np.log(15))
    implicit = factorize(pair.source.matrix, rank=3, lam=0.1, feedback="implicit")
    assert factor_features(implicit, pair.source.counts).shape == (120, 4)


def test_source_items_land_where_their_lovers_are_mapped():
    pair = checkerboard()
    fit = fit_transfer(pair, FitSpec("implicit", "als", 4, 0.01, 0.2, 1.0, 0))
    places = fit.factor_map.map_items(fit.source.item_factors)
    scores = places @ fit.target.item_factors.T
    same = (np.arange(40)[:, None] - np.arange(40)[None]) % 2 == 0
    assert scores[same].mean() > scores[~same].mean()


@pytest.mark.parametrize("directions", [5, 512])
def test_rows_are_compared_by_the_cosine_of_what_was_taken(directions, monkeypatch):
    monkeypatch.setattr("transrec_core.transfer.linear_map.DIRECTIONS", directions)
    pair = checkerboard()
    features = rows_of(pair.source, "implicit", 0).features_of(np.arange(120))
    taken = pair.source.matrix.toarray() > 0
    sizes = np.sqrt(taken.sum(axis=1))
    cosines = (taken @ taken.T.astype(float)) / np.outer(sizes, sizes)
    if directions > 40:
        np.testing.assert_allclose(features @ features.T, cosines, atol=1e-6)
    else:
        # The best that so few directions can do, or nearly.
        assert features.shape == (120, 5)
        values = np.sort(np.linalg.eigvalsh(cosines))[::-1]
        assert np.trace(features @ features.T) == pytest.approx(values[:5].sum(), rel=0.02)


def test_directions_do_not_hang_on_the_number_of_threads():
    random = np.random.default_rng(0)
    # A few strong directions and many weak ones: what rounding takes from the weak ones shows.
    popular = 1 / np.arange(1, 1201)
    taken = random.random((1500, 1200)) < np.minimum(30 * popular, 1)
    cells = sp.csr_array(taken.astype(float))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(along_directions(cells, 0).directions)
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    np.testing.assert_allclose(found[0].T @ found[0], np.eye(DIRECTIONS), atol=1e-5)
    # As much as an exact decomposition keeps, or nearly.
    kept = np.linalg.norm(cells @ found[0]) ** 2
    sizes = np.linalg.svd(taken.astype(float), compute_uv=False)
    assert kept >= 0.98 * (sizes[:DIRECTIONS] ** 2).sum()


def test_rows_of_ratings_say_how_much_more_than_others_a_user_liked_what_they_took():
    pair = checkerboard()
    features = rows_of(pair.source, "ratings", 0).features_of(np.arange(120))
    generous = pair.source.users.str[1:].astype(int).to_numpy() // 2 % 2 == 1
    assert features[generous].sum(axis=1).min() > 0 > features[~generous].sum(axis=1).max()
    assert np.all((features != 0) <= (pair.source.matrix.toarray() != 0))


def test_one_fit_can_be_mapped_in_either_way():
    pair = checkerboard()
    spec = FitSpec("implicit", "als", 4, 0.02, 0.2, 1.0, 0)
    by_factors = fit_transfer(pair, spec)
    by_rows = by_factors.by("row_map")
    direct = fit_transfer(pair, spec, method="row_map")
    np.testing.assert_array_equal(by_rows.knowledge.map.weights, direct.knowledge.map.weights)
    assert by_rows.target is by_factors.target
    assert (by_rows.method, by_factors.method) == ("row_map", "factor_map")
    again = by_rows.by("factor_map")
    np.testing.assert_array_equal(again.knowledge.map.weights, by_factors.knowledge.map.weights)
