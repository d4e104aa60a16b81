"""The parts of the Space page: map, inspector, lasso list, alignment of factors, factor cards."""

import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts, compute, state, wording
from dashboard.components import chart, fit_form
from dashboard.jobs import Result, Workspace
from dashboard.wording import escape_md
from transrec_core.columns import ITEM

if TYPE_CHECKING:
    import pandas as pd

    from transrec_core.space import UserPath

MAP = "item_map"
BOTH = "Both"
SHOWN = {BOTH: ("source", "target"), "Source": ("source",), "Target": ("target",)}
VIEW_WORDS = {compute.ALIGNED: "Aligned", compute.BEFORE: "Before", compute.TSNE: "t-SNE"}
CLOSE = 4
"""Neighbours of each catalogue that the close-up names."""
MOST_FOUND = 500
"""Found items that are offered by title."""
FEW_KEPT = 0.25
LITTLE_SHOWN = 0.5
"""Below these an item's neighbours, or a user's taste, are not to be read off the map."""


def absent(result: Result) -> None:
    """There is no common space; say why and what still works."""
    new_items = compute.new_items(result)
    st.warning(
        "This fit is about items that are new to the target, and its factors are of users. The "
        "Item page shows which users an item would get; fit for new users to see the map."
        if new_items
        else "Both catalogues can only lie on one map when at least two people have data in both. "
        "Below is each catalogue by its own factors. The User page still shows the lists that "
        "this fit makes.",
        title="No map of items in this fit"
        if new_items
        else "No common space can be made with this data",
        icon=":material/group_off:",
    )


@st.fragment
def explore(space: Workspace, result: Result, dark: bool) -> None:
    """The map with its search, and beside it what was picked.

    What is picked on the map changes what stands beside it, never the figure: a figure that changes
    is drawn anew, and its selection is lost.
    """
    grid = st.grid(3, min_column_width=280, gap="medium")
    with grid.cell(column_span=2):
        view, query, shown, by = _tools(result)
        if view == compute.TSNE and not compute.tsne_drawn(space, result):
            _offer_tsne(space, result)
            view = compute.ALIGNED
        user = _user_tools(result) if view == compute.ALIGNED else None
        found = compute.mapped(result, view)
        frame = found.items.frame
        hits = _search(result, frame, query)
        marked = state.get(f"marked_{result.id}")
        path = compute.path_of(result, user) if user is not None else None

        def draw() -> Any:
            return charts.item_scatter(
                found.items,
                found=hits.rows,
                chosen=marked,
                near=_near_rows(result, view, marked),
                show=SHOWN[shown],
                dark=dark,
                colouring=compute.colouring(result, by),
                path=path,
                apart=found.apart or None,
                axis="t-SNE axis (no unit)" if view == compute.TSNE else "axis",
            )

        event = chart.select(
            compute.drawn(result, (view, query, marked, shown, by, user, dark), draw),
            MAP,
            "Map of source and target items on two axes",
            partial(_picked_on_map, result),
        )
        st.caption(_reading(view, by, len(frame)))
        if path is not None:
            _tell_path(str(user), path)
        if query:
            _tell_found(result, query, hits)
        _numbers(result, view)
    picked = _rows(event)
    with grid.cell():
        _pick(result, hits.rows)
        listing = state.get(f"region_{result.id}", False) and len(picked) > 1
        if listing:
            _region(result, frame.loc[picked])
        else:
            _inspector(result, view, dark, lasso=len(picked) > 1)


def _search(result: Result, frame: "pd.DataFrame", query: str) -> "compute.Found":
    with st.spinner("Searching the items' texts", show_time=False):
        return compute.found_items(result, frame, query)


