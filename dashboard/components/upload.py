"""Dropzones and the cards of loaded files."""

from collections.abc import Callable

import streamlit as st

from dashboard import charts, compute, state, uploads, wording
from dashboard.components import chart, guide, states
from dashboard.jobs import Failure, Loaded, Side, Workspace
from dashboard.wording import escape_badge, escape_md
from transrec_core.data.opening import COMMON_ENCODINGS
from transrec_core.data.report import DELIMITER_NAMES
from transrec_core.limits import Limits

ABSENT = "–"
FORMATS = "CSV, TSV, Parquet, JSON lines or gzip; one row is one rating: user, item, value, time."
SOURCE_FORMATS = f"{FORMATS} Several files: the first is the source, the others can be ranked."
ITEM_FORMATS = "CSV, TSV, Parquet, JSON lines or gzip; one row is one item."
ROLES = ("user", "item", "rating", "time")
# As ``charts.tinted`` colours their columns.
ROLE_COLORS = {"user": "violet", "item": "green", "rating": "yellow", "time": "gray"}
ROLE_HELP = {
    "user": "Column with the id of the person, the same in both files.",
    "item": "Column with the id of what was rated.",
    "rating": "Column with the value. A dash: every row counts as one interaction.",
    "time": "Column of the file. A dash: the file has none.",
}
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
    word = wording.DOMAIN_WORDS[side]
    with st.container(border=True, key=f"card_{side}", height="stretch"):
        head = st.container(horizontal=True, vertical_alignment="center")
        head.subheader(word, anchor=False, width="stretch")
        if loaded is not None:
            replacing = side in memory.replacing
            head.button(
                "Keep" if replacing else "Replace",
                key=f"replace_{side}",
                icon=":material/undo:" if replacing else ":material/upload_file:",
                type="tertiary",
                on_click=memory.replacing.discard if replacing else memory.replacing.add,
                args=(side,),
            )
            head.button(
                "Remove",
                key=f"drop_{side}",
                icon=":material/delete:",
                type="tertiary",
                on_click=_remove,
                args=(space, side),
            )
        st.caption(PURPOSE[side])
        # Places that are always there, so that no dropzone moves; see ``app``.
        refused, zone, file, others = (st.container() for _ in range(4))
        with refused:
            _refusal(space, side)
        if loaded is None or side in memory.replacing:
            with zone:
                _dropzone(
                    f"{word} ratings",
                    f"up_{side}",
                    side,
                    lambda files: (
                        compute.load_sources(space, files)
                        if side == "source"
                        else compute.load_side(space, side, *files[0])
                    ),
                    several=side == "source",
                )
        if loaded is not None:
            with file:
                _file(space, side, loaded)
        if side == "source":
            with others:
                _candidates(space)


def _remove(space: Workspace, side: Side) -> None:
    compute.drop_side(space, side)
    state.tab().replacing.discard(side)


def swap(space: Workspace) -> None:
    """Source and target the other way round."""
    if space.source is None and space.target is None:
        return
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.button(
            "Swap source and target",
            key="swap_sides",
            icon=":material/swap_horiz:",
            type="tertiary",
            on_click=compute.swap_sides,
            args=(space,),
            help="Ask the question the other way round. Titles go with their catalogue.",
        )


def _refusal(space: Workspace, key: str) -> None:
    """Why a file was refused, until it is put away."""
    if key not in space.refused:
        return
    found = space.refused[key]
    states.failure(found, key)
    if found.read_in is not None:
        _encodings(found, key)
    states.dismissal(key, compute.dismiss, space, key)


def _encodings(found: Failure, key: str) -> None:
    """The encodings that a refused file may be in, each with the same line as it reads in it."""
    previews = {choice.encoding: choice.preview for choice in found.encodings}
    chosen = st.selectbox(
        "Encoding in which this line reads right",
        tuple(previews),
        format_func=lambda encoding: f"{encoding}: {wording.plain(previews[encoding], 80)}",
        key=f"encoding_{key}",
        help="A file does not say how its letters are stored. Choose the line that has them right.",
    )
    st.button(
        "Read it in this encoding",
        key=f"read_in_{key}",
        icon=":material/translate:",
        on_click=_read_in,
        args=(found, chosen),
    )


def _read_in(found: Failure, encoding: str) -> None:
    if found.read_in is not None:
        found.read_in(encoding)


