"""Text from data, made fit to be shown: on a page, in a report, in a terminal."""

import re
import unicodedata

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Direction changes and other invisible signs, surrogates, private and unassigned code points.
_UNSEEN = ("Cf", "Cs", "Co", "Cn")


def plain(text: object, limit: int = 200) -> str:
    """One line without control, direction-changing or invisible characters.

    Parameters
    ----------
    text
        Anything; what ``str`` makes of it counts.
    limit
        The most characters; the last of a text that was cut is an ellipsis.
    """
    said = str(text)
    if not said.isprintable():
        flat = _BREAKS.sub(" ", said)
        said = "".join(c for c in flat if unicodedata.category(c) not in _UNSEEN)
    return said if len(said) <= limit else said[: limit - 1] + "…"