def _tell_found(result: Result, query: str, found: "compute.Found") -> None:
    """What the search has found: by title, then by meaning."""
    asked = f"“{escape_md(query, 60)}”"
    by_title = (
        f"{wording.plural(found.titled, 'item')} found."
        if found.titled
        else f"No item holds {asked}."
    )
    if found.meant is None:
        st.caption(by_title)
        return
    if found.titled > compute.TITLES_LISTED:
        by_title += f" The first {compute.TITLES_LISTED} are listed."
    other = "other " if found.titled else ""
    by_meaning = (
        f"{wording.plural(found.meant, f'{other}item')}, the nearest first"
        if found.meant
        else f"no {other}text has anything in common with {asked}"
    )
    trouble = f" {escape_md(found.trouble, 300)}" if found.trouble else ""
    st.caption(
        f"**By title:** {by_title} **By meaning:** {by_meaning}, compared by "
        f"{escape_md(found.reader, 80)}.{trouble}"
    )
    if found.listed.empty:
        return
    with st.container(key="search_found"):
        key = f"found_{result.id}_{zlib.crc32(query.encode('utf-8', 'replace'))}"
        chart.cells(
            found.listed[["found", "name", "domain", "cosine"]],
            height=218,
            key=key,
            alt="Items that the search has found, by title first, then by meaning",
            column_config={
                "found": st.column_config.TextColumn("Found", width="small"),
                "name": st.column_config.TextColumn("Item", width="medium"),
                "domain": st.column_config.TextColumn("Domain", width="small"),
                "cosine": st.column_config.NumberColumn(
                    "Cosine",
                    format="%.2f",
                    width="small",
                    help="How much the item's text has in common with what was asked: 1 is the "
                    "same, 0 nothing.",
                ),
            },
            on_select=partial(_picked_in_list, result, key, found.listed["row"].tolist()),
            selection_mode="single-row",
        )


def _tools(result: Result) -> tuple[str, str, str, str]:
    """View, search, domains to show, and what to colour by."""
    views = compute.views(result)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="map_tools"):
        query = st.text_input(
            "Search items",
            key="map_search",
            type="search",
            live=True,
            placeholder="A title, an id, or what it is about",
            persist_state="session",
        )
        colours = compute.colourings(result)
        by = st.selectbox(
            "Colour by",
            list(colours),
            format_func=lambda key: colours[key],
            key=f"map_colour_{result.id}",
            width=170,
            persist_state="session",
            help="Domain: source blue, target orange. Genre: the most common ones; an item of "
            "several counts for the rarest of them. Interactions and mean rating: dark is low. "
            "Factor: how far an item lies along it, −1 to 1. The shape always tells the catalogue.",
        )
        shown = st.segmented_control(
            "Show",
            tuple(SHOWN),
            default=BOTH,
            key="map_show",
            required=True,
            persist_state="session",
        )
        view = views[0]
        if len(views) > 1:
            view = (
                st.segmented_control(
                    "Factors",
                    views,
                    default=views[0],
                    format_func=VIEW_WORDS.__getitem__,
                    key="map_view",
                    required=True,
                    persist_state="session",
                    help="Aligned: source items carried into the target's space by the map that "
                    "the people in both catalogues taught. Before: each catalogue by its own "
                    "factors, as if the other did not exist. t-SNE: the aligned items again, drawn "
                    "by their neighbourhoods instead of two axes.",
                )
                or views[0]
            )
    return str(view), (query or "").strip(), str(shown or BOTH), str(by or compute.DOMAIN)


def _user_tools(result: Result) -> str | None:
    """Whom to draw on the map; ``None`` for nobody."""
    everyone = compute.drawable_users(result)
    key = f"arrow_{result.id}"
    words = (
        "A user is an arrow from the average user in the middle. Items far along it are expected "
        "to suit this user more than others."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="map_user"):
        if everyone is not None:
            user = st.selectbox(
                "Draw a user",
                everyone,
                index=None,
                key=key,
                format_func=partial(wording.plain, limit=40),
                placeholder="Type a user id",
                width=260,
                help=words,
                persist_state="session",
            )
        else:
            user = st.text_input(
                "Draw a user", key=key, placeholder="A user id", width=260, help=words
            )
        cold = compute.cold_users(result)
        st.button(
            "Cold user",
            key="arrow_cold",
            icon=":material/ac_unit:",
            on_click=_draw_cold,
            args=(result,),
            disabled=not cold,
            help="Somebody of the source without any target interaction, at random."
            if cold
            else "Every source user has target interactions in this data.",
        )
        st.button(
            "Nobody",
            key="arrow_none",
            on_click=state.put,
            args=(key, None if everyone is not None else ""),
            disabled=not user,
            help="Take the user off the map.",
        )
    if user and not compute.known(result, user):
        st.caption(f"No user called {escape_md(user, 60)} is in either file.")
        return None
    return user or None


