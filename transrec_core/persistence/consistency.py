"""Whether the parts of a run that was read from a file belong together.

A file with right checksums can still hold arrays of the wrong length; they would end in an error on
some page long after it was opened.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair
from transrec_core.factors.biases import Biases
from transrec_core.factors.model import Factors
from transrec_core.running import Run
from transrec_core.transfer.deep.histories import Attention, Dense, HistoryMap
from transrec_core.transfer.deep.neural_map import NeuralMap
from transrec_core.transfer.deep.scales import Scales
from transrec_core.transfer.fitting import TransferFit
from transrec_core.transfer.knowledge import (
    Joint,
    MappedByHistory,
    MappedByNetwork,
    MappedFactors,
    MappedRows,
    Texts,
)
from transrec_core.transfer.linear_map import LinearMap, SourceRows
from transrec_core.transfer.ridge import ItemRidge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class UnknownContentError(Exception):
    """What a file says is not a run of this version; the text says in what way."""


def require_consistent(made: object) -> None:
    """Compare sizes within one object and with those that it refers to.

    Raises
    ------
    UnknownContentError
        Naming the first sizes that differ.
    """
    rule = _RULES.get(type(made))
    for holds, what in rule(made) if rule else ():
        if not holds:
            raise UnknownContentError(f"in it, {what}")


def _interactions(made: Interactions) -> "Iterator[tuple[bool, str]]":
    rows, columns = made.matrix.shape
    ids = (made.users, made.items)
    yield (rows, columns) == (len(ids[0]), len(ids[1])), "ratings and ids differ in number"
    rising = all(found.is_unique and found.is_monotonic_increasing for found in ids)
    yield rising, "ids repeat or are out of order"
    yield all(pd.api.types.is_string_dtype(found) for found in ids), "ids are not text"
    times = made.times
    yield times is None or times.shape == (made.matrix.nnz,), "times and ratings differ in number"


def _pair(made: DomainPair) -> "Iterator[tuple[bool, str]]":
    least = 0 if made.linked else -1
    for rows, domain in ((made.source_rows, made.source), (made.target_rows, made.target)):
        yield rows.shape == (len(made.shared),), "shared users and their rows differ in number"
        yield _within(rows, len(domain.users), least), "a shared user has a row that is none"


def _biases(made: Biases) -> "Iterator[tuple[bool, str]]":
    yield made.user.ndim == made.item.ndim == 1, "biases are not one a row"


def _factors(made: Factors) -> "Iterator[tuple[bool, str]]":
    U, V = made.user_factors, made.item_factors
    yield U.ndim == V.ndim == 2, "factors are not tables"
    yield U.shape[1] == V.shape[1] > 0, "users and items differ in their number of factors"
    yield made.item_gram.shape == (V.shape[1],) * 2, "the Gram matrix has another size than V"
    if made.biases is not None:
        sizes = (len(made.biases.user), len(made.biases.item))
        yield sizes == (len(U), len(V)), "biases and factors differ in number"


def _fit(made: TransferFit) -> "Iterator[tuple[bool, str]]":
    pair = made.ground.pair
    yield _sizes(made.source) == pair.source.matrix.shape, "source factors and ratings differ"
    shape = pair.target.matrix.shape
    yield _sizes(made.alone) == shape, "target factors and ratings differ"
    yield made.trained_on.shape == shape, "training data and target ratings differ"
    yield len(made.target.item_factors) == shape[1], "target items and their factors differ"
    yield _within(made.map_users, len(pair.shared), 0), "a user learned from is not shared"
    if made.plain is not None:
        yield len(made.plain.item_factors) == shape[1], "target items and their factors differ"
    if made.ease is not None:
        yield made.ease.from_target.shape == (shape[1],) * 2, "item weights and items differ"


def _source_rows(made: SourceRows) -> "Iterator[tuple[bool, str]]":
    if made.directions is not None:
        rows = made.directions.shape[:1]
        yield rows == made.cells.shape[1:], "directions and source items differ"


def _linear_map(made: LinearMap) -> "Iterator[tuple[bool, str]]":
    yield made.weights.ndim == 2, "the weights of a map are no table"
    features, outputs = made.weights.shape
    yield made.centre.shape == made.scale.shape == (features,), "features and weights differ"
    yield made.intercept.shape == (outputs,), "outputs and weights differ"
    yield 0 < made.rank <= outputs, "outputs and factors differ"


def _neural_map(made: NeuralMap) -> "Iterator[tuple[bool, str]]":
    yield made.hidden.ndim == made.weights.ndim == 2, "the weights of a network are no tables"
    yield made.centre.shape == made.scale.shape == made.hidden.shape[:1], "features differ"
    yield made.offset.shape == made.hidden.shape[1:] == made.weights.shape[:1], "units differ"
    yield made.intercept.shape == made.weights.shape[1:], "outputs and weights differ"
    yield 0 < made.rank <= made.weights.shape[1], "outputs and factors differ"


def _dense(made: Dense) -> "Iterator[tuple[bool, str]]":
    yield made.weights.ndim == 2, "the weights of a layer are no table"
    yield made.offset.shape == made.weights.shape[1:], "outputs and weights differ"


def _attention(made: Attention) -> "Iterator[tuple[bool, str]]":
    yield made.places.ndim == 2, "the places of items are no table"
    yield made.weights.shape == made.places.shape[:1], "items and their weights differ"


def _scales(made: Scales) -> "Iterator[tuple[bool, str]]":
    outputs = len(made.mean)
    yield made.centre.ndim == 1, "features are no row"
    yield made.scale.shape == made.centre.shape, "features and scales differ"
    yield made.back.shape == (outputs, outputs), "outputs and their metric differ"
    yield 0 < made.rank <= outputs, "outputs and factors differ"


def _history_map(made: HistoryMap) -> "Iterator[tuple[bool, str]]":
    features, outputs = len(made.scales.centre), len(made.scales.mean)
    pooled = made.attention.places.shape[1]
    read = pooled if made.personal else features + pooled
    yield made.common.weights.shape == (features, outputs), "features and weights differ"
    yield len(made.hidden.weights) == read, "histories and weights differ"
    yield len(made.outer.weights) == len(made.hidden.offset), "units differ"
    wanted = features * outputs if made.personal else outputs
    yield len(made.outer.offset) == wanted, "outputs and weights differ"


def _mapped_by_history(made: MappedByHistory) -> "Iterator[tuple[bool, str]]":
    yield made.features.ndim == 2, "features are no table"
    features = made.network.scales.centre.shape
    yield made.features.shape[1:] == features, "features and weights differ"
    yield len(made.features) == len(made.source.user_factors), "features and users differ"
    items = len(made.network.attention.places)
    yield made.matrix.shape == (len(made.features), items), "histories and items differ"


def _mapped(made: "MappedFactors | MappedByNetwork") -> "Iterator[tuple[bool, str]]":
    learned = made.map if isinstance(made, MappedFactors) else made.network
    yield made.features.ndim == 2, "features are no table"
    yield made.features.shape[1:] == learned.centre.shape, "features and weights differ"
    yield len(made.features) == len(made.source.user_factors), "features and users differ"


def _mapped_rows(made: MappedRows) -> "Iterator[tuple[bool, str]]":
    yield _width(made.rows) == len(made.map.centre), "features and weights differ"


def _joint(made: Joint) -> "Iterator[tuple[bool, str]]":
    yield made.cells.shape[1] == len(made.source.item_factors), "source items and factors differ"


def _item_ridge(made: ItemRidge) -> "Iterator[tuple[bool, str]]":
    items = len(made.mean)
    yield made.from_target.shape == (items, items), "item weights and items differ"
    if made.rows is not None:
        features = (len(made.centre), items)
        yield made.from_source.shape == features, "source weights and items differ"
        yield _width(made.rows) == len(made.centre), "features and weights differ"


def _texts(made: Texts) -> "Iterator[tuple[bool, str]]":
    vectors = (made.source_vectors, made.target_vectors)
    for frame, rows in zip((made.source, made.target), vectors, strict=True):
        yield rows is None or rows.shape[:-1] == (len(frame),), "texts and their vectors differ"
    widths = {rows.shape[1:] for rows in vectors if rows is not None}
    yield len(widths) <= 1, "the vectors of the two catalogues differ in length"


def _run(made: Run) -> "Iterator[tuple[bool, str]]":
    ours, theirs = made.pair, made.fit.ground.pair
    for one, other in ((ours.source, theirs.source), (ours.target, theirs.target)):
        yield one.matrix.shape == other.matrix.shape, "the fit is of other data"
    for texts in (made.source_items, made.target_items):
        wanted = {"title", "genres", "description"}
        yield texts is None or wanted <= set(texts.columns), "items have no titles"


def _sizes(factors: Factors) -> tuple[int, int]:
    return len(factors.user_factors), len(factors.item_factors)


def _width(rows: SourceRows) -> int:
    return int((rows.cells if rows.directions is None else rows.directions).shape[1])


def _within(rows: "NDArray[np.integer]", count: int, least: int) -> bool:
    return rows.ndim == 1 and (len(rows) == 0 or bool(rows.min() >= least and rows.max() < count))


_RULES: Mapping[type, Callable[[Any], Any]] = {
    Attention: _attention,
    Dense: _dense,
    HistoryMap: _history_map,
    MappedByHistory: _mapped_by_history,
    Scales: _scales,
    Biases: _biases,
    DomainPair: _pair,
    Factors: _factors,
    Interactions: _interactions,
    ItemRidge: _item_ridge,
    Joint: _joint,
    LinearMap: _linear_map,
    MappedByNetwork: _mapped,
    MappedFactors: _mapped,
    MappedRows: _mapped_rows,
    NeuralMap: _neural_map,
    Run: _run,
    SourceRows: _source_rows,
    Texts: _texts,
    TransferFit: _fit,
}
