"""What was asked for arrives, whatever is drawn meanwhile."""

import asyncio
import gc
import tomllib
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import streamlit
from packaging.requirements import Requirement
from packaging.version import Version
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import app_session, forward_msg_queue
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.media_file_storage import MediaFileStorageError
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.script_data import ScriptData
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.state import session_state
from streamlit.runtime.state.common import WidgetMetadata
from streamlit.runtime.state.session_state import WStates

from dashboard import mends


class TestAnswers:
    """What the browser asked for outside of a run outlives the start of the next run."""

    @pytest.fixture
    def session(self, monkeypatch: pytest.MonkeyPatch) -> app_session.AppSession:
        monkeypatch.setattr(app_session, "ForwardMsgQueue", app_session.ForwardMsgQueue)
        mends.keep_answers()

        async def begun() -> app_session.AppSession:
            return app_session.AppSession(
                script_data=ScriptData("app.py", is_hello=False),
                uploaded_file_manager=MemoryUploadedFileManager("/upload"),
                script_cache=MagicMock(),
                message_enqueued_callback=None,
                user_info={},
            )

        return asyncio.run(begun())

    def test_a_chosen_file_is_told_where_to_go_though_a_run_starts(
        self, session: app_session.AppSession
    ) -> None:
        asked = BackMsg()
        asked.file_urls_request.request_id = "7"
        asked.file_urls_request.file_names.append("books.csv")
        session.handle_backmsg(asked)
        session._clear_queue()  # where a run starts
        (told,) = session.flush_browser_queue()
        assert told.file_urls_response.response_id == "7"
        assert len(told.file_urls_response.file_urls) == 1
        assert session.flush_browser_queue() == []

    def test_what_was_drawn_before_is_dropped_and_nothing_is_told_twice(
        self, session: app_session.AppSession
    ) -> None:
        drawn, made, ended = ForwardMsg(), ForwardMsg(), ForwardMsg()
        drawn.delta.new_element.text.body = "of the run before"
        made.backend_operation_response.SetInParent()
        ended.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
        for message in (drawn, made, ended):
            session._browser_queue.enqueue(message)
        session._browser_queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["other"])
        assert session._browser_queue._queue.count(made) == 1
        session._clear_queue()
        kinds = [message.WhichOneof("type") for message in session.flush_browser_queue()]
        assert kinds == ["script_finished", "backend_operation_response"]


class TestMadeFiles:
    """What a download button made outlives other people's pages."""

    @pytest.fixture
    def manager(self) -> MediaFileManager:
        return MediaFileManager(storage=MemoryMediaFileStorage("/media"))

    @pytest.fixture
    def clear(self, manager: MediaFileManager) -> Callable[[], None]:
        return mends.keep_made_files(manager)

    def test_pages_drawn_meanwhile_leave_a_file_until_it_is_fetched(
        self, manager: MediaFileManager, clear: Callable[[], None]
    ) -> None:
        button = manager.add_deferred(lambda: b"lists", "text/csv", "0.1", "lists.csv")
        name = manager.execute_deferred(button).rsplit("/", 1)[1]
        for _ in range(5):
            manager.remove_orphaned_files()
        assert manager._storage.get_file(name).content == b"lists"  # type: ignore[attr-defined]
        clear()
        assert manager._storage.get_file(name).content == b"lists"  # type: ignore[attr-defined]
        clear()
        with pytest.raises(MediaFileStorageError):
            manager._storage.get_file(name)  # type: ignore[attr-defined]

    def test_a_button_works_while_its_page_is_drawn_anew(
        self, manager: MediaFileManager, clear: Callable[[], None]
    ) -> None:
        button = manager.add_deferred(lambda: b"lists", "text/csv", "0.1", "lists.csv")
        manager.clear_session_refs()  # where a run of the page begins
        manager.remove_orphaned_files()  # where another person's ends
        assert manager.execute_deferred(button).startswith("/media/")
        clear()
        with pytest.raises(MediaFileStorageError):
            manager.execute_deferred(button)


