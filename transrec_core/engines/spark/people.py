"""From folders of ratings to one row a person, with what they did in both catalogues."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.columns import ITEM, MAX_RATING, RATING, TIME, USER
from transrec_core.data.formats import FileFormat
from transrec_core.errors import BadRatingsError, NoOverlapError, UnreadableFileError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pyspark.sql import Column, DataFrame, SparkSession

SIDES = ("source", "target")
HEAD_LINES = 400
"""Lines of a text that tell how it is written."""

LEAST_PARTS, PART_RATINGS, MOST_PART_RATINGS = 4, 500_000, 10_000_000
"""Parts of the people at least, and ratings that a part has at least and at most, about."""

PART_RATINGS_AN_ITEM = 100
"""Ratings that a part has for each item of both catalogues, between these bounds. Whatever is in a
part, its sums have a system for each item, so that with fewer ratings in each part more and more of
the time goes into moving and adding up systems."""

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".gz", ".bz2")
PART = "part"
TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True)
class Domain:
    """What the driver knows of one catalogue; ``users`` is 0 until people are joined.

    Attributes
    ----------
    url
        Where its ratings are.
    items
        Unique ids as text, in rising order; an item's number is its position.
    item_counts
        Users of each.
    users, ratings
        How many there are.
    explicit
        Whether the values are ratings.
    lowest
        The lowest value.
    timed
        Whether there are times.
    left_out
        Rows that were left out, by reason.
    asked
        What somebody has said about how its files are written, as flags.
    """

    url: str
    items: pd.Index
    item_counts: "NDArray[np.int64]"
    users: int
    ratings: int
    explicit: bool
    lowest: float
    timed: bool
    left_out: Mapping[str, int]
    asked: Mapping[str, str]

    def facts(self) -> dict[str, Any]:
        """As reports tell of a domain."""
        return {
            "file": self.url,
            "asked": dict(self.asked),
            "users": self.users,
            "items": len(self.items),
            "ratings": self.ratings,
            "left_out": dict(self.left_out),
        }


@dataclass(frozen=True)
class People:
    """All people of two catalogues.

    Attributes
    ----------
    frame
        One row a person: user_id, chance (a number from 0 to 1 that hangs on id and seed alone),
        and for each side items (numbers, rising), values and times; null where they are not in it.
    source, target
        The two catalogues.
    shared
        How many people are in both.
    parts
        Into how many parts they are cut.
    held_out_counts
        For each part of the people that is held out: users of each target item.
    held_out
        How many people each of these parts has.
    """

    frame: "DataFrame"
    source: Domain
    target: Domain
    shared: int
    parts: int
    held_out_counts: Mapping[str, "NDArray[np.int64]"] = field(default_factory=dict)
    held_out: Mapping[str, int] = field(default_factory=dict)

    def side(self, name: str) -> Domain:
        """``source`` or ``target``."""
        return self.source if name == "source" else self.target

    @property
    def smallest(self) -> int:
        """Users or items of either catalogue, whichever are fewest."""
        return min(n for own in (self.source, self.target) for n in (own.users, len(own.items)))

    def learners(self, learns: Sequence[str]) -> int:
        """Target users among some parts of the people."""
        held = sum(n for part, n in self.held_out.items() if part not in learns)
        return self.target.users - held

    def item_counts(self, side: str, learns: Sequence[str]) -> "NDArray[np.int64]":
        """Users of each item among some parts of the people."""
        counts = self.side(side).item_counts.copy()
        if side == "target":
            for part, held in self.held_out_counts.items():
                if part not in learns:
                    counts -= held
        return counts


def read_people(
    spark: "SparkSession",
    source: str,
    target: str,
    *,
    formats: Mapping[str, FileFormat] | None = None,
    seed: int = 0,
) -> People:
    """Read, check and join two folders or files of ratings.

    Parameters
    ----------
    source, target
        Paths or URLs that the cluster can read: Parquet, or text with columns.
    formats
        What somebody has said about how each side is written.
    seed
        Of each person's ``chance``.

    Raises
    ------
    UnreadableFileError, BadRatingsError
        A side cannot be read, or has no usable rating.
    NoOverlapError
        Nobody is in both.
    """
    from pyspark.sql import functions as fn

    formats = formats or {}
    rows, domains, kept = [], [], []
    for side, url in zip(SIDES, (source, target), strict=True):
        said = formats.get(side, FileFormat())
        ratings, left_out, timed = _checked(_read(spark, url, said), url, said)
        kept.append(ratings)
        domains.append(_domain(ratings, url, left_out, timed, said.asked))
        rows.append(_by_user(_numbered(spark, ratings, domains[-1]), side))
    chance = chance_of(fn.lit(seed)).alias("chance")
    size = sum(domain.ratings for domain in domains)
    parts = parts_of(size, sum(len(domain.items) for domain in domains))
    joined = rows[0].join(rows[1], USER, "full_outer").select("*", chance)
    # In the order of ids, so that what is written of people can be looked up.
    frame = joined.repartitionByRange(parts, USER).sortWithinPartitions(USER).persist()
    both = fn.col("source_items").isNotNull() & fn.col("target_items").isNotNull()
    counted = frame.agg(
        fn.sum(fn.col("source_items").isNotNull().cast("long")).alias("source"),
        fn.sum(fn.col("target_items").isNotNull().cast("long")).alias("target"),
        fn.sum(both.cast("long")).alias("shared"),
    ).first()
    assert counted is not None
    if not counted["shared"]:
        raise NoOverlapError(
            f"Source ({counted['source']:,} users) and target ({counted['target']:,} users) share "
            "no user ids.",
            "Check that both name people in the same way and that the user and item columns are "
            "not swapped.",
        )
    for ratings in kept:
        ratings.unpersist()
    theirs, own = (
        replace(domain, users=int(counted[side]))
        for side, domain in zip(SIDES, domains, strict=True)
    )
    return People(frame, theirs, own, int(counted["shared"]), parts)


def parts_of(ratings: int, items: int) -> int:
    """Into how many parts the people are cut, for the ratings and items of both catalogues."""
    each = min(max(PART_RATINGS, PART_RATINGS_AN_ITEM * items), MOST_PART_RATINGS)
    return max(LEAST_PARTS, -(-ratings // each))


def chance_of(*salt: "Column") -> "Column":
    """A number from 0 to 1 of each person that hangs on their id and the salt alone."""
    from pyspark.sql import functions as fn

    return fn.xxhash64(*salt, USER).bitwiseAND((1 << 53) - 1) / float(1 << 53)


def _read(spark: "SparkSession", url: str, said: FileFormat) -> "DataFrame":
    """The columns that matter, under our names, as they are written."""
    from pyspark.errors import PySparkException

    from transrec_core.data.mapping import amended, guess_mapping

    try:
        if not url.rstrip("/").endswith(TEXT_ENDINGS):
            try:
                frame = spark.read.parquet(url)
                mapping = amended(guess_mapping(frame.columns, True, ()), said.columns)
                return _named(frame, {r: c for r, c in mapping.items() if c}, url)
            except PySparkException as error:
                if "PATH_NOT_FOUND" in str(error):
                    raise
        lines = [row[0] for row in spark.read.text(url).limit(HEAD_LINES).collect()]
        report = said.check("\n".join([*lines, ""]).encode(), url)
        if not report.usable:
            problem = report.problems[0]
            raise UnreadableFileError(f"{url}: {problem.message}", problem.fix, report)
        frame = spark.read.csv(
            url, sep=report.delimiter or ",", header=bool(report.header), quote='"', escape='"'
        )
        if not report.header:
            frame = frame.toDF(*report.columns)
        mapping = amended(report.mapping, said.columns)
        return _named(frame, {r: c for r, c in mapping.items() if c}, url)
    except PySparkException as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise UnreadableFileError(
            f"{url}: Spark cannot read it ({reason}).",
            "Give a path or URL that every machine of the cluster reaches.",
        ) from None


def _named(frame: "DataFrame", mapping: Mapping[str, str], url: str) -> "DataFrame":
    from pyspark.sql import functions as fn

    names = {"user": USER, "item": ITEM, "rating": RATING, "time": TIME}
    for role in ("user", "item"):
        if role not in mapping:
            raise UnreadableFileError(
                f"{url}: no column is the {role}'s; there are {', '.join(frame.columns[:12])}.",
                f"Name it with --{role}-column.",
            )
    return frame.select(
        *(fn.col(f"`{column}`").alias(names[role]) for role, column in mapping.items())
    )


def _checked(
    frame: "DataFrame", url: str, said: FileFormat
) -> "tuple[DataFrame, dict[str, int], bool]":
    """Usable rows with one rating a pair, how many were left out, and whether there are times."""
    from pyspark.sql import functions as fn

    rated, timed = RATING in frame.columns, TIME in frame.columns
    value = fn.col(RATING).try_cast("double") if rated else fn.lit(1.0)
    seconds = fn.lit(None).cast("double")
    if timed:
        seconds = fn.coalesce(
            fn.col(TIME).try_cast("double"),
            fn.unix_timestamp(fn.try_to_timestamp(fn.col(TIME).cast("string"))).cast("double"),
        )
    typed = frame.select(
        fn.col(USER).cast("string").alias(USER),
        fn.col(ITEM).cast("string").alias(ITEM),
        value.alias(RATING),
        seconds.alias(TIME),
    )
    named = (fn.length(USER) > 0) & (fn.length(ITEM) > 0)
    plausible = fn.col(RATING).isNotNull() & ~fn.isnan(RATING) & (fn.abs(RATING) <= MAX_RATING)
    usable = typed.where(fn.coalesce(named, fn.lit(False)) & plausible)
    counted = typed.agg(
        fn.count(fn.lit(1)).alias("rows"),
        fn.sum((~fn.coalesce(named, fn.lit(False))).cast("long")).alias("MISSING_ID"),
        fn.sum((fn.coalesce(named, fn.lit(False)) & ~plausible).cast("long")).alias("BAD_RATING"),
    ).first()
    assert counted is not None
    left_out = {code: int(counted[code] or 0) for code in ("MISSING_ID", "BAD_RATING")}
    kept = int(counted["rows"]) - sum(left_out.values())
    if kept == 0:
        raise BadRatingsError(
            f"{url}: none of {counted['rows']:,} rows has a user, an item and a number as rating.",
            "Name the columns with --user-column, --item-column and --rating-column.",
        )
    latest = fn.max(fn.struct(fn.coalesce(TIME, fn.lit(float("-inf"))), RATING, TIME))
    merged = usable.groupBy(USER, ITEM)
    if said.duplicates == "mean":
        ratings = merged.agg(fn.avg(RATING).alias(RATING), fn.max(TIME).alias(TIME))
    else:
        ratings = merged.agg(latest.alias("last")).select(
            USER, ITEM, fn.col(f"last.{RATING}").alias(RATING), fn.col(f"last.{TIME}").alias(TIME)
        )
    ratings = ratings.persist()
    left_out["DUPLICATES"] = kept - ratings.count()
    if said.duplicates == "refuse" and left_out["DUPLICATES"]:
        raise BadRatingsError(
            f"{url}: {left_out['DUPLICATES']:,} rows rate an item that the user rated before.",
            "Choose --duplicates last or mean.",
        )
    return ratings, {code: n for code, n in left_out.items() if n}, timed


def _domain(
    ratings: "DataFrame",
    url: str,
    left_out: Mapping[str, int],
    timed: bool,
    asked: Mapping[str, str],
) -> Domain:
    from pyspark.sql import functions as fn

    items = ratings.groupBy(ITEM).agg(fn.count(fn.lit(1)).alias("n")).toArrow().sort_by(ITEM)
    counts = items["n"].to_numpy()
    told = ratings.agg(fn.min(RATING).alias("low"), fn.max(RATING).alias("high")).first()
    assert told is not None
    return Domain(
        url,
        pd.Index(items[ITEM].to_pylist(), dtype=object),
        counts,
        0,
        int(counts.sum()),
        told["low"] != told["high"],
        float(told["low"]),
        timed,
        left_out,
        asked,
    )


def _numbered(spark: "SparkSession", ratings: "DataFrame", domain: Domain) -> "DataFrame":
    """Ratings with the items' numbers instead of their ids."""
    import pyarrow as pa
    from pyspark.sql import functions as fn

    numbers = spark.createDataFrame(
        pa.table(
            {
                ITEM: pa.array(domain.items.tolist(), pa.string()),
                "number": pa.array(np.arange(len(domain.items), dtype=np.int32)),
            }
        )
    )
    return ratings.join(fn.broadcast(numbers), ITEM)


