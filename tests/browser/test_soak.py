"""Two people at once, a few random actions each; ``tests/benchmarks/soak.py`` at full length."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from profiles import scale

SOAK = Path(__file__).resolve().parents[1] / "benchmarks" / "soak.py"


@pytest.mark.slow
def test_two_people_at_once_meet_no_error_and_get_the_lists_of_the_command_line(
    browser: Any,
) -> None:
    options = ("--sessions", "2", "--actions", str(scale(9)), "--minutes", "0", "--rest", "0")
    done = subprocess.run(
        [sys.executable, str(SOAK), *options], capture_output=True, text=True, timeout=1800
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert told["errors"] == []
    assert told["lists that differ"] == []
    assert told["lists compared"] > 0
    assert told["most fits at once"] <= 1
