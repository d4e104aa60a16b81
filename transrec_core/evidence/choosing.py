"""What validation users settle: parameters, strengths, the baseline, where transfer is used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from transrec_core.baselines import Baselines
from transrec_core.data.linking import DomainPair
from transrec_core.data.report import plural
from transrec_core.errors import BadSettingError, TooFewUsersError
from transrec_core.evidence.budget import Budget
from transrec_core.evidence.evaluating import (
    Kind,
    PerShot,
    baseline_scorers,
    evaluate,
    evaluate_strengths,
)
from transrec_core.evidence.resampling import mean_intervals
from transrec_core.evidence.results import Chosen
from transrec_core.evidence.splitting import HeldOut, without_users
from transrec_core.extras import require_extra
from transrec_core.progress import Meter
from transrec_core.settings import DEEP, PRIORS, Settings
from transrec_core.transfer.factorizations import Factorizations
from transrec_core.transfer.fitting import (
    CODEBOOK,
    EASE,
    JOINT,
    RIDGE,
    ROW_MAP,
    SERVED_BASELINES,
    TARGET_ONLY,
    FitSpec,
    TransferFit,
    applicable,
)
from transrec_core.transfer.knowledge import Ground
from transrec_core.transfer.scorers import Blend

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

RANKS = (8, 16, 32, 64)
LAMBDAS: Mapping[str, tuple[float, ...]] = {
    "implicit": (0.0006, 0.002, 0.006, 0.02, 0.06, 0.2),
    "ratings": (0.006, 0.02, 0.06, 0.2, 0.6),
}
SOURCE_WEIGHTS = (0.1, 0.3, 1.0)
PENALTIES = (20.0, 60.0, 200.0, 600.0, 2000.0)
DEFAULT_RANK = 32
DEFAULT_LAM = {"implicit": 0.006, "ratings": 0.06}
MAX_CANDIDATES = 9
LATER_CANDIDATES = 5
"""The same for methods that begin where an earlier one ended: it and its neighbours."""
LARGEST_ROWS = 300_000
"""Users and items of a source up to which ``auto`` reads rows: their directions are dense."""
TARGET_BASELINES = (TARGET_ONLY, EASE)
STRENGTHS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
BLENDS = (0.25, 0.5, 0.75, 1.0)

Feedback = Literal["implicit", "ratings"]


@dataclass(frozen=True)
class Candidate:
    """One method under one set of parameters, with the strength that suits each number of shots.

    Attributes
    ----------
    score
        Mean over shots of the metric's mean over users, turned so that higher is better.
    fit
        The factorizations, and what the method knows.
    strength
        τ at each number of shots.
    values
        The metric of each validation user with these strengths.
    """

    score: float
    fit: TransferFit
    strength: Mapping[int, float]
    values: PerShot


@dataclass(frozen=True)
class Choice:
    """What validation users settled, and how to repeat it.

    Attributes
    ----------
    chosen
        The part that the result shows.
    specs
        How to factorize for every method that was tried, the target-only baseline among them.
    """

    chosen: Chosen
    specs: Mapping[str, FitSpec]


@dataclass(frozen=True)
class Axis:
    """Values of one parameter, rising; a search starts at ``start``."""

    name: str
    values: tuple[float, ...]
    start: float


class Search:
    """Which parameters of one method to try next: untried neighbours of the best, on a grid.

    Ends when the best has no untried neighbour, or after ``most`` candidates.
    """

    def __init__(self, axes: Sequence[Axis], most: int = MAX_CANDIDATES) -> None:
        self.axes = axes
        self.most = most
        self.tried: list[tuple[int, ...]] = []
        self.best: tuple[float, tuple[int, ...]] | None = None

    @property
    def share(self) -> float:
        """Share of the search that is done."""
        return len(self.tried) / self.most

    def next(self) -> dict[str, Any] | None:
        """The next parameters by name; ``None`` when the search is over."""
        if len(self.tried) == self.most:
            return None
        wanted: list[tuple[int, ...]] = []
        if self.best is None:
            wanted.append(tuple(_nearest(axis.values, axis.start) for axis in self.axes))
        else:
            # The last axis first: λ matters more than the rank.
            for place in reversed(range(len(self.axes))):
                for step in (1, -1):
                    moved = list(self.best[1])
                    moved[place] += step
                    if 0 <= moved[place] < len(self.axes[place].values):
                        wanted.append(tuple(moved))
        untried = next((at for at in wanted if at not in self.tried), None)
        if untried is None:
            return None
        self.tried.append(untried)
        return {
            axis.name: axis.values[place] for axis, place in zip(self.axes, untried, strict=True)
        }

    def tell(self, score: float) -> bool:
        """Take the score of what was given out last; whether it is the best so far."""
        if self.best is not None and score <= self.best[0]:
            return False
        self.best = (score, self.tried[-1])
        return True


def _nearest(values: Sequence[float], wish: float) -> int:
    """Position of the value nearest to the wished one by ratio, the lower of two."""
    return int(np.argmin(np.abs(np.log(np.maximum(values, 1e-12) / max(wish, 1e-12)))))


def axes_of(pair: DomainPair, method: str, settings: Settings, start: FitSpec) -> list[Axis]:
    """What a method leaves open: what the settings do, on values that the data can carry."""
    if method in (RIDGE, EASE):
        return [Axis("penalty", PENALTIES, start.penalty)]
    limit = min(*pair.source.matrix.shape, *pair.target.matrix.shape)
    ranks = tuple(dict.fromkeys(min(rank, limit) for rank in RANKS))
    axes = [Axis("source_weight", SOURCE_WEIGHTS, start.source_weight)] if method == JOINT else []
    return [
        *axes,
        Axis("rank", ranks if settings.rank is None else (settings.rank,), start.rank),
        Axis(
            "lam", LAMBDAS[start.feedback] if settings.lam is None else (settings.lam,), start.lam
        ),
    ]


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
    return default_spec_within(
        min(*pair.source.matrix.shape, *pair.target.matrix.shape), feedback, settings
    )


def default_spec_within(limit: int, feedback: Feedback, settings: Settings) -> FitSpec:
    """The same for domains whose smallest side, users or items of either, is ``limit``."""
    lam = DEFAULT_LAM[feedback] if settings.lam is None else settings.lam
    return spec_of(settings, feedback, settings.rank or min(DEFAULT_RANK, limit), lam)


def spec_from(settings: Settings, feedback: Feedback, chosen: Chosen, method: str) -> FitSpec:
    """How to factorize for one of the methods that validation users settled."""
    own = dict(chosen.parameters[method])
    spec = spec_of(settings, feedback, int(own.pop("rank")), own.pop("lam"))
    return replace(spec, **own)  # type: ignore[arg-type]


def methods_for(ground: Ground, settings: Settings) -> tuple[tuple[str, ...], dict[str, str]]:
    """Transfer methods to try, and those left out with the reason.

    Raises
    ------
    BadSettingError
        The method that is set cannot be used on these domains.
    TooFewUsersError
        No method can.
    MissingExtraError
        Networks are asked for, and cannot be trained here.
    """
    pair = ground.pair
    reasons = applicable(ground, settings.model)
    if settings.method != "auto":
        if reasons[settings.method]:
            raise BadSettingError(
                f"{settings.method} cannot be used here: {reasons[settings.method]}.",
                f"Choose {_listed([m for m, reason in reasons.items() if not reason])}.",
            )
        return (settings.method,), {}
    if settings.deep:
        require_extra("deep", "Trying networks")
    else:
        for method in DEEP:
            reasons[method] = reasons[method] or "networks were not asked for"
    if pair.linked and len(pair.shared):
        reasons[CODEBOOK] = reasons[CODEBOOK] or "it is for catalogues that share nobody"
    size = sum(pair.source.matrix.shape)
    if size > LARGEST_ROWS:
        for method in (ROW_MAP, RIDGE):
            large = f"the source has {size:,} users and items, more than {LARGEST_ROWS:,}"
            reasons[method] = reasons[method] or large
    tried = tuple(method for method in PRIORS if not reasons[method])
    if not tried:
        raise TooFewUsersError(
            f"{plural(len(pair.shared), 'user is', 'users are')} in both catalogues, and no way of "
            "transfer can learn from so few.",
            "Bring more shared users, or titles of both catalogues.",
        )
    return tried, {method: reason for method, reason in reasons.items() if reason}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "another source: no method can be used"


def factorizing_share(method: str) -> float:
    """Share of a fit's progress that goes to factorizing: a network learns far longer than that."""
    return 0.3 if method in DEEP else 0.9


