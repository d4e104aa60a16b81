"""The network against planted maps, judged on users it has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from needs import NEEDS_DEEP
from threadpoolctl import threadpool_limits
from worlds import checkerboard

from transrec_core.factors import factorize
from transrec_core.transfer.deep import training
from transrec_core.transfer.deep.neural_map import fit_neural_map
from transrec_core.transfer.fold_in import FoldedUsers
from transrec_core.transfer.linear_map import fit_linear_map

pytestmark = NEEDS_DEEP
TRAINED = 300
FITS = {
    feedback: factorize(
        checkerboard().target.matrix, rank=3, lam=0.1, feedback=feedback, dtype=np.float64
    )
    for feedback in ("ratings", "implicit")
}


@pytest.fixture
def full_training(monkeypatch):
    monkeypatch.setattr(training, "UPDATES", 1200)


def planted(kind: str, *, biased: bool = False, users: int = 500):
    """A target model, and users whose factors are a function of their features, with noise."""
    random = np.random.default_rng(0)
    latent = random.normal(size=(users, 3))
    inner = latent @ random.normal(size=(3, 4 if biased else 3))
    outputs = inner if kind == "linear" else np.tanh(inner) + np.cos(1.5 * latent[:, :1])
    outputs = outputs + 0.1 * random.normal(size=outputs.shape)
    features = latent * [1, 10, 0.1] + 2
    counts = random.integers(1, 30, users)
    target = FITS["ratings" if biased else "implicit"]
    return features, target, FoldedUsers(outputs[:, :3], outputs[:, 3] if biased else None), counts


def some(users: FoldedUsers, rows) -> FoldedUsers:
    return FoldedUsers(users.factors[rows], None if users.bias is None else users.bias[rows])


def errors(features, target, users, counts, fitted):
    """Mean squared prediction error on users not trained on: of the map, and of the mean."""
    rest = np.arange(TRAINED, len(features))
    truth = users.factors[rest]
    mean = np.average(users.factors[:TRAINED], axis=0, weights=counts[:TRAINED])
    missed = (fitted.predict(features[rest]).factors - truth, mean - truth)
    return [float(np.mean((miss @ target.item_factors.T) ** 2)) for miss in missed]


def trained(features, target, users, counts, seed: int = 0):
    head = slice(0, TRAINED)
    return fit_neural_map(features[head], target, some(users, head), counts[head], seed=seed)


@pytest.mark.usefixtures("full_training")
def test_a_smooth_nonlinear_map_is_found_that_the_linear_one_misses():
    world = planted("smooth")
    features, target, users, counts = world
    head = slice(0, TRAINED)
    linear = fit_linear_map(features[head], target, some(users, head), counts[head])
    network, mean = errors(*world, trained(*world))
    assert network < 0.15 * mean
    assert network < 0.5 * errors(*world, linear)[0]


@pytest.mark.usefixtures("full_training")
def test_a_linear_map_is_found_nearly_as_well_as_by_the_linear_one():
    world = planted("linear")
    features, target, users, counts = world
    head = slice(0, TRAINED)
    linear = fit_linear_map(features[head], target, some(users, head), counts[head])
    network, mean = errors(*world, trained(*world))
    assert network < errors(*world, linear)[0] + 0.02 * mean


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.usefixtures("full_training")
def test_permuted_users_gain_nothing(seed):
    features, target, users, counts = planted("smooth")
    order = np.random.default_rng(seed).permutation(len(features))
    world = (features[order], target, users, counts)
    network, mean = errors(*world, trained(*world, seed))
    assert 0.97 * mean < network < 1.15 * mean


def test_the_seed_decides_everything_and_threads_nothing():
    world = planted("smooth", biased=True)
    first = trained(*world)
    with threadpool_limits(1):
        again = trained(*world)
    other = trained(*world, seed=1)
    for name in ("hidden", "offset", "weights", "intercept"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.hidden, other.hidden)


@pytest.mark.usefixtures("full_training")
def test_the_bias_is_one_more_output():
    features, target, users, counts = planted("smooth", biased=True)
    prior = trained(features, target, users, counts).predict(features[TRAINED:])
    truth = users.bias[TRAINED:]
    assert np.mean((prior.bias - truth) ** 2) < 0.2 * truth.var()
    assert (prior.factors.shape, prior.factors.dtype) == ((200, 3), np.float32)
    without = trained(features, target, FoldedUsers(users.factors, None), counts)
    assert without.predict(features).bias is None


def test_factors_of_a_non_negative_target_are_cut_at_zero():
    features, target, users, counts = planted("smooth")
    free = trained(features, target, users, counts).predict(features).factors
    cut = trained(features, replace(target, nonnegative=True), users, counts).predict(features)
    assert free.min() < 0
    np.testing.assert_array_equal(cut.factors, np.maximum(free, 0))


@pytest.mark.parametrize("users", [1, 2, 19, 20])
def test_few_users_and_constant_columns_stay_finite(users):
    features, target, placed, counts = planted("smooth", biased=True, users=users)
    features[:, 2] = 5.0
    placed.factors[:, 0] = 1.0
    prior = fit_neural_map(features, target, placed, counts, seed=0).predict(features)
    assert np.isfinite(prior.factors).all()
    assert np.isfinite(prior.bias).all()


def test_factors_that_no_prediction_shows_stay_near_their_mean():
    features, target, users, counts = planted("smooth")
    flat = replace(target, item_factors=target.item_factors * [1, 1, 1e-9])
    prior = trained(features, flat, users, counts).predict(features)
    assert np.abs(prior.factors).max() < 3 * np.abs(users.factors).max()


def test_nothing_given_is_changed():
    features, target, users, counts = planted("linear")
    before = [array.copy() for array in (features, users.factors, counts)]
    trained(features, target, users, counts)
    for was, array in zip(before, (features, users.factors, counts), strict=True):
        np.testing.assert_array_equal(was, array)
