"""How soon a table of a million recommendations is there, and is there again after a scroll.

A page that shows one table as the Export page does, in the real browser:

    python tests/benchmarks/tables_speed.py [rows]
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

PAGE = """
import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components import exports

@st.cache_resource
def made(n):
    users = np.array([f"u{k:07d}" for k in range(n // 10 + 1)], object)
    items = np.array([f"i{k:05d}" for k in range(20_000)], object)
    places = np.arange(n)
    return pd.DataFrame(dict(
        user_id=users[places // 10], item_id=items[places * 7919 % 20_000],
        rank=places % 10 + 1, score=1 / (places % 10 + 1), method="joint", title="A title",
    ))

exports.table(made({rows}), "table")
"""
SCROLLS = 10


def main(rows: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "page.py"
        script.write_text(PAGE.replace("{rows}", str(rows)))
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true",
             "--server.port", str(port), "--browser.gatherUsageStats", "false"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            measure(f"http://127.0.0.1:{port}", rows)
        finally:
            server.terminate()
            server.wait(20)


def measure(address: str, rows: int) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
            break
        except OSError:
            time.sleep(0.25)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        received = [0]
        page.on("response", lambda answer: received.__setitem__(0, received[0] + 1))
        for attempt in ("first, with the data made", "again"):
            started = time.perf_counter()
            page.goto(address)
            cells(page)
            sys.stdout.write(f"{rows:,} rows, {attempt}: {time.perf_counter() - started:.2f} s\n")
        spent = []
        box = page.locator("[data-testid=stDataFrame]").bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 150)
        for number in range(1, SCROLLS + 1):
            started = time.perf_counter()
            page.evaluate(
                "share => { const s = document.querySelector('.dvn-scroller');"
                " s.scrollTop = share * s.scrollHeight; }",
                number / (SCROLLS + 1),
            )
            cells(page, above=number * rows // (2 * (SCROLLS + 1)))
            spent.append(time.perf_counter() - started)
        sys.stdout.write(
            f"{SCROLLS} jumps: {sum(spent) / len(spent):.2f} s each, at most {max(spent):.2f} s\n"
        )
        browser.close()


def cells(page: object, above: int = -1) -> None:
    """Wait until the table tells a user far enough down to those who read it aloud."""
    page.wait_for_function(  # type: ignore[attr-defined]
        """above => [...document.querySelectorAll('[data-testid=stDataFrame] td')].some(
            cell => /^u\\d{7}$/.test(cell.textContent)
                && 10 * Number(cell.textContent.slice(1)) >= above)""",
        arg=above,
        timeout=60_000,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
