"""Factorizations of a cluster minimise what those of one computer do."""

from typing import Any

import numpy as np
import pytest

from transrec_core.baselines import Baselines
from transrec_core.data.interactions import Interactions
from transrec_core.factors.objectives import ImplicitByCounts
from transrec_core.factors.solver import factorize, half_sweep, objective_value
from transrec_core.transfer.fitting import FitSpec

SWEEPS = 12
SPECS = {
    "implicit": FitSpec("implicit", "als", 4, 0.02, 0.2, 1.0, 0),
    "implicit, non-negative": FitSpec("implicit", "nmf", 4, 0.02, 0.2, 1.0, 0),
    "ratings": FitSpec("ratings", "als", 4, 0.05, 0.2, 1.0, 0),
    "ratings, plain": FitSpec("ratings", "als", 4, 0.5, 0.2, 0.0, 0),
    "ratings, non-negative": FitSpec("ratings", "nmf", 4, 0.05, 0.2, 1.0, 0),
}


def tasks(names: tuple[str, ...]) -> list[Any]:
    from transrec_core.engines.spark.evidence import EVERYBODY
    from transrec_core.engines.spark.factorizing import Task

    return [Task(name, "target", SPECS[name], EVERYBODY) for name in names]


def on_one_computer(matrix: Any, spec: FitSpec) -> Any:
    return factorize(
        matrix,
        rank=spec.rank,
        lam=spec.lam,
        feedback=spec.feedback,
        model=spec.model,
        alpha0=spec.alpha0,
        regularization_exponent=spec.regularization_exponent,
        sweeps=SWEEPS,
        tolerance=0,
    )


def test_every_objective_falls_to_that_of_one_computer(
    people: Any, embedded: dict[str, Interactions]
) -> None:
    from transrec_core.engines.spark.factorizing import factorize_all

    names = tuple(SPECS)
    found = factorize_all(people, tasks(names), sweeps=SWEEPS, tolerance=0)
    for name, spec in SPECS.items():
        own = on_one_computer(embedded["target"].matrix, spec)
        falls = np.diff(found[name].objective)
        assert (falls <= 1e-4 * found[name].objective[0]).all(), name
        # J after the users of each sweep: every other value there.
        assert found[name].objective[-1] == pytest.approx(own.objective[-2], rel=0.01), name
        if spec.model == "nmf":
            assert found[name].item_factors.min() >= 0
        if own.biases is not None:
            np.testing.assert_allclose(found[name].biases.item, own.biases.item, atol=1e-9)


def test_baselines_are_those_of_one_computer(
    people: Any, embedded: dict[str, Interactions]
) -> None:
    from transrec_core.engines.spark.evidence import EVERYBODY
    from transrec_core.engines.spark.factorizing import fit_baselines

    found, own = fit_baselines(people, EVERYBODY), Baselines.fit(embedded["target"].matrix)
    np.testing.assert_array_equal(found.popularity, own.popularity)
    np.testing.assert_allclose(found.item_mean, own.item_mean, atol=1e-12)
    np.testing.assert_allclose(found.biases.item, own.biases.item, atol=1e-9)
    assert (found.users, found.biases.mean) == (own.users, pytest.approx(own.biases.mean))


def test_lambda_means_the_same_to_mllib(people: Any, embedded: dict[str, Interactions]) -> None:
    from transrec_core.engines.spark.mllib import factorize_all

    names = ("implicit", "ratings", "ratings, non-negative")
    found = factorize_all(people, tasks(names), sweeps=SWEEPS)
    matrix = embedded["target"].matrix
    for name in names[1:]:
        own = on_one_computer(matrix, SPECS[name])
        # Non-negative factors have many minima, and which is found hangs on the start.
        room = 0.05 if SPECS[name].model == "nmf" else 0.01
        assert found[name].objective[-1] == pytest.approx(own.objective[-1], rel=room), name
    # MLlib's weight of a row is its interactions alone; else it is the same objective.
    spec = SPECS["implicit"]
    same = ImplicitByCounts(spec.lam, spec.alpha0, 1.0)
    random = np.random.default_rng(0)
    users = np.zeros((matrix.shape[0], spec.rank), np.float32)
    items = random.normal(0, 0.05, (matrix.shape[1], spec.rank)).astype(np.float32)
    turned = matrix.T.tocsr()
    for _ in range(SWEEPS):
        users, _ = half_sweep(matrix, items, users, same, nonnegative=False)
        items, _ = half_sweep(turned, users, items, same, nonnegative=False)
    told = objective_value(matrix, users, items, same)
    assert found["implicit"].objective[-1] == pytest.approx(told, rel=0.01)
    assert found["implicit"].spec == same


def test_mllib_refuses_another_exponent(people: Any) -> None:
    from transrec_core.engines.spark.mllib import factorize_all
    from transrec_core.errors import BadSettingError

    with pytest.raises(BadSettingError, match="MLlib has only 1"):
        factorize_all(people, tasks(("ratings, plain",)))
