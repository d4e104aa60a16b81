"""Text cells to ratings: exact ids, strict numbers, times in seconds, one row a user–item pair."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transrec_core.columns import ITEM, MAX_RATING, RATING, TIME, USER
from transrec_core.data.interactions import Encoded, Interactions, Repeated
from transrec_core.data.mapping import ROLES
from transrec_core.data.numerals import DECIMAL_COMMA, numbers_of, of_epoch, seconds
from transrec_core.data.reading import SEVERITIES, Table, as_frame
from transrec_core.data.report import ImportReport, Problem, plural
from transrec_core.data.streaming import read_rated
from transrec_core.errors import BadRatingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Duplicates = Literal["last", "mean", "refuse"]

UNUSABLE = ("MISSING_ID", "BAD_RATING", "HUGE_RATING")
"""Codes of problems for which rows are left out."""

DOUBTFUL_RATING = 1e8
"""Play counts reach thousands, seconds of use millions; a ten-digit ISBN is mostly above this."""

SCIENTIFIC = r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}$"


@dataclass(frozen=True)
class Ratings:
    """One domain's ratings as a table.

    Attributes
    ----------
    frame
        ``user_id`` and ``item_id`` (text, exactly as in the file), ``rating`` (float64) and
        ``timestamp`` (float64, seconds since 1970, NaN where unreadable) where the data has them.
        One row a user–item pair, in the file's order; of a file that did not fit into memory,
        by user and item, with ratings in single precision.
    report
        The importer's report, with the mapping that was used and everything left out or merged.
    sha256
        Hash of the file's bytes.
    """

    frame: pd.DataFrame
    report: ImportReport
    sha256: str

    def interactions(self) -> Interactions:
        """Return the ratings as a users × items matrix, encoded once."""
        domain = self._interactions
        # The rows of a file that is larger than memory are not kept beside the matrix.
        if "matrix_alone" in self.__dict__:
            self.__dict__.pop("encoded", None)
        return domain

    @cached_property
    def _interactions(self) -> Interactions:
        if self._encoded is None:
            return Interactions.from_frame(self.frame)
        return Interactions.from_codes(self._encoded)

    @property
    def _encoded(self) -> Encoded | None:
        """The rows with encoded ids, where they come from a file."""
        return self.__dict__.get("encoded")

    @classmethod
    def _of(
        cls, rows: Encoded, report: ImportReport, sha256: str, *, alone: bool = False
    ) -> "Ratings":
        """Ratings whose table of text is written out when somebody first looks at it."""
        made = object.__new__(cls)
        made.__dict__.update(report=report, sha256=sha256, encoded=rows)
        made.__dict__.update({"matrix_alone": True} if alone else {})
        return made

    def __getstate__(self) -> dict[str, Any]:
        """A copy, as another thread may write out the table while this one is pickled."""
        return dict(self.__dict__)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Write out the table."""
            alone = "matrix_alone" in self.__dict__
            if name != "frame" or not (alone or "encoded" in self.__dict__):
                raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
            if alone:
                rated = self.report.mapping["rating"] is not None
                frame = _listed(self.interactions(), rated)
            else:
                frame = _decoded(self.__dict__["encoded"])
            self.__dict__["frame"] = frame
            return frame


def read_ratings(
    file: str | Path | bytes,
    *,
    name: str | None = None,
    mapping: Mapping[str, str | None] | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    duplicates: Duplicates = "last",
) -> Ratings:
    """Read a file of ratings, or a folder with the parts of one, of any size.

    A file that would not fit into memory is read block by block; what remains is the matrix.
    Arguments are as for ``read_table`` and ``to_ratings``.

    Raises
    ------
    UnreadableFileError
        When the file is no table.
    BadRatingsError
        When its cells are no ratings.
    """
    table = read_rated(
        file, mapping, name=name, delimiter=delimiter, header=header, encoding=encoding
    )
    return to_ratings(table, mapping, duplicates=duplicates)


