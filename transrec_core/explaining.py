"""Why an item is recommended: what each interaction adds to its score.

A folded-in user solves a linear system, and a linear map's prior is linear in the source row, so a
score is a sum over the user's target and source interactions and a part that hangs on none of them.
A blend of two such scores is such a sum too. The parts are exact: they sum to the score.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from transrec_core.baselines import POPULARITY
from transrec_core.columns import ITEM
from transrec_core.errors import BadSettingError
from transrec_core.evidence.results import Chosen
from transrec_core.factors.solver import solve_semidefinite
from transrec_core.recommending import WITHOUT_TRANSFER, listed_methods, served_by
from transrec_core.settings import DEEP
from transrec_core.transfer.fitting import EASE, TransferFit
from transrec_core.transfer.fold_in import at_shots, mean_prior, prior_precision
from transrec_core.transfer.knowledge import Parts, cells_of, fold_in_system
from transrec_core.transfer.ridge import ItemRidge

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOMAIN, CONTRIBUTION = "domain", "contribution"
WHOLE_TEXT = "the text as a whole"
"""Stands for the dimensions of a language model, none of which means anything by itself."""
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
    method
        What served the user, as in the list.
    weight
        w where the score is (1 − w)·target-only + w·transfer; 1 where it is one method's own.
    """

    item: str
    score: float
    general: float
    parts: pd.DataFrame
    method: str = ""
    weight: float = 1.0


def explain(
    fit: TransferFit,
    user: str,
    items: Sequence[str],
    *,
    method: str = "auto",
    chosen: Chosen | None = None,
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
        The fit's transfer method, ``target_only``, or ``auto``.
    chosen
        What validation users settled, for ``auto``; see ``recommend_for``.

    Raises
    ------
    BadSettingError
        An unknown method, user or item, or a fit whose scores are no such sums.
    """
    pair = fit.pair
    source_row, target_row = (int(d.rows_of([user])[0]) for d in (pair.source, pair.target))
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
    count = 0 if target_row < 0 else int(np.diff(pair.target.matrix.indptr)[target_row])
    counts = np.array([count])
    served = str(served_by(fit, method, chosen, np.array([source_row]), counts)[0])
    weight = 1.0
    if served == POPULARITY:
        sums = _popular_sums(fit, columns)
    elif fit.feedback != "implicit" or fit.alone.nonnegative:
        raise _no_sums(fit.method)
    elif served == EASE:
        assert fit.ease is not None, "validation users settled it"
        assert chosen is not None, "auto alone serves it"
        tau = float(at_shots(chosen.strengths[EASE], counts)[0])
        sums = _ridge_sums(fit, fit.ease, tau, source_row, target_row, columns)
    elif served == TARGET_ONLY:
        sums = _folded_sums(fit, None, target_row, columns)
    else:
        if isinstance(fit.knowledge, ItemRidge):
            tau = float(at_shots(fit.strength, counts)[0])
            sums = _ridge_sums(fit, fit.knowledge, tau, source_row, target_row, columns)
        else:
            sums = _folded_sums(fit, source_row, target_row, columns)
        if method == "auto" and chosen is not None and chosen.blend:
            weight = float(at_shots(chosen.blend, counts)[0])
        if weight != 1:
            sums = _blended(weight, sums, _folded_sums(fit, None, target_row, columns))
    if fit.ground.nameless:
        sums = replace(sums, by_source=sums.by_source.sum(axis=0, keepdims=True))
    told = [WHOLE_TEXT] if fit.ground.nameless else pair.source.items[sums.taken]
    names = [*told, *pair.target.items[sums.seen]]
    domains = ["source"] * len(sums.by_source) + ["target"] * len(sums.seen)
    found = []
    for number, item in enumerate(items):
        values = np.concatenate([sums.by_source[:, number], sums.by_target[:, number]])
        parts = pd.DataFrame({DOMAIN: domains, ITEM: names, CONTRIBUTION: values})
        parts = parts.sort_values(CONTRIBUTION, ascending=False, kind="stable", ignore_index=True)
        general = float(sums.general[number])
        score = general + float(values.sum())
        found.append(Explanation(str(item), score, general, parts, served, weight))
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
    answers = solve_semidefinite(fold_in_system(model, rows, weights, pull), V[columns].T)
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
    tau: float,
    source_row: int,
    target_row: int,
    columns: "NDArray[np.int64]",
) -> _Sums:
    """Scores of a user by regression on single items; τ weighs what is known beforehand."""
    matrix = fit.pair.target.matrix
    known = slice(matrix.indptr[target_row], matrix.indptr[target_row + 1])
    seen = matrix.indices[known if target_row >= 0 else slice(0, 0)].astype(np.int64)
    by_target = ridge.from_target[np.ix_(seen, columns)].astype(np.float64)
    mean = tau * ridge.mean[columns]
    if ridge.rows is None:
        nothing = np.zeros((0, len(columns)))
        return _Sums(np.zeros(0, np.int64), nothing, seen, by_target, mean)
    cells, directions = ridge.rows.cells, ridge.rows.directions
    own = slice(cells.indptr[source_row], cells.indptr[source_row + 1])
    taken = cells.indices[own].astype(np.int64)
    weights = ridge.from_source[:, columns]
    turned = weights[taken] if directions is None else directions[taken] @ weights
    by_source = tau * cells.data[own][:, None] * turned
    return _Sums(taken, by_source, seen, by_target, mean - tau * (ridge.centre @ weights))


def _popular_sums(fit: TransferFit, columns: "NDArray[np.int64]") -> _Sums:
    """Popularity hangs on nothing that the user did."""
    nothing, nobody = np.zeros(0, np.int64), np.zeros((0, len(columns)))
    popularity = np.bincount(fit.trained_on.indices, minlength=fit.trained_on.shape[1])
    return _Sums(nothing, nobody, nothing, nobody, popularity[columns].astype(np.float64))


def _blended(weight: float, moved: _Sums, alone: _Sums) -> _Sums:
    """(1 − w)·target-only + w·transfer, of the same user and items."""
    return _Sums(
        moved.taken,
        weight * moved.by_source,
        moved.seen,
        weight * moved.by_target + (1 - weight) * alone.by_target,
        weight * moved.general + (1 - weight) * alone.general,
    )


def _no_sums(method: str) -> BadSettingError:
    if method in DEEP:
        return BadSettingError(
            f"Scores of a network ({method}) are no sums of single interactions, so it gives no "
            "reasons.",
            "Fit with a linear method, such as factor_map, to see them.",
        )
    return BadSettingError(
        f"Scores of this fit ({method}) are no sums of single interactions.",
        "Fit with implicit feedback, als and a linear method.",
    )
