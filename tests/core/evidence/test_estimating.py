"""How long a fit is expected to take: it grows with what there is to do."""

from __future__ import annotations

from dataclasses import replace

from worlds import checkerboard, texts_of

from transrec_core.evidence.estimating import expected_seconds
from transrec_core.settings import Settings
from transrec_core.transfer.knowledge import Ground


def seconds(settings: Settings, users: int = 300, **ground: object) -> float:
    pair = checkerboard(users=users)
    texts = texts_of(pair) if ground.pop("texts", False) else None
    return expected_seconds(Ground(pair, "implicit", 0, texts), settings)


def test_more_data_methods_or_open_parameters_take_longer():
    one = Settings(method="factor_map", feedback="implicit", rank=4, lam=0.02)
    assert 0 < seconds(one) < seconds(one, users=600)
    assert seconds(one) < seconds(replace(one, lam=None)) < seconds(replace(one, method="auto"))
    assert seconds(one) < seconds(replace(one, feedback="auto"))
    assert seconds(replace(one, rank=4)) < seconds(replace(one, rank=16))


def test_the_budget_bounds_the_search():
    open_ = Settings()
    assert seconds(replace(open_, budget=0.001)) < seconds(open_)


def test_a_rank_that_is_too_large_takes_no_time():
    assert seconds(Settings(rank=900)) == 0


def test_a_method_that_cannot_be_used_takes_no_time():
    assert seconds(Settings(method="content")) == 0
    assert seconds(Settings(method="content"), texts=True) > 0
