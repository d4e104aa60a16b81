"""What the disk has of a workspace, what it has not, and how all of it is forgotten."""

import streamlit as st

from dashboard import jobs, state, wording
from dashboard.components import states
from dashboard.jobs import Workspace
from transrec_core.limits import Limits

_REFRESH_SECONDS = 1.0


def show(space: Workspace) -> None:
    """What was left out or cut short when the workspace was found again, and what is not kept."""
    if space.interrupted:
        st.info(
            wording.INTERRUPTED[space.interrupted],
            title="The server ended meanwhile",
            icon=":material/power_settings_new:",
        )
    if space.notes:
        st.warning(
            "\n".join(f"- {wording.escape_md(note, 500)}" for note in space.notes),
            title="Not everything could be found again",
            icon=":material/inventory_2:",
        )
    if space.interrupted or space.notes:
        states.dismissal("kept", _dismiss, space)
    if space.unkept:
        told = "\n".join(
            f"- {wording.escape_md(what)}: {wording.escape_md(why, 300)}"
            for what, why in space.unkept.items()
        )
        st.warning(
            f"{told}\n\nIt is all here while the server runs. A run can be saved as a file on the "
            "Export page.",
            title="Not kept on the server's disk",
            icon=":material/save:",
        )
    if space.being_kept:
        _wait(space)


@st.fragment(run_every=_REFRESH_SECONDS)
def _wait(space: Workspace) -> None:
    """Until a large run is on the disk, so that the page can say whether it is."""
    if not space.being_kept:
        st.rerun()
    st.caption(":material/save: The run is being written to the server's disk.")


def _dismiss(space: Workspace) -> None:
    with space.lock:
        space.interrupted, space.notes = "", ()


def how_long() -> str:
    """How long a link leads back to its data and runs, as the end of a sentence."""
    if jobs.REGISTER.keeper is None:
        return "while it runs"
    days = Limits.current().store_days
    return f"until nobody has opened it for {days:g} days"


def forgetting(space: Workspace) -> None:
    """A button that removes everything, once it has asked once more."""
    memory = state.tab()
    if not memory.forgetting:
        st.button(
            "Forget everything",
            key="forget",
            icon=":material/delete:",
            on_click=_ask,
            help="Asks once more before this link's data and runs are removed.",
        )
        return
    where = "" if jobs.REGISTER.keeper is None else ", also from the server's disk"
    st.markdown("**Forget everything under this link?**")
    st.caption(f"Its files and runs are removed{where}. It cannot be undone.")
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Forget for good",
            key="forget_for_good",
            type="primary",
            icon=":material/delete_forever:",
            on_click=_forget,
            args=(space,),
        )
        st.button("Keep it", key="forget_not", icon=":material/undo:", on_click=_ask)


def _ask() -> None:
    memory = state.tab()
    memory.forgetting = not memory.forgetting


def _forget(space: Workspace) -> None:
    try:
        state.forget_workspace(space)
    except OSError as error:
        st.toast(
            f"**Not all of it could be removed from the disk:** {error.strerror}.",
            icon=":material/error:",
            duration="long",
        )
