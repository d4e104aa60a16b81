"""Own files: a real pair, wrong files, and titles that try to be more than text."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PAYLOADS = (
    "<img src=x onerror=\"fetch('http://evil.example/1')\">",
    "[click](http://evil.example/2)",
    "![pixel](http://evil.example/3.png)",
    "http://evil.example/4",
    "www.evil.example",
    ":material/delete: :smile: :red[x]",
    "$\\frac{1}{2}$ **bold** `code`",
    '<a href="http://evil.example/5">x</a> %{x} <b>y</b>',
    "=HYPERLINK(1)",
    "javascript:alert(1)",
)


def set_number(app: Any, key: str, value: str) -> None:
    app.page.locator(f".st-key-{key} input").fill(value)
    app.page.keyboard.press("Tab")
    app.settle()


def test_a_real_pair_from_files_to_lists(tab: Callable[..., Any], shared_data: Path) -> None:
    folder = shared_data / "anime_tv_to_movie"
    app = tab()
    app.open()
    app.upload("up_source", folder / "source.csv")
    app.shows("288,869 rows")
    app.upload("up_target", folder / "target.csv")
    app.shows("56,173 rows")
    app.upload("up_items", folder / "items.csv")
    app.shows("source and target")
    app.shows("3,421 users are in both domains", 60)
    app.settle()
    app.shot("anime_data")
    set_number(app, "fit_rank", "16")
    set_number(app, "fit_lam", "0.02")
    app.fit()
    app.go("Compare")
    verdict = app.page.locator(".st-key-verdict").inner_text()
    assert "For users with no history in the target, transfer helps" in verdict
    app.shot("anime_compare")
    app.go("Export")
    frame = pd.read_csv(io.BytesIO(app.download("export_csv")), dtype={"item_id": str})
    target = pd.read_csv(folder / "target.csv", dtype={"item_id": str})
    assert frame["user_id"].nunique() == 4673
    assert (frame.groupby("user_id")["rank"].min() == 1).all()
    assert frame.merge(target, on=["user_id", "item_id"]).empty
    titles = pd.read_csv(folder / "items.csv", dtype=str).set_index("item_id")["title"]
    assert (frame["title"] == frame["item_id"].map(titles)).all()
    app.page.reload()
    app.settle()
    app.go("Space")
    app.page.wait_for_selector(".st-key-item_map .nsewdrag")
    app.shot("anime_space")


def test_a_wrong_file_is_told_and_nothing_is_lost(
    tab: Callable[..., Any], sample_data: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "ratings.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)
    app = tab()
    app.open()
    app.upload("up_source", sample_data / "films.csv")
    app.shows("47,581 rows")
    app.click("replace_source")
    app.upload("up_source", picture)
    app.shows("ratings.csv could not be read")
    app.settle()
    app.shot("wrong_file")
    assert "films.csv" in app.page.locator(".st-key-card_source").inner_text()
    app.go("Compare")
    app.go("Data")
    assert "films.csv" in app.page.locator(".st-key-card_source").inner_text()


def test_text_from_data_stays_text(tab: Callable[..., Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    users = [f"<b>u{i}</b>" for i in range(120)]
    for name, prefix in (("source", "s"), ("target", "t")):
        rows = pd.DataFrame(
            [
                (user, f"{prefix}{item}", int(rng.integers(1, 6)))
                for user in users
                for item in rng.choice(30, 14, replace=False)
            ],
            columns=["user", "item", "rating"],
        )
        rows.to_csv(tmp_path / f"{name} [x](http://evil.example).csv".replace("/", ""), index=False)
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    ids = [f"{prefix}{i}" for prefix in "st" for i in range(30)]
    pd.DataFrame(
        {"item_id": ids, "title": [PAYLOADS[i % len(PAYLOADS)] for i in range(60)]}
    ).to_csv(tmp_path / "items.csv", index=False)
    app = tab()
    app.open()
    app.upload("up_source", tmp_path / "source [x](http:evil.example).csv")
    app.shows("1,680 rows")
    app.upload("up_target", tmp_path / "target.csv")
    app.shows("120 users are in both domains")
    app.upload("up_items", tmp_path / "items.csv")
    app.shows("source and target")
    app.settle()
    set_number(app, "fit_rank", "4")
    set_number(app, "fit_lam", "0.05")
    app.fit()
    for page in ("Data", "Compare", "Space", "User", "Export"):
        app.go(page)
        app.page.wait_for_timeout(400)
        html = app.page.locator("[data-testid=stMain]")
        assert html.locator('a[href*="evil"], img[src*="evil"], img[src="x"]').count() == 0, page
        assert html.locator('a[href^="javascript"], [onerror]').count() == 0, page
        assert html.locator(".katex").count() == 0, page
        if page == "User":
            assert "<b>u0</b>" in html.inner_text()
            assert ":smile:" in html.inner_text().replace("\u2060", "")
    content = app.download("export_csv").decode()
    assert "'=HYPERLINK(1)" in content
