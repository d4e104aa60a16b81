"""The fit at work: stage, share done, time left, Cancel."""

import streamlit as st

from dashboard import state, wording
from dashboard.jobs import Job, Workspace

_REFRESH_SECONDS = 0.5


def show(space: Workspace) -> None:
    """Show the job while it is active; nothing otherwise."""
    job = space.job
    if job is None or not job.active:
        return
    state.tab().watched_job = job.id
    with st.container(border=True, key="job"):
        _live(job)


@st.fragment(run_every=_REFRESH_SECONDS)
def _live(job: Job) -> None:
    if not job.active:
        st.rerun()
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with row:
        st.progress(min(1.0, max(0.0, job.step.fraction)), text=_line(job))
        st.button(
            "Cancel",
            key="cancel_fit",
            icon=":material/close:",
            on_click=job.cancel,
            disabled=job.status == "cancelling",
        )


def _line(job: Job) -> str:
    if job.status == "queued":
        ahead = job.ahead
        if ahead:
            return f"Waiting for {wording.plural(ahead, 'fit')} before this one"
        return "Waiting to start"
    if job.status == "cancelling":
        return "Stopping after this half-sweep"
    parts = [wording.escape_md(job.step.stage)]
    if job.step.detail:
        parts.append(wording.escape_md(job.step.detail))
    left = job.remaining
    parts.append(f"about {wording.seconds(left)} left" if left is not None else "estimating time")
    return " · ".join(parts)
