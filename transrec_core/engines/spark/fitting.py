"""What carries over, learned over all people of a cluster; and the fit as the workers know it.

A fit of a cluster has item factors, item biases and a map, all of sizes that hang on items and
factors alone. Users are rows of the data that a worker has in hand: their factors are folded in, so
that whatever the core does with a fit, it does with the users of one batch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from transrec_core.baselines import Baselines
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair, link
from transrec_core.engines.spark.factorizing import Task, fit_baselines
from transrec_core.engines.spark.people import (
    People,
    ids_of,
    learned_rows,
    matrix_of,
    times_of,
)
from transrec_core.engines.spark.sums import totals
from transrec_core.factors.model import Factors
from transrec_core.transfer.fitting import FACTOR_MAP, FitSpec, TransferFit
from transrec_core.transfer.fold_in import Prior, fold_in
from transrec_core.transfer.knowledge import Ground, MappedFactors, folded_features
from transrec_core.transfer.linear_map import LinearMap, MapInParts, Moments, outputs_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Work = Callable[..., NDArray[np.float64]]

    Told = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.integer]]

OWN = "own"
"""The map of people as they are; the others are placebos."""


@dataclass(frozen=True)
class BatchFit(TransferFit):
    """A fit whose users are those of one batch; what hangs on all users is carried along.

    Attributes
    ----------
    users_of_items
        Users of each target item that were learned from.
    middle
        What is expected of a user whom nobody knows.
    """

    users_of_items: "NDArray[np.integer]" = None  # type: ignore[assignment]
    middle: Prior = None  # type: ignore[assignment]

    @property
    def popularity(self) -> "NDArray[np.integer]":
        """See ``TransferFit``."""
        return self.users_of_items

    @property
    def average(self) -> Prior:
        """See ``TransferFit``."""
        return self.middle


@dataclass(frozen=True)
class ClusterFit:
    """Both domains factorized and joined by a map of factors, without any users.

    Attributes
    ----------
    feedback
        ``ratings`` or ``implicit``.
    spec
        How the domains were factorized.
    items
        Ids of the source's and the target's items.
    explicit
        Whether the values of either are ratings.
    source, target, plain
        Factors of the items; ``plain`` are those of the target-only baseline.
    maps
        The map by name: ``OWN``, and placebos.
    middle
        The average user in ``plain``.
    baselines
        Of the target's training data.
    users_of_items
        Users of each target item that were learned from.
    strength, mean_strength
        τ of the two priors by numbers of target interactions.
    """

    feedback: Literal["ratings", "implicit"]
    spec: FitSpec
    items: tuple[pd.Index, pd.Index]
    explicit: tuple[bool, bool]
    source: Factors
    target: Factors
    plain: Factors
    maps: Mapping[str, LinearMap]
    middle: Prior
    baselines: Baselines
    users_of_items: "NDArray[np.int64]"
    strength: Mapping[int, float]
    mean_strength: Mapping[int, float]

    def of(
        self,
        pair: DomainPair,
        name: str = OWN,
        who: "NDArray[np.integer] | None" = None,
    ) -> TransferFit:
        """The fit for the users of a pair that was made of one batch.

        Parameters
        ----------
        pair
            From ``pair_of``.
        name
            Which map.
        who
            For each source row, whose row is read instead: a placebo.
        """
        matrix = pair.source.matrix if who is None else pair.source.matrix[who]
        features = folded_features(self.source, matrix)
        knowledge = MappedFactors(self.maps[name], features, self.source, matrix)
        ground = Ground(pair, self.feedback, self.spec.seed)
        return BatchFit(
            ground,
            self.spec,
            self.source,
            self.target,
            self.target,
            self.plain,
            pair.target.matrix,
            np.zeros(0, np.int64),
            FACTOR_MAP,
            knowledge,
            self.strength,
            self.mean_strength,
            None,
            self.users_of_items,
            self.middle,
        )


def pair_of(
    batch: "pa.RecordBatch",
    items: tuple[pd.Index, pd.Index],
    explicit: tuple[bool, bool],
    *,
    timed: bool = False,
) -> DomainPair:
    """The people of a batch as a pair of domains; each has all of them, in rising order of ids."""
    from transrec_core.columns import USER

    batch = batch.sort_by(USER)
    ids = ids_of(batch)
    rows = np.arange(len(ids))
    domains = []
    for side, own, rated in zip(("source", "target"), items, explicit, strict=True):
        times = times_of(batch, side) if timed else None
        domains.append(Interactions(ids, own, matrix_of(batch, side, len(own)), times, rated))
    return DomainPair(domains[0], domains[1], ids, rows, rows)


def present(pair: DomainPair) -> DomainPair:
    """The pair with each domain's own users alone, as files would have them."""
    domains = []
    for domain in (pair.source, pair.target):
        rows = np.flatnonzero(domain.counts)
        domains.append(replace(domain, users=domain.users[rows], matrix=domain.matrix[rows]))
    return link(*domains)


