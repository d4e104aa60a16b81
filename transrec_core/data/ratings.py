"""Text cells to ratings: exact ids, strict numbers, times in seconds, one row a user–item pair."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transrec_core.columns import ITEM, RATING, TIME, USER
from transrec_core.data.interactions import Interactions
from transrec_core.data.mapping import ROLES
from transrec_core.data.reading import SEVERITIES, Table, read_table
from transrec_core.data.report import ImportReport, Problem
from transrec_core.errors import BadRatingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Duplicates = Literal["last", "mean", "refuse"]

# Numbers as people and programs write them; not 1_000, full-width digits, inf, nan or TRUE.
DECIMAL = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
DECIMAL_COMMA = r"^[+-]?[0-9]+,[0-9]+$"
SCIENTIFIC = r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}$"
# Epoch times count in units that their size gives away: seconds until the year 5138.
EPOCH_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


@dataclass(frozen=True)
class Ratings:
    """One domain's ratings as a table.

    Attributes
    ----------
    frame
        ``user_id`` and ``item_id`` (text, exactly as in the file), ``rating`` (float64) and
        ``timestamp`` (float64, seconds since 1970, NaN where unreadable) where the data has them.
        One row a user–item pair.
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
        return self._interactions

    @cached_property
    def _interactions(self) -> Interactions:
        return Interactions.from_frame(self.frame)


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
    """Read a file of ratings: ``read_table`` followed by ``to_ratings``.

    Raises
    ------
    UnreadableFileError
        When the file is no table.
    BadRatingsError
        When its cells are no ratings.
    """
    table = read_table(file, name=name, delimiter=delimiter, header=header, encoding=encoding)
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
    ids = {role: _text(table, columns[role]) for role in ("user", "item")}
    blank = {
        role: _mask(pc.equal(pc.utf8_trim_whitespace(cells), "")) for role, cells in ids.items()
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
                f"{(~keep).sum()} rows were left out: {which}.",
                "Fill in the ids, or ignore this if the rows are of no use.",
            )
        )
    ratings = times = None
    if columns["rating"] is not None:
        ratings, found = _ratings(table, _text(table, columns["rating"]), keep)
        problems += found
        keep &= np.isfinite(ratings)
    if columns["time"] is not None:
        times, found = _times(table, columns["time"], keep)
        problems += found
    if not keep.any():
        reasons = "; ".join(p.message for p in problems if p.code in ("MISSING_ID", "BAD_RATING"))
        raise BadRatingsError(
            f"{table.report.file}: no usable row remains. {reasons}".strip(),
            f"Check which columns hold the user ({columns['user']}), the item ({columns['item']}) "
            f"and the rating ({columns['rating']}).",
        )
    frame, lines = _assemble(table, ids, ratings, times, keep)
    frame, found = _merge_duplicates(frame, lines, duplicates, table)
    problems += found
    for role, column in (("user", USER), ("item", ITEM)):
        problems += _id_problems(frame[column], role)
    problems.sort(key=lambda problem: SEVERITIES.index(problem.severity))
    report = replace(table.report, mapping=columns, problems=tuple(problems))
    return Ratings(frame, report, table.sha256)


def _columns(table: Table, mapping: Mapping[str, str | None] | None) -> dict[str, str | None]:
    given = table.report.mapping if mapping is None else mapping
    columns = {role: given.get(role) for role in ROLES}
    have = ", ".join(table.frame.columns[:12])
    unknown = [
        column for column in columns.values() if column and column not in table.frame.columns
    ]
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
    if len(set(used)) < len(used):
        raise BadRatingsError(
            f"{table.report.file}: one column is used twice ({', '.join(used)}).",
            "Choose a different column for each part.",
        )
    return columns


def _text(table: Table, column: str | None) -> pa.ChunkedArray:
    array = pa.array(table.frame[column], pa.large_string())
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _mask(values: pa.ChunkedArray) -> "NDArray[np.bool_]":
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


