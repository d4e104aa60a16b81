"""Mapped-prior fold-in: join what a prior says of a user with the user's own target data.

For the prior p_u of user u and its precision H,

    ratings    u = (V_SᵀV_S + H)⁻¹ (V_Sᵀ r̃ + H p_u),                 H = 2λτ·I
    implicit   u = (V_SᵀV_S + H + 2λ w_u I)⁻¹ (V_Sᵀ1 + H p_u),        H = τ(α₀VᵀV + 2λ w₀ I)

where w₀ is the λ-weight of a user without data and w_u what a user's own data adds to it. The
implicit H measures the distance to the prior in predictions, not in factors. Without target data
u = p_u; with much, the prior is forgotten. With p = 0 and τ = 1 this is the plain fold-in: exactly
the row that the factorization itself would have solved.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from transrec_core.factors.biases import fold_in_biases
from transrec_core.factors.kernels import solve_rows
from transrec_core.factors.model import Factors

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Prior:
    """What is expected of users before their target data is seen.

    Attributes
    ----------
    factors
        Users × k.
    bias
        Expected user bias in rating units; ``None`` where the model has none.
    """

    factors: "NDArray[np.floating]"
    bias: "NDArray[np.float64] | None" = None

    @classmethod
    def of(cls, outputs: "NDArray[np.float64]", rank: int, nonnegative: bool) -> "Prior":
        """A map's outputs as a prior: target factors, cut at zero where they are non-negative.

        An output beyond ``rank`` is the user bias.
        """
        factors = outputs[:, :rank].astype(np.float32)
        bias = outputs[:, rank] if outputs.shape[1] > rank else None
        return cls(np.maximum(factors, 0) if nonnegative else factors, bias)

    def __getitem__(self, users: "slice | NDArray[np.integer]") -> "Prior":
        """The prior of some of the users, by position."""
        return Prior(self.factors[users], None if self.bias is None else self.bias[users])


def at_shots(values: Mapping[int, Any], counts: "NDArray[np.integer]") -> "NDArray[Any]":
    """What was settled for users with so many target interactions.

    Parameters
    ----------
    values
        A value for each measured number of shots.
    counts
        Interactions of each user; the largest number of shots up to it speaks for the user, the
        smallest one for users with fewer.
    """
    shots = np.array(sorted(values))
    place = np.maximum(np.searchsorted(shots, counts, side="right") - 1, 0)
    return np.array([values[int(s)] for s in shots])[place]


def mean_prior(model: Factors, counts: "NDArray[np.integer]", users: int) -> Prior:
    """The average user as everybody's prior: what is expected of somebody nobody knows.

    A fold-in from here, instead of from zero factors, is the strongest use of target data alone;
    transfer has to beat it, or its gain could come from having any prior at all.

    Parameters
    ----------
    model
        The fitted target factorization.
    counts
        Interactions behind each of the model's users, the weights of the average.
    users
        How many users to repeat it for.
    """
    weights = np.asarray(counts, np.float64)
    mean = (weights @ model.user_factors) / max(float(weights.sum()), 1.0)
    factors = np.broadcast_to(mean.astype(model.item_factors.dtype), (users, model.rank))
    return Prior(factors, None if model.biases is None else np.zeros(users))


def prior_precision(model: Factors, strength: float) -> "NDArray[np.float64]":
    """H of the module's docstring, k × k."""
    identity = 2 * model.lam * strength * np.eye(model.rank)
    if model.feedback == "ratings":
        return np.asarray(identity)
    empty = float(model.spec.weights(np.zeros(1, np.int64), len(model.item_factors))[0])
    return np.asarray(strength * model.alpha0 * model.item_gram + empty * identity)


@dataclass(frozen=True)
class FoldedUsers:
    """Users placed in a fitted model's space.

    Attributes
    ----------
    factors
        Users × k.
    bias
        One value a user; ``None`` where the model has no biases.
    """

    factors: "NDArray[np.floating]"
    bias: "NDArray[np.float64] | None"


def fold_in(
    model: Factors, matrix: "sp.csr_array", prior: Prior | None = None, strength: float = 1.0
) -> FoldedUsers:
    """Place users in a fitted model without refitting it.

    Parameters
    ----------
    model
        The fitted target factorization.
    matrix
        The users' target data, users × the model's items; rows may be empty.
    prior
        One row a user; ``None`` is the plain fold-in, whose empty rows get zero factors.
    strength
        τ ≥ 0, precision of the prior in units of the model's own regulariser.
    """
    V = model.item_factors
    n_users, k = matrix.shape[0], model.rank
    counts = np.diff(matrix.indptr)
    weights = model.spec.weights(counts, len(V))
    tau = 1.0 if prior is None else strength
    pull = prior_precision(model, tau)
    cell_weights: NDArray[np.floating] | None = None
    bias = None
    if model.feedback == "implicit":
        empty = float(model.spec.weights(np.zeros(1, np.int64), len(V))[0])
        precision = pull
        ridge = 2 * model.lam * (weights - empty)
        values, cell_weights = model.spec.cells(np.asarray(matrix.data, np.float64))
    else:
        precision = np.zeros((k, k))
        ridge = 2 * model.lam * (weights if prior is None else np.full(n_users, tau))
        values = matrix.data.astype(np.float64) - model.shift
        if model.biases is not None:
            expected = 0.0 if prior is None or prior.bias is None else prior.bias
            bias = fold_in_biases(matrix, model.biases, expected)
            rows = np.repeat(np.arange(n_users), counts)
            values -= model.biases.mean + bias[rows] + model.biases.item[matrix.indices]
    rhs = None
    start = None
    if prior is not None:
        rhs = prior.factors @ pull.astype(V.dtype)
        start = prior.factors
    factors, _ = solve_rows(
        matrix.indptr.astype(np.int32),
        matrix.indices.astype(np.int32),
        values,
        V,
        gram=precision,
        ridge=ridge,
        weights=cell_weights,
        rhs=rhs,
        nonnegative=model.nonnegative,
        start=start,
    )
    if prior is not None:
        # Exactly the prior, not the prior up to the rounding of a linear solve.
        factors[counts == 0] = prior.factors[counts == 0]
    else:
        factors[counts == 0] = 0
    return FoldedUsers(factors, bias)
