"""Alternating minimisation where the people are in a cluster and the items are known to all.

A sweep is one pass over the people. Every worker solves its users' rows for the item factors that
it was given, with the very solver of one machine, and adds up what these users put into the items'
systems; Spark sums the systems, and the items' rows are solved where they were summed. User factors
are never kept or moved: whoever needs them solves the row again. What is broadcast is the items'
factors, items × rank; what is shuffled is the items' systems, for each part of the people items ×
(rank + 1)(rank + 2)/2 numbers of four bytes at most.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from transrec_core.baselines import Baselines
from transrec_core.engines.spark.people import SIDES, People, learned_rows
from transrec_core.engines.spark.sums import totals
from transrec_core.factors.biases import DAMPING, ROUNDS, Biases, fold_in_biases
from transrec_core.factors.kernels import row_systems
from transrec_core.factors.model import Factors
from transrec_core.factors.objectives import Explicit, Implicit, ImplicitByCounts, Objective
from transrec_core.factors.solver import SWEEPS, TOLERANCE, half_sweep, solve_semidefinite
from transrec_core.transfer.fitting import FitSpec

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    OnPass = Callable[[int, int, str], None]

GROUP_BYTES = 2**28
"""The items' systems travel in blocks that are about so large together, one from each part."""


@dataclass(frozen=True)
class Task:
    """One factorization.

    Attributes
    ----------
    name
        What it is called.
    side
        ``source`` or ``target``.
    spec
        How to factorize.
    learns
        Parts of the people whose rows are learned from; of others they are empty.
    by_counts
        Whether λ-weights of implicit feedback count interactions alone.
    """

    name: str
    side: str
    spec: FitSpec
    learns: tuple[str, ...]
    by_counts: bool = False

    @property
    def objective(self) -> Objective:
        """What is minimised."""
        spec = self.spec
        if spec.feedback == "implicit":
            kind = ImplicitByCounts if self.by_counts else Implicit
            return kind(spec.lam, spec.alpha0, spec.regularization_exponent)
        return Explicit(spec.lam, spec.regularization_exponent)

    @property
    def nonnegative(self) -> bool:
        """Whether factors are kept ≥ 0."""
        return self.spec.model == "nmf"

    @property
    def with_biases(self) -> bool:
        """Whether biases come before the factors."""
        return self.spec.feedback == "ratings" and not self.nonnegative


@dataclass(frozen=True)
class State:
    """A factorization on its way: what every worker is told.

    Attributes
    ----------
    task
        Which one.
    items
        V, items × k.
    biases
        Mean and item biases; those of users are folded in. ``None`` where there are none.
    shift
        Subtracted from ratings before a non-negative fit.
    block
        Items whose systems travel together.
    objective
        J after each half-sweep over the users, with the items as they were.
    converged
        Whether J fell by less than the tolerance.
    """

    task: Task
    items: "NDArray[np.float32]"
    biases: Biases | None
    shift: float
    block: int = 1
    objective: tuple[float, ...] = ()
    converged: bool = False

    def rows(self, batch: "pa.RecordBatch") -> sp.csr_array:
        """The batch's rows as they are learned from: people × items."""
        return learned_rows(batch, self.task.side, len(self.items), self.task.learns)

    def values(self, matrix: sp.csr_array) -> sp.csr_array:
        """What the factors have to explain: ratings less biases or shift."""
        values = matrix.data.astype(np.float64) - self.shift
        if self.biases is not None:
            user = fold_in_biases(matrix, self.biases)
            values = replace(self.biases, user=user).residual(matrix)
        return sp.csr_array(
            (values.astype(np.float32), matrix.indices, matrix.indptr), matrix.shape
        )

    def factors(self) -> Factors:
        """The fitted model, without users: they are folded in."""
        k = self.items.shape[1]
        return Factors(
            np.zeros((0, k), np.float32),
            self.items,
            self.objective,
            self.task.objective,
            self.task.nonnegative,
            self.biases,
            self.shift,
            self.converged,
        )


def factorize_all(
    people: People,
    tasks: Sequence[Task],
    *,
    sweeps: int = SWEEPS,
    tolerance: float = TOLERANCE,
    on_pass: "OnPass | None" = None,
) -> dict[str, Factors]:
    """Do several factorizations at once: one pass over the people serves them all.

    Parameters
    ----------
    people
        With a column ``part`` where some are held out.
    tasks
        With different names.
    sweeps, tolerance
        As for ``factorize``.
    on_pass
        Told passes done, passes at most, and what is done; what it raises stops the work.

    Returns
    -------
    Each task's factors by name: those of the items, and no users.
    """
    states = start_of(people, tasks)
    for sweep in range(sweeps):
        working = {name: state for name, state in states.items() if not state.converged}
        if not working:
            break
        if on_pass is not None:
            on_pass(sweep, sweeps, ", ".join(working))
        states |= _sweep(people, working, tolerance)
    return {name: state.factors() for name, state in states.items()}


def objective_of(people: People, state: State) -> float:
    """J where the users' rows are solved for these items."""
    told = _sweep(people, {state.task.name: state}, 0.0)[state.task.name]
    return told.objective[-1]


