"""For whom: the gain among users who did little, some or much in either catalogue."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from transrec_core.columns import SHOTS
from transrec_core.data.linking import DomainPair
from transrec_core.evidence.resampling import bootstrap_means, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

COHORT, LEVEL, USERS = "cohort", "level", "users"
COLUMNS = (SHOTS, COHORT, LEVEL, USERS, "gain", "low", "high")
PARTS = 3
LEAST_USERS = 10


def cohort_gains(
    pair: DomainPair,
    positions: "NDArray[np.int64]",
    gains: "Sequence[tuple[int, NDArray[np.bool_], NDArray[np.float64]]]",
    random: np.random.Generator,
) -> pd.DataFrame:
    """Mean gain of each third of the test users, by interactions in the source and in the target.

    Parameters
    ----------
    pair
        The linked domains.
    positions
        The test users' positions in ``pair.shared``.
    gains
        For each number of shots: the shots, which test users have enough data for them, and the
        gain of these.
    random
        Of the bootstrap.

    Returns
    -------
    shots, cohort (``source`` or ``target`` interactions), level (such as ``21 to 60``), users, gain
    and its 95 % interval (low, high). Levels of fewer than ``LEAST_USERS`` users are left out.

    Notes
    -----
    Each interval speaks for its own cohort; among many, some lie above zero by chance.
    """
    rows = []
    for name, counts in (
        ("source", pair.source.counts[pair.source_rows[positions]]),
        ("target", pair.target.counts[pair.target_rows[positions]]),
    ):
        level = _levels(counts)
        for shots, enough, gain in gains:
            for words in dict.fromkeys(level[np.argsort(counts, kind="stable")]):
                values = gain[level[enough] == words]
                if len(values) < LEAST_USERS:
                    continue
                found = interval(
                    float(values.mean()), bootstrap_means(values[:, None], random)[:, 0]
                )
                rows.append((shots, name, words, len(values), found.mean, found.low, found.high))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _levels(counts: "NDArray[np.int64]") -> "NDArray[np.str_]":
    """Which third each user is in, in words; fewer parts where many users have the same count."""
    cuts = np.quantile(counts, np.arange(1, PARTS) / PARTS, method="lower")
    cuts = np.unique(cuts[cuts < counts.max()])
    part = np.searchsorted(cuts, counts, side="left")
    words = []
    for number in range(len(cuts) + 1):
        inside = counts[part == number]
        low, high = int(inside.min()), int(inside.max())
        words.append(f"{low:,}" if low == high else f"{low:,} to {high:,}")
    return np.array(words)[part]
