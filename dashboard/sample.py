"""Where the sample that comes with transrec lies, and how a first look at it is fitted."""

from pathlib import Path

from transrec_core.settings import Settings

_HERE = Path(__file__).resolve().parent
FOLDERS = (_HERE / "sample_data", _HERE.parent / "sample_data")

# With rank and λ open a first look takes three times as long and comes to the same verdict.
SETTINGS = Settings(rank=32, lam=0.02)


def folder() -> Path:
    """The packaged sample where there is one, else that of the source tree."""
    return next((path for path in FOLDERS if path.is_dir()), FOLDERS[-1])
