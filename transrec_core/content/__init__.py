"""Item text → topics → similar items."""

from transrec_core.content.similar import similar_items, similar_to_all
from transrec_core.content.topics import Topics, fit_topics

__all__ = ["Topics", "fit_topics", "similar_items", "similar_to_all"]
