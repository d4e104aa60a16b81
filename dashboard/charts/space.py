"""The map of both catalogues."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import wording
from dashboard.charts.style import palette, plot_text, styled
from transrec_core.space import ItemMap

MAX_POINTS = 20_000
SVG_POINTS = 4_000


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
    styled(figure, "Items of both catalogues", colours, 640)
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
