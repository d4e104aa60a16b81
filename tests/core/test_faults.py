"""Whatever fails while something is saved, and whenever: the old is there or the new, whole.

Every open, write, fsync, chmod and rename that a save makes fails once, and is once the last that
the process does.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from profiles import scale
from saved_runs import fitted

from transrec_core import load_run, save_run
from transrec_core.engines.folder import open_run_folder, write_run_folder
from transrec_core.persistence import run_bytes
from transrec_core.reporting.saving import TEMPORARY, write_folder
from transrec_core.reporting.tables import write_table
from transrec_core.settings import Settings

CALLS = ("open", "fsync", "chmod", "replace", "mkdir")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


class Steps:
    """Counts calls, and acts at one of them."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self.count = 0
        self.at, self.act = at, act

    def __call__(self) -> None:
        self.count += 1
        if self.count == self.at:
            self.act()


class Raw(io.RawIOBase):
    """A file whose writes to the system are steps; the one that fails has written half."""

    def __init__(self, file: io.RawIOBase, steps: Steps) -> None:
        self._file, self._steps = file, steps

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, data: Any) -> int:
        if self._steps.count + 1 == self._steps.at:
            self._file.write(bytes(data)[: len(data) // 2])
        self._steps()
        return self._file.write(data) or 0

    def close(self) -> None:
        super().close()
        self._file.close()


@contextmanager
def watched(steps: Steps) -> Iterator[None]:
    real = {name: getattr(os, name) for name in (*CALLS, "fdopen")}

    def step(name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            steps()
            return real[name](*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, step(name))
        patch.setattr(
            os,
            "fdopen",
            lambda fd, mode: io.BufferedWriter(Raw(real["fdopen"](fd, mode, 0), steps)),
        )
        yield


def no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def steps_of(save: Callable[[], None]) -> int:
    steps = Steps(0, lambda: None)
    with watched(steps):
        save()
    return steps.count


def dies(save: Callable[[], None], at: int) -> bool:
    """Whether a process that saves is killed at a step."""
    child = os.fork()
    if child == 0:
        try:
            with watched(Steps(at, die)):
                save()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(f"{TEMPORARY}*"))


FRAMES = {
    "old": pd.DataFrame({"user_id": ["a"] * 1000, "score": 0.5}),
    "new": pd.DataFrame({"user_id": ["b"] * 1500, "score": 0.25}),
}
FOLDERS = {
    state: {"evidence.json": state.encode() * 5000, "report.html": state.encode() * 9000}
    for state in ("old", "new")
}


@pytest.fixture(scope="module")
def run() -> Any:
    return fitted(Settings(method="factor_map", rank=2, lam=0.02, shots=(0, 1)), 40, 16)


def kinds(run: Any) -> dict[str, tuple[Callable[[Path, str], None], Callable[[Path], str]]]:
    """By what is saved: how, and which state is found (an error where it is neither)."""

    def found_run(path: Path) -> str:
        return load_run(path).about["state"]

    def found_table(path: Path) -> str:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        (state,) = (name for name in FRAMES if frame.equals(FRAMES[name].astype(frame.dtypes)))
        return state

    def found_folder(path: Path) -> str:
        content = {entry.name: entry.read_bytes() for entry in path.iterdir()}
        (state,) = (name for name in FOLDERS if content == FOLDERS[name])
        return state

    def found_run_folder(path: Path) -> str:
        found = open_run_folder(path)
        assert len(found.lists_of("u001")) == 2
        return found.run.no_comparison

    # The evidence in a run folder is a folder of files, as above.
    top = replace(run.settings, top=2)
    bare = {
        state: replace(run, settings=top, comparison=None, chosen=None, no_comparison=state)
        for state in ("old", "new")
    }
    return {
        "run.transrec": (lambda p, state: save_run(run, p, {"state": state}), found_run),
        "lists.csv": (lambda p, state: write_table(FRAMES[state], p), found_table),
        "lists.parquet": (lambda p, state: write_table(FRAMES[state], p), found_table),
        "evidence": (lambda p, state: write_folder(p, FOLDERS[state]), found_folder),
        "run": (lambda p, state: write_run_folder(bare[state], p), found_run_folder),
    }


NAMES = ("run.transrec", "lists.csv", "lists.parquet", "evidence", "run")


def steps_to_try(name: str, count: int) -> list[int]:
    """All of them; of a run folder, whose files are all made in one way, by default every fifth.

    A file takes another number of steps than five, so that each kind of step is met.
    """
    stride = max(5 // scale(1), 1) if name == "run" else 1
    return sorted({*range(1, count + 1, stride), *range(count - 4, count + 1)})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("exists", [True, False], ids=["over an old one", "new"])
def test_an_error_at_any_step_leaves_the_old_or_the_new_whole(run, tmp_path, name, exists):
    save, found = kinds(run)[name]
    path = tmp_path / name
    count = steps_of(lambda: save(tmp_path / f"count-{name}", "new"))
    assert count >= 6
    for at in steps_to_try(name, count):
        if exists:
            save(path, "old")
        error = None
        with watched(Steps(at, no_space)):
            try:
                save(path, "new")
            except OSError as raised:
                error = raised
        if error is None:
            # Only what comes after the new is in its place may fail unheard.
            assert found(path) == "new", at
        else:
            assert leftovers(tmp_path) == [], at
            assert path.exists() or not exists, at
            assert not path.exists() or found(path) in ("old", "new"), at
        if not exists and path.exists():
            _remove(path)
    save(path, "new")
    assert found(path) == "new"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_kill_at_any_step_leaves_the_old_or_the_new_whole(run, tmp_path, name):
    save, found = kinds(run)[name]
    path = tmp_path / name
    count = steps_of(lambda: save(tmp_path / f"count-{name}", "new"))
    seen = set()
    for at in steps_to_try(name, count):
        save(path, "old")
        assert dies(lambda: save(path, "new"), at), at
        seen.add(found(path))
    assert "old" in seen
    save(path, "new")
    assert found(path) == "new"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def test_a_folder_with_other_things_keeps_them(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    write_folder(folder, FOLDERS["old"])
    write_folder(folder, FOLDERS["new"])
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "report.html").read_bytes() == FOLDERS["new"]["report.html"]


def test_the_working_folder_stays_the_same_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(Path(), FOLDERS["old"])
    write_folder(Path(), FOLDERS["new"])
    assert Path("report.html").read_bytes() == FOLDERS["new"]["report.html"]


def test_folders_are_exchanged_where_the_system_cannot_do_it_in_one_step(tmp_path, monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    for state in ("old", "new"):
        write_folder(tmp_path / "evidence", FOLDERS[state])
    assert (tmp_path / "evidence" / "report.html").read_bytes() == FOLDERS["new"]["report.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]


def test_a_run_is_the_same_bytes_in_a_file_and_in_memory(run, tmp_path):
    save_run(run, tmp_path / "a")
    ours, theirs = (tmp_path / "a").read_bytes(), run_bytes(run)
    assert len(ours) == len(theirs)
