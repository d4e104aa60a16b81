"""The parts of the Compare page, from the verdict down to the small print."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts, compute, state, wording
from dashboard.components import chart, fit_form, history
from dashboard.jobs import Result, Workspace
from dashboard.wording import escape_md
from transrec_core.reporting.sentences import (
    cost_sentences,
    crosslisted_sentence,
    listed,
    method_inside,
    metric_help,
    one,
    verdict_sentence,
)

if TYPE_CHECKING:
    import pandas as pd

    from transrec_core.evidence.costs import Costs
    from transrec_core.evidence.results import Comparison, Evidence, ShotEvidence

PARTS = ("Curves", "Numbers", "For whom", "Cost", "Parameters", history.RUNS, "Sources")
KIND_WORDS = {"ranking": "Lists", "ratings": "Ratings"}


def absent(result: Result) -> None:
    """Why there is no comparison, which numbers cannot exist, and what still works."""
    cold = result.run.settings.cold
    space = compute.has_space(result)
    pages = "The Space and User pages still work" if space else "Lists can still be made"
    st.warning(
        escape_md(result.run.no_comparison, 500)
        + f"\n\nThe verdict, the gain and its interval need {one(cold)}s who are in both files and "
        f"have enough target ratings to hide some. {pages} with this fit.",
        title="No comparison can be made with this data",
        icon=":material/group_off:",
    )


def choose(parts: "dict[str, Evidence]") -> "tuple[str, Evidence, ShotEvidence]":
    """What to judge, and how much is known of the user; every number shows its verdict."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="choices"):
        kind = _kind(tuple(parts))
        evidence = parts[kind]
        by_shots = {shot.shots: shot for shot in evidence.shots}
        picked = st.segmented_control(
            f"Target interactions known of the {one(evidence.cold)}, with the verdict for each",
            tuple(by_shots),
            default=evidence.shots[0].shots,
            format_func=lambda k: (
                f"{wording.VERDICT_ICONS[by_shots[k].verdict]} {k} · {by_shots[k].verdict}"
            ),
            key="compare_shots",
            required=True,
            wrap=True,
            persist_state="session",
        )
    return kind, evidence, by_shots.get(picked, evidence.shots[0])


def _kind(kinds: tuple[str, ...]) -> str:
    if len(kinds) == 1:
        return kinds[0]
    picked = st.segmented_control(
        "Judge",
        kinds,
        default=kinds[0],
        format_func=KIND_WORDS.__getitem__,
        key="compare_kind",
        required=True,
        persist_state="session",
    )
    return picked if picked in kinds else kinds[0]


def warning(found: "Comparison | None") -> None:
    """What the gain comes to without products that are in both catalogues under two ids."""
    words = "" if found is None else crosslisted_sentence(found)
    if words:
        st.warning(
            escape_md(words, 600),
            title="Some products are in both catalogues",
            icon=":material/content_copy:",
        )


def verdict(shot: "ShotEvidence", evidence: "Evidence", link: dict[str, str] | None = None) -> None:
    """One sentence, the numbers behind it, and with a ``link`` the next question."""
    metric = wording.metric_word(evidence.metric)
    cold = evidence.cold
    them = f"{one(cold)}s"
    word = wording.VERDICT_WORDS[shot.verdict]
    icon = wording.VERDICT_ICONS[shot.verdict]
    with st.container(border=True, key="verdict", gap="small"):
        if shot.verdict == "helps":
            st.badge(word, icon=icon, color="green")
        elif shot.verdict == "hurts":
            st.badge(word, icon=icon, color="red")
        else:
            st.badge(word, icon=icon, color="gray")
        st.subheader(escape_md(verdict_sentence(shot, evidence), 600), anchor=False)
        gain = shot.gain
        with st.grid(5, min_column_width=150, gap="medium"):
            st.metric(
                f"Gain in {metric}",
                wording.signed(gain.mean),
                help=f"{wording.method_word(shot.transfer, cold)} minus "
                f"{wording.method_word(shot.best_baseline, cold)}, mean over test {them}.",
            )
            st.metric(
                "95 % interval",
                wording.interval(gain.low, gain.high),
                help=f"Paired bootstrap over {them}.",
            )
            st.metric(
                f"Test {them}",
                wording.count(shot.users),
                help=f"{wording.p_value(gain.p)} (sign-flip test). With this many {them}, a gain "
                f"of {wording.value(gain.detectable)} would have shown in 4 of 5 trials.",
            )
            st.metric(
                "Helped",
                wording.share(gain.helped),
                help=f"Share of test {them} for whom transfer is strictly better.",
            )
            st.metric(
                "Harmed",
                wording.share(gain.harmed),
                help=f"Share of test {them} for whom transfer is strictly worse.",
            )
        crossover = evidence.crossover
        note = (
            f"From {wording.shots(crossover)} on, transfer no longer pays. "
            if crossover is not None
            else ""
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                f"{note}Sign-flip test: {wording.p_value(gain.p)}. A shuffled source "
                f"(placebo) gains {wording.interval(shot.placebo.low, shot.placebo.high)}.",
                width="stretch",
            )
            if link is not None:
                st.page_link(
                    "views/user.py",
                    label=f"See what one {one(cold)} would get",
                    icon=":material/arrow_forward:",
                    icon_position="right",
                    query_params=link,
                )


