"""What the importer has to say about a file: usable or not, and every problem by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]

DELIMITER_NAMES = {
    ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space", "::": "double colon",
}  # fmt: skip


def plural(count: int, one: str, many: str = "") -> str:
    """A counted noun, as in ``1 row`` and ``2,000 rows``; a verb may go with each."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@dataclass(frozen=True)
class Problem:
    """One kind of problem in one file or pair of files.

    Attributes
    ----------
    code
        A stable name in capitals, as ``RAGGED``.
    severity
        ``error``: the data cannot be used; ``warning``: it can, but look; ``info``: good to know.
    message
        What is wrong, with an example value.
    fix
        What the analyst can do about it.
    count
        How often it occurs.
    rows
        The first five line numbers (the first line of the file is 1), empty where there are none.
    """

    code: str
    severity: Severity
    message: str
    fix: str = ""
    count: int = 1
    rows: tuple[int, ...] = ()

    def in_one_line(self, where: str) -> str:
        """The problem of a file, or of a pair of files, with its lines and the way to mend it."""
        lines = f" (line {', '.join(map(str, self.rows))})" if self.rows else ""
        return f"{where}{lines}: {self.message} {self.fix}".strip()

    def to_json(self) -> dict[str, Any]:
        """The problem as plain JSON values."""
        return {
            "code": self.code,
            "severity": self.severity,
            "count": self.count,
            "rows": list(self.rows),
            "message": self.message,
            "fix": self.fix,
        }


@dataclass(frozen=True)
class EncodingChoice:
    """An encoding that a text may be in, and how a line that is not UTF-8 reads in it."""

    encoding: str
    preview: str

    def to_json(self) -> dict[str, str]:
        """The choice as plain JSON values."""
        return {"encoding": self.encoding, "preview": self.preview}


@dataclass(frozen=True)
class ImportReport:
    """What was found in one file.

    Attributes
    ----------
    file
        The file's name as the user gave it.
    usable
        Whether the table could be read as rows × columns.
    rows, columns
        Number of data rows (without a header) and the column names.
    encoding, delimiter, header
        How the file was read; ``None`` for delimiter where there is none (Parquet).
    mapping
        Which column plays ``user``, ``item``, ``rating`` and ``time``; ``None`` where unknown.
    problems
        Everything noticed, errors first.
    encodings
        Of a file that is refused for its encoding: those that it may be in, the likeliest first.
    asked
        What was not guessed but said by somebody, by the name of the command line's flag.
    """

    file: str
    usable: bool
    rows: int = 0
    columns: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    header: bool = True
    mapping: Mapping[str, str | None] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    encodings: tuple[EncodingChoice, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values (the contract of ``transrec check --json``)."""
        return {
            "file": self.file,
            "usable": self.usable,
            "rows": self.rows,
            "columns": list(self.columns),
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "header": self.header,
            "mapping": dict(self.mapping),
            "problems": [problem.to_json() for problem in self.problems],
            "encodings": [choice.to_json() for choice in self.encodings],
            "asked": dict(self.asked),
        }
