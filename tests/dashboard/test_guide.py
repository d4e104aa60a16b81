"""The first minute: from one click on the sample to what there is to look at."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from dashboard import jobs, sample
from dashboard.components.guide import STEPS
from transrec_core.running import Run

OpenApp = Callable[..., AppTest]
CHECKED = ":material/check_circle:"


def icons(app: AppTest) -> dict[str, str]:
    return {step.name: app.button(key=f"guide_{step.name}").proto.icon for step in STEPS}


def guided(app: AppTest) -> bool:
    return any(button.key == "guide_close" for button in app.button)


def test_one_click_loads_fits_and_leads_to_the_guide(open_app: OpenApp, small_run: Run) -> None:
    app = open_app()
    app.button(key="run_sample").click().run()
    assert not app.exception
    space = jobs.REGISTER.find(str(app.query_params["run"]))
    assert space is not None
    assert space.settings == sample.SETTINGS
    assert app.number_input(key="fit_rank").value == sample.SETTINGS.rank
    assert app.title[0].value == "Does transfer help, and can I trust it?"
    assert app.get("skeleton")
    assert not guided(app)
    assert space.job is not None
    space.job.kill()
    space.job.join(180)
    space.install(small_run, space.inputs, ("films.csv", "books.csv"), "cafe0010")

    app.run()
    assert guided(app)
    assert CHECKED not in icons(app).values()
    app.button(key="guide_list").click().run()
    assert app.title[0].value == "What would one user get?"
    app.button(key="guide_export").click().run()
    assert app.title[0].value == "Take it with you"
    ticked = {name for name, icon in icons(app).items() if icon == CHECKED}
    assert ticked == {"list", "export"}
    app.switch_page("views/data.py").run()
    assert guided(app)
    app.button(key="guide_close").click().run()
    for page in ("data", "compare", "user"):
        app.switch_page(f"views/{page}.py").run()
        assert not app.exception
        assert not guided(app)


def test_nobody_else_is_guided(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    for page in ("data", "compare"):
        assert not guided(open_app(fitted, page))


def test_a_fresh_start_ends_the_guide(open_app: OpenApp, small_run: Run) -> None:
    app = open_app()
    app.button(key="run_sample").click().run()
    space = jobs.REGISTER.find(str(app.query_params["run"]))
    assert space is not None
    assert space.job is not None
    space.job.kill()
    space.job.join(180)
    space.install(small_run, space.inputs, ("films.csv", "books.csv"), "cafe0011")
    app.run()
    assert guided(app)
    app.button(key="start_afresh").click().run()
    assert not guided(app)
