"""A console of any encoding shows every text, spelled where it has no such signs."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from transrec_core import cli, console

COMMANDS = ("app", "check", "compare", "fit", "lists", "recommend", "report", "sources", "sparsity")


@pytest.fixture
def on_console(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command on a console of an encoding, and read what it shows."""

    def call(encoding: str, *words: str) -> str:
        shown = io.TextIOWrapper(io.BytesIO(), encoding, errors="strict")
        monkeypatch.setattr(sys, "stdout", shown)
        with contextlib.suppress(SystemExit):  # how argparse ends help
            cli.main(list(words))
        shown.flush()
        return shown.buffer.getvalue().decode(encoding)

    return call


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "gbk"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_shown_on_every_console(
    encoding: str, command: str, on_console: Callable[..., str]
) -> None:
    shown = on_console(encoding, command, "--help")
    assert "usage: transrec" in shown
    assert "?" not in shown.replace("(?)", "")
    if encoding in ("ascii", "cp1252") and command in ("fit", "compare"):
        assert "weight lambda" in shown


def test_a_console_of_utf_8_shows_text_as_it_is(on_console: Callable[..., str]) -> None:
    assert "weight λ" in on_console("utf-8", "fit", "--help")


@pytest.fixture
def titled(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    path.write_text("λ−user,ítem,日本,rating\nu1,i1,x,5\nu2,i2,y,4\n", encoding="utf-8")
    return path


def test_a_report_spells_what_the_console_lacks(
    titled: Path, on_console: Callable[..., str]
) -> None:
    assert "lambda-user" in on_console("ascii", "check", str(titled))
    assert "λ−user" in on_console("utf-8", "check", str(titled))


def test_json_says_the_same_on_every_console(titled: Path, on_console: Callable[..., str]) -> None:
    told = {
        encoding: json.loads(on_console(encoding, "check", "--json", str(titled)))
        for encoding in ("utf-8", "cp1252", "ascii")
    }
    assert "λ−user" in told["ascii"]["columns"]
    assert told["utf-8"] == told["cp1252"] == told["ascii"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux alone")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_name_of_a_file_that_is_no_text_is_shown(encoding: str, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.csv"
    with open(path, "wb") as file:
        file.write(b"user,item,rating\nu1,i1,5\n")
    done = subprocess.run(
        [sys.executable, "-m", "transrec_core.cli", "check", path],
        env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True, check=False,
    )  # fmt: skip
    assert b"usable" in done.stdout, done.stderr
    assert b"Traceback" not in done.stderr


def test_a_stream_that_is_none_or_no_console_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stdout", plain)
    monkeypatch.setattr(sys, "stderr", None)
    console.spell_what_cannot_be_shown()
    assert sys.stdout is plain
    assert not console.shows_everything()


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("λ − 5 × σ²", "lambda - 5 x sigma2"),
        ("Émile Zola", "Emile Zola"),
        ("日", "?"),
        ("½", "1/2"),
    ],
)
def test_signs_are_spelled(text: str, spelled: str) -> None:
    console.spell_what_cannot_be_shown()
    assert text.encode("ascii", console.ERRORS).decode("ascii") == spelled
