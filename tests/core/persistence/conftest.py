"""A run to save."""

from __future__ import annotations

import pytest
from saved_runs import fitted

from transrec_core.running import Run
from transrec_core.settings import Settings


@pytest.fixture(scope="session")
def small_run() -> Run:
    return fitted(Settings(method="factor_map", rank=3, lam=0.02, shots=(0, 1)), 60, 20)
