"""Calls of the operating system that differ from one system to the next."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit code of a process that Ctrl-C has ended, as shells have it."""

_interrupt = threading.Event()


@contextmanager
def remembering_interrupts() -> Iterator[None]:
    """Remember Ctrl-C meanwhile, as compiled code that calls Python drops ``KeyboardInterrupt``.

    The first Ctrl-C raises ``KeyboardInterrupt`` as ever; where that was dropped,
    ``raise_if_interrupted`` raises it again. A second one ends the process at once. In threads
    other than the main one, and where the process was told to ignore Ctrl-C, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    # What was installed from outside Python (None) could not be put back.
    if not main or before in (signal.SIG_IGN, None):
        yield
        return

    def remember(_number: int, _frame: FrameType | None) -> None:
        if _interrupt.is_set():
            os._exit(INTERRUPTED)
        _interrupt.set()
        raise KeyboardInterrupt

    _interrupt.clear()
    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _interrupt.clear()


def raise_if_interrupted() -> None:
    """Stop work that somebody wanted to end.

    Raises
    ------
    KeyboardInterrupt
        Where Ctrl-C was pressed within ``remembering_interrupts``.
    """
    if _interrupt.is_set():
        raise KeyboardInterrupt
