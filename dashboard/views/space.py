"""Space: what do the factors mean, do the domains align?"""

from dashboard import compute, state
from dashboard.components import space as parts
from dashboard.components import states

workspace = state.workspace()
states.heading(
    "What do the factors mean, and do the catalogues align?",
    "A map of the items by who likes them, how the tastes that each catalogue tells apart go "
    "together in the people of both, and the items that each factor stands for.",
)
states.last_failure(workspace)
result = state.shown(workspace)

if result is None:
    if workspace.job is not None and workspace.job.active:
        states.loading((600, 160, 160, 160), "space")
    else:
        states.empty(
            "space",
            "After a fit, this page maps the items of both catalogues and names what each factor "
            "stands for.",
            "Load data" if workspace.empty else "Go to the data and fit",
            "views/data.py",
            ":material/scatter_plot:",
        )
else:
    if not compute.has_space(result):
        parts.absent(result)
    if compute.views(result):
        parts.explore(workspace, result, state.is_dark())
    if compute.has_space(result):
        parts.alignment(result, state.is_dark())
        parts.cards(result)
