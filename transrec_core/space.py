"""Both domains' items in one space: map, neighbours, and what each factor stands for.

An item lies at its predicted scores over the target's users, in the few coordinates that these
have. Users count alike (their factors have length 1, so that busy users do not set the axes) and
the average user is taken off, so that what everybody likes cancels out: the cosine of two items is
the correlation of what users are expected to think of them. Source items are first moved into the
target's space by the linear part of the factor map.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from transrec_core.columns import ITEM
from transrec_core.errors import BadSettingError
from transrec_core.factors.geometry import (
    Alignment,
    align,
    canonical,
    faithfulness,
    nearest,
    principal_axes,
    unit_rows,
)
from transrec_core.transfer.fitting import TransferFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

Domain = Literal["source", "target"]


@dataclass(frozen=True)
class ItemMap:
    """Items of both domains on a plane.

    Attributes
    ----------
    frame
        domain, item_id, x, y, interactions; the target's items first.
    variance
        Share of the variance on the x and y axis.
    faithfulness
        Trustworthiness of the ten nearest neighbours on the plane, 0 to 1.
    """

    frame: pd.DataFrame
    variance: tuple[float, float]
    faithfulness: float


@dataclass(frozen=True)
class FactorCard:
    """One direction of taste.

    Attributes
    ----------
    factor
        From 1, by falling share.
    share
        Its share of the differences between users in the target's predictions.
    source_items, target_items
        Ids that stand for it, strongest first.
    """

    factor: int
    share: float
    source_items: tuple[str, ...]
    target_items: tuple[str, ...]


def item_map(fit: TransferFit) -> ItemMap:
    """Project the items of both domains on the two axes of largest variance (PCA).

    Each domain is centred on its own mean first: the axes show tastes, not which catalogue an item
    is from.
    """
    source, target, _ = _places(fit)
    points = np.vstack([target - target.mean(axis=0), source - source.mean(axis=0)])
    projection = principal_axes(points)
    plane = projection(points)
    counts = [
        np.bincount(domain.matrix.indices, minlength=len(domain.items))
        for domain in (fit.pair.target, fit.pair.source)
    ]
    frame = pd.DataFrame(
        {
            "domain": ["target"] * len(target) + ["source"] * len(source),
            ITEM: np.concatenate([fit.pair.target.items, fit.pair.source.items]),
            "x": plane[:, 0],
            "y": plane[:, 1],
            "interactions": np.concatenate(counts),
        }
    )
    return ItemMap(frame, projection.variance, faithfulness(points, plane))


def neighbours(fit: TransferFit, domain: str, item: str, n: int = 10) -> pd.DataFrame:
    """The items of both domains nearest to one item by cosine, n of each domain.

    Returns
    -------
    domain, item_id, cosine; target first, nearest first, without the item itself.

    Raises
    ------
    BadSettingError
        An unknown domain or item.
    """
    sides = {"target": fit.pair.target, "source": fit.pair.source}
    if domain not in sides or item not in sides[domain].items:
        raise BadSettingError(
            f"There is no item {item!r} in the domain {domain!r}.",
            "Choose an item of the source or the target.",
        )
    source, target, _ = _places(fit)
    places = {"target": target, "source": source}
    itself = int(sides[domain].items.get_indexer(pd.Index([item]))[0])
    frames = []
    for name, points in places.items():
        best, cosine = (found[0] for found in nearest(points, places[domain][[itself]], n + 1))
        other = np.flatnonzero((best != itself) | (name != domain))[:n]
        frames.append(
            pd.DataFrame(
                {
                    "domain": name,
                    ITEM: sides[name].items[best[other]],
                    "cosine": cosine[other],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def alignment(fit: TransferFit, *, components: int = 8, seed: int = 0) -> Alignment:
    """How far source and target factors of the shared users tell the same story.

    Cross-validated canonical correlations and the Procrustes disparity; see ``align``. Each user's
    factors are scaled to length 1, so that shared activity does not pass for shared taste.
    """
    pair = fit.pair
    source = unit_rows(fit.source.user_factors[pair.source_rows])
    target = unit_rows(fit.alone.user_factors[pair.target_rows])
    return align(source, target, components=components, seed=seed)


def factor_cards(fit: TransferFit, n: int = 6, top: int = 6) -> tuple[FactorCard, ...]:
    """The n directions in which users differ most, with the items that stand for them.

    Items are ranked by their cosine with the direction, so that popular items do not lead every
    card; only items with at least the median number of interactions are named.
    """
    source, target, shares = _places(fit)
    cards = []
    for factor in range(min(n, len(shares))):
        lists = []
        for points, domain in ((source, fit.pair.source), (target, fit.pair.target)):
            counts = np.bincount(domain.matrix.indices, minlength=len(domain.items))
            strength = points[:, factor].copy()
            strength[counts < np.median(counts)] = -np.inf
            best = np.argsort(-strength, kind="stable")[: min(top, len(strength))]
            lists.append(tuple(str(domain.items[i]) for i in best if np.isfinite(strength[i])))
        cards.append(FactorCard(factor + 1, float(shares[factor]), lists[0], lists[1]))
    return tuple(cards)


def _places(
    fit: TransferFit,
) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]":
    """Unit places of source and target items, and each coordinate's share."""
    # Items are placed by the map that reads factors, whichever method makes the lists.
    factor_map = fit.factor_map
    assert factor_map is not None, "no shared users: there is no common space"
    users = unit_rows(fit.alone.user_factors)
    users = users[np.linalg.norm(users, axis=1) > 0]
    turn = canonical(users - users.mean(axis=0), fit.alone.item_factors)
    source = factor_map.map_items(fit.source.item_factors)
    return (
        unit_rows(source @ turn.rotation),
        unit_rows(fit.alone.item_factors @ turn.rotation),
        turn.shares,
    )
