"""What happens besides the straight way: two people at once, F5, back and forward, the keyboard."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RESULT = "transfer"


def rows(letter: str) -> str:
    """A taste for every third item in every catalogue; what else is rated differs."""
    step = 7 if letter == "s" else 3
    lines = [
        f"u{u},{letter}{i},{5 if (u + i) % 3 == 0 else 1 + (u * i) % 4}"
        for u in range(120)
        for i in range(36)
        if (u * step + i * 5 + u // 8) % 8 < (4 if (u + i) % 3 == 0 else 2)
    ]
    return "\n".join(["user,item,rating", *lines, ""])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small files by their side."""
    folder = tmp_path_factory.mktemp("states")
    made = {}
    for side in ("source", "target"):
        made[side] = folder / f"mine_{side}.csv"
        made[side].write_text(rows(side[0]))
    return made


def cancel(app: Any) -> None:
    app.page.get_by_role("button", name="Cancel").click()
    app.shows("Fit cancelled.")


@pytest.fixture(scope="module")
def mine(server: str, browser: Any, files: dict[str, Path], settle: Callable[..., None]) -> str:
    """The query of a finished run on the small files."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(server)
    for side in ("source", "target"):
        zone = page.locator(f".st-key-card_{side} input[type=file]")
        zone.wait_for(state="attached")
        zone.set_input_files(files[side])
        page.get_by_text(f"mine_{side}.csv").first.wait_for()
        # What is chosen while the page is being drawn anew does not arrive.
        settle(page)
    page.get_by_text("120 users are in both domains").wait_for()
    for label, value in (("Rank", "4"), ("λ", "0.05")):
        page.get_by_label(label, exact=True).fill(value)
        page.keyboard.press("Tab")
    page.get_by_role("button", name="Fit and compare").click()
    page.get_by_text("See the comparison").first.wait_for(timeout=240_000)
    query = page.url.split("?")[1]
    page.context.close()
    return query


def test_back_and_forward_and_a_copied_link(tab: Callable[..., Any], mine: str) -> None:
    app = tab()
    app.open(f"/compare?{mine}")
    verdict = app.page.locator("h3", has_text=RESULT).first
    verdict.wait_for()
    said = verdict.inner_text()
    app.go("Export")
    app.page.go_back()
    app.page.get_by_role("heading", name=said).wait_for()
    app.page.go_forward()
    app.shows("Recommendation lists")
    app.page.go_back()
    app.settle()

    app.page.get_by_role("button", name=re.compile("Link and runs|Link")).first.click()
    link = app.page.locator("[data-testid=stPopoverBody] code").first
    link.wait_for()
    address = link.inner_text().strip()
    other = tab()
    other.page.goto(address)
    other.settle()
    other.page.get_by_role("heading", name=said).wait_for()


def test_one_fits_while_another_looks_around(tab: Callable[..., Any], mine: str) -> None:
    fitting, looking = tab(), tab()
    looking.open(f"/compare?{mine}")
    fitting.begin_long_fit()

    page = looking.page
    main = page.get_by_test_id("stMain")

    def switch(title: str, heading: str) -> None:
        page.get_by_test_id("stTopNavLink").filter(has_text=title).first.click()
        page.get_by_role("heading", name=heading).wait_for()

    switch("User", "What would one user get?")
    page.get_by_role("button", name="Random").wait_for()
    looking.settle()
    before = main.inner_text()

    page.get_by_role("button", name="Random").click()
    page.wait_for_function(
        "before => document.querySelector('[data-testid=stMain]').innerText !== before",
        arg=before,
    )
    switch("Export", "Take it with you")
    looking.settle()
    page.get_by_label("List length").fill("7")
    page.keyboard.press("Tab")
    page.get_by_text(re.compile("up to 840 rows")).wait_for()
    # All that happened while the other fit was at work.
    assert fitting.page.get_by_role("button", name="Cancel").is_visible()
    assert "films.csv" not in page.content()
    assert "mine_source" not in fitting.page.content()
    cancel(fitting)


def test_a_fit_at_work_is_found_again_on_every_page(tab: Callable[..., Any]) -> None:
    fitting = tab()
    fitting.begin_long_fit()
    fitting.page.reload()
    fitting.page.get_by_role("button", name="Cancel").wait_for(timeout=60_000)
    fitting.go("Space")
    fitting.shows("The first results appear here as soon as the fit is done.")
    fitting.page.go_back()
    fitting.shows("Does knowing people in one catalogue")
    fitting.page.go_forward()
    fitting.shows("What do the factors mean")
    fitting.shot("states_fit_at_work", loaded=False)
    cancel(fitting)
    fitting.shows("After a fit, this page")
    fitting.shot("states_cancelled")


def test_the_sample_by_keyboard_alone(tab: Callable[..., Any]) -> None:
    app = tab()
    app.open()
    reach(app, "Try the sample")
    app.page.keyboard.press("Enter")
    app.shows("What to look at", 240)
    app.settle(0.3)
    app.shot("states_guide")
    reach(app, "3 · One user's list")
    app.page.keyboard.press("Enter")
    app.shows("What would one user get?")
    app.settle()
    app.go("Export")
    app.shows("1 to go")
    reach(app, "Close the guide")
    app.page.keyboard.press("Space")
    app.page.get_by_text("What to look at").wait_for(state="detached")
    app.go("Compare")
    assert app.page.get_by_text("What to look at").count() == 0


def reach(app: Any, label: str) -> None:
    """Press Tab until the button with this label has the focus."""
    for _ in range(80):
        app.page.keyboard.press("Tab")
        focused = "document.activeElement.closest('button')?.innerText ?? ''"
        if label in app.page.evaluate(focused):
            return
    pytest.fail(f"Tab does not reach {label!r}")
