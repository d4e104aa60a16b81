"""From a gain with its interval to a verdict."""

from transrec_core.evidence.results import Gain, Interval, Verdict


def verdict(gain: Gain, placebo: Interval) -> Verdict:
    """``helps``, ``no evidence`` or ``hurts``.

    Helps: the whole interval of the gain is above zero and above the placebo's 95 % band.
    Hurts: the whole interval is below zero. Anything else is no evidence.
    """
    if gain.low > 0 and gain.low > placebo.high:
        return "helps"
    return "hurts" if gain.high < 0 else "no evidence"
