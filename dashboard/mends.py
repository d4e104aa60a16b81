"""Where Streamlit loses something while pages are drawn anew: it is kept until it has arrived.

Both happen when a page is drawn at the moment of a click, by its own refreshing or, for files, by
another person's; rare on a calm machine, common on a busy one.
"""

from collections.abc import Callable

from streamlit.runtime import app_session
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.media_file_manager import MediaFileManager

# What the browser asked for outside of a run, and waits for: where to send a chosen file, and
# where to fetch the file that a button made.
ANSWERS = {"file_urls_response", "backend_operation_response"}


class AnsweringQueue(ForwardMsgQueue):
    """Messages on their way to one browser; the start of a run drops those of the run before.

    Streamlit drops answers with them: a chosen file was never sent and no page said so, and a
    download never began.
    """

    def clear(
        self, retain_lifecycle_msgs: bool = False, fragment_ids_this_run: list[str] | None = None
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


def keep_answers() -> None:
    """Have sessions that begin from now on answer the browser whatever is drawn meanwhile."""
    app_session.ForwardMsgQueue = AnsweringQueue  # type: ignore[attr-defined]


def keep_made_files(manager: MediaFileManager) -> Callable[[], None]:
    """Have files that were made for a download stay until the browser has fetched them.

    Streamlit drops what no page names whenever any session's page has been drawn. A file that a
    button makes is named by none, and while a page is drawn, neither are the buttons that the
    browser still shows: with several people at work, downloads failed.

    Returns
    -------
    Callable
        Drops what has been without a name at two calls in a row, and has to be called at times.
    """
    clear = manager.remove_orphaned_files
    manager.remove_orphaned_files = _nothing  # type: ignore[method-assign]
    return clear


def _nothing() -> None:
    """What is left to do when a page has been drawn."""
