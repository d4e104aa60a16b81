"""Labels, formats and help texts: every word that several pages share."""

import math
import re
from collections.abc import Iterable
from datetime import datetime

from transrec_core.content.models import model_label
from transrec_core.reporting.sentences import method_words, metric_words, one
from transrec_core.settings import TFIDF
from transrec_core.showing import plain as plain

APP_NAME = "transrec"

METHOD_HELP = {
    "popularity": "The same list for everyone: the items with most interactions in the target.",
    "item_mean": "The mean rating of each target item.",
    "biases": "Target mean plus damped user and item offsets, no factors.",
    "similarity": "Users who took items with similar texts.",
    "target_only": "Factorization of the target alone, each user folded in from target ratings.",
    "ease": "Regression of the target's items on each other, without the source.",
    "factor_map": "Source factors mapped to target factors, joined with target ratings.",
    "row_map": "The source history itself mapped to target factors, joined with target ratings.",
    "ridge": "Regression of each target item on the items of both catalogues. Lists only.",
    "joint": "One factorization of both catalogues together, one place a user. ALS only.",
    "content": "What the user's items are about. Needs titles of both, not shared users.",
    "neural_map": "A small network from source factors to target factors.",
    "meta_map": "A bridge of each user's own, made from their source history.",
    "two_tower": "One network reads the source history, one the items. Lists only, ALS only.",
    "codebook": "Rating patterns of groups, for catalogues that share nobody. ALS only.",
}
ITEMS_METHOD_HELP = {
    **METHOD_HELP,
    "popularity": "The same list for every item: the users with most interactions in the target.",
    "item_mean": "The mean rating of each target user.",
    "target_only": "Factorization of the target alone, each item folded in from its ratings.",
    "ease": "Regression of the target's users on each other, without the source.",
    "row_map": "What is known of the item itself mapped to target factors, joined with ratings.",
    "ridge": "Regression on single users of the target and on what is known of the item.",
    "joint": "One factorization of source and target together, one place an item. ALS only.",
    "content": "The words of the item's text mapped to target factors, joined with its ratings.",
}
MODEL_WORDS = {"als": "ALS", "nmf": "NMF"}
FEEDBACK_WORDS = {"auto": "Auto", "ratings": "Ratings", "implicit": "Implicit"}
COLD_WORDS = {"users": "Users", "items": "Items"}
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
    "Auto tries every method that the data allows within the time budget, takes the one that "
    "validation users gain most from, and uses it only where they gain. Any other method is "
    "always used."
)
HELP_DEEP = (
    "Auto tries networks too, on the same validation users and within the same time budget. They "
    "learn several times as long, and lists of theirs come without reasons. On the Compare page, "
    "Cost says whether they were worth it. Methods that are named above do not need this."
)
NO_DEEP = "Deep models can be tried too after `pip install 'transrec[deep]'`."
HELP_TEXT_MODEL = (
    "Words (TF-IDF) finds items whose texts share rare words. A language model finds those whose "
    "texts mean the like, in other words and often in other languages, and takes longer. It counts "
    "where items' texts are used: new items, the content method, similar items, the map's search."
)
NO_TEXT_MODEL = (
    "Items' texts are read by their words (TF-IDF). A language model can read them too after "
    "`pip install 'transrec[text]'`."
)
NONE_NAMED = (
    "Items' texts are read by their words (TF-IDF). `transrec app --text-model NAME` offers a "
    "language model."
)
HELP_COLD = (
    "Users: lists name the items for each user, who is known from the source. Items: lists name "
    "the users for each item, which is known by its text (the titles file of the target) or, "
    "without one, by its ratings in the source where both catalogues share item ids."
)
HELP_MERGE_EDITIONS = (
    "Items of one catalogue with the same title and genres, such as a paperback and a hardcover, "
    "become one item. Needs titles."
)
HELP_BUDGET = (
    "Roughly how many seconds Auto may spend on choosing methods and parameters, estimated from "
    "the sizes of the data. With less, fewer methods and parameters are tried; the Compare page "
    "names those left out."
)
HELP_WARM = (
    "After a change of method, rank or λ, the factors of the last fit are where the next one "
    "starts: quicker on large data, where factorizing takes more than a second. Its numbers then "
    "differ a little from those of a fresh start; the model's chip says so. Off: every fit starts "
    "afresh and can be repeated exactly."
)
WARM_SENTENCE = (
    "This run started from the factors of the one before. The commands start afresh, and give "
    "numbers that differ a little; turn off “Start from the last fit” for those."
)
HELP_EXPECTED = (
    "Estimated from the sizes of the data and the time that the last fit took. The earlier "
    "results stay on show until the new ones are there."
)
HELP_MODEL = "ALS: signed factors. NMF: non-negative factors, easier to read, often less exact."
HELP_RANK = "Number of latent factors. Empty: validation users decide."
HELP_LAM = "Regularisation weight of J = half the squared error + λ times the squared factors."
HELP_CROSSLISTED = (
    "Source items with nearly the same users as a target item are probably the same product under "
    "another id: whoever took one took the other, which fakes a gain. On: the source's copies are "
    "left out of the fit."
)

