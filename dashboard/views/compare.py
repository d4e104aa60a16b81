"""Compare: does transfer help, for whom, can I trust it?"""

from dashboard import compute, state
from dashboard.components import comparison, folders, history, states, studies

space = state.workspace()
where = "the target" if compute.target_only(state.shown(space)) else "both catalogues"
states.heading(
    "Does transfer help, and can I trust it?",
    "Test items are target items whose ratings were hidden. Every method names the users for the "
    "same items, and the hidden ratings judge."
    if compute.new_items(state.shown(space))
    else f"Test users are people of {where} whose target ratings were hidden. Every method "
    "recommends to the same users, and the hidden ratings judge.",
)
states.last_failure(space)
result = state.shown(space)

if result is None:
    if space.job is not None and space.job.active:
        states.loading((120, 440, 440), "compare")
    else:
        states.empty(
            "compare",
            "After a fit, this page says whether the source helps, by how much, and how surely.",
            "Load data" if space.empty else "Go to the data and fit",
            "views/data.py",
            ":material/query_stats:",
        )
elif result.run.comparison is None:
    comparison.absent(result)
    history.show(space)
    folders.offer(space)
    history.two(space, result, "ranking", state.is_dark())
else:
    dark = state.is_dark()
    kind, evidence, shot = comparison.choose(compute.evidences(result))
    comparison.verdict(shot, evidence, state.link_params(space))
    comparison.warning(result.run.comparison)
    history.change_line(space, result, kind, shot.shots)
    curves, numbers, whom, cost, parameters, runs, sources = comparison.parts()
    with curves:
        if curves.open:
            comparison.curves(evidence, dark)
    with numbers:
        if numbers.open:
            comparison.tables(evidence, shot)
    with whom:
        if whom.open:
            comparison.cohorts(evidence, shot, dark)
    with cost:
        if cost.open:
            comparison.cost(compute.worth(result, kind, shot), evidence, dark)
    with parameters:
        if parameters.open:
            comparison.choices(space, result, kind, evidence, dark)
    with runs:
        if runs.open:
            history.show(space)
            folders.offer(space)
            history.two(space, result, kind, dark)
    with sources:
        if sources.open:
            studies.sources(space, dark)
            studies.sparsity(space, result)
    comparison.small_print(result, evidence)
