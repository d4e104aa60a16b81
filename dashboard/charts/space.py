"""The map of both catalogues, an item seen from near, and how directions go together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import wording
from dashboard.charts.style import Palette, palette, plot_text, styled
from dashboard.compute import Colouring
from transrec_core.factors.geometry import Alignment
from transrec_core.space import AlignmentMatrix, ItemMap, UserPath

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_POINTS = 20_000
SVG_POINTS = 4_000
INSIDE = (0.5, 0.76)
"""Share of a close-up's width and height that its points take; the rest is for their titles."""
SYMBOLS = {"source": "circle", "target": "diamond"}
# Okabe and Ito's, without black; the last is for whatever has no name of its own.
GROUP_COLOURS = (
    "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#8C95A3",
)  # fmt: skip
# Purple to green, strong at both ends: signs are told apart with any kind of colour vision.
SIGNED = ("#762A83", "#AF8DC3", "#E7D4E8", "#F7F7F7", "#D9F0D3", "#7FBF7B", "#1B7837")
SIGNED_DARK = ("#C58BDB", "#8F62A5", "#4A395B", "#232B36", "#2C4A3A", "#4C8F5E", "#80D192")


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
    *,
    colouring: Colouring | None = None,
    path: UserPath | None = None,
    apart: Mapping[str, ItemMap] | None = None,
    axis: str = "axis",
) -> go.Figure:
    """Map of all items; ``customdata`` is the row of ``items.frame``.

    Parameters
    ----------
    items
        Positions with a ``name`` column.
    found
        Rows that a search found: ringed, the others fade.
    chosen
        Row that was picked from a list, labelled.
    near
        Rows of its neighbours, ringed.
    show
        Domains to draw.
    colouring
        What points are coloured by; the domain where there is none. Symbols always tell the domain.
    path
        A user, drawn from the middle.
    apart
        Where each catalogue has axes of its own: their maps, drawn side by side.
    axis
        What an axis is called.
    """
    colours = palette(dark)
    there = set(items.frame.index)
    near = {row: name for row, name in (near or {}).items() if row in there}
    chosen = chosen if chosen in there else None
    marked = [*found, *near, *([chosen] if chosen is not None else [])]
    frame = sampled(items.frame, marked)
    kind = go.Scatter if len(frame) <= SVG_POINTS else go.Scattergl
    biggest = max(1, int(items.frame["interactions"].max()))
    panels = [d for d in ("source", "target") if d in show] if apart else []
    figure = go.Figure()
    listed: set[str] = set()
    for domain in ("source", "target"):
        rows = frame[frame["domain"] == domain] if domain in show else frame.iloc[:0]
        for name, mine, marker in _coloured(rows, domain, colouring, colours):
            taken = mine["interactions"].to_numpy(np.float32)
            first = name not in listed and not (mine.empty and colouring is not None)
            listed.update([name] if first else [])
            figure.add_trace(
                kind(
                    # Single precision is half to send, and finer than any screen.
                    x=mine["x"].to_numpy(np.float32),
                    y=mine["y"].to_numpy(np.float32),
                    mode="markers",
                    name=name,
                    legendgroup=name,
                    showlegend=first,
                    customdata=mine.index.to_numpy(np.int32),
                    text=[
                        f"<b>{plot_text(title)}</b><br>{wording.plural(int(n), 'interaction')}"
                        for title, n in zip(mine["name"], mine["interactions"], strict=True)
                    ],
                    hovertemplate="%{text}<extra>" + wording.DOMAIN_WORDS[domain] + "</extra>",
                    marker={
                        "symbol": SYMBOLS[domain],
                        "size": 5 + 8 * np.sqrt(taken / biggest),
                        "opacity": 0.25 if marked else 0.7,
                        "line": {"width": 0.5, "color": colours.surface},
                        **marker,
                    },
                    selected={"marker": {"opacity": 1.0}},
                    unselected={"marker": {"opacity": 0.15}},
                    **_panel(domain, panels),
                )
            )
    groups = (
        ("Found", list(found)[:200], 13, len(found) <= 8),
        ("Neighbour", list(near), 12, False),
        ("Chosen", [] if chosen is None else [chosen], 17, True),
    )
    for name, positions, size_px, labelled in groups:
        rings = items.frame.loc[positions]
        for domain in ("source", "target"):
            mine = rings[rings["domain"] == domain]
            if mine.empty or domain not in show:
                continue
            figure.add_trace(
                go.Scatter(
                    x=mine["x"],
                    y=mine["y"],
                    mode="markers+text" if labelled else "markers",
                    name=name,
                    legendgroup=name,
                    showlegend=domain == rings["domain"].iloc[0] or len(panels) == 1,
                    customdata=mine.index.to_numpy(),
                    text=[plot_text(x, 36) for x in mine["name"]],
                    textposition="top center",
                    cliponaxis=False,
                    textfont={"color": colours.ink, "size": 13},
                    hovertemplate="<b>%{text}</b><extra>" + name + "</extra>",
                    marker={
                        "size": size_px,
                        "color": colours.source if domain == "source" else colours.target,
                        "symbol": SYMBOLS[domain],
                        "line": {"width": 2, "color": colours.ink},
                    },
                    **_panel(domain, panels),
                )
            )
    if path is not None:
        _draw_path(figure, path, colours)
    styled(figure, _title(panels, apart), colours, 500 if len(panels) == 2 else 640)
    figure.update_layout(
        dragmode="pan", clickmode="event+select", legend={"itemsizing": "constant"}
    )
    if sum(trace.showlegend is not False for trace in figure.data) > 5:
        # In as many lines as it needs, where there is nothing to lie upon.
        figure.update_layout(legend={"y": -0.13, "yanchor": "top"}, margin={"t": 56})
    figure.update_xaxes(constrain="domain")
    figure.update_yaxes(constrain="domain")
    if not apart:
        _name_axes(figure, items.variance, "", axis)
    for domain in panels:
        _name_axes(figure, apart[domain].variance if apart else (0, 0), domain, axis, panels)
    if colouring is not None and colouring.values:
        figure.update_layout(coloraxis=_scale(colouring, colours))
    return figure


