"""Real Spark on this computer; everything here is skipped where Spark or Java is missing."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from transrec_core.data.interactions import Interactions

FILES = ("source", "target")


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("there is no Java on this machine")
    from transrec_core.engines.spark.session import open_session

    session = open_session("local[2]")
    yield session
    session.stop()


def taste_world(users: int = 400, items: int = 40, seed: int = 3) -> dict[str, pd.DataFrame]:
    """People of three tastes, the same in both catalogues; some are in one of them alone."""
    random = np.random.default_rng(seed)
    taste = random.integers(3, size=users)
    frames = {}
    for side in FILES:
        rows = []
        here = range(users) if side == "target" else range(20, users)
        for user in here:
            if side == "target" and user >= users - 20:
                continue
            chance = np.where(np.arange(items) % 3 == taste[user], 5.0, 1.0)
            taken = random.choice(items, 14, replace=False, p=chance / chance.sum())
            liked = 3 + (taken % 3 == taste[user]) + random.integers(-1, 2, len(taken))
            rows += [
                (f"u{user:03d}", f"{side[0]}{i:02d}", r) for i, r in zip(taken, liked, strict=True)
            ]
        frames[side] = pd.DataFrame(rows, columns=["user_id", "item_id", "rating"])
    return frames


@pytest.fixture(scope="session")
def world() -> dict[str, pd.DataFrame]:
    return taste_world()


@pytest.fixture(scope="session")
def files(
    world: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The source as CSV, the target as a folder of Parquet."""
    folder = tmp_path_factory.mktemp("world")
    world["source"].to_csv(folder / "source.csv", index=False)
    (folder / "target").mkdir()
    half = len(world["target"]) // 2
    world["target"][:half].to_parquet(folder / "target" / "part-0.parquet")
    world["target"][half:].to_parquet(folder / "target" / "part-1.parquet")
    return {"source": str(folder / "source.csv"), "target": str(folder / "target")}


@pytest.fixture(scope="session")
def embedded(world: dict[str, pd.DataFrame]) -> dict[str, Interactions]:
    return {side: Interactions.from_frame(frame) for side, frame in world.items()}


@pytest.fixture(scope="session")
def people(spark: Any, files: dict[str, str]) -> Any:
    from transrec_core.engines.spark.people import read_people

    return read_people(spark, files["source"], files["target"])


@pytest.fixture
def dirty(tmp_path: Path) -> str:
    path = tmp_path / "dirty.csv"
    path.write_text(
        "user;item;rating\nu1;a;5\nu1;a;3\n;b;4\nu2;b;many\nu2;c;1\nu3;;2\n", encoding="utf-8"
    )
    return str(path)
