"""Figures say what they show, keep data out of templates, and stay within their limits."""

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard import charts, compute, jobs, wording
from dashboard.compute import Histogram
from transrec_core.evidence.costs import Cost, Costs, costs
from transrec_core.evidence.results import Evidence, Interval
from transrec_core.running import Run
from transrec_core.settings import METHODS
from transrec_core.space import ItemMap

BASELINES = ("popularity", "item_mean", "biases", "target_only", "ease")
NASTY = '<b onclick="x()">%{x} <a href="http://evil.example">&amp;'


@pytest.fixture
def evidence(small_run: Run) -> Evidence:
    assert small_run.comparison is not None
    return small_run.comparison.headline


@pytest.fixture
def items(fitted: jobs.Workspace) -> ItemMap:
    assert fitted.shown is not None
    return compute.item_map(fitted.shown)


def every_figure(evidence: Evidence, items: ItemMap, dark: bool) -> dict[str, go.Figure]:
    tried = pd.DataFrame({"rank": [8, 16], "lam": [0.1, 0.1], "score": [0.2, 0.3]})
    bars = Histogram(("1", "2"), (0.5, 0.5), (0.25, 0.75))
    return {
        "curve": charts.k_shot_curve(evidence, dark),
        "dots": charts.gain_dots(evidence, dark),
        "costs": charts.cost_dots(costs(evidence, evidence.shots[0]), evidence, dark),
        "tried": charts.tried_heatmap(tried, "score", "Target only", dark),
        "bars": charts.compare_bars(bars, "Ratings", "Rating", "Share", dark),
        "map": charts.item_scatter(items, found=[1], chosen=0, near={2: "x"}, dark=dark),
    }


@pytest.mark.parametrize("dark", [False, True])
def test_every_chart_has_a_title_and_named_axes(
    evidence: Evidence, items: ItemMap, dark: bool
) -> None:
    for name, figure in every_figure(evidence, items, dark).items():
        assert figure.layout.title.text, name
        assert figure.layout.xaxis.title.text, name
        assert figure.layout.yaxis.title.text, name
        assert figure.layout.uirevision, name
        if name != "tried":
            assert figure.layout.dragmode == "pan", name


def test_data_never_stands_in_a_hover_template(items: ItemMap) -> None:
    frame = items.frame.assign(name=NASTY)
    figure = charts.item_scatter(
        dataclasses.replace(items, frame=frame), found=[1], chosen=0, near={2: NASTY}
    )
    spec = json.loads(figure.to_json())
    text = json.dumps([trace.get("text") for trace in spec["data"]])
    for trace in spec["data"]:
        assert "onclick" not in trace.get("hovertemplate", "")
        assert "evil" not in trace.get("hovertemplate", "")
    assert "<b onclick" not in text
    assert "<a href" not in text
    assert "%{x}" not in text
    assert "&lt;b onclick" in text


def test_selections_map_back_by_integers(items: ItemMap) -> None:
    figure = charts.item_scatter(items)
    for trace, domain in zip(figure.data, ("source", "target"), strict=True):
        rows = np.asarray(trace.customdata)
        assert np.issubdtype(rows.dtype, np.integer)
        assert (items.frame.loc[rows, "domain"] == domain).all()
        assert np.allclose(items.frame.loc[rows, "x"], trace.x)


def test_the_map_has_one_scale_on_both_axes(items: ItemMap) -> None:
    layout = charts.item_scatter(items).layout
    assert layout.yaxis.scaleanchor == "x"
    assert layout.xaxis.constrain == layout.yaxis.constrain == "domain"


def test_the_same_input_gives_the_same_bytes(items: ItemMap) -> None:
    assert charts.item_scatter(items).to_json() == charts.item_scatter(items).to_json()


def test_large_maps_are_sampled_and_keep_what_was_found() -> None:
    n = 30_000
    frame = pd.DataFrame(
        {
            "domain": ["source"] * 25_000 + ["target"] * 5_000,
            "item_id": [str(i) for i in range(n)],
            "name": "x",
            "x": 0.0,
            "y": 0.0,
            "interactions": 1,
        }
    )
    kept = charts.sampled(frame, [3, 29_999])
    assert len(kept) <= charts.MAX_POINTS
    assert {3, 29_999} <= set(kept.index)
    shares = kept["domain"].value_counts(normalize=True)
    assert shares["source"] == pytest.approx(25 / 30, abs=0.01)
    figure = charts.item_scatter(ItemMap(frame, (0.5, 0.2), 0.9))
    assert {trace.type for trace in figure.data} == {"scattergl"}


