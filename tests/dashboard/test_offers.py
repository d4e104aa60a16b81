"""The form offers what is installed and what the operator named, and nothing else."""

import dataclasses
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import compute, jobs, state, wording
from dashboard.components import fit_form
from transrec_core import extras
from transrec_core.content import models
from transrec_core.running import Run
from transrec_core.settings import DEEP, TFIDF

OpenApp = Callable[..., AppTest]
MODEL = "/srv/models/small-one"


@pytest.fixture
def extras_there(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have extras be installed, or not, whatever this environment holds."""

    def there(*names: str, offered: str = "") -> None:
        def missing(extra: str) -> list[tuple[str, ...]]:
            return [] if extra in names else [(extra,)]

        monkeypatch.setattr(extras, "_missing", missing)
        monkeypatch.setattr(models, "PACKAGES", ())
        monkeypatch.setenv("TRANSREC_TEXT_MODELS", offered)

    return there


def said(app: AppTest) -> str:
    return " ".join(str(caption.value) for caption in app.caption).replace("\\", "")


def test_without_extras_one_line_each_says_how_to_get_them(
    open_app: OpenApp, loaded: jobs.Workspace, extras_there: Callable[..., None]
) -> None:
    extras_there()
    app = open_app(loaded)
    assert "pip install 'transrec[deep]'" in said(app)
    assert "pip install 'transrec[text]'" in said(app)
    assert not [toggle for toggle in app.toggle if toggle.key == "fit_deep"]
    assert not [box for box in app.selectbox if box.key == "fit_text_model"]
    options = app.selectbox(key="fit_method").options
    assert "Transfer (factor map)" in options
    assert not {wording.method_word(name) for name in DEEP} & set(options)


def test_extras_bring_their_methods_and_models(
    open_app: OpenApp, loaded: jobs.Workspace, extras_there: Callable[..., None]
) -> None:
    extras_there("deep", "text", offered=MODEL)
    app = open_app(loaded)
    assert "pip install" not in said(app)
    assert {wording.method_word(name) for name in DEEP} <= set(
        app.selectbox(key="fit_method").options
    )
    # A visitor sees the model's name, not where the operator keeps it.
    assert app.selectbox(key="fit_text_model").options == ["Words (TF-IDF)", "small-one"]
    app.toggle(key="fit_deep").set_value(True)
    app.selectbox(key="fit_text_model").set_value(MODEL)
    app.run()
    assert not app.exception
    app.button(key="fit_go").click()
    app.run()
    assert loaded.settings.deep
    assert loaded.settings.text_model == MODEL


def test_the_extra_without_a_model_says_how_to_name_one(
    open_app: OpenApp, loaded: jobs.Workspace, extras_there: Callable[..., None]
) -> None:
    extras_there("text")
    app = open_app(loaded)
    assert "transrec app --text-model NAME" in said(app)


def test_models_are_offered_where_texts_are_loaded(
    open_app: OpenApp, loaded: jobs.Workspace, extras_there: Callable[..., None]
) -> None:
    extras_there("text", offered=MODEL)
    while loaded.items:
        compute.drop_items(loaded, 0)
    app = open_app(loaded)
    assert not [box for box in app.selectbox if box.key == "fit_text_model"]
    assert "--text-model" not in said(app)


@pytest.mark.parametrize("page", ["data", "compare", "user", "space"])
def test_a_run_made_with_what_is_not_here_opens_and_says_so(
    open_app: OpenApp,
    loaded: jobs.Workspace,
    small_run: Run,
    extras_there: Callable[..., None],
    page: str,
) -> None:
    settings = dataclasses.replace(
        small_run.settings, method="neural_map", deep=True, text_model="far/away-model"
    )
    run = dataclasses.replace(small_run, settings=settings)
    loaded.install(run, loaded.inputs, ("films.csv", "books.csv"), "cafe0009")
    loaded.settings = settings
    extras_there()
    app = open_app(loaded, page)
    assert "Transfer (neural map) needs an extra that is not installed here" in said(app)
    assert "language model away-model is not offered here" in said(app)
    assert app.selectbox(key="fit_method").value == "auto"
    app.button(key="fit_go").click().run()
    assert not app.exception
    assert (loaded.settings.method, loaded.settings.deep) == ("auto", False)
    assert loaded.settings.text_model == TFIDF


def test_what_a_browser_sends_beyond_the_offer_is_not_taken(
    extras_there: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = {"fit_text_model": "/etc", "fit_method": "neural_map", "fit_deep": True}
    monkeypatch.setattr(state, "get", lambda key, default=None: sent.get(key, default))
    extras_there("text", offered=MODEL)
    settings = fit_form.current()
    assert (settings.text_model, settings.method, settings.deep) == (TFIDF, "auto", False)
    extras_there("text", "deep", offered=MODEL)
    sent["fit_text_model"] = MODEL
    settings = fit_form.current()
    assert (settings.text_model, settings.method, settings.deep) == (MODEL, "neural_map", True)


def test_the_estimate_counts_networks(
    loaded: jobs.Workspace, extras_there: Callable[..., None]
) -> None:
    extras_there("deep")
    settings = dataclasses.replace(loaded.settings, budget=1000.0)
    alone = compute.expected(loaded, settings)
    with_networks = compute.expected(loaded, dataclasses.replace(settings, deep=True))
    assert alone is not None
    assert with_networks is not None
    assert with_networks > alone