def start_of(people: People, tasks: Sequence[Task]) -> dict[str, State]:
    """Every factorization with its biases fitted and random items."""
    biases = _fit_biases(people, [task for task in tasks if task.with_biases])
    return {task.name: _start(people, task, biases.get(task.name)) for task in tasks}


def _start(people: People, task: Task, biases: Biases | None) -> State:
    n = len(people.side(task.side).items)
    rank = min(task.spec.rank, n, people.side(task.side).users)
    random = np.random.default_rng(task.spec.seed)
    items = random.normal(0, 0.1 / np.sqrt(rank), (n, rank)).astype(np.float32)
    lowest = people.side(task.side).lowest
    shift = min(0.0, lowest) if task.nonnegative and task.spec.feedback == "ratings" else 0.0
    system = 4 * ((rank + 1) * (rank + 2) // 2)
    block = max(1, GROUP_BYTES // (people.parts * system))
    return State(task, np.abs(items) if task.nonnegative else items, biases, shift, block)


def _sweep(people: People, states: Mapping[str, State], tolerance: float) -> dict[str, State]:
    """Users' rows, then items' rows, of each factorization."""
    users = {side: people.side(side).users for side in SIDES}
    frame = people.frame

    def emit(batches: "Iterator[pa.RecordBatch]") -> "Iterator[tuple[str, NDArray[np.floating]]]":
        sums = {name: _Systems(state) for name, state in states.items()}
        for batch in batches:
            for own in sums.values():
                own.add(batch)
        for name, own in sums.items():
            yield from own.vectors(name)

    def finish(key: str, total: "NDArray[np.float64]") -> "NDArray[np.float64]":
        state = states[key.split(":")[0]]
        return _solve_items(state, total, users[state.task.side])

    found = totals(frame, emit, finish=finish, dtype=np.float32)
    made: dict[str, State] = {}
    for name, state in states.items():
        items = np.array(state.items)
        told: NDArray[np.float64] | None = None
        for block, part in _blocks(state):
            vector = found.get(f"{name}:{block}")
            if vector is None:
                continue
            told = vector[: _told(state)]
            items[part] = vector[_told(state) :].reshape(-1, items.shape[1])
        assert told is not None, "there are ratings"
        objective = (*state.objective, _objective(state, told, users[state.task.side], people))
        done = len(objective) > 1 and objective[-2] - objective[-1] <= tolerance * objective[-2]
        made[name] = replace(state, items=items, objective=objective, converged=done)
    return made


def _told(state: State) -> int:
    """Numbers in front of each vector: Σ (…)², Σ w‖u‖², and UᵀU."""
    return 2 + int(state.items.shape[1]) ** 2


def _blocks(state: State) -> "Iterator[tuple[int, slice]]":
    n = len(state.items)
    for number, first in enumerate(range(0, n, state.block)):
        yield number, slice(first, min(first + state.block, n))


class _Systems:
    """What one part of the people puts into the items' systems."""

    def __init__(self, state: State) -> None:
        self.state = state
        k = state.items.shape[1]
        self.rows: list[sp.csr_array] = []
        self.users: list[NDArray[np.floating]] = []
        self.told = np.zeros(2)
        self.gram = np.zeros((k, k))

    def add(self, batch: "pa.RecordBatch") -> None:
        """Solve the rows of some users."""
        state, spec = self.state, self.state.task.objective
        matrix = state.values(state.rows(batch))
        matrix = matrix[np.flatnonzero(np.diff(matrix.indptr))]
        if not matrix.nnz:
            return
        start = np.full((matrix.shape[0], state.items.shape[1]), state.items.mean(), np.float32)
        users, error = half_sweep(matrix, state.items, start, spec, state.task.nonnegative)
        weights = spec.weights(np.diff(matrix.indptr), len(state.items))
        wide = users.astype(np.float64)
        self.told += (error, float(weights @ np.einsum("ij,ij->i", wide, wide)))
        self.gram += wide.T @ wide
        self.rows.append(matrix)
        self.users.append(users)

    def vectors(self, name: str) -> "Iterator[tuple[str, NDArray[np.floating]]]":
        """One vector a block of items."""
        if not self.rows:
            return
        spec = self.state.task.objective
        by_item = sp.csr_array(sp.vstack(self.rows, format="csr").T.tocsr())
        users = np.vstack(self.users)
        targets, weights = spec.cells(by_item.data)
        front = np.concatenate([self.told, self.gram.ravel()])
        for block, part in _blocks(self.state):
            ends = by_item.indptr[part.start : part.stop + 1]
            cells = slice(ends[0], ends[-1])
            told = row_systems(
                ends - ends[0],
                by_item.indices[cells],
                targets[cells],
                users,
                None if weights is None else weights[cells],
            )
            own = np.empty((len(told), 1 + told.shape[1]), np.float32)
            own[:, 0], own[:, 1:] = np.diff(ends), told
            yield f"{name}:{block}", np.concatenate([front, own.ravel()], dtype=np.float32)


def _solve_items(state: State, total: "NDArray[np.float64]", users: int) -> "NDArray[np.float64]":
    """The numbers in front, and the block's item factors."""
    spec, k = state.task.objective, state.items.shape[1]
    front, rows = total[: _told(state)], total[_told(state) :]
    table = rows.reshape(-1, 1 + k + k * (k + 1) // 2)
    counts, b = np.rint(table[:, 0]).astype(np.int64), table[:, 1 : k + 1]
    A = np.zeros((len(table), k, k))
    upper = np.triu_indices(k)
    A[:, upper[0], upper[1]] = table[:, k + 1 :]
    A += np.triu(A, 1).transpose(0, 2, 1)
    root = _root(front[2:].reshape(k, k))
    A += spec.gram(root)
    A += (2 * spec.lam * spec.weights(counts, users))[:, None, None] * np.eye(k)
    made = _minima(A, b, nonnegative=state.task.nonnegative)
    made[counts == 0] = 0
    return np.concatenate([front, made.ravel()])


def _minima(
    A: "NDArray[np.float64]",
    b: "NDArray[np.float64]",
    *,
    nonnegative: bool,
) -> "NDArray[np.float64]":
    """Minima of ½xᵀAx − bᵀx, one a row; systems without a unique one get the shortest."""
    if nonnegative:
        from scipy.optimize import nnls

        rows = np.zeros(b.shape)
        for at, (system, side) in enumerate(zip(A, b, strict=True)):
            values, vectors = np.linalg.eigh(system)
            kept = values > values[-1] * np.finfo(np.float32).eps
            if kept.any() and values[-1] > 0:
                root = vectors[:, kept] * np.sqrt(values[kept])
                rows[at], _ = nnls(root.T, (vectors[:, kept].T @ side) / np.sqrt(values[kept]))
        return rows
    return solve_semidefinite(A, b[:, :, None])[:, :, 0]


def _objective(state: State, told: "NDArray[np.float64]", users: int, people: People) -> float:
    """J with the users just solved and the items as they were."""
    spec, k = state.task.objective, state.items.shape[1]
    wide = state.items.astype(np.float64)
    counts = people.item_counts(state.task.side, state.task.learns)
    norms = np.einsum("ij,ij->i", wide, wide)
    size = float(told[1]) + float(spec.weights(counts, users) @ norms)
    root = _root(told[2:].reshape(k, k))
    return spec.loss(float(told[0]), root, wide) + spec.lam * size


def _root(gram: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Rows whose inner products are the same as those of many: G = RᵀR."""
    values, vectors = np.linalg.eigh(gram)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))).T)


def fit_baselines(people: People, learns: Sequence[str]) -> Baselines:
    """``Baselines.fit`` of the target over all people whose parts are learned from."""
    (found,) = _rounds(people, {"target": ("target", learns)}).values()
    counts = found.counts
    return Baselines(
        counts,
        (found.values + DAMPING * found.biases.mean) / (counts + DAMPING),
        found.biases,
        people.learners(learns),
    )


def _fit_biases(people: People, tasks: Sequence[Task]) -> dict[str, Biases]:
    """``fit_biases`` for several factorizations at once."""
    rounds = _rounds(people, {task.name: (task.side, task.learns) for task in tasks})
    return {name: found.biases for name, found in rounds.items()}


@dataclass(frozen=True)
class _Round:
    """Biases on their way, with the sum and number of each item's ratings."""

    biases: Biases
    counts: "NDArray[np.float64]"
    values: "NDArray[np.float64]"


def _rounds(people: People, wanted: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, _Round]:
    """Item biases of sides of the people by name, one pass over the people a round."""
    found: dict[str, _Round] = {}
    if not wanted:
        return found

    def emit(batches: "Iterator[pa.RecordBatch]") -> "Iterator[tuple[str, NDArray[np.floating]]]":
        sums = {name: np.zeros((2, len(people_items[side]))) for name, (side, _) in wanted.items()}
        for batch in batches:
            for name, (side, learns) in wanted.items():
                matrix = learned_rows(batch, side, len(people_items[side]), learns)
                values = matrix.data.astype(np.float64)
                if name in biases:
                    before = biases[name]
                    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
                    # In the first round users have no biases yet.
                    first = not before.item.any()
                    user = 0.0 if first else fold_in_biases(matrix, before)[rows]
                    values -= before.mean + user
                sums[name][0] += np.bincount(matrix.indices, minlength=sums[name].shape[1])
                sums[name][1] += np.bincount(matrix.indices, values, sums[name].shape[1])
        for name, own in sums.items():
            yield name, own.ravel()

    people_items = {side: people.side(side).items for side in SIDES}
    biases: dict[str, Biases] = {}
    for _ in range(ROUNDS + 1):
        for name, total in totals(people.frame, emit).items():
            counts, values = total.reshape(2, -1)
            if name not in found:
                mean = float(values.sum() / max(counts.sum(), 1))
                biases[name] = Biases(mean, np.zeros(0), np.zeros(len(counts)))
                found[name] = _Round(biases[name], counts, values)
            else:
                item = values / (counts + DAMPING)
                biases[name] = Biases(biases[name].mean, np.zeros(0), item)
                found[name] = replace(found[name], biases=biases[name])
    return found
