"""The User page: whom to look at, what if, and why, in every state of a run."""

import dataclasses
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest
from test_pages import charts, text

from dashboard import compute, jobs
from transrec_core.columns import ITEM
from transrec_core.recommending import listed_methods
from transrec_core.running import Run

OpenApp = Callable[..., AppTest]


def shown(space: jobs.Workspace) -> jobs.Result:
    assert space.shown is not None
    return space.shown


def picked(app: AppTest, result: jobs.Result) -> str:
    return str(app.selectbox(key=f"user_{result.id}").value)


def lists(app: AppTest) -> list[list[str]]:
    return [table.value.iloc[:, 1].tolist() for table in app.table[:3]]


def test_most_helped_is_stepped_through(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    gains = compute.user_gains(result)
    assert gains is not None
    assert gains.shots == 0
    app = open_app(fitted, "user")
    for which in ("helped", "harmed"):
        order = compute.most_moved(gains, which)  # type: ignore[arg-type]
        for place in range(3):
            app.button(key=f"user_{which}").click().run()
            assert not app.exception
            assert picked(app, result) == order[place]
            assert f"number {place + 1} of {len(order)} {which}" in text(app)
    assert "target history was hidden there" in text(app)


def test_gains_are_transfer_minus_the_best_baseline(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    for kind, evidence in compute.evidences(result).items():
        for shot in evidence.shots:
            gains = compute.user_gains(result, kind, shot.shots)
            assert gains is not None
            assert gains.values.mean() == pytest.approx(shot.gain.mean, abs=1e-9)
            assert (gains.values > 0).mean() == pytest.approx(shot.gain.helped, abs=1e-9)
            assert gains.values.is_monotonic_decreasing
    assert compute.user_gains(result, "none such", 77) is not None


def test_what_if_moves_the_lists_and_reset_restores_them(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    result = shown(fitted)
    user = str(result.run.pair.shared[0])
    app = open_app(fitted, "user")
    app.selectbox(key=f"user_{result.id}").set_value(user).run()
    before = lists(app)
    methods = listed_methods(result.run.fit)
    best = compute.user_lists(result, user, 10, methods).frames[methods[0]][ITEM].tolist()
    item = app.selectbox(key=f"what_if_item_{result.id}_target")
    assert app.button(key="what_if_add").disabled
    for place in (0, 1):
        item = app.selectbox(key=f"what_if_item_{result.id}_target")
        item.set_value(best[place]).run()
        app.button(key="what_if_add").click().run()
        assert not app.exception
    assert "what-if: 2 changes" in text(app)
    assert "Moved" in app.table[0].value.columns
    now = lists(app)
    assert before[0][0] not in now[0]
    assert f"with {compute.labels(result, 'target')[best[0]]} rated" in text(app)
    # Another page and back: the changes are still there; another user has none.
    app.switch_page("views/export.py").run()
    app.switch_page("views/user.py").run()
    assert lists(app) == now
    app.button(key="what_if_undo").click().run()
    assert "what-if: 1 change" in text(app)
    app.button(key="what_if_reset").click().run()
    assert lists(app) == before
    assert "what-if:" not in text(app)


def test_a_rating_is_changed_and_an_interaction_dropped(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    result = shown(fitted)
    app = open_app(fitted, "user")
    user = picked(app, result)
    had = compute.own_rows(result, "source", user)
    item = next(iter(had))
    app.session_state["what_if_domain"] = "source"
    app.run()
    app.selectbox(key=f"what_if_item_{result.id}_source").set_value(item).run()
    rating = app.number_input(key=f"what_if_rating_{result.id}_source")
    assert rating.value == had[item]
    rating.set_value(1.0 if had[item] != 1 else 2.0).run()
    assert app.button(key="what_if_add").label == "Rate anew"
    app.button(key="what_if_add").click().run()
    assert f"instead of {had[item]:g} (source)" in text(app)
    app.button(key="what_if_drop").click().run()
    assert "what-if: 1 change" in text(app)
    assert f"{len(had) - 1} interactions" in text(app)
    # Put back as it was, nothing has changed.
    app.number_input(key=f"what_if_rating_{result.id}_source").set_value(had[item]).run()
    app.button(key="what_if_add").click().run()
    assert not app.exception
    assert "what-if:" not in text(app)


def test_somebody_without_any_data_can_be_given_some(
    open_app: OpenApp, fitted: jobs.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.components.person.MOST_OPTIONS", 5)
    result = shown(fitted)
    app = open_app(fitted, "user")
    app.text_input(key=f"user_{result.id}").set_value("stranger_*1*").run()
    assert not app.exception
    assert "Unknown user" in text(app)
    assert "is in neither domain" in text(app) or "whatever the user did" in text(app)
    # A large catalogue is searched by words.
    title = next(iter(compute.labels(result, "target").values()))
    app.text_input(key="what_if_search").set_value(title[:12]).run()
    box = app.selectbox(key=f"what_if_item_{result.id}_target")
    assert 0 < len(box.options) <= 50
    assert all(title[:12].lower() in option.lower() for option in box.options)
    box.set_value(box.options[0]).run()
    app.button(key="what_if_add").click().run()
    assert not app.exception
    assert "what-if: 1 change" in text(app)


def test_reasons_of_every_list_sum_to_the_listed_score(fitted: jobs.Workspace) -> None:
    result = shown(fitted)
    user = str(result.run.pair.shared[3])
    change = compute.Change("source", next(iter(compute.own_rows(result, "source", user))), None)
    for changes in (None, (change,)):
        for method in (*listed_methods(result.run.fit)[:2], "auto"):
            frame = compute.user_lists(result, user, 5, (method,), changes=changes).frames[method]
            for item, score in zip(frame[ITEM], frame["score"], strict=True):
                found = compute.reasons(result, user, item, method=method, changes=changes)
                assert isinstance(found, compute.Reasons)
                assert found.score == pytest.approx(score, rel=1e-3, abs=1e-4)
                assert sum(part.value for part in found.parts) == pytest.approx(found.score)
                assert found.method == frame["method"].iloc[0]


def test_reasons_are_drawn_for_each_list(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    app = open_app(fitted, "user")
    user = str(shown(fitted).run.pair.shared[0])
    app.selectbox(key=f"user_{shown(fitted).id}").set_value(user).run()
    for method in ("target_only", "auto"):
        app.session_state["why_list"] = method
        app.run()
        assert not app.exception
        assert charts(app) == 1
        assert "Served by" in text(app)


def test_seen_items_are_marked_where_they_are_kept(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    app = open_app(fitted, "user")
    user = str(shown(fitted).run.pair.shared[0])
    app.selectbox(key=f"user_{shown(fitted).id}").set_value(user).run()
    assert "had it" not in str(lists(app))
    app.toggle(key="user_unseen").set_value(False).run()
    assert "had it" in str(lists(app))


def test_without_a_comparison_nobody_is_most_helped(
    open_app: OpenApp, loaded: jobs.Workspace, small_run: Run
) -> None:
    run = dataclasses.replace(small_run, comparison=None, chosen=None, no_comparison="Too few.")
    loaded.install(run, loaded.inputs, ("a", "b"), "cafe0002")
    app = open_app(loaded, "user")
    assert app.button(key="user_helped").disabled
    assert "no comparison" in app.button(key="user_helped").help


def test_where_items_are_new_their_users_can_be_changed(
    open_app: OpenApp, loaded: jobs.Workspace, items_run: Run
) -> None:
    loaded.install(items_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0004")
    result = shown(loaded)
    app = open_app(loaded, "user")
    assert "text says cannot be changed here" in text(app)
    user = compute.user_lists(result, picked(app, result), 10, ("popularity",)).frames["popularity"]
    app.selectbox(key="what_if_item_cafe0004_target").set_value(user[ITEM].iloc[0]).run()
    app.button(key="what_if_add").click().run()
    assert not app.exception
    assert "what-if: 1 change" in text(app)
    app.button(key="user_helped").click().run()
    assert not app.exception
    assert "A test item of the comparison" in text(app)


@pytest.mark.parametrize("changed", [{"feedback": "ratings"}, {"model": "nmf"}])
def test_scores_that_are_no_sums_can_be_asked_what_if_and_say_why_not_why(
    open_app: OpenApp,
    loaded: jobs.Workspace,
    run_with: Callable[..., Run],
    changed: dict[str, str],
) -> None:
    run = run_with(method="factor_map", **changed)
    loaded.install(run, loaded.inputs, ("films.csv", "books.csv"), "cafe0008")
    result = shown(loaded)
    app = open_app(loaded, "user")
    assert "no sums of single interactions" in text(app)
    assert charts(app) == 0
    best = compute.user_lists(result, picked(app, result), 10, ("factor_map",))
    item = best.frames["factor_map"][ITEM].iloc[0]
    app.selectbox(key="what_if_item_cafe0008_target").set_value(item).run()
    app.button(key="what_if_add").click().run()
    assert not app.exception
    assert "what-if: 1 change" in text(app)
    app.button(key="user_helped").click().run()
    assert not app.exception


@pytest.mark.parametrize("shared", [True, False])
def test_hostile_and_repeated_titles_do_no_harm(
    open_app: OpenApp, loaded: jobs.Workspace, small_run: Run, unshared_run: Run, shared: bool
) -> None:
    run = small_run if shared else unshared_run
    assert run.target_items is not None
    items = run.target_items.assign(title="<b>:fire: **x** [a](http://b) $y$ %{z}")
    loaded.install(
        dataclasses.replace(run, target_items=items), loaded.inputs, ("a", "b"), "cafe0007"
    )
    result = shown(loaded)
    labels = compute.labels(result, "target")
    assert len(set(labels.values())) == len(labels)
    app = open_app(loaded, "user")
    item = app.selectbox(key="what_if_item_cafe0007_target")
    item.set_value(list(labels)[3]).run()
    app.button(key="what_if_add").click().run()
    assert not app.exception
    assert "**x**" not in app.table[0].value.iloc[0, 1]