def test_the_curve_draws_every_method_once_and_the_placebo_at_the_baseline(
    evidence: Evidence,
) -> None:
    figure = charts.k_shot_curve(evidence)
    shown = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert len(shown) == len(set(shown))
    first = evidence.shots[0]
    bold = {wording.method_word(n) for n in (first.best_baseline, first.transfer, "auto")}
    assert bold | {"Other transfer methods"} <= set(shown)
    assert drawn(figure).keys() == set(first.methods)
    band = next(trace for trace in figure.data if str(trace.name).startswith("Placebo"))
    base = first.methods[first.best_baseline].mean
    top, bottom = max(band.y[0], band.y[-1]), min(band.y[0], band.y[-1])
    assert top == pytest.approx(base + first.placebo.high)
    assert bottom == pytest.approx(base + first.placebo.low)


def test_lower_is_better_turns_the_placebo_band(evidence: Evidence) -> None:
    turned = dataclasses.replace(evidence, higher_is_better=False)
    figure = charts.k_shot_curve(turned)
    band = next(trace for trace in figure.data if str(trace.name).startswith("Placebo"))
    first = evidence.shots[0]
    base = first.methods[first.best_baseline].mean
    assert max(band.y[0], band.y[-1]) == pytest.approx(base - first.placebo.low)
    assert "lower is better" in figure.layout.yaxis.title.text


def test_the_same_methods_look_different_in_more_than_colour(evidence: Evidence) -> None:
    lines = [t for t in charts.k_shot_curve(evidence).data if t.mode == "lines+markers"]
    assert len({(t.line.dash, t.marker.symbol) for t in lines}) == len(lines)


def test_every_method_has_its_own_symbol() -> None:
    from dashboard.charts.evidence import _LINES

    assert set(METHODS) | set(BASELINES) <= set(_LINES)
    assert len(set(_LINES.values())) == len(_LINES)


def test_gains_lie_over_seconds_with_names_beside_the_dots(evidence: Evidence) -> None:
    found = costs(evidence, evidence.shots[0])
    figure = charts.cost_dots(found, evidence)
    dots = {
        text.strip(): (x, y)
        for trace in figure.data
        for text, x, y in zip(trace.text, trace.x, trace.y, strict=True)
    }
    assert len(dots) == len(found.methods) > 3
    for cost in found.methods:
        x, y = dots[wording.method_label(cost.method)]
        assert x == pytest.approx(max(cost.seconds, 0.001))
        assert y == pytest.approx(cost.gain.mean if cost.gain else 0)
    assert figure.layout.xaxis.type == "log"
    assert any(shape.y0 == shape.y1 == 0 for shape in figure.layout.shapes)


def test_names_of_methods_that_are_alike_do_not_lie_on_each_other(evidence: Evidence) -> None:
    gain = Interval(0.05, 0.04, 0.06)
    pair = (Cost("factor_map", 1.0, gain), Cost("row_map", 1.02, gain))
    far = Cost("neural_map", 30.0, Interval(-0.02, -0.03, -0.01))
    figure = charts.cost_dots(Costs(0, "target_only", (*pair, far), "", None), evidence)
    places = {
        text.strip(): place
        for trace in figure.data
        for text, place in zip(trace.text, trace.textposition, strict=True)
    }
    assert places["Factor map"] != places["Row map"]
    # What took no time has a place too, though the axis has no zero.
    nothing = Costs(0, "target_only", (Cost("target_only", 0.0, None),), "", None)
    assert charts.cost_dots(nothing, evidence).data[0].x[0] > 0


def drawn(figure: go.Figure) -> dict[str, Any]:
    """The line of each method, by what its hover says it is."""
    words = {wording.method_word(name): name for name in (*METHODS, *BASELINES)}
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    return {words[line.text[0].split("<b>")[1].split("</b>")[0]]: line for line in lines}


