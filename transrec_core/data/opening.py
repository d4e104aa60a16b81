"""From a path or bytes to the UTF-8 bytes of one text file, or a named refusal."""

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from transrec_core.data.report import EncodingChoice, ImportReport, Problem
from transrec_core.errors import UnreadableFileError
from transrec_core.limits import Limits, or_allow_more, size_in_words

# Real rating tables shrink 3 to 30 times; far more than that is a bomb or one repeated row, which
# does no harm while it is small.
RATIO_FREE_BYTES = 32 * 2**20
BLOCK = 2**20
# Memory that a text takes with its cells, in times its size: measured on ids of text, 3.6, on whole
# numbers, 2.5, and on short JSON lines, 5.2.
COPIES, NUMBER_COPIES, LINE_COPIES = 4, 3, 6

# First bytes of files that people take for a table, and what to call them.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file"),
    (b"{\\rtf", "a rich text document"),
    (b"ARROW1", "an Arrow IPC (Feather) file"),
    (b"FEA1", "an old Feather file"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"ORC", "an ORC file"),
)
MARKUP = re.compile(rb"<[a-z][^<>,;\t|]*>\s*<")
# The same for text, in small letters.
TEXT_KINDS = (
    (b"%%matrixmarket", "a Matrix Market file"),
    (b"@relation", "an ARFF file"),
    (b"insert into ", "an SQL script"),
    (b"create table ", "an SQL script"),
    (b"-- mysql dump", "an SQL script"),
    (b"--\n-- postgresql", "an SQL script"),
)
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Text encodings to Python that no file is in, some of them slow.
NO_FILE_ENCODINGS = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape")
COMMON_ENCODINGS = (
    "cp1252", "cp1250", "cp1251", "shift-jis", "gb18030", "big5", "euc-kr", "cp1253", "cp1254",
    "mac-roman", "cp437", "latin-1",
)  # fmt: skip
# Bytes around a doubtful one that decide about the encoding, and that show it.
WINDOW, EXCERPT = 2**14, 30
CONTENT = re.compile(rb"[^\xef\xbb\xbf \t\r\n]")
ZIP_ENTRY = b"PK\x01\x02"
SAVE_AS_CSV = "Save the table as CSV (UTF-8) and read that."


@dataclass(frozen=True)
class OpenedFile:
    """A file's content after decompression.

    Attributes
    ----------
    name
        The file's name for messages.
    data
        Content, decompressed.
    hashing
        SHA-256 of the bytes as given, before decompression; computed beside the parsing.
    """

    name: str
    data: bytes
    hashing: "Future[str]"


class TooLargeAtOnceError(UnreadableFileError):
    """The file does not fit into memory as a whole; ratings can be read from it block by block."""


def refusal(
    name: str,
    code: str,
    message: str,
    fix: str,
    count: int = 1,
    rows: tuple[int, ...] = (),
    **found: object,
) -> UnreadableFileError:
    """Build the error that refuses a file, with the report that says why."""
    problem = Problem(code, "error", message, fix, count, rows)
    report = ImportReport(name, usable=False, problems=(problem,), **found)  # type: ignore[arg-type]
    return UnreadableFileError(f"{name}: {message}", fix, report)


def open_file(file: str | Path | bytes, name: str | None = None) -> OpenedFile:
    """Read a file, unpack gzip, xz, bzip2 or a zip with one member, and name what is no table.

    Raises
    ------
    UnreadableFileError
        With the codes NOT_FOUND, EMPTY_FILE, TOO_LARGE, NOT_A_TABLE, UNSUPPORTED_COMPRESSION,
        ARCHIVE_MANY_MEMBERS, DAMAGED_FILE.
    """
    raw, name = _read(file, name)
    hashing = start_hashing(raw)
    data = _unpack(raw, name)
    require_table(data, name, packed=data is not raw)
    return OpenedFile(name, data, hashing)


def require_table(data: bytes, name: str, packed: bool) -> None:
    """Refuse content that is empty, packed once more, or of a kind that is no table.

    Raises
    ------
    UnreadableFileError
        With the codes EMPTY_FILE, UNSUPPORTED_COMPRESSION and NOT_A_TABLE.
    """
    if packed and compression(data):
        raise refusal(
            name,
            "UNSUPPORTED_COMPRESSION",
            "The file is compressed twice.",
            "Unpack it once and read the result.",
        )
    if not CONTENT.search(data) or (len(data) <= 4 and data in (b"\xff\xfe", b"\xfe\xff")):
        raise refusal(name, "EMPTY_FILE", "The file is empty.", "Choose a file with a table in it.")
    kind = kind_of_content(data)
    if kind:
        raise refusal(name, "NOT_A_TABLE", f"This is {kind}, not a table of text.", SAVE_AS_CSV)


