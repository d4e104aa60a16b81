"""The same factorizations by Spark's own MLlib.

MLlib's ``ALS`` weighs λ by a row's interactions, leaves out the ½, and gives implicit feedback a
target of 1 at confidence 1 + αr. With ν = 1 its ratings objective is ours at ``regParam`` = 2λ.
Implicit feedback is ours at ``alpha`` = 1/α₀ and ``regParam`` = 2λ(1 + α₀)/α₀, with factors
√(1 + α₀) times as long, up to one thing that no parameter of MLlib can say: our λ-weight of a user
is n + α₀·items, that of MLlib is n alone. So implicit feedback is factorized here under that other
weight (``ImplicitByCounts``), and so are users folded in.

It holds where there are too many items for the systems of all of them to travel (see
``factorizing``): MLlib moves factors instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from transrec_core.engines.spark.factorizing import State, Task, objective_of, start_of
from transrec_core.engines.spark.people import PART, People
from transrec_core.errors import BadSettingError
from transrec_core.factors.model import Factors
from transrec_core.factors.solver import SWEEPS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from transrec_core.engines.spark.factorizing import OnPass

CELLS = "user int, item int, rating float"


def factorize_all(
    people: People,
    tasks: Sequence[Task],
    *,
    sweeps: int = SWEEPS,
    on_pass: "OnPass | None" = None,
) -> dict[str, Factors]:
    """As ``factorizing.factorize_all``, one factorization after the other.

    Raises
    ------
    BadSettingError
        ν is not 1.
    """
    from pyspark.ml.recommendation import ALS

    for task in tasks:
        if task.spec.regularization_exponent != 1:
            raise BadSettingError(
                f"regularization_exponent is {task.spec.regularization_exponent:g}.",
                "MLlib has only 1; leave out --factorizer mllib.",
            )
    own = [replace(task, by_counts=True) for task in tasks]
    found: dict[str, Factors] = {}
    for number, (name, state) in enumerate(start_of(people, own).items()):
        if on_pass is not None:
            on_pass(number, len(tasks), name)
        spec = state.task.spec
        implicit = spec.feedback == "implicit"
        longer = 1 + spec.alpha0 if implicit else 1.0
        model = ALS(
            rank=state.items.shape[1],
            maxIter=sweeps,
            regParam=2 * spec.lam * (longer / spec.alpha0 if implicit else 1.0),
            implicitPrefs=implicit,
            alpha=1 / spec.alpha0 if implicit else 1.0,
            nonnegative=state.task.nonnegative,
            userCol="user",
            itemCol="item",
            ratingCol="rating",
            seed=spec.seed,
            checkpointInterval=-1,
        ).fit(_cells(people, state))
        items = np.zeros_like(state.items)
        table = model.itemFactors.toArrow()
        items[table["id"].to_numpy()] = np.stack(table["features"].to_pylist())
        items /= np.float32(np.sqrt(longer))
        state = replace(state, items=items)
        told = replace(state, objective=(objective_of(people, state),))
        found[name] = told.factors()
    return found


def _cells(people: People, state: State) -> "DataFrame":
    """What is learned from, one row a cell, under numbers that MLlib can take."""
    from pyspark.sql import functions as fn

    frame = people.frame
    if state.task.side == "target" and PART in frame.columns:
        frame = frame.where(fn.col(PART).isin(list(state.task.learns)))
    frame = frame.where(fn.col(f"{state.task.side}_items").isNotNull())
    counted = frame.groupBy(fn.spark_partition_id().alias("part")).count().collect()
    firsts, total = {}, 0
    for row in sorted(counted, key=lambda row: row["part"]):
        firsts[row["part"]] = total
        total += row["count"]
    told = frame.withColumn("within", fn.monotonically_increasing_id())

    def cells(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for batch in batches:
            if not batch.num_rows:
                continue
            matrix = state.values(state.rows(batch))
            within = batch.column("within").to_numpy()
            first = np.array([firsts[part] for part in (within >> 33).tolist()])
            users = (first + (within & ((1 << 33) - 1))).astype(np.int32)
            values = np.ones_like(matrix.data) if implicit else matrix.data
            yield pa.RecordBatch.from_pydict(
                {
                    "user": np.repeat(users, np.diff(matrix.indptr)),
                    "item": matrix.indices.astype(np.int32),
                    "rating": values.astype(np.float32),
                }
            )

    implicit = state.task.spec.feedback == "implicit"
    return told.mapInArrow(cells, CELLS)
