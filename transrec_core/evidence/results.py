"""What a comparison has to say, as small named records."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pandas as pd

from transrec_core.data.report import Problem

AUTO = "auto"
"""The method of the table that serves a blend where validation users gained, else the baseline."""

Verdict = Literal["helps", "no evidence", "hurts"]


@dataclass(frozen=True)
class Interval:
    """A mean over users with its 95 % bootstrap interval, in the metric's units."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """Transfer against the best no-transfer baseline, user by user; positive is better.

    Attributes
    ----------
    mean, low, high
        Mean paired difference with its 95 % bootstrap interval, in the metric's units.
    p
        Two-sided p of the sign-flip randomisation test that the mean difference is zero.
    helped, harmed
        Shares of users with a positive and a negative difference.
    detectable
        The smallest mean gain that this many users would have shown with 80 % power.
    """

    mean: float
    low: float
    high: float
    p: float
    helped: float
    harmed: float
    detectable: float


@dataclass(frozen=True)
class ShotEvidence:
    """All methods at one number of target interactions.

    Attributes
    ----------
    shots
        How many target interactions each test user was given.
    users
        Number of test users with enough interactions for this many shots.
    methods
        Mean of the metric over these users for each method, with its interval.
    best_baseline, transfer
        The no-transfer baseline and the transfer method that stand for their kind; both were
        settled on validation users.
    gains
        Every transfer method, and what ``auto`` serves, against ``best_baseline``.
    p_holm
        p of each transfer method's gain, corrected for their number.
    placebo
        95 % band of the same gain when the source users are shuffled.
    verdict
        ``helps`` when the whole gain interval is above zero and above the placebo band, ``hurts``
        when it is below zero, else ``no evidence``.
    more
        Further metrics of each method, their means over these users: of lists ``recall@n``,
        ``mrr@n``, ``coverage@n`` (share of the catalogue in any list), ``popularity@n`` (mean share
        of users who took a listed item) and ``novelty@n`` (its mean −log₂); of ratings ``mae``.
    """

    shots: int
    users: int
    methods: Mapping[str, Interval]
    best_baseline: str
    transfer: str
    gains: Mapping[str, Gain]
    p_holm: Mapping[str, float]
    placebo: Interval
    verdict: Verdict
    more: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def gain(self) -> Gain:
        """``transfer`` against ``best_baseline``."""
        return self.gains[self.transfer]

    def to_json(self) -> dict[str, Any]:
        """The shot as plain JSON values."""
        return {
            "shots": self.shots,
            "users": self.users,
            "methods": {name: asdict(interval) for name, interval in self.methods.items()},
            "best_baseline": self.best_baseline,
            "transfer": self.transfer,
            "gain": asdict(self.gain),
            "gains": {
                name: {**asdict(gain), "p_holm": self.p_holm.get(name)}
                for name, gain in self.gains.items()
            },
            "placebo": asdict(self.placebo),
            "more": {name: dict(values) for name, values in self.more.items()},
        }


@dataclass(frozen=True)
class Evidence:
    """The comparison in one metric.

    Attributes
    ----------
    metric
        ``ndcg@10`` (or another cut-off) or ``rmse``.
    higher_is_better
        ``False`` for errors; gains are turned so that positive is better all the same.
    shots
        One record a number of shots, rising.
    per_user
        Long table: user_id (item_id where items are new), shots, metric, method, value.
    cohorts
        The gain by how much users did, and on which items: shots, cohort, level, users, gain, low,
        high.
    cold
        Who was new to the target: ``users``, or ``items``, which then stand wherever users are
        spoken of.
    fit_seconds
        What each method took to fit without the test users, with the factorizations it needs.
    """

    metric: str
    higher_is_better: bool
    shots: tuple[ShotEvidence, ...]
    per_user: pd.DataFrame
    cohorts: pd.DataFrame = field(default_factory=pd.DataFrame)
    cold: str = "users"
    fit_seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> dict[int, Verdict]:
        """Verdict of each number of shots."""
        return {shot.shots: shot.verdict for shot in self.shots}

    @property
    def crossover(self) -> int | None:
        """First number of shots from which transfer is never said to help again.

        ``None`` when it helps at the last one measured, or at none.
        """
        helping = [shot.shots for shot in self.shots if shot.verdict == "helps"]
        later = [shot.shots for shot in self.shots if helping and shot.shots > helping[-1]]
        return later[0] if later else None


@dataclass(frozen=True)
class Chosen:
    """What validation users settled.

    Attributes
    ----------
    method
        The transfer method that suited them best.
    rank, lam
        Number of factors and regularisation weight that were used.
    strength
        For each number of shots: τ, the precision of the mapped prior in units of the target's own
        regulariser.
    mean_strength
        The same for the average-user prior of target-only fold-in; 0 where none did better.
    transfer_at
        For each number of shots: whether validation users gained from transfer (lower bound of
        the gain over the baseline that would serve them above zero), so that ``auto`` uses it.
    baseline_at
        For each number of shots: the best no-transfer baseline, which the gain is over.
    tried
        Every candidate with its validation score, in the order tried.
    parameters
        The parameters of every method that was tried, the target-only baseline among them.
    strengths
        τ at each number of shots of every method that was tried.
    blend
        For each number of shots: w of (1 − w)·target-only + w·transfer that ``auto`` uses; 0 where
        it falls back to the best baseline.
    left_out
        Methods that were not tried, with the reason.
    fallback_at
        For each number of shots: the best baseline that can serve, which ``auto`` falls back to.
    """

    method: str
    rank: int
    lam: float
    strength: Mapping[int, float]
    mean_strength: Mapping[int, float]
    transfer_at: Mapping[int, bool]
    baseline_at: Mapping[int, str]
    tried: tuple[Mapping[str, Any], ...] = ()
    parameters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    strengths: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    blend: Mapping[int, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    fallback_at: Mapping[int, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The choices as plain JSON values."""
        return {
            "method": self.method,
            "rank": self.rank,
            "lam": self.lam,
            "strength": {str(shots): tau for shots, tau in self.strength.items()},
            "mean_strength": {str(shots): tau for shots, tau in self.mean_strength.items()},
            "transfer_at": {str(shots): used for shots, used in self.transfer_at.items()},
            "baseline_at": {str(shots): name for shots, name in self.baseline_at.items()},
            "tried": [dict(row) for row in self.tried],
            "parameters": {name: dict(values) for name, values in self.parameters.items()},
            "strengths": {
                name: {str(shots): tau for shots, tau in taus.items()}
                for name, taus in self.strengths.items()
            },
            "blend": {str(shots): weight for shots, weight in self.blend.items()},
            "left_out": dict(self.left_out),
            "fallback_at": {str(shots): name for shots, name in self.fallback_at.items()},
        }


