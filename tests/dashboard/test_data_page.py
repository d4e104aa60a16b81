"""The Data page: what was read, what is wrong, and the buttons that mend it."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import compute, jobs
from dashboard.jobs import Side
from transrec_core.cli import main

OpenApp = Callable[..., AppTest]


def ratings(
    letter: str = "s", people: str = "u{}", users: int = 30, swapped: bool = False
) -> bytes:
    """Every user rates ten of twelve items of their own letter, 1 to 5."""
    rows = [
        (people.format(u), f"{letter}{i}", (u + i) % 5 + 1)
        for u in range(users)
        for i in range(12)
        if (u + i) % 6
    ]
    lines = [f"{i},{u},{r}" if swapped else f"{u},{i},{r}" for u, i, r in rows]
    return "\n".join(["user,item,rating", *lines, ""]).encode()


def load(space: jobs.Workspace, **files: bytes) -> None:
    for side, content in files.items():
        name: Side = "source" if side == "source" else "target"
        assert compute.load_side(space, name, content, f"{side}.csv")


def text(app: AppTest) -> str:
    kinds = ("markdown", "caption", "error", "warning", "badge")
    said = [str(element.value) for kind in kinds for element in app.get(kind)]
    return " ".join(said).replace("\\", "").replace("\u2060", "").replace("\u2011", "-")


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def overlap(space: jobs.Workspace) -> int:
    return len(compute.pair(space).shared)


def test_swapped_columns_are_put_right_with_one_click(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    load(workspace, source=ratings(), target=ratings("t", swapped=True))
    app = open_app(workspace)
    assert "its user and item columns are swapped" in text(app)
    press(app, "Swap user and item of the target")
    assert overlap(workspace) == 30
    assert "swapped" not in text(app)
    chosen = {box.key.split("_")[2]: box.value for box in app.selectbox if "map_target" in box.key}
    assert (chosen["user"], chosen["item"]) == ("item", "user")


def test_columns_swapped_in_both_files_are_put_right_with_one_click(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    load(workspace, source=ratings(swapped=True), target=ratings("t", swapped=True))
    app = press(open_app(workspace), "Swap user and item of both files")
    assert overlap(workspace) == 30
    assert "change places" not in text(app)


def test_source_and_target_change_places_with_their_titles(
    open_app: OpenApp, loaded: jobs.Workspace
) -> None:
    app = press(open_app(loaded), "Swap source and target")
    assert loaded.source is not None
    assert loaded.source.name == "books.csv"
    described = {entry.name: entry.sides for entry in loaded.items}
    assert described == {"films_items.csv": ("target",), "books_items.csv": ("source",)}
    press(app, "Swap source and target")
    assert loaded.source.name == "films.csv"


def test_a_target_that_holds_all_the_source_has_offers_the_other_way(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    load(workspace, source=ratings(users=20), target=ratings("t", users=30))
    app = open_app(workspace)
    assert "0 source users have no target data" in text(app)
    assert labels(app).count("Swap source and target") == 2
    app.button(key=next(b.key for b in app.button if b.key.startswith("mend_cold"))).click().run()
    assert workspace.source is not None
    assert workspace.source.name == "target.csv"


def test_repeated_pairs_can_be_averaged_and_back(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    repeated = ratings("t") + b"u0,t1,5\n"
    load(workspace, source=ratings(), target=repeated)
    app = open_app(workspace)
    assert workspace.target is not None
    before = workspace.target.ratings
    press(app, "Take the mean")
    assert workspace.target.duplicates == "mean"
    assert workspace.target.ratings is not before
    assert "the mean rating was taken" in text(app)
    press(app, "Keep the last")
    assert workspace.target.duplicates == "last"


def test_refused_repetitions_show_the_way_back(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    load(workspace, source=ratings(), target=ratings("t") + b"u0,t1,5\n")
    assert workspace.target is not None
    compute.remap(workspace, "target", workspace.target.mapping, "refuse")
    app = open_app(workspace)
    assert "repeats a user–item pair" in text(app)
    assert app.button(key="fit_go").disabled
    press(app, "Keep the last")
    assert not app.button(key="fit_go").disabled


def test_nobody_in_both_offers_what_is_left(open_app: OpenApp, workspace: jobs.Workspace) -> None:
    load(workspace, source=ratings(people="a-{}"), target=ratings("t", "b-{}"))
    app = press(open_app(workspace), "Use rating patterns (codebook)")
    assert app.selectbox(key="fit_method").value == "codebook"
    assert "The next fit uses rating patterns" in labels(app)
    assert "Use what items are about" not in labels(app)
    for letter, side in (("s", "source"), ("t", "target")):
        titles = "\n".join(["item_id,title", *(f"{letter}{i},Title {i}" for i in range(12)), ""])
        compute.load_items(workspace, titles.encode(), f"{side}.csv", (side,))  # type: ignore[arg-type]
    app = press(open_app(workspace), "Use what items are about")
    assert app.selectbox(key="fit_method").value == "content"


def test_a_fit_of_nobody_in_both_says_which_numbers_cannot_be(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    load(workspace, source=ratings(people="a-{}"), target=ratings("t", "b-{}"))
    app = open_app(workspace)
    app.button(key="fit_go").click().run()
    assert workspace.job is not None
    workspace.job.join(180)
    for page in ("compare", "export"):
        app = open_app(workspace, page)
        assert "No verdict on the source, no gain with its interval" in text(app)
    press(app, "Use rating patterns (codebook)")
    assert app.selectbox(key="fit_method").value == "codebook"
    app.number_input(key="fit_rank").set_value(4).run()
    app.button(key="fit_go").click().run()
    workspace.job.join(180)
    assert workspace.shown is not None
    assert workspace.shown.run.settings.method == "codebook"
    assert "share no user ids" not in text(open_app(workspace, "export"))


def test_one_user_in_both_is_told_before_and_after_a_fit(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    load(workspace, source=ratings(users=1), target=ratings("t", users=1))
    app = open_app(workspace)
    assert "Only 1 user is in both domains" in text(app)
    assert "There will be no test users" in text(app)
    app.button(key="fit_go").click().run()
    assert workspace.job is not None
    workspace.job.join(180)
    for page in ("data", "compare"):
        said = text(open_app(workspace, page))
        assert "no way of transfer can learn from so few" in said
        assert "Bring more shared users" in said


def test_ids_written_in_two_ways_are_told_where_some_match(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    source = ratings()
    rows = ratings("t").decode().splitlines()
    mixed = [rows[0], *(r if r.startswith("u1") else r.upper().replace("T", "t") for r in rows[1:])]
    load(workspace, source=source, target="\n".join(mixed).encode())
    said = text(open_app(workspace))
    assert "19 more users seem to be in both" in said
    assert "when capitals are ignored" in said


def test_the_same_file_twice_fails_and_one_can_go(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    load(workspace, source=ratings(), target=ratings())
    app = open_app(workspace)
    assert "Source and target are the same file" in text(app)
    press(app, "Remove the target")
    assert workspace.target is None
    assert workspace.source is not None
    assert "Load target ratings first." in text(app)


def test_a_column_that_cannot_be_ratings_shows_its_rows_and_a_way_on(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    wordy = ratings("t").replace(b",1\n", b",bad\n")
    load(workspace, source=ratings(), target=wordy)
    app = open_app(workspace)
    assert workspace.target is not None
    wrong = compute.wrong_rows(workspace.target)
    assert wrong is not None
    assert list(wrong["rating → rating"]) == ["bad"] * 5
    first = wordy.decode().splitlines().index("u0,t5,bad") + 1
    assert wrong["Line"][0] == str(first)
    assert any("cannot be used as they are" in caption.value for caption in app.caption)

    user, item = workspace.target.mapping["user"], workspace.target.mapping["item"]
    compute.remap(workspace, "target", {"user": user, "item": item, "rating": item}, "last")
    app = open_app(workspace)
    assert "one column is used twice" in text(app)

    words = ratings("t").replace(b"rating", b"word")
    for digit in b"12345":
        words = words.replace(b",%c\n" % digit, b",fine\n")
    load(workspace, target=words)
    assert workspace.target is not None
    compute.remap(workspace, "target", {"user": user, "item": item, "rating": "word"}, "last")
    app = open_app(workspace)
    assert "no usable row remains" in text(app)
    table = compute.wrong_rows(workspace.target)
    assert table is not None
    assert list(table["Line"]) == ["2", "3", "4", "5", "6"]
    press(app, "Count every row as one interaction")
    assert workspace.target.ratings is not None
    assert "every row counts as one" in text(app)


@pytest.mark.parametrize(
    ("mapping", "doubt"),
    [
        ({"user": "row", "item": "item", "rating": "rating"}, "is row the user column?"),
        ({"user": "same", "item": "item", "rating": "rating"}, "is same the user column?"),
        ({"user": "user", "item": "item", "rating": "rating"}, ""),
    ],
)
def test_columns_that_look_wrong_are_doubted(
    workspace: jobs.Workspace, mapping: dict[str, str], doubt: str
) -> None:
    rows = [
        f"{n},{line},{1600000000 + n},x"
        for n, line in enumerate(ratings().decode().splitlines()[1:])
    ]
    content = "\n".join(["row,user,item,rating,ts,same", *rows]).encode()
    load(workspace, source=content)
    compute.remap(workspace, "source", {**mapping, "time": None}, "last")
    assert workspace.source is not None
    found = compute.reading(workspace.source)
    assert found is not None
    assert doubt in " ".join(found.doubts)
    assert bool(found.doubts) == bool(doubt)


def test_times_as_ratings_are_refused_with_what_to_do(workspace: jobs.Workspace) -> None:
    lines = ratings().decode().splitlines()[1:]
    content = "user,item,rating,ts\n" + "".join(f"{line},1600000000\n" for line in lines)
    load(workspace, source=content.encode())
    compute.remap(workspace, "source", {"user": "user", "item": "item", "rating": "ts"}, "last")
    assert workspace.source is not None
    assert workspace.source.ratings is None
    assert workspace.source.failure is not None
    assert "larger than 1,000,000,000" in workspace.source.failure.message
    assert "choose another rating column" in workspace.source.failure.fix


def test_what_was_read_is_told_in_numbers(open_app: OpenApp, loaded: jobs.Workspace) -> None:
    said = text(open_app(loaded))
    assert "Read as 47,581 ratings · 1,200 users · 500 items · values from 1 to 5" in said
    assert loaded.source is not None
    found = compute.reading(loaded.source)
    assert found is not None
    frame = loaded.source.table.frame
    times = frame["timestamp"].astype(float)
    assert found.first == str(pd.Timestamp(times.min(), unit="s").date())
    assert (found.users, found.items) == (frame["user_id"].nunique(), frame["item_id"].nunique())


def test_the_preview_shows_which_column_plays_which_part(workspace: jobs.Workspace) -> None:
    content = b"note,user,item,rating\n" + b"".join(b"n,u%d,i%d,3\n" % (i, i) for i in range(30))
    load(workspace, source=content)
    assert workspace.source is not None
    found = compute.preview(workspace.source)
    assert list(found.frame) == ["user → user", "item → item", "rating → rating", "note"]
    assert found.roles["item → item"] == "item"
    assert len(found.frame) == compute.PREVIEW_ROWS


def test_several_files_make_a_source_and_candidates(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    files = [(b"user,item\n", "empty.csv"), (ratings(), "a.csv"), (ratings("q"), "b.csv")]
    assert compute.load_sources(workspace, files)
    assert workspace.source is not None
    assert workspace.source.name == "a.csv"
    assert [c.name for c in workspace.candidates] == ["b.csv"]
    assert "empty.csv" in workspace.refused["source"].message
    app = open_app(workspace)
    assert "b.csv · " in text(app)
    press(app, "Use as source")
    assert workspace.source.name == "b.csv"
    assert [c.name for c in workspace.candidates] == ["a.csv"]
    app.button(key="remove_candidate_0").click().run()
    assert not workspace.candidates
    assert not compute.add_candidates(workspace, [(b"", "x.csv"), (ratings("w"), "w.csv")])
    assert [c.name for c in workspace.candidates] == ["w.csv"]
    assert "x.csv" in workspace.refused["candidate"].title


def test_titles_stay_with_the_source_that_they_tell_of(
    loaded: jobs.Workspace, open_app: OpenApp
) -> None:
    compute.add_sample_candidate(loaded)
    fingerprint = loaded.inputs
    compute.use_candidate(loaded, 0)
    described = {entry.name: entry.sides for entry in loaded.items}
    assert described == {"films_items.csv": (), "books_items.csv": ("target",)}
    assert loaded.items_of("source") is None
    assert "set aside" in text(open_app(loaded))
    compute.use_candidate(loaded, 0)
    assert loaded.inputs == fingerprint


def test_a_refused_file_can_be_put_away(open_app: OpenApp, workspace: jobs.Workspace) -> None:
    load(workspace, source=ratings())
    compute.load_side(workspace, "target", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "cat.csv")
    app = open_app(workspace)
    assert "cat.csv" in text(app)
    press(app, "Dismiss")
    assert "cat.csv" not in text(app)


def test_a_file_can_be_removed(open_app: OpenApp, loaded: jobs.Workspace) -> None:
    app = open_app(loaded)
    app.button(key="drop_source").click().run()
    assert not app.exception
    assert loaded.source is None
    assert "Load source ratings first." in text(app)


def test_a_file_in_another_encoding_is_read_in_the_one_whose_line_is_right(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    load(workspace, target=ratings("t"))
    accented = ratings("é").decode()
    assert not compute.load_side(workspace, "source", accented.encode("cp1252"), "f.csv")
    app = open_app(workspace)
    assert "is not UTF-8" in text(app)
    choice = app.selectbox(key="encoding_source")
    assert choice.value == "cp1252"
    assert choice.options[0] == "cp1252: u0,é1,2"
    assert len(choice.options) > 2
    assert workspace.source is None
    press(app, "Read it in this encoding")
    assert workspace.source is not None
    assert not workspace.refused
    assert workspace.source.table.report.asked == {"encoding": "cp1252"}
    assert set(workspace.source.table.frame["item"].str[0]) == {"é"}


@pytest.mark.parametrize("key", ["items", "candidate"])
def test_titles_and_other_sources_can_be_read_in_another_encoding_too(
    key: str, open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    load(workspace, source=ratings(), target=ratings("t"))
    content = ratings("é").decode().encode("cp1252")
    if key == "items":
        content = "item_id,title\ns1,Émile\n".encode("cp1252")
        assert not compute.load_items(workspace, content, "i.csv", ("source",))
    else:
        assert not compute.add_candidate(workspace, content, "c.csv")
    app = open_app(workspace)
    press(app, "Read it in this encoding")
    assert not workspace.refused
    if key == "items":
        assert list(workspace.items[0].items.frame["title"]) == ["Émile"]
    else:
        assert workspace.candidates[0].table.report.encoding == "cp1252"


def test_how_a_file_is_written_can_be_corrected(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    content = b"user,item;rating\n" + b"".join(b"u%d,i;%d\n" % (u, u % 5) for u in range(9))
    load(workspace, source=content)
    app = open_app(workspace)
    assert workspace.source is not None
    before = workspace.source
    assert app.selectbox(key="written_source_delimiter").value == ","
    app.selectbox(key="written_source_delimiter").set_value(";").run()
    assert not app.exception
    assert workspace.source.table.report.columns == ("user,item", "rating")
    assert workspace.source.fingerprint != before.fingerprint
    app.selectbox(key="written_source_header").set_value(False).run()
    assert workspace.source.table.report.columns == ("column_1", "column_2")
    assert workspace.source.table.report.rows == 10
    # A way that is refused leaves what was read, and is not shown as taken.
    app.selectbox(key="written_source_encoding").set_value("big5").run()
    assert workspace.source.table.report.encoding == "big5"  # ASCII reads the same
    assert not compute.reread(workspace, "source", "utf-32", ";", False)
    app.run()
    assert "is not utf-32" in text(app)
    assert workspace.source.table.report.encoding == "big5"
    assert app.selectbox(key="written_source_encoding").value == "big5"


def test_columns_that_were_chosen_stay_when_only_the_encoding_changes(
    workspace: jobs.Workspace,
) -> None:
    load(workspace, source=ratings())
    compute.swap_columns(workspace, "source")
    assert compute.reread(workspace, "source", "latin-1", ",", True)
    assert workspace.source is not None
    assert (workspace.source.mapping["user"], workspace.source.mapping["item"]) == ("item", "user")
    assert compute.reread(workspace, "source", "latin-1", ",", False)
    assert workspace.source.mapping["user"] == "column_1"


def test_the_page_and_the_command_line_tell_the_same(
    workspace: jobs.Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = ratings() + b"u0,s1,5\nu1,s2\nu2,s3,good\n,s4,1\n"
    (tmp_path / "source.csv").write_bytes(content)
    load(workspace, source=content)
    assert main(["check", str(tmp_path / "source.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["problems"]
    shown = [check.problem.to_json() for check in compute.checks(workspace)]
    assert shown == told
    assert {problem["code"] for problem in told} == {
        "RAGGED", "BAD_RATING", "MISSING_ID", "DUPLICATE_PAIR"
    }  # fmt: skip


def test_the_first_rows_show_no_more_of_a_cell_than_can_be_looked_at(
    workspace: jobs.Workspace,
) -> None:
    long = "x" * 100_000
    rows = "".join(f"u{n},i{n % 3},5,{long}\n" for n in range(30))
    load(workspace, source=f"user,item,rating,note\n{rows}".encode())
    assert workspace.source is not None
    shown = compute.preview(workspace.source).frame
    assert len(shown) == 20
    assert shown["note"].str.len().max() == 1000
