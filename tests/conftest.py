"""Fixtures that all tests share: where real data and the sample are."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def sample_data() -> Path:
    return ROOT / "sample_data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real rating data beside the project; never part of it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data beside the project: {folder} is not there")
    return folder


@pytest.fixture(scope="session")
def messy_csv() -> Path:
    """Real messy CSV files beside the project; never part of it."""
    folder = ROOT.parent / "shared" / "messy_csv"
    if not folder.is_dir():
        pytest.skip(f"no messy CSV files beside the project: {folder} is not there")
    return folder
