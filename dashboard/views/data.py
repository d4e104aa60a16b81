"""Data: is my data OK?"""

import streamlit as st

from dashboard import charts, compute, state
from dashboard.components import chart, checks, fit_form, folders, history, states, success, upload

space = state.workspace()
states.heading(
    "Does knowing people in one catalogue help to recommend in another?",
    "Load what people rated in a source catalogue and in a target catalogue. People are matched "
    "by their user id. Nothing leaves this computer's server.",
)
# What stands above the dropzones has a place whether it is there or not; see ``app``.
with st.container():
    states.last_failure(space)
    success.banner(space)
    history.origin(space)
    if space.empty:
        upload.sample_card(space)
        with st.expander("Open a saved run", icon=":material/folder_open:", key="open_run"):
            history.opening(space)
        folders.offer(space)

cards = st.grid(2, min_column_width=400)
with cards.cell():
    upload.side_card(space, "source")
with cards.cell():
    upload.side_card(space, "target")
with st.container():
    upload.swap(space)
upload.items_card(space)

if not space.empty:
    found = compute.checks(space)
    if found:
        st.header("Checks", anchor=False)
        checks.show(space, found)
    missing = fit_form.blocked(space)
    if compute.both_usable(space):
        dark = state.is_dark()
        st.header("Source beside target", anchor=False)
        grid = st.grid(2, min_column_width=400, gap="medium")
        ratings = compute.rating_histogram(space)
        with grid.cell():
            if ratings is None:
                st.caption("Neither file has rating values: every row counts as an interaction.")
            else:
                chart.show(
                    charts.compare_bars(ratings, "Rating values", "Rating", "Share", dark),
                    "ratings_histogram",
                    "Shares of rating values in source and target",
                    "How the rating values are spread. Very different scales make predicted "
                    "ratings harder to carry over; lists are not affected.",
                )
        with grid.cell():
            chart.show(
                charts.compare_bars(
                    compute.activity_histogram(space),
                    "Activity of users",
                    "Interactions of one user",
                    "Share of users",
                    dark,
                ),
                "activity_histogram",
                "Shares of users by their number of interactions in source and target",
                "How many interactions users have. Source users with many tell most about "
                "themselves.",
            )
    if state.shown(space) is None:
        with st.container(horizontal=True, vertical_alignment="center", key="continue"):
            st.button(
                "Fit and compare",
                key="continue_fit",
                type="primary",
                icon=":material/play_arrow:",
                disabled=bool(missing),
                on_click=fit_form.start,
                args=(space, fit_form.current()),
            )
            st.caption(
                missing or "Uses the settings in the sidebar; the defaults are a good start."
            )
