"""The parts of the User page: pickers, lists side by side, history in both catalogues.

Where items are new to the target, an item stands in the user's place, and lists name users.
"""

import streamlit as st

from dashboard import compute, state, wording
from dashboard.jobs import Result
from dashboard.wording import escape_md
from transrec_core.recommending import listed_methods
from transrec_core.reporting.sentences import listed, method_inside, one

MOST_OPTIONS = 20_000
LENGTHS = (5, 10, 20, 50)


def pick(result: Result) -> str | None:
    """Who to look at: by search, at random, or somebody without target interactions."""
    everyone = compute.users(result)
    if not everyone:
        return None
    who = one(result.run.settings.cold)
    key = f"user_{result.id}"
    state.initial(key, everyone[0])
    with st.container(horizontal=True, vertical_alignment="bottom", key="pickers"):
        if len(everyone) <= MOST_OPTIONS:
            st.selectbox(
                who.capitalize(),
                everyone,
                key=key,
                format_func=lambda user: wording.plain(compute.subject(result, user)),
                placeholder=f"Type a {who} id" if who == "user" else "Type a title or an item id",
                width=280,
                persist_state="session",
            )
        else:
            st.text_input(who.capitalize(), key=key, placeholder=f"{who} id", width=280)
        st.button(
            "Random",
            key="user_random",
            icon=":material/casino:",
            on_click=_draw,
            args=(result, key, False),
        )
        cold = compute.cold_users(result)
        st.button(
            f"Cold {who}",
            key="user_cold",
            icon=":material/ac_unit:",
            on_click=_draw,
            args=(result, key, True),
            disabled=not cold,
            help=f"One {who} of the source without any target interaction."
            if cold
            else f"Every source {who} has target interactions in this data.",
        )
        st.selectbox(
            "List length", LENGTHS, index=1, key="user_top", width=130, persist_state="session"
        )
    user = state.get(key)
    return str(user) if user is not None and str(user).strip() else None


def _draw(result: Result, key: str, cold: bool) -> None:
    found = compute.random_user(result, cold)
    if found is not None:
        state.put(key, found)


def nobody(result: Result) -> None:
    """There is no user to show."""
    who = one(result.run.settings.cold)
    st.info(
        f"Pick a {who} above." if compute.users(result) else f"This data has no source {who}s.",
        icon=":material/person_off:",
    )


def show(result: Result, user: str) -> None:
    """The user's history on the left; three lists beside it, places against target only."""
    who = one(result.run.settings.cold)
    if not compute.known(result, user):
        st.warning(
            f"No {who} called {escape_md(user)} is in either file. The lists below hold what an "
            f"unknown {who} would get.",
            title=f"Unknown {who}",
            icon=":material/person_off:",
        )
    top = int(state.get("user_top") or 10)
    cold = result.run.settings.cold
    methods = listed_methods(result.run.fit)
    found = compute.user_lists(result, user, top, methods)
    kept = len(compute.history(result, "target", user))
    source = len(compute.history(result, "source", user))
    by_text = compute.own_text(result, user) is not None
    st.markdown(
        f"**{escape_md(compute.subject(result, user))}** · "
        + wording.plural(source, "word" if by_text else "source interaction")
        + f" · {wording.plural(kept, 'target interaction')}"
        + (" · :blue-badge[:material/ac_unit: cold]" if source and not kept else "")
    )
    st.caption("Places: gained or lost against the target-only list; new: not in that list.")
    grid = st.grid(4, min_column_width=215, gap="small")
    with grid.cell():
        _histories(result, user)
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
            st.table(
                compute.shown_list(frame, listed(cold), places=method != "target_only"),
                border="horizontal",
                hide_index=True,
                alt=f"Recommendations by {wording.method_word(method, cold)}",
            )


def reasons(result: Result, user: str) -> None:
    """Why one item of the transfer list stands there, interaction by interaction."""
    methods = listed_methods(result.run.fit)
    method = methods[0]
    top = int(state.get("user_top") or 10)
    frame = compute.user_lists(result, user, top, methods).frames[method]
    if frame.empty or set(frame["method"]) != {method}:
        return
    words = dict(zip(frame["item_id"], frame["name"], strict=True))
    with st.container(border=True, key="reasons"):
        what = listed(result.run.settings.cold)
        st.subheader(f"Why this {what}?", anchor=False)
        item = st.selectbox(
            f"{what.capitalize()} of the transfer list",
            list(words),
            format_func=lambda item: wording.plain(words.get(item, item)),
            key=f"why_{result.id}_{user}",
        )
        table = compute.why(result, user, item) if item is not None else ""
        if isinstance(table, str):
            st.caption(escape_md(table, 400))
            return
        st.caption(
            f"Each row is what this adds to the {what}'s score; all rows together are the score "
            f"itself. A negative number speaks against the {what}."
        )
        st.table(
            table,
            border="horizontal",
            hide_index=True,
            alt="Contributions to the score",
        )


def _histories(result: Result, user: str) -> None:
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
            frame = compute.history(result, domain, user)
            if frame.empty:
                st.caption(f"No {domain} interactions.")
                continue
            best = ", best first" if "rating" in frame else ""
            st.caption(f"{wording.plural(len(frame), 'interaction')}{best}.")
            st.dataframe(
                compute.shown_history(result, domain, frame),
                hide_index=True,
                key=f"history_table_{domain}",
                height="content" if len(frame) < 8 else 300,
                alt=f"The {one(cold)}'s {domain} interactions",
                column_config={
                    "name": st.column_config.TextColumn(
                        listed(cold).capitalize(), width=140 if cold == "users" else 100
                    ),
                    "rating": st.column_config.NumberColumn("Rating", width=60, format="%g"),
                    "genres": st.column_config.TextColumn("Genres"),
                    "when": st.column_config.DateColumn("When", width="small"),
                },
            )
