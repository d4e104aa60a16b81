"""What is known about items besides ratings: titles, genres, descriptions."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from transrec_core.columns import DESCRIPTION, GENRES, ITEM, TITLE
from transrec_core.data.mapping import NAMES, plain
from transrec_core.data.reading import SEVERITIES, read_table
from transrec_core.data.report import ImportReport, Problem, plural
from transrec_core.errors import UnreadableFileError

# Compared as the rating columns' names are: without case, blanks and punctuation.
TEXT_NAMES = {
    TITLE: ("title", "name", "itemtitle", "movietitle", "booktitle", "producttitle",
            "originaltitle", "itemname", "productname", "moviename"),
    GENRES: ("genres", "genre", "categories", "category", "tags", "tag", "class", "subjects",
             "style"),
    DESCRIPTION: ("description", "overview", "summary", "text", "plot", "synopsis", "content",
                  "abstract", "desc"),
}  # fmt: skip


@dataclass(frozen=True)
class Items:
    """Texts of one domain's items.

    Attributes
    ----------
    frame
        Index ``item_id`` (text, unique); columns ``title``, ``genres``, ``description``, empty
        text where unknown.
    report
        The importer's report; ``mapping`` says which column became which.
    """

    frame: pd.DataFrame
    report: ImportReport


def read_items(
    file: str | Path | bytes,
    *,
    name: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> Items:
    """Read item texts; the columns are guessed by name, the id is the first column otherwise.

    ``delimiter``, ``header`` and ``encoding`` are as in ``read_table``.

    Raises
    ------
    UnreadableFileError
        When the file is no table, or no row has an item id.
    """
    table = read_table(file, name=name, delimiter=delimiter, header=header, encoding=encoding)
    columns = list(table.frame.columns)
    mapping = _guess(columns, table.report.header)
    ids = table.frame[mapping["item"]]
    blank = ids.str.strip().eq("").to_numpy()
    repeated = ids.duplicated().to_numpy() & ~blank
    problems = [
        p for p in table.report.problems if p.code not in ("NO_MAPPING", "NO_RATING_COLUMN")
    ]
    for code, bad, what in (
        ("MISSING_ID", blank, ("row has no item id and was", "rows have no item id and were")),
        (
            "DUPLICATE_ITEM",
            repeated,
            ("row repeats an item id and was", "rows repeat an item id and were"),
        ),
    ):
        if bad.any():
            problems.append(
                Problem(
                    code,
                    "warning",
                    f"{plural(int(bad.sum()), *what)} left out.",
                    "Give each item one row with its id.",
                    int(bad.sum()),
                    table.lines_of(np.flatnonzero(bad)),
                )
            )
    keep = ~(blank | repeated)
    if not keep.any():
        raise UnreadableFileError(
            f"{table.report.file}: no row has an item id.",
            "Check the column of item ids.",
            table.report,
        )
    if mapping[TITLE] is None:
        problems.append(
            Problem(
                "NO_TITLE_COLUMN",
                "info",
                "There is no title column, so items are shown by their id.",
                "Name the column of titles title or name.",
            )
        )
    frame = pd.DataFrame(index=pd.Index(ids[keep], name=ITEM))
    for text in TEXT_NAMES:
        column = mapping[text]
        frame[text] = "" if column is None else table.frame[column][keep].to_numpy()
    problems.sort(key=lambda problem: SEVERITIES.index(problem.severity))
    report = replace(table.report, mapping=mapping, problems=tuple(problems))
    return Items(frame.astype("str"), report)


def _guess(columns: list[str], header: bool) -> dict[str, str | None]:
    by_plain: dict[str, str] = {}
    for column in columns:
        by_plain.setdefault(plain(column), column)
    found: dict[str, str | None] = {"item": columns[0], **dict.fromkeys(TEXT_NAMES)}
    if not header:
        # MovieLens' movies.dat and most exports: id, title, genres.
        found.update(zip(TEXT_NAMES, columns[1:4], strict=False))
        return found
    ids = [name for name in (*NAMES["item"], "id") if name not in TEXT_NAMES[TITLE]]
    found["item"] = next((by_plain[name] for name in ids if name in by_plain), columns[0])
    for text, names in TEXT_NAMES.items():
        free = [
            by_plain[name] for name in names if by_plain.get(name, found["item"]) != found["item"]
        ]
        found[text] = free[0] if free else None
    return found
