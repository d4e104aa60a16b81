"""Memory is estimated before work, refused with numbers, and the estimate is not a fiction."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from transrec_core.errors import TooLargeError
from transrec_core.factors import factorize
from transrec_core.limits import GIB, Limits, estimate_fit


def test_a_fit_over_budget_is_refused_with_the_numbers_before_any_work():
    matrix = sp.csr_array(np.ones((50, 40), np.float32))
    calls = []
    with pytest.raises(TooLargeError, match=r"2,000 ratings \(50 users × 40 items\) at rank 3"):
        factorize(
            matrix, rank=3, lam=0.1, limits=Limits(1000), on_sweep=lambda *step: calls.append(step)
        )
    assert calls == []
    assert factorize(matrix, rank=3, lam=0.1, limits=Limits(GIB)).rank == 3


def test_the_environment_sets_the_limit(monkeypatch):
    monkeypatch.setenv("TRANSREC_MEMORY_GIB", "1.5")
    assert Limits.of_this_machine().memory == int(1.5 * GIB)
    monkeypatch.delenv("TRANSREC_MEMORY_GIB")
    assert 0 < Limits.of_this_machine().memory < 1 << 50


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


@pytest.mark.parametrize("feedback", ["implicit", "ratings"])
def test_the_peak_stays_within_the_estimate(feedback):
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process can only be reset on Linux")
    code = f"FEEDBACK = {feedback!r}\n{PEAK}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, estimate = map(int, re.findall(r"\d+", ran.stdout))
    assert grown <= 1.3 * estimate
    assert estimate <= 6 * grown
