"""Every error that a user of transrec can cause, each with the way to mend it.

A message says what is wrong, where, how many with an example, and what to do next.
Programmers' mistakes are not here: they assert.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transrec_core.data.report import ImportReport


class TransrecError(Exception):
    """Base of all errors that a user can mend.

    Parameters
    ----------
    message
        What is wrong and where, one sentence.
    fix
        What to do about it, one sentence.
    """

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        """One line: the message and the fix."""
        return f"{self.message} {self.fix}".strip()


class UnreadableFileError(TransrecError):
    """A file cannot be read as a table of the kind that was asked for.

    Attributes
    ----------
    report
        What the importer found up to the refusal; its first problem is the reason.
    """

    def __init__(self, message: str, fix: str = "", report: "ImportReport | None" = None) -> None:
        super().__init__(message, fix)
        self.report = report


class UnreadableRunError(TransrecError):
    """A file is not a saved run that this version can read."""


class BadRatingsError(TransrecError):
    """A table was read, but its cells are not usable ratings."""


class NoOverlapError(TransrecError):
    """Source and target share no users, so nothing can be transferred through them."""


class NothingNewError(TransrecError):
    """Everybody had every item already, so there is nothing to recommend."""


class TooFewUsersError(TransrecError):
    """There are too few users to say anything about transfer with the data at hand."""


class AllCrosslistedError(TransrecError):
    """Every source item is a copy of a target item, so nothing is left without the copies."""


class RankTooLargeError(TransrecError):
    """The rank is larger than the matrix can support."""


class TooLargeError(TransrecError):
    """The work would need more memory than it may use."""


class ClusterError(TransrecError):
    """A cluster could not finish a job."""


class BadSettingError(TransrecError):
    """A setting has a value outside its range."""


class NoTextError(TransrecError):
    """Too few items have text, or they have no words in common."""


class MissingExtraError(TransrecError):
    """What was asked for needs packages that a plain installation does not bring."""


class UnusableModelError(TransrecError):
    """There is no such language model, or it is none that can be used safely."""


class UnknownUserError(TransrecError):
    """A user id is in neither domain."""


class TransrecWarning(UserWarning):
    """Something to look at, in one line with the way to mend it; the work goes on."""


class UnknownUserWarning(TransrecWarning):
    """Lists were asked for ids of which nothing is known."""


class Cancelled(TransrecError):  # noqa: N818 - a request, not a failure
    """The user asked to stop; raised by a progress callback, never by transrec itself."""
