"""Both domains' items in one space: map, neighbours, users, and what each factor stands for.

An item lies at its predicted scores over the target's users, in the few coordinates that these
have. Users count alike (their factors have length 1, so that busy users do not set the axes) and
the average user is taken off, so that what everybody likes cancels out: the cosine of two items is
the correlation of what users are expected to think of them. Source items are first moved into the
target's space by the linear part of the factor map.

With R the rotation to these coordinates, item i lies at c = Rᵀv, and a user with factors u lies at
d = R⁺(u/‖u‖ − m), where m is the average of all such unit users. Then d·c = (u/‖u‖ − m)·v: how much
more the user is expected to like the item than the average user is. On the map users are arrows
from the middle, which is the average user, and an item far along an arrow is one for that user.
"""

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.columns import ITEM
from transrec_core.data.interactions import Interactions
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
from transrec_core.factors.model import Factors
from transrec_core.transfer.fitting import DEFAULT_STRENGTH, FACTOR_MAP, TransferFit
from transrec_core.transfer.fold_in import at_shots, mean_prior
from transrec_core.transfer.ridge import ItemRidge
from transrec_core.transfer.scorers import PlacedUsers

if TYPE_CHECKING:
    from numpy.typing import NDArray

Domain = Literal["source", "target"]

NEGLIGIBLE = 1e-6
"""Directions of a smaller share, or size beside the largest, count as none."""


MOST_IN_A_CROWD = 5000
"""Items that a projection without axes is made of."""


@dataclass(frozen=True)
class Axes:
    """The directions in which the users of one factorization differ, strongest first.

    Attributes
    ----------
    rotation
        R, k × k; items lie at ``item_factors @ rotation``.
    shares
        Each direction's share of the differences between users' predictions, falling.
    middle
        m, the average unit user: k.
    users
        How many users have factors.
    """

    rotation: "NDArray[np.float64]"
    shares: "NDArray[np.float64]"
    middle: "NDArray[np.float64]"
    users: int

    def items(self, factors: "NDArray[np.floating]") -> "NDArray[np.float64]":
        """Unit places of items given by their factors, items × k."""
        return unit_rows(factors @ self.rotation)

    def people(self, factors: "NDArray[np.floating]") -> "NDArray[np.float64]":
        """Places d of users given by their factors, users × k; zero factors lie in the middle."""
        units = unit_rows(factors)
        told = np.abs(units).max(axis=1, keepdims=True) > 0
        beyond = np.where(told, units - self.middle, 0.0)
        return np.asarray(beyond @ np.linalg.pinv(self.rotation, rcond=NEGLIGIBLE).T)


@dataclass(frozen=True)
class Places:
    """Where the items of both domains lie in the target's space.

    Attributes
    ----------
    source, target
        Unit places of the items, items × k; coordinates by falling share.
    axes
        The coordinates.
    """

    source: "NDArray[np.float64]"
    target: "NDArray[np.float64]"
    axes: Axes

    def of(self, domain: str) -> "NDArray[np.float64]":
        """The places of one domain."""
        return self.source if domain == "source" else self.target


@dataclass(frozen=True)
class ItemMap:
    """Items on a plane.

    Attributes
    ----------
    frame
        domain, item_id, x, y, interactions; the target's items first.
    variance
        Share of the variance on the x and y axis.
    faithfulness
        Trustworthiness of the ten nearest neighbours on the plane, 0 to 1.
    axes
        k × 2, the projection of places on the plane; ``None`` where it is no linear one.
    """

    frame: pd.DataFrame
    variance: tuple[float, float]
    faithfulness: float
    axes: "NDArray[np.float64] | None" = None


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