def to_ratings(
    table: Table,
    mapping: Mapping[str, str | None] | None = None,
    *,
    duplicates: Duplicates = "last",
) -> Ratings:
    """Turn text cells into ratings; rows without ids or with unreadable ratings are left out.

    Parameters
    ----------
    table
        From ``read_table``.
    mapping
        Column names for ``user``, ``item``, ``rating`` and ``time``; the guess by default. Without
        a rating column every row is one interaction.
    duplicates
        What to do with several rows of one user–item pair: keep the ``"last"`` (by time, else in
        file order), take the ``"mean"`` rating, or ``"refuse"``.

    Raises
    ------
    BadRatingsError
        When user and item columns are unknown or the same, when no usable row remains, or when
        there are duplicates and they are refused.
    """
    columns = _columns(table, mapping)
    problems = [
        p for p in table.report.problems if p.code not in ("NO_MAPPING", "NO_RATING_COLUMN")
    ]
    if columns["rating"] is None:
        problems.append(
            Problem(
                "NO_RATING_COLUMN",
                "info",
                "There is no rating column, so every row counts as one interaction.",
                "If there are ratings, name their column.",
            )
        )
    ids = {role: _coded(table, columns[role]) for role in ("user", "item")}
    blank = {
        role: _of_each(_mask(pc.equal(pc.utf8_trim_whitespace(cells.dictionary), "")), cells)
        for role, cells in ids.items()
    }
    keep = ~(blank["user"] | blank["item"])
    if not keep.all():
        which = " and ".join(
            f"{blank[role].sum()} without {role} id" for role in ids if blank[role].any()
        )
        problems.append(
            _row_problem(
                table,
                "MISSING_ID",
                "warning",
                ~keep,
                f"{_left_out(~keep)}: {which}.",
                "Fill in the ids, or ignore this if the rows are of no use.",
            )
        )
    ratings = times = None
    if columns["rating"] is not None:
        ratings, found = _ratings(table, _coded(table, columns["rating"]), keep)
        problems += found
        if np.isnan(ratings.values).any():
            keep &= np.isfinite(ratings.values)[ratings.codes]
    if columns["time"] is not None:
        times, found = _times(table, columns["time"], keep)
        problems += found
    if not keep.any():
        reasons = "; ".join(p.message for p in problems if p.code in UNUSABLE)
        raise BadRatingsError(
            f"{table.report.file}: no usable row remains. {reasons}".strip(),
            f"Check which columns hold the user ({columns['user']}), the item ({columns['item']}) "
            f"and the rating ({columns['rating']}).",
        )
    kept = None if keep.all() else keep
    rows = _assemble(ids, ratings, times, kept)
    rows, found = _merge_duplicates(rows, kept, duplicates, table)
    problems += found
    for role, names, codes in (
        ("user", rows.users, rows.user_codes),
        ("item", rows.items, rows.item_codes),
    ):
        problems += _id_problems(names, codes, rows.counted, role)
    problems.sort(key=lambda problem: SEVERITIES.index(problem.severity))
    guess = table.report.mapping
    asked = dict(table.report.asked)
    asked |= {
        f"{role}-column": columns[role] or "" for role in ROLES if columns[role] != guess[role]
    }
    asked |= {} if duplicates == "last" else {"duplicates": duplicates}
    report = replace(table.report, mapping=columns, problems=tuple(problems), asked=asked)
    alone = table.streamed is not None and table.streamed.scarce
    return Ratings._of(rows, report, table.sha256, alone=alone)


def _columns(table: Table, mapping: Mapping[str, str | None] | None) -> dict[str, str | None]:
    given = table.report.mapping if mapping is None else mapping
    columns = {role: given.get(role) for role in ROLES}
    present = table.report.columns
    have = ", ".join(present[:12])
    unknown = [column for column in columns.values() if column and column not in present]
    if unknown or set(given) - set(ROLES):
        what = unknown[0] if unknown else sorted(set(given) - set(ROLES))[0]
        raise BadRatingsError(
            f"{table.report.file}: there is no column or role {what!r}.",
            f"The roles are {', '.join(ROLES)}; the columns are {have}.",
        )
    for role in ("user", "item"):
        if columns[role] is None:
            raise BadRatingsError(
                f"{table.report.file}: it is not clear which column holds the {role} id.",
                f"Name it; the columns are {have}.",
            )
    used = [column for column in columns.values() if column]
    missing = set(used) - set(table.cells.column_names)
    if missing:
        raise BadRatingsError(
            f"{table.report.file}: the column {min(missing)} was not kept, as the file was read "
            "block by block.",
            "Name the columns of users, items, ratings and times when the file is read.",
        )
    if len(set(used)) < len(used):
        raise BadRatingsError(
            f"{table.report.file}: one column is used twice ({', '.join(used)}).",
            "Choose a different column for each part.",
        )
    return columns


