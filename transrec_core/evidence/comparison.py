"""The k-shot comparison: every method on the same held-out users and items, with a verdict.

Validation users choose (parameters, the baseline that stands for no transfer, where transfer is
used); test users, whom no choice has seen, tell.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from transrec_core.baselines import Baselines
from transrec_core.columns import METHOD, METRIC, SHOTS, USER, VALUE
from transrec_core.data.linking import DomainPair, require_overlap
from transrec_core.evidence.choosing import TARGET_ONLY, Choice, choose
from transrec_core.evidence.cohorts import cohort_gains
from transrec_core.evidence.evaluating import (
    Kind,
    PerShot,
    evaluate_baseline,
    evaluate_placed,
    kinds_of,
)
from transrec_core.evidence.resampling import (
    bootstrap_means,
    holm,
    interval,
    paired_gain,
    placebo_band,
)
from transrec_core.evidence.results import Chosen, Comparison, Evidence, ShotEvidence
from transrec_core.evidence.splitting import HeldOut, UserSplit, split_users, without_users
from transrec_core.evidence.verdict import verdict
from transrec_core.progress import Meter
from transrec_core.settings import Settings
from transrec_core.transfer.fitting import TransferFit, fit_map, fit_transfer
from transrec_core.transfer.fold_in import mean_prior

if TYPE_CHECKING:
    pass

SHUFFLES = 8


def compare_domains(
    pair: DomainPair, settings: Settings, meter: Meter, split: UserSplit | None = None
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
    kinds = kinds_of(pair, settings)
    found: dict[str, Evidence] = {}
    chosen: dict[str, Chosen] = {}
    for number, kind in enumerate(kinds):
        part = meter.part(number / len(kinds), (number + 1) / len(kinds))
        choice = choose(pair, kind, settings, split.validation, split.test, part.part(0, 0.6))
        found[kind.name] = tell(pair, kind, settings, choice, split.test, part.part(0.6, 1))
        chosen[kind.name] = choice.chosen
    return Comparison(
        found.get("ranking"),
        found.get("ratings"),
        chosen,
        len(split.test.positions),
        len(split.validation.positions),
        time.perf_counter() - started,
    )


def tell(
    pair: DomainPair,
    kind: Kind,
    settings: Settings,
    choice: Choice,
    test: HeldOut,
    meter: Meter,
) -> Evidence:
    """Fit without the test users and report every method on them."""
    matrix = without_users(pair.target.matrix, pair.target_rows[test.positions])
    others = np.setdiff1d(np.arange(len(pair.shared)), test.positions)
    strength = choice.chosen.strength
    fit = fit_transfer(
        pair,
        choice.transfer,
        target_matrix=matrix,
        map_users=others,
        method=choice.chosen.method,
        rows=choice.rows,
        source=choice.source,
        on_fit=meter.part(0, 0.4).fits(f"Measuring {kind.words} on test users"),
    )
    only_model = (
        fit.target
        if choice.target_only == choice.transfer
        else choice.target_only.factorize(matrix)
    )
    baselines = Baselines.fit(matrix)
    values: dict[str, PerShot] = {
        name: evaluate_baseline(kind, settings, baselines, name, test) for name in kind.baselines
    }
    average = mean_prior(only_model, np.diff(matrix.indptr), len(test.positions))
    values[TARGET_ONLY] = evaluate_placed(
        kind, settings, only_model, test, average, choice.chosen.mean_strength
    )
    for method, strengths in choice.strengths.items():
        mapped = fit if method == fit.method else fit.mapped_by(method, choice.rows)
        prior = mapped.prior_of(pair.source_rows[test.positions])
        values[method] = evaluate_placed(kind, settings, fit.target, test, prior, strengths)
    placebos = []
    for shuffle in range(SHUFFLES):
        share = 0.4 + 0.5 * shuffle / SHUFFLES
        meter.report(share, f"Shuffling the source as a placebo for {kind.words}")
        placebos.append(_placebo(kind, settings, fit, test, strength, shuffle))

    shots_found = []
    gained = []
    random = np.random.default_rng([settings.seed, 3])
    for shots, baseline in choice.chosen.baseline_at.items():
        enough = test.enough[shots]
        if enough.sum() < 2:
            continue
        names = list(values)
        table = np.column_stack([values[name][shots][enough] for name in names])
        differences = {
            name: kind.sign * (values[name][shots][enough] - values[baseline][shots][enough])
            for name in choice.strengths
        }
        resampled = bootstrap_means(np.column_stack([table, *differences.values()]), random)
        gains = {
            name: paired_gain(difference, resampled[:, len(names) + column], settings.seed)
            for column, (name, difference) in enumerate(differences.items())
        }
        gain = gains[fit.method]
        gained.append((shots, enough, differences[fit.method]))
        shuffled = np.stack(
            [kind.sign * (p[shots][enough] - values[baseline][shots][enough]) for p in placebos]
        )
        placebo = placebo_band(shuffled, random)
        shots_found.append(
            ShotEvidence(
                shots,
                int(enough.sum()),
                {
                    name: interval(float(table[:, column].mean()), resampled[:, column])
                    for column, name in enumerate(names)
                },
                baseline,
                fit.method,
                gains,
                holm({name: found.p for name, found in gains.items()}),
                placebo,
                verdict(gain, placebo),
            )
        )
    meter.report(1, f"Measured {kind.words}")
    ids = pair.shared[test.positions]
    return Evidence(
        kind.metric,
        kind.sign > 0,
        tuple(shots_found),
        _per_user(kind, ids, test, values),
        cohort_gains(pair, test.positions, gained, random),
    )


def _placebo(
    kind: Kind,
    settings: Settings,
    fit: TransferFit,
    test: HeldOut,
    strength: Mapping[int, float],
    shuffle: int,
) -> PerShot:
    """The same transfer after permuting who is who in the source, the map refitted."""
    pair = fit.pair
    random = np.random.default_rng([settings.seed, 4, shuffle])
    source_rows = random.permutation(pair.source_rows)
    wrong = fit_map(fit, source_rows)
    assert wrong is not None, "the unshuffled map could be fitted on the same users"
    prior = wrong.predict(fit.features[source_rows[test.positions]])
    return evaluate_placed(kind, settings, fit.target, test, prior, strength)


def _per_user(
    kind: Kind, ids: pd.Index, test: HeldOut, values: Mapping[str, PerShot]
) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                USER: ids[test.enough[shots]],
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
