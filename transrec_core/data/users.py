"""Whom lists are asked for: ids one a line, or a column of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transrec_core.data.mapping import NAMES, plain
from transrec_core.data.reading import Table, read_table
from transrec_core.data.report import Problem, plural
from transrec_core.errors import UnreadableFileError

OF_RATINGS = ("ONE_COLUMN", "NO_MAPPING", "NO_RATING_COLUMN", "NO_HEADER_GUESS")
"""Problems that a table has as one of ratings alone."""


@dataclass(frozen=True)
class IdList:
    """Ids of a file.

    Attributes
    ----------
    ids
        Exactly as they are written, in the file's order, each once.
    problems
        What was noticed on the way, as that the file has further columns.
    """

    ids: tuple[str, ...]
    problems: tuple[Problem, ...]


def read_ids(
    file: str | Path | bytes,
    *,
    name: str | None = None,
    role: str = "user",
    column: str | None = None,
    known: Sequence[str] = (),
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> IdList:
    """Read a list of ids, with or without a header, quotes and further columns.

    Parameters
    ----------
    file, name, delimiter, encoding
        As in ``read_table``.
    role
        ``"user"``, or ``"item"`` where lists are for items.
    column
        The column of the ids; by default the one with a name that such columns have, else the
        first.
    known
        Further names that such a column may have.
    header
        Whether the first row holds names; by default where one of its cells is such a name.

    Raises
    ------
    UnreadableFileError
        When the file is no table, has no such column, or has no ids.
    """
    table = _table(file, name, delimiter, header, encoding)
    rows, names = table.frame, list(table.report.columns)
    if header is None and not table.report.header:
        first = [cell.strip() for cell in rows.iloc[0]]
        if column in first or _place(first, role, known) is not None:
            rows, names = rows.iloc[1:], first
    if column is not None and column not in names:
        raise UnreadableFileError(
            f"{table.report.file}: there is no column {column!r}.",
            f"The columns are {', '.join(names[:12])}.",
            table.report,
        )
    place = names.index(column) if column is not None else _place(names, role, known)
    ids = rows.iloc[:, place or 0]
    found = tuple(dict.fromkeys(ids[ids.str.strip() != ""]))
    if not found:
        raise UnreadableFileError(
            f"{table.report.file}: there are no {role} ids.", "Write one id a line.", table.report
        )
    problems = [p for p in table.report.problems if p.code not in OF_RATINGS]
    if len(names) > 1 and column is None:
        which = "the first" if place is None else repr(names[place])
        problems.append(
            Problem(
                "SEVERAL_COLUMNS",
                "warning",
                f"There are {plural(len(names), 'column')}; {which} was taken for the {role} ids.",
                f"If that is wrong, leave the {role} ids alone in the file.",
            )
        )
    return IdList(found, tuple(problems))


def _place(names: Sequence[str], role: str, known: Sequence[str]) -> int | None:
    """The column that has a name of its role."""
    for usual in (known, NAMES[role]):
        for place, name in enumerate(names):
            if name in usual or plain(name) in usual:
                return place
    return None


def _table(
    file: str | Path | bytes,
    name: str | None,
    delimiter: str | None,
    header: bool | None,
    encoding: str | None,
) -> Table:
    if header is None:
        # A guess would take the first of a few ids for a header, but JSON and Parquet have names.
        try:
            table = read_table(file, name=name, delimiter=delimiter, encoding=encoding)
        except UnreadableFileError:
            pass
        else:
            if table.report.delimiter is None:
                return table
    return read_table(file, name=name, delimiter=delimiter, header=bool(header), encoding=encoding)
