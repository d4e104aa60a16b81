"""Fits in child processes: every end they can have, the queue, and who may see what."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stand_ins

from dashboard import jobs
from dashboard.jobs import Job, Register, Request
from transrec_core.limits import Limits
from transrec_core.settings import Settings


def request(source: str = "a", target: str = "b") -> Request:
    return Request(source, target, Settings(), None, None, ("a.csv", "b.csv"), "x")  # type: ignore[arg-type]


@pytest.fixture
def start() -> Iterator[Callable[..., Job]]:
    started: list[Job] = []

    def start_(run: Callable[..., Any], ended: list[Job] | None = None, **names: str) -> Job:
        on_end = (lambda job: None) if ended is None else ended.append
        job = Job(request(**names), on_end, run)
        started.append(job)
        return job

    yield start_
    for job in started:
        job.kill()
        job.join(180)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_finished_fit_hands_its_result_over_once_and_leaves_nothing_behind(
    start: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended: list[Job] = []
    job = start(stand_ins.finish, ended)
    job.join(180)
    assert job.status == "done"
    assert job.result == "fitted a and b"
    assert ended == [job]
    assert job.step.fraction > 0.9
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (stand_ins.refuse, "RankTooLargeError", "Rank 900"),
        (stand_ins.exit_at_once, "Crashed", "exit code 3"),
        (stand_ins.be_killed, "Crashed", "out of memory"),
        (stand_ins.break_down, "Broken", "fault of the program"),
    ],
)
def test_a_failed_fit_becomes_a_failure_to_show(
    start: Callable[..., Job], run: Callable[..., Any], kind: str, words: str
) -> None:
    job = start(run)
    job.join(180)
    assert job.status == "failed"
    assert job.result is None
    assert job.failure is not None
    assert job.failure.kind == kind
    assert words in job.failure.message
    assert job.failure.fix
    # An unforeseen error shows its id, never its text: that could hold rows or paths.
    assert bool(job.failure.reference) == (kind == "Broken")
    assert "secret" not in str(job.failure)


def test_cancel_stops_at_the_next_report(start: Callable[..., Job]) -> None:
    job = start(stand_ins.work_until_cancelled)
    until(lambda: job.step.fraction > 0)
    job.cancel()
    assert job.status == "cancelling"
    job.join(10)
    assert job.status == "cancelled"
    assert job.failure is None


def test_a_child_that_does_not_listen_is_ended(
    start: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "STOP_SECONDS", 0.2)
    job = start(stand_ins.tell_nothing)
    until(lambda: job._process is not None and job._process.is_alive())
    job.cancel()
    job.join(10)
    assert job.status == "cancelled"
    assert not job._process.is_alive()


def test_one_fit_at_a_time_and_the_queue_can_be_left(start: Callable[..., Job]) -> None:
    first = start(stand_ins.work_until_cancelled)
    until(lambda: first.status == "running")
    second, third = start(stand_ins.finish), start(stand_ins.finish)
    assert (first.ahead, second.ahead, third.ahead) == (0, 1, 2)
    assert second.status == "queued"
    assert second.remaining is None
    second.cancel()
    second.join(5)
    assert second.status == "cancelled"
    assert third.ahead == 1
    first.cancel()
    third.join(180)
    assert third.status == "done"


def test_a_failed_or_cancelled_fit_keeps_the_earlier_result(fitted: jobs.Workspace) -> None:
    earlier = fitted.shown
    job = fitted.start(Settings(), stand_ins.refuse)
    job.join(180)
    assert fitted.shown is earlier
    assert earlier is not None
    assert earlier.run.comparison is not None
    results = fitted.results
    job = fitted.start(Settings(), stand_ins.work_until_cancelled)
    until(lambda: job.step.fraction > 0)
    job.cancel()
    job.join(180)
    assert job.status == "cancelled"
    assert fitted.shown is earlier
    assert fitted.results == results


def test_children_end_when_the_server_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    server = textwrap.dedent(
        f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import stand_ins
        from dashboard.jobs import Job, Request
        from transrec_core.settings import Settings
        if __name__ == "__main__":
            Job(Request({str(told)!r}, "", Settings(), None, None, ("", ""), ""), print,
                stand_ins.tell_pid)
            time.sleep(600)
        """
    )
    script = tmp_path / "server.py"
    script.write_text(server)
    process = subprocess.Popen([sys.executable, str(script)])
    try:
        until(lambda: told.exists() and told.read_text() != "")
        child = int(told.read_text())
        process.kill()
        process.wait(10)
        until(lambda: not _alive(child), 10)
    finally:
        process.kill()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().split(")")[-1].split()[0] == "Z")


