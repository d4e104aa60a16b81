"""Fits in child processes: every end they can have, the queue, and who may see what."""

import errno
import io
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import stand_ins
from filelock import FileLock
from needs import POSIX

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
        pytest.param(stand_ins.be_killed, "Crashed", "out of memory", marks=POSIX),
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


# Put together, as the log shows the lines of the program themselves.
SECRET = "/".join(("", "srv", "of-ada"))


def refusal(number: int) -> Callable[..., Any]:
    """A call that the system refuses; the words of the error name a path, as some do."""

    def refuse(*given: Any, **more: Any) -> Any:
        raise OSError(number, f"not in {SECRET}", SECRET)

    return refuse


class ThreadChild:
    """A child in this very process: its work and its pipe are real, and it begins at once."""

    def __init__(self, args: tuple[Any], **how: Any) -> None:
        (self.connection,) = args
        self.work = threading.Thread(target=self.run)
        self.exitcode: int | None = None

    def start(self) -> None:
        self.connection = self.connection.__class__(os.dup(self.connection.fileno()))
        self.work.start()

    def run(self) -> None:
        with self.connection, suppress(EOFError):
            jobs.do(self.connection.recv(), self.connection)
        self.exitcode = 0

    def is_alive(self) -> bool:
        return self.work.is_alive()

    def join(self, timeout: float | None = None) -> None:
        self.work.join(timeout)

    def kill(self) -> None:
        pass


class ClosedPipe:
    """The server's end of a pipe to a child that is not there to read."""

    def __init__(self, connection: Any, error: Exception) -> None:
        self.connection, self.error = connection, error

    def __enter__(self) -> "ClosedPipe":
        return self

    def __exit__(self, *end: Any) -> None:
        self.connection.close()

    def send(self, work: Any) -> None:
        raise self.error


def refuse_sending(error: Exception) -> Callable[[pytest.MonkeyPatch], None]:
    def refuse(patch: pytest.MonkeyPatch) -> None:
        take = jobs.SPARE.take

        def take_() -> tuple[Any, Any]:
            process, ours = take()
            return process, ClosedPipe(ours, error)

        patch.setattr(jobs.SPARE, "take", take_)

    return refuse


def refuse_call(target: Any, name: str, call: Callable[..., Any]) -> Callable[..., None]:
    return lambda patch: patch.setattr(target, name, call)


