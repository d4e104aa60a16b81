"""The parts of the Export page. Files are made when they are asked for, not before."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import streamlit as st

from dashboard import compute, state, wording
from dashboard.components import chart, kept
from dashboard.jobs import Result
from transrec_core.recommending import listed_methods
from transrec_core.reporting.sentences import counted, method_inside, one

if TYPE_CHECKING:
    import pandas as pd

ALL, COLD, SOME = "All", "Cold", "Chosen"
Kind = Literal["csv", "parquet", "json"]
FORMATS: dict[Kind, str] = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
}
QUOTED = (
    "An id or title that a spreadsheet would run as a formula gets a ' before it. Parquet and JSON "
    "hold it as it is, and so does the command with --raw-ids."
)
BUNDLE = {
    "evidence.json": "application/json",
    "per_user.csv": "text/csv",
    "report.html": "text/html",
}


@dataclass(frozen=True)
class Lists:
    """Which lists were asked for; ``chosen`` is ``None`` for everybody."""

    chosen: list[str] | None
    top: int
    method: str
    keep_seen: bool


def recommendations(result: Result) -> Lists | None:
    """Lists for all, cold or chosen users, in three formats; ``None`` while nobody is chosen."""
    with st.container(border=True, key="export_lists"):
        st.subheader("Recommendation lists", anchor=False)
        cold = result.run.settings.cold
        items = compute.new_items(result)
        st.caption(
            "One row a recommendation: item_id, user_id, rank from 1, score, method, and the "
            "item's title where there is one."
            if items
            else "One row a recommendation: user_id, item_id, rank from 1, score, method, and the "
            "title where there is one.",
            help=QUOTED,
        )
        methods = ("auto", *listed_methods(result.run.fit))
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            who = st.segmented_control(
                "For",
                (ALL, COLD, SOME),
                default=ALL,
                format_func=lambda choice: f"{choice} {one(cold)}s",
                key="export_who",
                required=True,
                help="Cold: those of the source without any target interaction. Chosen: ids that "
                "you paste or upload.",
            )
            method = st.selectbox(
                "Method",
                methods,
                index=methods.index(compute.own_method(result)),
                format_func=lambda name: wording.method_word(name, cold),
                key=f"export_method_{result.id}",
                width=240,
                help=f"Auto uses transfer where validation {one(cold)}s gained from it. A method "
                f"that cannot serve one falls back to {method_inside('popularity', cold)}, "
                "and the method column says so.",
            )
            top = st.number_input(
                "List length",
                min_value=1,
                max_value=1000,
                value=result.run.settings.top,
                step=1,
                key="export_top",
                width=140,
            )
            unseen = st.toggle(
                "Leave out users who had it" if items else "Leave out what they had",
                value=True,
                key="export_unseen",
                help="Off: lists may name what is in the target history already. The command "
                "below always leaves it out.",
            )
        chosen = None
        if who == COLD:
            chosen = compute.cold_users(result)
        elif who == SOME:
            chosen = _chosen(one(cold))
        asked = Lists(chosen, int(top), method, not unseen)
        size = len(chosen) if chosen is not None else len(compute.users(result))
        _count(result, asked, size, who)
        with st.container(horizontal=True):
            for kind, mime in FORMATS.items():
                download(
                    f"Download {kind.upper() if kind != 'parquet' else 'Parquet'}",
                    f"recommendations-{result.id}.{kind}",
                    mime,
                    partial(
                        compute.lists_file,
                        result,
                        chosen,
                        asked.top,
                        method,
                        kind,
                        asked.keep_seen,
                    ),
                    f"export_{kind}",
                    primary=kind == "csv",
                    disabled=size == 0,
                )
        if size:
            _preview(result, asked)
        return asked if size else None


def _count(result: Result, asked: Lists, size: int, who: str) -> None:
    """How much there will be."""
    cold = result.run.settings.cold
    if who == SOME and not size:
        st.caption(f"Paste or upload at least one {one(cold)} id.")
        return
    if not size:
        st.caption(f"Every {one(cold)} of the source has target interactions: nobody is cold.")
        return
    said = f"{counted(size, cold)}, up to {wording.count(size * asked.top)} rows."
    strangers = 0
    if who == SOME and asked.chosen:
        strangers = sum(not compute.known(result, user) for user in asked.chosen)
    if strangers:
        fallback = method_inside("popularity", cold)
        said += f" {wording.plural(strangers, 'id')} in neither file: {fallback}."
    st.caption(said)


def _preview(result: Result, asked: Lists) -> None:
    """The lists as a table, made when it is opened and not before."""
    preview = st.expander(
        "Preview", key="export_preview", icon=":material/table_rows:", on_change="rerun"
    )
    if not preview.open:
        return
    with preview:
        frame = compute.lists(result, asked.chosen, asked.top, asked.method, asked.keep_seen)
        if frame.empty:
            st.caption("Nothing left to recommend.")
            return
        table(frame, "export_preview_table")
        st.caption(f"{wording.plural(len(frame), 'row')}, as the files will hold them.")


def table(frame: "pd.DataFrame", key: str) -> None:
    """Lists of any length; rows are sent to the browser as it scrolls to them."""
    chart.cells(
        frame,
        height=360,
        key=key,
        alt="Recommendation lists, one row a recommendation",
        column_config={
            "user_id": st.column_config.TextColumn("User"),
            "item_id": st.column_config.TextColumn("Item"),
            "rank": st.column_config.NumberColumn("Rank", width="small", format="%d"),
            "score": st.column_config.NumberColumn("Score", width="small", format="%.4f"),
            "method": st.column_config.TextColumn("Served by"),
            "title": st.column_config.TextColumn("Title"),
        },
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


def download(
    label: str,
    name: str,
    mime: str,
    make: Callable[[], bytes],
    key: str,
    *,
    primary: bool = False,
    disabled: bool = False,
) -> None:
    """A button that hands a file over, made when it is pressed."""
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
            "metric, a one-file report that opens in any browser, and every metric of every method "
            "at every number of shots. They hold ids only."
        )
        with st.container(horizontal=True):
            for name, mime in BUNDLE.items():
                download(
                    name,
                    name,
                    mime,
                    partial(_piece, result, name),
                    f"export_{name.replace('.', '_')}",
                )
            download(
                "metrics.csv",
                "metrics.csv",
                "text/csv",
                partial(compute.metrics, result),
                "export_metrics",
            )


def _piece(result: Result, name: str) -> bytes:
    return compute.bundle(result)[name]


def factors(result: Result) -> None:
    """Both catalogues' factors, with ids."""
    with st.container(border=True, key="export_factors"):
        st.subheader("Factors", anchor=False)
        who = one(result.run.settings.cold)
        st.caption(
            "Users and items of both catalogues with ids, factors and biases, and where the "
            f"transfer method expects source {who}s in the target's space, if it places them. "
            "README.txt says shapes and meaning."
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            kind = _kind()
            download(
                "Download factors",
                f"factors-{result.id}.zip",
                "application/zip",
                partial(compute.factors_zip, result, kind),
                "export_factors_zip",
            )


def _kind() -> Literal["csv", "npz"]:
    kind = st.segmented_control(
        "Tables as",
        ("csv", "npz"),
        default="csv",
        format_func={"csv": "CSV", "npz": "NumPy"}.__getitem__,
        key="export_factors_kind",
        required=True,
        help="CSV opens anywhere; NumPy's npz is smaller, and quicker to read.",
    )
    return "npz" if kind == "npz" else "csv"


def everything(result: Result, asked: Lists | None) -> None:
    """All of it in one file."""
    cold = result.run.settings.cold
    with st.container(border=True, key="export_everything"):
        st.subheader("Everything in one file", anchor=False)
        by = method_inside(compute.own_method(result), cold)
        who = f"the {one(cold)}s named above" if asked and asked.chosen else f"all {one(cold)}s"
        st.caption(
            f"Lists by {by} for {who}, the evidence, the configuration, the commands and the "
            "factors as one zip, with a README.txt. It is made when you press the button; the same "
            "run gives the same bytes."
        )
        top = asked.top if asked else result.run.settings.top
        download(
            "Download everything",
            f"transrec-{result.id}.zip",
            "application/zip",
            partial(
                compute.everything_zip,
                result,
                asked.chosen if asked else None,
                top,
                asked.keep_seen if asked else False,
                "npz" if state.get("export_factors_kind") == "npz" else "csv",
            ),
            "export_everything_zip",
        )


def repeat(result: Result) -> None:
    """Settings and commands that lead to the same numbers."""
    with st.container(border=True, key="export_repeat"):
        st.subheader("Repeat this run", anchor=False)
        st.caption(
            "The configuration holds settings, seed, what validation users chose, and the hashes "
            "of the data. "
            + (
                wording.WARM_SENTENCE
                if result.run.started_warm
                else "The same files and settings give the same numbers."
            )
        )
        download(
            "configuration.json",
            f"configuration-{result.id}.json",
            "application/json",
            lambda: compute.configuration(result),
            "export_config",
        )
        for command in compute.commands(result):
            st.code(wording.plain(command, 10_000), language=None, wrap_lines=True)
        st.caption(
            "The link in the address bar leads back here too, but only on this server and only "
            f"{kept.how_long()}."
        )


def save(result: Result) -> None:
    """The run itself as one file."""
    with st.container(border=True, key="export_run"):
        st.subheader("Save this run", anchor=False)
        st.caption(
            "Everything that the pages show of this run, as one file that “Open a saved run” on "
            "the Data page reads, here or on another computer. The ratings of its users are "
            "inside: give it only to those who may see them."
        )
        name = wording.safe_filename(result.name)
        download(
            "Save this run",
            f"{name}.transrec",
            "application/octet-stream",
            partial(compute.saved_run, result),
            "export_saved_run",
        )