def learn(
    people: People,
    source: Factors,
    target: Factors,
    task: Task,
    *,
    shuffles: int = 0,
) -> dict[str, LinearMap]:
    """Fit the map of factors over all people of both catalogues, and placebos of it.

    Two passes: the moments of features and places, then the leave-one-out error of every penalty.
    For a placebo, who is who in the source is permuted among the people of a batch.

    Parameters
    ----------
    source, target
        Item factors of both.
    task
        How the target was learned, and from whom.
    shuffles
        How many placebos.
    """
    names = (OWN, *map(str, range(shuffles)))
    sizes = [len(people.source.items), len(people.target.items)]

    def told(
        batch: "pa.RecordBatch",
    ) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.integer]] | None":
        """Features, outputs and weights of the people of a batch who are learned from."""
        theirs = matrix_of(batch, "source", sizes[0])
        own = learned_rows(batch, "target", sizes[1], task.learns)
        who = np.flatnonzero((np.diff(theirs.indptr) > 0) & (np.diff(own.indptr) > 0))
        if not len(who):
            return None
        placed = fold_in(target, own[who])
        return folded_features(source, theirs[who]), outputs_of(placed), np.diff(own[who].indptr)

    def told_of_each(work: "Work") -> "Mapping[str, NDArray[np.float64]]":
        """Sum some work over all people, for their own map and for each placebo."""

        def emit(batches: "Iterator[pa.RecordBatch]") -> "Iterator[tuple[str, NDArray[Any]]]":
            for batch in batches:
                found = told(batch)
                if found is None:
                    continue
                features, outputs, counts = found
                first = str(batch.column(0)[0]).encode()
                for name in names:
                    moved = features
                    if name != OWN:
                        random = np.random.default_rng([task.spec.seed, 4, int(name), *first])
                        moved = features[random.permutation(len(features))]
                    yield name, work(name, moved, outputs, counts)

        return totals(people.frame, emit)

    width = source.rank + (source.biases is not None) + 1
    summed = told_of_each(lambda _, *of: Moments.of(*of).to_vector())
    maps = {
        name: MapInParts(Moments.from_vector(vector, width), target)
        for name, vector in summed.items()
    }
    errors = told_of_each(lambda name, *of: maps[name].errors(*of))
    return {name: maps[name].best(vector) for name, vector in errors.items()}


def average_user(people: People, plain: Factors, learns: Sequence[str]) -> Prior:
    """The mean of all users' places, each weighted by their interactions: ``mean_prior``."""
    items = len(people.target.items)

    def places(batches: "Iterator[pa.RecordBatch]") -> "Iterator[tuple[str, NDArray[np.float64]]]":
        total = np.zeros(plain.rank + 1)
        for batch in batches:
            own = learned_rows(batch, "target", items, learns)
            counts = np.diff(own.indptr)
            who = np.flatnonzero(counts)
            if len(who):
                total[:-1] += counts[who] @ fold_in(plain, own[who]).factors
                total[-1] += counts.sum()
        yield "all", total

    total = totals(people.frame, places)["all"]
    factors = (total[:-1] / max(total[-1], 1.0)).astype(np.float32)[None, :]
    return Prior(factors, None if plain.biases is None else np.zeros(1))


def join(
    people: People,
    factors: Mapping[str, Factors],
    tasks: Mapping[str, Task],
    *,
    strength: Mapping[int, float],
    mean_strength: Mapping[int, float],
    shuffles: int = 0,
) -> ClusterFit:
    """A fit from factorizations named ``source``, ``target`` and ``plain``."""
    task = tasks["target"]
    source, target, plain = (factors[name] for name in ("source", "target", "plain"))
    return ClusterFit(
        task.spec.feedback,
        task.spec,
        (people.source.items, people.target.items),
        (people.source.explicit, people.target.explicit),
        source,
        target,
        plain,
        learn(people, source, target, task, shuffles=shuffles),
        average_user(people, plain, task.learns),
        fit_baselines(people, task.learns),
        people.item_counts("target", task.learns),
        strength,
        mean_strength,
    )
