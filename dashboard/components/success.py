"""The end of a fit, told once to every tab that saw it at work."""

import streamlit as st

from dashboard import state, wording
from dashboard.components import guide
from dashboard.compute import evidences
from dashboard.jobs import Result, Workspace
from transrec_core.reporting.sentences import verdict_sentence


def sentence(result: Result) -> str:
    """The verdict without target interactions, or why there is none."""
    found = evidences(result)
    if not found:
        return result.run.no_comparison
    evidence = next(iter(found.values()))
    return verdict_sentence(evidence.shots[0], evidence)


def headline(result: Result) -> str:
    """The verdict without target interactions in a few words."""
    found = evidences(result)
    if not found:
        return "Fit done, without a comparison."
    evidence = next(iter(found.values()))
    first = evidence.shots[0]
    return (
        f"{wording.VERDICT_WORDS[first.verdict]}: {wording.metric_word(evidence.metric)} "
        f"{wording.signed(first.gain.mean)} for {wording.who(first.shots, evidence.cold)}."
    )


def tell(space: Workspace) -> None:
    """A toast when the watched job has ended; after the sample's first run, what to look at."""
    _toast(space)
    guide.show(space)


def _toast(space: Workspace) -> None:
    memory = state.tab()
    job = space.job
    if job is None or job.active or memory.watched_job != job.id:
        return
    memory.watched_job = ""
    shown = state.shown(space)
    if job.status == "done" and job.kind != "fit":
        st.toast(f"**{wording.STUDY_DONE[job.kind]}**", icon=":material/check_circle:")
    elif job.status == "done" and shown is not None and shown.id == job.id:
        # No link: it would open the tab anew and forget what the tab remembers, as the guide.
        more = "" if state.page() == "compare" else " The Compare page tells for whom."
        st.toast(
            f"**{headline(shown)}**{more}",
            icon=":material/check_circle:",
            duration="long",
        )
    elif job.status == "cancelled":
        earlier = " The earlier results are still here." if shown is not None else ""
        st.toast(f"**Fit cancelled.**{earlier}", icon=":material/cancel:")


def banner(space: Workspace) -> None:
    """The verdict with the way to the next question; nothing before the first result."""
    shown = state.shown(space)
    if shown is None:
        return
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key="verdict_banner"
    ):
        st.markdown(wording.escape_md(sentence(shown), 400))
        st.page_link(
            "views/compare.py",
            label="See the comparison",
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params=state.link_params(space),
        )