def _draw_cold(result: Result) -> None:
    state.put(f"arrow_{result.id}", compute.random_user(result, cold=True))


def _offer_tsne(space: Workspace, result: Result) -> None:
    """What a t-SNE map is, and the button that draws one."""
    blocked = fit_form.blocked(space)
    with st.container(border=True, key="tsne_offer"):
        st.markdown(
            "A t-SNE map keeps neighbours together better than two axes can, but distances between "
            "groups mean nothing on it. It is drawn of at most 5,000 items, those with most "
            "interactions, beside your other work; the aligned map stays below until then."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Draw it",
                key="tsne_go",
                icon=":material/bubble_chart:",
                disabled=bool(blocked),
                on_click=compute.start_tsne,
                args=(space, result),
            )
            if blocked:
                st.caption(blocked)


def _reading(view: str, by: str, points: int) -> str:
    """How to read the map, in one line."""
    shapes = "circles are source items, diamonds target items, larger ones have more interactions."
    if by == compute.DOMAIN:
        shapes = f"blue {shapes}".replace("diamonds", "orange diamonds")
    if view == compute.TSNE:
        return (
            f"The {points:,} items with most interactions, so that neighbours stay neighbours: "
            "read closeness alone, not the distance between groups or their size. "
            f"{shapes[:1].upper()}{shapes[1:]}"
        )
    where = (
        "Items that suit the same people lie close together, whichever catalogue they are from."
        if view == compute.ALIGNED
        else "Each catalogue has axes of its own here, so that closeness tells something within a "
        "panel only."
    )
    return (
        f"{where} {shapes[:1].upper()}{shapes[1:]} Click a point to inspect it; take the lasso "
        "from the toolbar to list a region."
    )


def _tell_path(user: str, path: "UserPath") -> None:
    parts = []
    if path.source is not None:
        parts.append(
            "*Source says*: where the source data alone puts this user, carried over by "
            f"{wording.method_word(path.method)}"
        )
    if path.target is not None:
        parts.append("*Target data says*: where the target data alone puts them")
    if path.source is not None and path.target is not None:
        parts.append("*Both joined*: where the fit puts them with both")
    lines = (
        "The lists' own method has no place in this space, so the factor map stands in for it. "
        if path.elsewhere
        else ""
    )
    st.caption(
        f"User {escape_md(user, 60)}. {'; '.join(parts)}. {lines}"
        "The middle is the average user. How far an item lies along the arrow and how much this "
        f"user is expected to like it beyond others correlate at {path.fidelity:.2f} over the "
        "target's items"
        + (
            ": the two axes show little of this user's taste."
            if path.fidelity < LITTLE_SHOWN
            else "."
        )
    )


# ── what was picked ──────────────────────────────────────────────────────────────────────────────


def _rows(event: Any) -> list[int]:
    rows = []
    for point in event["selection"]["points"] if event else []:
        data = point.get("customdata")
        if isinstance(data, list):
            data = data[0] if data else None
        if data is not None:
            rows.append(int(data))
    return list(dict.fromkeys(rows))


def _inspect(result: Result, row: int | None, *, mark: bool) -> None:
    """Put an item into the inspector; ``mark`` also rings it on the map."""
    state.put(f"inspected_{result.id}", row)
    if mark:
        state.put(f"marked_{result.id}", row)
    state.put(f"region_{result.id}", False)


def _picked_on_map(result: Result) -> None:
    """A point was clicked, or a region drawn."""
    picked = _rows(state.get(MAP))
    if len(picked) == 1:
        _inspect(result, picked[0], mark=False)
        state.put(f"inspect_{result.id}", picked[0])
    elif picked:
        state.put(f"region_{result.id}", True)


