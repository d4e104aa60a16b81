"""How sure a mean over users is: bootstrap intervals, sign-flip tests, placebo bands."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from transrec_core.evidence.results import Gain, Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 2000
FLIPS = 4999
POWER = 0.8
LEVEL = 0.95


def bootstrap_means(
    values: "NDArray[np.float64]", random: np.random.Generator, resamples: int = RESAMPLES
) -> "NDArray[np.float64]":
    """Means of resampled users: resamples × columns for values of users × columns.

    All columns share each resample, so that differences between columns are paired.
    """
    n = len(values)
    means = np.empty((resamples, values.shape[1]))
    step = max(1, 4_000_000 // n)
    for first in range(0, resamples, step):
        size = min(step, resamples - first)
        drawn = random.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        means[first : first + size] = times.astype(np.float64) @ values / n
    return means


def interval(mean: float, resampled: "NDArray[np.float64]", users: int) -> Interval:
    """The central 95 % of resampled means around the observed mean.

    Percentiles are moved outward by as much as Student's t and the divisor n − 1 ask of so many
    users (the expanded percentile interval of Hesterberg 2015).
    """
    reach = -stdtrit(max(users - 1, 1), (1 - LEVEL) / 2) * np.sqrt(users / max(users - 1, 1))
    low, high = np.quantile(resampled, [ndtr(-reach), ndtr(reach)])
    return Interval(float(mean), float(low), float(high))


def mean_intervals(
    values: "NDArray[np.float64]",
    random: np.random.Generator,
    spread: "NDArray[np.float64] | float",
) -> list[Interval]:
    """Mean over users with its 95 % bootstrap interval, one for each column.

    Parameters
    ----------
    values
        Users × columns; all columns share each resample.
    spread
        How far apart two users are, one for all or one a column: of the metric itself, also where
        the column is a difference.

    Notes
    -----
    Two users are added who lie ``spread`` above and below the mean, as some whom nobody saw might.
    It hardly matters where most users differ. Where two methods give nearly everybody the same list
    it keeps the interval from closing around what a handful of users did.
    """
    mean = values.mean(axis=0)
    beyond = np.vstack([values, mean + spread, mean - spread])
    resampled = bootstrap_means(beyond, random)
    return [
        interval(float(middle), column, len(beyond))
        for middle, column in zip(mean, resampled.T, strict=True)
    ]


def paired_gain(difference: "NDArray[np.float64]", band: Interval, p: float, spread: float) -> Gain:
    """Summary of per-user differences; positive is better.

    Parameters
    ----------
    difference
        One value a user.
    band, spread
        Its interval from ``mean_intervals``, and the spread given there.
    p
        From ``sign_flips``.

    Notes
    -----
    The smallest detectable gain is (z₀.₉₇₅ + z₀.₈)·s/√n, with the same two users added.
    """
    n = len(difference)
    reach = float(ndtri((1 + LEVEL) / 2) + ndtri(POWER))
    squares = float(((difference - difference.mean()) ** 2).sum()) + 2 * spread**2
    return Gain(
        band.mean,
        band.low,
        band.high,
        p,
        float((difference > 0).mean()),
        float((difference < 0).mean()),
        reach * float(np.sqrt(squares / (n + 1) / (n + 2))),
    )


def sign_flips(
    differences: "NDArray[np.float64]", random: np.random.Generator, flips: int = FLIPS
) -> "NDArray[np.float64]":
    """Two-sided p of the sign-flip randomisation test that a mean difference is zero.

    Parameters
    ----------
    differences
        Users × columns; all columns share each flip.
    flips
        Random flips; the differences as they are count as one more.

    Returns
    -------
    One p a column: share of the flips whose mean is at least as far from zero.
    """
    n = len(differences)
    observed = np.abs(differences.sum(axis=0))
    # Sums that are equal but for rounding are as far from zero.
    bar = observed * (1 - 1e-9)
    further = np.ones(differences.shape[1])
    step = max(1, 4_000_000 // n)
    for first in range(0, flips, step):
        size = min(step, flips - first)
        signs = random.integers(0, 2, (size, n), dtype=np.int8) * 2.0 - 1.0
        further += (np.abs(signs @ differences) >= bar).sum(axis=0)
    return np.asarray(further / (flips + 1))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """P values of several tests, corrected for the number of tests (Holm 1979)."""
    corrected, least = {}, 0.0
    for place, name in enumerate(sorted(p, key=lambda name: p[name])):
        least = max(least, min(1.0, (len(p) - place) * p[name]))
        corrected[name] = least
    return corrected


def placebo_band(
    gains: "NDArray[np.float64]", random: np.random.Generator, resamples: int = RESAMPLES
) -> Interval:
    """95 % band of the mean gain of shuffled sources.

    Parameters
    ----------
    gains
        Shuffles × users: gain of each user under each shuffle.

    Notes
    -----
    Each resample draws users and one shuffle, so the band holds the spread of both.
    """
    means = bootstrap_means(gains.T, random, resamples)
    picked = means[np.arange(resamples), random.integers(0, len(gains), resamples)]
    return interval(float(gains.mean()), picked, gains.shape[1])