def parts() -> Any:
    """The parts of the page below the verdict; only the open one is drawn."""
    return st.tabs(PARTS, key=history.PART, on_change="rerun")


def curves(evidence: "Evidence", dark: bool) -> None:
    """The k-shot curve and the gains beside it."""
    metric = wording.metric_word(evidence.metric)
    grid = st.grid(2, min_column_width=440, gap="medium")
    with grid.cell():
        chart.show(
            charts.k_shot_curve(evidence, dark),
            "k_shot_curve",
            f"{metric} of every method against the number of known target interactions",
            "Each line is a method with its 95 % interval. Transfer pays where its line runs above "
            "the others and above the grey placebo band. A click on a name in the legend shows or "
            "hides its line; the methods that were not taken are hidden at first.",
        )
    with grid.cell():
        chart.show(
            charts.gain_dots(evidence, dark),
            "gain_dots",
            f"Gain in {metric} with its interval for each number of known interactions",
            "Each dot is the mean gain, its bar the 95 % interval. Helps: the whole bar lies "
            "right of zero and of the grey band.",
        )


def tables(evidence: "Evidence", shot: "ShotEvidence") -> None:
    """Every method and every gain in numbers."""
    metric = wording.metric_word(evidence.metric)
    cold = evidence.cold
    methods = compute.method_table(evidence)
    st.header("Every method in numbers", anchor=False)
    st.caption(
        f"{metric}, mean over test {one(cold)}s with its 95 % interval; columns are target "
        f"interactions known of the {one(cold)}."
    )
    chart.table(
        methods,
        "method_table",
        f"{metric} of every method by number of known target interactions",
        _by_shots(methods),
    )
    st.caption("Gain of transfer over the best baseline, for each number of target interactions.")
    chart.table(
        compute.gain_table(evidence),
        "gain_table",
        f"Gain in {metric} with interval, p value and shares helped and harmed",
    )
    baseline = method_inside(shot.best_baseline, cold)
    st.caption(f"Gain of each method over {baseline}, with {wording.shots(shot.shots)}.")
    chart.table(
        compute.all_gains(shot, cold),
        "all_gains",
        f"Gain in {metric} of every transfer method with its p value, also corrected",
    )
    _further(shot, cold)


def _further(shot: "ShotEvidence", cold: str) -> None:
    table = compute.further_table(shot, cold)
    if table.empty:
        return
    with st.expander("Further metrics", key="further", icon=":material/monitoring:"):
        st.caption(
            f"Means over test {one(cold)}s with {wording.shots(shot.shots)}. Point at a column's "
            "name for what it is."
        )
        chart.cells(
            table,
            height="content",
            key="further_table",
            alt="Further metrics of every method",
            column_config={
                "Method": st.column_config.TextColumn(width="medium", pinned=True),
                **{
                    name: st.column_config.NumberColumn(
                        wording.metric_word(name), help=metric_help(name, cold), format="%.3f"
                    )
                    for name in table.columns[1:]
                },
            },
        )


def cohorts(evidence: "Evidence", shot: "ShotEvidence", dark: bool) -> None:
    """The gain among some of the test users, or on some of what was hidden."""
    metric, them = wording.metric_word(evidence.metric), f"{one(evidence.cold)}s"
    st.header("For whom, and on what", anchor=False)
    rows = compute.cohort_rows(evidence, shot.shots)
    if rows.empty:
        st.caption(f"There are too few test {them} with {wording.shots(shot.shots)} to part them.")
    else:
        chart.show(
            charts.cohort_dots(
                rows,
                evidence.metric,
                evidence.cold,
                f"Gain in {metric} with {wording.shots(shot.shots)}",
                dark,
            ),
            f"cohort_dots_{shot.shots}",
            f"Gain in {metric} with its interval in each part of the test {them}",
            f"Each dot is the mean gain among some of the test {them}, or counting some of what "
            "was hidden; its bar is the 95 % interval. Among so many intervals some lie above or "
            "below zero by chance. The number of target interactions is picked above.",
        )
    tables = compute.cohort_tables(evidence)
    if not tables:
        return
    with st.expander("The same in numbers", key="cohort_numbers", icon=":material/table:"):
        for number, (heading, table) in enumerate(tables.items()):
            st.markdown(f"**{heading}**")
            chart.table(
                table, f"cohorts_{number}", f"Gain in {metric}. {heading}", _by_shots(table)
            )