@dataclass(frozen=True)
class AlignmentMatrix:
    """How directions of taste found in each catalogue alone go together in the shared users.

    Attributes
    ----------
    correlations
        Source directions × target directions, over the shared users.
    source_shares, target_shares
        Each direction's share of the differences between users of its catalogue.
    source_items, target_items
        Ids that stand for the positive end of each direction, strongest first.
    users
        How many users both have factors for.
    chance
        Were the two catalogues unrelated, no cell would exceed this in 95 of 100 data sets.
    """

    correlations: "NDArray[np.float64]"
    source_shares: tuple[float, ...]
    target_shares: tuple[float, ...]
    source_items: tuple[tuple[str, ...], ...]
    target_items: tuple[tuple[str, ...], ...]
    users: int
    chance: float


@dataclass(frozen=True)
class UserPath:
    """One user on the map, as (x, y) beside the average user at (0, 0).

    Attributes
    ----------
    source
        What the source says of them: their prior; ``None`` for a user without source data.
    target
        What their target data alone says; ``None`` without target data.
    both
        The prior joined with the target data.
    method
        Whose prior it is.
    elsewhere
        Whether the fit's own method scores users in another space, or in none.
    fidelity
        Correlation, over the target's items, of the score above the average user's (relative to how
        much users differ on the item) with what the map shows of it: how far the item lies along
        the arrow to ``both``. 0 where there is no arrow.
    """

    source: tuple[float, float] | None
    target: tuple[float, float] | None
    both: tuple[float, float]
    method: str
    elsewhere: bool
    fidelity: float


def places(fit: TransferFit) -> Places:
    """Place the items of both domains in the target's space.

    Every function below that takes ``placed`` works it out itself where it is not given. The fit
    must have a factor map: items are placed by it, whichever method makes the lists.
    """
    factor_map = fit.factor_map
    assert factor_map is not None, "no shared users: there is no common space"
    axes = _axes(fit.alone)
    source = factor_map.map_items(fit.source.item_factors)
    return Places(axes.items(source), axes.items(fit.alone.item_factors), axes)


def item_map(fit: TransferFit, *, placed: Places | None = None) -> ItemMap:
    """Project the items of both domains on the two axes of largest variance (PCA).

    Each domain is centred on its own mean first: the axes show tastes, not which catalogue an item
    is from.
    """
    placed = placed or places(fit)
    points = _centred(placed)
    frame = pd.concat(
        [_listed(fit.pair.target, "target"), _listed(fit.pair.source, "source")], ignore_index=True
    )
    return _projected(frame, points)


