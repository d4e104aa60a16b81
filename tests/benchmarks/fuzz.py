"""Random small pairs and settings at length: only typed errors, finite scores, nobody missing.

    python tests/benchmarks/fuzz.py --minutes 20 --seed 0

The cases are those of ``tests/core/test_fuzz.py``, other ones for each seed. One line for each kind
of failure as it is met, with how to make the case again; counts in the end.
"""

import argparse
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzzing import Case, cases, judge
from hypothesis import HealthCheck, Phase, given, seed, settings

from transrec_core.errors import TransrecWarning

BATCH = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("error", RuntimeWarning)
    warnings.simplefilter("ignore", TransrecWarning)
    outcomes: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    until = time.monotonic() + 60 * options.minutes

    def look(case: Case) -> None:
        if time.monotonic() > until:
            return
        try:
            outcomes[judge(case)] += 1
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if "site-packages" not in frame.filename]
            kind = f"{type(error).__name__} at {own[-1].name}:{own[-1].lineno}"
            outcomes["failure"] += 1
            failures[kind] += 1
            if failures[kind] == 1:
                print(kind, str(error)[:300], case, "", sep="\n", flush=True)
                traceback.print_exc(file=sys.stdout)

    batch = 0
    while time.monotonic() < until:
        run = given(cases())(look)
        run = settings(
            max_examples=BATCH,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )(run)
        seed(options.seed * 100_000 + batch)(run)()
        batch += 1
    print(sum(outcomes.values()), "cases", dict(outcomes.most_common()), flush=True)
    for kind, count in failures.most_common():
        print(count, kind)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
