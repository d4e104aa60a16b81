"""Shared users, shared items, texts alone, or nothing: what can be done, and what is said."""

from __future__ import annotations

import html
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from text_models import Bags
from worlds import checkerboard, items_of, ratings_of, texts_of

import transrec_core as tr
from transrec_core.content import embedding, features
from transrec_core.data.interactions import Interactions
from transrec_core.data.report import Problem
from transrec_core.errors import (
    AllCrosslistedError,
    BadSettingError,
    NoOverlapError,
    NoTextError,
    TooFewUsersError,
)
from transrec_core.evidence.estimating import expected_seconds
from transrec_core.explaining import WHOLE_TEXT
from transrec_core.reporting.bundle import evidence_json
from transrec_core.reporting.report import report_html
from transrec_core.reporting.sentences import crosslisted_sentence
from transrec_core.running import describe
from transrec_core.transfer.knowledge import Ground

QUICK = tr.Settings(feedback="implicit", rank=4, lam=0.02, shots=(0, 1, 5))


def parity(ids: pd.Series) -> np.ndarray:
    return ids.str.lstrip("tui").astype(int).to_numpy() % 2


@pytest.fixture(scope="module")
def apart():
    """Two catalogues that share nobody, and what their items are about."""
    pair = checkerboard(users=300, overlap=0)
    texts = texts_of(pair)
    return (
        ratings_of(pair.source, "s.csv"),
        ratings_of(pair.target, "t.csv"),
        items_of(texts.source),
        items_of(texts.target),
    )


def test_texts_serve_catalogues_that_share_nobody_and_nothing_is_claimed(apart):
    source, target, source_items, target_items = apart
    run = tr.run(source, target, QUICK, source_items=source_items, target_items=target_items)
    assert run.comparison is None
    assert "Nobody is in both" in run.no_comparison
    assert run.fit.method == "content"
    lists = tr.recommend(source, target, QUICK, items=target_items, source_items=source_items)
    assert set(lists["user_id"]) == set(source.frame["user_id"])
    assert (lists["method"] == "content").all()
    assert (parity(lists["user_id"]) == parity(lists["item_id"])).all()


def test_without_anything_shared_the_ways_out_are_named(apart):
    source, target, _, _ = apart
    for call in (tr.compare, tr.recommend):
        with pytest.raises(NoOverlapError, match=r"share no user ids.*content.*codebook"):
            call(source, target, QUICK)


def test_a_codebook_needs_nobody_and_is_judged_on_the_targets_own_users(apart):
    source, target, _, _ = apart
    settings = replace(QUICK, method="codebook")
    found = tr.compare(source, target, settings).headline
    assert {"codebook", "target_only", "popularity"} <= set(found.shots[0].methods)
    assert set(found.per_user["user_id"]) <= set(target.frame["user_id"])
    assert "source" not in set(found.cohorts["cohort"])  # nothing is known of them there
    assert "helps" not in found.verdict.values()  # the target's own users tell the same
    lists = tr.recommend(source, target, settings)
    assert set(lists["user_id"]) == set(target.frame["user_id"])


def test_a_method_that_cannot_be_used_says_why(apart):
    pair = checkerboard(users=150)
    source, target = ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv")
    with pytest.raises(BadSettingError, match=r"content cannot be used here: it needs the texts"):
        tr.compare(source, target, replace(QUICK, method="content"))
    with pytest.raises(BadSettingError, match=r"ridge cannot be used here.*not ratings"):
        tr.compare(source, target, replace(QUICK, method="ridge", feedback="ratings"))


# ── items as the cold side ───────────────────────────────────────────────────────────────────────


def catalogue(items: int = 120, users: int = 80, seed: int = 0) -> pd.DataFrame:
    """Items of two kinds, each taken by users of its kind."""
    random = np.random.default_rng(seed)
    rows = []
    for item in range(items):
        fans = np.flatnonzero(np.arange(users) % 2 == item % 2)
        taken = random.choice(fans, size=14, replace=False)
        rows += [(f"u{user:03d}", f"i{item:03d}") for user in taken]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def as_ratings(frame: pd.DataFrame, name: str):
    return ratings_of(Interactions.from_frame(frame), name)


