"""What the optional parts of an installation bring, and whether they are there."""

from collections.abc import Mapping
from importlib.util import find_spec

from transrec_core.errors import MissingExtraError

EXTRAS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "deep": (("keras",), ("torch", "tensorflow", "jax")),
    "spark": (("pyspark",),),
    "text": (("sentence_transformers",),),
}
"""By an extra's name the packages that it needs: one of each group."""


def installed(extra: str) -> bool:
    """Whether all that an extra needs is installed; nothing is imported to find out."""
    return not _missing(extra)


def how_to_install(extra: str) -> str:
    """The advice that goes with whatever an extra would bring."""
    return f"Install it with: pip install 'transrec[{extra}]'."


def require_extra(extra: str, what: str) -> None:
    """Refuse what an extra would bring where it is not installed.

    Parameters
    ----------
    extra
        A name in ``EXTRAS``.
    what
        What needs it, as the subject of a sentence: ``"A language model"``.

    Raises
    ------
    MissingExtraError
        Naming what is missing, and the command that brings it.
    """
    missing = _missing(extra)
    if missing:
        packages = " and ".join(" or ".join(group) for group in missing)
        raise MissingExtraError(
            f"{what} needs {packages}, which is not installed.", how_to_install(extra)
        )


def _missing(extra: str) -> list[tuple[str, ...]]:
    return [
        group
        for group in EXTRAS[extra]
        if not any(find_spec(package) is not None for package in group)
    ]
