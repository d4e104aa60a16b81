"""The page of run folders: only what lies on the server's shelf, and what is whole."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from needs import LINKS
from streamlit.testing.v1 import AppTest
from test_saved_runs import text

from dashboard import compute, jobs
from dashboard.folders import ENVIRONMENT, SHELF
from transrec_core.engines.folder import write_run_folder
from transrec_core.errors import BadSettingError
from transrec_core.running import Run, recommend_from

OpenApp = Callable[..., AppTest]
ODD = "**bold** <b>&amp;"


@pytest.fixture(scope="module")
def written(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shelf with a run, its evidence alone, and a folder that a job has not finished."""
    place = tmp_path_factory.mktemp("shelf")
    write_run_folder(small_run, place / "tuesday")
    shutil.copytree(place / "tuesday" / "evidence", place / "evidence-alone")
    shutil.copytree(place / "tuesday", place / "half")
    (place / "half" / "run.json").unlink()
    for number, name in enumerate(("half", "evidence-alone", "tuesday")):
        for mark in ("run.json", "evidence.json", "."):
            if (place / name / mark).exists():
                os.utime(place / name / mark, (1e9 + number, 1e9 + number))
    return place


@pytest.fixture
def place(written: Path, tmp_path: Path) -> Iterator[Path]:
    """The shelf of the server, a test's own."""
    copied = Path(shutil.copytree(written, tmp_path / "runs"))
    SHELF.place = copied
    yield copied
    SHELF.place = None


def open_folder(name: str, **params: str) -> AppTest:
    app = AppTest.from_file(Path(jobs.__file__).with_name("app.py"), default_timeout=20)
    app.run()
    app.switch_page("views/folder.py")
    for key, value in {"folder": name, **params}.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def pick(app: AppTest, part: str) -> AppTest:
    """Open a part of the page, as its tab does."""
    app.session_state["folder_part"] = part
    app.run()
    assert not app.exception
    return app


def links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link") if "folder" in link.proto.page]


def test_without_a_shelf_nothing_is_offered(open_app: OpenApp) -> None:
    app = open_app()
    assert not [box for box in app.expander if box.label == "Open a run folder"]
    assert links(app) == []


