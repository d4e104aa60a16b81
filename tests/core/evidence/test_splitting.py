"""Who is held out and what of theirs is shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from worlds import checkerboard

from transrec_core.errors import TooFewUsersError
from transrec_core.evidence.splitting import (
    measured_shots,
    split_users,
    unmeasured_shots,
    without_users,
)
from transrec_core.settings import Settings


def test_supports_are_nested_and_never_meet_the_test_items():
    pair = checkerboard()
    split = split_users(pair, Settings(shots=(0, 1, 2, 5, 10)))
    for held in (split.validation, split.test):
        smaller = set()
        for shots in (0, 1, 2, 5, 10):
            support = held.supports[shots]
            cells = set(zip(*support.nonzero(), strict=True))
            assert smaller <= cells
            assert (np.diff(support.indptr)[held.enough[shots]] == shots).all()
            assert not cells & set(zip(*held.test.nonzero(), strict=True))
            smaller = cells
        whole = held.test + held.supports[10]
        theirs = pair.target.matrix[pair.target_rows[held.positions]]
        assert np.array_equal(whole.toarray(), theirs.toarray())


def test_the_parts_never_meet_and_have_the_wished_sizes():
    pair = checkerboard()
    split = split_users(pair, Settings())
    assert not set(split.test.positions) & set(split.validation.positions)
    assert len(split.test.positions) == 36
    assert len(split.validation.positions) == 24


def test_with_times_the_support_is_the_earliest():
    pair = checkerboard()
    times = np.random.default_rng(0).permutation(pair.target.matrix.nnz).astype(float)
    times[3] = np.nan
    pair = replace(pair, target=replace(pair.target, times=times))
    held = split_users(pair, Settings(shots=(0, 5))).test
    clock = sp.csr_array(
        (np.nan_to_num(times, nan=-1.0) + 1, pair.target.matrix.indices, pair.target.matrix.indptr),
        pair.target.matrix.shape,
    )
    for row, position in enumerate(held.positions):
        user = pair.target_rows[position]
        early = clock[[user], :].toarray()[0][held.supports[5][[row], :].indices]
        late = clock[[user], :].toarray()[0][held.test[[row], :].indices]
        assert early.max() < late.min()


def test_users_with_fewer_interactions_are_told_up_to_what_they_have():
    pair = checkerboard()
    held = split_users(pair, Settings(shots=(0, 5, 12), min_target=8)).test
    assert held.enough[5].all()
    assert not held.enough[12].any()


def test_too_few_users_are_refused_with_the_numbers():
    with pytest.raises(TooFewUsersError, match=r"Only 30 of 30 shared users .* needs 32"):
        split_users(checkerboard(users=30), Settings())
    split_users(checkerboard(users=32), Settings())


def test_more_shots_than_anybody_has_are_refused_with_the_most_that_can_be_measured():
    pair = checkerboard(users=120)  # 14 interactions each, of which 3 are for the test
    with pytest.raises(TooFewUsersError, match=r"have 100 target .* up to 11\."):
        split_users(pair, Settings(shots=(100,)))
    split_users(pair, Settings(shots=(11,)))


def test_shots_that_nobody_has_are_told_beside_those_that_are_measured():
    split = split_users(checkerboard(users=120), Settings(shots=(0, 12, 100)))
    assert measured_shots(split.validation, split.test) == (0,)
    (told,) = unmeasured_shots(split.validation, split.test)
    assert told.code == "FEW_FOR_SHOTS"
    assert "12 or 100 target interactions" in told.message


@pytest.mark.parametrize("test_share", [0.1, 0.3, 0.5, 0.7])
def test_somebody_is_left_to_choose_and_to_learn_from(test_share):
    settings = Settings(test_share=test_share)
    with pytest.raises(TooFewUsersError) as refused:
        split_users(checkerboard(users=11), settings)
    needed = int(refused.value.message.rsplit(" ", 1)[1].rstrip("."))
    with pytest.raises(TooFewUsersError, match=f"needs {needed}"):
        split_users(checkerboard(users=needed - 1), settings)
    for users in (needed, 2 * needed):
        split = split_users(checkerboard(users=users), settings)
        assert len(split.test.positions) >= 10
        assert len(split.validation.positions) >= 5
        assert users - len(split.test.positions) - len(split.validation.positions) >= 2


def test_without_users_keeps_stored_zeros_of_others():
    matrix = sp.csr_array((np.array([0.0, 1.0, 2.0]), [0, 1, 0], [0, 2, 3]), shape=(2, 2))
    left = without_users(matrix, np.array([1]))
    assert left.nnz == 2
    assert np.diff(left.indptr).tolist() == [2, 0]
