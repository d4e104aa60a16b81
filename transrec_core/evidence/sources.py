"""Which source to choose: what each of several promises for one target.

A pilot measures each source once with fixed parameters on its validation users, so that nothing is
chosen by looking at the result, and the test users of a later comparison stay unseen.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from transrec_core.baselines import Baselines
from transrec_core.data.crosslisted import without_crosslisted
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair, link
from transrec_core.errors import AllCrosslistedError, TooFewUsersError
from transrec_core.evidence.choosing import default_spec
from transrec_core.evidence.evaluating import (
    BaselineScorer,
    Kind,
    PerShot,
    evaluate,
    kinds_of,
)
from transrec_core.evidence.resampling import mean_intervals
from transrec_core.evidence.results import Interval
from transrec_core.evidence.splitting import HeldOut, split_users, without_users
from transrec_core.progress import Meter
from transrec_core.settings import Settings
from transrec_core.space import alignment
from transrec_core.transfer.fitting import TARGET_ONLY, TransferFit, fit_transfer

PILOT_STRENGTH = 0.5


@dataclass(frozen=True)
class Pilot:
    """What a source promises.

    Attributes
    ----------
    source
        Its name.
    shared_users
        Users that it shares with the target.
    judged_users
        Validation users behind the gain.
    metric
        What the gain is measured in.
    shots
        Target interactions that these users were given.
    baseline
        The no-transfer method that did best on these users, which the gain is over.
    gain
        Mean gain with its 95 % interval; ``None`` where it could not be measured.
    correlation
        Largest cross-validated canonical correlation of source and target factors; NaN without a
        gain.
    users, items, ratings
        Size of the source.
    seconds
        What the pilot took.
    note
        Why there is no gain; empty where there is one.
    """

    source: str
    shared_users: int
    judged_users: int
    metric: str
    shots: int
    baseline: str
    gain: Interval | None
    correlation: float
    users: int
    items: int
    ratings: int
    seconds: float
    note: str

    @property
    def density(self) -> float:
        """Share of the source's cells that are filled."""
        return self.ratings / (self.users * self.items)


def rank_domains(
    target: Interactions, sources: Mapping[str, Interactions], settings: Settings, meter: Meter
) -> list[Pilot]:
    """One pilot a source, the largest gain first and those without one last.

    Parameters
    ----------
    target
        The catalogue to recommend from.
    sources
        Candidates by name.
    settings
        As for a comparison; the gain is measured at the first of ``shots``, at the settings' rank
        and λ or their defaults.
    meter
        Told how far the work is.
    """
    pilots = []
    for number, (name, source) in enumerate(sources.items()):
        part = meter.part(number / len(sources), (number + 1) / len(sources))
        pair = link(source, target)
        pilots.append(_pilot(name, pair, settings, part))
    return sorted(pilots, key=lambda p: -np.inf if p.gain is None else p.gain.mean, reverse=True)


def as_table(pilots: list[Pilot]) -> pd.DataFrame:
    """One row a pilot: source, gain, low, high, and all else of it."""
    return pd.DataFrame(
        [
            {
                "source": pilot.source,
                "gain": np.nan if pilot.gain is None else pilot.gain.mean,
                "low": np.nan if pilot.gain is None else pilot.gain.low,
                "high": np.nan if pilot.gain is None else pilot.gain.high,
                "metric": pilot.metric,
                "shots": pilot.shots,
                "baseline": pilot.baseline,
                "judged_users": pilot.judged_users,
                "shared_users": pilot.shared_users,
                "correlation": pilot.correlation,
                "users": pilot.users,
                "items": pilot.items,
                "ratings": pilot.ratings,
                "density": pilot.density,
                "seconds": pilot.seconds,
                "note": pilot.note,
            }
            for pilot in pilots
        ]
    )


def _pilot(name: str, pair: DomainPair, settings: Settings, meter: Meter) -> Pilot:
    started = time.perf_counter()
    kind = kinds_of(pair, settings)[0]
    gain, baseline, judged, correlation, note = None, "", 0, np.nan, ""
    try:
        if settings.leave_out_crosslisted:
            pair = without_crosslisted(pair)
        validation, fit = _fitted(name, pair, kind, settings, meter)
    except (AllCrosslistedError, TooFewUsersError) as error:
        note = str(error)
    else:
        shots = settings.shots[0]
        enough = validation.enough[shots]
        judged = int(enough.sum())
        scorer = fit.scorer(pair.source_rows[validation.positions])
        moved = evaluate(kind, settings, scorer, validation, PILOT_STRENGTH).values
        plain = _without_transfer(kind, settings, fit, validation)
        baseline = max(plain, key=lambda n: kind.sign * float(plain[n][shots][enough].mean()))
        difference = kind.sign * (moved[shots] - plain[baseline][shots])[enough]
        random = np.random.default_rng([settings.seed, 5])
        spread = float(plain[baseline][shots][enough].std())
        (gain,) = mean_intervals(difference[:, None], random, spread)
        correlation = max(alignment(fit, seed=settings.seed).correlations, default=np.nan)
    meter.report(1, f"Measured {name}")
    users, items = pair.source.matrix.shape
    return Pilot(
        name, len(pair.shared), judged, kind.metric, settings.shots[0], baseline, gain,
        float(correlation), users, items, int(pair.source.matrix.nnz),
        time.perf_counter() - started, note,
    )  # fmt: skip


def _fitted(
    name: str, pair: DomainPair, kind: Kind, settings: Settings, meter: Meter
) -> tuple[HeldOut, TransferFit]:
    """The validation users, and a fit that has seen neither them nor the test users."""
    split = split_users(pair, settings)
    held = np.concatenate([split.validation.positions, split.test.positions])
    fit = fit_transfer(
        pair,
        default_spec(pair, kind.feedback, settings),
        target_matrix=without_users(pair.target.matrix, pair.target_rows[held]),
        map_users=np.setdiff1d(np.arange(len(pair.shared)), held),
        on_fit=meter.fits(f"Trying {name}"),
    )
    if fit.knowledge is None:
        raise TooFewUsersError(
            "Too few shared users are left to learn the map from source to target.",
            "Bring more shared users.",
        )
    return split.validation, fit


def _without_transfer(
    kind: Kind, settings: Settings, fit: TransferFit, users: HeldOut
) -> dict[str, PerShot]:
    baselines = Baselines.fit(fit.trained_on)
    found = {
        name: evaluate(kind, settings, BaselineScorer(baselines, name), users).values
        for name in kind.baselines
    }
    alone = fit.scorer(None, len(users.positions))
    found[TARGET_ONLY] = evaluate(kind, settings, alone, users, PILOT_STRENGTH).values
    return found
