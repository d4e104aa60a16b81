"""Where this server finds run folders: one place, named at the start, and never by a page."""

import os
from dataclasses import dataclass
from pathlib import Path

from transrec_core.errors import BadSettingError
from transrec_core.places import expanded

ENVIRONMENT = "TRANSREC_RUNS"


@dataclass
class Shelf:
    """The place whose folders everybody who reaches the server may look at.

    Attributes
    ----------
    place
        ``None`` where the server shows none.
    """

    place: Path | None = None

    def show(self, place: Path | None) -> None:
        """Show the folders of a place, by default of that which ``TRANSREC_RUNS`` names.

        Raises
        ------
        BadSettingError
            When it is no folder that can be read.
        """
        asked = os.environ.get(ENVIRONMENT, "").strip()
        if place is None and asked:
            place = expanded(asked, ENVIRONMENT)
        if place is not None and not (place.is_dir() and os.access(place, os.R_OK | os.X_OK)):
            raise BadSettingError(
                f"{place} is no folder that can be read, so no run folders can be shown from it.",
                f"Name another with --runs or {ENVIRONMENT}.",
            )
        self.place = None if place is None else place.resolve()


SHELF = Shelf()
