"""Metrics and top-N against slow references, ties included."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, ndcg_score, root_mean_squared_error

from transrec_core import ranking
from transrec_core.evidence.metrics import (
    coverage,
    mae,
    mean_share,
    ndcg,
    recall,
    reciprocal_rank,
    rmse,
)
from transrec_core.ranking import top_items


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 8), st.sampled_from([0, 64]))
def test_top_items_are_a_stable_sort_of_the_unseen_ties_included(seed, n_items, n, many):
    """Both ways, of short lists and of long ones."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4, (5, n_items)).astype(random.choice([np.float32, np.float64]))
    scores[random.random(scores.shape) < 0.3] = -np.inf
    seen = random.random(scores.shape) < 0.2
    before = scores.copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "MANY", many)
        best = top_items(scores, n, sp.csr_array(seen.astype(float)))
        whole = top_items(scores, n)
    np.testing.assert_array_equal(scores, before)
    for hidden, found in ((np.where(seen, -np.inf, scores), best), (scores, whole)):
        assert found.shape == (5, min(n, n_items))
        for row, listed in zip(hidden, found, strict=True):
            expected = [i for i in np.argsort(-row, kind="stable") if row[i] > -np.inf][:n]
            assert [i for i in listed if i >= 0] == expected
            assert (listed[len(expected) :] == -1).all()


def test_a_repeated_row_of_scores_can_be_ranked():
    shared = np.broadcast_to(np.array([1.0, 3.0, 2.0]), (2, 3))
    assert top_items(shared, 2).tolist() == [[1, 2], [1, 2]]


@given(st.integers(0, 10**6), st.integers(1, 10))
def test_ndcg_is_scikit_learns(seed, n):
    random = np.random.default_rng(seed)
    scores = random.permuted(np.tile(np.arange(15.0), (6, 1)), axis=1)
    relevant = random.random((6, 15)) < 0.3
    relevant[:, 0] |= ~relevant.any(axis=1)
    found = ndcg(top_items(scores, n), sp.csr_array(relevant.astype(float)))
    expected = [ndcg_score([r], [s], k=n) for r, s in zip(relevant, scores, strict=True)]
    np.testing.assert_allclose(found, expected)


def test_a_user_without_test_items_has_no_ndcg():
    assert np.isnan(ndcg(np.array([[0, 1]]), sp.csr_array((1, 3)))).all()


def test_rmse_is_scikit_learns_a_user():
    truth = sp.csr_array(np.array([[1.0, 0, 5.0], [0, 2.0, 0], [0, 0, 0]]))
    predictions = np.array([2.0, 3.0, 2.5])
    found = rmse(predictions, truth)
    assert found[0] == pytest.approx(root_mean_squared_error([1, 5], [2, 3]))
    assert found[1] == pytest.approx(0.5)
    assert np.isnan(found[2])


@given(st.integers(0, 10**6), st.integers(1, 9))
def test_further_metrics_are_what_a_loop_over_users_gives(seed, n):
    random = np.random.default_rng(seed)
    relevant = random.random((6, 12)) < 0.25
    top = np.argsort(-random.random((6, 12)), axis=1)[:, :n]
    top[0, n // 2 :] = -1
    test = sp.csr_array(relevant.astype(float))
    popularity = random.integers(0, 5, 12) / 7
    found_recall, found_rank = recall(top, test), reciprocal_rank(top, test)
    share, bits = mean_share(top, popularity)
    least = popularity[popularity > 0].min(initial=1.0)
    for user in range(6):
        listed = [item for item in top[user] if item >= 0]
        hits = [relevant[user, item] for item in listed]
        wanted = relevant[user].sum()
        if wanted == 0:
            assert np.isnan(found_recall[user])
            assert np.isnan(found_rank[user])
        else:
            assert found_recall[user] == pytest.approx(sum(hits) / min(wanted, n))
            first = next((1 / place for place, hit in enumerate(hits, 1) if hit), 0.0)
            assert found_rank[user] == pytest.approx(first)
        if listed:
            assert share[user] == pytest.approx(np.mean(popularity[listed]))
            novelty = -np.log2(np.maximum(popularity[listed], least))
            assert bits[user] == pytest.approx(np.mean(novelty))
    assert coverage(top, 12) == len({item for item in top.ravel() if item >= 0}) / 12


def test_mae_is_scikit_learns_a_user():
    truth = sp.csr_array(np.array([[1.0, 0, 5.0], [0, 2.0, 0], [0, 0, 0]]))
    found = mae(np.array([2.0, 3.0, 2.5]), truth)
    assert found[0] == pytest.approx(mean_absolute_error([1, 5], [2, 3]))
    assert found[1] == pytest.approx(0.5)
    assert np.isnan(found[2])
