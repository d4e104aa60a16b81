"""The fit at work: stage, share done, half-sweep, objective, time left, Cancel."""

import re

import streamlit as st

from dashboard import state, wording
from dashboard.jobs import Job, Workspace
from transrec_core.progress import EXPECTED_HALF_SWEEPS

_REFRESH_SECONDS = 0.5
# As ``transrec_core.progress.Meter.fits`` writes it.
_HALF_SWEEP = re.compile(r"(source|target) factors, half-sweep (\d+), objective ([\d,.-]+)")


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
        with st.container(gap="xxsmall"):
            st.progress(min(1.0, max(0.0, job.step.fraction)), text=_line(job))
            st.caption(_detail(job))
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
    return f"**{wording.escape_md(job.step.stage)}** · {job.step.fraction:.0%}".replace("%", " %")


def _detail(job: Job) -> str:
    """What the stage is at, and the time: spent, and left by the pace so far."""
    parts = []
    found = _HALF_SWEEP.fullmatch(job.step.detail)
    if job.status == "running" and found:
        domain, half_sweep, objective = found.groups()
        # A fit stops as soon as the objective stands still, so there is no last one to name.
        parts.append(
            f"{domain.capitalize()} factors: half-sweep {half_sweep} of about "
            f"{max(EXPECTED_HALF_SWEEPS, int(half_sweep))}, objective {objective}"
        )
    elif job.status == "running" and job.step.detail:
        parts.append(wording.escape_md(job.step.detail).capitalize())
    if job.status == "running":
        left = job.remaining
        parts.append(f"{wording.seconds(job.elapsed)} so far")
        parts.append(f"about {wording.seconds(left)} left" if left is not None else "estimating")
    elif job.status == "queued":
        parts.append("One fit works at a time. You can go on looking around.")
    else:
        parts.append("Results from before stay.")
    return " · ".join(parts)
