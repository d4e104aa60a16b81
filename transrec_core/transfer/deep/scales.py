"""What networks read and write, brought to the scale on which they learn."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from transrec_core.factors.model import Factors
from transrec_core.transfer.fold_in import FoldedUsers, Prior
from transrec_core.transfer.linear_map import LEAST_SPREAD, outputs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTREME = 4.0
"""Standard deviations from the mean at which features end."""

CONSTANT = 1e12
"""Unit of a feature that is the same for all."""

FLOOR = 1e-3
"""Least weight of a direction of factors in the error, as a share of the largest."""


@dataclass(frozen=True)
class Scales:
    """Features in, priors out, both as a network has them.

    Attributes
    ----------
    centre, scale
        Mean and standard deviation of each feature among the users learned from.
    back
        Outputs × outputs: turns a network's outputs, whose distances are those of predictions, into
        target factors and, for ratings, the user bias.
    mean
        Mean of these.
    rank
        Number of target factors; an output beyond them is the user bias.
    nonnegative
        Whether predicted factors are cut at zero.
    """

    centre: "NDArray[np.float64]"
    scale: "NDArray[np.float64]"
    back: "NDArray[np.float64]"
    mean: "NDArray[np.float64]"
    rank: int
    nonnegative: bool

    def read(self, features: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Features as the network reads them: nobody is further out than it has seen."""
        return np.clip((features - self.centre) / self.scale, -EXTREME, EXTREME)

    def prior(self, outputs: "NDArray[np.float64]") -> Prior:
        """A network's outputs (users × outputs) as a prior."""
        return Prior.of(outputs @ self.back + self.mean, self.rank, self.nonnegative)

    def aims(self, users: FoldedUsers) -> "NDArray[np.float64]":
        """The outputs that would predict exactly these users."""
        return np.asarray((outputs_of(users) - self.mean) @ np.linalg.inv(self.back))


def scales_of(
    features: "NDArray[np.float64]",
    target: Factors,
    users: FoldedUsers,
    counts: "NDArray[np.int64]",
) -> Scales:
    """Scales for users to learn from; parameters as for ``fit_linear_map``."""
    weight = counts / counts.mean()
    centre = np.average(features, axis=0, weights=weight)
    spread = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weight))
    outputs = outputs_of(users)
    metric, inverse = np.eye(outputs.shape[1]), np.eye(outputs.shape[1])
    k = target.rank
    metric[:k, :k], inverse[:k, :k] = _roots(
        target.item_gram.astype(np.float64) / len(target.item_factors)
    )
    mean = np.average(outputs, axis=0, weights=weight)
    seen = (outputs - mean) @ metric
    # One unit for all outputs: in predictions they are comparable as they are.
    unit = np.sqrt(np.average(seen**2, axis=0, weights=weight).mean()) or 1.0
    return Scales(
        centre,
        # Nothing is learned of a constant: whatever others have there reads as the mean.
        np.where(spread > LEAST_SPREAD, spread, CONSTANT),
        unit * inverse,
        mean,
        k,
        target.nonnegative,
    )


def seen_places(
    factors: "NDArray[np.floating]", other: "NDArray[np.floating]"
) -> "NDArray[np.float64]":
    """Rows of factors whose distances are those of their predictions, of mean square 1.

    ``other`` are the factors of the other side of the same factorization.
    """
    gram = other.astype(np.float64).T @ other / max(len(other), 1)
    places = factors.astype(np.float64) @ _roots(gram)[0]
    return np.asarray(places / (np.sqrt(np.mean(places**2)) or 1.0))


def _roots(gram: "NDArray[np.float64]") -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Symmetric square root of a positive semi-definite matrix, with a floor, and its inverse."""
    values, vectors = np.linalg.eigh(gram)
    # Without a floor, an error that no prediction shows would be a large one in factors.
    roots = np.sqrt(np.maximum(values, FLOOR * values[-1])) if values[-1] > 0 else values + 1
    return np.asarray((vectors * roots) @ vectors.T), np.asarray((vectors / roots) @ vectors.T)
