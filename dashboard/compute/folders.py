"""Run folders: which there are, and what is looked up in one of them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

import pandas as pd

from dashboard import wording
from dashboard.compute.loading import _failure
from dashboard.compute.memory import SIDES
from dashboard.folders import SHELF
from dashboard.jobs import Failure
from transrec_core.columns import ITEM, TITLE
from transrec_core.engines.folder import (
    EVIDENCE,
    LISTS,
    RUN,
    Facts,
    RunFolder,
    evidence_files,
    open_run_folder,
)
from transrec_core.errors import TransrecError
from transrec_core.limits import Limits
from transrec_core.reporting.bundle import EVIDENCE as EVIDENCE_FILE
from transrec_core.reporting.tables import table_bytes
from transrec_core.space import ItemMap

MOST_SHOWN = 200
"""Folders that are listed, the newest."""

MOST_IDS = 1000
"""Ids whose lists are looked up at once."""

Stamp = tuple[int, ...]
"""Changes whenever a run folder is written anew."""


@dataclass(frozen=True)
class FolderEntry:
    """A folder of the shelf.

    Attributes
    ----------
    name
        Its name there, which is also its link.
    at
        When it was written last.
    stamp
        What tells it from what was under its name before.
    folder
        Opened; ``None`` where it cannot be.
    why
        Why not.
    """

    name: str
    at: datetime
    stamp: Stamp
    folder: RunFolder | None
    why: Failure | None = None


def shelf() -> bool:
    """Whether this server shows run folders."""
    return SHELF.place is not None


def folder_entries() -> list[FolderEntry]:
    """What lies on the shelf, the newest first.

    Raises
    ------
    OSError
        The place itself cannot be read.
    """
    found = [(_written(Path(one.path)), one) for one in _folders()]
    found.sort(key=lambda pair: (-pair[0], pair[1].name))
    return [_entry(one, at) for at, one in found[:MOST_SHOWN]]


def folder_entry(name: str) -> FolderEntry | None:
    """The folder of a name on the shelf; ``None`` where there is none.

    The name is looked for among those that are there, so that no link leads elsewhere.
    """
    try:
        named = [one for one in _folders() if one.name == name]
    except OSError:
        return None
    return _entry(named[0], _written(Path(named[0].path))) if named else None


def _folders() -> "list[os.DirEntry[str]]":
    """What may be run folders. Names that no page could show are none; hidden ones come to be."""
    assert SHELF.place is not None
    with os.scandir(SHELF.place) as everything:
        return [
            one
            for one in everything
            if one.name.isprintable() and not one.name.startswith(".") and _is_folder(one)
        ]


def _is_folder(one: "os.DirEntry[str]") -> bool:
    return one.is_symlink() or one.is_dir(follow_symlinks=False)


def _written(path: Path) -> float:
    for name in (RUN, EVIDENCE_FILE, "."):
        try:
            return (path / name).lstat().st_mtime
        except OSError:
            continue
    return 0.0


def _entry(one: "os.DirEntry[str]", at: float) -> FolderEntry:
    when = datetime.fromtimestamp(at)
    if one.is_symlink():
        link = Failure("", f"{one.name} is a link.", "Put the folder itself here.")
        return FolderEntry(one.name, when, (), None, link)
    stamp = _stamp(Path(one.path))
    try:
        return FolderEntry(one.name, when, stamp, _open(one.path, stamp))
    except TransrecError as error:
        title = f"{one.name} cannot be opened"
        return FolderEntry(one.name, when, stamp, None, _failure(title, error))


def _stamp(path: Path) -> Stamp:
    marks: list[int] = []
    for name in (RUN, EVIDENCE_FILE, f"{EVIDENCE}/{EVIDENCE_FILE}"):
        try:
            told = (path / name).lstat()
        except OSError:
            continue
        marks += (told.st_ino, told.st_mtime_ns, told.st_size)
    return tuple(marks)


@lru_cache(maxsize=MOST_SHOWN)
def _open(path: str, stamp: Stamp) -> RunFolder:
    """A folder's facts and evidence; one that cannot be opened is tried anew each time."""
    return open_run_folder(path)