@LINKS
def test_what_lies_there_is_offered_newest_first_and_broken_with_the_reason(
    place: Path, open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    (place / "link").symlink_to(place / "tuesday")
    (place / "a-file").write_text("")
    (place / ".hidden").mkdir()
    assert [entry.name for entry in compute.folder_entries()][1:] == [
        "tuesday", "evidence-alone", "half",
    ]  # fmt: skip
    compared = open_app(fitted, "compare")
    compared.session_state["compare_part"] = "Runs"
    for app in (open_app(), compared):
        app.session_state["open_folder"] = True
        app.run()
        assert not app.exception
        assert links(app)[-2:] == ["tuesday", "evidence\\-alone"]
        said = text(app)
        assert "**half** cannot be opened" in said
        assert "neither run.json nor evidence.json" in said
        assert "link is a link" in said
        assert "a-file" not in said
        assert ".hidden" not in said


def test_an_empty_shelf_says_what_goes_there(place: Path) -> None:
    for path in place.iterdir():
        shutil.rmtree(path)
    app = AppTest.from_file(Path(jobs.__file__).with_name("app.py"), default_timeout=20).run()
    app.switch_page("views/folder.py").run()
    assert "There is none yet" in text(app)


def test_a_shelf_that_cannot_be_read_is_told_of(place: Path) -> None:
    shutil.rmtree(place)
    app = AppTest.from_file(Path(jobs.__file__).with_name("app.py"), default_timeout=20).run()
    app.switch_page("views/folder.py").run()
    assert not app.exception
    assert "cannot be read" in text(app)


def test_the_summary_is_that_of_the_run(place: Path, small_run: Run) -> None:
    app = open_folder("tuesday")
    assert small_run.comparison is not None
    shot = small_run.comparison.headline.shots[0]
    gains = [metric.value for metric in app.metric if metric.label.startswith("Gain")]
    assert gains == [f"{shot.gain.mean:+.3f}".replace("-", "−")]
    said = text(app)
    assert "Embedded engine" in said or "embedded engine" in said
    facts = next(frame.value for frame in app.dataframe if "Fact" in frame.value)
    assert ("Rank", "8") in list(facts.itertuples(index=False, name=None))
    assert not app.get("plotly_chart")


def test_the_curves_are_those_of_the_run(place: Path) -> None:
    app = pick(open_folder("tuesday"), "Curves")
    assert len(app.get("plotly_chart")) >= 2
    assert any("Method" in frame.value for frame in app.dataframe)


def test_the_map_is_searched(place: Path, small_run: Run) -> None:
    app = pick(open_folder("tuesday"), "Map")
    assert len(app.get("plotly_chart")) == 1
    assert small_run.target_items is not None
    title = str(small_run.target_items["title"].iloc[0])
    app.text_input(key="folder_search").set_value(title).run()
    assert not app.exception
    found = next(frame.value for frame in app.dataframe)
    assert title in set(found["name"])
    app.text_input(key="folder_search").set_value("no such title").run()
    assert "No item of the sample holds" in text(app)


def test_a_user_is_looked_up_by_id(place: Path, small_run: Run) -> None:
    app = pick(open_folder("tuesday"), "Look-up")
    user = str(small_run.pair.source.users[3])
    app.text_input(key="folder_user").set_value(user).run()
    assert not app.exception
    shown = app.dataframe[0].value
    wanted = recommend_from(small_run, users=[user])
    assert list(shown["item_id"]) == list(wanted["item_id"])
    assert "in the source" in text(app)
    assert "places nobody in the target's space" in text(app)
    app.text_input(key="folder_user").set_value(ODD).run()
    assert not app.exception
    assert f"There is no list of {ODD}" in text(app)


def test_a_list_bears_titles_and_the_run_its_day(place: Path, small_run: Run) -> None:
    items = small_run.pair.target.items
    titles = pd.DataFrame({"title": "Title of " + items}, index=items)
    write_run_folder(replace(small_run, target_items=titles), place / "titled")
    user = str(small_run.pair.source.users[5])
    shown = open_folder("titled", folder_part="Look-up", folder_user=user).dataframe[0].value
    assert (shown["title"] == "Title of " + shown["item_id"]).all()
    entry = compute.folder_entry("titled")
    assert entry is not None
    assert entry.folder is not None
    assert entry.folder.run is not None
    facts = compute.folder_facts(entry.folder.run).set_index("Fact")["Value"]
    assert facts["Written"] == f"{datetime.now():%Y-%m-%d} {facts['Written'][-5:]}"


def test_whether_a_user_is_placed_is_told(place: Path, small_run: Run) -> None:
    by_factors = replace(small_run, fit=small_run.fit.by("factor_map"))
    write_run_folder(by_factors, place / "tuesday")
    app = pick(open_folder("tuesday"), "Look-up")
    app.text_input(key="folder_user").set_value(str(small_run.pair.source.users[3])).run()
    assert "Placed" in text(app)
    app.text_input(key="folder_user").set_value("nobody").run()
    assert "Not placed" in text(app)


def test_the_link_leads_to_the_part_and_the_user(place: Path, small_run: Run) -> None:
    user = str(small_run.pair.source.users[5])
    app = open_folder("tuesday", folder_part="Look-up", folder_user=user)
    assert list(app.dataframe[0].value["user_id"].unique()) == [user]


def test_lists_of_pasted_ids_can_be_taken(
    place: Path, small_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = pick(open_folder("tuesday"), "Export")
    users = [str(user) for user in small_run.pair.source.users[:3]]
    app.text_area(key="folder_ids").set_value("\n".join([*users, "nobody"])).run()
    assert not app.exception
    assert "30 rows for 3 users. 1 id without a list." in text(app)
    entry = compute.folder_entry("tuesday")
    assert entry is not None
    found = compute.folder_lists(entry, [*users, "nobody"])
    assert b'"item_id"' not in compute.folder_file(found, "csv")
    assert json.loads(compute.folder_file(found, "json"))[0]["user_id"] == users[0]
    names = {button.proto.label for button in app.get("download_button")}
    assert {"Download CSV", "evidence.json", "per_user.csv", "report.html"} <= names
    assert any(str(place / "tuesday" / "lists") in code.value for code in app.code)
    monkeypatch.setattr(compute, "MOST_IDS", 2)
    assert "a page looks up 2 at once" in text(app.run())


def test_evidence_alone_says_what_is_missing(place: Path) -> None:
    app = open_folder("evidence-alone")
    assert "Lists, factors and the map: not in this folder" in text(app)
    assert app.metric
    assert "A map of items: not in this folder" in text(pick(app, "Map"))
    assert "Lists: not in this folder" in text(pick(app, "Look-up"))
    pick(app, "Export")
    assert {b.proto.label for b in app.get("download_button")} >= {"evidence.json"}


def test_a_link_to_what_is_gone_or_elsewhere_shows_what_is_there(place: Path) -> None:
    (place.parent / "outside").mkdir()
    shutil.copytree(place / "tuesday", place.parent / "outside" / "secret")
    for name in ("wednesday", "../outside/secret", str(place.parent / "outside" / "secret"), ".."):
        app = open_folder(name)
        assert "There is no folder" in text(app)
        assert not app.metric
        assert links(app)[-2:] == ["tuesday", "evidence\\-alone"]
    app.button(key="all_folders").click().run()
    assert "There is no folder" not in text(app)


def test_a_broken_folder_says_why(place: Path) -> None:
    (place / "tuesday" / "lists" / "_SUCCESS").unlink()
    app = open_folder("tuesday")
    assert "lists has no _SUCCESS" in text(app)
    assert not app.metric


def test_a_folder_that_breaks_while_it_is_looked_at_is_told_of(place: Path) -> None:
    app = pick(open_folder("tuesday"), "Look-up")
    part = place / "tuesday" / "lists" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    app.text_input(key="folder_user").set_value("u0001").run()
    assert not app.exception
    assert "lists cannot be read" in text(app)


def test_a_run_that_is_written_anew_is_read_anew(place: Path, run_with: Callable[..., Run]) -> None:
    assert "8" in str(open_folder("tuesday").dataframe[0].value)
    write_run_folder(run_with(rank=4), place / "tuesday")
    facts = next(f.value for f in open_folder("tuesday").dataframe if "Fact" in f.value)
    assert ("Rank", "4") in list(facts.itertuples(index=False, name=None))


def test_new_items_have_lists_and_no_map(place: Path, items_run: Run) -> None:
    write_run_folder(items_run, place / "items")
    app = open_folder("items")
    assert app.metric
    pick(app, "Look-up")
    wanted = recommend_from(items_run)
    item = str(wanted["item_id"].iloc[0])
    app.text_input(key="folder_user").set_value(item).run()
    assert set(app.dataframe[0].value["item_id"]) == {item}
    assert "its fit is of new items" in text(pick(app, "Map"))


def test_nobody_in_both_has_lists_and_says_why_there_is_no_evidence(
    place: Path, unshared_run: Run
) -> None:
    write_run_folder(unshared_run, place / "unshared")
    app = open_folder("unshared")
    assert "There is no evidence in this folder" in text(app)
    assert "There is no evidence in this folder" in text(pick(app, "Curves"))


def test_names_of_folders_are_shown_and_not_drawn(place: Path) -> None:
    name = "**b** <img src=x> [l](https:x)"
    shutil.copytree(place / "tuesday", place / name.replace("/", "_"))
    app = open_folder(name.replace("/", "_"))
    marked = [m.value for m in app.markdown if "img" in m.value]
    assert marked
    assert all("\\<img" in value for value in marked)


def test_the_place_is_named_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        SHELF.show(None)
        assert SHELF.place is None
        monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
        SHELF.show(None)
        assert SHELF.place == tmp_path.resolve()
        with pytest.raises(BadSettingError, match="no folder that can be read"):
            SHELF.show(tmp_path / "nowhere")
    finally:
        SHELF.place = None
