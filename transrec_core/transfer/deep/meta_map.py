"""A bridge of each user's own from source features to target factors, made from their history.

Zhu et al., "Personalized Transfer of User Preferences for Cross-domain Recommendation" (PTUPCDR,
WSDM 2022). A meta network reads the user's source history and gives the matrix that maps their
source factors; it is trained on what the mapped users take in the target (task-oriented), here by
the target's own objective, and not on the distance to their factors.
"""

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from transrec_core.factors.model import Factors
from transrec_core.transfer.deep.histories import (
    Dense,
    History,
    HistoryMap,
    aims_of,
    drawn,
    error_of,
    placed,
)
from transrec_core.transfer.deep.scales import scales_of, seen_places
from transrec_core.transfer.deep.training import Layers, OnEpoch, load_keras, train
from transrec_core.transfer.fold_in import FoldedUsers

if TYPE_CHECKING:
    from numpy.typing import NDArray

META_UNITS = 50
"""Units of the meta network, as in the paper."""


def fit_meta_map(
    features: "NDArray[np.float64]",
    source: Factors,
    history: sp.csr_array,
    target: Factors,
    users: FoldedUsers,
    taken: sp.csr_array,
    *,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> HistoryMap:
    """Train the bridges on users of both domains.

    Parameters
    ----------
    features
        Users × features, from ``factor_features``.
    source
        The source model, for the places of its items.
    history
        The same users' source rows, users × source items.
    target
        The target model, whose objective is made small.
    users
        The same users' target factors and biases, for the scale of outputs.
    taken
        Their target rows, users × target items, without any empty one.
    seed
        Of the first weights, the order of users, and who and what is drawn.
    on_epoch
        See ``train``.

    Raises
    ------
    MissingExtraError
        Without the extra ``deep``.
    """
    keras = load_keras()
    ops, layers, random = keras.ops, Layers(keras, seed), np.random.default_rng([seed, 12])
    scales = scales_of(features, target, users, np.diff(taken.indptr))
    columns, _ = drawn(history, random)
    reading = History(
        keras, layers, seen_places(source.item_factors, source.user_factors), columns.shape[1]
    )
    aims = aims_of(target, taken, random)
    asked = aims.ask(keras)
    z = keras.Input(features.shape[1:], name="features")
    inputs, outputs = features.shape[1], len(scales.mean)
    common, hidden = layers.dense(outputs), layers.dense(META_UNITS, "relu")
    bridge = layers.dense(inputs * outputs, zero=True)
    own = ops.reshape(bridge(hidden(reading.pooled())), (-1, inputs, outputs))
    found = common(z) + ops.sum(z[:, :, None] * own, axis=1)
    gram = target.spec.gram(target.item_factors.astype(np.float32))
    error = error_of(
        keras,
        aims,
        asked,
        placed(keras, scales, found),
        layers.rows(target.item_factors)(asked["taken"]),
        ops.convert_to_tensor(gram),
    )
    train(
        keras.Model([z, reading.input, *asked.values()], error),
        {"features": scales.read(features).astype(np.float32), "history": columns, **aims.inputs},
        seed=seed,
        on_epoch=on_epoch,
    )
    return HistoryMap(
        scales,
        reading.learned(),
        Dense.of(common),
        Dense.of(hidden),
        Dense.of(bridge),
        True,
        len(features),
    )
