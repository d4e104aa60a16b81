"""Scores → lists: the best unseen items of each user, with the method that served them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.baselines import POPULARITY
from transrec_core.columns import (
    DESCRIPTION,
    GENRES,
    ITEM,
    METHOD,
    RANK,
    RATING,
    SCORE,
    TIME,
    TITLE,
    USER,
)
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair
from transrec_core.errors import BadSettingError
from transrec_core.evidence.results import Chosen
from transrec_core.ranking import chunks, top_items
from transrec_core.transfer.fitting import EASE, SERVED_BASELINES, TransferFit
from transrec_core.transfer.fold_in import at_shots

if TYPE_CHECKING:
    from numpy.typing import NDArray

WITHOUT_TRANSFER = ("target_only", "popularity")


def listed_methods(fit: TransferFit) -> tuple[str, ...]:
    """Methods that a list can be made by: the fit's own transfer, and those without."""
    return (fit.method, *WITHOUT_TRANSFER)


def listed_users(pair: DomainPair) -> pd.Index:
    """Who gets a list unless others are named: every user of the source, overlap or cold.

    Where nobody is linked it is every user of the target.
    """
    return pair.source.users if pair.linked else pair.target.users


def unknown_users(pair: DomainPair, users: Sequence[str]) -> list[str]:
    """Those of the users (items, where these are new) that are in neither domain."""
    ids = pd.Index([str(user) for user in users], dtype=object)
    nowhere = (pair.source.rows_of(ids) < 0) & (pair.target.rows_of(ids) < 0)
    return [str(user) for user in ids[nowhere]]


def users_with_everything(pair: DomainPair, users: Sequence[str] | pd.Index) -> list[str]:
    """Those of the users (items, where these are new) for whom no target item is left to list."""
    ids = pd.Index([str(user) for user in users], dtype=object)
    rows = pair.target.rows_of(ids)
    counts = np.where(rows >= 0, pair.target.counts[rows], 0)
    return [str(user) for user in ids[counts == len(pair.target.items)]]


def recommend_for(
    fit: TransferFit,
    users: Sequence[str],
    *,
    top: int = 10,
    method: str = "auto",
    chosen: Chosen | None = None,
    items: pd.DataFrame | None = None,
    keep_seen: bool = False,
) -> pd.DataFrame:
    """The best target items of each user, without those that they had.

    Parameters
    ----------
    fit
        The fitted domains.
    users
        User ids; each gets a list, also one that neither domain knows (popular items), but for
        those who had every item already.
    top
        Items a list, at most.
    method
        The fit's transfer method, ``target_only``, ``popularity``, or ``auto``: what validation
        users gained from most at the user's number of target interactions.
    chosen
        What validation users settled; without it ``auto`` uses the map wherever it can.
    items
        Index item_id with a ``title`` column, for a title column in the result.
    keep_seen
        Whether items that a user has in the target already may be listed too.

    Returns
    -------
    user_id, item_id, rank (from 1), score, method (the one that really served the user)[, title];
    users in the order given, all scores finite: ``popularity`` serves where a method has none.

    Raises
    ------
    BadSettingError
        An unknown method or a length below 1.
    """
    frames = lists_for(
        fit, users, top=top, method=method, chosen=chosen, items=items, keep_seen=keep_seen
    )
    return pd.concat(frames, ignore_index=True)


def lists_for(
    fit: TransferFit,
    users: Sequence[str] | pd.Index,
    *,
    top: int = 10,
    method: str = "auto",
    chosen: Chosen | None = None,
    items: pd.DataFrame | None = None,
    keep_seen: bool = False,
) -> Iterator[pd.DataFrame]:
    """The same lists, some users at a time: one table after the other, at least one.

    Arguments, columns and errors are as for ``recommend_for``.
    """
    if method != "auto" and method not in listed_methods(fit):
        raise BadSettingError(
            f"method is {method!r}.", f"It must be auto or {', '.join(listed_methods(fit))}."
        )
    if top < 1:
        raise BadSettingError(f"top is {top}.", "It must be at least 1.")
    return _lists(fit, users, top, method, chosen, items, keep_seen)


def _lists(
    fit: TransferFit,
    users: Sequence[str] | pd.Index,
    top: int,
    method: str,
    chosen: Chosen | None,
    items: pd.DataFrame | None,
    keep_seen: bool,
) -> Iterator[pd.DataFrame]:
    pair = fit.pair
    popularity = fit.popularity
    # Where auto uses transfer at all, it may mix it with what the target says.
    settled = chosen if method == "auto" else None
    for chunk in chunks(len(users), len(pair.target.items)) if len(users) else [slice(0, 0)]:
        ids = pd.Index([str(user) for user in users[chunk]], dtype=object)
        source_rows, target_rows = pair.source.rows_of(ids), pair.target.rows_of(ids)
        seen = _rows(pair.target.matrix, target_rows)
        served = served_by(fit, method, chosen, source_rows, np.diff(seen.indptr))
        scores = np.empty(seen.shape, np.float32)
        for name in np.unique(served):
            who = np.flatnonzero(served == name)
            rows = source_rows[who]
            scores[who] = _scores(fit, popularity, str(name), seen[who], rows, settled)
        # What is not a number has no place in a list, nor has its neighbour one by right.
        bad = ~np.isfinite(scores).all(axis=1)
        scores[bad], served[bad] = popularity, POPULARITY
        best = top_items(scores, top, None if keep_seen else seen)
        listable = scores.shape[1] - (0 if keep_seen else np.diff(seen.indptr))
        assert ((best >= 0).sum(axis=1) == np.minimum(listable, top)).all(), "a list is too short"
        row, place = np.nonzero(best >= 0)
        column = best[row, place]
        lists = pd.DataFrame(
            {
                USER: ids[row],
                ITEM: pair.target.items[column],
                RANK: place + 1,
                SCORE: scores[row, column].astype(np.float64),
                METHOD: served[row],
            }
        )
        del seen, served, scores, best
        if items is not None:
            lists[TITLE] = items[TITLE].reindex(lists[ITEM]).fillna("").to_numpy()
        yield lists


