"""The k-shot curve as SVG: how good transfer and the best baseline are at each number of shots."""

import math
from collections.abc import Sequence
from html import escape

from transrec_core.evidence.results import AUTO, Evidence, Interval
from transrec_core.reporting.sentences import metric_words, number, one

# Okabe and Ito's palette, told apart by colour-blind readers too.
SOURCE_BLUE, TARGET_VERMILION, AUTO_GREEN, OTHER_GREY = "#0072B2", "#D55E00", "#009E73", "#8A929C"
WIDTH, HEIGHT = 680, 364
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 68, 48

OTHER = f'stroke="{OTHER_GREY}" stroke-width="1"'
SERVED = f'stroke="{AUTO_GREEN}" stroke-width="2" stroke-dasharray="2 4"'


def curve_svg(evidence: Evidence) -> str:
    """Draw transfer and the best method without the source, with 95 % bands; the others thin.

    Parameters
    ----------
    evidence
        At least one number of shots.

    Returns
    -------
    str
        An ``svg`` element; text takes the page's colour.
    """
    shots = evidence.shots
    transfer = [shot.methods[shot.transfer] for shot in shots]
    baseline = [shot.methods[shot.best_baseline] for shot in shots]
    auto = [shot.methods[AUTO] for shot in shots if AUTO in shot.methods]
    names = dict.fromkeys(name for shot in shots for name in shot.gains)
    others = [
        [shot.methods[name] for shot in shots]
        for name in names
        if name not in (shots[0].transfer, AUTO) and all(name in s.methods for s in shots)
    ]
    ends = [v for i in (*transfer, *baseline) for v in (i.low, i.high, i.mean) if math.isfinite(v)]
    ends += [i.mean for line in (auto, *others) for i in line if math.isfinite(i.mean)]
    ticks = _ticks(min(ends, default=0.0), max(ends, default=1.0))

    def x(position: int) -> float:
        room = WIDTH - LEFT - RIGHT
        return LEFT + room * (position + 0.5) / len(shots)

    def y(value: float) -> float:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def band(values: Sequence[Interval], colour: str, dash: str, square: bool) -> str:
        shown = [(x(i), v) for i, v in enumerate(values) if math.isfinite(v.mean)]
        upper = [f"{at:.1f},{y(v.high):.1f}" for at, v in shown if math.isfinite(v.high)]
        lower = [f"{at:.1f},{y(v.low):.1f}" for at, v in shown if math.isfinite(v.low)]
        line = " ".join(f"{at:.1f},{y(v.mean):.1f}" for at, v in shown)
        bars = "".join(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(v.low):.1f}" y2="{y(v.high):.1f}" '
            f'stroke="{colour}" stroke-opacity="0.6"/>'
            for at, v in shown
            if math.isfinite(v.low) and math.isfinite(v.high)
        )
        return (
            f'<polygon points="{" ".join([*upper, *reversed(lower)])}" fill="{colour}" '
            f'fill-opacity="0.18"/>{bars}'
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"{dash}/>'
            + "".join(_marker(at, y(v.mean), colour, square) for at, v in shown)
        )

    def thin(values: Sequence[Interval], style: str) -> str:
        points = " ".join(
            f"{x(i):.1f},{y(v.mean):.1f}" for i, v in enumerate(values) if math.isfinite(v.mean)
        )
        return f'<polyline points="{points}" fill="none" {style}/>'

    grid = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}" class="grid"/>'
        f'<text x="{LEFT - 8}" y="{y(t) + 4:.1f}" text-anchor="end">{_tick_label(t, ticks)}</text>'
        for t in ticks
    )
    labels = "".join(
        f'<text x="{x(i):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{shot.shots}</text>'
        for i, shot in enumerate(shots)
    )
    metric = metric_words(evidence.metric)
    better = "higher is better" if evidence.higher_is_better else "lower is better"
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_spoken(evidence))}">'
        f"{grid}{labels}"
        f'<text x="{LEFT + (WIDTH - LEFT - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"Target interactions that the {one(evidence.cold)} is given</text>"
        f'<text transform="translate(16 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(metric)} ({better})</text>"
        + "".join(thin(line, OTHER) for line in others)
        + band(baseline, TARGET_VERMILION, ' stroke-dasharray="7 4"', True)
        + band(transfer, SOURCE_BLUE, "", False)
        + (thin(auto, SERVED) if len(auto) == len(shots) else "")
        + _legend(LEFT, SOURCE_BLUE, "", False, "With the source")
        + _legend(
            LEFT + 220,
            TARGET_VERMILION,
            ' stroke-dasharray="7 4"',
            True,
            "Best method without the source",
        )
        + (_thin_legend(LEFT, OTHER, "Other transfer methods") if others else "")
        + (_thin_legend(LEFT + 220, SERVED, "What auto serves") if auto else "")
        + "</svg>"
    )


def _legend(left: float, colour: str, dash: str, square: bool, words: str) -> str:
    return (
        f'<line x1="{left}" x2="{left + 30}" y1="18" y2="18" stroke="{colour}" '
        f'stroke-width="2.5"{dash}/>{_marker(left + 15, 18, colour, square)}'
        f'<text x="{left + 38}" y="22">{words}</text>'
    )


def _thin_legend(left: float, style: str, words: str) -> str:
    return (
        f'<line x1="{left}" x2="{left + 30}" y1="42" y2="42" {style}/>'
        f'<text x="{left + 38}" y="46">{words}</text>'
    )


def _marker(x: float, y: float, colour: str, square: bool) -> str:
    if square:
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>'


def _ticks(low: float, high: float) -> list[float]:
    """Round values that enclose the range, about five."""
    span = max(high - low, 1e-3)
    raw = span / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _tick_label(tick: float, ticks: Sequence[float]) -> str:
    step = ticks[1] - ticks[0]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9) + (1 if f"{step:e}"[2] == "5" else 0))
    return f"{tick + 0.0:.{min(decimals, 6)}f}".replace("-", "−")


def _spoken(evidence: Evidence) -> str:
    parts = [
        f"{shot.shots}: {number(shot.methods[shot.transfer].mean)} with the source, "
        f"{number(shot.methods[shot.best_baseline].mean)} without"
        for shot in evidence.shots
    ]
    return f"{metric_words(evidence.metric)} by number of target interactions. {'; '.join(parts)}."
