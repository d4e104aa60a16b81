"""A fitted factorization."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from transrec_core.factors.biases import Biases
from transrec_core.factors.objectives import Explicit, Implicit, Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Factors:
    """R ≈ UVᵀ, with the biases that came first.

    Attributes
    ----------
    user_factors, item_factors
        U (users × k) and V (items × k).
    objective
        J after each half-sweep: users, items, users, …; it never rises.
    spec
        The objective that was minimised, with its λ.
    nonnegative
        Whether U and V were kept ≥ 0.
    biases
        μ + b_u + b_i in rating units; ``None`` where the objective has none.
    shift
        Subtracted from the ratings before a non-negative fit, so that they are ≥ 0.
    converged
        Whether J fell by less than the tolerance in the last sweep.
    gradient
        ‖∂J/∂U‖ relative to the right-hand sides, where the items were solved last; 0 at a minimum.
    """

    user_factors: "NDArray[np.floating]"
    item_factors: "NDArray[np.floating]"
    objective: tuple[float, ...]
    spec: Objective
    nonnegative: bool = False
    biases: Biases | None = None
    shift: float = 0.0
    converged: bool = False
    gradient: float = float("nan")
    item_gram: "NDArray[np.floating]" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep VᵀV: every fold-in of the implicit objective needs it."""
        object.__setattr__(self, "item_gram", self.item_factors.T @ self.item_factors)

    def __repr__(self) -> str:
        """Sizes only: a repr in a log holds no data."""
        kind = "non-negative " if self.nonnegative else ""
        return (
            f"Factors({len(self.user_factors)} users × {len(self.item_factors)} items, {kind}rank "
            f"{self.rank}, {self.feedback}, λ {self.lam:g})"
        )

    @property
    def rank(self) -> int:
        """Number of factors k."""
        return int(self.item_factors.shape[1])

    @property
    def lam(self) -> float:
        """Regularisation weight λ."""
        return self.spec.lam

    @property
    def feedback(self) -> str:
        """``"ratings"`` or ``"implicit"``."""
        return "ratings" if isinstance(self.spec, Explicit) else "implicit"

    @property
    def alpha0(self) -> float:
        """Weight of an unobserved cell; 0 for ratings."""
        return self.spec.alpha0 if isinstance(self.spec, Implicit) else 0.0

    def predict(
        self, user_rows: "NDArray[np.integer]", item_columns: "NDArray[np.integer]"
    ) -> "NDArray[np.float64]":
        """Prediction for each pair (user_rows[i], item_columns[i]).

        Ratings in rating units for explicit feedback, else a score where higher is better.
        """
        rows, cols = np.asarray(user_rows), np.asarray(item_columns)
        dots = np.einsum("ij,ij->i", self.user_factors[rows], self.item_factors[cols])
        scores = dots.astype(np.float64) + self.shift
        if self.biases is not None:
            scores += self.biases.mean + self.biases.user[rows] + self.biases.item[cols]
        return np.asarray(scores)

    def scores(
        self,
        user_factors: "NDArray[np.floating]",
        user_bias: "NDArray[np.float64] | None" = None,
    ) -> "NDArray[np.floating]":
        """Predictions of all items for users given by their factors, users × items.

        The caller hands in chunks of users: the result is dense.
        """
        scores = user_factors @ self.item_factors.T
        if self.biases is not None:
            scores += (self.biases.mean + self.biases.item).astype(scores.dtype)
        if user_bias is not None:
            scores += user_bias[:, None].astype(scores.dtype)
        return np.asarray(scores + scores.dtype.type(self.shift))
