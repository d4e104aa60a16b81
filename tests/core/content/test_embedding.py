from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from text_models import PACKAGE

from transrec_core.content import embedding
from transrec_core.content.embedding import SentenceEmbedder, cut_problems, embedder_of
from transrec_core.content.models import find_model
from transrec_core.content.vector_cache import VectorCache
from transrec_core.content.words import item_sentences
from transrec_core.errors import Cancelled, MissingExtraError, UnusableModelError
from transrec_core.progress import Meter, Progress

TEXTS = [
    "Alien. Genres: Horror, Sci-Fi.",
    "A spaceship's crew meets a deadly creature from another world.",
    "Notting Hill. Genres: Romance, Comedy.",
    "エイリアン。宇宙船の乗組員が未知の生物に襲われる。",
    "كائن فضائي يطارد طاقم سفينة",
    "👽🚀😱",
    "very " * 3000 + "long",
    "a lone \ud800 surrogate",
]


@pytest.fixture
def model(real_model: SentenceEmbedder) -> SentenceEmbedder:
    return real_model


@pytest.fixture
def with_cache(model, tmp_path):
    """The same model with a cache of its own."""

    def make() -> SentenceEmbedder:
        found = SentenceEmbedder(PACKAGE, VectorCache(tmp_path / "cache"))
        found._model = model._loaded()
        return found

    return make


# ── a real model ─────────────────────────────────────────────────────────────────────────────────


def test_texts_of_any_script_have_unit_vectors_and_an_empty_one_has_none(model):
    found = model.embed(["", *TEXTS, "  \n"])
    assert found.shape == (len(TEXTS) + 2, 384)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found[1:-1], axis=1), 1, atol=1e-6)
    assert not found[[0, -1]].any()


def test_what_means_the_same_lies_closer(model):
    alien, creature, romance = model.embed(TEXTS[:3])
    assert creature @ alien > creature @ romance + 0.2


def test_a_text_has_one_vector_whatever_stands_beside_it(model):
    alone = np.concatenate([model.embed([text]) for text in TEXTS])
    together = model.embed(TEXTS)
    backwards = model.embed(TEXTS[::-1])[::-1]
    np.testing.assert_allclose(alone, together, atol=2e-6)
    assert (together == backwards).all()


def test_texts_that_are_cut_short_are_counted(model):
    model.embed(TEXTS)
    assert model.cut_short(TEXTS) == 1
    (problem,) = cut_problems(model, TEXTS)
    assert (problem.code, problem.severity, problem.count) == ("TEXTS_CUT_SHORT", "warning", 1)
    assert problem.message.startswith("1 text is longer than the language model reads")
    assert cut_problems(model, TEXTS[:3]) == ()


def test_no_text_at_all_is_no_error(model):
    assert model.embed([]).shape[0] == 0
    assert not model.embed(["", " "]).any()


def test_what_is_cached_is_the_very_same_and_needs_no_model(with_cache, monkeypatch):
    first = with_cache()
    wanted = first.embed(TEXTS)
    again = with_cache()
    again._model = None
    monkeypatch.setattr("transrec_core.extras.find_spec", lambda name: None)
    assert (again.embed(TEXTS[::-1])[::-1] == wanted).all()
    assert again._model is None
    assert again.cut_short(TEXTS) == 1
    with pytest.raises(MissingExtraError, match=r"pip install 'transrec\[text\]'"):
        again.embed(["something new"])


def test_progress_is_told_and_can_stop_the_work(with_cache, monkeypatch):
    monkeypatch.setattr(embedding, "AT_ONCE", 2)
    told: list[Progress] = []
    with_cache().embed(TEXTS[:5], Meter(told.append, 0.2, 0.6))
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.2, 0.6)
    assert told[1].detail == "2 of 5 texts"

    def stop(progress: Progress) -> None:
        if progress.fraction > 0:
            raise Cancelled("Stopped.")

    more = [f"{text} more" for text in TEXTS[:5]]
    with pytest.raises(Cancelled):
        with_cache().embed(more, Meter(stop))
    # What was read until then is kept.
    again = with_cache()
    again.embed(more, Meter(told.append))
    assert told[len(fractions)].detail == "2 of 5 texts"


def test_damaged_weights_are_an_error_that_says_so(model, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(find_model(PACKAGE), folder)
    (folder / "model.safetensors").write_bytes(b"\xff" * 1000)
    with pytest.raises(UnusableModelError, match=r"The language model damaged cannot be loaded"):
        SentenceEmbedder(str(folder), VectorCache(None)).embed(["x"])


# ── without one ──────────────────────────────────────────────────────────────────────────────────


def test_the_setting_names_the_model():
    assert embedder_of("tfidf") is None
    with pytest.raises(UnusableModelError):
        embedder_of("/nowhere/at/all")


def test_importing_loads_neither_torch_nor_a_model():
    code = (
        "import sys, transrec_core.content.embedding, transrec_core.running\n"
        "sys.exit(str({'torch', 'sentence_transformers', 'huggingface_hub'}"
        " & set(sys.modules) or '') or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_items_text_reads_like_a_sentence():
    items = pd.DataFrame(
        {
            "title": ["Alien (1979)", "", "千と千尋の神隠し", "Who?", None, ""],
            "genres": ["Horror|Sci-Fi", "['Drama']", "", "(no genres listed)", "", ""],
            "description": ["In space\nno one  hears you scream", "", "少女の物語。", "", "", None],
        }
    )
    assert item_sentences(items) == [
        "Alien. Genres: Horror, Sci-Fi. In space no one hears you scream.",
        "Genres: Drama.",
        "千と千尋の神隠し. 少女の物語。",
        "Who?",
        "",
        "",
    ]
    assert item_sentences(items[["title"]])[0] == "Alien."
