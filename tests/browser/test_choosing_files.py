"""A file that is chosen while the page is drawn anew because of another one arrives too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("pause", [0, 150, 600])
def test_source_target_and_titles_in_one_go(
    tab: Callable[..., Any], sample_data: Path, pause: int
) -> None:
    app = tab()
    app.open()
    for key, name in (
        ("up_source", "films.csv"),
        ("up_target", "books.csv"),
        ("up_items", "books_items.csv"),
    ):
        zone = app.page.locator(f'[class*="st-key-{key}"] input[type=file]')
        zone.set_input_files(sample_data / name)
        app.page.wait_for_timeout(pause)
    for card, name in (
        ("source", "films.csv"),
        ("target", "books.csv"),
        ("items", "books_items.csv"),
    ):
        app.page.locator(f".st-key-card_{card}").get_by_text(name).first.wait_for(timeout=10_000)
    app.shows("900 users are in both domains")


def test_a_file_chosen_while_a_fit_begins_and_ends(
    tab: Callable[..., Any], sample_data: Path
) -> None:
    app = tab()
    app.open()
    app.page.get_by_role("button", name="Only load it").click()
    app.shows("900 users are in both domains")
    app.settle()
    for label, value in (("Rank", "4"), ("λ", "0.05")):
        app.page.get_by_label(label, exact=True).fill(value)
        app.page.keyboard.press("Tab")
        app.settle()
    app.page.locator(".st-key-card_target").get_by_role("button", name="Replace").click()
    zones = [
        app.page.locator(f'[class*="st-key-{key}"] input[type=file]')
        for key in ("up_target", "up_items")
    ]
    for zone in zones:
        zone.wait_for(state="attached")
    before = [zone.element_handle() for zone in zones]

    def the_same() -> bool:
        return all(zone.evaluate("element => element.isConnected") for zone in before)

    app.page.get_by_role("button", name="Fit", exact=True).click()
    app.page.get_by_role("button", name="Cancel").wait_for()
    assert the_same()
    app.shows("See the comparison", 240)
    app.settle()
    # The very same elements: neither the bar nor the job nor the verdict has replaced them.
    assert the_same()
    zones[0].set_input_files(sample_data / "podcasts.csv")
    app.page.locator(".st-key-card_target").get_by_text("podcasts.csv").first.wait_for()
