"""The runs of a workspace: go back to one, keep it, name it, and hold two side by side."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts, compute, jobs, state, uploads, wording
from dashboard.components import chart, fit_form, states
from dashboard.jobs import Result, Workspace
from dashboard.wording import escape_md, plain
from transrec_core.limits import Limits

if TYPE_CHECKING:
    import pandas as pd

    from transrec_core.settings import Settings

PART, RUNS = "compare_part", "Runs"
NAME_LENGTH = 60


def restore(space: Workspace, result: Result) -> None:
    """Show an earlier run, with its settings in the form, so that nothing stands as changed."""
    state.show(space, result)
    fill_form(result.run.settings)


def fill_form(settings: "Settings") -> None:
    """Put settings into the fit form; only in a callback, before the form is drawn."""
    for name in fit_form.FIELDS:
        state.put(f"fit_{name}", getattr(settings, name))


def to_runs() -> None:
    """Open the part of the Compare page that tells of the runs; only in a callback."""
    state.put(PART, RUNS)


def compact(space: Workspace) -> None:
    """The runs as buttons that show them, for the run bar."""
    for result in space.results:
        current = result is state.shown(space)
        data = " · other data" if compute.entry(space, result).other_data else ""
        st.button(
            f"{escape_md(result.name, NAME_LENGTH)} · {wording.clock(result.at)} · "
            f"{wording.method_word(result.run.fit.method)} · {compute.fitted(result)}{data}",
            key=f"restore_{result.id}",
            icon=":material/check:" if current else ":material/history:",
            disabled=current,
            on_click=restore,
            args=(space, result),
            width="stretch",
        )


def show(space: Workspace) -> None:
    """Every run in reach, the newest first, with what can be done with it."""
    st.header("Runs", anchor=False)
    pinned = sum(result.pinned for result in space.results)
    limits = Limits.current()
    full = pinned >= limits.pinned_runs
    where = "while the server runs" if jobs.REGISTER.keeper is None else "on the server's disk"
    st.caption(
        f"Kept {where}: the newest {limits.kept_runs} and up to "
        f"{limits.pinned_runs} pinned ones. "
        + (
            f"{limits.pinned_runs} are pinned, so unpin one before you pin another."
            if full
            else "A pinned run stays however many come after it."
        )
    )
    for result in space.results:
        _row(space, result, full)
    with st.expander("Open a saved run", icon=":material/folder_open:", key="open_run"):
        opening(space)


def opening(space: Workspace) -> None:
    """A dropzone for a saved run, which is then shown as any other."""
    memory = state.tab()
    # A new number makes a new, empty uploader.
    key = f"up_run_{memory.uploads['up_run']}"
    st.file_uploader(
        "Saved run",
        key=key,
        label_visibility="collapsed",
        on_change=_open,
        args=(space, key),
    )
    st.caption(
        "A .transrec file, as “Save this run” on the Export page and the command line write it."
    )
    if "run" in space.refused:
        states.refused(space, "run")
        states.dismissal("run", compute.dismiss, space, "run")


def _open(space: Workspace, key: str) -> None:
    file = state.get(key)
    if file is None:
        return
    if compute.open_run(space, file.getvalue(), file.name):
        restore(space, space.results[0])
    uploads.drop([file])
    state.tab().uploads["up_run"] += 1


def origin(space: Workspace) -> None:
    """Which files an opened run on show came of, where they are not the loaded ones."""
    shown = state.shown(space)
    if shown is None or not shown.opened or shown.inputs == space.inputs:
        return
    files = " and ".join(escape_md(name, 60) for name in shown.names if name) or "unnamed files"
    st.info(
        f"It was opened from {escape_md(shown.opened, 60)} and fitted on {files}, which are not "
        "loaded. Every page shows it; load these files to fit again.",
        title=f"{escape_md(shown.name, NAME_LENGTH)} is a saved run",
        icon=":material/folder_open:",
    )


def _row(space: Workspace, result: Result, full: bool) -> None:
    entry = compute.entry(space, result)
    current = result is state.shown(space)
    name = escape_md(result.name, NAME_LENGTH)
    opened = f" · opened from {escape_md(result.opened, 60)}" if result.opened else ""
    with st.container(border=True, key=f"run_{result.id}", gap="small"):
        with st.container(gap="xxsmall", width="stretch"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{name}**", width="content")
                if current:
                    st.badge("On show", icon=":material/visibility:", color="violet")
                if result.pinned:
                    st.badge("Pinned", icon=":material/keep:", color="gray")
                if entry.other_data:
                    st.badge(
                        "Other data",
                        icon=":material/database:",
                        color="orange",
                        help="This run was fitted on other files, or on files read otherwise, than "
                        "those that are loaded now.",
                    )
                if entry.verdict:
                    st.badge(
                        wording.VERDICT_WORDS[entry.verdict],
                        icon=wording.VERDICT_ICONS[entry.verdict],
                        color=wording.VERDICT_COLORS[entry.verdict],  # type: ignore[arg-type]
                        help="The verdict for the smallest number of target interactions.",
                    )
            _told(entry)
            st.caption(
                f"{wording.clock(result.at)} · {escape_md(entry.settings, 200)}  \n"
                f"{escape_md(entry.data, 200)} · run {result.id}{opened}"
            )
        _actions(space, result, full)


def _told(entry: "compute.Entry") -> None:
    if not entry.verdict:
        st.markdown(f"No comparison: {escape_md(entry.gain, 300)}")
        return
    serves = f"; what it serves has {entry.serves}" if entry.serves else ""
    st.markdown(escape_md(f"Gain {entry.gain}{serves}.", 300))


def _actions(space: Workspace, result: Result, full: bool) -> None:
    current = result is state.shown(space)
    with st.container(horizontal=True, width="content", gap="small"):
        st.button(
            "Show",
            key=f"show_{result.id}",
            icon=":material/visibility:",
            disabled=current,
            help="This run is on show."
            if current
            else "Show this run on every page and put its settings into the form.",
            on_click=restore,
            args=(space, result),
        )
        st.button(
            "Unpin" if result.pinned else "Pin",
            key=f"pin_{result.id}",
            icon=":material/keep_off:" if result.pinned else ":material/keep:",
            disabled=full and not result.pinned,
            help=f"{Limits.current().pinned_runs} runs are pinned already: unpin one first."
            if full and not result.pinned
            else "A pinned run stays however many come after it, and later runs are held against "
            "it.",
            on_click=_pin,
            args=(space, result),
        )
        with st.popover(
            "More", icon=":material/more_horiz:", key=f"more_{result.id}", width="content"
        ):
            key = f"name_{result.id}"
            state.initial(key, result.name)
            st.text_input(
                "Name",
                key=key,
                max_chars=NAME_LENGTH,
                on_change=_rename,
                args=(space, result, key),
            )
        with st.popover(
            "Remove",
            icon=":material/delete:",
            key=f"removing_{result.id}",
            width="content",
            disabled=current,
            help="The run on show cannot be removed; show another one first."
            if current
            else "Asks once more before this run is forgotten.",
        ):
            if not current:
                st.markdown(f"Forget **{escape_md(result.name, NAME_LENGTH)}**?")
                st.caption("It cannot be brought back, only fitted again.")
                st.button(
                    "Remove for good",
                    key=f"remove_{result.id}",
                    type="primary",
                    icon=":material/delete_forever:",
                    on_click=space.remove,
                    args=(result,),
                )


def _pin(space: Workspace, result: Result) -> None:
    if not space.pin(result, not result.pinned):
        st.toast("As many runs are pinned as are kept. Unpin one first.", icon=":material/keep:")


def _rename(space: Workspace, result: Result, key: str) -> None:
    space.rename(result, str(state.get(key) or "")[:NAME_LENGTH])
    state.put(key, result.name)


def _reference(space: Workspace, shown: Result) -> Result | None:
    """The run that the shown one is held against: the analyst's choice, else the default."""
    asked = state.get(f"reference_{shown.id}")
    chosen = [r for r in space.results if r.id == asked and r is not shown]
    return chosen[0] if chosen else compute.reference(space, shown)


