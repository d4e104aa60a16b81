"""Several files for one source: the first is used, the others wait to be ranked."""

from collections.abc import Sequence
from dataclasses import replace

from dashboard.compute.loading import load_side
from dashboard.compute.studies import add_candidate
from dashboard.jobs import Loaded, LoadedItems, Workspace


def load_sources(space: Workspace, files: Sequence[tuple[bytes, str]]) -> bool:
    """Read several files: the first that can be read is the source, the others are candidates.

    Returns
    -------
    Whether a source came of them. Files that are refused are told.
    """
    refused = None
    for place, (content, name) in enumerate(files):
        if load_side(space, "source", content, name):
            add_candidates(space, files[place + 1 :])
            if refused is not None:
                with space.lock:
                    space.refused["source"] = refused
            return True
        refused = refused or space.refused["source"]
    return False


def add_candidates(space: Workspace, files: Sequence[tuple[bytes, str]]) -> bool:
    """Read other sources to rank; whether all could be used. The first refusal is told."""
    refused = None
    for content, name in files:
        if not add_candidate(space, content, name):
            refused = refused or space.refused["candidate"]
    if refused is not None:
        with space.lock:
            space.refused["candidate"] = refused
    return refused is None


def use_candidate(space: Workspace, place: int) -> None:
    """Make one of the other sources the source; the one before it takes its place.

    Titles that were the source's alone stay with what they describe: they are set aside where they
    tell of less than half of the new source's items, and come back with the old one.
    """
    with space.lock:
        chosen = space.candidates[place]
        others = list(space.candidates)
        if space.source is None:
            others.pop(place)
        else:
            others[place] = space.source
        space.candidates = tuple(others)
        space.source = chosen
        space.refused.pop("source", None)
        space.items = tuple(
            replace(entry, sides=("source",) if _tells_of(entry, chosen) else ())
            if set(entry.sides) <= {"source"}
            else entry
            for entry in space.items
        )


def _tells_of(entry: LoadedItems, loaded: Loaded) -> bool:
    if loaded.ratings is None:
        return False
    items = loaded.ratings.interactions().items
    return bool(items.isin(entry.items.frame.index).mean() >= 0.5)
