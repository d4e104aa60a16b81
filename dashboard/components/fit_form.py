"""The fit's settings in the sidebar; nothing is fitted before Fit is pressed."""

import streamlit as st

from dashboard import compute, state, wording
from dashboard.jobs import Workspace
from dashboard.wording import escape_md
from transrec_core.errors import BadSettingError
from transrec_core.extras import installed
from transrec_core.settings import Cold, Feedback, Model, Settings

FEEDBACKS: tuple[Feedback, ...] = ("auto", "ratings", "implicit")
MODELS: tuple[Model, ...] = ("als", "nmf")
COLDS: tuple[Cold, ...] = ("users", "items")
FIELDS = (
    "feedback", "method", "cold", "model", "rank", "lam", "leave_out_crosslisted",
    "merge_editions", "budget", "seed", "deep", "text_model",
)  # fmt: skip
# No limits stand at these fields: the browser would keep what is out of range to itself, and the
# fit would go by the value before.
NUMBERS = {"rank": "Rank", "lam": "λ", "budget": "Time budget", "seed": "Seed"}
WARM = "fit_warm"


def show(space: Workspace) -> Settings:
    """Draw the form, start a fit when asked, and return the settings as they stand."""
    before = space.settings
    for name in FIELDS:
        state.initial(f"fit_{name}", getattr(before, name))
    methods, models = compute.methods_offered(), compute.text_models_offered()
    # A run from elsewhere may have been made with what is not here; a select box would not bear it.
    for key, known, default in (
        ("fit_method", methods, "auto"),
        ("fit_text_model", models, Settings.text_model),
    ):
        if state.get(key) not in known:
            state.put(key, default)
    with st.sidebar:
        st.header("Fit", anchor=False)
        with st.container(key="fit_form", gap="small"):
            st.segmented_control(
                "Feedback",
                FEEDBACKS,
                format_func=wording.FEEDBACK_WORDS.__getitem__,
                key="fit_feedback",
                help=wording.HELP_FEEDBACK,
                required=True,
                width="stretch",
            )
            st.selectbox(
                "Method",
                methods,
                format_func=wording.method_word,
                key="fit_method",
                help=wording.help_method(methods),
            )
            missing = compute.not_offered(before)
            if missing:
                st.caption(escape_md(missing, 400))
            _deep()
            st.segmented_control(
                "Who is new to the target?",
                COLDS,
                format_func=wording.COLD_WORDS.__getitem__,
                key="fit_cold",
                help=wording.HELP_COLD,
                required=True,
                width="stretch",
            )
            st.segmented_control(
                "Model",
                MODELS,
                format_func=wording.MODEL_WORDS.__getitem__,
                key="fit_model",
                help=wording.HELP_MODEL,
                required=True,
                width="stretch",
            )
            left, right = st.columns(2)
            left.number_input(
                NUMBERS["rank"],
                value=None,
                step=1,
                placeholder="auto",
                key="fit_rank",
                help=wording.HELP_RANK,
            )
            right.number_input(
                NUMBERS["lam"],
                value=None,
                step=0.1,
                format="%.4g",
                placeholder="auto",
                key="fit_lam",
                help=wording.HELP_LAM + " Empty: validation users decide.",
            )
            st.toggle(
                "Leave out products listed twice",
                key="fit_leave_out_crosslisted",
                help=wording.HELP_CROSSLISTED,
            )
            st.toggle(
                "Make one item of each work",
                key="fit_merge_editions",
                help=wording.HELP_MERGE_EDITIONS,
            )
            with st.expander("Advanced", key="fit_advanced"):
                st.number_input(
                    f"{NUMBERS['budget']} (seconds)",
                    value=None,
                    step=10.0,
                    format="%.0f",
                    key="fit_budget",
                    help=wording.HELP_BUDGET,
                )
                st.number_input(
                    NUMBERS["seed"],
                    value=None,
                    step=1,
                    key="fit_seed",
                    help="Seed of everything random. The same seed and data give the same numbers.",
                )
                if any(space.items_of(side) is not None for side in compute.SIDES):
                    _text_model(models)
                state.initial(WARM, True)
                st.toggle("Start from the last fit", key=WARM, help=wording.HELP_WARM)
        settings = current()
        reason = blocked(space)
        shown = state.shown(space)
        changed = compute.stale(space, shown, settings)
        st.button(
            "Fit again" if shown is not None else "Fit",
            key="fit_go",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=bool(reason),
            on_click=start,
            args=(space, settings),
        )
        if reason and reason == out_of_range():
            st.markdown(f":red[:material/error: {reason}]")
        elif reason:
            st.caption(reason)
        elif changed:
            st.badge("Settings changed: refit", icon=":material/sync_problem:", color="orange")
        elif shown is not None:
            took = wording.seconds(shown.run.seconds)
            st.caption(f"The last fit took {took}.")
        else:
            st.caption("Rank and λ left empty are chosen on validation users.")
        if not reason and (changed or shown is None):
            _expect(space, settings)
    return settings


