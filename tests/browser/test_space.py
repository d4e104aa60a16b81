"""The map in a real browser: drawn once, picked by mouse and by keyboard, coloured, compared."""

import io
import re
from collections.abc import Callable
from typing import Any

import pandas as pd

PLOT = ".st-key-item_map .js-plotly-plot"
# Marks the plot's node and counts how often plotly draws it from now on.
WATCH = f"""() => {{
    const plot = document.querySelector('{PLOT}');
    window.watched = plot;
    window.draws = 0;
    plot.on('plotly_afterplot', () => window.draws++);
}}"""
SAME = f"() => window.watched === document.querySelector('{PLOT}')"


def opened(tab: Callable[..., Any], link: str, **kind: Any) -> Any:
    app = tab(**kind)
    app.open(f"/space{link}")
    app.page.wait_for_selector(".st-key-item_map .nsewdrag")
    app.settle(0.3)
    return app


def choose(app: Any, key: str, text: str) -> None:
    """Pick from a select box by typing."""
    box = app.page.locator(f'[class*="st-key-{key}"] input').first
    box.focus()
    app.page.keyboard.type(text)
    app.page.locator('[role="option"]').first.wait_for()
    app.page.keyboard.press("Enter")
    app.settle(0.3)


def lasso(app: Any) -> None:
    app.page.locator('.st-key-item_map .modebar-btn[data-title="Lasso Select"]').click()
    app.settle()
    app.page.evaluate("window.draws = 0")  # the tool itself changes the plot
    box = app.page.locator(".st-key-item_map .nsewdrag").first.bounding_box()
    corners = [(0.35, 0.3), (0.65, 0.3), (0.65, 0.7), (0.35, 0.7), (0.35, 0.3)]
    spots = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    app.page.mouse.move(*spots[0])
    app.page.mouse.down()
    for spot in spots[1:]:
        app.page.mouse.move(*spot, steps=8)
    app.page.mouse.up()
    app.shows(re.compile(r"\d+ items in the lasso"))
    app.settle()


def test_a_click_and_a_lasso_leave_the_map_as_it_is(
    tab: Callable[..., Any], sample_run: str
) -> None:
    app = opened(tab, sample_run)
    app.page.evaluate(WATCH)
    point = app.page.locator(".st-key-item_map .scatterlayer .point").nth(40).bounding_box()
    app.page.mouse.click(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    app.shows("Nearest target items by taste")
    app.page.wait_for_selector(".st-key-closeup .nsewdrag")
    app.settle(1)
    assert app.page.evaluate(SAME)
    assert app.page.evaluate("window.draws") == 0

    lasso(app)
    app.settle(1)
    assert app.page.evaluate(SAME)
    assert app.page.evaluate("window.draws") == 0
    app.shot("space_lasso")
    listed = pd.read_csv(io.BytesIO(app.download("region_download")))
    assert list(listed.columns) == ["domain", "item_id", "title", "interactions"]
    assert len(listed) > 5
    assert listed["interactions"].is_monotonic_decreasing
    assert app.page.evaluate(SAME)


def test_search_finds_titles(tab: Callable[..., Any], sample_run: str) -> None:
    app = opened(tab, sample_run)
    app.page.locator(".st-key-map_search input").fill("Poltergeist")
    app.shows(re.compile(r"\d+ items? found\."))
    app.page.locator(".st-key-item_map .legendtext", has_text="Found").wait_for()
    app.settle()
    app.shot("space_search")


def test_everything_can_be_done_from_the_keyboard(tab: Callable[..., Any], sample_run: str) -> None:
    app = opened(tab, sample_run)
    choose(app, "inspect_", "Poltergeist")
    app.page.wait_for_selector(".st-key-closeup .nsewdrag")
    app.page.locator(".st-key-item_map .legendtext", has_text="Chosen").wait_for()
    assert "Poltergeist" in app.page.locator(".st-key-inspector h3").inner_text()

    choose(app, "map_colour_", "Genre")
    app.page.locator(".st-key-item_map .legendtext", has_text="Horror").first.wait_for()
    choose(app, "map_colour_", "Interactions")
    app.page.wait_for_selector(".st-key-item_map .colorbar")

    app.page.locator(".st-key-arrow_cold button").first.focus()
    app.page.keyboard.press("Enter")
    app.page.locator(".st-key-item_map .legendtext", has_text="Source says").first.wait_for()
    app.shot("space_user")

    app.page.locator(".st-key-near_text_box summary").focus()
    app.page.keyboard.press("Enter")
    app.shows("Source items of like title, genres and text")

    app.page.locator(".st-key-map_view").get_by_text("Before").click()
    app.shows("Each catalogue has axes of its own")
    app.page.locator(".st-key-item_map .x2y2").first.wait_for(state="attached")
    app.settle(0.3)
    app.shot("space_before")


def test_a_card_colours_the_map(tab: Callable[..., Any], sample_run: str) -> None:
    app = opened(tab, sample_run)
    app.page.locator(".st-key-colour_factor_2 button").first.click()
    app.page.locator(".st-key-item_map .cbtitle, .st-key-item_map .colorbar").first.wait_for()
    app.shows("The map above is coloured by factor 2")


def test_the_full_page_is_accessible_and_not_too_wide(
    tab: Callable[..., Any], sample_run: str
) -> None:
    app = opened(tab, sample_run, height=2600)
    choose(app, "inspect_", "Poltergeist")
    app.page.locator(".st-key-arrow_cold button").first.click()
    app.page.wait_for_selector(".st-key-closeup .nsewdrag")
    for width, scheme in ((768, "light"), (1600, "dark")):
        app.look(width, scheme)
        app.shot(f"space_{width}_{scheme}")
        app.sound()
