"""What every method of transfer must keep, and what each is beside an independent computation."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from needs import marked
from sklearn.linear_model import Ridge
from worlds import checkerboard, texts_of

from transrec_core.content.features import text_features, words_domain
from transrec_core.data.linking import link
from transrec_core.errors import NoTextError
from transrec_core.evidence.splitting import without_users
from transrec_core.extras import installed
from transrec_core.factors import factorize
from transrec_core.settings import DEEP, PRIORS
from transrec_core.transfer.fitting import EASE, FitSpec, TransferFit, applicable, fit_transfer
from transrec_core.transfer.fold_in import fold_in
from transrec_core.transfer.joint import fit_joint
from transrec_core.transfer.knowledge import Ground
from transrec_core.transfer.linear_map import PENALTIES
from transrec_core.transfer.ridge import fit_ease, fit_item_ridge
from transrec_core.transfer.scorers import Blend, PlacedUsers

SPEC = FitSpec("implicit", "als", 4, 0.02, 0.2, 1.0, 0, penalty=20.0)
BOTH = [
    (method, feedback)
    for method in PRIORS
    for feedback in ("implicit", "ratings")
    if (method, feedback) not in (("ridge", "ratings"), ("two_tower", "ratings"))
]
LINKED = [method for method in PRIORS if method != "codebook"]


@pytest.fixture(scope="module")
def pair():
    return checkerboard(users=200, overlap=150)


@pytest.fixture(scope="module")
def held(pair):
    return np.arange(0, len(pair.shared), 3)


def fitted(pair, held, method, spec=SPEC) -> TransferFit:
    return fit_transfer(
        pair,
        spec,
        target_matrix=without_users(pair.target.matrix, pair.target_rows[held]),
        map_users=np.setdiff1d(np.arange(len(pair.shared)), held),
        method=method,
        texts=texts_of(pair),
    )


@pytest.fixture(scope="module")
def fit(pair, held):
    """Fit a method, once for all tests that look at it."""
    return cache(partial(fitted, pair, held))


def right(pair, held, scores: np.ndarray) -> float:
    """Share of the held-out users whose best item is of their kind."""
    kind = pair.shared[held].str[1:].astype(int) % 2
    best = pair.target.items[scores.argmax(axis=1)].str[1:].astype(int) % 2
    return float((kind == best).mean())


@pytest.mark.parametrize("method", marked(LINKED))
def test_a_method_knows_the_taste_of_users_without_target_data(method, pair, held, fit):
    rows = pair.source_rows[held]
    nothing = sp.csr_array((len(held), len(pair.target.items)))
    assert right(pair, held, fit(method, SPEC).scores(nothing, rows)) == 1.0


@pytest.mark.parametrize("method", marked(m for m in LINKED if m != "content"))
def test_a_placebo_knows_nothing_and_differs_with_its_number(method, pair, held, fit):
    true = fit(method, SPEC)
    nothing = sp.csr_array((len(held), len(pair.target.items)))
    shares = []
    for shuffle in range(4):
        wrong = true.by(method, shuffle=shuffle)
        shares.append(right(pair, held, wrong.scores(nothing, wrong.links(shuffle)[held])))
    assert np.mean(shares) < 0.8
    assert not np.array_equal(true.links(0), true.links(1))
    np.testing.assert_array_equal(np.sort(true.links(2)), np.sort(pair.source_rows))


@pytest.mark.parametrize(("method", "feedback"), marked(BOTH))
def test_one_fit_learns_another_method_as_if_it_were_fitted_for_it(
    method, feedback, pair, held, fit
):
    spec = replace(SPEC, feedback=feedback)
    rows = pair.source_rows[held]
    support = pair.target.matrix[pair.target_rows[held]]
    switched = fit("factor_map", spec).by(method)
    direct = fit(method, spec)
    np.testing.assert_array_equal(switched.scores(support, rows), direct.scores(support, rows))


@pytest.mark.parametrize(("method", "feedback"), marked(BOTH))
def test_what_held_out_users_did_is_not_read(method, feedback, pair, held, fit):
    """Whatever stands in the rows of held-out users, all users' scores are bit-equal."""
    random = np.random.default_rng(0)
    matrix = pair.target.matrix.copy()
    for user in pair.target_rows[held]:
        cells = slice(matrix.indptr[user], matrix.indptr[user + 1])
        matrix.indices[cells] = np.sort(
            random.choice(matrix.shape[1], cells.stop - cells.start, replace=False)
        )
        matrix.data[cells] = 99
    spoiled = replace(pair, target=replace(pair.target, matrix=matrix))
    spec = replace(SPEC, feedback=feedback)
    rows = pair.source_rows
    nothing = sp.csr_array((len(rows), matrix.shape[1]))
    one = fit(method, spec).scores(nothing, rows)
    two = fitted(spoiled, held, method, spec).scores(nothing, rows)
    np.testing.assert_array_equal(one, two)


