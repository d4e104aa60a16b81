"""The Compare page by clicking: the search's cells, and the runs that come of them."""

import re
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="module")
def link(server: str, browser: Any) -> str:
    """The query of a run on the sample that has searched its rank; made once for this file."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(server)
    page.get_by_role("button", name="Only load it").click()
    page.get_by_text("900 users are in both domains").first.wait_for()
    page.locator(".st-key-fit_lam input").fill("0.02")
    page.keyboard.press("Tab")
    page.locator(".st-key-fit_go button:not([disabled])").click()
    page.wait_for_selector(".st-key-verdict_banner", timeout=240_000)
    query = urllib.parse.urlparse(page.url).query
    page.context.close()
    return f"?{query}"


def part(app: Any, name: str) -> None:
    app.page.get_by_role("tab", name=name, exact=True).click()
    app.settle()


def pick(app: Any, button: str) -> None:
    app.page.locator(f".st-key-{button} button").click()
    app.settle()


def test_a_cell_starts_a_fit_and_the_earlier_run_is_one_click_away(
    tab: Callable[..., Any], link: str
) -> None:
    app = tab()
    app.open(f"/compare{link}")
    part(app, "Parameters")
    points = app.page.locator('[class*="st-key-tried_ranking"] .scatterlayer .point')
    points.first.wait_for()
    app.settle()
    assert points.count() >= 2
    # One that is not outlined: that of the run on show is.
    widths = [
        float(re.sub("[^0-9.]", "", points.nth(i).evaluate("p => p.style.strokeWidth")) or 0)
        for i in range(points.count())
    ]
    assert sum(width > 0 for width in widths) == 1
    other = points.nth(widths.index(0)).bounding_box()
    app.page.mouse.click(other["x"] + other["width"] / 2, other["y"] + other["height"] / 2)
    app.page.wait_for_selector(".st-key-change_line", timeout=240_000)
    app.settle()
    line = app.page.locator(".st-key-change_line")
    assert "Against Run 1." in line.inner_text()
    assert re.search(r"rank auto → \d+", line.inner_text(), re.IGNORECASE)
    assert app.page.locator(".st-key-fit_rank input").input_value() != ""
    assert app.page.get_by_text("changed: refit").count() == 0

    pick(app, "see_difference")
    app.page.wait_for_selector(".st-key-difference_dots .nsewdrag")
    app.shows("Set otherwise")
    app.shot("compare_two_runs")

    # The run of the cell that was outlined first is in the history: no fit, only shown.
    pick(app, "back_to_reference")
    app.page.wait_for_function("!document.querySelector('.st-key-fit_rank input').value")
    assert app.page.get_by_text("changed: refit").count() == 0
    assert app.page.locator(".st-key-job").count() == 0


def test_names_and_pins_outlive_a_reload(tab: Callable[..., Any], link: str) -> None:
    app = tab()
    app.open(f"/compare{link}")
    part(app, "Runs")
    row = app.page.locator('[class*="st-key-run_"][class*="stVerticalBlock"]').last
    row.get_by_role("button", name="Pin", exact=True).click()
    row.get_by_role("button", name="Unpin").wait_for()
    row.get_by_role("button", name="More").click()
    name = app.page.get_by_label("Name")
    name.fill("<b>base</b> *line*")
    name.press("Enter")
    app.shows("<b>base</b> *line*")
    app.page.keyboard.press("Escape")
    app.settle()
    app.page.reload()
    app.settle()
    part(app, "Runs")
    row = app.page.locator('[class*="st-key-run_"][class*="stVerticalBlock"]').last
    assert "<b>base</b> *line*" in row.inner_text()
    assert "Pinned" in row.inner_text()
    app.shot("compare_runs")


def test_every_part_is_accessible_and_fits_a_narrow_window(
    tab: Callable[..., Any], link: str
) -> None:
    app = tab(height=2400)
    app.open(f"/compare{link}")
    for name in ("Numbers", "For whom", "Parameters", "Runs", "Sources", "Curves"):
        part(app, name)
        for width, scheme in ((1600, "light"), (768, "dark")):
            app.look(width, scheme)
            app.sound()
            app.shot(f"compare_{scheme}_{name.lower().replace(' ', '_')}")
