"""Two domains, joined by the users that occur in both."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from transrec_core.data.interactions import Interactions
from transrec_core.errors import NoOverlapError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class DomainPair:
    """A source and a target domain and who is in both.

    Attributes
    ----------
    source, target
        The two domains.
    shared
        Ids that occur in both, in rising order; may be empty.
    source_rows, target_rows
        Row of each shared user in ``source`` and in ``target``.
    """

    source: Interactions
    target: Interactions
    shared: pd.Index
    source_rows: "NDArray[np.int64]"
    target_rows: "NDArray[np.int64]"


def require_overlap(pair: DomainPair) -> None:
    """Refuse a pair that shares no users.

    Raises
    ------
    NoOverlapError
        With the numbers of users.
    """
    if len(pair.shared) == 0:
        raise NoOverlapError(
            f"Source ({len(pair.source.users):,} users) and target ({len(pair.target.users):,} "
            "users) share no user ids.",
            "Check that both files name people in the same way and that the user and item columns "
            "are not swapped.",
        )


def link(source: Interactions, target: Interactions) -> DomainPair:
    """Join two domains by user id; an empty overlap is a valid pair that says so itself."""
    shared = source.users.intersection(target.users).sort_values()
    return DomainPair(source, target, shared, source.rows_of(shared), target.rows_of(shared))
