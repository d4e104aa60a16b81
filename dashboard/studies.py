"""What can be measured beside a fit, as work for a child process; the core does it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from transrec_core.data.ratings import Ratings
    from transrec_core.settings import Settings


def rank(
    source: "Ratings",
    target: "Ratings",
    settings: "Settings",
    *,
    candidates: "Mapping[str, Ratings]",
    on_progress: Any,
    **_: Any,
) -> "pd.DataFrame":
    """Rank candidate sources for the target; see ``rank_sources``."""
    from transrec_core.running import rank_sources

    return rank_sources(target, candidates, settings, on_progress=on_progress)


def thin(
    source: "Ratings", target: "Ratings", settings: "Settings", *, on_progress: Any, **_: Any
) -> "pd.DataFrame":
    """Compare with fewer and fewer target ratings; see ``sparsity``."""
    from transrec_core.running import sparsity

    return sparsity(source, target, settings, on_progress=on_progress)


def neighbourhoods(
    source: "Ratings",
    target: "Ratings",
    settings: "Settings",
    *,
    rows: "NDArray[np.int64]",
    points: "NDArray[np.float64]",
    start: "NDArray[np.float64]",
    on_progress: Any,
    **_: Any,
) -> "pd.DataFrame":
    """Row, x and y of a map that keeps neighbours; see ``neighbour_plane``."""
    import pandas as pd

    from transrec_core.factors.geometry import neighbour_plane
    from transrec_core.progress import Progress

    on_progress(Progress("Drawing the t-SNE map", 0.05, f"{len(rows):,} items"))
    plane = neighbour_plane(points, start)
    return pd.DataFrame({"row": rows, "x": plane[:, 0], "y": plane[:, 1]})
