"""The nginx example of the deployment notes as it stands there: TLS, password, uploads, origins."""

import base64
import http.client
import io
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "dashboard" / "deploy" / "nginx.conf"
NAME = "transrec.example.org"
USER, PASSWORD = "ada", "correct horse"
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
AUTHORIZATION = {
    "Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
}


@dataclass(frozen=True)
class Proxy:
    """nginx before a dashboard: their addresses and logs."""

    port: int
    direct: str
    requests: Path
    app_log: Path

    @property
    def address(self) -> str:
        return f"https://{NAME}:{self.port}"

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> http.client.HTTPResponse:
        """One request by nobody's browser; the answer is read whole."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=20, context=trusting
        )
        try:
            given = {"Host": f"{NAME}:{self.port}", **(headers or {})}
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            answer.text = b"" if answer.status == 101 else answer.read()  # type: ignore[attr-defined]
            return answer
        finally:
            connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def example_with(changes: dict[str, str]) -> str:
    """The example's text with each of these places changed; none may be missing."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for place, instead in changes.items():
        assert place in text, place
        text = text.replace(place, instead)
    return text


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[Proxy]:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    openssl = shutil.which("openssl")
    if nginx is None or openssl is None:
        pytest.skip("nginx or openssl is not installed here")
    folder = tmp_path_factory.mktemp("nginx")
    key, certificate = folder / "transrec.key", folder / "transrec.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "1", "-subj", f"/CN={NAME}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    passwd = subprocess.run(
        [openssl, "passwd", "-apr1", PASSWORD], check=True, capture_output=True, text=True
    )
    (folder / "passwd").write_text(f"{USER}:{passwd.stdout}")
    limit = {"TRANSREC_LIMIT_UPLOAD_MB": "2"}
    options = ("--allow-host", NAME)
    with serve(tmp_path_factory.mktemp("app"), *options, environment=limit) as served:
        port, plain = free_port(), free_port()
        site = example_with(
            {
                "listen 80;": f"listen 127.0.0.1:{plain};",
                "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
                "/etc/nginx/transrec.pem": str(certificate),
                "/etc/nginx/transrec.key": str(key),
                "/etc/nginx/transrec.htpasswd": str(folder / "passwd"),
                "/var/log/nginx/transrec.log": str(folder / "requests"),
                "client_max_body_size 401m;": "client_max_body_size 3m;",
                "http://127.0.0.1:8501;": f"{served.address};",
            }
        )
        (folder / "site.conf").write_text(site)
        spools = "".join(
            f"{kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # The workers of a master that runs as root would be somebody who may not enter the folder.
        account = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"{account}daemon off;\npid {folder}/pid;\nerror_log {folder}/errors;\n"
            f"events {{}}\nhttp {{\n{spools}include {folder}/site.conf;\n}}\n"
        )
        command = [nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "errors"]
        tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert tested.returncode == 0, tested.stderr
        process = subprocess.Popen(command)
        try:
            until_it_listens(port)
            yield Proxy(port, served.address, folder / "requests", served.log)
        finally:
            process.terminate()
            process.wait(20)
    assert "Traceback" not in served.log.read_text(), served.log.read_text()


