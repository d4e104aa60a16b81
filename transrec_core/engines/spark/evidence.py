"""The k-shot comparison on a cluster.

A bounded number of people is held out, whatever the size of the data. Parameters are settled by the
core's own search on a sample of a bounded size; factorizations and maps are then learned on all
people but the held-out ones, who are scored in the workers by the core's own functions.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from transrec_core.columns import USER
from transrec_core.data.linking import DomainPair
from transrec_core.engines.spark import mllib
from transrec_core.engines.spark.factorizing import Task, factorize_all
from transrec_core.engines.spark.fitting import OWN, ClusterFit, join, pair_of, present
from transrec_core.engines.spark.people import (
    PART,
    TEST,
    TRAIN,
    VALIDATION,
    People,
    chance_of,
    gathered,
    matrix_of,
)
from transrec_core.engines.spark.sums import totals
from transrec_core.errors import BadSettingError, TooFewUsersError
from transrec_core.evidence.choosing import Feedback, choose, default_spec_within, spec_from
from transrec_core.evidence.comparison import SHUFFLES, Trial, judge, served
from transrec_core.evidence.evaluating import (
    Kind,
    Outcome,
    baseline_scorers,
    evaluate,
    kinds_of,
)
from transrec_core.evidence.results import AUTO, Chosen, Comparison, Evidence
from transrec_core.evidence.splitting import (
    MIN_TEST_USERS,
    MIN_VALIDATION_USERS,
    VALIDATION_SHARE,
    HeldOut,
    hold_out,
    require_measurable,
)
from transrec_core.factors.model import Factors
from transrec_core.progress import Meter
from transrec_core.settings import Settings
from transrec_core.transfer.factorizations import Factorizations
from transrec_core.transfer.fitting import (
    DEFAULT_MEAN_STRENGTH,
    DEFAULT_STRENGTH,
    FACTOR_MAP,
    TARGET_ONLY,
    FitSpec,
)
from transrec_core.transfer.knowledge import Ground

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MOST_TEST, MOST_VALIDATION = 20_000, 10_000
"""People held out at most: the intervals of more are narrower than anybody could use."""

PILOT_RATINGS = 2_000_000
"""Ratings of both catalogues on which parameters are settled, about."""

EVERYBODY = (TRAIN, VALIDATION, TEST)
RESULT = "user_id string, method string, values binary, shown binary"


def own_settings(settings: Settings) -> Settings:
    """The settings as this engine can do them.

    Raises
    ------
    BadSettingError
        Naming what it cannot do.
    """
    if settings.method not in ("auto", FACTOR_MAP):
        raise BadSettingError(
            f"The Spark engine has no {settings.method}.",
            "Use --method auto or factor_map, or the embedded engine.",
        )
    if settings.deep:
        raise BadSettingError(
            "The Spark engine has no networks.", "Leave --deep out, or use the embedded engine."
        )
    for name in ("merge_editions", "leave_out_crosslisted"):
        if getattr(settings, name):
            flag = "--" + name.replace("_", "-")
            raise BadSettingError(
                f"The Spark engine has no {flag}.", "Prepare the data so, or leave the flag out."
            )
    if settings.cold != "users":
        raise BadSettingError(
            "The Spark engine serves new users only.", "Use the embedded engine for new items."
        )
    return replace(settings, method=FACTOR_MAP)


def with_parts(people: People, settings: Settings) -> People:
    """People with a column that says who is held out; who it is hangs on id and seed alone.

    Raises
    ------
    TooFewUsersError
        Fewer than ten people would be left to tell anything.
    """
    from pyspark.sql import functions as fn

    eligible = fn.col("source_items").isNotNull() & (
        fn.coalesce(fn.size("target_items"), fn.lit(0)) >= settings.min_target
    )
    counted = people.frame.agg(fn.sum(eligible.cast("long")).alias("n")).first()
    n = int(counted["n"] or 0) if counted is not None else 0
    test = min(settings.test_share, MOST_TEST / max(n, 1))
    validation = min(VALIDATION_SHARE, MOST_VALIDATION / max(n, 1))
    part = (
        fn.when(eligible & (fn.col("chance") < test), TEST)
        .when(eligible & (fn.col("chance") < test + validation), VALIDATION)
        .otherwise(TRAIN)
    )
    frame = people.frame.withColumn(PART, part)
    items = len(people.target.items)

    def counts(batches: "Iterator[pa.RecordBatch]") -> "Iterator[tuple[str, NDArray[np.float64]]]":
        for batch in batches:
            own = matrix_of(batch, "target", items)
            parts = np.array(batch.column(PART).to_pylist())
            for name in (VALIDATION, TEST):
                rows = own[np.flatnonzero(parts == name)]
                yield name, np.bincount(rows.indices, minlength=items).astype(np.float64)
                yield f"{name} people", np.array([float(rows.shape[0])])

    found = totals(frame, counts)
    held = {name: int(found[f"{name} people"][0]) for name in (VALIDATION, TEST)}
    if held[TEST] < MIN_TEST_USERS or held[VALIDATION] < MIN_VALIDATION_USERS:
        raise TooFewUsersError(
            f"Only {n:,} of {people.shared:,} shared users have at least {settings.min_target} "
            f"target interactions; judging transfer needs some {10 * MIN_TEST_USERS}.",
            "Bring more shared users, or lists can still be made without evidence.",
        )
    shown = {name: found[name].astype(np.int64) for name in (VALIDATION, TEST)}
    return replace(people, frame=frame, held_out_counts=shown, held_out=held)


@dataclass(frozen=True)
class Settled:
    """What validation people of the sample settled, for each kind of evidence.

    Attributes
    ----------
    kinds, chosen
        The kinds, and what was settled for each.
    """

    kinds: tuple[Kind, ...]
    chosen: Mapping[str, Chosen]


@dataclass(frozen=True)
class Plan:
    """What to fit.

    Attributes
    ----------
    words
        What it is for, in a sentence.
    spec, plain
        How both domains are factorized, and how the target for target-only scores.
    strength, mean_strength
        τ of the two priors by numbers of target interactions.
    """

    words: str
    spec: FitSpec
    plain: FitSpec
    strength: Mapping[int, float]
    mean_strength: Mapping[int, float]

    @classmethod
    def of(cls, kind: Kind, settings: Settings, chosen: Chosen) -> "Plan":
        """With what validation people settled for one kind of evidence."""
        return cls(
            kind.words,
            spec_from(settings, kind.feedback, chosen, chosen.method),
            spec_from(settings, kind.feedback, chosen, TARGET_ONLY),
            chosen.strength,
            chosen.mean_strength,
        )

    @classmethod
    def by_default(cls, people: People, settings: Settings) -> "Plan":
        """With the settings, and defaults where they are open: the one that needs no evidence."""
        feedback: Feedback = "ratings" if settings.feedback == "ratings" else "implicit"
        spec = default_spec_within(people.smallest, feedback, settings)
        return cls("lists", spec, spec, DEFAULT_STRENGTH, DEFAULT_MEAN_STRENGTH)

    def tasks(self, learns: tuple[str, ...], by_mllib: bool) -> dict[str, Task]:
        """What has to be factorized."""
        return {
            "source": Task("source", "source", self.spec, EVERYBODY, by_mllib),
            "target": Task("target", "target", self.spec, learns, by_mllib),
            "plain": Task("plain", "target", self.plain, learns, by_mllib),
        }


def settle(people: People, settings: Settings, meter: Meter) -> Settled:
    """Let the core's own search settle everything that is open, on a sample of the people."""
    from pyspark.sql import functions as fn

    share = min(1.0, PILOT_RATINGS / (people.source.ratings + people.target.ratings))
    pick = chance_of(fn.lit(settings.seed), fn.lit("sample"))
    meter.report(0, "Choosing parameters", "on a sample of the people")
    batch = gathered(people.frame.where(pick < share).toArrow().to_batches())
    assert batch is not None, "people are held out, so there are some"
    parts = dict(zip(batch.column(USER).to_pylist(), batch.column(PART).to_pylist(), strict=True))
    whole = pair_of(batch, _items(people), _explicit(people), timed=_timed(people))
    pair = present(whole)
    names = np.array([parts[user] for user in pair.shared])
    held = {
        name: hold_out(pair, np.flatnonzero(names == name), settings, Own(settings.seed))
        for name in (VALIDATION, TEST)
    }
    require_measurable(pair, held[VALIDATION], held[TEST])
    kinds = kinds_of(pair, settings)
    chosen = {}
    for number, kind in enumerate(kinds):
        part = meter.part(number / len(kinds), (number + 1) / len(kinds))
        chosen[kind.name] = choose(
            Ground(pair, kind.feedback, settings.seed),
            kind,
            settings,
            held[VALIDATION],
            held[TEST],
            part,
            settings.budget / len(kinds),
            Factorizations(),
        ).chosen
    return Settled(kinds, chosen)


