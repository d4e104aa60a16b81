"""A run as a folder: what an engine leaves behind for people, scripts and the dashboard.

    RUN/
      run.json           written last: what the run was, and how many rows each part below has
      evidence/          what ``write_bundle`` writes; absent where there is no evidence
      lists/             one row a recommendation
      items/source/  items/target/     interactions and factors of the items
      users/source/                    the same of the source's users
      users/placed/      where the method expects the source's users in the target's space
      map.parquet        some items of both catalogues on a plane

A part is a folder of ``part-*.parquet`` and an empty ``_SUCCESS``, as Spark leaves it. Its rows are
sorted by id within a file and its row groups are small, so that one user is found by reading a few
of them: nothing here ever reads a part whole.

What stands in a folder is data of others: names, types, numbers of rows and sizes are checked
before anything is believed, and nothing outside of it is followed.
"""

import json
import math
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from transrec_core.columns import ITEM, METHOD, RANK, SCORE, TITLE, USER
from transrec_core.engines import ENGINES
from transrec_core.errors import BadSettingError, UnreadableRunError
from transrec_core.evidence.results import Chosen, Comparison
from transrec_core.limits import Limits, or_allow_more, size_in_words
from transrec_core.persistence.consistency import UnknownContentError
from transrec_core.persistence.evidence import MOST, read_evidence, read_json
from transrec_core.persistence.objects import instance
from transrec_core.recommending import listed_users
from transrec_core.reporting.bundle import BUNDLE, compare_command, plain_values, write_bundle
from transrec_core.reporting.bundle import EVIDENCE as EVIDENCE_FILE
from transrec_core.reporting.saving import atomic_file, atomic_folder, write_atomically
from transrec_core.running import Run, list_parts, warn_of_nothing_new
from transrec_core.settings import Settings
from transrec_core.space import ItemMap, item_map
from transrec_core.transfer.fitting import TransferFit
from transrec_core.transfer.scorers import PlacedUsers

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
RUN, SUCCESS = "run.json", "_SUCCESS"
EVIDENCE, LISTS, MAP = "evidence", "lists", "map.parquet"
SOURCE_ITEMS, TARGET_ITEMS = "items/source", "items/target"
SOURCE_USERS, PLACED_USERS = "users/source", "users/placed"
TOP_LEVEL = (EVIDENCE, LISTS, "items", "users", MAP, RUN)
"""Everything that a run folder holds, in the order in which it is written."""

INTERACTIONS, FACTORS = "interactions", "factors"
_VECTOR = (FACTORS, pa.list_(pa.float32()))
SCHEMAS: Mapping[str, pa.Schema] = {
    LISTS: pa.schema(
        {
            USER: pa.string(),
            ITEM: pa.string(),
            RANK: pa.int32(),
            SCORE: pa.float64(),
            METHOD: pa.string(),
        }
    ),
    **{
        part: pa.schema([(ITEM, pa.string()), (INTERACTIONS, pa.int64()), _VECTOR])
        for part in (SOURCE_ITEMS, TARGET_ITEMS)
    },
    SOURCE_USERS: pa.schema([(USER, pa.string()), (INTERACTIONS, pa.int64()), _VECTOR]),
    PLACED_USERS: pa.schema([(USER, pa.string()), _VECTOR]),
    MAP: pa.schema(
        {
            "domain": pa.string(),
            ITEM: pa.string(),
            TITLE: pa.string(),
            "x": pa.float64(),
            "y": pa.float64(),
            INTERACTIONS: pa.int64(),
        }
    ),
}
"""Columns of each part as they are written; when read, wider or narrower numbers do as well."""

TITLED_LISTS = SCHEMAS[LISTS].append(pa.field(TITLE, pa.string()))
"""Columns of lists where titles are known."""

ROW_GROUP_ROWS = 2**15
"""Rows of a row group: a user is found by reading one of a file, and a footer stays small."""

MAP_ITEMS = 4000
"""Items of the map, each catalogue in proportion."""

USERS_AT_ONCE = 8192
"""Users whose lists are made at once."""

MOST_MAP_ITEMS = 20_000
MOST_LISTED = 100_000
"""Rows of lists that are read at once."""

LARGEST_RUN = 2**20
LARGEST_MAP = 16 * 2**20
LARGEST_GROUP = 2**29
"""Bytes that ``run.json``, the map, and a row group when unpacked may have."""

