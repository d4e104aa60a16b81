"""Two domains, joined by the users that occur in both."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from transrec_core.data.interactions import Interactions
from transrec_core.errors import NoOverlapError

if TYPE_CHECKING:
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
    linked
        Whether ``shared`` are in both; else they are all users of the target, of whom the source
        knows nothing, and ``source_rows`` are −1.
    """

    source: Interactions
    target: Interactions
    shared: pd.Index
    source_rows: "NDArray[np.int64]"
    target_rows: "NDArray[np.int64]"
    linked: bool = True

    def unlinked(self) -> "DomainPair":
        """The pair with every target user to be judged, and nobody known from the source."""
        users = self.target.users
        nowhere = np.full(len(users), -1)
        return DomainPair(
            self.source, self.target, users, nowhere, np.arange(len(users)), linked=False
        )


def require_overlap(pair: DomainPair, cold: str = "users") -> None:
    """Refuse a pair that shares no users (no items, where these are the ``cold`` side).

    Raises
    ------
    NoOverlapError
        With the numbers of users.
    """
    if len(pair.shared) == 0:
        what, way = ("user", "people") if cold == "users" else ("item", "items")
        otherwise = (
            "Where they really share nothing, give the items' texts of both catalogues (method "
            "content), or choose the method codebook."
            if cold == "users"
            else "Or give the texts of the target's items, which new items can be known by."
        )
        raise NoOverlapError(
            f"Source ({len(pair.source.users):,} {what}s) and target ({len(pair.target.users):,} "
            f"{what}s) share no {what} ids.",
            f"Check that both files name {way} in the same way and that the user and item columns "
            f"are not swapped. {otherwise}",
        )


def link(source: Interactions, target: Interactions) -> DomainPair:
    """Join two domains by user id; an empty overlap is a valid pair that says so itself."""
    shared = source.users.intersection(target.users).sort_values()
    return DomainPair(source, target, shared, source.rows_of(shared), target.rows_of(shared))
