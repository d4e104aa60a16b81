"""Similar items by text: the cosine of their topic weights."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from transrec_core.columns import ITEM
from transrec_core.content.topics import Topics
from transrec_core.errors import BadSettingError
from transrec_core.factors.geometry import nearest, unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE = -1
"""Stands in ``similar_to_all`` where an item has fewer similar items."""


def similar_items(topics: Topics, item_id: str, n: int = 10) -> pd.DataFrame:
    """The n items whose texts are about the same.

    Returns
    -------
    item_id, cosine; most similar first, without the item itself. Items that share no topic are
    never named, so there can be fewer than n, and none for an item without text.

    Raises
    ------
    BadSettingError
        An unknown item, or n below 1.
    """
    if item_id not in topics.item_ids:
        raise BadSettingError(
            f"There is no item {item_id!r} among the {len(topics.item_ids)} items with topics.",
            "Choose one of them, or fit topics with this item.",
        )
    row = np.array([topics.item_ids.get_loc(item_id)])
    found, cosines = _others(topics, row, n, chunk=1)
    there = found[0] != NONE
    return pd.DataFrame({ITEM: topics.item_ids[found[0, there]], "cosine": cosines[0, there]})


def similar_to_all(
    topics: Topics, n: int = 10, *, chunk: int = 256
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """The n most similar items of every item.

    Parameters
    ----------
    n
        How many, at most all others.
    chunk
        Items compared at once: some arrays of chunk × items numbers are held. It changes nothing
        but the memory and the time, save the order of items that are equally similar up to
        rounding.

    Returns
    -------
    Positions in ``topics.item_ids`` and cosines, both items × n, most similar first; −1 and 0
    where fewer items share a topic.

    Raises
    ------
    BadSettingError
        n or chunk below 1.
    """
    return _others(topics, np.arange(len(topics.item_ids)), n, chunk)


def _others(
    topics: Topics, rows: "NDArray[np.int64]", n: int, chunk: int
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """The nearest items of some items, these themselves left out."""
    for name, value in (("n", n), ("chunk", chunk)):
        if value < 1:
            raise BadSettingError(f"{name} is {value}.", "It must be at least 1.")
    points = unit_rows(topics.weights)
    n = min(n, len(points) - 1)
    found, cosines = nearest(points, points[rows], n + 1, chunk=chunk)
    # Among more than n equals of an item it need not be named itself; then the last one goes.
    kept = np.argsort(found == rows[:, None], axis=1, kind="stable")[:, :n]
    found = np.take_along_axis(found, kept, axis=1)
    cosines = np.minimum(np.take_along_axis(cosines, kept, axis=1), 1.0)
    alike = cosines > 0
    return np.where(alike, found, NONE), np.where(alike, cosines, 0.0)
