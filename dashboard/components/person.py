"""The parts of the User page: pickers, lists side by side, history in both catalogues."""

import streamlit as st

from dashboard import compute, state, wording
from dashboard.jobs import Result
from dashboard.wording import escape_md
from transrec_core.recommending import listed_methods

MOST_OPTIONS = 20_000
LENGTHS = (5, 10, 20, 50)


def pick(result: Result) -> str | None:
    """Who to look at: by search, at random, or somebody without target interactions."""
    everyone = compute.users(result)
    if not everyone:
        return None
    key = f"user_{result.id}"
    state.initial(key, everyone[0])
    with st.container(horizontal=True, vertical_alignment="bottom", key="pickers"):
        if len(everyone) <= MOST_OPTIONS:
            st.selectbox(
                "User",
                everyone,
                key=key,
                format_func=wording.plain,
                placeholder="Type a user id",
                width=280,
                persist_state="session",
            )
        else:
            st.text_input("User", key=key, placeholder="User id", width=280)
        st.button(
            "Random",
            key="user_random",
            icon=":material/casino:",
            on_click=_draw,
            args=(result, key, False),
        )
        cold = compute.cold_users(result)
        st.button(
            "Cold user",
            key="user_cold",
            icon=":material/ac_unit:",
            on_click=_draw,
            args=(result, key, True),
            disabled=not cold,
            help="Somebody of the source without any target interaction."
            if cold
            else "Every source user has target interactions in this data.",
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
    st.info(
        "Pick a user above." if compute.users(result) else "This data has no source users.",
        icon=":material/person_off:",
    )


def show(result: Result, user: str) -> None:
    """The user's history on the left; three lists beside it, places against target only."""
    if not compute.known(result, user):
        st.warning(
            f"Nobody called {escape_md(user)} is in either file. The lists below hold what an "
            "unknown user would get.",
            title="Unknown user",
            icon=":material/person_off:",
        )
    top = int(state.get("user_top") or 10)
    methods = listed_methods(result.run.fit)
    found = compute.user_lists(result, user, top, methods)
    kept = len(compute.history(result, "target", user))
    source = len(compute.history(result, "source", user))
    st.markdown(
        f"**{escape_md(user)}** · {wording.plural(source, 'source interaction')} · "
        f"{wording.plural(kept, 'target interaction')}"
        + (" · :blue-badge[:material/ac_unit: cold]" if source and not kept else "")
    )
    st.caption("Places: gained or lost against the target-only list; new: not in that list.")
    grid = st.grid(4, min_column_width=215, gap="small")
    with grid.cell():
        _histories(result, user)
    for method in methods:
        frame = found.frames[method]
        with grid.cell(), st.container(border=True, key=f"list_{method}"):
            st.subheader(wording.method_word(method), anchor=False)
            used = sorted(set(frame["method"])) if len(frame) else []
            fell = [m for m in used if m != method]
            st.caption(
                f"Fell back to {', '.join(wording.method_word(m).lower() for m in fell)}: "
                "nothing is known of this user for it."
                if fell
                else wording.METHOD_HELP[method]
            )
            if frame.empty:
                st.caption("Nothing left to recommend.")
                continue
            st.table(
                compute.shown_list(frame, places=method != "target_only"),
                border="horizontal",
                hide_index=True,
                alt=f"Recommendations by {wording.method_word(method)}",
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
        st.subheader("Why this item?", anchor=False)
        item = st.selectbox(
            "Item of the transfer list",
            list(words),
            format_func=lambda item: wording.plain(words.get(item, item)),
            key=f"why_{result.id}_{user}",
        )
        table = compute.why(result, user, item) if item is not None else None
        if table is None:
            st.caption(
                "Scores of non-negative factors and predicted ratings are no sums of single "
                "interactions, so there are no exact reasons for them."
            )
            return
        st.caption(
            "Each row is what this interaction adds to the item's score; all rows together are the "
            "score itself. A negative number speaks against the item."
        )
        st.table(
            table,
            border="horizontal",
            hide_index=True,
            alt="Contributions of the user's interactions to the score",
        )


def _histories(result: Result, user: str) -> None:
    for domain in compute.SIDES:
        with st.container(border=True, key=f"history_{domain}"):
            st.subheader(f"{wording.DOMAIN_WORDS[domain]} history", anchor=False)
            frame = compute.history(result, domain, user)
            if frame.empty:
                st.caption(f"No {domain} interactions.")
                continue
            st.caption(f"{wording.plural(len(frame), 'interaction')}, best first.")
            st.dataframe(
                compute.shown_history(result, domain, frame),
                hide_index=True,
                key=f"history_table_{domain}",
                height="content" if len(frame) < 8 else 300,
                alt=f"The user's {domain} interactions, best first",
                column_config={
                    "name": st.column_config.TextColumn("Item", width=190),
                    "rating": st.column_config.NumberColumn("Rating", width=60, format="%g"),
                    "genres": st.column_config.TextColumn("Genres"),
                    "when": st.column_config.DateColumn("When", width="small"),
                },
            )