@dataclass
class Trials:
    """One method after the other, each under several parameters, on the same validation users.

    Attributes
    ----------
    ground, kind, settings
        What is compared.
    users
        The validation users.
    matrix
        Target data without them and the test users.
    map_users
        Positions of the shared users who are neither.
    budget
        What it may cost.
    factorizations
        Of both domains, so far.
    tried
        Every candidate as a row, in the order tried.
    """

    ground: Ground
    kind: Kind
    settings: Settings
    users: HeldOut
    matrix: "sp.csr_array"
    map_users: "NDArray[np.integer]"
    budget: Budget
    factorizations: Factorizations
    tried: list[dict[str, Any]] = field(default_factory=list)

    def search(
        self, method: str, start: FitSpec, seconds: float, meter: Meter, most: int
    ) -> Candidate | None:
        """The best candidate of one method; ``None`` where it learned nothing, or had no time.

        Parameters
        ----------
        method
            A transfer method or the target-only baseline.
        start
            The parameters to begin at.
        seconds
            What the search may cost; it ends before a candidate that would go beyond, but one is
            always tried.
        most
            How many candidates are tried at most.
        """
        search = Search(axes_of(self.ground.pair, method, self.settings, start), most)
        best: Candidate | None = None
        spent = 0.0
        while (point := search.next()) is not None:
            spec = replace(start, **point)
            cost = self.budget.cost(method, spec, self.factorizations.has("choosing", spec))
            if spent + cost > seconds and len(search.tried) > 1:
                break
            spent += cost
            part = meter.part((len(search.tried) - 1) / most, search.share)
            found = self.candidate(method, spec, part)
            if found is None:
                break
            self.tried.append(_row(self.kind, method, found, tuple(point)))
            if search.tell(found.score):
                best = found
        self.budget.spent += spent
        return best

    def candidate(self, method: str, spec: FitSpec, meter: Meter) -> Candidate | None:
        """One method under one set of parameters; ``None`` where it can learn nothing."""
        learned = factorizing_share(method)
        fit = self._fit(spec, meter.part(0, learned))
        meter.report(learned, self._stage, f"{method.replace('_', ' ')}, rank {spec.rank}")
        strengths: tuple[float, ...] = STRENGTHS
        if method == TARGET_ONLY:
            scorer = fit.scorer(None, len(self.users.positions))
            strengths = (0.0, *STRENGTHS)
        else:
            on_epoch = meter.part(learned, 1).learning(self._stage, method)
            fit = fit.by(method, on_epoch=on_epoch)
            if fit.knowledge is None:
                return None
            scorer = fit.scorer(self.ground.pair.source_rows[self.users.positions])
        scored = list(self.settings.shots)
        if method in TARGET_BASELINES:
            # At zero shots everybody gets the same list: popularity stands for that.
            scored = [shots for shots in scored if shots > 0] or scored
        found = evaluate_strengths(self.kind, self.settings, scorer, self.users, strengths)
        return _candidate(self.kind, fit, found, scored)

    @property
    def _stage(self) -> str:
        return f"Choosing parameters for {self.kind.words}"

    def _fit(self, spec: FitSpec, meter: Meter) -> TransferFit:
        return self.factorizations.fit(
            self.ground,
            spec,
            "choosing",
            self.matrix,
            self.map_users,
            meter.fits(self._stage),
        )


