"""How much a test tries: it follows the profile of ``--hypothesis-profile``."""

from __future__ import annotations

from hypothesis import settings

BRIEF_EXAMPLES = 25
THOROUGH_EXAMPLES = 200


def scale(brief: int) -> int:
    """Count that is ``brief`` by default, and as many times more as a chosen profile tries more."""
    return brief * settings().max_examples // BRIEF_EXAMPLES
