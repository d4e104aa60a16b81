"""Own files that are not what their ending says."""

import contextlib
import gzip
import io
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FIRST = b"user,item,rating\n" + b"".join(b"u%d,i%d,5\n" % (n % 7, n) for n in range(40))


def arrow(kind: str) -> bytes:
    stream = io.BytesIO()
    frame = pd.DataFrame({"user": ["u1", "u2"], "item": ["i1", "i2"], "rating": [5, 4]})
    frame.to_parquet(stream) if kind == "parquet" else frame.to_feather(stream)
    return stream.getvalue()


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "user,item\nu1,i1\n")
    return stream.getvalue()


def database(folder: Path) -> bytes:
    path = folder / "base"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("create table ratings (user, item)")
        connection.commit()
    return path.read_bytes()


def array() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, ratings=np.arange(4))
    return stream.getvalue()


class Canary:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def disguised(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Files that are called ratings.csv, and what the page has to call them."""
    return {
        "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook"),
        "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "an old Excel or Word file"),
        "pdf": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n", "a PDF document"),
        "png": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "a PNG picture"),
        "zip": (zipped("a.csv", "b.csv"), "holds 2 files"),
        "sqlite": (database(folder), "an SQLite database"),
        "pickle": (pickle.dumps(Canary(folder / "ran")), "a Python pickle"),
        "torch": (zipped("archive/data.pkl", "archive/version"), "holds 2 files"),
        "gzip bomb": (gzip.compress(bytes(100 * 2**20)), "times its size"),
        "html": (b"<!doctype html><html><body>u1,i1</body></html>", "a web page (HTML)"),
        "docx": (zipped("[Content_Types].xml", "word/document.xml"), "a Word document"),
        "feather": (arrow("feather"), "an Arrow IPC (Feather) file"),
        "npz": (array(), "a NumPy archive"),
        "xml": (b'<?xml version="1.0"?><ratings/>', "an XML file"),
    }


def test_disguised_files_are_named_and_the_earlier_one_stays(
    tab: Callable[..., Any], tmp_path: Path
) -> None:
    app = tab()
    app.open()
    (tmp_path / "first.csv").write_bytes(FIRST)
    app.upload("up_source", tmp_path / "first.csv")
    app.shows("40 rows")
    app.click("replace_source")
    wrong = app.page.locator(".st-key-failure_source")
    for kind, (content, called) in disguised(tmp_path).items():
        path = tmp_path / f"{kind} ratings.csv"
        path.write_bytes(content)
        app.upload("up_source", path)
        wrong.get_by_text(f"{kind} ratings.csv could not be read").wait_for()
        assert called in wrong.inner_text().replace("\u2060", ""), kind
        card = app.page.locator(".st-key-card_source")
        assert "first.csv" in card.inner_text()
        assert "40 rows" in card.inner_text()
    app.shot("wrong_file")
    assert not (tmp_path / "ran").exists()
    app.go("Compare")
    app.go("Data")
    assert "first.csv" in app.page.locator(".st-key-card_source").inner_text()
    # A table is read whatever its ending says.
    app.click("dismiss_source")
    (tmp_path / "table.csv").write_bytes(arrow("parquet"))
    app.upload("up_source", tmp_path / "table.csv")
    app.shows("2 rows")
    assert "first.csv" not in app.page.locator(".st-key-card_source").inner_text()