def _coded(table: Table, column: str | None) -> pa.DictionaryArray:
    """Codes of one column's cells and the distinct texts."""
    cells = table.cells[column]
    if pa.types.is_integer(cells.type):
        codes, distinct = pd.factorize(cells.to_numpy())
        texts = pa.array(distinct).cast(pa.string())
        return pa.DictionaryArray.from_arrays(codes.astype(np.int32), texts)
    if not pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    if cells.num_chunks == 1:
        return cells.chunk(0)
    return cells.unify_dictionaries().combine_chunks()


def _of_each(values: "NDArray[Any]", cells: pa.DictionaryArray) -> "NDArray[Any]":
    """Value of each cell from the value of each distinct text."""
    if values.dtype == bool and not values.any():
        return np.zeros(len(cells), bool)
    return np.asarray(values[cells.indices.to_numpy()])


def _mask(values: pa.Array) -> "NDArray[np.bool_]":
    return np.array(values.to_numpy(zero_copy_only=False), bool)


def _row_problem(
    table: Table,
    code: str,
    severity: Literal["warning", "info"],
    bad: "NDArray[np.bool_]",
    message: str,
    fix: str,
) -> Problem:
    return Problem(
        code, severity, message, fix, int(bad.sum()), table.lines_of(np.flatnonzero(bad))
    )


def _left_out(bad: "NDArray[np.bool_]") -> str:
    return plural(int(bad.sum()), "row was left out", "rows were left out")


def _examples(cells: pa.Array | pa.ChunkedArray, bad: "NDArray[np.bool_]") -> str:
    values = cells.take(pa.array(np.flatnonzero(bad)[:5])).to_pylist()
    return ", ".join(repr(v if len(v) <= 20 else v[:20] + "…") for v in dict.fromkeys(values))


def _ratings(
    table: Table, cells: pa.DictionaryArray, keep: "NDArray[np.bool_]"
) -> tuple[Repeated, list[Problem]]:
    # Ratings repeat a few values a million times: read each value once.
    texts = cells.dictionary
    numbers, problems = numbers_of(texts), []
    commas = numbers_of(texts, DECIMAL_COMMA)
    dots = _mask(pc.match_substring(texts, "."))
    # 4,5 is 4.5 only where no other value says that the point is the decimal sign.
    if np.isfinite(commas).any() and not dots.any():
        first = texts[int(np.flatnonzero(np.isfinite(commas))[0])].as_py().strip()
        problems.append(
            Problem(
                "DECIMAL_COMMA",
                "info",
                f"Ratings have a decimal comma: {first} was read as {first.replace(',', '.')}.",
                "",
                int(_of_each(np.isfinite(commas), cells).sum()),
            )
        )
        numbers = np.where(np.isnan(numbers), commas, numbers)
    unreadable, size = np.isnan(numbers), np.abs(np.nan_to_num(numbers))
    for code, found, why, fix in (
        (
            "BAD_RATING",
            unreadable,
            "is not a number",
            "Correct these cells, or choose another rating column.",
        ),
        (
            "HUGE_RATING",
            size > MAX_RATING,
            f"is larger than {MAX_RATING:,.0f}",
            "This looks like an id or a time: choose another rating column, or correct these "
            "cells.",
        ),
    ):
        bad = _of_each(found, cells) & keep
        if code == "HUGE_RATING" and 2 * bad.sum() > keep.sum():
            raise BadRatingsError(
                f"{table.report.file}: {int(bad.sum()):,} of {int(keep.sum()):,} ratings are "
                f"larger than {MAX_RATING:,.0f} (line {table.lines_of(np.flatnonzero(bad))[0]}: "
                f"{_examples(cells, bad)}).",
                "They look like ids or times: choose another rating column, or none where every "
                "row counts as one.",
            )
        if bad.any():
            problems.append(
                _row_problem(
                    table,
                    code,
                    "warning",
                    bad,
                    f"{_left_out(bad)} because their "
                    f"rating {why} (such as {_examples(cells, bad)}).",
                    fix,
                )
            )
    doubtful = _of_each((size > DOUBTFUL_RATING) & (size <= MAX_RATING), cells) & keep
    if doubtful.any():
        problems.append(
            _row_problem(
                table,
                "LARGE_RATING",
                "warning",
                doubtful,
                f"{plural(int(doubtful.sum()), 'rating is', 'ratings are')} larger than "
                f"{DOUBTFUL_RATING:,.0f} (such as {_examples(cells, doubtful)}).",
                "If these are ids or times, choose another rating column.",
            )
        )
    numbers = np.where(size > MAX_RATING, np.nan, numbers)
    return Repeated(numbers, cells.indices.to_numpy()), problems


