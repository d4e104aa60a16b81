"""Text on a console of any encoding: what it cannot show is spelled, never refused."""

import codecs
import sys
import unicodedata

SPELLED = {
    "λ": "lambda", "α": "alpha", "ν": "nu", "σ": "sigma", "Σ": "sum", "ᵀ": "^T", "√": "sqrt",
    "×": "x", "−": "-", "–": "-", "—": "-", "±": "+/-", "·": "*", "≥": ">=", "≤": "<=", "≈": "~",
    "≠": "!=", "→": "->", "⁻": "-", "…": "...", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "⁄": "/",
}  # fmt: skip
"""Signs that our own texts use, and how they are written without them."""

ERRORS = "transrec.spelled"
"""Name under which the codecs know this way of dealing with what cannot be encoded."""


def spell_what_cannot_be_shown() -> None:
    """From now on let no text that this process writes to its console end in an error.

    A console may know a few hundred characters (``cp1252``, ASCII), and even one of UTF-8 refuses
    half of a pair, which stands in the names of some files.
    """
    codecs.register_error(ERRORS, _spelled)
    for stream in (sys.stdout, sys.stderr):
        # A stream that something else has put there, or none at all (pythonw), stays.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ERRORS)


def shows_everything() -> bool:
    """Whether standard output takes all text as it is: its encoding is one of Unicode."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return codecs.lookup(encoding).name.startswith("utf")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    refused = error.object[error.start : error.end]
    return "".join(map(_spell, refused)), error.end


def _spell(character: str) -> str:
    """Write a character in ASCII: é as e; what has no such form as a question mark."""
    parts = character if character in SPELLED else unicodedata.normalize("NFKD", character)
    spelled = "".join(SPELLED.get(part, part) for part in parts)
    return spelled.encode("ascii", "ignore").decode("ascii") or "?"