@pytest.fixture(scope="module")
def told():
    """A catalogue whose genres tell the kind of an item, with ten items that nobody rated."""
    ids = [f"i{item:03d}" for item in range(130)]
    genres = ["Comedy|Light" if item % 2 == 0 else "Thriller|Dark" for item in range(130)]
    frame = pd.DataFrame({"title": ids, "genres": genres, "description": ""}, index=ids)
    return as_ratings(catalogue(), "t.csv"), items_of(frame)


def test_new_items_are_known_by_their_texts(told):
    target, items = told
    settings = replace(QUICK, cold="items")
    found = tr.compare(target, target, settings, target_items=items).headline
    assert found.cold == "items"
    assert {"content", "similarity", "popularity", "target_only"} <= set(found.shots[0].methods)
    assert found.shots[0].methods["content"].mean > 1.5 * found.shots[0].methods["popularity"].mean
    assert next(iter(found.per_user.columns)) == "item_id"
    assert found.shots[0].placebo.high < 0.1


def test_lists_of_new_items_name_the_users_to_show_them_to(told):
    target, items = told
    settings = replace(QUICK, cold="items", top=5)
    lists = tr.recommend(target, target, settings, items=items)
    assert list(lists.columns) == ["item_id", "user_id", "rank", "score", "method", "title"]
    new = lists[lists["item_id"] >= "i120"]
    assert len(new) == 10 * 5
    assert (parity(new["item_id"]) == parity(new["user_id"])).all()
    assert (new["title"] == new["item_id"]).all()
    seen = set(zip(target.frame["item_id"], target.frame["user_id"], strict=True))
    assert not seen & set(zip(lists["item_id"], lists["user_id"], strict=True))


def test_items_that_both_catalogues_have_are_known_from_the_source():
    """Other users, the same items: what the source's users made of an item carries over."""
    source = catalogue(users=60, seed=1).assign(user_id=lambda f: "s" + f["user_id"])
    target = catalogue(seed=2)
    settings = replace(QUICK, cold="items")
    found = tr.compare(as_ratings(source, "s.csv"), as_ratings(target, "t.csv"), settings).headline
    assert found.verdict[0] == "helps"
    assert {"factor_map", "row_map", "joint"} <= set(found.shots[0].methods)
    other = as_ratings(target.assign(item_id=lambda f: "x" + f["item_id"]), "x.csv")
    with pytest.raises(NoOverlapError, match=r"share no item ids.*give the texts of the target"):
        tr.compare(as_ratings(source, "s.csv"), other, settings)


# ── language models ──────────────────────────────────────────────────────────────────────────────

MEANING = replace(QUICK, text_model="some-model")


@pytest.fixture
def reader(monkeypatch):
    """Stands where a language model is named."""
    found = Bags()
    monkeypatch.setattr(
        embedding, "embedder_of", lambda name: found if name == MEANING.text_model else None
    )
    return found


def test_a_language_model_serves_catalogues_that_share_nobody(apart, reader):
    source, target, source_items, target_items = apart
    told: list[tr.Progress] = []
    run = tr.run(
        source, target, MEANING, source_items=source_items, target_items=target_items,
        on_progress=told.append,
    )  # fmt: skip
    assert run.comparison is None
    lists = tr.recommend_from(run, top=3)
    titled = lists[lists["user_id"].isin(run.pair.source.users)]
    assert (parity(titled["user_id"]) == parity(titled["item_id"])).mean() > 0.95
    assert set(reader.asked) == {"Genres: Comedy, Light.", "Genres: Thriller, Dark."}
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert told[0].stage == "Reading texts"


def test_a_language_model_is_one_more_way_to_read_shared_users_items(reader):
    pair = checkerboard(users=200)
    texts = texts_of(pair)
    found = tr.compare(
        ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv"),
        replace(MEANING, method="content"),
        source_items=items_of(texts.source), target_items=items_of(texts.target),
    ).headline  # fmt: skip
    assert found.verdict[0] == "helps"
    assert reader.asked


def test_methods_that_read_no_text_load_no_model(reader):
    pair = checkerboard(users=200)
    texts = texts_of(pair)
    tr.compare(
        ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv"),
        replace(MEANING, method="row_map"),
        source_items=items_of(texts.source), target_items=items_of(texts.target),
    )  # fmt: skip
    assert reader.asked == []


