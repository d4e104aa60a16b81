"""Networks that read histories: planted bridges, the target's own objective, and how they train."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from needs import NEEDS_DEEP
from threadpoolctl import threadpool_limits
from worlds import checkerboard

from transrec_core.errors import BadSettingError, Cancelled, MissingExtraError
from transrec_core.evidence.choosing import methods_for
from transrec_core.evidence.comparison import compare_domains
from transrec_core.evidence.splitting import without_users
from transrec_core.factors import factorize
from transrec_core.progress import Meter
from transrec_core.settings import DEEP, Settings
from transrec_core.transfer.deep import training
from transrec_core.transfer.deep.histories import (
    Attention,
    Dense,
    HistoryMap,
    aims_of,
    drawn,
    error_of,
    placed,
)
from transrec_core.transfer.deep.meta_map import fit_meta_map
from transrec_core.transfer.deep.scales import Scales, scales_of, seen_places
from transrec_core.transfer.deep.training import Layers, load_keras, train
from transrec_core.transfer.fitting import FitSpec, fit_transfer
from transrec_core.transfer.fold_in import FoldedUsers, fold_in
from transrec_core.transfer.knowledge import Ground
from transrec_core.transfer.linear_map import fit_linear_map

SPEC = FitSpec("implicit", "als", 4, 0.02, 0.2, 1.0, 0)


def sparse(seed: int, shape=(40, 30), density=0.2) -> sp.csr_array:
    random = np.random.default_rng(seed)
    cells = np.where(random.random(shape) < density, random.integers(1, 6, shape), 0)
    cells[:, 0] = 3
    return sp.csr_array(cells.astype(np.float32))


# ── without Keras ────────────────────────────────────────────────────────────────────────────────


def test_a_history_is_the_weighted_mean_of_its_items():
    random = np.random.default_rng(0)
    attention = Attention(random.normal(size=(30, 5)), random.random(30) + 0.1)
    rows = sparse(1)
    found = attention.read(rows)
    for user in range(rows.shape[0]):
        own = rows.indices[rows.indptr[user] : rows.indptr[user + 1]]
        weights = attention.weights[own] / attention.weights[own].sum()
        np.testing.assert_allclose(found[user], weights @ attention.places[own])
    np.testing.assert_array_equal(attention.read(sp.csr_array((2, 30))), np.zeros((2, 5)))


@pytest.mark.parametrize("personal", [True, False])
def test_a_prediction_is_what_its_layers_say(personal, monkeypatch):
    random = np.random.default_rng(0)
    features, outputs, units, dims = 4, 3, 6, 5

    def dense(inputs, width):
        return Dense(random.normal(size=(inputs, width)), random.normal(size=width))

    scales = Scales(
        random.normal(size=features), random.random(features) + 1,
        random.normal(size=(outputs, outputs)), random.normal(size=outputs), outputs - 1, False,
    )  # fmt: skip
    network = HistoryMap(
        scales,
        Attention(random.normal(size=(30, dims)), random.random(30) + 0.1),
        dense(features, outputs),
        dense(dims if personal else features + dims, units),
        dense(units, features * outputs if personal else outputs),
        personal,
        7,
    )
    rows, given = sparse(1), 3 * random.normal(size=(40, features))
    monkeypatch.setattr("transrec_core.transfer.deep.histories.CHUNK", 7)
    prior = network.predict(given, rows)
    for user in range(40):
        z = np.clip((given[user] - scales.centre) / scales.scale, -4, 4)
        p = network.attention.read(rows[[user]])[0]
        read = p if personal else np.concatenate([z, p])
        hidden = np.maximum(read @ network.hidden.weights + network.hidden.offset, 0)
        own = hidden @ network.outer.weights + network.outer.offset
        if personal:
            own = z @ own.reshape(features, outputs)
        whole = z @ network.common.weights + network.common.offset + own
        whole = whole @ scales.back + scales.mean
        np.testing.assert_allclose(prior.factors[user], whole[:2], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(prior.bias[user], whole[2])


def test_distances_of_outputs_are_those_of_predictions():
    model = factorize(sparse(2), rank=4, lam=0.1, feedback="implicit")
    users = FoldedUsers(model.user_factors, None)
    counts = np.arange(1, 41)
    scales = scales_of(np.ones((40, 2)), model, users, counts)
    aims = scales.aims(users)
    np.testing.assert_allclose(scales.prior(aims).factors, model.user_factors, atol=1e-5)
    predicted = model.user_factors.astype(np.float64) @ model.item_factors.T
    apart = np.linalg.norm(predicted[0] - predicted[1:], axis=1)
    ratio = np.linalg.norm(aims[0] - aims[1:], axis=1) / apart
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)
    assert np.average(aims**2, axis=0, weights=counts).mean() == pytest.approx(1, rel=1e-6)
    places = seen_places(model.item_factors, model.user_factors)
    seen = model.item_factors.astype(np.float64) @ model.user_factors.T
    ratio = np.linalg.norm(places[0] - places[1:], axis=1)
    ratio /= np.linalg.norm(seen[0] - seen[1:], axis=1)
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)


def test_items_are_drawn_from_long_rows_and_all_are_taken_of_short_ones(monkeypatch):
    monkeypatch.setattr("transrec_core.transfer.deep.histories.MOST_ITEMS", 8)
    rows = sparse(3, (50, 30), 0.4)
    columns, cells = drawn(rows, np.random.default_rng(0))
    assert columns.shape == cells.shape == (50, 8)
    for user in range(50):
        own = rows.indices[rows.indptr[user] : rows.indptr[user + 1]]
        there = columns[user][columns[user] < 30]
        assert len(set(there)) == len(there) == min(8, len(own))
        assert set(there) <= set(own)
        np.testing.assert_array_equal(rows.indices[cells[user][cells[user] >= 0]], there)
    assert (drawn(rows, np.random.default_rng(1))[0] != columns).any()


def test_what_is_drawn_of_a_long_row_stands_for_all_of_it(monkeypatch):
    monkeypatch.setattr("transrec_core.transfer.deep.histories.MOST_ITEMS", 8)
    rows = sparse(3, (50, 30), 0.4)
    model = factorize(rows, rank=4, lam=0.1, feedback="implicit")
    aims = aims_of(model, rows, np.random.default_rng(0))
    np.testing.assert_allclose(aims.inputs["weight"].sum(axis=1), np.diff(rows.indptr), rtol=1e-5)


@pytest.mark.parametrize("method", ["neural_map", "meta_map", "two_tower"])
def test_without_the_extra_a_network_says_how_to_get_it(method, monkeypatch):
    monkeypatch.setattr("transrec_core.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"keras.*pip install 'transrec\[deep\]'"):
        fit_transfer(checkerboard(users=60), SPEC, method=method)


def test_nothing_of_keras_is_loaded_before_a_network_is_trained():
    code = (
        "import sys, transrec_core, transrec_core.running, transrec_core.transfer.fitting;"
        "assert not {'keras', 'torch', 'tensorflow', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ── with it ──────────────────────────────────────────────────────────────────────────────────────


@NEEDS_DEEP
@pytest.mark.parametrize("feedback", ["implicit", "ratings"])
def test_the_error_is_the_targets_own_objective(feedback):
    """Twice what J says of a user, and least at the factors that the row solver gives."""
    rows = sparse(4)
    model = factorize(rows, rank=4, lam=0.1, feedback=feedback, dtype=np.float64, sweeps=3)
    keras = load_keras()
    users = FoldedUsers(model.user_factors, None if model.biases is None else model.biases.user)
    scales = scales_of(np.ones((40, 2)), model, users, np.diff(rows.indptr))
    aims = aims_of(model, rows, np.random.default_rng(0))
    asked = aims.ask(keras)
    outputs = keras.Input((len(scales.mean),), name="outputs")
    gram = keras.ops.convert_to_tensor(model.spec.gram(model.item_factors.astype(np.float32)))
    table = Layers(keras, 0).rows(model.item_factors)
    error = error_of(
        keras, aims, asked, placed(keras, scales, outputs), table(asked["taken"]), gram
    )
    errors = keras.Model([outputs, *asked.values()], error)
    given = np.random.default_rng(5).normal(size=(40, len(scales.mean)))
    prior = scales.prior(given)
    found = keras.ops.convert_to_numpy(
        errors.predict_on_batch({"outputs": given.astype(np.float32), **aims.inputs})
    )[:, 0]
    V = model.item_factors
    for user in range(40):
        own = slice(rows.indptr[user], rows.indptr[user + 1])
        items, values = rows.indices[own], rows.data[own].astype(float)
        u = prior.factors[user].astype(np.float64)
        missed = 1 - V[items] @ u
        if feedback == "ratings":
            expected = model.biases.mean + model.biases.item[items] + prior.bias[user]
            missed = values - expected - V[items] @ u
        everywhere = u @ model.spec.gram(V) @ u
        ridge = 2 * model.lam * model.spec.weights(np.array([len(items)]), len(V))[0] * u @ u
        wanted = (missed @ missed + everywhere + ridge) / np.diff(rows.indptr).mean()
        assert found[user] == pytest.approx(wanted, rel=1e-3)


def bridged(users=600):
    """Users whose map from source to target factors hangs on which half of the items they took."""
    random = np.random.default_rng(0)
    kind = np.arange(users) % 2
    places = random.normal(size=(60, 2))
    taken = np.zeros((users, 60), np.float32)
    for user in range(users):
        own = random.choice(30, 8, replace=False) + 30 * kind[user]
        taken[user, own] = 1
    z = random.normal(size=(users, 2))
    turned = np.where(kind[:, None] == 0, z, z[:, ::-1] * [1, -1])
    V = random.normal(size=(25, 2))
    scores = turned @ V.T
    target = (scores >= np.sort(scores, axis=1)[:, -6:-5]).astype(np.float32)
    source = factorize(sp.csr_array(taken), rank=2, lam=0.1, feedback="implicit")
    source = replace(source, item_factors=np.vstack([places[:30] + 3, places[30:] - 3]))
    return z, kind, sp.csr_array(taken), source, sp.csr_array(target)


@NEEDS_DEEP
def test_a_bridge_of_ones_own_is_found_where_one_for_all_cannot_be(monkeypatch):
    monkeypatch.setattr(training, "UPDATES", 900)
    z, _, history, source, taken = bridged()
    target = factorize(taken, rank=2, lam=0.01, feedback="implicit")
    users = FoldedUsers(target.user_factors, None)
    head, rest = np.arange(450), np.arange(450, 600)

    def hits(factors) -> float:
        best = (factors @ target.item_factors.T).argmax(axis=1)
        return float(np.asarray(taken[rest].todense())[np.arange(len(rest)), best].mean())

    found = fit_meta_map(
        z[head], source, history[head], target,
        FoldedUsers(users.factors[head], None), taken[head], seed=0,
    )  # fmt: skip
    counts = np.diff(taken.indptr)[head]
    one = fit_linear_map(z[head], target, FoldedUsers(users.factors[head], None), counts)
    ideal = hits(users.factors[rest])
    by_own, by_one = (
        hits(found.predict(z[rest], history[rest]).factors),
        hits(one.predict(z[rest]).factors),
    )
    print(ideal, by_own, by_one)
    assert by_own > by_one + 0.6 * (ideal - by_one)


@NEEDS_DEEP
@pytest.mark.parametrize("method", ["meta_map", "two_tower"])
def test_the_seed_decides_everything_and_threads_nothing(method):
    pair = checkerboard(users=80)
    learned = [
        fit_transfer(pair, replace(SPEC, seed=seed), method=method).knowledge.predict(np.arange(20))
        for seed in (0, 0, 1)
    ]
    with threadpool_limits(1):
        alone = fit_transfer(pair, SPEC, method=method).knowledge.predict(np.arange(20))
    np.testing.assert_array_equal(learned[0].factors, learned[1].factors)
    np.testing.assert_array_equal(learned[0].factors, alone.factors)
    assert not np.array_equal(learned[0].factors, learned[2].factors)


@NEEDS_DEEP
@pytest.mark.parametrize("method", ["neural_map", "meta_map", "two_tower"])
def test_epochs_are_told_and_can_be_stopped(method):
    pair = checkerboard(users=80)
    fit = fit_transfer(pair, SPEC)
    told: list[tuple[int, float]] = []
    fit.by(method, on_epoch=lambda epoch, error: told.append((epoch, error)))
    assert [epoch for epoch, _ in told] == list(range(1, len(told) + 1))
    assert min(error for _, error in told) < told[0][1]

    def stop(epoch: int, error: float) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        fit.by(method, on_epoch=stop)


@NEEDS_DEEP
def test_what_was_best_on_users_held_back_is_kept():
    """An error that rises after the first epoch leaves the weights of that epoch."""
    keras = load_keras()
    given = keras.Input((1,), name="x")
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 1)).astype(np.float32)
    errors = keras.Model([given], (layer(given) - 0.5 * given) ** 2)
    told: list[float] = []
    train(errors, {"x": x}, seed=0, on_epoch=lambda _, error: told.append(error))
    weight = float(layer.get_weights()[0][0, 0])
    held = np.random.default_rng([0, 11]).permutation(200)[:20]
    error = float(np.mean((weight - 0.5) ** 2 * x[held] ** 2))
    assert error == pytest.approx(min(told), rel=1e-3, abs=1e-9)


@NEEDS_DEEP
@pytest.mark.parametrize("users", [2, 3, 19, 20])
@pytest.mark.parametrize("method", ["neural_map", "meta_map", "two_tower"])
def test_few_users_stay_finite(method, users):
    pair = checkerboard(users=60, overlap=users)
    fit = fit_transfer(pair, SPEC, method=method)
    assert np.isfinite(fit.scores(pair.target.matrix[:5], np.arange(5))).all()


@NEEDS_DEEP
def test_two_towers_have_a_space_of_their_own():
    pair = checkerboard(users=120)
    held = np.arange(0, 120, 3)
    matrix = without_users(pair.target.matrix, pair.target_rows[held])
    others = np.setdiff1d(np.arange(120), held)
    fit = fit_transfer(pair, SPEC, target_matrix=matrix, map_users=others, method="two_tower")
    assert fit.target is not fit.alone
    assert not np.array_equal(fit.target.item_factors, fit.alone.item_factors)
    # Users of the space are where its own row solver puts them.
    rows = matrix[1:5]
    np.testing.assert_allclose(
        fit.target.user_factors[1:5], fold_in(fit.target, rows).factors, atol=1e-4
    )


@NEEDS_DEEP
def test_the_backend_is_one_that_is_installed():
    code = (
        "from transrec_core.transfer.deep.training import load_keras;"
        "print(load_keras().backend.backend())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() in training.BACKENDS


def test_networks_that_are_asked_for_and_missing_are_not_left_out_in_silence(monkeypatch):
    monkeypatch.setattr("transrec_core.extras.find_spec", lambda name: None)
    ground = Ground(checkerboard(users=60), "implicit", 0)
    assert not set(DEEP) & set(methods_for(ground, Settings())[0])
    with pytest.raises(MissingExtraError, match="Trying networks needs keras"):
        methods_for(ground, Settings(deep=True))
    with pytest.raises(BadSettingError, match=r"meta_map cannot.*pip install 'transrec\[deep\]'"):
        methods_for(ground, Settings(method="meta_map"))


@NEEDS_DEEP
def test_auto_judges_networks_beside_all_others_where_asked_to():
    settings = Settings(feedback="implicit", rank=4, lam=0.02, shots=(0, 2), deep=True, budget=600)
    found = compare_domains(checkerboard(users=200), settings, Meter())
    assert set(DEEP) < set(found.headline.shots[0].gains)
    assert set(DEEP) < set(found.headline.fit_seconds)
    assert not set(DEEP) & set(found.chosen["ranking"].left_out)
    for method in DEEP:
        assert found.headline.shots[0].gains[method].low > 0
