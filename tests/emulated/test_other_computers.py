"""Commands and the app on computers that lack what this one has; see ``sitecustomize``."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import transrec_core

HERE = Path(__file__).parent
PACKAGES = Path(transrec_core.__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems need no emulation")

COMPUTERS = {
    "windows-cp1252": {"EMULATED": "posix", "PYTHONIOENCODING": "cp1252"},
    "ascii-without-home": {
        "EMULATED": "home", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
    },
    "read-only": {"EMULATED": "writing", "PYTHONIOENCODING": "ascii"},
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def emulated(folder: Path, changes: dict[str, str]) -> dict[str, str]:
    """Environment of a process on another computer, whose home is in ``folder``."""
    home = folder / "home"
    home.mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TRANSREC_", "XDG_", "LC_", "LANG", "NUMBA_"))
    }
    told = folder / "emulated"
    return environment | {
        "PYTHONPATH": str(HERE), "HOME": str(home), "EMULATION_TOLD": str(told),
        "READ_ONLY": os.pathsep.join([str(home), str(PACKAGES), sys.prefix]),
        "TMPDIR": str(folder),
    } | changes  # fmt: skip


@pytest.mark.parametrize("computer", COMPUTERS)
def test_every_command_and_the_app_work(computer: str, tmp_path: Path, sample_data: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name, side in (("films.csv", "source"), ("books.csv", "target")):
        shutil.copy(sample_data / name, work / f"{side}.csv")
    (work / "odd λ−é.csv").write_text("user,item,rating\nλ,−é,5\n日,ß,4\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(HERE / "session.py"), str(work), str(free_port())],
        env=emulated(tmp_path, COMPUTERS[computer]), cwd=work, capture_output=True, timeout=500,
        check=False,
    )  # fmt: skip
    said = done.stderr.decode("utf-8", "replace")
    assert said.rstrip().endswith("done"), said[-4000:]
    assert done.returncode == 0
    assert "Traceback" not in said
    assert (tmp_path / "emulated").exists()
    assert b"lambda" in done.stdout
    for name in ("lists.csv", "again.csv", "evidence/report.html"):
        assert (work / name).stat().st_size > 1000
    assert [path.name for path in work.iterdir() if path.name.startswith((".", "~"))] == []
