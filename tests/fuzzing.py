"""Small random pairs of catalogues and random settings, and what has to hold of all of them."""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from saved_runs import require_same

from transrec_core import cli
from transrec_core.columns import ITEM, METHOD, RANK, SCORE, USER
from transrec_core.data.items import Items, read_items
from transrec_core.data.ratings import Ratings, read_ratings
from transrec_core.engines.folder import open_run_folder, write_run_folder
from transrec_core.errors import BadSettingError, NothingNewError, TransrecError
from transrec_core.evidence.results import Comparison
from transrec_core.explaining import explain
from transrec_core.extras import installed
from transrec_core.persistence import load_run, run_bytes
from transrec_core.recommending import recommend_for
from transrec_core.reporting.bundle import bundle_files
from transrec_core.reporting.tables import table_bytes, write_parts
from transrec_core.running import Run, lists_from, rank_sources, recommend_from, run, sparsity
from transrec_core.settings import DEEP, PRIORS, Settings
from transrec_core.space import alignment, alignment_matrix, factor_cards, item_map, neighbours
from transrec_core.supposing import what_if

STRANGE_IDS = (
    "007", "7", "NA", "nan", "=1+1", "a,b", 'say "x"', "Zoë", "  x", "1e5", "-3", "null",
    "9007199254740993", "<b>", "semi;colon", "tab\tbed", "李", "x" * 200,
)  # fmt: skip
VALUES: Mapping[str, tuple[str, ...]] = {
    "stars": ("1", "2", "3", "4", "5"),
    "same": ("4",),
    "halves": ("0.5", "3.5", "5.0"),
    "counts": ("1", "2", "17", "40000", "1000000000"),
    "signs": ("-1", "0", "1"),
    "tiny": ("1e-30", "2e-30", "1e-8"),
    "huge": ("1", "5", "1e30", "9780306406157"),
    "all huge": ("1e30", "-1e30", "1e308"),
    "broken": ("3", "five", "", "inf", "nan", "5"),
    "large": ("-1000000000", "1000000000"),
}
"""Cells of a rating column."""
UNSOUND = ("huge", "all huge", "broken")

BAD_SETTINGS = {
    "seed": (-1, 2**32, 2**64), "shots": ((), (-1,), (3, 3), (2, 1)), "rank": (0, 5000),
    "lam": (-1.0, math.nan, math.inf, 1e300), "test_share": (0.0, 1.0, math.nan, 0.95),
    "min_target": (0, 1), "top": (0, 100000), "alpha0": (0.0, -1.0, math.inf, math.nan, 1e300),
    "budget": (0.0, math.nan), "regularization_exponent": (-1.0, 2.0, math.nan),
}  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """One catalogue as files.

    Attributes
    ----------
    ratings
        CSV of its ratings.
    items
        CSV of its texts; ``None`` where there are none.
    """

    ratings: bytes
    items: bytes | None


@dataclass(frozen=True)
class Case:
    """Two catalogues and what is asked of them: lists with or without evidence, and ``face``."""

    source: Catalogue
    target: Catalogue
    settings: Mapping[str, Any]
    compare: bool
    face: str


