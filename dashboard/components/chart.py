"""A plotly figure with its one-line reading aid."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import plotly.graph_objects as go
import streamlit as st

from dashboard import charts, compute, wording

SelectionMode = Literal["points", "box", "lasso"]

if TYPE_CHECKING:
    import pandas as pd


def show(
    figure: go.Figure,
    key: str,
    alt: str,
    reading: str,
    config: Mapping[str, Any] = charts.CONFIG,
) -> None:
    """Draw a figure; ``alt`` tells its subject, ``reading`` how to look at it."""
    st.plotly_chart(figure, key=key, config=dict(config), alt=alt)
    st.caption(reading)


def cells(frame: "pd.DataFrame", key: str, alt: str, **look: Any) -> None:
    """A table of any length without its index; texts from data are shown as one plain line.

    ``look`` is what ``st.dataframe`` takes besides.
    """
    st.dataframe(compute.plain_cells(frame), hide_index=True, key=key, alt=alt, **look)


def table(
    frame: "pd.DataFrame",
    key: str,
    alt: str,
    columns: Mapping[str, Any] | None = None,
    height: int | Literal["content"] = "content",
) -> None:
    """A short table of texts, whole; columns with a known name say on hover what they are.

    ``columns`` adds to their configuration.
    """
    known = {
        str(name): st.column_config.Column(help=wording.COLUMN_HELP[name])
        for name in frame.columns
        if name in wording.COLUMN_HELP
    }
    cells(frame, key, alt, height=height, column_config={**known, **(columns or {})})


def select(
    figure: go.Figure,
    key: str,
    alt: str,
    on_select: Callable[[], None],
    config: Mapping[str, Any] = charts.MAP_CONFIG,
    mode: SelectionMode | tuple[SelectionMode, ...] = ("points", "lasso"),
) -> Any:
    """Draw a figure whose points can be picked; the selection as Streamlit tells it.

    ``on_select`` runs before the page, so it may change what the figure will show.
    """
    return st.plotly_chart(
        figure,
        key=key,
        config=dict(config),
        alt=alt,
        on_select=on_select,
        selection_mode=mode,
    )


def picked(event: Any) -> list[int]:
    """The integers that the picked points carry as ``customdata``, each once."""
    rows = []
    for point in event["selection"]["points"] if event else []:
        data = point.get("customdata")
        if data is not None:
            rows.append(int(data[0] if isinstance(data, list) else data))
    return list(dict.fromkeys(rows))
