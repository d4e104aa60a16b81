"""For whom, and on what: the gain by users' activity, and on popular, middling and rare items."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from transrec_core.baselines import Baselines
from transrec_core.columns import GENRES, SHOTS
from transrec_core.data.interactions import keep_cells
from transrec_core.data.linking import DomainPair
from transrec_core.evidence.metrics import ndcg
from transrec_core.evidence.resampling import mean_intervals
from transrec_core.evidence.splitting import HeldOut
from transrec_core.transfer.knowledge import Ground

if TYPE_CHECKING:
    from numpy.typing import NDArray

COHORT, LEVEL, USERS = "cohort", "level", "users"
COLUMNS: "Mapping[str, type[int | float | str]]" = {
    SHOTS: int, COHORT: str, LEVEL: str, USERS: int, "gain": float, "low": float, "high": float,
}  # fmt: skip
PARTS = 3
LEAST_USERS = 10


def cohort_gains(
    pair: DomainPair,
    positions: "NDArray[np.int64]",
    gains: "Sequence[tuple[int, NDArray[np.bool_], NDArray[np.float64], float]]",
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
        For each number of shots: the shots, which test users have enough data for them, the gain
        of these, and how far apart users are in the metric.
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
    activity = {"target": pair.target.counts[pair.target_rows[positions]]}
    if pair.linked:
        activity = {"source": pair.source.counts[pair.source_rows[positions]], **activity}
    for name, counts in activity.items():
        level = _levels(counts)
        for shots, enough, gain, spread in gains:
            for words in dict.fromkeys(level[np.argsort(counts, kind="stable")]):
                values = gain[level[enough] == words]
                if len(values) < LEAST_USERS:
                    continue
                (found,) = mean_intervals(values[:, None], random, spread)
                rows.append((shots, name, words, len(values), found.mean, found.low, found.high))
    return table_of(rows)


def table_of(rows: Sequence[tuple[int | float | str, ...]]) -> pd.DataFrame:
    """Rows in the order of ``COLUMNS`` as a table, of the same types where there are none."""
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict(COLUMNS))


STRATA = ("popular", "middling", "rare")
"""Items by popularity; each takes about a third of all interactions."""

MAX_GENRES = 8


def item_cohorts(
    ground: Ground,
    users: HeldOut,
    baselines: Baselines,
    shown: "Mapping[int, NDArray[np.int64]]",
    against: "Mapping[int, NDArray[np.int64]]",
    random: np.random.Generator,
) -> pd.DataFrame:
    """Mean gain in NDCG when only some test items count as relevant: a popularity stratum, a genre.

    Lists still rank the full catalogue. A user counts where any test item belongs to the cohort.

    Parameters
    ----------
    ground
        The linked domains; their target texts name the genres.
    users
        The test users.
    baselines
        Of the training data, for the popularity of items.
    shown, against
        At each number of shots the lists of transfer and of the baseline.
    random
        Of the bootstrap.

    Returns
    -------
    As ``cohort_gains``, with cohorts ``item popularity`` and ``item genre``.
    """
    cohorts = [("item popularity", name, mask) for name, mask in _strata(baselines.popularity)]
    cohorts += [("item genre", name, mask) for name, mask in _genres(ground)]
    rows = []
    for cohort, level, members in cohorts:
        test = keep_cells(users.test, members[users.test.indices])
        some = np.diff(test.indptr) > 0
        for shots, lists in against.items():
            who = np.flatnonzero(some & users.enough[shots])
            if len(who) < LEAST_USERS:
                continue
            without = ndcg(lists[who], test[who])
            gain = ndcg(shown[shots][who], test[who]) - without
            (found,) = mean_intervals(gain[:, None], random, float(without.std()))
            rows.append((shots, cohort, level, len(who), found.mean, found.low, found.high))
    return table_of(rows)


def _strata(popularity: "NDArray[np.float64]") -> "list[tuple[str, NDArray[np.bool_]]]":
    order = np.argsort(-popularity, kind="stable")
    before = np.cumsum(popularity[order]) - popularity[order]
    part = np.empty(len(order), int)
    part[order] = np.minimum(len(STRATA) * before / max(popularity.sum(), 1), len(STRATA) - 1)
    return [(name, part == number) for number, name in enumerate(STRATA)]


def _genres(ground: Ground) -> "list[tuple[str, NDArray[np.bool_]]]":
    """The genres with the most items, where the target's texts name any."""
    if ground.texts is None or GENRES not in ground.texts.target:
        return []
    # Here, because it takes longer to load than the rest of the core.
    from transrec_core.content.words import genre_words

    texts = ground.texts.target[GENRES].reindex(ground.pair.target.items).fillna("")
    words = [genre_words(text) for text in texts]
    counts = Counter(word for genres in words for word in set(genres))
    return [
        (genre, np.array([genre in genres for genres in words]))
        for genre, items in counts.most_common(MAX_GENRES)
        if items > 1
    ]


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
