"""What the Export page writes, in every state of a run."""

import dataclasses
import io
import json
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from test_isolation import ratings
from test_pages import text

from dashboard import compute, jobs
from transrec_core import cli
from transrec_core.data.users import read_ids
from transrec_core.running import Run, run
from transrec_core.settings import Settings

OpenApp = Callable[..., AppTest]


def opened(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def shown(space: jobs.Workspace) -> jobs.Result:
    assert space.shown is not None
    return space.shown


def test_everything_holds_what_the_single_files_hold(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    content = compute.everything_zip(result, None, 7, False, "npz")
    assert compute.everything_zip(result, None, 7, False, "npz") == content
    files = opened(content)
    assert files["recommendations.csv"] == compute.lists_file(result, None, 7, "auto", "csv")
    assert files["configuration.json"] == compute.configuration(result)
    assert {name: files[name] for name in compute.bundle(result)} == compute.bundle(result)
    assert files["metrics.csv"] == compute.metrics(result)
    assert files["commands.txt"].decode().splitlines() == list(compute.commands(result))
    assert "users.csv" not in files
    factors = opened(compute.factors_zip(result, "npz"))
    assert {f"factors/{name}" for name in factors} <= set(files)
    told = files["README.txt"].decode()
    for name in files:
        assert name in told or name.startswith(("factors/", "README"))


def test_the_command_beside_lists_of_chosen_users_makes_those(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    chosen = [*compute.users(result)[:2], "a, b"]
    files = opened(compute.everything_zip(result, chosen, 3, True, "npz"))
    words = shlex.split(files["commands.txt"].decode().splitlines()[1], comments=True)
    options = cli._parser().parse_args(words[1:])
    assert list(read_ids(files[options.users]).ids) == chosen
    told = files["README.txt"].decode()
    assert "The lists are 3 long, those that the command makes 10." in told
    assert "in the target history already; the command's do not" in told


def test_metrics_are_those_of_the_evidence(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    table = pd.read_csv(io.BytesIO(compute.metrics(result)))
    evidence = json.loads(compute.bundle(result)["evidence.json"])
    for shot in evidence["shots"]:
        rows = table[(table["metric"] == evidence["metric"]) & (table["shots"] == shot["shots"])]
        rows = rows.set_index("method")
        assert set(rows.index) == set(shot["methods"])
        for name, found in shot["methods"].items():
            assert rows.loc[name, "mean"] == pytest.approx(found["mean"])
        assert rows.loc[shot["transfer"], "gain"] == pytest.approx(shot["gain"]["mean"])
        assert rows["verdict"].dropna().tolist() == [evidence["verdict"][str(shot["shots"])]]
    assert {"rmse", "recall@10"} <= set(table["metric"])


def test_lists_are_made_once_for_preview_and_download(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    first = compute.lists(result, None, 5, "auto")
    assert compute.lists(result, None, 5, "auto") is first
    assert compute.lists(result, None, 6, "auto") is not first
    kept = compute.lists(result, None, 5, "auto", True)
    books = {
        (user, item)
        for user in result.run.pair.shared[:40]
        for item in compute.history(result, "target", str(user))["item_id"]
    }
    listed = set(zip(kept["user_id"], kept["item_id"], strict=True))
    assert books & listed
    assert not books & set(zip(first["user_id"], first["item_id"], strict=True))


def test_cold_users_alone_and_seen_items_can_be_asked_for(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    app = open_app(fitted, "export")
    cold = len(compute.cold_users(shown(fitted)))
    app.session_state["export_who"] = "Cold"
    app.run()
    assert not app.exception
    assert f"{cold} users, up to {cold * 10:,} rows." in text(app)
    app.toggle(key="export_unseen").set_value(False).run()
    assert not app.exception
    assert "only on this server" in text(app)


def test_the_preview_is_made_when_it_is_opened(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    app = open_app(fitted, "export")
    assert not app.dataframe
    assert "export" not in shown(fitted).derived
    app.session_state["export_preview"] = True
    app.run()
    assert not app.exception
    frame = app.dataframe[0].value
    assert list(frame.columns) == ["user_id", "item_id", "rank", "score", "method", "title"]
    assert len(frame) == 10 * len(compute.users(shown(fitted)))


def test_without_a_comparison_everything_says_why_there_is_none(
    open_app: OpenApp, loaded: jobs.Workspace, small_run: Run
) -> None:
    run = dataclasses.replace(
        small_run, comparison=None, chosen=None, no_comparison="Only 3 users could be tested."
    )
    loaded.install(run, loaded.inputs, ("a", "b"), "cafe0002")
    app = open_app(loaded, "export")
    assert "Only 3 users could be tested." in text(app)
    files = opened(compute.everything_zip(shown(loaded), None, 5, False, "csv"))
    assert "evidence.json" not in files
    assert "Only 3 users could be tested." in files["README.txt"].decode()
    assert "factors/mapped_users.csv" in files or "factors/source_users.csv" in files


def test_where_items_are_new_the_files_say_items(
    open_app: OpenApp, loaded: jobs.Workspace, items_run: Run
) -> None:
    loaded.install(items_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0004")
    app = open_app(loaded, "export")
    assert "Leave out users who had it" in app.toggle(key="export_unseen").label
    files = opened(compute.factors_zip(shown(loaded), "csv"))
    assert files["source_items.csv"].startswith(b"word,")
    assert files["target_users.csv"].startswith(b"item_id,")
    some = compute.users(shown(loaded))[:3]
    files = opened(compute.everything_zip(shown(loaded), some, 5, True, "csv"))
    lists = pd.read_csv(io.BytesIO(files["recommendations.csv"]), dtype=str)
    assert set(lists["item_id"]) == set(some)


@pytest.mark.parametrize("method", ["auto", "factor_map"])
def test_the_command_on_the_page_makes_the_very_lists_of_the_page(
    method: str, workspace: jobs.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for letter, side in (("s", "source"), ("t", "target")):
        place: jobs.Side = "source" if side == "source" else "target"
        (tmp_path / f"{side}.csv").write_bytes(ratings(letter, 1))
        assert compute.load_side(workspace, place, ratings(letter, 1), f"{side}.csv")
    assert workspace.source is not None
    assert workspace.target is not None
    assert workspace.source.ratings is not None
    assert workspace.target.ratings is not None
    settings = Settings(method=method, rank=2, lam=0.1, feedback="implicit")
    made = run(workspace.source.ratings, workspace.target.ratings, settings)
    result = workspace.install(made, workspace.inputs, ("source.csv", "target.csv"), "cafe0009")
    assert made.chosen is not None
    assert compute.own_method(result) == method
    words = shlex.split(compute.commands(result)[1])
    assert cli.main(words[1:]) == 0
    written = (tmp_path / "recommendations.csv").read_bytes()
    assert written == compute.lists_file(result, None, 10, method, "csv")
    assert (
        written
        == opened(compute.everything_zip(result, None, 10, False, "csv"))["recommendations.csv"]
    )
