"""The comparison as figures: curves, gains, the search for parameters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard import wording
from dashboard.charts.style import Palette, palette, plot_text, styled, translucent
from transrec_core.evidence.costs import Cost, Costs
from transrec_core.evidence.results import AUTO, Evidence, Interval
from transrec_core.reporting.sentences import counted, one, seconds_words
from transrec_core.settings import DEEP


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
    "meta_map": ("hexagram", "dashdot"),
    "two_tower": ("star-square", "longdash"),
    "codebook": ("hourglass", "solid"),
    "target_only": ("diamond", "solid"),
    "ease": ("diamond-tall", "dash"),
    "popularity": ("square", "dash"),
    "biases": ("triangle-up", "dot"),
    "item_mean": ("x", "dashdot"),
    "similarity": ("bowtie", "longdash"),
    AUTO: ("circle-open", "dot"),
}

_OTHERS, _BASELINES = "Other transfer methods", "Other baselines"


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
            name="Placebo band",
            legendrank=150,
            hoverinfo="skip",
        )
    )
    names = list(dict.fromkeys(n for shot in evidence.shots for n in shot.methods))
    others = {n for shot in evidence.shots for n in shot.gains} - {evidence.shots[0].transfer, AUTO}
    bold = {n for s in evidence.shots for n in (s.best_baseline, s.transfer, AUTO)}
    # The chosen method is drawn over the others, and auto, which often is that method, over it.
    names.sort(key=lambda n: (n in bold, n == evidence.shots[0].transfer, n == AUTO))
    entries: set[str] = set()
    for name in names:
        look = _look(name, evidence, colours)
        shots = [shot for shot in evidence.shots if name in shot.methods]
        x = [str(shot.shots) for shot in shots]
        found = [shot.methods[name] for shot in shots]
        word = wording.method_word(name, evidence.cold)
        # All the others stand in the legend as two entries, which show or hide them together.
        group = name if name in bold else _OTHERS if name in others else _BASELINES
        first = group not in entries
        entries.add(group)
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
                name=word if name in bold else group,
                legendgroup=group,
                legendrank=100 if name in bold else 200 if name in others else 300,
                showlegend=first,
                visible=True if name in bold else "legendonly",
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


def _bar(rows: pd.DataFrame, colour: str) -> dict[str, Any]:
    """The intervals around dots, from columns gain, low and high."""
    return {
        "type": "data",
        "symmetric": False,
        "array": rows["high"] - rows["gain"],
        "arrayminus": rows["gain"] - rows["low"],
        "color": colour,
        "thickness": 2,
        "width": 4,
    }


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
                error_x=_bar(
                    pd.DataFrame(
                        [(s.gain.mean, s.gain.low, s.gain.high) for s in shots],
                        columns=["gain", "low", "high"],
                    ),
                    shades[verdict],
                ),
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


LEAST_SECONDS = 0.001
"""What took less stands here: a logarithmic axis has no zero."""


def cost_dots(found: Costs, evidence: Evidence, dark: bool = False) -> go.Figure:
    """The gain of every method with its interval over the seconds that it takes to fit."""
    colours = palette(dark)
    cold, metric = evidence.cold, wording.metric_word(evidence.metric)
    chosen = evidence.shots[0].transfer
    groups: dict[str, tuple[str, list[Cost]]] = {
        "The method that validation chose": (colours.source, []),
        "Other transfer methods": (colours.faint, []),
        "Networks": (colours.user, []),
        "Without the source": (colours.target, []),
    }
    names = list(groups)
    for cost in found.methods:
        group = (
            names[0]
            if cost.method == chosen
            else names[2]
            if cost.method in DEEP
            else names[1]
            if cost.method in evidence.shots[0].gains
            else names[3]
        )
        groups[group][1].append(cost)
    x = {cost.method: max(cost.seconds, LEAST_SECONDS) for cost in found.methods}
    y = {cost.method: cost.gain.mean if cost.gain else 0.0 for cost in found.methods}
    places = _label_places(x, y, cold, found)
    figure = go.Figure()
    for group, (colour, costs) in groups.items():
        if not costs:
            continue
        gains = [cost.gain or Interval(0.0, 0.0, 0.0) for cost in costs]
        rows = pd.DataFrame(
            [(g.mean, g.low, g.high) for g in gains], columns=["gain", "low", "high"]
        )
        words = [wording.method_word(cost.method, cold) for cost in costs]
        figure.add_trace(
            go.Scatter(
                x=[x[cost.method] for cost in costs],
                y=rows["gain"],
                mode="markers+text",
                name=group,
                text=[f"\u2002{plot_text(_label(cost, cold))}\u2002" for cost in costs],
                textposition=[places[cost.method] for cost in costs],
                textfont={"size": 13, "color": colours.ink},
                marker={
                    "symbol": [_LINES.get(cost.method, ("star",))[0] for cost in costs],
                    "size": 11,
                    "color": colour,
                    "line": {"width": 1, "color": colour},
                },
                error_y=_bar(rows, translucent(colour, 0.7)),
                hovertext=[
                    f"<b>{plot_text(word)}</b><br>"
                    + (
                        "the best baseline"
                        if cost.gain is None
                        else f"{wording.signed(gain.mean)} "
                        f"({wording.interval(gain.low, gain.high)})"
                    )
                    + f"<br>{seconds_words(cost.seconds)} to fit"
                    for word, cost, gain in zip(words, costs, gains, strict=True)
                ],
                hovertemplate="%{hovertext}<extra></extra>",
                cliponaxis=False,
            )
        )
    figure.add_hline(y=0, line={"color": colours.faint, "width": 1})
    styled(figure, f"Gain in {metric} by time to fit", colours, 480)
    low, high = math.log10(min(x.values())), math.log10(max(x.values()))
    room = _room(high - low)
    figure.update_xaxes(
        title="Time to fit (logarithmic)",
        type="log",
        range=[low - room, high + room],
        tickvals=(ticks := _ticks(low, high)),
        ticktext=[seconds_words(tick) if tick >= 0.01 else f"{tick:g} s" for tick in ticks],
    )
    baseline = wording.method_word(found.best_baseline, cold)
    figure.update_yaxes(title=f"Gain in {metric} (zero: {plot_text(baseline)})")
    # As with the curves, the legend may take as many rows as a narrow page needs.
    figure.update_layout(dragmode="pan", margin={"t": 48}, legend={"y": -0.2, "yanchor": "top"})
    return figure


def _room(span: float) -> float:
    """Powers of ten beside the quickest and the slowest, for their names."""
    return 0.12 * span + 0.25


def _label(cost: Cost, cold: str) -> str:
    return wording.method_label(cost.method, cold)


def _ticks(low: float, high: float) -> list[float]:
    """Round seconds between two powers of ten and a little beyond: few in a wide range."""
    steps = (1, 2, 5) if high - low < 2 else (1,)
    powers = range(math.floor(low) - 1, math.ceil(high) + 2)
    return [step * 10.0**power for power in powers for step in steps]


_PLOT, _LETTER, _LINE, _GAP = (300.0, 330.0), 7.0, 17.0, 15.0
"""Pixels of the plot on a narrow page, of a letter, of a line, and beside a marker."""
_SIDES_OF_A_DOT = {
    "middle right": (1, 0), "middle left": (-1, 0), "top right": (1, 1), "bottom right": (1, -1),
    "top left": (-1, 1), "bottom left": (-1, -1),
}  # fmt: skip


def _label_places(
    x: Mapping[str, float], y: Mapping[str, float], cold: str, found: Costs
) -> dict[str, str]:
    """Where each name stands beside its dot: where it overlaps least with what is there already."""
    if not x:
        return {}
    lefts = {name: math.log10(value) for name, value in x.items()}
    ends = [end for c in found.methods if c.gain for end in (c.gain.low, c.gain.high)] + [0.0]
    span = max(lefts.values()) - min(lefts.values())
    width = span + 2 * _room(span)
    height = max(max(ends) - min(ends), 1e-9) * 1.1
    dots = {
        name: (
            (lefts[name] - min(lefts.values())) / width * _PLOT[0],
            (y[name] - min(ends)) / height * _PLOT[1],
        )
        for name in x
    }
    taken = [(a - 7, b - 7, a + 7, b + 7) for a, b in dots.values()]
    # Beyond the plot's sides a name would be cut off.
    far, beside = 10 * _PLOT[0], _room(span) / width * _PLOT[0]
    end = span / width * _PLOT[0] + beside
    taken += [(-far, -far, -beside, far), (end, -far, far, far)]
    zero = -min(ends) / height * _PLOT[1]
    taken.append((-_PLOT[0], zero - 1, 2 * _PLOT[0], zero + 1))
    for cost in found.methods:
        if cost.gain:
            a = dots[cost.method][0]
            low, high = (
                (end - min(ends)) / height * _PLOT[1] for end in (cost.gain.low, cost.gain.high)
            )
            taken.append((a - 1, low, a + 1, high))
    places = {}
    for name in sorted(x, key=lambda method: dots[method]):
        a, b = dots[name]
        length = _LETTER * len(wording.method_label(name, cold))

        def box(
            side: tuple[int, int], a: float = a, b: float = b, length: float = length
        ) -> tuple[float, float, float, float]:
            left = a + _GAP if side[0] > 0 else a - _GAP - length
            middle = b + side[1] * _LINE * 0.8
            return left, middle - _LINE / 2, left + length, middle + _LINE / 2

        places[name] = min(
            _SIDES_OF_A_DOT,
            key=lambda place: sum(_overlap(box(_SIDES_OF_A_DOT[place]), other) for other in taken),
        )
        taken.append(box(_SIDES_OF_A_DOT[places[name]]))
    return places


def _overlap(
    one_box: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> float:
    """Area that two boxes share: left, bottom, right, top."""
    across = min(one_box[2], other[2]) - max(one_box[0], other[0])
    up = min(one_box[3], other[3]) - max(one_box[1], other[1])
    return max(across, 0.0) * max(up, 0.0)


def tried_heatmap(
    tried: pd.DataFrame,
    score: str,
    method: str,
    dark: bool = False,
    *,
    higher_is_better: bool = True,
    fitted: int = -1,
) -> go.Figure:
    """Validation score of one method over rank and λ; the brightest cell is the best.

    Parameters
    ----------
    tried
        rank, lam and the score, one row a cell. Squares over the cells carry the row's number as
        ``customdata``, because plotly lets nobody select a heat map's own cells.
    fitted
        Row of the cell to mark, -1 for none.
    """
    colours = palette(dark)
    ranks = sorted(tried["rank"].unique())
    lams = sorted(tried["lam"].unique())
    grid = tried.pivot_table(index="rank", columns="lam", values=score).loc[ranks, lams]
    figure = go.Figure(
        go.Heatmap(
            z=grid.to_numpy(),
            x=[wording.lam(x) for x in lams],
            y=[str(int(r)) for r in ranks],
            colorscale="Cividis",
            reversescale=not higher_is_better,
            colorbar={
                "title": {"text": wording.metric_word(score), "side": "right"},
                "thickness": 12,
            },
            texttemplate="%{z:.3f}",
            hoverinfo="skip",
            xgap=2,
            ygap=2,
        )
    )
    clear, mark = "rgba(0,0,0,0)", colours.target
    lines = [4 if row == fitted else 0 for row in range(len(tried))]
    still = {"marker": {"opacity": 1}}
    figure.add_trace(
        go.Scatter(
            x=[wording.lam(x) for x in tried["lam"]],
            y=[str(int(r)) for r in tried["rank"]],
            mode="markers",
            customdata=list(range(len(tried))),
            marker={
                "symbol": "square",
                "size": 40,
                "color": clear,
                "line": {"width": lines, "color": mark},
            },
            selected=still,
            unselected=still,
            text=[
                f"rank {int(rank)}, λ {wording.lam(lam)}: {value:.4f}"
                + (" (the run on show)" if row == fitted else "")
                for row, (rank, lam, value) in enumerate(
                    zip(tried["rank"], tried["lam"], tried[score], strict=True)
                )
            ],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    )
    styled(figure, f"Rank and λ of {method} on validation data", colours, 320)
    figure.update_layout(
        margin={"t": 48}, clickmode="event+select", dragmode=False, hoverdistance=60
    )
    labels = {"type": "category", "showgrid": False, "categoryorder": "array"}
    figure.update_xaxes(
        title="λ (regularisation weight)", categoryarray=[wording.lam(x) for x in lams], **labels
    )
    figure.update_yaxes(
        title="Rank (factors)", categoryarray=[str(int(r)) for r in ranks], **labels
    )
    return figure


_SIDES = (
    ("above zero", "circle"),
    ("zero inside the interval", "circle-open"),
    ("below zero", "diamond"),
)
ROW_PIXELS = 30


def _dots(figure: go.Figure, rows: pd.DataFrame, unit: str, colours: Palette) -> None:
    """Gains with their intervals at heights ``at``, one symbol and colour for each side of zero.

    ``rows`` has at, name, gain, low, high and users; names come from data. ``unit`` is who counts.
    """
    below, above = rows["high"] < 0, rows["low"] > 0
    parts = (
        (above, colours.source),
        (~above & ~below, colours.popularity),
        (below, colours.target),
    )
    for (mask, colour), (word, symbol) in zip(parts, _SIDES, strict=True):
        some = rows[mask]
        if some.empty:
            continue
        figure.add_trace(
            go.Scatter(
                x=some["gain"],
                y=some["at"],
                mode="markers",
                name=word,
                marker={
                    "size": 10,
                    "color": colour,
                    "symbol": symbol,
                    "line": {"width": 2, "color": colour},
                },
                error_x=_bar(some, colour),
                text=[
                    f"<b>{plot_text(name)}</b><br>{wording.signed(gain)} "
                    f"({wording.interval(low, high)})<br>{counted(users, unit)}"
                    for name, gain, low, high, users in zip(
                        some["name"],
                        some["gain"],
                        some["low"],
                        some["high"],
                        some["users"],
                        strict=True,
                    )
                ],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.add_vline(x=0, line={"color": colours.faint, "width": 1})


def cohort_dots(
    rows: pd.DataFrame, metric: str, cold: str, title: str, dark: bool = False
) -> go.Figure:
    """The gain in each level of each cohort with its interval, levels in rows by cohort.

    Parameters
    ----------
    rows
        heading, level, users, gain, low, high; levels of one heading stand together.
    metric, cold
        What the gain is in, and who counts.
    title
        Of the figure.
    """
    colours = palette(dark)
    heads: dict[float, str] = {}
    places: list[float] = []
    at, last = 0.0, None
    for heading in rows["heading"]:
        if heading != last:
            heads[at] = heading
            at, last = at + 1, heading
        places.append(at)
        at += 1
    figure = go.Figure()
    named = rows.assign(at=places, name=rows["heading"] + ": " + rows["level"])
    _dots(figure, named, cold, colours)
    height = round(ROW_PIXELS * at) + 150
    styled(figure, title, colours, height)
    who = f"{one(cold)}s"
    figure.update_xaxes(title=f"Gain in {wording.metric_word(metric)} (above zero: better)")
    figure.update_yaxes(
        title=f"Level (number of test {who})",
        tickvals=places,
        ticktext=[
            f"{plot_text(level, 24)} ({wording.count(users)})"
            for level, users in zip(rows["level"], rows["users"], strict=True)
        ],
        range=[at - 0.5, -0.6],
        showgrid=False,
    )
    for place, heading in heads.items():
        figure.add_annotation(
            text=f"<b>{plot_text(heading)}</b>",
            x=0,
            xref="paper",
            xanchor="left",
            y=place,
            yanchor="middle",
            showarrow=False,
            font={"size": 13, "color": colours.ink},
        )
    figure.update_layout(dragmode="pan")
    return figure


def source_dots(rows: pd.DataFrame, metric: str, dark: bool = False) -> go.Figure:
    """What each source gained in its pilot with its interval, in the order of the rows.

    ``rows`` has source, gain, low, high and users.
    """
    colours = palette(dark)
    figure = go.Figure()
    places = list(range(len(rows)))
    _dots(figure, rows.assign(at=places, name=rows["source"]), "users", colours)
    styled(figure, "Gain of each source in its pilot", colours, ROW_PIXELS * len(rows) + 170)
    figure.update_xaxes(title=f"Gain in {wording.metric_word(metric)} (above zero: better)")
    figure.update_yaxes(
        title="Source (users judged)",
        tickvals=places,
        ticktext=[
            f"{plot_text(name, 28)} ({wording.count(users)})"
            for name, users in zip(rows["source"], rows["users"], strict=True)
        ],
        range=[len(rows) - 0.4, -0.6],
        showgrid=False,
    )
    figure.update_layout(dragmode="pan")
    return figure


def difference_dots(
    rows: pd.DataFrame, metric: str, cold: str, names: tuple[str, str], dark: bool = False
) -> go.Figure:
    """What one run gains on another at each number of shots, paired, with its interval.

    Parameters
    ----------
    rows
        what (which of a run's methods), shots, gain, low, high, users.
    metric, cold
        What the difference is in, and who counts.
    names
        The run that it is against, and the run that it is of.
    """
    colours = palette(dark)
    figure = go.Figure()
    kinds = list(dict.fromkeys(rows["what"]))
    shots = sorted(rows["shots"].unique())
    looks = ((colours.auto, "circle"), (colours.source, "square"))
    for number, (kind, (colour, symbol)) in enumerate(zip(kinds, looks, strict=False)):
        some = rows[rows["what"] == kind]
        figure.add_trace(
            go.Scatter(
                x=some["gain"],
                y=[shots.index(s) + 0.3 * number - 0.15 * (len(kinds) - 1) for s in some["shots"]],
                mode="markers",
                name=kind,
                marker={"size": 10, "color": colour, "symbol": symbol},
                error_x=_bar(some, colour),
                text=[
                    f"<b>{kind}</b><br>{wording.signed(row.gain)} "
                    f"({wording.interval(row.low, row.high)})<br>{counted(row.users, cold)}"
                    for row in some.itertuples()
                ],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.add_vline(x=0, line={"color": colours.faint, "width": 1})
    before, after = (plot_text(name, 28) for name in names)
    styled(figure, f"{after} minus {before}, user by user", colours, 60 * len(shots) + 190)
    figure.update_xaxes(title=f"Difference in {wording.metric_word(metric)} (above zero: better)")
    figure.update_yaxes(
        title="Target interactions (shots)",
        tickvals=list(range(len(shots))),
        ticktext=[str(s) for s in shots],
        range=[len(shots) - 0.4, -0.6],
        showgrid=False,
    )
    figure.update_layout(dragmode="pan")
    return figure
