"""Folders for a while: gone after the work, and after a process that could not clean up."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from needs import LINKS

from transrec_core.temporary import FILES, remove_leftovers, temporary_folder

HOLD = """
import sys
from transrec_core.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "result").write_bytes(bytes(1000))
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder, of this process and of those that it starts."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """A process that has a folder with a file in it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "transrec-" in process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_folder_is_ours_alone_and_gone_after_the_work(place: Path) -> None:
    with suppress(ZeroDivisionError), temporary_folder() as folder:
        (folder / "file").write_text("x")
        assert os.name == "nt" or folder.parent.stat().st_mode & 0o777 == 0o700
        raise ZeroDivisionError
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_is_at_work_stays(
    place: Path, holder: subprocess.Popen[str]
) -> None:
    with temporary_folder() as mine:
        assert remove_leftovers() == 0
        assert len(list(place.iterdir())) == 2
        holder.kill()
        holder.wait()
        assert len(list(place.glob(f"*/{FILES}/result"))) == 1
        assert remove_leftovers() == 1
        assert list(place.iterdir()) == [mine.parent]


@LINKS
def test_folders_that_only_have_such_a_name_stay(place: Path) -> None:
    for name in ("transrec-data", "transrec-aaaaaaaa", "transrec-0.1.0"):
        (place / name / FILES).mkdir(parents=True)
        (place / name / FILES / "ratings.csv").write_text("1")
    (place / "transrec-bbbbbbbb").symlink_to(place / "transrec-data")
    (place / "transrec-cccccccc").write_text("")
    assert remove_leftovers() == 0
    assert len(list(place.iterdir())) == 5


def test_no_temporary_folder_is_no_reason_not_to_start(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place / "nowhere"))
    assert remove_leftovers() == 0
