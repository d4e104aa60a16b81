"""Files → tables → ratings of a workspace; a refused file leaves the earlier one in place."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from dashboard import sample, wording
from dashboard.compute.memory import SIDES
from dashboard.compute.naming import plain_cells
from dashboard.jobs import Failure, Loaded, LoadedItems, Side, Workspace
from dashboard.originals import Original, put_aside
from dashboard.reading import read_apart, read_items_file, read_ratings_file
from transrec_core.data.formats import FileFormat
from transrec_core.data.ratings import UNUSABLE, Duplicates, to_ratings
from transrec_core.data.reading import Table, as_frame
from transrec_core.data.records import shortened
from transrec_core.errors import TransrecError

PREVIEW_ROWS, SHOWN_CHARS = 20, 1000
NOT_USABLE = "Not usable yet"
GUESSED = FileFormat()


def _failure(
    title: str, error: TransrecError, read_in: Callable[[str], bool] | None = None
) -> Failure:
    """What to show of an error; ``read_in`` reads the file in an encoding that is offered."""
    report = getattr(error, "report", None)
    problems = tuple(report.problems) if report is not None else ()
    encodings = tuple(report.encodings) if report is not None else ()
    return Failure(
        title,
        error.message,
        error.fix,
        problems,
        reference=getattr(error, "reference", ""),
        kind=type(error).__name__,
        encodings=encodings,
        read_in=read_in if encodings else None,
    )


def _later(
    original: Original | None, read: Callable[[bytes, str], bool]
) -> Callable[[str], bool] | None:
    """What reads a file again in an encoding; ``None`` where the file is no longer there."""
    return None if original is None else lambda encoding: read(original.read(), encoding)


def read_ratings(
    content: bytes, name: str, written: FileFormat, original: Original | None
) -> Loaded:
    """Read a ratings file in a process of its own; one that is a table may still be not usable.

    Raises
    ------
    TransrecError
        It is no table, takes too much memory, or cannot be read at all.
    """
    found = read_apart(read_ratings_file, content, name, written)
    failure = None if found.refusal is None else _failure(NOT_USABLE, found.refusal)
    return Loaded(
        name,
        found.table,
        found.mapping,
        written.duplicates,
        found.ratings,
        failure,
        original,
        written,
    )


def load_side(
    space: Workspace,
    side: Side,
    content: bytes,
    name: str,
    written: FileFormat = GUESSED,
    original: Original | None = None,
) -> bool:
    """Read a ratings file into a workspace; a refused file leaves the earlier one in place.

    Parameters
    ----------
    space, side
        Where it goes.
    content, name
        The file.
    written
        What the analyst says about it; columns that it has keep the part they play.
    original
        The file where it has been put aside before.
    """
    original = original or put_aside(content)
    try:
        loaded = read_ratings(content, name, written, original)
    except TransrecError as error:
        read_in = _later(
            original,
            lambda again, encoding: load_side(
                space, side, again, name, replace(written, encoding=encoding), original
            ),
        )
        failure = _failure(f"{name} could not be read", error, read_in)
        with space.lock:
            space.refused[side] = failure
        return False
    space.keep_file(content, name)
    with space.lock:
        space.refused.pop(side, None)
        _put(space, side, loaded)
    return True


def reread(
    space: Workspace, side: Side, encoding: str | None, delimiter: str | None, header: bool
) -> bool:
    """Read a loaded file in another way; where that is refused it stays as it was."""
    loaded = space.side(side)
    if loaded is None or loaded.original is None:
        return False
    same = header == loaded.table.report.header and delimiter == loaded.table.report.delimiter
    columns = loaded.mapping if same else {}
    written = FileFormat(encoding, delimiter, header, columns, loaded.duplicates)
    return load_side(space, side, loaded.original.read(), loaded.name, written, loaded.original)


def _put(space: Workspace, side: Side, loaded: Loaded | None) -> None:
    if side == "source":
        space.source = loaded
    else:
        space.target = loaded


def remap(
    space: Workspace, side: Side, mapping: Mapping[str, str | None], duplicates: Duplicates
) -> None:
    """Read a loaded table's columns in another way."""
    before = space.side(side)
    assert before is not None
    try:
        ratings, failure = to_ratings(before.table, mapping, duplicates=duplicates), None
    except TransrecError as error:
        ratings, failure = None, _failure(NOT_USABLE, error)
    loaded = replace(
        before, mapping=dict(mapping), duplicates=duplicates, ratings=ratings, failure=failure
    )
    with space.lock:
        _put(space, side, loaded)


def swap_columns(space: Workspace, side: Side) -> None:
    """Read the user column as items and the item column as users."""
    loaded = space.side(side)
    assert loaded is not None
    mapping = dict(loaded.mapping)
    mapping["user"], mapping["item"] = mapping.get("item"), mapping.get("user")
    remap(space, side, mapping, loaded.duplicates)


def swap_sides(space: Workspace) -> None:
    """Make the source the target and the target the source, with their titles."""
    other: dict[Side, Side] = {"source": "target", "target": "source"}
    with space.lock:
        space.source, space.target = space.target, space.source
        space.items = tuple(
            replace(entry, sides=tuple(s for s in SIDES if other[s] in entry.sides))
            for entry in space.items
        )
        space.refused.clear()


def drop_side(space: Workspace, side: Side) -> None:
    """Forget one side's file; results so far stay."""
    with space.lock:
        _put(space, side, None)
        space.refused.pop(side, None)


def dismiss(space: Workspace, key: str) -> None:
    """Take the refusal of a file off the page."""
    with space.lock:
        space.refused.pop(key, None)


