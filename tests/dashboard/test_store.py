"""The folder on disk: hashed names, whole files, room for new ones, and one server at a time."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import store as module
from dashboard.store import (
    DAY,
    InUse,
    MissingContentError,
    Store,
    StoreFullError,
    StoreInUseError,
    UnreadableRecordError,
    default_folder,
    key_of,
)

NOBODY = InUse()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "kept")
    yield made
    made.close()


def files(store: Store) -> set[str]:
    """All files but the lock, relative to the folder."""
    found = (path for path in store.folder.rglob("*") if path.is_file())
    return {path.relative_to(store.folder).as_posix() for path in found} - {"lock"}


def age(store: Store, key: str, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(store.folder / "workspaces" / f"{key}.json", (then, then))


def test_a_record_comes_back_as_it_was_written(store: Store) -> None:
    record = {"name": "ΑΒΓ \ud800 \u202e '\"\\\n", "numbers": [1, 2.5, None, True], "nested": {}}
    key = key_of("some link")
    assert store.read(key) is None
    store.write(key, record, [])
    read = store.read(key)
    assert read is not None
    assert {name: read[name] for name in record} == record


@pytest.mark.parametrize(
    "id_", ["x" * 24, "../../etc/passwd", "a/b", "\x00", "ü", "\ud800", "y" * 9999]
)
def test_whatever_the_id_its_record_is_named_by_a_hash(store: Store, id_: str) -> None:
    store.write(key_of(id_), {}, [])
    assert store.read(key_of(id_)) is not None
    (path,) = (store.folder / "workspaces").iterdir()
    assert len(path.stem) == 64
    assert id_ not in path.name
    assert id_ not in path.read_text() or len(id_) < 3


def test_a_content_comes_back_to_the_byte_and_is_kept_once(store: Store) -> None:
    content = bytes(range(256)) * 50
    name = store.put("files", content, NOBODY)
    assert store.put("files", content, NOBODY) == name
    assert store.get("files", name) == content
    assert store.used() == len(content)


def test_a_damaged_content_is_told_and_mended_by_keeping_it_again(store: Store) -> None:
    name = store.put("runs", b"a run", NOBODY)
    path = store.folder / "runs" / f"{name}.transrec"
    path.write_bytes(b"a rum")
    with pytest.raises(MissingContentError, match="damaged"):
        store.get("runs", name)
    store.put("runs", b"a run", NOBODY)
    assert store.get("runs", name) == b"a run"
    path.unlink()
    with pytest.raises(MissingContentError, match="no longer there"):
        store.get("runs", name)


@pytest.mark.parametrize("name", ["", "../lock", "0" * 63, "0" * 64 + "/../../lock", "G" * 64])
def test_a_record_cannot_name_a_file_elsewhere(store: Store, name: str) -> None:
    with pytest.raises(MissingContentError):
        store.get("files", name)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are of POSIX")
def test_nobody_else_can_look_inside(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    for folder in (tmp_path / "deep" / "new", shared):
        kept = Store(folder)
        kept.put("files", b"ratings", NOBODY)
        kept.write(key_of("x"), {}, [])
        kept.close()
        for place in ("files", "runs", "workspaces"):
            assert (folder / place).stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "deep" / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ('{"version": 1, "results": [', "damaged"),
        ("[1]", "damaged"),
        ('{"name": "no version"}', "damaged"),
        ('{"version": 2, "contents": []}', "version 2; this transrec reads version 1"),
        ('{"version": "x"}', "version x"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_and_stays(
    store: Store, text: str, words: str
) -> None:
    key = key_of("link")
    path = store.folder / "workspaces" / f"{key}.json"
    path.write_text(text)
    with pytest.raises(UnreadableRecordError, match=words):
        store.read(key)
    store.sweep(NOBODY)
    assert path.read_text() == text


@pytest.mark.parametrize("version", ["1", "99", None])
def test_what_any_record_names_stays_also_where_that_is_newer_or_damaged(
    store: Store, version: str | None
) -> None:
    kept, other = (store.put("files", content, NOBODY) for content in (b"kept", b"other"))
    text = f'{{"version": {version}, "contents": ["{kept}"], "more": "{other}"}}'
    if version is None:
        text = f'{{"contents": ["{kept}", '
    (store.folder / "workspaces" / f"{key_of('link')}.json").write_text(text)
    store.sweep(NOBODY)
    assert store.get("files", kept) == b"kept"
    with pytest.raises(MissingContentError):
        store.get("files", other)


def test_forgetting_removes_what_nothing_else_needs(store: Store) -> None:
    own, common, held = (store.put("files", c, NOBODY) for c in (b"own", b"common", b"held"))
    one, two = key_of("one"), key_of("two")
    store.write(one, {}, [own, common, held])
    store.write(two, {}, [common])
    store.forget(one, InUse(names={held}))
    assert files(store) == {f"workspaces/{two}.json", f"files/{common}", f"files/{held}"}
    store.forget(two, NOBODY)
    store.forget(two, NOBODY)
    assert files(store) == {f"files/{held}"}


def test_a_sweep_takes_what_nobody_looked_at_for_long_and_what_nobody_needs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {name: key_of(name) for name in ("old", "recent", "busy", "touched")}
    names = {name: store.put("files", name.encode(), NOBODY) for name in keys}
    for name, key in keys.items():
        store.write(key, {}, [names[name]])
        age(store, key, 29 if name == "recent" else 31)
    store.touch(keys["touched"])
    stray, held = store.put("runs", b"stray", NOBODY), store.put("runs", b"held", NOBODY)
    assert store.sweep(InUse({keys["busy"]}, {held})) == 1
    assert store.read(keys["old"]) is None
    assert all(store.read(keys[name]) for name in ("recent", "busy", "touched"))
    left = files(store)
    assert f"files/{names['old']}" not in left
    assert f"runs/{stray}.transrec" not in left
    assert f"runs/{held}.transrec" in left
    assert {f"files/{names[n]}" for n in ("recent", "busy", "touched")} <= left
    monkeypatch.setenv("TRANSREC_LIMIT_STORE_DAYS", "28.5")
    assert store.sweep(NOBODY) == 2
    assert store.read(keys["touched"]) is not None


def test_the_longest_unused_makes_room_and_never_one_in_use(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSREC_LIMIT_STORE_BYTES", "1000")
    for days, name in enumerate(("newest", "middle", "oldest", "in use")):
        content = store.put("files", name.encode() * 40, NOBODY)
        store.write(key_of(name), {}, [content])
        age(store, key_of(name), days)
    using = InUse({key_of("in use")})
    before = store.used()
    store.put("files", b"x" * (1000 - before + 1), using)
    there = {n for n in ("newest", "middle", "oldest", "in use") if store.read(key_of(n))}
    assert there == {"newest", "middle", "in use"}
    assert store.used() <= 1000


def test_where_no_room_can_be_made_nothing_is_removed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSREC_LIMIT_STORE_BYTES", "100")
    used = store.put("files", b"u" * 60, NOBODY)
    store.write(key_of("used"), {}, [used])
    unused = store.put("files", b"o" * 30, NOBODY)
    store.write(key_of("unused"), {}, [unused])
    with pytest.raises(StoreFullError, match=r"41 bytes more .* 100 bytes on disk.*store_bytes"):
        store.put("files", b"x" * 41, InUse({key_of("used")}))
    with pytest.raises(StoreFullError):
        store.put("files", b"x" * 101, NOBODY)
    assert store.get("files", unused) == b"o" * 30


def test_one_server_at_a_time_and_a_killed_one_leaves_the_folder_free(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from dashboard.store import Store\n"
        f"store = Store(Path({str(tmp_path)!r}))\n"
        "print('open', flush=True); time.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreInUseError, match="Another transrec server"):
            Store(tmp_path)
        other.kill()
        other.wait(20)
        Store(tmp_path).close()
    finally:
        other.kill()
        other.wait()


def test_what_a_killed_server_left_unfinished_goes_at_the_next_start(tmp_path: Path) -> None:
    Store(tmp_path).close()
    left = [tmp_path / place / ".transrec-abc" for place in ("files", "runs", "workspaces")]
    for path in left:
        path.write_bytes(b"half a file")
    Store(tmp_path).close()
    assert not any(path.exists() for path in left)


def test_a_full_disk_leaves_the_state_before(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_of("link")
    store.write(key, {"state": "before"}, [])
    before = files(store)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write(key, {"state": "after"}, [])
    with pytest.raises(OSError, match="No space"):
        store.put("files", b"content", NOBODY)
    assert files(store) == before
    assert (
        json.loads((store.folder / "workspaces" / f"{key}.json").read_text())["state"] == "before"
    )
    monkeypatch.undo()
    assert store.used() == 0


def test_the_folder_is_that_of_the_environment_or_the_platform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert default_folder() is None  # as the tests are run
    monkeypatch.setenv(module.ENVIRONMENT, str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv(module.ENVIRONMENT)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    found = default_folder()
    assert found is not None
    assert found.name == "transrec"
    assert not found.exists()
