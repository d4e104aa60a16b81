"""Files to reports, ratings, items and linked domains."""

from transrec_core.data.checks import check_pair
from transrec_core.data.interactions import Interactions
from transrec_core.data.items import Items, read_items
from transrec_core.data.linking import DomainPair, link
from transrec_core.data.ratings import Ratings, read_ratings, to_ratings
from transrec_core.data.reading import Table, read_table
from transrec_core.data.report import ImportReport, Problem

__all__ = [
    "DomainPair",
    "ImportReport",
    "Interactions",
    "Items",
    "Problem",
    "Ratings",
    "Table",
    "check_pair",
    "link",
    "read_items",
    "read_ratings",
    "read_table",
    "to_ratings",
]
