"""A server that is killed and started again: who has the link sees what was there."""

import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FILES = ("export_csv", "export_metrics", "export_everything_zip")
VERDICT_SECONDS = 240


def runs(app: Any) -> Any:
    """Open the runs on the Compare page; the row of the oldest."""
    app.go("Compare")
    app.page.locator(".st-key-compare_part").get_by_text("Runs", exact=True).click()
    app.settle()
    return app.page.locator('[class*="st-key-run_"][class*="stVerticalBlock"]').last


def exported(app: Any) -> list[bytes]:
    app.go("Export")
    return [app.download(key) for key in FILES]


@pytest.mark.slow
def test_f5_after_sigkill_shows_everything_to_the_bit(
    serve: Callable[..., Any], tab: Callable[..., Any], tmp_path: Path
) -> None:
    with serve(tmp_path) as first:
        app = tab(address=first.address)
        app.open()
        app.click("run_sample")
        app.page.wait_for_selector(".st-key-guide", timeout=VERDICT_SECONDS * 1000)
        app.settle()
        row = runs(app)
        row.get_by_role("button", name="Pin", exact=True).click()
        row.get_by_role("button", name="Unpin").wait_for()
        row.get_by_role("button", name="More").click()
        app.page.get_by_label("Name").fill("Kept & “named”")
        app.page.get_by_label("Name").press("Enter")
        app.shows("Kept & “named”")
        app.page.keyboard.press("Escape")
        before = exported(app)
        # A fit that takes its time, so that the end of the server cuts it short.
        app.page.locator(".st-key-fit_rank input").fill("")
        app.page.keyboard.press("Tab")
        app.shows("changed: refit")
        app.page.locator(".st-key-fit_go button").first.click()
        app.page.wait_for_selector(".st-key-job", timeout=20_000)
        assert app.complaints == []
        first.process.kill()
        first.process.wait(20)

    port = urllib.parse.urlparse(first.address).port
    with serve(tmp_path, port=port):
        app.page.reload()
        app.settle()
        # What the browser said of the connection that broke was to be expected.
        app.complaints.clear()
        app.shows("A fit was at work when the server ended; press Fit to repeat it.")
        assert exported(app) == before
        row = runs(app)
        assert "Kept & “named”" in row.inner_text()
        assert "Pinned" in row.inner_text()
        app.go("Data")
        app.shows("900 users are in both domains")
        app.shot("after_restart")
        app.sound()
        app.click("dismiss_kept")
        app.page.get_by_text("A fit was at work").wait_for(state="detached")

        # All of it goes when that is asked for, twice.
        app.page.locator(".st-key-run_more button").first.click()
        app.click("forget")
        app.shot("forget_everything")
        app.click("forget_for_good")
        app.page.locator(".st-key-run_sample button").first.wait_for()
        app.settle()
        assert "run=" not in app.page.url
    kept = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["lock"]
    assert "Traceback" not in first.log.read_text()