def _times(
    table: Table, column: str, keep: "NDArray[np.bool_]"
) -> tuple["NDArray[np.number] | None", list[Problem]]:
    cells = table.cells[column]
    if pa.types.is_integer(cells.type):
        return of_epoch(cells.to_numpy()), []
    if pa.types.is_floating(cells.type):
        times = cells.to_numpy()
    elif pa.types.is_dictionary(cells.type):
        cells = _coded(table, column)
        times = _of_each(seconds(pa.chunked_array([cells.dictionary])), cells)
    else:
        times = seconds(cells)
    bad = np.isnan(times) & keep
    if not bad.any():
        return times, []
    if table.streamed is None:
        examples = _examples(cells, bad)
    else:
        odd = [text for row, text in table.streamed.odd_times.items() if bad[row]][:5]
        examples = _examples(pa.array(odd, pa.large_string()), np.ones(len(odd), bool))
    none_left = not (keep & ~bad).any()
    consequence = (
        f"the column {column} is ignored" if none_left else "these rows count as the earliest"
    )
    problem = _row_problem(
        table,
        "BAD_TIME",
        "warning",
        bad,
        f"{plural(int(bad.sum()), 'time')} cannot be read (such as {examples}), so {consequence}.",
        "Write times as seconds since 1970 or as 2024-12-31 23:59:59.",
    )
    return (None if none_left else times), [problem]


def _assemble(
    ids: Mapping[str, pa.DictionaryArray],
    ratings: Repeated | None,
    times: "NDArray[np.number] | None",
    kept: "NDArray[np.bool_] | None",
) -> Encoded:
    """The kept rows (all by default) with codes in the order of the sorted ids they use."""

    def of_kept(values: "NDArray[Any]") -> "NDArray[Any]":
        return values if kept is None else values[kept]

    sides = []
    for role, column in (("user", USER), ("item", ITEM)):
        codes, names = of_kept(ids[role].indices.to_numpy()), ids[role].dictionary
        order = pc.sort_indices(names).to_numpy().astype(np.int64)
        if kept is not None:
            used = np.zeros(len(names), bool)
            used[codes] = True
            order = order[used[order]]
        if not np.array_equal(order, np.arange(len(names))):
            rank = np.empty(len(names), np.int32)
            rank[order] = np.arange(len(order), dtype=np.int32)
            codes, names = rank[codes], names.take(pa.array(order))
        index = pd.Index(as_frame({column: pa.chunked_array([names])})[column])
        sides.append((index.rename(None), codes))
    (users, user_codes), (items, item_codes) = sides
    return Encoded(
        users,
        items,
        user_codes,
        item_codes,
        None if ratings is None else Repeated(ratings.values, of_kept(ratings.codes)),
        None if times is None else of_kept(times),
    )


def _decoded(rows: Encoded) -> pd.DataFrame:
    """The table of ``Ratings.frame``."""
    which = slice(None) if rows.counted is None else rows.counted
    columns = {
        name: pa.array(ids, pa.large_string()).take(pa.array(codes[which]))
        for name, ids, codes in (
            (USER, rows.users, rows.user_codes),
            (ITEM, rows.items, rows.item_codes),
        )
    }
    frame = as_frame(columns)
    if rows.ratings is not None:
        frame[RATING] = rows.ratings.values[rows.ratings.codes[which]]
    if rows.times is not None:
        frame[TIME] = rows.times[which].astype(np.float64)
    return frame


def _listed(domain: Interactions, rated: bool) -> pd.DataFrame:
    """The same from the matrix."""
    users = domain.users.repeat(domain.counts)
    frame = pd.DataFrame({USER: users, ITEM: domain.items[domain.matrix.indices]})
    if rated:
        frame[RATING] = domain.matrix.data.astype(np.float64)
    if domain.times is not None:
        frame[TIME] = domain.times
    return frame


