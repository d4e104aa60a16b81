"""Configuration, navigation and the shell around every page.

The imports stand inside ``main``: a fit's child process imports this file again under another
name, and has no use for the web server's libraries.
"""


def main() -> None:
    """Draw the shell and run the page that was asked for."""
    from pathlib import Path

    import streamlit as st

    from dashboard import compute, state
    from dashboard.components import fit_form, run_bar, success

    assets = Path(__file__).parent / "assets"
    st.set_page_config(
        page_title="transrec",
        # A picture of our own: the browser would fetch an icon by name from the internet.
        page_icon=str(assets / "icon.svg"),
        layout="wide",
        initial_sidebar_state="auto",
    )
    space = state.workspace()
    # What this page shows is on the disk before it is seen; a button's work was done before.
    space.keep()
    new_items = compute.new_items(state.shown(space))
    pages = [
        st.Page(
            "views/data.py",
            title="Data",
            icon=":material/table_view:",
            default=True,
            help="Load source and target ratings and see whether they can be used.",
        ),
        st.Page(
            "views/compare.py",
            title="Compare",
            icon=":material/query_stats:",
            help="Does transfer help, for whom, and how surely?",
        ),
        st.Page(
            "views/space.py",
            title="Space",
            icon=":material/scatter_plot:",
            help="What do the factors mean, and do the two catalogues align?",
        ),
        st.Page(
            "views/user.py",
            title="Item" if new_items else "User",
            icon=":material/person_search:",
            help="Which users would one item get?"
            if new_items
            else "What would one user get, beside what they did before?",
        ),
        st.Page(
            "views/export.py",
            title="Export",
            icon=":material/download:",
            help="Lists, evidence, configuration and the command that repeats the run.",
        ),
    ]
    if compute.shelf():
        pages.append(
            st.Page(
                "views/folder.py",
                title="Run folders",
                icon=":material/folder_open:",
                help="What jobs have written as folders: evidence, a map, anybody's list by id.",
            )
        )
    page = st.navigation(pages, position="top")
    st.html(assets / "style.css")
    st.logo(str(assets / f"logo_{'dark' if state.is_dark() else 'light'}.svg"), size="large")
    settings = fit_form.show(space)
    # Places that are always there, filled or not: what appears above a page may not move it, or
    # the browser makes its widgets anew and a file that was just chosen is lost.
    bar, ended = st.container(), st.container()
    with bar:
        run_bar.show(space, settings)
    with ended:
        success.tell(space)
    page.run()


if __name__ == "__main__":
    main()
