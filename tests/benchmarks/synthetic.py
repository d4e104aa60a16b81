"""Synthetic ratings with the skew of real catalogues, any size, seeded."""

import numpy as np
import scipy.sparse as sp


def ratings(n: int, seed: int = 0) -> sp.csr_array:
    """About n ratings of 1 to 5, users × items, int32 indices, float32 values.

    Like MovieLens-20M in its proportions: about 140 ratings a user at the mean and half of that at
    the median (log-normal activity), items by a shifted power law. Pairs are unique.
    """
    random = np.random.default_rng(seed)
    n_users = max(n // 140, 10)
    n_items = max(int(27_000 * (n / 20_000_000) ** 0.5), 10)
    activity = np.clip(random.lognormal(0, 1.15, n_users), 0.03, 40)
    counts = np.maximum(1, activity / activity.sum() * n * 1.12).astype(np.int64)
    counts = np.minimum(counts, n_items // 3)
    weight = (np.arange(n_items) + 30.0) ** -1.1
    cumulative = np.cumsum(weight / weight.sum())
    items = np.empty(counts.sum(), np.int32)
    step = 20_000_000
    for first in range(0, len(items), step):
        draw = random.random(min(step, len(items) - first))
        items[first : first + len(draw)] = np.searchsorted(cumulative, draw).clip(0, n_items - 1)
    users = np.repeat(np.arange(n_users, dtype=np.int64), counts)
    pairs = np.unique(users * n_items + items)
    rows, columns = np.divmod(pairs, n_items)
    shuffled = random.permutation(n_items)[columns]
    values = random.integers(1, 6, len(pairs)).astype(np.float32)
    matrix = sp.csr_array(
        (values, (rows.astype(np.int32), shuffled.astype(np.int32))), (n_users, n_items)
    )
    matrix.sort_indices()
    return matrix
