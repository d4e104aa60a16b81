"""A pattern of groups that two domains share, though they share neither users nor items."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp

from transrec_core.factors import factorize
from transrec_core.factors.biases import fit_biases, fold_in_biases
from transrec_core.factors.solver import half_sweep, objective_value
from transrec_core.transfer.codebook import (
    Codebook,
    _columns,
    expand,
    follow,
    learn_codebook,
    random_codebook,
)
from transrec_core.transfer.fold_in import fold_in, mean_prior

PATTERN = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [-1, 1, 1, -1], [-1, -1, -1, 1.0]])
SHOTS = {"ratings": 5, "implicit": 3}
KINDS = ["ratings", "implicit"]
HELD_OUT = 80


def domain(feedback: str, seed: int, users: int, items: int, share: float) -> sp.csr_array:
    """Users × items of four groups each; who is in which group is drawn by the seed."""
    random = np.random.default_rng(seed)
    liking = PATTERN[random.integers(4, size=users)][:, random.integers(4, size=items)]
    popularity = 0.5 * random.normal(size=items)
    chance = np.full(liking.shape, share)
    if feedback == "implicit":
        chance = np.exp(1.5 * liking + popularity)
        chance *= share / chance.mean()
    taken = random.random(liking.shape) < chance
    ratings = 3.5 + liking + popularity + 0.5 * random.normal(size=liking.shape)
    return sp.csr_array((np.where(taken, ratings, 0)).astype(np.float32))


def split(matrix: sp.csr_array, shots: int):
    """Training data without the last users, and their few known cells and held-out cells."""
    first = matrix.shape[0] - HELD_OUT
    train = sp.csr_array(sp.vstack([matrix[:first], sp.csr_array((HELD_OUT, matrix.shape[1]))]))
    own = sp.csr_array(matrix[first:])
    random = np.random.default_rng(0)
    known = np.concatenate([random.permutation(n) < shots for n in np.diff(own.indptr)])
    cells = own.tocoo()
    support, rest = (
        sp.csr_array((cells.data[of], (cells.row[of], cells.col[of])), own.shape)
        for of in (known, ~known)
    )
    return train, support, rest


@cache
def world(feedback: str, seed: int = 0):
    source = domain(feedback, seed, 300, 100, 0.25)
    train, support, rest = split(domain(feedback, seed + 100, 300, 80, 0.12), SHOTS[feedback])
    codebook = learn_codebook(
        factorize(source, rank=6, lam=1.0, feedback=feedback), source, clusters=4, seed=0
    )
    target = factorize(train, rank=6, lam=0.5, feedback=feedback)
    return codebook, target, train, support, rest


def scores(model, support):
    placed = fold_in(model, support)
    return model.scores(placed.factors, placed.bias)


def rmse(predicted, rest) -> float:
    cells = rest.tocoo()
    return float(np.sqrt(np.mean((predicted[cells.row, cells.col] - cells.data) ** 2)))


def auc(predicted, support, rest) -> float:
    """Chance that a held-out item stands above one that was not taken, over users."""
    values = []
    for row, known, wanted in zip(predicted, support.toarray(), rest.toarray(), strict=True):
        others = row[(known == 0) & (wanted == 0)]
        above = row[wanted != 0][:, None] > others
        level = row[wanted != 0][:, None] == others
        values.append(np.mean(above + 0.5 * level) if above.size else 0.5)
    return float(np.mean(values))


@pytest.mark.parametrize("seed", range(3))
def test_held_out_ratings_are_predicted_better_than_without_the_codebook(seed):
    codebook, target, train, support, rest = world("ratings", seed)
    found = rmse(scores(expand(codebook, target, train, seed=0), support), rest)
    biases = fit_biases(train)
    alone = biases.mean + fold_in_biases(support, biases)[:, None] + biases.item
    controls = [
        rmse(
            scores(expand(random_codebook(codebook, seed=s), target, train, seed=0), support), rest
        )
        for s in range(3)
    ]
    assert found < 0.8 * rmse(alone, rest)
    assert found < 0.93 * rmse(scores(target, support), rest)
    assert found < 0.93 * np.mean(controls)
    assert found < min(controls)


def test_held_out_interactions_rank_higher_than_without_the_codebook():
    gains = []
    for seed in range(3):
        codebook, target, train, support, rest = world("implicit", seed)
        found = auc(scores(expand(codebook, target, train, seed=0), support), support, rest)
        popularity = np.bincount(train.indices, minlength=train.shape[1]).astype(float)
        popular = auc(np.broadcast_to(popularity, support.shape), support, rest)
        controls = [
            auc(
                scores(expand(random_codebook(codebook, seed=s), target, train, seed=0), support),
                support,
                rest,
            )
            for s in range(3)
        ]
        gains.append((found - popular, found - np.mean(controls)))
    by_popularity, by_control = np.mean(gains, axis=0)
    assert by_popularity > 0.05
    assert by_control > 0


def test_the_blocks_of_ratings_are_those_that_were_planted():
    codebook = world("ratings")[0]
    signs = np.sign(codebook.patterns)
    assert (np.abs(codebook.patterns) > 0.3).all()
    # The same rows and columns in another order have the same sums and the same inner products.
    np.testing.assert_array_equal(np.sort(signs.sum(0)), np.sort(PATTERN.sum(0)))
    np.testing.assert_array_equal(np.sort(signs.sum(1)), np.sort(PATTERN.sum(1)))
    np.testing.assert_array_equal(
        np.sort(signs.T @ signs, axis=None), np.sort(PATTERN.T @ PATTERN, axis=None)
    )


@pytest.mark.parametrize("feedback", KINDS)
def test_the_objective_never_rises_and_is_that_of_the_factors(feedback):
    codebook, target, train, _, _ = world(feedback)
    fit = expand(codebook, target, train, seed=0)
    objective = np.array(fit.objective)
    assert (np.diff(objective) <= 1e-5 * objective[0]).all()
    values = train.data if fit.biases is None else fit.biases.residual(train)
    rated = sp.csr_array((values, train.indices, train.indptr), train.shape)
    again = objective_value(rated, fit.user_factors, fit.item_factors, fit.spec)
    assert again == pytest.approx(objective[-1], rel=1e-5)


@pytest.mark.parametrize("nu", [0.0, 1.0])
@pytest.mark.parametrize("feedback", KINDS)
def test_every_item_takes_the_best_column_at_the_best_scale(feedback, nu):
    codebook, target, train, _, _ = world(feedback)
    spec = replace(target.spec, regularization_exponent=nu, lam=0.05)
    columns = _columns(codebook)
    users = np.abs(np.random.default_rng(0).normal(size=(train.shape[0], 4)))
    centred = sp.csr_array((train.data - 3.5, train.indices, train.indptr), train.shape)
    items = follow(centred, users, columns, spec)
    best = objective_value(centred, users, items.astype(float), spec)
    for item in range(0, 80, 16):
        for column in columns.astype(float):
            for scale in np.linspace(0, 2, 21):
                other = items.astype(float)
                other[item] = scale * column
                assert objective_value(centred, users, other, spec) >= best * (1 - 1e-6)


@pytest.mark.parametrize("feedback", KINDS)
def test_items_are_non_negative_multiples_of_columns_and_users_the_fold_in(feedback):
    codebook, target, train, _, _ = world(feedback)
    fit = expand(codebook, target, train, seed=0)
    length = np.linalg.norm(fit.item_factors, axis=1)
    known = length > 0
    cosines = fit.item_factors[known] / length[known, None] @ _columns(codebook).T
    np.testing.assert_allclose(cosines.max(axis=1), 1, atol=1e-5)
    assert fit.user_factors.min() >= 0
    values = train.data if fit.biases is None else fit.biases.residual(train)
    rated = sp.csr_array((values.astype(np.float32), train.indices, train.indptr), train.shape)
    solved, _ = half_sweep(rated, fit.item_factors, np.zeros_like(fit.user_factors), fit.spec, True)
    # The items moved last, and by then little.
    np.testing.assert_allclose(solved, fit.user_factors, atol=0.05 * solved.max())


@pytest.mark.parametrize("feedback", KINDS)
def test_the_seed_decides_everything_and_nothing_given_is_changed(feedback):
    codebook, target, train, _, _ = world(feedback)
    before = (codebook.patterns.copy(), train.data.copy(), target.item_factors.copy())
    first, again = (expand(codebook, target, train, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.user_factors, again.user_factors)
    np.testing.assert_array_equal(first.item_factors, again.item_factors)
    learned = world.__wrapped__(feedback)[0]
    np.testing.assert_array_equal(codebook.patterns, learned.patterns)
    for was, array in zip(
        before, (codebook.patterns, train.data, target.item_factors), strict=True
    ):
        np.testing.assert_array_equal(was, array)


@pytest.mark.parametrize("feedback", KINDS)
def test_empty_rows_and_columns_are_finite(feedback):
    codebook, _, train, support, _ = world(feedback)
    train = train.copy()
    train.data[train.indices < 5] = 0
    train.eliminate_zeros()
    target = factorize(train, rank=6, lam=0.5, feedback=feedback)
    fit = expand(codebook, target, train, seed=0)
    assert not fit.item_factors[:5].any()
    assert not fit.user_factors[-HELD_OUT:].any()
    nobody = sp.csr_array((3, train.shape[1]))
    average = mean_prior(fit, np.diff(train.indptr), len(support.indptr) - 1)
    for placed in (fold_in(fit, nobody), fold_in(fit, support, average)):
        assert np.isfinite(fit.scores(placed.factors, placed.bias)).all()


@pytest.mark.parametrize("feedback", KINDS)
@pytest.mark.parametrize("clusters", [1, 2, 50])
def test_any_number_of_clusters_gives_finite_numbers(feedback, clusters):
    source, train = domain(feedback, 1, 20, 12, 0.3), domain(feedback, 2, 15, 9, 0.3)
    fits = [factorize(matrix, rank=2, lam=0.1, feedback=feedback) for matrix in (source, train)]
    codebook = learn_codebook(fits[0], source, clusters=clusters, seed=0)
    assert codebook.patterns.shape == (min(clusters, 20), min(clusters, 12))
    fit = expand(codebook, fits[1], train, seed=0)
    assert np.isfinite(scores(fit, train)).all()


def test_a_source_without_a_pattern_leaves_the_biases():
    _, target, train, support, _ = world("ratings")
    fit = expand(Codebook(np.zeros((4, 4))), target, train, seed=0)
    placed = fold_in(fit, support)
    expected = fit.biases.mean + placed.bias[:, None] + fit.biases.item
    np.testing.assert_allclose(fit.scores(placed.factors, placed.bias), expected, atol=1e-5)


def test_the_control_has_the_same_entries():
    codebook = world("ratings")[0]
    control = random_codebook(codebook, seed=0)
    np.testing.assert_array_equal(
        np.sort(control.patterns, axis=None), np.sort(codebook.patterns, axis=None)
    )
    assert not np.array_equal(control.patterns, codebook.patterns)
    np.testing.assert_array_equal(control.patterns, random_codebook(codebook, seed=0).patterns)