class TestCallbacks:
    """What a button of an earlier page would have called is forgotten with the button."""

    @pytest.fixture
    def states(self, monkeypatch: pytest.MonkeyPatch) -> WStates:
        monkeypatch.setattr(WStates, "remove_stale_widgets", WStates.remove_stale_widgets)
        mends.forget_callbacks()
        return WStates()

    def test_what_a_gone_button_would_show_leaves_memory(self, states: WStates) -> None:
        class Run:
            pass

        run = Run()
        there = weakref.ref(run)
        for id_, what in (("shown", print), ("gone", partial(print, run))):
            states.set_widget_metadata(
                WidgetMetadata(id_, bool, bool, "trigger_value", callback=what)
            )
        del run, what
        states.remove_stale_widgets(frozenset({"shown", "gone"}), None)
        gc.collect()
        assert there() is not None
        states.remove_stale_widgets(frozenset({"shown"}), None)
        gc.collect()
        assert there() is None
        assert set(states.widget_metadata) == {"shown"}

    def test_a_part_that_is_drawn_alone_leaves_the_rest_of_its_page(self, states: WStates) -> None:
        states.set_widget_metadata(WidgetMetadata("elsewhere", str, str, "string_value"))
        states.remove_stale_widgets(frozenset(), ["part"])
        assert set(states.widget_metadata) == {"elsewhere"}


class TestClosedSessions:
    """The session of a closed tab ends after a while, with all that it holds."""

    def test_one_ends_when_its_browser_has_been_gone_for_long(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manager = MagicMock(_session_storage=MemorySessionStorage())
        end_old = mends.end_closed_sessions(manager)
        stored, now = manager._session_storage, [1000.0]
        monkeypatch.setattr(mends.time, "monotonic", lambda: now[0])
        gone, back = (SessionInfo(client=None, session=MagicMock(id=id_)) for id_ in "ab")
        for info in (gone, back):
            stored.save(info)
        assert stored.get("b") is back
        stored.delete("b")
        now[0] += mends.CLOSED_SECONDS
        assert end_old() == 0
        gone.session.shutdown.assert_not_called()
        now[0] += 1
        assert end_old() == 1
        gone.session.shutdown.assert_called_once()
        back.session.shutdown.assert_not_called()
        assert stored.list() == []
        assert stored.get("a") is None


class TestAnotherStreamlit:
    """Where a part has changed it stays as it is, the log says so, and the rest is mended."""

    @pytest.fixture
    def runtime(self, monkeypatch: pytest.MonkeyPatch) -> MagicMock:
        for target, name in (
            (app_session, "ForwardMsgQueue"),
            (WStates, "remove_stale_widgets"),
        ):
            monkeypatch.setattr(target, name, getattr(target, name))
        made = MagicMock()
        made.media_file_mgr = MediaFileManager(storage=MemoryMediaFileStorage("/media"))
        made._session_mgr._session_storage = MemorySessionStorage()
        return made

    def test_nothing_is_said_of_the_one_that_is_installed(
        self, runtime: MagicMock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert len(mends.mend(runtime)) == 2
        assert len(mends.mend(runtime)) == 2  # another server of one process
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize(
        ("target", "name", "instead", "cost", "repeated"),
        [
            (app_session, "ForwardMsgQueue", None, "chosen again", 2),
            (forward_msg_queue.ForwardMsgQueue, "clear", lambda self: None, "chosen again", 2),
            (forward_msg_queue.ForwardMsgQueue, "enqueue", lambda self, m: None, "chosen again", 2),
            (MediaFileManager, "remove_orphaned_files", None, "pressed again", 1),
            (WStates, "remove_stale_widgets", None, "each fit", 2),
            (WStates, "set_widget_metadata", lambda self, m: None, "each fit", 2),
            (session_state, "_is_stale_widget", lambda m: True, "each fit", 2),
            (MemorySessionStorage, "list", None, "closed tabs", 1),
        ],
    )
    def test_what_has_changed_is_left_alone(
        self,
        runtime: MagicMock,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        target: Any,
        name: str,
        instead: Any,
        cost: str,
        repeated: int,
    ) -> None:
        if instead is None:
            monkeypatch.delattr(target, name)
        else:
            monkeypatch.setattr(target, name, instead)
        before = getattr(target, name, None)
        assert len(mends.mend(runtime)) == repeated
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"transrec: Streamlit {streamlit.__version__} is not as expected")
        assert cost in line
        assert getattr(target, name, None) is before

    def test_only_tried_versions_are_installed(self) -> None:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
        (asked,) = [
            Requirement(line)
            for line in project["project"]["dependencies"]
            if line.startswith("streamlit")
        ]
        tried = Version(streamlit.__version__)
        assert asked.specifier.contains(tried)
        assert not asked.specifier.contains(f"{tried.major}.{tried.minor + 1}.0")