def _chosen_by_title(result: Result) -> None:
    _inspect(result, state.get(f"inspect_{result.id}"), mark=True)


def _picked_in_list(result: Result, key: str, rows: list[int]) -> None:
    """A row of a table was picked; a lasso that is alive stays so."""
    picked = (state.get(key) or {}).get("selection", {}).get("rows", [])
    if picked and picked[0] < len(rows):
        row = rows[picked[0]]
        _inspect(result, row, mark=len(_rows(state.get(MAP))) < 2)
        state.put(f"inspect_{result.id}", row)


def _near_rows(result: Result, view: str, row: int | None) -> dict[int, str]:
    """Rows and names of an item's neighbours."""
    facts = compute.item_facts(result, row) if row is not None else None
    if facts is None:
        return {}
    near = compute.neighbours(result, facts.domain, facts.item, view=view)
    return {int(row): str(name) for row, name in zip(near["row"], near["name"], strict=True)}


def _pick(result: Result, hits: list[int]) -> None:
    """By title: what the search found first, then the most common items."""
    chosen = state.get(f"inspect_{result.id}")
    first = [*hits[:MOST_FOUND], *([] if chosen is None else [chosen])]
    options = compute.item_options(result, first)
    st.selectbox(
        "Inspect an item",
        list(options),
        index=None,
        format_func=lambda row: options.get(row, ""),
        key=f"inspect_{result.id}",
        placeholder="Type a title, or click a point of the map",
        on_change=_chosen_by_title,
        args=(result,),
        persist_state="session",
        help="What the search has found stands first, then the items with most interactions.",
    )


def _inspector(result: Result, view: str, dark: bool, *, lasso: bool) -> None:
    row = state.get(f"inspected_{result.id}")
    facts = compute.item_facts(result, row) if row is not None else None
    with st.container(border=True, key="inspector"):
        if lasso:
            st.button(
                "Back to the lasso",
                key="back_to_region",
                icon=":material/arrow_back:",
                on_click=state.put,
                args=(f"region_{result.id}", True),
            )
        if facts is None or row is None:
            st.subheader("Neighbours of an item", anchor=False)
            st.caption("The nearest items and their cosine show here.")
            return
        st.subheader(escape_md(facts.name, 90), anchor=False)
        colour = "blue" if facts.domain == "source" else "orange"
        told = [f":{colour}-badge[{wording.DOMAIN_WORDS[facts.domain]}]"]
        told.append(wording.plural(facts.interactions, "interaction"))
        if facts.rating is not None:
            told.append(f"mean rating {facts.rating:.2f}")
        if facts.genres:
            told.append(escape_md(facts.genres, 120))
        st.markdown(" · ".join(told))
        near = compute.neighbours(result, facts.domain, facts.item, view=view)
        found = compute.mapped(result, view)
        if row in found.items.frame.index:
            chart.show(
                charts.item_closeup(
                    found.items, row, near.groupby("domain", sort=False).head(CLOSE), dark
                ),
                key="closeup",
                alt="The item and its nearest neighbours where they lie on the map",
                reading=_told_by_the_map(result, view, facts),
            )
        else:
            st.caption("This item has too few interactions to be among those drawn on this map.")
        for domain in compute.SIDES:
            rows = near[near["domain"] == domain]
            if rows.empty:
                continue
            key = f"near_{domain}_{view}_{row}"
            st.caption(
                f"Nearest {domain} items by taste"
                + (", by its own factors" if view == compute.BEFORE else "")
            )
            chart.cells(
                rows[["name", "cosine"]],
                height=218,
                key=key,
                alt=f"Nearest {domain} items with their cosine",
                column_config=_near_columns(),
                on_select=partial(_picked_in_list, result, key, rows["row"].tolist()),
                selection_mode="single-row",
            )
        _similar_by_text(result, facts)


