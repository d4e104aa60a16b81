"""How much of what people upload the server holds before it is read; Streamlit has no bound.

A chosen file lies in the server's memory until its page has read it, and that of a closed tab until
its session ends.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from transrec_core.limits import MIB, Limits, or_allow_more, size_in_words

if TYPE_CHECKING:
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
    from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileManager

UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+/?$")


class BoundedUploads:
    """Refuse an upload with which its tab, or the server, would hold more than it may."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._arriving: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        found = UPLOAD.search(scope["path"]) if scope["type"] == "http" else None
        # Streamlit refuses sessions that it does not know before it reads anything.
        if found is None or scope.get("method") != "PUT" or not _known(found[1]):
            await self.app(scope, receive, send)
            return
        session, size = found[1], _size(scope)
        refused = self._refusal(session, size)
        if refused:
            await PlainTextResponse(refused, 413)(scope, receive, send)
            return
        self._arriving[session] += size
        try:
            await self.app(scope, receive, send)
        finally:
            self._arriving[session] -= size
            if self._arriving[session] <= 0:
                del self._arriving[session]

    def _refusal(self, session: str, size: int) -> str:
        """Why an upload would be too much, empty where it is not."""
        held, limits = held_bytes(), Limits.current()
        of_tab = held[session] + self._arriving[session] + size
        of_all = held.total() + self._arriving.total() + size
        for whose, found, name in (
            ("this tab", of_tab, "tab_uploads_mb"),
            ("all tabs", of_all, "server_uploads_mb"),
        ):
            most = getattr(limits, name) * MIB
            if found > most:
                return (
                    f"The files of {whose} that are not read yet would have "
                    f"{size_in_words(found)}; {size_in_words(most)} may wait. Choose it again when "
                    f"they have been read, {or_allow_more(name)}."
                )
        return ""


def _known(session: str) -> bool:
    return Runtime.exists() and Runtime.instance().is_active_session(session)


def _size(scope: Scope) -> int:
    """What a request says that it brings; the most that it can where it does not say."""
    said = Headers(scope=scope).get("content-length", "")
    return int(said) if said.isdecimal() else Limits.current().upload_mb * MIB


def held_bytes() -> Counter[str]:
    """Bytes of uploaded files in memory, by the session that they belong to."""
    stored = _in_memory(Runtime.instance().uploaded_file_mgr).file_storage
    # A page may take one out meanwhile.
    return Counter(
        {
            session: sum(len(file.data) for file in list(files.values()))
            for session, files in list(stored.items())
        }
    )


def drop(files: "Sequence[UploadedFile]") -> None:
    """Give back the memory of files that the page on show has read.

    The uploader must be a new one at the next run: of this one they are gone.
    """
    context = get_script_run_ctx()
    if context is not None:
        for file in files:
            _in_memory(context.uploaded_file_mgr).remove_file(context.session_id, file.file_id)


def _in_memory(manager: "UploadedFileManager") -> "MemoryUploadedFileManager":
    """What Streamlit keeps uploaded files in; its interface has no way to ask or to remove."""
    return cast("MemoryUploadedFileManager", manager)