def until_it_listens(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, "nginx did not start"
            time.sleep(0.05)


@pytest.mark.parametrize("path", ["/", "/compare", "/_stcore/health", "/_stcore/stream"])
@pytest.mark.parametrize("password", [None, "wrong"])
def test_without_the_password_nothing_is_served(
    proxy: Proxy, path: str, password: str | None
) -> None:
    headers = dict(HANDSHAKE) if path.endswith("stream") else {}
    if password is not None:
        wrong = base64.b64encode(f"{USER}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {wrong}"
    answer = proxy.ask("GET", path, headers)
    assert answer.status == 401
    assert b"streamlit" not in answer.text.lower()


def test_with_the_password_all_of_it_works(
    proxy: Proxy, tab: Callable[..., Any], sample_data: Path, tmp_path: Path
) -> None:
    """Page, WebSocket, upload, fit, F5 and download, through TLS under the server's own name."""
    app = tab(
        address=proxy.address,
        ignore_https_errors=True,
        http_credentials={"username": USER, "password": PASSWORD},
    )
    app.open()
    app.upload("up_source", sample_data / "films.csv")
    app.shows("47,581 rows")
    large = tmp_path / "large.csv"
    large.write_bytes(b"user,item,rating\n" + b"u,i,3\n" * 400_000)
    app.click("replace_source")
    app.upload("up_source", large)
    app.shows("must be 2.0MB or smaller")
    app.shot("proxy_oversize")
    assert "films.csv" in app.page.locator(".st-key-card_source").inner_text()
    app.upload("up_target", sample_data / "books.csv")
    app.shows("900 users are in both domains")
    for key, value in (("fit_rank", "8"), ("fit_lam", "0.05")):
        app.page.locator(f".st-key-{key} input").fill(value)
        app.page.keyboard.press("Tab")
        app.settle()
    app.fit()
    app.page.reload()
    app.settle()
    app.go("Export")
    frame = pd.read_csv(io.BytesIO(app.download("export_csv")), dtype=str)
    assert frame["user_id"].nunique() >= 900
    # The link is a secret and stays out of the log, in which everything else is.
    secret = dict(part.split("=") for part in urlsplit(app.page.url).query.split("&"))["run"]
    logged = proxy.requests.read_text()
    assert f"{USER} " in logged
    assert "/_stcore/upload_file/" in logged
    assert secret not in logged
    cookies = {cookie["name"]: cookie for cookie in app.page.context.cookies()}
    assert cookies["_streamlit_xsrf"]["secure"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("own", 101), ("https://evil.example", 403), (f"https://{NAME}", 403), ("null", 403)],
)
def test_only_its_own_pages_open_a_websocket_through_the_proxy(
    proxy: Proxy, origin: str, status: int
) -> None:
    """A page that stands on another port of the same host is another origin too."""
    origin = proxy.address if origin == "own" else origin
    headers = HANDSHAKE | AUTHORIZATION | {"Origin": origin}
    assert proxy.ask("GET", "/_stcore/stream", headers).status == status


def test_another_host_name_is_refused(proxy: Proxy) -> None:
    """A name that somebody else gave this address (DNS rebinding)."""
    headers = AUTHORIZATION | {"Host": "rebound.example"}
    assert proxy.ask("GET", "/", headers).status == 400


def test_an_upload_without_the_token_is_refused(proxy: Proxy) -> None:
    path = "/_stcore/upload_file/some-session/some-file"
    assert proxy.ask("PUT", path, AUTHORIZATION, b"user,item\n").status == 403


def test_more_than_nginx_takes_is_refused_in_words(proxy: Proxy) -> None:
    path = "/_stcore/upload_file/some-session/some-file"
    answer = proxy.ask("PUT", path, AUTHORIZATION | {"Content-Length": str(4 << 20)})
    assert answer.status == 413
    assert b"larger than this server takes" in answer.text


def test_answers_forbid_frames_and_other_sites(proxy: Proxy) -> None:
    answer = proxy.ask("GET", "/", AUTHORIZATION)
    assert answer.status == 200
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_dashboard_itself_listens_on_this_address_alone(proxy: Proxy) -> None:
    """Another address of this very machine is as far away as another machine."""
    where = urlsplit(proxy.direct)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", where.port), timeout=5)


def test_under_a_path_of_its_own_it_works_too(
    serve: Callable[..., Any], tab: Callable[..., Any], tmp_path: Path
) -> None:
    with serve(tmp_path, "--base-path", "/rec", base_path="/rec") as served:
        app = tab(address=served.address)
        app.open("/")
        app.shows("Does knowing people in one catalogue help")
        app.go("Export")
        assert urlsplit(app.page.url).path == "/rec/export"
        app.page.reload()
        app.settle()
        app.go("Data")
        app.page.wait_for_url(lambda url: urlsplit(url).path.rstrip("/") == "/rec")
        app.shows("Does knowing people in one catalogue help")
