"""What the server refuses, asked over a plain connection."""

import http.client
import json
import re
import socket
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
UPLOAD = "/_stcore/upload_file/some-session/some-file"
FOREIGN = "http://evil.example"


def ask(
    server: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    where = urllib.parse.urlparse(server)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
    try:
        # Not through request(), which would put a path such as /../x in order.
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        # A connection that was opened for messages has no end to read to.
        return answer.status, told, b"" if answer.status == 101 else answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "origin",
    [FOREIGN, "https://evil.example", "null", "file://", "http://{host}.evil.example",
     "http://evil.example:{port}", "http://127.0.0.1:1", "https://localhost:{port}", "{host}"],
)  # fmt: skip
def test_a_page_of_another_origin_may_not_connect(server: str, origin: str) -> None:
    where = urllib.parse.urlparse(server)
    asked = origin.format(host=where.hostname, port=where.port)
    assert ask(server, "GET", "/_stcore/stream", {**HANDSHAKE, "Origin": asked})[0] == 403


def test_its_own_pages_may_connect(server: str) -> None:
    assert ask(server, "GET", "/_stcore/stream", {**HANDSHAKE, "Origin": server})[0] == 101


def test_a_name_that_is_not_the_servers_is_refused(server: str) -> None:
    for path in ("/", "/_stcore/health", "/_stcore/host-config"):
        assert ask(server, "GET", path, {"Host": "evil.example"})[0] == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("token", "cookie"), [("", ""), ("2|a|b|1", ""), ("", "2|a|b|1"), ("2|00|11|1", "2|00|22|1")]
)
def test_an_upload_needs_the_token(server: str, method: str, token: str, cookie: str) -> None:
    headers = {"X-Xsrftoken": token, "Cookie": f"_streamlit_xsrf={cookie}"}
    assert ask(server, method, UPLOAD, headers, b"user,item\n")[0] == 403


