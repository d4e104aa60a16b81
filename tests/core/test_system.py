"""What differs from one operating system to the next, asked of this one and of made-up ones."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from needs import POSIX

from transrec_core import system
from transrec_core.limits import Limits
from transrec_core.reporting.saving import write_atomically, write_folder
from transrec_core.system import left_in_control_groups


def test_what_a_container_or_a_service_leaves_counts(tmp_path):
    """A limit may be the group's own (a service) or of one above it (a container)."""
    membership = tmp_path / "membership"
    membership.write_text("0::/system.slice/transrec.service\n")
    root = tmp_path / "groups"
    service = root / "system.slice" / "transrec.service"
    service.mkdir(parents=True)
    assert list(left_in_control_groups(root, membership)) == []
    for group, limit, used, cached in ((service, "1000", 700, 300), (root, "5000", 4900, 50)):
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")
    (root / "system.slice" / "memory.max").write_text("max\n")
    assert list(left_in_control_groups(root, membership)) == [600, 150]
    membership.write_text("0::/elsewhere\n")
    assert list(left_in_control_groups(root, membership)) == [150]
    assert list(left_in_control_groups(tmp_path / "none", tmp_path / "none")) == []
    (service / "memory.stat").unlink()
    membership.write_text("0::/system.slice/transrec.service\n")
    assert list(left_in_control_groups(root, membership)) == [300, 150]


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="no limit on addresses here")
def test_a_limit_on_addresses_bounds_the_free_memory() -> None:
    """As ``ulimit -v`` sets it."""
    code = """
import psutil
from transrec_core.system import free_memory
used = psutil.Process().memory_info().vms
psutil.Process().rlimit(psutil.RLIMIT_AS, (used + 2**26, used + 2**26))
print(free_memory())
"""
    assert 0 < int(run_python(code)) <= 2**26


def test_free_memory_is_what_fits_rest_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transrec_core.system.left_in_control_groups", lambda: [2**30])
    monkeypatch.setattr("transrec_core.system.left_of_addresses", lambda: [2**31])
    assert 0 < Limits.current().memory <= 0.8 * 2**30
    monkeypatch.setattr("transrec_core.system.left_in_control_groups", lambda: [-5])
    assert system.free_memory() == 0


@pytest.mark.skipif(
    not hasattr(psutil.Process, "cpu_affinity"), reason="processes are not bound to processors here"
)
def test_only_processors_that_a_process_may_use_are_counted() -> None:
    code = """
import psutil
from transrec_core.system import processor_count
mine = psutil.Process().cpu_affinity()
psutil.Process().cpu_affinity(mine[:1])
print(len(mine), processor_count())
"""
    assert run_python(code).split()[1] == "1"
    assert 1 <= system.processor_count() <= (os.cpu_count() or 1)


SLEEPER = "import sys; print(1, flush=True); sys.stdin.read()"
FAMILY = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}], stdin=subprocess.PIPE)
print(child.pid, flush=True)
held = bytearray(50_000_000)
sys.stdin.read()
"""


def test_the_memory_of_a_process_counts_what_it_has_started_where_that_is_asked_for() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        lines = {parent.stdout.readline().strip() for _ in range(2)}
        child = psutil.Process(int(next(line for line in lines if line != "1")))
        alone = system.process_memory(parent.pid)
        assert alone < system.process_memory(parent.pid, descendants=True)
        for process in (child, parent):
            process.kill()
        parent.wait(30)
        assert system.was_killed(parent.returncode) or os.name == "nt"
    assert system.process_memory(parent.pid) == 0


@pytest.mark.skipif(not hasattr(psutil.Process(), "rlimit"), reason="the system has no such limit")
def test_a_process_may_take_so_much_more_memory_and_then_as_before() -> None:
    with system.limited_memory(50_000_000):
        assert len(bytearray(20_000_000)) == 20_000_000
        with pytest.raises(MemoryError):
            bytearray(200_000_000)
    assert len(bytearray(200_000_000)) == 200_000_000


def test_a_process_steps_back_and_stays_where_that_is_forbidden() -> None:
    code = """
import os, psutil
from transrec_core import system
before = psutil.Process().nice()
system.lower_priority()
assert psutil.Process().nice() != before or before == 19
def refuse(self, value=None):
    if value is not None:
        raise psutil.AccessDenied()
    return 0
psutil.Process.nice = refuse
system.lower_priority()
print("went on")
"""
    assert run_python(code) == "went on"


@POSIX
def test_new_files_have_the_mode_that_the_account_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"new")
        write_folder(tmp_path / "folder", {"file": b"new"})
        (tmp_path / "file").chmod(0o666)
        (tmp_path / "folder").chmod(0o775)
        modes = [(tmp_path / "folder" / "file").stat().st_mode & 0o777]
        for content in (b"newer", b"newest"):
            write_atomically(tmp_path / "file", content)
            write_folder(tmp_path / "folder", {"file": content})
            modes += [(tmp_path / name).stat().st_mode & 0o777 for name in ("file", "folder")]
    finally:
        os.umask(before)
    assert modes == [0o640, 0o666, 0o775, 0o666, 0o775]


@POSIX
def test_writing_never_changes_the_mask_of_the_other_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mask is one for the whole process: a file of another thread would be open to all."""
    asked: list[int] = []
    monkeypatch.setattr(os, "umask", lambda mask: asked.append(mask) or 0)
    write_atomically(tmp_path / "file", b"new")
    write_folder(tmp_path / "folder", {"file": b"new"})
    assert asked == []


@POSIX
def test_a_private_file_is_never_open_to_others_while_it_is_replaced(tmp_path: Path) -> None:
    from transrec_core.reporting.saving import TEMPORARY, atomic_file

    write_atomically(tmp_path / "file", b"old")
    (tmp_path / "file").chmod(0o600)
    with atomic_file(tmp_path / "file") as stream:
        stream.write(b"new")
        unfinished = next(tmp_path.glob(f"{TEMPORARY}*"))
        assert unfinished.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="needs Linux or macOS")
def test_folders_are_swapped_in_one_step_or_not_at_all(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    (one / "file").write_text("one", encoding="utf-8")
    assert not system.swap_folders(one, other)
    assert (one / "file").exists()
    other.mkdir()
    if system.swap_folders(one, other):
        assert (other / "file").read_text(encoding="utf-8") == "one"
        assert not (one / "file").exists()