@dataclass(frozen=True)
class Own:
    """Each person's own random numbers, so that it does not matter which worker draws them."""

    seed: int

    def __call__(self, user: str) -> np.random.Generator:
        """The generator of one person."""
        return np.random.default_rng([self.seed, 1, *user.encode()])


def compare_people(
    people: People, settings: Settings, meter: Meter, *, by_mllib: bool = False
) -> tuple[Comparison, Settled]:
    """Measure whether the source helps in the target; parameters as for ``compare_domains``."""
    started = time.perf_counter()
    settled = settle(people, settings, meter.part(0, 0.3))
    found: dict[str, Evidence] = {}
    kinds = settled.kinds
    for number, kind in enumerate(kinds):
        part = meter.part(0.3 + 0.7 * number / len(kinds), 0.3 + 0.7 * (number + 1) / len(kinds))
        fit = fit_people(
            people,
            Plan.of(kind, settings, settled.chosen[kind.name]),
            part.part(0, 0.8),
            learns=(TRAIN, VALIDATION),
            shuffles=SHUFFLES,
            by_mllib=by_mllib,
        )
        part.report(0.8, f"Measuring {kind.words} on test users")
        found[kind.name] = _tell(people, fit, kind, settings, settled.chosen[kind.name])
    comparison = Comparison(
        found.get("ranking"),
        found.get("ratings"),
        settled.chosen,
        people.held_out[TEST],
        people.held_out[VALIDATION],
        time.perf_counter() - started,
    )
    return comparison, settled