@lru_cache(maxsize=8)
def _map(path: str, stamp: Stamp) -> ItemMap | None:
    found = _open(path, stamp).item_map()
    if found is None:
        return None
    frame = found.frame
    names = frame[TITLE].where(frame[TITLE] != "", frame[ITEM])
    return replace(found, frame=frame.assign(name=names))


@lru_cache(maxsize=8)
def _lists(path: str, stamp: Stamp, users: tuple[str, ...]) -> pd.DataFrame:
    return _open(path, stamp).lists_of(*users)


def folder_map(found: FolderEntry) -> ItemMap | Failure | None:
    """The map with a ``name`` column; ``None`` where there is none."""
    try:
        return _map(_path(found), found.stamp)
    except TransrecError as error:
        return _failure("The map cannot be read", error)


def folder_lists(found: FolderEntry, users: Sequence[str]) -> pd.DataFrame | Failure:
    """The lists of some users, as they were written."""
    try:
        return _lists(_path(found), found.stamp, tuple(users))
    except TransrecError as error:
        return _failure("The lists cannot be read", error)


@dataclass(frozen=True)
class Known:
    """What a run folder knows of one user.

    Attributes
    ----------
    lists
        Their list.
    interactions
        How many they have in the source; ``None`` where that is not told.
    placed
        Whether the method places them in the target's space; ``None`` where that is not told.
    """

    lists: pd.DataFrame
    interactions: int | None
    placed: bool | None


def folder_facts(facts: Facts) -> pd.DataFrame:
    """What the run was, a fact a row, in words."""
    settings = facts.settings
    method = wording.method_word(facts.method or settings.method, settings.cold)
    created = datetime.fromisoformat(facts.created).astimezone()
    rows = [
        ("Method", f"Auto: {method}" if settings.method == "auto" and facts.method else method),
        ("Model", wording.MODEL_WORDS[settings.model]),
        ("Rank", "auto" if facts.rank is None else str(facts.rank)),
        ("λ", wording.lam(facts.lam)),
        ("Who is new to the target", wording.COLD_WORDS[settings.cold]),
        ("List length", str(settings.top)),
        ("Seed", str(settings.seed)),
        ("Written", f"{created:%Y-%m-%d %H:%M}"),
        ("Took", wording.seconds(facts.seconds)),
    ]
    for side in SIDES:
        told = facts.data.get(side, {})
        if "sha256" in told:
            rows.append((f"{wording.DOMAIN_WORDS[side]}, SHA-256", str(told["sha256"])))
    return pd.DataFrame(rows, columns=["Fact", "Value"])


def folder_contents(facts: Facts, words: Mapping[str, str]) -> pd.DataFrame:
    """How many rows each part has."""
    rows = [(words[part], wording.count(rows)) for part, rows in facts.contents.items()]
    return pd.DataFrame(rows, columns=["Part", "Rows"])


def look_up(found: FolderEntry, user: str) -> Known | Failure:
    """What there is of one user, without reading anybody else's."""
    folder = found.folder
    assert folder is not None
    try:
        return Known(
            _lists(_path(found), found.stamp, (user,)),
            folder.source_interactions(user),
            folder.placed(user),
        )
    except TransrecError as error:
        return _failure("This user could not be looked up", error)


def folder_file(frame: pd.DataFrame, kind: Literal["csv", "parquet", "json"]) -> bytes:
    """Lists as the content of a file."""
    return table_bytes(frame, kind)


def folder_evidence(found: FolderEntry) -> dict[str, Path]:
    """Evidence files that are small enough to be handed over by a page."""
    assert found.folder is not None
    most = Limits.current().upload_mb * 10**6
    files = evidence_files(found.folder)
    return {name: path for name, path in files.items() if path.stat().st_size <= most}


def parquet_place(found: FolderEntry) -> Path | None:
    """Where the Parquet of all lists is on the server; ``None`` where there are no lists."""
    assert found.folder is not None
    return found.folder.path / LISTS if found.folder.has(LISTS) else None


def _path(found: FolderEntry) -> str:
    assert found.folder is not None
    return str(found.folder.path)
