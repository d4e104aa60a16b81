"""A full disk or SIGKILL at every call that changes the disk leaves the old state or the new."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crashing
import pytest
from facts import facts
from saved_runs import fitted

from dashboard import compute
from dashboard.jobs import Register
from dashboard.keeping import Keeper
from dashboard.store import Store
from transrec_core.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
]
NOT_YET = (
    "Run 2 is left out: it was not on the disk yet when the server ended. Fit again to have it "
    "back."
)
GONE = "titles.csv is left out: its file is no longer there. Load it again."
Found = tuple[dict[str, Any] | None, tuple[str, ...]]


def opened(folder: Path, see: Callable[[Register], Any]) -> Any:
    """What a fresh server on the folder sees."""
    register = Register()
    register.keeper = Keeper(Store(folder))
    try:
        return see(register)
    finally:
        register.keeper.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with one kept workspace, and its id."""
    folder = tmp_path_factory.mktemp("base")
    run = fitted(Settings(method="factor_map", rank=3, lam=0.02, shots=(0, 1)), 60, 20)
    rows = b"user,item,rating\n" + b"".join(b"u%d,i%d,%d\n" % (n, n % 7, n % 5) for n in range(40))

    def fill(register: Register) -> str:
        space = register.create()
        compute.load_side(space, "source", rows, "films.csv")
        compute.load_side(space, "target", rows + b"new,i0,1\n", "books.csv")
        space.install(run, space.inputs, ("films.csv", "books.csv"), "cafe0001")
        space.keep()
        assert space.keeper is not None
        space.keeper.flush()
        return space.id

    return folder, opened(folder, fill)


def look(folder: Path, id_: str) -> Found:
    """What the link shows; also that nothing half done, and nothing unneeded, is left."""

    def see(register: Register) -> Found:
        space = register.find(id_)
        assert register.keeper is not None
        register.keeper.sweep()
        return (None, ()) if space is None else (facts(space), space.notes)

    found: Found = opened(folder, see)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.name.startswith(".")]
    return found


@pytest.fixture(scope="module")
def work(base: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each change left behind, for a fault at each of its calls."""
    folder, id_ = base
    work = tmp_path_factory.mktemp("work")
    command = [sys.executable, crashing.__file__, str(folder), str(work), id_]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return work


@pytest.mark.parametrize("mode", ["kill", "error"])
@pytest.mark.parametrize("change", list(crashing.CHANGES))
def test_a_fault_at_any_call_leaves_the_old_state_or_the_new(
    base: tuple[Path, str], work: Path, change: str, mode: str
) -> None:
    folder, id_ = base
    place = work / f"{change}-{mode}"
    calls = (place / "calls").read_text().split()
    before, *seen, after = (
        look(state, id_)
        for state in (folder, *(place / str(at) for at in range(1, len(calls) + 2)))
    )
    assert before[0] != after[0]
    allowed = [before, after]
    if mode == "error" and change != "forget":
        # A server that goes on has written it at its next try.
        allowed = [after]
    if change == "finish_fit" and before[0] is not None:
        # Between the two the record knows of a run that is not on the disk yet.
        allowed.append(({**before[0], "made": 2}, (NOT_YET,)))
    if change == "take_in" and mode == "error" and after[0] is not None:
        # The file itself came by once, when there was no room for it.
        allowed.append(({**after[0], "items": [], "inputs": before[0]["inputs"]}, (GONE,)))
    for at, (call, state) in enumerate(zip(calls, seen, strict=True), 1):
        assert state in allowed, f"call {at}, {call}"
    assert calls.count("replace") == {"take_in": 2, "finish_fit": 3, "forget": 0}.get(change, 1)
    if mode == "kill":
        assert before in seen