COLUMN_HELP = {
    "Target interactions": "How many target interactions each one was given (shots).",
    "Users": "Test users behind the numbers of this row.",
    "Items": "Test items behind the numbers of this row.",
    "Verdict": "Helps: the whole interval lies above zero and above the placebo band. Hurts: the "
    "whole interval lies below zero. Else there is no evidence.",
    "Gain": "Mean difference, one by one, of the method and the best baseline. Above zero is "
    "better, also for errors.",
    "95 % interval": "Paired bootstrap over those who were tested: the true mean gain lies in such "
    "an interval 95 times of 100.",
    "Placebo band": "95 % band of the gain when it is shuffled who is who in the source: what a "
    "source that knows nothing would gain.",
    "p": "How often a gain at least as far from zero comes about when signs are flipped at random "
    "(4,999 flips).",
    "p (Holm)": "p corrected for the number of transfer methods that were tried; Auto is one of "
    "them or a baseline, and no further test.",
    "Helped": "Share for whom the method is strictly better than the baseline.",
    "Harmed": "Share for whom the method is strictly worse than the baseline.",
    "By": "The transfer method that the gain is of; settled on validation data.",
    "Against": "The best method without the source; settled on validation data.",
    "Auto serves": "The method, or the blend of two, that lists come from with the method on auto.",
    "w": "Weight of transfer in what is served: 0 is the baseline alone, 1 is transfer alone.",
    "Parameters": "What validation data settled: rank is the number of factors, λ and penalty are "
    "regularisation weights, source weight is what a source cell counts beside a target cell.",
    "τ by shots": "Weight of what the source says against one's own target data, for each number "
    "of target interactions above 0, in their order.",
    "Level": "Part of the test, with the least and the most interactions where it is by number.",
    "#": "Place by the gain.",
    "Source": "The file.",
    "Over": "The best method without the source, which the gain is over; or why there is no gain.",
    "Judged on": "Validation users of the target who judged this source.",
    "Shared users": "Users in both this source and the target.",
    "Correlation": "Largest cross-validated correlation between source and target factors of the "
    "shared users: 1 is the same taste, 0 is none.",
    "Ratings": "Ratings in the source.",
    "Density": "Share of the source's cells, users times items, that are filled.",
    "Time": "How long the pilot took.",
    "Time to fit": "What it took to fit without the test users, with the factorizations it needs; "
    "choosing its parameters took more.",
    "Gain over the baseline": "Mean difference to the best baseline, one by one. Above zero is "
    "better, also for errors.",
    "Interval": "Whether the 95 % interval of the gain lies above zero, below it, or around it.",
    "Metric": "NDCG of lists: higher is better. RMSE of predicted ratings: lower is better.",
    "Target ratings": "Share of the other users' target ratings that were kept, and their number.",
}