def choose(
    ground: Ground,
    kind: Kind,
    settings: Settings,
    validation: HeldOut,
    test: HeldOut,
    meter: Meter,
    seconds: float = float("inf"),
    factorizations: Factorizations | None = None,
) -> Choice:
    """Settle everything that is open on validation users; test users' target data is not read.

    Every method has a search of its own for its parameters and prior strengths, so that none is
    judged with another's. The target-only baseline's is never the shorter one.

    Parameters
    ----------
    seconds
        What all searches may cost together, as estimated.
    factorizations
        Those of the run so far, and where to start others from.

    Raises
    ------
    TooFewUsersError
        Too few shared users are left to learn from.
    BadSettingError
        The method that is set cannot be used on these domains.
    """
    pair = ground.pair
    held = np.concatenate([validation.positions, test.positions])
    methods, left_out = methods_for(ground, settings)
    matrix = without_users(pair.target.matrix, pair.target_rows[held])
    if matrix.nnz == 0:
        raise TooFewUsersError(
            "All target interactions are of users who are held out, so nothing is left to learn "
            "from.",
            "Bring more users of the target.",
        )
    judged = validation.test.shape[0] * validation.test.shape[1] * len(settings.shots)
    trials = Trials(
        ground,
        kind,
        settings,
        validation,
        matrix,
        np.setdiff1d(np.arange(len(pair.shared)), held),
        Budget(pair, float(judged * len(STRENGTHS)), seconds),
        factorizations or Factorizations(),
    )
    start = default_spec(pair, kind.feedback, settings)
    found: dict[str, Candidate] = {}
    # Regression on single items has to beat regression on the target's own.
    searched = (TARGET_ONLY, *([EASE] if RIDGE in methods else []), *methods)
    needed = (TARGET_ONLY, methods[0])
    for number, method in enumerate(searched):
        part = meter.part(0.95 * number / len(searched), 0.95 * (number + 1) / len(searched))
        # Half of all for the baseline: its factorizations serve the others too.
        left = seconds / 2 if number == 0 else trials.budget.share(len(searched) - number)
        best = None
        if method in needed or trials.budget.cost(method, start, True) <= left:
            most = MAX_CANDIDATES if method in needed else LATER_CANDIDATES
            best = trials.search(method, start, left, part, most)
        if best is not None:
            found[method] = best
            start = best.fit.spec
        else:
            left_out[method] = "it would have taken longer than the budget allows"
    if not set(found) - set(TARGET_BASELINES):
        raise TooFewUsersError(
            "Only "
            + plural(len(trials.map_users), "shared user is", "shared users are")
            + " left to learn from.",
            "Bring more shared users.",
        )
    meter.report(0.95, f"Choosing parameters for {kind.words}", "where transfer is used")
    return _settled(trials, found, left_out)


