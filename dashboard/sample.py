"""Where the sample that comes with transrec lies."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent
FOLDERS = (_HERE / "sample_data", _HERE.parent / "sample_data")


def folder() -> Path:
    """The packaged sample where there is one, else that of the source tree."""
    return next((path for path in FOLDERS if path.is_dir()), FOLDERS[-1])
