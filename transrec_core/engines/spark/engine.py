"""Jobs on an Apache Spark cluster."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transrec_core.columns import TITLE, USER
from transrec_core.engines import Job, Outcome
from transrec_core.engines.folder import (
    EVIDENCE,
    LISTS,
    MAP,
    PLACED_USERS,
    RUN,
    SCHEMAS,
    SOURCE_ITEMS,
    SOURCE_USERS,
    TARGET_ITEMS,
    TITLED_LISTS,
    TOP_LEVEL,
    factor_table,
    map_table,
    require_replaceable,
    run_json,
    write_part,
)
from transrec_core.engines.spark.evidence import (
    Plan,
    Settled,
    compare_people,
    fit_people,
    own_settings,
    settle,
    with_parts,
)
from transrec_core.engines.spark.fitting import ClusterFit, pair_of, present
from transrec_core.engines.spark.people import People, chance_of, gathered, read_people
from transrec_core.engines.spark.session import open_session, running
from transrec_core.errors import (
    BadSettingError,
    ClusterError,
    RankTooLargeError,
    TooFewUsersError,
)
from transrec_core.evidence.results import Chosen, Comparison
from transrec_core.places import require_folder
from transrec_core.progress import Meter
from transrec_core.recommending import recommend_for
from transrec_core.reporting.bundle import BUNDLE, compare_command, write_bundle
from transrec_core.reporting.saving import atomic_folder, write_atomically
from transrec_core.running import lists_hang_on_evidence
from transrec_core.settings import Settings
from transrec_core.transfer.fold_in import fold_in

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

GROUP_BYTES = 2**23
"""Row groups of what Spark writes: small, so that one user is found by reading little."""

MAP_USERS = 20_000
"""Target users, about, by whose differences the map has its axes."""


class Engine:
    """See ``engines.Engine``. Folders of Parquet are left whole or without ``_SUCCESS``."""

    def __init__(self, master: str | None = None, factorizer: str | None = None) -> None:
        if factorizer not in (None, "rows", "mllib"):
            raise BadSettingError(f"--factorizer is {factorizer!r}.", "It must be rows or mllib.")
        self.master = master
        self.by_mllib = factorizer == "mllib"

    def require(self, command: str, out: str) -> None:
        """See ``engines.Engine``."""
        if command == "recommend" and out.endswith((".csv", ".json")):
            raise BadSettingError(
                f"Spark writes a folder of Parquet files, not {Path(out).suffix}.",
                "Name a folder for --out.",
            )
        if command in ("compare", "fit"):
            require_folder(Path(out))
        if command == "fit":
            require_replaceable(Path(out))

    def replaced(self, command: str, out: str) -> list[str]:
        """See ``engines.Engine``."""
        names = {"compare": BUNDLE, "fit": TOP_LEVEL}.get(command)
        return [out] if names is None else [str(Path(out, name)) for name in names]

    def compare(self, job: Job, out: str) -> Outcome:
        """See ``engines.Engine``."""
        started = time.perf_counter()
        if job.source_items or job.target_items:
            raise BadSettingError(
                "A comparison on Spark reads no item texts.",
                "Leave --items and --source-items out.",
            )
        with self._working() as spark:
            people, settings = self._people(spark, job)
            people = with_parts(people, settings)
            comparison, _ = compare_people(
                people, settings, Meter(job.on_progress).part(0.1, 1), by_mllib=self.by_mllib
            )
        job.tell_checks(comparison)
        seconds = time.perf_counter() - started
        facts, command = _facts(people), self._command(job, settings, people, out)
        write_bundle(Path(out), comparison, settings, facts, seconds, raw=job.raw, command=command)
        return Outcome(comparison)

    def recommend(self, job: Job, out: str) -> Outcome:
        """See ``engines.Engine``."""
        titles = _titles(job)
        with self._working() as spark:
            people, settings = self._people(spark, job)
            meter = Meter(job.on_progress).part(0.1, 0.9)
            settled = None
            if job.settle or lists_hang_on_evidence(job.settings):
                with suppress(TooFewUsersError):
                    people = with_parts(people, settings)
                    settled = settle(people, settings, meter.part(0, 0.3))
            fit, chosen = self._fit(people, settings, meter.part(0.3, 1), settled)
            frame = _lists(people, fit, settings, chosen, job.users, titles["target"])
            _written(frame, out)
        return Outcome()

    def fit(self, job: Job, out: str) -> Outcome:
        """See ``engines.Engine``. The folder has to be one that the workers can write too."""
        started = time.perf_counter()
        titles = _titles(job)
        meter = Meter(job.on_progress).part(0.1, 1)
        with self._working() as spark, atomic_folder(Path(out), TOP_LEVEL) as new:
            # The workers may be other accounts of this computer, or of others.
            new.chmod(0o755)
            people, settings = self._people(spark, job)
            comparison: Comparison | None = None
            settled, reason = None, ""
            try:
                people = with_parts(people, settings)
                comparison, settled = compare_people(
                    people, settings, meter.part(0, 0.6), by_mllib=self.by_mllib
                )
            except TooFewUsersError as error:
                reason = str(error)
            job.tell_checks(comparison)
            fit, chosen = self._fit(people, settings, meter.part(0.6, 0.8), settled)
            if comparison is not None:
                write_bundle(
                    new / EVIDENCE,
                    comparison,
                    settings,
                    _facts(people),
                    time.perf_counter() - started,
                    raw=job.raw,
                    command=self._command(job, settings, people, str(Path(out, EVIDENCE))),
                )
            meter.report(0.8, "Writing lists")
            contents = {LISTS: _rows(_lists(people, fit, settings, chosen), new / LISTS, spark)}
            meter.report(0.9, "Writing factors")
            for part, frame in _users(people, fit).items():
                contents[part] = _rows(frame, new / part, spark)
            for part, domain, factors in (
                (SOURCE_ITEMS, people.source, fit.source),
                (TARGET_ITEMS, people.target, fit.target),
            ):
                tables = factor_table(part, domain.items, domain.item_counts, factors.item_factors)
                contents[part] = write_part(new, part, tables)
            contents[MAP] = write_part(new, MAP, iter([_map(people, fit, settings, titles)]))
            facts = run_json(
                "spark",
                settings,
                _facts(people),
                chosen,
                time.perf_counter() - started,
                contents,
                no_comparison=reason,
            )
            write_atomically(new / RUN, facts)
        return Outcome(comparison, reason)

    def _command(self, job: Job, settings: Settings, people: People, out: str) -> str:
        """The command that was given, or one that repeats the comparison.

        The master stays out, a URL may bear a token.
        """
        engine = ["--engine", "spark", *(["--factorizer", "mllib"] if self.by_mllib else [])]
        facts = _facts(people)
        return job.command or compare_command(settings, facts, out=out, raw=job.raw, engine=engine)

    def _fit(
        self, people: People, settings: Settings, meter: Meter, settled: Settled | None
    ) -> tuple[ClusterFit, Chosen | None]:
        """All data fitted for lists, with what validation people settled where they did."""
        chosen, plan = None, Plan.by_default(people, settings)
        if settled is not None:
            wanted = "ratings" if settings.feedback == "ratings" else "ranking"
            kind = next(kind for kind in settled.kinds if kind.name == wanted)
            chosen = settled.chosen[kind.name]
            plan = Plan.of(kind, settings, chosen)
        return fit_people(people, plan, meter, by_mllib=self.by_mllib), chosen

    def _people(self, spark: "SparkSession", job: Job) -> tuple[People, Settings]:
        settings = own_settings(job.settings)
        Meter(job.on_progress).report(0, "Reading", "and joining people")
        people = read_people(spark, job.source, job.target, formats=job.formats, seed=settings.seed)
        if settings.rank is not None and settings.rank > people.smallest:
            raise RankTooLargeError(
                f"Rank {settings.rank} is too large: one catalogue has {people.smallest:,} users "
                "or items.",
                f"Choose a rank of at most {people.smallest}, or auto.",
            )
        return people, settings

    @contextmanager
    def _working(self) -> "Iterator[SparkSession]":
        """A session, whose failures are told in our words."""
        found = running()
        spark = open_session(self.master)
        from pyspark.errors import PySparkException

        try:
            yield spark
        except (PySparkException, ConnectionError) as error:
            raise _told(error) from error
        except Exception as error:
            # What the gateway to a driver that has died raises has no class of its own.
            if type(error).__module__.startswith(("py4j", "grpc", "_multiprocessing")):
                raise _told(error) from error
            raise
        finally:
            if found is None:
                _end(spark)


def _told(error: Exception) -> ClusterError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # The last line of a worker's own traceback says what went wrong there.
    own = [line for line in lines if line.startswith(("transrec_core.", "MemoryError"))]
    reason = (own or lines or [type(error).__name__])[0][:300]
    return ClusterError(
        f"The cluster could not finish the job: {reason}",
        "What is written so far has no run.json or _SUCCESS and counts as nothing. Look at the "
        "cluster's log, and start the job again.",
    )


def _end(spark: "SparkSession") -> None:
    """Stop a session that may have died already."""
    with suppress(Exception):
        spark.stop()


def _titles(job: Job) -> "dict[str, pd.DataFrame | None]":
    """Titles of each catalogue's items by id, read where the driver is; ``None`` without a file."""
    read = {"source": job.items(job.source_items), "target": job.items(job.target_items)}
    return {side: None if items is None else items.frame[[TITLE]] for side, items in read.items()}


