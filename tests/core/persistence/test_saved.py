"""A saved run is the same run: on this version and on later ones, whatever its ids are."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from needs import NEEDS_DEEP
from saved_runs import fitted, require_same

from transrec_core import load_run, recommend_for, save_run
from transrec_core.data.ratings import read_ratings
from transrec_core.errors import TooLargeError, UnreadableRunError
from transrec_core.persistence import FORMAT, objects, run_bytes
from transrec_core.running import listed_users, run
from transrec_core.settings import DEEP, PRIORS, Settings

HERE = Path(__file__).parent
OLD = HERE / "format_1.transrec"


def lists(found) -> pd.DataFrame:
    settings = found.settings
    return recommend_for(
        found.fit, list(listed_users(found.pair)), top=5, method=settings.method,
        chosen=found.chosen, items=found.target_items,
    )  # fmt: skip


KINDS = [
    *({"method": method} for method in PRIORS if method not in DEEP),
    *(pytest.param({"method": method}, marks=NEEDS_DEEP) for method in DEEP),
    {"method": "auto", "rank": None},
    {"model": "nmf", "method": "factor_map"},
    {"feedback": "ratings", "method": "factor_map"},
    {"feedback": "ratings", "method": "joint"},
    {"cold": "items", "method": "content"},
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_every_kind_of_run_comes_back_to_the_bit(kind):
    settings = Settings(**{"feedback": "implicit", "rank": 3, "lam": 0.02, "shots": (0, 1), **kind})
    before = fitted(settings)
    after = load_run(run_bytes(before, {"name": "Run 1"}))
    assert after.about == {"name": "Run 1"}
    require_same(before, after.run)
    if settings.cold == "users":
        pd.testing.assert_frame_equal(lists(before), lists(after.run), check_exact=True)


def test_what_was_one_object_is_one_again(small_run):
    after = load_run(run_bytes(small_run)).run
    assert after.fit.ground.pair is after.pair
    assert np.shares_memory(after.fit.trained_on.data, after.pair.target.matrix.data)


def test_odd_ids_come_back(tmp_path):
    odd = [
        "001",
        "1",
        "NA",
        "nan",
        " x ",
        "ü",
        "u\u0308",
        "=1+1",
        "a\nb",
        'q"q',
        "\U0001f600",
        "x" * 999,
    ]
    rows = [(user, f"{odd[i % 12]}{i % 17}") for i, user in enumerate(odd * 9)]
    for name in ("s.parquet", "t.parquet"):
        frame = pd.DataFrame(rows, columns=["user_id", "item_id"]).drop_duplicates()
        frame.to_parquet(tmp_path / name)
    settings = Settings(method="factor_map", rank=2, lam=0.1)
    before = run(
        read_ratings(tmp_path / "s.parquet"), read_ratings(tmp_path / "t.parquet"), settings,
        compare=False,
    )  # fmt: skip
    save_run(before, tmp_path / "run")
    after = load_run(tmp_path / "run").run
    assert set(after.pair.source.users) == set(odd)
    require_same(before, after)


def test_missing_cells_and_columns_of_all_kinds_come_back():
    frame = pd.DataFrame(
        {
            "text": ["a", None, "", "ü"], "number": [1.5, np.nan, np.inf, -0.0],
            "whole": np.array([1, -2, 3, 4], np.int32), "truth": [True, False, True, True],
        },
        index=pd.Index(["w", "x", "y", "z"], name="item_id"),
    )  # fmt: skip
    for before in (frame, frame.reset_index(drop=True), frame.iloc[1:3], frame.iloc[:0]):
        packed = objects.Packed(before)
        after = objects.unpacked(packed.root, packed.objects, packed.arrays)
        pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_a_long_tuple_of_pairs_comes_back_from_a_table():
    before = tuple((f"s{i}", f"t{i}") for i in range(objects.LONG + 1))
    packed = objects.Packed(before)
    assert len(packed.arrays) == 4
    assert objects.unpacked(packed.root, packed.objects, packed.arrays) == before


def test_a_file_is_an_npz_with_a_text_and_checksums(small_run, tmp_path):
    save_run(small_run, tmp_path / "a.transrec", {"source": "films.csv"})
    with np.load(tmp_path / "a.transrec", allow_pickle=False) as arrays:
        found = [arrays[name] for name in arrays.files if name.startswith("arrays/")]
    wanted = small_run.fit.source.item_factors
    assert any(array.shape == wanted.shape and (array == wanted).all() for array in found)
    with zipfile.ZipFile(tmp_path / "a.transrec") as archive:
        text = json.loads(archive.read("run.json"))
        for line in archive.read("SHA256SUMS").decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
    assert text["format"] == FORMAT
    assert text["about"] == {"source": "films.csv"}


def test_another_process_makes_the_same_lists_of_it(small_run, tmp_path):
    save_run(small_run, tmp_path / "a.transrec")
    code = (
        "import sys, transrec_core as tr; r = tr.load_run(sys.argv[1]).run;"
        "users = list(r.pair.source.users);"
        "tr.recommend_for(r.fit, users, top=5, method='factor_map', chosen=r.chosen)"
        ".to_csv(sys.argv[2])"
    )
    other = tmp_path / "lists.csv"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.transrec"), str(other)],
        check=True, env={**os.environ, "PYTHONHASHSEED": "77"},
    )  # fmt: skip
    ours = recommend_for(
        small_run.fit, list(small_run.pair.source.users), top=5, method="factor_map",
        chosen=small_run.chosen,
    )  # fmt: skip
    assert ours.to_csv() == other.read_text()


# ── versions ─────────────────────────────────────────────────────────────────────────────────────


def test_the_list_of_classes_is_closed():
    def named(hint) -> set:
        inner = set().union(*map(named, get_args(hint)))
        return inner | {hint} if is_dataclass(hint) else inner

    for found in objects.CLASSES.values():
        for hint in objects.hints_of(found).values():
            assert named(hint) <= set(objects.CLASSES.values()), (found, hint)


def shape_of_the_format() -> str:
    """The classes that are saved, and their fields."""
    lines = (
        f"{name}: {', '.join(f.name for f in fields(found))}"
        for name, found in sorted(objects.CLASSES.items())
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def test_a_change_of_the_saved_classes_is_a_new_format():
    known = {1: "b3222d6da737b2ec", 2: "bbf1723f17f25bcb"}
    assert known[FORMAT] == shape_of_the_format(), (
        "The classes of a run have changed, so files of the last release no longer fit. Raise "
        "FORMAT in persistence/saved.py, let UPGRADES say how older files are read, keep a file of "
        "the old format beside this test, and put the new shape here."
    )


def test_a_file_of_an_earlier_version_is_read():
    found = load_run(OLD)
    assert found.version == "0.1.0"
    assert found.about == {"name": "Golden"}
    wanted = pd.read_json(HERE / "format_1.json", dtype={"user_id": str, "item_id": str})
    given = lists(found.run)
    # Scores may differ in their last digit from machine to machine.
    assert (given[["user_id", "item_id"]] == wanted[["user_id", "item_id"]]).all(axis=None)
    # Scores near zero are differences of much larger numbers in single precision.
    np.testing.assert_allclose(given["score"], wanted["score"], rtol=1e-5, atol=5e-7)
    # What a class has got since is as if nobody had asked for it.
    assert found.run.settings.text_model == Settings().text_model
    assert found.run.fit.ground.nameless is False


def test_a_file_of_a_newer_version_is_refused_by_name(small_run):
    with pytest.raises(UnreadableRunError, match=r"saved by transrec 9\.9 in format 7.*Update"):
        load_run(resealed(run_bytes(small_run), {"format": 7, "transrec": "9.9"}))


def resealed(content: bytes, changes: dict) -> bytes:
    """The same file with another text and right checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text = {**json.loads(members["run.json"]), **changes}
    members["run.json"] = json.dumps(text).encode()
    del members["SHA256SUMS"]
    sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {name}\n" for name, c in members.items())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, member in {**members, "SHA256SUMS": sums}.items():
            archive.writestr(name, member)
    return out.getvalue()


@pytest.mark.parametrize("name", ["run_bytes", "memory"])
def test_a_run_that_is_larger_than_a_limit_is_refused_with_both_numbers(
    small_run, monkeypatch, name
):
    monkeypatch.setenv(f"TRANSREC_LIMIT_{name.upper()}", "10K")
    with pytest.raises(TooLargeError, match=rf"\d KiB.* 10 KiB may be .*--limit {name}="):
        load_run(run_bytes(small_run))


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UnreadableRunError, match="cannot be opened"):
            load_run(path)
