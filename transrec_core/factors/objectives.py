"""What is minimised, as the three terms that the row solver needs.

One convention everywhere: J(U, V) = ½ Σ (…)² + λ (Σ w_u‖u‖² + Σ w_i‖v‖²), so the normal equations
carry 2λ. The weights w are 1 at ``regularization_exponent`` ν = 0 (the plain objective) and grow
with a row's number of interactions for ν > 0.

An objective says, for one side of the factorization, which constant Gram matrix and which ridge
each row gets; ``solver`` does the rest. A new objective is one more small class of this shape.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Objective(Protocol):
    """The terms of one objective; ``n`` is the number of rows of the fixed side."""

    @property
    def lam(self) -> float:
        """Regularisation weight λ."""
        ...

    def cells(
        self, data: "NDArray[np.floating]"
    ) -> "tuple[NDArray[np.floating], NDArray[np.floating] | None]":
        """What u·v should be at each stored cell, and the cell's weight (``None``: all 1)."""
        ...

    def weights(self, counts: "NDArray[np.int64]", n: int) -> "NDArray[np.float64]":
        """λ-weight w of each row, from its number of interactions."""
        ...

    def gram(self, fixed: "NDArray[np.floating]") -> "NDArray[np.floating]":
        """K × k matrix that every row's Gram matrix starts from."""
        ...

    def loss(
        self,
        squared_error: float,
        users: "NDArray[np.floating]",
        items: "NDArray[np.floating]",
    ) -> float:
        """The data term of J from Σ_obs (…)² and the factors."""
        ...


@dataclass(frozen=True)
class Explicit:
    """½ Σ_obs (r − u·v)² + λ Σ n^ν ‖·‖²: only observed cells count.

    Zhou et al. 2008 for ν = 1 (weighted-λ regularisation).
    """

    lam: float
    regularization_exponent: float = 0.0

    def cells(
        self, data: "NDArray[np.floating]"
    ) -> "tuple[NDArray[np.floating], NDArray[np.floating] | None]":
        """The ratings (or residuals) themselves, all of the same weight."""
        return data, None

    def weights(self, counts: "NDArray[np.int64]", n: int) -> "NDArray[np.float64]":
        """n_u^ν; 1 for a row without interactions, whose factors are zero anyway."""
        return np.maximum(counts, 1).astype(np.float64) ** self.regularization_exponent

    def gram(self, fixed: "NDArray[np.floating]") -> "NDArray[np.floating]":
        """Zero: an unobserved cell adds nothing."""
        return np.zeros((fixed.shape[1], fixed.shape[1]), fixed.dtype)

    def loss(
        self,
        squared_error: float,
        users: "NDArray[np.floating]",
        items: "NDArray[np.floating]",
    ) -> float:
        """½ Σ_obs (…)²."""
        return 0.5 * squared_error


@dataclass(frozen=True)
class Implicit:
    """½ Σ_obs c (1 − u·v)² + ½ α₀ Σ_all (u·v)² + λ Σ (n + α₀·n_other)^ν ‖·‖².

    Hu, Koren & Volinsky 2008 in the form of Rendle et al. 2022 (iALS++). The confidence c of an
    interaction is 1, or the stored value with ``confidence="values"``.
    """

    lam: float
    alpha0: float
    regularization_exponent: float = 0.0
    confidence: Literal["equal", "values"] = "equal"

    def cells(
        self, data: "NDArray[np.floating]"
    ) -> "tuple[NDArray[np.floating], NDArray[np.floating] | None]":
        """A 1 at every interaction, weighted by its confidence."""
        return np.ones_like(data), data if self.confidence == "values" else None

    def weights(self, counts: "NDArray[np.int64]", n: int) -> "NDArray[np.float64]":
        """(n_u + α₀·n)^ν: the unobserved cells count with their weight too."""
        return np.asarray((counts + self.alpha0 * n) ** self.regularization_exponent, np.float64)

    def gram(self, fixed: "NDArray[np.floating]") -> "NDArray[np.floating]":
        """α₀ VᵀV, the share that all cells have in every row."""
        return np.asarray(self.alpha0 * (fixed.T @ fixed), fixed.dtype)

    def loss(
        self,
        squared_error: float,
        users: "NDArray[np.floating]",
        items: "NDArray[np.floating]",
    ) -> float:
        """½ Σ_obs (…)² + ½ α₀ tr(UᵀU VᵀV)."""
        wide_users, wide_items = users.astype(np.float64), items.astype(np.float64)
        everywhere = np.sum((wide_users.T @ wide_users) * (wide_items.T @ wide_items))
        return 0.5 * squared_error + 0.5 * self.alpha0 * float(everywhere)


@dataclass(frozen=True)
class ImplicitByCounts(Implicit):
    """``Implicit`` whose weights are n^ν: only interactions count, as in Spark's MLlib."""

    def weights(self, counts: "NDArray[np.int64]", n: int) -> "NDArray[np.float64]":
        """n_u^ν; 1 for a row without interactions, whose factors are zero anyway."""
        return np.maximum(counts, 1).astype(np.float64) ** self.regularization_exponent
