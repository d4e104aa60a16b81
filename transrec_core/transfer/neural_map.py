"""A neural map from features of source users to target factors: the MLP of EMCDR.

Man, Shen, Jin & Cheng, "Cross-Domain Recommendation: An Embedding and Mapping Approach" (IJCAI
2017). One hidden layer of 2k tanh units reads the standardised features and gives the target
factors and, for ratings, the user bias. Users count by the target interactions behind their
factors, and errors are measured in predictions, as for the linear map.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from transrec_core.factors.kernels import single_threaded_blas
from transrec_core.factors.model import Factors
from transrec_core.transfer.fold_in import FoldedUsers, Prior

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNITS_PER_FACTOR = 2
"""Hidden units for each target factor, as in the paper."""

ENOUGH_USERS = 20
"""With fewer users none can be held back to tell when to stop."""

HELD_BACK = 0.1
STEP = 3e-3
EPOCHS, FEW_EPOCHS = 300, 50
PATIENCE = 10
"""Epochs without a better error on the users held back before training ends."""

BATCH = 32
PENALTY, FIRM_PENALTY = 1e-2, 1.0
"""Weight of the squared network weights; firm where nothing tells when to stop."""

FLOOR = 1e-3
"""Least weight of a direction of factors in the error, as a share of the largest."""


@dataclass(frozen=True)
class NeuralMap:
    """A fitted network, tanh(z·hidden + offset)·weights + intercept of standardised features z.

    Attributes
    ----------
    hidden, offset
        Features × units, and one value a unit.
    weights, intercept
        Units × outputs, and one value an output, in the units of the outputs.
    centre, scale
        Mean and standard deviation of each feature among the users it was fitted on.
    rank
        Number of target factors; an output beyond them is the user bias.
    nonnegative
        Whether predicted factors are cut at zero.
    users
        How many users it was fitted on.
    """

    hidden: "NDArray[np.float64]"
    offset: "NDArray[np.float64]"
    weights: "NDArray[np.float64]"
    intercept: "NDArray[np.float64]"
    centre: "NDArray[np.float64]"
    scale: "NDArray[np.float64]"
    rank: int
    nonnegative: bool
    users: int

    def predict(self, features: "NDArray[np.float64]") -> Prior:
        """The prior of users given by their source features (users × features)."""
        units = np.tanh((features - self.centre) / self.scale @ self.hidden + self.offset)
        outputs = units @ self.weights + self.intercept
        return Prior.of(outputs, self.rank, self.nonnegative)


def fit_neural_map(
    features: "NDArray[np.float64]",
    target: Factors,
    users: FoldedUsers,
    counts: "NDArray[np.int64]",
    *,
    seed: int,
) -> NeuralMap:
    """Train the network on users of both domains.

    Training stops by the error on a tenth of these users, who are held back from it.

    Parameters
    ----------
    features
        Users × features, from ``factor_features`` or ``SourceRows``.
    target
        The target model, for the metric in which errors are compared.
    users
        The same users' target factors and biases.
    counts
        Their numbers of target interactions, the weights.
    seed
        Of the first weights, the order of users and who is held back.
    """
    # Here, because it takes longer to load than the rest of the core.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    weight = counts / counts.mean()
    centre = np.average(features, axis=0, weights=weight)
    spread = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weight))
    scale = np.where(spread > 1e-12, spread, 1.0)
    outputs = users.factors.astype(np.float64)
    metric, inverse = _roots(target.item_gram.astype(np.float64) / len(target.item_factors))
    if users.bias is not None:
        outputs = np.hstack([outputs, users.bias[:, None]])
        metric, inverse = _with_bias(metric), _with_bias(inverse)
    mean = np.average(outputs, axis=0, weights=weight)
    seen = (outputs - mean) @ metric
    # One unit for all outputs: in predictions they are comparable as they are.
    unit = np.sqrt(np.average(seen**2, axis=0, weights=weight).mean()) or 1.0
    enough = len(features) >= ENOUGH_USERS
    network = MLPRegressor(
        hidden_layer_sizes=(UNITS_PER_FACTOR * target.rank,),
        activation="tanh",
        alpha=PENALTY if enough else FIRM_PENALTY,
        batch_size=max(1, min(BATCH, len(features) // 2)),
        learning_rate_init=STEP,
        max_iter=EPOCHS if enough else FEW_EPOCHS,
        random_state=seed,
        early_stopping=enough,
        validation_fraction=HELD_BACK,
        n_iter_no_change=PATIENCE,
    )
    # One thread: products this small gain nothing from more, whose rounding would add up over
    # the epochs.
    with single_threaded_blas(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last epoch is good enough
        network.fit((features - centre) / scale, seen / unit, sample_weight=weight)
    back = unit * inverse
    return NeuralMap(
        hidden=network.coefs_[0],
        offset=network.intercepts_[0],
        weights=network.coefs_[1] @ back,
        intercept=network.intercepts_[1] @ back + mean,
        centre=centre,
        scale=scale,
        rank=target.rank,
        nonnegative=target.nonnegative,
        users=len(features),
    )


def _roots(gram: "NDArray[np.float64]") -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Symmetric square root of a positive semi-definite matrix, with a floor, and its inverse."""
    values, vectors = np.linalg.eigh(gram)
    # Without a floor, an error that no prediction shows would be a large one in factors.
    roots = np.sqrt(np.maximum(values, FLOOR * values[-1])) if values[-1] > 0 else values + 1
    return np.asarray((vectors * roots) @ vectors.T), np.asarray((vectors / roots) @ vectors.T)


def _with_bias(metric: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The metric with the user bias as one more output, in rating units already."""
    grown = np.eye(len(metric) + 1)
    grown[:-1, :-1] = metric
    return grown
