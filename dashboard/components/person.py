"""The parts of the User page: pickers, what-if, history in both catalogues, lists, reasons.

Where items are new to the target, an item stands in the user's place, and lists name users.
"""

from typing import Literal

import streamlit as st

from dashboard import charts, compute, state, wording
from dashboard.components import chart
from dashboard.jobs import Result
from dashboard.wording import escape_md
from transrec_core.recommending import listed_methods
from transrec_core.reporting.sentences import listed, method_inside, one

MOST_OPTIONS = 20_000
FOUND = 50
LENGTHS = (5, 10, 20, 50)
Which = Literal["helped", "harmed"]


def pick(result: Result) -> str | None:
    """Who to look at: by search, at random, cold, or whom transfer helped or harmed most."""
    everyone = compute.users(result)
    if not everyone:
        return None
    who = one(result.run.settings.cold)
    key = f"user_{result.id}"
    state.initial(key, everyone[0])
    with st.container(horizontal=True, vertical_alignment="bottom", key="pickers", gap="small"):
        if len(everyone) <= MOST_OPTIONS:
            st.selectbox(
                who.capitalize(),
                everyone,
                key=key,
                format_func=lambda user: wording.plain(compute.subject(result, user)),
                placeholder=f"Type a {who} id" if who == "user" else "Type a title or an item id",
                width=260,
                persist_state="session",
            )
        else:
            st.text_input(who.capitalize(), key=key, placeholder=f"{who} id", width=260)
        st.button(
            "Random",
            key="user_random",
            icon=":material/casino:",
            shortcut="N",
            on_click=_draw,
            args=(result, key, False),
        )
        cold = compute.cold_users(result)
        st.button(
            f"Cold {who}",
            key="user_cold",
            icon=":material/ac_unit:",
            shortcut="L",
            on_click=_draw,
            args=(result, key, True),
            disabled=not cold,
            help=f"One {who} of the source without any target interaction."
            if cold
            else f"Every source {who} has target interactions in this data.",
        )
        _stepper(result, key, "helped", ":material/trending_up:", "H")
        _stepper(result, key, "harmed", ":material/trending_down:", "J")
        st.selectbox(
            "List length", LENGTHS, index=1, key="user_top", width=110, persist_state="session"
        )
        st.toggle(
            "Leave out what they had" if who == "user" else "Leave out users who had it",
            value=True,
            key="user_unseen",
            persist_state="session",
            help="On: a list names nothing that is in the target history already. Off: it may, "
            "which shows where a method places what is known.",
        )
    user = state.get(key)
    return str(user) if user is not None and str(user).strip() else None


def _draw(result: Result, key: str, cold: bool) -> None:
    found = compute.random_user(result, cold)
    if found is not None:
        state.put(key, found)


def _gains(result: Result) -> "compute.UserGains | None":
    """Gains as they were last looked at on the Compare page."""
    return compute.user_gains(result, state.get("compare_kind"), state.get("compare_shots"))


def _stepper(result: Result, key: str, which: Which, icon: str, shortcut: str) -> None:
    who = one(result.run.settings.cold)
    order = compute.most_moved(_gains(result), which)
    if order:
        told = (
            f"The test {who} whom transfer {which} most in the comparison; pressed again, the next "
            f"of {wording.count(len(order))}."
        )
    elif result.run.comparison is None:
        told = "There is no comparison in this run, so nobody's gain is known."
    else:
        told = f"Transfer {which} no test {who} at this number of target interactions."
    st.button(
        f"Most {which}",
        key=f"user_{which}",
        icon=icon,
        shortcut=shortcut,
        on_click=_step,
        args=(result, key, which),
        disabled=not order,
        help=told,
    )


def _step(result: Result, key: str, which: Which) -> None:
    """The first of those helped or harmed, or the next where the button led to this one."""
    order = compute.most_moved(_gains(result), which)
    memory, now = state.tab(), state.get(key)
    place = order.index(now) + 1 if memory.stepped == (which, now) and now in order else 0
    found = order[place % len(order)]
    memory.stepped = (which, found)
    state.put(key, found)


def nobody(result: Result) -> None:
    """There is no user to show."""
    who = one(result.run.settings.cold)
    st.info(
        f"Pick a {who} above." if compute.users(result) else f"This data has no source {who}s.",
        icon=":material/person_off:",
    )


