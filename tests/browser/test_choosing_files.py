"""A dropzone stays the same element whatever appears above it, so that it takes files meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_fit_that_begins_and_ends_leaves_the_dropzones_alone(
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
