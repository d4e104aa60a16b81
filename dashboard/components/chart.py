"""A plotly figure with its one-line reading aid."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import streamlit as st

from dashboard import charts

if TYPE_CHECKING:
    import pandas as pd


def show(figure: go.Figure, key: str, alt: str, reading: str) -> None:
    """Draw a figure; ``alt`` tells its subject, ``reading`` how to look at it."""
    st.plotly_chart(figure, key=key, config=charts.CONFIG, alt=alt)
    st.caption(reading)


def table(frame: "pd.DataFrame", key: str, alt: str) -> None:
    """A short table of texts, whole."""
    st.dataframe(frame, hide_index=True, height="content", key=key, alt=alt)


def select(figure: go.Figure, key: str, alt: str, on_select: Callable[[], None]) -> Any:
    """Draw a figure whose points can be picked; the selection as Streamlit tells it.

    ``on_select`` runs before the page, so it may change what the figure will show.
    """
    return st.plotly_chart(
        figure,
        key=key,
        config=charts.MAP_CONFIG,
        alt=alt,
        on_select=on_select,
        selection_mode=("points", "lasso"),
    )
