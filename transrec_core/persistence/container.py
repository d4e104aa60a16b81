"""A zip file of NumPy arrays and one JSON text, each with its checksum.

Nothing in it is compressed, so that reading it never takes more memory than the file is long, and
nothing in it is run. The members:

    run.json         what the arrays mean
    arrays/<n>.npy   the arrays, as ``numpy.load`` reads them
    SHA256SUMS       checksums of all others, as ``sha256sum -c`` reads them
"""

import hashlib
import io
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import IO, TYPE_CHECKING

import numpy as np

from transrec_core.limits import Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT, SUMS = "run.json", "SHA256SUMS"
ARRAY = re.compile(r"arrays/(0|[1-9][0-9]{0,8})\.npy")
SUM_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
KINDS = "biuf"
"""Kinds of arrays: truth values, whole numbers and floating point; never objects."""

LARGEST_TEXT = 8 * 2**20
"""Bytes of the JSON: that of a run has some hundred thousand, whatever its data's size."""

BLOCK = 2**22
HEADER = 2**12
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of every member, so that the same run is the same bytes."""


# What the zip module raises for bytes that are none of its own; RuntimeError where encrypted.
_UNREADABLE = (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, struct.error)


class DamagedError(Exception):
    """The bytes are not a whole container; the text says in what way."""


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def write(stream: IO[bytes], text: bytes, arrays: "Sequence[NDArray[np.generic]]") -> None:
    """Write a container; the same content gives the same bytes."""
    assert len(text) <= LARGEST_TEXT, "what grows with the data belongs into arrays"
    sums: dict[str, str] = {}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        sums[TEXT] = _add(archive, TEXT, io.BytesIO(text))
        for number, array in enumerate(arrays):
            assert array.dtype.kind in KINDS
            name = f"arrays/{number}.npy"
            sums[name] = _add_array(archive, name, array)
        lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
        _add(archive, SUMS, io.BytesIO(lines.encode()))


class _Hashing(io.RawIOBase):
    """Passes bytes on and hashes them on the way."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.sha256.update(data)
        self._sink.write(data)
        return memoryview(data).nbytes


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    return archive.open(zipfile.ZipInfo(name, EARLIEST), "w", force_zip64=True)


def _add(archive: zipfile.ZipFile, name: str, content: IO[bytes]) -> str:
    with _member(archive, name) as sink:
        hashing = _Hashing(sink)
        while block := content.read(BLOCK):
            hashing.write(block)
    return hashing.sha256.hexdigest()


def _add_array(archive: zipfile.ZipFile, name: str, array: "NDArray[np.generic]") -> str:
    with _member(archive, name) as sink:
        hashing = _Hashing(sink)
        np.lib.format.write_array(hashing, array, allow_pickle=False)
    return hashing.sha256.hexdigest()


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


