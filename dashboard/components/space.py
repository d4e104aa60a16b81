"""The parts of the Space page: map, inspector, lasso list, factor cards."""

from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts, compute, state, wording
from dashboard.components import chart
from dashboard.jobs import Result
from dashboard.wording import escape_md
from transrec_core.columns import ITEM

if TYPE_CHECKING:
    import pandas as pd

    from transrec_core.factors.geometry import Alignment

MAP = "item_map"
BOTH = "Both"
SHOWN = {BOTH: ("source", "target"), "Source": ("source",), "Target": ("target",)}


def absent(result: Result) -> None:
    """There is no common space; say why and what still works."""
    new_items = compute.new_items(result)
    st.warning(
        "This fit is about items that are new to the target, and its factors are of users. The "
        "Item page shows which users an item would get; fit for new users to see the map."
        if new_items
        else "Both catalogues can only lie on one map when at least two people have data in both. "
        "The User page still shows the lists that this fit makes.",
        title="No map of items in this fit"
        if new_items
        else "No common space can be made with this data",
        icon=":material/group_off:",
    )


def explore(result: Result, dark: bool) -> None:
    """The map with its search, and beside it what was picked."""
    items = compute.item_map(result)
    frame = items.frame
    grid = st.grid(3, min_column_width=280, gap="medium")
    with grid.cell(column_span=2):
        with st.container(
            horizontal=True, vertical_alignment="bottom", gap="small", key="map_tools"
        ):
            query = st.text_input(
                "Search titles",
                key="map_search",
                type="search",
                live=True,
                placeholder="Part of a title, or an item id",
                persist_state="session",
            )
            shown = st.segmented_control(
                "Show",
                tuple(SHOWN),
                default=BOTH,
                key="map_show",
                required=True,
                persist_state="session",
            )
        found = compute.matches(frame, query or "")
        chosen = _chosen(result, frame)
        near = compute.neighbours(result, *chosen) if chosen else None
        figure = charts.item_scatter(
            items,
            found=found.index.tolist(),
            chosen=compute.row_of(frame, *chosen) if chosen else None,
            near=compute.rows_of(frame, near) if near is not None else None,
            show=SHOWN[shown or BOTH],
            dark=dark,
        )
        event = chart.select(
            figure,
            MAP,
            "Map of source and target items on two axes",
            partial(_inspect_clicked, result),
        )
        st.caption(
            "Each point is an item: blue circles are source items, orange diamonds target items, "
            "larger ones have more interactions. Click a point for its neighbours; take the "
            "lasso from the toolbar to list a region."
        )
        if query and found.empty:
            st.caption(f"No item holds “{escape_md(query, 60)}”.")
        elif query:
            st.caption(f"{wording.plural(len(found), 'item')} found.")
    picked = _picked(event)
    with grid.cell():
        _numbers(items.faithfulness, items.variance, compute.alignment(result))
        if len(picked) > 1:
            _region(result, frame.loc[picked])
        else:
            _inspector(result, frame, chosen, near)


def _numbers(faithfulness: float, variance: tuple[float, float], alignment: "Alignment") -> None:
    with st.grid(3, min_column_width=130):
        st.metric(
            "Variance shown",
            wording.share(variance[0] + variance[1]),
            border=True,
            help="Share of the factors' variance that the two axes hold: "
            f"{wording.share(variance[0])} and {wording.share(variance[1])}.",
        )
        st.metric(
            "Faithfulness",
            f"{faithfulness:.2f}",
            border=True,
            help="Trustworthiness of the ten nearest neighbours on the map, 0 to 1. Below 0.9, "
            "close points are often not close in the full space: trust the list of neighbours.",
        )
        st.metric(
            "Alignment",
            f"{alignment.correlations[0]:.2f}" if alignment.correlations else "–",
            border=True,
            help="Strongest correlation between the tastes that the two catalogues see in the same "
            f"people, measured on people it was not fitted on ({alignment.users:,} shared users): "
            "near 1 they tell the same story, near 0 unrelated ones.",
        )


