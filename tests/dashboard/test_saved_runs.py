"""What the pages say of what is kept, and runs that are taken along and opened again."""

import errno
import io
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import compute, jobs
from dashboard.jobs import Workspace
from dashboard.keeping import Keeper
from dashboard.store import Store, key_of
from transrec_core.running import Run

OpenApp = Callable[..., AppTest]
NAMES = ("films.csv", "books.csv")


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    """The server's register keeps what it has in a folder of the test."""
    keeper = Keeper(Store(tmp_path / "kept"))
    jobs.REGISTER.keeper = keeper
    yield keeper
    jobs.REGISTER.keeper = None
    keeper.close()


@pytest.fixture
def saved(small_run: Run) -> bytes:
    """A saved run of the sample."""
    space = jobs.REGISTER.create()
    result = space.install(small_run, "elsewhere", NAMES, "cafe0001")
    space.rename(result, "Taken along")
    return compute.saved_run(result)


def text(app: AppTest) -> str:
    """Everything that the page says, without escapes."""
    kinds = ("title", "markdown", "caption", "warning", "info", "error", "badge", "success")
    said = [str(element.value) for kind in kinds for element in app.get(kind)]
    said += [str(e.proto.title) for kind in ("warning", "info", "error") for e in app.get(kind)]
    return " ".join(said).replace("\\", "").replace("\u2060", "")


def keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def drop(app: AppTest, content: bytes, name: str) -> None:
    """Give a file to the dropzone of saved runs."""
    (zone,) = (z for z in app.get("file_uploader") if str(z.key).startswith("up_run_"))
    zone.upload(name, content, "application/octet-stream").run()
    assert not app.exception


def test_an_opened_run_shows_on_every_page_without_its_data(
    open_app: OpenApp, saved: bytes
) -> None:
    app = open_app()
    drop(app, saved, "mine.transrec")
    assert "Taken along is a saved run" in text(app)
    assert "opened from mine.transrec and fitted on films.csv and books.csv" in text(app)
    assert app.button(key="fit_go").disabled
    # Its settings stand in the form, so nothing counts as changed.
    assert app.number_input(key="fit_rank").value == 8
    assert "changed: refit" not in text(app)
    for page in ("space", "user", "export", "compare"):
        app.switch_page(f"views/{page}.py").run()
        assert not app.exception, page
        assert "After a fit, this page" not in text(app), page
    for part in ("Curves", "Numbers", "For whom", "Cost", "Parameters", "Runs", "Sources"):
        app.session_state["compare_part"] = part
        app.run()
        assert not app.exception, part


def test_an_opened_run_leaves_what_is_loaded_and_fitted_in_reach(
    open_app: OpenApp, fitted: Workspace, saved: bytes
) -> None:
    app = open_app(fitted, "compare")
    app.session_state["compare_part"] = "Runs"
    app.run()
    drop(app, saved, "mine.transrec")
    assert [r.name for r in fitted.results] == ["Taken along", "Run 1"]
    assert fitted.shown is fitted.results[0]
    assert fitted.source is not None
    assert "opened from mine.transrec" in text(app)
    app.button(key="show_cafe0001").click().run()
    assert not app.exception
    assert fitted.shown is not None
    assert fitted.shown.name == "Run 1"


def test_lists_of_an_opened_run_are_those_of_the_saved_one(
    workspace: Workspace, saved: bytes, small_run: Run
) -> None:
    assert compute.open_run(workspace, saved, "mine.transrec")
    original = jobs.Result("x", small_run, workspace.results[0].at, "", NAMES)
    (result,) = workspace.results
    one, other = (compute.lists_file(r, None, 10, "auto", "csv") for r in (result, original))
    assert one == other


def torch_file() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weights": [1.0]}))
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


def damaged(saved: bytes) -> bytes:
    half = len(saved) // 2
    return saved[:half] + bytes([saved[half] ^ 255]) + saved[half + 1 :]


def test_what_is_no_saved_run_is_refused_by_name_and_changes_nothing(
    open_app: OpenApp, fitted: Workspace, saved: bytes
) -> None:
    before = fitted.results
    app = open_app(fitted, "compare")
    app.session_state["compare_part"] = "Runs"
    app.run()
    wrong = {
        "pickle": (pickle.dumps([1, 2]), "not a saved run"),
        "torch": (torch_file(), "not a saved run"),
        "csv": (b"user,item,rating\n1,2,3\n", "not a saved run"),
        "empty": (b"", "not a saved run"),
        "cut": (saved[:-100], "damaged"),
        "flipped": (damaged(saved), "damaged"),
    }
    for kind, (content, words) in wrong.items():
        drop(app, content, f"{kind}.transrec")
        assert f"{kind}.transrec could not be opened" in text(app)
        assert words in text(app), kind
        assert fitted.results == before
        app.button(key="dismiss_run").click().run()
        assert "could not be opened" not in text(app)


