"""Several people at once for ten minutes, doing what comes to their minds: does the server hold?

    pip install '.[test]'
    python tests/benchmarks/soak.py [--sessions 4] [--actions 200] [--minutes 10] [--rest 120]

Each session is a browser context of its own on one server; its actions are drawn by a seed: load
other files of the same names and sizes, read columns otherwise and back, fit, cancel, switch pages,
look at users, ask what if, download lists, F5. Every downloaded list is compared, byte by byte,
with what ``transrec recommend`` writes for the same files and settings, and everything that looks
like an error is counted. Memory is that of the server and its children: fresh, after every
session's first fit and first look at each page, and ``--rest`` seconds after the last action.
Prints one JSON line; exits with 1 where an error was seen, a list differs, two fits worked at once,
or more than a fifth above the warm state is kept.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright

from transrec_core import cli
from transrec_core.reporting.bundle import recommend_command
from transrec_core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
REST = '[data-testid=stApp][data-test-script-state="notRunning"]'
PAGES = {
    "Data": "Does knowing people",
    "Compare": "Does transfer help",
    "Space": "What do the factors mean",
    "User": "What would one user get",
    "Export": "Take it with you",
}
VARIANTS = 3
MOVES = 3
"""How often the seconds of a fit have to be seen moving before it counts as one at work."""
ROOM = 1.2
"""How much more memory than in the warm state may be kept."""


# ── files, server, memory ────────────────────────────────────────────────────────────────────────


def ratings(letter: str, variant: int, users: int = 120, items: int = 36) -> bytes:
    """Files of one size whatever the variant; who likes what differs between variants."""
    taste = np.random.default_rng(variant).integers(3, size=users)
    draw = np.random.default_rng((variant, ord(letter)))
    lines = ["user,item,rating"]
    for user in range(users):
        chance = np.where(np.arange(items) % 3 == taste[user], 3.0, 1.0)
        for item in sorted(draw.choice(items, 14, replace=False, p=chance / chance.sum())):
            lines.append(f"u{user:03d},{letter}{item:02d},{draw.integers(1, 6)}")
    return "\n".join([*lines, ""]).encode()


def write_variants(folder: Path) -> dict[tuple[str, str], Path]:
    """Folder of each pair of hashes of source and target."""
    found = {}
    for variant in range(VARIANTS):
        place = folder / str(variant)
        place.mkdir()
        hashes = []
        for name, letter in (("source", "s"), ("target", "t")):
            content = ratings(letter, variant)
            (place / f"{name}.csv").write_bytes(content)
            hashes.append(hashlib.sha256(content).hexdigest())
        found[hashes[0], hashes[1]] = place
    return found


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[str, int, Path]]:
    """Address, process id and log of a server, started as a user would."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log"
    environment = {"PYTHONPATH": str(ROOT), "TRANSREC_STORE": str(folder / "store")}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "transrec_core.cli", "app", "--no-browser", "--port", str(port)],
            env={**os.environ, **environment},
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
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
        yield address, process.pid, log
    finally:
        process.terminate()
        process.wait(20)


