"""One mechanism for all priors: what it must do at both ends and in between."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from worlds import checkerboard

from transrec_core.factors import factorize, fold_in_biases
from transrec_core.factors.solver import half_sweep
from transrec_core.transfer.fold_in import Prior, fold_in, mean_prior

KINDS = [(feedback, model) for feedback in ("ratings", "implicit") for model in ("als", "nmf")]
TARGET = checkerboard().target.matrix


def fitted(feedback: str, model: str, nu: float = 1.0):
    return factorize(
        TARGET, rank=4, lam=0.05, feedback=feedback, model=model, alpha0=0.2,
        regularization_exponent=nu, sweeps=20, tolerance=0, dtype=np.float64,
    )  # fmt: skip


def prior_for(fit, seed: int = 0) -> Prior:
    random = np.random.default_rng(seed)
    factors = random.normal(size=fit.user_factors.shape)
    factors = np.abs(factors) if fit.nonnegative else factors
    bias = None if fit.biases is None else random.normal(size=len(factors))
    return Prior(factors, bias)


@pytest.mark.parametrize(("feedback", "model"), KINDS)
@pytest.mark.parametrize("nu", [0.0, 1.0])
def test_a_training_user_folds_in_to_the_row_that_the_fit_itself_solves(feedback, model, nu):
    fit = fitted(feedback, model, nu)
    values = np.ones(TARGET.nnz) if feedback == "implicit" else TARGET.data - fit.shift
    if fit.biases is not None:
        user = fold_in_biases(TARGET, fit.biases)
        rows = np.repeat(np.arange(TARGET.shape[0]), np.diff(TARGET.indptr))
        values = TARGET.data - fit.biases.mean - user[rows] - fit.biases.item[TARGET.indices]
    wanted, _ = half_sweep(
        sp.csr_array((values.astype(float), TARGET.indices, TARGET.indptr), TARGET.shape),
        fit.item_factors, fit.user_factors, fit.spec, fit.nonnegative,
    )  # fmt: skip
    np.testing.assert_allclose(fold_in(fit, TARGET).factors, wanted, atol=1e-6)


@pytest.mark.parametrize(("feedback", "model"), KINDS)
def test_the_result_solves_the_documented_equations(feedback, model):
    fit, tau = fitted(feedback, model, nu=1.0), 0.7
    prior = prior_for(fit)
    placed = fold_in(fit, TARGET, prior, tau)
    V, lam = fit.item_factors, fit.lam
    for user in (0, 1, 50):
        items = TARGET.indices[TARGET.indptr[user] : TARGET.indptr[user + 1]]
        S = V[items]
        if feedback == "implicit":
            H = tau * (fit.alpha0 * V.T @ V + 2 * lam * fit.alpha0 * len(V) * np.eye(4))
            A = S.T @ S + H + 2 * lam * len(items) * np.eye(4)
            y = np.ones(len(items))
        else:
            H = 2 * lam * tau * np.eye(4)
            A = S.T @ S + H
            y = TARGET.data[TARGET.indptr[user] : TARGET.indptr[user + 1]] - fit.shift
            if fit.biases is not None:
                y = y - fit.biases.mean - placed.bias[user] - fit.biases.item[items]
        b = S.T @ y + H @ prior.factors[user]
        x = placed.factors[user]
        gradient = A @ x - b
        if fit.nonnegative:
            assert (x >= 0).all()
            assert (gradient[x == 0] >= -1e-6).all()
            np.testing.assert_allclose(gradient[x > 0], 0, atol=1e-4)
        else:
            np.testing.assert_allclose(gradient, 0, atol=1e-8)


@pytest.mark.parametrize(("feedback", "model"), KINDS)
def test_without_target_data_the_user_is_exactly_the_prior(feedback, model):
    fit = fitted(feedback, model)
    empty = sp.csr_array(TARGET.shape)
    prior = prior_for(fit)
    placed = fold_in(fit, empty, prior, 3.0)
    assert np.array_equal(placed.factors, prior.factors)
    if prior.bias is not None:
        np.testing.assert_allclose(placed.bias, prior.bias)
    assert not fold_in(fit, empty).factors.any()


@pytest.mark.parametrize("feedback", ["ratings", "implicit"])
def test_a_strong_prior_pins_and_a_weak_one_is_forgotten(feedback):
    fit = fitted(feedback, "als", nu=0.0)
    prior = prior_for(fit)
    if prior.bias is not None:
        prior = Prior(prior.factors, np.zeros(len(prior.factors)))
    pinned = fold_in(fit, TARGET, prior, 1e9).factors
    np.testing.assert_allclose(pinned, prior.factors, atol=1e-4)
    distances = [
        np.linalg.norm(fold_in(fit, TARGET, prior, tau).factors - prior.factors)
        for tau in (0.01, 0.1, 1.0, 10.0, 100.0)
    ]
    assert distances == sorted(distances, reverse=True)


@pytest.mark.parametrize("feedback", ["ratings", "implicit"])
def test_a_zero_prior_of_strength_one_is_the_plain_fold_in(feedback):
    fit = fitted(feedback, "als", nu=0.0)
    zero = Prior(np.zeros_like(fit.user_factors), None)
    np.testing.assert_allclose(
        fold_in(fit, TARGET, zero, 1.0).factors, fold_in(fit, TARGET).factors, atol=1e-10
    )


def test_the_average_user_is_weighted_by_data():
    fit = fitted("implicit", "als")
    counts = np.arange(TARGET.shape[0])
    prior = mean_prior(fit, counts, 3)
    expected = np.average(fit.user_factors, axis=0, weights=counts)
    np.testing.assert_allclose(prior.factors, np.tile(expected, (3, 1)))
