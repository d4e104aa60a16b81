"""The deployment notes and their example files say what is so: options, limits, paths."""

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from transrec_core.cli import _parser
from transrec_core.limits import MIB, Limits

DASHBOARD = Path(__file__).resolve().parent.parent / "dashboard"
DEPLOY = DASHBOARD / "deploy"
NOTES = DASHBOARD / "DEPLOYMENT.md"
FILES = [NOTES, *sorted(DEPLOY.iterdir())]


def commands_in(text: str) -> list[list[str]]:
    """What is handed to ``transrec app`` wherever a text shows or runs it."""
    found = re.findall(r"(?:transrec|bin/transrec) (app(?: [^\s`…]+)*)", text)
    listed = re.findall(r'CMD \["(app".*)\]', text)
    return [*(f.split() for f in found), *(re.findall(r'[^", ]+', each) for each in listed)]


def test_the_commands_are_found() -> None:
    assert commands_in("run `transrec app --port 1 …` now") == [["app", "--port", "1"]]
    assert commands_in('CMD ["app", "--port", "1"]') == [["app", "--port", "1"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_command_that_is_shown_is_one(file: Path) -> None:
    for command in commands_in(file.read_text(encoding="utf-8")):
        _parser().parse_args(command)


def test_commands_are_shown_in_all_that_start_the_server() -> None:
    shown = [file.name for file in FILES if commands_in(file.read_text(encoding="utf-8"))]
    assert shown == ["DEPLOYMENT.md", "Dockerfile", "nginx.conf", "transrec.service"]


def test_the_limits_in_the_notes_are_the_defaults() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", NOTES.read_text(), re.MULTILINE)
    told = {}
    for names, values in rows:
        told.update(zip(re.findall(r"\w+", names), values.strip().split(", "), strict=True))
    assert set(told) <= {entry.name for entry in fields(Limits)}
    assert {"memory", "upload_mb", "workspaces", "store_bytes"} <= set(told)
    for name, value in told.items():
        if name != "memory":
            number, _, unit = value.partition(" ")
            scale = {"": 1, "GiB": 1024 * MIB}[unit]
            default = next(entry.default for entry in fields(Limits) if entry.name == name)
            assert float(number) * scale == default, name


def test_nginx_takes_what_the_server_takes() -> None:
    found = re.search(r"client_max_body_size (\d+)m;", (DEPLOY / "nginx.conf").read_text())
    assert found
    default = next(entry.default for entry in fields(Limits) if entry.name == "upload_mb")
    assert int(found[1]) == default + 1


def test_the_image_is_made_of_files_that_are_there_and_runs_as_nobody_special() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    root = DASHBOARD.parent
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    sources = [word for word in copied if not word.startswith(("--", "/"))]
    assert sources
    assert all((root / source).exists() for source in sources)
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{source}" for source in sources} <= set(kept)
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER transrec"]
    assert lines.index("USER transrec") < next(
        number for number, line in enumerate(lines) if line.startswith("ENTRYPOINT")
    )


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed here")
    text = (DEPLOY / "transrec.service").read_text()
    # The program that the unit starts has to be there.
    unit = tmp_path / "transrec.service"
    unit.write_text(text.replace("/opt/transrec/bin/transrec", "/bin/true"))
    done = subprocess.run(
        [verify, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