# ── joint ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("feedback", ["implicit", "ratings"])
def test_joint_without_weight_is_target_only_to_the_bit(feedback, pair, held):
    spec = replace(SPEC, feedback=feedback, source_weight=0.0)
    fit = fitted(pair, held, "joint", spec)
    support = pair.target.matrix[pair.target_rows[held]]
    np.testing.assert_array_equal(fit.target.item_factors, fit.alone.item_factors)
    prior = fit.knowledge.predict(pair.source_rows[held])
    assert not prior.factors.any()
    assert prior.bias is None or not prior.bias.any()
    if feedback == "implicit":  # with ν = 1 a prior of ratings has the strength of one rating
        placed = PlacedUsers(fit.target, prior).place(slice(None), support, 1.0)
        plain = fold_in(fit.alone, support).factors
        np.testing.assert_allclose(placed.factors, plain, atol=1e-6)


def test_joint_is_one_factorization_of_both_matrices_side_by_side(pair):
    """With every user in both domains, and α = 1, it is the plain fit of [source | target]."""
    both = checkerboard(users=60)
    known, target = fit_joint(both, SPEC, both.target.matrix, both.source_rows, np.arange(60))
    side_by_side = sp.hstack([both.source.matrix, both.target.matrix], format="csr")
    ones = sp.csr_array(
        (np.ones(side_by_side.nnz), side_by_side.indices, side_by_side.indptr), side_by_side.shape
    )
    plain = factorize(
        ones, rank=4, lam=0.02, feedback="implicit", alpha0=0.2, regularization_exponent=1.0,
        confidence="values",
    )  # fmt: skip
    items = len(both.source.items)
    np.testing.assert_array_equal(known.source.item_factors, plain.item_factors[:items])
    np.testing.assert_array_equal(target.item_factors, plain.item_factors[items:])
    np.testing.assert_array_equal(target.user_factors, plain.user_factors)


def test_joint_carries_the_bias_of_a_generous_user(pair, held):
    fit = fitted(pair, held, "joint", replace(SPEC, feedback="ratings"))
    bias = fit.knowledge.predict(pair.source_rows[held]).bias
    generous = pair.shared[held].str[1:].astype(int).to_numpy() // 2 % 2 == 1
    assert bias[generous].min() > bias[~generous].max()


# ── ridge ────────────────────────────────────────────────────────────────────────────────────────


def test_ease_is_the_regression_of_each_item_on_all_others(pair):
    """The closed form of Steck 2019 against one ridge regression an item."""
    matrix = pair.target.matrix
    X = (matrix.toarray() > 0).astype(float)
    found = fit_ease(matrix, 20.0).from_target
    for item in range(0, X.shape[1], 7):
        others = np.delete(np.arange(X.shape[1]), item)
        plain = Ridge(alpha=20.0, fit_intercept=False).fit(X[:, others], X[:, item])
        np.testing.assert_allclose(found[others, item], plain.coef_, atol=1e-5)
        assert found[item, item] == 0


def test_source_weights_are_ridge_regression_with_an_intercept(pair):
    rows = Ground(pair, "implicit", 0).rows
    found = fit_item_ridge(rows, pair.source_rows, pair.target.matrix, pair.target_rows, 20.0)
    X = rows.features_of(pair.source_rows)
    Y = (pair.target.matrix[pair.target_rows].toarray() > 0).astype(float)
    # Whichever penalty leave-one-out chose, it is one of those that were tried.
    best = np.inf
    for multiple in PENALTIES:
        plain = Ridge(alpha=multiple * len(X)).fit(X, Y)
        best = min(best, float(np.abs(plain.coef_.T - found.from_source).max()))
    assert best < 1e-6
    np.testing.assert_allclose(found.mean, Y.mean(axis=0))
    np.testing.assert_allclose(found.centre, X.mean(axis=0))


def test_strength_weighs_the_source_against_the_target(pair, held):
    fit = fitted(pair, held, "ridge")
    support = pair.target.matrix[pair.target_rows[held]]
    scorer = fit.scorer(pair.source_rows[held])
    none, one, two = (scorer.scores(slice(None), support, tau) for tau in (0.0, 1.0, 2.0))
    np.testing.assert_allclose(two - one, one - none, atol=1e-5)
    ease = (support.toarray() > 0) @ fit.knowledge.from_target
    np.testing.assert_allclose(none, ease, atol=1e-5)
    each = scorer.scores(slice(None), support, np.where(np.arange(len(held)) % 2, 2.0, 1.0))
    np.testing.assert_allclose(each[1::2], two[1::2])
    np.testing.assert_allclose(each[::2], one[::2])


