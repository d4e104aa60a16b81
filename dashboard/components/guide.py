"""The first minute: the sample from one click to its verdict, and what to look at then."""

from dataclasses import dataclass

import streamlit as st

from dashboard import compute, sample, state
from dashboard.components import fit_form
from dashboard.jobs import Workspace


@dataclass(frozen=True)
class Step:
    """One thing to look at, the page that shows it, and what to see there."""

    name: str
    label: str
    page: str
    look: str


STEPS = (
    Step(
        "verdict",
        "The verdict",
        "compare",
        "One sentence: does the source help, by how much, and how surely.",
    ),
    Step(
        "curve",
        "The curve",
        "compare",
        "Below it: every method as more is known of a user. Where bands part, the gain is sure.",
    ),
    Step(
        "list",
        "One user's list",
        "user",
        "What transfer, the target alone and popularity would each give the same user.",
    ),
    Step(
        "export",
        "The export",
        "export",
        "Lists for everybody, the evidence, and the command that repeats the run.",
    ),
)
# What a page shows as soon as it is open; the curve stands further down.
SHOWN_AT_ONCE = {"compare": "verdict", "user": "list", "export": "export"}


def run_sample(space: Workspace) -> None:
    """Load the sample, start its fit, and go where the verdict will stand; a callback."""
    compute.load_sample(space)
    for name in fit_form.FIELDS:
        state.put(f"fit_{name}", getattr(sample.SETTINGS, name))
    fit_form.start(space, sample.SETTINGS)
    memory = state.tab()
    memory.guided = space.id
    memory.seen.clear()
    memory.going = "compare"


def show(space: Workspace) -> None:
    """The steps with those ticked that were looked at, on every page until it is closed."""
    memory = state.tab()
    if memory.going:
        page, memory.going = memory.going, ""
        st.switch_page(f"views/{page}.py", query_params=state.link_params(space))
    if memory.guided != space.id or state.shown(space) is None:
        return
    at_once = SHOWN_AT_ONCE.get(state.page())
    if at_once is not None:
        memory.seen.add(at_once)
    left = len(STEPS) - len(memory.seen)
    with st.container(border=True, key="guide", gap="small"):
        head = st.container(horizontal=True, vertical_alignment="center")
        head.markdown(
            "**What to look at** " + (f":small[{left} to go]" if left else ":small[all seen]"),
            width="stretch",
        )
        head.button(
            "Close the guide",
            key="guide_close",
            icon=":material/close:",
            type="tertiary",
            on_click=_close,
        )
        grid = st.grid(len(STEPS), min_column_width=200, gap="medium")
        for number, step in enumerate(STEPS, 1):
            with grid.cell(), st.container(gap="xxsmall"):
                seen = step.name in memory.seen
                st.button(
                    f"{number} · {step.label}",
                    key=f"guide_{step.name}",
                    icon=":material/check_circle:" if seen else ":material/radio_button_unchecked:",
                    type="tertiary",
                    on_click=_go,
                    args=(step,),
                )
                st.caption(step.look)


def _go(step: Step) -> None:
    memory = state.tab()
    memory.seen.add(step.name)
    memory.going = step.page


def _close() -> None:
    state.tab().guided = ""