def _dropzone(
    label: str,
    key: str,
    side: str,
    take: Callable[[list[tuple[bytes, str]]], bool],
    several: bool = False,
) -> None:
    memory = state.tab()
    # A new number makes a new, empty uploader: the bytes go once the table has been read.
    found = st.file_uploader(
        label,
        key=f"{key}_{memory.uploads[key]}",
        label_visibility="collapsed",
        accept_multiple_files=several,
    )
    formats = {"items": ITEM_FORMATS, "source": SOURCE_FORMATS}.get(side, FORMATS)
    # The dropzone says so itself, but not in a narrow column.
    st.caption(f"{formats} Up to {wording.count(Limits.current().upload_mb)} MB a file.")
    files = found if isinstance(found, list) else [found] if found is not None else []
    if files:
        with st.spinner("Reading the file", show_time=True):
            taken = take([(file.getvalue(), file.name) for file in files])
            uploads.drop(files)
            # Before anything is drawn: drawing may end this run when another file has come in.
            memory.uploads[key] += 1
            if taken:
                memory.replacing.discard(side)
        st.rerun()


def _candidates(space: Workspace) -> None:
    """The other sources: which they are, and the ways to use, drop and rank them."""
    memory = state.tab()
    adding = "others" in memory.replacing
    above = st.container()
    with above:
        _refusal(space, "candidate")
        if space.candidates:
            st.markdown("**Other sources**")
    for place, candidate in enumerate(space.candidates):
        with above.container(
            horizontal=True, vertical_alignment="center", gap="small", key=f"candidate_{place}"
        ):
            st.badge(
                f"{escape_badge(candidate.name, 40)} · "
                f"{wording.plural(candidate.table.report.rows, 'row')}",
                icon=":material/description:",
                color="blue",
            )
            st.button(
                "Use as source",
                key=f"use_candidate_{place}",
                icon=":material/swap_vert:",
                type="tertiary",
                on_click=compute.use_candidate,
                args=(space, place),
            )
            st.button(
                "Remove",
                key=f"remove_candidate_{place}",
                icon=":material/close:",
                type="tertiary",
                on_click=compute.drop_candidate,
                args=(space, place),
            )
    if space.source is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Close" if adding else "Add other sources",
            key="add_others",
            icon=":material/close:" if adding else ":material/add:",
            type="tertiary",
            on_click=memory.replacing.discard if adding else memory.replacing.add,
            args=("others",),
            help="Ratings of other catalogues, to rank which of them helps this target most.",
        )
        if space.candidates:
            st.page_link(
                "views/compare.py",
                label="Rank them on the Compare page",
                icon=":material/leaderboard:",
                query_params=state.link_params(space),
            )
    if adding:
        _dropzone(
            "Other sources",
            "up_others",
            "others",
            lambda files: compute.add_candidates(space, files),
            several=True,
        )


def _file(space: Workspace, side: Side, loaded: Loaded) -> None:
    report = loaded.table.report
    how = [wording.plural(report.rows, "row"), wording.plural(len(report.columns), "column")]
    if report.encoding:
        how.append(escape_md(report.encoding))
    if report.delimiter:
        word = DELIMITER_NAMES.get(report.delimiter) or escape_md(report.delimiter)
        how.append(f"{word}-separated")
    how.append("with a header" if report.header else "without a header")
    with st.container(gap="xxsmall"):
        st.markdown(f":material/description: **{escape_md(loaded.name)}**")
        st.caption(" · ".join(how))
    if loaded.original is not None and report.delimiter is not None:
        _written(space, side, loaded)
    _mapping(space, side, loaded)
    _outcome(space, side, loaded)
    with st.expander("First 20 rows", expanded=state.shown(space) is None, key=f"preview_{side}"):
        st.dataframe(
            charts.tinted(compute.preview(loaded), state.is_dark()),
            hide_index=True,
            height=320,
            key=f"rows_{side}",
            alt=f"First {compute.PREVIEW_ROWS} rows of the {side} file as they were read",
        )


def _written(space: Workspace, side: Side, loaded: Loaded) -> None:
    """Encoding, delimiter and header, where the file was not read as it is meant."""
    report = loaded.table.report
    keys = {part: f"written_{side}_{part}" for part in ("encoding", "delimiter", "header")}
    now = {"encoding": report.encoding, "delimiter": report.delimiter, "header": report.header}
    for part, key in keys.items():
        # What was read stands in the workspace: a way that was refused is not shown as taken.
        state.put(key, now[part])
    encodings = tuple(dict.fromkeys((str(report.encoding), "utf-8", *COMMON_ENCODINGS)))
    delimiters = tuple(dict.fromkeys((str(report.delimiter), *DELIMITER_NAMES)))
    args = (space, side, keys)
    with st.expander("How the file is written", expanded=False, key=f"written_{side}"):
        grid = st.grid(3, min_column_width=110)
        with grid.cell():
            st.selectbox("Encoding", encodings, key=keys["encoding"], on_change=_reread, args=args)
        with grid.cell():
            st.selectbox(
                "Cells are divided by",
                delimiters,
                format_func=lambda found: DELIMITER_NAMES.get(found) or wording.plain(found),
                key=keys["delimiter"],
                on_change=_reread,
                args=args,
            )
        with grid.cell():
            st.selectbox(
                "The first row holds",
                (True, False),
                format_func=lambda names: "column names" if names else "data",
                key=keys["header"],
                on_change=_reread,
                args=args,
            )