def test_the_export_page_saves_the_run_and_says_what_is_inside(
    open_app: OpenApp, fitted: Workspace
) -> None:
    app = open_app(fitted, "export")
    assert "The ratings of its users are inside" in text(app)
    assert "export_saved_run" in {b.key for b in app.get("download_button")}


def test_odd_times_and_names_in_a_saved_run_do_no_harm(
    workspace: Workspace, small_run: Run
) -> None:
    from transrec_core.persistence import run_bytes

    for about in (
        {},
        {"at": "yesterday", "name": "x" * 500},
        {"at": "2026-01-31T12:00:00+14:00", "name": "\u202e<b>", "source": "../../x"},
    ):
        assert compute.open_run(workspace, run_bytes(small_run, about), "a/b\\c.transrec")
        assert len(workspace.results[0].name) <= 60
        # A run is held against those before it, so their times must compare.
        compute.reference(workspace, workspace.shown)


def test_what_was_cut_short_or_left_out_is_told_until_it_is_dismissed(
    open_app: OpenApp, fitted: Workspace
) -> None:
    fitted.interrupted = "fit"
    fitted.notes = ("Run 3 is left out: its file is damaged. Fit again to have it back.",)
    app = open_app(fitted, "compare")
    assert "A fit was at work when the server ended; press Fit to repeat it." in text(app)
    assert "Run 3 is left out: its file is damaged." in text(app)
    app.button(key="dismiss_kept").click().run()
    assert "server ended" not in text(app)
    assert "Run 3 is left out" not in text(app)
    assert (fitted.interrupted, fitted.notes) == ("", ())


def test_a_full_disk_is_told_and_the_run_stays_on_show(
    open_app: OpenApp, keeper: Keeper, small_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = jobs.REGISTER.create()
    compute.load_sample(space)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    space.install(small_run, space.inputs, NAMES, "cafe0001")
    space.keep()
    keeper.flush()
    app = open_app(space, "compare")
    assert "Not kept on the server's disk" in text(app)
    assert "Run 1: No space left on device." in text(app)
    assert "run cafe0001" in text(app)


def test_everything_is_forgotten_after_a_second_question(
    open_app: OpenApp, keeper: Keeper, small_run: Run
) -> None:
    space = jobs.REGISTER.create()
    compute.load_sample(space)
    space.install(small_run, space.inputs, NAMES, "cafe0001")
    space.keep()
    keeper.flush()
    app = open_app(space, "compare")
    app.button(key="forget").click().run()
    assert "also from the server's disk" in text(app)
    app.button(key="forget_not").click().run()
    assert "forget_for_good" not in keys(app)
    assert jobs.REGISTER.find(space.id) is space
    app.button(key="forget").click().run()
    app.button(key="forget_for_good").click().run()
    assert not app.exception
    assert jobs.REGISTER.find(space.id) is None
    assert "run" not in app.query_params
    assert {path.name for path in keeper.store.folder.rglob("*") if path.is_file()} == {"lock"}
    # Another tab on the same link learns that it leads nowhere now.
    other = AppTest.from_file(Path(jobs.__file__).with_name("app.py"), default_timeout=20)
    other.query_params["run"] = space.id
    other.run()
    assert "This link's run is no longer here" in text(other)
    assert "30 days" in text(other)


def test_what_a_page_shows_is_on_the_disk(
    open_app: OpenApp, keeper: Keeper, small_run: Run
) -> None:
    app = open_app()
    app.button(key="try_sample").click().run()
    asked = app.query_params["run"]
    id_ = asked if isinstance(asked, str) else asked[0]
    record = keeper.store.read(key_of(id_))
    assert record is not None
    assert record["sides"]["source"]["name"] == "films.csv"


def test_a_link_that_cannot_be_read_says_why(open_app: OpenApp, keeper: Keeper) -> None:
    path = keeper.store.folder / "workspaces" / f"{key_of('some link')}.json"
    path.write_text('{"version": 7}')
    app = AppTest.from_file(Path(jobs.__file__).with_name("app.py"), default_timeout=20)
    app.query_params["run"] = "some link"
    app.run()
    assert not app.exception
    assert "is of version 7; this transrec reads version 1" in text(app)
