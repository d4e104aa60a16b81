"""The factorizations of one run: each is made once, and from an earlier run's where that fits."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from transrec_core.factors.model import Factors
from transrec_core.transfer.fitting import FitSpec, OnFit, TransferFit, fit_transfer
from transrec_core.transfer.knowledge import Ground

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

Part = Literal["source", "choosing", "telling", "all"]
"""What is factorized: the whole source; the target without the users held out for choosing and
telling, without those held out for telling, and whole."""

MOST_KEPT = 256 * 2**20
"""Bytes of factors that a run hands on to a next one."""


@dataclass(frozen=True)
class WarmStart:
    """Factorizations of a run, for a next one to start from.

    Attributes
    ----------
    grounds
        All that they hang on besides method, rank and λ. A run on other grounds cannot use them.
    factors
        By feedback and part.
    """

    grounds: tuple[object, ...]
    factors: Mapping[tuple[str, Part], Factors]


class Factorizations:
    """Makes factorizations by part, rank and λ, and remembers them.

    Parameters
    ----------
    earlier
        Where to start from; what has no start begins at random. A part starts from the same part
        alone, so that nothing of a held-out user reaches its factors. All candidates of a search
        start there and none from another, so that their order does not matter.
    """

    def __init__(self, earlier: Mapping[tuple[str, Part], Factors] | None = None) -> None:
        self._earlier = dict(earlier or {})
        self._made: dict[tuple[str, Part, int, float], Factors] = {}
        self._seconds: dict[tuple[str, Part, int, float], float] = {}

    def has(self, part: Part, spec: FitSpec) -> bool:
        """Whether this was made before."""
        return (spec.feedback, part, spec.rank, spec.lam) in self._made

    def seconds(self, part: Part, spec: FitSpec) -> float:
        """What it took to make this; 0 where it was not made, or was there before the run."""
        return self._seconds.get((spec.feedback, part, spec.rank, spec.lam), 0.0)

    def fit(
        self,
        ground: Ground,
        spec: FitSpec,
        part: Part,
        matrix: "sp.csr_array",
        map_users: "NDArray[np.integer] | None" = None,
        on_fit: OnFit | None = None,
    ) -> TransferFit:
        """Both domains under one set of parameters; no method has learned yet.

        Parameters
        ----------
        ground
            The linked domains.
        spec
            How to factorize.
        part
            What the target matrix is; always the same matrix for one part.
        matrix
            Target data to learn from.
        map_users
            Positions in ``pair.shared`` of the users to learn from; default all.
        on_fit
            Progress; what it raises stops the fit.
        """
        source = self.of("source", ground.pair.source.matrix, spec, on_fit)
        target = self.of(part, matrix, spec, on_fit)
        return fit_transfer(
            ground.pair,
            spec,
            target_matrix=matrix,
            map_users=map_users,
            method=None,
            ground=ground,
            source=source,
            target=target,
        )

    def of(
        self, part: Part, matrix: "sp.csr_array", spec: FitSpec, on_fit: OnFit | None = None
    ) -> Factors:
        """One factorization; parameters as for ``fit``."""
        key = (spec.feedback, part, spec.rank, spec.lam)
        if key in self._made:
            return self._made[key]
        start = self._earlier.get((spec.feedback, part))
        if start is not None and (start.rank, start.lam) == (spec.rank, spec.lam):
            found = start
        else:
            domain = "source" if part == "source" else "target"
            started = time.perf_counter()
            found = spec.factorize(
                matrix,
                start,
                None if on_fit is None else lambda half, value: on_fit(domain, half, value),
            )
            self._seconds[key] = time.perf_counter() - started
        self._made[key] = found
        return found

    def keep(self, feedback: str, specs: tuple[FitSpec, ...]) -> None:
        """Forget what was made by this feedback under other parameters than these."""
        wanted = {(spec.rank, spec.lam) for spec in specs}
        self._made = {
            key: made for key, made in self._made.items() if key[0] != feedback or key[2:] in wanted
        }

    def hand_on(self, specs: tuple[FitSpec, ...]) -> dict[tuple[str, Part], Factors]:
        """What was made under one set of parameters a feedback; nothing where it is too large."""
        found = {
            key[:2]: made
            for key, made in self._made.items()
            if any((spec.feedback, spec.rank, spec.lam) == (key[0], *key[2:]) for spec in specs)
        }
        size = sum(made.user_factors.nbytes + made.item_factors.nbytes for made in found.values())
        return found if size <= MOST_KEPT else {}
