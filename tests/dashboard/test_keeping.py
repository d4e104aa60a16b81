"""Workspaces on disk: found again as they were, and what is missing is told of, not guessed."""

import dataclasses
import errno
import gc
import gzip
import json
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import stand_ins
from facts import facts
from saved_runs import require_same

from dashboard import compute, jobs, keeping
from dashboard.jobs import Register, Workspace
from dashboard.keeping import Keeper
from dashboard.store import Store, UnreadableRecordError, key_of
from transrec_core import persistence
from transrec_core.data.formats import FileFormat
from transrec_core.errors import TransrecError
from transrec_core.running import Run
from transrec_core.settings import Settings

Restart = Callable[[], Register]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def restart(folder: Path) -> Iterator[Restart]:
    """A server's register on the folder; the one before it ends first."""
    running: list[Keeper] = []

    def restart_() -> Register:
        for keeper in running:
            keeper.close()
        register = Register()
        register.keeper = Keeper(Store(folder))
        running[:] = [register.keeper]
        return register

    yield restart_
    for keeper in running:
        keeper.close()


@pytest.fixture
def space(restart: Restart, small_run: Run) -> Workspace:
    """The sample with two runs, the first renamed, pinned and on show."""
    register = restart()
    made = register.create()
    compute.load_sample(made)
    made.settings = small_run.settings
    for id_ in ("cafe0001", "cafe0002"):
        made.install(small_run, made.inputs, ("films.csv", "books.csv"), id_, ("a.csv", "b.csv"))
    first = made.results[1]
    made.rename(first, "“First” → ü")
    made.pin(first, True)
    made.show(first)
    settle(made)
    return made


def settle(space: Workspace) -> None:
    """Keep a workspace and wait until all of it is on the disk."""
    space.keep()
    assert space.keeper is not None
    space.keeper.flush()


def found(register: Register, id_: str) -> Workspace:
    space = register.find(id_)
    assert space is not None
    return space


def other_run(run: Run) -> Run:
    """A run with other content."""
    return dataclasses.replace(run, seconds=run.seconds + 1)


def record(folder: Path, space: Workspace) -> dict[str, Any]:
    path = folder / "workspaces" / f"{key_of(space.id)}.json"
    read: dict[str, Any] = json.loads(path.read_text())
    return read


def test_a_restart_changes_nothing(space: Workspace, restart: Restart) -> None:
    compute.add_sample_candidate(space)
    compute.remap(
        space,
        "source",
        {"user": "user_id", "item": "item_id", "rating": None, "time": None},
        "mean",
    )
    table = pd.DataFrame({"source": ["films.csv"], "gain": [0.125], "note": [""]})
    space.studies["sources"] = jobs.Study(table, "of these")
    settle(space)
    before = facts(space)
    again = found(restart(), space.id)
    assert again is not space
    assert facts(again) == before
    assert again.notes == ()
    assert again.unkept == {}
    assert again.studies["sources"].table.equals(table)
    assert again.source is not None
    assert space.source is not None
    assert again.source.table.cells.equals(space.source.table.cells)
    for one, other in zip(again.results, space.results, strict=True):
        require_same(one.run, other.run)
    # The next restart finds the same, although nothing was written in between.
    assert facts(found(restart(), space.id)) == before


def test_files_are_read_again_as_they_were_written(restart: Restart) -> None:
    space = restart().create()
    # By itself the first row would be taken for data, the bytes for nothing, the bar for a name.
    odd = "ü|x|3\nö|y|4\n".encode("cp1252")
    assert not compute.load_side(space, "source", odd, "odd.txt")
    written = FileFormat("cp1252", "|", False)
    assert compute.load_side(space, "source", odd, "odd.txt", written)
    packed = gzip.compress("user,item,rating\n001,NA,5\n1,NA,4\n".encode("utf-16"), mtime=0)
    assert compute.load_side(space, "target", packed, "packed.csv.gz")
    titles = "item_id,title\nx,Ähre\n".encode("cp1252")
    assert compute.load_items(space, titles, "titles.csv", ("source",), "cp1252")
    assert compute.add_candidate(space, odd, "candidate.txt", "cp1252")
    settle(space)
    before = facts(space)
    again = found(restart(), space.id)
    assert again.notes == ()
    assert facts(again) == before
    for one, other in ((again.source, space.source), (again.target, space.target)):
        assert one is not None
        assert other is not None
        assert one.table.report == other.table.report
        assert one.table.frame.equals(other.table.frame)
    assert again.items[0].items.frame.equals(space.items[0].items.frame)