def _told_by_the_map(result: Result, view: str, facts: compute.ItemFacts) -> str:
    """What the close-up is worth for this item."""
    kept, known = compute.kept_neighbours(result, view, facts.domain, facts.item)
    words = (
        f"The {CLOSE} nearest of each list below, where they lie on the map. Of all {known} listed "
        f"neighbours {kept} are also its nearest on the map"
    )
    if known and kept < FEW_KEPT * known:
        return f"{words}: **trust the lists here, not the map.**"
    return f"{words}."


def _near_columns() -> dict[str, Any]:
    return {
        "name": st.column_config.TextColumn("Item", width=120),
        "cosine": st.column_config.NumberColumn(
            "Cosine",
            format="%.2f",
            width="small",
            help="1: the same people are expected to like both. 0: unrelated.",
        ),
    }


def _similar_by_text(result: Result, facts: compute.ItemFacts) -> None:
    """Items of like title, genres and description; read only when somebody looks."""
    if not compute.has_texts(result, facts.domain):
        return
    box = st.expander("Similar by text", key="near_text_box", on_change="rerun")
    if not box.open:
        return
    with box:
        with st.spinner("Reading the items' texts"):
            similar = compute.similar_by_text(result, facts.domain, facts.item)
        if similar is None or similar.empty:
            st.caption("No other item shares a topic with this one.")
            return
        st.caption(
            f"{wording.DOMAIN_WORDS[facts.domain]} items of like title, genres and text, compared "
            f"by {escape_md(compute.reader(result), 80)}"
        )
        chart.cells(
            similar[["name", "cosine"]],
            key="near_text",
            alt="Items with similar text and their cosine",
            column_config={
                **_near_columns(),
                "cosine": st.column_config.NumberColumn(
                    "Cosine",
                    format="%.2f",
                    width="small",
                    help="How alike the topics of both texts are, 0 to 1.",
                ),
            },
        )


def _region(result: Result, rows: "pd.DataFrame") -> None:
    with st.container(border=True, key="region"):
        counts = rows["domain"].value_counts()
        st.subheader(f"{wording.plural(len(rows), 'item')} in the lasso", anchor=False)
        st.caption(" · ".join(f"{counts[d]:,} {d}" for d in compute.SIDES if d in counts))
        listed = rows[["domain", ITEM, "name", "interactions"]].rename(columns={"name": "title"})
        listed = listed.sort_values("interactions", ascending=False, kind="stable")
        chart.cells(
            listed[["title", "domain", "interactions"]],
            height=260,
            key="region_table",
            alt="Items inside the lasso",
            column_config={
                "title": st.column_config.TextColumn("Item", width=190),
                "domain": st.column_config.TextColumn("Domain", width=60),
                "interactions": st.column_config.NumberColumn("Ratings", width=60),
            },
            on_select=partial(_picked_in_list, result, "region_table", listed.index.tolist()),
            selection_mode="single-row",
        )
        st.download_button(
            "Download this list",
            data=lambda: compute.table_csv(listed),
            file_name=f"items-{result.id}.csv",
            mime="text/csv",
            key="region_download",
            icon=":material/download:",
            on_click="ignore",
        )
        for domain in compute.SIDES:
            ids = rows.loc[rows["domain"] == domain, ITEM].tolist()
            genres = compute.over_represented(result, domain, ids)
            if not genres.empty:
                st.caption(f"Genres of the {domain} items, beside the whole catalogue")
                chart.cells(
                    genres,
                    key=f"region_genres_{domain}",
                    alt=f"Genres over-represented among the {domain} items of the lasso",
                    column_config={
                        "Chosen": st.column_config.NumberColumn(format="%.0f %%"),
                        "Catalogue": st.column_config.NumberColumn(format="%.0f %%"),
                        "Times": st.column_config.NumberColumn(format="%.1f ×"),
                    },
                )


# ── what the map is worth ────────────────────────────────────────────────────────────────────────

_VARIANCE = "Share of the factors' variance that the two axes hold: {} and {}."
_FAITHFULNESS = (
    "Trustworthiness of the ten nearest neighbours on the map, 0 to 1. Below 0.9, close points are "
    "often not close in the full space: trust the list of neighbours."
)


