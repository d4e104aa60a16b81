"""A language model on the command line, from ratings to lists."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from text_models import PACKAGE
from worlds import checkerboard, ratings_of, texts_of

from dashboard import launch
from transrec_core import cli
from transrec_core.content.embedding import SentenceEmbedder


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A catalogue of comedies and thrillers, and users who like either."""
    pair = checkerboard(users=120)
    ratings_of(pair.target, "t.csv").frame.to_csv(tmp_path / "t.csv", index=False)
    genres = texts_of(pair).target["genres"]
    titles = [f"A merry wedding {i}" if i % 2 == 0 else f"A murder at night {i}" for i in range(40)]
    pd.DataFrame({"title": titles, "genres": genres}).to_csv(tmp_path / "items.csv")
    return tmp_path / "t.csv", tmp_path / "items.csv"


def recommend(files: tuple[Path, Path], model: str, out: str) -> int:
    target, items = map(str, files)
    return cli.main(
        ["recommend", target, target, "--items", items, "--cold", "items", "--method", "content",
         "--rank", "4", "--lam", "0.02", "--top", "5", "--text-model", model,
         "--out", str(files[0].with_name(out))]
    )  # fmt: skip


def test_lists_by_a_real_model_can_be_had_again_without_it(
    files: tuple[Path, Path], real_model: SentenceEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSREC_CACHE", str(files[0].with_name("cache")))
    assert recommend(files, PACKAGE, "first.csv") == 0
    lists = pd.read_csv(files[0].with_name("first.csv"))
    kinds = [lists[column].str[1:].astype(int) % 2 for column in ("item_id", "user_id")]
    assert (kinds[0] == kinds[1]).mean() > 0.95
    # Every text is known now.
    monkeypatch.setattr("transrec_core.extras.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    assert recommend(files, PACKAGE, "again.csv") == 0
    contents = [files[0].with_name(f"{name}.csv").read_bytes() for name in ("first", "again")]
    assert contents[0] == contents[1]


def test_without_the_extra_one_line_says_how_to_get_it(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("transrec_core.extras.find_spec", lambda name: None)
    assert recommend(files, "owner/some-model", "out.csv") == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "transrec: The language model 'owner/some-model' needs sentence_transformers, which is "
        "not installed. Install it with: pip install 'transrec[text]'."
    )
    assert not files[0].with_name("out.csv").exists()


def test_the_operators_models_reach_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    launched = []
    monkeypatch.setattr(launch, "launch", lambda **how: launched.append(how))
    assert cli.main(["app", "--text-model", "a", "--text-model", "/b c"]) == 0
    assert launched[0]["text_models"] == ["a", "/b c"]
