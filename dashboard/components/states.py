"""How every page looks when it has nothing, is waiting, or something failed."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import compute, state
from dashboard.components import checks
from dashboard.jobs import Failure, Workspace
from dashboard.wording import escape_md, plural


def heading(title: str, question: str) -> None:
    """Title of a page and the question that it answers."""
    st.title(title, anchor=False)
    st.caption(question)


def empty(key: str, answers: str, button: str, page: str, icon: str) -> None:
    """What this page will answer, and the one thing to do first."""
    with st.container(border=True, horizontal_alignment="center", key=f"empty_{key}"):
        st.space("medium")
        st.markdown(f"#### {icon} {answers}", text_alignment="center", width="stretch")
        if st.button(button, type="primary", key=f"empty_go_{key}"):
            st.switch_page(page, query_params=state.link_params(state.workspace()))
        st.space("medium")


def failure(found: Failure, key: str) -> None:
    """What failed, where, and how to mend it; the details of a refused file below."""
    lines = [escape_md(found.message, 500)]
    if found.fix:
        lines.append(escape_md(found.fix, 500))
    if found.reference:
        lines.append(f"Error id: `{found.reference}`")
    with st.container(key=f"failure_{key}"):
        st.error("\n\n".join(lines), title=escape_md(found.title), icon=":material/error:")
        others = [p for p in found.problems if p.message not in found.message]
        if others:
            with st.expander(plural(len(others), "detail"), key=f"failure_more_{key}"):
                for problem in others:
                    where = (
                        " Lines " + ", ".join(map(str, problem.rows)) + "." if problem.rows else ""
                    )
                    st.markdown(
                        f"- {escape_md(problem.message, 400)}{where} {escape_md(problem.fix, 400)}"
                    )


def refused(space: Workspace, key: str) -> None:
    """The refusal of a file, where there is one, beside where it was given."""
    if key in space.refused:
        failure(space.refused[key], key)


def dismissal(key: str, act: Callable[..., None], *args: Any) -> None:
    """The button that puts a message away, by calling ``act`` with ``args``."""
    st.button(
        "Dismiss",
        key=f"dismiss_{key}",
        icon=":material/close:",
        type="tertiary",
        on_click=act,
        args=args,
    )


def loading(heights: tuple[int, ...], key: str) -> None:
    """The page's layout in grey while the first fit is at work."""
    with st.container(key=f"loading_{key}"):
        st.caption("The first results appear here as soon as the fit is done.")
        st.skeleton(height=heights[0])
        if len(heights) > 1:
            for column, height in zip(st.columns(len(heights) - 1), heights[1:], strict=True):
                with column:
                    st.skeleton(height=height)


def last_failure(space: Workspace) -> None:
    """The failure of the last fit, where there is one, on top of whatever stays."""
    job = space.job
    if job is None or job.failure is None:
        return
    failure(job.failure, "job")
    if state.shown(space) is not None:
        st.caption("The results below are those of the fit before and have not changed.")
    if job.failure.kind == "NoOverlapError" and compute.both_usable(space):
        _partial(space)


def _partial(space: Workspace) -> None:
    """Nobody in both catalogues: which numbers cannot exist, and the ways that are left."""
    with st.container(border=True, key="partial", gap="small"):
        st.markdown(
            "**What nobody in both catalogues means.** No verdict on the source, no gain with its "
            "interval, no share helped or harmed, no common map: all of them need people whose "
            "target ratings can be hidden while the source still knows them. Lists can still come "
            "from what the items are about, or from rating patterns of groups."
        )
        checks.mends(space, compute.ways_without_overlap(space), "partial")
        st.caption("Choose a way, then press Fit in the sidebar.")
