"""The functions of ``tiles`` as loops over arrays, for computers where vector types fail.

The same sums in another order, so results agree within rounding; of symmetric matrices only the
half on and above the diagonal is computed.
"""

from typing import Any

import numpy as np

from transrec_core.compiling import compiled


@compiled()
def add_gram(P: Any, n: int, A: Any) -> None:
    """A += P[:n]ᵀ P[:n], in place."""
    k = P.shape[1]
    for p in range(n):
        for i in range(k):
            for j in range(i, k):
                A[i, j] += P[p, i] * P[p, j]


@compiled()
def solve(A: Any, inverse: Any, b: Any) -> bool:
    """Solve A x = b in place of b by A = RᵀR; False where A is not safely positive.

    R takes the place of A, and one over its diagonal that of ``inverse``.
    """
    k = A.shape[0]
    eps = A.dtype.type(1e-7 if A.itemsize == 4 else 1e-15)
    for i in range(k):
        floor = A[i, i] * eps
        for p in range(i):
            for j in range(i, k):
                A[i, j] -= A[p, i] * A[p, j]
        if not A[i, i] > floor:
            return False
        inverse[i] = 1 / np.sqrt(A[i, i])
        for j in range(i, k):
            A[i, j] *= inverse[i]
    for i in range(k):
        b[i] *= inverse[i]
        for j in range(i + 1, k):
            b[j] -= A[i, j] * b[i]
    for i in range(k - 1, -1, -1):
        for j in range(i + 1, k):
            b[i] -= A[i, j] * b[j]
        b[i] *= inverse[i]
    return True


@compiled()
def transpose(P: Any, n: int, scale: Any, out: Any) -> None:
    """Write diag(scale) P[:n]ᵀ to ``out``."""
    for p in range(n):
        for f in range(P.shape[1]):
            out[f, p] = scale[f] * P[p, f]


@compiled(fastmath=True)
def predict(start: Any, stop: Any, indices: Any, cols: Any, x: Any, out: Any) -> None:
    """Write v·x of one row's cells."""
    for at in range(start, stop):
        dot = x[0] * 0
        for f in range(len(x)):
            dot += x[f] * cols[indices[at], f]
        out[at - start] = dot


@compiled(fastmath=True)
def add_products(start: Any, stop: Any, indices: Any, cols: Any, t: Any, out: Any) -> None:
    """Add Σ t·v of one row's cells."""
    for at in range(start, stop):
        for f in range(len(out)):
            out[f] += t[at - start] * cols[indices[at], f]
