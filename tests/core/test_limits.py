"""Limits have names and bite; memory is estimated before work, and the estimate is no fiction."""

import gzip
import io
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from transrec_core.cli import main
from transrec_core.data import read_table
from transrec_core.errors import BadSettingError, TooLargeError, TransrecError
from transrec_core.factors import factorize
from transrec_core.limits import (
    GIB,
    NAMES,
    Limits,
    estimate_fit,
    overridden,
    size_in_words,
    variable_of,
)


def test_a_fit_over_budget_is_refused_with_the_numbers_before_any_work():
    matrix = sp.csr_array(np.ones((50, 40), np.float32))
    calls = []
    with pytest.raises(TooLargeError, match=r"2,000 ratings \(50 users × 40 items\) at rank 3"):
        factorize(
            matrix, rank=3, lam=0.1, limits=Limits(1000), on_sweep=lambda *step: calls.append(step)
        )
    assert calls == []
    assert factorize(matrix, rank=3, lam=0.1, limits=Limits(GIB)).rank == 3


def test_estimates_grow_with_every_size():
    base = estimate_fit(1000, 500, 100_000, 32).total
    for larger in (
        estimate_fit(2000, 500, 100_000, 32),
        estimate_fit(1000, 900, 100_000, 32),
        estimate_fit(1000, 500, 200_000, 32),
        estimate_fit(1000, 500, 100_000, 64),
        estimate_fit(1000, 500, 100_000, 32, itemsize=8),
        estimate_fit(1000, 500, 100_000, 32, biases=True),
    ):
        assert larger.total > base


PEAK = """
import numpy as np, scipy.sparse as sp
from transrec_core.factors import factorize
from transrec_core.limits import estimate_fit
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
random = np.random.default_rng(0)
users, items, n = 60_000, 4_000, 4_000_000
indptr = np.arange(0, n + 1, n // users)[: users + 1]
indptr = np.append(indptr, n)[: users + 1].astype(np.int32)
indptr[-1] = n
indices = random.integers(0, items, n).astype(np.int32)
matrix = sp.csr_array((np.ones(n, np.float32), indices, indptr), (users, items))
matrix.sum_duplicates()
factorize(matrix[:50], rank=4, lam=0.1, feedback=FEEDBACK, sweeps=1)
with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")  # the peak so far, of imports and compilation, is forgotten
before = peak()
factorize(matrix, rank=64, lam=0.1, feedback=FEEDBACK, sweeps=1)
after = peak()
estimate = estimate_fit(users, items, matrix.nnz, 64, biases=FEEDBACK == "ratings").total
print(after - before, estimate)
"""


@pytest.mark.slow
@pytest.mark.parametrize("feedback", ["implicit", "ratings"])
def test_the_peak_stays_within_the_estimate(feedback):
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process can only be reset on Linux")
    code = f"FEEDBACK = {feedback!r}\n{PEAK}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, estimate = map(int, re.findall(r"\d+", ran.stdout))
    assert grown <= 1.3 * estimate
    assert estimate <= 6 * grown


# ── every limit by name ──────────────────────────────────────────────────────────────────────────

ZIPPED = io.BytesIO()
with zipfile.ZipFile(ZIPPED, "w") as archive:
    for n in range(3):
        archive.writestr(f"{n}.csv", "user,item\nu,i\n")
GOOD = b"user,item,rating\nu,i,5\nv,j,4\n"
# What reads a file, the value that is too little for it, and what the refusal says of it.
BITES = {
    "memory": ("1000", "1,000 bytes may be used", lambda: factorize(ONES, rank=3, lam=0.1)),
    "file_bytes": ("20", "29 bytes; 20 bytes may", lambda: read_table(GOOD)),
    "unpacked_bytes": ("20", "larger than 20 bytes", lambda: read_table(gzip.compress(GOOD))),
    "unpack_ratio": ("9", "more than 9 times", lambda: read_table(gzip.compress(bytes(2**26 + 9)))),
    "archive_members": ("2", "3 entries; 2 are", lambda: read_table(ZIPPED.getvalue())),
    "columns": ("2", "3 columns; 2 may", lambda: read_table(GOOD)),
    "cell_chars": ("6", "line 2 on is longer than 6 characters", lambda: read_table(
        b"user,item\n1234567,i\n")),
    "rows": ("1", "2 rows; 1 may", lambda: read_table(GOOD)),
}  # fmt: skip
ONES = sp.csr_array(np.ones((50, 40), np.float32))
# These belong to the dashboard, saved runs and language models; their tests are beside theirs.
ELSEWHERE = {
    "run_bytes", "run_members", "upload_mb", "tab_uploads_mb", "server_uploads_mb",
    "workspaces", "idle_hours", "idle_kept_hours",
    "kept_runs", "pinned_runs",
    "store_days", "store_bytes", "embedding_cache_bytes",
}  # fmt: skip


