"""What was asked for arrives, whatever is drawn meanwhile."""

import asyncio
from collections.abc import Callable
from unittest.mock import MagicMock

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import app_session
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.media_file_storage import MediaFileStorageError
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.script_data import ScriptData

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
