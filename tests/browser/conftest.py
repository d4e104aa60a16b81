"""A real server and a real browser; everything here is skipped where one of them is missing."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import waiting_server

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Pages are drawn without the detour over an emulated graphics card, which costs as much again;
    # only what draws with WebGL (large maps) has one.
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    # A name for the server behind a proxy; no other is looked up anywhere.
    "--host-resolver-rules=MAP transrec.example.org 127.0.0.1",
]
SHOTS = Path(__file__).resolve().parents[2] / ".build" / "screenshots"
FIT_SECONDS = 240
# Resolves when no script runs and nothing on the page has changed for so many milliseconds.
STANDS_STILL = """quiet => new Promise((resolve, reject) => {
    const running = () => document.querySelector('[data-testid=stApp]')
        ?.getAttribute('data-test-script-state') !== 'notRunning';
    let timer;
    const observer = new MutationObserver(() => begin());
    const limit = setTimeout(() => {
        observer.disconnect();
        reject(new Error('the page did not come to rest within a minute'));
    }, 60000);
    const begin = () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
            if (running()) return begin();
            observer.disconnect();
            clearTimeout(limit);
            resolve();
        }, quiet);
    };
    observer.observe(document.documentElement, {
        subtree: true, childList: true, attributes: true, characterData: true,
    });
    begin();
})"""

# Opened on a page of its own, Streamlit first looks for its server under that page's address.
OWN_PROBE = re.compile(r"/(compare|space|user|export|folder)/_stcore/(health|host-config)$")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Served:
    """A running server of our own: where it answers, and what it logs."""

    address: str
    log: Path
    process: subprocess.Popen[bytes]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    folder: Path,
    *options: str,
    start: tuple[str, ...] = ("-m", "transrec_core.cli"),
    base_path: str = "",
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Served]:
    """Start a server as a user would, in an empty folder, and end it.

    Parameters
    ----------
    folder
        For its log.
    options
        Of ``transrec app``.
    start
        What Python runs: the command line, or a script of the test's own.
    base_path
        Where it answers.
    environment
        Variables beside our own.
    port
        Where it listens; a free one by default.
    """
    port, log = port or free_port(), folder / "log"
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, *start, "app", "--no-browser", "--port", str(port), *options],
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=elsewhere,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "TRANSREC_STORE": str(folder / "store")}
            | dict(environment or {}),
        )
    address = f"http://127.0.0.1:{port}{base_path}"
    try:
        for _ in range(120):
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                    if answer.read() == b"ok":
                        break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.25)
        else:
            pytest.fail(f"the server did not start: {log.read_text()}")
        yield Served(address, log, process)
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[Served]]:
    """Start another server, with options of the test's own."""
    return serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of our own, started as a user would."""
    with serving(tmp_path_factory.mktemp("server"), start=(waiting_server.__file__,)) as served:
        yield served.address
    log = served.log.read_text()
    assert "Traceback" not in log, log


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = CHROMIUM if CHROMIUM.exists() else shutil.which("chromium")
    if not executable:
        pytest.skip("there is no Chromium on this machine")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(executable), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def pages() -> dict[str, str]:
    """The path of every page."""
    others = ("Compare", "Space", "User", "Export")
    return {"Data": "/", **{page: f"/{page.lower()}" for page in others}}


@pytest.fixture(scope="session")
def sample_run(server: str, browser: Any) -> str:
    """The query of a finished run on the sample, for tests that change nothing of it."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(server)
    page.locator(".st-key-try_sample button").first.click()
    page.get_by_text("900 users are in both domains").first.wait_for()
    # Given parameters are quick; that validation users find good ones is tested with the core.
    for key, value in (("fit_rank", "32"), ("fit_lam", "0.02")):
        page.locator(f".st-key-{key} input").fill(value)
        page.keyboard.press("Tab")
    page.get_by_text("Rank and λ left empty").wait_for()
    page.locator(".st-key-fit_go button").first.click()
    page.wait_for_selector(".st-key-verdict_banner", timeout=FIT_SECONDS * 1000)
    query = urllib.parse.urlparse(page.url).query
    page.context.close()
    return f"?{query}"


def wait_until_still(page: Any, quiet: float = 0.15) -> None:
    """Wait until the script has run and nothing on the page has changed for ``quiet`` seconds."""
    page.evaluate(STANDS_STILL, int(quiet * 1000))


@pytest.fixture(scope="session")
def settle() -> Callable[..., None]:
    """Wait until a page of the test's own stands still."""
    return wait_until_still