def change_line(space: Workspace, shown: Result, kind: str, shots: int) -> None:
    """What changed against the run before, and what it did; nothing for the only run."""
    before = _reference(space, shown)
    if before is None:
        return
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", gap="small", key="change_line"
    ):
        sentence = compute.change_sentence(before, shown, kind, shots)
        st.markdown(
            f":material/compare_arrows: **Against {escape_md(before.name, NAME_LENGTH)}.** "
            f"{escape_md(sentence, 500)}",
            width="stretch",
        )
        st.button(
            "See the difference",
            key="see_difference",
            icon=":material/difference:",
            on_click=to_runs,
        )
        st.button(
            f"Back to {escape_md(before.name, NAME_LENGTH)}",
            key="back_to_reference",
            icon=":material/history:",
            on_click=restore,
            args=(space, before),
        )


def two(space: Workspace, shown: Result, kind: str, dark: bool) -> None:
    """The shown run and another one: settings, what was settled, and the results."""
    st.header("Two runs side by side", anchor=False)
    before = _reference(space, shown)
    if before is None:
        st.caption(
            "There is one run so far. Fit again with other settings, and what they changed "
            "stands here."
        )
        return
    others = [result for result in space.results if result is not shown]
    by_id = {result.id: result for result in others}
    key = f"reference_{shown.id}"
    state.put(key, before.id)
    st.selectbox(
        f"Hold {escape_md(shown.name, NAME_LENGTH)} against",
        tuple(by_id),
        format_func=lambda id_: (
            f"{plain(by_id[id_].name, NAME_LENGTH)} · "
            f"{wording.clock(by_id[id_].at)} · {compute.fitted(by_id[id_])}"
        ),
        key=key,
        persist_state="session",
        help="A pinned run comes first, else the run before the one on show.",
        width=420,
    )
    _changes(before, shown, kind)
    _results(before, shown, kind, dark)


