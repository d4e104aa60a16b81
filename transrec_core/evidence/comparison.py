"""The k-shot comparison: every method on the same held-out users and items, with a verdict.

Validation users choose (parameters, the baseline that stands for no transfer, where transfer is
used); test users, whom no choice has seen, tell.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from transrec_core.baselines import Baselines
from transrec_core.columns import ITEM, METHOD, METRIC, SHOTS, USER, VALUE
from transrec_core.data.linking import DomainPair, require_overlap
from transrec_core.evidence.choosing import (
    TARGET_BASELINES,
    Choice,
    choose,
    factorizing_share,
)
from transrec_core.evidence.cohorts import cohort_gains, item_cohorts
from transrec_core.evidence.evaluating import (
    Kind,
    Outcome,
    PerShot,
    baseline_scorers,
    evaluate,
    further_metrics,
    kinds_of,
)
from transrec_core.evidence.resampling import (
    holm,
    mean_intervals,
    paired_gain,
    placebo_band,
    sign_flips,
)
from transrec_core.evidence.results import AUTO, Chosen, Comparison, Evidence, ShotEvidence
from transrec_core.evidence.splitting import (
    HeldOut,
    UserSplit,
    split_users,
    unmeasured_shots,
    without_users,
)
from transrec_core.evidence.verdict import verdict
from transrec_core.factors.kernels import single_threaded_blas
from transrec_core.progress import Meter
from transrec_core.settings import TFIDF, Settings
from transrec_core.transfer.factorizations import Factorizations
from transrec_core.transfer.fitting import EASE, RIDGE, ROW_MAP, TARGET_ONLY, TransferFit
from transrec_core.transfer.knowledge import Ground, Texts
from transrec_core.transfer.scorers import Blend, Scorer

if TYPE_CHECKING:
    import scipy.sparse as sp

SHUFFLES = 8


def compare_domains(
    pair: DomainPair,
    settings: Settings,
    meter: Meter,
    split: UserSplit | None = None,
    texts: Texts | None = None,
    *,
    by_words: bool = False,
    factorizations: Factorizations | None = None,
) -> Comparison:
    """Measure whether the source helps in the target.

    Parameters
    ----------
    pair
        The linked domains.
    settings
        What to fit and how to judge it.
    meter
        Told how far the work is; what it raises stops the comparison.
    split
        Who is held out; drawn from the pair unless given.
    texts
        What the items are about, where that is known.
    by_words
        Whether the source is the words of the target's items.
    factorizations
        Where to start factorizing from; keeps those of what was chosen.

    Raises
    ------
    NoOverlapError
        The domains share no users.
    TooFewUsersError
        Too few shared users have enough target interactions.
    """
    started = time.perf_counter()
    require_overlap(pair)
    split = split or split_users(pair, settings)
    kinds = kinds_of(pair, settings, by_words=by_words)
    factorizations = factorizations or Factorizations()
    budget = settings.budget / len(kinds)
    found: dict[str, Evidence] = {}
    chosen: dict[str, Chosen] = {}
    for number, kind in enumerate(kinds):
        part = meter.part(number / len(kinds), (number + 1) / len(kinds))
        nameless = by_words and settings.text_model != TFIDF
        ground = Ground(pair, kind.feedback, settings.seed, texts, by_words, nameless)
        # Many small products: the threads of a BLAS would wait for each other more than they do.
        with single_threaded_blas():
            choice = choose(
                ground,
                kind,
                settings,
                split.validation,
                split.test,
                part.part(0, 0.6),
                budget,
                factorizations,
            )
            factorizations.keep(kind.feedback, tuple(choice.specs.values()))
            found[kind.name] = tell(
                ground, kind, settings, choice, split.test, part.part(0.6, 1), factorizations
            )
        chosen[kind.name] = choice.chosen
    return Comparison(
        found.get("ranking"),
        found.get("ratings"),
        chosen,
        len(split.test.positions),
        len(split.validation.positions),
        time.perf_counter() - started,
        unmeasured_shots(split.validation, split.test),
    )


def tell(
    ground: Ground,
    kind: Kind,
    settings: Settings,
    choice: Choice,
    test: HeldOut,
    meter: Meter,
    factorizations: Factorizations,
) -> Evidence:
    """Fit without the test users and report every method on them."""
    pair, chosen = ground.pair, choice.chosen
    matrix = without_users(pair.target.matrix, pair.target_rows[test.positions])
    fits, seconds = _fits(ground, kind, choice, matrix, test, meter.part(0, 0.4), factorizations)
    transfer = fits[chosen.method]
    source_rows = pair.source_rows[test.positions]
    baselines = Baselines.fit(matrix)
    outcomes: dict[str, Outcome] = {
        name: evaluate(kind, settings, scorer, test)
        for name, scorer in baseline_scorers(kind, ground, baselines, matrix, test).items()
    }
    alone = fits[TARGET_ONLY].scorer(None, len(test.positions))
    outcomes[TARGET_ONLY] = evaluate(kind, settings, alone, test, chosen.mean_strength)
    for method, fit in fits.items():
        if method != TARGET_ONLY:
            meter.report(0.4, f"Measuring {kind.words} on test users", method.replace("_", " "))
            scorer = fit.scorer(source_rows)
            outcomes[method] = evaluate(kind, settings, scorer, test, chosen.strengths[method])
    outcomes[AUTO] = served(kind, settings, chosen, alone, transfer, test, outcomes)
    placebos = []
    for shuffle in range(SHUFFLES):
        share = 0.4 + 0.5 * shuffle / SHUFFLES
        stage = f"Shuffling the source as a placebo for {kind.words}"
        meter.report(share, stage)
        part = meter.part(share, share + 0.5 / SHUFFLES)
        on_epoch = part.learning(stage, chosen.method)
        wrong = transfer.by(chosen.method, shuffle=shuffle, on_epoch=on_epoch)
        scorer = wrong.scorer(wrong.links(shuffle)[test.positions])
        placebos.append(evaluate(kind, settings, scorer, test, chosen.strength).values)
    judged = (*(method for method in fits if method not in TARGET_BASELINES), AUTO)
    found = judge(
        ground, kind, settings, chosen, test, Trial(outcomes, placebos, judged), baselines
    )
    meter.report(1, f"Measured {kind.words}")
    return replace(found, fit_seconds=seconds)


@dataclass(frozen=True)
class Trial:
    """What every method did for the test users.

    Attributes
    ----------
    outcomes
        Of every method by name, baselines and ``auto`` among them.
    placebos
        Values of the chosen method with its source shuffled, each time otherwise.
    judged
        The methods whose gain is told.
    """

    outcomes: Mapping[str, Outcome]
    placebos: Sequence[PerShot]
    judged: Sequence[str]


def judge(
    ground: Ground,
    kind: Kind,
    settings: Settings,
    chosen: Chosen,
    test: HeldOut,
    trial: Trial,
    baselines: Baselines,
) -> Evidence:
    """Put what every method did for the test users into intervals, gains and a verdict.

    Parameters
    ----------
    ground
        Has the test users among its shared ones; of others nothing is read.
    baselines
        Fitted without the test users.
    """
    pair, outcomes, placebos = ground.pair, trial.outcomes, trial.placebos
    shots_found = []
    gained = []
    random = np.random.default_rng([settings.seed, 3])
    for shots, baseline in chosen.baseline_at.items():
        enough = test.enough[shots]
        if enough.sum() < 2:
            continue
        values = {name: outcome.values[shots][enough] for name, outcome in outcomes.items()}
        names = list(values)
        table = np.column_stack(list(values.values()))
        differences = {name: kind.sign * (values[name] - values[baseline]) for name in trial.judged}
        spread = float(values[baseline].std())
        bands = mean_intervals(
            np.column_stack([table, *differences.values()]),
            random,
            np.concatenate([table.std(axis=0), np.full(len(differences), spread)]),
        )
        flipped = sign_flips(np.column_stack(list(differences.values())), random)
        gains = {
            name: paired_gain(difference, band, float(p), spread)
            for (name, difference), band, p in zip(
                differences.items(), bands[len(names) :], flipped, strict=True
            )
        }
        gained.append((shots, enough, differences[chosen.method], spread))
        shuffled = np.stack([kind.sign * (p[shots][enough] - values[baseline]) for p in placebos])
        placebo = placebo_band(shuffled, random)
        # Auto is one of the others, or a baseline: it is no further hypothesis.
        tested = {name: gain.p for name, gain in gains.items() if name != AUTO}
        shots_found.append(
            ShotEvidence(
                shots,
                int(enough.sum()),
                dict(zip(names, bands, strict=False)),
                baseline,
                chosen.method,
                gains,
                holm(tested),
                placebo,
                verdict(gains[chosen.method], placebo),
                further_metrics(kind, settings, outcomes, test, shots, baselines),
            )
        )
    ids = pair.shared[test.positions]
    per_user = {name: outcome.values for name, outcome in outcomes.items()}
    cohorts = [cohort_gains(pair, test.positions, gained, random)]
    if kind.name == "ranking":
        against = {s: outcomes[name].shown[s] for s, name in chosen.baseline_at.items()}
        shown = outcomes[chosen.method].shown
        cohorts.append(item_cohorts(ground, test, baselines, shown, against, random))
    return Evidence(
        kind.metric,
        kind.sign > 0,
        tuple(shots_found),
        _per_user(kind, ids, test, per_user, ITEM if settings.cold == "items" else USER),
        pd.concat(cohorts, ignore_index=True),
        settings.cold,
    )


def _fits(
    ground: Ground,
    kind: Kind,
    choice: Choice,
    matrix: "sp.csr_array",
    test: HeldOut,
    meter: Meter,
    factorizations: Factorizations,
) -> tuple[dict[str, TransferFit], dict[str, float]]:
    """Every method with its own parameters, fitted without the test users, and what it took."""
    others = np.setdiff1d(np.arange(len(ground.pair.shared)), test.positions)
    fits, seconds = {}, {}
    for number, (method, spec) in enumerate(choice.specs.items()):
        part = meter.part(number / len(choice.specs), (number + 1) / len(choice.specs))
        stage = f"Measuring {kind.words} on test users"
        factorized = factorizing_share(method)
        on_fit = part.part(0, factorized).fits(stage)
        fit = factorizations.fit(ground, spec, "telling", matrix, others, on_fit)
        started = time.perf_counter()
        if method != TARGET_ONLY:
            fit = fit.by(method, on_epoch=part.part(factorized, 1).learning(stage, method))
        fits[method] = fit
        seconds[method] = time.perf_counter() - started
        # What was worked out before, and serves other methods too.
        if method not in (RIDGE, EASE):
            seconds[method] += factorizations.seconds("telling", spec)
            if method != TARGET_ONLY:
                seconds[method] += factorizations.seconds("source", spec)
        if method in (ROW_MAP, RIDGE):
            seconds[method] += ground.rows_seconds
    return fits, seconds


def served(
    kind: Kind,
    settings: Settings,
    chosen: Chosen,
    alone: Scorer,
    transfer: TransferFit,
    test: HeldOut,
    outcomes: Mapping[str, Outcome],
) -> Outcome:
    """What ``auto`` would give the test users: a blend, or the baseline where it falls back."""
    moved = transfer.scorer(transfer.pair.source_rows[test.positions])
    values, shown = {}, {}
    for shots in settings.shots:
        weight = chosen.blend.get(shots, 0.0)
        if weight in (0.0, 1.0):
            name = chosen.method if weight else chosen.fallback_at.get(shots, TARGET_ONLY)
            found = outcomes[name]
        else:
            found = evaluate(
                kind,
                replace(settings, shots=(shots,)),
                Blend(alone, moved, chosen.mean_strength[shots], weight),
                test,
                chosen.strength[shots],
            )
        values[shots], shown[shots] = found.values[shots], found.shown[shots]
    return Outcome(values, shown)


def _per_user(
    kind: Kind, ids: pd.Index, test: HeldOut, values: Mapping[str, PerShot], who: str
) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                who: ids[test.enough[shots]],
                SHOTS: shots,
                METRIC: kind.metric,
                METHOD: method,
                VALUE: per_user[test.enough[shots]],
            }
        )
        for method, per_shot in values.items()
        for shots, per_user in per_shot.items()
    ]
    return pd.concat(frames, ignore_index=True)
