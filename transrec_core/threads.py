"""Parts of one piece of work, done beside each other by compiled code that holds no lock."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from transrec_core.system import processor_count

Part = TypeVar("Part")
Result = TypeVar("Result")

LEAST_ROWS = 2**20
"""Fewer rows than this are one part: a thread takes longer to start than to do the work."""


def shares(n: int) -> list[slice]:
    """Equal parts of n rows, at most one for each processor."""
    count = max(1, min(processor_count(), n // LEAST_ROWS))
    return [slice(n * part // count, n * (part + 1) // count) for part in range(count)]


def in_threads(
    work: Callable[[Part], Result], parts: Iterable[Part], threads: int | None = None
) -> list[Result]:
    """Do some work for each part, as many at once as there are threads; an error ends all.

    ``threads`` is by default the number of processors. Results are in the order of the parts.
    """
    parts = list(parts)
    threads = min(threads or processor_count(), len(parts))
    if threads < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))
