"""Networks and meaning by clicking: fit with a network, weigh it on Compare, search by meaning."""

import re
from collections.abc import Callable
from typing import Any

from needs import NEEDS_DEEP

from transrec_core.settings import DEEP


@NEEDS_DEEP
def test_a_network_is_weighed_against_what_it_takes(tab: Callable[..., Any]) -> None:
    app = tab()
    app.open("/")
    app.page.get_by_role("button", name="Only load it").click()
    app.shows("900 users are in both domains")
    # Lists alone, one rank and λ, and a budget that is enough for the quickest network.
    app.page.locator(".st-key-fit_feedback").get_by_text("Implicit").click()
    app.page.locator(".st-key-fit_advanced summary").click()
    app.settle()
    for key, value in (("fit_rank", "8"), ("fit_lam", "0.02"), ("fit_budget", "18")):
        app.page.locator(f".st-key-{key} input").fill(value)
        app.page.keyboard.press("Tab")
        app.settle()
    app.page.locator(".st-key-fit_deep label").first.click()
    app.settle()
    app.fit()
    app.go("Compare")
    app.page.get_by_role("tab", name="Cost", exact=True).click()
    app.page.locator('[class*="st-key-cost_dots"] .nsewdrag').first.wait_for()
    app.shows("that takes longer")
    app.shows("the network that suits validation users best")
    labels = app.page.locator('[class*="st-key-cost_dots"] .textpoint')
    names = {label.strip() for label in labels.all_text_contents()}
    assert {"Target only", "Factor map"} <= names
    words = {name.replace("_", " ").capitalize() for name in DEEP}
    assert names & words
    app.settle(0.3)
    app.sound()
    app.shot("compare_cost")
    app.look(390, "light")
    app.page.locator('[class*="st-key-cost_dots"]').first.scroll_into_view_if_needed()
    app.sound()
    app.shot("compare_cost_390")


def test_a_search_by_meaning_needs_no_title(tab: Callable[..., Any], sample_run: str) -> None:
    app = tab()
    app.open(f"/space{sample_run}")
    app.page.wait_for_selector(".st-key-item_map .nsewdrag")
    # No title has the word; genres do.
    app.page.locator(".st-key-map_search input").fill("mystery crime")
    app.shows("No item holds")
    app.shows(re.compile(r"\d+ items, the nearest first"))
    app.page.locator(".st-key-item_map .legendtext", has_text="Found").wait_for()
    # By the keyboard: what was found stands first among the items to inspect.
    app.page.locator('[class*="st-key-inspect_"] input').first.click()
    app.page.keyboard.press("ArrowDown")
    app.page.keyboard.press("Enter")
    app.page.wait_for_selector(".st-key-closeup .nsewdrag")
    app.settle(0.3)
    assert re.search("Mystery|Crime", app.page.locator(".st-key-inspector").inner_text())
    app.page.locator(".st-key-item_map .legendtext", has_text="Chosen").wait_for()
    app.sound()
    app.shot("space_meaning")
    app.page.locator(".st-key-map_search input").fill("zzzz")
    app.shows("no text has anything in common with")