_MARKDOWN = re.compile(r"([!-/:-@\[-`{-~])")
# Signs that Streamlit makes one of, such as a dash of two hyphens.
_DRAWN_TOGETHER = re.compile(r"(\\[-<>~])(?=\\[-=>])")
WORD_JOINER = "\u2060"
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def escape_md(text: object, limit: int = 200) -> str:
    """Text from data as Markdown that shows exactly this text and nothing else.

    Backslashes stop Markdown's own syntax. Colons, ``@``, ``www`` and the first sign of ``->`` and
    its like get an invisible word joiner behind them, because icons, emoji codes, bare links and
    arrows are looked for after the backslashes have gone.
    """
    escaped = _MARKDOWN.sub(r"\\\1", plain(text, limit))
    escaped = escaped.replace(":", ":" + WORD_JOINER).replace("@", "@" + WORD_JOINER)
    escaped = _DRAWN_TOGETHER.sub(r"\1" + WORD_JOINER, escaped)
    return re.sub(r"(?i)(www)(?=\\\.)", r"\1" + WORD_JOINER, escaped)


def escape_badge(text: object, limit: int = 200) -> str:
    """The same for the label of a badge, whose square brackets Streamlit escapes itself."""
    return escape_md(text, limit).replace("\\[", "[").replace("\\]", "]")


def safe_filename(text: str) -> str:
    """A download's name: letters, digits, dots, dashes and underscores, good on every system."""
    slug = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", text)).strip("-.")
    slug = slug[:80].rstrip("-.") or "transrec"
    # Windows takes these for devices, whatever the ending.
    return f"_{slug}" if _DEVICE.match(slug) else slug


STUDY_DONE = {
    "sources": "The sources are ranked, on the Compare page.",
    "tsne": "The t-SNE map is drawn, on the Space page.",
    "sparsity": "Measured with fewer target ratings, on the Compare page.",
}
INTERRUPTED = {
    "fit": "A fit was at work when the server ended; press Fit to repeat it.",
    "sources": "The sources were being ranked when the server ended; the Compare page starts it "
    "again.",
    "tsne": "A t-SNE map was being drawn when the server ended; the Space page starts it again.",
    "sparsity": "Fewer target ratings were being tried when the server ended; the Compare page "
    "starts it again.",
}
STALE_STUDY = "The data or the settings have changed since"


def method_word(name: str, cold: str = "users") -> str:
    """The display name of a method."""
    words = method_words(name, cold)
    return words if words != name else name.replace("_", " ").capitalize()


def help_method(methods: Iterable[str]) -> str:
    """What Auto does, and each method that is offered."""
    lines = (f"- {method_word(name)}: {METHOD_HELP[name]}" for name in methods if name != "auto")
    return "\n".join([f"{HELP_METHOD}\n", *lines])


def text_model_word(name: str) -> str:
    """The display name of what reads items' texts, without the folders that lead to a model."""
    return "Words (TF-IDF)" if name == TFIDF else plain(model_label(name), 60)


def method_label(name: str, cold: str = "users") -> str:
    """A method's name where there is little room: what stands in its brackets, if anything."""
    words = method_word(name, cold)
    found = re.fullmatch(r"Transfer \((.+)\)", words)
    return found[1].capitalize() if found else "EASE" if "(EASE)" in words else words


def method_help(name: str, cold: str = "users") -> str:
    """What a method does, in one line."""
    return (ITEMS_METHOD_HELP if cold == "items" else METHOD_HELP).get(name, "")


def metric_word(metric: str) -> str:
    """The display name of a metric."""
    return metric_words(metric)


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


def who(k: int, cold: str = "users") -> str:
    """Users with so many target interactions, or items where these are new."""
    return f"{one(cold)}s new to the target" if k == 0 else f"{one(cold)}s with {shots(k)}"


def places(change: float) -> str:
    """Places gained or lost in a list, as Markdown; NaN for an item that is new there."""
    if math.isnan(change):
        return ":blue[new]"
    if change == 0:
        return "="
    return f":green[↑ {int(change)}]" if change > 0 else f":red[↓ {abs(int(change))}]"


def p_alone(p: float) -> str:
    """A p value in a column that is headed p."""
    return p_value(p).removeprefix("p ").removeprefix("= ")


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
    """The time of day of a run, with its date when that is not today's."""
    return f"{at:%H:%M}" if at.date() == datetime.now().date() else f"{at.day} {at:%b %H:%M}"
