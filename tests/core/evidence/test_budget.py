"""What a trial is estimated to cost rises with what makes it longer, and hangs on nothing else."""

from __future__ import annotations

from dataclasses import replace

from worlds import checkerboard

from transrec_core.evidence.budget import Budget
from transrec_core.settings import DEEP, PRIORS
from transrec_core.transfer.fitting import FitSpec

SPEC = FitSpec("implicit", "als", 8, 0.02, 0.2, 1.0, 0)


def test_more_of_anything_costs_more(monkeypatch):
    # As long as for real data: tests train for fewer steps than this data would ask for.
    monkeypatch.setattr("transrec_core.transfer.deep.training.UPDATES", 1200)
    small, large = (Budget(checkerboard(users=n), 1e6, 60.0) for n in (100, 400))
    for method in PRIORS:
        cost = small.cost(method, SPEC, factorized=False)
        assert 0 < cost < large.cost(method, SPEC, factorized=False)
        assert small.cost(method, SPEC, factorized=True) <= cost
        assert replace(small, judged=1e8).cost(method, SPEC, factorized=False) > cost
        if method not in ("ridge", *DEEP):  # the one has no rank, and a step of the others costs
            assert small.cost(method, replace(SPEC, rank=16), factorized=False) > cost


def test_what_is_left_is_shared_by_the_methods_to_come():
    budget = Budget(checkerboard(), 1e6, 60.0)
    assert budget.share(4) == 15
    budget.spent = 50
    assert budget.share(1) == 10
    budget.spent = 70
    assert budget.share(2) == 0
