"""What tests ask of any fitted factorization."""

from __future__ import annotations

import numpy as np

from transrec_core.factors import Factors


def predictions(fit: Factors) -> np.ndarray:
    """All of them, users × items."""
    users, items = len(fit.user_factors), len(fit.item_factors)
    rows, cols = np.divmod(np.arange(users * items), items)
    return fit.predict(rows, cols).reshape(users, items)


def finite(fit: Factors) -> bool:
    """Whether no number of the fit, nor any prediction, is NaN or infinite."""
    arrays = (fit.user_factors, fit.item_factors, fit.objective, fit.gradient, predictions(fit))
    return all(np.isfinite(array).all() for array in arrays)
