"""What the pages ask the core for, on the sample."""

import io
import json
from dataclasses import replace

import pandas as pd
import pytest

from dashboard import compute, jobs, wording
from transrec_core.recommending import listed_methods
from transrec_core.running import Run
from transrec_core.settings import Settings


def shown(space: jobs.Workspace) -> jobs.Result:
    assert space.shown is not None
    return space.shown


def test_the_sample_loads_with_titles_and_passes_its_checks(loaded: jobs.Workspace) -> None:
    assert compute.both_usable(loaded)
    assert len(compute.pair(loaded).shared) == 900
    assert loaded.items_of("source") is not None
    assert loaded.items_of("target") is not None
    found = compute.checks(loaded)
    assert found
    assert not [check for check in found if check.status == "fail"]


def test_a_refused_file_leaves_the_earlier_one(loaded: jobs.Workspace) -> None:
    before = loaded.source
    assert not compute.load_side(loaded, "source", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "cat.csv")
    assert loaded.source is before
    assert loaded.refused["source"].message
    assert compute.load_side(loaded, "source", b"user,item\na,x\nb,y\n", "clicks.csv")
    assert "source" not in loaded.refused


def test_a_new_mapping_reads_the_columns_another_way(loaded: jobs.Workspace) -> None:
    before = loaded.inputs
    mapping = {"user": "item_id", "item": "user_id", "rating": "rating", "time": None}
    compute.remap(loaded, "source", mapping, "last")
    assert loaded.source is not None
    assert loaded.source.mapping == mapping
    assert loaded.inputs != before
    assert len(compute.pair(loaded).shared) == 0
    assert [c for c in compute.checks(loaded) if c.status == "fail"]


def test_histograms_are_shares(loaded: jobs.Workspace) -> None:
    for histogram in (compute.rating_histogram(loaded), compute.activity_histogram(loaded)):
        assert histogram is not None
        assert sum(histogram.source) == pytest.approx(1)
        assert sum(histogram.target) == pytest.approx(1)
        assert len(histogram.labels) == len(histogram.source)


def test_stale_names_what_changed(fitted: jobs.Workspace) -> None:
    same = shown(fitted).run.settings
    assert compute.stale(fitted, fitted.shown, same) == []
    assert compute.stale(fitted, fitted.shown, Settings(rank=9, lam=0.05)) == ["rank"]
    mapping = {"user": "user_id", "item": "item_id", "rating": None, "time": None}
    compute.remap(fitted, "target", mapping, "last")
    assert compute.stale(fitted, fitted.shown, same) == ["the data"]


def test_memory_of_a_workspace_is_bounded(loaded: jobs.Workspace) -> None:
    for number in range(compute.memory.KEPT + 10):
        compute.memory.remember(loaded, number, lambda: number)  # noqa: B023
    assert len(loaded.derived) == compute.memory.KEPT
    assert (
        compute.memory.remember(loaded, compute.memory.KEPT + 9, lambda: -1)
        == compute.memory.KEPT + 9
    )