@st.composite
def catalogues(draw: st.DrawFn, name: str, people: int, *, sound: bool) -> Catalogue:
    """A catalogue of some of the people ``u0`` to ``u{people}`` and of others.

    A ``sound`` one can be judged: it has all of the people, a dozen items and readable ratings.
    """
    users = people if sound or draw(st.booleans()) else draw(st.integers(1, people))
    others = draw(st.sampled_from([0, 0, 1, 8]))
    items = draw(st.integers(12, 30) if sound else st.integers(1, 30))
    share = draw(st.sampled_from([0.3, 0.6, 0.9] if sound else [0.05, 0.3, 0.6, 0.9, 1.0]))
    kinds = [kind for kind in VALUES if not sound or kind not in UNSOUND]
    values = VALUES[draw(st.sampled_from(kinds))]
    how = draw(st.sampled_from(["rated", "rated", "timed", "bare"]))
    strange = draw(st.booleans())
    same_items = draw(st.integers(0, 3)) == 0
    random = np.random.default_rng(draw(st.integers(0, 2**16)))

    names = [f"u{n}" for n in range(users)] + [f"{name}{n}" for n in range(others)]
    things = [f"{'i' if same_items else name}{n}" for n in range(items)]
    if strange:
        names = [*STRANGE_IDS[: len(names) // 2], *names][: len(names)]
        things = [*STRANGE_IDS[::-1], *things][: len(things)]
    cells = random.random((len(names), items)) < share
    if not cells.any():
        cells[0, 0] = True
    rows, columns = np.nonzero(cells)
    order = random.permutation(len(rows))
    if draw(st.booleans()):
        order = np.concatenate([order, order[: len(order) // 2]])  # duplicates
    rows, columns = rows[order], columns[order]
    frame = pd.DataFrame(
        {"user": np.array(names, object)[rows], "item": np.array(things, object)[columns]}
    )
    if how != "bare":
        frame["rating"] = random.choice(np.array(values, object), len(rows))
    if how == "timed":
        frame["timestamp"] = random.choice([0, 1, 1_600_000_000, 1_600_000_001], len(rows))
    texts = None
    told = draw(st.sampled_from(["nothing", "titles", "same", "empty", "some"]))
    if told != "nothing":
        words = random.choice(["red fox", "blue whale", "the", "", "Ein Wort, zwei"], items)
        table = pd.DataFrame({"item": things, "title": words})
        table["genres"] = {"titles": "", "same": "Drama", "empty": "", "some": "A|B"}[told]
        if told == "empty":
            table["title"] = ""
        if told == "some":
            table = table[: max(1, items // 2)]
        texts = table.to_csv(index=False).encode()
    return Catalogue(frame.to_csv(index=False).encode(), texts)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A pair, settings, and the way it is asked."""
    sound = draw(st.integers(0, 2)) > 0
    people = draw(st.integers(40, 80) if sound else st.integers(1, 60))
    networks = installed("deep") and draw(st.integers(0, 29)) == 0
    simple = [method for method in PRIORS if method not in DEEP]
    asked: dict[str, Any] = {
        "feedback": draw(st.sampled_from(["auto", "ratings", "implicit"])),
        "method": draw(
            st.sampled_from(DEEP if networks else ["auto"] * (9 if sound else 3) + simple)
        ),
        "model": draw(st.sampled_from(["als", "als", "nmf"])),
        "cold": draw(st.sampled_from(["users"] * 4 + ["items"])),
        "rank": draw(st.sampled_from([None, 1, 2, 7] if sound else [None, 1, 7, 40])),
        "lam": draw(st.sampled_from([None, 0.0, 1e-30, 1e-6, 0.05, 1e4])),
        "alpha0": draw(st.sampled_from([0.2, 0.2, 1e-6, 5.0])),
        "regularization_exponent": draw(st.sampled_from([1.0, 0.5, 0.0])),
        "shots": draw(st.sampled_from([(0, 1, 2), (0, 1, 2, 5, 10), (0,), (1, 100), (100,)])),
        "top": draw(st.sampled_from([1, 3, 10, 100])),
        "test_share": draw(st.sampled_from([0.3, 0.3, 0.5, 0.7])),
        "min_target": draw(st.sampled_from([2, 2, 4, 8])),
        "budget": draw(st.sampled_from([0.1, 1.0])),
        "merge_editions": draw(st.booleans()),
        "leave_out_crosslisted": draw(st.sampled_from([False, False, True])),
        "seed": draw(st.sampled_from([0, 1, 2**32 - 1])),
    }
    if not sound and draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(list(BAD_SETTINGS)))
        asked[name] = draw(st.sampled_from(BAD_SETTINGS[name]))
    return Case(
        draw(catalogues("s", people, sound=sound)),
        draw(catalogues("t", people, sound=sound)),
        asked,
        draw(st.booleans()),
        draw(st.sampled_from(["files", "files", "command", "reasons", "space", "studies"])),
    )


# ── what has to hold ─────────────────────────────────────────────────────────────────────────────


def judge(case: Case) -> str:
    """Do all that is asked; what came of it in a word.

    Raises
    ------
    AssertionError
        Something that has to hold does not.
    """
    if case.face == "command":
        return judge_command(case)
    if case.face == "studies":
        return judge_studies(case)
    try:
        made = made_run(case)
    except TransrecError as error:
        require_told(error)
        return type(error).__name__
    {"files": judge_run, "reasons": judge_reasons, "space": judge_space}[case.face](made)
    return "no evidence" if made.comparison is None else "evidence"


def made_run(case: Case) -> Run:
    """The run that a case asks for."""
    settings = Settings(**case.settings)
    source, target = (_read(side, name) for side, name in _sides(case))
    return run(
        source,
        target,
        settings,
        source_items=_read_items(case.source),
        target_items=_read_items(case.target),
        compare=case.compare,
    )


def _sides(case: Case) -> tuple[tuple[Catalogue, str], ...]:
    return (case.source, "source.csv"), (case.target, "target.csv")


def _read(side: Catalogue, name: str) -> Ratings:
    return read_ratings(side.ratings, name=name)


def _read_items(side: Catalogue) -> Items | None:
    return None if side.items is None else read_items(side.items)


def require_told(error: TransrecError) -> None:
    """Assert that an error says in one line what is wrong and what to do."""
    text = str(error)
    assert text
    assert "\n" not in text
    assert error.fix, text


def judge_run(made: Run) -> None:
    """Assert what has to hold of a run, of its lists and of what is written of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            lists = recommend_from(made)
        except NothingNewError:
            assert not wanted_sizes(made).any()
            return
        require_lists(lists, made)
        assert made.comparison is None or made.no_comparison == ""
        if made.comparison is None:
            assert made.no_comparison or made.chosen is None
        else:
            require_evidence(made.comparison)
            bundle_files(made.comparison, made.settings, made.data, made.seconds)
        again = load_run(run_bytes(made, {"name": "x"}), name="x").run
        require_same(again, made)
        for kind in ("csv", "parquet", "json"):
            path = folder / f"lists.{kind}"
            write_parts(lambda: lists_from(again), path, raw=True)
            require_same_lists(read_lists(path), lists)
        assert len(table_bytes(lists, "csv"))
        write_run_folder(made, folder / "run")
        opened = open_run_folder(folder / "run")
        frames = list(opened.all_lists())
        assert sum(map(len, frames)) == len(lists)


def wanted_sizes(made: Run) -> pd.Series:
    """Length of everybody's list: as asked for, or less where fewer items are left."""
    target = made.pair.target
    wanted = made.pair.source.users if made.pair.linked else target.users
    rows = target.rows_of(wanted)
    left = len(target.items) - np.where(rows >= 0, target.counts[rows], 0)
    return pd.Series(np.minimum(made.settings.top, left), wanted)


def judge_reasons(made: Run) -> None:
    """Assert that reasons add up to the scores, and that what-if leaves a user's list as it was."""
    fit, pair = made.fit, made.pair
    for user in (pair.source.users[0], pair.target.users[-1], "a stranger"):
        lists = recommend_for(fit, [user], top=5, chosen=made.chosen)
        assert np.isfinite(lists[SCORE]).all()
        supposed = what_if(fit, user)
        again = recommend_for(supposed, [user], top=5, chosen=made.chosen)
        assert len(again) == len(lists)
        assert np.isfinite(again[SCORE]).all()
        try:
            found = explain(fit, user, list(lists[ITEM]), chosen=made.chosen)
        except BadSettingError as error:
            require_told(error)
            continue
        wanted = lists[SCORE].to_numpy()
        told = np.array([reason.score for reason in found])
        assert np.isfinite(told).all()
        assert np.allclose(told, wanted, rtol=1e-2, atol=1e-2 * (np.abs(wanted).max(initial=1)))


def judge_space(made: Run) -> None:
    """Assert that items have finite places, and users' factors a finite alignment."""
    found = item_map(made.fit).frame
    assert np.isfinite(found[["x", "y"]]).all(axis=None)
    assert factor_cards(made.fit) is not None
    if made.pair.linked and len(made.pair.shared):
        told = alignment(made.fit)
        assert np.isfinite([*told.correlations, told.disparity]).all()
        alignment_matrix(made.fit)
    one = str(made.pair.target.items[0])
    assert np.isfinite(neighbours(made.fit, "target", one).select_dtypes("number")).all(axis=None)


def judge_studies(case: Case) -> str:
    """Have sources ranked and the target thinned; tables are finite, or errors are typed."""
    try:
        settings = Settings(**case.settings)
        source, target = (_read(side, name) for side, name in _sides(case))
        ranked = rank_sources(target, {"one": source, "other": target}, settings)
        assert len(ranked) == 2
        told = ranked.loc[ranked["note"] == "", ["gain", "low", "high"]].astype(float)
        assert np.isfinite(told).all(axis=None)
        table = sparsity(source, target, settings, shares=(1.0, 0.1))
        assert np.isfinite(table.select_dtypes("number")).all(axis=None)
        assert len(table)
    except TransrecError as error:
        require_told(error)
        return f"studies: {type(error).__name__}"
    return "studies"


def require_lists(lists: pd.DataFrame, made: Run) -> None:
    """Assert that everybody has a list of finite scores, best first, without what they had."""
    user, item = (ITEM, USER) if made.settings.cold == "items" else (USER, ITEM)
    pair, wanted = made.pair, wanted_sizes(made)
    found = lists.groupby(user, sort=False).size().reindex(wanted.index, fill_value=0)
    assert (found == wanted).all(), "somebody lacks a list, or a part of one"
    assert set(lists[user]) <= set(wanted.index)
    assert np.isfinite(lists[SCORE]).all(), "a score is not finite"
    assert set(lists[METHOD]) <= {made.fit.method, "target_only", "popularity", "ease"}
    places = lists.groupby(user, sort=False)[RANK].agg(["min", "max", "nunique", "size"])
    assert (places["min"] == 1).all()
    assert (places["max"] == places["size"]).all()
    assert (places["nunique"] == places["size"]).all()
    falling = lists.groupby(user, sort=False)[SCORE].diff().fillna(0) <= 0
    assert falling.all(), "a list is out of order"
    taken = pair.target.matrix.tocoo()
    had = set(zip(pair.target.users[taken.coords[0]], pair.target.items[taken.coords[1]],
                  strict=True))  # fmt: skip
    assert not had & set(zip(lists[user], lists[item], strict=True)), "somebody had that already"


def require_evidence(comparison: Comparison) -> None:
    """Assert that evidence has shots to speak of, and finite numbers."""
    for evidence in (comparison.ranking, comparison.ratings):
        if evidence is None:
            continue
        assert evidence.shots, "evidence of nothing"
        assert np.isfinite(evidence.per_user["value"]).all()
        for shot in evidence.shots:
            for interval in shot.methods.values():
                assert np.isfinite([interval.mean, interval.low, interval.high]).all()
            for gain in shot.gains.values():
                assert np.isfinite([gain.mean, gain.low, gain.high, gain.p]).all()


def read_lists(path: Path) -> pd.DataFrame:
    """Lists from a file in any format."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".json":
        return pd.read_json(io.BytesIO(path.read_bytes()), dtype=False)
    text = dict.fromkeys((USER, ITEM, METHOD), str)
    return pd.read_csv(path, dtype={**text, SCORE: float, RANK: int}, keep_default_na=False)


def require_same_lists(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Assert that a file holds these lists."""
    assert len(ours) == len(theirs)
    for name in (USER, ITEM, METHOD) if len(theirs) else ():
        assert list(ours[name]) == list(theirs[name]), name
    if len(theirs):
        assert np.isfinite(ours[SCORE]).all()
        assert np.allclose(ours[SCORE], theirs[SCORE], rtol=1e-9, atol=1e-12)


# ── by commands ──────────────────────────────────────────────────────────────────────────────────


def judge_command(case: Case) -> str:
    """Have the command line make lists; it fails in one line or leaves whole files behind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for (side, file), option in zip(_sides(case), ("source", "target"), strict=True):
            (folder / file).write_bytes(side.ratings)
            if side.items is not None:
                (folder / f"{option}_items.csv").write_bytes(side.items)
        out = folder / ("lists.csv" if case.compare else "run.transrec")
        command = ["recommend" if case.compare else "fit"]
        given = [str(folder / "source.csv"), str(folder / "target.csv"), "--out", str(out)]
        code, told = called([*command, *given, *_flags(case, folder)])
        assert code in (cli.USABLE, cli.FAILED), code
        assert "Something went wrong" not in told, told
        if code == cli.FAILED:
            assert told.splitlines()[-1].startswith("transrec: "), told
            assert all(line.startswith("transrec: ") for line in told.splitlines()), told
            assert not out.exists()
            return "refused command"
        if not case.compare:
            lists = folder / "lists.csv"
            code, told = called(["lists", str(out), "--out", str(lists), "--raw-ids"])
            if code == cli.FAILED and "nothing to list" in told:
                return command[0]
            assert code == cli.USABLE, told
            code, told = called(["report", str(out), "--out", str(folder / "report")])
            assert code == cli.USABLE or "holds no evidence" in told, told
            require_lists(read_lists(lists), load_run(out, name="x").run)
        else:
            assert np.isfinite(read_lists(out)[SCORE]).all()
        return command[0]


def _flags(case: Case, folder: Path) -> Iterator[str]:
    asked = case.settings
    for name in ("feedback", "method", "model", "rank", "lam", "cold", "budget", "seed", "top"):
        yield f"--{name}={'auto' if asked[name] is None else asked[name]}"
    if not case.compare:
        yield "--shots=" + ",".join(map(str, asked["shots"]))
    for side, flag, name in (
        (case.source, "--source-items", "source_items.csv"),
        (case.target, "--items", "target_items.csv"),
    ):
        if side.items is not None:
            yield f"{flag}={folder / name}"
    if asked["merge_editions"]:
        yield "--merge-editions"
    if asked["leave_out_crosslisted"]:
        yield "--leave-out-crosslisted"


def called(arguments: list[str]) -> tuple[int, str]:
    """Exit code of a command, and what it wrote to stderr."""
    import contextlib

    stream = io.StringIO()
    with contextlib.redirect_stderr(stream), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = cli.main(arguments)
        except SystemExit as stopped:
            code = int(stopped.code or 0)
    return code, stream.getvalue()
