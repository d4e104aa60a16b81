"""Who may talk to the server, and about what: its own pages, under the names that it goes by."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.uploads import BoundedUploads

CORE = "/_stcore/"
NEEDED, UPLOADS = ("health", "host-config", "stream"), "upload_file/"
"""What pages ask Streamlit itself for, and a proxy whether the server is well.

Everything else there is closed: numbers on all sessions (``metrics``), an interface for programs
(``agent``), a run of the page on demand (``script-health-check``), components, of which transrec
has none, and what later versions of Streamlit add.
"""
ELSEWHERE = ("/component/", "/app/static/", "/auth/", "/oauth2callback")
"""What Streamlit offers beside that: components, files of the app, and a login of its own."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - named, not bound


def hosts_for(host: str, names: Sequence[str]) -> list[str]:
    """Names under which requests may reach a server that listens on ``host``.

    A page of another site can give itself this computer's address (DNS rebinding); what it sends
    still bears its own name. An address that others reach goes by names that nobody can guess
    here, so there any is taken until some are named.
    """
    own = [host.lower()] if host not in WILDCARDS else []
    if host.lower() in LOOPBACK or names:
        known = [*LOOPBACK, *own, *(name.lower() for name in names)]
        # In a Host header an address of IPv6 stands in brackets.
        return [*dict.fromkeys(f"[{name}]" if ":" in name else name for name in known)]
    return ["*"]


class OwnPagesOnly:
    """Refuse a WebSocket that a page of another origin opens.

    Streamlit asks the internet for this computer's address before it refuses one; nothing is asked
    of anybody here, and the origin has to be the very host and port that the request is for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "websocket":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            # Programs that are no browsers send none, and no browser can be made to leave it out.
            if origin is not None and urlsplit(origin).netloc != headers.get("host"):
                refused = PlainTextResponse("Only pages of this server may connect.", 403)
                await refused(scope, receive, send)
                return
        await self.app(scope, receive, send)


class NeededOnly:
    """Answer 404 where Streamlit serves something that no page of transrec asks for.

    Parameters
    ----------
    base_path
        Where the dashboard lies, such as ``/transrec``; empty at the top.
    """

    def __init__(self, app: ASGIApp, base_path: str = "") -> None:
        self.app = app
        self.base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] in ("http", "websocket") and self._closed(scope["path"]):
            await PlainTextResponse("Not found.", 404)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _closed(self, path: str) -> bool:
        # A page of its own address looks for the server under that first.
        path = path.removeprefix(self.base_path)
        before, core, asked = path.partition(CORE)
        if core:
            return bool(before) or not (asked in NEEDED or asked.startswith(UPLOADS))
        return path.startswith(ELSEWHERE)


def middleware(host: str, names: Sequence[str], base_path: str = "") -> list[Middleware]:
    """What stands before Streamlit."""
    hosts = hosts_for(host, names)
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(OwnPagesOnly),
        Middleware(NeededOnly, base_path=base_path),
        Middleware(BoundedUploads),
    ]
