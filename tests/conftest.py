"""Fixtures that all tests share: where real data and the sample are."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from profiles import BRIEF_EXAMPLES, THOROUGH_EXAMPLES

# The same examples every time where a change is judged; new ones wherever somebody tries it out. No
# test fails for being slow on a busy machine. ``--hypothesis-profile=thorough`` tries more.
for name, examples in (("brief", BRIEF_EXAMPLES), ("thorough", THOROUGH_EXAMPLES)):
    settings.register_profile(
        name,
        max_examples=examples,
        derandomize=bool(os.environ.get("CI")),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("brief")

# No test keeps anything in the folder of whoever runs it.
os.environ["TRANSREC_STORE"] = "off"
os.environ["TRANSREC_CACHE"] = "off"
os.environ["TRANSREC_LOG"] = "off"

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def short_training() -> Iterator[None]:
    """Networks learn these small worlds in far fewer steps than are allowed for real data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transrec_core.transfer.deep.training.UPDATES", 50)
        yield


# Folders that are run as one piece: two browsers at once would make each other late, and a second
# Spark session takes as long to start as many tests.
PIECES = ("tests/browser/", "tests/spark/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the large pieces, so that no processor waits for one at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(PIECES))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers (``-n 2``) a file stays whole: its tests share what is costly."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            whole = (piece for piece in PIECES if nodeid.startswith(piece))
            return next(whole, nodeid.split("::")[0])

    # As collected, not by the number of tests, which says little of how long they take.
    config.option.loadscopereorder = False
    return ByFile(config, log)


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
