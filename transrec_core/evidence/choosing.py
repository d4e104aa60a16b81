"""What validation users settle: rank, λ, prior strengths, the baseline, where transfer is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from transrec_core.baselines import Baselines
from transrec_core.data.linking import DomainPair
from transrec_core.errors import TooFewUsersError
from transrec_core.evidence.evaluating import (
    Kind,
    PerShot,
    evaluate_baseline,
    evaluate_placed,
)
from transrec_core.evidence.resampling import bootstrap_means, interval
from transrec_core.evidence.results import Chosen
from transrec_core.evidence.splitting import HeldOut, without_users
from transrec_core.factors.model import Factors
from transrec_core.progress import Meter
from transrec_core.settings import PRIORS, Settings
from transrec_core.transfer.fitting import ROW_MAP, FitSpec, TransferFit, fit_transfer
from transrec_core.transfer.fold_in import mean_prior
from transrec_core.transfer.linear_map import SourceRows, rows_of

RANKS = (8, 16, 32, 64)
LAMBDAS: Mapping[str, tuple[float, ...]] = {
    "implicit": (0.0006, 0.002, 0.006, 0.02, 0.06, 0.2),
    "ratings": (0.006, 0.02, 0.06, 0.2, 0.6),
}
DEFAULT_RANK = 32
DEFAULT_LAM = {"implicit": 0.006, "ratings": 0.06}
MAX_CANDIDATES = 9
LARGEST_ROWS = 300_000
"""Users and items of a source up to which ``auto`` tries the row map: its directions are dense."""
STRENGTHS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)

Feedback = Literal["implicit", "ratings"]

TARGET_ONLY = "target_only"


@dataclass(frozen=True)
class Candidate:
    """One method under one rank and λ, with the prior strength that suits each number of shots.

    Attributes
    ----------
    score
        Mean over shots of the metric's mean over users, turned so that higher is better.
    fit
        The factorizations, and the map of a transfer method.
    strength
        τ at each number of shots.
    values
        The metric of each validation user with these strengths.
    """

    score: float
    fit: TransferFit
    strength: Mapping[int, float]
    values: PerShot

    @property
    def spec(self) -> FitSpec:
        """How both domains were factorized."""
        return self.fit.spec


@dataclass(frozen=True)
class Choice:
    """What validation users settled, and how to repeat it.

    Attributes
    ----------
    chosen
        The part that the result shows.
    transfer, target_only
        How to factorize for transfer and for the target-only baseline.
    source
        The source factorization behind ``transfer``.
    strengths
        τ at each number of shots of every transfer method that was tried; the chosen one's too.
    rows
        The source rows where a method reads them.
    """

    chosen: Chosen
    transfer: FitSpec
    target_only: FitSpec
    source: Factors
    strengths: Mapping[str, Mapping[int, float]]
    rows: SourceRows | None


class Search:
    """Which (rank, λ) to try next: the untried neighbours of the best so far, on a fixed grid.

    Ends when the best of both methods has no untried neighbour, or after ``MAX_CANDIDATES``.
    """

    def __init__(self, ranks: tuple[int, ...], lambdas: tuple[float, ...]) -> None:
        self.ranks = ranks
        self.lambdas = lambdas
        self.tried: list[tuple[int, float]] = []

    @classmethod
    def over(cls, pair: DomainPair, kind: Kind, settings: Settings) -> "Search":
        """The grid that the settings leave open and the data can carry."""
        limit = min(*pair.source.matrix.shape, *pair.target.matrix.shape)
        ranks = tuple(dict.fromkeys(min(rank, limit) for rank in RANKS))
        lambdas = LAMBDAS[kind.feedback]
        return cls(
            ranks if settings.rank is None else (settings.rank,),
            lambdas if settings.lam is None else (settings.lam,),
        )

    @property
    def share_before(self) -> float:
        """Share of the search done before the candidate last given out."""
        return (len(self.tried) - 1) / MAX_CANDIDATES

    @property
    def share_after(self) -> float:
        """Share done after it."""
        return len(self.tried) / MAX_CANDIDATES

    def next(self, *bests: FitSpec | None) -> tuple[int, float] | None:
        """The next candidate, given the best ones so far; ``None`` when the search is over."""
        if not self.tried:
            wanted = [(_middle(self.ranks, DEFAULT_RANK), len(self.lambdas) // 2)]
        else:
            at = [
                (self.ranks.index(best.rank), self.lambdas.index(best.lam))
                for best in bests
                if best is not None
            ]
            wanted = [
                (i + di, j + dj)
                for di, dj in ((0, 1), (0, -1), (-1, 0), (1, 0))
                for i, j in at
                if 0 <= i + di < len(self.ranks) and 0 <= j + dj < len(self.lambdas)
            ]
        candidates = [(self.ranks[i], self.lambdas[j]) for i, j in wanted]
        untried = [candidate for candidate in candidates if candidate not in self.tried]
        if not untried or len(self.tried) == MAX_CANDIDATES:
            return None
        self.tried.append(untried[0])
        return untried[0]


def spec_of(settings: Settings, feedback: Feedback, rank: int, lam: float) -> FitSpec:
    """How to factorize at one rank and λ, all else as set."""
    return FitSpec(
        feedback,
        settings.model,
        rank,
        lam,
        settings.alpha0,
        settings.regularization_exponent,
        settings.seed,
    )


def default_spec(pair: DomainPair, feedback: Feedback, settings: Settings) -> FitSpec:
    """The settings' rank and λ, or where they are open the defaults that the data can carry."""
    limit = min(*pair.source.matrix.shape, *pair.target.matrix.shape)
    lam = DEFAULT_LAM[feedback] if settings.lam is None else settings.lam
    return spec_of(settings, feedback, settings.rank or min(DEFAULT_RANK, limit), lam)


