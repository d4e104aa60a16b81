"""The sample is what its script makes, looks like real data, and holds the truth it claims."""

import io
import json
import runpy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

NAMES = ("books", "films", "podcasts")
SHARED = {"films": 900, "podcasts": 700}


@pytest.fixture(scope="module")
def made(sample_data: Path) -> Mapping[str, bytes]:
    # run_path leaves no __pycache__ in a folder that is packed into the wheel
    files: Mapping[str, bytes] = runpy.run_path(str(sample_data / "generate.py"))["make_files"]()
    return files


@pytest.fixture(scope="module")
def ratings(sample_data: Path) -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(sample_data / f"{name}.csv") for name in NAMES}


@pytest.fixture(scope="module")
def items(sample_data: Path) -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(sample_data / f"{name}_items.csv") for name in NAMES}


def test_committed_files_are_what_the_script_makes(
    sample_data: Path, made: Mapping[str, bytes]
) -> None:
    data = {path.name for path in sample_data.iterdir() if path.suffix in (".csv", ".json")}
    assert data == set(made)
    different = [name for name in sorted(made) if (sample_data / name).read_bytes() != made[name]]
    assert not different, f"run python sample_data/generate.py: {different} differ"


def test_another_seed_makes_other_ratings(sample_data: Path, made: Mapping[str, bytes]) -> None:
    make_files = runpy.run_path(str(sample_data / "generate.py"))["make_files"]
    other = pd.read_csv(io.BytesIO(make_files(1)["books.csv"]))
    assert not other.equals(pd.read_csv(io.BytesIO(made["books.csv"])))


@pytest.mark.parametrize("name", NAMES)
def test_ratings_are_clean(name: str, ratings: dict[str, pd.DataFrame], sample_data: Path) -> None:
    frame = ratings[name]
    assert list(frame.columns) == ["user_id", "item_id", "rating", "timestamp"]
    assert not frame.isna().to_numpy().any()
    assert not frame.duplicated(["user_id", "item_id"]).any()
    assert set(frame["rating"]) == {1, 2, 3, 4, 5}
    assert frame["user_id"].str.fullmatch(r"u\d{4}").all()
    assert frame["item_id"].str.fullmatch(rf"{name[0]}\d{{3}}").all()
    assert pd.to_datetime(frame["timestamp"], unit="s").dt.year.between(2021, 2024).all()
    assert frame["timestamp"].is_monotonic_increasing
    assert (sample_data / f"{name}.csv").stat().st_size < 2_000_000


