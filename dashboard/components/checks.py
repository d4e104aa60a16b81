"""The pre-flight list: what passes, what to look at, what stands in the way."""

import streamlit as st

from dashboard import state
from dashboard.compute import Check
from dashboard.wording import count, escape_md

LOOKS = {
    "fail": ("Fail", "red", ":material/cancel:"),
    "warn": ("Warn", "yellow", ":material/warning:"),
    "pass": ("Pass", "green", ":material/check_circle:"),
}


def show(checks: list[Check]) -> None:
    """One row a check, each with its way to mend it."""
    tally = {status: sum(c.status == status for c in checks) for status in LOOKS}
    with st.container(horizontal=True, key="check_tally"):
        for status, (word, colour, icon) in LOOKS.items():
            if tally[status]:
                _badge(f"{tally[status]} {word.lower()}", icon, colour)
    with st.container(border=True, key="checks", gap="small"):
        for number, check in enumerate(checks):
            _row(check, number)


def _row(check: Check, number: int) -> None:
    word, colour, icon = LOOKS[check.status]
    problem = check.problem
    row = st.container(horizontal=True, wrap=False, gap="small")
    with row.container(width=72):
        _badge(word, icon, colour)
    with row.container(width="stretch", gap="xxsmall"):
        where = f"**{check.where}** · " if check.where else ""
        st.markdown(f"{where}{escape_md(problem.message, 400)}")
        notes = []
        if problem.rows:
            lines = ", ".join(map(count, problem.rows))
            notes.append(f"{'Lines' if len(problem.rows) > 1 else 'Line'} {lines}.")
        if problem.fix:
            notes.append(escape_md(problem.fix, 400))
        if notes:
            st.caption(" ".join(notes))
        if problem.code == "CROSSLISTED" and problem.count:
            _mend(
                "fit_leave_out_crosslisted",
                "leave_out",
                "Leave them out",
                "They are left out of the next fit",
                ":material/remove_selection:",
            )
        if problem.code == "EDITIONS" and "merge_editions" in problem.fix:
            _mend(
                "fit_merge_editions",
                f"merge_{number}",
                "Make one item of each work",
                "The next fit has one item of each work",
                ":material/merge:",
            )


def _mend(toggle: str, key: str, words: str, done: str, icon: str) -> None:
    """A button that turns a toggle of the fit form on."""
    on = bool(state.get(toggle))
    st.button(
        done if on else words,
        key=key,
        icon=":material/check:" if on else icon,
        disabled=on,
        on_click=state.put,
        args=(toggle, True),
    )


def _badge(label: str, icon: str, colour: str) -> None:
    match colour:
        case "red":
            st.badge(label, icon=icon, color="red")
        case "yellow":
            st.badge(label, icon=icon, color="yellow")
        case _:
            st.badge(label, icon=icon, color="green")
