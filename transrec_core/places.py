"""Which places are used, and whether one can be written, asked before any work is done for it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from transrec_core.errors import BadSettingError

OFF = "off"


def folder_of(variable: str, kind: Literal["data", "cache", "log"]) -> Path | None:
    """A folder of ours: what a variable of the environment says, else the platform's.

    Parameters
    ----------
    variable
        Its name; ``off`` as its value means none.
    kind
        What is kept, what can be made anew, or what has gone wrong.

    Returns
    -------
    Path | None
        ``None`` where there is to be none, or the platform has none for an account without a home.

    Raises
    ------
    BadSettingError
        The variable names a home folder that the account does not have.
    """
    asked = os.environ.get(variable, "").strip()
    if asked.lower() == OFF:
        return None
    if asked:
        return expanded(asked, variable)
    import platformdirs

    of_platform = {
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
        "log": platformdirs.user_log_path,
    }[kind]
    try:
        folder = of_platform("transrec", appauthor=False)
    except RuntimeError:  # an account without a home folder
        return None
    # Older versions of platformdirs leave "~", which would be a folder in the working folder.
    return folder if folder.is_absolute() else None


def expanded(text: str, named_by: str) -> Path:
    """A path whose ``~`` is a home folder.

    Parameters
    ----------
    text
        As somebody wrote it.
    named_by
        What it was given by: a variable or a flag.

    Raises
    ------
    BadSettingError
        There is no such home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise BadSettingError(
            f"{named_by} is {text!r}, and there is no such home folder.", "Give the whole path."
        ) from None


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


def require_apart(written: Iterable[str | Path], read: Iterable[str | Path]) -> None:
    """Refuse to replace what a command reads, or to write into a folder that it reads.

    Parameters
    ----------
    written
        Files and folders that will be replaced as a whole; URLs where a cluster writes them.
    read
        Files and folders that the command reads, or their URLs.

    Raises
    ------
    BadSettingError
        Naming both, however they are spelled or linked.
    """
    inputs = list(read)
    for out in written:
        for file in inputs:
            if _is_in(file, out) or _is_in(out, file):
                raise BadSettingError(
                    f"Writing {out} would change {file}, which this command reads.",
                    "Name another place for --out.",
                )


def _is_in(inner: str | Path, outer: str | Path) -> bool:
    """Whether one place is the other, or lies in it."""
    one, other = _on_this_computer(inner), _on_this_computer(outer)
    if one is None or other is None:
        return f"{str(inner).rstrip('/')}/".startswith(f"{str(outer).rstrip('/')}/")
    if not other.exists():
        return False
    # A link lies where it is named, and what it leads to lies elsewhere: both count.
    above = [one, *one.absolute().parents, *one.resolve().parents]
    return any(place.exists() and place.samefile(other) for place in above)


def _on_this_computer(place: str | Path) -> Path | None:
    """The path of a place; ``None`` where it is a URL of another computer's."""
    parts = urlsplit(str(place))
    if "://" not in str(place):
        return Path(place)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None
