"""Where factors lie: rotations that change no prediction, projections, neighbours."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.manifold import trustworthiness

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
    return float(trustworthiness(points, projected, n_neighbors=neighbours, metric="cosine"))


def unit_rows(points: "NDArray[np.floating]") -> "NDArray[np.float64]":
    """Rows scaled to length 1; zero rows stay zero."""
    wide = points.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(length > 0, length, 1.0))