def test_lists_are_the_same_to_the_bit(space: Workspace, restart: Restart) -> None:
    again = found(restart(), space.id)
    assert space.shown is not None
    assert again.shown is not None
    for method in ("auto", "target_only", "popularity"):
        one, other = (compute.lists(r, None, 10, method) for r in (space.shown, again.shown))
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert compute.metrics(space.shown) == compute.metrics(again.shown)


def test_the_same_workspace_for_all_who_ask(space: Workspace, restart: Restart) -> None:
    register = restart()
    assert register.find(space.id) is register.find(space.id)
    assert register.find(space.id[:-1]) is None
    assert register.find("") is None


def test_the_folder_tells_no_link(space: Workspace, folder: Path) -> None:
    for path in folder.rglob("*"):
        assert space.id not in path.name
        assert path.is_dir() or space.id.encode() not in path.read_bytes()


def test_an_empty_workspace_leaves_nothing(restart: Restart, folder: Path) -> None:
    space = restart().create()
    settle(space)
    assert list((folder / "workspaces").iterdir()) == []
    compute.load_sample(space)
    settle(space)
    assert len(list((folder / "workspaces").iterdir())) == 1
    for side in compute.SIDES:
        compute.drop_side(space, side)
        compute.drop_items(space, 0)
    settle(space)
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / "lock"]


def test_what_is_taken_away_leaves_the_disk_at_once(space: Workspace, folder: Path) -> None:
    second = space.results[0]
    held = {path.name for path in (folder / "files").iterdir()}
    assert space.source is not None
    gone = space.source.table.sha256
    compute.drop_side(space, "source")
    space.remove(second)
    settle(space)
    assert held - {path.name for path in (folder / "files").iterdir()} == {gone}
    assert [path.stem for path in (folder / "runs").iterdir()] == [space.results[0].file]


def test_a_job_that_the_servers_end_cut_short_is_told_of(
    space: Workspace, restart: Restart
) -> None:
    job = space.start(Settings(), stand_ins.work_until_cancelled)
    space.keep()
    again = found(restart(), space.id)
    assert again.interrupted == "fit"
    assert again.job is None
    job.kill()
    job.join(180)
    # What the server of before still does changes nothing.
    assert found(restart(), space.id).interrupted == "fit"


@pytest.mark.parametrize("run", [stand_ins.refuse, stand_ins.work_until_cancelled])
def test_a_job_that_ended_is_no_job_cut_short(
    space: Workspace, restart: Restart, run: Callable[..., Any]
) -> None:
    job = space.start(Settings(), run)
    space.keep()
    if run is stand_ins.work_until_cancelled:
        job.cancel()
    job.join(180)
    assert found(restart(), space.id).interrupted == ""