def _examples(cells: pa.ChunkedArray, bad: "NDArray[np.bool_]") -> str:
    values = cells.take(pa.array(np.flatnonzero(bad)[:5])).to_pylist()
    return ", ".join(repr(v if len(v) <= 20 else v[:20] + "…") for v in dict.fromkeys(values))


def _numbers(cells: pa.ChunkedArray, pattern: str = DECIMAL) -> "NDArray[np.float64]":
    """Cells that are written as decimal numbers, NaN elsewhere; blanks around them are ignored."""
    cells = pc.utf8_trim_whitespace(cells)
    fits = pc.match_substring_regex(cells, pattern)
    if pattern == DECIMAL_COMMA:
        cells = pc.replace_substring(cells, ",", ".")
    cells = pc.utf8_ltrim(cells, "+")  # Arrow's cast does not read a plus sign
    values = pc.if_else(fits, cells, None).cast(pa.float64())
    numbers = np.array(values.to_numpy(zero_copy_only=False), np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _ratings(
    table: Table, cells: pa.ChunkedArray, keep: "NDArray[np.bool_]"
) -> tuple["NDArray[np.float64]", list[Problem]]:
    # Ratings repeat a few values a million times: read each value once.
    encoded = cells.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes = encoded.indices.to_numpy()
    values = pa.chunked_array([encoded.dictionary])
    numbers, problems = _numbers(values), []
    commas = _numbers(values, DECIMAL_COMMA)
    dots = _mask(pc.match_substring(values, "."))
    # 4,5 is 4.5 only where no other value says that the point is the decimal sign.
    if np.isfinite(commas).any() and not dots.any():
        first = values[int(np.flatnonzero(np.isfinite(commas))[0])].as_py().strip()
        problems.append(
            Problem(
                "DECIMAL_COMMA",
                "info",
                f"Ratings have a decimal comma: {first} was read as {first.replace(',', '.')}.",
                "",
                int(np.isfinite(commas)[codes].sum()),
            )
        )
        numbers = np.where(np.isnan(numbers), commas, numbers)
    ratings = numbers[codes]
    bad = np.isnan(ratings) & keep
    if bad.any():
        problems.append(
            _row_problem(
                table,
                "BAD_RATING",
                "warning",
                bad,
                f"{bad.sum()} rows were left out because their "
                f"rating is not a number (such as {_examples(cells, bad)}).",
                "Correct these cells, or choose another rating column.",
            )
        )
    return ratings, problems


def _times(
    table: Table, column: str, keep: "NDArray[np.bool_]"
) -> tuple["NDArray[np.float64] | None", list[Problem]]:
    cells = _text(table, column)
    times = _numbers(cells)
    for least, units in EPOCH_UNITS:
        times = np.where(np.abs(times) >= least, times / units, times)
    other = np.isnan(times)
    if other.any():
        dates = pd.to_datetime(
            table.frame[column][other].str.strip(), format="ISO8601", utc=True, errors="coerce"
        )
        since = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
        times[other] = since.to_numpy(np.float64)
    bad = np.isnan(times) & keep
    if not bad.any():
        return times, []
    none_left = not (keep & ~bad).any()
    consequence = (
        f"the column {column} is ignored" if none_left else "these rows count as the earliest"
    )
    problem = _row_problem(
        table,
        "BAD_TIME",
        "warning",
        bad,
        f"{bad.sum()} times cannot be read (such as {_examples(cells, bad)}), so {consequence}.",
        "Write times as seconds since 1970 or as 2024-12-31 23:59:59.",
    )
    return (None if none_left else times), [problem]


def _assemble(
    table: Table,
    ids: Mapping[str, pa.ChunkedArray],
    ratings: "NDArray[np.float64] | None",
    times: "NDArray[np.float64] | None",
    keep: "NDArray[np.bool_]",
) -> tuple[pd.DataFrame, "NDArray[np.int64]"]:
    rows = np.flatnonzero(keep)
    whole = len(rows) == len(keep)
    mask = None if whole else pa.array(keep)
    columns: dict[str, pa.ChunkedArray] = {
        USER: ids["user"] if mask is None else ids["user"].filter(mask),
        ITEM: ids["item"] if mask is None else ids["item"].filter(mask),
    }
    frame = pa.table(columns).to_pandas()
    for name, values in ((RATING, ratings), (TIME, times)):
        if values is not None:
            frame[name] = values[rows]
    return frame, rows


def _merge_duplicates(
    frame: pd.DataFrame, rows: "NDArray[np.int64]", policy: Duplicates, table: Table
) -> tuple[pd.DataFrame, list[Problem]]:
    users, _ = pd.factorize(frame[USER])
    items, names = pd.factorize(frame[ITEM])
    pairs = pd.Series(users.astype(np.int64) * max(len(names), 1) + items)
    repeated = pairs.duplicated().to_numpy()
    count = int(repeated.sum())
    if count == 0:
        return frame, []
    lines = table.lines_of(rows[np.flatnonzero(repeated)])
    first = frame.iloc[int(np.flatnonzero(repeated)[0])]
    example = f"user {first[USER]}, item {first[ITEM]}"
    if policy == "refuse":
        raise BadRatingsError(
            f"{table.report.file}: {count} rows repeat a user–item pair "
            f"(line {lines[0]}: {example}).",
            "Keep the last rating or the mean of them instead, or remove the repetitions.",
        )
    times = frame[TIME].to_numpy() if TIME in frame else np.zeros(len(frame))
    # Unreadable times sort first; the sort is stable, so equal times keep the file's order.
    order = np.lexsort((np.nan_to_num(times, nan=-np.inf), pairs.to_numpy()))
    sorted_pairs = pairs.to_numpy()[order]
    last = np.append(sorted_pairs[1:] != sorted_pairs[:-1], True)
    kept = order[last]
    merged = frame.iloc[kept].copy()
    if policy == "mean" and RATING in frame:
        starts = np.flatnonzero(np.append(True, last[:-1]))
        sums = np.add.reduceat(frame[RATING].to_numpy()[order], starts)
        merged[RATING] = sums / np.diff(np.append(starts, len(order)))
    merged = merged.iloc[np.argsort(kept)].reset_index(drop=True)
    how = (
        "the mean rating was taken"
        if policy == "mean" and RATING in frame
        else ("the latest was kept" if TIME in frame else "the last in the file was kept")
    )
    return merged, [
        Problem(
            "DUPLICATE_PAIR",
            "warning",
            f"{count} rows repeat a user–item pair (such as {example}); {how}.",
            "If every row should count, merge them before, or choose another rule.",
            count,
            lines,
        )
    ]


def _id_problems(ids: pd.Series, role: str) -> list[Problem]:
    """Signs that ids were damaged before they came here; looked for on unique ids only."""
    unique = pa.chunked_array([pa.array(pd.unique(ids), pa.large_string())])
    problems = []
    trimmed = pc.utf8_trim_whitespace(unique)
    blanks = _mask(pc.not_equal(trimmed, unique))
    if blanks.any():
        problems.append(
            Problem(
                "ID_BLANKS",
                "warning",
                f"{blanks.sum()} {role} ids begin or end with blanks (such as "
                f"{_examples(unique, blanks)}); blanks count, so they differ from ids without.",
                "Remove the blanks if they are not meant.",
                int(blanks.sum()),
            )
        )
    scientific = _mask(pc.match_substring_regex(trimmed, SCIENTIFIC))
    if scientific.any():
        problems.append(
            Problem(
                "SCIENTIFIC_ID",
                "warning",
                f"{scientific.sum()} {role} ids are in scientific notation "
                f"(such as {_examples(unique, scientific)}): a spreadsheet has rounded them, so "
                "different ones may have become one.",
                "Export the ids as text from the original data.",
                int(scientific.sum()),
            )
        )
    other = _mask(pc.invert(pc.string_is_ascii(unique)))
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