def _merge_duplicates(
    rows: Encoded, kept: "NDArray[np.bool_] | None", policy: Duplicates, table: Table
) -> tuple[Encoded, list[Problem]]:
    at = rows.positions
    again = np.zeros(at.nnz, bool)
    np.equal(at.indices[1:], at.indices[:-1], out=again[1:])
    starts = at.indptr[:-1]
    again[starts[np.diff(at.indptr) > 0]] = False
    count = int(again.sum())
    if count == 0:
        return rows, []
    repeated = np.sort(at.data[again])
    at_first = repeated[:5].astype(np.int64)
    if kept is not None:
        # The position of the k-th kept row, without a list of all.
        at_first = np.searchsorted(np.cumsum(kept, dtype=np.int32), at_first + 1)
    lines = table.lines_of(at_first)
    first = repeated[0]
    user, item = rows.users[rows.user_codes[first]], rows.items[rows.item_codes[first]]
    example = f"user {user}, item {item}"
    repeat = plural(count, "row repeats", "rows repeat")
    if policy == "refuse":
        raise BadRatingsError(
            f"{table.report.file}: {repeat} a user–item pair (line {lines[0]}: {example}).",
            "Keep the last rating or the mean of them instead, or remove the repetitions.",
        )
    # Only rows of pairs that occur again are sorted by time: they are few among all.
    several = again.copy()
    several[:-1] |= again[1:]
    order, begins = at.data[several], ~again[several]
    # Unreadable times sort first; the sort is stable, so equal times keep the file's order.
    if rows.times is not None:
        times = np.nan_to_num(rows.times[order], nan=-np.inf)
        order = order[np.lexsort((times, np.cumsum(begins)))]
    firsts = np.flatnonzero(begins)
    latest = order[np.append(firsts[1:], len(order)) - 1]
    ratings = rows.ratings
    if policy == "mean" and ratings is not None:
        sums = np.add.reduceat(ratings[order], firsts)
        means = sums / np.diff(np.append(firsts, len(order)))
        ratings = Repeated(np.append(ratings.values, means), ratings.codes.astype(np.int32))
        ratings.codes[latest] = np.arange(len(ratings.values) - len(means), len(ratings.values))
    left = np.ones(len(rows.user_codes), bool)
    left[order] = False
    left[latest] = True
    merged = rows.only(left, ratings)
    how = (
        "the mean rating was taken"
        if policy == "mean" and ratings is not None
        else ("the last in the file was kept" if rows.times is None else "the latest was kept")
    )
    return merged, [
        Problem(
            "DUPLICATE_PAIR",
            "warning",
            f"{repeat} a user–item pair (such as {example}); {how}.",
            "If every row should count, merge them before, or choose another rule.",
            count,
            lines,
        )
    ]


def _id_problems(
    ids: pd.Index, codes: "NDArray[np.int32]", counted: "NDArray[np.bool_] | None", role: str
) -> list[Problem]:
    """Signs that ids were damaged before they came here; examples in the order of the rows."""
    unique = pa.array(ids, pa.large_string())
    trimmed = pc.utf8_trim_whitespace(unique)
    blanks = _mask(pc.not_equal(trimmed, unique))
    scientific = _mask(pc.match_substring_regex(trimmed, SCIENTIFIC))
    other = _mask(pc.invert(pc.string_is_ascii(unique)))
    if not (blanks | scientific | other).any():
        return []
    seen = pd.unique(codes if counted is None else codes[counted])
    unique = unique.take(pa.array(seen))
    blanks, scientific, other = blanks[seen], scientific[seen], other[seen]
    problems = []
    if blanks.any():
        problems.append(
            Problem(
                "ID_BLANKS",
                "warning",
                plural(int(blanks.sum()), f"{role} id begins or ends", f"{role} ids begin or end")
                + " with blanks (such as "
                f"{_examples(unique, blanks)}); blanks count, so they differ from ids without.",
                "Remove the blanks if they are not meant.",
                int(blanks.sum()),
            )
        )
    if scientific.any():
        problems.append(
            Problem(
                "SCIENTIFIC_ID",
                "warning",
                plural(int(scientific.sum()), f"{role} id is", f"{role} ids are")
                + " in scientific notation "
                f"(such as {_examples(unique, scientific)}): a spreadsheet has rounded them, so "
                "different ones may have become one.",
                "Export the ids as text from the original data.",
                int(scientific.sum()),
            )
        )
    if other.any():
        texts = unique.filter(pa.array(other)).to_pylist()
        forms = pd.Series([unicodedata.normalize("NFC", text) for text in texts])
        twins = forms.duplicated(keep=False)
        if twins.any():
            problems.append(
                Problem(
                    "UNICODE_FORM",
                    "warning",
                    f"{int(twins.sum())} {role} ids look the same but are "
                    f"stored in two Unicode forms (such as {forms[twins].iloc[0]!r}); they count "
                    "as different.",
                    "Normalise the ids to NFC if they are the same.",
                    int(twins.sum()),
                )
            )
    return problems
