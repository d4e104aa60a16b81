"""From what is known of users to scores of all target items."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from transrec_core.factors.model import Factors
from transrec_core.transfer.fold_in import FoldedUsers, Prior, fold_in

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    Users = slice | NDArray[np.integer]
    Strength = float | NDArray[np.floating]


class Scorer(Protocol):
    """Scores some users' target items; the users were fixed when it was made."""

    def scores(
        self, users: "Users", support: "sp.csr_array", strength: "Strength"
    ) -> "NDArray[np.floating]":
        """Scores of all target items, users × items.

        Parameters
        ----------
        users
            Which of the scorer's users, by position.
        support
            Their target data, users × items.
        strength
            τ, how much what is known beforehand counts beside it: one for all or one a user.
        """
        ...


@dataclass(frozen=True)
class PlacedUsers:
    """Users placed in a model's space by a prior and their own target data.

    Attributes
    ----------
    model
        The target factorization.
    prior
        What is expected of each user; τ = 0 leaves it out.
    """

    model: Factors
    prior: Prior

    def place(self, users: "Users", support: "sp.csr_array", strength: "Strength") -> FoldedUsers:
        """Factors and biases of users; parameters as for ``scores``."""
        prior = self.prior[users]
        taus = np.broadcast_to(np.asarray(strength, np.float64), support.shape[:1])
        factors = np.empty((support.shape[0], self.model.rank), self.model.item_factors.dtype)
        bias = None if self.model.biases is None else np.empty(support.shape[0])
        for tau in np.unique(taus):
            who = np.flatnonzero(taus == tau)
            own = support if len(who) == len(taus) else support[who]
            placed = fold_in(self.model, own, prior[who] if tau > 0 else None, float(tau))
            factors[who] = placed.factors
            if bias is not None and placed.bias is not None:
                bias[who] = placed.bias
        return FoldedUsers(factors, bias)

    def scores(
        self, users: "Users", support: "sp.csr_array", strength: "Strength"
    ) -> "NDArray[np.floating]":
        """See ``Scorer``."""
        placed = self.place(users, support, strength)
        return self.model.scores(placed.factors, placed.bias)


@dataclass(frozen=True)
class Blend:
    """(1 − w)·target-only + w·transfer.

    Attributes
    ----------
    alone, moved
        The two scorers, of the same users.
    alone_strength
        τ of ``alone``; that of ``moved`` is given with each call.
    weight
        w, from 0 to 1.
    """

    alone: Scorer
    moved: Scorer
    alone_strength: "Strength"
    weight: float

    def scores(
        self, users: "Users", support: "sp.csr_array", strength: "Strength"
    ) -> "NDArray[np.floating]":
        """See ``Scorer``."""
        moved = self.moved.scores(users, support, strength)
        if self.weight == 1:
            return moved
        alone = self.alone.scores(users, support, self.alone_strength)
        return np.asarray((1 - self.weight) * alone + self.weight * moved)