def about(result: Result, user: str) -> None:
    """Who this is: how much is known, and what the comparison found of them."""
    cold = result.run.settings.cold
    who = one(cold)
    if not compute.known(result, user):
        st.warning(
            f"No {who} called {escape_md(user)} is in either file. The lists below hold what an "
            f"unknown {who} would get.",
            title=f"Unknown {who}",
            icon=":material/person_off:",
        )
    kept = len(compute.history(result, "target", user))
    source = len(compute.history(result, "source", user))
    by_text = compute.own_text(result, user) is not None
    changes = _changes(result, user)
    badges = " · :blue-badge[:material/ac_unit: cold]" if source and not kept else ""
    if changes:
        counted = wording.plural(len(changes), "change")
        badges += f" :orange-badge[:material/experiment: what-if: {counted}]"
    st.markdown(
        f"**{escape_md(compute.subject(result, user))}** · "
        + wording.plural(source, "word" if by_text else "source interaction")
        + f" · {wording.plural(kept, 'target interaction')}"
        + badges
    )
    gains = _gains(result)
    if gains is None or user not in gains.values.index:
        return
    gain = float(gains.values[user])
    order = compute.most_moved(gains, "helped" if gain > 0 else "harmed")
    place = ""
    if user in order:
        moved = "helped" if gain > 0 else "harmed"
        place = f", number {order.index(user) + 1} of {wording.count(len(order))} {moved}"
    st.caption(
        f"A test {who} of the comparison: with {wording.shots(gains.shots)} known, "
        f"{method_inside(gains.transfer, cold)} gained **{wording.signed(gain)}** "
        f"{wording.metric_word(gains.metric)} over {method_inside(gains.baseline, cold)}{place}. "
        f"Their {'other ' if gains.shots else ''}target history was hidden there; below it is used."
    )


# ── what if ──────────────────────────────────────────────────────────────────────────────────────


def _changes(result: Result, user: str) -> "compute.Changes":
    return compute.settled_changes(result, user, state.tab().steps.get((result.id, user), []))


def what_if(result: Result, user: str) -> None:
    """Add, drop or rate anew; the lists are scored again, nothing is fitted."""
    cold = result.run.settings.cold
    changes = _changes(result, user)
    domains = compute.changeable(result)
    with st.container(border=True, key="what_if"):
        st.subheader("What if?", anchor=False)
        st.caption(
            f"Change what this {one(cold)} did. The lists and reasons below are scored again with "
            "the same fit; nothing is fitted anew, and nobody else is touched."
            + ("" if len(domains) == 2 else " What the item's text says cannot be changed here.")
        )
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            domain = domains[-1]
            if len(domains) == 2:
                domain = st.segmented_control(
                    "In the",
                    domains,
                    default=domain,
                    format_func=wording.DOMAIN_WORDS.__getitem__,
                    key="what_if_domain",
                    required=True,
                    persist_state="session",
                )
            item = _which_item(result, domain, user)
            rows = compute.own_rows(result, domain, user, changes)
            scale = compute.scale(result, domain)
            rating = f"what_if_rating_{result.id}_{domain}"
            if scale is not None:
                state.initial(rating, scale.usual)
                st.number_input(
                    "Rating",
                    min_value=scale.low,
                    max_value=scale.high,
                    step=scale.step,
                    format="%g",
                    key=rating,
                    width=120,
                    disabled=item is None,
                )
            has = item in rows
            st.button(
                "Rate anew" if has and scale is not None else "Add",
                key="what_if_add",
                icon=":material/edit:" if has and scale is not None else ":material/add:",
                type="primary",
                on_click=_change,
                args=(result, user, domain, item, rating),
                disabled=item is None or (has and scale is None),
                help="Already there." if has and scale is None else None,
            )
            st.button(
                "Drop",
                key="what_if_drop",
                icon=":material/remove:",
                on_click=_change,
                args=(result, user, domain, item, None),
                disabled=not has,
                help=None if has or item is None else "Not in the history, so not to be dropped.",
            )
            st.button(
                "Undo",
                key="what_if_undo",
                icon=":material/undo:",
                shortcut="U",
                on_click=_undo,
                args=(result, user),
                disabled=not state.tab().steps.get((result.id, user)),
            )
            st.button(
                "Reset",
                key="what_if_reset",
                icon=":material/restart_alt:",
                on_click=_reset,
                args=(result, user),
                disabled=not state.tab().steps.get((result.id, user)),
                help="Back to what the files say.",
            )
        if changes:
            told = ", ".join(compute.told_changes(result, user, changes))
            st.caption(escape_md(f"As if: {told}.", 900))


