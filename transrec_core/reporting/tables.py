"""Tables as CSV, Parquet or JSON."""

import csv
import io
from pathlib import Path
from typing import Literal

import pandas as pd

from transrec_core.errors import BadSettingError
from transrec_core.reporting.saving import write_atomically

Kind = Literal["csv", "parquet", "json"]
KINDS: dict[str, Kind] = {".csv": "csv", ".parquet": "parquet", ".json": "json"}

# Spreadsheets run a cell that begins with one of these as a formula (CWE-1236).
FORMULA_START = r"^[=+\-@\t\r]"


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


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table in the format of the path's ending, whole or not at all.

    Raises
    ------
    BadSettingError
        When the ending is unknown.
    OSError
        When the folder cannot be written.
    """
    path = Path(path)
    write_atomically(path, table_bytes(frame, kind_of(path)))


def table_bytes(frame: pd.DataFrame, kind: Kind) -> bytes:
    """Encode a table as a file's content.

    Parameters
    ----------
    frame
        Any table.
    kind
        ``"csv"`` (text that a spreadsheet would run gets a leading ``'``), ``"parquet"`` or
        ``"json"`` (a list of records); the latter two hold the text as it is.
    """
    if kind == "csv":
        return csv_bytes(frame)
    if kind == "json":
        text = frame.to_json(orient="records", force_ascii=False, double_precision=15)
        return (text + "\n").encode()
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """UTF-8 CSV in which no text cell or header starts a formula; numbers are untouched."""
    # The csv module quotes a carriage return only where it ends lines, yet readers end lines at it.
    quoting: Literal[0, 2] = csv.QUOTE_MINIMAL
    safe = frame.set_axis(list(_disarmed(pd.Series(map(str, frame.columns)))), axis=1)
    for position, column in enumerate(safe.columns):
        values = safe.iloc[:, position]
        if not pd.api.types.is_numeric_dtype(values):
            safe[column] = _disarmed(values.astype("str"))
            if safe[column].str.contains("\r", regex=False).any():
                quoting = csv.QUOTE_NONNUMERIC
    if any("\r" in name for name in safe.columns):
        quoting = csv.QUOTE_NONNUMERIC
    return safe.to_csv(index=False, lineterminator="\n", quoting=quoting).encode()


def _disarmed(texts: pd.Series) -> pd.Series:
    return texts.mask(texts.str.contains(FORMULA_START, regex=True), "'" + texts)