def _by_shots(table: "pd.DataFrame") -> dict[str, Any]:
    """A pinned first column; columns named by a number are shots."""
    return {
        str(table.columns[0]): st.column_config.TextColumn(width="medium", pinned=True),
        **{
            c: st.column_config.TextColumn(
                wording.plural(int(c), "shot"),
                help=f"Mean with its 95 % interval, knowing {wording.shots(int(c))}.",
            )
            for c in table.columns
            if c.isdigit()
        },
    }


def cost(found: "Costs", evidence: "Evidence", dark: bool) -> None:
    """What each method gains, and what it costs: a figure, a sentence or two, the numbers."""
    metric, cold = wording.metric_word(evidence.metric), evidence.cold
    st.header("What each method gains, and what it costs", anchor=False)
    if not found.methods:
        st.caption(
            "How long each method took was not written down in this run. A new fit tells it."
        )
        return
    for sentence in cost_sentences(found, evidence):
        st.markdown(escape_md(sentence, 600))
    chart.show(
        charts.cost_dots(found, evidence, dark),
        f"cost_dots_{found.shots}",
        f"Gain in {metric} of each method with its interval against its time to fit",
        "Each dot is a method: the further up, the more it gains over "
        f"{method_inside(found.best_baseline, cold)}; the further right, the longer it takes. "
        "Bars are 95 % intervals. The number of target interactions is picked above. The "
        f"sentences go by differences {one(cold)} by {one(cold)}, which are told more surely than "
        "overlapping bars suggest.",
    )
    chart.table(
        compute.cost_table(found, cold),
        f"cost_table_{found.shots}",
        f"Time to fit and gain in {metric} of each method, the quickest first",
    )


def choices(space: Workspace, result: Result, kind: str, evidence: "Evidence", dark: bool) -> None:
    """What validation users settled, what auto serves, and what they were shown."""
    chosen = compute.chosen_of(result, kind)
    if chosen is None:
        return
    them = f"{one(evidence.cold)}s"
    st.header(f"What validation {them} settled", anchor=False)
    grid = st.grid(2, min_column_width=440, gap="medium")
    with grid.cell():
        st.caption(
            "What Auto serves: (1 − w) target only + w transfer, or the best baseline where "
            f"validation {them} gained nothing from transfer (w = 0)."
        )
        chart.table(
            compute.served_table(result, chosen),
            f"served_{kind}",
            "What auto serves at each number of target interactions",
        )
    with grid.cell():
        st.caption("Parameters of each method, as they suited the validation data best.")
        chart.table(
            compute.settled_table(result, chosen),
            f"settled_{kind}",
            "Parameters of each method",
        )
    if chosen.left_out:
        st.markdown(
            "**Methods left out**\n"
            + "\n".join(
                f"- {names}: {escape_md(reason)}."
                for names, reason in compute.left_out(result, chosen)
            )
        )
    grid = st.grid(2, min_column_width=440, gap="medium")
    found = compute.search(space, result, kind)
    if found is not None:
        with grid.cell():
            _searched(space, found, evidence, dark)
    with grid.cell():
        table = compute.tried_table(result, chosen, evidence.metric)
        st.caption(f"All {wording.plural(len(table), 'candidate')}, in the order tried.")
        chart.table(
            table,
            f"tried_table_{kind}",
            "Every candidate with its validation score, in the order tried",
            height=320 if len(table) > 8 else "content",
        )


