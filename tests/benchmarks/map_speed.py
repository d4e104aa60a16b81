"""How fast the map of a large pair is, in a real browser, and that a click does not draw it again.

    python tests/benchmarks/map_speed.py [ITEMS] [REPEATS]

Makes two catalogues of so many items each (12,000 unless told) whose 3,000 people have tastes in
common, fits them with given parameters in the dashboard, and opens the Space page several times.
Prints a JSON row: median seconds from the address to the first drawing, from a switch of pages to
the drawing, and from a click on a point to its close-up; how often the map was drawn after the
first click (0 is right); and the milliseconds that the server needs for the map alone.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import transrec_core as tr
from transrec_core import space

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
USERS, TASTES, EACH = 3000, 12, 60
PLOT = ".st-key-item_map .js-plotly-plot"
WATCH = (
    f"() => {{ window.draws = 0; const plot = document.querySelector('{PLOT}');"
    " plot.on('plotly_afterplot', () => window.draws++); }"
)


def catalogue(folder: Path, name: str, items: int, seed: int) -> Path:
    """Ratings of people who mostly take items of their own two tastes."""
    random = np.random.default_rng(seed)
    taste = np.random.default_rng(0).integers(0, TASTES, (USERS, 2))
    own = random.integers(0, items // TASTES, (USERS, EACH)) * TASTES
    own += taste[np.arange(USERS)[:, None], random.integers(0, 2, (USERS, EACH))]
    anything = random.integers(0, items, (USERS, EACH))
    taken = np.where(random.random((USERS, EACH)) < 0.75, own, anything) % items
    frame = pd.DataFrame(
        {
            "user_id": np.repeat([f"u{user}" for user in range(USERS)], EACH),
            "item_id": [f"{name[0]}{item}" for item in taken.ravel()],
            "rating": random.integers(1, 6, USERS * EACH),
        }
    ).drop_duplicates(["user_id", "item_id"])
    # Every item once, so that there are as many as were asked for.
    rest = [f"{name[0]}{item}" for item in range(items)]
    more = pd.DataFrame(
        {"user_id": [f"u{n % USERS}" for n in range(items)], "item_id": rest, "rating": 3}
    )
    path = folder / f"{name}.csv"
    pd.concat([frame, more]).drop_duplicates(["user_id", "item_id"]).to_csv(path, index=False)
    return path


def in_the_core(source: Path, target: Path) -> dict[str, float]:
    """Milliseconds of the server's own part."""
    run = tr.run(
        tr.read_ratings(source),
        tr.read_ratings(target),
        tr.Settings(rank=16, lam=0.05, method="factor_map"),
        compare=False,
    )
    found: dict[str, float] = {}

    def timed(name: str, work: Any) -> Any:
        started = time.perf_counter()
        done = work()
        found[name] = round(1000 * (time.perf_counter() - started), 1)
        return done

    placed = timed("places_ms", lambda: space.places(run.fit))
    timed("first_map_ms", lambda: tr.item_map(run.fit, placed=placed))
    timed("map_ms", lambda: tr.item_map(run.fit, placed=placed))
    item = str(run.pair.target.items[7])
    timed("neighbours_ms", lambda: tr.neighbours(run.fit, "target", item, placed=placed))
    return found


def served() -> tuple[subprocess.Popen[bytes], str]:
    """A server of our own and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "transrec_core.cli", "app", "--no-browser"]
    process = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, env=dict(os.environ)
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return process, address
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    process.terminate()
    raise RuntimeError("the server did not start")


def settle(page: Any) -> None:
    page.wait_for_selector('[data-testid=stApp][data-test-script-state="notRunning"]')
    page.wait_for_timeout(800)


def fitted(page: Any, address: str, files: tuple[Path, Path]) -> str:
    """Load and fit in the browser; the query that leads back to the run."""
    page.goto(address)
    for side, path in zip(("source", "target"), files, strict=True):
        settle(page)
        field = page.locator(f'[class*="st-key-up_{side}"] input[type=file]')
        field.set_input_files(str(path))
        page.get_by_text(path.name).first.wait_for()
    for key, value in (("fit_rank", "16"), ("fit_lam", "0.05")):
        settle(page)
        page.locator(f".st-key-{key} input").fill(value)
        page.keyboard.press("Tab")
    settle(page)
    page.locator(".st-key-fit_method input").first.focus()
    page.keyboard.type("factor map")
    page.keyboard.press("Enter")
    settle(page)
    page.locator(".st-key-fit_go button").first.click()
    page.wait_for_selector(".st-key-job", timeout=60_000)
    page.wait_for_selector(".st-key-job", state="detached", timeout=900_000)
    settle(page)
    return str(page.url).split("?")[1]


def drawn(page: Any) -> None:
    page.wait_for_selector(".st-key-item_map .nsewdrag")
    page.wait_for_function(
        f"() => document.querySelector('{PLOT}')?._fullData?.some(t => t.x?.length)"
    )
    # Two frames: what was asked for is on the screen.
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def main(items: int = 12_000, repeats: int = 5) -> None:
    """Measure all."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = catalogue(folder, "source", items, 1), catalogue(folder, "target", items, 2)
        row: dict[str, Any] = {"items": 2 * items, **in_the_core(*files)}
        process, address = served()
        seconds: dict[str, list[float]] = {"address": [], "switch": [], "click": []}
        draws = []
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                page = browser.new_page(viewport={"width": 1600, "height": 1400})
                page.set_default_timeout(120_000)
                query = fitted(page, address, files)
                for _ in range(repeats):
                    started = time.perf_counter()
                    page.goto(f"{address}/space?{query}")
                    drawn(page)
                    seconds["address"].append(time.perf_counter() - started)
                    settle(page)
                    page.get_by_test_id("stTopNavLink").filter(has_text="Export").first.click()
                    settle(page)
                    started = time.perf_counter()
                    page.get_by_test_id("stTopNavLink").filter(has_text="Space").first.click()
                    drawn(page)
                    seconds["switch"].append(time.perf_counter() - started)
                    settle(page)
                    page.evaluate(WATCH)
                    click(page, seconds["click"])
                    draws.append(page.evaluate("window.draws"))
                browser.close()
        finally:
            process.terminate()
            process.wait(20)
    row |= {f"{what}_s": round(statistics.median(found), 2) for what, found in seconds.items()}
    sys.stdout.write(json.dumps(row | {"draws_after_click": max(draws)}) + "\n")


def click(page: Any, seconds: list[float]) -> None:
    """Click on a point near the middle and wait for its close-up."""
    spot = page.evaluate(
        f"""() => {{
            const plot = document.querySelector('{PLOT}'), axes = plot._fullLayout;
            const trace = plot._fullData[0], at = Math.floor(trace.x.length / 3);
            const box = plot.getBoundingClientRect();
            return [box.left + axes.xaxis._offset + axes.xaxis.l2p(trace.x[at]),
                    box.top + axes.yaxis._offset + axes.yaxis.l2p(trace.y[at])];
        }}"""
    )
    page.mouse.move(spot[0] - 30, spot[1])
    page.mouse.move(*spot, steps=4)
    page.wait_for_timeout(300)
    before = page.locator(".st-key-inspector h3").inner_text()
    started = time.perf_counter()
    page.mouse.click(*spot)
    page.wait_for_function(
        "before => document.querySelector('.st-key-inspector h3').innerText !== before", arg=before
    )
    page.wait_for_selector(".st-key-closeup .nsewdrag")
    seconds.append(time.perf_counter() - started)
    settle(page)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