def test_the_methods_to_compare_are_bold_and_the_others_wait_in_the_legend(
    evidence: Evidence,
) -> None:
    figure = charts.k_shot_curve(evidence)
    bold = {n for s in evidence.shots for n in (s.best_baseline, s.transfer, "auto")}
    others = {n for s in evidence.shots for n in s.gains} - bold
    assert others
    for name, line in drawn(figure).items():
        assert (line.line.width > 1) == (name not in others), name
        assert line.visible == (True if name in bold else "legendonly"), name
    bands = {t.legendgroup for t in figure.data if t.fill and t.showlegend is False}
    assert bands == bold - {"auto"}
    entries = [t for t in figure.data if t.showlegend is not False]
    # The placebo, each bold line, and one entry for each of the two groups of others.
    assert len(entries) <= 1 + len(bold) + 2


def test_a_cell_is_picked_by_its_row_and_the_fitted_one_is_outlined() -> None:
    tried = pd.DataFrame({"rank": [8, 8, 16], "lam": [0.1, 0.002, 0.1], "ndcg@10": [0.2, 0.3, 0.4]})
    cells = charts.tried_heatmap(tried, "ndcg@10", "Target only", fitted=2).data[1]
    assert list(cells.customdata) == [0, 1, 2]
    assert list(cells.x) == ["0.1", "0.002", "0.1"]
    assert list(cells.y) == ["8", "8", "16"]
    assert [width > 0 for width in cells.marker.line.width] == [False, False, True]
    # The grid below shows each score where its square lies.
    grid = charts.tried_heatmap(tried, "ndcg@10", "Target only").data[0]
    for row in tried.itertuples():
        at = (list(grid.y).index(str(row.rank)), list(grid.x).index(f"{row.lam:.3g}"))
        assert grid.z[at] == row[3]


def test_dots_tell_the_side_of_zero_by_symbol_and_escape_names() -> None:
    rows = pd.DataFrame(
        {
            "heading": ["By genre", "By genre", "By size"],
            "level": [NASTY, "crime", "1 to 3"],
            "gain": [0.1, 0.0, -0.1],
            "low": [0.05, -0.02, -0.2],
            "high": [0.15, 0.02, -0.05],
            "users": [20, 1200, 30],
        }
    )
    figure = charts.cohort_dots(rows, "ndcg@10", "users", "Gain")
    assert [trace.marker.symbol for trace in figure.data] == ["circle", "circle-open", "diamond"]
    said = figure.to_json()
    assert "<b onclick" not in said
    assert "1,200" in said
    # Headings have rows of their own, above their levels.
    assert [a.text for a in figure.layout.annotations] == ["<b>By genre</b>", "<b>By size</b>"]
    assert [a.y for a in figure.layout.annotations] == [0, 3]
    assert list(figure.layout.yaxis.tickvals) == [1, 2, 4]
    sources = charts.source_dots(
        pd.DataFrame({**rows, "source": rows["level"]}), "ndcg@10", dark=True
    )
    assert "<b onclick" not in sources.to_json()
    assert "<a href" not in sources.to_json()


def test_two_runs_differ_by_shots() -> None:
    rows = pd.DataFrame(
        {
            "what": ["What the run serves", "Its transfer method"],
            "shots": [0, 5],
            "gain": [0.1, -0.1],
            "low": [0.0, -0.2],
            "high": [0.2, 0.0],
            "users": [9, 9],
        }
    )
    figure = charts.difference_dots(rows, "ndcg@10", "users", (NASTY, "Run 2"))
    assert "<b onclick" not in figure.to_json()
    assert figure.layout.title.text.startswith("Run 2 minus &lt;b")
    first, second = figure.data[:2]
    assert (first.x[0], second.x[0]) == (0.1, -0.1)
    assert first.marker.symbol != second.marker.symbol


def test_the_best_cell_is_the_brightest_for_errors_too() -> None:
    tried = pd.DataFrame({"rank": [8, 8], "lam": [0.1, 0.2], "rmse": [0.9, 0.8]})
    figure = charts.tried_heatmap(tried, "rmse", "Target only", higher_is_better=False)
    assert figure.data[0].reversescale
    assert not charts.tried_heatmap(tried, "rmse", "Target only").data[0].reversescale
