"""The comparison as figures: curves, gains, the search for parameters."""

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from dashboard import wording
from dashboard.charts.style import Palette, palette, plot_text, styled, translucent
from transrec_core.evidence.results import AUTO, Evidence
from transrec_core.reporting.sentences import counted, one


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
    styled(figure, f"{metric} of every method by what is known of the {who}", colours, 560)
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
    styled(figure, f"Gain in {metric} over the best baseline", colours, 560)
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
    styled(figure, f"Rank and λ of {method} on validation data", colours, 320)
    figure.update_layout(margin={"t": 48})
    figure.update_xaxes(title="λ (regularisation weight)", type="category", showgrid=False)
    figure.update_yaxes(title="Rank (factors)", type="category", showgrid=False)
    return figure
