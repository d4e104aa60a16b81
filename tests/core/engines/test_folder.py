"""A run folder says what the run says, reads little, and believes nothing of what is in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from needs import POSIX
from saved_runs import fitted

from transrec_core.cli import main
from transrec_core.engines import folder as folders
from transrec_core.engines.folder import open_run_folder, write_run_folder
from transrec_core.errors import BadSettingError, TransrecError, UnreadableRunError
from transrec_core.evidence.results import Comparison
from transrec_core.persistence.evidence import read_evidence
from transrec_core.running import Run, recommend_from
from transrec_core.settings import Settings

SETTINGS = Settings(method="factor_map", rank=3, lam=0.02, shots=(0, 1), top=5)


@pytest.fixture(scope="module")
def run() -> Run:
    return fitted(SETTINGS, 60, 20)


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "tuesday"
    write_run_folder(run, path)
    return path


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    """A run folder that a test may damage."""
    return Path(shutil.copytree(written, tmp_path / "copy"))


def change(folder: Path, name: str, **values: object) -> None:
    """Set entries of a JSON file; ``None`` takes one away."""
    path = folder / name
    content = json.loads(path.read_text())
    for key, value in values.items():
        place = content
        *parents, last = key.split("__")
        for parent in parents:
            place = place[parent]
        place[last] = value
        if value is None:
            del place[last]
    path.write_text(json.dumps(content))


# ── round trip ───────────────────────────────────────────────────────────────────────────────────


def test_everything_of_a_run_is_found_again(run: Run, written: Path) -> None:
    found = open_run_folder(written)
    facts = found.run
    assert (facts.engine, facts.settings, facts.seconds) == ("embedded", SETTINGS, run.seconds)
    assert facts.data["source"]["file"] == "s.csv"
    assert facts.data["target"]["users"] == len(run.pair.target.users)
    assert (facts.method, facts.rank, facts.lam) == ("factor_map", 3, 0.02)
    wanted = recommend_from(run)
    for user in ("u000", "u017", "u059"):
        mine = wanted[wanted["user_id"] == user].reset_index(drop=True)
        pd.testing.assert_frame_equal(found.lists_of(user), mine, check_dtype=False)
    assert facts.contents["lists"] == len(wanted)
    everything = pd.concat(found.all_lists(), ignore_index=True)
    pd.testing.assert_frame_equal(everything, wanted, check_dtype=False)
    assert found.lists_of("nobody").empty
    assert found.lists_of("half \ud800").empty
    assert found.placed("u017") is True
    assert found.placed("nobody") is False
    assert found.source_interactions("u017") == 10


def test_lists_of_several_come_in_their_order_and_length(written: Path) -> None:
    found = open_run_folder(written).lists_of("u017", "nobody", "u003", top=2)
    assert list(zip(found["user_id"], found["rank"], strict=True)) == [
        ("u017", 1), ("u017", 2), ("u003", 1), ("u003", 2),
    ]  # fmt: skip


def test_lists_bear_titles_where_there_are_some(run: Run, written: Path, copy: Path) -> None:
    columns = ["user_id", "item_id", "rank", "score", "method"]
    titled = open_run_folder(written)
    listed = titled.lists_of("u017")
    assert listed.columns.tolist() == [*columns, "title"]
    assert (listed["title"] == run.target_items["title"][listed["item_id"]].to_numpy()).all()
    write_run_folder(replace(run, target_items=None), copy)
    bare = open_run_folder(copy)
    assert next(bare.all_lists()).columns.tolist() == columns
    pd.testing.assert_frame_equal(bare.lists_of("u017"), listed[columns])
    # What only has the name of a title is none.
    rewrite(copy, "lists", lambda table: table.append_column("title", table["rank"]))
    assert open_run_folder(copy).lists_of("u017").columns.tolist() == columns


def test_a_part_of_other_columns_is_not_written(tmp_path: Path) -> None:
    numbers = pa.table({"user_id": pa.array([1]), "title": pa.array(["a"])})
    for part in ("lists", "users/placed"):
        with pytest.raises(ValueError, match="schema"):
            folders.write_part(tmp_path, part, iter([numbers]))
        assert not list((tmp_path / part).iterdir())


def test_factors_lie_beside_their_ids(run: Run, written: Path) -> None:
    fit, pair = run.fit, run.pair
    for part, ids, factors, counts in (
        (
            "items/source",
            pair.source.items,
            fit.source.item_factors,
            pair.source.matrix.indices,
        ),
        ("items/target", pair.target.items, fit.target.item_factors, pair.target.matrix.indices),
        ("users/source", pair.source.users, fit.source.user_factors, None),
        ("users/placed", pair.source.users, None, None),
    ):
        table = pq.read_table(written / part)
        assert table.column(0).to_pylist() == list(ids)
        values = np.array(table["factors"].to_pylist(), np.float32)
        assert values.shape == (len(ids), 3)
        if factors is not None:
            assert (values == factors).all()
        if counts is not None:
            taken = np.bincount(counts, minlength=len(ids))
            assert table["interactions"].to_pylist() == taken.tolist()
    # Placed users and target items are in one space: their product is the score.
    placed = np.array(pq.read_table(written / "users/placed")["factors"].to_pylist())
    items = np.array(pq.read_table(written / "items/target")["factors"].to_pylist())
    bare = run.pair.target.matrix[:1] * 0
    bare.eliminate_zeros()
    scores = run.fit.scores(bare, np.array([0]))
    np.testing.assert_allclose(placed[:1] @ items.T, scores, atol=1e-5)


def test_the_map_is_sampled_and_titled(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MAP_ITEMS", 10)
    texts = run.target_items.assign(title="Title of " + run.target_items.index)
    write_run_folder(replace(run, target_items=texts), tmp_path / "run")
    frame = open_run_folder(tmp_path / "run").item_map().frame
    assert frame["domain"].value_counts().to_dict() == {"target": 5, "source": 5}
    target = frame[frame["domain"] == "target"]
    assert (target["title"] == "Title of " + target["item_id"]).all()
    assert (frame[frame["domain"] == "source"]["title"] == "").all()


@pytest.mark.parametrize("cold", ["users", "items"])
def test_the_evidence_is_the_comparison_without_single_users(cold: str, tmp_path: Path) -> None:
    run = fitted(Settings(rank=3, lam=0.02, shots=(0, 1), cold=cold, method="content"))
    write_run_folder(run, tmp_path / "run")
    found = open_run_folder(tmp_path / "run")
    require_told(run.comparison, found.comparison)
    wanted = recommend_from(run)
    someone = wanted["item_id" if cold == "items" else "user_id"].iloc[0]
    assert len(found.lists_of(someone)) == 10
    assert found.has("items/source") == (cold == "users")


def require_told(ours: Comparison, theirs: Comparison) -> None:
    """Assert that two comparisons are the same but for the values of single users."""
    for kind in ("ranking", "ratings"):
        one, other = getattr(ours, kind), getattr(theirs, kind)
        assert (one is None) == (other is None)
        if one is None:
            continue
        assert other.per_user.empty
        assert one.shots == other.shots
        assert (one.metric, one.cold, one.higher_is_better) == (
            other.metric, other.cold, other.higher_is_better,
        )  # fmt: skip
        pd.testing.assert_frame_equal(one.cohorts, other.cohorts, check_dtype=False)
    for name in ("checks", "test_users", "validation_users"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.chosen.keys() == theirs.chosen.keys()
    for kind, chosen in ours.chosen.items():
        same = replace(theirs.chosen[kind], tried=chosen.tried)
        assert same == chosen
        assert [row["method"] for row in theirs.chosen[kind].tried] == [
            row["method"] for row in chosen.tried
        ]


def test_a_run_without_a_comparison_says_why(run: Run, tmp_path: Path) -> None:
    bare = replace(run, comparison=None, chosen=None, no_comparison="Nobody is in both.")
    write_run_folder(bare, tmp_path / "run")
    found = open_run_folder(tmp_path / "run")
    assert found.comparison is None
    assert found.run.no_comparison == "Nobody is in both."
    assert not (tmp_path / "run" / "evidence").exists()


def test_an_evidence_bundle_alone_opens(run: Run, written: Path) -> None:
    found = open_run_folder(written / "evidence")
    assert found.run is None
    require_told(run.comparison, found.comparison)
    assert found.item_map() is None
    assert found.placed("u017") is None
    with pytest.raises(BadSettingError, match="evidence has no lists"):
        found.lists_of("u017")


def test_evidence_of_an_earlier_version_opens(copy: Path) -> None:
    change(copy, "evidence/evidence.json", test_users=None, validation_users=None)
    found = read_evidence(copy / "evidence")
    assert found.test_users == max(shot.users for shot in found.headline.shots)
    assert found.validation_users == 0


def test_a_run_folder_is_replaced_whole_and_nothing_else_is(run: Run, copy: Path) -> None:
    (copy / "lists" / "part-99999.parquet").write_bytes(b"of an earlier run")
    write_run_folder(run, copy)
    assert [path.name for path in (copy / "lists").glob("*.parquet")] == ["part-00000.parquet"]
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]
    open_run_folder(copy)
    (copy / "run.json").unlink()
    with pytest.raises(BadSettingError, match="neither empty nor a run folder"):
        write_run_folder(run, copy)
    with pytest.raises(BadSettingError, match="is a file"):
        write_run_folder(run, copy / "map.parquet")


def test_what_stops_half_way_leaves_the_earlier_run(
    run: Run, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    monkeypatch.setattr(folders, "run_json", full)
    with pytest.raises(OSError, match="No space"):
        write_run_folder(run, copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


# ── reading little ───────────────────────────────────────────────────────────────────────────────


def test_a_look_up_reads_the_row_groups_of_that_user_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "ROW_GROUP_ROWS", 20)
    write_run_folder(run, tmp_path / "run")
    found = open_run_folder(tmp_path / "run")
    total = -(-60 * 5 // 20)
    assert found.row_groups("u017") == (1, total)
    assert found.row_groups("zz") == (0, total)
    assert len(found.lists_of("u017")) == 5


def test_parts_of_a_cluster_are_read_whatever_the_width_of_their_numbers(
    written: Path, copy: Path
) -> None:
    """Spark hashes users to files; its whole numbers and texts may be of another width."""
    table = pq.read_table(written / "lists")
    wide = table.set_column(2, "rank", table["rank"].cast(pa.int64()))
    wide = wide.set_column(0, "user_id", table["user_id"].cast(pa.large_string()))
    wide = wide.select(["method", "user_id", "item_id", "title", "score", "rank"])
    (copy / "lists" / "part-00000.parquet").unlink()
    mine = np.array([int(user[1:]) % 2 for user in table["user_id"].to_pylist()])
    for number in (0, 1):
        rows = wide.filter(pa.array(mine == number))
        pq.write_table(rows, copy / "lists" / f"part-0000{number}-c000.snappy.parquet")
    ours, theirs = open_run_folder(written), open_run_folder(copy)
    for user in ("u016", "u017"):
        pd.testing.assert_frame_equal(ours.lists_of(user), theirs.lists_of(user))


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def rewrite(folder: Path, part: str, made: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / (part if part.endswith(".parquet") else f"{part}/part-00000.parquet")
    pq.write_table(made(pq.read_table(path)), path)


def renamed(table: pa.Table) -> pa.Table:
    return table.rename_columns(["user", *table.column_names[1:]])


def numbered(table: pa.Table) -> pa.Table:
    return table.set_column(0, "user_id", pa.array(range(len(table))))


def coded(table: pa.Table) -> pa.Table:
    return table.set_column(0, "user_id", table["user_id"].dictionary_encode())


def twice(table: pa.Table) -> pa.Table:
    return table.append_column("rank", table["rank"])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def link_away(path: Path) -> None:
    content = path.read_bytes()
    outside = path.parents[2] / "outside"
    outside.write_bytes(content)
    path.unlink()
    path.symlink_to(outside)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


LISTED = "lists/part-00000.parquet"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no run.json": (lambda f: (f / "run.json").unlink(), "neither run.json nor evidence.json"),
    "newer": (lambda f: change(f, "run.json", format=2), "in format 2; this version reads up to"),
    "no format": (lambda f: change(f, "run.json", format=None), "does not say which format"),
    "no JSON": (lambda f: (f / "run.json").write_text("{"), "run.json is no JSON"),
    "deep JSON": (lambda f: (f / "run.json").write_text("[" * 10**5), "run.json is no JSON"),
    "large JSON": (lambda f: (f / "run.json").write_text(" " * 2**21), "more than 1,048,576"),
    "a list": (lambda f: (f / "run.json").write_text("[]"), "not that of a run"),
    "engine": (lambda f: change(f, "run.json", engine="x"), "its engine is none of"),
    "created": (lambda f: change(f, "run.json", created="soon"), "when it was written"),
    "seconds": (lambda f: change(f, "run.json", seconds=[]), "its seconds are no time"),
    "settings": (lambda f: change(f, "run.json", settings__top="5"), "its settings are none"),
    "odd setting": (lambda f: change(f, "run.json", settings__x=1), "not those of this version"),
    "bad setting": (lambda f: change(f, "run.json", settings__top=0), "top is 0"),
    "no contents": (lambda f: change(f, "run.json", contents=None), "does not list its contents"),
    "odd content": (lambda f: change(f, "run.json", contents={"../x": {"rows": 1}}), "it lists"),
    "no rows": (lambda f: change(f, "run.json", contents__lists={}), "how many rows lists has"),
    "more rows": (lambda f: change(f, "run.json", contents__lists={"rows": 9}), "says 9"),
    "no success": (lambda f: (f / "lists" / "_SUCCESS").unlink(), "lists has no _SUCCESS"),
    "a file less": (lambda f: (f / LISTED).unlink(), "lists has 0 rows where run.json says 300"),
    "a file more": (lambda f: shutil.copy(f / LISTED, f / "lists/part-1.parquet"), "has 600 rows"),
    "no map": (lambda f: (f / "map.parquet").unlink(), "map.parquet is missing"),
    "cut": (lambda f: truncate(f / LISTED), "no whole Parquet file"),
    "text": (lambda f: (f / LISTED).write_text("user_id,item_id\n"), "no whole Parquet file"),
    "no column": (lambda f: rewrite(f, "lists", renamed), "no column user_id"),
    "two columns": (lambda f: rewrite(f, "lists", twice), "no column rank, or several"),
    "numbers": (lambda f: rewrite(f, "lists", numbered), "its user_id is int64, not string"),
    "codes": (lambda f: rewrite(f, "lists", coded), "its user_id is dictionary"),
    "a link": (lambda f: link_away(f / LISTED), "part-00000.parquet in it is a link"),
    "a pipe": (lambda f: pipe(f / LISTED), "part-00000.parquet in it is no file"),
    "no evidence": (lambda f: shutil.rmtree(f / "evidence"), "its evidence is missing"),
    "evidence": (lambda f: change(f, "evidence/evidence.json", shots=[]), "not the evidence"),
}  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[POSIX] * (kind in ("a link", "a pipe"))) for kind in BROKEN],
)
def test_what_is_not_whole_or_not_ours_is_refused(kind: str, copy: Path) -> None:
    damage, said = BROKEN[kind]
    damage(copy)
    with pytest.raises(UnreadableRunError) as refused:
        open_run_folder(copy)
    assert said in str(refused.value)
    assert str(refused.value).startswith("copy")


def test_a_map_that_is_too_large_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_MAP_ITEMS", 39)
    with pytest.raises(UnreadableRunError, match="too large"):
        open_run_folder(copy)


def test_row_groups_that_would_not_fit_into_memory_are_refused(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LARGEST_GROUP", 100)
    with pytest.raises(UnreadableRunError, match="a row group has more than 100 bytes"):
        open_run_folder(copy)


def test_a_flood_of_files_and_of_rows_is_refused(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = open_run_folder(copy)
    monkeypatch.setattr(folders, "MOST_LISTED", 4)
    with pytest.raises(BadSettingError, match="more than 4 rows"):
        found.lists_of("u017")
    monkeypatch.setenv("TRANSREC_LIMIT_RUN_MEMBERS", "5")
    with pytest.raises(UnreadableRunError, match="more than 5 files"):
        open_run_folder(copy)


def test_empty_cells_are_refused_when_they_are_read(copy: Path) -> None:
    def holed(table: pa.Table) -> pa.Table:
        return table.set_column(2, "rank", pa.nulls(len(table), pa.int32()))

    rewrite(copy, "lists", holed)
    with pytest.raises(UnreadableRunError, match="rank has empty cells"):
        open_run_folder(copy).lists_of("u017")


def test_places_that_are_none_are_refused(copy: Path) -> None:
    def moved(table: pa.Table) -> pa.Table:
        return table.set_column(3, "x", pa.array([np.inf] * len(table)))

    rewrite(copy, "map.parquet", moved)
    with pytest.raises(UnreadableRunError, match="places that are none"):
        open_run_folder(copy).item_map()


EVIDENCE = {
    "metric": "<b>x</b>",
    "verdict": {},
    "chosen": [],
    "seconds": "long",
    "shots__0__users": 1.5,
    "shots__0__methods": {"<script>": {"mean": 0, "low": 0, "high": 0}},
    "shots__0__transfer": "nobody",
    "shots__0__best_baseline": "nobody",
    "shots__0__shots": 10**400,
    "shots__0__placebo": {"mean": 1e999, "low": 0, "high": 0},
    "shots__0__gains": {"factor_map": {"mean": 1}},
    "cohorts": [{"shots": 0}],
    "checks": [{"code": 1}],
    "config": {"cold": "fusion"},
    "crosslisted": {"products": [["a"]], "reason": "few"},
    "ratings": {},
}


@pytest.mark.parametrize("place", EVIDENCE)
def test_evidence_of_another_kind_is_refused(place: str, copy: Path) -> None:
    path = copy / "evidence" / "evidence.json"
    content = json.loads(path.read_text())
    parent = content
    *parents, last = place.split("__")
    for step in parents:
        parent = parent[int(step) if step.isdigit() else step]
    parent[last] = EVIDENCE[place]
    path.write_text(json.dumps(content))
    with pytest.raises(UnreadableRunError, match=r"evidence\.json is no"):
        read_evidence(copy / "evidence")


def test_damaged_bytes_end_in_an_error_of_ours(copy: Path) -> None:
    """Whatever byte is changed: all is as before, or a refusal; never a crash."""
    random = np.random.default_rng(0)
    for part in (LISTED, "map.parquet", "run.json", "evidence/evidence.json"):
        whole = (copy / part).read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            for place in random.integers(0, len(whole), random.integers(1, 4)):
                damaged[place] = random.integers(0, 256)
            (copy / part).write_bytes(damaged)
            try:
                found = open_run_folder(copy)
                found.lists_of("u017")
                found.item_map()
            except TransrecError:
                pass
        (copy / part).write_bytes(whole)


# ── the command line ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def world(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("world")
    for name, domain in (("s", run.pair.source), ("t", run.pair.target)):
        rows, columns = domain.matrix.nonzero()
        frame = pd.DataFrame({"user_id": domain.users[rows], "item_id": domain.items[columns]})
        frame.to_csv(place / f"{name}.csv", index=False)
    files = [str(place / "s.csv"), str(place / "t.csv")]
    how = ["--rank", "3", "--lam", "0.02", "--method", "factor_map", "--shots", "0,1"]
    assert main(["fit", *files, *how, "--out", f"{place / 'run'}/"]) == 0
    assert main(["fit", *files, *how, "--out", str(place / "run.transrec")]) == 0
    return place


def test_a_name_that_ends_with_a_slash_is_a_run_folder(world: Path) -> None:
    found = open_run_folder(world / "run")
    assert found.run.contents["lists"] == 600
    for kind in ("csv", "parquet"):
        for run in ("run", "run.transrec"):
            assert main(["lists", str(world / run), "--out", str(world / f"{run}.{kind}")]) == 0
    assert (world / "run.csv").read_bytes() == (world / "run.transrec.csv").read_bytes()


def test_lists_of_a_folder_take_users_and_a_length(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "users.txt").write_text("u003\nu001\n")
    out = world / "two.json"
    asked = ["lists", str(world / "run"), "--users", str(world / "users.txt"), "--out", str(out)]
    assert main([*asked, "--top", "3"]) == 0
    rows = json.loads(out.read_text())
    assert [(row["user_id"], row["rank"]) for row in rows] == [
        (user, place) for user in ("u003", "u001") for place in (1, 2, 3)
    ]
    assert main([*asked, "--top", "11"]) == 2
    assert "have 10 places" in capsys.readouterr().err
    asked = ["lists", str(world / "run"), "--out", str(out), "--limit", "memory=100K"]
    assert main(asked) == 0  # they are written batch by batch
    everybody = json.loads(out.read_text())
    assert [row for row in everybody if row["user_id"] == "u003" and row["rank"] <= 3] == rows[:3]


def test_the_report_of_a_folder_is_its_evidence(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(world / "run"), "--out", str(world / "again")]) == 0
    for name in ("evidence.json", "per_user.csv", "report.html"):
        ours, theirs = world / "again" / name, world / "run" / "evidence" / name
        assert ours.read_bytes() == theirs.read_bytes()
    assert main(["report", str(world / "run"), "--raw-ids", "--out", str(world / "raw")]) == 2
    assert "as it was written" in capsys.readouterr().err


def test_a_second_fit_replaces_the_run_folder_and_no_other(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(world / "s.csv"), str(world / "t.csv")]
    how = ["--rank", "2", "--lam", "0.02", "--method", "factor_map", "--shots", "0,1"]
    place = world / "second"
    shutil.copytree(world / "run", place)
    assert main(["fit", *files, *how, "--out", str(place)]) == 0
    assert open_run_folder(place).run.rank == 2
    assert main(["fit", *files, *how, "--out", f"{world}/"]) == 2
    assert "neither empty nor a run folder" in capsys.readouterr().err
