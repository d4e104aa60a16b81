"""Results of the core as plotly figures. No Streamlit here, and no computing beyond drawing.

Data never stands inside a ``hovertemplate``: it comes as ``text``, with plotly's pseudo-HTML
escaped, and selections map back through integer ``customdata``.
"""

from dashboard.charts.data import compare_bars, tinted
from dashboard.charts.evidence import (
    cohort_dots,
    cost_dots,
    difference_dots,
    gain_dots,
    k_shot_curve,
    source_dots,
    tried_heatmap,
)
from dashboard.charts.people import contribution_steps
from dashboard.charts.space import (
    MAX_POINTS,
    SVG_POINTS,
    alignment_heatmap,
    canonical_bars,
    item_closeup,
    item_scatter,
    sampled,
)
from dashboard.charts.style import (
    CONFIG,
    DARK,
    LIGHT,
    MAP_CONFIG,
    Palette,
    palette,
    plot_text,
    styled,
    translucent,
)

__all__ = [
    "CONFIG",
    "DARK",
    "LIGHT",
    "MAP_CONFIG",
    "MAX_POINTS",
    "SVG_POINTS",
    "Palette",
    "alignment_heatmap",
    "canonical_bars",
    "cohort_dots",
    "compare_bars",
    "contribution_steps",
    "cost_dots",
    "difference_dots",
    "gain_dots",
    "item_closeup",
    "item_scatter",
    "k_shot_curve",
    "palette",
    "plot_text",
    "sampled",
    "source_dots",
    "styled",
    "tinted",
    "translucent",
    "tried_heatmap",
]
