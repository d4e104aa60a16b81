"""The parts of the Export page. Files are made when they are asked for, not before."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import streamlit as st

from dashboard import compute, state, wording
from dashboard.jobs import Result
from transrec_core.recommending import listed_methods
from transrec_core.reporting.sentences import counted, method_inside, one

ALL = "All"
SOME = "Chosen"
Kind = Literal["csv", "parquet", "json"]
FORMATS: dict[Kind, str] = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
}
BUNDLE = {
    "evidence.json": "application/json",
    "per_user.csv": "text/csv",
    "report.html": "text/html",
}


def recommendations(result: Result) -> None:
    """Lists for all or chosen users, in three formats."""
    with st.container(border=True, key="export_lists"):
        st.subheader("Recommendation lists", anchor=False)
        cold = result.run.settings.cold
        st.caption(
            "One row a recommendation: item_id, user_id, rank from 1, score, method, and the "
            "item's title where there is one. Users who already had the item are left out."
            if compute.new_items(result)
            else "One row a recommendation: user_id, item_id, rank from 1, score, method, and the "
            "title where there is one. What a user already had in the target is left out."
        )
        methods = ("auto", *listed_methods(result.run.fit))
        if state.get("export_method") not in methods:
            state.forget("export_method")  # chosen for a run with another map
        left, middle, right = st.columns(3)
        who = left.segmented_control(
            "For",
            (ALL, SOME),
            default=ALL,
            format_func=lambda choice: f"{choice} {one(cold)}s",
            key="export_who",
            required=True,
        )
        method = middle.selectbox(
            "Method",
            methods,
            format_func=lambda name: wording.method_word(name, cold),
            key="export_method",
            help=f"Auto uses transfer where validation {one(cold)}s gained from it. A method that "
            f"cannot serve one falls back to {method_inside('popularity', cold)}, "
            "and the method column says so.",
        )
        top = right.number_input(
            "List length",
            min_value=1,
            max_value=1000,
            value=result.run.settings.top,
            step=1,
            key="export_top",
        )
        chosen = _chosen(one(cold)) if who == SOME else None
        size = len(chosen) if chosen is not None else len(compute.users(result))
        if chosen is not None and not chosen:
            st.caption(f"Paste or upload at least one {one(cold)} id.")
        else:
            strangers = (
                sum(not compute.known(result, u) for u in chosen) if chosen is not None else 0
            )
            said = f"{counted(size, cold)}, up to {wording.count(size * int(top))} rows."
            if strangers:
                fallback = method_inside("popularity", cold)
                said += f" {wording.plural(strangers, 'id')} in neither file: {fallback}."
            st.caption(said)

        with st.container(horizontal=True):
            for kind, mime in FORMATS.items():
                _download(
                    f"Download {kind.upper() if kind != 'parquet' else 'Parquet'}",
                    f"recommendations-{result.id}.{kind}",
                    mime,
                    partial(compute.lists_file, result, chosen, int(top), method, kind),
                    f"export_{kind}",
                    primary=kind == "csv",
                    disabled=size == 0,
                )


def _chosen(who: str) -> list[str]:
    left, right = st.columns(2)
    pasted = left.text_area(
        f"{who.capitalize()} ids, one a line",
        key="export_ids",
        height=120,
        placeholder=f"{who[0]}0001\n{who[0]}0002",
    )
    file = right.file_uploader(
        "or a text file with one id a line", key="export_ids_file", type=["txt", "csv"]
    )
    text = pasted or ""
    if file is not None:
        text += "\n" + compute.decode_ids(file.getvalue())
    return compute.parse_ids(text)


def _download(
    label: str,
    name: str,
    mime: str,
    make: Callable[[], bytes],
    key: str,
    *,
    primary: bool = False,
    disabled: bool = False,
) -> None:
    st.download_button(
        label,
        data=make,
        file_name=wording.safe_filename(name),
        mime=mime,
        key=key,
        icon=":material/download:",
        type="primary" if primary else "secondary",
        on_click="ignore",
        disabled=disabled,
    )


def evidence(result: Result) -> None:
    """The comparison as files."""
    with st.container(border=True, key="export_evidence"):
        st.subheader("Evidence", anchor=False)
        if result.run.comparison is None:
            st.caption(wording.escape_md(result.run.no_comparison, 400))
            return
        st.caption(
            f"The verdict with all its numbers, every test {one(result.run.settings.cold)}'s "
            "metric, and a one-file report that opens in any browser. They hold ids only."
        )
        with st.container(horizontal=True):
            for name, mime in BUNDLE.items():
                _download(
                    name,
                    name,
                    mime,
                    partial(_piece, result, name),
                    f"export_{name.replace('.', '_')}",
                )


def _piece(result: Result, name: str) -> bytes:
    return compute.bundle(result)[name]


def repeat(result: Result) -> None:
    """Settings and commands that lead to the same numbers."""
    with st.container(border=True, key="export_repeat"):
        st.subheader("Repeat this run", anchor=False)
        st.caption(
            "The configuration holds settings, seed, what validation users chose, and the hashes "
            "of the data. The same files and settings give the same numbers."
        )
        _download(
            "configuration.json",
            f"configuration-{result.id}.json",
            "application/json",
            lambda: compute.configuration(result),
            "export_config",
        )
        for command in compute.commands(result):
            st.code(command, language=None, wrap_lines=True)
        st.caption(
            "The link in the address bar leads back here too, but only on this server and only "
            "while it runs."
        )