def test_lists_side_by_side_compare_places_with_target_only(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    user = str(result.run.pair.shared[0])
    methods = listed_methods(result.run.fit)
    lists = compute.user_lists(result, user, 10, methods)
    reference = lists.frames["target_only"].set_index("item_id")["rank"]
    assert (lists.frames["target_only"]["change"] == 0).all()
    for row in lists.frames[methods[0]].itertuples():
        if row.item_id in reference.index:
            assert row.change == reference[row.item_id] - row.rank
        else:
            assert pd.isna(row.change)


def test_every_name_on_the_map_is_a_title(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    frame = compute.item_map(result).frame
    assert not frame["name"].str.match(r"^[fb]\d+$").any()
    some = frame.iloc[7]
    assert compute.row_of(frame, some["domain"], some["item_id"]) == 7
    found = compute.matches(frame, some["name"].upper())
    assert 7 in found.index
    assert compute.matches(frame, "  ").empty
    # A search is for the letters as they stand, not a pattern.
    assert compute.matches(frame, ".*").empty


def test_similar_texts_are_of_the_same_catalogue(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    books = result.run.target_items
    assert books is not None
    item = str(books.index[books["genres"].str.contains("Horror|Gothic")][0])
    found = compute.similar_by_text(result, "target", item)
    assert found is not None
    assert len(found) == 5
    assert found["item_id"].isin(result.run.pair.target.items).all()
    assert list(found["name"]) == books["title"].loc[found["item_id"]].tolist()
    assert compute.similar_by_text(result, "target", item) is found
    nobody = compute.similar_by_text(result, "target", "no such book")
    assert nobody is not None
    assert nobody.empty


def test_without_texts_nothing_is_similar_by_text(loaded: jobs.Workspace, small_run: Run) -> None:
    blank = small_run.target_items
    assert blank is not None
    bare = replace(
        small_run, source_items=None, target_items=blank.assign(title="", genres="", description="")
    )
    loaded.install(bare, loaded.inputs, ("films.csv", "books.csv"), "cafe0002")
    for domain in compute.SIDES:
        assert compute.similar_by_text(shown(loaded), domain, "b001") is None


def test_genres_of_a_region_are_set_beside_the_catalogue(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    items = result.run.target_items
    assert items is not None
    gothic = items.index[items["genres"].str.contains("Gothic")].tolist()
    table = compute.over_represented(result, "target", gothic)
    assert table.loc[0, "Genre"] == "Gothic"
    assert table.loc[0, "Chosen"] == pytest.approx(100)
    assert table["Times"].is_monotonic_decreasing


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_exported_lists_rank_unseen_items_from_one(fitted: jobs.Workspace, kind: str) -> None:
    result = shown(fitted)
    chosen = [str(u) for u in result.run.pair.shared[:5]]
    content = compute.lists_file(result, chosen, 7, "auto", kind)  # type: ignore[arg-type]
    reader = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}[kind]
    frame = reader(io.BytesIO(content))
    assert list(frame.columns) == ["user_id", "item_id", "rank", "score", "method", "title"]
    assert frame["user_id"].unique().tolist() == chosen
    assert (frame.groupby("user_id")["rank"].apply(list).map(lambda r: r == [*range(1, 8)])).all()
    for user in chosen:
        had = set(compute.history(result, "target", user)["item_id"])
        assert not had & set(frame.loc[frame["user_id"] == user, "item_id"])


def test_configuration_repeats_the_run(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    content = json.loads(compute.configuration(result))
    assert content["settings"]["rank"] == 8
    assert content["settings"]["seed"] == 0
    assert content["data"]["source"]["sha256"] == result.run.data["source"]["sha256"]
    compare, recommend = compute.commands(result)
    assert compare.startswith("transrec compare films.csv books.csv")
    assert recommend.startswith("transrec recommend films.csv books.csv")
    for command in (compare, recommend):
        assert "--rank 8 --lam 0.05" in command
        assert "--seed 0" in command


def test_file_names_are_quoted_in_commands(loaded: jobs.Workspace, small_run: object) -> None:
    result = loaded.install(small_run, "", ("a b; rm.csv", "-x.csv"), "1")  # type: ignore[arg-type]
    _, recommend = compute.commands(result)
    assert "'a b; rm.csv' ./-x.csv" in recommend


def test_the_bundle_holds_the_evidence(fitted: jobs.Workspace) -> None:
    bundle = compute.bundle(shown(fitted))
    assert set(json.loads(bundle["evidence.json"])["verdict"]) == {"0", "2"}
    assert b"<html" in bundle["report.html"]
    assert bundle["per_user.csv"].startswith(b"user_id,")


def test_ids_are_read_one_a_line() -> None:
    assert compute.parse_ids(" a \n\nb\r\na\n") == ["a", "b"]
    assert compute.decode_ids(b"\xef\xbb\xbfa\n") == "a\n"


def test_reasons_sum_to_the_score_and_name_what_the_user_had(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    user = compute.users(result)[0]
    methods = listed_methods(result.run.fit)
    frame = compute.user_lists(result, user, 5, methods).frames[methods[0]]
    found = compute.reasons(result, user, frame["item_id"].iloc[0], method=methods[0], most=3)
    assert isinstance(found, compute.Reasons)
    table = compute.shown_reasons(result, found)
    adds = table["Adds"].str.replace("−", "-").astype(float)
    assert adds.iloc[-1] == pytest.approx(frame["score"].iloc[0], abs=1e-3)
    assert adds.iloc[:-1].sum() == pytest.approx(adds.iloc[-1], abs=0.004)
    assert table["Because of"].iloc[-1] == "Score"
    assert table["Because of"].iloc[0] == "What suits anybody"
    assert set(table["From"].iloc[1:4]) <= {"Source", "Target"}


def test_predicted_ratings_have_no_exact_reasons(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    fit = result.run.fit
    other = replace(result, run=replace(result.run, fit=replace(
        fit, spec=replace(fit.spec, feedback="ratings"))))  # fmt: skip
    said = compute.reasons(other, compute.users(result)[0], fit.pair.target.items[0])
    assert isinstance(said, str)
    assert "no sums of single interactions" in said


def test_every_gain_has_its_corrected_p_but_auto(fitted: jobs.Workspace) -> None:
    evidence = compute.evidences(shown(fitted))["ranking"]
    shot = evidence.shots[0]
    table = compute.all_gains(shot, evidence.cold).set_index("Method")
    assert len(table) == len(shot.gains)
    assert table.loc["Auto", "p (Holm)"] == "–"
    assert (table["p (Holm)"] == "–").sum() == 1
    assert table.loc[wording.method_word(shot.transfer), "Gain"] == wording.signed(shot.gain.mean)


def test_cohorts_come_under_their_headings(fitted: jobs.Workspace) -> None:
    parts = compute.evidences(shown(fitted))
    tables = compute.cohort_tables(parts["ranking"])
    assert list(tables) == [
        "Users by source interactions",
        "Users by target interactions",
        "On popular, middling and rare items",
        "By genre of the item",
    ]
    strata = tables["On popular, middling and rare items"]
    assert strata["Level"].tolist() == ["popular", "middling", "rare"]
    assert {"Users", "0", "2"} < set(strata.columns)
    assert len(compute.cohort_tables(parts["ratings"])) == 2


def test_what_was_settled_is_told_for_every_method(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    chosen = compute.chosen_of(result, "ranking")
    assert chosen is not None
    settled = compute.settled_table(result, chosen).set_index("Method")
    assert settled.loc["Transfer (factor map)", "Parameters"] == "rank 8, λ 0.05"
    assert settled.loc["Transfer (ridge)", "Parameters"].startswith("penalty ")
    tried = compute.tried_table(result, chosen, "ndcg@10")
    assert len(tried) == len(chosen.tried)
    assert tried["NDCG@10"].notna().all()
    assert compute.served_table(result, chosen)["Target interactions"].tolist() == [0, 2]
    for method in ("ridge", "joint"):
        name, rows = compute.searched(
            replace(chosen, method=method), compute.evidences(result)["ranking"]
        )
        assert name == ("target_only" if method == "ridge" else method)
        assert {"rank", "lam"} <= set(rows.columns)
    reasons = dict(compute.left_out(result, chosen))
    assert "it is for catalogues that share nobody" in reasons.values()


def test_lists_on_new_items_name_users(loaded: jobs.Workspace, items_run: Run) -> None:
    result = loaded.install(items_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0004")
    frame = compute.lists(result, ["b001", "b002"], 5, "auto")
    assert list(frame.columns) == ["item_id", "user_id", "rank", "score", "method", "title"]
    assert frame["item_id"].unique().tolist() == ["b001", "b002"]
    assert frame["user_id"].isin(items_run.pair.target.items).all()
    books = items_run.target_items
    assert books is not None
    assert (frame["title"] == books["title"].loc[frame["item_id"]].to_numpy()).all()
    assert compute.subject(result, "b001") == f"{books.loc['b001', 'title']} (b001)"
    text = compute.own_text(result, "b001")
    assert text is not None
    assert text["title"] == books.loc["b001", "title"]
    assert not compute.has_space(result)


def test_an_id_that_is_both_a_user_and_an_item_gets_no_title(
    loaded: jobs.Workspace, items_run: Run
) -> None:
    result = loaded.install(items_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0004")
    assert compute.names(result, "target", ["b001"]) == ["b001"]


def test_commands_name_the_files_of_texts(loaded: jobs.Workspace, small_run: Run) -> None:
    settings = replace(small_run.settings, cold="items", merge_editions=True, budget=30.0)
    result = loaded.install(
        replace(small_run, settings=settings), "", ("a.csv", "b.csv"), "1", ("", "b items.csv")
    )
    for command in compute.commands(result):
        assert "--items 'b items.csv'" in command
        assert "--source-items" not in command
        assert "--cold items --budget 30 --merge-editions" in command


def test_a_work_under_two_ids_is_noticed(workspace: jobs.Workspace) -> None:
    compute.load_sample(workspace)
    titles = b"item_id,title\nb001,Dune\nb002,Dune (Paperback)\n"
    assert compute.load_items(workspace, titles, "books.csv", ("target",))
    found = [c.problem for c in compute.checks(workspace) if c.problem.code == "EDITIONS"]
    assert [problem.severity for problem in found] == ["warning", "info"]
    assert "merge_editions" in found[0].fix
