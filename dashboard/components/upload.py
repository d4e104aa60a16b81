"""Dropzones and the cards of loaded files."""

from collections.abc import Callable

import streamlit as st

from dashboard import compute, state, wording
from dashboard.components import guide, states
from dashboard.jobs import Loaded, Side, Workspace
from dashboard.wording import escape_md

ABSENT = "–"
FORMATS = "CSV, TSV, Parquet, JSON lines or gzip; one row is one rating: user, item, value, time."
ITEM_FORMATS = "CSV, TSV, Parquet, JSON lines or gzip; one row is one item."
ROLES = ("user", "item", "rating", "time")
PURPOSE = {
    "source": "What you know: the catalogue where these people already are.",
    "target": "What you want to recommend: the catalogue to fill lists from.",
}
SIDES_DESCRIBED: dict[str, tuple[Side, ...]] = {
    "Both": ("source", "target"),
    "Source": ("source",),
    "Target": ("target",),
}


def sample_card(space: Workspace) -> None:
    """The sample: the whole way in one click, or loaded only."""
    with st.container(border=True, key="sample", gap="small"):
        st.markdown(
            "**No files at hand?** Invented people who watch films and read books: one click "
            "loads them, measures whether the films help with the books, and shows the verdict "
            "in about ten seconds."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Try the sample",
                type="primary",
                icon=":material/play_arrow:",
                key="run_sample",
                on_click=guide.run_sample,
                args=(space,),
                help="Auto with rank 32 and λ 0.02; every setting can be changed afterwards.",
            )
            st.button(
                "Only load it",
                icon=":material/science:",
                key="try_sample",
                on_click=compute.load_sample,
                args=(space,),
                help="Films and books without a fit: look at the data and choose the settings.",
            )
            st.button(
                "Only load podcasts",
                icon=":material/podcasts:",
                key="try_podcasts",
                on_click=compute.load_sample,
                args=(space, "podcasts"),
                help="Podcasts and books, a source that does not help: see what the app says then.",
            )


def side_card(space: Workspace, side: Side) -> None:
    """One side: its dropzone, or its file with mapping and preview."""
    loaded = space.side(side)
    memory = state.tab()
    with st.container(border=True, key=f"card_{side}", height="stretch"):
        head = st.container(horizontal=True, vertical_alignment="center")
        head.subheader(wording.DOMAIN_WORDS[side], anchor=False, width="stretch")
        if loaded is not None:
            replacing = side in memory.replacing
            head.button(
                "Keep" if replacing else "Replace",
                key=f"replace_{side}",
                icon=":material/undo:" if replacing else ":material/swap_horiz:",
                type="tertiary",
                on_click=memory.replacing.discard if replacing else memory.replacing.add,
                args=(side,),
            )
        st.caption(PURPOSE[side])
        if side in space.refused:
            states.failure(space.refused[side], side)
        if loaded is None or side in memory.replacing:
            _dropzone(
                f"{wording.DOMAIN_WORDS[side]} ratings",
                f"up_{side}",
                lambda content, name: compute.load_side(space, side, content, name),
                side,
            )
        if loaded is not None:
            _file(space, side, loaded)


def _dropzone(label: str, key: str, take: Callable[[bytes, str], bool], side: str) -> None:
    memory = state.tab()
    # A new number makes a new, empty uploader: the bytes go once the table has been read.
    file = st.file_uploader(
        label,
        key=f"{key}_{memory.uploads[key]}",
        label_visibility="collapsed",
    )
    st.caption(FORMATS if side != "items" else ITEM_FORMATS)
    if file is not None:
        with st.spinner("Reading the file", show_time=True):
            taken = take(file.getvalue(), file.name)
            # Before anything is drawn: drawing may end this run when another file has come in.
            memory.uploads[key] += 1
        if taken:
            memory.replacing.discard(side)
        st.rerun()


