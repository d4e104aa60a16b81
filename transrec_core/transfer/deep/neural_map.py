"""A neural map from features of source users to target factors: the MLP of EMCDR.

Man, Shen, Jin & Cheng, "Cross-Domain Recommendation: An Embedding and Mapping Approach" (IJCAI
2017). One hidden layer of 2k tanh units reads the standardised features and gives the target
factors and, for ratings, the user bias. Users count by the target interactions behind their
factors, and errors are measured in predictions, as for the linear map.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from transrec_core.factors.model import Factors
from transrec_core.transfer.deep.scales import scales_of
from transrec_core.transfer.deep.training import Layers, OnEpoch, load_keras, train
from transrec_core.transfer.fold_in import FoldedUsers, Prior

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNITS_PER_FACTOR = 2
"""Hidden units for each target factor, as in the paper."""


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
    on_epoch: OnEpoch | None = None,
) -> NeuralMap:
    """Train the network on users of both domains.

    Training stops by the error on a tenth of these users, who are held back from it.

    Parameters
    ----------
    features
        Users × features, from ``factor_features``.
    target
        The target model, for the metric in which errors are compared.
    users
        The same users' target factors and biases.
    counts
        Their numbers of target interactions, the weights.
    seed
        Of the first weights, the order of users and who is held back.
    on_epoch
        See ``train``.

    Raises
    ------
    MissingExtraError
        Without the extra ``deep``.
    """
    keras = load_keras()
    ops, layers = keras.ops, Layers(keras, seed)
    scales = scales_of(features, target, users, counts)
    aims = scales.aims(users)
    read = keras.Input(features.shape[1:], name="features")
    wanted = keras.Input(aims.shape[1:], name="aims")
    weight = keras.Input((1,), name="weight")
    hidden = layers.dense(UNITS_PER_FACTOR * target.rank, "tanh")
    outer = layers.dense(aims.shape[1])
    missed = outer(hidden(read)) - wanted
    error = weight * ops.mean(missed**2, axis=1, keepdims=True)
    train(
        keras.Model([read, wanted, weight], error),
        {
            "features": scales.read(features).astype(np.float32),
            "aims": aims.astype(np.float32),
            "weight": (counts / counts.mean()).astype(np.float32)[:, None],
        },
        seed=seed,
        on_epoch=on_epoch,
    )
    (W, offset), (weights, intercept) = (
        [part.astype(np.float64) for part in layer.get_weights()] for layer in (hidden, outer)
    )
    return NeuralMap(
        hidden=W,
        offset=offset,
        weights=weights @ scales.back,
        intercept=intercept @ scales.back + scales.mean,
        centre=scales.centre,
        scale=scales.scale,
        rank=scales.rank,
        nonnegative=scales.nonnegative,
        users=len(features),
    )
