"""One user's reasons as a figure."""

import plotly.graph_objects as go

from dashboard import wording
from dashboard.charts.style import palette, plot_text, styled
from dashboard.compute import Reasons

LONGEST = 34


def contribution_steps(found: Reasons, sources: str, dark: bool = False) -> go.Figure:
    """Parts of a score as steps that begin where the one before ends, down to the score itself.

    ``sources`` names what the source's bars stand for.
    """
    colours = palette(dark)
    looks = (
        ("", "Anybody", colours.popularity, "."),
        ("source", sources, colours.source, ""),
        ("target", "Target", colours.target, "/"),
        ("score", "Score", colours.ink, ""),
    )
    bars: list[tuple[str, str, float, float]] = []
    total = 0.0
    for part in found.parts:
        bars.append((part.domain, part.name, total, part.value))
        total += part.value
    bars.append(("score", "Score", 0.0, found.score))
    last = len(bars) - 1
    figure = go.Figure()
    for domain, name, colour, pattern in looks:
        mine = [(last - place, bar) for place, bar in enumerate(bars) if bar[0] == domain]
        if not mine:
            continue
        figure.add_trace(
            go.Bar(
                y=[place for place, _ in mine],
                base=[start for _, (_, _, start, _) in mine],
                x=[value for _, (_, _, _, value) in mine],
                orientation="h",
                width=0.68,
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
                text=[
                    f"<b>{plot_text(label)}</b><br>{wording.signed(value)}"
                    + ("" if domain == "score" else f", up to here {wording.signed(start + value)}")
                    for _, (_, label, start, value) in mine
                ],
                textposition="none",
                hovertemplate="%{text}<extra></extra>",
            )
        )
    ends = [start + value for _, _, start, value in bars[:-1]]
    for place, end in enumerate(ends):
        figure.add_shape(
            type="line", x0=end, x1=end, y0=last - place - 0.34, y1=last - place - 1.34,
            line={"color": colours.faint, "width": 1, "dash": "dot"}, layer="below",
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": colours.faint, "width": 1})
    styled(figure, "What the score is made of", colours, 190 + 30 * len(bars))
    figure.update_xaxes(title="Score, no unit (higher stands higher in the list)")
    figure.update_yaxes(
        tickmode="array",
        tickvals=[last - place for place in range(len(bars))],
        ticktext=[plot_text(label, LONGEST) for _, label, _, _ in bars],
        showgrid=False,
        range=[-0.6, last + 0.6],
        title="Part of the score",
    )
    figure.update_layout(
        barmode="overlay",
        dragmode="pan",
        margin={"t": 48},
        legend={"y": -0.2, "yanchor": "top"},
    )
    return figure