def _file(space: Workspace, side: Side, loaded: Loaded) -> None:
    report = loaded.table.report
    how = [wording.plural(report.rows, "row"), wording.plural(len(report.columns), "column")]
    if report.encoding:
        how.append(escape_md(report.encoding))
    if report.delimiter:
        names = {",": "comma", ";": "semicolon", "\t": "tab", " ": "space", "|": "bar"}
        how.append(f"{names.get(report.delimiter, escape_md(report.delimiter))}-separated")
    how.append("with a header" if report.header else "without a header")
    st.markdown(f":material/description: **{escape_md(loaded.name)}**")
    st.caption(" · ".join(how))
    _mapping(space, side, loaded)
    if loaded.failure is not None:
        states.failure(loaded.failure, f"{side}_mapping")
    with st.expander("First 20 rows", expanded=space.shown is None, key=f"preview_{side}"):
        st.dataframe(
            compute.preview(loaded),
            hide_index=True,
            height=320,
            key=f"rows_{side}",
            alt=f"First {compute.PREVIEW_ROWS} rows of the {side} file as they were read",
        )


def _mapping(space: Workspace, side: Side, loaded: Loaded) -> None:
    options = [ABSENT, *loaded.table.report.columns]
    stamp = loaded.table.sha256[:12]
    keys = {role: f"map_{side}_{role}_{stamp}" for role in ROLES}
    columns = st.columns([1, 1, 1, 1.25])
    for column, role in zip(columns, ROLES, strict=True):
        now = loaded.mapping.get(role) or ABSENT
        state.initial(keys[role], now if now in options else ABSENT)
        column.selectbox(
            wording.ROLE_WORDS[role],
            options,
            key=keys[role],
            on_change=_apply,
            args=(space, side, keys, f"dup_{side}_{stamp}"),
            help="Column of the file. A dash: the file has none." if role == "time" else None,
        )
    duplicates = loaded.ratings is None or any(
        "DUPLICATE" in p.code for p in loaded.ratings.report.problems
    )
    if duplicates:
        state.initial(f"dup_{side}_{stamp}", loaded.duplicates)
        st.selectbox(
            "When a user rated an item twice",
            tuple(wording.DUPLICATE_WORDS),
            format_func=wording.DUPLICATE_WORDS.__getitem__,
            key=f"dup_{side}_{stamp}",
            on_change=_apply,
            args=(space, side, keys, f"dup_{side}_{stamp}"),
        )


def _apply(space: Workspace, side: Side, keys: dict[str, str], duplicates_key: str) -> None:
    mapping = {role: state.get(key) for role, key in keys.items()}
    mapping = {role: None if column == ABSENT else column for role, column in mapping.items()}
    compute.remap(space, side, mapping, state.get(duplicates_key, "last"))


def items_card(space: Workspace) -> None:
    """Titles and genres: optional, for one catalogue or both."""
    with st.container(border=True, key="card_items"):
        st.subheader("Titles", anchor=False)
        st.caption(
            "Optional: a file with item_id, title and, where you have them, genres and "
            "description. Without it, items show by their ids. Texts also find works that are "
            "listed twice, and let methods use what items are about."
        )
        if "items" in space.refused:
            states.failure(space.refused["items"], "items")
        for position, entry in enumerate(space.items):
            row = st.container(horizontal=True, vertical_alignment="center")
            sides = " and ".join(entry.sides)
            row.markdown(
                f":material/description: **{escape_md(entry.name)}** · "
                f"{wording.plural(len(entry.items.frame), 'item')} · {sides}"
            )
            row.button(
                "Remove",
                key=f"drop_items_{position}",
                type="tertiary",
                icon=":material/delete:",
                on_click=compute.drop_items,
                args=(space, position),
            )
        which, zone = st.columns([1, 3], vertical_alignment="center")
        with which:
            described = st.segmented_control(
                "The file describes",
                tuple(SIDES_DESCRIBED),
                default="Both",
                key="items_sides",
                required=True,
            )
        with zone:
            sides_now = SIDES_DESCRIBED[described or "Both"]
            _dropzone(
                "Titles file",
                "up_items",
                lambda content, name: compute.load_items(space, content, name, sides_now),
                "items",
            )