_CALMLY = {"batch_size": ROW_GROUP_ROWS, "batch_readahead": 2, "fragment_readahead": 2}
"""How much is read ahead: without it, a scan holds hundreds of MiB."""

LONGEST_TEXT = 1000


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def write_run_folder(run: Run, folder: str | Path, *, command: str = "") -> None:
    """Write a run of the embedded engine as a folder, whole or not at all.

    Parameters
    ----------
    run
        Data, evidence and fit. A fit of new items has lists and evidence alone in its folder.
    folder
        New, empty, or an earlier run folder, which is replaced.
    command
        The command line that was given; by default one that repeats the comparison.

    Raises
    ------
    BadSettingError
        When the folder holds something else.
    OSError
        When it cannot be written; an earlier run folder stays.
    """
    folder = Path(folder)
    require_replaceable(folder)
    with atomic_folder(folder, TOP_LEVEL) as new:
        if run.comparison is not None:
            told = command or compare_command(run.settings, run.data, out=str(folder / EVIDENCE))
            write_bundle(
                new / EVIDENCE,
                run.comparison,
                run.settings,
                run.data,
                run.seconds,
                command=told,
            )
        contents = {part: write_part(new, part, tables) for part, tables in _tables(run)}
        facts = run_json(
            "embedded",
            run.settings,
            run.data,
            run.chosen,
            run.seconds,
            contents,
            no_comparison=run.no_comparison,
        )
        write_atomically(new / RUN, facts)


def require_replaceable(folder: Path) -> None:
    """Refuse a place where a run folder cannot be written without losing something else.

    Raises
    ------
    BadSettingError
        When it is a file, or a folder that is neither empty nor a run folder.
    """
    if folder.exists() and not folder.is_dir():
        raise BadSettingError(f"{folder} is a file.", "Name a folder, existing or new.")
    if folder.is_dir() and any(folder.iterdir()) and not is_run_folder(folder):
        raise BadSettingError(
            f"{folder} is neither empty nor a run folder.", "Name another folder, or empty it."
        )


