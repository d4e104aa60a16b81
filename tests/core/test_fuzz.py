"""Random small pairs and settings: only typed errors, finite scores, nobody missing.

``tests/benchmarks/fuzz.py`` does the same at length.
"""

from __future__ import annotations

import warnings

from fuzzing import Case, cases, judge
from hypothesis import HealthCheck, given, settings

from transrec_core.errors import TransrecWarning


@given(cases())
@settings(suppress_health_check=list(HealthCheck))
def test_whatever_the_data_and_the_settings_everybody_has_a_list_or_there_is_an_error(
    case: Case,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", TransrecWarning)
        judge(case)
