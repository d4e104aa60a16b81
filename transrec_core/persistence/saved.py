"""Save a fitted run to one file and read it again, on this machine or another."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from transrec_core.data.opening import kind_of_content
from transrec_core.errors import TooLargeError, UnreadableRunError
from transrec_core.limits import Estimate, Limits, or_allow_more, size_in_words
from transrec_core.persistence.consistency import UnknownContentError
from transrec_core.persistence.container import Container, DamagedError, write
from transrec_core.persistence.objects import Packed, unpacked
from transrec_core.reporting.saving import atomic_file
from transrec_core.running import Run

ENDING = ".transrec"
NAME = "transrec run"
FORMAT = 2
"""Raised when the classes that are saved change; ``UPGRADES`` tells how older files are read."""

Content = dict[str, Any]
"""What ``run.json`` says."""

ADDED: Mapping[str, Content] = {
    "Evidence": {"fit_seconds": {"map": []}},
    "Ground": {"nameless": False},
    "Settings": {"deep": False, "text_model": "tfidf"},
    "Texts": {"source_vectors": None, "target_vectors": None},
}
"""Fields that classes have since format 2, with what they say of an older run."""


def _with_added(content: Content) -> Content:
    objects = content.get("objects")
    for entry in objects if isinstance(objects, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("fields"), dict):
            entry["fields"] = {**ADDED.get(str(entry.get("type")), {}), **entry["fields"]}
    return content


UPGRADES: Mapping[int, Callable[[Content], Content]] = {1: _with_added}
"""By the format that a file has: what turns its content into that of the next format."""

ABOUT_LENGTH = 1000


@dataclass(frozen=True)
class SavedRun:
    """What a file holds.

    Attributes
    ----------
    run
        The run, to the bit as it was saved.
    about
        Whatever was saved with it: text by name.
    version
        Of the transrec that wrote it.
    saved
        When, as ISO 8601 in UTC.
    """

    run: Run
    about: Mapping[str, str]
    version: str
    saved: str


def save_run(run: Run, path: str | Path, about: Mapping[str, str] | None = None) -> None:
    """Write a run to a file, whole or not at all.

    Parameters
    ----------
    run
        Data, evidence and fit; the ratings of all users are in it.
    path
        Where to; by custom the name ends with ``.transrec``.
    about
        Text to save with it, such as the names of its files.

    Raises
    ------
    OSError
        When the folder cannot be written; an earlier file of this name stays.
    """
    with atomic_file(Path(path)) as stream:
        _write(stream, run, about)


def run_bytes(run: Run, about: Mapping[str, str] | None = None) -> bytes:
    """The content of the file that ``save_run`` writes."""
    stream = io.BytesIO()
    _write(stream, run, about)
    return stream.getvalue()


def _write(stream: IO[bytes], run: Run, about: Mapping[str, str] | None) -> None:
    packed = Packed(run)
    content: Content = {
        "what": NAME,
        "format": FORMAT,
        "transrec": version("transrec"),
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "about": {name: text[:ABOUT_LENGTH] for name, text in (about or {}).items()},
        "root": packed.root,
        "objects": packed.objects,
    }
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    write(stream, text.encode(), packed.arrays)


def load_run(file: str | Path | bytes, name: str | None = None) -> SavedRun:
    """Read a saved run. Nothing in the file is run, whatever it says.

    Parameters
    ----------
    file
        A path, or the bytes of a file.
    name
        What to call it in messages; the file's own name by default.

    Raises
    ------
    UnreadableRunError
        When it is no saved run, not whole, not as its checksums say, or of a newer version.
    TooLargeError
        When it would need more memory than it may use.
    """
    if isinstance(file, bytes):
        return _read(io.BytesIO(file), name or "run")
    path = Path(file)
    name = name or path.name or str(path)
    try:
        with path.open("rb") as stream:
            return _read(stream, name)
    except OSError as error:
        raise UnreadableRunError(
            f"{name}: the file cannot be opened ({error.strerror or error}).",
            "Check the path and the permissions.",
        ) from None


def is_saved_run(head: bytes) -> bool:
    """Whether a file that begins so is a saved run, damaged or not."""
    return head.startswith(b"PK\x03\x04") and head[30:38] == b"run.json"


def _read(stream: IO[bytes], name: str) -> SavedRun:
    limits = Limits.current()
    head = stream.read(512)
    if not is_saved_run(head):
        kind = kind_of_content(head)
        what = f"this is {kind}, not a saved run." if kind else "this is not a saved run."
        raise UnreadableRunError(
            f"{name}: {what}", f"Choose a file that transrec has saved, such as name{ENDING}."
        )
    try:
        container = Container(stream, limits)
        content = _content(container.text(), name)
        if container.size > limits.run_bytes:
            raise TooLargeError(
                f"{name} is a run of {size_in_words(container.size)}; "
                f"{size_in_words(limits.run_bytes)} may be read.",
                f"Keep a run of fewer ratings, {or_allow_more('run_bytes')}.",
            )
        way = "Open it on a machine with more memory"
        limits.require(Estimate(f"Opening {name}", {"run": container.size}, way))
        run = unpacked(content["root"], content["objects"], container.arrays())
        if not isinstance(run, Run):
            raise UnknownContentError("it holds something else than a run")
    except (DamagedError, UnknownContentError) as error:
        raise UnreadableRunError(
            f"{name} is damaged: {error}.", "Copy or download it again, or fit the data anew."
        ) from None
    return SavedRun(run, content["about"], content["transrec"], content["saved"])


def _content(text: bytes, name: str) -> Content:
    try:
        content: Content = json.loads(text)
    except (ValueError, RecursionError):
        raise DamagedError("its run.json is no JSON") from None
    if not isinstance(content, dict) or content.get("what") != NAME:
        raise DamagedError("its run.json is not that of a run")
    number, writer = content.get("format"), str(content.get("transrec"))[:40]
    if type(number) is not int or number < 1:
        raise DamagedError("it does not say which format it has")
    if number > FORMAT:
        raise UnreadableRunError(
            f"{name} was saved by transrec {writer} in format {number}; this version reads up to "
            f"format {FORMAT}.",
            "Update transrec, or save the run again with this version.",
        )
    for older in range(number, FORMAT):
        content = UPGRADES[older](content)
    about = content.get("about")
    texts = [content.get("transrec"), content.get("saved")]
    texts += list(about.values()) if isinstance(about, dict) else [None]
    if not all(isinstance(text, str) for text in texts) or not {"root", "objects"} <= set(content):
        raise DamagedError("its run.json is not that of a run")
    return content
