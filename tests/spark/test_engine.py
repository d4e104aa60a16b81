"""The same commands on a cluster: the same answers, in the contract's form, whole or not at all."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from transrec_core import cli
from transrec_core.baselines import Baselines
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import link
from transrec_core.engines import engine_named
from transrec_core.engines.folder import open_run_folder
from transrec_core.engines.spark.evidence import Own
from transrec_core.errors import BadSettingError
from transrec_core.evidence.evaluating import BaselineScorer, evaluate, kinds_of
from transrec_core.evidence.splitting import hold_out, without_users
from transrec_core.settings import Settings

FLAGS = ["--method", "factor_map", "--rank", "4", "--lam", "0.02", "--feedback", "implicit"]
SPARK = ["--engine", "spark", "--master"]


def run(*arguments: str) -> None:
    assert cli.main([*arguments, *FLAGS]) == 0


@pytest.fixture(scope="module")
def folder(spark: Any, files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that Spark wrote."""
    out = tmp_path_factory.mktemp("runs") / "run"
    run("fit", *files.values(), "--out", f"{out}/", *SPARK, "local[2]")
    return out


def test_the_verdict_and_metrics_are_those_of_one_computer(
    folder: Path, files: dict[str, str], world: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    plain = tmp_path / "target.parquet"
    world["target"].to_parquet(plain)
    run("compare", files["source"], str(plain), "--out", str(tmp_path / "own"))
    own = json.loads((tmp_path / "own" / "evidence.json").read_text())
    told = json.loads((folder / "evidence" / "evidence.json").read_text())
    assert told["verdict"]["0"] == own["verdict"]["0"] == "helps"
    for mine, theirs in zip(told["shots"], own["shots"], strict=True):
        for method in ("popularity", "target_only", "factor_map"):
            # Other people are held out: both means lie about as far apart as their intervals say.
            one, other = mine["methods"][method], theirs["methods"][method]
            wide = (one["high"] - one["low"] + other["high"] - other["low"]) / 2
            assert abs(one["mean"] - other["mean"]) < wide, (mine["shots"], method)


def test_a_run_folder_has_every_person_once(folder: Path, world: dict[str, pd.DataFrame]) -> None:
    opened = open_run_folder(folder)
    assert opened.run is not None
    assert opened.run.engine == "spark"
    lists = pd.concat(opened.all_lists())
    assert set(lists["user_id"]) == set(world["source"]["user_id"])
    assert not lists.duplicated(["user_id", "rank"]).any()
    assert (lists.groupby("user_id")["rank"].max() == 10).all()
    seen = world["target"].merge(lists, on=["user_id", "item_id"])
    assert seen.empty
    cold = lists[lists["user_id"] == "u399"]
    assert (cold["method"] == "factor_map").all()
    pd.testing.assert_frame_equal(
        opened.lists_of("u399").reset_index(drop=True), cold.reset_index(drop=True)
    )


def test_the_map_has_items_of_one_taste_together(folder: Path) -> None:
    items = open_run_folder(folder).item_map()
    assert items is not None
    taste = items.frame["item_id"].str[1:].astype(int).to_numpy() % 3
    points = items.frame[["x", "y"]].to_numpy()
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    cosines, same = points @ points.T, taste[:, None] == taste
    assert cosines[same].mean() > 0.7
    assert cosines[~same].mean() < 0


def test_its_test_users_get_the_same_marks_on_one_computer(
    folder: Path, embedded: dict[str, Interactions]
) -> None:
    told = pd.read_csv(folder / "evidence" / "per_user.csv", dtype={"user_id": str})
    told = told[told["method"] == "popularity"].pivot_table("value", "user_id", "shots")
    pair, settings = link(embedded["source"], embedded["target"]), Settings(feedback="implicit")
    held = np.flatnonzero(pair.shared.isin(told.index))
    test = hold_out(pair, held, settings, Own(settings.seed))
    others = without_users(pair.target.matrix, pair.target_rows[held])
    (kind,) = kinds_of(pair, settings)
    scorer = BaselineScorer(Baselines.fit(others), "popularity")
    for shots, values in evaluate(kind, settings, scorer, test).values.items():
        enough = test.enough[shots]
        assert enough.any() == (shots in told)
        if enough.any():
            own = told[shots].reindex(pair.shared[held])
            np.testing.assert_allclose(own[enough], values[enough], atol=1e-12)
            assert own[~enough].isna().all()


def test_lists_follow_the_taste_that_the_source_shows(
    folder: Path, world: dict[str, pd.DataFrame]
) -> None:
    lists = pd.concat(open_run_folder(folder).all_lists())
    cold = lists[~lists["user_id"].isin(world["target"]["user_id"])]
    taken = world["source"].assign(kind=world["source"]["item_id"].str[1:].astype(int) % 3)
    taste = taken.groupby("user_id")["kind"].agg(lambda kinds: kinds.mode()[0])
    kinds = cold["item_id"].str[1:].astype(int) % 3
    assert (kinds.to_numpy() == taste[cold["user_id"]].to_numpy()).mean() > 0.8


def test_named_people_get_lists_and_strangers_popular_ones(
    spark: Any, files: dict[str, str], tmp_path: Path
) -> None:
    users = tmp_path / "users.txt"
    users.write_text("u399\nnobody\n")
    out = tmp_path / "lists"
    run("recommend", *files.values(), "--out", str(out), "--users", str(users), *SPARK, "local[2]")
    assert (out / "_SUCCESS").exists()
    lists = pd.read_parquet(out)
    assert list(lists.columns) == ["user_id", "item_id", "rank", "score", "method"]
    assert lists.groupby("user_id")["method"].unique().map(list).to_dict() == {
        "nobody": ["popularity"],
        "u399": ["factor_map"],
    }


def test_lists_bear_the_titles_of_a_table(
    spark: Any, files: dict[str, str], tmp_path: Path
) -> None:
    users, items, out = tmp_path / "users.txt", tmp_path / "items.csv", tmp_path / "lists"
    users.write_text("u399\nu001\n")
    told = {f"t{i:02d}": f"Title {i}" for i in range(1, 40)}
    rows = [f"{item},{title}" for item, title in (told | {"s01": "Of the other side"}).items()]
    items.write_text("\n".join(["item_id,title", *rows, ""]))
    run("recommend", *files.values(), "--out", str(out), "--users", str(users),
        "--items", str(items), *SPARK, "local[2]")  # fmt: skip
    lists = pd.read_parquet(out)
    assert list(lists.columns) == ["user_id", "item_id", "rank", "score", "method", "title"]
    assert len(lists) == 20
    # The table has no title of t00.
    assert (lists["title"] == lists["item_id"].map(told).fillna("")).all()


def test_people_too_few_to_judge_get_lists_by_the_defaults(
    spark: Any, world: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    few = {side: frame[frame["user_id"] < "u070"] for side, frame in world.items()}
    arguments = []
    for side, frame in few.items():
        # One in three of the people is in both, too few to hold some out.
        kept = frame if side == "source" else frame[frame["user_id"] >= "u050"]
        kept.to_csv(tmp_path / f"{side}.csv", index=False)
        arguments.append(str(tmp_path / f"{side}.csv"))
    wishes = ["--feedback", "implicit", "--method", "factor_map", "--rank", "3"]
    own, out, folder = tmp_path / "own.parquet", tmp_path / "lists", tmp_path / "run"
    assert cli.main(["recommend", *arguments, "--out", str(own), *wishes]) == 0
    spark_lists = ["recommend", *arguments, "--out", str(out), *wishes, *SPARK, "local[2]"]
    assert cli.main(spark_lists) == 0
    mine, theirs = (
        pd.read_parquet(path).sort_values(["user_id", "rank"], ignore_index=True)
        for path in (out, own)
    )
    assert (mine["user_id"] == theirs["user_id"]).all()
    assert (mine["method"] == theirs["method"]).all()
    # The random starts differ, and so few people leave room; by chance it would be a third.
    taken = few["source"].assign(kind=few["source"]["item_id"].str[1:].astype(int) % 3)
    taste = taken.groupby("user_id")["kind"].agg(lambda kinds: kinds.mode()[0])
    cold = mine[mine["user_id"] < "u050"]
    kinds = cold["item_id"].str[1:].astype(int) % 3
    assert (kinds.to_numpy() == taste[cold["user_id"]].to_numpy()).mean() > 0.5
    assert cli.main(["fit", *arguments, "--out", f"{folder}/", *wishes, *SPARK, "local[2]"]) == 0
    opened = open_run_folder(folder)
    assert opened.run is not None
    assert "judging transfer needs" in opened.run.no_comparison
    kept = pd.concat(opened.all_lists()).sort_values(["user_id", "rank"], ignore_index=True)
    pd.testing.assert_frame_equal(kept[mine.columns.tolist()], mine, check_dtype=False)


def test_the_evidence_tells_the_command_that_makes_it_again(
    folder: Path, files: dict[str, str]
) -> None:
    told = json.loads((folder / "evidence" / "evidence.json").read_text())["command"]
    options = cli._parser().parse_args(shlex.split(told)[1:])
    assert (options.source, options.target) == tuple(files.values())
    assert (options.engine, options.master, options.factorizer) == ("spark", None, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--engine", "spork"], "must be embedded or spark"),
        (["--master", "local[2]"], "Add --engine spark"),
        (["--engine", "spark", "--factorizer", "magic"], "rows or mllib"),
    ],
)
def test_wrong_flags_are_refused_in_one_line(
    arguments: list[str],
    words: str,
    files: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["compare", *files.values(), "--out", str(tmp_path / "e"), *arguments]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_what_spark_cannot_do_is_refused_by_name(
    spark: Any, files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["compare", *files.values(), "--out", str(tmp_path / "e"), *SPARK, "local[2]"]
    for flags, words in (
        (["--method", "joint"], "has no joint"),
        (["--cold", "items"], "new users only"),
        (["--merge-editions"], "--merge-editions"),
        (["--deep"], "no networks"),
        (["--items", "titles.csv"], "no item texts"),
        (["--rank", "41"], "at most 40"),
    ):
        assert cli.main([*base, *flags]) == 2
        assert words in capsys.readouterr().err
    with pytest.raises(BadSettingError, match="folder of Parquet"):
        engine_named("spark").require("recommend", "lists.csv")


CONNECT = """
import sys
from transrec_core import cli
from transrec_core.baselines import Baselines
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import link
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_spark_connect_server_gives_the_same_lists(
    spark: Any, folder: Path, files: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("grpc", reason="grpcio is not installed")
    import pyspark

    home = Path(pyspark.__file__).parent
    port = _free_port()
    environment = {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "localhost",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_LOG_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    log = (tmp_path / "server.log").open("wb")
    server = subprocess.Popen(
        [
            str(home / "bin" / "spark-submit"),
            "--class",
            "org.apache.spark.sql.connect.service.SparkConnectServer",
            "--master",
            "local[2]",
            "--conf",
            "spark.driver.bindAddress=127.0.0.1",
            "--conf",
            "spark.driver.host=127.0.0.1",
            "--conf",
            "spark.connect.grpc.binding.address=127.0.0.1",
            "--conf",
            f"spark.connect.grpc.binding.port={port}",
            "--conf",
            "spark.ui.enabled=false",
            "--conf",
            "spark.sql.shuffle.partitions=4",
            "spark-internal",
        ],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _wait_for(port, server, tmp_path / "server.log")
        out = tmp_path / "lists"
        # A process of its own: one Python process holds a classic or a remote session.
        done = subprocess.run(
            [sys.executable, "-c", CONNECT, "recommend", *files.values(), "--out", str(out),
             "--settle", *FLAGS, *SPARK, f"sc://127.0.0.1:{port}"],
            env=environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        lists = pd.read_parquet(out).sort_values(["user_id", "rank"], ignore_index=True)
        own = pd.concat(open_run_folder(folder).all_lists())
        own = own.sort_values(["user_id", "rank"], ignore_index=True)
        assert (lists["item_id"] == own["item_id"]).mean() > 0.99
        np.testing.assert_allclose(lists["score"], own["score"], atol=1e-3)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        log.close()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    import socket

    for _ in range(600):
        if server.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail(f"the Connect server did not start: {log.read_text()[-2000:]}")
