"""Start the dashboard: a local server and a browser window on it."""

import asyncio
import contextlib
import ipaddress
import os
import re
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import streamlit as st
from streamlit.runtime import Runtime

from dashboard import guard, jobs, mends
from dashboard.folders import SHELF
from dashboard.keeping import Keeper
from dashboard.reading import READERS
from dashboard.store import ENVIRONMENT, Store, StoreInUseError, default_folder
from transrec_core import log
from transrec_core.errors import BadSettingError
from transrec_core.limits import Limits
from transrec_core.system import give_memory_back
from transrec_core.temporary import remove_leftovers

APP = Path(__file__).resolve().with_name("app.py")
NO_HOME = "/nonexistent"
"""Home of accounts that have none, by a custom of Unix."""

FIRST_PORT = 8501
PORTS_TRIED = 100
REAP_SECONDS = 600.0
MEND_SECONDS = 60.0


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself does: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(host: str, port: int | None) -> int:
    """The asked port, or the first free one from 8501.

    Raises
    ------
    BadSettingError
        When the asked port is taken, or none is free.
    """
    if port is not None:
        if not port_is_free(host, port):
            raise BadSettingError(
                f"Port {port} on {host} is in use or not allowed.",
                "Choose another with --port, or leave it out to take the next free one.",
            )
        return port
    for candidate in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if port_is_free(host, candidate):
            return candidate
    raise BadSettingError(
        f"No free port on {host} from {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1}.",
        "Name one with --port.",
    )


@contextlib.asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[dict[str, object]]:
    """Drop what is idle, made for a download or of a closed tab; end child processes at its end."""
    tasks = [asyncio.create_task(every(REAP_SECONDS, jobs.REGISTER.sweep, in_thread=True))]
    mended = mends.mend(Runtime.instance())

    def tidy() -> None:
        if sum(work() or 0 for work in mended):
            give_memory_back()

    tasks.append(asyncio.create_task(every(MEND_SECONDS, tidy)))
    jobs.SPARE.keep_one()
    READERS.keep_one()
    try:
        yield {}
    finally:
        for task in tasks:
            task.cancel()
        jobs.REGISTER.close()
        READERS.close()


async def every(seconds: float, work: Callable[[], None], *, in_thread: bool = False) -> None:
    """Do some work again and again, until it is cancelled; a failure is logged."""
    while True:
        await asyncio.sleep(seconds)
        try:
            if in_thread:
                await asyncio.to_thread(work)
            else:
                work()
        except Exception as error:
            log.tell(error, secrets.token_hex(4), "in the server's own work")


def show_error(error: Exception) -> bool:
    """Show an unforeseen error as an id, without rows or paths; the log says where it happened."""
    reference = secrets.token_hex(4)
    log.tell(error, reference, "on a page")
    failure = jobs.broken(reference)
    st.error(
        f"{failure.message} {failure.fix}\n\nError id: `{reference}`",
        title=failure.title,
        icon=":material/error:",
    )
    return True


def keep_in(asked: Path | None) -> None:
    """Keep workspaces in a folder, by default in that of ``TRANSREC_STORE`` or of the platform.

    Where another server uses it, or the default one cannot be written, this server says so and
    keeps nothing on disk.

    Raises
    ------
    BadSettingError
        When the folder that was asked for cannot be written.
    """
    folder = asked or default_folder()
    if folder is None:
        if not os.environ.get(ENVIRONMENT, "").strip():
            sys.stderr.write(
                "transrec: This account has no home folder, so this server keeps nothing on disk; "
                "--store names a folder for it.\n"
            )
        return
    try:
        jobs.REGISTER.keeper = Keeper(Store(folder))
    except StoreInUseError as error:
        said = f"{error.message} This one keeps nothing on disk. {error.fix}"
    except OSError as error:
        message = f"Workspaces cannot be kept in {folder}: {error.strerror}."
        if asked:
            raise BadSettingError(message, "Name another folder, or use --no-store.") from error
        said = f"{message} This server keeps nothing on disk; --store names another folder."
    else:
        said = f"What is loaded and fitted is kept in {folder}; --no-store keeps nothing."
    log.write(said)


