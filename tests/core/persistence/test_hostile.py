"""Files that want to be taken for saved runs: typed errors, little memory, and nothing is run."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import random
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from profiles import scale
from saved_runs import require_same

from transrec_core.errors import TooLargeError, UnreadableRunError
from transrec_core.persistence import load_run
from transrec_core.persistence.container import LARGEST_TEXT

WHOLE = Path(__file__).with_name("format_1.transrec").read_bytes()
MUTATIONS = scale(250)


def members_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return out.getvalue()


def sealed(members: dict[str, bytes]) -> bytes:
    """A container of these members with right checksums."""
    kept = {name: member for name, member in members.items() if name != "SHA256SUMS"}
    sums = "".join(f"{hashlib.sha256(m).hexdigest()}  {name}\n" for name, m in kept.items())
    return zipped({**kept, "SHA256SUMS": sums.encode()})


def npy(array: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, **options)
    return out.getvalue()


def refused(content: bytes, match: str | None = None) -> str:
    with pytest.raises(UnreadableRunError, match=match) as caught:
        load_run(content, name="x.transrec")
    assert caught.value.message.startswith("x.transrec")
    assert len(str(caught.value)) < 500
    return caught.value.message


# ── other files ──────────────────────────────────────────────────────────────────────────────────


class Canary:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_nothing_that_pickle_would_run_is_run(tmp_path):
    canary = tmp_path / "canary"
    code = pickle.dumps(Canary(canary))
    objects = np.empty(1, object)
    objects[0] = Canary(canary)
    npz = io.BytesIO()
    np.savez(npz, objects)
    whole = members_of(WHOLE)
    files = {
        "pickle": code,
        "joblib": gzip.compress(code),
        "npy of objects": npy(objects),
        "npz of objects": npz.getvalue(),
        "torch": zipped({"archive/data.pkl": code, "archive/version": b"3\n"}),
        "run with a pickle": sealed({**whole, "arrays/data.pkl": code}),
        "run with objects": sealed({**whole, "arrays/0.npy": npy(objects)}),
        "run with a pickle for an array": sealed({**whole, "arrays/0.npy": code}),
    }
    for kind, content in files.items():
        refused(content)
        assert not canary.exists(), kind
    pickle.loads(code)
    assert canary.exists(), "the canary sings where it is unpickled"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "not a saved run"),
        (b"user_id,item_id\nu,i\n", "not a saved run"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "a PNG picture"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x80\x04\x95" + bytes(16), "a Python pickle"),
        (b"\x93NUMPY\x01\x00" + bytes(64), "a NumPy array file"),
        (b"SQLite format 3\x00" + bytes(64), "an SQLite database"),
        (zipped({"a.csv": b"x"}), "not a saved run"),
        (zipped({"[Content_Types].xml": b"x", "xl/workbook.xml": b"x"}), "not a saved run"),
        (gzip.compress(WHOLE), "not a saved run"),
    ],
    ids=["empty", "csv", "png", "pdf", "pickle", "npy", "sqlite", "zip", "xlsx", "gzip"],
)
def test_other_files_are_named(content, named):
    assert named in refused(content)


# ── bombs ────────────────────────────────────────────────────────────────────────────────────────


def lying_header(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    out = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue() + bytes(64)


def many_members(count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.json", b"{}")
        for number in range(count):
            archive.writestr(f"arrays/{number}.npy", b"")
    return out.getvalue()


def said_to_be_longer(content: bytes) -> bytes:
    """Every member's size in the list at the end is 2 GB."""
    return re.sub(
        rb"(PK\x01\x02.{16})(.{8})",
        lambda found: found[1] + struct.pack("<LL", 2**31, 2**31),
        content,
        flags=re.DOTALL,
    )


def text_of(value: bytes) -> bytes:
    return sealed({**members_of(WHOLE), "run.json": value})