def test_every_limit_has_a_test_that_it_bites():
    assert set(BITES) | ELSEWHERE == set(NAMES)
    assert not set(BITES) & ELSEWHERE


@pytest.mark.parametrize("name", BITES)
@pytest.mark.parametrize("way", ["environment", "flag"])
def test_a_limit_bites_with_its_number_and_the_way_on(name, way, monkeypatch):
    value, said, work = BITES[name]
    work_when_allowed = work if name not in ("unpack_ratio", "archive_members") else lambda: None
    work_when_allowed()
    if way == "environment":
        monkeypatch.setenv(variable_of(name), value)
    with overridden([f"{name}={value}"] if way == "flag" else []):
        with pytest.raises(TransrecError) as refused:
            work()
        # A child process has it too.
        assert os.environ[variable_of(name)] == value
    assert said in refused.value.message
    assert f"--limit {name}=" in refused.value.fix
    assert variable_of(name) in refused.value.fix


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_file_that_would_not_fit_into_memory_is_refused_before_it_is_read(pack, monkeypatch):
    content = pack(GOOD * 1000)
    monkeypatch.setenv("TRANSREC_LIMIT_MEMORY", "1000")
    with pytest.raises(TransrecError, match="1,000 bytes may be used") as refused:
        read_table(content)
    assert "--limit memory=" in refused.value.fix
    assert refused.value.report.problems[0].code == "TOO_LARGE"
    monkeypatch.delenv("TRANSREC_LIMIT_MEMORY")
    assert read_table(content).report.usable


@pytest.mark.parametrize("entry", fields(Limits), ids=lambda entry: entry.name)
def test_every_limit_can_be_set_both_ways_and_is_listed(entry, monkeypatch, capsys):
    name = entry.name
    monkeypatch.setenv(variable_of(name), "7")
    assert getattr(Limits.current(), name) == 7
    with overridden([f"{name}=3"]):
        assert getattr(Limits.current(), name) == 3
    assert getattr(Limits.current(), name) == 7
    assert main(["limits", "--limit", f"{name}=5"]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith(f"{name} = 5"))
    assert "(--limit)" in line
    assert entry.metadata["meaning"] in line
    assert main(["limits"]) == 0
    assert variable_of(name) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("columns", "many", "a whole number from 1"),
        ("columns", "0", "a whole number from 1"),
        ("columns", "1.5", "a whole number from 1"),
        ("columns", "2K", "a whole number from 1"),
        ("idle_hours", "0", "a number above zero"),
        ("idle_hours", "nan", "a number above zero"),
        ("file_bytes", "-4G", "4G"),
        ("file_bytes", "1" * 400, "4G"),
        ("memory", "4 parsecs", "4G"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name, text, allowed, monkeypatch, capsys):
    monkeypatch.setenv(variable_of(name), text)
    with pytest.raises(BadSettingError) as refused:
        Limits.current()
    assert variable_of(name) in refused.value.message
    assert text in refused.value.message
    assert allowed in refused.value.fix
    monkeypatch.delenv(variable_of(name))
    assert main(["limits", "--limit", f"{name}={text}"]) == 2
    assert allowed in capsys.readouterr().err


def test_a_limit_that_does_not_exist_is_refused_with_the_names(capsys):
    for setting in ("speed=3", "columns"):
        assert main(["check", "--limit", setting, "x.csv"]) == 2
        assert "cell_chars, rows" in capsys.readouterr().err


def test_sizes_are_read_and_said_in_units(monkeypatch):
    for text, size in (("500M", 500 * 2**20), ("4GiB", 4 * GIB), ("1.5 gb", 3 * 2**29), ("7", 7)):
        monkeypatch.setenv("TRANSREC_LIMIT_FILE_BYTES", text)
        assert Limits.current().file_bytes == size
    assert [size_in_words(n) for n in (1, 900, 2**20, 3 * 2**29)] == [
        "1 byte", "900 bytes", "1 MiB", "1.5 GiB"
    ]  # fmt: skip


def test_an_older_name_of_the_memory_limit_still_counts(monkeypatch):
    monkeypatch.setenv("TRANSREC_MEMORY_GIB", "1.5")
    assert Limits.current().memory == int(1.5 * GIB)
    monkeypatch.setenv("TRANSREC_LIMIT_MEMORY", "1G")
    assert Limits.current().memory == GIB
    monkeypatch.delenv("TRANSREC_LIMIT_MEMORY")
    monkeypatch.setenv("TRANSREC_MEMORY_GIB", "lots")
    with pytest.raises(BadSettingError, match="TRANSREC_MEMORY_GIB is 'lots'"):
        Limits.current()
    monkeypatch.delenv("TRANSREC_MEMORY_GIB")
    assert 0 < Limits.current().memory < 1 << 50
