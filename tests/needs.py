"""Marks for tests that need an extra or a kind of system; without, they are skipped."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest

from transrec_core.extras import how_to_install, installed
from transrec_core.settings import DEEP

NEEDS_DEEP = pytest.mark.skipif(
    not installed("deep"), reason=f"networks cannot be trained here. {how_to_install('deep')}"
)

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs modes, signals and pipes of POSIX")
LINKS = pytest.mark.skipif(os.name == "nt", reason="making links takes a right of its own here")


def marked(cases: Iterable[Any]) -> list[Any]:
    """Methods, or tuples that begin with one: those of networks need their extra."""
    found = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        marks = [NEEDS_DEEP] if values[0] in DEEP else []
        found.append(pytest.param(*values, marks=marks))
    return found
