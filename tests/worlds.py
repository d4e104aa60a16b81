"""Small two-domain worlds whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from transrec_core.data.interactions import Interactions
from transrec_core.data.items import Items
from transrec_core.data.linking import DomainPair, link
from transrec_core.data.ratings import Ratings
from transrec_core.data.report import ImportReport
from transrec_core.transfer.knowledge import Texts


def checkerboard(
    users: int = 120,
    items: int = 40,
    *,
    shared: bool = True,
    seed: int = 0,
    overlap: int | None = None,
) -> DomainPair:
    """Users of two kinds: even ones take even items, odd ones odd items, in both domains.

    Of each kind, every other user rates all items 5, the others 4, in both domains.

    Parameters
    ----------
    shared
        Whether the kind is the same in both domains (transfer can help), or drawn anew.
    overlap
        How many users are in both; by default all.
    """
    random = np.random.default_rng(seed)
    kind = np.arange(users) % 2
    other = kind if shared else random.permutation(kind)
    frames = []
    for kinds in (kind, other):
        rows = []
        for user in range(users):
            liked = np.flatnonzero(np.arange(items) % 2 == kinds[user])
            taken = random.choice(liked, size=min(14, len(liked)), replace=False)
            rows += [(f"u{user:03d}", f"i{item:03d}", 4 + user // 2 % 2) for item in taken]
        frames.append(pd.DataFrame(rows, columns=["user_id", "item_id", "rating"]))
    source, target = frames
    if overlap is not None:
        target = target.assign(
            user_id=[u if int(u[1:]) < overlap else f"t{u}" for u in target["user_id"]]
        )
    return link(Interactions.from_frame(source), Interactions.from_frame(target))


def texts_of(pair: DomainPair) -> Texts:
    """Even items are comedies and odd ones thrillers, in both catalogues."""
    frames = []
    for domain in (pair.source, pair.target):
        odd = domain.items.str[1:].astype(int) % 2
        genres = np.where(odd == 0, "Comedy|Light", "Thriller|Dark")
        frames.append(
            pd.DataFrame({"title": "", "genres": genres, "description": ""}, index=domain.items)
        )
    return Texts(*frames)


def items_of(frame: pd.DataFrame) -> Items:
    """Texts as the importer would hand them over."""
    return Items(frame, ImportReport("items.csv", True, len(frame)))


def ratings_of(domain: Interactions, name: str) -> Ratings:
    """The same data as the importer would hand it over."""
    rows = np.repeat(np.arange(len(domain.users)), np.diff(domain.matrix.indptr))
    frame = pd.DataFrame(
        {
            "user_id": domain.users[rows],
            "item_id": domain.items[domain.matrix.indices],
            "rating": domain.matrix.data.astype(float),
        }
    )
    return Ratings(frame, ImportReport(name, True, len(frame)), name.encode().hex())
