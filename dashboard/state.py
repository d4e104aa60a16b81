"""The one typed state of a browser tab, and the only user of ``session_state`` and the link."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.jobs import REGISTER, Workspace
from transrec_core.errors import TransrecError

if TYPE_CHECKING:
    from dashboard.compute import Change

_KEY = "transrec"
LINK, FOLDER = "run", "folder"


@dataclass
class Tab:
    """What one browser tab remembers.

    Attributes
    ----------
    workspace_id
        Which workspace it shows.
    lost_link
        Whether the link it was opened with led nowhere.
    lost_why
        Why, where more is known than that nothing is there.
    uploads
        How many files each dropzone took in; a new number is a new, empty uploader.
    watched_job
        The job that this tab saw at work, so that its end is told once.
    replacing
        Sides whose uploader is open although a file is loaded.
    guided
        Workspace whose first look is guided; empty before the sample was run and after the guide
        was closed.
    seen
        Steps of the guide that were looked at.
    going
        Page that a button of the guide leads to, until the tab is there.
    forgetting
        Whether it asks once more before everything is forgotten.
    folder
        The run folder that it looks at; empty for none.
    """

    workspace_id: str = ""
    lost_link: bool = False
    lost_why: str = ""
    uploads: Counter[str] = field(default_factory=Counter)
    watched_job: str = ""
    replacing: set[str] = field(default_factory=set)
    steps: "dict[tuple[str, str], list[Change]]" = field(default_factory=dict)
    stepped: tuple[str, str] = ("", "")
    guided: str = ""
    seen: set[str] = field(default_factory=set)
    going: str = ""
    forgetting: bool = False
    folder: str = ""


def tab() -> Tab:
    """Give the memory of this tab."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Tab()
    found = st.session_state[_KEY]
    assert isinstance(found, Tab)
    return found


def workspace() -> Workspace:
    """The workspace of this tab: that of its link, else the one it had, else a new one."""
    memory = tab()
    asked = st.query_params.get(LINK)
    if asked and asked != memory.workspace_id:
        memory.lost_why = ""
        if _find(asked) is not None:
            memory.workspace_id = asked
            memory.lost_link = False
        else:
            memory.lost_link = True
            del st.query_params[LINK]
    found = _find(memory.workspace_id) if memory.workspace_id else None
    if found is None:
        if memory.workspace_id:
            memory.lost_link = True
        found = REGISTER.create()
        memory.workspace_id = found.id
    if not found.empty:
        memory.lost_link = False
        if st.query_params.get(LINK) != found.id:
            st.query_params[LINK] = found.id
    return found


def _find(id_: str) -> Workspace | None:
    """The workspace of an id; where there is one that cannot be read, the tab remembers why."""
    try:
        return REGISTER.find(id_)
    except TransrecError as error:
        tab().lost_why = str(error)
        return None


def forget_workspace(space: Workspace) -> None:
    """Remove all that a link shows, from the disk too, and start afresh.

    Raises
    ------
    OSError
        It could not be removed from the disk.
    """
    try:
        REGISTER.forget(space)
    finally:
        leave_workspace()


def leave_workspace() -> None:
    """Start afresh in an empty workspace; the old one stays under its link."""
    memory = tab()
    memory.workspace_id = REGISTER.create().id
    memory.lost_link = False
    memory.lost_why = ""
    memory.forgetting = False
    memory.replacing.clear()
    memory.uploads.update(memory.uploads.keys())
    if LINK in st.query_params:
        del st.query_params[LINK]


def folder() -> str:
    """The run folder that the link names, else the one that the tab had; empty for none.

    Only the page of run folders may ask, as its link then says what it shows.
    """
    memory = tab()
    memory.folder = st.query_params.get(FOLDER) or memory.folder
    if memory.folder and st.query_params.get(FOLDER) != memory.folder:
        st.query_params[FOLDER] = memory.folder
    return memory.folder


def leave_folder() -> None:
    """Go back to all run folders."""
    tab().folder = ""
    if FOLDER in st.query_params:
        del st.query_params[FOLDER]


def folder_params(space: Workspace, name: str) -> dict[str, str]:
    """Query parameters that lead to a run folder, and keep the tab's workspace."""
    return {**link_params(space), FOLDER: name}


def page() -> str:
    """The page that the tab shows, by its name in the address; the first page is ``data``."""
    path = (st.context.url or "").split("?")[0].split("#")[0]
    last = path.rstrip("/").rsplit("/", 1)[-1]
    return last if last in ("compare", "space", "user", "export", "folder") else "data"


def link_params(space: Workspace) -> dict[str, str]:
    """Query parameters that lead another page to the same workspace."""
    return {} if space.empty else {LINK: space.id}


def link(space: Workspace) -> str:
    """The address that leads back to this workspace."""
    page = (st.context.url or "").split("?")[0]
    return f"{page}?{LINK}={space.id}"


def initial(key: str, value: Any) -> None:
    """Give a widget its first value; later ones are the analyst's."""
    st.session_state.setdefault(key, value)


def put(key: str, value: Any) -> None:
    """Set a widget's value from a callback."""
    st.session_state[key] = value


def get(key: str, default: Any = None) -> Any:
    """Read a widget's value in a callback."""
    return st.session_state.get(key, default)


def forget(key: str) -> None:
    """Let a widget start anew."""
    st.session_state.pop(key, None)


def is_dark() -> bool:
    """Whether the tab shows the dark theme."""
    return st.context.theme.type == "dark"
