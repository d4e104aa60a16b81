"""Whether tiles compute what they should, found out before anything is fitted with them.

Vector instructions are written for LLVM by hand: another processor, or another version of it, may
refuse them or get them wrong.
"""

from typing import Any

import numpy as np

from transrec_core.factors.tiles import TILE

COLUMNS, ROWS = 3 * TILE, 2 * TILE
"""A pair of tiles and a single one."""

CELLS = TILE + 3
"""More than fill a tile."""

MAX_DEVIATION = 1000
"""In units of rounding error, as a share of the largest value."""


def failure_of(tiles: Any, dtype: Any) -> str:
    """Compute a small known case with everything that tiles do.

    Parameters
    ----------
    tiles
        The module ``tiles``, or one with the same functions.
    dtype
        Precision to try.

    Returns
    -------
    str
        What is wrong, in a few words; empty where all is right.
    """
    random = np.random.default_rng(0)
    P = random.normal(size=(ROWS, COLUMNS))
    b = random.normal(size=COLUMNS)
    scale = random.normal(size=COLUMNS)
    indices = random.integers(0, ROWS, CELLS).astype(np.int32)
    exact = {
        "products": np.triu(np.eye(COLUMNS) + P.T @ P),
        "a solution": np.linalg.solve(np.eye(COLUMNS) + P.T @ P, b),
        "a transposed matrix": scale[:, None] * P.T,
        "predictions": P[indices] @ scale,
        "sums of rows": b + P[indices].T @ (P[indices] @ scale),
    }
    P, b, scale = (values.astype(dtype) for values in (P, b, scale))
    inverse = np.empty(COLUMNS, dtype)
    gram, solution, total = np.eye(COLUMNS, dtype=dtype), b.copy(), b.copy()
    turned, dots = np.full((COLUMNS, ROWS), np.nan, dtype), np.full(CELLS, np.nan, dtype)
    first, last = np.int32(0), np.int32(CELLS)
    try:
        tiles.add_gram(P, ROWS, gram)
        solved = tiles.solve(gram.copy(), inverse, solution)
        indefinite = tiles.solve(-gram, inverse, b.copy())
        tiles.transpose(P, ROWS, scale, turned)
        tiles.predict(first, last, indices, P, scale, dots)
        tiles.add_products(first, last, indices, P, dots, total)
    except Exception as error:  # whatever a compiler may raise
        return f"they cannot be compiled: {type(error).__name__}"
    if not solved or indefinite:
        return "they are wrong about which systems can be solved"
    for what, found in zip(exact, (np.triu(gram), solution, turned, dots, total), strict=True):
        deviation = np.abs(found - exact[what]).max() / np.abs(exact[what]).max()
        if not deviation <= MAX_DEVIATION * np.finfo(dtype).eps:
            return f"they get {what} wrong"
    return ""