@dataclass(frozen=True)
class Preview:
    """The first rows of a file, columns with a role first.

    Attributes
    ----------
    frame
        Text cells as they were read; a column with a role has it in its name.
    roles
        Role by column name of ``frame``.
    """

    frame: pd.DataFrame
    roles: Mapping[str, str]


def preview(loaded: Loaded) -> Preview:
    """The first rows as they were read; columns with a role say so and come first."""
    used = {column: role for role, column in loaded.mapping.items() if column}
    columns = [c for c in used if c in loaded.table.report.columns]
    columns += [c for c in loaded.table.report.columns if c not in used]
    named = {c: f"{c} → {wording.ROLE_WORDS[used[c]].lower()}" for c in columns if c in used}
    frame = plain_cells(first_rows(loaded.table)[columns].rename(columns=named))
    heads = dict(zip(columns, frame.columns, strict=True))
    return Preview(frame, {heads[c]: used[c] for c in named})


def first_rows(table: Table, positions: Sequence[int] | None = None) -> pd.DataFrame:
    """Some rows of a table as text, the first 20 by default, no cell longer than can be shown."""
    cells = table.cells
    cells = cells.slice(0, PREVIEW_ROWS) if positions is None else cells.take(list(positions))
    columns = (shortened(column, SHOWN_CHARS) for column in cells.columns)
    return as_frame(dict(zip(cells.column_names, columns, strict=True)))


@dataclass(frozen=True)
class Reading:
    """What the columns of one file were read as.

    Attributes
    ----------
    rows, ratings
        Rows of the file, and interactions that came of them.
    users, items
        Different ids.
    low, high
        Range of the rating values; ``None`` where every row counts as one interaction.
    first, last
        Days of the earliest and the latest time, as ``2021-01-31``; empty where there are none.
    doubts
        What makes a column look wrong, in words.
    """

    rows: int
    ratings: int
    users: int
    items: int
    low: float | None
    high: float | None
    first: str
    last: str
    doubts: tuple[str, ...]


def reading(loaded: Loaded) -> Reading | None:
    """What a file was read as; ``None`` while it is not usable."""
    if loaded.ratings is None:
        return None
    domain = loaded.ratings.interactions()
    values, users, items = domain.matrix.data, len(domain.users), len(domain.items)
    rated = loaded.mapping.get("rating") is not None
    low, high = (float(values.min()), float(values.max())) if rated else (None, None)
    first = last = ""
    if domain.times is not None and np.isfinite(domain.times).any():
        first, last = (
            _day(float(found)) for found in (np.nanmin(domain.times), np.nanmax(domain.times))
        )
    doubts = []
    for role, distinct in (("user", users), ("item", items)):
        if distinct == 1 and len(values) > 1:
            doubts.append(
                f"All rows have the same {role}: is {loaded.mapping[role]} the {role} column?"
            )
        elif len(values) >= 20 and distinct >= 0.95 * len(values):
            doubts.append(
                f"Nearly every row has {'a user' if role == 'user' else 'an item'} of its own: is "
                f"{loaded.mapping[role]} the {role} column?"
            )
    return Reading(
        loaded.table.report.rows, len(values), users, items, low, high, first, last, tuple(doubts)
    )


def _day(seconds: float) -> str:
    try:
        return f"{pd.Timestamp(seconds, unit='s'):%Y-%m-%d}"
    except (ValueError, OverflowError):
        return ""


def wrong_rows(loaded: Loaded) -> pd.DataFrame | None:
    """The first five rows whose ids, ratings or times cannot be read, with their lines.

    Returns
    -------
    Line and one column a role, as text; ``None`` where every row can be read.
    """
    table = loaded.table
    columns = {
        role: column
        for role, column in loaded.mapping.items()
        if column in table.cells.column_names
    }
    if loaded.ratings is None:
        if loaded.failure is None or "no usable row" not in loaded.failure.message:
            return None
        positions = list(range(min(5, table.report.rows)))
    else:
        codes = (*UNUSABLE, "BAD_TIME")
        problems = [p for p in loaded.ratings.report.problems if p.code in codes]
        lines = sorted({line for problem in problems for line in problem.rows})[:5]
        positions = [_position(table, line) for line in lines]
    if not positions:
        return None
    frame = first_rows(table, positions)[list(columns.values())]
    frame.columns = [f"{c} → {wording.ROLE_WORDS[role].lower()}" for role, c in columns.items()]
    lines = [table.lines_of(np.array([position]))[0] for position in positions]
    frame.insert(0, "Line", [wording.count(line) for line in lines])
    return frame


def _position(table: Table, line: int) -> int:
    if table.lines is None:
        return line - table.first_line
    return int(np.searchsorted(table.lines, line))


def load_items(
    space: Workspace,
    content: bytes,
    name: str,
    sides: Sequence[Side],
    encoding: str | None = None,
) -> bool:
    """Read a file of titles for one side or both."""
    try:
        items = read_apart(read_items_file, content, name, encoding)
    except TransrecError as error:
        failure = _failure(
            f"{name} could not be read",
            error,
            _later(put_aside(content), lambda again, e: load_items(space, again, name, sides, e)),
        )
        with space.lock:
            space.refused["items"] = failure
        return False
    space.keep_file(content, name)
    with space.lock:
        space.refused.pop("items", None)
        kept = tuple(e for e in space.items if not set(e.sides) <= set(sides))
        digest = hashlib.sha256(content).hexdigest()
        space.items = (*kept, LoadedItems(name, items, tuple(sides), digest, encoding))
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
