"""Source beside target as figures."""

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.charts.style import palette, styled, translucent
from dashboard.compute import Histogram, Preview

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler


def tinted(preview: Preview, dark: bool = False) -> "Styler":
    """The first rows with the columns that play a role in its colour, the others faint."""
    colours = palette(dark)
    tints = {
        "user": colours.user,
        "item": colours.auto,
        "rating": colours.biases,
        "time": colours.faint,
    }

    def style(column: "pd.Series[str]") -> list[str]:
        role = preview.roles.get(str(column.name))
        if role is None:
            return [f"color: {colours.faint}"] * len(column)
        return [f"background-color: {translucent(tints[role], 0.14)}"] * len(column)

    return preview.frame.style.apply(style)


def compare_bars(
    histogram: Histogram, title: str, x_title: str, y_title: str, dark: bool = False
) -> go.Figure:
    """Source and target shares over the same bins, on one axis."""
    colours = palette(dark)
    figure = go.Figure()
    for name, shares, colour, pattern in (
        ("Source", histogram.source, colours.source, ""),
        ("Target", histogram.target, colours.target, "/"),
    ):
        if shares:
            figure.add_trace(
                go.Bar(
                    x=list(histogram.labels),
                    y=list(shares),
                    name=name,
                    marker={
                        "color": colour,
                        "pattern": {
                            "shape": pattern,
                            "bgcolor": colour,
                            "fgcolor": colours.surface,
                            "size": 6,
                            "solidity": 0.2,
                        },
                    },
                    hovertemplate="%{x}: %{y:.1%}<extra>" + name + "</extra>",
                )
            )
    styled(figure, title, colours, 320)
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.05, dragmode="pan")
    figure.update_xaxes(title=x_title, type="category", showgrid=False)
    figure.update_yaxes(title=y_title, tickformat=".0%", rangemode="tozero")
    return figure
