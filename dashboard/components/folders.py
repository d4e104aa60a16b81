"""Run folders: which there are, and the parts of the page that shows one."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import charts, compute, state, wording
from dashboard.components import chart, comparison, exports, states
from dashboard.jobs import Failure, Workspace
from dashboard.wording import escape_md
from transrec_core.engines.folder import (
    EVIDENCE,
    LISTS,
    SOURCE_ITEMS,
    TARGET_ITEMS,
    RunFolder,
)
from transrec_core.reporting.sentences import listed, one

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("Summary", "Curves", "Map", "Look-up", "Export")
NAME_LENGTH = 60
FEW = 8
"""Folders that other pages offer."""
SHOWN = {"Both": ("source", "target"), "Source": ("source",), "Target": ("target",)}
MOST_FOUND = 50
ENGINES = {"embedded": "embedded engine", "spark": "Spark"}
PART_WORDS = {
    "lists": "Recommendations in lists",
    "items/source": "Source items with factors",
    "items/target": "Target items with factors",
    "users/source": "Source users with factors",
    "users/placed": "Source users placed in the target's space",
    "map.parquet": "Items on the map",
}


# ── which there are ──────────────────────────────────────────────────────────────────────────────


def offer(space: Workspace) -> None:
    """An expander with the newest run folders, where the server shows any."""
    if not compute.shelf():
        return
    box = st.expander(
        "Open a run folder", icon=":material/folder_open:", key="open_folder", on_change="rerun"
    )
    # Nothing is read before somebody wants to see it.
    if not box.open:
        return
    with box:
        found = _found()
        if not found:
            return
        for entry in found[:FEW]:
            _row(space, entry, "offer")
        if len(found) > FEW:
            st.page_link(
                "views/folder.py",
                label=f"All {wording.count(len(found))} run folders",
                icon=":material/list:",
                query_params=state.link_params(space),
            )


def choose(space: Workspace) -> None:
    """Every run folder with what it is, or why it cannot be opened."""
    found = _found()
    if found:
        st.caption(
            f"{wording.plural(len(found), 'folder')}, the newest first. Whoever reaches this "
            "server can open them."
        )
    for entry in found:
        with st.container(border=True, key=f"folder_{_slug(entry)}", gap="xsmall"):
            _row(space, entry, "all")


def _found() -> "list[compute.FolderEntry]":
    """What the place holds; an empty place is told of."""
    try:
        found = compute.folder_entries()
    except OSError as error:
        st.warning(
            f"The place of the run folders cannot be read: {escape_md(error.strerror)}. "
            "Whoever runs this server can mend it.",
            icon=":material/folder_off:",
        )
        return []
    if not found:
        st.caption(
            "There is none yet. A run folder is what `transrec fit … --out NAME/` or a Spark job "
            "writes into the folder that this server was started with."
        )
    return found


def _row(space: Workspace, entry: "compute.FolderEntry", where: str) -> None:
    name = escape_md(entry.name, NAME_LENGTH)
    if entry.folder is None:
        assert entry.why is not None
        st.markdown(f":material/folder_off: **{name}** cannot be opened.")
        st.caption(escape_md(f"{entry.why.message} {entry.why.fix}", 400))
        return
    with st.container(key=f"{where}_{_slug(entry)}", gap="xxsmall"):
        st.page_link(
            "views/folder.py",
            label=name,
            icon=":material/folder_open:",
            query_params=state.folder_params(space, entry.name),
        )
        st.caption(f"{wording.clock(entry.at)} · {escape_md(_in_short(entry.folder), 300)}")


def _in_short(folder: RunFolder) -> str:
    """Who wrote it, how large it is, and what came of it, in a line."""
    said = []
    if folder.run is None:
        said.append("evidence alone")
    else:
        said.append(ENGINES[folder.run.engine])
        rows = folder.run.contents.get(LISTS)
        if rows is not None:
            said.append(f"{wording.plural(rows, 'row')} of lists")
    if folder.comparison is not None:
        evidence = folder.comparison.headline
        first = evidence.shots[0]
        said.append(
            f"{wording.VERDICT_WORDS[first.verdict].lower()} for "
            f"{wording.who(first.shots, evidence.cold)}"
        )
    return " · ".join(said)


def _slug(entry: "compute.FolderEntry") -> str:
    """Part of a key: of one folder always the same, of two never."""
    return entry.name.encode("utf-8", "surrogatepass").hex()


# ── the page of one ──────────────────────────────────────────────────────────────────────────────


def back() -> None:
    """The way to all others."""
    st.button(
        "All run folders",
        key="all_folders",
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=state.leave_folder,
    )


def gone(name: str) -> None:
    """The link leads to a folder that is not there."""
    st.warning(
        f"There is no folder {escape_md(name, NAME_LENGTH)} any more. It was removed or has "
        "another name now.",
        title="This link's run folder is not here",
        icon=":material/link_off:",
    )


def broken(entry: "compute.FolderEntry") -> None:
    """Why a folder cannot be opened."""
    assert entry.why is not None
    states.failure(entry.why, "folder")


def about(entry: "compute.FolderEntry") -> None:
    """Name and badges of the folder."""
    folder = entry.folder
    assert folder is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="folder_bar"):
        st.markdown(f"**{escape_md(entry.name, NAME_LENGTH)}**", width="content")
        if folder.run is None:
            st.badge(
                "Evidence alone",
                icon=":material/description:",
                color="gray",
                help="The folder of a comparison. Lists, factors and a map are in a run folder.",
            )
            return
        facts = folder.run
        for side, colour in (("source", "blue"), ("target", "orange")):
            told = facts.data.get(side, {})
            sizes = [
                wording.plural(int(told[key]), key[:-1])
                for key in ("users", "items", "ratings")
                if key in told
            ]
            if sizes:
                st.badge(
                    f"{wording.DOMAIN_WORDS[side]} · {' · '.join(sizes)}",
                    color="blue" if colour == "blue" else "orange",
                    help=escape_md(told.get("file", "")) or None,
                )
        st.badge(
            f"{ENGINES[facts.engine]} · {wording.clock(entry.at)}",
            icon=":material/model_training:",
            color="violet",
            help=f"Written by transrec {escape_md(facts.version, 40)} in "
            f"{wording.seconds(facts.seconds)}.",
        )


def summary(entry: "compute.FolderEntry") -> None:
    """The verdict, and what the run was."""
    folder = entry.folder
    assert folder is not None
    found = compute.evidence_parts(folder.comparison)
    if found:
        _, evidence, shot = comparison.choose(found)
        comparison.verdict(shot, evidence)
        comparison.warning(folder.comparison)
    else:
        _no_evidence(folder)
    if folder.run is None:
        _missing("Lists, factors and the map", folder)
        return
    st.header("What the run was", anchor=False)
    grid = st.grid(2, min_column_width=380, gap="medium")
    with grid.cell():
        chart.table(compute.folder_facts(folder.run), "folder_facts", "Facts of the run")
    with grid.cell():
        chart.table(
            compute.folder_contents(folder.run, PART_WORDS),
            "folder_contents",
            "Rows of each part of the folder",
        )


def _no_evidence(folder: RunFolder) -> None:
    why = "" if folder.run is None else folder.run.no_comparison
    st.info(
        escape_md(why, 500) or "Nothing was compared in this run.",
        title="There is no evidence in this folder",
        icon=":material/group_off:",
    )


def _missing(what: str, folder: RunFolder) -> None:
    """One calm line on what is not there, and why."""
    why = (
        "this is the evidence of a comparison alone"
        if folder.run is None
        else "this run wrote none, as its fit is of new items"
        if folder.cold == "items"
        else "this run wrote none"
    )
    st.caption(f"{what}: not in this folder; {why}.")


def curves(entry: "compute.FolderEntry", dark: bool) -> None:
    """Every method by what is known of the user, in figures and in numbers."""
    folder = entry.folder
    assert folder is not None
    found = compute.evidence_parts(folder.comparison)
    if not found:
        _no_evidence(folder)
        return
    _, evidence, shot = comparison.choose(found)
    comparison.curves(evidence, dark)
    comparison.tables(evidence, shot)
    comparison.cohorts(evidence, shot, dark)


def item_map(entry: "compute.FolderEntry", dark: bool) -> None:
    """The sampled map, with a search."""
    folder = entry.folder
    assert folder is not None
    found = compute.folder_map(entry)
    if isinstance(found, Failure):
        states.failure(found, "folder_map")
        return
    if found is None:
        _missing("A map of items", folder)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        query = st.text_input(
            "Search titles",
            key="folder_search",
            type="search",
            live=True,
            placeholder="Part of a title, or an item id",
            persist_state="session",
        )
        shown = st.segmented_control(
            "Show",
            tuple(SHOWN),
            default="Both",
            key="folder_show",
            required=True,
            persist_state="session",
        )
    frame = found.frame
    hits = compute.matches(frame, query)
    chart.show(
        charts.item_scatter(
            found, found=hits.index.tolist(), show=SHOWN.get(shown, SHOWN["Both"]), dark=dark
        ),
        "folder_map",
        "Map of some source and target items on two axes",
        f"{_how_many(folder, len(frame))}: those that suit the same people lie close together. "
        "Point at one for its title.",
        charts.MAP_CONFIG,
    )
    if query.strip():
        _hits(hits, query)
    st.caption(
        "Neighbours, factors, colours and what-if need the fitted run in memory: fit a part of the "
        "data on the Data page, or open a .transrec file, to have them."
    )


def _how_many(folder: RunFolder, shown: int) -> str:
    rows = {} if folder.run is None else folder.run.contents
    whole = sum(rows.get(part, 0) for part in (SOURCE_ITEMS, TARGET_ITEMS))
    if whole == shown:
        return f"All {wording.plural(shown, 'item')} of both catalogues"
    of = f" of {wording.count(whole)}" if whole else ""
    return f"{wording.count(shown)}{of} items of both catalogues, a sample"


def _hits(hits: "pd.DataFrame", query: str) -> None:
    if hits.empty:
        st.caption(f"No item of the sample holds “{escape_md(query, 60)}”.")
        return
    st.caption(f"{wording.plural(len(hits), 'item')} found.")
    chart.cells(
        hits.head(MOST_FOUND)[["name", "item_id", "domain", "interactions"]],
        "folder_hits",
        "Items that the search found",
        height="content",
        column_config={
            "name": st.column_config.TextColumn("Title", width="large"),
            "item_id": st.column_config.TextColumn("Item"),
            "domain": st.column_config.TextColumn("Catalogue"),
            "interactions": st.column_config.NumberColumn("Interactions", format="%d"),
        },
    )


def person(entry: "compute.FolderEntry") -> None:
    """One user by id: their list, who served it, and whether the source places them."""
    folder = entry.folder
    assert folder is not None
    if not folder.has(LISTS):
        _missing("Lists", folder)
        return
    who = one(folder.cold)
    typed = st.text_input(
        f"{who.capitalize()} id",
        key="folder_user",
        placeholder=f"The {who}'s id, letter by letter",
        width=360,
        bind="query-params",
    )
    if not typed:
        st.caption(
            f"Type an id and press Enter. Only the rows of this {who} are read, however many there "
            "are; the link in the address bar then leads back to them."
        )
        return
    with st.spinner("Looking the id up", show_time=False):
        found = compute.look_up(entry, typed)
    if isinstance(found, Failure):
        states.failure(found, "folder_user")
        return
    _placing(found, who)
    if found.placed is None:
        st.caption("The method of this run places nobody in the target's space.")
    if found.lists.empty:
        st.info(
            f"There is no list of {escape_md(typed, 80)}. Ids are compared letter by letter, with "
            "their zeros and blanks.",
            icon=":material/person_off:",
        )
        return
    methods = sorted(set(found.lists["method"]))
    st.caption(
        "Served by "
        + escape_md(", ".join(wording.method_word(name, folder.cold) for name in methods), 300)
        + "."
    )
    exports.table(found.lists, "folder_list")


def _placing(found: "compute.Known", who: str) -> None:
    with st.container(horizontal=True, gap="small", key="folder_placing"):
        if found.interactions is not None:
            st.badge(
                wording.plural(found.interactions, "interaction") + " in the source",
                color="blue",
                icon=":material/history:",
            )
        if found.placed is True:
            st.badge(
                "Placed",
                icon=":material/my_location:",
                color="green",
                help=f"The method says where this {who} is expected in the target's space.",
            )
        elif found.placed is False:
            st.badge(
                "Not placed",
                icon=":material/location_off:",
                color="gray",
                help=f"The method expects nothing of this {who} from the source.",
            )


def export(entry: "compute.FolderEntry") -> None:
    """Lists of some users, the evidence, and where all the rest is."""
    folder = entry.folder
    assert folder is not None
    name = wording.safe_filename(entry.name)
    with st.container(border=True, key="folder_export_lists"):
        st.subheader("Recommendation lists", anchor=False)
        if folder.has(LISTS):
            _lists(entry, folder, name)
        else:
            _missing("Lists", folder)
    with st.container(border=True, key="folder_export_evidence"):
        st.subheader("Evidence", anchor=False)
        if not folder.has(EVIDENCE):
            _no_evidence(folder)
        else:
            st.caption("The files as they lie in the folder.")
            with st.container(horizontal=True):
                for file, path in compute.folder_evidence(entry).items():
                    exports.download(
                        file,
                        f"{name}-{file}",
                        exports.BUNDLE[file],
                        partial(_content, path),
                        f"folder_{file.replace('.', '_')}",
                    )
    place = compute.parquet_place(entry)
    if place is None:
        return
    with st.container(border=True, key="folder_export_rest"):
        st.subheader("All of it", anchor=False)
        st.caption(
            "The lists of everybody are Parquet on the server, with the columns "
            f"{', '.join(folder.list_columns())}; beside them are the factors."
        )
        st.code(wording.plain(place, 1000), language=None, wrap_lines=True)


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _lists(entry: "compute.FolderEntry", folder: RunFolder, name: str) -> None:
    who = one(folder.cold)
    st.caption(
        f"One row a recommended {listed(folder.cold)}, for the {who}s whose ids stand here.",
        help=exports.QUOTED,
    )
    pasted = st.text_area(
        f"{who.capitalize()} ids, one a line",
        key="folder_ids",
        height=120,
        placeholder=f"{who[0]}0001\n{who[0]}0002",
    )
    ids = compute.parse_ids(pasted or "")
    if not ids:
        st.caption(f"Paste at least one {who} id.")
        return
    if len(ids) > compute.MOST_IDS:
        st.caption(
            f"{wording.count(len(ids))} ids; a page looks up {wording.count(compute.MOST_IDS)} at "
            "once. For more, take the Parquet files below, or `transrec lists`."
        )
        return
    found = compute.folder_lists(entry, ids)
    if isinstance(found, Failure):
        states.failure(found, "folder_lists")
        return
    without = len(ids) - found[folder.id_column].nunique()
    st.caption(
        f"{wording.plural(len(found), 'row')} for {wording.plural(len(ids) - without, who)}."
        + (f" {wording.plural(without, 'id')} without a list." if without else "")
    )
    with st.container(horizontal=True):
        for kind, mime in exports.FORMATS.items():
            make: Callable[[], bytes] = partial(compute.folder_file, found, kind)
            exports.download(
                f"Download {kind.upper() if kind != 'parquet' else 'Parquet'}",
                f"{name}-lists.{kind}",
                mime,
                make,
                f"folder_lists_{kind}",
                primary=kind == "csv",
                disabled=found.empty,
            )