class Container:
    """A container that is being read; nothing is believed before it was checked.

    Parameters
    ----------
    stream
        The file, from its beginning.
    limits
        How many members and bytes there may be.

    Raises
    ------
    DamagedError
        When it is no zip file, or not one that ``write`` makes. So do the methods, for members
        whose content is another than the checksum says.
    """

    def __init__(self, stream: IO[bytes], limits: Limits) -> None:
        self._length = stream.seek(0, io.SEEK_END)
        _require_small_directory(stream, self._length, limits)
        stream.seek(0)
        try:
            self._archive = zipfile.ZipFile(stream)
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            NotImplementedError,
            struct.error,
        ) as error:
            raise DamagedError(f"it is no whole zip file ({error})") from None
        members = self._archive.infolist()
        self._members = {member.filename: member for member in members}
        if len(self._members) < len(members):
            raise DamagedError("a name occurs twice in it")
        for member in members:
            self._require_plain(member)
        if sum(member.file_size for member in members) > self._length:
            raise DamagedError("its members are said to be longer than the file")
        self._sums = self._read_sums()

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(member.file_size for member in self._members.values())

    def text(self) -> bytes:
        """The JSON text."""
        return self._small(TEXT)

    def arrays(self) -> "list[NDArray[np.generic]]":
        """All arrays, in the order they were written."""
        names = sorted(
            (name for name in self._members if ARRAY.fullmatch(name)),
            key=lambda name: int(name[len("arrays/") : -len(".npy")]),
        )
        if names != [f"arrays/{number}.npy" for number in range(len(names))]:
            raise DamagedError("an array is missing")
        return [self._array(name) for name in names]

    @staticmethod
    def _require_plain(member: zipfile.ZipInfo) -> None:
        name = member.filename
        if name not in (TEXT, SUMS) and not ARRAY.fullmatch(name):
            raise DamagedError(f"it has a member {name[:80]!r}, which no saved run has")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise DamagedError(f"{name} is compressed, which a saved run never is")
        if member.flag_bits & 1:
            raise DamagedError(f"{name} is encrypted")
        if name in (TEXT, SUMS) and member.file_size > LARGEST_TEXT:
            raise DamagedError(f"{name} is {member.file_size:,} bytes long")

    def _read_sums(self) -> Mapping[str, str]:
        try:
            lines = self._content(SUMS).decode("ascii").splitlines()
        except UnicodeDecodeError:
            raise DamagedError(f"{SUMS} is no text") from None
        found = [SUM_LINE.fullmatch(line) for line in lines]
        sums = {match[2]: match[1] for match in found if match}
        if set(sums) != set(self._members) - {SUMS} or len(sums) < len(lines):
            raise DamagedError("its members are others than its checksums")
        return sums

    def _open(self, name: str) -> IO[bytes]:
        if name not in self._members:
            raise DamagedError(f"{name} is missing")
        try:
            return self._archive.open(self._members[name])
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise DamagedError(f"{name} cannot be read ({error})") from None

    def _content(self, name: str) -> bytes:
        """A small member's bytes, unchecked but for the zip file's own checksum."""
        with self._open(name) as stream:
            return _read(stream, name, self._members[name].file_size)

    def _small(self, name: str) -> bytes:
        content = self._content(name)
        self._require_sum(name, hashlib.sha256(content).hexdigest())
        return content

    def _require_sum(self, name: str, digest: str) -> None:
        if self._sums[name] != digest:
            raise DamagedError(f"{name} has another content than its checksum")

    def _array(self, name: str) -> "NDArray[np.generic]":
        length = self._members[name].file_size
        with self._open(name) as stream:
            start = _read(stream, name, min(HEADER, length))
            dtype, shape, fortran, begin = _header(start, name)
            # Shape and type are believed only where they are as long as the member.
            size = dtype.itemsize
            for n in shape:
                size *= n
            if size != length - begin:
                raise DamagedError(f"{name} says it has {shape} numbers, which is not its length")
            array = np.empty(shape, dtype, order="F" if fortran else "C")
            sha256 = hashlib.sha256(start)
            content = array.reshape(-1, order="A").view(np.uint8)
            content[: len(start) - begin] = np.frombuffer(start, np.uint8, offset=begin)
            for at in range(len(start) - begin, size, BLOCK):
                block = _read(stream, name, min(BLOCK, size - at))
                sha256.update(block)
                content[at : at + len(block)] = np.frombuffer(block, np.uint8)
        self._require_sum(name, sha256.hexdigest())
        return array


def _read(stream: IO[bytes], name: str, length: int) -> bytes:
    try:
        content = stream.read(length)
    except _UNREADABLE as error:
        raise DamagedError(f"{name} is damaged ({error})") from None
    if len(content) < length:
        raise DamagedError(f"{name} ends too early")
    return content


def _header(start: bytes, name: str) -> tuple[np.dtype[np.generic], tuple[int, ...], bool, int]:
    """Type, shape, whether columns come first, and where the numbers begin."""
    with closing(io.BytesIO(start)) as stream:
        try:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):
                raise ValueError(f"version {version} of the npy format")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, HEADER)
        except (ValueError, TypeError, SyntaxError, OverflowError, RecursionError) as error:
            reason = str(error).splitlines()[0][:120]
            raise DamagedError(f"{name} is no NumPy array ({reason})") from None
        begin = stream.tell()
    if dtype.kind not in KINDS or dtype.hasobject or not dtype.isnative or dtype.itemsize > 8:
        raise DamagedError(f"{name} has numbers of the type {dtype}, which no saved run has")
    if len(shape) > 2 or any(n < 0 for n in shape):
        raise DamagedError(f"{name} has the shape {shape}")
    return dtype, shape, fortran, begin


def _require_small_directory(stream: IO[bytes], length: int, limits: Limits) -> None:
    """Refuse more members than there can be, before their list is read into memory.

    The list's length stands in a record at the end of a zip file, or in a larger one before it.
    """
    tail_length = min(length, 2**16 + 200)
    stream.seek(length - tail_length)
    tail = stream.read(tail_length)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise DamagedError("it is no whole zip file (its end is missing)")
    sizes = [struct.unpack_from("<L", tail, at + 12)[0]]
    if at >= 76 and tail[at - 76 : at - 72] == b"PK\x06\x06":
        sizes.append(struct.unpack_from("<Q", tail, at - 76 + 40)[0])
    # A member takes 46 bytes there, its name, and some more where the file is large.
    if max(sizes) > limits.run_members * 128:
        raise DamagedError(f"it has more than the {limits.run_members:,} members that it may have")