def _which_item(result: Result, domain: str, user: str) -> str | None:
    """The item to change, by its title; the history first."""
    search, most = "", MOST_OPTIONS
    what = listed(result.run.settings.cold)
    if compute.item_count(result, domain) > MOST_OPTIONS:
        most = FOUND
        search = st.text_input(
            f"Search {what}s", key="what_if_search", placeholder="Part of a title", width=180
        )
    options = compute.changed_items(result, domain, user, search, most)
    labels = compute.labels(result, domain)
    key = f"what_if_item_{result.id}_{domain}"
    picked = st.selectbox(
        what.capitalize(),
        options,
        index=None,
        format_func=lambda item: labels.get(item, item),
        key=key,
        placeholder=f"Type to find; {what}s of the history come first",
        width=320,
        on_change=_rate_as_known,
        args=(result, domain, user, key),
    )
    return picked if picked in labels else None


def _rate_as_known(result: Result, domain: str, user: str, key: str) -> None:
    """Begin at the rating that the item has now, or at a usual high one."""
    scale, item = compute.scale(result, domain), state.get(key)
    if scale is not None:
        rows = compute.own_rows(result, domain, user, _changes(result, user))
        state.put(f"what_if_rating_{result.id}_{domain}", rows.get(str(item), scale.usual))


def _change(result: Result, user: str, domain: str, item: str, rating: str | None) -> None:
    """One more step; ``rating`` is the widget that holds it, ``None`` drops the item."""
    rated = compute.scale(result, domain) is not None
    value = None if rating is None else float(state.get(rating)) if rated else 1.0
    steps = state.tab().steps.setdefault((result.id, user), [])
    steps.append(compute.Change(domain, item, value))


def _undo(result: Result, user: str) -> None:
    steps = state.tab().steps.get((result.id, user), [])
    if steps:
        steps.pop()


def _reset(result: Result, user: str) -> None:
    state.tab().steps.pop((result.id, user), None)


# ── histories, lists, reasons ────────────────────────────────────────────────────────────────────


def _lists(result: Result, user: str, methods: tuple[str, ...]) -> "compute.UserLists":
    """Lists as the page shows them."""
    return compute.user_lists(
        result,
        user,
        int(state.get("user_top") or 10),
        methods,
        keep_seen=not state.get("user_unseen", True),
        changes=_changes(result, user) or None,
    )


def show(result: Result, user: str) -> None:
    """The user's history on the left; three lists beside it, with what moved."""
    cold = result.run.settings.cold
    who = one(cold)
    changes = _changes(result, user)
    methods = listed_methods(result.run.fit)
    found = _lists(result, user, methods)
    st.caption(
        "Moved: places gained or lost against the same list without your changes; new: not in "
        "that list."
        if changes
        else "Places: gained or lost against the target-only list; new: not in that list."
    )
    grid = st.grid(4, min_column_width=215, gap="small")
    with grid.cell():
        _histories(result, user, changes)
    for method in methods:
        frame = found.frames[method]
        with grid.cell(), st.container(border=True, key=f"list_{method}"):
            st.subheader(wording.method_word(method, cold), anchor=False)
            used = sorted(set(frame["method"])) if len(frame) else []
            fell = [m for m in used if m != method]
            st.caption(
                f"Fell back to {', '.join(method_inside(m, cold) for m in fell)}: "
                f"nothing is known of this {who} for it."
                if fell
                else wording.method_help(method, cold)
            )
            if frame.empty:
                st.caption("Nothing left to recommend.")
                continue
            places = "Moved" if changes else "" if method == "target_only" else "Places"
            st.table(
                compute.shown_list(frame, listed(cold), places=places),
                border="horizontal",
                hide_index=True,
                alt=f"Recommendations by {wording.method_word(method, cold)}",
            )
            if changes:
                gone = found.gone[method]
                named = ", ".join(wording.plain(name, 60) for name in gone)
                st.caption(escape_md(f"Gone: {named}.", 900) if gone else "Nothing is gone.")


