"""What is uploaded and not yet read is bounded, whoever sends it and however often."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from dashboard import uploads
from transrec_core.limits import MIB


class Server:
    """The app behind the bound, which keeps what it is sent as Streamlit does."""

    def __init__(self) -> None:
        self.uploaded_file_mgr = MemoryUploadedFileManager("/_stcore/upload_file")
        self.bounded = uploads.BoundedUploads(self.take)
        self.let_in = asyncio.Event()
        self.let_in.set()
        self.broken = False

    def is_active_session(self, session: str) -> bool:
        return session in "abc"

    async def take(self, scope: Any, receive: Any, send: Any) -> None:
        await self.let_in.wait()
        if self.broken:
            raise ConnectionResetError
        *_, session, file = scope["path"].split("/")
        if scope["method"] == "PUT" and self.is_active_session(session):
            record = UploadedFileRec(file, file, "", bytes(scope["size"]))
            self.uploaded_file_mgr.add_file(session, record)
        await send({"status": 204})

    async def ask(
        self, session: str, file: str, size: int, method: str = "PUT", said: bool = True
    ) -> tuple[int, str]:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"content-length", str(size).encode())] if said else []
        path = f"/transrec/_stcore/upload_file/{session}/{file}"
        scope = {"type": "http", "method": method, "path": path, "headers": headers, "size": size}
        await self.bounded(scope, None, send)  # type: ignore[arg-type]
        body = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], body.decode()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    runtime = SimpleNamespace(exists=lambda: True, instance=lambda: made)
    monkeypatch.setattr(uploads, "Runtime", runtime)
    for name, most in (("UPLOAD_MB", "2"), ("TAB_UPLOADS_MB", "3"), ("SERVER_UPLOADS_MB", "5")):
        monkeypatch.setenv(f"TRANSREC_LIMIT_{name}", most)
    return made


def test_a_tab_and_the_server_hold_no_more_than_they_may(server: Server) -> None:
    async def work() -> None:
        assert await server.ask("a", "1", 2 * MIB) == (204, "")
        status, said = await server.ask("a", "2", 2 * MIB)
        assert status == 413
        assert "this tab that are not read yet would have 4 MiB; 3 MiB may wait" in said
        assert "TRANSREC_LIMIT_TAB_UPLOADS_MB" in said
        assert (await server.ask("b", "1", 2 * MIB))[0] == 204
        status, said = await server.ask("c", "1", 2 * MIB)
        assert status == 413
        assert "all tabs that are not read yet would have 6 MiB; 5 MiB may wait" in said
        assert "TRANSREC_LIMIT_SERVER_UPLOADS_MB" in said
        server.uploaded_file_mgr.remove_file("a", "1")
        assert (await server.ask("c", "1", 2 * MIB))[0] == 204
        server.uploaded_file_mgr.remove_session_files("c")
        assert (await server.ask("a", "2", 2 * MIB))[0] == 204

    asyncio.run(work())
    assert uploads.held_bytes() == {"a": 2 * MIB, "b": 2 * MIB}


@pytest.mark.parametrize("said", [True, False], ids=["with its size", "without its size"])
def test_files_on_their_way_count_until_they_are_there_or_given_up(
    server: Server, said: bool
) -> None:
    async def work() -> None:
        server.let_in.clear()
        first = asyncio.create_task(server.ask("a", "1", 2 * MIB, said=said))
        await asyncio.sleep(0)
        assert (await server.ask("a", "2", 2 * MIB, said=said))[0] == 413
        server.broken = True
        server.let_in.set()
        with pytest.raises(ConnectionResetError):
            await first
        server.broken = False
        assert (await server.ask("a", "2", 2 * MIB, said=said))[0] == 204

    asyncio.run(work())


def test_other_requests_pass(server: Server) -> None:
    async def work() -> None:
        assert (await server.ask("a", "1", 9 * MIB, method="DELETE"))[0] == 204
        assert (await server.ask("nobody", "1", 9 * MIB))[0] == 204

    asyncio.run(work())
    assert uploads.held_bytes().total() == 0


def test_what_a_page_has_read_is_dropped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = server.uploaded_file_mgr
    for file in ("1", "2"):
        manager.add_file("a", UploadedFileRec(file, file, "", bytes(MIB)))
    context = SimpleNamespace(session_id="a", uploaded_file_mgr=manager)
    monkeypatch.setattr(uploads, "get_script_run_ctx", lambda: context)
    uploads.drop([SimpleNamespace(file_id="1")])  # type: ignore[list-item]
    assert uploads.held_bytes() == {"a": MIB}