def start_hashing(source: bytes | Path) -> "Future[str]":
    """SHA-256 of some bytes or of a file, computed in a thread beside whatever comes next."""

    def sha256() -> str:
        if isinstance(source, bytes):
            return hashlib.sha256(source).hexdigest()
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    thread = ThreadPoolExecutor(1)
    hashing = thread.submit(sha256)
    thread.shutdown(wait=False)
    return hashing


def head_of_text(path: Path, least: int) -> bytes | None:
    """The beginning of a large file of ASCII text as it stands; ``None`` where it is any other.

    Parameters
    ----------
    path
        ``open_file`` tells what else it is.
    least
        How many bytes are large.
    """
    try:
        if not least <= path.stat().st_size <= Limits.current().file_bytes:
            return None
        with path.open("rb") as file:
            head = file.read(BLOCK)
    except (OSError, ValueError):
        return None
    odd = not head.isascii() or b"\x00" in head or compression(head) or kind_of_content(head)
    return None if odd else head


def _read(file: str | Path | bytes, name: str | None) -> tuple[bytes, str]:
    if isinstance(file, bytes):
        name = name or "table"
        require_size(name, len(file))
        require_memory(name, len(file))
        return file, name
    path = Path(file)
    name = name or path.name or str(path)
    try:
        if path.is_dir():
            raise refusal(
                name, "NOT_FOUND", "This is a folder, not a file.", "Give the path of one file."
            )
        require_size(name, path.stat().st_size)
        require_memory(name, path.stat().st_size)
        return path.read_bytes(), name
    except (OSError, ValueError) as error:
        raise not_opened(name, error) from None


def not_opened(name: str, error: OSError | ValueError) -> UnreadableFileError:
    """What to say of a file that the system does not open."""
    if isinstance(error, FileNotFoundError):
        return refusal(name, "NOT_FOUND", "There is no such file.", "Check the path.")
    reason = getattr(error, "strerror", None) or str(error)
    return refusal(
        name,
        "NOT_FOUND",
        f"The file cannot be opened ({reason}).",
        "Check the path and the permissions.",
    )


def require_size(name: str, size: int) -> None:
    """Refuse a file that is larger than any may be.

    Raises
    ------
    UnreadableFileError
        With the code TOO_LARGE.
    """
    most = Limits.current().file_bytes
    if size > most:
        raise refusal(
            name,
            "TOO_LARGE",
            f"The file has {size_in_words(size)}; {size_in_words(most)} may be read.",
            f"Split it, keep only the columns user, item, rating and time, "
            f"{or_allow_more('file_bytes')}.",
        )


def require_memory(name: str, size: int, copies: float = COPIES) -> None:
    """Refuse a text that would not fit into memory with the cells that are made of it.

    Raises
    ------
    TooLargeAtOnceError
        With the code TOO_LARGE.
    """
    most = Limits.current().memory
    if copies * size > most:
        need = size_in_words(int(copies * size))
        refused = refusal(
            name,
            "TOO_LARGE",
            f"To read {size_in_words(size)} about {need} of memory are needed; "
            f"{size_in_words(most)} may be used.",
            f"Split it, keep only the columns user, item, rating and time, "
            f"{or_allow_more('memory')}.",
        )
        raise TooLargeAtOnceError(refused.message, refused.fix, refused.report)