def _reread(space: Workspace, side: Side, keys: dict[str, str]) -> None:
    compute.reread(space, side, *(state.get(key) for key in keys.values()))


def _outcome(space: Workspace, side: Side, loaded: Loaded) -> None:
    """What the columns were read as, or which rows speak against them and what to do."""
    reading = compute.reading(loaded)
    if reading is not None:
        parts = [
            wording.plural(reading.ratings, "rating" if reading.low is not None else "interaction"),
            wording.plural(reading.users, "user"),
            wording.plural(reading.items, "item"),
        ]
        if reading.low is not None:
            parts.append(f"values from {reading.low:g} to {reading.high:g}")
        else:
            parts.append("every row counts as one")
        if reading.first:
            # A date that is broken at its hyphen is hard to read.
            parts.append(
                f"{reading.first} to {reading.last}".replace("-", "\N{NON-BREAKING HYPHEN}")
            )
        with st.container(key=f"reading_{side}", gap="xxsmall"):
            st.markdown(f":green[:material/done:] Read as {' · '.join(parts)}")
            for doubt in reading.doubts:
                st.markdown(f":orange[:material/help:] {escape_md(doubt)}")
    elif loaded.failure is not None:
        states.failure(loaded.failure, f"{side}_mapping")
    wrong = compute.wrong_rows(loaded)
    if wrong is not None:
        st.caption("The first rows that cannot be used as they are:")
        chart.table(wrong, f"wrong_{side}", f"First rows of the {side} file that cannot be read")
    if loaded.failure is not None:
        _ways_on(space, side, loaded)


def _ways_on(space: Workspace, side: Side, loaded: Loaded) -> None:
    """Ways to make an unusable file usable, beside choosing other columns."""
    with st.container(horizontal=True, key=f"ways_on_{side}"):
        if loaded.mapping.get("rating") and loaded.duplicates != "refuse":
            st.button(
                "Count every row as one interaction",
                key=f"no_rating_{side}",
                icon=":material/visibility_off:",
                on_click=compute.remap,
                args=(space, side, {**loaded.mapping, "rating": None}, loaded.duplicates),
            )
        if loaded.duplicates == "refuse":
            st.button(
                wording.DUPLICATE_WORDS["last"],
                key=f"keep_last_{side}",
                icon=":material/rule:",
                on_click=compute.remap,
                args=(space, side, loaded.mapping, "last"),
            )


def _mapping(space: Workspace, side: Side, loaded: Loaded) -> None:
    options = [ABSENT, *loaded.table.report.columns]
    stamp = loaded.table.sha256[:12]
    keys = {role: f"map_{side}_{role}_{stamp}" for role in ROLES}
    duplicates_key = f"dup_{side}_{stamp}"
    grid = st.grid(4, min_column_width=80)
    for role in ROLES:
        now = loaded.mapping.get(role) or ABSENT
        # What is read stands in the workspace: a button or another tab may have changed it.
        state.put(keys[role], now if now in options else ABSENT)
        with grid.cell():
            st.selectbox(
                f":{ROLE_COLORS[role]}-badge[{wording.ROLE_WORDS[role]}]",
                options,
                key=keys[role],
                on_change=_apply,
                args=(space, side, keys, duplicates_key),
                help=ROLE_HELP[role],
            )
    duplicates = loaded.duplicates == "refuse" or (
        loaded.ratings is not None
        and any("DUPLICATE" in p.code for p in loaded.ratings.report.problems)
    )
    if duplicates:
        state.put(duplicates_key, loaded.duplicates)
        st.selectbox(
            "When a user rated an item twice",
            tuple(wording.DUPLICATE_WORDS),
            format_func=wording.DUPLICATE_WORDS.__getitem__,
            key=duplicates_key,
            on_change=_apply,
            args=(space, side, keys, duplicates_key),
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
        above = st.container()
        with above:
            _refusal(space, "items")
        for position, entry in enumerate(space.items):
            row = above.container(horizontal=True, vertical_alignment="center")
            told = " and ".join(entry.sides) or "set aside, as it tells of another source"
            row.markdown(
                f":material/description: **{escape_md(entry.name)}** · "
                f"{wording.plural(len(entry.items.frame), 'item')} · {told}"
            )
            row.button(
                "Remove",
                key=f"drop_items_{position}",
                type="tertiary",
                icon=":material/delete:",
                on_click=compute.drop_items,
                args=(space, position),
            )
        described = st.segmented_control(
            "The file describes",
            tuple(SIDES_DESCRIBED),
            default="Both",
            key="items_sides",
            required=True,
        )
        sides = SIDES_DESCRIBED[described or "Both"]
        _dropzone(
            "Titles file",
            "up_items",
            "items",
            lambda files: compute.load_items(space, *files[0], sides),
        )
