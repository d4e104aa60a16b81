"""A run as one file, and back."""

import secrets
from datetime import datetime
from pathlib import PurePath

from dashboard.compute.loading import _failure
from dashboard.jobs import Result, Workspace
from dashboard.keeping import about
from dashboard.reading import read_apart
from transrec_core.errors import TransrecError

NAME_LENGTH = 60


def saved_run(result: Result) -> bytes:
    """The run with all that its pages show, as the content of a file."""
    from transrec_core.persistence import run_bytes

    return run_bytes(result.run, about(result))


def open_run(space: Workspace, content: bytes, name: str) -> bool:
    """Show a saved run; one that is refused is told and changes nothing."""
    from transrec_core.persistence import load_run

    try:
        saved = read_apart(load_run, content, name)
    except TransrecError as error:
        with space.lock:
            space.refused["run"] = _failure(f"{name} could not be opened", error)
        return False
    told = saved.about
    result = Result(
        secrets.token_hex(4),
        saved.run,
        _time(told.get("at", ""), saved.saved),
        told.get("inputs", ""),
        (told.get("source", ""), told.get("target", "")),
        (told.get("source_items", ""), told.get("target_items", "")),
        name=(told.get("name", "") or PurePath(name).stem)[:NAME_LENGTH],
        opened=name,
    )
    with space.lock:
        space.refused.pop("run", None)
        space.add(result)
        space.settings = result.run.settings
    return True


def _time(*texts: str) -> datetime:
    """The first text that is a time, as the clock here shows it; else now."""
    for text in texts:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            continue
        return at if at.tzinfo is None else at.astimezone().replace(tzinfo=None)
    return datetime.now()
