"""Fixtures of the dashboard's tests: a small real run, and workspaces that hold it."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

# Child processes get this path too, and find the stand-ins for a run there.
sys.path.insert(0, str(Path(__file__).parent))

from dashboard import compute, jobs
from transrec_core.data.items import read_items
from transrec_core.data.ratings import read_ratings
from transrec_core.running import Run, run
from transrec_core.settings import Settings

APP = Path(jobs.__file__).with_name("app.py")
SMALL = Settings(rank=8, lam=0.05, shots=(0, 2), min_target=6)


def run_third(sample_data: Path, settings: Settings, *, shared: bool = True) -> Run:
    """Films to books with a third of the people, who have other ids in films unless shared."""

    def third(name: str, prefix: str = "") -> bytes:
        frame = pd.read_csv(sample_data / name, dtype=str)
        kept = frame[frame["user_id"].str[-1].isin(["1", "4", "7"])]
        return kept.assign(user_id=prefix + kept["user_id"]).to_csv(index=False).encode()

    return run(
        read_ratings(third("films.csv", "" if shared else "film-"), name="films.csv"),
        read_ratings(third("books.csv"), name="books.csv"),
        settings,
        source_items=read_items(sample_data / "films_items.csv"),
        target_items=read_items(sample_data / "books_items.csv"),
    )


@pytest.fixture(scope="session")
def small_run(sample_data: Path) -> Run:
    """Films to books, with a third of the people."""
    return run_third(sample_data, SMALL)


@pytest.fixture(scope="session")
def items_run(sample_data: Path) -> Run:
    """The same with books that are new, known by their texts."""
    return run_third(sample_data, replace(SMALL, cold="items", feedback="implicit"))


@pytest.fixture(scope="session")
def unshared_run(sample_data: Path) -> Run:
    """The same with nobody in both, so that only texts carry over."""
    return run_third(sample_data, SMALL, shared=False)


@pytest.fixture(scope="session")
def run_with(sample_data: Path) -> Callable[..., Run]:
    """Make the small run with other settings."""
    return lambda **changed: run_third(sample_data, replace(SMALL, **changed))


@pytest.fixture
def workspace() -> Iterator[jobs.Workspace]:
    """A new, empty workspace in the server's register."""
    space = jobs.REGISTER.create()
    yield space
    if space.job is not None and space.job.active:
        space.job.kill()
        space.job.join(180)


@pytest.fixture
def loaded(workspace: jobs.Workspace) -> jobs.Workspace:
    """The sample, loaded but not fitted."""
    compute.load_sample(workspace)
    workspace.settings = SMALL
    return workspace


@pytest.fixture
def fitted(loaded: jobs.Workspace, small_run: Run) -> jobs.Workspace:
    """The sample with a finished run."""
    loaded.install(small_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0001")
    return loaded


@pytest.fixture
def open_app() -> Callable[..., AppTest]:
    """Open the app, on a page and with a workspace's link."""

    def open_(space: jobs.Workspace | None = None, page: str = "data") -> AppTest:
        app = AppTest.from_file(APP, default_timeout=20)
        if space is not None:
            app.query_params["run"] = space.id
        app.run()
        if page != "data":
            app.switch_page(f"views/{page}.py").run()
        assert not app.exception
        return app

    return open_
