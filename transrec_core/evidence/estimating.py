"""How long a fit and its comparison are likely to take, before they start.

From the sizes of the data alone, with the costs of ``budget``; a machine's own pace shows in how
long an earlier fit took beside what was expected of it.
"""

import math
from dataclasses import replace

from transrec_core.errors import BadSettingError, MissingExtraError, TooFewUsersError
from transrec_core.evidence.budget import Budget
from transrec_core.evidence.choosing import (
    LATER_CANDIDATES,
    MAX_CANDIDATES,
    STRENGTHS,
    axes_of,
    default_spec,
    methods_for,
)
from transrec_core.evidence.comparison import SHUFFLES
from transrec_core.evidence.evaluating import kinds_of
from transrec_core.evidence.splitting import VALIDATION_SHARE
from transrec_core.settings import Settings
from transrec_core.transfer.fitting import EASE, RIDGE, TARGET_ONLY
from transrec_core.transfer.knowledge import Ground


def expected_seconds(ground: Ground, settings: Settings) -> float:
    """Seconds that choosing, telling and fitting all data are expected to take.

    Parameters
    ----------
    ground
        The linked domains; its feedback does not matter.
    settings
        What is to be fitted.

    Returns
    -------
    0 where the method or the rank that is set cannot be used on these domains.
    """
    pair = ground.pair
    if (settings.rank or 1) > min(*pair.source.matrix.shape, *pair.target.matrix.shape):
        return 0.0
    kinds = kinds_of(pair, settings, by_words=ground.by_words)
    eligible = int((pair.target.counts[pair.target_rows] >= settings.min_target).sum())
    scores = eligible * len(pair.target.items) * len(settings.shots)
    total = 0.0
    for kind in kinds:
        try:
            methods, _ = methods_for(replace(ground, feedback=kind.feedback), settings)
        except (BadSettingError, MissingExtraError, TooFewUsersError):
            return 0.0
        start = default_spec(pair, kind.feedback, settings)
        searched = (TARGET_ONLY, *([EASE] if RIDGE in methods else []), *methods)
        judged = VALIDATION_SHARE * scores * len(STRENGTHS)
        choosing = Budget(pair, judged, settings.budget / len(kinds))
        telling = Budget(pair, settings.test_share * scores, math.inf)
        for number, method in enumerate(searched):
            needed = method in (TARGET_ONLY, methods[0])
            left = choosing.seconds / 2 if number == 0 else choosing.share(len(searched) - number)
            cost = choosing.cost(method, start, number > 0)
            # As the search itself would: what does not fit is left out.
            if not needed and cost > left:
                continue
            grid = math.prod(len(axis.values) for axis in axes_of(pair, method, settings, start))
            most = min(MAX_CANDIDATES if needed else LATER_CANDIDATES, grid)
            choosing.spent += max(cost, min(most * cost, left))
            telling.spent += telling.cost(method, start, number > 0)
        total += choosing.spent + telling.spent
        total += SHUFFLES * telling.cost(methods[0], start, True)
        total += telling.cost(methods[0], start, False)
    return total
