"""One look for all figures: colours of both themes, type, axes, toolbar."""

import html
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboard import wording

CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "scrollZoom": False,
    "toImageButtonOptions": {"format": "svg"},
    "modeBarButtonsToRemove": ["select2d", "autoScale2d"],
}
MAP_CONFIG = {
    **CONFIG,
    "scrollZoom": True,
    "modeBarButtonsToRemove": ["select2d", "autoScale2d", "toggleSpikelines"],
    "displayModeBar": True,
}


@dataclass(frozen=True)
class Palette:
    """Colours of one theme; source, target and auto are Okabe and Ito's."""

    source: str
    target: str
    auto: str
    popularity: str
    biases: str
    item_mean: str
    placebo: str
    placebo_line: str
    ink: str
    faint: str
    grid: str
    surface: str
    user: str


LIGHT = Palette(
    source="#0072B2",
    target="#D55E00",
    auto="#00765A",
    popularity="#5B6779",
    biases="#8A6A00",
    item_mean="#A8528B",
    placebo="rgba(91, 103, 121, 0.16)",
    placebo_line="rgba(91, 103, 121, 0.75)",
    ink="#17212E",
    faint="#5B6779",
    grid="#E6EAF0",
    surface="#FFFFFF",
    user="#6A4FA3",
)
DARK = Palette(
    source="#56B4E9",
    target="#F08B4B",
    auto="#45C197",
    popularity="#AEBACA",
    biases="#E3B341",
    item_mean="#D793BF",
    placebo="rgba(174, 186, 202, 0.18)",
    placebo_line="rgba(174, 186, 202, 0.75)",
    ink="#E7ECF2",
    faint="#A5B1C1",
    grid="#28313D",
    surface="#11161D",
    user="#B8A3E8",
)


def palette(dark: bool) -> Palette:
    """The colours of a theme."""
    return DARK if dark else LIGHT


def plot_text(text: object, limit: int = 80) -> str:
    """Text from data for a plotly label: no pseudo-HTML, no template, one line."""
    return html.escape(wording.plain(text, limit), quote=False).replace("%{", "%\u2060{")


def translucent(colour: str, alpha: float) -> str:
    """A ``#rrggbb`` colour with an opacity."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r}, {g}, {b}, {alpha:g})"


def styled(figure: go.Figure, title: str, colours: Palette, height: int) -> go.Figure:
    """Give a figure its title, height, axes and legend in the look of all figures."""
    figure.update_layout(
        title={"text": title, "x": 0, "xanchor": "left", "y": 0.98, "yanchor": "top"},
        title_font={"size": 16, "color": colours.ink},
        height=height,
        margin={"l": 8, "r": 12, "t": 84, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": colours.ink, "size": 13},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "title": {"text": ""},
            "font": {"size": 13, "color": colours.ink},
        },
        hoverlabel={"font": {"size": 13}, "align": "left"},
        modebar={
            "bgcolor": "rgba(0,0,0,0)",
            "color": colours.faint,
            "activecolor": colours.ink,
            "orientation": "h",
        },
        uirevision="keep",
    )
    axes = {
        "gridcolor": colours.grid,
        "linecolor": colours.grid,
        "zeroline": False,
        "automargin": True,
        "title_font": {"size": 13, "color": colours.faint},
        "tickfont": {"size": 13, "color": colours.faint},
    }
    figure.update_xaxes(**axes)
    figure.update_yaxes(**axes)
    return figure
