"""Parts of a large table, worked on beside each other."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

LEAST_ROWS = 2**20
"""Fewer rows than this are one part: a thread takes longer to start than to do the work."""


def shares(n: int) -> list[slice]:
    """Equal parts of n rows, at most one for each processor."""
    count = max(1, min(os.cpu_count() or 1, n // LEAST_ROWS))
    return [slice(n * part // count, n * (part + 1) // count) for part in range(count)]


def in_threads(work: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """Do some work for each part, as many at once as there are processors; an error ends all."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, parts))
