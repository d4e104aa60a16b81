"""Two comparisons on the same people: what the later one gains on the earlier, user by user."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from transrec_core.columns import ITEM, METHOD, SHOTS, USER, VALUE
from transrec_core.evidence.resampling import mean_intervals
from transrec_core.evidence.results import Evidence, Interval


@dataclass(frozen=True)
class Difference:
    """A method of a later comparison minus one of an earlier; positive is better.

    Attributes
    ----------
    users
        Users (or items, where these are new) whom both have judged.
    gain
        Mean difference over them with its 95 % bootstrap interval, in the metric's units.
    better, worse
        Shares of them for whom the later one is strictly better, and strictly worse.
    """

    users: int
    gain: Interval
    better: float
    worse: float


def paired_differences(
    earlier: Evidence, later: Evidence, methods: tuple[str, str], seed: int = 0
) -> dict[int, Difference]:
    """Differences between two comparisons at each number of shots that both have measured.

    Parameters
    ----------
    earlier, later
        Evidence in the same metric. Both hid the same interactions of the users whom they share;
        others do not count.
    methods
        The method of the earlier one and the method of the later one.
    seed
        Of the bootstrap.

    Returns
    -------
    By number of shots, rising; without those for which fewer than two users are in both.

    Raises
    ------
    ValueError
        The two are in different metrics, or of users and of items.
    """
    for name in ("metric", "cold"):
        if getattr(earlier, name) != getattr(later, name):
            raise ValueError(
                f"Evidence of two kinds cannot be paired: {name} is {getattr(earlier, name)!r} "
                f"and {getattr(later, name)!r}."
            )
    who = ITEM if earlier.cold == "items" else USER
    sign = 1.0 if earlier.higher_is_better else -1.0
    before, after = (
        _values(evidence, method, who)
        for evidence, method in zip((earlier, later), methods, strict=True)
    )
    both = pd.concat({"before": before, "after": after}, axis=1, join="inner").sort_index()
    random = np.random.default_rng([seed, 7])
    found = {}
    for shots in both.index.unique(SHOTS):
        rows = both.xs(shots, level=SHOTS)
        if len(rows) < 2:
            continue
        old, new = rows["before"].to_numpy(), rows["after"].to_numpy()
        difference = sign * (new - old)
        # Of both, and with the sign of the mean: so the interval of the two in the other order is
        # the same one mirrored.
        spread = np.copysign(np.sqrt((old.var() + new.var()) / 2), difference.mean())
        (gain,) = mean_intervals(difference[:, None], random, float(spread))
        found[int(shots)] = Difference(
            len(rows), gain, float((difference > 0).mean()), float((difference < 0).mean())
        )
    return found


def _values(evidence: Evidence, method: str, who: str) -> pd.Series:
    """The metric of one method by shots and user."""
    rows = evidence.per_user[evidence.per_user[METHOD] == method]
    return rows.set_index([SHOTS, who])[VALUE]