def _settled(trials: Trials, found: dict[str, Candidate], left_out: Mapping[str, str]) -> Choice:
    """Which method stands for transfer, which baseline it has to beat, and where it is used."""
    kind, settings, users = trials.kind, trials.settings, trials.users
    alone = found[TARGET_ONLY]
    method = max((m for m in found if m not in TARGET_BASELINES), key=lambda m: found[m].score)
    transfer = found[method]
    baselines = Baselines.fit(trials.matrix)
    simple = baseline_scorers(kind, trials.ground, baselines, trials.matrix, users)
    plain = {
        name: evaluate(kind, settings, scorer, users).values for name, scorer in simple.items()
    }
    plain |= {name: found[name].values for name in TARGET_BASELINES if name in found}
    alone_scorer = alone.fit.scorer(None, len(users.positions))
    moved_scorer = transfer.fit.scorer(trials.ground.pair.source_rows[users.positions])
    random = np.random.default_rng([settings.seed, 2])
    baseline_at: dict[int, str] = {}
    fallback_at: dict[int, str] = {}
    blend: dict[int, float] = {}
    for shots in settings.shots:
        enough = users.enough[shots]
        if not enough.any():
            continue
        means = {
            name: kind.sign * float(values[shots][enough].mean()) for name, values in plain.items()
        }
        baseline_at[shots] = max(means, key=lambda name: means[name])
        # All baselines can predict ratings; only some can make lists.
        served = SERVED_BASELINES if kind.name == "ranking" else tuple(means)
        fallback_at[shots] = max(
            (name for name in means if name in served), key=lambda name: means[name]
        )
        at_shots = replace(settings, shots=(shots,))
        mixed = {
            weight: transfer.values[shots]
            if weight == 1
            else evaluate(
                kind,
                at_shots,
                Blend(alone_scorer, moved_scorer, alone.strength[shots], weight),
                users,
                transfer.strength[shots],
            ).values[shots]
            for weight in BLENDS
        }
        weight = max(mixed, key=lambda w: kind.sign * float(mixed[w][enough].mean()))
        gain = kind.sign * (mixed[weight] - plain[fallback_at[shots]][shots])[enough]
        spread = float(plain[fallback_at[shots]][shots][enough].std())
        (found_gain,) = mean_intervals(gain[:, None], random, spread)
        blend[shots] = weight if found_gain.low > 0 else 0.0
    specs = {name: candidate.fit.spec for name, candidate in found.items()}
    chosen = Chosen(
        method,
        transfer.fit.spec.rank,
        transfer.fit.spec.lam,
        transfer.strength,
        alone.strength,
        {shots: weight > 0 for shots, weight in blend.items()},
        baseline_at,
        tuple(trials.tried),
        {
            name: {
                "rank": spec.rank,
                "lam": spec.lam,
                **({"source_weight": spec.source_weight} if name == JOINT else {}),
                **({"penalty": spec.penalty} if name in (RIDGE, EASE) else {}),
            }
            for name, spec in specs.items()
        },
        {name: candidate.strength for name, candidate in found.items()},
        blend,
        dict(left_out),
        fallback_at,
    )
    return Choice(chosen, specs)


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


def _row(kind: Kind, method: str, found: Candidate, parameters: tuple[str, ...]) -> dict[str, Any]:
    spec = found.fit.spec
    return {
        "method": method,
        **{name: getattr(spec, name) for name in ("rank", "lam") if method not in (RIDGE, EASE)},
        **{name: getattr(spec, name) for name in parameters},
        "strength": {str(shots): tau for shots, tau in found.strength.items()},
        kind.metric: kind.sign * found.score,
    }
