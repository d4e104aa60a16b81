"""Mutated files, each read in a worker process: only typed errors, within time and memory.

    python tests/benchmarks/mutations.py [--files 10000] [--corpus FOLDER] [--seed 0]

Files are those of ``tests/messy.py`` and, where given, of a folder of other ones, with bytes
changed, cut, doubled, moved, put in and packed. A worker process reads each as ``transrec check``
does and as titles, writes the report as JSON, and tells its own peak of memory meanwhile, with all
that it has loaded, and its processor time, which other work on the machine does not lengthen. One
that does not answer within a minute is killed, and a new one takes the next file. One JSON line a
failure, and one in the end with the largest figures. Needs Linux.
"""

import argparse
import contextlib
import gzip
import json
import os
import random
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from messy import all_cases, zipped

from transrec_core.data.formats import FileFormat
from transrec_core.errors import TransrecError

SECONDS, BYTES = 5.0, 256 * 2**20
LARGEST_SEED, LARGEST = 2**18, 2**21
FILES_A_WORKER = 500
TOKENS = (
    b",", b";", b"\t", b"|", b"::", b'"', b'""', b"\\", b'\\"', b"\n", b"\r", b"\r\n", b"\0",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"[", b"{", b'{"a":',
    b"sep=;\n", b"#", b"'", b" ", b"\xff", b"\xc3", b"\x1f", b"NaN", b"1e400", b"9" * 400, b"-",
    b"\xe2\x80\xa8",
)  # fmt: skip


def mutated(seeds: list[bytes], rng: random.Random) -> bytes:
    """One file, changed in one to four ways."""
    content = rng.choice(seeds)
    for _ in range(rng.randint(1, 4)):
        change = rng.choice(CHANGES)
        content = change(content, seeds, rng)[:LARGEST]
    return content


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    begin = rng.randrange(len(content) + 1)
    return begin, min(len(content), begin + rng.choice((1, 2, 8, 64, 512, 4096)))


def _flip(content: bytes, seeds: list[bytes], rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 20)) if changed else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(rng.choice((128, 256)))
    return bytes(changed)


def _cut(content: bytes, seeds: list[bytes], rng: random.Random) -> bytes:
    begin, end = _span(content, rng)
    return rng.choice((content[:begin], content[begin:], content[:begin] + content[end:]))


def _double(content: bytes, seeds: list[bytes], rng: random.Random) -> bytes:
    begin, end = _span(content, rng)
    times = rng.choice((1, 1, 2, 100, 10_000))
    return content[:end] + content[begin:end] * times + content[end:]


def _insert(content: bytes, seeds: list[bytes], rng: random.Random) -> bytes:
    token = rng.choice(TOKENS) * rng.choice((1, 1, 1, 2, 1000, 200_000))
    begin = rng.choice((0, len(content), rng.randrange(len(content) + 1)))
    return content[:begin] + token[:LARGEST] + content[begin:]


def _replace(content: bytes, seeds: list[bytes], rng: random.Random) -> bytes:
    return content.replace(rng.choice(TOKENS[:12]), rng.choice(TOKENS), rng.choice((1, 5, -1)))


