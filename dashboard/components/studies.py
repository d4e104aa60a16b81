"""Which source to choose, and what it is worth when the target has fewer ratings."""

import streamlit as st

from dashboard import charts, compute, state, uploads, wording
from dashboard.components import chart, fit_form, states
from dashboard.jobs import Result, Workspace
from dashboard.wording import escape_md


def sources(space: Workspace, dark: bool) -> None:
    """Other candidates beside the loaded source, and their ranking."""
    st.header("Which source should I choose?", anchor=False)
    with st.container(border=True, key="study_sources"):
        st.markdown(
            "Add the ratings of other catalogues. Each is tried once with fixed parameters on a "
            "fifth of the people it shares with the target; a comparison then tells for the best."
        )
        states.refused(space, "candidate")
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        with left:
            memory = state.tab()
            files = st.file_uploader(
                "Other sources",
                accept_multiple_files=True,
                key=f"up_candidates_{memory.uploads['candidates']}",
            )
            if files:
                memory.uploads["candidates"] += 1
                for file in files:
                    compute.add_candidate(space, file.getvalue(), file.name)
                uploads.drop(files)
                st.rerun()
        with right:
            for place, candidate in enumerate(space.candidates):
                st.button(
                    escape_md(candidate.name, 60),
                    key=f"drop_candidate_{place}",
                    icon=":material/close:",
                    help="Leave this source out.",
                    on_click=compute.drop_candidate,
                    args=(space, place),
                )
            if compute.sample_candidate(space):
                st.button(
                    "Add the sample's podcasts",
                    key="add_podcasts",
                    icon=":material/science:",
                    on_click=compute.add_sample_candidate,
                    args=(space,),
                )
        _go(space, "sources", "Rank the sources", not space.candidates, "Add another source first.")
        _ranked(space, dark)


def _ranked(space: Workspace, dark: bool) -> None:
    """The ranking as dots and as a table, and a way to use another source."""
    table = compute.leaderboard(space)
    if table is None:
        return
    rows, metric = compute.ranked_sources(space)
    if len(rows):
        chart.show(
            charts.source_dots(rows, metric, dark),
            "source_dots",
            "What each source gained in its pilot, with its interval",
            "Each dot is the mean gain over the best method without the source, its bar the 95 % "
            "interval. Sources whose bars overlap are hardly told apart.",
        )
    chart.table(
        table,
        "leaderboard",
        "Sources ranked by what each gains in a pilot, with its interval",
        {str(table.columns[2]): st.column_config.Column(help=wording.COLUMN_HELP["Gain"])},
    )
    others = compute.other_sources(space)
    if not others:
        return
    st.caption(
        "Another source can take the place of the present one, which then stands among the "
        "others. What is on show stays until you fit again."
    )
    with st.container(horizontal=True, gap="small"):
        for place, name in others:
            st.button(
                f"Use {escape_md(name, 60)} as the source",
                key=f"use_source_{place}",
                icon=":material/swap_horiz:",
                disabled=space.job is not None and space.job.active,
                on_click=compute.use_candidate,
                args=(space, place),
            )


def sparsity(space: Workspace, result: Result) -> None:
    """The comparison with the other users' target ratings thinned."""
    if result.run.settings.cold == "items" or not result.run.pair.linked:
        return
    st.header("What if the target had fewer ratings?", anchor=False)
    with st.container(border=True, key="study_sparsity"):
        st.markdown(
            "The comparison again with all, half, a quarter and a tenth of the target ratings of "
            "everybody who is not held out. The test users and what judges them stay the same."
        )
        _go(space, "sparsity", "Measure with fewer ratings", False, "")
        table = compute.thinned(space)
        if table is not None:
            chart.table(
                table,
                key="sparsity_table",
                alt="The gain of transfer at each share of the target ratings",
            )


def _go(space: Workspace, kind: str, label: str, waiting: bool, why: str) -> None:
    blocked = fit_form.blocked(space) or (why if waiting else "")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            label,
            key=f"study_{kind}_go",
            icon=":material/leaderboard:" if kind == "sources" else ":material/opacity:",
            disabled=bool(blocked),
            on_click=compute.start_study,
            args=(space, kind, fit_form.current()),
        )
        study = space.studies.get(kind)
        if blocked:
            st.caption(blocked)
        elif study is not None and study.inputs != compute.study_inputs(space, kind):
            st.badge(wording.STALE_STUDY, icon=":material/sync_problem:", color="orange")