def launch(
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = True,
    *,
    base_path: str = "",
    names: Sequence[str] = (),
    store: Path | None = None,
    keep: bool = True,
    runs: Path | None = None,
    text_models: Sequence[str] = (),
) -> None:
    """Serve the dashboard until it is stopped.

    Parameters
    ----------
    host
        Address to listen on. There is no login: anything but this computer's own address lets
        others on the network load data and see what they have the link of.
    port
        Port to listen on; ``None`` takes 8501 or the next free one.
    open_browser
        Whether to open a browser window.
    base_path
        Path under which a reverse proxy serves the dashboard, such as ``/transrec``.
    names
        Host names by which others reach it, as a reverse proxy passes them on.
    store
        Folder that keeps data and runs, so that links still lead to them when the server has been
        restarted; ``None`` takes that of ``TRANSREC_STORE`` or of the platform.
    keep
        Whether to keep anything on disk.
    runs
        Folder whose run folders everybody who reaches the server may open; ``None`` takes that of
        ``TRANSREC_RUNS``, or shows none.
    text_models
        Language models that the pages offer, by name or folder, in place of those that
        ``TRANSREC_TEXT_MODELS`` names. Visitors can name no others.

    Raises
    ------
    BadSettingError
        When the port is taken, the path or a name is none, a limit is set to what is none, or a
        folder cannot be written, or read.
    MissingExtraError, UnusableModelError
        When a language model cannot be used.
    """
    if text_models:
        from transrec_core.content.models import offer_models  # loads scikit-learn

        offer_models(text_models)
    limits, prefix = Limits.current(), _path(base_path)
    allowed = [_name(name) for name in names]
    chosen = choose_port(host, port)
    log.quote_nothing()
    remove_leftovers()
    SHELF.show(runs)
    if SHELF.place is not None:
        log.write(f"Whoever opens the pages sees the run folders in {SHELF.place}.")
    if keep:
        keep_in(store)
    if not _has_home():
        # Streamlit looks for settings there, and must not end where there is none.
        os.environ["HOME"] = NO_HOME
    # Streamlit looks for .streamlit/config.toml beside the script that was started. That is the
    # console script here, so it has to be told that the app is meant.
    sys.argv = [str(APP)]
    app = st.App(
        APP,
        lifespan=lifespan,
        on_script_error=show_error,
        middleware=guard.middleware(host, allowed, f"/{prefix}" if prefix else ""),
    )
    config: dict[str, object] = {
        "server.address": host,
        "server.port": chosen,
        "server.headless": not open_browser,
        "server.baseUrlPath": prefix,
        "server.maxUploadSize": limits.upload_mb,
        # By default pages of several sites of Streamlit's may send messages to these.
        "client.allowedOrigins": [],
    }
    if host in guard.WILDCARDS:
        # Without a name to show, Streamlit would ask the internet for this computer's address.
        config["browser.serverAddress"] = next(iter(allowed), "localhost")
    app.run(config=config)


def _has_home() -> bool:
    try:
        Path.home()
    except RuntimeError:
        return False
    return True


def _path(text: str) -> str:
    path = text.strip("/")
    parts = path.split("/") if path else []
    if not all(re.fullmatch(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*", part) for part in parts):
        raise BadSettingError(
            f"--base-path {text!r} is not a path that pages can lie under.",
            "Use letters, digits, - and _ with single / between them, such as /transrec.",
        )
    return path


def _name(text: str) -> str:
    name = text.strip("[]")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", name):
            raise BadSettingError(
                f"--allow-host {text!r} is not a host name.",
                "Give it without http:// and without a port, such as transrec.example.org.",
            ) from None
    return name
