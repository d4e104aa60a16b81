"""Who is held out, what of theirs is shown, and what they are tested on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from transrec_core.data.interactions import keep_cells
from transrec_core.data.linking import DomainPair
from transrec_core.data.report import Problem, plural
from transrec_core.errors import TooFewUsersError
from transrec_core.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_TEST_USERS = 10
MIN_VALIDATION_USERS = 5
MIN_LEARNERS = 2
"""Eligible users who are neither, so that there is somebody to learn from."""
MIN_TEST_ITEMS = 3
"""Interactions that stay for the test after the largest support a user can give."""

VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class HeldOut:
    """Users whose target data the fit never sees, as if they were new to the target.

    Attributes
    ----------
    positions
        Their positions in ``pair.shared``.
    supports
        For each number of shots s: users × items with s interactions of each user, nested.
    test
        Users × items: what they are tested on, the same for every method and number of shots.
    enough
        For each number of shots: who has that many interactions beside the test items.
    """

    positions: "NDArray[np.int64]"
    supports: Mapping[int, sp.csr_array]
    test: sp.csr_array
    enough: Mapping[int, "NDArray[np.bool_]"]


@dataclass(frozen=True)
class UserSplit:
    """Shared users in three parts that never meet.

    Attributes
    ----------
    validation
        Users who choose: parameters, baseline, where transfer is used.
    test
        Users who tell.
    """

    validation: HeldOut
    test: HeldOut


def split_users(pair: DomainPair, settings: Settings) -> UserSplit:
    """Hold out shared users with enough target interactions.

    A user's support is their earliest interactions where there are times, else a random draw; the
    interactions after the largest support that the user can give are the test items.

    Raises
    ------
    TooFewUsersError
        Fewer than ten users would be left to tell anything, or nobody has as many interactions as
        the fewest shots ask for.
    """
    counts = pair.target.counts[pair.target_rows]
    eligible = np.flatnonzero(counts >= settings.min_target)
    n_test, n_validation, n_learners = _parts(len(eligible), settings.test_share)
    if n_test < MIN_TEST_USERS or n_learners < MIN_LEARNERS:
        needed = next(n for n in count(MIN_TEST_USERS) if _suffices(n, settings.test_share))
        who = plural(len(pair.shared), "shared user has", "shared users have")
        raise TooFewUsersError(
            f"Only {len(eligible):,} of {who} at least "
            f"{settings.min_target} target interactions; judging transfer needs {needed}.",
            "Bring more shared users, or lists can still be made without evidence.",
        )
    random = np.random.default_rng([settings.seed, 1])
    order = random.permutation(eligible)
    test = np.sort(order[:n_test])
    validation = np.sort(order[n_test : n_test + n_validation])
    split = UserSplit(
        hold_out(pair, validation, settings, random), hold_out(pair, test, settings, random)
    )
    require_measurable(pair, split.validation, split.test)
    return split


def _parts(eligible: int, test_share: float) -> tuple[int, int, int]:
    """How many of the eligible users test, choose, and are learned from."""
    n_test = round(test_share * eligible)
    n_validation = max(round(VALIDATION_SHARE * eligible), MIN_VALIDATION_USERS)
    return n_test, n_validation, eligible - n_test - n_validation


def _suffices(eligible: int, test_share: float) -> bool:
    n_test, _, n_learners = _parts(eligible, test_share)
    return n_test >= MIN_TEST_USERS and n_learners >= MIN_LEARNERS


def measured_shots(validation: HeldOut, test: HeldOut) -> tuple[int, ...]:
    """Numbers of shots that enough users have data for: two who tell, one who chooses."""
    return tuple(
        shots
        for shots, enough in test.enough.items()
        if enough.sum() >= 2 and validation.enough[shots].any()
    )


def unmeasured_shots(validation: HeldOut, test: HeldOut) -> tuple[Problem, ...]:
    """A warning where some numbers of shots cannot be measured, with what they are."""
    measured = measured_shots(validation, test)
    missing = [shots for shots in test.enough if shots not in measured]
    if not missing:
        return ()
    return (
        Problem(
            "FEW_FOR_SHOTS",
            "warning",
            f"Too few of the held-out users have {_listed(missing)} target interactions beside the "
            f"{MIN_TEST_ITEMS} that they are tested on, so nothing is measured there.",
            "Ask for fewer shots, or bring users with longer histories.",
            len(missing),
        ),
    )


def _listed(numbers: Sequence[int]) -> str:
    return " or ".join(f"{number:,}" for number in numbers)


def require_measurable(pair: DomainPair, validation: HeldOut, test: HeldOut) -> None:
    """Refuse numbers of shots of which none can be measured.

    Raises
    ------
    TooFewUsersError
        Naming the largest number that could be.
    """
    if measured_shots(validation, test):
        return
    counts = pair.target.counts[pair.target_rows]
    rooms = (np.sort(_room(counts[held.positions])) for held in (test, validation))
    most = min(int(room[-least]) for room, least in zip(rooms, (2, 1), strict=True))
    raise TooFewUsersError(
        f"Too few of the held-out users have {min(test.enough):,} target interactions beside the "
        f"{MIN_TEST_ITEMS} that they are tested on.",
        f"Measure numbers of target interactions (shots) up to {most:,}.",
    )


def _room(counts: "NDArray[np.int64] | int") -> "NDArray[np.int64]":
    """The most shots that users with so many interactions can be given."""
    return np.asarray(counts - np.minimum(MIN_TEST_ITEMS, np.asarray(counts) - 1))


def without_users(matrix: sp.csr_array, rows: "NDArray[np.int64]") -> sp.csr_array:
    """The matrix with these rows empty; stored zeros of other rows stay."""
    counts = np.diff(matrix.indptr)
    kept = np.ones(matrix.shape[0], bool)
    kept[rows] = False
    return keep_cells(matrix, np.repeat(kept, counts))


def hold_out(
    pair: DomainPair,
    positions: "NDArray[np.int64]",
    settings: Settings,
    random: np.random.Generator | Callable[[str], np.random.Generator],
) -> HeldOut:
    """Hold out some of the shared users, given by position.

    Parameters
    ----------
    random
        Draws each user's order where times do not say it; or gives a user's own generator, so that
        the order does not hang on who else is held out.
    """
    matrix, times = pair.target.matrix, pair.target.times
    n_items = matrix.shape[1]
    shuffled: list[NDArray[np.int64]] = []
    first_test: list[int] = []
    for position, row in zip(positions, pair.target_rows[positions], strict=True):
        draw = random if isinstance(random, np.random.Generator) else random(pair.shared[position])
        cells = draw.permutation(np.arange(matrix.indptr[row], matrix.indptr[row + 1]))
        if times is not None:
            # Stable, so that interactions at the same second stay in random order; those without
            # a readable time come first.
            when = np.nan_to_num(times[cells], nan=-np.inf)
            cells = cells[np.argsort(when, kind="stable")]
        room = int(_room(len(cells)))
        shuffled.append(cells)
        first_test.append(max((s for s in settings.shots if s <= room), default=0))

    def rows_of(cells: "list[NDArray[np.int64]]") -> sp.csr_array:
        indptr = np.concatenate(([0], np.cumsum([len(c) for c in cells]))).astype(np.int32)
        flat = np.concatenate(cells) if cells else np.zeros(0, np.int64)
        rows = sp.csr_array(
            (matrix.data[flat], matrix.indices[flat], indptr), (len(cells), n_items)
        )
        rows.sort_indices()
        return rows

    tests_from = np.array(first_test)
    enough = {s: tests_from >= s for s in settings.shots}
    return HeldOut(
        positions,
        {s: rows_of([cells[:s] for cells in shuffled]) for s in settings.shots},
        rows_of([cells[at:] for cells, at in zip(shuffled, first_test, strict=True)]),
        enough,
    )
