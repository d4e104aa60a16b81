"""Findings in words, as a careful colleague would put them."""

from collections.abc import Mapping, Sequence

from transrec_core.evidence.costs import Costs
from transrec_core.evidence.results import AUTO, Chosen, Comparison, Evidence, ShotEvidence
from transrec_core.showing import plain

METHOD_WORDS = {
    "popularity": "Popular items",
    "item_mean": "Item mean",
    "biases": "Damped biases",
    "similarity": "Similar items' users",
    "target_only": "Target only",
    "ease": "Target items alone (EASE)",
    "factor_map": "Transfer (factor map)",
    "row_map": "Transfer (row map)",
    "ridge": "Transfer (ridge)",
    "joint": "Transfer (joint factors)",
    "content": "Transfer (content)",
    "neural_map": "Transfer (neural map)",
    "meta_map": "Transfer (meta map)",
    "two_tower": "Transfer (two towers)",
    "codebook": "Transfer (codebook)",
    AUTO: "Auto",
}
# Where items are new, lists name users.
ITEMS_METHOD_WORDS = {
    **METHOD_WORDS,
    "popularity": "Most active users",
    "item_mean": "User mean",
    "ease": "Target users alone (EASE)",
}
METRIC_WORDS = {
    "popularity": "Mean popularity",
    "coverage": "Coverage",
    "novelty": "Novelty",
    "recall": "Recall",
}
METRIC_HELP = {
    "recall": "Share of the hidden {what} that are in the list.",
    "mrr": "One over the place of the first hidden {one} in the list, 0 where there is none.",
    "coverage": "Share of all {what} that are in anybody's list.",
    "popularity": "Share of those known so far who took a listed {one}, on average.",
    "novelty": "Mean −log₂ of the popularity of a listed {one}: higher is less known.",
    "mae": "Mean absolute error of the predicted ratings; lower is better.",
}
COHORT_WORDS = {
    "source": "Users by source interactions",
    "target": "Users by target interactions",
    "item popularity": "On popular, middling and rare items",
    "item genre": "By genre of the item",
}
ITEMS_COHORT_WORDS = {
    "source": "Items by what the source knows of them",
    "target": "Items by target interactions",
    "item popularity": "On busy, middling and quiet users",
}
ITEMS_LEVEL_WORDS = {"popular": "busy", "rare": "quiet"}
PARAMETER_WORDS = {
    "rank": "rank",
    "lam": "λ",
    "source_weight": "source weight",
    "penalty": "penalty",
}


def method_words(method: str, cold: str = "users") -> str:
    """Words for a method; its own name where there are none."""
    return (ITEMS_METHOD_WORDS if cold == "items" else METHOD_WORDS).get(method, method)


def one(cold: str) -> str:
    """Who or what is new to the target, in the singular."""
    return "item" if cold == "items" else "user"


def listed(cold: str) -> str:
    """What lists are made of, in the singular."""
    return "user" if cold == "items" else "item"


def counted(n: int, cold: str) -> str:
    """So many users, or items where these are new."""
    return f"{n:,} {one(cold)}{'' if n == 1 else 's'}"


def metric_words(metric: str) -> str:
    """Name of a metric as papers write it, as ``NDCG@10``."""
    name, _, cut = metric.partition("@")
    words = METRIC_WORDS.get(name, name.upper())
    return f"{words}@{cut}" if cut else words


def metric_help(metric: str, cold: str = "users") -> str:
    """What a further metric is; empty where there is nothing to say."""
    what = listed(cold)
    return METRIC_HELP.get(metric.partition("@")[0], "").format(one=what, what=f"{what}s")


def cohort_words(cohort: str, cold: str = "users") -> str:
    """A heading for the levels of a cohort."""
    return (ITEMS_COHORT_WORDS if cold == "items" else COHORT_WORDS).get(cohort, cohort)


def level_words(cohort: str, level: str, cold: str = "users") -> str:
    """A level of a cohort."""
    turned = cold == "items" and cohort == "item popularity"
    return ITEMS_LEVEL_WORDS.get(level, level) if turned else level


def parameter_words(parameters: Mapping[str, float]) -> str:
    """A method's parameters, as ``rank 32, λ 0.006``; those that it does not read are left out."""
    unread = ("rank", "lam") if "penalty" in parameters else ()
    return ", ".join(
        f"{words} {parameters[name]:g}"
        for name, words in PARAMETER_WORDS.items()
        if name in parameters and name not in unread
    )


def served_words(chosen: Chosen, shots: int, cold: str = "users") -> str:
    """What ``auto`` serves users with so many target interactions."""
    weight = chosen.blend.get(shots, float(chosen.transfer_at.get(shots, False)))
    transfer = method_words(chosen.method, cold)
    if weight == 0:
        fallback = chosen.fallback_at or chosen.baseline_at
        return method_words(fallback.get(shots, "target_only"), cold)
    if weight == 1:
        return transfer
    alone = method_words("target_only", cold)
    return f"{100 * weight:g} % {transfer}, {100 - 100 * weight:g} % {alone}"


def number(value: float) -> str:
    """Three decimals, four where three would hide a small value, with a real minus sign."""
    text = f"{value:.4f}" if 5e-5 <= abs(value) < 5e-4 else f"{value:.3f}"
    return "0.000" if text == "-0.000" else text.replace("-", "−")


def method_inside(method: str, cold: str = "users") -> str:
    """Words for a method inside a sentence."""
    words = method_words(method, cold)
    return method if words == method else words[0].lower() + words[1:]


EXAMPLES = 3


