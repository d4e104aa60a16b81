"""The compiled loop behind ``ranking.top_items``."""

from typing import Any

import numpy as np

from transrec_core.compiling import compiled


@compiled()
def best_of_rows(scores: Any, indptr: Any, indices: Any, best: Any) -> None:
    """Fill each row of ``best`` with the columns of the row's highest scores.

    Columns that are stored in the CSR rows (``indptr``, ``indices``, in any order) are left out, as
    are scores of −∞; what is not filled keeps its value.
    """
    rows, columns = scores.shape
    n = best.shape[1]
    seen = np.zeros(columns, np.bool_)
    values = np.empty(n, scores.dtype)
    for row in range(rows):
        for cell in range(indptr[row], indptr[row + 1]):
            seen[indices[cell]] = True
        count = 0
        for column in range(columns):
            value = scores[row, column]
            # An equal score that comes later ranks lower.
            if count == n and not value > values[n - 1]:
                continue
            if seen[column] or not value > -np.inf:
                continue
            place = count if count < n else n - 1
            while place > 0 and value > values[place - 1]:
                values[place] = values[place - 1]
                best[row, place] = best[row, place - 1]
                place -= 1
            values[place] = value
            best[row, place] = column
            count = min(count + 1, n)
        for cell in range(indptr[row], indptr[row + 1]):
            seen[indices[cell]] = False
