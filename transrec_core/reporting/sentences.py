"""Findings in words, as a careful colleague would put them."""

from transrec_core.evidence.results import Evidence, ShotEvidence

METHOD_WORDS = {
    "popularity": "Popular items",
    "item_mean": "Item mean",
    "biases": "Damped biases",
    "target_only": "Target only",
    "factor_map": "Transfer (factor map)",
    "row_map": "Transfer (row map)",
}


def method_words(method: str) -> str:
    """Words for a method; its own name where there are none."""
    return METHOD_WORDS.get(method, method)


def metric_words(metric: str) -> str:
    """Name of a metric as papers write it, as ``NDCG@10``."""
    return metric.upper()


def number(value: float) -> str:
    """Three decimals, four where three would hide a small value, with a real minus sign."""
    text = f"{value:.4f}" if 5e-5 <= abs(value) < 5e-4 else f"{value:.3f}"
    return "0.000" if text == "-0.000" else text.replace("-", "−")


def _without_source(method: str) -> str:
    words = METHOD_WORDS.get(method)
    # Inside a sentence, except for acronyms that a future method may begin with.
    return method if words is None else words[0].lower() + words[1:]


def who(shots: int) -> str:
    """Name the users that are given this many target interactions."""
    if shots == 0:
        return "users with no history in the target"
    if shots == 1:
        return "users with one interaction in the target"
    return f"users with {shots} interactions in the target"


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
    baseline = f"{_without_source(shot.best_baseline)}, the best method without the source"
    than = "over" if evidence.higher_is_better else "compared with"
    users = "1 user" if shot.users == 1 else f"{shot.users:,} users"
    start = f"For {who(shot.shots)},"
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
            f"{none} the same method gains up to {number(shot.placebo.high)} when the source users "
            f"are shuffled, so that is not told apart from chance."
        )
    if gain.helped == 0 and gain.harmed == 0:
        return f"{none} both gave the same result for {users}."
    those = "this 1 user" if shot.users == 1 else f"these {users}"
    return f"{none} {those} would have shown a gain of {number(gain.detectable)} or more."
