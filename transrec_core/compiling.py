"""Compile loops to machine code, and keep the code on disk where that is possible."""

import contextlib
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache


class _Cache(FunctionCache):
    """Compiled code on disk, by what it was made of; a disk that refuses it does no harm."""

    def __init__(self, function: Callable[..., Any], made_of: Callable[[], str]) -> None:
        super().__init__(function)
        self._made_of = made_of

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), self._made_of())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with contextlib.suppress(OSError):
            return super().load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def compiled(
    *signatures: Any, made_of: Callable[[], str] = str, **options: Any
) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a loop that is compiled when it is first called, and holds no lock of Python.

    The code is kept beside the module or in the user's cache; where neither can be written, or the
    disk is full, it is compiled in memory, by each process anew.

    Parameters
    ----------
    signatures
        Types of the arguments: with them, it is compiled at once, and for no others.
    made_of
        What kept code depends on beside its own source: other code is kept apart.
    options
        As ``numba.njit`` takes them.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        made = njit(nogil=True, **options)(function)
        with contextlib.suppress(RuntimeError):  # there is no place that can be written
            made._cache = _Cache(function, made_of)
        for signature in signatures:
            made.compile(signature)
        if signatures:
            made.disable_compile()
        return made

    return decorate


def is_kept(function: Any) -> bool:
    """Whether compiled code of a function can be kept on disk, for processes to come."""
    return bool(function.stats.cache_path)
