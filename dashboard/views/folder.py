"""A run from a folder: what a job on more data than fits here found, without loading it all."""

import streamlit as st

from dashboard import compute, state
from dashboard.components import folders, states

space = state.workspace()
states.heading(
    "What did a run elsewhere find?",
    "Runs that a Spark job or the command line has written as folders: the evidence, a sampled "
    "map, and anybody's list by id. Nothing is loaded as a whole.",
)
if not space.empty:
    st.caption("The bar above and the form beside are about the data loaded here, not about these.")
name = state.folder() if compute.shelf() else ""
entry = compute.folder_entry(name) if name else None
if name:
    folders.back()
if name and entry is None:
    folders.gone(name)
elif entry is not None and entry.folder is None:
    folders.broken(entry)
if entry is None or entry.folder is None:
    folders.choose(space)
else:
    dark = state.is_dark()
    folders.about(entry)
    summary, curves, item_map, person, export = st.tabs(
        folders.PARTS, key="folder_part", on_change="rerun", bind="query-params"
    )
    with summary:
        if summary.open:
            folders.summary(entry)
    with curves:
        if curves.open:
            folders.curves(entry, dark)
    with item_map:
        if item_map.open:
            folders.item_map(entry, dark)
    with person:
        if person.open:
            folders.person(entry)
    with export:
        if export.open:
            folders.export(entry)