def _middle(ranks: tuple[int, ...], wish: int) -> int:
    """Position of the largest rank up to the wished one, or of the smallest."""
    return max((i for i, rank in enumerate(ranks) if rank <= wish), default=0)


def choose(
    pair: DomainPair,
    kind: Kind,
    settings: Settings,
    validation: HeldOut,
    test: HeldOut,
    meter: Meter,
) -> Choice:
    """Settle everything that is open on validation users; test users' target data is not read.

    Transfer and the target-only baseline each keep their own best rank, λ and prior strengths, so
    that neither is judged with the other's parameters. Of several transfer methods the first one
    settles rank and λ for all.

    Raises
    ------
    TooFewUsersError
        Too few shared users are left to learn the map.
    """
    held = np.concatenate([validation.positions, test.positions])
    matrix = without_users(pair.target.matrix, pair.target_rows[held])
    others = np.setdiff1d(np.arange(len(pair.shared)), held)
    first, *others_tried = _methods(pair, settings)
    rows = None
    if ROW_MAP in (first, *others_tried):
        rows = rows_of(pair.source, kind.feedback, settings.seed)
    search = Search.over(pair, kind, settings)
    tried: list[dict[str, Any]] = []
    transfer: Candidate | None = None
    alone: Candidate | None = None
    while (
        candidate := search.next(transfer.spec if transfer else None, alone.spec if alone else None)
    ) is not None:
        spec = spec_of(settings, kind.feedback, *candidate)
        part = meter.part(search.share_before, search.share_after)
        # Each from the same cold start, so that a result does not depend on the order tried.
        fit = fit_transfer(
            pair,
            spec,
            target_matrix=matrix,
            map_users=others,
            method=first,
            rows=rows,
            on_fit=part.fits(f"Choosing parameters for {kind.words}"),
        )
        average = mean_prior(fit.target, np.diff(matrix.indptr), len(validation.positions))
        found = _candidate(
            kind,
            fit,
            {
                tau: evaluate_placed(kind, settings, fit.target, validation, average, tau)
                for tau in (0.0, *STRENGTHS)
            },
            # At zero shots everybody gets the same list: popularity stands for that.
            [shots for shots in settings.shots if shots > 0] or list(settings.shots),
        )
        tried.append(_row(kind, TARGET_ONLY, found))
        alone = found if alone is None or found.score > alone.score else alone
        if fit.prior is None:
            continue
        found = _transfer_candidate(kind, settings, fit, validation)
        tried.append(_row(kind, first, found))
        transfer = found if transfer is None or found.score > transfer.score else transfer
    if alone is None or transfer is None:
        raise TooFewUsersError(
            f"Only {len(others)} shared users are left to learn the map from source to target.",
            "Bring more shared users.",
        )
    strengths = {first: transfer.strength}
    for method in others_tried:
        meter.report(1, f"Choosing parameters for {kind.words}", f"trying {method}")
        fit = transfer.fit.mapped_by(method, rows)
        found = _transfer_candidate(kind, settings, fit, validation)
        tried.append(_row(kind, method, found))
        strengths[method] = found.strength
        transfer = found if found.score > transfer.score else transfer
    baselines = Baselines.fit(matrix)
    plain = {
        name: evaluate_baseline(kind, settings, baselines, name, validation)
        for name in kind.baselines
    }
    plain[TARGET_ONLY] = alone.values
    random = np.random.default_rng([settings.seed, 2])
    baseline_at: dict[int, str] = {}
    transfer_at: dict[int, bool] = {}
    for shots in settings.shots:
        enough = validation.enough[shots]
        if not enough.any():
            continue
        means = {
            name: kind.sign * float(values[shots][enough].mean()) for name, values in plain.items()
        }
        baseline_at[shots] = max(means, key=lambda name: means[name])
        gain = kind.sign * (transfer.values[shots] - plain[baseline_at[shots]][shots])[enough]
        resampled = bootstrap_means(gain[:, None], random)[:, 0]
        transfer_at[shots] = bool(interval(gain.mean(), resampled).low > 0)
    chosen = Chosen(
        transfer.fit.method,
        transfer.spec.rank,
        transfer.spec.lam,
        transfer.strength,
        alone.strength,
        transfer_at,
        baseline_at,
        tuple(tried),
    )
    return Choice(chosen, transfer.spec, alone.spec, transfer.fit.source, strengths, rows)


