"""Results of the core as plotly figures. No Streamlit here, and no computing beyond drawing.

Data never stands inside a ``hovertemplate``: it comes as ``text``, with plotly's pseudo-HTML
escaped, and selections map back through integer ``customdata``.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import wording
from dashboard.compute import Histogram
from transrec_core.evidence.results import AUTO, Evidence
from transrec_core.reporting.sentences import counted, one
from transrec_core.space import ItemMap

MAX_POINTS = 20_000
SVG_POINTS = 4_000
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


@dataclass(frozen=True)
class _Look:
    colour: str
    symbol: str
    dash: str
    width: float


# Every method by its own symbol and dash, so that lines are told apart without colour too.
_LINES = {
    "factor_map": ("circle", "solid"),
    "row_map": ("triangle-down", "dash"),
    "ridge": ("pentagon", "dashdot"),
    "joint": ("hexagon", "longdash"),
    "content": ("star", "dot"),
    "neural_map": ("cross", "longdashdot"),
    "codebook": ("hourglass", "solid"),
    "target_only": ("diamond", "solid"),
    "ease": ("diamond-tall", "dash"),
    "popularity": ("square", "dash"),
    "biases": ("triangle-up", "dot"),
    "item_mean": ("x", "dashdot"),
    "similarity": ("bowtie", "longdash"),
    AUTO: ("circle-open", "dot"),
}


def _look(method: str, evidence: Evidence, colours: Palette) -> _Look:
    """Bold for the chosen method, auto and the baselines to beat; thin and grey for the others."""
    symbol, dash = _LINES.get(method, ("star", "longdash"))
    shades = {
        evidence.shots[0].transfer: colours.source,
        AUTO: colours.auto,
        "target_only": colours.target,
        "ease": colours.item_mean,
        "popularity": colours.popularity,
        "biases": colours.biases,
        "item_mean": colours.item_mean,
        "similarity": colours.biases,
    }
    if method not in shades:
        return _Look(colours.faint, symbol, dash, 1)
    return _Look(shades[method], symbol, dash, 3 if shades[method] == colours.source else 2)


def _style(figure: go.Figure, title: str, colours: Palette, height: int) -> go.Figure:
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


def k_shot_curve(evidence: Evidence, dark: bool = False) -> go.Figure:
    """Every method's metric over the number of target interactions, with bands.

    The placebo band is drawn where shuffled source users would put the transfer method: the best
    baseline plus the placebo's gain.
    """
    colours = palette(dark)
    metric = wording.metric_word(evidence.metric)
    figure = go.Figure()
    sign = 1.0 if evidence.higher_is_better else -1.0
    labels = [str(shot.shots) for shot in evidence.shots]
    bases = [shot.methods[shot.best_baseline].mean for shot in evidence.shots]
    ends = [
        sorted((base + sign * shot.placebo.low, base + sign * shot.placebo.high))
        for base, shot in zip(bases, evidence.shots, strict=True)
    ]
    figure.add_trace(
        go.Scatter(
            x=[*labels, *labels[::-1]],
            y=[*(high for _, high in ends), *(low for low, _ in reversed(ends))],
            fill="toself",
            fillcolor=colours.placebo,
            line={"width": 1, "dash": "dot", "color": colours.placebo_line},
            mode="lines",
            name="Placebo band (shuffled source)",
            legendrank=150,
            hoverinfo="skip",
        )
    )
    names = list(dict.fromkeys(n for shot in evidence.shots for n in shot.methods))
    others = {n for shot in evidence.shots for n in shot.gains} - {evidence.shots[0].transfer, AUTO}
    bold = {n for s in evidence.shots for n in (s.best_baseline, s.transfer, AUTO)}
    # The chosen method is drawn over the others, and auto, which often is that method, over it.
    names.sort(key=lambda n: (n in bold, n == evidence.shots[0].transfer, n == AUTO))
    for name in names:
        look = _look(name, evidence, colours)
        shots = [shot for shot in evidence.shots if name in shot.methods]
        x = [str(shot.shots) for shot in shots]
        found = [shot.methods[name] for shot in shots]
        word = wording.method_word(name, evidence.cold)
        visible = True if name in bold or name in others else "legendonly"
        if name in bold and name != AUTO:
            figure.add_trace(
                go.Scatter(
                    x=[*x, *x[::-1]],
                    y=[*(i.high for i in found), *(i.low for i in reversed(found))],
                    fill="toself",
                    fillcolor=translucent(look.colour, 0.13),
                    line={"width": 0},
                    mode="lines",
                    hoverinfo="skip",
                    showlegend=False,
                    legendgroup=name,
                )
            )
        figure.add_trace(
            go.Scatter(
                x=x,
                y=[i.mean for i in found],
                mode="lines+markers",
                name=word,
                legendgroup=name,
                legendrank=100 if name in bold else 200 if name in others else 300,
                visible=visible,
                opacity=0.6 if name in others else 1,
                line={"color": look.colour, "width": look.width, "dash": look.dash},
                marker={
                    "symbol": look.symbol,
                    "size": 6 if name in others else 12 if name == AUTO else 9,
                    "color": look.colour,
                },
                text=[
                    f"<b>{plot_text(word)}</b><br>"
                    f"{wording.value(i.mean)} ({wording.value(i.low)} to {wording.value(i.high)})"
                    f"<br>{counted(shot.users, evidence.cold)}"
                    for i, shot in zip(found, shots, strict=True)
                ],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    better = "higher is better" if evidence.higher_is_better else "lower is better"
    who = one(evidence.cold)
    _style(figure, f"{metric} of every method by what is known of the {who}", colours, 560)
    figure.update_xaxes(
        title=f"Target interactions known of each test {who} (shots)",
        type="category",
        categoryorder="array",
        categoryarray=labels,
    )
    figure.update_yaxes(title=f"{metric}, mean over test {who}s ({better})", rangemode="normal")
    # Many entries: below the plot the legend may take as many rows as a narrow page needs.
    figure.update_layout(
        dragmode="pan",
        margin={"t": 48},
        legend={"y": -0.2, "yanchor": "top"},
    )
    return figure


def gain_dots(evidence: Evidence, dark: bool = False) -> go.Figure:
    """Gain with its interval beside the placebo band, for every number of shots."""
    colours = palette(dark)
    metric = wording.metric_word(evidence.metric)
    figure = go.Figure()
    y = [str(shot.shots) for shot in evidence.shots]
    figure.add_trace(
        go.Bar(
            y=y,
            base=[shot.placebo.low for shot in evidence.shots],
            x=[shot.placebo.high - shot.placebo.low for shot in evidence.shots],
            orientation="h",
            width=0.5,
            marker={"color": colours.placebo, "line": {"color": colours.placebo_line, "width": 1}},
            name="Placebo 95 % band",
            text=[
                f"Placebo: {wording.interval(s.placebo.low, s.placebo.high)}"
                for s in evidence.shots
            ],
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
        )
    )
    shades = {"helps": colours.source, "no evidence": colours.popularity, "hurts": colours.target}
    symbols = {"helps": "circle", "no evidence": "circle-open", "hurts": "diamond"}
    for verdict in ("helps", "no evidence", "hurts"):
        shots = [shot for shot in evidence.shots if shot.verdict == verdict]
        if not shots:
            continue
        figure.add_trace(
            go.Scatter(
                x=[s.gain.mean for s in shots],
                y=[str(s.shots) for s in shots],
                mode="markers",
                name=wording.VERDICT_WORDS[verdict],
                marker={
                    "size": 11,
                    "color": shades[verdict],
                    "symbol": symbols[verdict],
                    "line": {"width": 2, "color": shades[verdict]},
                },
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [s.gain.high - s.gain.mean for s in shots],
                    "arrayminus": [s.gain.mean - s.gain.low for s in shots],
                    "color": shades[verdict],
                    "thickness": 2,
                    "width": 5,
                },
                text=[
                    f"<b>{wording.signed(s.gain.mean)}</b> "
                    f"({wording.interval(s.gain.low, s.gain.high)})<br>"
                    f"{wording.p_value(s.gain.p)}, {counted(s.users, evidence.cold)}"
                    for s in shots
                ],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.add_vline(x=0, line={"color": colours.faint, "width": 1})
    _style(figure, f"Gain in {metric} over the best baseline", colours, 560)
    figure.update_xaxes(
        title=f"Gain in {metric} per {one(evidence.cold)} (above zero: transfer is better)"
    )
    figure.update_yaxes(
        title="Target interactions (shots)",
        type="category",
        categoryorder="array",
        categoryarray=y[::-1],
    )
    figure.update_layout(dragmode="pan")
    return figure


def tried_heatmap(
    tried: pd.DataFrame,
    score: str,
    method: str,
    dark: bool = False,
    *,
    higher_is_better: bool = True,
) -> go.Figure:
    """Validation score of one method over rank and λ; the brightest cell is the best."""
    colours = palette(dark)
    grid = tried.sort_values(["rank", "lam"]).pivot_table(
        index="rank", columns="lam", values=score, aggfunc="max" if higher_is_better else "min"
    )
    figure = go.Figure(
        go.Heatmap(
            z=grid.to_numpy(),
            x=[f"{x:.3g}" for x in grid.columns],
            y=[str(int(r)) for r in grid.index],
            colorscale="Cividis",
            reversescale=not higher_is_better,
            colorbar={
                "title": {"text": wording.metric_word(score), "side": "right"},
                "thickness": 12,
            },
            texttemplate="%{z:.3f}",
            hovertemplate="rank %{y}, λ %{x}: %{z:.4f}<extra></extra>",
            xgap=2,
            ygap=2,
        )
    )
    _style(figure, f"Rank and λ of {method} on validation data", colours, 320)
    figure.update_layout(margin={"t": 48})
    figure.update_xaxes(title="λ (regularisation weight)", type="category", showgrid=False)
    figure.update_yaxes(title="Rank (factors)", type="category", showgrid=False)
    return figure


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
    _style(figure, title, colours, 320)
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.05, dragmode="pan")
    figure.update_xaxes(title=x_title, type="category", showgrid=False)
    figure.update_yaxes(title=y_title, tickformat=".0%", rangemode="tozero")
    return figure


def sampled(frame: pd.DataFrame, keep: Sequence[int], limit: int = MAX_POINTS) -> pd.DataFrame:
    """At most ``limit`` rows, each domain in proportion; rows to keep are always among them."""
    if len(frame) <= limit:
        return frame
    rng = np.random.default_rng(0)
    kept = set(keep)
    room = limit - len(kept)
    for _, rows in frame.groupby("domain"):
        others = rows.index.difference(list(kept)).to_numpy()
        share = min(len(others), max(0, int(room * len(rows) / len(frame))))
        kept.update(rng.choice(others, share, replace=False).tolist())
    return frame.loc[sorted(kept)]


def item_scatter(
    items: ItemMap,
    found: Sequence[int] = (),
    chosen: int | None = None,
    near: Mapping[int, str] | None = None,
    show: Sequence[str] = ("source", "target"),
    dark: bool = False,
) -> go.Figure:
    """Map of all items; ``customdata`` is the row of ``items.frame``.

    Parameters
    ----------
    items
        Positions with a ``name`` column.
    found
        Rows that a search found: ringed, the others fade.
    chosen
        Row under inspection, labelled.
    near
        Rows of its neighbours, labelled.
    show
        Domains to draw.
    """
    colours = palette(dark)
    near = near or {}
    marked = [*found, *near, *([chosen] if chosen is not None else [])]
    frame = sampled(items.frame, marked)
    kind = go.Scatter if len(frame) <= SVG_POINTS else go.Scattergl
    biggest = max(1, int(items.frame["interactions"].max()))
    figure = go.Figure()
    for domain, symbol, colour in (
        ("source", "circle", colours.source),
        ("target", "diamond", colours.target),
    ):
        rows = frame[frame["domain"] == domain] if domain in show else frame.iloc[:0]
        size = 5 + 8 * np.sqrt(rows["interactions"].to_numpy(float) / biggest)
        figure.add_trace(
            kind(
                x=rows["x"],
                y=rows["y"],
                mode="markers",
                name=wording.DOMAIN_WORDS[domain],
                customdata=rows.index.to_numpy(),
                text=[
                    f"<b>{plot_text(name)}</b><br>{wording.plural(int(n), 'interaction')}"
                    for name, n in zip(rows["name"], rows["interactions"], strict=True)
                ],
                hovertemplate="%{text}<extra>" + wording.DOMAIN_WORDS[domain] + "</extra>",
                marker={
                    "symbol": symbol,
                    "size": size,
                    "color": colour,
                    "opacity": 0.25 if marked else 0.7,
                    "line": {"width": 0.5, "color": colours.surface},
                },
                selected={"marker": {"opacity": 1.0}},
                unselected={"marker": {"opacity": 0.15}},
            )
        )
    groups = (
        ("Found", list(found)[:200], 13, len(found) <= 8),
        ("Neighbour", list(near), 12, False),
        ("Chosen", [] if chosen is None else [chosen], 17, True),
    )
    for name, positions, size_px, labelled in groups:
        if not positions:
            continue
        rows = items.frame.loc[positions]
        rows = rows[rows["domain"].isin(list(show))]
        shade = [colours.source if d == "source" else colours.target for d in rows["domain"]]
        figure.add_trace(
            go.Scatter(
                x=rows["x"],
                y=rows["y"],
                mode="markers+text" if labelled else "markers",
                name=name,
                customdata=rows.index.to_numpy(),
                text=[plot_text(x, 36) for x in rows["name"]],
                textposition="top center",
                textfont={"color": colours.ink, "size": 13},
                hovertemplate="<b>%{text}</b><extra>" + name + "</extra>",
                marker={
                    "size": size_px,
                    "color": shade,
                    "symbol": ["circle" if d == "source" else "diamond" for d in rows["domain"]],
                    "line": {"width": 2, "color": colours.ink},
                },
            )
        )
    x_share, y_share = items.variance
    _style(figure, "Items of both catalogues", colours, 640)
    figure.update_layout(dragmode="pan", clickmode="event+select")
    figure.update_xaxes(
        title=f"First axis ({wording.share(x_share)} of variance)", constrain="domain"
    )
    figure.update_yaxes(
        title=f"Second axis ({wording.share(y_share)} of variance)",
        scaleanchor="x",
        scaleratio=1,
        constrain="domain",
    )
    return figure