@pytest.mark.parametrize("name", NAMES)
def test_popularity_and_activity_have_long_tails(
    name: str, ratings: dict[str, pd.DataFrame]
) -> None:
    for column in ("item_id", "user_id"):
        counts = np.sort(ratings[name][column].value_counts().to_numpy())[::-1]
        top_fifth = counts[: len(counts) // 5].sum() / counts.sum()
        assert 0.35 < top_fifth < 0.7
        assert counts[0] > 4 * np.median(counts)


@pytest.mark.parametrize("name", NAMES)
def test_every_rated_item_is_described_once(
    name: str, ratings: dict[str, pd.DataFrame], items: dict[str, pd.DataFrame]
) -> None:
    frame = items[name]
    assert list(frame.columns) == ["item_id", "title", "genres", "description"]
    assert not frame.isna().to_numpy().any()
    assert frame["item_id"].is_unique
    assert frame["title"].is_unique
    assert set(ratings[name]["item_id"]) <= set(frame["item_id"])
    assert frame["genres"].str.split("|").map(lambda genres: 1 <= len(set(genres)) <= 3).all()
    assert frame["description"].str.fullmatch(r"A [^.]+\.").all()


def test_users_overlap_as_stated(sample_data: Path, ratings: dict[str, pd.DataFrame]) -> None:
    truth = json.loads((sample_data / "truth.json").read_text(encoding="utf-8"))
    books = set(ratings["books"]["user_id"])
    for name, shared in SHARED.items():
        users = set(ratings[name]["user_id"])
        claim = truth[f"{name}.csv"]
        assert len(users & books) == claim["shared_users"] == shared
        assert len(users - books) == claim["cold_users"] > 0
    assert len(set.union(*(set(frame["user_id"]) for frame in ratings.values()))) == 1_500
    assert (ratings["books"]["user_id"].value_counts() >= 8).mean() > 0.85


def test_readme_states_the_real_sizes(
    sample_data: Path, ratings: dict[str, pd.DataFrame], items: dict[str, pd.DataFrame]
) -> None:
    text = (sample_data / "README.md").read_text(encoding="utf-8")
    for name, frame in ratings.items():
        sizes = (frame["user_id"].nunique(), len(items[name]), len(frame))
        assert f"`{name}_items.csv` | {' | '.join(f'{size:,}' for size in sizes)} |" in text


def taken(frame: pd.DataFrame, users: list[str]) -> NDArray[np.float64]:
    """Users × items, 1 where the user took the item."""
    table = pd.crosstab(frame["user_id"], frame["item_id"]).reindex(users)
    return np.asarray(table.to_numpy(dtype=float))


def ndcg(scores: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """NDCG@10 of each row over all items."""
    gains = np.take_along_axis(truth, np.argsort(-scores, axis=1, kind="stable")[:, :10], axis=1)
    discount = 1 / np.log2(np.arange(2, 12))
    ideal = np.cumsum(discount)[np.minimum(truth.sum(axis=1), 10).astype(int) - 1]
    return np.asarray(gains @ discount / ideal)


def gain_of_source_rows(source: pd.DataFrame, target: pd.DataFrame) -> tuple[float, float]:
    """Relative NDCG@10 gain over popularity of a ridge from source rows to target rows."""
    users = sorted(set(source["user_id"]) & set(target["user_id"]))
    x, y = taken(source, users), taken(target, users)
    x = x / np.sqrt(x.sum(axis=1, keepdims=True))
    test = np.random.default_rng(0).permutation(len(users)) < 0.3 * len(users)
    popularity = y[~test].mean(axis=0)
    kernel = x[~test] @ x[~test].T + 10 * np.eye(int((~test).sum()))
    predicted = popularity + x[test] @ x[~test].T @ np.linalg.solve(kernel, y[~test] - popularity)
    plain = ndcg(np.tile(popularity, (int(test.sum()), 1)), y[test])
    gain = ndcg(predicted, y[test]) - plain
    return float(gain.mean() / plain.mean()), float(gain.std() / len(gain) ** 0.5 / plain.mean())


def test_films_tell_what_a_user_reads_and_podcasts_do_not(
    ratings: dict[str, pd.DataFrame],
) -> None:
    films, films_error = gain_of_source_rows(ratings["films"], ratings["books"])
    podcasts, podcasts_error = gain_of_source_rows(ratings["podcasts"], ratings["books"])
    assert films - 3 * films_error > 0.15
    assert podcasts < 2 * podcasts_error


@pytest.mark.parametrize(("name", "low", "high"), [("films", 0.5, 1.0), ("podcasts", -0.1, 0.1)])
def test_generosity_is_shared_with_films_alone(
    name: str, low: float, high: float, ratings: dict[str, pd.DataFrame]
) -> None:
    means = [
        frame.groupby("user_id")["rating"].mean() for frame in (ratings[name], ratings["books"])
    ]
    assert low < pd.concat(means, axis=1, join="inner").corr().iloc[0, 1] < high


@pytest.mark.parametrize(("name", "low", "high"), [("films", 0.3, 0.7), ("podcasts", -0.1, 0.1)])
def test_activity_is_shared_with_films_alone(
    name: str, low: float, high: float, ratings: dict[str, pd.DataFrame]
) -> None:
    counts = [
        np.log(frame["user_id"].value_counts()) for frame in (ratings[name], ratings["books"])
    ]
    assert low < pd.concat(counts, axis=1, join="inner").corr().iloc[0, 1] < high