@dataclass(frozen=True)
class Crosslisted:
    """Products that both catalogues seem to list under different ids, and what they are worth.

    Attributes
    ----------
    products
        Source id and target id of each pair, most alike first.
    evidence
        The headline's evidence by the same method when the source's copies are left out; ``None``
        where nothing can be measured without them.
    reason
        Why not; empty where there is evidence.
    """

    products: tuple[tuple[str, str], ...]
    evidence: Evidence | None
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """Everything that ``compare`` found.

    Attributes
    ----------
    ranking
        Evidence on recommendation lists; ``None`` when only ratings were asked for.
    ratings
        Evidence on predicted ratings; ``None`` where the data has none or only lists were asked.
    chosen
        Parameters and methods that validation users settled, per kind (``ranking``, ``ratings``).
    test_users, validation_users
        How many users told and how many chose.
    seconds
        Wall time of the comparison.
    checks
        What was worth knowing of the pair beforehand, as ``check_pair`` says it.
    crosslisted
        Where products are in both catalogues and were not left out: what remains without them.
    """

    ranking: Evidence | None
    ratings: Evidence | None
    chosen: Mapping[str, Chosen]
    test_users: int
    validation_users: int
    seconds: float
    checks: tuple[Problem, ...] = ()
    crosslisted: Crosslisted | None = None

    @property
    def headline(self) -> Evidence:
        """The evidence that the verdict speaks of: lists where there are lists."""
        evidence = self.ranking or self.ratings
        assert evidence is not None
        return evidence