def _title(panels: Sequence[str], apart: Mapping[str, ItemMap] | None) -> str:
    if not apart:
        return "Items of both catalogues"
    if len(panels) == 1:
        return f"Items of the {panels[0]}, by its own factors"
    return "Each catalogue by its own factors: source left, target right"


def _panel(domain: str, panels: Sequence[str]) -> dict[str, str]:
    second = len(panels) == 2 and panels.index(domain) == 1 if domain in panels else False
    return {"xaxis": "x2", "yaxis": "y2"} if second else {}


def _name_axes(
    figure: go.Figure,
    variance: tuple[float, float],
    domain: str,
    axis: str,
    panels: Sequence[str] = (),
) -> None:
    second = len(panels) == 2 and domain == panels[1]
    number = "2" if second else ""
    whose = f"{wording.DOMAIN_WORDS[domain]}: " if domain else ""
    told = [f" ({wording.share(share)} of variance)" if sum(variance) else "" for share in variance]
    names = [f"{whose}{order} {axis}{share}" for order, share in zip(("first", "second"), told,
                                                                    strict=True)]  # fmt: skip
    names = [name[0].upper() + name[1:] for name in names]
    x: dict[str, Any] = {"title": {"text": names[0]}}
    y: dict[str, Any] = {
        "title": {"text": names[1]}, "scaleanchor": f"x{number}", "scaleratio": 1
    }  # fmt: skip
    if len(panels) == 2:
        x["domain"] = [0.56, 1.0] if second else [0.0, 0.44]
        x["anchor"], y["anchor"] = f"y{number}", f"x{number}"
    figure.update_layout({f"xaxis{number}": x, f"yaxis{number}": y})
    if second:
        # Axes that did not exist yet when the others were given their look.
        look = figure.layout.xaxis.to_plotly_json()
        for name in (f"xaxis{number}", f"yaxis{number}"):
            for key in ("gridcolor", "linecolor", "zeroline", "automargin", "tickfont"):
                figure.layout[name][key] = look[key]
            figure.layout[name].title.font = look["title"]["font"]
            figure.layout[name].constrain = "domain"


def _coloured(
    rows: pd.DataFrame, domain: str, colouring: Colouring | None, colours: Palette
) -> Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """Traces of a domain: name, rows, colours."""
    word = wording.DOMAIN_WORDS[domain]
    if colouring is None:
        yield word, rows, {"color": colours.source if domain == "source" else colours.target}
    elif colouring.values:
        values = np.asarray(colouring.values)[rows.index.to_numpy()]
        if colouring.log:
            values = np.log10(np.maximum(values, 1))
        yield word, rows, {"color": values, "coloraxis": "coloraxis"}
    else:
        of_row, order = colouring.groups
        mine = np.asarray(of_row, dtype=object)[rows.index.to_numpy()]
        for place, group in enumerate(order):
            colour = GROUP_COLOURS[-1 if place == len(order) - 1 else place]
            yield plot_text(group, 24), rows[mine == group], {"color": colour}


