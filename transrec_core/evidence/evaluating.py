"""One method, the held-out users, one metric: a value for every user at every number of shots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy.sparse as sp

from transrec_core.baselines import Baselines
from transrec_core.data.linking import DomainPair
from transrec_core.evidence.metrics import (
    coverage,
    mae,
    mean_share,
    ndcg,
    recall,
    reciprocal_rank,
    rmse,
)
from transrec_core.evidence.splitting import HeldOut
from transrec_core.ranking import chunks, top_items
from transrec_core.settings import Settings
from transrec_core.transfer.knowledge import Ground
from transrec_core.transfer.scorers import Scorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from transrec_core.transfer.scorers import Strength, Users

SIMILARITY = "similarity"

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


def kinds_of(pair: DomainPair, settings: Settings, *, by_words: bool = False) -> tuple[Kind, ...]:
    """Which evidence the settings ask for and the data can give."""
    explicit = pair.target.explicit
    simple = ["popularity", *(["item_mean", "biases"] if explicit else [])]
    simple += [SIMILARITY] if by_words else []
    ranking = Kind("ranking", "lists", "implicit", f"ndcg@{settings.top}", 1, tuple(simple))
    ratings = Kind("ratings", "predicted ratings", "ratings", "rmse", -1, ("item_mean", "biases"))
    if settings.feedback == "ratings":
        return (ratings,)
    return (ranking, ratings) if settings.feedback == "auto" and explicit else (ranking,)


@dataclass(frozen=True)
class BaselineScorer:
    """A simple baseline as a scorer; τ means nothing to it."""

    baselines: Baselines
    name: str

    def scores(
        self, users: "Users", support: sp.csr_array, strength: "Strength"
    ) -> "NDArray[np.floating]":
        """See ``Scorer``."""
        return self.baselines.scores(self.name, support)


@dataclass(frozen=True)
class SimilarityScorer:
    """Similarity of new items' texts to those of what each user took, summed; τ means nothing.

    Attributes
    ----------
    features
        New items × directions; inner products are cosines of words.
    taken
        Users × directions: the same of what each took, summed.
    """

    features: "NDArray[np.float64]"
    taken: "NDArray[np.float64]"

    def scores(
        self, users: "Users", support: sp.csr_array, strength: "Strength"
    ) -> "NDArray[np.floating]":
        """See ``Scorer``."""
        return np.asarray(self.features[users] @ self.taken.T)


def baseline_scorers(
    kind: Kind, ground: Ground, baselines: Baselines, matrix: sp.csr_array, users: HeldOut
) -> dict[str, Scorer]:
    """The simple baselines of a kind of evidence, for held-out users.

    Parameters
    ----------
    baselines, matrix
        Fitted on the training data, and this data.
    """
    scorers: dict[str, Scorer] = {}
    for name in kind.baselines:
        scorers[name] = BaselineScorer(baselines, name)
        if name == SIMILARITY:
            # The pair's users are items here, and its items are users.
            rows, pair = ground.rows, ground.pair
            taken = matrix[pair.target_rows].T.astype(bool) @ rows.features_of(pair.source_rows)
            features = rows.features_of(pair.source_rows[users.positions])
            scorers[name] = SimilarityScorer(features, taken)
    return scorers


@dataclass(frozen=True)
class Outcome:
    """What a method did for held-out users.

    Attributes
    ----------
    values
        The kind's metric.
    shown
        At each number of shots what the metric was taken of: lists (users × n item columns, −1 for
        an empty place), or one prediction for each test rating.
    """

    values: PerShot
    shown: "Mapping[int, NDArray[Any]]"


def evaluate(
    kind: Kind,
    settings: Settings,
    scorer: Scorer,
    users: HeldOut,
    strength: float | Mapping[int, float] = 1.0,
) -> Outcome:
    """Score held-out users at every number of shots.

    Parameters
    ----------
    scorer
        Of these users, in their order.
    strength
        τ, one for all or one for each number of shots.
    """
    values, shown = {}, {}
    for shots in settings.shots:
        tau = strength[shots] if isinstance(strength, Mapping) else strength
        values[shots], shown[shots] = _measure(kind, settings, scorer, users, shots, tau)
    return Outcome(values, shown)


def evaluate_strengths(
    kind: Kind,
    settings: Settings,
    scorer: Scorer,
    users: HeldOut,
    strengths: Sequence[float],
) -> dict[float, PerShot]:
    """The metric under each of several τ; at zero shots a prior is all there is, whatever its τ."""
    found: dict[float, PerShot] = {}
    for tau in strengths:
        values = {}
        for shots in settings.shots:
            same = next((t for t in found if shots == 0 and t > 0 and tau > 0), None)
            if same is not None:
                values[shots] = found[same][shots]
            else:
                values[shots], _ = _measure(kind, settings, scorer, users, shots, tau)
        found[tau] = values
    return found


def _measure(
    kind: Kind, settings: Settings, scorer: Scorer, users: HeldOut, shots: int, tau: float
) -> "tuple[NDArray[np.float64], NDArray[Any]]":
    values = np.empty(users.test.shape[0])
    shown: list[NDArray[Any]] = []
    for chunk in chunks(*users.test.shape):
        support, test = users.supports[shots][chunk], users.test[chunk]
        scores = scorer.scores(chunk, support, tau)
        if kind.metric == "rmse":
            rows = np.repeat(np.arange(test.shape[0]), np.diff(test.indptr))
            predicted = scores[rows, test.indices].astype(np.float64)
            values[chunk] = rmse(predicted, test)
            shown.append(predicted)
        else:
            listed = top_items(scores, settings.top, support)
            values[chunk] = ndcg(listed, test)
            shown.append(listed)
    return np.where(users.enough[shots], values, np.nan), np.concatenate(shown)


def further_metrics(
    kind: Kind,
    settings: Settings,
    outcomes: Mapping[str, Outcome],
    users: HeldOut,
    shots: int,
    baselines: Baselines,
) -> dict[str, dict[str, float]]:
    """What else there is to say of each method's lists or ratings; see ``ShotEvidence.more``."""
    enough = users.enough[shots]
    if kind.metric == "rmse":
        return {
            name: {"mae": float(np.nanmean(mae(outcome.shown[shots], users.test)[enough]))}
            for name, outcome in outcomes.items()
        }
    test, n = users.test[enough], settings.top
    share = baselines.popularity / max(baselines.users, 1)
    found = {}
    for name, outcome in outcomes.items():
        top = outcome.shown[shots][enough]
        popularity, novelty = mean_share(top, share)
        found[name] = {
            f"recall@{n}": float(np.nanmean(recall(top, test))),
            f"mrr@{n}": float(np.nanmean(reciprocal_rank(top, test))),
            f"coverage@{n}": coverage(top, test.shape[1]),
            f"popularity@{n}": float(popularity.mean()),
            f"novelty@{n}": float(novelty.mean()),
        }
    return found
