"""The leaderboard of sources on worlds whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from worlds import checkerboard, ratings_of

import transrec_core as tr
from transrec_core.data.interactions import Interactions
from transrec_core.errors import Cancelled
from transrec_core.evidence.sources import as_table, rank_domains
from transrec_core.progress import Meter
from transrec_core.settings import Settings

QUICK = Settings(feedback="implicit", rank=4, lam=0.02, shots=(0, 5))


@pytest.fixture(scope="module")
def candidates():
    """The same target with a source that shares its taste, one that does not, and no users."""
    good = checkerboard(users=300)
    noise = checkerboard(users=300, shared=False, seed=1).target
    strangers = Interactions.from_frame(
        pd.DataFrame({"user_id": [f"x{n}" for n in range(40)], "item_id": ["a", "b"] * 20})
    )
    return good.target, {"strangers": strangers, "noise": noise, "good": good.source}


def test_the_source_with_the_same_taste_comes_first_and_one_without_users_last(candidates):
    target, sources = candidates
    best, other, none = rank_domains(target, sources, QUICK, Meter())
    assert [best.source, other.source, none.source] == ["good", "noise", "strangers"]
    assert best.gain is not None
    assert best.gain.low > 0.1
    assert best.correlation > 0.6
    assert other.gain is not None
    assert other.gain.low < 0 or other.gain.mean < 0.1 * best.gain.mean
    assert other.correlation < 0.3
    assert none.gain is None
    assert none.shared_users == none.judged_users == 0
    assert "0 shared users" in none.note


def test_test_users_do_not_speak_in_a_pilot(candidates):
    """Whatever the test users of a comparison did in the target, the pilot says the same."""
    from transrec_core.data.linking import link
    from transrec_core.evidence.splitting import split_users

    target, sources = candidates
    pair = link(sources["good"], target)
    rows = pair.target_rows[split_users(pair, QUICK).test.positions]
    changed = target.matrix.copy()
    for row in rows:
        cells = slice(changed.indptr[row], changed.indptr[row + 1])
        changed.indices[cells] = np.arange(cells.stop - cells.start)
    (plain,) = rank_domains(target, {"good": sources["good"]}, QUICK, Meter())
    (other,) = rank_domains(
        replace(target, matrix=changed), {"good": sources["good"]}, QUICK, Meter()
    )
    assert plain.gain == other.gain


def test_the_table_says_all_and_the_order_given_does_not_matter(candidates):
    target, sources = candidates
    first = as_table(rank_domains(target, sources, QUICK, Meter()))
    again = as_table(rank_domains(target, dict(reversed(sources.items())), QUICK, Meter()))
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), again.drop(columns="seconds"))
    assert list(first["shots"].unique()) == [0]
    assert first["density"].iloc[0] == pytest.approx(14 / 40)
    assert first["note"].tolist()[:2] == ["", ""]


def test_from_python_with_progress_and_cancel(candidates):
    target, sources = candidates
    ratings = {
        name: ratings_of(domain, name) for name, domain in sources.items() if name != "strangers"
    }
    stages: list[str] = []
    table = tr.rank_sources(
        ratings_of(target, "target"), ratings, QUICK,
        on_progress=lambda progress: stages.append(progress.stage),
    )  # fmt: skip
    assert table["source"].tolist() == ["good", "noise"]
    assert any("good" in stage for stage in stages)

    def stop(progress: tr.Progress) -> None:
        if "noise" in progress.stage:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        tr.rank_sources(ratings_of(target, "target"), ratings, QUICK, on_progress=stop)