def _scale(colouring: Colouring, colours: Palette) -> dict[str, Any]:
    bar: dict[str, Any] = {
        "title": {"text": colouring.title, "side": "right"},
        "thickness": 12,
        "tickfont": {"color": colours.faint},
        "outlinewidth": 0,
    }
    if colouring.log:
        low, high = (max(1.0, float(f(colouring.values))) for f in (np.nanmin, np.nanmax))
        steps = [n * 10**power for power in range(int(np.log10(high)) + 1) for n in (1, 2, 5)]
        ticks = [step for step in steps if low <= step <= high]
        if len(ticks) > 8:
            ticks = [step for step in ticks if str(step)[0] == "1"]
        bar |= {
            "tickvals": [float(np.log10(step)) for step in ticks],
            "ticktext": [f"{step:,}" for step in ticks],
        }
    return {"colorscale": "Cividis", "colorbar": bar}


def _draw_path(figure: go.Figure, path: UserPath, colours: Palette) -> None:
    """The average user in the middle, and from there what each catalogue says of the user."""
    middle = (0.0, 0.0)
    steps = (
        ("Source says", middle, path.source, colours.source, "solid"),
        ("Target data says", middle, path.target, colours.target, "dot"),
        ("Both joined", path.source, path.both, colours.auto, "solid"),
    )
    for name, start, end, colour, dash in steps:
        if start is None or end is None or (name == "Both joined" and path.target is None):
            continue
        figure.add_trace(
            go.Scatter(
                x=[start[0], end[0]],
                y=[start[1], end[1]],
                mode="lines+markers+text",
                name=name,
                text=["", name],
                textposition="top center",
                textfont={"color": colours.ink, "size": 13},
                hovertemplate=f"{name}<extra>User</extra>",
                line={"color": colour, "width": 3, "dash": dash},
                marker={
                    "symbol": ["circle", "arrow"],
                    "angleref": "previous",
                    "size": [0, 16],
                    "color": colour,
                    "opacity": 1,
                    "line": {"width": 1, "color": colours.surface},
                },
                selected={"marker": {"opacity": 1.0}},
                unselected={"marker": {"opacity": 1.0}},
            )
        )
    figure.add_trace(
        go.Scatter(
            x=[0.0],
            y=[0.0],
            mode="markers",
            name="Average user",
            hovertemplate="The average user<extra></extra>",
            marker={"symbol": "x-thin", "size": 11, "line": {"width": 2, "color": colours.ink}},
            selected={"marker": {"opacity": 1.0}},
            unselected={"marker": {"opacity": 1.0}},
        )
    )


def item_closeup(items: ItemMap, row: int, near: pd.DataFrame, dark: bool = False) -> go.Figure:
    """One item and its nearest neighbours where they lie on the map, with their titles.

    Parameters
    ----------
    items
        The map.
    row
        The item.
    near
        domain, row and name of the neighbours to draw; those that the map leaves out are not.
    """
    colours = palette(dark)
    near = near[near["row"].isin(items.frame.index)]
    frame = items.frame.loc[[row, *near["row"]]]
    labels = [plot_text(x, 22) for x in frame["name"]]
    sides = _label_sides(frame[["x", "y"]].to_numpy(float), labels)
    chosen = frame.index == row
    figure = go.Figure()
    for name, mask, colour, size in (
        ("Source", (frame["domain"] == "source").to_numpy() & ~chosen, colours.source, 10),
        ("Target", (frame["domain"] == "target").to_numpy() & ~chosen, colours.target, 10),
        ("This item", chosen, colours.ink, 14),
    ):
        mine = frame[mask]
        if mine.empty:
            continue
        figure.add_trace(
            go.Scatter(
                x=mine["x"],
                y=mine["y"],
                mode="markers+text",
                name=name,
                text=[label for label, one in zip(labels, mask, strict=True) if one],
                textposition=[side for side, one in zip(sides, mask, strict=True) if one],
                textfont={"color": colours.ink, "size": 12},
                hovertext=[plot_text(x) for x in mine["name"]],
                hovertemplate="%{hovertext}<extra>" + name + "</extra>",
                cliponaxis=False,
                marker={
                    "size": size,
                    "color": colour,
                    "symbol": [SYMBOLS[domain] for domain in mine["domain"]],
                    "line": {"width": 1, "color": colours.surface},
                },
            )
        )
    styled(figure, "Close-up", colours, 340)
    # Below: a narrow column has no room for the legend beside the title.
    figure.update_layout(dragmode="pan", margin={"t": 40}, legend={"y": -0.14, "yanchor": "top"})
    # Room for titles beside the outermost points.
    for update, column, inside, name in (
        (figure.update_xaxes, "x", INSIDE[0], "First axis of the map"),
        (figure.update_yaxes, "y", INSIDE[1], "Second axis of the map"),
    ):
        low, high = float(frame[column].min()), float(frame[column].max())
        pad = (1 / inside - 1) / 2 * (high - low) or 0.1
        update(range=[low - pad, high + pad], title=name, showticklabels=False)
    return figure


