"""Metrics and top-N against slow references, ties included."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, root_mean_squared_error

from transrec_core.evidence.metrics import ndcg, rmse
from transrec_core.ranking import hide, top_items


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 8))
def test_top_items_are_a_stable_sort_ties_included(seed, n_items, n):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4, (5, n_items)).astype(float)
    scores[random.random(scores.shape) < 0.3] = -np.inf
    best = top_items(scores, n)
    for row, listed in zip(scores, best, strict=True):
        expected = [i for i in np.argsort(-row, kind="stable") if row[i] > -np.inf][:n]
        assert [i for i in listed if i >= 0] == expected
        assert (listed[len(expected) :] == -1).all()


@settings(max_examples=200, deadline=None)
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


def test_hiding_touches_only_seen_items_and_not_the_input():
    scores = np.ones((2, 3))
    hidden = hide(scores, sp.csr_array(np.array([[0, 1.0, 0], [0, 0, 0]])))
    assert np.isneginf(hidden[0, 1])
    assert hidden.sum(where=np.isfinite(hidden)) == 5
    assert (scores == 1).all()