def test_a_child_that_waits_does_the_next_fit_and_another_waits_after_it(
    start: Callable[..., Job],
) -> None:
    jobs.SPARE.keep_one()
    try:
        waiting = jobs.SPARE._child
        assert waiting is not None
        job = start(stand_ins.finish)
        job.join(180)
        assert job.status == "done"
        assert job._process is waiting[0]
        follower = jobs.SPARE._child
        assert follower is not None
        assert follower[0].is_alive()
        # One that has died is not used.
        follower[0].kill()
        follower[0].join()
        other = start(stand_ins.finish)
        other.join(180)
        assert other.status == "done"
        last = jobs.SPARE._child
    finally:
        jobs.SPARE.close()
    assert last is not None
    assert not last[0].is_alive()


def test_a_refit_is_given_the_factors_of_the_shown_run_where_that_is_asked(
    fitted: jobs.Workspace,
) -> None:
    assert fitted.shown is not None
    for warm in (False, True):
        job = fitted.start(Settings(), stand_ins.refuse, warm=warm)
        job.join(180)
        assert job.request.start is (fitted.shown.run.warm_start if warm else None)


def test_closing_the_register_ends_the_children() -> None:
    register = Register()
    space = register.create()
    space.job = Job(request(), lambda job: None, stand_ins.tell_nothing)
    until(lambda: space.job is not None and space.job._process is not None)
    register.close()
    space.job.join(10)
    assert not space.job._process.is_alive()


def test_only_who_has_the_link_finds_a_workspace() -> None:
    register = Register()
    one, two = register.create(), register.create()
    assert one.id != two.id
    assert len(one.id) >= 22  # 128 bits and more
    assert register.find(one.id) is one
    assert register.find(one.id[:-1]) is None
    assert register.find("") is None


def test_idle_workspaces_go_but_never_one_at_work(
    start: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    register = Register()
    idle, busy = register.create(), register.create()
    idle = register.create()
    busy = register.create()
    busy.job = start(stand_ins.work_until_cancelled)
    time.sleep(0.01)
    monkeypatch.setenv("TRANSREC_LIMIT_IDLE_HOURS", "0.000001")
    register.reap()
    assert register.find(idle.id) is None
    assert register.find(busy.id) is busy


def test_the_oldest_workspace_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSREC_LIMIT_WORKSPACES", "3")
    register = Register()
    spaces = [register.create() for _ in range(3)]
    register.find(spaces[0].id)
    newest = register.create()
    assert register.find(spaces[1].id) is None
    assert register.find(spaces[0].id) is spaces[0]
    assert register.find(newest.id) is newest


def test_a_few_earlier_results_stay_in_reach(loaded: jobs.Workspace) -> None:
    for number in range(Limits.kept_runs + 2):
        loaded.install(number, "", ("", ""), str(number))  # type: ignore[arg-type]
    assert [result.id for result in loaded.results] == ["6", "5", "4", "3", "2"]
    assert loaded.shown is loaded.results[0]


def test_fewer_results_are_kept_and_pinned_where_the_limits_say_so(
    loaded: jobs.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSREC_LIMIT_KEPT_RUNS", "2")
    monkeypatch.setenv("TRANSREC_LIMIT_PINNED_RUNS", "1")
    for number in range(4):
        loaded.install(number, "", ("", ""), str(number))  # type: ignore[arg-type]
    assert [result.id for result in loaded.results] == ["3", "2"]
    assert [loaded.pin(result, True) for result in loaded.results] == [True, False]


def test_signals_are_named() -> None:
    assert "signal 15" in jobs.crashed(-signal.SIGTERM).message