class TestTheSystemRefuses:
    """Each call of the system on a job's way fails in turn; the job says why, the next one runs."""

    @pytest.fixture(autouse=True)
    def child(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jobs._SPAWN, "Process", ThreadChild)

    @pytest.mark.parametrize(
        ("refuse", "words", "number"),
        [
            (refuse_call(tempfile, "mkdtemp", refusal(errno.ENOSPC)), "is full", "ENOSPC"),
            (refuse_call(tempfile, "mkdtemp", refusal(errno.EMFILE)), "files open", "EMFILE"),
            (refuse_call(tempfile, "mkdtemp", refusal(errno.ENOENT)), "cannot use", "ENOENT"),
            (refuse_call(tempfile, "mkdtemp", refusal(errno.EIO)), "refused what", "EIO"),
            (refuse_call(FileLock, "acquire", refusal(errno.ENOSPC)), "is full", "ENOSPC"),
            (refuse_call(Path, "mkdir", refusal(errno.EDQUOT)), "keep more files", "EDQUOT"),
            (refuse_call(jobs._SPAWN, "Pipe", refusal(errno.EMFILE)), "files open", "EMFILE"),
            (refuse_call(ThreadChild, "start", refusal(errno.ENOMEM)), "too little memory",
             "ENOMEM"),
            (refuse_call(ThreadChild, "start", refusal(errno.EAGAIN)), "more threads",
             "EAGAIN"),
            (refuse_sending(OSError(errno.ENOMEM, "x")), "too little memory", "ENOMEM"),
            (refuse_sending(BrokenPipeError(errno.EPIPE, "x")), "exit code 0", ""),
            (refuse_call(Path, "open", refusal(errno.EMFILE)), "files open", "EMFILE"),
            (refuse_call(Path, "open", lambda *given: io.BytesIO()), "incomplete", "EOFError"),
            (refuse_call(Path, "open", lambda *given: io.BytesIO(b"\x80\x05\x95")), "incomplete",
             "UnpicklingError"),
        ],
    )  # fmt: skip
    def test_before_or_after_the_work(
        self,
        start: Callable[..., Job],
        capsys: pytest.CaptureFixture[str],
        refuse: Callable[[pytest.MonkeyPatch], None],
        words: str,
        number: str,
    ) -> None:
        ended: list[Job] = []
        with pytest.MonkeyPatch.context() as patch:
            refuse(patch)
            job = start(stand_ins.finish, ended)
            job.join(180)
        assert job.status == "failed"
        assert ended == []
        self.names_the_cause(job, words, number, capsys.readouterr().err)
        self.the_next_one_runs(start)

    @pytest.mark.parametrize(
        ("run", "words", "number"),
        [
            (stand_ins.fill_the_disk, "is full", "ENOSPC"),
            (stand_ins.write_half, "incomplete", "UnpicklingError"),
        ],
    )
    def test_in_the_child(
        self, start: Callable[..., Job], capfd: pytest.CaptureFixture[str],
        run: Callable[..., Any], words: str, number: str,
    ) -> None:  # fmt: skip
        job = start(run)
        job.join(180)
        assert job.status == "failed"
        self.names_the_cause(job, words, number, capfd.readouterr().err)
        self.the_next_one_runs(start)

    def test_a_thread_for_it(
        self, start: Callable[..., Job], capsys: pytest.CaptureFixture[str]
    ) -> None:
        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            job = start(stand_ins.finish)
        assert job.status == "failed"
        self.names_the_cause(job, "more threads", "EAGAIN", capsys.readouterr().err)
        self.the_next_one_runs(start)

    @pytest.mark.parametrize(
        ("target", "name"),
        [(jobs.Spare, "renew"), (Job, "_end_child"), (os, "rmdir")],
    )
    def test_what_follows_the_result(
        self, start: Callable[..., Job], target: Any, name: str
    ) -> None:
        ended: list[Job] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(target, name, refusal(errno.EMFILE))
            job = start(stand_ins.finish, ended)
            job.join(180)
        assert job.status == "done"
        assert ended == [job]
        self.the_next_one_runs(start)

    def test_a_process_ahead_of_the_next_fit(
        self, start: Callable[..., Job], capsys: pytest.CaptureFixture[str]
    ) -> None:
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(jobs._SPAWN, "Pipe", refusal(errno.EMFILE))
                jobs.SPARE.keep_one()
            assert "[EMFILE: " in capsys.readouterr().err
            self.the_next_one_runs(start)
        finally:
            jobs.SPARE.close()

    def test_the_log_as_well(self, start: Callable[..., Job]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "mkdtemp", refusal(errno.ENOSPC))
            patch.setattr(sys.stderr, "write", refusal(errno.ENOSPC))
            job = start(stand_ins.finish)
            job.join(180)
        assert job.status == "failed"
        self.names_the_cause(job, "is full", "", "")
        self.the_next_one_runs(start)

    def names_the_cause(self, job: Job, words: str, number: str, logged: str) -> None:
        assert job.result is None
        assert job.failure is not None
        assert words in job.failure.message
        assert job.failure.fix
        assert SECRET not in str(job.failure) + logged
        assert number in logged
        assert job.failure.reference in logged or not number
        assert "fault of the program" not in job.failure.message

    def the_next_one_runs(self, start: Callable[..., Job]) -> None:
        following = start(stand_ins.finish)
        following.join(180)
        assert following.status == "done", following.failure


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
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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
    for warm in (None, fitted.shown):
        job = fitted.start(Settings(), stand_ins.refuse, warm=warm)
        job.join(180)
        assert job.request.start is (warm and warm.run.warm_start)


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
