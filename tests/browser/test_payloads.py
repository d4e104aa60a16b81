"""Fifty texts that try to be more than text, on every page where a text of the data can stand."""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import payloads
from payloads import HEADS, IDS, NAMES, TITLES, USERS, Watch, file


def give(app: Any, zone: str, *files: dict[str, Any]) -> None:
    app.settle()
    app.page.locator(f'[class*="st-key-{zone}"] input[type=file]').set_input_files(list(files))


def name(number: int) -> str:
    return f"{NAMES[number].text}.csv"


def pick(app: Any, key: str, typed: str) -> None:
    """Choose from a select box by typing, and look at what it offers."""
    app.page.locator(f'[class*="st-key-{key}"] input').first.click()
    app.page.keyboard.type(typed)
    app.page.locator('[role="option"]').first.wait_for()


def hover(app: Any, watch: Watch, points: str, where: str, most: int = 12) -> None:
    """Point at some of a figure's points, and look at what hovers there."""
    middles = app.page.locator(points).evaluate_all(
        "all => all.map(p => p.getBoundingClientRect())"
        ".map(b => [b.x + b.width / 2, b.y + b.height / 2])"
    )
    assert middles
    for x, y in middles[:: max(1, len(middles) // most)]:
        app.page.mouse.move(x, y)
        app.page.wait_for_timeout(120)
        watch.look(where)


def test_text_from_data_stays_text(tab: Callable[..., Any], browser: Any, tmp_path: Path) -> None:
    app = tab(height=2600)
    watch = Watch(app.page)
    page = app.page
    app.open()

    # ── Data ──
    give(app, "up_source", file(name(2), payloads.ratings("s", extra=True)))
    app.shows("2,448 rows")
    give(app, "up_target", file(name(10), payloads.ratings("t")))
    app.shows("153 users are in both domains", 60)
    watch.look("Data")
    give(app, "up_items", file(name(17), payloads.titles()))
    app.shows("source and target")
    app.settle()
    app.click("add_others")
    others = [n for n in range(len(NAMES)) if n not in (2, 10, 17)][::2]
    give(app, "up_others", *(file(name(n), payloads.few_ratings()) for n in others))
    app.page.wait_for_selector(f".st-key-candidate_{len(others) - 1}", timeout=60_000)
    app.settle()
    app.click("add_others")
    watch.look("Data with titles and others")
    app.click("replace_source")
    for kind in (0, 12, 30):
        give(app, "up_source", file(name(kind), b"\x89PNG\r\n\x1a\n" + bytes(64)))
        page.locator(".st-key-failure_source").get_by_text(NAMES[kind].mark).first.wait_for()
        app.settle()
        watch.look(f"Data, refused file {kind}")
    app.click("dismiss_source")
    app.click("replace_source")
    # A column of texts where ratings should be: heads as options, cells in the refusal.
    pick(app, "map_source_rating", HEADS[3].mark)
    watch.look("Data, columns to choose from")
    page.keyboard.press("Enter")
    page.wait_for_selector(".st-key-failure_source_mapping")
    app.settle()
    watch.look("Data, a column of texts as ratings")
    pick(app, "map_source_rating", "rating")
    page.keyboard.press("Enter")
    app.shows("153 users are in both domains", 60)
    app.settle()

    # ── Compare ──
    for key, value in (("fit_rank", "4"), ("fit_lam", "0.05")):
        page.locator(f".st-key-{key} input").fill(value)
        page.keyboard.press("Tab")
        app.settle()
    pick(app, "fit_method", "Factor map")
    page.keyboard.press("Enter")
    app.settle()
    app.fit()
    app.go("Compare")
    parts = ("Curves", "Numbers", "For whom", "Parameters", "Runs", "Sources")

    def through(when: str) -> None:
        for part in parts:
            page.get_by_role("tab", name=part, exact=True).click()
            app.settle()
            watch.look(f"Compare, {part}, {when}")

    page.get_by_role("tab", name="Runs", exact=True).click()
    app.settle()
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("textbox", name="Name").fill(NAMES[12].text)
    page.keyboard.press("Enter")
    app.settle()
    page.keyboard.press("Escape")
    page.locator(".st-key-fit_lam input").fill("0.1")
    page.keyboard.press("Tab")
    app.settle()
    app.fit()
    app.shows(NAMES[12].mark)
    through("two runs")
    page.get_by_role("button", name="Link and runs").click()
    page.locator("[data-testid=stPopoverBody]").wait_for()
    watch.look("Run bar")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Runs", exact=True).click()
    app.settle()
    table = page.get_by_test_id("stDataFrame").nth(2)
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    for share in range(1, 20):
        page.mouse.move(box["x"] + box["width"] * share / 20, box["y"] + 16)
        page.wait_for_timeout(400)
        watch.look("Compare, what a column says on hover")

    # ── Space ──
    app.go("Space")
    page.wait_for_selector(".st-key-item_map .nsewdrag")
    app.settle(0.3)
    watch.look("Space")
    hover(app, watch, ".st-key-item_map .scatterlayer .point", "Space, hover")
    pick(app, "map_colour_", "Genre")
    page.keyboard.press("Enter")
    app.settle(0.3)
    watch.look("Space, coloured by genre")
    for view in ("Before", "Aligned"):
        page.locator(".st-key-map_view").get_by_text(view).click()
        app.settle(0.3)
        watch.look(f"Space, {view}")
    for item in (TITLES[12], IDS[34]):
        pick(app, "inspect_", item.mark)
        watch.look("Space, items to choose from")
        page.keyboard.press("Enter")
        page.wait_for_selector(".st-key-closeup .nsewdrag")
        app.settle(0.3)
        watch.look("Space, inspector")
        hover(app, watch, ".st-key-closeup .scatterlayer .point", "Space, close-up")
    page.locator(".st-key-near_text_box summary").click()
    app.settle(0.3)
    watch.look("Space, similar by text")
    pick(app, "arrow_", USERS[12].mark)
    watch.look("Space, users to choose from")
    page.keyboard.press("Enter")
    app.settle(0.3)
    watch.look("Space, a user as arrows")
    page.locator(".st-key-map_search input").fill("pwn")
    app.shows(re.compile(r"\d+ items? found\."))
    app.settle(0.3)
    watch.look("Space, found")
    page.locator(".st-key-map_search input").fill(TITLES[12].text)
    app.settle(1)  # what is typed is sent when nothing follows for a while
    watch.look("Space, one found")
    page.locator(".st-key-map_search input").fill("nothing " + TITLES[12].text)
    app.shows("No item holds")
    app.settle(0.3)
    watch.look("Space, none found")
    page.locator(".st-key-map_search input").fill("")
    app.settle(1)
    page.locator('.st-key-item_map .modebar-btn[data-title="Lasso Select"]').click()
    app.settle()
    box = page.locator(".st-key-item_map .nsewdrag").first.bounding_box()
    spots = [(0.05, 0.05), (0.95, 0.05), (0.95, 0.95), (0.05, 0.95), (0.05, 0.05)]
    corners = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in spots]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=3)
    page.mouse.up()
    app.shows(re.compile(r"\d+ items in the lasso"))
    app.settle()
    watch.look("Space, lasso")
    harmless(app.download("region_download"), watch)

    # ── User ──
    app.go("User")
    app.settle(0.3)
    watch.look("User")
    # What hovers and what tables show hangs on numbers: forms not shown so far are users here.
    unseen = set(range(len(payloads.FORMS))) - watch.forms()
    for number in sorted({12, 27, 34} | unseen):
        pick(app, "user_", USERS[number].mark)
        watch.look("User, users to choose from")
        page.keyboard.press("Enter")
        app.settle(0.3)
        watch.look(f"User {number}")
    pick(app, "why_", "pwn")
    watch.look("User, items of a list")
    page.keyboard.press("Enter")
    app.settle(0.3)
    hover(app, watch, ".st-key-why_chart .barlayer .point", "User, why")
    for item in (IDS[12], IDS[28]):
        pick(app, "what_if_item_", item.mark)
        watch.look("User, items to change")
        page.keyboard.press("Enter")
        app.settle(0.3)
        app.click("what_if_add")
        app.shows("what-if:")
        app.settle()
        watch.look("User, what if")

    # ── Export ──
    app.go("Export")
    page.locator(".st-key-export_preview summary").click()
    app.settle(0.3)
    watch.look("Export")
    page.get_by_text("Chosen users", exact=True).click()
    app.settle()
    page.locator(".st-key-export_ids textarea").fill("\n".join(p.shown for p in USERS[:40]))
    page.keyboard.press("Control+Enter")
    app.settle(0.3)
    watch.look("Export, chosen users")
    with page.expect_download() as caught:
        page.locator(".st-key-export_csv button").click()
    assert re.fullmatch(r"[A-Za-z0-9._-]+", caught.value.suggested_filename)
    harmless(Path(caught.value.path()).read_bytes(), watch)
    page.get_by_text("All users", exact=True).click()
    app.shows("153 users, up to")
    app.settle()
    everything = zipfile.ZipFile(io.BytesIO(app.download("export_everything_zip")))
    for member in everything.namelist():
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", member)
        if member.endswith(".csv"):
            harmless(everything.read(member), watch)
    report = tmp_path / "report.html"
    report.write_bytes(everything.read("report.html"))
    other = browser.new_page()
    asked: list[str] = []
    other.on("request", lambda request: asked.append(request.url))
    looking = Watch(other)
    other.goto(report.as_uri())
    looking.look("report")
    other.context.close()
    assert asked == [report.as_uri()]
    assert looking.seen
    assert watch.wrong + looking.wrong == []
    assert watch.forms() == set(range(len(payloads.FORMS)))


def harmless(content: bytes, watch: Watch) -> None:
    for row in csv.reader(io.StringIO(content.decode(), newline="")):
        for cell in row:
            if cell[:1] in tuple("=+-@") and not re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", cell):
                watch.wrong.append(("download", cell))