BOMBS = {
    "a compressed quarter of a gigabyte": lambda: zipped(
        {**members_of(WHOLE), "arrays/0.npy": bytes(2**28)}, zipfile.ZIP_DEFLATED
    ),
    "a compressed text": lambda: zipped(members_of(WHOLE), zipfile.ZIP_BZIP2),
    "a shape of a petabyte": lambda: sealed(
        {**members_of(WHOLE), "arrays/0.npy": lying_header((2**25, 2**25))}
    ),
    "a shape beyond whole numbers": lambda: sealed(
        {**members_of(WHOLE), "arrays/0.npy": lying_header((2**62, 2**62, 0))}
    ),
    "an itemsize of a gigabyte": lambda: sealed(
        {**members_of(WHOLE), "arrays/0.npy": lying_header((1,), f"|V{2**30}")}
    ),
    "forty thousand members": lambda: many_members(40_000),
    "sizes that lie": lambda: said_to_be_longer(WHOLE),
    "a text nested deeply": lambda: text_of(b"[" * 10**6 + b"]" * 10**6),
    "values nested deeply": lambda: text_of(
        json.dumps({**json.loads(members_of(WHOLE)["run.json"]), "root": None})
        .replace('"root": null', '"root": ' + '{"tuple":[' * 900 + "0" + "]}" * 900)
        .encode()
    ),
    "a long text": lambda: text_of(b" " * (LARGEST_TEXT + 1)),
    "a number of many digits": lambda: text_of(b'{"what":' + b"9" * 10**6 + b"}"),
    "a header of a megabyte": lambda: sealed(
        {**members_of(WHOLE), "arrays/0.npy": b"\x93NUMPY\x02\x00" + struct.pack("<L", 2**20)}
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_end_in_a_typed_error(bomb):
    refused(BOMBS[bomb]())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_bombs_take_little_memory(tmp_path):
    for number, bomb in enumerate(BOMBS.values()):
        (tmp_path / f"{number:02}").write_bytes(bomb())
    code = r"""
import re, sys
from pathlib import Path
import transrec_core as tr
from transrec_core.errors import UnreadableRunError

def peak():
    # Not getrusage, whose peak is that of the process that started this one, too.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024

tr.load_run(sys.argv[2])
before = peak()
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        tr.load_run(path)
    except UnreadableRunError:
        pass
    assert peak() < before + 128, (path.name, before, peak())
"""
    whole = Path(__file__).with_name("format_1.transrec")
    subprocess.run([sys.executable, "-c", code, str(tmp_path), str(whole)], check=True)


# ── right checksums, wrong content ───────────────────────────────────────────────────────────────


def changed_text(change) -> bytes:
    members = members_of(WHOLE)
    text = json.loads(members["run.json"])
    change(text)
    return sealed({**members, "run.json": json.dumps(text).encode()})


def objects_of(text: dict, kind: str) -> list[dict]:
    return [entry for entry in text["objects"] if entry["type"] == kind]


def field(kind: str, name: str, value: object):
    def change(text: dict) -> None:
        for entry in objects_of(text, kind):
            entry["fields"][name] = value

    return change


LIES = {
    "an unknown class": lambda t: objects_of(t, "Factors")[0].update(type="Popen"),
    "a class of a module": lambda t: objects_of(t, "Factors")[0].update(type="os.system"),
    "a field more": field("Factors", "extra", 1),
    "a field less": lambda t: objects_of(t, "Factors")[0]["fields"].pop("shift"),
    "a text for a number": field("Factors", "shift", "0"),
    "a truth value for a number": field("Settings", "rank", True),
    "a setting out of range": field("Settings", "rank", -5),
    "a kind that is none": field("Settings", "model", "svd"),
    "a number for a matrix": field("Interactions", "matrix", 1),
    "a reference forwards": lambda t: objects_of(t, "csr")[0].update(data={"ref": 10**6}),
    "a reference to itself": lambda t: t.update(root={"ref": len(t["objects"])}),
    "a reference below zero": lambda t: t.update(root={"ref": -1}),
    "a root that is no run": lambda t: t.update(root={"ref": 0}),
    "a root that is a text": lambda t: t.update(root="run"),
    "no objects": lambda t: t.update(objects=None),
    "an array that is not there": lambda t: objects_of(t, "array")[0].update(array=10**9),
    "a value of two keys": lambda t: t.update(root={"ref": 1, "tuple": []}),
    "an unhashable key": lambda t: t.update(root={"map": [[[1], 2]]}),
    "a pair of three": lambda t: t.update(root={"map": [[1, 2, 3]]}),
    "a shape that is text": lambda t: objects_of(t, "csr")[0].update(shape=["a", "b"]),
    "a shape that is too small": lambda t: objects_of(t, "csr")[0].update(shape=[1, 1]),
    "a shape that is too large": lambda t: objects_of(t, "csr")[0].update(shape=[10**9, 10**9]),
    "rows of a negative table": lambda t: objects_of(t, "table")[0].update(index=-1),
    "columns of other lengths": lambda t: objects_of(t, "table")[0].update(index=10**9),
    "infinite λ": field("Explicit", "lam", {"float": "huge"}),
    "no format": lambda t: t.update(format="1"),
    "a format of zero": lambda t: t.update(format=0),
    "about that is no text": lambda t: t.update(about={"name": ["x"]}),
    "no time": lambda t: t.pop("saved"),
    "another kind of file": lambda t: t.update(what="model"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_text_that_lies_is_refused_though_its_checksum_is_right(lie):
    refused(changed_text(LIES[lie]), "x.transrec")


def arrays_like(test) -> list[str]:
    found = []
    for name, member in members_of(WHOLE).items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(member), allow_pickle=False)
            if test(array):
                found.append(name)
    return found


@pytest.mark.parametrize(
    ("which", "change"),
    [
        (lambda a: a.dtype == np.float32 and a.ndim == 2, lambda a: np.full_like(a, np.nan)),
        (lambda a: a.dtype == np.float32 and a.ndim == 2, lambda a: a[:-1]),
        (lambda a: a.dtype == np.float32 and a.ndim == 2, lambda a: a.astype(np.int64)),
        (lambda a: a.dtype == np.float32 and a.ndim == 1, lambda a: a + np.inf),
        (lambda a: a.dtype == np.int32, lambda a: a + 10**6),
        (lambda a: a.dtype == np.int32, lambda a: a - 10**6),
        (lambda a: a.dtype == np.int64, lambda a: a[::-1].copy()),
        (lambda a: a.dtype == np.int64, lambda a: a * 2**40),
        (lambda a: a.dtype == np.uint8, lambda a: np.full_like(a, 0xFF)),
        (lambda a: a.ndim == 1, lambda a: a.reshape(1, -1)),
        (lambda a: a.ndim == 1, lambda a: a.astype(np.complex64)),
        (lambda a: a.ndim == 1, lambda a: a.astype(">f8")),
    ],
)
def test_arrays_that_lie_are_refused_though_their_checksums_are_right(which, change):
    names = arrays_like(which)
    assert names
    survived = []
    for name in names:
        members = members_of(WHOLE)
        array = np.load(io.BytesIO(members[name]), allow_pickle=False)
        changed = change(array)
        if changed.tobytes() == array.tobytes():
            continue
        members[name] = npy(changed)
        try:
            load_run(sealed(members))
        except (UnreadableRunError, TooLargeError):
            continue
        survived.append(name)
    # What the evidence says in numbers may be any number.
    assert len(survived) <= len(names) // 2, (survived, names)


def test_members_that_no_run_has_are_refused():
    whole = members_of(WHOLE)
    for name in (
        "../evil",
        "/etc/passwd",
        "arrays/../../x.npy",
        "arrays/01.npy",
        "C:\\x",
        "a" * 9999,
    ):
        message = refused(sealed({**whole, name: b""}))
        assert len(message) < 300
    refused(sealed({k: v for k, v in whole.items() if k != "arrays/1.npy"}), "an array is missing")
    refused(zipped({k: v for k, v in whole.items() if k != "SHA256SUMS"}), "SHA256SUMS is missing")
    refused(zipped({**whole, "SHA256SUMS": b""}), "others than its checksums")
    swapped = {**whole, "arrays/0.npy": whole["arrays/1.npy"]}
    refused(zipped(swapped), "another content than its checksum")


# ── mutations ────────────────────────────────────────────────────────────────────────────────────


def mutated(content: bytes, draw: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        at = draw.randrange(len(data))
        kind = draw.randrange(7)
        if kind == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at : at + draw.randrange(1, 64)] = b""
        elif kind == 2:
            data[at:at] = draw.randbytes(draw.randrange(1, 64))
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            data[at : at + 4] = draw.choice((b"\xff" * 4, bytes(4), b"\x00\x00\x00\x80"))
        elif kind == 5:
            end = at + draw.randrange(1, 4096)
            data[at:at] = data[at:end]
        else:
            # Where the zip file says what it holds.
            data[-draw.randrange(1, min(len(data), 2000))] = draw.randrange(256)
        if not data:
            break
    return bytes(data)


@pytest.mark.slow
def test_mutated_files_are_refused_or_are_the_same_run():
    draw, whole = random.Random(0), load_run(WHOLE)
    same = 0
    for _ in range(MUTATIONS):
        content = mutated(WHOLE, draw)
        try:
            found = load_run(content)
        except (UnreadableRunError, TooLargeError):
            continue
        require_same(whole.run, found.run)
        same += 1
    assert same < MUTATIONS / 4


def leaves_of(value: object, path: tuple = ()) -> list[tuple]:
    """Paths to all that a JSON value holds."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, part in parts:
        found.append((*path, key))
        if isinstance(part, dict | list):
            found += leaves_of(part, (*path, key))
    return found


@pytest.mark.slow
def test_texts_with_any_other_value_are_refused_or_make_a_run():
    draw, members = random.Random(1), members_of(WHOLE)
    text = json.loads(members["run.json"])
    places = leaves_of(text)
    values = (
        None, True, -1, 0, 1, 10**18, 0.5, "", "nan", "Run", [], [0], {}, {"ref": 0}, {"ref": 3},
        {"tuple": [1, 2]}, {"map": []}, {"map": [["a", 1]]}, {"float": "nan"}, {"rows": {"ref": 1}},
    )  # fmt: skip
    refusals = 0
    for _ in range(MUTATIONS // 10):
        *path, last = draw.choice(places)
        changed = json.loads(members["run.json"])
        inside = changed
        for key in path:
            inside = inside[key]
        inside[last] = draw.choice(values)
        try:
            load_run(sealed({**members, "run.json": json.dumps(changed).encode()}))
        except (UnreadableRunError, TooLargeError):
            refusals += 1
    # What evidence says in numbers and words may be other numbers and words.
    assert refusals > MUTATIONS / 40