def test_a_fit_that_nobody_watches_is_kept(restart: Restart, folder: Path) -> None:
    register = restart()
    space = register.create()
    compute.load_sample(space)
    space.keep()
    settings = Settings(rank=4, lam=0.1, method="factor_map", shots=(0,), budget=1)
    space.start(settings).join(120)
    assert space.results
    again = found(restart(), space.id)
    assert [r.name for r in again.results] == ["Run 1"]
    assert again.interrupted == ""


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [damage, Path.unlink])
def test_a_run_that_is_missing_or_damaged_is_left_out_and_told_of(
    space: Workspace,
    restart: Restart,
    folder: Path,
    small_run: Run,
    harm: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = space.install(other_run(small_run), space.inputs, ("a", "b"), "cafe0003")
    settle(space)
    harm(folder / "runs" / f"{other.file}.transrec")
    again = found(restart(), space.id)
    assert [r.id for r in again.results] == ["cafe0002", "cafe0001"]
    assert again.shown is again.results[0]
    (note,) = again.notes
    assert note.startswith("Run 3 is left out: ")
    assert note.endswith("Fit again to have it back.")
    logged = capsys.readouterr().err
    assert "left out" in logged
    assert "films" not in logged


def test_a_file_that_is_missing_is_told_of_and_the_rest_stays(
    space: Workspace, restart: Restart, folder: Path
) -> None:
    assert space.target is not None
    (folder / "files" / space.target.table.sha256).unlink()
    again = found(restart(), space.id)
    assert again.target is None
    assert again.source is not None
    assert len(again.results) == 2
    assert again.notes == ("books.csv is left out: its file is no longer there. Load it again.",)


def test_a_run_that_cannot_be_read_here_stays_for_a_transrec_that_can(
    space: Workspace, restart: Restart, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(content: bytes, name: str) -> None:
        raise TransrecError(f"{name} was written by transrec 9.", "Open it with that.")

    register = restart()
    with monkeypatch.context() as patched:
        patched.setattr(persistence, "load_run", refuse)
        again = found(register, space.id)
    assert again.results == ()
    assert again.shown is None
    assert "written by transrec 9" in again.notes[0]
    again.runs_made += 1
    settle(again)
    assert {r.id for r in found(restart(), space.id).results} == {"cafe0001", "cafe0002"}


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(version=2),
        lambda record: record.pop("sides"),
        lambda record: record["settings"].update(rank=-1),
        lambda record: record["settings"].update(from_later="x"),
        lambda record: record["results"][0].update(at="yesterday"),
        lambda record: record["results"].append("x"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_and_stays(
    space: Workspace, restart: Restart, folder: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    changed = record(folder, space)
    change(changed)
    path = folder / "workspaces" / f"{key_of(space.id)}.json"
    path.write_text(json.dumps(changed))
    register = restart()
    with pytest.raises(UnreadableRecordError):
        register.find(space.id)
    assert json.loads(path.read_text()) == changed


def test_a_full_disk_harms_nothing_and_is_told(
    space: Workspace,
    restart: Restart,
    small_run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = facts(space)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        compute.load_items(space, b"item_id,title\nf1,One\n", "more.csv", ("source",))
        space.install(other_run(small_run), space.inputs, ("films.csv", "books.csv"), "cafe0003")
        settle(space)
        assert set(space.unkept) == {"more.csv", "Run 3", keeping.RECORD}
        assert set(space.unkept.values()) == {"No space left on device."}
        assert space.shown is not None
        assert space.shown.id == "cafe0003"
        assert facts(found(restart(), space.id)) == before


def test_what_could_not_be_kept_is_kept_when_there_is_room_again(
    space: Workspace,
    restart: Restart,
    small_run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "RETRY_SECONDS", 0.0)
    monkeypatch.setenv("TRANSREC_LIMIT_STORE_BYTES", "1")
    space.install(other_run(small_run), space.inputs, ("films.csv", "books.csv"), "cafe0003")
    settle(space)
    assert "store_bytes" in space.unkept["Run 3"]
    space.rename(space.results[0], "Third")
    settle(space)
    assert set(space.unkept) == {"Third"}
    monkeypatch.delenv("TRANSREC_LIMIT_STORE_BYTES")
    settle(space)
    assert space.unkept == {}
    assert len(found(restart(), space.id).results) == 3


def test_idle_workspaces_leave_memory_and_not_the_disk(
    space: Workspace, restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = restart()
    before = found(register, space.id)
    monkeypatch.setenv("TRANSREC_LIMIT_IDLE_HOURS", "0.0001")
    before.touched = time.monotonic() - 1
    assert register.reap() == 1
    told, there = facts(before), weakref.ref(before)
    del before
    gc.collect()
    assert there() is None
    assert facts(found(register, space.id)) == told


def test_forgetting_takes_everything_and_leaves_others_alone(
    space: Workspace, restart: Restart, folder: Path
) -> None:
    register = restart()
    other = register.create()
    compute.load_sample(other)
    settle(other)
    mine = found(register, space.id)
    job = mine.start(Settings(), stand_ins.work_until_cancelled)
    mine.keep()
    register.forget(mine)
    job.join(180)
    settle(mine)
    assert register.find(space.id) is None
    assert list((folder / "runs").iterdir()) == []
    assert len(list((folder / "workspaces").iterdir())) == 1
    assert facts(found(restart(), other.id)) == facts(other)


def test_what_was_on_its_way_is_forgotten_too(
    restart: Restart, folder: Path, small_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = restart()
    space = register.create()
    compute.load_sample(space)
    space.install(small_run, space.inputs, ("films.csv", "books.csv"), "cafe0001")
    forgotten, begun = threading.Event(), threading.Event()

    def slow(run: Run, about: dict[str, str]) -> bytes:
        begun.set()
        assert forgotten.wait(20)
        return b"a run"

    monkeypatch.setattr(persistence, "run_bytes", slow)
    space.keep()
    assert begun.wait(20)
    assert space.being_kept
    register.forget(space)
    forgotten.set()
    settle(space)
    assert not space.being_kept
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / "lock"]


def test_two_changes_at_once_leave_the_later_state(space: Workspace, restart: Restart) -> None:
    def rename(number: int) -> None:
        with space.lock:
            space.rename(space.results[number % 2], f"name {number}")
            space.runs_made = number
        space.keep()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(rename, range(40)))
    settle(space)
    assert facts(found(restart(), space.id)) == facts(space)


def test_an_opened_run_is_kept_as_any_other(
    space: Workspace, restart: Restart, tmp_path: Path
) -> None:
    assert space.shown is not None
    content = compute.saved_run(space.shown)
    register = restart()
    other = register.create()
    assert compute.open_run(other, content, "taken along.transrec")
    settle(other)
    again = found(restart(), other.id)
    assert facts(again) == facts(other)
    (result,) = again.results
    assert result.opened == "taken along.transrec"
    assert result.name == space.shown.name
    assert (result.at, result.names, result.inputs) == (
        space.shown.at,
        space.shown.names,
        space.shown.inputs,
    )
    assert dataclasses.asdict(result.run.settings) == dataclasses.asdict(other.settings)


class TestLeavingMemory:
    """What is on disk as a whole need not stay in memory; what is only here has to."""

    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRANSREC_LIMIT_IDLE_KEPT_HOURS", "0.000001")

    def register_of(self, space: Workspace) -> Register:
        register = Register()
        register.keeper = space.keeper
        register._add(space)
        space.touched -= 1  # a second ago
        return register

    def test_an_open_page_works_on_the_workspace_that_left(self, space: Workspace) -> None:
        before, id_ = facts(space), space.id
        register = self.register_of(space)
        assert register.reap() == 1
        # A page that is open still works on the very same one.
        assert register.find(id_) is space
        space.touched -= 1  # a second ago
        assert register.reap() == 1
        assert facts(space) == before

    def test_what_the_disk_does_not_have_stays(self, space: Workspace, small_run: Run) -> None:
        register = self.register_of(space)
        space.install(other_run(small_run), space.inputs, ("a", "b"), "cafe0003")
        assert register.reap() == 0
        settle(space)
        assert register.reap() == 1
        space.unkept["Run 3"] = "No space left on device."
        register._add(space)
        assert register.reap() == 0


def test_leftovers_that_cannot_be_removed_do_not_count_as_not_kept(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any) -> None:
        raise PermissionError(errno.EACCES, "x")

    monkeypatch.setattr(Store, "drop", refuse)
    space.remove(space.results[0])
    settle(space)
    assert space.unkept == {}


def test_the_server_may_end_while_something_is_to_be_kept(space: Workspace, small_run: Run) -> None:
    keeper = space.keeper
    assert keeper is not None
    space.install(other_run(small_run), space.inputs, ("a", "b"), "cafe0003")
    keeper._background.shutdown()
    space.keep()
    assert not space.being_kept
