"""What must hold on every page in every state: light and dark, narrow and wide.

Colours do not depend on the width, nor the layout on the colours: two looks of a state, in opposite
corners, see both widths and both schemes.
"""

import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest

LOOKS = [(1600, "light"), (1600, "dark"), (768, "light"), (768, "dark")]


def name(state: str, page: str, width: int, scheme: str) -> str:
    return f"{state}_{page.lower()}_{width}_{scheme}"


def parameters(app: Any, **values: str) -> None:
    for key, value in values.items():
        app.page.locator(f".st-key-fit_{key} input").fill(value)
        app.page.keyboard.press("Tab")
        app.settle()


def in_every_look(app: Any, state: str, page: str, looks: list[tuple[int, str]]) -> None:
    """Keep a picture of the page in each look, and judge it."""
    for width, scheme in looks:
        app.look(width, scheme)
        app.shot(name(state, page, width, scheme))
        app.sound()


def test_with_results(tab: Callable[..., Any], sample_run: str, pages: dict[str, str]) -> None:
    app = tab(height=2600)
    for page, path in pages.items():
        app.open(path + sample_run)
        in_every_look(app, "full", page, LOOKS[::3])


def test_with_nothing_loaded(tab: Callable[..., Any], pages: dict[str, str]) -> None:
    app = tab(height=1200)
    for page, path in pages.items():
        app.open(path)
        in_every_look(app, "empty", page, LOOKS[::3])
        if page != "Data":
            app.page.get_by_role("button", name="Load data").wait_for()


def test_while_the_first_fit_is_at_work(tab: Callable[..., Any], pages: dict[str, str]) -> None:
    app = tab(height=1500, scheme="dark")
    app.begin_long_fit()
    query = urllib.parse.urlparse(app.page.url).query
    # One look a page: the fit goes on meanwhile.
    for page, (width, scheme) in zip(("Compare", "Space"), LOOKS[1:3], strict=True):
        app.open(f"{pages[page]}?{query}")
        app.look(width, scheme)
        app.page.wait_for_selector(".st-key-cancel_fit button")
        app.shot(name("loading", page, width, scheme), loaded=False)
        app.sound()
    app.page.locator(".st-key-cancel_fit button").click()
    app.page.wait_for_selector(".st-key-job", state="detached", timeout=60_000)
    app.shows("Fit cancelled.")


def test_when_a_fit_has_failed_and_settings_have_changed(tab: Callable[..., Any]) -> None:
    app = tab(height=1800)
    app.open()
    app.click("try_sample")
    app.shows("900 users are in both domains")
    parameters(app, rank="8", lam="0.05")
    app.fit()
    app.go("Compare")
    parameters(app, rank="900")
    app.shows("Rank changed: refit")
    # It is refused so soon that the job itself may never be seen.
    app.page.locator(".st-key-fit_go button").first.click()
    app.shows("Rank 900 is too large", seconds=120)
    app.page.locator(".st-key-verdict").wait_for()
    in_every_look(app, "failed", "Compare", LOOKS[::3])


def test_with_new_items(tab: Callable[..., Any], pages: dict[str, str]) -> None:
    app = tab(height=2600)
    app.open()
    app.click("try_sample")
    app.shows("900 users are in both domains")
    app.page.locator(".st-key-fit_cold").get_by_text("Items").click()
    app.settle()
    parameters(app, rank="16", lam="0.02")
    app.fit()
    query = urllib.parse.urlparse(app.page.url).query
    for page, path in pages.items():
        app.open(f"{path}?{query}")
        in_every_look(app, "items", page, LOOKS[1:3])


@pytest.mark.parametrize(
    ("width", "height", "open_"), [(390, 844, False), (720, 450, False), (1440, 900, True)]
)
def test_settings_lie_beside_the_page_and_not_over_it(
    tab: Callable[..., Any], width: int, height: int, open_: bool
) -> None:
    """On a phone and at 200 % zoom they wait in their drawer; a wide page shows both."""
    app = tab(width, height)
    app.open()
    drawer = app.page.locator("[data-testid=stSidebar]").bounding_box()
    assert (drawer["width"] > 0) == open_
    # Streamlit measures a row of buttons by a copy that nobody sees.
    button = app.page.locator(".st-key-try_sample button:visible")
    button.click(trial=True, timeout=10_000)
    if not open_:
        app.page.locator("[data-testid=stExpandSidebarButton]").click()
        app.page.locator(".st-key-fit_go button").wait_for()