def _searched(space: Workspace, found: "compute.Search", evidence: "Evidence", dark: bool) -> None:
    """The search as a heat map whose cells show or fit a run; the same for the keyboard."""
    shown = state.shown(space)
    assert shown is not None
    method = wording.method_word(found.method, evidence.cold)
    key = f"tried_{found.kind}_{shown.id}"
    chart.select(
        charts.tried_heatmap(
            found.cells,
            evidence.metric,
            method,
            dark,
            higher_is_better=evidence.higher_is_better,
            fitted=found.fitted,
        ),
        key,
        f"Validation score of each rank and λ that was tried for {method}",
        on_select=lambda: _load_picked(space, found, key),
        config=charts.CONFIG,
        mode="points",
    )
    whose = (
        ""
        if found.owner is shown
        else f" The search is that of {escape_md(found.owner.name, history.NAME_LENGTH)}."
    )
    st.caption(
        "Each cell is a candidate; the brightest suited the validation data best, and test "
        "data had no say. The run on show is outlined. A click on a cell shows the run that was "
        f"fitted with it, or where there is none starts that fit.{whose}"
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        cell = st.selectbox(
            "Cell",
            range(len(found.cells)),
            index=max(found.fitted, 0),
            format_func=lambda row: compute.cell_words(found, row),
            key=f"cell_{found.kind}_{shown.id}",
            width=220,
        )
        earlier = compute.cell_run(space, found, cell)
        why = "" if earlier is not None else _no_fit(space, found)
        st.button(
            f"Load {compute.cell_words(found, cell)}",
            key=f"load_cell_{found.kind}",
            icon=":material/visibility:" if earlier is not None else ":material/play_arrow:",
            disabled=bool(why) or earlier is shown,
            help="This run is on show."
            if earlier is shown
            else f"Shows {escape_md(earlier.name, history.NAME_LENGTH)}."
            if earlier is not None
            else "Fits with these, and all else as in the search.",
            on_click=_load,
            args=(space, found, cell),
        )
    if why:
        st.caption(why)


def _no_fit(space: Workspace, found: "compute.Search") -> str:
    """Why a cell cannot be fitted now, as a sentence; empty when it can."""
    if space.inputs != found.owner.inputs:
        return "The data has changed since this search, so its cells cannot be fitted."
    return fit_form.blocked(space)


def _load(space: Workspace, found: "compute.Search", cell: int) -> None:
    """Show the run of a cell, or fit it; only in a callback, as it fills the form."""
    earlier = compute.cell_run(space, found, cell)
    if earlier is not None:
        history.restore(space, earlier)
    elif not _no_fit(space, found):
        settings = compute.cell_settings(found, cell)
        history.fill_form(settings)
        fit_form.start(space, settings)


def _load_picked(space: Workspace, found: "compute.Search", key: str) -> None:
    for cell in chart.picked(state.get(key))[:1]:
        if 0 <= cell < len(found.cells):
            _load(space, found, cell)


def small_print(result: Result, evidence: "Evidence") -> None:
    """How the numbers came about."""
    comparison = result.run.comparison
    assert comparison is not None
    settings = result.run.settings
    metric = wording.metric_word(evidence.metric)
    shots = ", ".join(map(str, settings.shots))
    who, what_listed = one(evidence.cold), listed(evidence.cold)
    linked = result.run.pair.linked
    drawn = f"{who}s of both catalogues" if linked else f"target {who}s"
    what = (
        f"the full catalogue of target {what_listed}s, without sampled negatives; those that the "
        f"{who} is known to have had are left out"
        if evidence.higher_is_better
        else f"the hidden ratings of each {who}, averaged {who} by {who}"
    )
    with st.expander("How this is measured", key="how_measured", icon=":material/science:"):
        st.markdown(
            f"- **Split by {who}.** {wording.plural(comparison.test_users, f'test {who}')} and "
            f"{wording.plural(comparison.validation_users, f'validation {who}')}, drawn from "
            f"{drawn} with at least {settings.min_target} target interactions. Validation {who}s "
            f"choose, test {who}s tell; none does both.\n"
            f"- **Shots.** The same {who}s are judged knowing {shots} of their target "
            "interactions, on the same hidden ones. With timestamps, the known ones are the "
            "earliest.\n"
            f"- **Metric.** {metric}, over {what}.\n"
            f"- **Gain.** The transfer method minus the best method without source data, {who} by "
            f"{who}. Which methods these are was settled on validation {who}s. Auto is what the "
            "app would serve.\n"
            f"- **Interval.** 95 %, paired bootstrap over {who}s. **p:** sign-flip randomisation "
            "test. **p (Holm):** corrected for the number of transfer methods.\n"
            "- **Placebo.** The same transfer after shuffling who is who in the source, or the "
            "patterns of a codebook: what a source that knows nothing of the target would gain.\n"
            "- **Verdict.** *Helps*: the whole interval lies above zero and above the placebo "
            "band. *Hurts*: the whole interval lies below zero. Else *no evidence*, which is not "
            "evidence of nothing: see the smallest gain that would have shown.\n"
            f"- **Seed** {settings.seed}; the comparison took "
            f"{wording.seconds(comparison.seconds)}."
        )