def _deep() -> None:
    """Whether Auto tries networks too; where it cannot, how to get them."""
    if compute.networks_offered():
        st.toggle("Also try deep models", key="fit_deep", help=wording.HELP_DEEP)
    else:
        st.caption(wording.NO_DEEP)


def _text_model(models: tuple[str, ...]) -> None:
    """What reads items' texts; where there is one way only, how to get others."""
    if len(models) > 1:
        st.selectbox(
            "Item texts are read by",
            models,
            format_func=wording.text_model_word,
            key="fit_text_model",
            help=wording.HELP_TEXT_MODEL,
        )
    else:
        st.caption(wording.NONE_NAMED if installed("text") else wording.NO_TEXT_MODEL)


def _expect(space: Workspace, settings: Settings) -> None:
    """How long the fit will take, by the sizes of the data and the pace of the last one."""
    seconds = compute.expected(space, settings)
    if seconds is not None:
        st.caption(f"Takes about {wording.seconds(seconds)}.", help=wording.HELP_EXPECTED)


def current() -> Settings:
    """The settings as the form shows them.

    What the browser sends is checked again: its choices are a help, not a fence. A number out of
    range counts as not given; ``blocked`` says so.
    """
    feedback, method, model = (
        state.get("fit_feedback"),
        state.get("fit_method"),
        state.get("fit_model"),
    )
    rank, lam, budget, seed = (
        None if _wrong(name) else state.get(f"fit_{name}") for name in NUMBERS
    )
    cold = state.get("fit_cold")
    deep, text_model = state.get("fit_deep"), state.get("fit_text_model")
    return Settings(
        feedback=feedback if feedback in FEEDBACKS else "auto",
        method=method if method in compute.methods_offered() else "auto",
        deep=bool(deep) and compute.networks_offered(),
        text_model=text_model
        if text_model in compute.text_models_offered()
        else Settings.text_model,
        model=model if model in MODELS else "als",
        rank=None if rank is None else int(rank),
        lam=None if lam is None else float(lam),
        budget=Settings.budget if budget is None else float(budget),
        cold=cold if cold in COLDS else "users",
        merge_editions=bool(state.get("fit_merge_editions")),
        leave_out_crosslisted=bool(state.get("fit_leave_out_crosslisted")),
        seed=int(seed or 0),
    )


def _wrong(name: str) -> str:
    """What a field's number must be, where it is not; the core knows the ranges."""
    value = state.get(f"fit_{name}")
    if value is not None:
        try:
            Settings(**{name: value})
        except BadSettingError as error:
            return error.fix.replace("It must", f"{NUMBERS[name]} must", 1)
    return ""


def out_of_range() -> str:
    """The first number in the form that is out of range, as a sentence; empty when none is."""
    return next(filter(None, map(_wrong, NUMBERS)), "")


def blocked(space: Workspace) -> str:
    """Why no fit can start now, as a sentence; empty when one can."""
    if space.job is not None and space.job.active:
        return "A fit is at work."
    missing = [
        wording.DOMAIN_WORDS[side].lower() for side in compute.SIDES if space.side(side) is None
    ]
    if missing:
        return f"Load {' and '.join(missing)} ratings first."
    if not compute.both_usable(space):
        return "One of the files cannot be used yet: see its card on the Data page."
    return out_of_range()


def start(space: Workspace, settings: Settings) -> None:
    """Start a fit unless something speaks against it by now."""
    with space.lock:
        if not blocked(space):
            warm = state.shown(space) if state.get(WARM, True) else None
            state.tab().own_job = space.start(settings, warm=warm).id
