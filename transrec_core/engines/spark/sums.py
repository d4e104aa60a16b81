"""Sums over all people of a cluster: every pass of the engine is one of these.

Workers turn their part of the people into vectors by key, Spark adds up those of one key, and only
the sums, or what is made of them, reach the driver. Their sizes hang on items, factors and methods,
never on users or ratings.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

    Vectors = Iterator[tuple[str, NDArray[np.floating]]]
    Emit = Callable[[Iterator[pa.RecordBatch]], Vectors]
    Finish = Callable[[str, NDArray[np.float64]], NDArray[Any]]

SCHEMA = "key string, payload binary"


def totals(
    people: "DataFrame",
    emit: "Emit",
    *,
    finish: "Finish | None" = None,
    dtype: type[np.floating] = np.float64,
) -> "Mapping[str, NDArray[np.float64]]":
    """Sum vectors by key.

    Parameters
    ----------
    people
        The columns that the work reads.
    emit
        Runs in the workers: from the batches of a part of the people to keys and vectors; those of
        one key are of one length.
    finish
        Runs in the workers too: from a key and its sum to what the driver gets.
    dtype
        In which vectors travel; sums are in double precision.
    """
    import pyarrow as pa

    def parts(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        for key, vector in emit(batches):
            payload = np.ascontiguousarray(vector, dtype).tobytes()
            yield pa.RecordBatch.from_pydict({"key": [key], "payload": [payload]}, _schema())

    def add(table: "pa.Table") -> "pa.Table":
        key = table["key"][0].as_py()
        total: NDArray[np.float64] | None = None
        for chunk in table["payload"].chunks:
            for payload in chunk:
                vector = np.frombuffer(payload.as_buffer(), dtype).astype(np.float64)
                total = vector if total is None else total + vector
        assert total is not None
        made = total if finish is None else finish(key, total)
        payload = np.ascontiguousarray(made, np.float64).tobytes()
        return pa.Table.from_pydict({"key": [key], "payload": [payload]}, _schema())

    summed = people.mapInArrow(parts, SCHEMA).groupBy("key").applyInArrow(add, SCHEMA)
    return {row["key"]: np.frombuffer(row["payload"], np.float64) for row in summed.collect()}


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([("key", pa.string()), ("payload", pa.binary())])
