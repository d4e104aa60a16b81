"""Every page in every state: empty, loading, success, stale, error, partial, lost link."""

import dataclasses
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import stand_ins
from needs import NEEDS_DEEP
from streamlit.testing.v1 import AppTest

from dashboard import compute, jobs, wording
from transrec_core.evidence.results import Crosslisted
from transrec_core.running import Run
from transrec_core.settings import DEEP, METHODS, Settings

PAGES = ("data", "compare", "space", "user", "export")
RESULTS = PAGES[1:]
OpenApp = Callable[..., AppTest]


def text(app: AppTest) -> str:
    """Everything that the page says, without escapes."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "badge")
    said: list[str] = []
    for kind in kinds:
        for element in app.get(kind):
            said += [str(element.value), str(getattr(element.proto, "title", ""))]
    return " ".join(said).replace("\\", "").replace("\u2060", "")


def charts(app: AppTest) -> int:
    return len(app.get("plotly_chart"))


@pytest.mark.parametrize("page", RESULTS)
def test_an_empty_page_says_what_it_answers_and_where_to_begin(
    open_app: OpenApp, page: str
) -> None:
    app = open_app(page=page)
    assert "After a fit, this page" in text(app)
    assert app.button(key=f"empty_go_{page}").label == "Load data"
    assert app.button(key="fit_go").disabled


def zones(app: AppTest) -> list[Any]:
    """The dropzones of source, target and titles."""
    found = app.get("file_uploader")
    return [zone for zone in found if not str(zone.key).startswith("up_run_")]


def test_the_first_page_offers_files_and_the_sample(open_app: OpenApp) -> None:
    app = open_app()
    assert len(zones(app)) == 3
    assert not app.query_params
    app.button(key="try_sample").click().run()
    assert not app.exception
    assert app.query_params["run"]
    assert "900 users are in both domains" in text(app)
    assert charts(app) == 2
    assert not app.button(key="fit_go").disabled
    assert not app.button(key="continue_fit").disabled


def test_one_file_alone_says_what_is_missing(open_app: OpenApp) -> None:
    app = open_app()
    zones(app)[0].upload("clicks.csv", b"user,item\na,x\nb,y\n")
    app.run()
    assert not app.exception
    assert "clicks.csv" in text(app)
    assert "Load target ratings first." in text(app)
    assert app.button(key="fit_go").disabled


def test_a_wrong_file_is_refused_with_a_way_out_and_the_earlier_stays(
    open_app: OpenApp, loaded: jobs.Workspace
) -> None:
    app = open_app(loaded)
    app.button(key="replace_source").click().run()
    zones(app)[0].upload("cat.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    app.run()
    assert not app.exception
    assert "cat.csv could not be read" in text(app)
    assert "films.csv" in text(app)
    assert not app.button(key="fit_go").disabled
    zones(app)[0].upload("header.csv", b"user,item,rating\n")
    app.run()
    assert "header.csv could not be read" in text(app)
    assert "column names but no data" in text(app)
    assert "cat.csv" not in text(app)


def test_columns_can_be_given_other_roles(open_app: OpenApp, loaded: jobs.Workspace) -> None:
    app = open_app(loaded)
    boxes = {box.key: box for box in app.selectbox if box.key and box.key.startswith("map_source")}
    user = next(key for key in boxes if "_user_" in key)
    item = next(key for key in boxes if "_item_" in key)
    boxes[user].set_value("item_id")
    boxes[item].set_value("user_id")
    app.run()
    assert not app.exception
    assert loaded.source is not None
    assert loaded.source.mapping["user"] == "item_id"
    assert "swapped" in text(app)


def test_a_fit_at_work_shows_its_progress_everywhere(
    open_app: OpenApp, loaded: jobs.Workspace
) -> None:
    job = loaded.start(Settings(), stand_ins.work_until_cancelled)
    while job.step.fraction == 0:
        time.sleep(0.02)
    for page in PAGES:
        app = open_app(loaded, page)
        assert "Fitting source factors" in app.progress[0].text, page
        assert app.progress[0].value == 40
        assert app.button(key="fit_go").disabled, page
        assert not app.button(key="cancel_fit").disabled, page
        assert bool(app.get("skeleton")) == (page != "data"), page
    app.button(key="cancel_fit").click().run()
    # A quick end is told by the run of the click already.
    told = [toast.value for toast in app.toast]
    job.join(180)
    app.run()
    told += [toast.value for toast in app.toast]
    assert job.status == "cancelled"
    assert not app.progress
    assert any("cancelled" in words for words in told)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("data", "See the comparison"),
        ("compare", "transfer"),
        ("space", "What the factors stand for"),
        ("user", "Popular items"),
        ("export", "Recommendation lists"),
    ],
)
def test_a_finished_run_fills_every_page(
    open_app: OpenApp, fitted: jobs.Workspace, page: str, said: str
) -> None:
    app = open_app(fitted, page)
    links = " ".join(str(link.value) for link in app.page_link)
    assert said in text(app) + links
    assert "run cafe0001" in text(app)
    assert not app.get("skeleton")


def test_results_survive_a_new_session_with_the_link(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    for _ in range(2):
        app = open_app(fitted, "compare")
        assert app.query_params["run"] == fitted.id
        assert charts(app) >= 2


def test_two_tabs_do_not_see_each_other(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    other = open_app(page="compare")
    assert "After a fit" in text(other)
    assert fitted.id not in str(other.query_params)


def test_a_dead_link_says_so(open_app: OpenApp) -> None:
    app = AppTest.from_file(jobs.__file__.replace("jobs.py", "app.py"), default_timeout=20)
    app.query_params["run"] = "no-such-run"
    app.run()
    assert not app.exception
    assert "This link's run is no longer here" in text(app)
    assert "run" not in app.query_params


def test_every_number_of_shots_and_both_kinds_can_be_looked_at(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    app = open_app(fitted, "compare")
    assert fitted.shown is not None
    parts = compute.evidences(fitted.shown)
    assert set(parts) == {"ranking", "ratings"}
    assert app.metric[0].label == "Gain in NDCG@10"
    first = app.metric[0].value
    app.get("segmented_control")[-1]
    app.session_state["compare_shots"] = 2
    app.run()
    assert app.metric[0].value != first
    app.session_state["compare_kind"] = "ratings"
    app.run()
    assert not app.exception
    assert app.metric[0].label == "Gain in RMSE"


def test_changed_settings_are_named_on_every_page(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    app = open_app(fitted, "compare")
    assert "refit" not in text(app)
    app.number_input(key="fit_rank").set_value(12).run()
    assert "Rank changed: refit" in text(app)
    assert charts(app) >= 2
    app.switch_page("views/user.py").run()
    assert "Rank changed: refit" in text(app)


def test_a_failed_fit_is_told_on_every_page_and_earlier_results_stay(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    fitted.start(Settings(rank=900), stand_ins.refuse).join(180)
    for page in PAGES:
        app = open_app(fitted, page)
        assert "Rank 900 is too large." in text(app), page
        assert "Choose at most 20." in text(app), page
        assert "run cafe0001" in text(app), page


def test_an_unforeseen_error_shows_its_id_only(open_app: OpenApp, loaded: jobs.Workspace) -> None:
    job = loaded.start(Settings(), stand_ins.break_down)
    job.join(180)
    assert job.failure is not None
    app = open_app(loaded)
    assert job.failure.reference in text(app)
    assert "secret" not in text(app)


def test_without_a_comparison_the_page_says_why(
    open_app: OpenApp, loaded: jobs.Workspace, small_run: Run
) -> None:
    without = dataclasses.replace(
        small_run, comparison=None, chosen=None, no_comparison="Only 3 users could be tested."
    )
    loaded.install(without, loaded.inputs, ("a", "b"), "cafe0002")
    compare = open_app(loaded, "compare")
    assert "Only 3 users could be tested." in text(compare)
    assert "No comparison can be made" in text(compare)
    for page in ("space", "user", "export", "data"):
        open_app(loaded, page)


def test_what_remains_without_products_in_both_stands_beside_the_verdict(
    open_app: OpenApp, loaded: jobs.Workspace, small_run: Run
) -> None:
    assert small_run.comparison is not None
    found = Crosslisted((("f001", "b_002"),), small_run.comparison.headline)
    comparison = dataclasses.replace(small_run.comparison, crosslisted=found)
    run = dataclasses.replace(small_run, comparison=comparison)
    loaded.install(run, loaded.inputs, ("a", "b"), "cafe0002")
    app = open_app(loaded, "compare")
    assert not app.exception
    assert "1 target product is in the source too, under another id (such as b_002" in text(app)


def test_without_a_common_space_the_page_says_why(
    open_app: OpenApp, loaded: jobs.Workspace, small_run: Run
) -> None:
    fit = small_run.fit.by("content")
    fit = dataclasses.replace(fit, map_users=fit.map_users[:1])
    loaded.install(dataclasses.replace(small_run, fit=fit), loaded.inputs, ("a", "b"), "cafe0003")
    assert "No common space" in text(open_app(loaded, "space"))
    open_app(loaded, "user")


def test_where_items_are_new_every_page_speaks_of_items(
    open_app: OpenApp, loaded: jobs.Workspace, items_run: Run
) -> None:
    loaded.settings = items_run.settings
    loaded.install(items_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0004")
    page = open_app(loaded, "compare")
    page.session_state["compare_part"] = "Parameters"
    compare = text(page.run())
    assert "For items with no history in the target" in compare
    assert "What validation items settled" in compare
    assert "new items" in compare
    assert "test user" not in compare
    assert "No map of items in this fit" in text(open_app(loaded, "space"))
    user = open_app(loaded, "user")
    assert "Which users would one item get?" in text(user)
    assert "What its text says" in text(user)
    assert "Most active users" in text(user)
    assert "Why this user?" in text(user)
    export = open_app(loaded, "export")
    assert "item_id, user_id, rank" in text(export)
    export.session_state["export_who"] = "Chosen"
    export.run()
    assert "Paste or upload at least one item id." in text(export)
    open_app(loaded, "data")


def test_without_shared_users_texts_still_make_lists(
    open_app: OpenApp, loaded: jobs.Workspace, unshared_run: Run
) -> None:
    loaded.install(unshared_run, loaded.inputs, ("films.csv", "books.csv"), "cafe0005")
    assert "Nobody is in both catalogues" in text(open_app(loaded, "compare"))
    assert "No common space" in text(open_app(loaded, "space"))
    assert "Why this item?" in text(open_app(loaded, "user"))
    assert "Recommendation lists" in text(open_app(loaded, "export"))


@NEEDS_DEEP
@pytest.mark.parametrize("network", DEEP)
def test_a_network_shows_on_every_page_and_says_that_it_gives_no_reasons(
    open_app: OpenApp, loaded: jobs.Workspace, small_run: Run, network: str
) -> None:
    fit = small_run.fit.by(network)
    loaded.install(dataclasses.replace(small_run, fit=fit), loaded.inputs, ("a", "b"), "cafe0006")
    app = open_app(loaded, "user")
    (caption,) = [c.value for c in app.caption if "no sums of single interactions" in c.value]
    assert "it gives no reasons" in caption
    assert wording.method_word(network) in text(app)
    assert not app.error
    # A user is drawn by its prior where that lies in the map's space, else by the factor map.
    app = open_app(loaded, "space")
    app.button(key="arrow_cold").click().run()
    assert not app.exception
    said = text(app)
    assert (f"carried over by {wording.method_word(network)}" in said) != (
        "The lists' own method has no place in this space" in said
    )


def test_a_method_that_cannot_be_used_says_why(open_app: OpenApp, loaded: jobs.Workspace) -> None:
    app = open_app(loaded)
    app.selectbox(key="fit_method").set_value("joint")
    app.session_state["fit_model"] = "nmf"
    app.run()
    app.button(key="fit_go").click().run()
    assert loaded.job is not None
    loaded.job.join(180)
    said = text(open_app(loaded))
    assert "joint cannot be used here: it needs als." in said
    assert "This fit is not possible" in said


def test_works_under_two_ids_are_merged_with_one_click(
    open_app: OpenApp, loaded: jobs.Workspace
) -> None:
    titles = b"item_id,title\nb001,Dune\nb002,Dune (Paperback)\n"
    compute.load_items(loaded, titles, "books.csv", ("target",))
    app = open_app(loaded)
    button = next(b for b in app.button if b.label == "Make one item of each work")
    button.click().run()
    assert not app.exception
    assert app.toggle(key="fit_merge_editions").value
    assert any(b.label == "The next fit has one item of each work" for b in app.button)


def test_the_form_holds_every_new_setting(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    app = open_app(fitted, "compare")
    words = [wording.method_word(method) for method in METHODS]
    assert app.selectbox(key="fit_method").options == words
    app.session_state["fit_cold"] = "items"
    app.number_input(key="fit_budget").set_value(20)
    app.run()
    assert "Who is new, time budget changed: refit" in text(app)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("rank", 1_000_000, "Rank must be a whole number between 1 and 1024, or auto."),
        ("rank", 0, "Rank must be a whole number between 1 and 1024, or auto."),
        ("lam", -0.1, "λ must be between 0 and 1,000,000, or auto."),
        ("budget", 0.0, "Time budget must be a number of seconds above zero."),
        ("seed", -1, "Seed must be a whole number between 0 and 4,294,967,295."),
    ],
)
def test_no_fit_starts_with_a_number_out_of_range(
    open_app: OpenApp, loaded: jobs.Workspace, field: str, value: float, said: str
) -> None:
    app = open_app(loaded)
    before = app.number_input(key=f"fit_{field}").value
    app.number_input(key=f"fit_{field}").set_value(value).run()
    assert not app.exception
    assert said in text(app)
    for button in ("fit_go", "continue_fit"):
        assert app.button(key=button).disabled
    # What cannot be fitted is not kept either.
    assert open_app(loaded).number_input(key=f"fit_{field}").value == before
    app.number_input(key=f"fit_{field}").set_value(before).run()
    assert said not in text(app)
    assert not app.button(key="fit_go").disabled


def test_no_overlap_is_said_before_and_after_a_fit(
    open_app: OpenApp, workspace: jobs.Workspace
) -> None:
    rows = "\n".join(f"{{0}}{i},i{i % 7},{i % 5 + 1}" for i in range(60))
    for side, letter in (("source", "a"), ("target", "b")):
        content = "user,item,rating\n" + rows.replace("{0}", letter)
        compute.load_side(workspace, side, content.encode(), f"{side}.csv")  # type: ignore[arg-type]
    app = open_app(workspace)
    assert "No user is in both domains" in text(app)
    app.button(key="fit_go").click().run()
    assert workspace.job is not None
    workspace.job.join(180)
    for page in PAGES:
        assert "share no user ids" in text(open_app(workspace, page))


def test_pick_somebody_cold_or_at_random(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    assert fitted.shown is not None
    app = open_app(fitted, "user")
    app.button(key="user_cold").click().run()
    assert not app.exception
    user = app.selectbox(key=f"user_{fitted.shown.id}").value
    assert user in compute.cold_users(fitted.shown)
    assert "No target interactions." in text(app)
    assert "Fell back to popular items" in text(app)
    app.button(key="user_random").click().run()
    assert not app.exception


def test_chosen_users_are_counted_and_strangers_named(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    assert fitted.shown is not None
    someone = compute.users(fitted.shown)[0]
    app = open_app(fitted, "export")
    app.session_state["export_who"] = "Chosen"
    app.run()
    assert "Paste or upload at least one user id." in text(app)
    app.text_area(key="export_ids").set_value(f"{someone}\nnobody\n").run()
    assert not app.exception
    assert "2 users, up to 20 rows." in text(app)
    assert "1 id in neither file" in text(app)


def test_earlier_runs_can_be_restored(
    open_app: OpenApp, fitted: jobs.Workspace, small_run: Run
) -> None:
    fitted.install(small_run, fitted.inputs, ("a", "b"), "cafe0009")
    app = open_app(fitted, "compare")
    assert "run cafe0009" in text(app)
    app.button(key="restore_cafe0001").click().run()
    assert "run cafe0001" in text(app)


def test_starting_afresh_leaves_the_link_alive(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    app = open_app(fitted)
    app.button(key="start_afresh").click().run()
    assert not app.exception
    assert "run" not in app.query_params
    assert jobs.REGISTER.find(fitted.id) is fitted


def test_every_widget_has_a_key(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    kinds = (
        "button", "selectbox", "number_input", "text_input", "text_area", "segmented_control",
        "file_uploader", "download_button", "toggle",
    )  # fmt: skip
    for page in PAGES:
        app = open_app(fitted, page)
        for kind in kinds:
            for widget in app.get(kind):
                # Streamlit writes a given key into the id; without one it ends with "None".
                assert not SimpleNamespace(id=widget.proto.id).id.endswith("-None"), (page, widget)


def test_a_file_in_one_dropzone_does_not_empty_another(open_app: OpenApp) -> None:
    app = open_app()
    source, target, _ = zones(app)
    source.upload("one.csv", b"user,item\na,x\nb,y\n")
    target.upload("two.csv", b"user,item\na,p\nb,q\n")
    app.run()
    app.run()
    assert not app.exception
    assert "one.csv" in text(app)
    assert "two.csv" in text(app)


def test_the_cost_of_every_method_stands_beside_its_gain(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    app = open_app(fitted, "compare")
    app.session_state["compare_part"] = "Cost"
    app.run()
    assert not app.exception
    said = text(app)
    assert "What each method gains, and what it costs" in said
    assert "that takes longer" in said
    table = next(f.value for f in app.dataframe if "Time to fit" in f.value.columns)
    assert {"Target only", "Transfer (factor map)", "Transfer (ridge)"} <= set(table["Method"])
    assert list(table["Gain over the baseline"]).count("–") <= 1
    assert fitted.shown is not None
    comparison = fitted.shown.run.comparison
    assert comparison is not None
    older = dataclasses.replace(comparison.headline, fit_seconds={})
    untimed = dataclasses.replace(comparison, ranking=older)
    fitted.install(
        dataclasses.replace(fitted.shown.run, comparison=untimed), fitted.inputs, ("a", "b"), "c7"
    )
    app = open_app(fitted, "compare")
    app.session_state["compare_part"] = "Cost"
    app.run()
    assert "was not written down in this run" in text(app)
    assert charts(app) == 0
