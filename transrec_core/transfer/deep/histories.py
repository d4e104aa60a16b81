"""Networks that read what a user took in the source, item by item.

A history is read by attention: a small network says how much each item counts, and the user is the
mean of the items' places by these weights (the characteristic encoder of PTUPCDR). Items' places
are fixed, so a weight an item is all that is left of that network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from transrec_core.factors.model import Factors
from transrec_core.transfer.deep.scales import Scales
from transrec_core.transfer.deep.training import MOST_ITEMS, Layers
from transrec_core.transfer.fold_in import Prior

if TYPE_CHECKING:
    from numpy.typing import NDArray

ATTENTION_UNITS = 32
CHUNK = 1024
"""Users that are placed at once."""


@dataclass(frozen=True)
class Dense:
    """A layer x·weights + offset: inputs × outputs, and one value an output."""

    weights: "NDArray[np.float64]"
    offset: "NDArray[np.float64]"

    def __call__(self, inputs: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Outputs of some rows of inputs."""
        return np.asarray(inputs @ self.weights + self.offset)

    @classmethod
    def of(cls, layer: Any) -> "Dense":
        """What a Keras layer has learned."""
        weights, offset = layer.get_weights()
        return cls(weights.astype(np.float64), offset.astype(np.float64))


@dataclass(frozen=True)
class Attention:
    """How histories become one place a user.

    Attributes
    ----------
    places
        Source items × dimensions.
    weights
        How much each item counts beside others, above 0.
    """

    places: "NDArray[np.float64]"
    weights: "NDArray[np.float64]"

    def read(self, rows: sp.csr_array) -> "NDArray[np.float64]":
        """The place of each user (users × source items); zero without any item."""
        taken = sp.csr_array((self.weights[rows.indices], rows.indices, rows.indptr), rows.shape)
        total: NDArray[np.float64] = np.asarray(taken.sum(axis=1)).reshape(-1, 1)
        return np.asarray(taken @ self.places / np.where(total > 0, total, 1))


@dataclass(frozen=True)
class HistoryMap:
    """A network of a user's features z and history p; what it says besides ``common`` is added.

    Attributes
    ----------
    scales
        Of features and outputs.
    attention
        Reads p.
    common
        The same linear map of z for everybody.
    hidden
        A layer of rectified units.
    outer
        Their outputs: a bridge of the user's own, features × outputs as one row, that maps z
        (``meta_map``), or the outputs themselves (``two_tower``).
    personal
        Whether ``outer`` gives bridges. Then ``hidden`` reads p, else z and p.
    users
        How many users it was fitted on.
    """

    scales: Scales
    attention: Attention
    common: Dense
    hidden: Dense
    outer: Dense
    personal: bool
    users: int

    def predict(self, features: "NDArray[np.float64]", rows: sp.csr_array) -> Prior:
        """The prior of users given by features and source rows, users × source items."""
        found = np.empty((len(features), len(self.common.offset)))
        for at in range(0, len(features), CHUNK):
            part = slice(at, at + CHUNK)
            z, p = self.scales.read(features[part]), self.attention.read(rows[part])
            units = np.maximum(self.hidden(p if self.personal else np.hstack([z, p])), 0)
            own = self.outer(units)
            if self.personal:
                own = np.einsum("uf,ufo->uo", z, own.reshape(len(z), z.shape[1], -1))
            found[part] = self.common(z) + own
        return self.scales.prior(found)


def drawn(
    rows: sp.csr_array, random: np.random.Generator
) -> "tuple[NDArray[np.int32], NDArray[np.int64]]":
    """At most ``MOST_ITEMS`` cells of each row, drawn from it.

    Returns
    -------
    Their columns, users × the most that any has, and their positions among the stored cells; an
    empty place has the number of columns, and position −1.
    """
    counts = np.diff(rows.indptr)
    owner = np.repeat(np.arange(rows.shape[0]), counts)
    order = np.lexsort((random.random(rows.nnz), owner))
    place = np.arange(rows.nnz) - np.repeat(rows.indptr[:-1], counts)
    width = max(1, min(MOST_ITEMS, int(counts.max(initial=0))))
    kept = place < width
    columns = np.full((rows.shape[0], width), rows.shape[1], np.int32)
    cells = np.full((rows.shape[0], width), -1, np.int64)
    columns[owner[kept], place[kept]] = rows.indices[order[kept]]
    cells[owner[kept], place[kept]] = order[kept]
    return columns, cells


