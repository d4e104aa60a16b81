"""The command line as it is, but for fits of one rank: they wait until they are cancelled.

The dashboard's children that fit are started from this file too, and so fit in the same way.
"""

import functools
import sys
import time
from typing import Any

from transrec_core import cli, running
from transrec_core.progress import Progress
from transrec_core.settings import Settings

WAITING_RANK = 250
fit = running.run


@functools.wraps(fit)
def run(source: Any, target: Any, settings: Settings, *, on_progress: Any, **rest: Any) -> Any:
    if settings.rank != WAITING_RANK:
        return fit(source, target, settings, on_progress=on_progress, **rest)
    while True:
        # A fit that is cancelled ends at its next report.
        on_progress(Progress("Fitting source factors", 0.4))
        time.sleep(0.2)


if __name__ in ("__main__", "__mp_main__"):
    running.run = run
if __name__ == "__main__":
    sys.exit(cli.main(sys.argv[1:]))