def _picked(event: Any) -> list[int]:
    rows = []
    for point in event["selection"]["points"] if event else []:
        data = point.get("customdata")
        rows.append(int(data[0] if isinstance(data, list) else data))
    return list(dict.fromkeys(rows))


def _chosen(result: Result, frame: "pd.DataFrame") -> tuple[str, str] | None:
    position = state.get(f"inspect_{result.id}")
    if position is None or position not in frame.index:
        return None
    row = frame.loc[position]
    return str(row["domain"]), str(row[ITEM])


def _inspect_clicked(result: Result) -> None:
    """A single point was clicked: inspect it. A lasso is left to the page."""
    picked = _picked(state.get(MAP))
    if len(picked) == 1:
        state.put(f"inspect_{result.id}", picked[0])


def _inspector(
    result: Result,
    frame: "pd.DataFrame",
    chosen: tuple[str, str] | None,
    near: "pd.DataFrame | None",
) -> None:
    with st.container(border=True, key="inspector"):
        st.subheader("Neighbours of an item", anchor=False)
        st.selectbox(
            "Item",
            compute.popular_first(frame),
            index=None,
            format_func=partial(compute.label, frame),
            key=f"inspect_{result.id}",
            placeholder="Type a title, or click a point of the map",
            label_visibility="collapsed",
            persist_state="session",
        )
        if chosen is None or near is None:
            st.caption("The nearest items of both catalogues and their cosine show here.")
            return
        for domain in compute.SIDES:
            rows = near[near["domain"] == domain]
            st.caption(f"Nearest {domain} items")
            st.dataframe(
                rows[["name", "cosine"]],
                hide_index=True,
                height=218,
                key=f"near_{domain}",
                alt=f"Nearest {domain} items with their cosine",
                column_config=_near_columns(),
            )
        _similar_by_text(result, *chosen)


def _near_columns() -> dict[str, Any]:
    return {
        "name": st.column_config.TextColumn("Item", width="medium"),
        "cosine": st.column_config.NumberColumn("Cosine", format="%.2f", width="small"),
    }


def _similar_by_text(result: Result, domain: str, item: str) -> None:
    """Below the neighbours by taste: those by title, genres and description."""
    with st.spinner("Reading the items' texts"):
        similar = compute.similar_by_text(result, domain, item)
    if similar is None:
        return
    if similar.empty:
        st.caption("Similar by text: no other item shares a topic with this one.")
        return
    st.caption(f"Similar by text: {domain} items of like title, genres and description")
    st.dataframe(
        similar[["name", "cosine"]],
        hide_index=True,
        key="near_text",
        alt="Items with similar text and their cosine",
        column_config=_near_columns(),
    )


def _region(result: Result, rows: "pd.DataFrame") -> None:
    with st.container(border=True, key="region"):
        counts = rows["domain"].value_counts()
        st.subheader(f"{wording.plural(len(rows), 'item')} in the lasso", anchor=False)
        st.caption(" · ".join(f"{counts[d]:,} {d}" for d in compute.SIDES if d in counts))
        listed = rows[["domain", ITEM, "name", "interactions"]].rename(columns={"name": "title"})
        st.dataframe(
            listed[["title", "domain", "interactions"]],
            hide_index=True,
            height=260,
            key="region_table",
            alt="Items inside the lasso",
            column_config={
                "title": st.column_config.TextColumn("Item", width=190),
                "domain": st.column_config.TextColumn("Domain", width=60),
                "interactions": st.column_config.NumberColumn("Ratings", width=60),
            },
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
                st.dataframe(
                    genres,
                    hide_index=True,
                    key=f"region_genres_{domain}",
                    alt=f"Genres over-represented among the {domain} items of the lasso",
                    column_config={
                        "Chosen": st.column_config.NumberColumn(format="%.0f %%"),
                        "Catalogue": st.column_config.NumberColumn(format="%.0f %%"),
                        "Times": st.column_config.NumberColumn(format="%.1f ×"),
                    },
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
                    st.markdown(
                        "\n".join(
                            f"- {escape_md(name, 60)}"
                            for name in compute.names(result, domain, ids)
                        )
                    )
