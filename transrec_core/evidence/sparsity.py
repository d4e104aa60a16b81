"""What the source is worth as the target grows: the comparison with target ratings thinned.

Only what the target's other users did is thinned, nested from share to share. The test users, what
they are given and what they are tested on stay the same, so that the shares can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from transrec_core.data.interactions import keep_cells
from transrec_core.data.linking import DomainPair, require_overlap
from transrec_core.evidence.comparison import compare_domains
from transrec_core.evidence.results import Comparison
from transrec_core.evidence.splitting import UserSplit, split_users
from transrec_core.progress import Meter
from transrec_core.settings import Settings

SHARES = (1.0, 0.5, 0.25, 0.1)


@dataclass(frozen=True)
class Thinned:
    """The comparison at one share of the target's ratings.

    Attributes
    ----------
    share
        Of the ratings of everybody who is not held out.
    ratings
        How many these are.
    comparison
        What was found with them.
    """

    share: float
    ratings: int
    comparison: Comparison


def thin(pair: DomainPair, split: UserSplit, share: float, seed: int) -> DomainPair:
    """Keep a share of the target interactions of all who are not held out, at random.

    What one share keeps, a larger one keeps too.
    """
    matrix = pair.target.matrix
    held = np.concatenate([split.validation.positions, split.test.positions])
    kept = np.random.default_rng([seed, 6]).random(matrix.nnz) < share
    for row in pair.target_rows[held]:
        kept[matrix.indptr[row] : matrix.indptr[row + 1]] = True
    times = None if pair.target.times is None else pair.target.times[kept]
    thinned = replace(pair.target, matrix=keep_cells(matrix, kept), times=times)
    return replace(pair, target=thinned)


def thinned_comparisons(
    pair: DomainPair, settings: Settings, shares: Sequence[float], meter: Meter
) -> list[Thinned]:
    """One comparison a share, the largest share first.

    Raises
    ------
    NoOverlapError, TooFewUsersError
        As for a comparison.
    """
    require_overlap(pair)
    split = split_users(pair, settings)
    held = pair.target_rows[np.concatenate([split.validation.positions, split.test.positions])]
    found = []
    for number, share in enumerate(sorted(shares, reverse=True)):
        part = meter.part(number / len(shares), (number + 1) / len(shares))
        thinned = thin(pair, split, share, settings.seed)
        counts = thinned.target.counts
        comparison = compare_domains(thinned, settings, part, split)
        found.append(Thinned(share, int(counts.sum() - counts[held].sum()), comparison))
    return found


def as_table(found: list[Thinned]) -> pd.DataFrame:
    """One row a share, kind of evidence and number of shots."""
    rows = []
    for thinned in found:
        for evidence in filter(None, (thinned.comparison.ranking, thinned.comparison.ratings)):
            for shot in evidence.shots:
                gain = shot.gain
                rows.append(
                    {
                        "share": thinned.share,
                        "ratings": thinned.ratings,
                        "metric": evidence.metric,
                        "shots": shot.shots,
                        "users": shot.users,
                        "baseline": shot.best_baseline,
                        "without": shot.methods[shot.best_baseline].mean,
                        "method": shot.transfer,
                        "with": shot.methods[shot.transfer].mean,
                        "gain": gain.mean,
                        "low": gain.low,
                        "high": gain.high,
                        "verdict": shot.verdict,
                    }
                )
    return pd.DataFrame(rows)
