"""A job whose driver or executor is killed goes on, or says so and leaves nothing."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from transrec_core.engines.folder import open_run_folder

FLAGS = ["--method", "factor_map", "--rank", "4", "--lam", "0.02", "--feedback", "implicit"]
WORKING = 240

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc").is_dir(), reason="processes are found in /proc, which is not here"
    ),
]


def start(files: dict[str, str], out: Path, master: str, log: Path) -> "subprocess.Popen[bytes]":
    """The command as a user would give it, in a session of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-m", "transrec_core.cli", "fit", *files.values(), "--out", f"{out}/",
         *FLAGS, "--engine", "spark", "--master", master],
        env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def processes(session: int, name: str) -> list[int]:
    """Processes of a session, or below one, whose command line has a word."""
    parents: dict[int, int] = {}
    told: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            parents[int(entry.name)] = int(fields[1])
            told[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
    family, grown = {session}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in family} - family
        family, grown = family | more, bool(more)
    return [process for process in family if name in told.get(process, "")]


def wait_for(job: "subprocess.Popen[bytes]", name: str, log: Path) -> None:
    """Wait until such a process is there; the job has to be at work still."""
    for _ in range(WORKING * 5):
        if processes(job.pid, name):
            return
        assert job.poll() is None, log.read_text()[-2000:]
        time.sleep(0.2)
    pytest.fail(f"no {name} in {WORKING} s: {log.read_text()[-2000:]}")


def end(job: "subprocess.Popen[bytes]") -> None:
    for process in processes(job.pid, ""):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    job.wait(30)


def test_a_driver_that_is_killed_leaves_nothing_and_says_so(
    spark: object, files: dict[str, str], tmp_path: Path
) -> None:
    out, log = tmp_path / "runs" / "run", tmp_path / "log"
    out.parent.mkdir()
    job = start(files, out, "local[2]", log)
    try:
        # Workers in Python are there once the people have been read.
        wait_for(job, "pyspark.daemon", log)
        for driver in processes(job.pid, "org.apache.spark.deploy.SparkSubmit"):
            os.kill(driver, signal.SIGKILL)
        assert job.wait(120) == 2, log.read_text()[-2000:]
    finally:
        end(job)
    told = [line for line in log.read_text().splitlines() if line.startswith("transrec: ")]
    assert len(told) == 1
    assert "The cluster could not finish the job" in told[0]
    assert "counts as nothing" in told[0]
    assert list(out.parent.iterdir()) == []


def test_a_job_goes_on_when_an_executor_is_killed(
    spark: object, files: dict[str, str], tmp_path: Path
) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    job = start(files, out, "local-cluster[2,1,1024]", log)
    try:
        wait_for(job, "pyspark.daemon", log)
        executors = processes(job.pid, "CoarseGrainedExecutorBackend")
        assert len(executors) == 2
        os.kill(executors[0], signal.SIGKILL)
        assert job.wait(600) == 0, log.read_text()[-3000:]
    finally:
        end(job)
    opened = open_run_folder(out)
    assert opened.run is not None
    assert opened.run.engine == "spark"
