"""Texts that try to be more than text: in every figure, in tables, and in names of downloads."""

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import payloads
import plotly.graph_objects as go
import pytest
from payloads import GENRES, IDS, NAMES, TITLES

from dashboard import charts, compute, jobs, wording
from dashboard.compute import Colouring, Part, Reasons
from transrec_core.evidence.costs import costs
from transrec_core.evidence.results import Evidence
from transrec_core.space import ItemMap

HOSTILE = [*TITLES, *IDS, *GENRES]
# What figures write themselves; anything else that looks like it comes from the data.
OWN_MARKUP = re.compile(r"</?b>|<br>|<extra>|</extra>")
OWN_FIELDS = re.compile(r"%\{(text|hovertext|x|y|z|customdata)(:[.,%\w]*)?\}")


@pytest.fixture
def result(fitted: jobs.Workspace) -> jobs.Result:
    assert fitted.shown is not None
    return fitted.shown


@pytest.fixture
def evidence(result: jobs.Result) -> Evidence:
    assert result.run.comparison is not None
    return result.run.comparison.headline


def hostile(n: int) -> list[str]:
    return [p.text for p in itertools.islice(itertools.cycle(HOSTILE), n)]


def rows_of_dots(heading: str) -> pd.DataFrame:
    names = hostile(len(HOSTILE))
    gains = np.linspace(-0.2, 0.2, len(names))
    return pd.DataFrame(
        {heading: names, "level": names, "heading": names, "gain": gains, "low": gains - 0.1,
         "high": gains + 0.1, "users": 10, "source": names}
    )  # fmt: skip


def every_figure(result: jobs.Result, evidence: Evidence) -> Iterator[tuple[str, go.Figure]]:
    """Every chart of the dashboard, with hostile text wherever it takes text from the data."""
    items = compute.item_map(result)
    frame = items.frame.assign(name=hostile(len(items.frame)))
    items = dataclasses.replace(items, frame=frame)
    found = list(range(8))
    near = {n: frame["name"][n] for n in range(10, 14)}
    yield "map", charts.item_scatter(items, found=found, chosen=20, near=near)
    apart = {side: ItemMap(frame, (0.5, 0.2), 0.9) for side in ("source", "target")}
    yield "map apart", charts.item_scatter(items, found=found, apart=apart)
    order = tuple(p.text for p in GENRES[:8])
    groups = tuple(itertools.islice(itertools.cycle(order), len(frame)))
    yield (
        "map by genre",
        charts.item_scatter(items, colouring=Colouring("Genre", groups=(groups, order))),
    )
    close = frame.iloc[1:9].assign(row=range(1, 9))[["domain", "row", "name"]]
    yield "close-up", charts.item_closeup(items, 0, close)
    matrix = compute.alignment_matrix(result)
    sides = [tuple(hostile(3 * k)[-3:] for k in range(1, len(s) + 1)) for s in (
        matrix.source_items, matrix.target_items)]  # fmt: skip
    yield (
        "alignment",
        charts.alignment_heatmap(
            dataclasses.replace(matrix, source_items=sides[0], target_items=sides[1])
        ),
    )
    yield "canonical", charts.canonical_bars(compute.alignment(result))
    parts = tuple(Part(name, side, 0.1) for name in hostile(40) for side in ("source", "target"))
    yield (
        "reasons",
        charts.contribution_steps(Reasons(TITLES[0].text, parts, 8.0, "factor_map", 1.0), "Source"),
    )
    yield "cohorts", charts.cohort_dots(rows_of_dots("heading"), "ndcg@10", "users", "Gain")
    yield "sources", charts.source_dots(rows_of_dots("source"), "ndcg@10")
    runs = pd.DataFrame(
        {"what": ["What the run serves"], "shots": [0], "gain": [0.1], "low": [0.0],
         "high": [0.2], "users": [9]}
    )  # fmt: skip
    for one, other in itertools.pairwise(NAMES[::6]):
        yield "runs", charts.difference_dots(runs, "ndcg@10", "users", (one.text, other.text))
    yield "curve", charts.k_shot_curve(evidence)
    yield "gains", charts.gain_dots(evidence)
    yield "costs", charts.cost_dots(costs(evidence, evidence.shots[0]), evidence)


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a figure with the key that they stand under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for inner, part in value.items():
            yield from strings(part, inner)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part, key)


def test_no_figure_lets_text_from_data_be_markup_or_template(
    result: jobs.Result, evidence: Evidence
) -> None:
    told = set()
    for name, figure in every_figure(result, evidence):
        for key, text in strings(json.loads(figure.to_json())):
            if "template" in key:
                assert "pwn" not in text, (name, key, text)
                assert "%{" not in OWN_FIELDS.sub("", text), (name, key, text)
            elif "pwn" in text:
                told.add(name)
                assert "<" not in OWN_MARKUP.sub("", text), (name, key, text)
                assert "%{" not in text, (name, key, text)
                assert text.isprintable() or wording.WORD_JOINER in text, (name, key, text)
    assert told == {"map", "map apart", "map by genre", "close-up", "alignment", "reasons",
                    "cohorts", "sources", "runs"}  # fmt: skip


