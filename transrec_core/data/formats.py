"""How a file is written and what its columns mean, as far as somebody has said so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast, get_args

from transrec_core.data.items import Items, read_items
from transrec_core.data.mapping import ROLES, amended
from transrec_core.data.ratings import Duplicates, Ratings, to_ratings
from transrec_core.data.reading import Table, asked_flags, read_table
from transrec_core.data.report import DELIMITER_NAMES, ImportReport, Problem
from transrec_core.data.streaming import read_rated
from transrec_core.data.users import IdList, read_ids
from transrec_core.errors import BadRatingsError, BadSettingError, UnreadableFileError

COLUMN_FLAGS = {f"{role}-column": role for role in ROLES}
FLAGS = ("encoding", "delimiter", "header", *COLUMN_FLAGS, "duplicates")
YES_NO = {"yes": True, "no": False}


@dataclass(frozen=True)
class FileFormat:
    """What somebody has said about a file of ratings; the rest is guessed from the file.

    Attributes
    ----------
    encoding, delimiter, header
        As in ``read_table``.
    columns
        Column by role, for roles that somebody has named; ``None`` where the file has none.
    duplicates
        As in ``to_ratings``.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    duplicates: Duplicates = "last"

    @classmethod
    def of(cls, said: Mapping[str, str]) -> "FileFormat":
        """The format that flags of the command line say, as ``{"header": "no"}``.

        Raises
        ------
        BadSettingError
            For a value that is not allowed.
        """
        delimiters = {name: delimiter for delimiter, name in DELIMITER_NAMES.items()}
        delimiter, header, duplicates = map(said.get, ("delimiter", "header", "duplicates"))
        if header is not None and header not in YES_NO:
            raise BadSettingError(f"--header is {header!r}.", "It must be yes or no.")
        if duplicates is not None and duplicates not in get_args(Duplicates):
            raise BadSettingError(
                f"--duplicates is {duplicates!r}.", "It must be last, mean or refuse."
            )
        return cls(
            said.get("encoding"),
            None if delimiter is None else delimiters.get(delimiter, delimiter),
            None if header is None else YES_NO[header],
            {role: said[flag] or None for flag, role in COLUMN_FLAGS.items() if flag in said},
            cast(Duplicates, duplicates or "last"),
        )

    @property
    def asked(self) -> dict[str, str]:
        """The flags that say the same: of ``FileFormat.of(said)``, what was said."""
        flags = asked_flags(self.delimiter, self.header, self.encoding)
        flags |= {f"{role}-column": column or "" for role, column in self.columns.items()}
        return flags if self.duplicates == "last" else {**flags, "duplicates": self.duplicates}

    def table(self, file: str | Path | bytes, name: str | None = None) -> Table:
        """Read a file's cells; errors as in ``read_table``."""
        return read_table(
            file,
            name=name,
            encoding=self.encoding,
            delimiter=self.delimiter,
            header=self.header,
        )

    def rated(self, file: str | Path | bytes, name: str | None = None) -> Table:
        """Read what ratings are made of from a file of any size; errors as in ``read_rated``."""
        return read_rated(
            file,
            self.columns,
            name=name,
            encoding=self.encoding,
            delimiter=self.delimiter,
            header=self.header,
        )

    def ratings(self, file: str | Path | bytes, name: str | None = None) -> Ratings:
        """Read a file of ratings; errors as in ``read_ratings``."""
        return self._ratings(self.rated(file, name))

    def items(self, file: str | Path | bytes, name: str | None = None) -> Items:
        """Read a file of item texts; errors as in ``read_items``."""
        return read_items(
            file,
            name=name,
            encoding=self.encoding,
            delimiter=self.delimiter,
            header=self.header,
        )

    def ids(
        self,
        file: str | Path | bytes,
        name: str | None = None,
        *,
        role: str = "user",
        known: Sequence[str] = (),
    ) -> IdList:
        """Read a file of ids; arguments and errors as in ``read_ids``."""
        return read_ids(
            file,
            name=name,
            role=role,
            column=self.columns.get(role),
            known=known,
            encoding=self.encoding,
            delimiter=self.delimiter,
            header=self.header,
        )

    def check(self, file: str | Path | bytes, name: str | None = None) -> ImportReport:
        """Report on a file, whatever is wrong with it."""
        try:
            table = self.rated(file, name)
        except UnreadableFileError as refused:
            report = refused.report
            assert report is not None  # read_table always says why
            return report
        mapping = amended(table.report.mapping, self.columns)
        if mapping["user"] is None or mapping["item"] is None:
            return table.report
        try:
            return self._ratings(table).report
        except BadRatingsError as error:
            message = error.message.removeprefix(f"{table.report.file}: ")
            problem = Problem("NO_RATINGS", "warning", message, error.fix)
            return replace(table.report, problems=(problem, *table.report.problems))

    def _ratings(self, table: Table) -> Ratings:
        mapping = amended(table.report.mapping, self.columns)
        return to_ratings(table, mapping, duplicates=self.duplicates)
