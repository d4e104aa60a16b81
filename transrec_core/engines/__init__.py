"""Where a run is worked out, and the folder that every engine leaves behind.

An engine is whatever does the three things of ``Engine``. The command line knows nothing else of
one, so a further engine is one more module and a line in ``ENGINES``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from transrec_core.errors import BadSettingError

if TYPE_CHECKING:
    from transrec_core.data.formats import FileFormat
    from transrec_core.data.items import Items
    from transrec_core.data.ratings import Ratings
    from transrec_core.data.report import Problem
    from transrec_core.evidence.results import Comparison
    from transrec_core.progress import OnProgress
    from transrec_core.settings import Settings

ENGINES: Mapping[str, str] = {
    "embedded": "transrec_core.engines.embedded",
    "spark": "transrec_core.engines.spark.engine",
}
"""Module of each engine; its ``Engine`` takes the address of a cluster, or none."""


@dataclass(frozen=True)
class Job:
    """What an engine is asked to do, whatever it is to write.

    Attributes
    ----------
    source, target
        Ratings of both catalogues: files, or folders and URLs where the engine reads them.
    settings
        What to fit and how to judge it.
    source_items, target_items
        Files with titles, genres and descriptions.
    formats
        What somebody has said about how a file is written, by ``source``, ``target`` or its name.
    users
        Ids to make lists for; ``None`` for all of the source.
    settle
        Whether validation users settle the source's weight in any case.
    raw
        Whether ids stay as they are in CSV.
    command
        The command line that was given, for the evidence to tell; empty where there is none.
    on_progress
        Told how far the work is; what it raises stops it.
    on_problems
        Told what is wrong with each file that was read, or with both together: the name, and
        everything that was noticed.
    """

    source: str
    target: str
    settings: "Settings"
    source_items: Sequence[str] = ()
    target_items: Sequence[str] = ()
    formats: "Mapping[str, FileFormat]" = field(default_factory=dict)
    users: Sequence[str] | None = None
    settle: bool = False
    raw: bool = False
    command: str = ""
    on_progress: "OnProgress | None" = None
    on_problems: "Callable[[str, Sequence[Problem]], None] | None" = None

    def format(self, name: str) -> "FileFormat":
        """What somebody has said about ``source``, ``target`` or a file of item texts."""
        from transrec_core.data.formats import FileFormat

        return self.formats.get(name, FileFormat())

    def tell(self, where: str, problems: "Sequence[Problem]") -> None:
        """Tell ``on_problems``."""
        if self.on_problems is not None:
            self.on_problems(where, problems)

    def tell_checks(self, comparison: "Comparison | None") -> None:
        """Tell ``on_problems`` what was noticed of both files together."""
        if comparison is not None:
            self.tell(f"{self.source} and {self.target}", comparison.checks)

    def ratings(self, side: str) -> "Ratings":
        """Read the ratings of ``source`` or ``target``."""
        file = {"source": self.source, "target": self.target}[side]
        found = self.format(side).ratings(file, file)
        self.tell(file, found.report.problems)
        return found

    def items(self, files: Sequence[str]) -> "Items | None":
        """Item texts of several files in one table; the first that names an item speaks for it."""
        if not files:
            return None
        import pandas as pd

        from transrec_core.data.items import Items

        parts = [self.format(file).items(file, file) for file in files]
        for file, part in zip(files, parts, strict=True):
            self.tell(file, part.report.problems)
        frame = pd.concat([part.frame for part in parts])
        return Items(frame[~frame.index.duplicated()], parts[0].report)


@dataclass(frozen=True)
class Outcome:
    """What a job came to, beside the files that it wrote.

    Attributes
    ----------
    comparison
        The evidence; ``None`` where there is none.
    no_comparison
        Why not; empty where nobody told.
    served
        Number of lists by the method that served; ``None`` where nobody counted.
    """

    comparison: "Comparison | None" = None
    no_comparison: str = ""
    served: Mapping[str, int] | None = None


class Engine(Protocol):
    """Does jobs; nothing is left half-written where it fails."""

    def require(self, command: str, out: str) -> None:
        """Refuse a place that cannot be written by ``compare``, ``recommend`` or ``fit``.

        Raises
        ------
        BadSettingError
            Before any work is done.
        """
        ...

    def replaced(self, command: str, out: str) -> list[str]:
        """Files and folders that the command replaces as a whole, where they are there."""
        ...

    def compare(self, job: Job, out: str) -> Outcome:
        """Measure whether the source helps; the evidence goes to the folder ``out``."""
        ...

    def recommend(self, job: Job, out: str) -> Outcome:
        """Make recommendation lists; they go to ``out``."""
        ...

    def fit(self, job: Job, out: str) -> Outcome:
        """Do both, and keep the run in ``out``."""
        ...


def engine_named(name: str, master: str | None = None, factorizer: str | None = None) -> Engine:
    """An engine.

    Parameters
    ----------
    name
        One of ``ENGINES``.
    master
        Address of the cluster, for an engine that has one.
    factorizer
        How a cluster factorizes: ``rows`` or ``mllib``; ``None`` leaves it to the engine.

    Raises
    ------
    BadSettingError
        There is no such engine, or what it needs is not installed.
    """
    if name not in ENGINES:
        raise BadSettingError(f"--engine is {name!r}.", f"It must be {' or '.join(ENGINES)}.")
    engine: Engine = import_module(ENGINES[name]).Engine(master, factorizer)
    return engine