def fit_people(
    people: People,
    plan: Plan,
    meter: Meter,
    *,
    learns: tuple[str, ...] = EVERYBODY,
    shuffles: int = 0,
    by_mllib: bool = False,
) -> ClusterFit:
    """Factorize and learn the map."""
    tasks = plan.tasks(learns, by_mllib)

    def on_pass(done: int, most: int, working: str) -> None:
        meter.report(
            0.9 * done / most, f"Factorizing for {plan.words}", f"sweep {done + 1}: {working}"
        )

    same = tasks["plain"].spec == tasks["target"].spec
    wanted = [task for name, task in tasks.items() if name != "plain" or not same]
    work = mllib.factorize_all if by_mllib else factorize_all
    factors: dict[str, Factors] = work(people, wanted, on_pass=on_pass)
    factors.setdefault("plain", factors["target"])
    meter.report(0.9, f"Learning what carries over for {plan.words}")
    return join(
        people,
        factors,
        tasks,
        strength=plan.strength,
        mean_strength=plan.mean_strength,
        shuffles=shuffles,
    )


def _tell(
    people: People, fit: ClusterFit, kind: Kind, settings: Settings, chosen: Chosen
) -> Evidence:
    from pyspark.sql import functions as fn

    timed, items, explicit = _timed(people), _items(people), _explicit(people)

    def measure(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        batch = gathered(batches)
        if batch is None:
            return
        pair = pair_of(batch, items, explicit, timed=timed)
        test = hold_out(pair, np.arange(len(pair.shared)), settings, Own(settings.seed))
        for name, outcome in _outcomes(fit, pair, test, kind, settings, chosen).items():
            values, shown = _packed(outcome, test, kind, settings)
            yield pa.RecordBatch.from_arrays(
                [pa.array(pair.shared, pa.string()), pa.array([name] * len(values), pa.string()),
                 pa.array(values, pa.binary()), pa.array(shown, pa.binary())],
                ["user_id", "method", "values", "shown"],
            )  # fmt: skip

    held = people.frame.where(fn.col(PART) == TEST)
    batch = gathered(held.toArrow().to_batches())
    assert batch is not None, "people are held out"
    pair = pair_of(batch, items, explicit, timed=timed)
    test = hold_out(pair, np.arange(len(pair.shared)), settings, Own(settings.seed))
    found = held.mapInArrow(measure, RESULT).toArrow().to_pandas()
    outcomes: dict[str, Outcome] = {}
    for name, rows in found.groupby("method"):
        outcomes[str(name)] = _unpacked(rows.sort_values("user_id"), test, kind, settings)
    placebos = [outcomes.pop(f"{shuffle}").values for shuffle in range(SHUFFLES)]
    judged = (FACTOR_MAP, AUTO)
    ordered = {name: outcomes[name] for name in (*kind.baselines, TARGET_ONLY, FACTOR_MAP, AUTO)}
    ground = Ground(pair, kind.feedback, settings.seed)
    trial = Trial(ordered, placebos, judged)
    return judge(ground, kind, settings, chosen, test, trial, fit.baselines)


def _outcomes(
    fit: ClusterFit,
    pair: DomainPair,
    test: HeldOut,
    kind: Kind,
    settings: Settings,
    chosen: Chosen,
) -> dict[str, Outcome]:
    """What every method does for the people of one batch; placebos by their number."""
    own = fit.of(pair)
    empty = replace(pair.target, matrix=pair.target.matrix[:0])
    outcomes = {
        name: evaluate(kind, settings, scorer, test)
        for name, scorer in baseline_scorers(
            kind, own.ground, fit.baselines, empty.matrix, test
        ).items()
    }
    alone = own.scorer(None, len(pair.shared))
    moved = own.scorer(pair.source_rows)
    outcomes[TARGET_ONLY] = evaluate(kind, settings, alone, test, chosen.mean_strength)
    outcomes[FACTOR_MAP] = evaluate(kind, settings, moved, test, chosen.strength)
    outcomes[AUTO] = served(kind, settings, chosen, alone, own, test, outcomes)
    for name in fit.maps:
        if name != OWN:
            random = np.random.default_rng([settings.seed, 4, int(name)])
            wrong = fit.of(pair, name, random.permutation(len(pair.shared)))
            scorer = wrong.scorer(pair.source_rows)
            outcomes[name] = evaluate(kind, settings, scorer, test, chosen.strength)
    return outcomes


def _packed(
    outcome: Outcome, test: HeldOut, kind: Kind, settings: Settings
) -> tuple[list[bytes], list[bytes]]:
    """An outcome as one value a person: metric by shots; lists, or predictions, by shots."""
    table = np.column_stack([outcome.values[shots] for shots in settings.shots])
    values = [row.tobytes() for row in table]
    if kind.metric == "rmse":
        cuts = test.test.indptr[1:-1]
        parts = [np.split(outcome.shown[shots], cuts) for shots in settings.shots]
        return values, [
            np.concatenate(own).astype(np.float64).tobytes() for own in zip(*parts, strict=True)
        ]
    lists = np.stack([outcome.shown[shots] for shots in settings.shots], axis=1)
    return values, [own.astype(np.int64).tobytes() for own in lists]


def _unpacked(rows: Any, test: HeldOut, kind: Kind, settings: Settings) -> Outcome:
    shots = settings.shots
    table = np.stack([np.frombuffer(value, np.float64) for value in rows["values"]])
    values = {s: table[:, place] for place, s in enumerate(shots)}
    if kind.metric == "rmse":
        own = [np.frombuffer(s, np.float64).reshape(len(shots), -1) for s in rows["shown"]]
        shown = {s: np.concatenate([o[at] for o in own]) for at, s in enumerate(shots)}
    else:
        lists = np.stack(
            [np.frombuffer(s, np.int64).reshape(len(shots), -1) for s in rows["shown"]]
        )
        shown = {s: lists[:, place] for place, s in enumerate(shots)}
    return Outcome(values, shown)


def _items(people: People) -> Any:
    return (people.source.items, people.target.items)


def _explicit(people: People) -> tuple[bool, bool]:
    return (people.source.explicit, people.target.explicit)


def _timed(people: People) -> bool:
    return people.target.timed
