"""Export: lists, evidence, factors, configuration, and the command that repeats the run."""

from dashboard import state
from dashboard.components import exports, states

space = state.workspace()
states.heading(
    "Take it with you",
    "Recommendation lists, the evidence behind them, and everything needed to get the same "
    "numbers again.",
)
states.last_failure(space)
result = state.shown(space)

if result is None:
    if space.job is not None and space.job.active:
        states.loading((280, 180, 180), "export")
    else:
        states.empty(
            "export",
            "After a fit, this page writes lists for all or some users, the evidence and the "
            "configuration.",
            "Load data" if space.empty else "Go to the data and fit",
            "views/data.py",
            ":material/download:",
        )
else:
    lists = exports.recommendations(result)
    exports.evidence(result)
    exports.factors(result)
    exports.repeat(result)
    exports.save(result)
    exports.everything(result, lists)