def test_an_item_without_text_is_as_the_average_user_sees_it(reader, apart):
    source, target, source_items, target_items = apart
    blank = target_items.frame.copy()
    blank.iloc[:3] = ""
    run = tr.run(
        source, target, replace(MEANING, method="content"),
        source_items=source_items, target_items=items_of(blank),
    )  # fmt: skip
    vectors = run.fit.ground.texts.target_vectors
    assert not vectors[:3].any()
    assert vectors[3:].any(axis=1).all()
    with pytest.raises(NoTextError, match="None of the 40 items"):
        tr.run(
            source, target, MEANING,
            source_items=source_items, target_items=items_of(blank.assign(genres="")),
        )  # fmt: skip


def test_new_items_are_known_by_a_language_model(told, reader):
    target, items = told
    settings = replace(MEANING, cold="items")
    found = tr.compare(target, target, settings, target_items=items).headline
    means = found.shots[0].methods
    assert means["content"].mean > 1.5 * means["popularity"].mean
    assert means["similarity"].mean > 1.5 * means["popularity"].mean
    assert found.shots[0].placebo.high < 0.1


def test_a_kept_run_makes_its_lists_and_reasons_without_the_model(
    told, reader, tmp_path, monkeypatch
):
    target, items = told
    run = tr.run(target, target, replace(MEANING, cold="items"), target_items=items)
    tr.save_run(run, tmp_path / "kept.transrec")
    wanted = tr.recommend_from(run, top=3)
    monkeypatch.setattr(embedding, "embedder_of", lambda name: pytest.fail("a model was needed"))
    kept = tr.load_run(tmp_path / "kept.transrec").run
    pd.testing.assert_frame_equal(tr.recommend_from(kept, top=3), wanted)
    row = wanted[wanted["item_id"] == "i125"].iloc[0]
    (why,) = tr.explain(kept.fit, "i125", [row["user_id"]], method="content")
    assert why.parts[why.parts["domain"] == "source"]["item_id"].tolist() == [WHOLE_TEXT]
    assert why.score == pytest.approx(why.general + why.parts["contribution"].sum())


def test_the_evidence_says_which_model_read_and_what_it_left_out(told, reader, monkeypatch):
    target, items = told
    problem = Problem("TEXTS_CUT_SHORT", "warning", "7 texts are longer.", "Name another.", 7)
    monkeypatch.setattr(features, "cut_problems", lambda embedder, texts: (problem,))
    settings = replace(MEANING, cold="items")
    found = tr.compare(target, target, settings, target_items=items)
    assert problem in found.checks
    evidence = evidence_json(found, settings, describe(target, target), 1.0)
    assert evidence["config"]["text_model"] == "some-model"
    page = html.unescape(report_html(found, evidence))
    assert "7 texts are longer. Name another." in page
    assert "A language model read the items' texts: some-model." in page


# ── editions ─────────────────────────────────────────────────────────────────────────────────────


def test_editions_of_one_title_are_made_one_item_when_asked():
    pair = checkerboard(users=150)
    target = ratings_of(pair.target, "t.csv")
    frame = pd.DataFrame(
        {"title": [f"Work {item}" for item in pair.target.items], "genres": "", "description": ""},
        index=pair.target.items,
    )
    frame.loc["i002", "title"] = "Work i000 (Paperback)"
    items = items_of(frame)
    settings = replace(QUICK, method="factor_map", merge_editions=True)
    run = tr.run(
        ratings_of(pair.source, "s.csv"), target, settings, target_items=items, compare=False
    )
    assert len(run.pair.target.items) == 39
    assert len({"i000", "i002"} & set(run.pair.target.items)) == 1
    apart = replace(settings, merge_editions=False)
    run = tr.run(ratings_of(pair.source, "s.csv"), target, apart, target_items=items, compare=False)
    assert len(run.pair.target.items) == 40


def test_without_titles_nothing_is_merged_however_alike_the_users_are():
    pair = checkerboard(users=150)
    target = ratings_of(pair.target, "t.csv")
    copies = target.frame[target.frame["item_id"] == "i001"].assign(item_id="i999")
    target = replace(target, frame=pd.concat([target.frame, copies], ignore_index=True))
    items = [*pair.target.items, "i999"]
    nameless = pd.DataFrame({"title": "", "genres": "Comedy", "description": ""}, index=items)
    settings = replace(QUICK, method="factor_map", merge_editions=True)
    run = tr.run(
        ratings_of(pair.source, "s.csv"), target, settings, target_items=items_of(nameless),
        compare=False,
    )  # fmt: skip
    assert {"i001", "i999"} <= set(run.pair.target.items)


