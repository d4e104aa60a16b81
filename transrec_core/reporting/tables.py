"""Tables as CSV, Parquet or JSON."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Literal

import pandas as pd

from transrec_core.errors import BadSettingError
from transrec_core.reporting.saving import atomic_file, write_atomically
from transrec_core.system import raise_if_interrupted

Kind = Literal["csv", "parquet", "json"]
Parts = Callable[[], Iterator[pd.DataFrame]]
KINDS: dict[str, Kind] = {".csv": "csv", ".parquet": "parquet", ".json": "json"}

PART_ROWS = 2**17
"""Rows that are written at once, of a table that comes in parts."""

# Spreadsheets run a cell that begins with one of these as a formula (CWE-1236); East Asian ones
# take the wide and small forms for the same, and blanks or quotes before it may be dropped.
_TRIGGER = r"[=+\-@＝＋－＠﹦﹢﹣﹫]"
_SKIPPED = r"""[\s'"\u00a0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]*"""
# Where the system's list separator is a semicolon or a tab, a comma-separated line is cut there,
# quoted or not, and what follows becomes a cell.
_CUT = r"[;\t\r\n]"
FORMULA = re.compile(rf"(^|{_CUT})(?={_SKIPPED}{_TRIGGER})|^(?='*[\t\r\n])")
# The same without looking ahead, which pandas' fast search over whole columns cannot do.
_HOLDS_FORMULA = rf"(?:^|{_CUT}){_SKIPPED}{_TRIGGER}|^'*[\t\r\n]"


def kind_of(path: Path) -> Kind:
    """Format that a file name's ending stands for.

    Raises
    ------
    BadSettingError
        When it is none of ``.csv``, ``.parquet`` and ``.json``.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise BadSettingError(
            f"{path.name!r} does not say which format to write.",
            f"Let the name end with {', '.join(KINDS)}.",
        )
    return kind


def write_table(frame: pd.DataFrame, path: str | Path, *, raw: bool = False) -> None:
    """Write a table in the format of the path's ending, whole or not at all.

    Parameters
    ----------
    frame
        Any table.
    path
        Where to; the ending says in which format.
    raw
        Whether a CSV holds text as it is, see ``table_bytes``.

    Raises
    ------
    BadSettingError
        When the ending is unknown.
    OSError
        When the folder cannot be written.
    """
    path = Path(path)
    write_atomically(path, table_bytes(frame, kind_of(path), raw=raw))


def write_parts(
    parts: Callable[[], Iterable[pd.DataFrame]], path: str | Path, *, raw: bool = False
) -> None:
    """Write a table that comes in parts, so that never all of it is in memory.

    Parameters
    ----------
    parts
        Gives the table's rows, one part after the other, at least one; asked again where a CSV
        has to begin anew, as a text with a carriage return comes late.
    path, raw
        As for ``write_table``, which would write the same rows, of a CSV the same bytes.

    Raises
    ------
    BadSettingError, OSError
        As ``write_table``.
    """
    path = Path(path)
    kind = kind_of(path)
    write = {"csv": _csv_parts, "json": _json_parts, "parquet": _parquet_parts}[kind]
    with atomic_file(path) as stream:
        write(lambda: _larger(parts()), stream, raw)


def _larger(parts: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The same rows in parts that are worth being written."""
    waiting: list[pd.DataFrame] = []
    for part in parts:
        raise_if_interrupted()
        waiting.append(part)
        if sum(map(len, waiting)) >= PART_ROWS:
            yield pd.concat(waiting, ignore_index=True)
            waiting.clear()
    if waiting:
        yield pd.concat(waiting, ignore_index=True)


def _csv_parts(parts: Parts, stream: IO[bytes], raw: bool) -> None:
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC):
        stream.seek(0)
        stream.truncate()
        for number, part in enumerate(parts()):
            safe, returns = _safe(part, raw)
            if returns and quoting == csv.QUOTE_MINIMAL:
                break  # all of it is quoted then
            stream.write(_csv(safe, quoting, header=number == 0))
        else:
            return


def _json_parts(parts: Parts, stream: IO[bytes], raw: bool) -> None:
    before = b"["
    for part in parts():
        records = _records(part).encode()[1:-1]
        if records:
            stream.write(before + records)
            before = b","
    stream.write(b"[]\n" if before == b"[" else b"]\n")


def _parquet_parts(parts: Parts, stream: IO[bytes], raw: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for part in parts():
        # Columns of no rows do not tell their types.
        if writer is not None and part.empty:
            continue
        schema = None if writer is None else writer.schema
        table = pa.Table.from_pandas(part, schema=schema, preserve_index=False)
        if writer is None:
            writer = pq.ParquetWriter(stream, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def table_bytes(frame: pd.DataFrame, kind: Kind, *, raw: bool = False) -> bytes:
    """Encode a table as a file's content.

    Parameters
    ----------
    frame
        Any table.
    kind
        ``"csv"`` (text that a spreadsheet would run gets a ``'`` before it), ``"parquet"`` or
        ``"json"`` (a list of records); the latter two hold the text as it is.
    raw
        Whether a CSV holds text as it is too: for programs, not for spreadsheets.
    """
    if kind == "csv":
        return csv_bytes(frame, raw=raw)
    if kind == "json":
        return (_records(frame) + "\n").encode()
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def _records(frame: pd.DataFrame) -> str:
    return frame.to_json(orient="records", force_ascii=False, double_precision=15)


def csv_bytes(frame: pd.DataFrame, *, raw: bool = False) -> bytes:
    """UTF-8 CSV in which no text cell or header starts a formula; numbers are untouched.

    Before a formula comes a ``'``: at the start of the cell, and behind a semicolon, a tab or a
    line break inside it. No two texts become one by that. With ``raw`` nothing is added.
    """
    safe, returns = _safe(frame, raw)
    return _csv(safe, csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL)


def _safe(frame: pd.DataFrame, raw: bool) -> tuple[pd.DataFrame, bool]:
    """The table without formulas, and whether a text in it has a carriage return.

    The csv module quotes that only where it ends lines, yet readers end lines at it.
    """
    names = pd.Series(map(str, frame.columns), dtype="str")
    safe = frame.set_axis(list(names if raw else _disarmed(names)), axis=1)
    returns = any("\r" in name for name in safe.columns)
    for position, column in enumerate(safe.columns):
        values = safe.iloc[:, position]
        if not pd.api.types.is_numeric_dtype(values):
            texts = values.astype("str")
            safe[column] = texts if raw else _disarmed(texts)
            returns = returns or bool(texts.str.contains("\r", regex=False).any())
    return safe, returns


def _csv(safe: pd.DataFrame, quoting: Literal[0, 2], *, header: bool = True) -> bytes:
    text = safe.to_csv(index=False, lineterminator="\n", quoting=quoting, header=header)
    return text.encode()


def _disarmed(texts: "pd.Series[str]") -> "pd.Series[str]":
    # Lists repeat their ids and titles many times over.
    once = texts.drop_duplicates().dropna()
    odd = once[once.str.contains(_HOLDS_FORMULA, regex=True)]
    if odd.empty:
        return texts
    changed = {text: FORMULA.sub(r"\1'", text) for text in odd}
    return texts.mask(texts.isin(odd), texts.map(changed))