def _lists(
    people: People,
    fit: ClusterFit,
    settings: Settings,
    chosen: Chosen | None,
    users: Sequence[str] | None = None,
    titles: "pd.DataFrame | None" = None,
) -> "DataFrame":
    """One row a recommendation, for the source's people, or those named."""
    import pyarrow as pa
    from pyspark.sql import functions as fn

    schema = SCHEMAS[LISTS]
    told = "user_id string, item_id string, rank int, score double, method string"
    if titles is not None:
        schema, told = TITLED_LISTS, f"{told}, {TITLE} string"
        # A table may tell of more than is listed, and it goes to every worker.
        titles = titles.reindex(fit.items[1]).fillna("")
    frame = people.frame
    if users is None:
        frame = frame.where(fn.col("source_items").isNotNull())
    else:
        frame = _named(frame, list(users))

    def make(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        for batch in batches:
            if batch.num_rows:
                everybody = pair_of(batch, fit.items, fit.explicit)
                lists = recommend_for(
                    fit.of(present(everybody)),
                    everybody.shared.tolist(),
                    top=settings.top,
                    chosen=chosen,
                    items=titles,
                )
                yield from pa.Table.from_pandas(
                    lists[schema.names], schema, preserve_index=False
                ).to_batches()

    return frame.mapInArrow(make, told)


def _named(frame: "DataFrame", users: list[str]) -> "DataFrame":
    """The people named, each once; those whom nobody knows are rows of nulls."""
    import pyarrow as pa
    from pyspark.sql import functions as fn

    spark = frame.sparkSession
    asked = spark.createDataFrame(pa.table({USER: pa.array(dict.fromkeys(users), pa.string())}))
    return frame.join(fn.broadcast(asked), USER, "right_outer")


def _users(people: People, fit: ClusterFit) -> "dict[str, DataFrame]":
    """Factors of the source's people, and where the map expects them in the target."""
    from pyspark.sql import functions as fn

    frame = people.frame.where(fn.col("source_items").isNotNull())

    def rows(
        part: str,
    ) -> "Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]":
        def make(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
            for batch in batches:
                if not batch.num_rows:
                    continue
                pair = pair_of(batch, fit.items, fit.explicit)
                own = fit.of(pair).knowledge
                if part == SOURCE_USERS:
                    factors = own.features[:, : fit.source.rank]  # type: ignore[union-attr]
                    tables = factor_table(part, pair.shared, pair.source.counts, factors)
                else:
                    prior = own.predict(pair.source_rows)  # type: ignore[union-attr]
                    tables = factor_table(part, pair.shared, None, prior.factors)
                for table in tables:
                    yield from table.to_batches()

        return make

    counted = f"{USER} string, interactions long, factors array<float>"
    return {
        SOURCE_USERS: frame.mapInArrow(rows(SOURCE_USERS), counted),
        PLACED_USERS: frame.mapInArrow(
            rows(PLACED_USERS), counted.replace(" interactions long,", "")
        ),
    }


def _map(
    people: People,
    fit: ClusterFit,
    settings: Settings,
    titles: "Mapping[str, pd.DataFrame | None]",
) -> "pa.Table":
    """The items on a plane, along the axes in which a sample of the target's users differ."""
    from pyspark.sql import functions as fn

    pick = chance_of(fn.lit(settings.seed), fn.lit("map"))
    there = fn.col("target_items").isNotNull() & (pick < MAP_USERS / people.target.users)
    some = gathered(people.frame.where(there).toArrow().to_batches())
    assert some is not None, "the target has users"
    own = fit.of(pair_of(some, fit.items, fit.explicit))
    users = fold_in(own.alone, own.pair.target.matrix).factors
    return map_table(
        replace(own, alone=replace(own.alone, user_factors=users)),
        settings.seed,
        texts=titles,
        counts={"source": people.source.item_counts, "target": people.target.item_counts},
    )


def _written(frame: "DataFrame", out: str) -> None:
    """Write Parquet; rows of a person stand together and in order, for whoever looks one up."""
    frame.write.option("parquet.block.size", GROUP_BYTES).mode("overwrite").parquet(out)


def _rows(frame: "DataFrame", folder: Path, spark: "SparkSession") -> int:
    """Write one part of a run folder; how many rows it has."""
    _written(frame, folder.as_uri())
    return spark.read.parquet(folder.as_uri()).count()


def _facts(people: People) -> dict[str, Any]:
    return {"source": people.source.facts(), "target": people.target.facts()}