def _numbers(result: Result, view: str) -> None:
    """Variance and faithfulness of the map that is shown."""
    found = compute.mapped(result, view)
    with st.grid(2, min_column_width=130):
        for domain, one in (found.apart or {"": found.items}).items():
            whose = f", {domain}" if domain else ""
            if view != compute.TSNE:
                st.metric(
                    f"Variance shown{whose}",
                    wording.share(sum(one.variance)),
                    border=True,
                    help=_VARIANCE.format(*(wording.share(part) for part in one.variance)),
                )
            st.metric(
                f"Faithfulness{whose}", f"{one.faithfulness:.2f}", border=True, help=_FAITHFULNESS
            )


def alignment(result: Result, dark: bool) -> None:
    """Do directions that were found in each catalogue alone go together in the same people?"""
    st.header("Do the catalogues see the same tastes?", anchor=False)
    matrix = compute.alignment_matrix(result)
    found = compute.alignment(result)
    if not found.correlations:
        st.caption("Too few people are in both catalogues to tell.")
        return
    grid = st.grid(3, min_column_width=280, gap="medium")
    with grid.cell(column_span=2):
        chart.show(
            charts.alignment_heatmap(matrix, dark),
            key="alignment_matrix",
            alt="Correlation of each direction of the source with each factor of the target",
            reading="Each row is a direction in which people differ in the source, each column one "
            "in the target (those of the cards below), strongest first. Green: whoever leans to "
            "its items in the source leans to the factor's items in the target; purple: away from "
            f"them. A dot is within ±{matrix.chance:.2f}, what chance alone gives among "
            f"{wording.plural(matrix.users, 'shared user')}. Directions were found in each "
            "catalogue alone, so nothing here was fitted to agree.",
        )
    with grid.cell():
        chart.show(
            charts.canonical_bars(found, dark),
            key="canonical_bars",
            alt="Canonical correlations of the shared users, strongest first",
            reading="Mixtures of directions that agree best, found on four fifths of the "
            f"{found.users:,} shared users and measured on the others. Near 1 both catalogues tell "
            "the same story of these people; near 0 unrelated ones.",
        )


def cards(result: Result) -> None:
    """The strongest factors, each by its top items of both catalogues."""
    st.header("What the factors stand for", anchor=False)
    st.caption(
        "The strongest directions of taste, each with the items that lie furthest along it. If "
        "both sides of a card tell the same story, the catalogues align there."
    )
    with st.grid(3, min_column_width=330, gap="small"):
        for card in compute.factor_cards(result):
            with st.container(
                border=True, key=f"factor_{card.factor}", height="stretch", gap="xsmall"
            ):
                st.markdown(
                    f"**Factor {card.factor}** · {wording.share(card.share)} of users' differences"
                )
                for domain, ids in (("source", card.source_items), ("target", card.target_items)):
                    colour = "blue" if domain == "source" else "orange"
                    st.markdown(f":{colour}-badge[{wording.DOMAIN_WORDS[domain]}]")
                    named = ids[: compute.CARD_ITEMS]
                    st.markdown(
                        "\n".join(
                            f"- {escape_md(name, 60)}"
                            for name in compute.names(result, domain, named)
                        )
                    )
                    genres = compute.card_genres(result, domain, ids)
                    if genres:
                        st.caption(
                            "More than elsewhere: " + ", ".join(escape_md(g, 40) for g in genres),
                            help=f"Genres among the {len(ids)} items furthest along this factor, "
                            "and how many times as frequent they are there as in the catalogue.",
                        )
                st.button(
                    "Colour the map by this factor",
                    key=f"colour_factor_{card.factor}",
                    icon=":material/palette:",
                    type="tertiary",
                    on_click=_colour_by_factor,
                    args=(result, card.factor),
                )


def _colour_by_factor(result: Result, factor: int) -> None:
    state.put(f"map_colour_{result.id}", f"{compute.FACTOR} {factor}")
    st.toast(f"The map above is coloured by factor {factor}.", icon=":material/palette:")
