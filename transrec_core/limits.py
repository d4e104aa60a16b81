"""Every limit by name, and what a piece of work will need: refused before it starts, with numbers.

Nothing outside this file holds a limit of its own. ``Limits.current()`` reads them anew each time.
"""

import math
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from transrec_core.errors import BadSettingError, TooLargeError
from transrec_core.system import free_memory

SHARE = 0.8
"""Share of the memory that is free now which one piece of work may take."""

PREFIX = "TRANSREC_LIMIT_"
MEMORY_GIB = "TRANSREC_MEMORY_GIB"
MIB, GIB = 1 << 20, 1 << 30
SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGT])(?:i?B)?)?", re.IGNORECASE | re.ASCII)
MULTIPLES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def _limit(default: int | float, unit: str, meaning: str) -> Any:
    return field(default=default, metadata={"unit": unit, "meaning": meaning})


def _share_of_free_memory() -> int:
    return int(SHARE * free_memory())


@dataclass(frozen=True)
class Limits:
    """Upper bounds on pieces of work, each with its unit and meaning beside it.

    Defaults are replaced by the environment (``TRANSREC_LIMIT_COLUMNS=5000``) or, for one command,
    by ``--limit columns=5000``.
    """

    memory: int = field(
        default_factory=_share_of_free_memory,
        metadata={
            "unit": "bytes",
            "meaning": "what one fit, or the reading of one file, may use; by default "
            f"{SHARE:.0%} of the memory that is free when it starts",
        },
    )
    file_bytes: int = _limit(256 * GIB, "bytes", "size of a file of ratings or titles as it lies")
    unpacked_bytes: int = _limit(256 * GIB, "bytes", "size of such a file when unpacked")
    unpack_ratio: int = _limit(
        100, "times", "how many times its size a file of more than 32 MiB may unpack to"
    )
    archive_members: int = _limit(1000, "files", "entries of a zip archive that are looked through")
    columns: int = _limit(2000, "columns", "columns of a table")
    cell_chars: int = _limit(131_072, "characters", "length of one cell")
    rows: int = _limit(2_000_000_000, "rows", "rows of a table, counted with 32 bits")
    run_bytes: int = _limit(16 * GIB, "bytes", "size of a saved run when unpacked")
    run_members: int = _limit(10_000, "files", "entries of a saved run")
    upload_mb: int = _limit(400, "MB", "size of one file given to the dashboard")
    tab_uploads_mb: int = _limit(
        600, "MB", "uploaded files of one browser tab that wait in memory to be read"
    )
    server_uploads_mb: int = _limit(
        1200, "MB", "uploaded files of all tabs that wait in memory to be read"
    )
    workspaces: int = _limit(64, "workspaces", "workspaces in the dashboard's memory, the newest")
    idle_hours: float = _limit(6.0, "hours", "how long an unused workspace stays in memory")
    idle_kept_hours: float = _limit(
        0.5, "hours", "how long one stays in memory that is on disk too and can be read again"
    )
    kept_runs: int = _limit(5, "runs", "newest runs that a workspace keeps")
    pinned_runs: int = _limit(5, "runs", "pinned runs that a workspace keeps beside them")
    embedding_cache_bytes: int = _limit(
        GIB, "bytes", "size of the file that keeps what language models made of texts"
    )
    store_days: float = _limit(30.0, "days", "how long an unused workspace stays on disk")
    store_bytes: int = _limit(20 * GIB, "bytes", "size of all workspaces on disk")

    @classmethod
    def current(cls) -> "Limits":
        """The defaults, each replaced by its environment variable where that is set.

        Raises
        ------
        BadSettingError
            Naming the variable, its value and what is allowed.
        """
        given: dict[str, Any] = {}
        for entry in fields(cls):
            variable = origin(entry.name)
            if variable is not None:
                given[entry.name] = _parsed(entry.name, os.environ[variable], variable)
        return cls(**given)

    def require(self, estimate: "Estimate") -> None:
        """Refuse work that would need more memory.

        Raises
        ------
        TooLargeError
            With what is needed, for what, and what there is.
        """
        if estimate.total > self.memory:
            parts = ", ".join(f"{what} {size_in_words(n)}" for what, n in estimate.parts.items())
            raise TooLargeError(
                f"{estimate.what} needs about {size_in_words(estimate.total)} of memory ({parts}); "
                f"{size_in_words(self.memory)} may be used.",
                f"{estimate.fix}, {or_allow_more('memory')}.",
            )


NAMES = tuple(entry.name for entry in fields(Limits))


def variable_of(name: str) -> str:
    """The environment variable that sets a limit."""
    return PREFIX + name.upper()


def origin(name: str) -> str | None:
    """The environment variable that a limit comes from now; ``None`` for the default."""
    older = (MEMORY_GIB,) if name == "memory" else ()
    return next((v for v in (variable_of(name), *older) if os.environ.get(v)), None)


def or_allow_more(name: str) -> str:
    """The end of a refusal's advice: how to raise the limit that it names."""
    return f"or allow more with --limit {name}=… or the variable {variable_of(name)}"


def size_in_words(size: int) -> str:
    """Bytes as people say them: ``4 GiB``, ``1.5 MiB``, ``900 bytes``."""
    for unit, words in ((GIB, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {words}"
    return f"{size:,} byte{'' if size == 1 else 's'}"


def _parsed(name: str, text: str, where: str) -> int | float:
    """A limit's value from text.

    Raises
    ------
    BadSettingError
        Naming where the text stands, the text and what is allowed.
    """
    entry = next(entry for entry in fields(Limits) if entry.name == name)
    unit, whole = entry.metadata["unit"], entry.type is int
    found = SIZE.fullmatch(text.strip())
    value, suffix = (float(found[1]), (found[2] or "").upper()) if found else (math.nan, "")
    if where == MEMORY_GIB:
        value, allowed = value * GIB, "a number of GiB above zero, such as 1.5"
    elif unit == "bytes":
        value *= MULTIPLES[suffix]
        allowed = "a whole number of bytes from 1, or a size such as 500M or 4G"
    else:
        allowed = f"a whole number from 1 ({unit})" if whole else f"a number above zero ({unit})"
        value = math.nan if suffix or (whole and not value.is_integer()) else value
    if not math.isfinite(value) or value < (1 if whole else math.ulp(0.0)):
        raise BadSettingError(f"{where} is {text!r}.", f"It must be {allowed}.")
    return int(value) if whole else value


@contextmanager
def overridden(settings: Sequence[str]) -> Iterator[None]:
    """Set limits written as ``name=value`` in the environment meanwhile, for child processes too.

    Raises
    ------
    BadSettingError
        For a name that is no limit, or a value that is not allowed.
    """
    before = dict(os.environ)
    try:
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals or name not in NAMES:
                raise BadSettingError(
                    f"--limit {setting!r} sets no limit.",
                    f"Write NAME=VALUE; the names are {', '.join(NAMES)}.",
                )
            _parsed(name, text, f"--limit {name}")
            os.environ[variable_of(name)] = text
        yield
    finally:
        for variable in map(variable_of, NAMES):
            if variable in before:
                os.environ[variable] = before[variable]
            else:
                os.environ.pop(variable, None)


@dataclass(frozen=True)
class Estimate:
    """Peak memory of a piece of work.

    Attributes
    ----------
    what
        The work, as the subject of a sentence.
    parts
        Bytes by what they are for.
    fix
        What makes it smaller, as the beginning of a sentence.
    """

    what: str
    parts: dict[str, int]
    fix: str = "Use a smaller rank or fewer ratings"

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