def _by_user(ratings: "DataFrame", side: str) -> "DataFrame":
    """One row a user, with what they rated in the order of the items' numbers."""
    from pyspark.sql import functions as fn

    cells = fn.array_sort(fn.collect_list(fn.struct("number", RATING, TIME))).alias("cells")
    return (
        ratings.groupBy(USER)
        .agg(cells)
        .select(
            USER,
            fn.col("cells.number").alias(f"{side}_items"),
            fn.col(f"cells.{RATING}").cast("array<float>").alias(f"{side}_values"),
            fn.col(f"cells.{TIME}").alias(f"{side}_times"),
        )
    )


# ── in the workers ───────────────────────────────────────────────────────────────────────────────


def matrix_of(batch: "pa.RecordBatch", side: str, items: int) -> sp.csr_array:
    """What the people of a batch did on one side, people × items."""
    lengths, columns = _flat(batch, f"{side}_items", np.int32)
    _, values = _flat(batch, f"{side}_values", np.float32)
    ends = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    return sp.csr_array((values, columns, ends), (len(lengths), items))


def times_of(batch: "pa.RecordBatch", side: str) -> "NDArray[np.float64]":
    """Seconds of every cell of ``matrix_of``; NaN where there are none."""
    return _flat(batch, f"{side}_times", np.float64)[1]


