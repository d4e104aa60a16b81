"""What must hold on every page in every state: light and dark, narrow and wide."""

import urllib.parse
from collections.abc import Callable
from pathlib import Path
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


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_with_results(
    tab: Callable[..., Any], sample_run: str, width: int, scheme: str, pages: dict[str, str]
) -> None:
    app = tab(width=width, height=2600, scheme=scheme)
    for page, path in pages.items():
        app.open(path + sample_run)
        app.settle(1)
        app.shot(name("full", page, width, scheme))
        app.sound()


@pytest.mark.parametrize(("width", "scheme"), LOOKS[::3])
def test_with_nothing_loaded(
    tab: Callable[..., Any], width: int, scheme: str, pages: dict[str, str]
) -> None:
    app = tab(width=width, height=1200, scheme=scheme)
    for page, path in pages.items():
        app.open(path)
        app.shot(name("empty", page, width, scheme))
        app.sound()
        if page != "Data":
            app.page.get_by_role("button", name="Load data").wait_for()


@pytest.mark.parametrize(("width", "scheme"), LOOKS[1:3])
def test_while_the_first_fit_is_at_work(
    tab: Callable[..., Any], width: int, scheme: str, pages: dict[str, str]
) -> None:
    app = tab(width=width, height=1500, scheme=scheme)
    app.open()
    app.click("try_sample")
    app.shows("900 users are in both domains")
    app.page.locator(".st-key-fit_go button").first.click()
    app.page.wait_for_selector(".st-key-cancel_fit button")
    query = urllib.parse.urlparse(app.page.url).query
    # One look a page: the fit goes on meanwhile.
    for page in ("Compare", "Space"):
        app.open(f"{pages[page]}?{query}")
        app.page.wait_for_selector(".st-key-cancel_fit button")
        app.shot(name("loading", page, width, scheme), loaded=False)
        app.sound()
    app.page.locator(".st-key-cancel_fit button").click()
    app.page.wait_for_selector(".st-key-job", state="detached", timeout=60_000)
    app.shows("Fit cancelled.")


@pytest.mark.parametrize(("width", "scheme"), LOOKS[::3])
def test_when_a_fit_has_failed_and_settings_have_changed(
    tab: Callable[..., Any], width: int, scheme: str
) -> None:
    app = tab(width=width, height=1800, scheme=scheme)
    app.open()
    app.click("try_sample")
    app.shows("900 users are in both domains")
    parameters(app, rank="8", lam="0.05")
    app.fit()
    app.go("Compare")
    parameters(app, rank="900")
    app.shows("Rank changed: refit")
    app.fit()
    app.shows("Rank 900 is too large")
    assert app.page.locator(".st-key-verdict").is_visible()
    app.shot(name("failed", "Compare", width, scheme))
    # The frame of a toast is the web framework's own; it goes by itself or when it is closed.
    app.page.locator(".stToast").get_by_role("button").first.click()
    app.page.wait_for_selector(".stToast", state="detached")
    app.sound()


@pytest.mark.parametrize(("width", "scheme"), LOOKS[1:3])
def test_with_new_items(
    tab: Callable[..., Any],
    sample_data: Path,
    width: int,
    scheme: str,
    pages: dict[str, str],
) -> None:
    app = tab(width=width, height=2600, scheme=scheme)
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
        app.settle(1)
        app.shot(name("items", page, width, scheme))
        app.sound()