class History:
    """Input and layers that read a history in Keras, as ``Attention`` does afterwards.

    Parameters
    ----------
    keras, layers
        Keras, and where layers come from.
    places
        Source items × dimensions.
    width
        The most items of a history, as ``drawn`` gives them.
    """

    def __init__(
        self, keras: Any, layers: Layers, places: "NDArray[np.float64]", width: int
    ) -> None:
        self._ops = keras.ops
        self._places = places
        self._table = layers.rows(places)
        self._inner = layers.dense(ATTENTION_UNITS, "relu")
        self._score = layers.dense(1)
        self.input = keras.Input((width,), dtype="int32", name="history")

    def pooled(self) -> Any:
        """The place of each user."""
        ops, rows = self._ops, self._table(self.input)
        scores = self._score(self._inner(rows))[..., 0]
        there = ops.cast(self.input < len(self._places), "float32")
        weights = ops.softmax(scores - 1e9 * (1 - there), axis=1)
        return ops.sum(weights[..., None] * rows, axis=1)

    def learned(self) -> Attention:
        """What is left after training."""
        units = np.maximum(Dense.of(self._inner)(self._places), 0)
        scores = Dense.of(self._score)(units)[:, 0]
        return Attention(self._places, np.exp(scores - scores.max()))


@dataclass(frozen=True)
class Aims:
    """What priors of some users should predict in the target: the target's own objective.

    The error of user factors u is Σ_taken w(t − b − u·v)² + uᵀGu + r‖u‖², twice the share of J that
    hangs on u, over the mean number of interactions; G is α₀VᵀV, and b a user's bias.

    Attributes
    ----------
    inputs
        By name: ``taken``, ``wanted``, ``weight`` (users × items drawn) and ``ridge``.
    model
        The target.
    mean_taken
        Mean number of interactions.
    """

    inputs: "Mapping[str, NDArray[Any]]"
    model: Factors
    mean_taken: float

    def ask(self, keras: Any) -> dict[str, Any]:
        """Keras inputs for ``inputs``."""
        return {
            name: keras.Input(values.shape[1:], dtype=str(values.dtype), name=name)
            for name, values in self.inputs.items()
        }


def aims_of(model: Factors, rows: sp.csr_array, random: np.random.Generator) -> Aims:
    """The errors to be made small for users with these target rows, users × items."""
    counts = np.diff(rows.indptr)
    columns, cells = drawn(rows, random)
    values = rows.data.astype(np.float64) - model.shift
    if model.biases is not None:
        values = values - model.biases.mean - model.biases.item[rows.indices]
    targets, weights = model.spec.cells(values)
    weights = np.ones(rows.nnz) if weights is None else weights
    there = cells >= 0
    # The items that are left out of a long row are stood for by those drawn.
    share = np.divide(counts, there.sum(axis=1), out=np.ones(len(counts)), where=counts > 0)
    ridge = 2 * model.lam * model.spec.weights(counts, len(model.item_factors))
    inputs = {
        "taken": columns,
        "wanted": np.where(there, targets[cells], 0.0).astype(np.float32),
        "weight": (np.where(there, weights[cells], 0.0) * share[:, None]).astype(np.float32),
        "ridge": ridge.astype(np.float32)[:, None],
    }
    return Aims(inputs, model, max(float(counts.mean()), 1.0))


def placed(keras: Any, scales: Scales, outputs: Any) -> tuple[Any, Any]:
    """Keras outputs as target factors and, beyond the rank, user biases (else 0)."""
    ops, k = keras.ops, scales.rank
    back, mean = scales.back.astype(np.float32), scales.mean.astype(np.float32)
    whole = ops.matmul(outputs, ops.convert_to_tensor(back)) + ops.convert_to_tensor(mean)
    return whole[:, :k], whole[:, k:] if len(mean) > k else 0.0 * whole[:, :1]


def error_of(
    keras: Any, aims: Aims, asked: Mapping[str, Any], users: tuple[Any, Any], rows: Any, gram: Any
) -> Any:
    """The error of each user, users × 1; see ``Aims``.

    Parameters
    ----------
    asked
        From ``Aims.ask``.
    users
        From ``placed``.
    rows
        Factors of the items taken: users × items × k.
    gram
        G, k × k.
    """
    ops = keras.ops
    factors, bias = users
    predicted = ops.sum(factors[:, None, :] * rows, axis=-1) + bias
    missed = ops.sum(asked["weight"] * (asked["wanted"] - predicted) ** 2, axis=1, keepdims=True)
    everywhere = ops.sum(ops.matmul(factors, gram) * factors, axis=1, keepdims=True)
    size = asked["ridge"] * ops.sum(factors**2, axis=1, keepdims=True)
    return (missed + everywhere + size) / aims.mean_taken