def counted(parts: Iterable[pd.DataFrame], served: Counter[str]) -> Iterator[pd.DataFrame]:
    """The same lists, while ``served`` counts them anew by the method that served."""
    served.clear()
    for part in parts:
        served.update(part.loc[part[RANK] == 1, METHOD].tolist())
        yield part


def named_for(lists: pd.DataFrame, cold: str) -> pd.DataFrame:
    """Lists as they are told: where items are the cold side, each row names a user for an item.

    Parameters
    ----------
    lists
        From ``recommend_for``, whose users are the items there and whose items are the users.
    cold
        As in ``Settings``.
    """
    if cold == "users":
        return lists
    return lists.rename(columns={USER: ITEM, ITEM: USER})


def history(
    interactions: Interactions, user: str, items: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One user's interactions, best and latest first; empty for an unknown user.

    Returns
    -------
    item_id, rating (where there are ratings), timestamp (where there are times), and title, genres
    and description where ``items`` has them.
    """
    row = int(interactions.rows_of([user])[0])
    matrix = interactions.matrix
    cells = slice(matrix.indptr[row], matrix.indptr[row + 1]) if row >= 0 else slice(0, 0)
    frame = pd.DataFrame({ITEM: interactions.items[matrix.indices[cells]]})
    order = []
    if interactions.explicit:
        frame[RATING] = matrix.data[cells].astype(np.float64)
        order.append(RATING)
    if interactions.times is not None:
        frame[TIME] = interactions.times[cells]
        order.append(TIME)
    if items is not None:
        for column in (TITLE, GENRES, DESCRIPTION):
            if column in items:
                frame[column] = items[column].reindex(frame[ITEM]).fillna("").to_numpy()
    if not order:
        return frame
    return frame.sort_values(order, ascending=False, kind="stable", ignore_index=True)


def served_by(
    fit: TransferFit,
    method: str,
    chosen: Chosen | None,
    source_rows: "NDArray[np.int64]",
    counts: "NDArray[np.integer]",
) -> "NDArray[np.object_]":
    """Which method serves each user: the wished one where it can.

    Parameters
    ----------
    fit, method, chosen
        As for ``recommend_for``.
    source_rows
        Each user's row in the source, −1 where they are not in it.
    counts
        Their numbers of target interactions.
    """
    known_there = (source_rows >= 0) | (not fit.pair.linked)
    mapped = known_there & (fit.knowledge is not None)
    known = counts > 0
    fallback = np.where(known, "target_only", "popularity").astype(object)
    if method == "popularity":
        return np.full(len(counts), "popularity", object)
    if method == "target_only":
        return fallback
    if method == fit.method or chosen is None or not chosen.transfer_at:
        return np.where(mapped, fit.method, fallback).astype(object)
    helps = at_shots(chosen.transfer_at, counts)
    settled = at_shots(chosen.fallback_at or chosen.baseline_at, counts).astype(object)
    servable = [name for name in SERVED_BASELINES if name != EASE or fit.ease is not None]
    listed = np.isin(settled, servable) & ((settled == "popularity") | known)
    settled = np.where(listed, settled, fallback)
    return np.where(mapped & helps, fit.method, settled).astype(object)


def _scores(
    fit: TransferFit,
    popularity: "NDArray[np.integer]",
    method: str,
    seen: sp.csr_array,
    source_rows: "NDArray[np.int64]",
    chosen: Chosen | None,
) -> "NDArray[np.floating]":
    if method == "popularity":
        return np.broadcast_to(popularity.astype(np.float64), seen.shape)
    if method == EASE:
        assert fit.ease is not None, "validation users settled it"
        assert chosen is not None, "auto alone serves it"
        taus = at_shots(chosen.strengths[EASE], np.diff(seen.indptr))
        return fit.ease.scorer(fit.alone, source_rows).scores(slice(None), seen, taus)
    if method != fit.method:
        return fit.scores(seen)
    scores = fit.scores(seen, source_rows)
    if chosen is None or not chosen.blend:
        return scores
    weight = at_shots(chosen.blend, np.diff(seen.indptr))[:, None]
    return scores if (weight == 1).all() else weight * scores + (1 - weight) * fit.scores(seen)


def _rows(matrix: sp.csr_array, rows: "NDArray[np.int64]") -> sp.csr_array:
    """These rows of the matrix; −1 stands for a user without data."""
    counts = np.where(rows >= 0, matrix.indptr[rows + 1] - matrix.indptr[rows], 0)
    indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    first = np.repeat(matrix.indptr[rows] - indptr[:-1], counts)
    cells = np.arange(indptr[-1]) + first
    return sp.csr_array(
        (matrix.data[cells], matrix.indices[cells], indptr), (len(rows), matrix.shape[1])
    )