def crowd(
    items: ItemMap, placed: Places, most: int = MOST_IN_A_CROWD
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """The items with most interactions, each domain in proportion, for a slow projection.

    Returns
    -------
    Rows of ``items.frame``, rising, and the places that its axes project, rows × k.
    """
    frame = items.frame
    step = min(1.0, most / len(frame))
    kept = []
    for _, mine in frame.groupby("domain"):
        room = max(1, int(step * len(mine)))
        kept.append(mine["interactions"].nlargest(room).index.to_numpy())
    rows = np.sort(np.concatenate(kept))
    return rows, _centred(placed)[rows]


def own_map(fit: TransferFit, domain: Domain) -> ItemMap:
    """The items of one domain by its own factors alone, as if there were no other domain.

    Places, axes and signs come from this domain's factorization only, so that neither the map
    between the domains nor the users they share have a part in it.
    """
    factors, side = _side(fit, domain)
    points = _axes(factors).items(factors.item_factors)
    return _projected(_listed(side, domain), points - points.mean(axis=0))


def neighbours(
    fit: TransferFit, domain: str, item: str, n: int = 10, *, placed: Places | None = None
) -> pd.DataFrame:
    """The items of both domains nearest to one item by cosine, n of each domain.

    Returns
    -------
    domain, item_id, cosine; target first, nearest first, without the item itself.

    Raises
    ------
    BadSettingError
        An unknown domain or item.
    """
    itself = _position(fit, domain, item)
    placed = placed or places(fit)
    frames = []
    for name in ("target", "source"):
        side = fit.pair.target if name == "target" else fit.pair.source
        frames.append(_nearest(side, name, placed.of(name), placed.of(domain)[itself], n))
        if name == domain:
            frames[-1] = frames[-1][frames[-1][ITEM] != item]
        frames[-1] = frames[-1].head(n)
    return pd.concat(frames, ignore_index=True)


def own_neighbours(fit: TransferFit, domain: Domain, item: str, n: int = 10) -> pd.DataFrame:
    """The items nearest to one item within its own domain, by that domain's factors alone.

    Returns and raises as ``neighbours``.
    """
    itself = _position(fit, domain, item)
    factors, side = _side(fit, domain)
    points = _axes(factors).items(factors.item_factors)
    found = _nearest(side, domain, points, points[itself], n)
    return found[found[ITEM] != item].head(n).reset_index(drop=True)


def agreement(items: ItemMap, domain: str, item: str, near: pd.DataFrame) -> tuple[int, int]:
    """How many true neighbours of an item are also its nearest items on the map.

    Parameters
    ----------
    items
        The map.
    domain, item
        An item of it.
    near
        Its neighbours (domain, item_id) as ``neighbours`` gives them.

    Returns
    -------
    How many of ``near`` are among as many nearest items of their domain on the plane, and how many
    there are on the map at all.
    """
    frame = items.frame
    itself = frame[(frame["domain"] == domain) & (frame[ITEM] == item)].index[0]
    x, y = frame.loc[itself, ["x", "y"]].astype(float)
    distance = np.hypot(frame["x"] - x, frame["y"] - y)
    distance = distance.drop(itself)
    kept = known = 0
    for name, mine in near.groupby("domain"):
        there = frame.loc[distance.index, "domain"] == name
        ids = frame.loc[distance.index[there], ITEM]
        wanted = ids.index[ids.isin(set(mine[ITEM]))]
        closest = distance[there].nsmallest(len(wanted)).index
        known += len(wanted)
        kept += len(closest.intersection(wanted))
    return kept, known


def alignment(fit: TransferFit, *, components: int = 8, seed: int = 0) -> Alignment:
    """How far source and target factors of the shared users tell the same story.

    Cross-validated canonical correlations and the Procrustes disparity; see ``align``. Each user's
    factors are scaled to length 1, so that shared activity does not pass for shared taste.
    """
    pair = fit.pair
    source = unit_rows(fit.source.user_factors[pair.source_rows])
    target = unit_rows(fit.alone.user_factors[pair.target_rows])
    return align(source, target, components=components, seed=seed)


def alignment_matrix(fit: TransferFit, *, n: int = 8, top: int = 3) -> AlignmentMatrix:
    """Correlate the n strongest directions of each catalogue over the users of both.

    The directions are those of each catalogue by itself (those of the target are the ones of
    ``factor_cards``). They were found without a look at who is who, so that no cell is fitted to
    what it measures, and nothing has to be held out.
    """
    pair = fit.pair
    source, target = (
        _directions(fit, domain, rows, n, top)
        for domain, rows in (("source", pair.source_rows), ("target", pair.target_rows))
    )
    told = source.people.any(axis=1) & target.people.any(axis=1)
    users = int(told.sum())
    correlations = _standard(source.people[told]).T @ _standard(target.people[told])
    # Fisher's z; as many cells as there are share the 5 %.
    quantile = NormalDist().inv_cdf(1 - 0.025 / max(1, correlations.size))
    chance = float(np.tanh(quantile / np.sqrt(users - 3))) if users > 3 else 1.0
    return AlignmentMatrix(
        correlations, source.shares, target.shares, source.items, target.items, users, chance
    )


def factor_cards(
    fit: TransferFit, n: int = 6, top: int = 6, *, placed: Places | None = None
) -> tuple[FactorCard, ...]:
    """The n directions in which users differ most, with the items that stand for them.

    Items are ranked by their cosine with the direction, so that popular items do not lead every
    card; only items with at least the median number of interactions are named.
    """
    placed = placed or places(fit)
    shares = placed.axes.shares
    return tuple(
        FactorCard(
            factor + 1,
            float(shares[factor]),
            _standing(placed.source, fit.pair.source, factor, top),
            _standing(placed.target, fit.pair.target, factor, top),
        )
        for factor in range(min(n, len(shares)))
    )


def strengths(placed: Places, factor: int) -> "NDArray[np.float64]":
    """Cosine of each item with a direction of ``factor_cards``, −1 to 1, in the map's order."""
    return np.concatenate([placed.target[:, factor - 1], placed.source[:, factor - 1]])


def user_path(
    fit: TransferFit, user: str, items: ItemMap, *, placed: Places | None = None
) -> UserPath:
    """Place one user on the map: by the source, by the target, and by both.

    Where the fit's method has a prior in the target's own space it is that prior and its settled
    precision; for methods whose scores come from elsewhere (``ridge``, ``joint``, ``codebook``) the
    factor map places the user, with the default precision. All users are drawn in one scale, which
    spreads the target's users as wide over the plane as the items are.

    Parameters
    ----------
    fit, user
        Fitted domains, and a user of one of them.
    items
        The common map (``item_map``), which has axes.

    Raises
    ------
    BadSettingError
        A user of neither domain.
    """
    assert items.axes is not None, "users are placed by a linear projection"
    pair = fit.pair
    source_row, target_row = (int(d.rows_of([user])[0]) for d in (pair.source, pair.target))
    if source_row < 0 and target_row < 0:
        raise BadSettingError(f"{user!r} is in neither domain.", "Name a user of one of them.")
    placed = placed or places(fit)
    elsewhere = (
        fit.target is not fit.alone or fit.knowledge is None or isinstance(fit.knowledge, ItemRidge)
    )
    own = fit
    if elsewhere:
        own = replace(fit.by(FACTOR_MAP), strength=DEFAULT_STRENGTH)
    known = sp.csr_array((1, len(pair.target.items)), dtype=pair.target.matrix.dtype)
    if target_row >= 0:
        known = pair.target.matrix[[target_row]]
    found: dict[str, NDArray[np.float64]] = {}
    if source_row >= 0:
        rows = np.array([source_row])
        scorer = own.scorer(rows)
        assert isinstance(scorer, PlacedUsers)
        found["source"] = placed.axes.people(scorer.prior.factors)[0]
        found["both"] = placed.axes.people(own.place(known, rows).factors)[0]
    if known.nnz:
        average = PlacedUsers(fit.alone, mean_prior(fit.alone, fit.trained_counts, 1))
        taus = at_shots(fit.mean_strength, np.array([known.nnz])).astype(np.float64)
        factors = average.place(slice(None), known, taus).factors
        found["target"] = placed.axes.people(factors)[0]
    both = found.get("both", found.get("target", np.zeros(len(placed.axes.middle))))
    spread = float(np.sqrt((items.frame[["x", "y"]].to_numpy() ** 2).sum(axis=1).mean()))
    # Over the target's users the places sum up to the identity: (2 / users)^½ is their spread.
    scale = spread * np.sqrt(placed.axes.users / 2)
    spots = {name: scale * (place @ items.axes) for name, place in found.items()}
    spot = scale * (both @ items.axes)
    target = items.frame["domain"] == "target"
    fidelity = _correlation(
        placed.target @ both, items.frame.loc[target, ["x", "y"]].to_numpy() @ spot
    )

    def point(name: str) -> tuple[float, float] | None:
        return (float(spots[name][0]), float(spots[name][1])) if name in spots else None

    return UserPath(
        point("source"),
        point("target"),
        (float(spot[0]), float(spot[1])),
        own.method,
        elsewhere,
        fidelity,
    )


def _side(fit: TransferFit, domain: str) -> tuple[Factors, Interactions]:
    if domain == "source":
        return fit.source, fit.pair.source
    return fit.alone, fit.pair.target


def _axes(model: Factors) -> Axes:
    users = unit_rows(model.user_factors)
    users = users[users.any(axis=1)]
    middle = users.mean(axis=0) if len(users) else np.zeros(model.rank)
    turn = canonical(users - middle, model.item_factors)
    return Axes(turn.rotation, turn.shares, middle, len(users))


def _centred(placed: Places) -> "NDArray[np.float64]":
    """Places of the target's items, then the source's, each domain around its own mean."""
    return np.vstack([points - points.mean(axis=0) for points in (placed.target, placed.source)])


@dataclass(frozen=True)
class _Directions:
    """The strongest directions of one catalogue, and where some of its users lie on them."""

    people: "NDArray[np.float64]"
    shares: tuple[float, ...]
    items: tuple[tuple[str, ...], ...]


def _directions(
    fit: TransferFit, domain: str, rows: "NDArray[np.integer]", n: int, top: int
) -> _Directions:
    factors, side = _side(fit, domain)
    axes = _axes(factors)
    kept = min(n, int((axes.shares > NEGLIGIBLE).sum()))
    points = axes.items(factors.item_factors)
    return _Directions(
        axes.people(factors.user_factors[rows])[:, :kept],
        tuple(float(share) for share in axes.shares[:kept]),
        tuple(_standing(points, side, factor, top) for factor in range(kept)),
    )


def _standard(people: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Columns with mean 0 and length 1; constant ones are 0."""
    centred = people - people.mean(axis=0) if len(people) else people
    length = np.sqrt((centred**2).sum(axis=0))
    return np.asarray(centred / np.where(length > 0, length, 1.0))


def _listed(side: Interactions, domain: str) -> pd.DataFrame:
    counts = np.bincount(side.matrix.indices, minlength=len(side.items))
    return pd.DataFrame({"domain": domain, ITEM: np.asarray(side.items), "interactions": counts})


def _projected(frame: pd.DataFrame, points: "NDArray[np.float64]") -> ItemMap:
    projection = principal_axes(points)
    plane = projection(points)
    frame = frame.assign(x=plane[:, 0], y=plane[:, 1])
    return ItemMap(
        frame[["domain", ITEM, "x", "y", "interactions"]],
        projection.variance,
        faithfulness(points, plane),
        projection.axes,
    )


def _position(fit: TransferFit, domain: str, item: str) -> int:
    sides = {"target": fit.pair.target, "source": fit.pair.source}
    place = sides[domain].items.get_indexer(pd.Index([item]))[0] if domain in sides else -1
    if place < 0:
        raise BadSettingError(
            f"There is no item {item!r} in the domain {domain!r}.",
            "Choose an item of the source or the target.",
        )
    return int(place)


def _nearest(
    side: Interactions,
    domain: str,
    points: "NDArray[np.float64]",
    query: "NDArray[np.float64]",
    n: int,
) -> pd.DataFrame:
    """One more than n, for the query may be among them."""
    best, cosine = (found[0] for found in nearest(points, query[None], n + 1))
    return pd.DataFrame({"domain": domain, ITEM: side.items[best], "cosine": cosine})


def _standing(
    points: "NDArray[np.float64]", side: Interactions, factor: int, top: int
) -> tuple[str, ...]:
    """Ids of the items furthest along a coordinate, of those that are not rare."""
    counts = np.bincount(side.matrix.indices, minlength=len(side.items))
    strength = points[:, factor].copy()
    strength[counts < np.median(counts)] = -np.inf
    best = np.argsort(-strength, kind="stable")[: min(top, len(strength))]
    return tuple(str(side.items[i]) for i in best if np.isfinite(strength[i]))


def _correlation(a: "NDArray[np.float64]", b: "NDArray[np.float64]") -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > np.finfo(np.float64).tiny else 0.0