def _methods(pair: DomainPair, settings: Settings) -> tuple[str, ...]:
    """Transfer methods to try: the one that is set, or all that the source's size allows."""
    if settings.method != "auto":
        return (settings.method,)
    small = sum(pair.source.matrix.shape) <= LARGEST_ROWS
    return tuple(method for method in PRIORS if small or method != ROW_MAP)


def _transfer_candidate(
    kind: Kind, settings: Settings, fit: TransferFit, validation: HeldOut
) -> Candidate:
    """A transfer method with the strengths that suit validation users."""
    prior = fit.prior_of(fit.pair.source_rows[validation.positions])
    found = {
        tau: evaluate_placed(kind, settings, fit.target, validation, prior, tau)
        for tau in STRENGTHS
    }
    return _candidate(kind, fit, found, list(settings.shots))


def _candidate(
    kind: Kind, fit: TransferFit, found: Mapping[float, PerShot], scored: list[int]
) -> Candidate:
    """Keep the best strength at each number of shots; ``scored`` are those that count."""
    all_shots = list(next(iter(found.values())))
    strength: dict[int, float] = {}
    means: dict[int, float] = {}
    for shots in all_shots:
        if np.isnan(next(iter(found.values()))[shots]).all():
            strength[shots] = 1.0
            continue
        heights = {t: kind.sign * float(np.nanmean(v[shots])) for t, v in found.items()}
        strength[shots] = max(heights, key=lambda t: heights[t])
        means[shots] = heights[strength[shots]]
    return Candidate(
        float(np.mean([means[shots] for shots in scored if shots in means] or [-np.inf])),
        fit,
        strength,
        {
            shots: found[strength[shots]][shots] if shots in means else found[STRENGTHS[0]][shots]
            for shots in all_shots
        },
    )


def _row(kind: Kind, method: str, found: Candidate) -> dict[str, Any]:
    return {
        "method": method,
        "rank": found.spec.rank,
        "lam": found.spec.lam,
        "strength": {str(shots): tau for shots, tau in found.strength.items()},
        kind.metric: kind.sign * found.score,
    }
