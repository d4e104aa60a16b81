"""Why an item is recommended: what each interaction adds to its score.

A folded-in user solves a linear system, and a linear map's prior is linear in the source row, so a
score is a sum over the user's target and source interactions and a part that hangs on none of them.
The parts are exact: they sum to the score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from transrec_core.columns import ITEM
from transrec_core.errors import BadSettingError
from transrec_core.recommending import WITHOUT_TRANSFER, listed_methods
from transrec_core.transfer.fitting import TransferFit
from transrec_core.transfer.fold_in import at_shots, mean_prior, prior_precision
from transrec_core.transfer.knowledge import Parts, cells_of, fold_in_system
from transrec_core.transfer.ridge import ItemRidge

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOMAIN, CONTRIBUTION = "domain", "contribution"
TARGET_ONLY = WITHOUT_TRANSFER[0]


@dataclass(frozen=True)
class Explanation:
    """The parts of one score.

    Attributes
    ----------
    item
        The target item.
    score
        As in the list.
    general
        What hangs on no single interaction: what the average user would get, and how active this
        one is.
    parts
        domain (``source`` or ``target``), item_id, contribution; the largest first. Together with
        ``general`` they sum to ``score``.
    """

    item: str
    score: float
    general: float
    parts: pd.DataFrame


def explain(
    fit: TransferFit, user: str, items: Sequence[str], *, method: str = "auto"
) -> list[Explanation]:
    """What each of a user's interactions adds to the scores of some target items.

    Parameters
    ----------
    fit
        Fitted domains, by implicit feedback and without the restriction to non-negative factors:
        otherwise a score is no sum of such parts.
    user
        A user id.
    items
        Target items.
    method
        The fit's transfer method, ``target_only``, or ``auto``: transfer for users of the source.

    Raises
    ------
    BadSettingError
        An unknown method, user or item, or a fit whose scores are no such sums.
    """
    if fit.feedback != "implicit" or fit.alone.nonnegative:
        raise _no_sums(fit.method)
    pair = fit.pair
    source_row, target_row = (int(d.rows_of([user])[0]) for d in (pair.source, pair.target))
    transfer = method in ("auto", fit.method) and source_row >= 0 and fit.knowledge is not None
    if method not in ("auto", *listed_methods(fit)[:2]):
        raise BadSettingError(
            f"method is {method!r}.", f"It must be auto, {fit.method} or {TARGET_ONLY}."
        )
    if source_row < 0 and target_row < 0:
        raise BadSettingError(f"{user!r} is in neither domain.", "Name a user of one of them.")
    columns = pair.target.items.get_indexer(pd.Index(list(items)))
    if (columns < 0).any():
        unknown = list(items)[int(np.flatnonzero(columns < 0)[0])]
        raise BadSettingError(f"{unknown!r} is no target item.", "Name items of the target.")
    if transfer and isinstance(fit.knowledge, ItemRidge):
        sums = _ridge_sums(fit, fit.knowledge, source_row, target_row, columns)
    else:
        sums = _folded_sums(fit, source_row if transfer else None, target_row, columns)
    names = [*pair.source.items[sums.taken], *pair.target.items[sums.seen]]
    domains = ["source"] * len(sums.taken) + ["target"] * len(sums.seen)
    found = []
    for number, item in enumerate(items):
        values = np.concatenate([sums.by_source[:, number], sums.by_target[:, number]])
        parts = pd.DataFrame({DOMAIN: domains, ITEM: names, CONTRIBUTION: values})
        parts = parts.sort_values(CONTRIBUTION, ascending=False, kind="stable", ignore_index=True)
        general = float(sums.general[number])
        found.append(Explanation(str(item), general + float(values.sum()), general, parts))
    return found


@dataclass(frozen=True)
class _Sums:
    """Scores of some items as sums: interactions × items, and what hangs on none of them."""

    taken: "NDArray[np.int64]"
    by_source: "NDArray[np.float64]"
    seen: "NDArray[np.int64]"
    by_target: "NDArray[np.float64]"
    general: "NDArray[np.float64]"


def _folded_sums(
    fit: TransferFit, source_row: int | None, target_row: int, columns: "NDArray[np.int64]"
) -> _Sums:
    """Scores of a user who was placed by a prior and their own target data."""
    model = fit.plain if source_row is None else fit.target
    if model.nonnegative:
        raise _no_sums(fit.method)
    seen, wanted, weights = cells_of(model, fit.pair.target.matrix, target_row)
    V = model.item_factors.astype(np.float64)
    strength = fit.mean_strength if source_row is None else fit.strength
    tau = float(at_shots(strength, np.array([len(seen)]))[0])
    # A plain fold-in is one from zero factors with the model's own precision.
    pull = prior_precision(model, tau if tau > 0 else 1.0)
    rows = V[seen]
    answers = np.linalg.solve(fold_in_system(model, rows, weights, pull), V[columns].T)
    by_target = (rows @ answers) * (weights * wanted)[:, None]
    prior = answers.T @ pull if tau > 0 else np.zeros((len(columns), len(pull)))
    if source_row is None:
        rest = mean_prior(model, fit.trained_counts, 1).factors[0]
        parts: Parts | None = Parts(np.zeros(0, np.int64), np.zeros((0, len(pull))), rest)
    else:
        assert fit.knowledge is not None
        parts = fit.knowledge.parts(source_row)
    if parts is None:
        raise _no_sums(fit.method)
    return _Sums(parts.taken, parts.shares @ prior.T, seen, by_target, prior @ parts.rest)


def _ridge_sums(
    fit: TransferFit,
    ridge: ItemRidge,
    source_row: int,
    target_row: int,
    columns: "NDArray[np.int64]",
) -> _Sums:
    """Scores of a user by regression on single items."""
    assert ridge.rows is not None, "a method of transfer reads the source"
    cells, directions = ridge.rows.cells, ridge.rows.directions
    own = slice(cells.indptr[source_row], cells.indptr[source_row + 1])
    taken = cells.indices[own].astype(np.int64)
    weights = ridge.from_source[:, columns]
    turned = weights[taken] if directions is None else directions[taken] @ weights
    matrix = fit.pair.target.matrix
    known = slice(matrix.indptr[target_row], matrix.indptr[target_row + 1])
    seen = matrix.indices[known if target_row >= 0 else slice(0, 0)].astype(np.int64)
    tau = float(at_shots(fit.strength, np.array([len(seen)]))[0])
    return _Sums(
        taken,
        tau * cells.data[own][:, None] * turned,
        seen,
        ridge.from_target[np.ix_(seen, columns)].astype(np.float64),
        tau * (ridge.mean[columns] - ridge.centre @ weights),
    )


def _no_sums(method: str) -> BadSettingError:
    return BadSettingError(
        f"Scores of this fit ({method}) are no sums of single interactions.",
        "Fit with implicit feedback, als and a linear method.",
    )