def run_json(
    engine: str,
    settings: Settings,
    data: Mapping[str, Mapping[str, Any]],
    chosen: Chosen | None,
    seconds: float,
    contents: Mapping[str, int],
    *,
    no_comparison: str = "",
) -> bytes:
    """The content of ``run.json``, which is written when all else is.

    Parameters
    ----------
    engine
        ``embedded`` or ``spark``.
    settings, data, chosen, seconds, no_comparison
        As in ``Run``.
    contents
        Rows of each part, by its name in ``SCHEMAS``.
    """
    assert engine in ENGINES
    assert set(contents) <= set(SCHEMAS)
    content = {
        "format": FORMAT,
        "engine": engine,
        "version": version("transrec"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings.to_json(),
        "data": {domain: dict(facts) for domain, facts in data.items()},
        "chosen": None if chosen is None else chosen.to_json(),
        "no_comparison": no_comparison,
        "seconds": seconds,
        "contents": {part: {"rows": rows} for part, rows in contents.items()},
    }
    text = json.dumps(plain_values(content), indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def _tables(run: Run) -> "Iterator[tuple[str, Iterator[pa.Table]]]":
    """The parts of a run, each as tables one after the other."""
    yield LISTS, _lists(run)
    if run.settings.cold == "items":
        return
    fit, pair = run.fit, run.pair
    for part, ids, matrix, factors in (
        (SOURCE_ITEMS, pair.source.items, pair.source.matrix, fit.source.item_factors),
        (TARGET_ITEMS, pair.target.items, pair.target.matrix, fit.target.item_factors),
    ):
        counts = np.bincount(matrix.indices, minlength=len(ids))
        yield part, factor_table(part, ids, counts, factors)
    counts = np.diff(pair.source.matrix.indptr)
    yield (
        SOURCE_USERS,
        factor_table(SOURCE_USERS, pair.source.users, counts, fit.source.user_factors),
    )
    if fit.knowledge is not None:
        everybody = np.arange(len(pair.source.users))
        scorer = fit.knowledge.scorer(fit.target, everybody)
        if isinstance(scorer, PlacedUsers):
            yield (
                PLACED_USERS,
                factor_table(PLACED_USERS, pair.source.users, None, scorer.prior.factors),
            )
    if fit.factor_map is not None:
        texts = {"source": run.source_items, "target": run.target_items}
        yield MAP, iter([map_table(fit, run.settings.seed, texts=texts)])


def _lists(run: Run) -> Iterator[pa.Table]:
    users = sorted(map(str, listed_users(run.pair)))
    warn_of_nothing_new(run, users)
    schema = SCHEMAS[LISTS] if run.target_items is None else TITLED_LISTS
    for start in range(0, len(users), USERS_AT_ONCE):
        for frame in list_parts(run, users[start : start + USERS_AT_ONCE]):
            yield pa.Table.from_pandas(frame[schema.names], schema, preserve_index=False)


def factor_table(
    part: str,
    ids: pd.Index,
    counts: "NDArray[np.integer] | None",
    factors: "NDArray[np.floating]",
) -> Iterator[pa.Table]:
    """Users or items with their factors as tables, a row group each.

    Parameters
    ----------
    part
        Its name in ``SCHEMAS``.
    ids
        In rising order.
    counts
        Interactions of each, where the part tells them.
    factors
        One row an id.
    """
    # Ids of a domain are in rising order.
    for start in range(0, len(ids), ROW_GROUP_ROWS):
        rows = slice(start, start + ROW_GROUP_ROWS)
        values = np.ascontiguousarray(factors[rows], np.float32)
        ends = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
        columns = [pa.array(ids[rows].astype(str).to_numpy(object), pa.string())]
        if counts is not None:
            columns.append(pa.array(counts[rows], pa.int64()))
        columns.append(pa.ListArray.from_arrays(ends, values.ravel()))
        yield pa.Table.from_arrays(columns, schema=SCHEMAS[part])


def map_table(
    fit: TransferFit,
    seed: int,
    *,
    texts: Mapping[str, pd.DataFrame | None] | None = None,
    counts: "Mapping[str, NDArray[np.integer]] | None" = None,
) -> pa.Table:
    """Some items of both catalogues on a plane.

    Parameters
    ----------
    fit
        Has a map of factors.
    seed
        Of the draw.
    texts
        Titles of each catalogue, where they are known.
    counts
        Interactions of each catalogue's items, where ``fit`` does not hold all users.
    """
    frame = item_map(fit).frame
    if counts is not None:
        frame[INTERACTIONS] = np.concatenate([counts[d] for d in frame["domain"].unique()])
    if len(frame) > MAP_ITEMS:
        rng = np.random.default_rng([seed, 5])
        share = MAP_ITEMS / len(frame)
        kept = [
            rng.choice(rows.index, max(1, int(share * len(rows))), replace=False)
            for _, rows in frame.groupby("domain")
        ]
        frame = frame.loc[np.sort(np.concatenate(kept))]
    titles = pd.Series("", index=frame.index, dtype=object)
    for domain, known in (texts or {}).items():
        if known is not None:
            mine = frame["domain"] == domain
            titles[mine] = known[TITLE].reindex(frame.loc[mine, ITEM]).fillna("").to_numpy()
    frame = frame.assign(**{TITLE: titles})[SCHEMAS[MAP].names]
    return pa.Table.from_pandas(frame, SCHEMAS[MAP], preserve_index=False)


def write_part(run: Path, part: str, tables: Iterator[pa.Table], number: int = 0) -> int:
    """Write one file of a part, and the ``_SUCCESS`` beside it; how many rows the file has.

    Parameters
    ----------
    run
        The run folder.
    part
        A name in ``SCHEMAS``.
    tables
        Its rows, sorted by id.
    number
        Of the file, where there are several.
    """
    path = run / part
    single = part == MAP
    folder = path.parent if single else path
    folder.mkdir(parents=True, exist_ok=True)
    rows = 0
    first = next(tables, None)
    schema = _schema(part, () if first is None else first.column_names)
    with (
        atomic_file(path if single else folder / f"part-{number:05d}.parquet") as stream,
        pq.ParquetWriter(stream, schema, compression="zstd") as writer,
    ):
        for table in () if first is None else chain([first], tables):
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            rows += len(table)
    if not single:
        write_atomically(folder / SUCCESS, b"")
    return rows


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Facts:
    """What ``run.json`` says.

    Attributes
    ----------
    engine, version
        Who wrote it.
    created
        When, as ISO 8601.
    settings
        What was asked for.
    data
        Of ``source`` and ``target``: ``file``, ``sha256``, ``users``, ``items``, ``ratings``, as
        far as they are told.
    method, rank, lam
        What was chosen; an empty text and ``None`` where nothing is told of it.
    no_comparison
        Why there is no evidence; empty where there is some.
    seconds
        Wall time.
    contents
        Rows of each part.
    """

    engine: str
    version: str
    created: str
    settings: Settings
    data: Mapping[str, Mapping[str, str | int]]
    method: str
    rank: int | None
    lam: float | None
    no_comparison: str
    seconds: float
    contents: Mapping[str, int]


@dataclass(frozen=True)
class RunFolder:
    """An opened run folder, or an evidence bundle alone; see ``open_run_folder``.

    Attributes
    ----------
    path
        Where it is.
    run
        What the run was; ``None`` for an evidence bundle.
    comparison
        The evidence, without the values of single users; ``None`` where there is none.
    """

    path: Path
    run: Facts | None
    comparison: Comparison | None
    _parts: Mapping[str, ds.Dataset] = field(default_factory=dict, repr=False)

    @property
    def cold(self) -> str:
        """Who gets lists: ``users``, or ``items``."""
        if self.run is not None:
            return self.run.settings.cold
        return "users" if self.comparison is None else self.comparison.headline.cold

    @property
    def id_column(self) -> str:
        """The column of those who get lists."""
        return ITEM if self.cold == "items" else USER

    def has(self, part: str) -> bool:
        """Whether a part is there: a name in ``SCHEMAS``, or ``EVIDENCE``."""
        return self.comparison is not None if part == EVIDENCE else part in self._parts

    def lists_of(self, *users: str, top: int | None = None) -> pd.DataFrame:
        """The lists of some users (items where these are new), read for them alone.

        Parameters
        ----------
        users
            Ids; those that have no list are left out.
        top
            Length of a list; default as long as it was written.

        Returns
        -------
        user_id, item_id, rank, score, method and, where titles were known, title; users in the
        order given, by rank.

        Raises
        ------
        BadSettingError
            When the folder has no lists, or those of so many users are too long to be read at once.
        UnreadableRunError
            When the files cannot be read.
        """
        found = self._rows(LISTS, users, self.list_columns())
        order = {user: place for place, user in enumerate(users)}
        place = [order[user] for user in found[self.id_column]]
        found = found.assign(_place=place).sort_values(["_place", RANK], kind="stable")
        if top is not None:
            found = found[found[RANK] <= top]
        return found.drop(columns="_place").reset_index(drop=True)

    def all_lists(self, top: int | None = None) -> Iterator[pd.DataFrame]:
        """All lists, in tables of some ten thousand rows one after the other.

        Parameters
        ----------
        top
            Length of a list; default as long as it was written.
        """
        data = self._part(LISTS)
        try:
            for batch in data.to_batches(
                columns=self.list_columns(),
                filter=None if top is None else pc.field(RANK) <= top,
                **_CALMLY,
            ):
                if len(batch):
                    yield _as_written(LISTS, pa.Table.from_batches([batch])).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(LISTS, error) from None

    def list_columns(self) -> list[str]:
        """Columns of the lists: those of every run folder, and titles where there are some."""
        own = self._part(LISTS).schema
        titled = own.names.count(TITLE) == 1 and _kind(own.field(TITLE).type) == "text"
        return list((TITLED_LISTS if titled else SCHEMAS[LISTS]).names)

    def placed(self, user: str) -> bool | None:
        """Whether the method places a user in the target's space; ``None`` if nothing tells."""
        if not self.has(PLACED_USERS):
            return None
        return len(self._rows(PLACED_USERS, [user], [USER])) > 0

    def source_interactions(self, user: str) -> int | None:
        """A user's interactions in the source; ``None`` where that is not told."""
        if not self.has(SOURCE_USERS):
            return None
        found = self._rows(SOURCE_USERS, [user], [USER, INTERACTIONS])[INTERACTIONS]
        return int(found.sum())

    def item_map(self) -> ItemMap | None:
        """The sampled map with a ``title`` column; ``None`` where there is none."""
        if not self.has(MAP):
            return None
        try:
            frame = _as_written(MAP, self._parts[MAP].to_table(columns=SCHEMAS[MAP].names))
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(MAP, error) from None
        found = frame.to_pandas()
        whole = found.notna().all(axis=None) and np.isfinite(found[["x", "y"]]).all(axis=None)
        if not (whole and found["domain"].isin(["source", "target"]).all()):
            raise self._damaged(MAP, "it has places that are none")
        # How much of the whole the plane shows is not written down.
        return ItemMap(found, (0.0, 0.0), math.nan)

    def row_groups(self, user: str) -> tuple[int, int]:
        """How many row groups of the lists a look-up reads, and how many there are."""
        wanted = pc.field(self.id_column).isin([user])
        read = total = 0
        for fragment in self._part(LISTS).get_fragments():
            total += fragment.num_row_groups
            read += len(fragment.split_by_row_group(wanted))
        return read, total

    def _part(self, part: str) -> ds.Dataset:
        if part not in self._parts:
            raise BadSettingError(
                f"{self.path.name} has no {part}.",
                "Choose a run folder, not an evidence bundle."
                if self.run is None
                else "Write the run again with them.",
            )
        return self._parts[part]

    def _rows(self, part: str, ids: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
        data = self._part(part)
        column = self.id_column if part == LISTS else USER
        texts = [user for user in ids if _is_text(user)]
        wanted = pc.field(column).isin(pa.array(texts, data.schema.field(column).type))
        try:
            scanner = data.scanner(columns=list(columns), filter=wanted, **_CALMLY)
            parts: list[pa.RecordBatch] = []
            for batch in scanner.to_batches():
                parts.append(batch)
                if sum(map(len, parts)) > MOST_LISTED:
                    raise BadSettingError(
                        f"There are more than {MOST_LISTED:,} rows for these ids.",
                        "Ask for fewer at once, or read the Parquet files.",
                    )
            table = pa.Table.from_batches(parts, scanner.projected_schema)
            found: pd.DataFrame = _as_written(part, table).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(part, error) from None
        return found

    def _damaged(self, part: str, error: object) -> UnreadableRunError:
        return _refusal(self.path.name, f"{part} cannot be read ({_short(error)})")


def is_run_folder(path: str | Path) -> bool:
    """Whether there is a folder with a ``run.json``, whole or not."""
    return (Path(path) / RUN).is_file()


def open_run_folder(path: str | Path, name: str | None = None) -> RunFolder:
    """Open a run folder, or the evidence bundle of ``transrec compare``.

    Only the evidence and the ends of the Parquet files are read.

    Parameters
    ----------
    path
        The folder.
    name
        What to call it in messages; its own name by default.

    Raises
    ------
    UnreadableRunError
        When it is neither, is not whole, is of a newer version, or has something in it that a run
        folder has not; the message says what.
    """
    path = Path(path)
    name = name or path.name or str(path)
    try:
        root = path.resolve(strict=True)
        if not root.is_dir():
            raise _refusal(name, "this is a file, not a folder", "Choose a run folder.")
        alone = not os.path.lexists(root / RUN)
        if alone and not os.path.lexists(root / EVIDENCE_FILE):
            raise _refusal(
                name,
                f"there is neither {RUN} nor {EVIDENCE_FILE} in it",
                "A run that is being written has none yet; else choose a folder that transrec "
                "wrote.",
            )
        _require_inside(root, name)
        if alone:
            return RunFolder(root, None, read_evidence(root, name))
        facts = _facts(read_json(root / RUN, f"{name}/{RUN}", LARGEST_RUN), name)
        parts = {part: _opened(root, part, rows, name) for part, rows in facts.contents.items()}
    except OSError as error:
        raise _refusal(
            name, f"it cannot be opened ({error.strerror or error})", "Check the permissions."
        ) from None
    except RecursionError:
        raise _refusal(name, "its folders lie too deep in each other") from None
    comparison = None
    if (root / EVIDENCE / EVIDENCE_FILE).exists():
        comparison = read_evidence(root / EVIDENCE, f"{name}/{EVIDENCE}")
    elif not facts.no_comparison:
        raise _refusal(name, "its evidence is missing")
    return RunFolder(root, facts, comparison, parts)


def evidence_files(folder: RunFolder) -> dict[str, Path]:
    """The files of the evidence by name, as far as they are there."""
    place = folder.path if folder.run is None else folder.path / EVIDENCE
    return {name: place / name for name in BUNDLE if (place / name).is_file()}


def copy_evidence(folder: RunFolder, to: str | Path) -> None:
    """Copy the evidence files into a folder, in one step; see ``write_bundle``.

    Raises
    ------
    BadSettingError
        When there is no evidence.
    OSError
        When the folder cannot be written.
    """
    files = evidence_files(folder)
    if folder.comparison is None:
        why = "" if folder.run is None else folder.run.no_comparison
        raise BadSettingError(
            f"{folder.path.name} holds no evidence. {why}".strip(),
            "Fit it with more users in both catalogues.",
        )
    with atomic_folder(Path(to), BUNDLE) as new:
        for name, path in files.items():
            with path.open("rb") as content, atomic_file(new / name) as stream:
                shutil.copyfileobj(content, stream)


def _require_inside(root: Path, name: str) -> None:
    """Refuse links, and whatever is neither a file nor a folder: pipes would wait for ever."""
    most = Limits.current().run_members
    seen = 0
    for folder, folders, files in os.walk(root, onerror=_raise):
        seen += len(files) + len(folders)
        if seen > most:
            raise _refusal(
                name,
                f"it has more than {most:,} files",
                f"Write fewer, {or_allow_more('run_members')}.",
            )
        for entry in (*folders, *files):
            path = Path(folder, entry)
            kind = path.lstat().st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                where = path.relative_to(root).as_posix()
                what = "a link" if stat.S_ISLNK(kind) else "no file"
                raise _refusal(name, f"{_short(where)} in it is {what}")


def _raise(error: OSError) -> None:
    raise error


def _facts(content: Any, name: str) -> Facts:
    """``run.json`` as it has to be."""

    def require(ok: bool, what: str) -> None:
        if not ok:
            raise _refusal(f"{name}/{RUN}", what)

    require(isinstance(content, dict), "it is not that of a run")
    number, writer = content.get("format"), _text(content.get("version"))[:40]
    require(type(number) is int and number >= 1, "it does not say which format it has")
    if number > FORMAT:
        raise UnreadableRunError(
            f"{name} was written by transrec {writer} in format {number}; this version reads up to "
            f"format {FORMAT}.",
            "Update transrec, or write the run again with this version.",
        )
    require(content.get("engine") in ENGINES, f"its engine is none of {' and '.join(ENGINES)}")
    created = _text(content.get("created"))
    try:
        datetime.fromisoformat(created)
    except ValueError:
        require(False, "it does not say when it was written")
    seconds = content.get("seconds")
    require(type(seconds) in (int, float) and 0 <= seconds < 1e12, "its seconds are no time")
    contents = content.get("contents")
    require(isinstance(contents, dict), "it does not list its contents")
    rows: dict[str, int] = {}
    for part, told in contents.items():
        if part == EVIDENCE:
            continue
        require(part in SCHEMAS, f"it lists {_short(part)!r}, which no run folder has")
        count = told.get("rows") if isinstance(told, dict) else None
        require(type(count) is int and count >= 0, f"it does not say how many rows {part} has")
        rows[part] = int(count or 0)
    chosen = content.get("chosen")
    chosen = chosen if isinstance(chosen, dict) else {}
    rank, lam = chosen.get("rank"), chosen.get("lam")
    return Facts(
        content["engine"],
        writer,
        created,
        _settings(content.get("settings"), name),
        _data(content.get("data")),
        _text(chosen.get("method"))[:40],
        rank if type(rank) is int else None,
        float(lam) if isinstance(lam, int | float) and 0 <= lam < MOST else None,
        _text(content.get("no_comparison"))[:LONGEST_TEXT],
        float(seconds),
        rows,
    )


def _settings(content: Any, name: str) -> Settings:
    known = {entry.name: entry.default for entry in fields(Settings)}
    if not isinstance(content, dict) or not set(content) <= set(known):
        raise _refusal(f"{name}/{RUN}", "its settings are not those of this version")
    given = {**known, **content}
    if isinstance(given["shots"], list):
        given["shots"] = tuple(given["shots"])
    try:
        return instance(Settings, given)
    except UnknownContentError as error:
        raise _refusal(f"{name}/{RUN}", f"its settings are none ({_short(error)})") from None


def _data(content: Any) -> dict[str, dict[str, str | int]]:
    """What is told of the data, as far as it is of the right kind; texts are cut."""
    found: dict[str, dict[str, str | int]] = {}
    for domain in ("source", "target"):
        told = content.get(domain) if isinstance(content, dict) else None
        told = told if isinstance(told, dict) else {}
        facts: dict[str, str | int] = {}
        for key in ("file", "sha256"):
            if isinstance(told.get(key), str):
                facts[key] = told[key][:LONGEST_TEXT]
        for key in ("users", "items", "ratings"):
            if type(told.get(key)) is int and 0 <= told[key] < MOST:
                facts[key] = told[key]
        found[domain] = facts
    return found


def _opened(root: Path, part: str, rows: int, name: str) -> ds.Dataset:
    """A part whose files are whole, of the right columns, and of so many rows."""
    if part == MAP:
        files = [root / MAP]
        if not files[0].is_file():
            raise _refusal(name, f"{MAP} is missing")
        size = files[0].stat().st_size
        if size > LARGEST_MAP or rows > MOST_MAP_ITEMS:
            raise _refusal(name, f"{MAP} is too large ({size_in_words(size)}, {rows:,} rows)")
    else:
        if not (root / part / SUCCESS).is_file():
            raise _refusal(
                name, f"{part} has no {SUCCESS}, so it is not whole", "Write the run again."
            )
        files = sorted((root / part).glob("part-*.parquet"))
    found = 0
    schema: pa.Schema | None = None
    for path in files:
        where = f"{name}/{path.relative_to(root).as_posix()}"
        try:
            end = pq.read_metadata(path)
            own = end.schema.to_arrow_schema().remove_metadata()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _refusal(where, f"this is no whole Parquet file ({_short(error)})") from None
        _require_columns(own, part, where)
        sizes = [end.row_group(number) for number in range(end.num_row_groups)]
        if any(not 0 <= group.total_byte_size <= LARGEST_GROUP for group in sizes):
            raise _refusal(
                where,
                f"a row group has more than {size_in_words(LARGEST_GROUP)}",
                "Write smaller row groups.",
            )
        if schema is None:
            schema = own
        elif schema != own:
            raise _refusal(where, "its columns are not those of the files beside it")
        found += end.num_rows
    if found != rows:
        raise _refusal(
            name,
            f"{part} has {found:,} rows where {RUN} says {rows:,}",
            "Copy it again, or write the run again.",
        )
    return ds.dataset(
        list(map(str, files)), schema=schema or SCHEMAS[part], format=ds.ParquetFileFormat()
    )


def _require_columns(own: pa.Schema, part: str, where: str) -> None:
    for wanted in SCHEMAS[part]:
        if own.names.count(wanted.name) != 1:
            raise _refusal(where, f"it has no column {wanted.name}, or several")
        if _kind(own.field(wanted.name).type) != _kind(wanted.type):
            kind = _short(own.field(wanted.name).type)
            raise _refusal(where, f"its {wanted.name} is {kind}, not {wanted.type}")


def _kind(found: pa.DataType) -> str:
    if pa.types.is_string(found) or pa.types.is_large_string(found):
        return "text"
    if pa.types.is_integer(found):
        return "whole"
    if pa.types.is_floating(found):
        return "number"
    if pa.types.is_list(found) or pa.types.is_large_list(found):
        return f"list of {_kind(found.value_type)}"
    return str(found)


def _as_written(part: str, table: pa.Table) -> pa.Table:
    """A table in the types of ``SCHEMAS``, whatever width its numbers have; every cell filled."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count:
            raise pa.ArrowInvalid(f"{name} has empty cells")
    schema = _schema(part, table.column_names)
    return table.cast(pa.schema([schema.field(name) for name in table.column_names]))


def _schema(part: str, columns: Sequence[str]) -> pa.Schema:
    """Columns of a part as they are written, with titles where these columns have them."""
    return TITLED_LISTS if part == LISTS and TITLE in columns else SCHEMAS[part]


def _is_text(text: str) -> bool:
    """Whether Parquet can hold it: half a surrogate pair is no text there."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _short(what: object) -> str:
    lines = str(what).splitlines()
    return lines[0][:120] if lines else ""


def _refusal(
    name: str, what: str, fix: str = "Copy it again, or write the run again."
) -> UnreadableRunError:
    return UnreadableRunError(f"{name}: {what}.", fix)
