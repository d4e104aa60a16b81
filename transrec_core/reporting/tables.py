"""Tables as CSV, Parquet or JSON."""

import csv
import io
import re
from pathlib import Path
from typing import Literal

import pandas as pd

from transrec_core.errors import BadSettingError
from transrec_core.reporting.saving import write_atomically

Kind = Literal["csv", "parquet", "json"]
KINDS: dict[str, Kind] = {".csv": "csv", ".parquet": "parquet", ".json": "json"}

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
        text = frame.to_json(orient="records", force_ascii=False, double_precision=15)
        return (text + "\n").encode()
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def csv_bytes(frame: pd.DataFrame, *, raw: bool = False) -> bytes:
    """UTF-8 CSV in which no text cell or header starts a formula; numbers are untouched.

    Before a formula comes a ``'``: at the start of the cell, and behind a semicolon, a tab or a
    line break inside it. No two texts become one by that. With ``raw`` nothing is added.
    """
    # The csv module quotes a carriage return only where it ends lines, yet readers end lines at it.
    quoting: Literal[0, 2] = csv.QUOTE_MINIMAL
    names = pd.Series(map(str, frame.columns), dtype="str")
    safe = frame.set_axis(list(names if raw else _disarmed(names)), axis=1)
    for position, column in enumerate(safe.columns):
        values = safe.iloc[:, position]
        if not pd.api.types.is_numeric_dtype(values):
            texts = values.astype("str")
            safe[column] = texts if raw else _disarmed(texts)
            if texts.str.contains("\r", regex=False).any():
                quoting = csv.QUOTE_NONNUMERIC
    if any("\r" in name for name in safe.columns):
        quoting = csv.QUOTE_NONNUMERIC
    return safe.to_csv(index=False, lineterminator="\n", quoting=quoting).encode()


def _disarmed(texts: "pd.Series[str]") -> "pd.Series[str]":
    # Lists repeat their ids and titles many times over.
    once = texts.drop_duplicates().dropna()
    odd = once[once.str.contains(_HOLDS_FORMULA, regex=True)]
    if odd.empty:
        return texts
    changed = {text: FORMULA.sub(r"\1'", text) for text in odd}
    return texts.mask(texts.isin(odd), texts.map(changed))