def compression(data: bytes) -> str | None:
    """How a file that begins so is packed; ``None`` where it is not."""
    for magic, kind in (
        (b"\x1f\x8b", "gzip"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (b"PK\x05\x06", "zip"),
        (b"\x28\xb5\x2f\xfd", "zstandard"),
        (b"\x04\x22\x4d\x18", "lz4"),
    ):
        if data.startswith(magic):
            return kind
    return None


def _unpack(raw: bytes, name: str) -> bytes:
    packed = io.BytesIO(raw)
    with naming_damage(compression(raw), name):
        stream = unpacking(packed, name)
        if stream is packed:
            return raw
        out = io.BytesIO()
        for block in unpacked(stream, packed, name):
            out.write(block)
            require_memory(name, out.tell())
        return out.getvalue()  # without a copy, which a bytearray would need


@contextmanager
def naming_damage(kind: str | None, name: str) -> Iterator[None]:
    """Turn what goes wrong in unpacking into the refusal of a damaged file."""
    try:
        yield
    except UnreadableFileError:
        raise
    except (
        OSError,
        EOFError,
        lzma.LZMAError,
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
        ValueError,
    ) as error:
        raise refusal(
            name,
            "DAMAGED_FILE",
            f"The {kind} file cannot be unpacked ({error}).",
            "Download or copy it again, or unpack it yourself.",
        ) from None
    except Exception as error:
        # zlib's own error is not exported under a stable name
        if type(error).__name__ != "error":
            raise
        raise refusal(
            name,
            "DAMAGED_FILE",
            f"The {kind} file is damaged ({error}).",
            "Download or copy it again.",
        ) from None


def unpacking(packed: IO[bytes], name: str) -> IO[bytes]:
    """A stream of the content of gzip, xz, bzip2 or a zip with one member; others as they are.

    Raises
    ------
    UnreadableFileError
        With the codes UNSUPPORTED_COMPRESSION, ARCHIVE_MANY_MEMBERS and NOT_A_TABLE.
    """
    start = packed.read(16)
    packed.seek(0)
    kind = compression(start)
    if kind == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    if kind == "xz":
        return lzma.LZMAFile(packed)
    if kind == "bzip2" and start[4:10] == b"1AY&SY":
        return bz2.BZ2File(packed)
    if kind == "zip":
        return _only_member(packed, name)
    if kind in ("zstandard", "lz4"):
        raise refusal(
            name,
            "UNSUPPORTED_COMPRESSION",
            f"The file is compressed with {kind}.",
            "Unpack it first, or compress it with gzip.",
        )
    return packed


def unpacked(stream: IO[bytes], packed: IO[bytes], name: str) -> Iterator[bytes]:
    """Decompress in blocks, so that a bomb is noticed before it fills the memory.

    What comes out is held against what was read for it so far: a bomb need not be read to its end.
    """
    size = 0
    while block := stream.read(BLOCK):
        size += len(block)
        require_unpacked(name, packed.tell(), size)
        yield block


def require_unpacked(name: str, packed: int, size: int) -> None:
    """Refuse a file that has more bytes when unpacked than it may.

    Raises
    ------
    UnreadableFileError
        With the code TOO_LARGE.
    """
    limits = Limits.current()
    if size > limits.unpacked_bytes:
        raise refusal(
            name,
            "TOO_LARGE",
            f"The file is larger than {size_in_words(limits.unpacked_bytes)} when unpacked.",
            f"Split it, keep only the columns user, item, rating and time, "
            f"{or_allow_more('unpacked_bytes')}.",
        )
    if size > RATIO_FREE_BYTES and size > limits.unpack_ratio * packed:
        raise refusal(
            name,
            "TOO_LARGE",
            f"The file unpacks to more than {limits.unpack_ratio} times its size, which real "
            "tables do not.",
            f"Unpack it yourself and look at it, {or_allow_more('unpack_ratio')}.",
        )


def require_columns(name: str, width: int) -> None:
    """Refuse a table of more columns than it may have.

    Raises
    ------
    UnreadableFileError
        With the code TOO_MANY_COLUMNS.
    """
    most = Limits.current().columns
    if width > most:
        raise refusal(
            name,
            "TOO_MANY_COLUMNS",
            f"The file has {width:,} columns; {most:,} may be read.",
            "Bring it into one rating a row, with columns for user, item, rating and time, "
            f"{or_allow_more('columns')}.",
            width,
        )


def _occurrences(stream: IO[bytes], what: bytes) -> int:
    """How often some bytes occur in a stream, which is left at its beginning."""
    found, before = 0, b""
    while block := stream.read(BLOCK):
        block = before + block
        found += block.count(what)
        before = block[1 - len(what) :]
    stream.seek(0)
    return found


def _only_member(packed: IO[bytes], name: str) -> IO[bytes]:
    entries, most = _occurrences(packed, ZIP_ENTRY), Limits.current().archive_members
    # Counted before the list of entries is read, which takes far more memory than the file.
    if entries > most:
        raise refusal(
            name,
            "ARCHIVE_MANY_MEMBERS",
            f"The zip archive has {entries:,} entries; {most:,} are looked through.",
            f"Unpack it and choose one file, {or_allow_more('archive_members')}.",
            entries,
        )
    with zipfile.ZipFile(packed) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        office = {
            "xl/workbook.xml": "an Excel workbook",
            "xl/workbook.bin": "an Excel workbook",
            "word/document.xml": "a Word document",
            "content.xml": "an OpenDocument file",
        }
        for member, kind in office.items():
            if member in names:
                raise refusal(
                    name, "NOT_A_TABLE", f"This is {kind}, not a table of text.", SAVE_AS_CSV
                )
        if "run.json" in names and "SHA256SUMS" in names:
            raise refusal(
                name,
                "NOT_A_TABLE",
                "This is a saved run of transrec, not a table of text.",
                "Open it on the Data page, or use it with transrec lists and transrec report.",
            )
        if any(member.endswith(".npy") for member in names):
            raise refusal(
                name, "NOT_A_TABLE", "This is a NumPy archive, not a table of text.", SAVE_AS_CSV
            )
        names = [member for member in names if not member.startswith("__MACOSX/")]
        if len(names) != 1:
            raise refusal(
                name,
                "ARCHIVE_MANY_MEMBERS",
                f"The zip archive holds {len(names)} files, so it is not clear which is meant.",
                "Unpack it and choose one file.",
                max(len(names), 1),
            )
        return archive.open(names[0])


def kind_of_content(data: bytes) -> str | None:
    """What a file is by its first bytes, where people take it for a table; else ``None``."""
    for magic, kind in SIGNATURES:
        if data.startswith(magic):
            return kind
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle"
    if data[257:262] == b"ustar":
        return "a tar archive"
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page (HTML)"
    if start.startswith(b"<?xml"):
        return "an XML file"
    if MARKUP.match(start) and data.rstrip().endswith(b">"):
        return "a file of markup (HTML or XML)"
    return next((kind for begin, kind in TEXT_KINDS if start.startswith(begin)), None)


def to_utf8(opened: OpenedFile, encoding: str | None = None) -> tuple[bytes, str]:
    """Bytes of the same text in UTF-8 without a byte order mark, and the encoding it was in.

    Raises
    ------
    UnreadableFileError
        With the code ENCODING, naming a likely encoding, when the text is not UTF-8 and
        ``encoding`` was not given or does not fit; NUL_BYTES when it holds zero bytes.
    """
    data, name = opened.data, opened.name
    if encoding is not None:
        require_encoding(encoding, name)
        data = _decoded(data, encoding, name)
    else:
        for mark, marked in BYTE_ORDER_MARKS:
            if data.startswith(mark):
                encoding = marked
                data = data[len(mark) :] if marked == "utf-8-sig" else _decoded(data, marked, name)
                break
    if b"\x00" in data:
        line = data.count(b"\n", 0, data.index(0)) + 1
        raise zero_bytes(name, data, data.count(0), line)
    offset = -1 if data.isascii() else _first_invalid(data)
    if offset >= 0:
        raise not_utf8(name, data, offset, data.count(b"\n", 0, offset) + 1)
    return data, encoding or "utf-8"


def require_encoding(encoding: str, name: str) -> None:
    """Refuse what is not the name of a text encoding.

    Raises
    ------
    UnreadableFileError
        With the code ENCODING.
    """
    try:
        known = codecs.lookup(encoding).name not in NO_FILE_ENCODINGS
        b" ".decode(encoding)
    except LookupError:
        known = False
    except UnicodeError:
        pass  # a blank is no text in it, but other bytes are
    if not known:
        raise refusal(
            name,
            "ENCODING",
            f"There is no text encoding called {encoding!r}.",
            "Common ones are utf-8, cp1252, latin-1, utf-16, gb18030 and shift_jis.",
        )


def _decoded(data: bytes, encoding: str, name: str) -> bytes:
    try:
        return data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
    except UnicodeError as error:
        where = getattr(error, "start", 0)
        line = data.count(b"\n", 0, where) + 1
        raise not_in_encoding(name, data, where, line, encoding) from None


def not_in_encoding(
    name: str, data: bytes, where: int, line: int, encoding: str
) -> UnreadableFileError:
    """What to say of a text that is not in the encoding that was named.

    Parameters
    ----------
    name
        The file's name.
    data, where
        Some of its bytes, and the first one that does not fit.
    line
        Line of that.
    encoding
        As it was named.
    """
    return refusal(
        name,
        "ENCODING",
        f"The text is not {encoding}: it breaks off in line {line}.",
        "Choose another encoding, or leave it out to get a suggestion.",
        rows=(line,),
        encodings=encoding_choices(data, where, without=encoding),
    )


def is_utf8(data: bytes) -> bool:
    """Whether bytes are text in UTF-8 without a byte order mark."""
    marked = any(data.startswith(mark) for mark, _ in BYTE_ORDER_MARKS)
    return not marked and b"\0" not in data and (data.isascii() or _first_invalid(data) < 0)


def _first_invalid(data: bytes) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), BLOCK):
        block = data[start : start + BLOCK]
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(block, final=start + BLOCK >= len(data))
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return -1