def reasons(result: Result, user: str) -> None:
    """Why one item stands in a list, interaction by interaction."""
    cold = result.run.settings.cold
    what, who = listed(cold), one(cold)
    choices = (*listed_methods(result.run.fit)[:2], "auto")
    if state.get("why_list") not in choices:
        state.forget("why_list")  # chosen for a run with another method
    with st.container(border=True, key="reasons"):
        st.subheader(f"Why this {what}?", anchor=False)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            method = st.segmented_control(
                "In the list by",
                choices,
                default=choices[0],
                format_func=lambda name: wording.method_word(name, cold),
                key="why_list",
                required=True,
                persist_state="session",
                help=f"Auto is what the Export page writes for this {who}: transfer, a blend of it "
                "and target only, or a baseline, as validation decided.",
            )
            frame = _lists(result, user, (method,)).frames[method]
            labels = compute.labels(result, "target")
            key = f"why_{result.id}_{user}_{method}"
            if state.get(key) not in set(frame["item_id"]):
                state.forget(key)
            item = st.selectbox(
                f"{what.capitalize()} of the list, best first",
                frame["item_id"].tolist(),
                format_func=lambda item: labels.get(item, item),
                key=key,
                width=420,
            )
        if item is None:
            st.caption("Nothing left to recommend.")
            return
        found = compute.reasons(
            result, user, item, method=method, changes=_changes(result, user) or None
        )
        if isinstance(found, str):
            st.caption(escape_md(found, 400))
        elif found.method == "popularity":
            st.caption(
                f"This list is by {method_inside('popularity', cold)}, whatever the {who} did: the "
                f"score {found.score:,.0f} is the number of target {who}s who took the {what}."
            )
        else:
            _sum(result, found)


def _sum(result: Result, found: "compute.Reasons") -> None:
    """The parts of a score as figure and table."""
    cold = result.run.settings.cold
    what = listed(cold)
    st.caption(
        _served(found, cold) + f" Each row is what this adds to the {what}'s score; all rows "
        f"together are the score itself. A negative number speaks against the {what}."
    )
    grid = st.grid(2, min_column_width=330, gap="medium")
    with grid.cell():
        by_text = result.run.fit.ground.by_words
        chart.show(
            charts.contribution_steps(found, "Text" if by_text else "Source", state.is_dark()),
            "why_chart",
            alt=f"What each interaction adds to the score of {wording.plain(found.item, 80)}",
            reading="Read from the top: each bar begins where the one above ends, and the last is "
            "the score. A bar to the right speaks for it, one to the left against it.",
        )
    with grid.cell():
        st.table(
            compute.shown_reasons(result, found),
            border="horizontal",
            hide_index=True,
            alt="Contributions to the score",
        )


def _served(found: "compute.Reasons", cold: str) -> str:
    served = wording.method_word(found.method, cold)
    if found.weight == 1:
        return f"Served by: {served}."
    return (
        f"Served by a blend: {found.weight:g} × {served} + {1 - found.weight:g} × "
        f"{wording.method_word('target_only', cold)}, and so is every row."
    )


def _histories(result: Result, user: str, changes: "compute.Changes") -> None:
    text = compute.own_text(result, user)
    if text is not None:
        with st.container(border=True, key="own_text"):
            st.subheader("What its text says", anchor=False)
            told = [escape_md(part, 400) for part in text.values() if part]
            st.markdown("\n\n".join(told) if told else "No text is known of this item.")
    cold = result.run.settings.cold
    for domain in compute.SIDES if text is None else ("target",):
        with st.container(border=True, key=f"history_{domain}"):
            st.subheader(f"{wording.DOMAIN_WORDS[domain]} history", anchor=False)
            frame = compute.history(result, domain, user, changes)
            if frame.empty:
                st.caption(f"No {domain} interactions.")
                continue
            best = ", best first" if "rating" in frame else ""
            st.caption(f"{wording.plural(len(frame), 'interaction')}{best}.")
            chart.cells(
                compute.shown_history(result, domain, frame),
                key=f"history_table_{domain}",
                height="content" if len(frame) < 8 else 300,
                alt=f"The {one(cold)}'s {domain} interactions",
                column_config={
                    "name": st.column_config.TextColumn(
                        listed(cold).capitalize(), width=140 if cold == "users" else 100
                    ),
                    "rating": st.column_config.NumberColumn("Rating", width=60, format="%g"),
                    "changed": st.column_config.TextColumn("What if", width=70),
                    "genres": st.column_config.TextColumn("Genres"),
                    "when": st.column_config.DateColumn("When", width="small"),
                },
            )
