"""A file's text block by block: unpacked, transcoded to UTF-8 and checked on the way."""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from transrec_core.data.opening import (
    BYTE_ORDER_MARKS,
    WINDOW,
    compression,
    naming_damage,
    not_in_encoding,
    not_opened,
    not_utf8,
    refusal,
    require_encoding,
    require_size,
    unpacked,
    unpacking,
    zero_bytes,
)
from transrec_core.errors import UnreadableFileError

BLOCK = 2**20
PIECE = 2**23
"""Bytes that are parsed at once."""

LONGEST_LINE = 2**28
SAMPLE = 2**12


class Source:
    """A file, or the bytes of one, that is read from its beginning as often as it is asked for.

    Parameters
    ----------
    file
        Where it is.
    name
        What to call it in messages.

    Attributes
    ----------
    size, done
        Bytes of the file as it lies, and how many of them have been read this time.
    head
        How the file begins.
    packed
        How it is packed, ``None`` where it is not.

    Raises
    ------
    UnreadableFileError
        With the codes NOT_FOUND and TOO_LARGE.
    """

    def __init__(self, file: Path | bytes, name: str) -> None:
        self.file, self.name = file, name
        try:
            self.size = len(file) if isinstance(file, bytes) else file.stat().st_size
        except (OSError, ValueError) as error:
            raise not_opened(name, error) from None
        require_size(name, self.size)
        self.done = 0
        self.head = self._begin()
        self.packed = compression(self.head)

    def _begin(self) -> bytes:
        with self.open() as packed:
            return packed.read(SAMPLE)

    def open(self) -> io.BytesIO | io.BufferedReader:
        """The file as it lies."""
        try:
            return io.BytesIO(self.file) if isinstance(self.file, bytes) else self.file.open("rb")
        except OSError as error:
            raise not_opened(self.name, error) from None

    def blocks(self) -> Iterator[bytes]:
        """What is in it, unpacked."""
        with self.open() as packed:
            blocks = self._unpacked(packed)
            while block := self._next(blocks):
                self.done = packed.tell()
                yield block

    def _unpacked(self, packed: IO[bytes]) -> Iterator[bytes]:
        stream = unpacking(packed, self.name)
        if stream is not packed:
            yield from unpacked(stream, packed, self.name)
            return
        while block := packed.read(BLOCK):
            yield block

    def _next(self, blocks: Iterator[bytes]) -> bytes:
        with naming_damage(self.packed, self.name):
            return next(blocks, b"")


class Text:
    """The text of a source.

    Attributes
    ----------
    encoding
        As it was asked for, or as found.
    doubtful
        Whether the text was transcoded, as asked, although it is UTF-8; known at its end.
    """

    def __init__(self, source: Source, encoding: str | None) -> None:
        self.source, self._asked = source, encoding
        self.encoding = encoding or "utf-8"
        self.doubtful = False

    def blocks(self) -> Iterator[bytes]:
        """The text in UTF-8, without a byte order mark.

        Raises
        ------
        UnreadableFileError
            With the codes ENCODING and NUL_BYTES, as ``to_utf8``.
        """
        if self._asked is not None:
            require_encoding(self._asked, self.source.name)
        raw = self.source.blocks()
        first = next(raw, b"")
        marked = next((m for m in BYTE_ORDER_MARKS if first.startswith(m[0])), None)
        encoding = self._asked
        if encoding is None and marked is not None:
            self.encoding = marked[1]
            first = first[len(marked[0]) :]
            if marked[1] != "utf-8-sig":
                encoding, first = marked[1], marked[0] + first
        coder = codecs.getincrementaldecoder(encoding or "utf-8")()
        as_it_is = codecs.getincrementaldecoder("utf-8")() if self._asked else None
        other = codecs.lookup(self._asked or "utf-8").name != "utf-8"
        changed, utf8, begun = False, marked is None, False
        lines, before = 1, b""
        for block in _with_end(first, raw):
            waiting = len(coder.getstate()[0])
            try:
                if encoding is None:
                    text = block
                    if waiting or not block.isascii():
                        coder.decode(block, final=not block)
                else:
                    decoded = coder.decode(block, final=not block)
                    text = (decoded if begun else decoded.removeprefix("\ufeff")).encode("utf-8")
                    begun = begun or bool(decoded)
            except UnicodeError as error:
                at = getattr(error, "start", 0) - waiting
                lines += block.count(b"\n", 0, at) if at >= 0 else -before.count(b"\n", at)
                around = before + block + next(raw, b"")
                raise self._refused(around, len(before) + at, lines) from None
            if b"\0" in text:
                raise self._zeros()
            if as_it_is is not None and utf8:
                utf8 = _fits(as_it_is, block) and b"\0" not in block
            changed = changed or (other and text != block)
            lines += block.count(b"\n")
            before = (before + block)[-2 * WINDOW :]
            if text:
                yield text
        self.doubtful = self._asked is not None and changed and utf8

    def _refused(self, data: bytes, offset: int, line: int) -> UnreadableFileError:
        """What to say of a byte that is no text; zero bytes anywhere say more."""
        if self._asked is not None or self.encoding not in ("utf-8", "utf-8-sig"):
            return not_in_encoding(self.source.name, data, offset, line, self.encoding)
        if any(b"\0" in other for other in self.source.blocks()):
            return self._zeros()
        return not_utf8(self.source.name, data, offset, line)

    def _zeros(self) -> UnreadableFileError:
        """What to say of zero bytes, after counting all of them."""
        count, line, found, begin = 0, 1, 0, b""
        as_it_is = self.encoding in ("utf-8", "utf-8-sig")
        decoder = None if as_it_is else codecs.getincrementaldecoder(self.encoding)("replace")
        for block in _with_end(b"", self.source.blocks()):
            text = block if decoder is None else decoder.decode(block, not block).encode()
            begin += text[: SAMPLE - len(begin)]
            count += text.count(0)
            if not found and 0 in text:
                found = line + text.count(b"\n", 0, text.index(0))
            line += text.count(b"\n")
        return zero_bytes(self.source.name, begin, count, found)


def _with_end(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Blocks, and an empty one behind the last."""
    if first:
        yield first
    yield from rest
    yield b""


def _fits(decoder: codecs.IncrementalDecoder, block: bytes) -> bool:
    try:
        decoder.decode(block, final=not block)
    except UnicodeDecodeError:
        return False
    return True


class Pieces:
    """A text as pieces of whole lines."""

    def __init__(self, text: Text) -> None:
        self._text, self._blocks = text, text.blocks()
        self._rest = b""

    def take(self, least: int | None = None) -> bytes:
        """The next lines, about ``PIECE`` bytes of them or as many as asked; empty at the end.

        A line end is no end of a row where it is within quotes; then the rest is in the next piece.
        """
        least = PIECE if least is None else least
        parts, size = [self._rest], len(self._rest)
        self._rest = b""
        for block in self._blocks:
            parts.append(block)
            size += len(block)
            if size < least:
                continue
            piece = b"".join(parts)
            # A carriage return at the very end may be the first half of a line end.
            end = piece.rfind(b"\n") + 1 or piece.rfind(b"\r", 0, -1) + 1
            if end:
                self._rest = piece[end:]
                return piece[:end]
            if size > LONGEST_LINE:
                raise refusal(
                    self._text.source.name,
                    "CELL_TOO_LONG",
                    f"A line is longer than {LONGEST_LINE >> 20} MiB, so this is no table of text.",
                    "Look at the file's line ends.",
                )
            parts, least = [piece], 2 * size
        return b"".join(parts)
