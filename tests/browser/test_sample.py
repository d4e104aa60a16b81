"""The whole job on the sample, by clicking."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd


def path(page: str, link: str) -> str:
    return ("/" if page == "Data" else f"/{page.lower()}") + link


def test_the_whole_job(tab: Callable[..., Any], sample_run: str, sample_data: Path) -> None:
    app = tab()
    app.open(path("Data", sample_run))
    app.page.get_by_role("link", name="See the comparison").first.click()
    app.settle()
    verdict = app.page.locator(".st-key-verdict")
    assert "For users with no history in the target, transfer helps" in verdict.inner_text()
    assert "250" in verdict.inner_text()
    app.page.wait_for_selector(".st-key-k_shot_curve .nsewdrag")
    for name in ("Popular items", "Target only", "Transfer (", "Auto", "Placebo band"):
        assert app.page.locator(".st-key-k_shot_curve .legendtext", has_text=name).count() == 1

    app.go("Space")
    app.page.wait_for_selector(".st-key-item_map .nsewdrag")
    app.go("User")
    app.click("user_cold")
    app.shows("No target interactions.")
    # The first list is that of the chosen transfer method, whichever it is.
    first = app.page.locator('[class*="st-key-list_"]').first
    assert "Transfer" in first.inner_text()
    rows = first.locator("tbody tr")
    assert rows.count() == 10

    app.go("Export")
    frame = pd.read_csv(io.BytesIO(app.download("export_csv")))
    assert list(frame.columns) == ["user_id", "item_id", "rank", "score", "method", "title"]
    assert (frame.groupby("user_id")["rank"].min() == 1).all()
    assert not frame.duplicated(["user_id", "rank"]).any()
    books = pd.read_csv(sample_data / "books.csv")
    films = pd.read_csv(sample_data / "films.csv")
    assert set(frame["user_id"]) == set(films["user_id"])
    assert set(frame["item_id"]) <= set(books["item_id"])
    assert frame.merge(books, on=["user_id", "item_id"]).empty
    assert frame["title"].notna().all()

    # F5 and the way back keep everything.
    app.page.reload()
    app.settle()
    app.shows("Recommendation lists")
    app.go("Compare")
    assert "transfer helps" in app.page.locator(".st-key-verdict").inner_text()


def test_the_other_files_can_be_taken(tab: Callable[..., Any], sample_run: str) -> None:
    app = tab()
    app.open(path("Export", sample_run))
    assert b'"verdict"' in app.download("export_evidence_json")
    assert app.download("export_report_html").lower().startswith(b"<!doctype html")
    assert app.download("export_per_user_csv").startswith(b"user_id,")
    assert b'"sha256"' in app.download("export_config")
    frame = pd.read_parquet(io.BytesIO(app.download("export_parquet")))
    assert len(frame) == 12_000


def test_a_download_outlives_pages_that_others_draw(
    tab: Callable[..., Any], sample_run: str
) -> None:
    app, other = tab(), tab()
    app.open(path("Export", sample_run))
    other.open("/")
    with app.page.expect_download(timeout=60_000) as caught:
        app.page.locator(".st-key-export_csv button").click()
    for title in ("Compare", "Data", "Compare"):
        other.go(title)
    # Where the browser was slow to fetch it, the file has to be there still.
    answer = app.page.request.get(caught.value.url)
    assert answer.ok
    assert answer.body() == Path(caught.value.path()).read_bytes()


def test_somebody_else_does_not_see_the_run(tab: Callable[..., Any], sample_run: str) -> None:
    other = tab()
    other.open("/compare")
    other.shows("After a fit, this page")
    assert sample_run.split("=")[1] not in other.page.content()


def test_changed_settings_say_so(tab: Callable[..., Any], sample_run: str) -> None:
    app = tab()
    app.open(path("Compare", sample_run))
    app.page.locator(".st-key-fit_rank input").fill("12")
    app.page.keyboard.press("Tab")
    app.shows("Rank changed: refit")
    assert app.page.locator(".st-key-verdict").is_visible()


def test_a_second_fit_can_be_cancelled_and_the_first_stays(
    tab: Callable[..., Any], sample_run: str
) -> None:
    app = tab()
    app.open(path("Compare", sample_run))
    app.page.locator(".st-key-fit_go button").click()
    app.page.wait_for_selector(".st-key-cancel_fit button")
    app.page.locator(".st-key-cancel_fit button").click()
    app.page.wait_for_selector(".st-key-job", state="detached", timeout=30_000)
    app.shows("Fit cancelled.")
    assert "transfer helps" in app.page.locator(".st-key-verdict").inner_text()
    app.page.locator(".st-key-fit_go button:not([disabled])").wait_for()
