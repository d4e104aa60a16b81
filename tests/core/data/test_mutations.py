"""A part of the mutation run: damaged files end in a report, in time and memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from profiles import scale

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "mutations.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to count memory from a moment on")
def test_mutated_files_end_in_a_report_within_time_and_memory() -> None:
    files = scale(250)
    command = [sys.executable, str(SCRIPT), "--files", str(files), "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    *failures, last = done.stdout.splitlines() or [""]
    assert failures == []
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(last)
    assert summary["files"] == files
    # Neither do all fail at the first look, nor are all read.
    assert len(summary["results"]) > 8
    assert 0.1 * files < summary["results"]["read"] < 0.9 * files