def _label_sides(spots: "NDArray[np.float64]", labels: Sequence[str]) -> list[str]:
    """Where each title goes so that few lie upon each other, from the first to the last."""
    spread = np.maximum(np.ptp(spots, axis=0), 1e-9)
    # In pixels of a plot about 340 wide and 200 high, with the room around that the axes leave.
    at = (spots - spots.min(axis=0)) / spread * (340 * INSIDE[0], 200 * INSIDE[1])
    margin = [(340 * (1 - INSIDE[0]) / 2), (200 * (1 - INSIDE[1]) / 2)]
    left, right = -margin[0], 340 - margin[0]
    taken: list[tuple[float, float, float, float]] = [
        (x - 6, y - 6, x + 6, y + 6) for x, y in at.tolist()
    ]
    outside = [(left - 500, -500.0, left, 700.0), (right, -500.0, right + 500, 700.0)]
    chosen = []
    for (x, y), label in zip(at.tolist(), labels, strict=True):
        width, height = 6.5 * len(label), 15.0
        boxes = {
            "middle right": (x + 8, y - height / 2, x + 8 + width, y + height / 2),
            "middle left": (x - 8 - width, y - height / 2, x - 8, y + height / 2),
            "top center": (x - width / 2, y + 7, x + width / 2, y + 7 + height),
            "bottom center": (x - width / 2, y - 7 - height, x + width / 2, y - 7),
        }
        side = min(
            boxes,
            key=lambda name: sum(_overlap(boxes[name], other) for other in (*taken, *outside)),
        )
        taken.append(boxes[side])
        chosen.append(side)
    return chosen


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, high)


def alignment_heatmap(matrix: AlignmentMatrix, dark: bool = False) -> go.Figure:
    """Correlations of source directions with target directions; items' names are in the hover."""
    colours = palette(dark)
    values = matrix.correlations
    hover = [
        [
            f"<b>Source direction {f + 1}</b> ({wording.share(matrix.source_shares[f])}): "
            + ", ".join(plot_text(name, 40) for name in matrix.source_items[f])
            + f"<br><b>Factor {g + 1}</b> ({wording.share(matrix.target_shares[g])}): "
            + ", ".join(plot_text(name, 40) for name in matrix.target_items[g])
            + f"<br>Correlation {_signed(values[f, g])}"
            + ("" if abs(values[f, g]) > matrix.chance else ", within chance")
            for g in range(values.shape[1])
        ]
        for f in range(values.shape[0])
    ]
    most = max(0.1, float(np.abs(values).max(initial=0.0)))
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=[f"{g + 1}" for g in range(values.shape[1])],
            y=[f"{f + 1}" for f in range(values.shape[0])],
            text=[[_signed(v) if abs(v) > matrix.chance else "·" for v in row] for row in values],
            hovertext=hover,
            texttemplate="%{text}",
            hovertemplate="%{hovertext}<extra></extra>",
            colorscale=[[place / 6, c] for place, c in enumerate(SIGNED_DARK if dark else SIGNED)],
            zmin=-most,
            zmax=most,
            colorbar={"title": {"text": "Correlation", "side": "right"}, "thickness": 12},
            xgap=2,
            ygap=2,
        )
    )
    styled(figure, "Source directions beside the target's factors", colours, 420)
    figure.update_layout(margin={"t": 48}, hoverlabel={"namelength": -1})
    figure.update_xaxes(title="Factor of the target", type="category", showgrid=False)
    figure.update_yaxes(
        title="Direction of the source", type="category", showgrid=False, autorange="reversed"
    )
    return figure


def canonical_bars(alignment: Alignment, dark: bool = False) -> go.Figure:
    """Canonical correlations, strongest first."""
    colours = palette(dark)
    figure = go.Figure(
        go.Bar(
            x=[f"{place + 1}" for place in range(len(alignment.correlations))],
            y=list(alignment.correlations),
            marker={"color": colours.auto},
            text=[f"{r:.2f}".replace("-", "−") for r in alignment.correlations],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="Pair %{x}: %{y:.3f}<extra></extra>",
        )
    )
    styled(figure, "Strongest common tastes", colours, 420)
    figure.update_layout(margin={"t": 48}, dragmode="pan", bargap=0.35)
    figure.update_xaxes(title="Pair of directions", type="category", showgrid=False)
    figure.update_yaxes(
        title="Correlation in people left out", range=[min(0, *alignment.correlations, 0), 1.05]
    )
    return figure


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
