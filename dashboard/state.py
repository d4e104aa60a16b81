"""The one typed state of a browser tab, and the only user of ``session_state`` and the link."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from dashboard.jobs import REGISTER, Result, Workspace
from transrec_core.errors import TransrecError

if TYPE_CHECKING:
    from dashboard.compute import Change

_KEY = "transrec"
LINK, SHOWN, FOLDER = "run", "shown", "folder"


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
    shown_id
        Which run it shows, whatever others fit or show; empty until there is one.
    linked_id
        Which run its address named last. Another there means that the browser has gone back.
    newest_id
        The newest run when it was chosen what is shown; a later one is offered.
    own_job
        The fit that was started here, whose run is shown when it is done.
    run_gone
        Whether the run that the link names is no longer kept.
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
    shown_id: str = ""
    linked_id: str = ""
    newest_id: str = ""
    own_job: str = ""
    run_gone: bool = False
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
            _enter(asked)
            memory.lost_link = False
        else:
            memory.lost_link = True
            del st.query_params[LINK]
    found = _find(memory.workspace_id) if memory.workspace_id else None
    if found is None:
        if memory.workspace_id:
            memory.lost_link = True
        found = REGISTER.create()
        _enter(found.id)
    if not found.empty:
        memory.lost_link = False
        if st.query_params.get(LINK) != found.id:
            st.query_params[LINK] = found.id
    _choose_run(found)
    return found


def _enter(id_: str) -> None:
    """Show another workspace, and of its runs none yet."""
    memory = tab()
    memory.workspace_id = id_
    memory.shown_id = memory.linked_id = memory.newest_id = memory.own_job = ""
    memory.run_gone = False


def _choose_run(space: Workspace) -> None:
    """Settle which run this tab shows, and have its address say so."""
    memory, job = tab(), space.job
    asked = st.query_params.get(SHOWN, "")
    if asked and asked != memory.linked_id:
        memory.shown_id = memory.newest_id = asked
        memory.run_gone = False
    if job is not None and job.id == memory.own_job and not job.active:
        memory.own_job = ""
        made = next((result for result in space.results if result.id == job.id), None)
        if made is not None:
            _remember(space, made)
    if shown(space) is None and space.shown is not None:
        gone = bool(memory.shown_id)
        _remember(space, space.results[0] if gone else space.shown)
        memory.run_gone = gone
    elif not space.results:
        memory.shown_id = ""
    memory.linked_id = memory.shown_id
    if memory.shown_id and asked != memory.shown_id:
        st.query_params[SHOWN] = memory.shown_id
    elif asked and not memory.shown_id:
        del st.query_params[SHOWN]


def shown(space: Workspace) -> Result | None:
    """The run that this tab shows; other tabs of the same link may show others."""
    asked = tab().shown_id
    return next((result for result in space.results if result.id == asked), None)


def show(space: Workspace, result: Result) -> None:
    """Show a run in this tab, and to whoever opens the link without one."""
    space.show(result)
    _remember(space, result)


def _remember(space: Workspace, result: Result) -> None:
    memory = tab()
    memory.shown_id, memory.newest_id = result.id, space.results[0].id
    memory.run_gone = False


def newer(space: Workspace) -> Result | None:
    """A run that came after it was chosen what this tab shows; ``None`` where there is none."""
    newest = space.results[0] if space.results else None
    if newest is None or newest.id in (tab().newest_id, tab().shown_id):
        return None
    return newest


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
    _enter(REGISTER.create().id)
    memory.lost_link = False
    memory.lost_why = ""
    memory.forgetting = False
    memory.replacing.clear()
    memory.uploads.update(memory.uploads.keys())
    for name in (LINK, SHOWN):
        if name in st.query_params:
            del st.query_params[name]


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
    """Query parameters that lead another page to the same workspace and run."""
    if space.empty:
        return {}
    result = shown(space)
    return {LINK: space.id} if result is None else {LINK: space.id, SHOWN: result.id}


def link(space: Workspace) -> str:
    """The address that leads back to this workspace and the run that this tab shows."""
    page = (st.context.url or "").split("?")[0]
    return f"{page}?{urlencode({LINK: space.id, **link_params(space)})}"


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
