"""One method, the held-out users, one metric: a value for every user at every number of shots."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.sparse as sp

from transrec_core.baselines import Baselines
from transrec_core.data.linking import DomainPair
from transrec_core.evidence.metrics import ndcg, rmse
from transrec_core.evidence.splitting import HeldOut
from transrec_core.factors.model import Factors
from transrec_core.ranking import chunks, hide, top_items
from transrec_core.settings import Settings
from transrec_core.transfer.fold_in import FoldedUsers, Prior, fold_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

PerShot = Mapping[int, "NDArray[np.float64]"]
"""Metric of each held-out user at each number of shots; NaN where the user has too little data."""


@dataclass(frozen=True)
class Kind:
    """One kind of evidence: lists or predicted ratings.

    Attributes
    ----------
    name
        ``ranking`` or ``ratings``.
    words
        What to call it in a sentence.
    feedback
        The objective behind it.
    metric
        ``ndcg@n`` or ``rmse``.
    sign
        1 where higher is better, −1 for errors.
    baselines
        The methods without source data, beside target-only factorization.
    """

    name: str
    words: str
    feedback: Literal["implicit", "ratings"]
    metric: str
    sign: int
    baselines: tuple[str, ...]


def kinds_of(pair: DomainPair, settings: Settings) -> tuple[Kind, ...]:
    """Which evidence the settings ask for and the data can give."""
    explicit = pair.target.explicit
    simple = ("popularity", "item_mean", "biases") if explicit else ("popularity",)
    ranking = Kind("ranking", "lists", "implicit", f"ndcg@{settings.top}", 1, simple)
    ratings = Kind("ratings", "predicted ratings", "ratings", "rmse", -1, ("item_mean", "biases"))
    if settings.feedback == "ratings":
        return (ratings,)
    return (ranking, ratings) if settings.feedback == "auto" and explicit else (ranking,)


def evaluate_baseline(
    kind: Kind, settings: Settings, baselines: Baselines, name: str, users: HeldOut
) -> PerShot:
    """The metric of a simple baseline for held-out users at every number of shots."""
    return {
        shots: _measure(
            kind,
            settings,
            users,
            shots,
            lambda chunk, support: baselines.scores(name, support),
        )
        for shots in settings.shots
    }


def evaluate_placed(
    kind: Kind,
    settings: Settings,
    model: Factors,
    users: HeldOut,
    prior: Prior,
    strength: float | Mapping[int, float] = 1.0,
) -> PerShot:
    """The metric of folded-in users at every number of shots.

    Parameters
    ----------
    prior
        What is expected of each of the users.
    strength
        Its precision τ, one for all or one for each number of shots; 0 leaves the prior out.
    """
    result = {}
    for shots in settings.shots:
        tau = strength[shots] if isinstance(strength, Mapping) else strength
        placed = fold_in(model, users.supports[shots], prior if tau > 0 else None, tau)

        def scores(
            chunk: slice, support: sp.csr_array, placed: FoldedUsers = placed
        ) -> "NDArray[np.floating]":
            bias = None if placed.bias is None else placed.bias[chunk]
            return model.scores(placed.factors[chunk], bias)

        result[shots] = _measure(kind, settings, users, shots, scores)
    return result


def _measure(
    kind: Kind,
    settings: Settings,
    users: HeldOut,
    shots: int,
    scores: "Callable[[slice, sp.csr_array], NDArray[np.floating]]",
) -> "NDArray[np.float64]":
    values = np.empty(users.test.shape[0])
    for chunk in chunks(*users.test.shape):
        support, test = users.supports[shots][chunk], users.test[chunk]
        dense = scores(chunk, support)
        if kind.metric == "rmse":
            rows = np.repeat(np.arange(test.shape[0]), np.diff(test.indptr))
            values[chunk] = rmse(dense[rows, test.indices].astype(np.float64), test)
        else:
            values[chunk] = ndcg(top_items(hide(dense, support), settings.top), test)
    return np.where(users.enough[shots], values, np.nan)
