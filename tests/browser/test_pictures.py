"""The pictures of the README and of the dashboard's own page, made anew."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("page", "ready"),
    [("compare", "gain_dots"), ("space", "item_map"), ("user", "reasons")],
)
def test_picture(tab: Callable[..., Any], sample_run: str, page: str, ready: str) -> None:
    app = tab(width=1400, height=1060)
    app.open(f"/{page}{sample_run}")
    app.page.wait_for_selector(f".st-key-{ready}")
    if page == "space":
        app.page.locator('[class*="st-key-inspect_"] input').first.focus()
        app.page.keyboard.type("Poltergeist")
        app.page.locator('[role="option"]').first.wait_for()
        app.page.keyboard.press("Enter")
        app.page.wait_for_selector(".st-key-closeup .nsewdrag")
    app.settle(0.3)
    app.shot(f"readme_{page}")