def memory(pid: int) -> int:
    """Resident MiB of a process and its children; what they share counts once."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rsplit(")", 1)[1].split()
            parents[int(entry.parent.name)] = int(fields[1])
    family, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in family} - family
        family, grown = family | more, bool(more)
    total = 0
    for one in family:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total // 1024


# ── one person ───────────────────────────────────────────────────────────────────────────────────


@dataclass
class Found:
    """What all sessions came across."""

    actions: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    compared: int = 0
    different: list[str] = field(default_factory=list)
    at_once: int = 0
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    slowest: float = 0.0


@dataclass
class Person:
    """One session: its page, its dice, and where it is."""

    page: Any
    dice: random.Random
    address: str
    folders: dict[tuple[str, str], Path]
    found: Found
    lists: dict[str, bytes]
    where: str = "Data"
    loaded: bool = False

    async def rest(self) -> None:
        await self.page.wait_for_selector(REST, timeout=60_000)
        await self.page.wait_for_timeout(200)
        await self.page.wait_for_selector(REST, timeout=60_000)

    async def click(self, selector: str) -> bool:
        """Click the first of these, unless there is none or it is out of use."""
        spot = self.page.locator(f"{selector}:not([disabled])").first
        if not await spot.count():
            return False
        await spot.click(timeout=15_000)
        await self.rest()
        return True

    async def go(self, title: str) -> None:
        await self.page.get_by_test_id("stTopNavLink").filter(has_text=title).first.click()
        await self.page.get_by_role("heading", name=PAGES[title]).first.wait_for(timeout=60_000)
        await self.rest()
        self.where = title

    # ── what a person does; ``False`` where it cannot be done now ────────────────────────────────

    async def load(self) -> bool:
        folder = self.dice.choice(list(self.folders.values()))
        if self.where != "Data":
            await self.go("Data")
        for side in ("source", "target"):
            card = self.page.locator(f".st-key-card_{side}")
            if not await card.locator("input[type=file]").count():
                await self.click(f".st-key-replace_{side} button")
            zone = card.locator("input[type=file]").first
            await zone.wait_for(state="attached", timeout=15_000)
            await self.rest()
            await zone.set_input_files(folder / f"{side}.csv")
            await zone.wait_for(state="detached", timeout=60_000)
            await self.rest()
        self.loaded = True
        return True

    async def remap(self) -> bool:
        """Count every row as one, and back."""
        if self.where != "Data":
            await self.go("Data")
        for choice in ("–", "rating"):
            box = self.page.locator('[class*="st-key-map_source_rating"] input').first
            if not await box.count():
                return False
            await box.click(timeout=15_000)
            option = self.page.get_by_role("option", name=choice, exact=True)
            await option.click(timeout=15_000)
            await self.rest()
        return True

    async def fit(self) -> bool:
        for key, values in (("rank", ("2", "3")), ("lam", ("0.05", "0.1"))):
            box = self.page.locator(f".st-key-fit_{key} input")
            await box.fill(self.dice.choice(values), timeout=15_000)
            await self.page.keyboard.press("Tab")
            await self.rest()
        return await self.click(".st-key-fit_go button")

    async def cancel(self) -> bool:
        return await self.click(".st-key-cancel_fit button")

    async def turn(self) -> bool:
        await self.go(self.dice.choice([title for title in PAGES if title != self.where]))
        return True

    async def other_user(self) -> bool:
        if self.where != "User":
            await self.go("User")
        return await self.click(f".st-key-user_{self.dice.choice(('random', 'helped'))} button")

    async def what_if(self) -> bool:
        if self.where != "User":
            await self.go("User")
        box = self.page.locator('[class*="st-key-what_if_item_"] input').first
        if not await box.count():
            return False
        await box.click(timeout=15_000)
        await self.page.get_by_role("option").nth(self.dice.randrange(5)).click(timeout=15_000)
        await self.rest()
        return await self.click(f".st-key-what_if_{self.dice.choice(('add', 'drop'))} button")

    async def reload(self) -> bool:
        await self.page.reload()
        await self.page.get_by_role("heading", name=PAGES[self.where]).first.wait_for(
            timeout=60_000
        )
        await self.rest()
        return True

    async def download(self, key: str) -> tuple[str, bytes]:
        """Name and content of a file."""
        try:
            return await self.downloaded(key)
        except PlaywrightError:
            # As a person would, where a busy server has not answered in time.
            self.found.missed["download, pressed again"] += 1
            await self.rest()
            return await self.downloaded(key)

    async def downloaded(self, key: str) -> tuple[str, bytes]:
        async with self.page.expect_download(timeout=60_000) as caught:
            await self.page.locator(f".st-key-{key} button").first.click(timeout=15_000)
        file = await caught.value
        return file.suggested_filename, Path(await file.path()).read_bytes()

    async def export(self) -> bool:
        """Take the lists home, and see whether the command gives the same."""
        if self.where != "Export":
            await self.go("Export")
        if not await self.page.locator(".st-key-export_csv").count():
            return False
        told = json.loads((await self.download("export_config"))[1])
        name, content = await self.download("export_csv")
        # A fit that ended in between has put another run on show.
        if told["run"] not in name:
            return True
        asked = told["settings"]
        settings = Settings(**{**asked, "shots": tuple(asked["shots"])})
        command = recommend_command(settings, told["data"])
        folder = self.folders[told["data"]["source"]["sha256"], told["data"]["target"]["sha256"]]
        assert not told["started_warm"]
        async with self.found.alone:
            expected = await asyncio.to_thread(self.serial, command, folder)
        self.found.compared += 1
        if content != expected:
            lines = zip(content.splitlines(), expected.splitlines(), strict=False)
            first = next((pair for pair in lines if pair[0] != pair[1]), None)
            self.found.different.append(f"{name}: {command}: {first}")
        return True

    def serial(self, command: str, folder: Path) -> bytes:
        """What the command writes beside the files, alone."""
        words = shlex.split(command)[1:]
        key = f"{folder}: {words}"
        if key not in self.lists:
            out = folder / f"lists{hashlib.sha256(key.encode()).hexdigest()[:12]}.csv"
            words[words.index("--out") + 1] = str(out)
            for place, word in enumerate(words):
                if word in ("source.csv", "target.csv"):
                    words[place] = str(folder / word)
            assert cli.main([*words, "--quiet"]) == 0, command
            self.lists[key] = out.read_bytes()
        return self.lists[key]

    async def look(self) -> None:
        """Count what looks like an error."""
        for selector in ('[data-testid="stException"]', "text=Error id:", "text=Connection error"):
            if await self.page.locator(selector).count():
                words = (await self.page.locator(selector).first.inner_text())[:200]
                self.found.errors.append(f"{self.where}: {words}")

    async def act(self, name: str) -> None:
        """One action; what could not be done in time is counted, not an end."""
        started = time.perf_counter()
        try:
            done = await getattr(self, name)()
            self.found.actions[name if done else f"{name}, not possible then"] += 1
            if done and name != "export":
                self.found.slowest = max(self.found.slowest, time.perf_counter() - started)
        except PlaywrightError as error:
            self.found.missed[f"{name}: {str(error).splitlines()[0][:100]}"] += 1
        await self.look()


WEIGHTS = {"turn": 26, "other_user": 16, "what_if": 14, "fit": 12, "export": 10, "reload": 8,
           "cancel": 6, "load": 5, "remap": 3}  # fmt: skip


async def warm(person: Person) -> None:
    """Files, a first fit with a given method, and a look at each page."""
    await person.page.goto(person.address)
    await person.rest()
    await person.load()
    box = person.page.locator(".st-key-fit_method input").first
    await box.click()
    await person.page.keyboard.type("Transfer (factor")
    await person.page.keyboard.press("Enter")
    await person.rest()
    assert await person.fit()
    await person.page.locator(".st-key-job").wait_for(state="detached", timeout=240_000)
    for title in PAGES:
        await person.go(title)
    await person.look()


async def live(person: Person, actions: int, seconds: float) -> None:
    """So many actions spread over the time, or as many as a slow machine lets through in it."""
    names = person.dice.choices(list(WEIGHTS), list(WEIGHTS.values()), k=actions)
    started = time.monotonic()
    for number, name in enumerate(names, 1):
        await person.act(name)
        if seconds:
            passed = time.monotonic() - started
            if passed > seconds:
                return
            await asyncio.sleep(max(0.0, seconds * number / actions - passed))


async def watch(people: list[Person], found: Found, done: asyncio.Event) -> None:
    """The most fits that were seen at work at the same time.

    A page of a busy server may still show a fit that has ended, so the seconds that it tells have
    to move on from look to look, three times in a row.
    """
    before: dict[int, tuple[str, int]] = {}
    while not done.is_set():
        now = {}
        for number, person in enumerate(people):
            with contextlib.suppress(PlaywrightError):
                box = person.page.locator(".st-key-job")
                said = await box.first.inner_text(timeout=300) if await box.count() else ""
                if "so far" in said:
                    words, moves = before.get(number, (said, 0))
                    now[number] = said, moves + (said != words)
        found.at_once = max(found.at_once, sum(moves >= MOVES for _, moves in now.values()))
        before = now
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 1.0)


async def soak(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run it all and tell what was found."""
    folders, found = write_variants(folder), Found()
    lists: dict[str, bytes] = {}
    with server(folder) as (address, pid, log):
        fresh = memory(pid)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            people = []
            for number in range(options.sessions):
                context = await browser.new_context(viewport={"width": 1100, "height": 800})
                page = await context.new_page()
                page.on("pageerror", lambda error: found.errors.append(f"page: {error}"))
                dice = random.Random(options.seed * 1000 + number)
                people.append(Person(page, dice, address, folders, found, lists))
            await asyncio.gather(*map(warm, people))
            await asyncio.sleep(min(5, options.rest))
            at_first, done = memory(pid), asyncio.Event()
            watching = asyncio.create_task(watch(people, found, done))
            started = time.monotonic()
            seconds = 60 * options.minutes
            await asyncio.gather(*(live(person, options.actions, seconds) for person in people))
            took = time.monotonic() - started
            done.set()
            await watching
            at_end = memory(pid)
            await browser.close()
        await asyncio.sleep(options.rest)
        rested = memory(pid)
    said = log.read_text(errors="replace")
    # A traceback is told with what it ended in.
    found.errors += re.findall(r"Traceback.*\n(?:[ ].*\n)*(.*)", said)
    found.errors += re.findall(r"transrec: error .*", said)
    return {
        "sessions": options.sessions,
        "actions": sum(found.actions.values()),
        "seconds": round(took),
        "of each": dict(found.actions.most_common()),
        "not in time": dict(found.missed),
        "errors": found.errors,
        "lists compared": found.compared,
        "different commands": len(lists),
        "lists that differ": found.different,
        "most fits at once": found.at_once,
        "slowest action, s": round(found.slowest, 1),
        "MiB": {"fresh": fresh, "warm": at_first, "at the end": at_end, "rested": rested},
        "kept": round(rested / at_first, 3),
    }


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--actions", type=int, default=200, help="of each session")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="at most; 0 for as long as the actions take"
    )
    parser.add_argument("--rest", type=float, default=120.0, help="seconds before memory is read")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(soak(options, Path(folder)))
    print(json.dumps(told), flush=True)
    bad = told["errors"] or told["lists that differ"] or told["most fits at once"] > 1
    return 1 if bad or told["kept"] > ROOM else 0


if __name__ == "__main__":
    sys.exit(main())
