"""Ways round faults of Streamlit, which replace parts of it that it does not promise to keep.

Each looks first whether what it replaces is there and whether the replacement does what is meant.
Where it does not, Streamlit stays as it is, the log says in one line what that costs, and the
server goes on. ``pyproject.toml`` bounds the version to those that were tried.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from transrec_core import log

if TYPE_CHECKING:
    from streamlit.runtime import Runtime
    from streamlit.runtime.media_file_manager import MediaFileManager
    from streamlit.runtime.session_manager import SessionInfo
    from streamlit.runtime.websocket_session_manager import WebsocketSessionManager

# What the browser asked for outside of a run, and waits for: where to send a chosen file, and
# where to fetch the file that a button made.
ANSWERS = {"file_urls_response", "backend_operation_response"}
CLOSED_SECONDS = 120.0
"""How long the session of a closed tab waits for a browser that only lost its connection."""


class UnlikeExpectedError(Exception):
    """The installed version of Streamlit does otherwise than the tried ones."""


def mend(runtime: "Runtime") -> list[Callable[[], int | None]]:
    """Replace what is at fault, as far as this version of Streamlit allows.

    Parameters
    ----------
    runtime
        Of the server that starts; call this before it has a session.

    Returns
    -------
    What has to be called about once a minute, in this order, on the thread of the server's event
    loop. Where one gives a number above zero, there is memory to give back.
    """
    mends: list[tuple[Callable[[], Callable[[], int | None] | None], str]] = [
        (
            lambda: end_closed_sessions(runtime._session_mgr),  # type: ignore[arg-type]
            "Memory of closed tabs is given back late or not at all.",
        ),
        (keep_answers, "A file chosen while its page is drawn may have to be chosen again."),
        (
            lambda: keep_made_files(runtime.media_file_mgr),
            "A download pressed while pages are drawn may have to be pressed again.",
        ),
        (forget_callbacks, "Memory grows with each fit of an open tab."),
    ]
    repeated: list[Callable[[], int | None]] = []
    for apply, cost in mends:
        try:
            work = apply()
        except Exception as error:  # whatever has changed there
            why = str(error) if isinstance(error, UnlikeExpectedError) else type(error).__name__
            log.write(f"Streamlit {st.__version__} is not as expected ({why}). {cost}")
        else:
            if work is not None:
                repeated.append(work)
    return repeated


def keep_answers() -> None:
    """Have sessions that begin from now on answer the browser whatever is drawn meanwhile.

    The start of a run drops the messages of the run before, and with them Streamlit drops answers
    (https://github.com/streamlit/streamlit/issues/7740 made it keep some other kinds): a chosen
    file was never sent and no page said so, and a download never began. That happens when a page
    is drawn at the moment of a click; rare on a calm machine, common on a busy one.
    """
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
    from streamlit.runtime import app_session, forward_msg_queue

    class AnsweringQueue(forward_msg_queue.ForwardMsgQueue):
        """Messages on their way to one browser."""

        def clear(
            self,
            retain_lifecycle_msgs: bool = False,
            fragment_ids_this_run: list[str] | None = None,
        ) -> None:
            """Drop what the run before has drawn, and keep the answers."""
            before = self._queue
            super().clear(retain_lifecycle_msgs, fragment_ids_this_run)
            # Otherwise all of it is on its way to the browser, and nothing is lost.
            if retain_lifecycle_msgs:
                kept = {id(message) for message in self._queue}
                self._queue += [
                    message
                    for message in before
                    if message.WhichOneof("type") in ANSWERS and id(message) not in kept
                ]

    _require(
        issubclass(app_session.ForwardMsgQueue, forward_msg_queue.ForwardMsgQueue),  # type: ignore[attr-defined]
        "sessions queue messages otherwise",
    )
    answer, drawn, queue = ForwardMsg(), ForwardMsg(), AnsweringQueue()
    answer.file_urls_response.SetInParent()
    drawn.delta.new_element.text.body = "of the run before"
    for message in (answer, drawn):
        queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=None)
    _require(queue.flush() == [answer], "messages are queued otherwise")
    app_session.ForwardMsgQueue = AnsweringQueue  # type: ignore[attr-defined]


def keep_made_files(manager: "MediaFileManager") -> Callable[[], None]:
    """Have files that were made for a download stay until the browser has fetched them.

    Streamlit drops what no page names whenever any session's page has been drawn. A file that a
    button makes is named by none, and while a page is drawn, neither are the buttons that the
    browser still shows: with several people at work, downloads failed. (The like of
    https://github.com/streamlit/streamlit/issues/4347, between sessions.)

    Returns
    -------
    Callable
        Drops what has been without a name at two calls in a row.
    """
    clear = manager.remove_orphaned_files
    _require(callable(clear), "files for downloads are kept otherwise")
    manager.remove_orphaned_files = _nothing  # type: ignore[method-assign]
    return clear


def _nothing() -> None:
    """What is left to do when a page has been drawn."""


def forget_callbacks() -> None:
    """Have a session forget what a button would call once its page no longer shows the button.

    Streamlit keeps that, with the arguments, as long as the session: every run that a tab ever
    offered to show again stayed in memory. States of such widgets it drops, by the same rule.
    """
    from streamlit.runtime.state.common import WidgetMetadata
    from streamlit.runtime.state.session_state import WStates, _is_stale_widget

    drop_states = WStates.remove_stale_widgets
    if getattr(drop_states, "mended", False):
        return

    def remove_stale_widgets(
        self: Any, active_widget_ids: frozenset[str], fragment_ids_this_run: list[str] | None
    ) -> None:
        drop_states(self, active_widget_ids, fragment_ids_this_run)
        self.widget_metadata = {
            id_: metadata
            for id_, metadata in self.widget_metadata.items()
            if not _is_stale_widget(metadata, active_widget_ids, fragment_ids_this_run)
        }

    trial = WStates()
    for id_ in ("shown", "gone"):
        trial.set_widget_metadata(WidgetMetadata(id_, str, str, "string_value"))
    remove_stale_widgets(trial, frozenset({"shown"}), None)
    _require(set(trial.widget_metadata) == {"shown"}, "callbacks are kept otherwise")
    remove_stale_widgets.mended = True  # type: ignore[attr-defined]
    WStates.remove_stale_widgets = remove_stale_widgets  # type: ignore[method-assign]


class ClosedSessions:
    """Sessions whose tab is gone, in the form of Streamlit's ``SessionStorage``."""

    def __init__(self) -> None:
        self._all: dict[str, tuple[float, SessionInfo]] = {}

    def get(self, session_id: str) -> "SessionInfo | None":
        """The session that a browser comes back to, if it is still there."""
        return self._all.get(session_id, (0.0, None))[1]

    def save(self, session_info: "SessionInfo") -> None:
        """Keep a session whose browser has gone."""
        self._all[session_info.session.id] = time.monotonic(), session_info

    def delete(self, session_id: str) -> None:
        """Forget a session without ending it: its browser is back."""
        self._all.pop(session_id, None)

    def list(self) -> "list[SessionInfo]":
        """All sessions here."""
        return [info for _, info in self._all.values()]

    def end_old(self) -> int:
        """End the sessions that have waited for long, and say how many."""
        before = time.monotonic() - CLOSED_SECONDS
        old = [info.session for since, info in self._all.values() if since < before]
        for session in old:
            self.delete(session.id)
            session.shutdown()
            # The server holds on to the last session that it has sent something to.
            session._session_state.clear()
            session._session_state._new_widget_state.widget_metadata.clear()
            session._fragment_storage.clear()
        return len(old)


def end_closed_sessions(manager: "WebsocketSessionManager") -> Callable[[], int]:
    """Have the session of a closed tab end, and not only be forgotten at some time.

    Streamlit drops such sessions when a later one is put aside, without ending them, so that what
    they uploaded and offered for download stays
    (https://github.com/streamlit/streamlit/issues/12506).

    Returns
    -------
    Callable
        Ends those whose tab has been gone for two minutes.
    """
    from streamlit.runtime.state.session_state import SessionState

    _require(manager._session_storage.list() == [], "there are sessions already")
    _require(SessionState()._new_widget_state.widget_metadata == {}, "sessions hold other things")
    _require(hasattr(manager, "disconnect_session"), "sessions are put aside otherwise")
    closed = ClosedSessions()
    manager._session_storage = closed
    return closed.end_old


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise UnlikeExpectedError(otherwise)
