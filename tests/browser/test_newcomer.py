"""Somebody who has two files and a title list, and nothing to go by but the words on the page."""

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

RANK, LAM = "16", "0.02"
MOST_CLICKS = 12


@dataclass
class Newcomer:
    """Acts on what can be read, and counts every act."""

    app: Any
    clicks: int = 0

    def choose_file(self, path: Path) -> None:
        """The first upload button that is left on the page."""
        button = self.app.page.get_by_role("button", name="Upload", exact=True).first
        with self.app.page.expect_file_chooser() as chooser:
            button.click()
        chooser.value.set_files(path)
        self.clicks += 1

    def type_into(self, label: str, text: str) -> None:
        field = self.app.page.get_by_label(label, exact=True)
        field.click()
        field.fill(text)
        self.app.page.keyboard.press("Tab")
        self.app.settle()
        self.clicks += 1

    def press(self, role: str, name: str) -> None:
        self.app.page.get_by_role(role, name=name).first.click()
        self.app.settle()
        self.clicks += 1

    def reads(self, text: str, seconds: float = 60) -> None:
        self.app.shows(text, seconds)


@pytest.fixture
def by_command_line(shared_data: Path, tmp_path: Path) -> "subprocess.Popen[str]":
    """The same lists by the command line, made while the browser is at work."""
    folder = shared_data / "anime_tv_to_movie"
    items = str(folder / "items.csv")
    command = [
        sys.executable, "-m", "transrec_core.cli", "recommend",
        str(folder / "source.csv"), str(folder / "target.csv"),
        "--items", items, "--source-items", items, "--rank", RANK, "--lam", LAM,
        "--out", str(tmp_path / "lists.csv"),
    ]  # fmt: skip
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_from_the_start_page_to_a_list_that_the_command_line_writes_too(
    tab: Callable[..., Any],
    shared_data: Path,
    tmp_path: Path,
    by_command_line: "subprocess.Popen[str]",
) -> None:
    folder = shared_data / "anime_tv_to_movie"
    app = tab()
    app.open()
    newcomer = Newcomer(app)
    newcomer.reads("What you know: the catalogue where these people already are.")
    newcomer.choose_file(folder / "source.csv")
    newcomer.reads("Read as 288,869 ratings")
    newcomer.choose_file(folder / "target.csv")
    newcomer.reads("Read as 56,173 ratings")
    newcomer.reads("3,421 users are in both domains")
    newcomer.reads("Optional: a file with item_id, title")
    newcomer.choose_file(folder / "items.csv")
    newcomer.reads("source and target")
    app.settle()
    newcomer.type_into("Rank", RANK)
    newcomer.type_into("λ", LAM)
    newcomer.press("button", "Fit and compare")
    newcomer.reads("See the comparison", 240)
    app.settle(0.3)
    app.shot("newcomer_done")
    newcomer.press("link", "See the comparison")
    newcomer.reads("For users with no history in the target, transfer helps")
    newcomer.press("link", "Export")
    newcomer.reads("Recommendation lists")
    button = app.page.get_by_role("button", name="Download CSV", exact=True).first
    with app.page.expect_download(timeout=60_000) as caught:
        button.click()
    newcomer.clicks += 1
    content = Path(caught.value.path()).read_bytes()
    assert newcomer.clicks <= MOST_CLICKS

    _, complaint = by_command_line.communicate(timeout=240)
    assert by_command_line.returncode == 0, complaint
    written = pd.read_csv(tmp_path / "lists.csv", dtype=str)
    downloaded = pd.read_csv(io.BytesIO(content), dtype=str)
    assert list(downloaded.columns) == list(written.columns)
    assert len(downloaded) == len(written) > 40_000
    words = [name for name in written.columns if name != "score"]
    pd.testing.assert_frame_equal(downloaded[words], written[words])
    pd.testing.assert_series_equal(
        downloaded["score"].astype(float), written["score"].astype(float), rtol=1e-5
    )
    # They are lists: of everybody, ranked from 1, of items that are new to them and have titles.
    target = pd.read_csv(folder / "target.csv", dtype=str)
    assert downloaded["user_id"].nunique() == 4673
    assert (downloaded["rank"].astype(int).groupby(downloaded["user_id"]).min() == 1).all()
    assert downloaded.merge(target, on=["user_id", "item_id"]).empty
    titles = pd.read_csv(folder / "items.csv", dtype=str).set_index("item_id")["title"]
    assert (downloaded["title"] == downloaded["item_id"].map(titles)).all()
    app.page.reload()
    app.settle()
    app.go("Space")
    app.page.wait_for_selector(".st-key-item_map .nsewdrag")
    app.shot("newcomer_space")
