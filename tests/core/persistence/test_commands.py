"""Fit once, then lists and evidence of the kept run, from the command line."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from worlds import checkerboard, texts_of

from transrec_core import load_run
from transrec_core.cli import main


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    pair = checkerboard(users=120, items=30)
    for name, domain in (("s", pair.source), ("t", pair.target)):
        rows, columns = domain.matrix.nonzero()
        frame = pd.DataFrame({"user_id": domain.users[rows], "item_id": domain.items[columns]})
        frame.to_csv(folder / f"{name}.csv", index=False)
    texts_of(pair).target.to_csv(folder / "items.csv")
    return folder


@pytest.fixture(scope="module")
def kept(world):
    path = world / "kept.transrec"
    files = [str(world / name) for name in ("s.csv", "t.csv")]
    items = ["--items", str(world / "items.csv")]
    assert main(["fit", *files, *items, "--rank", "2", "--out", str(path)]) == 0
    return path


def test_lists_of_a_kept_run_are_those_that_recommend_writes(world, kept):
    direct, again = world / "direct.csv", world / "again.csv"
    files = [str(world / name) for name in ("s.csv", "t.csv")]
    items = ["--items", str(world / "items.csv")]
    assert main(["recommend", *files, *items, "--rank", "2", "--out", str(direct)]) == 0
    assert main(["lists", str(kept), "--out", str(again)]) == 0
    assert again.read_bytes() == direct.read_bytes()


def test_lists_take_users_and_a_length(world, kept):
    (world / "users.txt").write_text("u003\nu001\n")
    out = world / "two.json"
    arguments = ["--users", str(world / "users.txt"), "--top", "3", "--out", str(out)]
    assert main(["lists", str(kept), *arguments]) == 0
    rows = json.loads(out.read_text())
    assert [(row["user_id"], row["rank"]) for row in rows] == [
        (user, place) for user in ("u003", "u001") for place in (1, 2, 3)
    ]


def test_the_report_of_a_kept_run_is_its_evidence(world, kept):
    assert main(["report", str(kept), "--out", str(world / "evidence")]) == 0
    evidence = json.loads((world / "evidence" / "evidence.json").read_text())
    assert evidence["config"]["rank"] == 2
    assert sorted(path.name for path in (world / "evidence").iterdir()) == [
        "evidence.json", "per_user.csv", "report.html",
    ]  # fmt: skip


def test_a_kept_run_names_its_files(kept):
    wanted = {"name": "kept", "source": "s.csv", "target": "t.csv", "target_items": "items.csv"}
    assert load_run(kept).about == wanted


def test_a_file_that_is_no_run_ends_in_one_line(world, kept, capsys):
    assert main(["lists", str(world / "s.csv"), "--out", str(world / "x.csv")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "s.csv: this is not a saved run." in said
    assert not (world / "x.csv").exists()


def test_check_says_that_a_kept_run_is_one(kept, capsys):
    assert main(["check", str(kept)]) == 1
    assert "This is a saved run of transrec" in capsys.readouterr().out
