"""The bar under the navigation: what is loaded, what was fitted, what goes on."""

import streamlit as st

from dashboard import compute, jobs, state, wording
from dashboard.components import history, kept, progress
from dashboard.jobs import Result, Workspace
from transrec_core.limits import Limits
from transrec_core.settings import Settings


def show(space: Workspace, settings: Settings) -> None:
    """Chips of data and model, the stale badge, earlier runs, and the job at work."""
    if state.tab().lost_link:
        st.warning(
            wording.escape_md(state.tab().lost_why, 400) or _nothing_there(),
            title="This link's run is no longer here",
            icon=":material/link_off:",
        )
    if not space.empty:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="run_bar"):
            _data_chips(space)
            shown = state.shown(space)
            if shown is not None:
                _model_chip(shown)
            changed = compute.stale(space, shown, settings)
            if changed:
                st.badge(
                    f"{_listed(changed)} changed: refit",
                    icon=":material/sync_problem:",
                    color="orange",
                    help="The results below belong to the earlier settings and data.",
                )
            st.space("stretch")
            _more(space)
    _other_run(space)
    kept.show(space)
    progress.show(space)


def _other_run(space: Workspace) -> None:
    """What this tab shows in place of a run that is gone, and whether there is a newer one."""
    if state.tab().run_gone:
        limits = Limits.current()
        st.warning(
            f"The newest {limits.kept_runs} runs and up to {limits.pinned_runs} pinned ones are "
            "kept. You see the newest.",
            title="The run of this link is no longer here",
            icon=":material/link_off:",
        )
    newer = state.newer(space)
    if newer is not None:
        with st.container(
            border=True, horizontal=True, vertical_alignment="center", gap="small", key="newer_run"
        ):
            st.markdown(
                f":material/update: A newer run exists: {wording.escape_md(newer.name, 40)} of "
                f"{wording.clock(newer.at)}. This page still shows the one you opened.",
                width="stretch",
            )
            st.button(
                "Show it",
                key="show_newer",
                icon=":material/visibility:",
                on_click=history.restore,
                args=(space, newer),
            )


def _nothing_there() -> str:
    """Why a link may lead nowhere."""
    if jobs.REGISTER.keeper is None:
        why = "The server keeps results only while it runs and somebody looks at them."
    else:
        why = (
            "It was forgotten, or is of another server, or had to make room for others. The "
            f"server keeps what is under a link {kept.how_long()}."
        )
    return f"{why} Load the data again to go on."


def _listed(words: list[str]) -> str:
    text = ", ".join(words)
    return text[0].upper() + text[1:]


def _data_chips(space: Workspace) -> None:
    for side, colour in (("source", "blue"), ("target", "orange")):
        loaded = space.side(side)
        word = wording.DOMAIN_WORDS[side]
        if loaded is None or loaded.ratings is None:
            st.badge(f"{word}: none yet" if loaded is None else f"{word}: not usable", color="gray")
            continue
        if compute.both_usable(space):
            both = compute.pair(space)
            size = compute.sizes(both.source if side == "source" else both.target)
            st.badge(
                f"{word} · {wording.plural(size.users, 'user')} · "
                f"{wording.plural(size.items, 'item')} · {wording.plural(size.ratings, 'rating')}",
                color="blue" if colour == "blue" else "orange",
                help=wording.escape_md(loaded.name),
            )
        else:
            st.badge(f"{word} · {wording.escape_badge(loaded.name, 40)}", color="gray")
    if compute.both_usable(space):
        shared = len(compute.pair(space).shared)
        st.badge(
            f"Overlap · {wording.plural(shared, 'user')}",
            color="green" if shared else "red",
            icon=":material/join_inner:",
            help="Users that occur in both files under the same id.",
        )


def _model_chip(result: Result) -> None:
    settings = result.run.settings
    method = wording.method_word(result.run.fit.method)
    new = " · new items" if compute.new_items(result) else ""
    warm = " · warm start" if result.run.started_warm else ""
    # Two chips, as one would be wider than a narrow window.
    st.badge(
        f"{'Auto: ' if settings.method == 'auto' else ''}{method} · "
        f"{wording.MODEL_WORDS[settings.model]} · {compute.fitted(result)}{new}{warm}",
        color="violet",
        icon=":material/model_training:",
        help="Method, model and parameters of the results on show."
        + (f" {wording.WARM_SENTENCE}" if warm else ""),
    )
    st.badge(
        f"{wording.escape_badge(result.name, 40)} · run {result.id} · {wording.clock(result.at)}",
        color="violet",
        help="Name, id and time of the run on show.",
    )


def _more(space: Workspace) -> None:
    with st.popover(
        "Link and runs", icon=":material/link:", key="run_more", type="tertiary", width="content"
    ):
        st.markdown("**Link**")
        st.caption(
            f"Leads back to this data and the run on show, on this server only, {kept.how_long()}. "
            "Whoever has it sees them, and the other runs."
        )
        st.code(state.link(space), language=None, wrap_lines=True)
        if space.results:
            st.markdown("**Runs**")
            history.compact(space)
            if st.button(
                "Names, pins and differences",
                key="run_bar_history",
                icon=":material/compare_arrows:",
                width="stretch",
                help="Opens the runs on the Compare page.",
                on_click=history.to_runs,
            ):
                st.switch_page("views/compare.py", query_params=state.link_params(space))
        st.button(
            "Start afresh",
            key="start_afresh",
            icon=":material/restart_alt:",
            on_click=state.leave_workspace,
            help="An empty page with a new link. The old link keeps what is here.",
        )
        kept.forgetting(space)