def ids_of(batch: "pa.RecordBatch") -> pd.Index:
    """The people of a batch."""
    ids: pd.Index = pd.Index(batch.column(USER).to_pylist(), dtype=object)
    return ids


def _flat(
    batch: "pa.RecordBatch", column: str, dtype: type
) -> "tuple[NDArray[np.int64], NDArray[Any]]":
    import pyarrow.compute as pc

    lists = batch.column(column)
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    flat = lists.flatten()
    if flat.null_count:
        flat = flat.fill_null(float("nan"))
    return lengths.astype(np.int64), flat.to_numpy(zero_copy_only=False).astype(dtype)


def learned_rows(
    batch: "pa.RecordBatch", side: str, items: int, learns: Sequence[str]
) -> sp.csr_array:
    """``matrix_of``, with the target rows of people who are held out empty."""
    from transrec_core.data.interactions import keep_cells

    matrix = matrix_of(batch, side, items)
    if side == "source" or PART not in batch.schema.names:
        return matrix
    kept = np.isin(np.array(batch.column(PART).to_pylist()), learns)
    return keep_cells(matrix, np.repeat(kept, np.diff(matrix.indptr)))


def gathered(batches: "Iterable[pa.RecordBatch]") -> "pa.RecordBatch | None":
    """All batches of a part as one; ``None`` where there are none."""
    import pyarrow as pa

    found: Sequence[pa.RecordBatch] = [batch for batch in batches if batch.num_rows]
    return pa.concat_batches(found) if found else None
