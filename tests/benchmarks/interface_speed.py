"""How fast the dashboard answers, in a real browser on a server of its own.

    pip install '.[test]'
    python tests/benchmarks/interface_speed.py [SOURCE TARGET [ITEMS]] [--repeats 5]

By default the sample. Measures, in seconds (median and largest of the repeats): first content of a
new tab (title of the page in sight), a page switch with results loaded (each page's title in
sight and the script at rest), the same switches while another session fits, the sample's one click
from the landing page to its verdict, and a refit with given parameters from the press of Fit to
the new run. Prints JSON rows.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
REST = '[data-testid=stApp][data-test-script-state="notRunning"]'
TITLES = {
    "Compare": "Does transfer help, and can I trust it?",
    "Space": "What do the factors mean, and do the catalogues align?",
    "User": "What would one user get?",
    "Export": "Take it with you",
    "Data": "Does knowing people in one catalogue help to recommend in another?",
}


@contextmanager
def server() -> Iterator[str]:
    """The address of a server, started as a user would."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "transrec_core.cli", "app", "--no-browser", "--port", str(port)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                    if answer.read() == b"ok":
                        break
            except OSError:
                time.sleep(0.25)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def heading(page: Any, title: str) -> None:
    """Wait for a page's title."""
    page.get_by_role("heading", name=title).first.wait_for(timeout=60_000)


def tell(what: str, seconds: list[float]) -> None:
    """One row."""
    print(
        json.dumps(
            {
                "what": what,
                "median": round(statistics.median(seconds), 2),
                "largest": round(max(seconds), 2),
                "times": len(seconds),
            }
        ),
        flush=True,
    )


def switches(page: Any, repeats: int) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds until each page's title is in sight, and until its script rests."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in TITLES}
    for _ in range(repeats):
        for name, title in TITLES.items():
            started = time.perf_counter()
            page.get_by_test_id("stTopNavLink").filter(has_text=name).first.click()
            heading(page, title)
            found[name][0].append(time.perf_counter() - started)
            page.wait_for_selector(REST, timeout=60_000)
            found[name][1].append(time.perf_counter() - started)
            page.wait_for_timeout(300)
    return found


def upload(page: Any, files: list[Path]) -> None:
    """Own files into the dropzones."""
    for place, file in enumerate(files):
        zone = ("up_source", "up_target", "up_items")[place]
        page.locator(f'[class*="st-key-{zone}"] input[type=file]').first.set_input_files(file)
        page.get_by_text(file.name).first.wait_for(timeout=120_000)
        page.wait_for_selector(REST, timeout=120_000)
        page.wait_for_timeout(1000)


def fit(page: Any, rank: int) -> float:
    """Seconds from the press of Fit to the new run."""
    page.locator(".st-key-fit_rank input").fill(str(rank))
    page.keyboard.press("Tab")
    page.wait_for_selector(REST)
    page.wait_for_timeout(500)
    started = time.perf_counter()
    page.locator(".st-key-fit_go button").first.click()
    page.wait_for_selector(".st-key-job", timeout=30_000)
    page.wait_for_selector(".st-key-job", state="detached", timeout=600_000)
    return time.perf_counter() - started


def main() -> None:
    """Measure one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with server() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        def new_page() -> Any:
            return browser.new_context(viewport={"width": 1600, "height": 1200}).new_page()

        first = []
        for _ in range(options.repeats + 1):
            page = new_page()
            started = time.perf_counter()
            page.goto(address)
            heading(page, TITLES["Data"])
            first.append(time.perf_counter() - started)
            page.wait_for_selector(REST)
            page.context.close()
        tell("first content of a new tab, the first of all", first[:1])
        tell("first content of a new tab", first[1:])

        page = new_page()
        page.goto(address)
        started = time.perf_counter()
        page.locator(".st-key-run_sample button").first.click()
        page.wait_for_selector(".st-key-verdict", timeout=600_000)
        tell("sample: from one click to the verdict", [time.perf_counter() - started])
        if options.files:
            page = new_page()
            page.goto(address)
            page.wait_for_selector(REST)
            upload(page, options.files)
            fit(page, 32)
        lam = page.locator(".st-key-fit_lam input")
        lam.fill("0.02")
        page.keyboard.press("Tab")
        tell("refit, from Fit to the run", [fit(page, rank) for rank in (16, 24, 32)])
        for name, (seen, rest) in switches(page, options.repeats).items():
            tell(f"switch to {name}: title in sight", seen)
            tell(f"switch to {name}: at rest", rest)

        other = new_page()
        other.goto(address)
        other.wait_for_selector(REST)
        other.locator(".st-key-run_sample button").first.click()
        other.wait_for_selector(".st-key-job", timeout=30_000)
        seen = switches(page, 1)
        tell("switch while another session fits: title in sight", [s[0][0] for s in seen.values()])
        browser.close()


if __name__ == "__main__":
    main()
