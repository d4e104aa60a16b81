"""Where factors lie: rotations that change no prediction, projections, neighbours."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from transrec_core.ranking import top_items

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_TRUSTED = 2000
"""Points on which a projection's trustworthiness is measured; it compares all pairs."""


@dataclass(frozen=True)
class Canonical:
    """U Vᵀ in its singular directions.

    Attributes
    ----------
    rotation
        k × k; ``item_factors @ rotation`` are the canonical item coordinates.
    shares
        Each direction's share of the squared size of U Vᵀ, falling.
    """

    rotation: "NDArray[np.float64]"
    shares: "NDArray[np.float64]"


def canonical(
    user_factors: "NDArray[np.floating]", item_factors: "NDArray[np.floating]"
) -> Canonical:
    """The singular directions of U Vᵀ without forming it.

    With UᵀU = W S Wᵀ, the SVD of S^½Wᵀ(VᵀV)W S^½ gives directions in which the factors are
    ordered by how much of the predictions they carry; a factorization is unique only up to a
    rotation, so plots need this. The sign is fixed: the item of largest weight is positive.
    """
    U, V = user_factors.astype(np.float64), item_factors.astype(np.float64)
    values, vectors = np.linalg.eigh(U.T @ U)
    root = vectors * np.sqrt(np.maximum(values, 0))
    sizes, directions = np.linalg.eigh(root.T @ (V.T @ V) @ root)
    order = np.argsort(sizes)[::-1]
    rotation = root @ directions[:, order]
    coordinates = V @ rotation
    strongest = np.abs(coordinates).argmax(axis=0)
    sign = np.where(coordinates[strongest, np.arange(coordinates.shape[1])] < 0, -1.0, 1.0)
    total = max(float(np.maximum(sizes, 0).sum()), np.finfo(np.float64).tiny)
    return Canonical(rotation * sign, np.maximum(sizes[order], 0) / total)


@dataclass(frozen=True)
class Projection:
    """A linear projection to two dimensions.

    Attributes
    ----------
    centre
        Subtracted first.
    axes
        k × 2, orthonormal columns.
    variance
        Share of the points' variance on each axis.
    """

    centre: "NDArray[np.float64]"
    axes: "NDArray[np.float64]"
    variance: tuple[float, float]

    def __call__(self, points: "NDArray[np.floating]") -> "NDArray[np.float64]":
        """Points × k → points × 2."""
        return np.asarray((points - self.centre) @ self.axes)


def principal_axes(points: "NDArray[np.float64]") -> Projection:
    """The two axes of largest variance (PCA), signs fixed by the largest loading."""
    centre = points.mean(axis=0)
    _, sizes, rows = np.linalg.svd(points - centre, full_matrices=False)
    axes = np.zeros((points.shape[1], 2))
    found = min(2, len(rows))
    axes[:, :found] = rows[:found].T
    largest = np.abs(axes).argmax(axis=0)
    axes *= np.where(axes[largest, [0, 1]] < 0, -1.0, 1.0)
    total = max(float((sizes**2).sum()), np.finfo(np.float64).tiny)
    shares = np.zeros(2)
    shares[:found] = sizes[:found] ** 2 / total
    return Projection(centre, axes, (float(shares[0]), float(shares[1])))


