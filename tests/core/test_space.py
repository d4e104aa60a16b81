"""Items and users in one space: exact where it claims to be, on worlds with a known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from needs import marked
from worlds import checkerboard, ratings_of

import transrec_core as tr
from transrec_core import space
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import link
from transrec_core.errors import BadSettingError
from transrec_core.factors.geometry import unit_rows
from transrec_core.settings import DEEP, Settings
from transrec_core.transfer.fitting import FitSpec, TransferFit, fit_transfer
from transrec_core.transfer.fold_in import fold_in, mean_prior

QUICK = Settings(feedback="implicit", rank=4, lam=0.02, shots=(0, 1, 5))


@pytest.fixture(scope="module")
def pair():
    """240 users of the source, of whom 200 are in the target too and 40 are cold."""
    return checkerboard(users=240, overlap=200)


@pytest.fixture(scope="module")
def done(pair) -> tr.Run:
    return tr.run(
        ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv"), QUICK, compare=False
    )


def parity(ids: pd.Series) -> np.ndarray:
    return ids.str.lstrip("tui").astype(int).to_numpy() % 2


def tastes(seed: int = 0, shared: bool = True) -> TransferFit:
    """Four tastes, the first two pronounced in the source and the last two in the target."""
    random = np.random.default_rng(seed)
    users, items, frames = 300, 60, []
    kind = random.choice(4, users)
    other = kind if shared else random.permutation(kind)
    others = {"s": (0.03, 0.05, 0.1, 0.15), "t": (0.15, 0.1, 0.05, 0.03)}
    for kinds, letter in ((kind, "s"), (other, "t")):
        rows = []
        for user in range(users):
            # The target's items of a taste are numbered and spread in another order.
            own = (np.arange(items) * (1 if letter == "s" else 7) % 4) == kinds[user]
            weight = np.where(own, 1.0, others[letter][kinds[user]])
            taken = random.choice(items, 12, replace=False, p=weight / weight.sum())
            rows += [(f"u{user:03d}", f"{letter}{item:03d}") for item in taken]
        frames.append(Interactions.from_frame(pd.DataFrame(rows, columns=["user_id", "item_id"])))
    spec = FitSpec("implicit", "als", 8, 0.02, 0.2, 1.0, 0)
    return fit_transfer(link(*frames), spec)


def taste_of(ids: pd.Series) -> np.ndarray:
    numbers = ids.str[1:].astype(int).to_numpy()
    return np.where(ids.str[0] == "s", numbers, numbers * 7) % 4


def apart(frame: pd.DataFrame) -> float:
    """How far a taste's source items lie from its target items, relative to the map's spread."""
    centres = frame.groupby(["domain", taste_of(frame["item_id"])])[["x", "y"]].mean()
    distance = np.linalg.norm(centres.loc["source"] - centres.loc["target"], axis=1).mean()
    return float(distance / frame[["x", "y"]].std().mean())


@pytest.fixture(scope="module")
def four() -> TransferFit:
    return tastes()


def test_the_space_puts_like_items_of_both_domains_together(done):
    space = tr.item_map(done.fit)
    assert len(space.frame) == 80
    assert 0.5 < sum(space.variance) <= 1.0 + 1e-9
    assert 0 <= space.faithfulness <= 1
    even = parity(space.frame["item_id"]) == 0
    one = space.frame.loc[even, ["x", "y"]].mean()
    two = space.frame.loc[~even, ["x", "y"]].mean()
    within = space.frame.loc[even, ["x", "y"]].std().max()
    assert np.linalg.norm(one - two) > 2 * within
    near = tr.neighbours(done.fit, "source", "i004", n=6)
    assert near.groupby("domain").size().to_dict() == {"source": 6, "target": 6}
    assert (parity(near["item_id"]) == 0).all()
    assert "i004" not in near.loc[near["domain"] == "source", "item_id"].tolist()
    for _, side in near.groupby("domain"):
        assert side["cosine"].is_monotonic_decreasing
    with pytest.raises(BadSettingError, match="nothing"):
        tr.neighbours(done.fit, "source", "nothing")


def test_shared_taste_aligns_and_unrelated_taste_does_not(pair, done):
    found = tr.alignment(done.fit)
    assert found.users == len(pair.shared)
    assert found.correlations[0] > 0.9
    other = checkerboard(users=240, shared=False, seed=1)
    apart = tr.run(
        ratings_of(other.source, "s"), ratings_of(other.target, "t"), QUICK, compare=False
    )
    assert abs(tr.alignment(apart.fit).correlations[0]) < 0.35


def test_factor_cards_name_items_of_one_taste_in_both_domains(done):
    cards = tr.factor_cards(done.fit, n=2, top=4)
    assert [card.factor for card in cards] == [1, 2]
    assert cards[0].share >= cards[1].share > 0
    # Two tastes: one direction tells all users apart, and it does so in both domains.
    first = cards[0]
    assert first.share > 0.8
    assert len(set(parity(pd.Series(first.source_items + first.target_items)))) == 1


def test_a_cosine_is_the_correlation_of_predicted_scores(done):
    near = tr.neighbours(done.fit, "target", "i004", n=39)
    target = near[near["domain"] == "target"]
    fit = done.fit.target
    users = fit.user_factors.astype(float)
    users = users / np.linalg.norm(users, axis=1, keepdims=True)
    scores = users @ fit.item_factors.astype(float).T
    ids = list(done.pair.target.items)
    for item, cosine in zip(target["item_id"], target["cosine"], strict=True):
        truth = np.corrcoef(scores[:, ids.index("i004")], scores[:, ids.index(item)])[0, 1]
        assert cosine == pytest.approx(truth, abs=1e-4)


def test_alignment_brings_what_is_shared_together(four):
    aligned = tr.item_map(four).frame
    before = pd.concat([space.own_map(four, "target").frame, space.own_map(four, "source").frame])
    assert apart(aligned) < 0.6
    assert apart(before) > 2 * apart(aligned)


def test_what_is_not_shared_is_not_brought_together():
    assert apart(tr.item_map(tastes(shared=False)).frame) > 1


def test_a_map_of_its_own_hangs_on_nothing_of_the_other_domain(four):
    found = space.own_map(four, "source")
    stranger = tastes(seed=5)
    other = replace(
        four, alone=stranger.alone, target=stranger.alone, knowledge=None,
        map_users=four.map_users[:1],
    )  # fmt: skip
    again = space.own_map(other, "source")
    pd.testing.assert_frame_equal(found.frame, again.frame)
    assert found.variance == again.variance
    assert found.faithfulness == again.faithfulness


def test_own_neighbours_are_the_correlation_of_the_domains_own_scores(four):
    near = space.own_neighbours(four, "source", "s004", n=59)
    assert len(near) == 59
    assert "s004" not in set(near["item_id"])
    model = four.source
    scores = unit_rows(model.user_factors) @ model.item_factors.astype(float).T
    ids = list(four.pair.source.items)
    for item, cosine in zip(near["item_id"], near["cosine"], strict=True):
        truth = np.corrcoef(scores[:, ids.index("s004")], scores[:, ids.index(item)])[0, 1]
        assert cosine == pytest.approx(truth, abs=1e-4)
    with pytest.raises(BadSettingError, match="nothing"):
        space.own_neighbours(four, "target", "nothing")


# ── the matrix of directions ─────────────────────────────────────────────────────────────────────


def test_the_matrix_is_the_correlation_of_singular_vectors(four):
    found = space.alignment_matrix(four, n=4)
    vectors = []
    for model, rows in (
        (four.source, four.pair.source_rows),
        (four.alone, four.pair.target_rows),
    ):
        users = unit_rows(model.user_factors)
        scores = (users - users.mean(axis=0)) @ model.item_factors.astype(float).T
        left, sizes, right = np.linalg.svd(scores, full_matrices=False)
        strongest = np.abs(right).argmax(axis=1)
        left *= np.sign(right[np.arange(len(right)), strongest])
        vectors.append(left[rows])
        shares = sizes**2 / (sizes**2).sum()
        mine = found.source_shares if model is four.source else found.target_shares
        np.testing.assert_allclose(mine, shares[:4], atol=1e-5)
    for f in range(found.correlations.shape[0]):
        for g in range(found.correlations.shape[1]):
            truth = np.corrcoef(vectors[0][:, f], vectors[1][:, g])[0, 1]
            assert found.correlations[f, g] == pytest.approx(truth, abs=2e-3)
    assert found.users == 300


def test_shared_tastes_stand_out_of_chance_and_unshared_do_not(four):
    found = space.alignment_matrix(four, n=4)
    assert np.abs(found.correlations[:3, :3]).max(axis=1).min() > 0.4
    # Three directions tell four tastes apart; further ones are noise.
    beyond = [
        np.abs(m.correlations).max() > m.chance
        for m in (space.alignment_matrix(tastes(seed, shared=False), n=4) for seed in range(8))
    ]
    assert sum(beyond) <= 2
    assert 0.1 < found.chance < 0.25


def test_the_matrix_speaks_of_the_directions_of_the_cards(four):
    matrix = space.alignment_matrix(four, n=3, top=4)
    for card, items, share in zip(
        tr.factor_cards(four, n=3, top=4), matrix.target_items, matrix.target_shares, strict=True
    ):
        assert card.target_items == items
        assert card.share == pytest.approx(share)


def test_too_few_shared_users_make_no_claim():
    fit = tastes()
    two = replace(fit.pair, source_rows=fit.pair.source_rows[:2],
                  target_rows=fit.pair.target_rows[:2], shared=fit.pair.shared[:2])  # fmt: skip
    found = space.alignment_matrix(replace(fit, ground=replace(fit.ground, pair=two)))
    assert found.chance == 1.0
    assert np.isfinite(found.correlations).all()


# ── users ────────────────────────────────────────────────────────────────────────────────────────


def test_a_user_and_an_item_multiply_to_the_score_above_the_average_users(four):
    placed = space.places(four)
    users = unit_rows(four.alone.user_factors)
    truth = (users - users.mean(axis=0)) @ four.alone.item_factors.astype(float).T
    coordinates = four.alone.item_factors.astype(float) @ placed.axes.rotation
    found = placed.axes.people(four.alone.user_factors) @ coordinates.T
    np.testing.assert_allclose(found, truth, atol=1e-6)
    # The unit place asks how much more, relative to how much users differ about the item.
    unit = placed.axes.people(four.alone.user_factors) @ placed.target.T
    np.testing.assert_allclose(
        unit, truth / np.linalg.norm(truth, axis=0, keepdims=True), atol=1e-6
    )


def test_users_are_spread_as_wide_as_items(four):
    items, placed = tr.item_map(four), space.places(four)
    target = items.frame[["x", "y"]].to_numpy()
    users = four.pair.target.users[[0, 7]]
    paths = {row: space.user_path(four, u, items) for row, u in zip((0, 7), users, strict=True)}
    places = placed.axes.people(four.alone.user_factors) @ items.axes
    scale = np.sqrt((target**2).sum(axis=1).mean() / (places**2).sum(axis=1).mean())
    # With data of one's own and no prior, the fold-in is the row of the factorization itself.
    for row, path in paths.items():
        x, y = path.target
        assert np.hypot(*(scale * places[row] - (x, y))) < 0.2 * np.hypot(x, y) + 0.05
    np.testing.assert_array_equal(placed.axes.people(np.zeros((1, 8))), np.zeros((1, 8)))


def test_the_three_places_are_the_prior_the_fold_in_and_both(four):
    items, placed = tr.item_map(four), space.places(four)
    user = four.pair.shared[3]
    path = space.user_path(four, user, items, placed=placed)
    row = four.pair.target.matrix[[four.pair.target_rows[3]]]
    source_row = four.pair.source_rows[[3]]
    prior = four.knowledge.predict(source_row)
    wanted = {
        "source": prior.factors,
        "both": four.place(row, source_row).factors,
        # The average user's prior has no weight in this fit: the plain fold-in.
        "target": fold_in(four.alone, row).factors,
    }
    directions = {name: placed.axes.people(f)[0] @ items.axes for name, f in wanted.items()}
    for name, direction in directions.items():
        spot = np.array(getattr(path, name))
        np.testing.assert_allclose(
            spot / np.linalg.norm(spot), direction / np.linalg.norm(direction), atol=1e-9
        )
    lengths = [
        np.linalg.norm(getattr(path, name)) / np.linalg.norm(d) for name, d in directions.items()
    ]
    assert max(lengths) == pytest.approx(min(lengths))
    assert path.method == "factor_map"
    with pytest.raises(BadSettingError, match="nobody"):
        space.user_path(four, "nobody", items)


def test_arrows_point_at_the_users_taste(four):
    items = tr.item_map(four)
    frame = items.frame[items.frame["domain"] == "target"]
    taste = taste_of(frame["item_id"])
    hits = []
    for user in four.pair.shared[:60]:
        path = space.user_path(four, user, items)
        history = tr.history(four.pair.source, user)["item_id"]
        own = np.bincount(taste_of(history), minlength=4).argmax()
        along = frame[["x", "y"]].to_numpy() @ np.array(path.source)
        hits.append(along[taste == own].mean() > along[taste != own].mean())
        assert -1 <= path.fidelity <= 1
    assert np.mean(hits) > 0.9


def test_who_is_in_one_domain_has_fewer_places(pair, done):
    items = tr.item_map(done.fit)
    cold = pair.source.users.difference(pair.shared)[0]
    path = space.user_path(done.fit, cold, items)
    assert path.target is None
    assert path.source == pytest.approx(path.both)
    new = pair.target.users.difference(pair.shared)[0]
    path = space.user_path(done.fit, new, items)
    assert path.source is None
    assert path.target == path.both


def test_a_plane_that_holds_all_is_faithful_to_the_user(done):
    """Two tastes are one direction: nothing is left out on the way to the plane."""
    items = tr.item_map(done.fit)
    path = space.user_path(done.fit, "u004", items)
    assert path.fidelity > 0.95
    even = parity(items.frame["item_id"]) == 0
    along = items.frame[["x", "y"]].to_numpy() @ np.array(path.both)
    assert along[even].min() > along[~even].max()


@pytest.mark.parametrize("method", marked(["ridge", "joint", "codebook", "row_map", *DEEP]))
def test_methods_without_a_prior_in_this_space_use_the_factor_map(four, method):
    fit = four.by(method)
    items = tr.item_map(fit)
    path = space.user_path(fit, fit.pair.shared[0], items)
    inside = method in ("row_map", "neural_map", "meta_map")
    assert path.method == (method if inside else "factor_map")
    mapped = space.user_path(four, fit.pair.shared[0], items)
    assert (path.source == pytest.approx(mapped.source)) != inside


def test_without_factors_a_user_is_the_average_user(four):
    items = tr.item_map(four)
    average = mean_prior(four.alone, four.trained_counts, 1).factors
    place = space.places(four).axes.people(average)[0] @ items.axes
    people = space.places(four).axes.people(four.alone.user_factors) @ items.axes
    assert np.linalg.norm(place) < 0.5 * np.linalg.norm(people, axis=1).mean()


# ── the map beside the truth ─────────────────────────────────────────────────────────────────────


def test_agreement_counts_by_hand(four):
    items = tr.item_map(four)
    near = tr.neighbours(four, "source", "s004", n=5)
    frame = items.frame.set_index(["domain", "item_id"])
    here = frame.loc[("source", "s004"), ["x", "y"]].astype(float)
    kept = 0
    for domain in ("source", "target"):
        mine = frame.loc[domain].drop(index="s004", errors="ignore")
        distance = ((mine[["x", "y"]] - here) ** 2).sum(axis=1)
        closest = set(distance.sort_values().index[:5])
        kept += len(closest & set(near.loc[near["domain"] == domain, "item_id"]))
    assert space.agreement(items, "source", "s004", near) == (kept, 10)


def test_strengths_are_in_the_maps_order_and_lead_the_cards(four):
    placed = space.places(four)
    frame = tr.item_map(four, placed=placed).frame
    for card in tr.factor_cards(four, n=2, top=3, placed=placed):
        strength = pd.Series(space.strengths(placed, card.factor))
        assert strength.abs().max() <= 1 + 1e-9
        for domain, items in (("source", card.source_items), ("target", card.target_items)):
            mine = frame["domain"] == domain
            by_id = strength[mine].set_axis(frame.loc[mine, "item_id"])
            assert by_id[list(items)].is_monotonic_decreasing
            assert by_id[items[0]] > by_id.median()


def test_a_crowd_is_of_the_busiest_items_of_both_domains(four):
    placed = space.places(four)
    items = tr.item_map(four, placed=placed)
    rows, points = space.crowd(items, placed, most=30)
    picked = items.frame.loc[rows]
    assert picked["domain"].value_counts().to_dict() == {"source": 15, "target": 15}
    for domain, mine in items.frame.groupby("domain"):
        least = picked.loc[picked["domain"] == domain, "interactions"].min()
        assert mine["interactions"].nlargest(15).min() == least
    np.testing.assert_allclose(points @ items.axes, picked[["x", "y"]].to_numpy(), atol=1e-9)
    assert len(space.crowd(items, placed)[0]) == len(items.frame)
