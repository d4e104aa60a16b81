"""What if, most helped, and everything in one zip, by clicking."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pandas as pd


def first_list(app: Any) -> list[str]:
    rows = app.page.locator('[class*="st-key-list_"]').first.locator("tbody tr")
    return [row.locator("td").nth(1).inner_text() for row in rows.all()]


def test_what_if_moves_the_list_and_reset_restores_it(
    tab: Callable[..., Any], sample_run: str
) -> None:
    app = tab(height=2300)
    app.open(f"/user{sample_run}")
    app.click("user_helped")
    app.shows("number 1 of")
    app.shot("user_helped")
    before = first_list(app)
    # The best of the list, had they had it: the box is searched by the title.
    box = app.page.locator('[class*="st-key-what_if_item_"] input')
    best = app.page.locator(".st-key-reasons [data-testid=stSelectbox] input").input_value()
    box.click()
    box.press_sequentially(best)
    box.press("Enter")
    app.settle()
    app.click("what_if_add")
    app.shows("what-if: 1 change")
    app.shows("Moved")
    changed = first_list(app)
    assert before[0] not in changed
    assert changed[0] == before[1]
    app.shot("user_what_if")
    # By the key that the button shows.
    app.page.locator("h1").first.click()
    app.page.keyboard.press("u")
    app.page.get_by_text("what-if:").wait_for(state="detached")
    app.settle()
    assert first_list(app) == before
    app.click("what_if_add")
    app.shows("what-if: 1 change")
    app.go("Export")
    app.go("User")
    app.shows("what-if: 1 change")
    app.click("what_if_reset")
    app.page.get_by_text("what-if:").wait_for(state="detached")
    app.settle()
    assert first_list(app) == before


def test_keys_step_through_those_most_helped(tab: Callable[..., Any], sample_run: str) -> None:
    app = tab()
    app.open(f"/user{sample_run}")
    # A key does what its button does, so it must be there.
    app.page.locator(".st-key-user_helped button").first.wait_for()
    app.settle(0.3)
    for place in (1, 2, 3):
        app.page.keyboard.press("h")
        app.shows(f"number {place} of")
        app.settle()


def test_everything_opens_and_its_lists_are_those_of_the_csv(
    tab: Callable[..., Any], sample_run: str
) -> None:
    app = tab(height=2000)
    app.open(f"/export{sample_run}")
    app.page.locator(".st-key-export_preview summary").click()
    app.page.locator(".st-key-export_preview canvas").first.wait_for()
    app.settle(0.3)
    app.shot("export_preview")
    csv = app.download("export_csv")
    with zipfile.ZipFile(io.BytesIO(app.download("export_everything_zip"))) as archive:
        assert archive.testzip() is None
        assert archive.read("recommendations.csv") == csv
        read = {name: archive.read(name) for name in archive.namelist()}
    assert {"README.txt", "evidence.json", "metrics.csv", "report.html"} <= set(read)
    users = pd.read_csv(io.BytesIO(read["factors/source_users.csv"]), dtype={0: str})
    assert users.shape[0] == 1200
    with zipfile.ZipFile(io.BytesIO(app.download("export_factors_zip"))) as archive:
        for name in archive.namelist():
            assert archive.read(name) == read[f"factors/{name}"]


def test_somebody_harmed_fits_the_window(tab: Callable[..., Any], sample_run: str) -> None:
    app = tab(height=3000)
    app.open(f"/user{sample_run}")
    app.click("user_harmed")
    app.page.wait_for_selector(".st-key-why_chart .nsewdrag")
    for width, scheme in ((768, "dark"), (1600, "light")):
        app.look(width, scheme)
        app.sound()
        app.shot(f"people_user_{width}_{scheme}")
