"""The runs of a workspace: named, pinned, restored, and two of them side by side."""

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import compute, jobs
from transrec_core.evidence.results import Chosen, Evidence
from transrec_core.limits import Limits
from transrec_core.running import Run
from transrec_core.settings import Settings

OpenApp = Callable[..., AppTest]
NAMES = ("films.csv", "books.csv")
HOSTILE = "**wide** <b>x</b> :smile: [a](http://evil.example)"


def text(app: AppTest) -> str:
    """Everything that the page says, without escapes."""
    kinds = ("header", "subheader", "markdown", "caption", "warning", "info", "badge")
    said = [str(element.value) for kind in kinds for element in app.get(kind)]
    said += [button.label for button in app.button]
    return " ".join(said).replace("\\", "").replace("\u2060", "")


def part(app: AppTest, name: str = "Runs") -> AppTest:
    app.session_state["compare_part"] = name
    app.run()
    assert not app.exception
    return app


def buttons(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def removing(app: AppTest) -> list[Any]:
    """What asks before a run is removed, the newest run first."""
    return [block for block in app.get("popover") if block.proto.popover.label == "Remove"]


def moved(run: Run, by: float, **settings: object) -> Run:
    """The same run with other settings, everybody's values moved by so much."""
    assert run.comparison is not None

    def shifted(evidence: Evidence | None) -> Evidence | None:
        if evidence is None:
            return None
        frame = evidence.per_user.assign(value=evidence.per_user["value"] + by)
        return dataclasses.replace(evidence, per_user=frame)

    comparison = dataclasses.replace(
        run.comparison,
        ranking=shifted(run.comparison.ranking),
        ratings=shifted(run.comparison.ratings),
    )
    return dataclasses.replace(
        run,
        comparison=comparison,
        settings=dataclasses.replace(run.settings, **settings),  # type: ignore[arg-type]
    )


@pytest.fixture
def two(fitted: jobs.Workspace, small_run: Run) -> jobs.Workspace:
    """A second run after the first, of rank 16, in which everybody is better off by 0.01."""
    fitted.install(moved(small_run, 0.01, rank=16), fitted.inputs, NAMES, "cafe0002")
    fitted.settings = dataclasses.replace(small_run.settings, rank=16)
    return fitted


def test_one_run_stands_alone(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    app = part(open_app(fitted, "compare"))
    said = text(app)
    assert "There is one run so far." in said
    assert "Against" not in said
    assert "Run 1" in said
    assert "films.csv → books.csv" in said
    assert "Transfer (ridge) · ALS · penalty" in said
    assert "seed 0" in said
    assert "Gain +" in said
    assert "what it serves has NDCG@10 0." in said
    # The run on show is neither restored nor removed.
    assert app.button(key="show_cafe0001").disabled
    assert all(asking.proto.popover.disabled for asking in removing(app))
    assert "remove_cafe0001" not in buttons(app)


def test_what_a_refit_changed_stands_under_the_verdict(
    open_app: OpenApp, two: jobs.Workspace
) -> None:
    app = open_app(two, "compare")
    assert "Against Run 1." in text(app)
    assert "Rank 8 → 16: NDCG@10 at 0 shots +0.010 (" in text(app)
    app.button(key="see_difference").click().run()
    assert "Two runs side by side" in text(app)
    assert {frame.proto.alt for frame in app.get("dataframe")} >= {
        "Set otherwise: values of both runs"
    }
    app.button(key="back_to_reference").click().run()
    assert two.shown is two.results[1]
    assert "Against Run 2." in text(app)
    assert "Rank 16 → 8: NDCG@10 at 0 shots −0.010 (" in text(app)


def test_restoring_a_run_puts_its_settings_into_the_form(
    open_app: OpenApp, two: jobs.Workspace
) -> None:
    app = part(open_app(two, "compare"))
    assert app.number_input(key="fit_rank").value == 16
    app.button(key="show_cafe0001").click().run()
    assert not app.exception
    assert two.shown is two.results[1]
    assert app.number_input(key="fit_rank").value == 8
    assert "refit" not in text(app)
    # A new tab, as after F5, finds the same.
    again = open_app(two, "compare")
    assert again.number_input(key="fit_rank").value == 8
    assert "refit" not in text(again)
    app.number_input(key="fit_seed").set_value(5).run()
    assert "Seed changed: refit" in text(app)


def test_the_run_bar_restores_too_and_leads_to_the_runs(
    open_app: OpenApp, two: jobs.Workspace
) -> None:
    app = open_app(two, "user")
    app.button(key="restore_cafe0001").click().run()
    assert "Run 1 · run cafe0001" in text(app)
    assert app.number_input(key="fit_rank").value == 8
    app.button(key="run_bar_history").click().run()
    assert not app.exception
    assert "Two runs side by side" in text(app)


def test_a_pinned_run_outlives_those_after_it(fitted: jobs.Workspace, small_run: Run) -> None:
    first = fitted.results[0]
    assert fitted.pin(first, True)
    for number in range(Limits.kept_runs + 2):
        fitted.install(small_run, fitted.inputs, NAMES, f"{number}")
    assert first in fitted.results
    assert len(fitted.results) == Limits.kept_runs + 1
    assert compute.reference(fitted, fitted.shown) is first  # pinned before newer
    fitted.pin(first, False)
    fitted.install(small_run, fitted.inputs, NAMES, "last")
    assert first not in fitted.results
    assert len(fitted.results) == Limits.kept_runs
    assert len({result.name for result in fitted.results}) == Limits.kept_runs


def test_the_number_of_pins_is_capped_and_the_page_says_so(
    open_app: OpenApp, fitted: jobs.Workspace, small_run: Run
) -> None:
    for number in range(Limits.pinned_runs):
        fitted.install(small_run, fitted.inputs, NAMES, f"{number}")
        assert fitted.pin(fitted.results[0], True)
    extra = fitted.install(small_run, fitted.inputs, NAMES, "extra")
    assert not fitted.pin(extra, True)
    assert not extra.pinned
    app = part(open_app(fitted, "compare"))
    assert "5 are pinned, so unpin one before you pin another." in text(app)
    assert app.button(key="pin_extra").disabled
    app.button(key="pin_0").click().run()
    assert not app.exception
    assert not app.button(key="pin_extra").disabled
    app.button(key="pin_extra").click().run()
    assert extra.pinned


def test_names_are_kept_and_shown_as_they_are(open_app: OpenApp, two: jobs.Workspace) -> None:
    app = part(open_app(two, "compare"))
    app.text_input(key="name_cafe0001").set_value(HOSTILE).run()
    assert not app.exception
    assert two.results[1].name == HOSTILE
    assert HOSTILE in text(app)
    for element in app.get("markdown"):
        assert "<b>" not in str(element.value)
        assert ":smile:" not in str(element.value)
    assert HOSTILE in text(part(open_app(two, "compare")))
    app.text_input(key="name_cafe0001").set_value("   ").run()
    assert two.results[1].name == HOSTILE
    assert app.text_input(key="name_cafe0001").value == HOSTILE


def test_a_removed_run_is_gone_and_the_one_on_show_is_not_removed(
    open_app: OpenApp, two: jobs.Workspace
) -> None:
    app = part(open_app(two, "compare"))
    on_show, other = removing(app)
    assert on_show.proto.popover.disabled
    assert not on_show.button
    # Nothing is removed by one click: the button stands in what opens on it.
    assert not other.proto.popover.disabled
    (for_good,) = other.button
    assert for_good.key == "remove_cafe0001"
    assert for_good.label == "Remove for good"
    assert len(two.results) == 2
    app.button(key="remove_cafe0001").click().run()
    assert not app.exception
    assert [result.id for result in two.results] == ["cafe0002"]
    assert "There is one run so far." in text(app)
    two.remove(two.results[0])
    assert two.results


def test_a_run_of_other_data_says_so_and_is_not_paired(
    open_app: OpenApp, fitted: jobs.Workspace, small_run: Run
) -> None:
    target = small_run.pair.target
    fewer = dataclasses.replace(target, matrix=target.matrix * 2)
    pair = dataclasses.replace(small_run.pair, target=fewer)
    other = dataclasses.replace(small_run, pair=pair)
    fitted.install(other, "other files", ("a.csv", "b.csv"), "cafe0002")
    fitted.show(fitted.results[1])
    app = part(open_app(fitted, "compare"))
    said = text(app)
    assert "Other data" in said
    assert "The data: " not in said
    assert "The target's ratings are not the same" in said
    assert "not paired" in said
    table = compute.side_by_side(fitted.results[0], fitted.results[1], "ranking", "served")
    assert "difference" not in table
    assert set(table["before"]) != {"–"}  # the numbers themselves still stand side by side


def test_other_test_users_are_not_paired(
    open_app: OpenApp, fitted: jobs.Workspace, small_run: Run
) -> None:
    fitted.install(moved(small_run, 0, seed=3), fitted.inputs, NAMES, "cafe0002")
    said = text(part(open_app(fitted, "compare")))
    assert "Seed 0 → 3. Another seed draws other test users." in said
    assert compute.difference_frame(fitted.results[1], fitted.results[0], "ranking").empty


def test_ratings_feedback_is_held_against_its_own(
    open_app: OpenApp, two: jobs.Workspace, small_run: Run
) -> None:
    app = open_app(two, "compare")
    app.session_state["compare_kind"] = "ratings"
    part(app)
    # Errors went up by 0.01, so the later run is worse.
    assert "RMSE at 0 shots −0.010 (" in text(app)
    assert small_run.comparison is not None
    lists = dataclasses.replace(small_run.comparison, ratings=None)
    two.install(dataclasses.replace(small_run, comparison=lists), two.inputs, NAMES, "cafe0003")
    two.show(two.results[1])
    app.run()
    assert not app.exception


def test_new_items_are_told_from_users(
    open_app: OpenApp, fitted: jobs.Workspace, items_run: Run
) -> None:
    fitted.install(items_run, fitted.inputs, NAMES, "cafe0004")
    fitted.settings = items_run.settings
    said = text(part(open_app(fitted, "compare")))
    assert "one of users and one of items" in said
    assert "new items" in said
    fitted.install(moved(items_run, 0.01), fitted.inputs, NAMES, "cafe0005")
    said = text(part(open_app(fitted, "compare")))
    assert "The same settings: NDCG@10 at 0 shots +0.010" in said


def test_without_a_comparison_the_runs_are_still_there(
    open_app: OpenApp, fitted: jobs.Workspace, small_run: Run
) -> None:
    without = dataclasses.replace(
        small_run, comparison=None, chosen=None, no_comparison="Only 3 users could be tested."
    )
    fitted.install(without, fitted.inputs, NAMES, "cafe0002")
    app = open_app(fitted, "compare")
    said = text(app)
    assert "No comparison: Only 3 users could be tested." in said
    assert "Run 2 has no comparison" in said
    app.button(key="show_cafe0001").click().run()
    assert not app.exception
    assert "Against Run 2." in text(app)
    assert "not paired" in text(app)


def test_a_run_that_changed_nothing_is_said_to_be_the_same(
    open_app: OpenApp, fitted: jobs.Workspace, small_run: Run
) -> None:
    fitted.install(small_run, fitted.inputs, NAMES, "cafe0002")
    said = text(open_app(fitted, "compare"))
    assert "The same settings: NDCG@10 at 0 shots is the same for everybody." in said


def test_differences_are_those_of_everybody(two: jobs.Workspace) -> None:
    shown, before = two.results
    frame = compute.difference_frame(before, shown, "ranking")
    assert set(frame["what"]) == {"What the run serves", "Its transfer method"}
    assert frame["gain"].to_numpy() == pytest.approx(0.01)
    table = compute.side_by_side(before, shown, "ranking", "transfer")
    assert table["better"].tolist() == ["100 %"] * len(table)
    assert table["difference"].str.startswith("+0.010").all()
    found = compute.setting_table(before, shown)
    assert found.to_numpy().tolist() == [["Rank", "8", "16"]]


# The search, and what a click on a cell does.


def searched_run(run: Run) -> Run:
    """A run that has tried three cells of its method and took the first."""
    assert run.comparison is not None
    chosen = run.comparison.chosen["ranking"]
    rows = [
        {"method": chosen.method, "rank": rank, "lam": lam, "strength": {}, "ndcg@10": score}
        for rank, lam, score in ((8, 0.05, 0.4), (16, 0.05, 0.3), (8, 0.2, 0.2))
    ]
    wide = dataclasses.replace(chosen, tried=tuple(rows))
    comparison = dataclasses.replace(run.comparison, chosen={"ranking": wide})
    settings = dataclasses.replace(run.settings, rank=None, lam=None)
    return dataclasses.replace(run, comparison=comparison, chosen=wide, settings=settings)


def given_cell(run: Run, rank: int, lam: float) -> Run:
    """A run whose method was given a rank and λ."""
    assert run.comparison is not None
    chosen = run.comparison.chosen["ranking"]
    own = {**chosen.parameters[chosen.method], "rank": rank, "lam": lam}
    one: Chosen = dataclasses.replace(
        chosen, tried=(), parameters={**chosen.parameters, chosen.method: own}
    )
    comparison = dataclasses.replace(run.comparison, chosen={"ranking": one})
    settings = dataclasses.replace(run.settings, rank=rank, lam=lam, method=chosen.method)
    return dataclasses.replace(run, comparison=comparison, chosen=one, settings=settings)


@pytest.fixture
def searching(loaded: jobs.Workspace, small_run: Run) -> jobs.Workspace:
    run = searched_run(small_run)
    loaded.settings = run.settings
    loaded.install(run, loaded.inputs, NAMES, "cafe0001")
    return loaded


def test_a_cell_without_a_run_is_fitted_with_its_settings(
    open_app: OpenApp, searching: jobs.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def start(settings: Settings, **_: Any) -> SimpleNamespace:
        started.append(settings)
        return SimpleNamespace(id="f00d0001")

    monkeypatch.setattr(searching, "start", start)
    app = part(open_app(searching, "compare"), "Parameters")
    assert app.button(key="load_cell_ranking").disabled  # of the run on show
    app.selectbox(key="cell_ranking_cafe0001").set_value(2).run()
    assert app.button(key="load_cell_ranking").label == "Load rank 16, λ 0.05"
    app.button(key="load_cell_ranking").click().run()
    assert not app.exception
    (settings,) = started
    assert (settings.rank, settings.lam) == (16, 0.05)
    assert settings.method == searching.results[0].run.fit.method
    assert app.number_input(key="fit_rank").value == 16
    assert app.number_input(key="fit_lam").value == 0.05


def test_a_cell_with_a_run_shows_it_and_keeps_the_search_in_sight(
    open_app: OpenApp,
    searching: jobs.Workspace,
    small_run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searching, "start", pytest.fail)
    searching.install(given_cell(small_run, 8, 0.2), searching.inputs, NAMES, "cafe0002")
    searching.show(searching.results[0])
    app = part(open_app(searching, "compare"), "Parameters")
    assert "The search is that of Run 1." in text(app)
    app.selectbox(key="cell_ranking_cafe0002").set_value(0).run()
    app.button(key="load_cell_ranking").click().run()
    assert not app.exception
    assert searching.shown is searching.results[1]
    assert "refit" not in text(app)
    app.selectbox(key="cell_ranking_cafe0001").set_value(1).run()
    app.button(key="load_cell_ranking").click().run()
    assert searching.shown is searching.results[0]
    assert app.number_input(key="fit_lam").value == 0.2


def test_a_search_on_other_data_cannot_be_fitted(
    open_app: OpenApp, searching: jobs.Workspace
) -> None:
    searching.results[0].inputs = "other"
    app = part(open_app(searching, "compare"), "Parameters")
    app.selectbox(key="cell_ranking_cafe0001").set_value(2).run()
    assert app.button(key="load_cell_ranking").disabled
    assert "The data has changed since this search" in text(app)


def test_the_cells_and_the_fitted_one(searching: jobs.Workspace, small_run: Run) -> None:
    shown = searching.results[0]
    found = compute.search(searching, shown, "ranking")
    assert found is not None
    assert found.cells[["rank", "lam"]].to_numpy().tolist() == [[8, 0.05], [8, 0.2], [16, 0.05]]
    assert found.fitted == 0
    assert compute.cell_run(searching, found, 0) is shown
    assert compute.cell_run(searching, found, 1) is None
    later = searching.install(given_cell(small_run, 8, 0.2), searching.inputs, NAMES, "cafe0002")
    again = compute.search(searching, later, "ranking")
    assert again is not None
    assert (again.owner, again.fitted) == (shown, 1)
    assert compute.cell_run(searching, again, 1) is later
    # Another seed is another search.
    other = given_cell(dataclasses.replace(small_run), 16, 0.05)
    other = dataclasses.replace(other, settings=dataclasses.replace(other.settings, seed=9))
    searching.install(other, searching.inputs, NAMES, "cafe0003")
    assert compute.cell_run(searching, found, 2) is None


@pytest.mark.parametrize("name", ["Curves", "Numbers", "For whom", "Parameters", "Runs", "Sources"])
def test_every_part_is_drawn_for_every_kind(
    open_app: OpenApp, two: jobs.Workspace, name: str
) -> None:
    app = part(open_app(two, "compare"), name)
    for kind in ("button", "selectbox", "text_input", "segmented_control"):
        for widget in app.get(kind):
            assert not widget.proto.id.endswith("-None"), widget
    for kind in ("dataframe", "plotly_chart"):
        for element in app.get(kind):
            assert element.proto.alt, element
    app.session_state["compare_kind"] = "ratings"
    app.session_state["compare_shots"] = 2
    part(app, name)


def test_cohorts_follow_the_shots(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    app = part(open_app(fitted, "compare"), "For whom")
    evidence = compute.evidences(fitted.results[0])["ranking"]
    rows = compute.cohort_rows(evidence, 2)
    told = evidence.cohorts[evidence.cohorts["shots"] == 2]
    assert sorted(rows["gain"]) == sorted(told["gain"])
    assert rows["heading"].drop_duplicates().tolist() == list(compute.cohort_tables(evidence))
    assert len(app.get("plotly_chart")) == 1
    app.session_state["compare_shots"] = 2
    app.run()
    assert "with 2 target interactions" in app.get("plotly_chart")[0].proto.spec
