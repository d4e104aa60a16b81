"""What each method gains beside what it takes: who is worth the wait."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from transrec_core.columns import METHOD, SHOTS
from transrec_core.evidence.differences import Difference, paired_differences
from transrec_core.evidence.results import AUTO, Chosen, Evidence, Interval, ShotEvidence
from transrec_core.settings import DEEP


@dataclass(frozen=True)
class Cost:
    """One method at one number of shots.

    Attributes
    ----------
    method
        Its name.
    seconds
        What it took to fit without the test users, with the factorizations it needs.
    gain
        Over the best baseline, with its 95 % interval; ``None`` for the best baseline itself.
    """

    method: str
    seconds: float
    gain: Interval | None


@dataclass(frozen=True)
class Costs:
    """All methods whose time is known, at one number of shots.

    Attributes
    ----------
    shots
        How many target interactions were given.
    best_baseline
        What the gains are over; its time may not be known.
    methods
        By seconds, rising.
    enough
        The quickest method that no slower one surely beats: no 95 % interval of a paired
        difference lies above zero. Empty where fewer than two methods can be compared.
    networks
        The best network minus the best other transfer method, both by validation users, with their
        names, the other first; ``None`` where one of the two is missing.
    """

    shots: int
    best_baseline: str
    methods: tuple[Cost, ...]
    enough: str
    networks: tuple[str, str, Difference] | None


def costs(
    evidence: Evidence, shot: ShotEvidence, chosen: Chosen | None = None, seed: int = 0
) -> Costs:
    """Put what the methods gain at one number of shots beside what they take.

    Parameters
    ----------
    evidence
        Has the seconds and every test user's values.
    shot
        One of ``evidence.shots``.
    chosen
        What validation users settled, by which the best of the networks and of the others are
        known; without it they are not held against each other.
    seed
        Of the bootstrap.
    """
    here = evidence.per_user[evidence.per_user[SHOTS] == shot.shots]
    only = replace(evidence, per_user=here)
    judged = set(here[METHOD])

    def between(before: str, after: str) -> Difference | None:
        if not {before, after} <= judged:
            return None
        return paired_differences(only, only, (before, after), seed).get(shot.shots)

    found = []
    for method, seconds in sorted(evidence.fit_seconds.items(), key=lambda pair: pair[1]):
        if method == AUTO or method not in shot.methods:
            continue
        if method in shot.gains:
            told = shot.gains[method]
            found.append(Cost(method, seconds, Interval(told.mean, told.low, told.high)))
        elif method == shot.best_baseline:
            found.append(Cost(method, seconds, None))
        else:
            difference = between(shot.best_baseline, method)
            if difference is not None:
                found.append(Cost(method, seconds, difference.gain))
    names = [cost.method for cost in found if cost.method in judged]
    enough = ""
    if len(names) > 1:
        for place, name in enumerate(names):
            slower = (between(name, other) for other in names[place + 1 :])
            if all(difference is None or difference.gain.low <= 0 for difference in slower):
                enough = name
                break
    networks = None
    scores = _validated(evidence, chosen)
    transfer = [method for method in scores if method in shot.gains]
    other = _best(scores, (method for method in transfer if method not in DEEP))
    network = _best(scores, (method for method in transfer if method in DEEP))
    if other and network:
        difference = between(other, network)
        networks = None if difference is None else (other, network, difference)
    return Costs(shot.shots, shot.best_baseline, tuple(found), enough, networks)


def _validated(evidence: Evidence, chosen: Chosen | None) -> dict[str, float]:
    """The best score of each method on validation users; higher is better."""
    sign = 1.0 if evidence.higher_is_better else -1.0
    scores: dict[str, float] = {}
    for row in () if chosen is None else chosen.tried:
        if evidence.metric in row:
            score = sign * float(row[evidence.metric])
            scores[row["method"]] = max(score, scores.get(row["method"], score))
    return scores


def _best(scores: dict[str, float], methods: Iterable[str]) -> str:
    return max(methods, key=scores.__getitem__, default="")
