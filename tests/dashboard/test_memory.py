"""Memory while one tab refits again and again; ``tests/benchmarks/refits.py`` at full length."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from transrec_core.limits import Limits

REFITS = Path(__file__).resolve().parents[1] / "benchmarks" / "refits.py"


@pytest.mark.slow
def test_memory_is_flat_after_the_fifth_refit_and_older_runs_are_gone() -> None:
    pytest.importorskip("websockets")
    done = subprocess.run(
        [sys.executable, str(REFITS), "--refits", "9", "--close"],
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    # One more where the page of the last look is still being put away.
    assert max(told["runs"]) <= Limits.kept_runs + 1
    assert told["grown"] <= 24
    # Nothing of it is left when the tab and the workspace are gone.
    assert told["runs at the end"] == 0
