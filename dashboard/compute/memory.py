"""What was worked out, kept with the workspace or run that it belongs to, within bounds."""

from collections.abc import Callable, Hashable
from typing import TypeVar

from dashboard.jobs import Result, Side, Workspace

KEPT = 48
SIDES: tuple[Side, ...] = ("source", "target")
T = TypeVar("T")


def remember(owner: Workspace | Result, key: Hashable, make: Callable[[], T]) -> T:
    """The value of ``make``, kept with its owner; the oldest of 48 goes."""
    shelf = owner.derived
    if key in shelf:
        shelf.move_to_end(key)
        return shelf[key]  # type: ignore[no-any-return]
    made = make()
    shelf[key] = made
    while len(shelf) > KEPT:
        shelf.popitem(last=False)
    return made