def test_every_chart_is_among_them(result: jobs.Result, evidence: Evidence) -> None:
    drawing = {name for name in charts.__all__ if "go.Figure" in str(
        getattr(getattr(charts, name), "__annotations__", {}).get("return"))}  # fmt: skip
    drawing |= {
        name
        for name in charts.__all__
        if getattr(getattr(charts, name), "__annotations__", {}).get("return") is go.Figure
    }
    # Shares of rating values, and ranks and λ that were tried: numbers alone.
    assert drawing - {"compare_bars", "tried_heatmap", "styled"} == {
        "alignment_heatmap", "canonical_bars", "cohort_dots", "contribution_steps",
        "cost_dots", "difference_dots", "gain_dots", "item_closeup", "item_scatter", "k_shot_curve",
        "source_dots",
    }  # fmt: skip


def test_the_watch_of_pages_notices_what_is_shown_otherwise() -> None:
    """The walk through all pages in the browser is no better than its eyes."""
    watch = payloads.Watch(None)
    for payload in payloads.BY_MARK.values():
        watch.judge("whole", f"Rated {payload.shown} highly")
        watch.judge("cut", wording.plain(payload.text, payload.shown.index(payload.mark) + 12))
    assert watch.wrong == []
    assert watch.forms() == set(range(len(payloads.FORMS)))
    told = [p for p in TITLES if not p.shown.strip().startswith(p.mark)]
    for payload in told:
        watch.judge("a sign is missing", payload.shown.strip()[1:])
    assert len(watch.wrong) == len(told)
    watch.judge("turned round", "a\u202eb")
    assert len(watch.wrong) == len(told) + 1


# ── tables and Markdown ──────────────────────────────────────────────────────────────────────────


def test_cells_and_heads_are_shown_plain_and_stay_apart() -> None:
    texts = [p.text for p in HOSTILE]
    frame = pd.DataFrame({"a\u202eb": texts, "ab": range(len(texts)), "n": [None, *texts[1:]]})
    before = frame.copy(deep=True)
    shown = compute.plain_cells(frame)
    assert list(shown.columns) == ["ab", "ab *", "n"]
    assert shown["ab"].tolist() == [p.shown for p in HOSTILE]
    assert shown["ab *"].tolist() == frame["ab"].tolist()
    assert pd.isna(shown["n"][0])
    pd.testing.assert_frame_equal(frame, before)


def test_a_table_without_anything_odd_is_not_copied() -> None:
    frame = pd.DataFrame({"title": ["Zoé", "=1+1", "<b>"], "score": [1.0, 2.0, 3.0]})
    assert compute.plain_cells(frame) is frame


def test_the_preview_keeps_roles_whatever_its_columns_are_called(
    workspace: jobs.Workspace,
) -> None:
    content = "user\u202e,user,item,rating\nx,u1,i1,5\ny,u2,i1,3\n".encode()
    assert compute.load_side(workspace, "source", content, "odd.csv")
    assert workspace.source is not None
    shown = compute.preview(workspace.source)
    assert all(name.isprintable() for name in shown.frame.columns)
    assert set(shown.roles) <= set(shown.frame.columns)
    assert sorted(shown.roles.values()) == ["item", "rating", "user"]
    charts.tinted(shown).to_html()


@pytest.mark.parametrize("sign", ["--", "->", "<-", "<->", ">=", "<=", "~="])
def test_signs_that_are_drawn_together_stay_apart(sign: str) -> None:
    """Streamlit makes a dash, an arrow or another sign of these where they stand alone."""
    seen = wording.escape_md(f"a {sign} b").replace("\\", "")
    assert f" {sign} " not in seen
    assert seen.replace(wording.WORD_JOINER, "") == f"a {sign} b"


def test_a_badge_escapes_square_brackets_once() -> None:
    assert wording.escape_badge("[x](y) \\[z") == r"[x]\(y\) \\[z"


# ── names of downloads ───────────────────────────────────────────────────────────────────────────

RESERVED = ("con", "CON.csv", "nul", "com1.zip", "lpt9", "aux.json", "prn")
ODD_NAMES = [
    *(p.text for p in payloads.payloads("d")), *RESERVED, "", ".", "..", "...", "~", "-rf",
    "a" * 400, "a/b/c", "C:\\x", "\\\\server\\share", "file:///etc/passwd", "a\x00b", "a\nb",
    "a\r\nb: c",
    'a"; filename="b', "é.csv", "日本語.csv", "🙂", " lead", "trail ", "trail.",
    ".hidden", "a..b", "%2e%2e%2f",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD_NAMES)
def test_names_of_downloads_are_slugs(text: str) -> None:
    name = wording.safe_filename(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", name), name
    assert not name.endswith(".")
    assert ".." not in name
    assert name.split(".")[0].upper() not in ("CON", "NUL", "COM1", "LPT9", "AUX", "PRN")


@pytest.mark.parametrize("name", ["recommendations-cafe0001.csv", "report.html", "a_b-c.zip"])
def test_ordinary_names_stay(name: str) -> None:
    assert wording.safe_filename(name) == name
