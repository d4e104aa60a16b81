"""Files → tables → ratings of a workspace; a refused file leaves the earlier one in place."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from dashboard import sample, wording
from dashboard.compute.memory import SIDES
from dashboard.jobs import Failure, Loaded, LoadedItems, Side, Workspace
from transrec_core.data.items import read_items
from transrec_core.data.ratings import to_ratings
from transrec_core.data.reading import Table, read_table
from transrec_core.errors import TransrecError

PREVIEW_ROWS = 20
Duplicates = Literal["last", "mean", "refuse"]


def _failure(title: str, error: TransrecError) -> Failure:
    report = getattr(error, "report", None)
    problems = tuple(report.problems) if report is not None else ()
    return Failure(title, error.message, error.fix, problems, kind=type(error).__name__)


def _read(name: str, table: Table, mapping: Mapping[str, str | None], dup: Duplicates) -> Loaded:
    try:
        ratings = to_ratings(table, mapping, duplicates=dup)
    except TransrecError as error:
        return Loaded(name, table, mapping, dup, None, _failure("Not usable yet", error))
    return Loaded(name, table, mapping, dup, ratings)


def load_side(space: Workspace, side: Side, content: bytes, name: str) -> bool:
    """Read a ratings file into a workspace; a refused file leaves the earlier one in place."""
    try:
        loaded_table = read_table(content, name=name)
    except TransrecError as error:
        with space.lock:
            space.refused[side] = _failure(f"{name} could not be read", error)
        return False
    loaded = _read(name, loaded_table, dict(loaded_table.report.mapping), "last")
    with space.lock:
        space.refused.pop(side, None)
        if side == "source":
            space.source = loaded
        else:
            space.target = loaded
    return True


def remap(
    space: Workspace, side: Side, mapping: Mapping[str, str | None], duplicates: Duplicates
) -> None:
    """Read a loaded table's columns in another way."""
    before = space.side(side)
    assert before is not None
    loaded = _read(before.name, before.table, dict(mapping), duplicates)
    with space.lock:
        if side == "source":
            space.source = loaded
        else:
            space.target = loaded


def preview(loaded: Loaded) -> pd.DataFrame:
    """The first rows as they were read; columns with a role say so."""
    roles = {column: role for role, column in loaded.mapping.items() if column}
    head = loaded.table.frame.head(PREVIEW_ROWS)
    return head.rename(
        columns={
            c: f"{c} → {wording.ROLE_WORDS[roles[c]].lower()}" for c in head.columns if c in roles
        }
    )


def load_items(space: Workspace, content: bytes, name: str, sides: Sequence[Side]) -> bool:
    """Read a file of titles for one side or both."""
    try:
        items = read_items(content, name=name)
    except TransrecError as error:
        with space.lock:
            space.refused["items"] = _failure(f"{name} could not be read", error)
        return False
    with space.lock:
        space.refused.pop("items", None)
        kept = tuple(e for e in space.items if not set(e.sides) <= set(sides))
        digest = hashlib.sha256(content).hexdigest()
        space.items = (*kept, LoadedItems(name, items, tuple(sides), digest))
    return True


def drop_items(space: Workspace, position: int) -> None:
    """Forget one file of titles."""
    with space.lock:
        space.items = tuple(e for i, e in enumerate(space.items) if i != position)


def load_sample(space: Workspace, source: Literal["films", "podcasts"] = "films") -> None:
    """Load the sample: films or podcasts as the source, books as the target."""
    folder = sample.folder()
    with space.lock:
        space.items = ()
        for side, name in zip(SIDES, (source, "books"), strict=True):
            load_side(space, side, (folder / f"{name}.csv").read_bytes(), f"{name}.csv")
            titles = f"{name}_items.csv"
            load_items(space, (folder / titles).read_bytes(), titles, (side,))