@dataclass
class Tab:
    """One browser tab on the app, with what it complained about."""

    page: Any
    address: str
    complaints: list[str] = field(default_factory=list)

    def settle(self, quiet: float = 0.15) -> None:
        wait_until_still(self.page, quiet)

    def open(self, path: str = "/") -> None:
        self.page.goto(self.address + path)
        # Before the first run begins nothing is running either.
        self.page.locator("h1").first.wait_for(timeout=60_000)
        self.settle()

    def go(self, title: str) -> None:
        """Another page by the top navigation."""
        # What is clicked while the page is being drawn anew is not there any more to take notice.
        self.settle()
        self.page.get_by_test_id("stTopNavLink").filter(has_text=title).first.click()
        if title != "Data":
            self.page.wait_for_url(
                lambda url: urllib.parse.urlparse(url).path.endswith(f"/{title.lower()}")
            )
        self.settle()

    def click(self, key: str) -> None:
        self.page.locator(f".st-key-{key} button").first.click()
        self.settle()

    def fit(self) -> None:
        """Press Fit and wait for the result."""
        self.page.locator(".st-key-fit_go button").first.click()
        self.page.wait_for_selector(".st-key-job", timeout=60_000)
        self.page.wait_for_selector(".st-key-job", state="detached", timeout=FIT_SECONDS * 1000)
        self.settle()

    def begin_long_fit(self) -> None:
        """Begin a fit of the sample that is at work until it is cancelled."""
        self.open()
        self.click("try_sample")
        self.shows("900 users are in both domains")
        self.settle()
        self.page.locator(".st-key-fit_rank input").fill(str(waiting_server.WAITING_RANK))
        self.page.keyboard.press("Tab")
        self.settle()
        self.page.locator(".st-key-fit_go button").first.click()
        self.page.wait_for_selector(".st-key-cancel_fit button", timeout=60_000)

    def upload(self, key: str, *files: Path) -> None:
        self.settle()
        self.page.locator(f'[class*="st-key-{key}"] input[type=file]').set_input_files(list(files))

    def shows(self, text: str | re.Pattern[str], seconds: float = 30) -> None:
        self.page.get_by_text(text).first.wait_for(timeout=seconds * 1000)

    def download(self, key: str) -> bytes:
        with self.page.expect_download(timeout=60_000) as caught:
            self.page.locator(f".st-key-{key} button").click()
        return Path(caught.value.path()).read_bytes()

    def sound(self) -> None:
        """Assert that the page is accessible and no wider than the window."""
        # The frame of a toast is the web framework's own; it goes by itself.
        self.page.wait_for_selector(".stToast", state="detached", timeout=60_000)
        wide = self.page.evaluate(
            "document.querySelector('[data-testid=stMain]').scrollWidth"
            " - document.querySelector('[data-testid=stMain]').clientWidth"
        )
        assert wide <= 0, self.page.url
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
        found = axe.Axe().run(self.page).response["violations"]
        bad = [
            (v["id"], v["nodes"][0]["target"], v["nodes"][0].get("failureSummary"))
            for v in found
            if v["impact"] in ("serious", "critical")
        ]
        assert bad == [], self.page.url

    def look(self, width: int, scheme: str) -> None:
        """Show the same page in another width, by day or by night."""
        height = self.page.viewport_size["height"]
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=scheme)
        self.settle(0.3)

    def shot(self, name: str, *, loaded: bool = True) -> None:
        """Keep a picture; of a page that is ``loaded`` no widget may still be on its way."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        # The browser loads each kind of widget when it first shows one.
        loading = "[data-testid=stSkeleton], .stSkeleton"
        if loaded:
            self.page.wait_for_function(f"!document.querySelector('{loading}')", timeout=20_000)
        self.settle()
        self.page.screenshot(path=str(SHOTS / f"{name}.png"))


@pytest.fixture
def tab(server: str, browser: Any) -> Iterator[Callable[..., Tab]]:
    """Open a new tab; at the end no tab may have complained or called the outside."""
    opened: list[Tab] = []

    def open_(
        width: int = 1600,
        height: int = 1400,
        scheme: str = "light",
        address: str = server,
        **how: Any,
    ) -> Tab:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            accept_downloads=True,
            **how,
        )
        made = Tab(context.new_page(), address)

        def console(message: Any) -> None:
            # What could not be loaded is judged by its address, below.
            if message.type == "error" and "Failed to load resource" not in message.text:
                made.complaints.append(message.text)

        def response(answer: Any) -> None:
            if answer.status >= 400 and not OWN_PROBE.search(answer.url):
                made.complaints.append(f"{answer.status} {answer.url}")

        def request(asked: Any) -> None:
            own = (address, "data:", "blob:", address.replace("http", "ws", 1))
            if not asked.url.startswith(own):
                made.complaints.append(f"asked the outside: {asked.url}")

        made.page.on("console", console)
        made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
        made.page.on("response", response)

        def dialog(asked: Any) -> None:
            made.complaints.append(f"asked with a dialog: {asked.message}")
            asked.dismiss()

        made.page.on("request", request)
        made.page.on("dialog", dialog)
        opened.append(made)
        return made

    yield open_
    complaints = [complaint for made in opened for complaint in made.complaints]
    for made in opened:
        made.page.context.close()
    assert complaints == []