def test_one_shared_user_is_too_few_for_every_way_of_transfer():
    pair = checkerboard(users=1)
    source, target = ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv")
    assert expected_seconds(Ground(pair, "implicit", 0), tr.Settings()) == 0
    open_ = tr.Settings()
    for call in (tr.run, tr.recommend):
        with pytest.raises(TooFewUsersError, match=r"1 user is in both.*Bring more shared users"):
            call(source, target, open_)
    with pytest.raises(BadSettingError, match="one user alone is in both catalogues"):
        tr.run(source, target, replace(open_, method="row_map"))


# ── products in both catalogues ──────────────────────────────────────────────────────────────────


def test_a_gain_that_products_in_both_catalogues_make_is_told_beside_what_remains():
    """Taste is not shared, but twelve target items are in the source under other ids."""
    pair = checkerboard(users=300, shared=False)
    source, target = ratings_of(pair.source, "s.csv"), ratings_of(pair.target, "t.csv")
    copies = target.frame[target.frame["item_id"] < "i012"]
    copies = copies.assign(item_id=lambda f: "copy of " + f["item_id"])
    source = replace(source, frame=pd.concat([source.frame, copies], ignore_index=True))
    settings = replace(QUICK, method="row_map", rank=8)
    found = tr.compare(source, target, settings)
    assert found.headline.verdict[0] == "helps"
    assert found.crosslisted is not None
    assert found.crosslisted.evidence.verdict[0] != "helps"
    assert set(found.crosslisted.products) == {
        (f"copy of i{item:03d}", f"i{item:03d}") for item in range(12)
    }
    words = crosslisted_sentence(found)
    assert words.startswith("12 target products are in the source too")
    assert "instead of" in words
    assert any(p.code == "CROSSLISTED" and p.severity == "warning" for p in found.checks)
    evidence = evidence_json(found, settings, {}, 1.0)
    assert len(evidence["crosslisted"]["products"]) == 12
    assert words in html.unescape(report_html(found, {**evidence, "data": {}}))
    left_out = tr.compare(source, target, replace(settings, leave_out_crosslisted=True))
    assert left_out.crosslisted is None
    assert left_out.headline.shots == found.crosslisted.evidence.shots


@pytest.fixture(scope="module")
def copied():
    """A target, and a source that is a copy of it under other item ids."""
    target = ratings_of(checkerboard(users=200).target, "t.csv")
    frame = target.frame.assign(item_id=lambda f: "copy of " + f["item_id"])
    return replace(target, frame=frame, report=replace(target.report, file="s.csv")), target


def test_a_source_of_copies_alone_is_told_of_and_never_left_with_nothing(copied):
    source, target = copied
    found = tr.compare(source, target, QUICK)
    assert found.crosslisted is not None
    assert len(found.crosslisted.products) == 40
    assert found.crosslisted.evidence is None
    words = crosslisted_sentence(found)
    assert words.startswith("40 target products are in the source too")
    assert "All 40 source items" in words
    assert "nothing of the source is left" in words
    (check,) = (p for p in found.checks if p.code == "CROSSLISTED")
    assert "products of its own" in check.fix
    evidence = evidence_json(found, QUICK, {}, 1.0)
    assert "All 40 source items" in evidence["crosslisted"]["reason"]
    assert words in html.unescape(report_html(found, {**evidence, "data": {}}))

    without = replace(QUICK, leave_out_crosslisted=True)
    for call in (tr.run, tr.compare, tr.recommend):
        with pytest.raises(AllCrosslistedError, match=r"All 40 source items.*products of its own"):
            call(source, target, without)
    ranked = tr.rank_sources(target, {"copies": source}, without)
    assert np.isnan(ranked["gain"].iloc[0])
    assert "All 40 source items" in ranked["note"].iloc[0]


def test_a_source_with_next_to_nothing_beside_its_copies_is_compared_all_the_same(copied):
    source, target = copied
    few = source.frame[source.frame["item_id"] == "copy of i000"]
    own = few.assign(item_id="own").iloc[: len(few) // 3]
    source = replace(source, frame=pd.concat([source.frame, own], ignore_index=True))
    found = tr.compare(source, target, QUICK)
    assert found.crosslisted is not None
    assert len(found.crosslisted.products) == 40
    assert (found.crosslisted.evidence is None) == bool(found.crosslisted.reason)
