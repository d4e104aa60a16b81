"""How long the next fit is likely to take."""

from dashboard.compute.memory import remember
from dashboard.compute.preflight import both_usable, pair
from dashboard.jobs import Workspace
from transrec_core.evidence.estimating import expected_seconds
from transrec_core.settings import Settings
from transrec_core.transfer.knowledge import Ground, Texts

BESIDE = 1.0
"""Seconds around a fit: handing data and result over, checks."""

PACE = 2.0
"""What a fit takes beside the estimate, where no fit has shown this machine's own pace."""

PACES = (0.5, 20.0)
"""How far the pace of an earlier fit may lie from what was expected to be believed."""


def expected(space: Workspace, settings: Settings) -> float | None:
    """Seconds until the next fit is done, by the sizes of the data and the pace of the last fit.

    ``None`` where nothing can be said: without data, for new items, and for a method that cannot
    be used.
    """
    if not both_usable(space) or settings.cold == "items":
        return None
    work = _work(space, settings)
    shown = space.shown
    pace = PACE
    if shown is not None and shown.inputs == space.inputs:
        before = _work(space, shown.run.settings)
        if before:
            low, high = PACES
            pace = min(max((shown.run.seconds - BESIDE) / before, low), high)
    return BESIDE + pace * work if work else None


def _work(space: Workspace, settings: Settings) -> float:
    def make() -> float:
        frames = [space.items_of(side) for side in ("source", "target")]
        texts = None
        if frames[0] is not None and frames[1] is not None:
            texts = Texts(frames[0].frame, frames[1].frame)
        return expected_seconds(Ground(pair(space), "implicit", settings.seed, texts), settings)

    return remember(space, ("expected", space.inputs, settings), make)
