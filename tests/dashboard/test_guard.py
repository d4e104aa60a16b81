"""Which requests reach the app: by their host name and, of WebSockets, by their origin."""

import asyncio
from typing import Any

import pytest

from dashboard import guard, launch
from transrec_core.errors import BadSettingError


def asked(
    kind: str,
    headers: dict[str, str],
    host: str,
    names: tuple[str, ...] = (),
    path: str = "/",
    base_path: str = "",
) -> int:
    """Status that a request gets from what stands before the app; 200 where it is passed on."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"status": 200})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    layers: Any = app
    for layer in reversed(guard.middleware(host, names, base_path)):
        layers = layer.cls(layers, *layer.args, **layer.kwargs)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "path": path, "headers": raw}
    asyncio.run(layers(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("host", "names", "given", "status"),
    [
        ("127.0.0.1", (), "127.0.0.1:8501", 200),
        ("127.0.0.1", (), "localhost:8501", 200),
        ("::1", (), "[::1]:8501", 200),
        ("127.0.0.1", (), "rebound.example:8501", 400),
        ("127.0.0.1", (), "127.0.0.1.evil.example", 400),
        ("127.0.0.1", ("Transrec.example.org",), "transrec.example.org", 200),
        ("127.0.0.1", ("*.example.org",), "a.example.org:443", 200),
        ("127.0.0.1", ("transrec.example.org",), "evil.example", 400),
        ("0.0.0.0", (), "any.example", 200),
        ("0.0.0.0", ("transrec.example.org",), "any.example", 400),
        ("192.0.2.7", ("transrec.example.org",), "192.0.2.7:8501", 200),
    ],
)
def test_a_request_has_to_name_this_server(
    kind: str, host: str, names: tuple[str, ...], given: str, status: int
) -> None:
    assert asked(kind, {"Host": given}, host, names) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8501", 200),
        ("https://127.0.0.1:8501", 200),
        ("http://127.0.0.1:3000", 403),
        ("http://localhost:8501", 403),
        ("http://evil.example", 403),
        ("http://127.0.0.1:8501.evil.example", 403),
        ("http://evil.example@127.0.0.1:8501", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_a_websocket_has_to_come_from_its_own_page(origin: str, status: int) -> None:
    headers = {"Host": "127.0.0.1:8501", "Origin": origin}
    assert asked("websocket", headers, "127.0.0.1") == status


OPEN = ["/", "/compare", "/_stcore/health", "/_stcore/host-config", "/_stcore/stream",
        "/_stcore/upload_file/session/file", "/media/x.csv", "/static/js/index.js"]  # fmt: skip
CLOSED = ["/_stcore/metrics", "/_stcore/metrics/", "/_stcore/script-health-check",
          "/_stcore/agent/interact", "/_stcore/agent/openapi.json", "/_stcore/agent/mcp",
          "/_stcore/bidi-components/x/y.js", "/_stcore/", "/_stcore/health/../metrics",
          "/_stcore/of-a-later-version", "//_stcore/metrics", "/component/x/index.html",
          "/app/static/x", "/auth/login", "/oauth2callback"]  # fmt: skip


@pytest.mark.parametrize("base_path", ["", "/transrec"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_only_what_pages_ask_for_is_open(kind: str, base_path: str) -> None:
    given = {"Host": "127.0.0.1:8501"}
    for paths, status in ((OPEN, 200), (CLOSED, 404)):
        for path in paths:
            path = base_path + path
            assert asked(kind, given, "127.0.0.1", (), path, base_path) == status, path


def test_what_is_no_browser_sends_no_origin() -> None:
    assert asked("websocket", {"Host": "127.0.0.1:8501"}, "127.0.0.1") == 200


@pytest.mark.parametrize(
    ("given", "path"), [("", ""), ("/", ""), ("/transrec", "transrec"), ("a/b-2/", "a/b-2")]
)
def test_a_base_path_is_read_with_or_without_slashes(given: str, path: str) -> None:
    assert launch._path(given) == path


@pytest.mark.parametrize("given", ["/../x", "/a b", "a?b", "/a//b", "."])
def test_a_base_path_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(BadSettingError, match="--base-path"):
        launch.launch(base_path=given)


@pytest.mark.parametrize("given", ["http://x", "a:80", "", "*", "-a", "a/b"])
def test_a_host_name_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(BadSettingError, match="--allow-host"):
        launch.launch(names=[given])


@pytest.mark.parametrize("given", ["transrec.example.org", "10.0.0.1", "[2001:db8::1]"])
def test_a_host_name_is_taken(given: str) -> None:
    assert launch._name(given) == given.strip("[]")