def _names(before: Result, shown: Result) -> tuple[str, str]:
    """What to call two runs in a table or a figure; runs of one name are told by their ids."""
    names = tuple(plain(result.name, 30) for result in (before, shown))
    if names[0] == names[1]:
        return f"{names[0]} ({before.id})", f"{names[1]} ({shown.id})"
    return names[0], names[1]


def _changes(before: Result, shown: Result, kind: str) -> None:
    one, other = _names(before, shown)
    columns = {
        "what": st.column_config.TextColumn("What", width="medium", pinned=True),
        "before": st.column_config.TextColumn(one),
        "after": st.column_config.TextColumn(other),
    }
    grid = st.grid(2, min_column_width=400, gap="medium")
    with grid.cell():
        _pairs(
            "Set otherwise",
            "Both were fitted on the same data with the same settings.",
            compute.setting_table(before, shown),
            "changed_settings",
            columns,
        )
    with grid.cell():
        _pairs(
            "Settled otherwise by validation data",
            "Validation data settled the same methods and parameters in both.",
            compute.choice_changes(before, shown, kind),
            "changed_choices",
            columns,
        )


def _pairs(
    heading: str, none: str, table: "pd.DataFrame", key: str, columns: Mapping[str, Any]
) -> None:
    st.markdown(f"**{heading}**")
    if table.empty:
        st.caption(none)
        return
    chart.table(
        table,
        key,
        f"{heading}: values of both runs",
        columns,
        height="content" if len(table) <= 10 else 380,
    )


def _results(before: Result, shown: Result, kind: str, dark: bool) -> None:
    st.markdown("**What came of it**")
    why = compute.unpaired(before, shown)
    if why:
        st.info(
            escape_md(f"{why} So the numbers of the two runs are not paired, and no difference "
                      "between them is shown.", 500),
            icon=":material/link_off:",
        )  # fmt: skip
    if kind not in compute.shared_kinds(before, shown):
        if not why:
            st.caption("The other run has no numbers of this kind.")
        return
    evidence = compute.evidences(shown)[kind]
    metric, who = wording.metric_word(evidence.metric), wording.COLD_WORDS[evidence.cold].lower()
    names = _names(before, shown)
    if not why:
        chart.show(
            charts.difference_dots(
                compute.difference_frame(before, shown, kind),
                evidence.metric,
                evidence.cold,
                names,
                dark,
            ),
            "difference_dots",
            f"Difference in {metric} between two runs at each number of known interactions",
            f"Each dot is the mean difference over the same test {who}, its bar the 95 % interval "
            "(paired bootstrap). Right of zero the run on show is better.",
        )
    for what, heading in (
        ("served", "What each run serves"),
        ("transfer", "The transfer method of each run"),
    ):
        table = compute.side_by_side(before, shown, kind, what)  # type: ignore[arg-type]
        st.caption(f"{heading}: {metric}, mean over test {who}.")
        chart.table(
            table,
            f"side_by_side_{what}",
            f"{heading}: {metric} of both runs, their difference and their gains",
            _result_columns(names, metric, who),
        )


def _result_columns(names: tuple[str, str], metric: str, who: str) -> dict[str, Any]:
    text, (before, after) = st.column_config.TextColumn, names
    one, other = (escape_md(name) for name in names)  # help is Markdown, labels are not
    return {
        "shots": st.column_config.NumberColumn(
            "Shots", help="Target interactions known of each.", pinned=True, width="small"
        ),
        "before": text(before, help=f"{metric} in this run, mean over its test {who}."),
        "after": text(after, help=f"{metric} in this run, mean over its test {who}."),
        "difference": text(
            "Difference",
            help=f"{other} minus {one} on the same {who}, above zero better, with its 95 % "
            "interval.",
        ),
        "better": text("Better", help=f"Share of {who} for whom {other} is strictly better."),
        "worse": text("Worse", help=f"Share of {who} for whom {other} is strictly worse."),
        "users": text(who.capitalize(), help=f"Test {who} whom both runs judged."),
        "gain_before": text(
            f"Gain in {before}", help="Over the best baseline of that run, with its 95 % interval."
        ),
        "gain_after": text(
            f"Gain in {after}", help="Over the best baseline of that run, with its 95 % interval."
        ),
    }