def test_ease_needs_no_source(pair, held):
    fit = fitted(pair, held, EASE)
    support = pair.target.matrix[pair.target_rows[held]]
    scores = fit.scorer(pair.source_rows[held]).scores(slice(None), support, 0.5)
    assert right(pair, held, np.where(support.toarray() > 0, -np.inf, scores)) > 0.9


# ── content ──────────────────────────────────────────────────────────────────────────────────────


def test_content_serves_catalogues_that_share_nobody():
    apart = checkerboard(users=200, overlap=0)
    fit = fit_transfer(apart, SPEC, method="content", texts=texts_of(apart))
    scores = fit.scores(sp.csr_array((200, 40)), np.arange(200))
    kind = apart.source.users.str[1:].astype(int) % 2
    best = apart.target.items[scores.argmax(axis=1)].str[1:].astype(int) % 2
    assert (kind == best).all()


def test_text_features_hold_the_cosines_of_words():
    catalogues = [
        pd.DataFrame({"title": ["red fox", "blue fox", ""], "genres": ["tale", "tale", ""]}),
        pd.DataFrame({"title": ["red whale", "blue whale"], "genres": ["", "tale"]}),
    ]
    one, two = text_features(catalogues)
    assert one.shape[0] == 3
    assert not one[2].any()
    np.testing.assert_allclose(np.linalg.norm(one[:2], axis=1), 1, atol=1e-6)
    both = np.vstack([one, two])
    assert both[0] @ both[1] > both[0] @ both[4]  # fox and tale, against nothing but tale's lack
    with pytest.raises(NoTextError, match="in at least two"):
        text_features([pd.DataFrame({"title": ["alone", "apart"]})])


def test_words_are_a_domain_whose_users_are_items():
    frame = pd.DataFrame(
        {"title": ["", "", ""], "genres": ["Comedy|Dark", "Comedy|Noir", ""]},
        index=["b", "a", "c"],
    )
    frame = pd.concat([frame, frame.rename(index=lambda i: i + i)])
    found = words_domain(frame)
    assert found.users.tolist() == ["a", "aa", "b", "bb"]
    assert set(found.items) <= {"comedy", "dark", "noir"}
    np.testing.assert_allclose(np.linalg.norm(found.matrix.toarray(), axis=1), 1, atol=1e-6)


# ── which method can be used ─────────────────────────────────────────────────────────────────────


def test_what_cannot_be_used_says_why(pair):
    def reasons(pair=pair, feedback="implicit", model="als", texts=None, by_words=False):
        return applicable(Ground(pair, feedback, 0, texts, by_words), model)

    without = () if installed("deep") else DEEP
    assert {m for m, why in reasons().items() if not why} == {*LINKED, "codebook"} - {
        "content",
        *without,
    }
    assert reasons(texts=texts_of(pair))["content"] == ""
    assert "not ratings" in reasons(feedback="ratings")["ridge"]
    assert "not ratings" in reasons(feedback="ratings")["two_tower"]
    assert "als" in reasons(model="nmf")["joint"]
    apart = checkerboard(overlap=0)
    alone = reasons(apart, texts=texts_of(apart))
    assert {m for m, why in alone.items() if not why} == {"content", "codebook"}
    assert all("nobody" in alone[m] for m in ("factor_map", "row_map", "joint", "ridge", *DEEP))
    assert {m for m, why in reasons(by_words=True).items() if not why} == {"content"}
    assert {m for m, why in reasons(apart.unlinked()).items() if not why} == {"codebook"}


# ── blends ───────────────────────────────────────────────────────────────────────────────────────


def test_a_blend_lies_between_its_two_ends(pair, held):
    fit = fitted(pair, held, "factor_map")
    support = pair.target.matrix[pair.target_rows[held]]
    alone, moved = fit.scorer(None, len(held)), fit.scorer(pair.source_rows[held])
    low = alone.scores(slice(None), support, 0.5)
    high = moved.scores(slice(None), support, 2.0)
    for weight in (0.0, 0.25, 1.0):
        found = Blend(alone, moved, 0.5, weight).scores(slice(None), support, 2.0)
        np.testing.assert_allclose(found, (1 - weight) * low + weight * high, atol=1e-6)


def test_turned_twice_a_domain_is_itself(pair):
    times = np.random.default_rng(0).random(pair.target.matrix.nnz)
    domain = replace(pair.target, times=times)
    turned = domain.transposed()
    np.testing.assert_array_equal(turned.matrix.toarray(), domain.matrix.toarray().T)
    again = turned.transposed()
    np.testing.assert_array_equal(again.matrix.indices, domain.matrix.indices)
    np.testing.assert_array_equal(again.times, times)
    assert link(turned, turned).shared.equals(domain.items)