def unknown_sentence(ids: Sequence[str], asked: int, where: str, so: str, cold: str) -> str:
    """Say that some of the ids that lists were asked for are not known.

    Parameters
    ----------
    ids, asked
        Those that are not known, and how many were asked for.
    where
        The verb and where they are not, as ``are in neither catalogue``.
    so
        What happens to them; may be empty.
    cold
        As in ``Settings``.
    """
    examples = ", ".join(repr(plain(user, 40)) for user in ids[:EXAMPLES])
    such = f"such as {examples}" if len(ids) > EXAMPLES else examples
    return (
        f"{len(ids):,} of {asked:,} {one(cold)} id{'' if asked == 1 else 's'} {where} ({such})"
        f"{f': {so}' if so else ''}. Check for blanks, capitals and leading zeros, and that the "
        "ids are of the same kind as those in the ratings."
    )


def who(shots: int, cold: str = "users") -> str:
    """Name the users, or items, that are given this many target interactions."""
    if shots == 0:
        return f"{one(cold)}s with no history in the target"
    if shots == 1:
        return f"{one(cold)}s with one interaction in the target"
    return f"{one(cold)}s with {shots} interactions in the target"


def seconds_words(seconds: float) -> str:
    """What something took, in two digits and the unit that a person would use."""
    if seconds < 0.01:
        return "under 0.01 s"
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def cost_sentences(found: Costs, evidence: Evidence) -> list[str]:
    """Say who is worth the wait at one number of shots, and what networks add.

    Empty where the time of fewer than two methods is known.
    """
    if not found.enough:
        return []
    cold = evidence.cold
    seconds = {cost.method: cost.seconds for cost in found.methods}
    words, took = method_words(found.enough, cold), seconds_words(seconds[found.enough])
    if found.enough == found.methods[-1].method:
        first = (
            f"{words} takes longest ({took}), and every quicker method is surely beaten by one "
            "that takes longer."
        )
    else:
        first = f"No method that takes longer surely gains more than {words}, fitted in {took}."
    if found.networks is None:
        return [first]
    other, network, difference = found.networks
    gain = difference.gain
    verb = (
        "gains more than"
        if gain.low > 0
        else "gains less than"
        if gain.high < 0
        else "gains neither surely more nor surely less than"
    )
    both = (
        f" It takes {seconds_words(seconds[network])}, the other {seconds_words(seconds[other])}."
        if {network, other} <= set(seconds)
        else ""
    )
    return [
        first,
        f"{method_words(network, cold)}, the network that suits validation {one(cold)}s best, "
        f"{verb} {method_words(other, cold)}, the best of the others there: {number(gain.mean)} "
        f"(95 % interval {number(gain.low)} to {number(gain.high)}).{both}",
    ]


def crosslisted_sentence(comparison: Comparison) -> str:
    """Say what the gain is without products that are in both catalogues, first with and without.

    Empty where there are none, or they were left out from the start.
    """
    found = comparison.crosslisted
    if found is None:
        return ""
    count = len({target for _, target in found.products})
    products = "1 target product is" if count == 1 else f"{count:,} target products are"
    source_id, target_id = found.products[0]
    told = (
        f"{products} in the source too, under another id (such as {target_id}, there {source_id}): "
        "whoever took the one took the other. "
    )
    if found.evidence is None:
        return (
            f"{told}What remains of the gain without the source's copies cannot be measured. "
            f"{found.reason}"
        )
    with_them, without = comparison.headline.shots[0], found.evidence.shots[0]
    gains = [
        f"{number(shot.gain.mean)} (95 % interval {number(shot.gain.low)} to "
        f"{number(shot.gain.high)}: {shot.verdict})"
        for shot in (without, with_them)
    ]
    metric = metric_words(comparison.headline.metric)
    return (
        f"{told}Without the source's copies the gain in {metric} "
        f"for {who(without.shots)} is {gains[0]} instead of {gains[1]}."
    )


def verdict_sentence(shot: ShotEvidence, evidence: Evidence) -> str:
    """Say in one sentence what was found for one number of shots.

    Parameters
    ----------
    shot
        One of ``evidence.shots``.
    evidence
        The metric that it is about; for errors, less is better and the words say so.
    """
    gain, metric = shot.gain, metric_words(evidence.metric)
    better, worse = ("rises", "falls") if evidence.higher_is_better else ("falls", "rises")
    baseline = (
        f"{method_inside(shot.best_baseline, evidence.cold)}, the best method without the source"
    )
    than = "over" if evidence.higher_is_better else "compared with"
    users = counted(shot.users, evidence.cold)
    start = f"For {who(shot.shots, evidence.cold)},"
    if shot.verdict == "helps":
        return (
            f"{start} transfer helps: {metric} {better} by {number(gain.mean)} (95 % interval "
            f"{number(gain.low)} to {number(gain.high)}, {users}) {than} {baseline}."
        )
    if shot.verdict == "hurts":
        return (
            f"{start} transfer hurts: {metric} {worse} by {number(-gain.mean)} (95 % interval "
            f"{number(-gain.high)} to {number(-gain.low)}, {users}) compared with {baseline}."
        )
    none = (
        f"{start} there is no evidence that transfer helps: the gain in {metric} is "
        f"{number(gain.mean)} (95 % interval {number(gain.low)} to {number(gain.high)}) compared "
        f"with {baseline};"
    )
    if gain.low > 0:
        return (
            f"{none} the same method gains up to {number(shot.placebo.high)} when the source "
            f"is shuffled, so that is not told apart from chance."
        )
    if gain.helped == 0 and gain.harmed == 0:
        return f"{none} both gave the same result for {users}."
    those = f"{'this' if shot.users == 1 else 'these'} {users}"
    return f"{none} {those} would have shown a gain of {number(gain.detectable)} or more."
