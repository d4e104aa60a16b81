"""What a piece of work may use, and what it will: refused before it starts, with the numbers."""

import os
from dataclasses import dataclass
from pathlib import Path

from transrec_core.errors import TooLargeError

SHARE = 0.8
"""Share of the memory that is free now which one fit may take."""

ENVIRONMENT = "TRANSREC_MEMORY_GIB"
GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """Upper bounds on one piece of work.

    Attributes
    ----------
    memory
        Bytes that it may use beside its input.
    """

    memory: int

    @classmethod
    def of_this_machine(cls) -> "Limits":
        """80 % of the memory that is free now, or ``TRANSREC_MEMORY_GIB``."""
        asked = os.environ.get(ENVIRONMENT)
        if asked:
            return cls(int(float(asked) * GIB))
        return cls(int(SHARE * _free_memory()))

    def require(self, estimate: "Estimate") -> None:
        """Refuse work that would need more.

        Raises
        ------
        TooLargeError
            With what is needed, for what, and what there is.
        """
        if estimate.total > self.memory:
            parts = ", ".join(f"{name} {size / GIB:.2f}" for name, size in estimate.parts.items())
            raise TooLargeError(
                f"{estimate.what} needs about {estimate.total / GIB:.2f} GiB of memory ({parts}); "
                f"{self.memory / GIB:.2f} GiB may be used.",
                f"Use a smaller rank or fewer ratings, or allow more with {ENVIRONMENT}.",
            )


@dataclass(frozen=True)
class Estimate:
    """Peak memory of a piece of work.

    Attributes
    ----------
    what
        The work, as the subject of a sentence.
    parts
        Bytes by what they are for.
    """

    what: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        """Bytes in all."""
        return sum(self.parts.values())


def estimate_fit(
    n_users: int,
    n_items: int,
    n_ratings: int,
    rank: int,
    *,
    itemsize: int = 4,
    biases: bool = False,
) -> Estimate:
    """Peak memory of ``factorize`` beside its input matrix.

    Parameters
    ----------
    n_users, n_items, n_ratings, rank
        Sizes.
    itemsize
        Bytes of a number: 4 for single precision, 8 for double.
    biases
        Whether a bias model is fitted first; its passes over the ratings work in double precision.
    """
    matrix = n_ratings * (itemsize + 4) + 4 * (n_users + n_items)
    # Both orders of the matrix, and what turning it over or fitting biases holds meanwhile.
    passing = n_ratings * max(itemsize + 4, 32 if biases else 0)
    rows = n_users + n_items
    # Present and new factors of both sides, a turned copy, and double-precision copies for J.
    factors = rows * rank * (3 * itemsize + 8)
    return Estimate(
        f"Factorizing {n_ratings:,} ratings ({n_users:,} users × {n_items:,} items) at rank {rank}",
        {"matrix": 2 * matrix, "passing": passing, "factors": factors},
    )


def _free_memory() -> int:
    """Bytes available without swapping, no more than a container's limit leaves."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and (text := limit.read_text().strip()) != "max":
        free = min(free, int(text) - int(used.read_text()))
    return max(free, 0)
