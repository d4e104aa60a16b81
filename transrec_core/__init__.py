"""transrec: find out whether taste in one catalogue helps to recommend in another.

>>> import transrec_core as tr
>>> source, target = tr.read_ratings("films.csv"), tr.read_ratings("books.csv")  # doctest: +SKIP
>>> tr.compare(source, target).headline.verdict  # doctest: +SKIP
{0: 'helps', 1: 'helps', 2: 'helps', 5: 'helps', 10: 'no evidence'}
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transrec_core.content import Topics, fit_topics, similar_items
    from transrec_core.data.items import Items, read_items
    from transrec_core.data.linking import DomainPair, link
    from transrec_core.data.ratings import Ratings, read_ratings
    from transrec_core.engines.folder import RunFolder, open_run_folder, write_run_folder
    from transrec_core.errors import TransrecError
    from transrec_core.evidence.results import Comparison, Evidence, ShotEvidence
    from transrec_core.explaining import Explanation, explain
    from transrec_core.factors.model import Factors
    from transrec_core.factors.solver import factorize
    from transrec_core.persistence import SavedRun, load_run, save_run
    from transrec_core.progress import Progress
    from transrec_core.recommending import history, recommend_for
    from transrec_core.running import (
        Run,
        compare,
        rank_sources,
        recommend,
        recommend_from,
        run,
        sparsity,
    )
    from transrec_core.settings import Settings
    from transrec_core.space import alignment, factor_cards, item_map, neighbours
    from transrec_core.supposing import what_if

# Loaded when first used, so that reading a file or asking for help does not load the kernels.
_PLACES = {
    "Comparison": "evidence.results",
    "DomainPair": "data.linking",
    "Evidence": "evidence.results",
    "Explanation": "explaining",
    "Factors": "factors.model",
    "Items": "data.items",
    "Progress": "progress",
    "Ratings": "data.ratings",
    "Run": "running",
    "RunFolder": "engines.folder",
    "SavedRun": "persistence",
    "Settings": "settings",
    "ShotEvidence": "evidence.results",
    "Topics": "content",
    "TransrecError": "errors",
    "alignment": "space",
    "compare": "running",
    "explain": "explaining",
    "factor_cards": "space",
    "factorize": "factors.solver",
    "fit_topics": "content",
    "history": "recommending",
    "item_map": "space",
    "link": "data.linking",
    "load_run": "persistence",
    "neighbours": "space",
    "open_run_folder": "engines.folder",
    "rank_sources": "running",
    "read_items": "data.items",
    "read_ratings": "data.ratings",
    "recommend": "running",
    "recommend_for": "recommending",
    "recommend_from": "running",
    "run": "running",
    "save_run": "persistence",
    "similar_items": "content",
    "sparsity": "running",
    "what_if": "supposing",
    "write_run_folder": "engines.folder",
}

__all__ = [
    "Comparison",
    "DomainPair",
    "Evidence",
    "Explanation",
    "Factors",
    "Items",
    "Progress",
    "Ratings",
    "Run",
    "RunFolder",
    "SavedRun",
    "Settings",
    "ShotEvidence",
    "Topics",
    "TransrecError",
    "alignment",
    "compare",
    "explain",
    "factor_cards",
    "factorize",
    "fit_topics",
    "history",
    "item_map",
    "link",
    "load_run",
    "neighbours",
    "open_run_folder",
    "rank_sources",
    "read_items",
    "read_ratings",
    "recommend",
    "recommend_for",
    "recommend_from",
    "run",
    "save_run",
    "similar_items",
    "sparsity",
    "what_if",
    "write_run_folder",
]


def __getattr__(name: str) -> Any:
    """Find a public name where it is defined."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
