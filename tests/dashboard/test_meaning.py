"""The map's search finds items by what they are about, by words or by the run's language model."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import compute, jobs
from dashboard.compute import meaning
from transrec_core import extras
from transrec_core.content import models
from transrec_core.errors import MissingExtraError
from transrec_core.progress import UNTOLD, Meter
from transrec_core.running import Run
from transrec_core.transfer.knowledge import Texts

OpenApp = Callable[..., AppTest]
MODEL = "some/model-of-ours"


def shown(space: jobs.Workspace) -> jobs.Result:
    assert space.shown is not None
    return space.shown


def said(app: AppTest) -> str:
    return " ".join(str(caption.value) for caption in app.caption).replace("\\", "")


def listed(app: AppTest) -> list[tuple[str, str]]:
    for table in app.dataframe:
        if "found" in table.value.columns:
            return list(zip(table.value["found"], table.value["name"], strict=True))
    return []


class First:
    """A stand-in for a model: what starts with the same letter means the same."""

    def embed(self, texts: Sequence[str], meter: Meter = UNTOLD) -> np.ndarray:
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            if text:
                row[ord(text[0].lower()) % 64] = 1
        return rows


@pytest.fixture
def with_model(
    fitted: jobs.Workspace, small_run: Run, monkeypatch: pytest.MonkeyPatch
) -> jobs.Workspace:
    """A run whose texts a language model has read, which the operator offers."""
    frames = (small_run.source_items, small_run.target_items)
    assert frames[0] is not None
    assert frames[1] is not None
    vectors = [First().embed([str(title) for title in frame["title"]]) for frame in frames]
    ground = dataclasses.replace(small_run.fit.ground, texts=Texts(*frames, *vectors))
    run = dataclasses.replace(
        small_run,
        settings=dataclasses.replace(small_run.settings, text_model=MODEL),
        fit=dataclasses.replace(small_run.fit, ground=ground),
    )
    monkeypatch.setattr(extras, "_missing", lambda extra: [])
    monkeypatch.setattr(models, "PACKAGES", ())
    monkeypatch.setenv("TRANSREC_TEXT_MODELS", MODEL)
    monkeypatch.setattr(meaning, "_embedder", lambda name: First())
    fitted.install(run, fitted.inputs, ("films.csv", "books.csv"), "cafe0011")
    return fitted


def test_titles_come_first_then_what_is_about_the_same(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    result = shown(fitted)
    frame = compute.item_map(result).frame
    genre = next(name for name in compute.colouring(result, "genre").groups[1] if name != "Other")
    found = compute.found_items(result, frame, genre)
    assert found.meant
    assert found.reader == "their words (TF-IDF)"
    by_meaning = found.listed[found.listed["found"] == "By meaning"]
    genres = [compute.item_facts(result, int(row)).genres for row in by_meaning["row"]]
    assert all(genre in text for text in genres)
    assert by_meaning["cosine"].is_monotonic_decreasing
    assert set(by_meaning["domain"]) <= {"source", "target"}
    # The names are those of the rows.
    assert frame.loc[by_meaning["row"], "name"].tolist() == by_meaning["name"].tolist()
    app = open_app(fitted, "space")
    app.text_input(key="map_search").set_value(genre).run()
    assert not app.exception
    assert "By meaning:" in said(app)
    assert listed(app) == list(zip(found.listed["found"], found.listed["name"], strict=True))
    options = app.selectbox(key=f"inspect_{result.id}").options
    assert [option.rsplit(" (", 1)[0] for option in options[: len(found.rows)]] == [
        frame.loc[row, "name"] for row in found.rows
    ]


def test_nothing_found_says_so_in_both_ways(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    app = open_app(fitted, "space")
    app.text_input(key="map_search").set_value("zzzz").run()
    assert "No item holds “zzzz”" in said(app)
    assert "no text has anything in common with “zzzz”" in said(app)
    assert listed(app) == []


def test_without_texts_titles_alone_are_searched(
    open_app: OpenApp, fitted: jobs.Workspace, small_run: Run
) -> None:
    bare = dataclasses.replace(small_run, source_items=None, target_items=None)
    fitted.install(bare, fitted.inputs, ("a", "b"), "cafe0012")
    app = open_app(fitted, "space")
    app.text_input(key="map_search").set_value("b001").run()
    assert not app.exception
    assert "found." in said(app)
    assert "By meaning" not in said(app)


def test_the_language_model_of_the_run_reads_the_query(
    open_app: OpenApp, with_model: jobs.Workspace
) -> None:
    result = shown(with_model)
    frame = compute.item_map(result).frame
    letter = str(frame["name"].iloc[0])[0]
    found = compute.found_items(result, frame, f"{letter}zzz")
    assert found.titled == 0
    assert found.meant
    assert found.reader == "model-of-ours"
    assert {name[0].lower() for name in found.listed["name"]} == {letter.lower()}
    item = str(frame["item_id"].iloc[0])
    alike = compute.similar_by_text(result, "target", item)
    assert alike is not None
    assert {name[0].lower() for name in alike["name"]} <= {letter.lower()}
    app = open_app(with_model, "space")
    app.text_input(key="map_search").set_value(f"{letter}zzz").run()
    assert "compared by model-of-ours" in said(app)


def test_a_model_that_cannot_be_used_leaves_the_words(
    with_model: jobs.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = shown(with_model)
    frame = compute.item_map(result).frame

    class Gone:
        def embed(self, texts: Sequence[str], meter: Meter = UNTOLD) -> np.ndarray:
            raise MissingExtraError("The model is gone.", "Install it.")

    monkeypatch.setattr(meaning, "_embedder", lambda name: Gone())
    word = str(frame["name"].iloc[0]).split()[-1]
    found = compute.found_items(result, frame, word)
    assert found.reader == "their words (TF-IDF)"
    assert found.trouble == "The model is gone. So words are compared."


def test_a_model_that_is_not_offered_is_not_loaded(
    with_model: jobs.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = shown(with_model)

    def refuse(name: str) -> First:
        raise AssertionError(f"{name} was loaded")

    monkeypatch.setattr(meaning, "_embedder", refuse)
    monkeypatch.setenv("TRANSREC_TEXT_MODELS", "")
    found = compute.found_items(result, compute.item_map(result).frame, "a film")
    assert found.reader == "their words (TF-IDF)"
    assert found.trouble == ""
