"""Thinning: who is judged stays, what the others did goes, nested."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import checkerboard, ratings_of

import transrec_core as tr
from transrec_core.errors import BadSettingError
from transrec_core.evidence.sparsity import as_table, thin, thinned_comparisons
from transrec_core.evidence.splitting import split_users
from transrec_core.progress import Meter
from transrec_core.settings import Settings

QUICK = Settings(feedback="implicit", method="factor_map", rank=4, lam=0.02, shots=(0, 5))


def test_held_out_users_keep_all_and_the_others_a_nested_share():
    pair = checkerboard(users=300)
    split = split_users(pair, QUICK)
    held = pair.target_rows[np.concatenate([split.validation.positions, split.test.positions])]
    others = np.setdiff1d(np.arange(300), held)
    full = pair.target.matrix.toarray()
    half, tenth = (thin(pair, split, share, 0).target.matrix.toarray() for share in (0.5, 0.1))
    for part in (half, tenth):
        np.testing.assert_array_equal(part[held], full[held])
    assert np.all((tenth != 0) <= (half != 0))
    assert np.all(half[half != 0] == full[half != 0])
    assert (half[others] != 0).sum() == pytest.approx(0.5 * (full[others] != 0).sum(), rel=0.1)
    assert (tenth[others] != 0).sum() == pytest.approx(0.1 * (full[others] != 0).sum(), rel=0.2)
    np.testing.assert_array_equal(thin(pair, split, 1.0, 0).target.matrix.toarray(), full)


def test_the_whole_is_the_plain_comparison_and_the_users_stay():
    pair = checkerboard(users=300)
    found = thinned_comparisons(pair, QUICK, (0.2, 1.0), Meter())
    assert [thinned.share for thinned in found] == [1.0, 0.2]
    assert (
        found[0].comparison.headline.shots
        == tr.compare(
            ratings_of(pair.source, "s"), ratings_of(pair.target, "t"), QUICK
        ).headline.shots
    )
    users = [set(thinned.comparison.headline.per_user["user_id"]) for thinned in found]
    assert users[0] == users[1]
    assert found[1].ratings < 0.3 * found[0].ratings
    table = as_table(found)
    assert table["share"].tolist() == [1.0, 1.0, 0.2, 0.2]
    np.testing.assert_allclose(table["with"] - table["without"], table["gain"])


@pytest.mark.parametrize("shares", [(), (0.0,), (0.5, 1.5), (-1,)])
def test_shares_out_of_range_are_refused(shares):
    pair = checkerboard()
    with pytest.raises(BadSettingError, match="above 0 and at most 1"):
        tr.sparsity(ratings_of(pair.source, "s"), ratings_of(pair.target, "t"), shares=shares)
