"""How far a long piece of work is, and the one place where it can be stopped."""

from collections.abc import Callable
from dataclasses import dataclass

from transrec_core.system import raise_if_interrupted


@dataclass(frozen=True)
class Progress:
    """One report.

    Attributes
    ----------
    stage
        A short plain phrase of what is being done.
    fraction
        Share of the whole work that is done, 0 to 1.
    detail
        What is new within the stage, as ``source, half-sweep 4, objective 1,234``.
    """

    stage: str
    fraction: float
    detail: str = ""


OnProgress = Callable[[Progress], None]
"""Receives reports; raises ``Cancelled`` to stop the work."""

EXPECTED_HALF_SWEEPS = 30
EXPECTED_EPOCHS = 60


@dataclass(frozen=True)
class Meter:
    """Turns the progress of a part into that of the whole.

    Attributes
    ----------
    on_progress
        Who is told; ``None`` for nobody.
    low, high
        The share of the whole that this part covers.
    """

    on_progress: OnProgress | None = None
    low: float = 0.0
    high: float = 1.0

    def part(self, low: float, high: float) -> "Meter":
        """A meter for the share of this part between ``low`` and ``high``."""
        width = self.high - self.low
        return Meter(self.on_progress, self.low + low * width, self.low + high * width)

    def report(self, fraction: float, stage: str, detail: str = "") -> None:
        """Say that this part is done to ``fraction``; may raise ``Cancelled``.

        Raises
        ------
        KeyboardInterrupt
            Where Ctrl-C was pressed and compiled code has dropped it.
        """
        raise_if_interrupted()
        if self.on_progress is not None:
            done = self.low + min(max(fraction, 0.0), 1.0) * (self.high - self.low)
            self.on_progress(Progress(stage, done, detail))

    def fits(self, stage: str) -> Callable[[str, int, float], None]:
        """A callback for the two factorizations of a transfer fit, each half of this part."""

        def on_fit(domain: str, half_sweeps: int, value: float) -> None:
            share = 0.5 * min(half_sweeps / EXPECTED_HALF_SWEEPS, 1.0)
            first = 0.0 if domain == "source" else 0.5
            detail = f"{domain} factors, half-sweep {half_sweeps}, objective {value:,.0f}"
            self.report(first + share, stage, detail)

        return on_fit

    def learning(self, stage: str, method: str) -> Callable[[int, float], None]:
        """A callback for a method that learns in epochs, all of this part."""

        def on_epoch(epoch: int, error: float) -> None:
            detail = f"{method.replace('_', ' ')}, epoch {epoch}, error {error:.4g}"
            self.report(epoch / EXPECTED_EPOCHS, stage, detail)

        return on_epoch


UNTOLD = Meter()
"""Tells nobody."""
