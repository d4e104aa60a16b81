"""The pre-flight list: what passes, what to look at, what stands in the way."""

from collections.abc import Callable
from typing import Any, cast

import streamlit as st

from dashboard import compute, state
from dashboard.compute import Check, Mend
from dashboard.jobs import Side, Workspace
from dashboard.wording import count, escape_md

LOOKS = {
    "fail": ("Fail", "red", ":material/cancel:"),
    "warn": ("Warn", "yellow", ":material/warning:"),
    "pass": ("Pass", "green", ":material/check_circle:"),
}
ICONS = {
    "set": ":material/tune:",
    "columns": ":material/swap_horiz:",
    "sides": ":material/swap_horiz:",
    "duplicates": ":material/rule:",
    "ignore": ":material/visibility_off:",
    "side": ":material/delete:",
    "items": ":material/delete:",
}


def show(space: Workspace, checks: list[Check]) -> None:
    """One row a check, each with its way to mend it."""
    tally = {status: sum(c.status == status for c in checks) for status in LOOKS}
    with st.container(horizontal=True, key="check_tally"):
        for status, (word, colour, icon) in LOOKS.items():
            if tally[status]:
                _badge(f"{tally[status]} {word.lower()}", icon, colour)
    with st.container(border=True, key="checks", gap="small"):
        for number, check in enumerate(checks):
            _row(space, check, number)


def _row(space: Workspace, check: Check, number: int) -> None:
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
        if check.mends:
            mends(space, check.mends, f"{problem.code.lower()}_{number}")


def mends(space: Workspace, ways: tuple[Mend, ...], key: str) -> None:
    """Buttons that mend something here and now; a setting says when it is set."""
    with st.container(horizontal=True, gap="small", key=f"mends_{key}"):
        for place, mend in enumerate(ways):
            done = mend.act == "set" and state.get(f"fit_{mend.of}") == mend.value
            act, args = _acts(space, mend)
            st.button(
                mend.done if done else mend.words,
                key=f"mend_{key}_{place}",
                icon=":material/check:" if done else ICONS[mend.act],
                disabled=done,
                on_click=act,
                args=args,
            )


def _acts(space: Workspace, mend: Mend) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    side = cast(Side, mend.of)
    match mend.act:
        case "set":
            return state.put, (f"fit_{mend.of}", mend.value)
        case "columns":
            return _with_columns_swapped, (space, compute.SIDES if mend.of == "both" else (side,))
        case "sides":
            return compute.swap_sides, (space,)
        case "duplicates":
            return _by_rule, (space, side, mend.value)
        case "ignore":
            return _without, (space, side, mend.value)
        case "side":
            return compute.drop_side, (space, side)
        case "items":
            return compute.drop_items, (space, mend.value)


def _with_columns_swapped(space: Workspace, sides: tuple[Side, ...]) -> None:
    for side in sides:
        compute.swap_columns(space, side)


def _by_rule(space: Workspace, side: Side, rule: compute.Duplicates) -> None:
    loaded = space.side(side)
    if loaded is not None:
        compute.remap(space, side, loaded.mapping, rule)


def _without(space: Workspace, side: Side, role: str) -> None:
    loaded = space.side(side)
    if loaded is not None:
        compute.remap(space, side, {**loaded.mapping, role: None}, loaded.duplicates)


def _badge(label: str, icon: str, colour: str) -> None:
    match colour:
        case "red":
            st.badge(label, icon=icon, color="red")
        case "yellow":
            st.badge(label, icon=icon, color="yellow")
        case _:
            st.badge(label, icon=icon, color="green")
