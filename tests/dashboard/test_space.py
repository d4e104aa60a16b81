"""The Space page: the map and its colours, what a pick changes, users, factors, every state."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import charts, compute, jobs
from transrec_core.running import Run
from transrec_core.space import AlignmentMatrix, ItemMap, UserPath

OpenApp = Callable[..., AppTest]
NASTY = '<b onclick="x()">%{x} <a href="http://evil.example">&amp;'


def shown(space: jobs.Workspace) -> jobs.Result:
    assert space.shown is not None
    return space.shown


def said(app: AppTest) -> str:
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning")
    parts = [
        f"{element.value} {getattr(element.proto, 'title', '')}"
        for kind in kinds
        for element in app.get(kind)
    ]
    return " ".join(parts).replace("\\", "").replace("\u2060", "")


def figure(app: AppTest, title: str) -> Any:
    """The proto of the chart whose title begins so."""
    for element in app.get("plotly_chart"):
        found = json.loads(element.proto.spec)["layout"]["title"]["text"]
        if found.startswith(title):
            return element.proto
    raise AssertionError(f"no chart is called {title}")


# ── what the page computes ───────────────────────────────────────────────────────────────────────


def test_rows_are_the_same_items_in_every_view_and_colour(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    aligned, before = (compute.mapped(result, v).items.frame for v in compute.views(result)[:2])
    pd.testing.assert_frame_equal(
        aligned[["domain", "item_id", "name", "interactions"]],
        before[["domain", "item_id", "name", "interactions"]],
    )
    by_count = compute.colouring(result, "interactions")
    assert by_count is not None
    assert list(by_count.values) == aligned["interactions"].tolist()
    pair = result.run.pair
    ratings = compute.colouring(result, "rating")
    assert ratings is not None
    column = list(pair.target.items).index("b003")
    matrix = pair.target.matrix.tocsc()
    cells = matrix.data[matrix.indptr[column] : matrix.indptr[column + 1]]
    row = compute.row_of(aligned, "target", "b003")
    assert row is not None
    assert ratings.values[row] == pytest.approx(cells.mean())
    facts = compute.item_facts(result, row)
    assert facts is not None
    assert facts.rating == pytest.approx(cells.mean())
    assert facts.interactions == len(cells)
    assert compute.item_facts(result, len(aligned)) is None


def test_a_factor_colours_the_items_of_its_card_most(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    frame = compute.item_map(result).frame
    card = compute.factor_cards(result)[1]
    found = compute.colouring(result, f"{compute.FACTOR} {card.factor}")
    assert found is not None
    values = np.array(found.values)
    rows = [compute.row_of(frame, "target", item) for item in card.target_items[:3]]
    target = (frame["domain"] == "target").to_numpy()
    assert values[rows].min() > np.quantile(values[target], 0.9)


def test_genres_are_the_common_ones_and_the_rarest_of_an_item_counts(
    fitted: jobs.Workspace,
) -> None:
    result = shown(fitted)
    found = compute.colouring(result, "genre")
    assert found is not None
    groups, order = found.groups
    assert order[-1] == "Other"
    assert len(order) <= 8
    frame = compute.item_map(result).frame
    items = result.run.target_items
    assert items is not None
    for row in np.flatnonzero(frame["domain"] == "target")[:40]:
        genres = items.loc[frame.loc[row, "item_id"], "genres"].replace("|", ",").split(",")
        named = [genre for genre in order[:-1] if genre in genres]
        assert groups[row] == (named[-1] if named else "Other")


def test_without_genres_and_ratings_there_is_less_to_colour_by(
    loaded: jobs.Workspace, small_run: Run
) -> None:
    pair = small_run.pair
    plain = dataclasses.replace(
        pair,
        source=dataclasses.replace(pair.source, explicit=False),
        target=dataclasses.replace(pair.target, explicit=False),
    )
    fit = dataclasses.replace(
        small_run.fit, ground=dataclasses.replace(small_run.fit.ground, pair=plain)
    )
    bare = dataclasses.replace(small_run, pair=plain, fit=fit, source_items=None, target_items=None)
    loaded.install(bare, loaded.inputs, ("a", "b"), "cafe0007")
    result = shown(loaded)
    assert {"genre", "rating"}.isdisjoint(compute.colourings(result))
    assert compute.colouring(result, "genre") is None
    facts = compute.item_facts(result, 0)
    assert facts is not None
    assert facts.rating is None
    assert facts.genres == ""
    assert not compute.has_texts(result, "target")


def test_neighbours_know_their_rows_on_the_map(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    frame = compute.item_map(result).frame
    for view, sides in ((compute.ALIGNED, 2), (compute.BEFORE, 1)):
        near = compute.neighbours(result, "source", "f007", view=view)
        assert near["domain"].nunique() == sides
        told = frame.loc[near["row"]].reset_index(drop=True)
        pd.testing.assert_frame_equal(told[["domain", "item_id"]], near[["domain", "item_id"]])
        kept, known = compute.kept_neighbours(result, view, "source", "f007")
        assert 0 <= kept <= known == len(near)


def test_titles_to_choose_from_begin_with_what_was_found(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    frame = compute.item_map(result).frame
    rarest = int(frame["interactions"].idxmin())
    options = compute.item_options(result, [rarest, 10**9])
    assert next(iter(options)) == rarest
    assert set(options) == set(frame.index)
    counts = frame.loc[list(options)[1:], "interactions"]
    assert counts.is_monotonic_decreasing
    assert options[rarest] == f"{frame.loc[rarest, 'name']} ({frame.loc[rarest, 'domain']})"


def test_a_result_without_shared_people_has_maps_of_its_own(
    loaded: jobs.Workspace, unshared_run: Run
) -> None:
    loaded.install(unshared_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0005")
    result = shown(loaded)
    assert compute.views(result) == (compute.BEFORE,)
    found = compute.mapped(result, compute.BEFORE)
    assert set(found.apart) == {"source", "target"}
    assert not any(by.startswith("factor") for by in compute.colourings(result))


def test_people_on_the_map_are_of_either_catalogue(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    pair = result.run.pair
    people = compute.drawable_users(result)
    assert people is not None
    assert set(people) == set(pair.source.users) | set(pair.target.users)
    path = compute.path_of(result, compute.cold_users(result)[0])
    assert path.target is None


# ── figures ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def items(fitted: jobs.Workspace) -> ItemMap:
    return compute.item_map(shown(fitted))


def every_map(space: jobs.Workspace, dark: bool) -> dict[str, Any]:
    result = shown(space)
    items = compute.item_map(result)
    path = compute.path_of(result, str(result.run.pair.shared[0]))
    before = compute.mapped(result, compute.BEFORE)
    found = {
        by: charts.item_scatter(items, dark=dark, colouring=compute.colouring(result, by))
        for by in compute.colourings(result)
    }
    found["user"] = charts.item_scatter(items, dark=dark, path=path)
    for name, sides in (("both", ("source", "target")), ("one", ("target",))):
        found[f"before {name}"] = charts.item_scatter(
            before.items, dark=dark, apart=before.apart, show=sides
        )
    near = compute.neighbours(result, "source", "f007")
    found["close"] = charts.item_closeup(items, 7, near.head(4), dark)
    found["matrix"] = charts.alignment_heatmap(compute.alignment_matrix(result), dark)
    found["bars"] = charts.canonical_bars(compute.alignment(result), dark)
    return found


@pytest.mark.parametrize("dark", [False, True])
def test_every_figure_is_named_and_bounded(fitted: jobs.Workspace, dark: bool) -> None:
    for name, found in every_map(fitted, dark).items():
        assert found.layout.title.text, name
        axes = [found.layout[axis] for axis in found.layout if axis[1:5] == "axis"]
        assert all(axis.title.text for axis in axes), name
        scatters = [t for t in found.data if t.type in ("scatter", "scattergl")]
        assert sum(len(trace.x) for trace in scatters) <= charts.MAX_POINTS
        names = [t.name for t in found.data if t.showlegend is not False and t.name]
        assert len(names) == len(set(names)), name


def test_every_item_is_drawn_once_in_every_colour(fitted: jobs.Workspace) -> None:
    frame = compute.item_map(shown(fitted)).frame
    for name, found in every_map(fitted, False).items():
        if name in ("close", "matrix", "bars", "before one"):
            continue
        drawn = [row for trace in found.data if trace.customdata is not None
                 for row in trace.customdata]  # fmt: skip
        assert sorted(drawn) == frame.index.tolist(), name
        for trace in found.data:
            if trace.customdata is not None and len(trace.customdata):
                domains = set(frame.loc[list(trace.customdata), "domain"])
                assert len(domains) == 1, name
                wanted = {"source": "circle", "target": "diamond"}[domains.pop()]
                assert trace.marker.symbol == wanted, name


def test_catalogues_apart_have_axes_apart(fitted: jobs.Workspace) -> None:
    found = every_map(fitted, False)["before both"]
    assert {trace.xaxis for trace in found.data} == {None, "x2"} or {
        trace.xaxis for trace in found.data
    } == {"x", "x2"}
    assert found.layout.yaxis2.scaleanchor == "x2"
    assert found.layout.xaxis.domain[1] < found.layout.xaxis2.domain[0]
    assert "Source" in found.layout.xaxis.title.text
    assert "Target" in found.layout.xaxis2.title.text


def test_arrows_end_where_the_user_is(fitted: jobs.Workspace) -> None:
    items = compute.item_map(shown(fitted))
    path = UserPath((0.1, 0.2), (0.3, -0.4), (0.2, -0.1), "factor_map", False, 0.5)
    named = {trace.name: trace for trace in charts.item_scatter(items, path=path).data}
    assert (named["Source says"].x[0], named["Source says"].y[0]) == (0, 0)
    assert (named["Source says"].x[1], named["Source says"].y[1]) == path.source
    assert (named["Both joined"].x[0], named["Both joined"].y[0]) == path.source
    assert (named["Both joined"].x[1], named["Both joined"].y[1]) == path.both
    assert named["Target data says"].x[1] == path.target[0]  # type: ignore[index]
    cold = dataclasses.replace(path, target=None, both=(0.1, 0.2))
    names = {trace.name for trace in charts.item_scatter(items, path=cold).data}
    assert "Source says" in names
    assert {"Both joined", "Target data says"}.isdisjoint(names)


def test_titles_from_data_stay_text_in_every_figure(items: ItemMap) -> None:
    frame = items.frame.assign(name=NASTY)
    near = pd.DataFrame({"domain": ["target"], "row": [3], "name": [NASTY]})
    matrix = AlignmentMatrix(np.eye(2), (0.6, 0.4), (0.6, 0.4), ((NASTY,), ("a",)),
                             ((NASTY,), ("b",)), 50, 0.2)  # fmt: skip
    groups = compute.Colouring("Genre", ((NASTY,) * len(frame), (NASTY, "Other")))
    for found in (
        charts.item_closeup(dataclasses.replace(items, frame=frame), 0, near),
        charts.alignment_heatmap(matrix),
        charts.item_scatter(dataclasses.replace(items, frame=frame), colouring=groups),
    ):
        spec = json.dumps(json.loads(found.to_json())["data"])
        assert "<a href" not in spec
        assert "<b onclick" not in spec
        assert "%{x}" not in spec
        assert "&lt;b onclick" in spec


def test_titles_in_a_close_up_do_not_lie_upon_each_other() -> None:
    from dashboard.charts.space import _label_sides

    spots = np.array([[0.0, 0.0], [0.0, 0.02], [1.0, 1.0], [1.0, 0.97]])
    sides = _label_sides(spots, ["A title of some length"] * 4)
    assert sides[0] != sides[1]
    assert sides[2] != sides[3]


def test_cells_within_chance_show_no_number() -> None:
    values = np.array([[0.5, 0.05], [-0.3, -0.01]])
    matrix = AlignmentMatrix(values, (0.6, 0.4), (0.6, 0.4), (("a",), ("b",)), (("c",), ("d",)),
                             400, 0.1)  # fmt: skip
    found = charts.alignment_heatmap(matrix).data[0]
    assert [list(row) for row in found.text] == [["+0.50", "·"], ["−0.30", "·"]]
    assert "within chance" in found.hovertext[0][1]
    assert "within chance" not in found.hovertext[0][0]


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


def test_search_and_inspect_on_the_map(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    frame = compute.item_map(result).frame
    app = open_app(fitted, "space")
    app.text_input(key="map_search").set_value("the").run()
    assert not app.exception
    found = len(compute.matches(frame, "the"))
    assert f"{found} items found." in said(app)
    app.selectbox(key=f"inspect_{result.id}").set_value(5).run()
    assert not app.exception
    assert "Nearest target items by taste" in said(app)
    assert "mean rating" in said(app)
    facts = compute.item_facts(result, 5)
    assert facts is not None
    assert facts.name in said(app)
    assert figure(app, "Close-up")
    # A title that was chosen by name is ringed on the map.
    spec = json.loads(figure(app, "Items of both").spec)
    assert {"Chosen", "Neighbour", "Found"} <= {trace["name"] for trace in spec["data"]}
    app.text_input(key="map_search").set_value("zzzz").run()
    assert "No item holds" in said(app)


def test_texts_are_read_only_when_somebody_looks(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    app = open_app(fitted, "space")
    app.selectbox(key=f"inspect_{result.id}").set_value(5).run()
    assert ("topics", "target") not in result.derived
    app.session_state["near_text_box"] = True
    app.run()
    assert not app.exception
    assert ("topics", "target") in result.derived
    assert "items of like title, genres and text" in said(app)


def test_an_item_that_was_clicked_leaves_the_figure_as_it_is(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    result = shown(fitted)
    app = open_app(fitted, "space")
    before = figure(app, "Items of both")
    for row in (5, 600):
        app.session_state[f"inspected_{result.id}"] = row
        app.session_state[f"inspect_{result.id}"] = row
        app.run()
        assert "Close-up" in figure(app, "Close-up").spec
        after = figure(app, "Items of both")
        assert after.spec == before.spec
        assert after.id == before.id


def test_the_other_views_have_their_own_numbers(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    app = open_app(fitted, "space")
    labels = [metric.label for metric in app.metric]
    assert {"Variance shown", "Faithfulness"} <= set(labels)
    app.session_state["map_view"] = compute.BEFORE
    app.session_state[f"inspected_{result.id}"] = 5
    app.run()
    assert not app.exception
    values = {metric.label: metric.value for metric in app.metric}
    apart = compute.mapped(result, compute.BEFORE).apart
    for domain in compute.SIDES:
        assert values[f"Faithfulness, {domain}"] == f"{apart[domain].faithfulness:.2f}"
    assert "axes of its own" in said(app)
    assert "by its own factors" in said(app)
    assert not any(box.key.startswith("arrow_") for box in app.selectbox if box.key)
    app.session_state["map_show"] = "Source"
    app.run()
    assert not app.exception
    assert figure(app, "Items of the source")


def test_every_colour_can_be_chosen_and_a_card_chooses_its_own(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    result = shown(fitted)
    app = open_app(fitted, "space")
    key = f"map_colour_{result.id}"
    for by in ("genre", "interactions", "rating"):
        app.selectbox(key=key).set_value(by).run()
        assert not app.exception
    assert "Mean rating" in figure(app, "Items of both").spec
    app.button(key="colour_factor_2").click().run()
    assert not app.exception
    assert app.selectbox(key=key).value == "factor 2"
    assert "Strength on factor 2" in figure(app, "Items of both").spec


def test_a_user_is_drawn_and_taken_away(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    app = open_app(fitted, "space")
    plain = figure(app, "Items of both").spec
    app.button(key="arrow_cold").click().run()
    assert not app.exception
    user = app.selectbox(key=f"arrow_{result.id}").value
    assert user in compute.cold_users(result)
    assert "Source says" in said(app)
    assert "Target data says" not in said(app)
    app.selectbox(key=f"arrow_{result.id}").set_value(str(result.run.pair.shared[0])).run()
    assert "Both joined" in said(app)
    assert "Both joined" in figure(app, "Items of both").spec
    app.button(key="arrow_none").click().run()
    assert figure(app, "Items of both").spec == plain


def test_a_method_without_places_says_who_places_the_user(
    open_app: OpenApp, loaded: jobs.Workspace, small_run: Run
) -> None:
    run = dataclasses.replace(small_run, fit=small_run.fit.by("joint"))
    loaded.install(run, loaded.inputs, ("a", "b"), "cafe0008")
    app = open_app(loaded, "space")
    app.button(key="arrow_cold").click().run()
    assert "the factor map stands in for it" in said(app)


def test_without_shared_people_each_catalogue_has_its_map(
    open_app: OpenApp, loaded: jobs.Workspace, unshared_run: Run
) -> None:
    loaded.install(unshared_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0005")
    app = open_app(loaded, "space")
    assert "No common space" in said(app)
    assert figure(app, "Each catalogue by its own factors")
    app.selectbox(key="inspect_cafe0005").set_value(5).run()
    assert not app.exception
    assert "Nearest target items by taste, by its own factors" in said(app)
    assert "What the factors stand for" not in said(app)


def test_new_items_have_no_map(open_app: OpenApp, loaded: jobs.Workspace, items_run: Run) -> None:
    loaded.settings = items_run.settings
    loaded.install(items_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0004")
    app = open_app(loaded, "space")
    assert "No map of items in this fit" in said(app)
    assert not app.get("plotly_chart")


def test_a_t_sne_map_is_drawn_on_demand_and_belongs_to_its_result(
    open_app: OpenApp, fitted: jobs.Workspace, small_run: Run
) -> None:
    result = shown(fitted)
    app = open_app(fitted, "space")
    app.session_state["map_view"] = compute.TSNE
    app.run()
    assert "distances between groups mean nothing" in said(app)
    assert figure(app, "Items of both")
    app.button(key="tsne_go").click().run()
    assert fitted.job is not None
    fitted.job.join(120)
    assert fitted.job.status == "done", fitted.job.failure
    app.run()
    assert not app.exception
    assert "read closeness alone" in said(app)
    assert "t-SNE axis" in figure(app, "Items of both").spec
    values = {metric.label: metric.value for metric in app.metric}
    assert "Variance shown" not in values
    assert float(values["Faithfulness"]) > compute.item_map(result).faithfulness
    app.selectbox(key=f"inspect_{result.id}").set_value(5).run()
    assert not app.exception
    assert figure(app, "Close-up")
    # Another result has no such map yet.
    again = fitted.install(small_run, fitted.inputs, ("a", "b"), "cafe0010")
    assert not compute.tsne_drawn(fitted, again)
    assert compute.tsne_drawn(fitted, result)
