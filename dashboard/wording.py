"""Labels, formats and help texts: every word that several pages share."""

import math
import re
import unicodedata
from datetime import datetime

APP_NAME = "transrec"

METHOD_WORDS = {
    "popularity": "Popular items",
    "item_mean": "Item mean",
    "biases": "Damped biases",
    "target_only": "Target only",
    "factor_map": "Transfer (factor map)",
    "row_map": "Transfer (row map)",
    "auto": "Auto",
}
METHOD_HELP = {
    "popularity": "The same list for everyone: the items with most interactions in the target.",
    "item_mean": "The mean rating of each target item.",
    "biases": "Target mean plus damped user and item offsets, no factors.",
    "target_only": "Factorization of the target alone, each user folded in from target ratings.",
    "factor_map": "Source factors mapped to target factors, joined with target ratings.",
    "row_map": "The source history itself mapped to target factors, joined with target ratings.",
}
MODEL_WORDS = {"als": "ALS", "nmf": "NMF"}
FEEDBACK_WORDS = {"auto": "Auto", "ratings": "Ratings", "implicit": "Implicit"}
METRIC_WORDS = {"rmse": "RMSE"}
DOMAIN_WORDS = {"source": "Source", "target": "Target"}
ROLE_WORDS = {"user": "User", "item": "Item", "rating": "Rating", "time": "Time"}
DUPLICATE_WORDS = {"last": "Keep the last", "mean": "Take the mean", "refuse": "Refuse the file"}
VERDICT_WORDS = {
    "helps": "Transfer helps",
    "no evidence": "No evidence",
    "hurts": "Transfer hurts",
}
VERDICT_COLORS = {"helps": "green", "no evidence": "gray", "hurts": "red"}
VERDICT_ICONS = {
    "helps": ":material/trending_up:",
    "no evidence": ":material/trending_flat:",
    "hurts": ":material/trending_down:",
}

HELP_FEEDBACK = (
    "Implicit: an interaction counts as a 1 and lists are judged. Ratings: the values are "
    "predicted. Auto: lists, and ratings beside them where the data has ratings."
)
HELP_METHOD = (
    "Auto uses transfer only at those numbers of target interactions where validation users "
    "gain from it, by the map that suits them better. Factor map and row map always use it."
)
HELP_MODEL = "ALS: signed factors. NMF: non-negative factors, easier to read, often less exact."
HELP_RANK = "Number of latent factors. Empty: validation users decide."
HELP_LAM = "Regularisation weight of J = half the squared error + λ times the squared factors."
HELP_CROSSLISTED = (
    "Source items with nearly the same users as a target item are probably the same product under "
    "another id: whoever took one took the other, which fakes a gain. On: the source's copies are "
    "left out of the fit."
)
HELP_MAP = (
    "Both catalogues lie on the same two axes: the two directions in which the factors vary most."
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_MARKDOWN = re.compile(r"([!-/:-@\[-`{-~])")
WORD_JOINER = "\u2060"


def plain(text: object, limit: int = 200) -> str:
    """Text from data, fit for display: one line, no control or direction-changing characters."""
    flat = _CONTROL.sub(" ", str(text))
    kept = "".join(c for c in flat if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def escape_md(text: object, limit: int = 200) -> str:
    """Text from data as Markdown that shows exactly this text and nothing else.

    Backslashes stop Markdown's own syntax. Colons, ``@`` and ``www`` get an invisible word joiner
    behind them, because icons, emoji codes and bare links are looked for after the backslashes
    have gone.
    """
    escaped = _MARKDOWN.sub(r"\\\1", plain(text, limit))
    escaped = escaped.replace(":", ":" + WORD_JOINER).replace("@", "@" + WORD_JOINER)
    return re.sub(r"(?i)(www)(?=\\\.)", r"\1" + WORD_JOINER, escaped)


def safe_filename(text: str) -> str:
    """A download's name: letters, digits, dots, dashes and underscores only."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
    return slug[:80] or "transrec"


def method_word(name: str) -> str:
    """The display name of a method."""
    return METHOD_WORDS.get(name, name.replace("_", " ").capitalize())


def metric_word(metric: str) -> str:
    """The display name of a metric."""
    return METRIC_WORDS.get(metric, metric.upper())


def count(n: int) -> str:
    """A whole number with thousands separators."""
    return f"{n:,}"


def plural(n: int, one: str, many: str = "") -> str:
    """A counted noun: ``1 user``, ``2,000 users``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def value(x: float) -> str:
    """A metric's value, three decimals."""
    return f"{x:.3f}"


def signed(x: float) -> str:
    """A gain, three decimals with its sign and a true minus."""
    text = f"{x:+.3f}".replace("-", "\N{MINUS SIGN}")
    return "0.000" if text[1:] == "0.000" else text


def interval(low: float, high: float) -> str:
    """An interval of gains."""
    return f"{signed(low)} to {signed(high)}"


def share(x: float) -> str:
    """A share as whole per cent, without turning a little into nothing."""
    if 0 < x < 0.01:
        return "under 1 %"
    return f"{x:.0%}".replace("%", " %")


def p_value(p: float) -> str:
    """A p value, no more exact than it can be."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def lam(x: float | None) -> str:
    """λ in three significant digits, or auto."""
    return "auto" if x is None else f"{x:.3g}"


def shots(k: int) -> str:
    """How many target interactions a user has, as a phrase."""
    return "no target interactions" if k == 0 else plural(k, "target interaction")


def who(k: int) -> str:
    """Users with so many target interactions."""
    return "users new to the target" if k == 0 else f"users with {shots(k)}"


def places(change: float) -> str:
    """Places gained or lost in a list, as Markdown; NaN for an item that is new there."""
    if math.isnan(change):
        return ":blue[new]"
    if change == 0:
        return "="
    return f":green[↑ {int(change)}]" if change > 0 else f":red[↓ {abs(int(change))}]"


def seconds(s: float) -> str:
    """A duration, in the unit that a person would use."""
    if s < 1:
        return "under 1 s"
    if s < 90:
        return f"{s:.0f} s"
    if s < 5400:
        return f"{s / 60:.0f} min"
    return f"{s / 3600:.1f} h"


def clock(at: datetime) -> str:
    """The time of day of a run."""
    return f"{at:%H:%M}"
