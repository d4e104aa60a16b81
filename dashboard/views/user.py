"""User: what would X get, and why?"""

from dashboard import compute, state
from dashboard.components import person, states

space = state.workspace()
if compute.new_items(state.shown(space)):
    states.heading(
        "Which users would one item get?",
        "The same item's users by transfer, from the target alone, and by activity alone, beside "
        "what is known of the item.",
    )
else:
    states.heading(
        "What would one user get?",
        "The same user's lists by transfer, from the target alone, and from popularity alone, "
        "beside what they had before.",
    )
states.last_failure(space)
result = state.shown(space)

if result is None:
    if space.job is not None and space.job.active:
        states.loading((80, 420, 420, 420), "user")
    else:
        states.empty(
            "user",
            "After a fit, this page shows any user's history in both catalogues and the lists "
            "that each method would give.",
            "Load data" if space.empty else "Go to the data and fit",
            "views/data.py",
            ":material/person_search:",
        )
else:
    user = person.pick(result)
    if user is None:
        person.nobody(result)
    else:
        person.about(result, user)
        person.what_if(result, user)
        person.show(result, user)
        person.reasons(result, user)
