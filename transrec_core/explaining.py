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

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from transrec_core.data.interactions import Interactions
    from transrec_core.factors.model import Factors

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
    if fit.feedback != "implicit" or fit.target.nonnegative:
        raise BadSettingError(
            "Scores of this fit are no sums of single interactions.",
            "Fit with implicit feedback and als.",
        )
    pair = fit.pair
    source_row, target_row = (int(d.rows_of([user])[0]) for d in (pair.source, pair.target))
    transfer = method in ("auto", fit.method) and source_row >= 0 and fit.prior is not None
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

    seen, wanted, weights = _cells(pair.target, target_row, fit.target)
    V = fit.target.item_factors.astype(np.float64)
    strength = fit.strength if transfer else fit.mean_strength
    tau = float(at_shots(strength, np.array([len(seen)]))[0])
    # A plain fold-in is one from zero factors with the model's own precision.
    pull = prior_precision(fit.target, tau if tau > 0 else 1.0)
    rows = V[seen]
    system = _system(fit.target, rows, weights, pull)
    answers = np.linalg.solve(system, V[columns].T)  # k × items
    by_target = (rows @ answers) * (weights * wanted)[:, None]
    prior = answers.T @ pull if tau > 0 else np.zeros((len(columns), len(pull)))
    if transfer:
        taken, shares, rest = _source_parts(fit, source_row)
    else:
        taken, shares = np.zeros(0, np.int64), np.zeros((0, len(pull)))
        rest = mean_prior(fit.target, np.diff(fit.trained_on.indptr), 1).factors[0]
    by_source = shares @ prior.T
    general = prior @ rest
    names = [*pair.source.items[taken], *pair.target.items[seen]]
    domains = ["source"] * len(taken) + ["target"] * len(seen)
    found = []
    for number, item in enumerate(items):
        values = np.concatenate([by_source[:, number], by_target[:, number]])
        parts = pd.DataFrame({DOMAIN: domains, ITEM: names, CONTRIBUTION: values})
        parts = parts.sort_values(CONTRIBUTION, ascending=False, kind="stable", ignore_index=True)
        total = float(general[number] + values.sum())
        found.append(Explanation(str(item), total, float(general[number]), parts))
    return found


def _cells(
    domain: "Interactions", row: int, model: "Factors"
) -> "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]":
    """Columns of a user's interactions, what they should be and their weights."""
    matrix = domain.matrix
    cells = slice(matrix.indptr[row], matrix.indptr[row + 1]) if row >= 0 else slice(0, 0)
    wanted, weights = model.spec.cells(matrix.data[cells].astype(np.float64))
    weights = np.ones(len(wanted)) if weights is None else weights
    return matrix.indices[cells].astype(np.int64), np.asarray(wanted), np.asarray(weights)


def _system(
    model: "Factors",
    rows: "NDArray[np.float64]",
    weights: "NDArray[np.float64]",
    pull: "NDArray[np.float64]",
) -> "NDArray[np.float64]":
    """The matrix that ``fold_in`` solves for a user with these item factors and weights."""
    spec, items = model.spec, len(model.item_factors)
    own = 2 * spec.lam * float(np.diff(spec.weights(np.array([0, len(rows)]), items))[0])
    return np.asarray((rows * weights[:, None]).T @ rows + pull + own * np.eye(len(pull)))


def _source_parts(
    fit: TransferFit, row: int
) -> "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]":
    """The user's prior as a sum: source columns, what each adds to it, and the rest of it."""
    assert fit.prior is not None
    mapped = fit.prior.weights[:, : fit.prior.rank] / fit.prior.scale[:, None]
    if fit.rows is not None:
        cells = slice(fit.rows.cells.indptr[row], fit.rows.cells.indptr[row + 1])
        taken = fit.rows.cells.indices[cells].astype(np.int64)
        turned = mapped if fit.rows.directions is None else fit.rows.directions @ mapped
        shares = fit.rows.cells.data[cells][:, None] * turned[taken]
    else:
        # Source factors are a plain fold-in of the source row, up to the last half-sweep.
        source = fit.source
        taken, wanted, weights = _cells(fit.pair.source, row, source)
        V = source.item_factors[taken].astype(np.float64)
        system = _system(source, V, weights, prior_precision(source, 1.0))
        places = np.linalg.solve(system, (V * (weights * wanted)[:, None]).T).T
        shares = places @ mapped[: source.rank]
    whole = fit.prior_of(np.array([row])).factors[0]
    return taken, shares, whole - shares.sum(axis=0)
