"""What the server refuses, asked without a browser."""

import http.client
import urllib.parse

import pytest

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def ask(server: str, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
    where = urllib.parse.urlparse(server)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("origin", "status"), [("http://evil.example", 403), ("", 101)], ids=["foreign", "own"]
)
def test_only_its_own_pages_may_talk_to_the_server(server: str, origin: str, status: int) -> None:
    headers = HANDSHAKE | {"Origin": origin or server}
    assert ask(server, "GET", "/_stcore/stream", headers) == status


def test_an_upload_needs_the_token(server: str) -> None:
    path = "/_stcore/upload_file/some-session/some-file"
    assert ask(server, "PUT", path, {}, b"user,item\n") == 403


def test_source_files_are_not_served(server: str) -> None:
    for path in ("/app/static/app.py", "/static/../app.py", "/.streamlit/config.toml"):
        where = urllib.parse.urlparse(server)
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
        connection.request("GET", path)
        content = connection.getresponse().read()
        connection.close()
        assert b"set_page_config" not in content
        assert b"enableXsrfProtection" not in content