def faithfulness(
    points: "NDArray[np.float64]", projected: "NDArray[np.float64]", neighbours: int = 10
) -> float:
    """Trustworthiness of a projection, 0 to 1: are neighbours on the map neighbours in truth?

    Venna & Kaski 2001, by scikit-learn, on an even sample of at most 2,000 points.
    """
    step = max(1, -(-len(points) // MAX_TRUSTED))
    points, projected = points[::step], projected[::step]
    neighbours = min(neighbours, (len(points) - 1) // 2)
    if neighbours < 1:
        return 1.0
    # Here, because scikit-learn's manifold package takes longer to load than all of ours.
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(points, projected, n_neighbors=neighbours, metric="cosine"))


def neighbour_plane(
    points: "NDArray[np.floating]", start: "NDArray[np.floating]", seed: int = 0
) -> "NDArray[np.float64]":
    """Points × 2 so that neighbours stay neighbours (t-SNE, van der Maaten & Hinton 2008).

    By scikit-learn, of cosines, on one thread so that the same input gives the same plane.
    Distances between groups and their sizes mean nothing on it.

    Parameters
    ----------
    points
        Points × k, at least 4.
    start
        Points × 2, from where it begins: a linear projection keeps the large picture in place.
    seed
        Of ties.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    spread = max(float(np.abs(start).max()), np.finfo(np.float64).tiny)
    method = TSNE(
        metric="cosine",
        init=(start / spread * 1e-2).astype(np.float32),
        perplexity=min(30.0, (len(points) - 1) / 3),
        random_state=seed,
        n_jobs=1,
    )
    with threadpool_limits(1):
        return np.asarray(method.fit_transform(np.asarray(points, np.float64)), np.float64)


def unit_rows(points: "NDArray[np.floating]") -> "NDArray[np.float64]":
    """Rows scaled to length 1; zero rows stay zero."""
    wide = points.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(length > 0, length, 1.0))


def nearest(
    points: "NDArray[np.float64]",
    queries: "NDArray[np.float64]",
    n: int,
    *,
    chunk: int = 1024,
) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """The n points of largest cosine with each query, best first; ties go to the lower index.

    Parameters
    ----------
    points, queries
        Rows of length 1 (``unit_rows``): m × k and q × k.
    n
        How many, at most m.
    chunk
        Queries compared at once: chunk × m cosines are held.

    Returns
    -------
    Positions in ``points`` and cosines, both q × n.
    """
    n = min(n, len(points))
    found = np.empty((len(queries), n), np.int64)
    cosines = np.empty((len(queries), n))
    for first in range(0, len(queries), chunk):
        rows = slice(first, min(first + chunk, len(queries)))
        # Rounded, so that equal texts or factors tie whatever the chunk.
        cosine = np.round(queries[rows] @ points.T, 12)
        found[rows] = top_items(cosine, n)
        cosines[rows] = np.take_along_axis(cosine, found[rows], axis=1)
    return found, cosines


@dataclass(frozen=True)
class Alignment:
    """How far two sets of factors of the same users tell the same story.

    Attributes
    ----------
    correlations
        Canonical correlations, strongest first, each measured on users that the directions were
        not fitted on; they can fall below zero.
    disparity
        Share of the target's variance that the best rotation and scaling of the source leaves
        unexplained (Procrustes), 0 to 1.
    users
        How many users both have.
    """

    correlations: tuple[float, ...]
    disparity: float
    users: int


def align(
    source: "NDArray[np.floating]",
    target: "NDArray[np.floating]",
    *,
    components: int = 8,
    folds: int = 5,
    ridge: float = 0.1,
    seed: int = 0,
) -> Alignment:
    """Compare two users × factors matrices, row for row the same users.

    Parameters
    ----------
    components
        Canonical directions, cut to the smaller rank.
    folds
        Parts of the users; directions are fitted on the others (Hotelling 1936, cross-validated).
    ridge
        Added to both covariances, as a share of their mean variance, so that few users do not
        find directions by chance.
    seed
        Of the folds.
    """
    X, Y = source.astype(np.float64), target.astype(np.float64)
    users = len(X)
    components = min(components, X.shape[1], Y.shape[1])
    folds = min(folds, users // 2)
    if folds < 2:
        return Alignment((), 1.0, users)
    part = np.random.default_rng(seed).permutation(users) % folds
    sides = np.zeros((2, users, components))
    for fold in range(folds):
        told, asked = part != fold, part == fold
        directions = _canonical_directions(X[told], Y[told], components, ridge)
        for side, (points, direction) in enumerate(zip((X, Y), directions, strict=True)):
            sides[side, asked] = (points[asked] - points[told].mean(axis=0)) @ direction
    correlations = []
    for component in range(components):
        a, b = sides[0, :, component], sides[1, :, component]
        spread = a.std() * b.std()
        correlations.append(
            float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread else 0
        )
    return Alignment(tuple(sorted(correlations, reverse=True)), _disparity(X, Y), users)


def _canonical_directions(
    X: "NDArray[np.float64]", Y: "NDArray[np.float64]", components: int, ridge: float
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    whiten = []
    for points in (X, Y):
        covariance = points.T @ points / len(points)
        floor = ridge * np.trace(covariance) / len(covariance) + np.finfo(np.float64).tiny
        values, vectors = np.linalg.eigh(covariance + floor * np.eye(len(covariance)))
        whiten.append(vectors / np.sqrt(values))
    left, _, right = np.linalg.svd(whiten[0].T @ (X.T @ Y / len(X)) @ whiten[1])
    a, b = whiten[0] @ left[:, :components], whiten[1] @ right[:components].T
    # A direction has no sign of its own; the same one in every fold, or folds would cancel out.
    sign = np.sign(a[np.abs(a).argmax(axis=0), np.arange(components)])
    return a * sign, b * sign


def _disparity(X: "NDArray[np.float64]", Y: "NDArray[np.float64]") -> float:
    """1 − (Σσ)² / (‖X‖²‖Y‖²) with σ the singular values of XᵀY (Gower & Dijksterhuis 2004)."""
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    total = float((X**2).sum() * (Y**2).sum())
    if total == 0:
        return 1.0
    sizes = np.linalg.svd(X.T @ Y, compute_uv=False)
    return float(1 - sizes.sum() ** 2 / total)
