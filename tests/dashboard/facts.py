"""What a link shows, in a form that can be compared."""

from typing import Any

from dashboard.jobs import Workspace


def facts(space: Workspace) -> dict[str, Any]:
    """Everything that a link shows, apart from the runs' own content."""
    return {
        "sides": [side and (side.name, side.fingerprint) for side in (space.source, space.target)],
        "inputs": space.inputs,
        "items": [(i.name, i.sides, len(i.items.frame)) for i in space.items],
        "candidates": [(c.name, c.fingerprint) for c in space.candidates],
        "settings": space.settings,
        "results": [
            (r.id, r.name, r.pinned, r.at, r.inputs, r.names, r.items_names, r.opened)
            for r in space.results
        ],
        "shown": space.shown and space.shown.id,
        "made": space.runs_made,
        "studies": sorted((kind, study.inputs) for kind, study in space.studies.items()),
    }