@pytest.mark.parametrize(
    "path",
    ["/", "/compare", "/_stcore/health", "/_stcore/host-config", "/_stcore/metrics",
     "/_stcore/script-health-check", "/media/0.csv", UPLOAD, "/static/nothing.js"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_nothing_may_be_read_by_pages_of_another_origin(
    server: str, method: str, path: str
) -> None:
    asked = {
        "Origin": FOREIGN,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "x-xsrftoken",
    }
    _, told, _ = ask(server, method, path, asked)
    allowed = told.get("access-control-allow-origin", "")
    assert allowed != "*"
    assert "evil" not in allowed


@pytest.mark.parametrize(
    "path",
    ["/app/static/app.py", "/static/../app.py", "/.streamlit/config.toml", "/app.py",
     "/../app.py", "/%2e%2e/app.py", "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
     "/static/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd", "/static//etc/passwd", "//etc/passwd",
     "/media/../../../../../../etc/passwd", "/media/..%2f..%2f..%2fetc%2fpasswd",
     "/component/x/../../../../etc/passwd", "/component/x/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
     "/_stcore/bidi-components/x/../../../../etc/passwd", "/static/..%5c..%5capp.py",
     "/static/%00/app.py", "/compare/../../app.py", "/views/data.py", "/dashboard/jobs.py",
     "/_stcore/agent/interact", "/_stcore/agent/mcp", "/auth/login", "/sample_data/films.csv"],
)  # fmt: skip
def test_no_file_beside_the_pages_own_is_served(server: str, path: str) -> None:
    status, told, content = ask(server, "GET", path, {})
    # What is not known is answered with the empty page that every address begins with.
    if status == 200:
        assert told["content-type"].startswith("text/html")
    for secret in (b"root:", b"set_page_config", b"enableXsrfProtection", b"import ", b"user_id"):
        assert secret not in content


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    ["/_stcore/metrics", "/_stcore/metrics?families=session_events_total",
     "/_stcore/script-health-check", "/_stcore/agent/interact", "/_stcore/agent/mcp",
     "/_stcore/agent/openapi.json", "/_stcore/bidi-components/x/y.js", "/_stcore/%6detrics",
     "/component/x/index.html", "/auth/login", "/oauth2callback"],
)  # fmt: skip
def test_what_no_page_asks_for_is_not_there(server: str, method: str, path: str) -> None:
    """Numbers on all sessions, Streamlit's interface for programs, and the like."""
    status, _, content = ask(server, method, path, {"Content-Type": "application/json"}, b"{}")
    assert (status, content) == (404, b"Not found.")


def test_no_other_site_may_send_messages_to_a_page(server: str) -> None:
    status, _, content = ask(server, "GET", "/_stcore/host-config", {})
    assert status == 200
    told = json.loads(content)
    assert told["allowedOrigins"] == []
    assert not told["enableCustomParentMessages"]
    assert not told["useExternalAuthToken"]


def test_a_run_cannot_be_asked_for_by_its_address(server: str) -> None:
    """What a link shows goes through the connection alone; the page itself knows nothing of it."""
    plain = ask(server, "GET", "/", {})[2]
    assert ask(server, "GET", "/?run=anything", {})[2] == plain


def test_it_listens_on_this_computers_own_address_alone(server: str) -> None:
    port = urllib.parse.urlparse(server).port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address; nothing is sent
            outside = probe.getsockname()[0]
        except OSError:
            outside = "127.0.0.2"
    for address in {outside, "127.0.0.2"} - {"127.0.0.1"}:
        with socket.socket() as probe:
            probe.settimeout(5)
            assert probe.connect_ex((address, port)) != 0, address


# A page that breaks down while it quotes the data: the launcher with one function replaced.
BREAKS = """
import os
import sys
from dashboard import compute

def broken(*_, **__):
    raise ValueError(os.environ["WORDS"])

compute.checks = broken
from transrec_core import cli
if __name__ == "__main__":  # processes for fits import this file too
    sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_page_that_breaks_down_shows_an_id_and_neither_rows_nor_paths(
    serve: Callable[..., Any], browser: Any, tmp_path: Path
) -> None:
    script = tmp_path / "breaks.py"
    script.write_text(BREAKS)
    words = {"WORDS": "ada@example.org,film-7 of /home/ada/secret.csv"}
    with serve(tmp_path, start=(str(script),), environment=words) as served:
        page = browser.new_page()
        page.goto(served.address)
        page.locator(".st-key-try_sample button").first.click()
        told = page.get_by_text("Error id:").first
        told.wait_for()
        reference = re.search(r"Error id: ([0-9a-f]{8})", told.inner_text())
        assert reference
        shown = page.content()
        page.context.close()
    logged = served.log.read_text()
    assert f"error {reference[1]} on a page" in logged
    assert "builtins.ValueError" in logged
    for secret in ("ada@", "film-7", "secret.csv"):
        assert secret not in shown
    for secret in ("ada@", "film-7", "secret.csv"):
        assert secret not in logged
    assert str(Path(__file__).resolve().parents[2]) not in shown
    assert "Traceback" not in shown


@pytest.fixture
def narrow(serve: Callable[..., Any], tmp_path: Path) -> Iterator[str]:
    """A server that takes one megabyte."""
    with serve(tmp_path, environment={"TRANSREC_LIMIT_UPLOAD_MB": "1"}) as served:
        yield served.address


def test_a_file_beyond_the_limit_is_refused_on_the_page_and_by_the_server(
    narrow: str, browser: Any, tmp_path: Path
) -> None:
    page = browser.new_page()
    page.goto(narrow)
    zone = page.locator(".st-key-card_source input[type=file]")
    zone.wait_for(state="attached")
    page.get_by_text("Up to 1 MB a file.").first.wait_for()
    large = tmp_path / "large.csv"
    large.write_bytes(b"user,item,rating\n" + b"u1,i1,5\n" * 2**18)
    zone.set_input_files(large)
    page.get_by_text("1.0MB or smaller").first.wait_for()

    # The same past the page: its own address for a small file, with a large one.
    small = tmp_path / "small.csv"
    small.write_bytes(b"user,item,rating\nu1,i1,5\nu2,i1,4\n")
    with page.expect_request(lambda asked: asked.method == "PUT") as caught:
        zone.set_input_files(small)
    page.get_by_text("2 rows").first.wait_for()
    send = """async ([address, token, bytes]) => {
        const form = new FormData();
        form.append('file', new Blob([new Uint8Array(bytes)]), 'large.csv');
        const headers = token ? {'X-Xsrftoken': token} : {};
        return (await fetch(address, {method: 'PUT', body: form, headers})).status;
    }"""
    token = caught.value.headers["x-xsrftoken"]
    assert page.evaluate(send, [caught.value.url, token, 2**21]) == 413
    assert page.evaluate(send, [caught.value.url, "", 10]) == 403
    assert page.evaluate(send, [caught.value.url, token, 10]) == 204
    page.context.close()


def test_files_that_are_not_read_yet_are_bounded_for_a_tab_and_for_the_server(
    serve: Callable[..., Any], browser: Any, tmp_path: Path
) -> None:
    small = tmp_path / "small.csv"
    small.write_bytes(b"user,item,rating\n" + b"u1,i1,5\nu2,i1,4\n" * 45_000)
    send = """async ([address, token, name, bytes]) => {
        const form = new FormData();
        form.append('file', new Blob([new Uint8Array(bytes)]), 'waits.csv');
        const to = address.replace(/[^/]+$/, name), headers = {'X-Xsrftoken': token};
        const method = bytes ? 'PUT' : 'DELETE', body = bytes ? form : undefined;
        const answer = await fetch(to, {method, body, headers});
        return [answer.status, await answer.text()];
    }"""
    limits = {"TRANSREC_LIMIT_TAB_UPLOADS_MB": "1", "TRANSREC_LIMIT_SERVER_UPLOADS_MB": "2"}
    with serve(tmp_path, environment=limits) as served:
        tabs = []
        for _ in range(3):
            page = browser.new_page()
            page.goto(served.address)
            zone = page.locator(".st-key-card_source input[type=file]")
            zone.wait_for(state="attached")
            with page.expect_request(lambda asked: asked.method == "PUT") as caught:
                zone.set_input_files(small)
            page.get_by_text("90,000 rows").first.wait_for()
            tabs.append((page, caught.value.url, caught.value.headers["x-xsrftoken"]))

        def ask_for(tab: int, name: str, size: int) -> tuple[int, str]:
            page, address, token = tabs[tab]
            status, said = page.evaluate(send, [address, token, name, size])
            return status, said

        # What was read is held no longer: 700 kB beside it would be more than 1 MB.
        assert ask_for(0, "one", 700_000) == (204, "")
        status, said = ask_for(0, "two", 700_000)
        assert status == 413
        assert "1 MiB may wait" in said
        assert "--limit tab_uploads_mb=" in said
        assert ask_for(1, "one", 700_000)[0] == 204
        status, said = ask_for(2, "one", 1_000_000)
        assert status == 413
        assert "2 MiB may wait" in said
        assert "--limit server_uploads_mb=" in said
        assert ask_for(0, "one", 0)[0] == 204
        assert ask_for(0, "two", 700_000)[0] == 204
        for page, _, _ in tabs:
            page.context.close()
