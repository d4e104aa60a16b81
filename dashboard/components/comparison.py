"""The parts of the Compare page, from the verdict down to the small print."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts, compute, wording
from dashboard.components import chart
from dashboard.jobs import Result
from dashboard.wording import escape_md
from transrec_core.reporting.sentences import verdict_sentence

if TYPE_CHECKING:
    import pandas as pd

    from transrec_core.evidence.results import Evidence, ShotEvidence

KIND_WORDS = {"ranking": "Lists", "ratings": "Ratings"}


def absent(result: Result) -> None:
    """Why there is no comparison, which numbers cannot exist, and what still works."""
    st.warning(
        escape_md(result.run.no_comparison, 500)
        + "\n\nThe verdict, the gain and its interval need people who are in both files and have "
        "enough target ratings to hide some. The Space and User pages still work with this fit.",
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
            "Target interactions known of the user, with the verdict for each",
            tuple(by_shots),
            default=evidence.shots[0].shots,
            format_func=lambda k: (
                f"{wording.VERDICT_ICONS[by_shots[k].verdict]} {k} · {by_shots[k].verdict}"
            ),
            key="compare_shots",
            required=True,
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


def verdict(shot: "ShotEvidence", evidence: "Evidence", link: dict[str, str]) -> None:
    """One sentence, the numbers behind it, and the next question."""
    metric = wording.metric_word(evidence.metric)
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
                help=f"{wording.method_word(shot.transfer)} minus "
                f"{wording.method_word(shot.best_baseline)}, mean over test users.",
            )
            st.metric(
                "95 % interval",
                wording.interval(gain.low, gain.high),
                help="Paired bootstrap over users.",
            )
            st.metric(
                "Test users",
                wording.count(shot.users),
                help=f"{wording.p_value(gain.p)} (sign-flip test). With this many users, a gain "
                f"of {wording.value(gain.detectable)} would have shown in 4 of 5 trials.",
            )
            st.metric(
                "Helped",
                wording.share(gain.helped),
                help="Share of test users for whom transfer is strictly better.",
            )
            st.metric(
                "Harmed",
                wording.share(gain.harmed),
                help="Share of test users for whom transfer is strictly worse.",
            )
        crossover = evidence.crossover
        note = (
            f"From {wording.shots(crossover)} on, transfer no longer pays. "
            if crossover is not None
            else ""
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                f"{note}Sign-flip test: {wording.p_value(gain.p)}. Shuffled source users (placebo) "
                f"gain {wording.interval(shot.placebo.low, shot.placebo.high)}.",
                width="stretch",
            )
            st.page_link(
                "views/user.py",
                label="See what one user would get",
                icon=":material/arrow_forward:",
                icon_position="right",
                query_params=link,
            )


def curves(evidence: "Evidence", dark: bool) -> None:
    """The k-shot curve and the gains beside it."""
    metric = wording.metric_word(evidence.metric)
    grid = st.grid(2, min_column_width=440, gap="medium")
    with grid.cell():
        chart.show(
            charts.k_shot_curve(evidence, dark),
            "k_shot_curve",
            f"{metric} of every method against the number of known target interactions",
            "Each line is a method, its band the 95 % interval. Transfer pays where its line "
            "runs above the others and above the grey placebo band.",
        )
    with grid.cell():
        chart.show(
            charts.gain_dots(evidence, dark),
            "gain_dots",
            f"Gain in {metric} with its interval for each number of known interactions",
            "Each dot is the mean gain, its bar the 95 % interval. Helps: the whole bar lies "
            "right of zero and of the grey band.",
        )


def tables(evidence: "Evidence") -> None:
    """Every method and every gain in numbers."""
    metric = wording.metric_word(evidence.metric)
    methods = compute.method_table(evidence)
    st.header("Every method in numbers", anchor=False)
    st.caption(
        f"{metric}, mean over test users with its 95 % interval; columns are target interactions "
        "known of the user."
    )
    st.dataframe(
        methods,
        hide_index=True,
        key="method_table",
        alt=f"{metric} of every method by number of known target interactions",
        column_config=_by_shots(methods),
    )
    st.caption("Gain of transfer over the best baseline, for each number of target interactions.")
    st.dataframe(
        compute.gain_table(evidence),
        hide_index=True,
        key="gain_table",
        alt=f"Gain in {metric} with interval, p value and shares of users helped and harmed",
    )
    cohorts = compute.cohort_table(evidence)
    if cohorts.empty:
        return
    st.header("For whom", anchor=False)
    st.caption(
        f"Gain in {metric} with its 95 % interval among a third of the test users each, by how "
        "much they did; columns are target interactions known of the user. Among so many intervals "
        "some lie above or below zero by chance."
    )
    st.dataframe(
        cohorts,
        hide_index=True,
        key="cohort_table",
        alt=f"Gain in {metric} by how much users did in the source and in the target",
        column_config=_by_shots(cohorts),
    )


def _by_shots(table: "pd.DataFrame") -> dict[str, Any]:
    """A pinned first column; columns named by a number are shots."""
    return {
        str(table.columns[0]): st.column_config.TextColumn(width="medium", pinned=True),
        **{
            c: st.column_config.TextColumn(wording.plural(int(c), "shot"))
            for c in table.columns
            if c.isdigit()
        },
    }


def choices(result: Result, kind: str, dark: bool) -> None:
    """What validation users settled, and what they were shown."""
    comparison = result.run.comparison
    if comparison is None or kind not in comparison.chosen:
        return
    chosen = comparison.chosen[kind]
    st.header("What validation users settled", anchor=False)
    used = [str(k) for k, on in chosen.transfer_at.items() if on]
    strengths = ", ".join(f"{wording.lam(tau)} at {k}" for k, tau in chosen.strength.items())
    st.markdown(
        f"Rank **{chosen.rank}**, λ **{wording.lam(chosen.lam)}**. Auto uses transfer at "
        f"**{', '.join(used) if used else 'no'}** known target interactions. Weight τ of what the "
        f"source says about a user: **{strengths}** known target interactions."
    )
    tried = compute.tried_table(result, kind)
    if len(tried) == 0 or len(compute.transfer_only(tried)) < 2:
        st.caption("Rank and λ were given, so only τ was to be settled.")
        return
    score = compute.score_column(tried)
    if score:
        grid = st.grid(2, min_column_width=440, gap="medium")
        with grid.cell():
            chart.show(
                charts.tried_heatmap(
                    compute.transfer_only(tried), score, wording.metric_word(score), dark
                ),
                f"tried_{kind}",
                "Validation score of each rank and λ that was tried",
                "Each cell is a candidate; the brightest was taken. Test users had no say.",
            )
        table = grid.cell()
    else:
        table = st.container()
    with table:
        st.dataframe(
            compute.shown_tried(tried),
            hide_index=True,
            key=f"tried_table_{kind}",
            height=320,
            alt="Every candidate with its validation score, in the order tried",
        )


def small_print(result: Result, evidence: "Evidence") -> None:
    """How the numbers came about."""
    comparison = result.run.comparison
    assert comparison is not None
    settings = result.run.settings
    metric = wording.metric_word(evidence.metric)
    shots = ", ".join(map(str, settings.shots))
    what = (
        "the full catalogue of target items, without sampled negatives; items that the user is "
        "known to have had are left out"
        if evidence.higher_is_better
        else "the hidden ratings of each user, averaged user by user"
    )
    with st.expander("How this is measured", key="how_measured", icon=":material/science:"):
        st.markdown(
            f"- **Split by user.** {wording.plural(comparison.test_users, 'test user')} and "
            f"{wording.plural(comparison.validation_users, 'validation user')}, drawn from people "
            f"of both catalogues with at least {settings.min_target} target interactions. "
            "Validation users choose, test users tell; nobody does both.\n"
            f"- **Shots.** The same users are judged knowing {shots} of their target "
            "interactions, on the same hidden items. With timestamps, the known ones are the "
            "earliest.\n"
            f"- **Metric.** {metric}, over {what}.\n"
            "- **Gain.** The transfer method minus the best method without source data, user by "
            "user. Which methods these are was settled on validation users.\n"
            "- **Interval.** 95 %, paired bootstrap over users. **p:** sign-flip randomisation "
            "test.\n"
            "- **Placebo.** The same transfer after shuffling who is who in the source: what a "
            "source without any knowledge of these people would gain.\n"
            "- **Verdict.** *Helps*: the whole interval lies above zero and above the placebo "
            "band. *Hurts*: the whole interval lies below zero. Else *no evidence*, which is not "
            "evidence of nothing: see the smallest gain that would have shown.\n"
            f"- **Seed** {settings.seed}; the comparison took "
            f"{wording.seconds(comparison.seconds)}."
        )
