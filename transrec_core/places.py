"""Which places are used, and whether one can be written, asked before any work is done for it."""

import os
from pathlib import Path
from typing import Literal

from transrec_core.errors import BadSettingError

OFF = "off"


def folder_of(variable: str, kind: Literal["data", "cache"]) -> Path | None:
    """A folder of ours: what a variable of the environment says, else the platform's.

    Parameters
    ----------
    variable
        Its name; ``off`` as its value means none.
    kind
        What is kept, or what can be made anew.
    """
    asked = os.environ.get(variable, "").strip()
    if asked.lower() == OFF:
        return None
    if asked:
        return Path(asked).expanduser()
    import platformdirs

    of_platform = platformdirs.user_data_path if kind == "data" else platformdirs.user_cache_path
    return of_platform("transrec", appauthor=False)


def require_file(path: Path) -> None:
    """Refuse a place where no file can be written, before any work is done for it."""
    if path.is_dir():
        raise BadSettingError(f"{path} is a folder.", "Name a file in it.")
    if not path.parent.exists():
        raise BadSettingError(
            f"The folder {path.parent} does not exist.", "Make it, or name another for --out."
        )
    require_writable(path.parent)


def require_folder(path: Path) -> None:
    """The same for a folder, which need not be there yet."""
    if path.exists() and not path.is_dir():
        raise BadSettingError(f"{path} is a file.", "Name a folder, existing or new.")
    require_writable(path)


def require_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written, or made, before any work is done for it."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise BadSettingError(
            f"{existing} is a file, not a folder.", "Name another place for --out."
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise BadSettingError(
            f"The folder {existing} cannot be written.",
            "Name another place for --out, or change its permissions.",
        )