def _splice(content: bytes, seeds: list[bytes], rng: random.Random) -> bytes:
    other = rng.choice(seeds)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def _pack(content: bytes, seeds: list[bytes], rng: random.Random) -> bytes:
    if rng.random() < 0.1:
        part = content[: 2**14]
        content = part * (2**26 // max(len(part), 1))
    return gzip.compress(content, 6) if rng.random() < 0.7 else zipped(a=content)


Change = Callable[[bytes, list[bytes], random.Random], bytes]
CHANGES: tuple[Change, ...] = (
    _flip, _flip, _cut, _cut, _double, _insert, _insert, _replace, _splice, _pack
)  # fmt: skip


def read(content: bytes) -> str:
    """What the importer says about a file, in a word; whatever it raises beside its own errors."""
    report = FileFormat().check(content, "file")
    assert report.usable or report.problems[0].fix
    json.dumps(report.to_json()).encode()
    try:
        FileFormat().items(content, "file")
    except TransrecError as error:
        str(error).encode()
    return "read" if report.usable else report.problems[0].code


class Worker:
    """A process that reads one file after the other."""

    def __init__(self) -> None:
        self.asks, asked = os.pipe()
        answers, self.answers = os.pipe()
        self.files = 0
        self.pid = os.fork()
        if self.pid == 0:
            os.close(asked)
            os.close(answers)
            self._serve()
        os.close(self.asks)
        os.close(self.answers)
        self.asked, self.answered = asked, answers

    def _serve(self) -> None:
        requests = os.fdopen(self.asks, "rb")
        while size := requests.read(8):
            content = requests.read(int.from_bytes(size, "big"))
            Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
            started = time.process_time()
            try:
                found = {"result": read(content), "ok": True}
            except BaseException:
                found = {"result": traceback.format_exc()[-1000:], "ok": False}
            spent = {"seconds": time.process_time() - started, "bytes": _peak()}
            os.write(self.answers, json.dumps({**found, **spent}).encode())
        os._exit(0)

    def judge(self, content: bytes) -> dict[str, Any]:
        """Result, seconds of processor time and peak memory of reading a file."""
        with contextlib.suppress(BrokenPipeError):
            request = memoryview(len(content).to_bytes(8, "big") + content)
            while request:
                request = request[os.write(self.asked, request) :]
        ready, _, _ = select.select([self.answered], [], [], 12 * SECONDS)
        text = os.read(self.answered, 2**16) if ready else b""
        if text:
            self.files += 1
            found: dict[str, Any] = json.loads(text)
            return found
        return {"result": f"ended with {self.end()}", "ok": False, "seconds": 0.0, "bytes": 0}

    def end(self) -> int:
        """Stop the process; how it ended."""
        self.files = FILES_A_WORKER
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.asked)
        os.close(self.answered)
        return os.waitpid(self.pid, 0)[1]


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if "VmHWM" in line)


def main() -> None:
    """Mutate, read, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--corpus", type=Path, help="folder of further files to mutate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that fail")
    options = parser.parse_args()
    seeds = [case.content for case in all_cases()]
    if options.corpus is not None:
        seeds += [path.read_bytes() for path in sorted(options.corpus.rglob("*")) if path.is_file()]
    seeds = [content for content in seeds if len(content) <= LARGEST_SEED]
    rng = random.Random(options.seed)
    results: Counter[str] = Counter()
    failed, slowest, largest, sizes = 0, 0.0, 0, 0
    worker = Worker()
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    # Whoever stops a long run still learns what it found.
    signal.signal(signal.SIGINT, stop)
    while not stopped and results.total() < options.files:
        content = mutated(seeds, rng)
        if worker.files >= FILES_A_WORKER:
            worker = Worker()
        found = worker.judge(content)
        if worker.files == FILES_A_WORKER and found["bytes"]:
            worker.end()
        slowest, largest = max(slowest, found["seconds"]), max(largest, found["bytes"])
        sizes += len(content)
        if not found["ok"] or found["seconds"] > SECONDS or found["bytes"] > BYTES:
            failed += 1
            number = results.total()
            print(json.dumps({"file": number, "size": len(content), **found}), flush=True)
            if options.keep is not None:
                (options.keep / f"{number}.bin").write_bytes(content)
        results[found["result"] if found["ok"] else "failed"] += 1
    if worker.files < FILES_A_WORKER:
        worker.end()
    files = results.total()
    summary = {
        "files": files, "seeds": len(seeds), "failed": failed,
        "slowest_seconds": round(slowest, 2), "largest_mib": round(largest / 2**20),
        "mean_kib": round(sizes / max(files, 1) / 1024, 1), "results": dict(results.most_common()),
    }  # fmt: skip
    print(json.dumps(summary))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