def zero_bytes(name: str, data: bytes, count: int, line: int) -> UnreadableFileError:
    """What to say of a text with zero bytes, the first in some line, by how it begins."""
    sample = data[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    for zeros, others, guess in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros * 4 > len(sample) and len(sample) >= 16 and others * 8 < zeros:
            return refusal(
                name,
                "ENCODING",
                f"The text looks like {guess} without a byte order mark.",
                f"Pass the encoding {guess}, or save the file as UTF-8.",
                encoding=guess,
                encodings=tuple(
                    EncodingChoice(other, _first_line(data, other))
                    for other in (guess, "utf-16-le" if guess == "utf-16-be" else "utf-16-be")
                ),
            )
    return refusal(
        name,
        "NUL_BYTES",
        f"The file holds zero bytes ({count}, first in line "
        f"{line}), so it is not text or it is damaged.",
        "Export the table again as CSV.",
        count,
        (line,),
    )


def _first_line(data: bytes, encoding: str) -> str:
    text = data[: 4 * EXCERPT].decode(encoding, "replace").splitlines()[0][: 2 * EXCERPT]
    return "".join(c if c.isprintable() else " " for c in text).strip()


def encoding_choices(data: bytes, offset: int, without: str = "") -> tuple[EncodingChoice, ...]:
    """Encodings that a text may be in, the likeliest first, each with the line at ``offset`` in it.

    Encodings in which the lines around do not decode are left out, and so are those in which the
    line reads as in one before.
    """
    from charset_normalizer import from_bytes  # only a refusal needs it

    begin = data.rfind(b"\n", 0, max(0, offset - WINDOW)) + 1
    end = data.find(b"\n", min(len(data), offset + WINDOW))
    window = data[begin : min(end if end >= 0 else len(data), offset + 2 * WINDOW)]
    best = from_bytes(window).best()
    guess = best.encoding.replace("_", "-") if best else "cp1252"
    # Short western texts fit many one-byte encodings alike; cp1252 is by far the commonest.
    western = guess in ("cp1250", "ascii", "utf-8") or guess.startswith(
        ("mac", "cp4", "cp7", "cp8")
    )
    likely = ("cp1252",) if guess in ("ascii", "utf-8") else (guess,)
    choices: dict[str, EncodingChoice] = {}
    for encoding in dict.fromkeys((*(("cp1252",) if western else ()), *likely, *COMMON_ENCODINGS)):
        if encoding == without or not _decodes(window, encoding):
            continue
        preview = _line_in(data, offset, encoding)
        choices.setdefault(preview, EncodingChoice(encoding, preview))
    return tuple(choices.values())


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeError:
        return False
    return True


def _line_in(data: bytes, offset: int, encoding: str) -> str:
    """The line at an offset as one would read it, or the part of a long one around it."""
    start = max(data.rfind(b"\n", 0, offset) + 1, offset - EXCERPT)
    end = data.find(b"\n", offset)
    excerpt = data[start : min(end if end >= 0 else len(data), offset + EXCERPT)]
    text = excerpt.decode(encoding, "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()


def not_utf8(name: str, data: bytes, offset: int, line: int) -> UnreadableFileError:
    """What to say of a text that is not UTF-8, from the bytes around the first that is not."""
    choices = encoding_choices(data, offset)
    guess, shown = choices[0].encoding, choices[0].preview
    return refusal(
        name,
        "ENCODING",
        f"The text is not UTF-8 (line {line}); it is probably {guess}, in which "
        f"that line has “{shown}”.",
        f"Pass the encoding {guess} if that looks right, or save the file as UTF-8.",
        rows=(line,),
        encoding=guess,
        encodings=choices,
    )
