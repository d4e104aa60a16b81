"""Two towers: one for what a user took in the source, one for what is known of a target item.

Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations" (RecSys
2019) in the form that the fold-in needs: scores are inner products of the towers' outputs, and the
loss is the objective of the implicit factorization. The item tower starts as the target's own
factors, and the user tower as a linear map. The user tower is the prior, and the item tower's
outputs are the space of the fold-in.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

UNITS_PER_FACTOR = 2
"""Hidden units of each tower for each target factor."""

PULL = 0.3
"""Weight of the mean squared change of the target's own factors by the item tower. Without it the
tower bends the space to the users it learns from, and what others tell of themselves says less."""


@dataclass(frozen=True)
class Towers:
    """Both towers after training.

    Attributes
    ----------
    users
        The user tower.
    items
        Outputs of the item tower: target items × k.
    """

    users: HistoryMap
    items: "NDArray[np.float32]"


def fit_two_tower(
    features: "NDArray[np.float64]",
    source: Factors,
    history: sp.csr_array,
    target: Factors,
    users: FoldedUsers,
    taken: sp.csr_array,
    texts: "tuple[NDArray[np.floating], NDArray[np.floating]] | None" = None,
    *,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> Towers:
    """Train both towers on users of both domains; parameters as for ``fit_meta_map``.

    ``target`` is of implicit feedback and signed. ``texts`` are what source and target items are
    about, items × dimensions each.
    """
    assert target.feedback == "implicit", "two towers make lists"
    keras = load_keras()
    ops, layers, random = keras.ops, Layers(keras, seed), np.random.default_rng([seed, 13])
    scales = scales_of(features, target, users, np.diff(taken.indptr))
    source_places = seen_places(source.item_factors, source.user_factors)
    item_places = seen_places(target.item_factors, target.user_factors)
    if texts is not None:
        source_places, item_places = (
            np.hstack([places, _of_mean_square_one(text)])
            for places, text in zip((source_places, item_places), texts, strict=True)
        )
    columns, _ = drawn(history, random)
    reading = History(keras, layers, source_places, columns.shape[1])
    aims = aims_of(target, taken, random)
    asked = aims.ask(keras)
    z = keras.Input(features.shape[1:], name="features")
    outputs = len(scales.mean)
    common, outer = layers.dense(outputs), layers.dense(outputs, zero=True)
    hidden = layers.dense(UNITS_PER_FACTOR * target.rank, "relu")
    found = common(z) + outer(hidden(ops.concatenate([z, reading.pooled()], axis=1)))
    tower = _item_tower(keras, layers, target, item_places)
    rows, gram = tower(asked["taken"])
    error = error_of(keras, aims, asked, placed(keras, scales, found), rows, gram)
    train(
        keras.Model([z, reading.input, *asked.values()], error),
        {
            "features": scales.read(features).astype(np.float32),
            "history": columns,
            **aims.inputs,
        },
        seed=seed,
        on_epoch=on_epoch,
    )
    users_tower = HistoryMap(
        scales,
        reading.learned(),
        Dense.of(common),
        Dense.of(hidden),
        Dense.of(outer),
        False,
        len(features),
    )
    items = ops.convert_to_numpy(tower.outputs())
    return Towers(users_tower, np.array(items, np.float32))


def _item_tower(keras: Any, layers: Layers, target: Factors, places: "NDArray[np.float64]") -> Any:
    """A Keras layer: ids of items → their outputs, and the Gram matrix of all items' outputs."""
    ops = keras.ops
    # Changes on the scale of the factors they are added to.
    unit = float(np.sqrt(np.mean(target.item_factors**2))) or 1.0

    class ItemTower(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.factors = layers.rows(target.item_factors)
            self.places = layers.rows(places)
            self.inner = layers.dense(UNITS_PER_FACTOR * target.rank, "relu")
            self.change = layers.dense(target.rank, zero=True)

        def changes(self) -> Any:
            return self.change(self.inner(self.places(ops.arange(len(places)))))

        def outputs(self) -> Any:
            return self.factors(ops.arange(len(places))) + unit * self.changes()

        def call(self, ids: Any) -> Any:
            self.add_loss(PULL * ops.mean(self.changes() ** 2))
            whole = self.outputs()
            # One more row, of zeros, stands for no item.
            rows = ops.take(ops.pad(whole, [[0, 1], [0, 0]]), ids, axis=0)
            return rows, target.alpha0 * ops.matmul(ops.transpose(whole), whole)

        def compute_output_spec(self, ids: Any) -> Any:
            k, spec = target.rank, keras.KerasTensor
            return spec((*ids.shape, k), "float32"), spec((k, k), "float32")

    return ItemTower()


def _of_mean_square_one(places: "NDArray[np.floating]") -> "NDArray[np.float64]":
    return np.asarray(places / (np.sqrt(np.mean(np.square(places))) or 1.0), np.float64)
