"""The command line keeps its contract: what it takes, writes, says and returns."""

import ctypes
import html
import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from needs import LINKS
from worlds import checkerboard

from transrec_core import cli
from transrec_core.data.report import ImportReport
from transrec_core.errors import BadSettingError, Cancelled, NoOverlapError, TooFewUsersError
from transrec_core.factors.solver import factorize
from transrec_core.places import require_apart
from transrec_core.progress import Meter
from transrec_core.reporting.saving import atomic_folder, write_folder
from transrec_core.reporting.tables import write_parts
from transrec_core.system import remembering_interrupts

GOOD = "user_id,item_id,rating,timestamp\nu1,i1,5,1400000000\nu2,i2,3,1400000001\n"


@pytest.fixture
def run(capsys):
    def call(*arguments):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stopped:  # how argparse ends help, version and wrong arguments
            code = stopped.code
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def ratings(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(GOOD)
    return path


def one_line(err: str) -> str:
    assert err.startswith("transrec: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err


# ── check ────────────────────────────────────────────────────────────────────────────────────────


def test_check_json_is_one_object_a_file(run, ratings, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"%PDF-1.7 ")
    code, out, err = run("check", ratings, bad, "--json")
    assert code == 1
    assert err == ""
    first, second = (json.loads(line) for line in out.splitlines())
    assert first == {
        "file": str(ratings), "usable": True, "rows": 2,
        "columns": ["user_id", "item_id", "rating", "timestamp"], "encoding": "utf-8",
        "delimiter": ",", "header": True, "problems": [],
        "mapping": {"user": "user_id", "item": "item_id", "rating": "rating", "time": "timestamp"},
        "encodings": [], "asked": {},
    }  # fmt: skip
    assert second["usable"] is False
    (problem,) = second["problems"]
    assert set(problem) == {"code", "severity", "count", "rows", "message", "fix"}
    assert problem["code"] == "NOT_A_TABLE"


def test_check_tells_people_what_was_read_and_what_is_wrong(run, tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(GOOD + "u3,i3\nu1,i1,4,1400000005\nu4,i4,good,1\n")
    code, out, _ = run("check", path)
    assert code == 0
    assert "usable, 4 rows × 4 columns" in out
    assert "user = user_id, item = item_id, rating = rating, time = timestamp" in out
    assert "warning RAGGED (line 4)" in out
    assert "warning DUPLICATE_PAIR (line 5)" in out
    assert "warning BAD_RATING (line 6)" in out


def test_check_speaks_of_the_table_where_the_ratings_are_no_use(run, tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating\nu,i,good\n")
    code, out, _ = run("check", path, "--json")
    assert code == 0
    report = json.loads(out)
    assert report["usable"]
    assert report["problems"][0]["code"] == "NO_RATINGS"


@pytest.mark.parametrize("error", [KeyError, IndexError, ZeroDivisionError, RuntimeError])
def test_an_unforeseen_error_is_one_line_and_its_traceback_stands_in_the_log(
    run, ratings, tmp_path, monkeypatch, error
):
    somebody = "@".join(("ada", "example.org"))

    def fail(*_arguments, **_options):
        raise error(somebody)

    monkeypatch.setenv("TRANSREC_LOG", str(tmp_path / "logs"))
    monkeypatch.setattr("transrec_core.engines.embedded.run_for_lists", fail)
    code, out, err = run("recommend", ratings, ratings, "--out", tmp_path / "r.csv")
    assert (code, out) == (2, "")
    line = one_line(err)
    reference = line.partition("(error id ")[2][:8]
    log = tmp_path / "logs" / "errors.log"
    assert str(log) in line
    assert somebody not in line
    text = log.read_text()
    assert f"error {reference} in transrec recommend" in text
    assert ", in fail" in text
    assert somebody not in text


def test_what_a_terminal_would_act_on_is_not_written_to_it(run, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("user,item,rating\nu1,i1,\x1b[2Jfive\u202e\nu2,i2,5\n")
    missing = tmp_path / "\x1b]0;title\x07.csv"
    for arguments in (("check", bad), ("recommend", missing, bad, "--out", tmp_path / "r.csv")):
        _, out, err = run(*arguments)
        said = out + err
        assert "[2Jfive" in said or "]0;title" in said
        assert not any(sign in said for sign in "\x1b\x07\u202e")


def test_check_refuses_a_missing_file(run, tmp_path):
    code, out, _ = run("check", tmp_path / "nothing.csv", "--json")
    assert code == 1
    assert json.loads(out)["problems"][0]["code"] == "NOT_FOUND"


def test_a_file_is_read_as_the_flags_say(run, tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes("u1;café;4\nu2;thé;5\nu2;thé;3\n".encode("cp1252"))
    code, out, _ = run("check", path)
    assert code == 1
    assert "  in cp1252: u1;café;4" in out
    flags = ["--encoding", "cp1252", "--delimiter", "semicolon", "--no-header",
             "--user-column", "column_2", "--item-column", "column_1", "--rating-column", "",
             "--duplicates", "mean"]  # fmt: skip
    code, out, _ = run("check", path, "--json", *flags)
    assert code == 0
    report = json.loads(out)
    assert report["asked"] == {
        "encoding": "cp1252", "delimiter": "semicolon", "header": "no", "user-column": "column_2",
        "item-column": "column_1", "rating-column": "", "duplicates": "mean",
    }  # fmt: skip
    assert report["mapping"] == {
        "user": "column_2", "item": "column_1", "rating": None, "time": None
    }  # fmt: skip
    assert "NO_HEADER_GUESS" not in [problem["code"] for problem in report["problems"]]


def test_what_is_said_of_one_file_goes_before_what_is_said_of_all(run, tmp_path):
    paths = [tmp_path / name for name in ("a.csv", "b.csv")]
    for path in paths:
        path.write_text("x,y\nu,i\n")
    said = ["--header", f"{paths[1]}=no", "--header", "yes", "--user-column", "a=b=c"]
    code, out, _ = run("check", *paths, "--json", *said)
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert [first["rows"], second["rows"]] == [1, 2]
    assert "no column or role 'a=b=c'" in out


@pytest.mark.parametrize(
    ("flag", "value", "allowed"),
    [
        ("--header", "maybe", "yes or no"),
        ("--duplicates", "first", "last, mean or refuse"),
        ("--delimiter", '"', "no quote"),
        ("--delimiter", "", "one or more characters"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(run, ratings, flag, value, allowed):
    code, _, err = run("check", ratings, flag, value)
    assert code == 2
    assert allowed in one_line(err)


def test_what_was_said_by_hand_stands_in_the_command_that_repeats_it(run, sample_data, tmp_path):
    films, books = (sample_data / f"{name}.csv" for name in ("films", "books"))
    latin = tmp_path / "films.csv"
    rows = films.read_text().splitlines()[:6000]
    latin.write_bytes("\n".join([*rows[1:], "José;odd,f1,3"]).encode("cp1252"))
    said = ["--encoding", "source=cp1252", "--header", "source=no"]
    quick = ["--rank", "4", "--lam", "0.1", "--method", "factor_map", "--shots", "0"]
    code, _, err = run("compare", latin, books, "--out", tmp_path / "out", *said, *quick)
    assert code == 0
    assert f"warning: {latin} (line 6000): 1 row does not have 4 cells" in err
    evidence = json.loads((tmp_path / "out" / "evidence.json").read_text())
    assert evidence["data"]["source"]["asked"] == {"encoding": "cp1252", "header": "no"}
    command = shlex.split(evidence["command"])
    assert {"source=cp1252", "source=no"} <= set(command)
    parsed = cli._parser().parse_args(command[1:])
    assert parsed.encoding == ["source=cp1252"]


# ── arguments ────────────────────────────────────────────────────────────────────────────────────


def test_help_and_version(run):
    code, out, _ = run("--help")
    assert code == 0
    for command in ("app", "check", "recommend", "compare"):
        assert command in out
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith("transrec ")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["recommend", "a.csv"], "TARGET"),
        (["recommend", "a.csv", "b.csv"], "--out"),
        (["compare", "a", "b", "--out", "d", "--rank", "many"], "'many' is neither"),
        (["compare", "a", "b", "--out", "d", "--lam", "x"], "'x' is neither"),
        (["compare", "a", "b", "--out", "d", "--shots", "0,few"], "0,1,2,5,10"),
        (["compare", "a", "b", "--out", "d", "--shots", "5,1"], "rising order"),
        (["compare", "a", "b", "--out", "d", "--rank", "0"], "rank is 0"),
        (["compare", "a", "b", "--out", "d", "--lam", "nan"], "lam is nan"),
        (["compare", "a", "b", "--out", "d", "--method", "magic"], "'magic'"),
        (["compare", "a", "b", "--out", "d", "--feedback", "loud"], "'loud'"),
        (["compare", "a", "b", "--out", "d", "--model", "svd"], "'svd'"),
        (["recommend", "a", "b", "--out", "r.csv", "--top", "0"], "top is 0"),
        (["recommend", "a", "b", "--out", "r.xlsx"], ".csv, .parquet, .json"),
        (["dance"], "dance"),
    ],
)
def test_wrong_arguments_are_one_line_and_2(run, tmp_path, monkeypatch, arguments, word):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert word in one_line(err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["app"], ["--port", "9000", "--no-browser"]])
def test_without_a_command_the_dashboard_opens(run, monkeypatch, arguments):
    launched = []
    from dashboard import launch

    monkeypatch.setattr(launch, "launch", lambda **how: launched.append(how))
    code, _, _ = run(*arguments)
    assert code == 0
    port, browser = (9000, False) if arguments[:1] == ["--port"] else (None, True)
    asked = {"host": "127.0.0.1", "port": port, "open_browser": browser}
    # What else is handed over is tested with the option that asks for it.
    assert [{name: how[name] for name in asked} for how in launched] == [asked]


def test_a_reverse_proxys_path_and_names_reach_the_launcher(run, monkeypatch):
    launched = []
    from dashboard import launch

    monkeypatch.setattr(launch, "launch", lambda **how: launched.append(how))
    names = ("--allow-host", "a.example.org", "--allow-host", "b.example.org")
    assert run("app", "--base-path", "/rec", *names)[0] == 0
    assert launched[0]["base_path"] == "/rec"
    assert launched[0]["names"] == ["a.example.org", "b.example.org"]


def test_help_does_not_load_the_numerical_packages():
    script = (
        "import sys; from transrec_core import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'pandas', 'numba', 'streamlit', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


# ── places to write, checked before any work ─────────────────────────────────────────────────────


@pytest.fixture
def no_work(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("work began")

    monkeypatch.setattr("transrec_core.data.ratings.read_ratings", fail)


def test_a_folder_that_is_a_file_is_refused_first(run, ratings, no_work):
    for out in (ratings, ratings / "deeper"):
        code, _, err = run("compare", ratings, ratings, "--out", out)
        assert code == 2
        assert "is a file" in one_line(err)
    code, _, err = run("recommend", ratings, ratings, "--out", ratings / "r.csv")
    assert code == 2
    assert "is a file" in one_line(err)


def test_a_file_that_is_a_folder_is_refused_first(run, ratings, tmp_path, no_work):
    (tmp_path / "x.csv").mkdir()
    code, _, err = run("recommend", ratings, ratings, "--out", tmp_path / "x.csv")
    assert code == 2
    assert "is a folder" in one_line(err)


def test_a_folder_that_cannot_be_written_is_refused_first(
    run, ratings, tmp_path, monkeypatch, no_work
):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    for command, out in (("recommend", tmp_path / "r.csv"), ("compare", tmp_path / "new")):
        code, _, err = run(command, ratings, ratings, "--out", out)
        assert code == 2
        assert "cannot be written" in one_line(err)


def test_a_missing_folder_for_a_table_is_refused_first(run, ratings, tmp_path, no_work):
    code, _, err = run("recommend", ratings, ratings, "--out", tmp_path / "no" / "r.csv")
    assert code == 2
    assert "does not exist" in one_line(err)


# ── what is read is never written over ───────────────────────────────────────────────────────────


@pytest.fixture
def inputs(tmp_path):
    """A folder of files and folders that commands read."""
    for name in ("s.csv", "t.csv", "texts.csv", "users.csv", "run.csv"):
        (tmp_path / name).write_text(GOOD)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part-0.csv").write_text(GOOD)
    return tmp_path


READING = {
    "recommend": ["s.csv", "t.csv", "--items", "texts.csv", "--users", "users.csv"],
    "compare": ["s.csv", "t.csv", "--items", "texts.csv"],
    "fit": ["s.csv", "t.csv", "--source-items", "texts.csv"],
    "sparsity": ["s.csv", "t.csv"],
    "sources": ["t.csv", "s.csv"],
    "lists": ["run.csv", "--users", "users.csv"],
    "report": ["run.csv"],
}
# What each replaces: the file itself, or one in the folder that is named.
NAMED = {"compare": "evidence.json", "report": "per_user.csv"}
SPELLINGS = {
    "the same": lambda there, made: there,
    "another spelling": lambda there, made: there.parent / "parts" / ".." / there.name,
    "a symbolic link": lambda there, made: made.symlink_to(there),
    "a hard link": lambda there, made: made.hardlink_to(there),
}


@LINKS
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("command", "file"),
    [(name, word) for name, words in READING.items() for word in words if "." in word],
)
def test_no_command_writes_over_what_it_reads(
    run, inputs, monkeypatch, no_work, command, file, spelling
):
    monkeypatch.chdir(inputs)
    before = {path: path.read_text() for path in inputs.glob("*.*")}
    words = list(READING[command])
    out = inputs / "made.csv"
    if command in NAMED:
        # The folder has what is read under the name that is written.
        out = inputs / "made"
        out.mkdir()
        there = out / NAMED[command]
        there.hardlink_to(inputs / file)
    else:
        out = SPELLINGS[spelling](inputs / file, out) or out
    code, said, err = run(command, *words, "--out", out)
    assert (code, said) == (2, "")
    assert f"would change {file}" in one_line(err)
    assert {path: path.read_text() for path in before} == before


def test_a_name_in_other_capitals_is_the_same_file(run, inputs, monkeypatch, no_work):
    monkeypatch.chdir(inputs)
    insensitive = Path.exists, Path.samefile
    monkeypatch.setattr(Path, "exists", lambda path: insensitive[0](Path(str(path).lower())))
    monkeypatch.setattr(
        Path, "samefile", lambda path, other: insensitive[1](
            Path(str(path).lower()), Path(str(other).lower())
        )
    )  # fmt: skip
    code, _, err = run("recommend", "s.csv", "t.csv", "--out", "S.CSV")
    assert code == 2
    assert "would change s.csv" in one_line(err)


@pytest.mark.parametrize(
    ("command", "words", "out"),
    [
        ("recommend", ["parts", "t.csv"], "parts/lists.csv"),
        ("compare", ["s.csv", "parts"], "parts"),
        ("lists", ["parts"], "parts/lists.csv"),
        ("report", ["parts"], "parts/evidence"),
        ("fit", ["parts/lists/s.csv", "t.csv"], "parts/"),
    ],
)
def test_nothing_is_written_into_a_folder_that_is_read_or_over_one_that_holds_an_input(
    run, inputs, monkeypatch, no_work, command, words, out
):
    monkeypatch.chdir(inputs)
    (inputs / "parts" / "run.json").write_text("{}")
    (inputs / "parts" / "lists").mkdir()
    (inputs / "parts" / "lists" / "s.csv").write_text(GOOD)
    code, said, err = run(command, *words, "--out", out)
    assert (code, said) == (2, "")
    assert "would change parts" in one_line(err)


def test_a_folder_that_holds_an_input_under_another_name_may_be_written(inputs):
    evidence = [inputs / name for name in ("evidence.json", "per_user.csv", "report.html")]
    require_apart(evidence, [inputs / "s.csv", inputs / "gone.csv"])
    with pytest.raises(BadSettingError, match="would change"):  # Spark replaces the whole folder
        require_apart([inputs], [inputs / "s.csv"])


@pytest.mark.parametrize(
    ("out", "refused"),
    [
        ("s3://bucket/films", True),
        ("s3://bucket", True),
        ("s3://bucket/films/day", True),
        ("s3://bucket/films2", False),
        ("films", False),
    ],
)
def test_urls_are_compared_as_they_are_written(out, refused):
    with pytest.raises(BadSettingError) if refused else nullcontext():
        require_apart([out], ["s3://bucket/films/"])


def test_a_url_of_this_computer_is_a_path(inputs):
    with pytest.raises(BadSettingError, match=r"would change .*s\.csv"):
        require_apart([(inputs / "s.csv").as_uri()], [inputs / "s.csv"])


# ── errors on the way ────────────────────────────────────────────────────────────────────────────


def test_unreadable_input_is_one_line(run, ratings, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"user,item\nn\xe9,i\n")
    code, _, err = run("recommend", ratings, bad, "--out", tmp_path / "r.csv")
    assert code == 2
    assert "not UTF-8" in one_line(err)
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize("content", [None, b"", b"\n\n", b"\xff\xfe\xe9"])
def test_a_bad_list_of_users_is_one_line(run, ratings, tmp_path, content):
    users = tmp_path / "users.txt"
    if content is not None:
        users.write_bytes(content)
    code, _, err = run("recommend", ratings, ratings, "--out", tmp_path / "r.csv", "--users", users)
    assert code == 2
    assert "users.txt" in one_line(err)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (NoOverlapError("No\nusers.", "Check the ids."), 2, "No users. Check the ids."),
        (TooFewUsersError("Only 3 users."), 2, "Only 3 users."),
        (Cancelled("Stopped."), 2, "Stopped."),
        (OSError(28, "No space left on device", "x"), 2, "No space left"),
        (MemoryError(), 2, "memory"),
    ],
)  # fmt: skip
def test_every_failure_is_one_line(run, ratings, tmp_path, monkeypatch, error, code, words):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("transrec_core.engines.embedded.compare", fail)
    got, out, err = run("compare", ratings, ratings, "--out", tmp_path / "e")
    assert (got, out) == (code, "")
    assert words in one_line(err)
    assert not (tmp_path / "e").exists()


def test_ctrl_c_is_one_line_and_130(run, ratings, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("transrec_core.engines.embedded.run_for_lists", stop)
    code, _, err = run("recommend", ratings, ratings, "--out", tmp_path / "r.csv")
    assert code == 130
    assert err.strip() == "transrec: stopped. Nothing was left half-written."
    assert not (tmp_path / "r.csv").exists()


@pytest.fixture
def ctrl_c():
    """Press Ctrl-C where Python drops the exception, as in compiled code that calls Python."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    @ctypes.CFUNCTYPE(None)
    def press():
        signal.raise_signal(signal.SIGINT)

    yield press
    signal.signal(signal.SIGINT, before)


dropped = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@dropped
@pytest.mark.parametrize("moment", ["a report of progress", "a sweep", "the write"])
def test_ctrl_c_that_compiled_code_drops_stops_the_command(
    run, ratings, tmp_path, monkeypatch, ctrl_c, moment
):
    out = tmp_path / "r.csv"
    out.write_text("of yesterday")
    reached = []

    def work(job, path):
        ctrl_c()
        reached.append("after it")
        if moment == "a report of progress":
            Meter(job.on_progress).report(0.5, "Fitting")
        elif moment == "a sweep":
            factorize(sp.csr_array(np.eye(3, dtype=np.float32)), rank=1, lam=0.1)
        else:
            write_parts(lambda: iter([pd.DataFrame({"user_id": ["u"]})]), path)
        reached.append("the end")

    monkeypatch.setattr("transrec_core.engines.embedded.Engine.recommend", lambda _, *a: work(*a))
    code, _, err = run("recommend", ratings, ratings, "--out", out)
    assert code == 130
    assert err.strip() == "transrec: stopped. Nothing was left half-written."
    assert reached == ["after it"]
    assert out.read_text() == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv", "ratings.csv"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert run("check", ratings)[0] == 0  # it is forgotten


@dropped
def test_ctrl_c_while_a_folder_is_written_leaves_the_earlier_one(
    run, ratings, tmp_path, monkeypatch, ctrl_c
):
    out = tmp_path / "e"
    write_folder(out, {"evidence.json": b"of yesterday"})

    def compare(_, job, path):
        with atomic_folder(Path(path), ["evidence.json"]) as new:
            (new / "evidence.json").write_bytes(b"new")
            ctrl_c()

    monkeypatch.setattr("transrec_core.engines.embedded.Engine.compare", compare)
    assert run("compare", ratings, ratings, "--out", out)[0] == 130
    assert (out / "evidence.json").read_bytes() == b"of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e", "ratings.csv"]


@dropped
def test_ctrl_c_that_came_too_late_is_told_by_the_exit_code(run, ratings, monkeypatch, ctrl_c):
    monkeypatch.setattr("transrec_core.data.formats.FileFormat.check", lambda *_: ctrl_c() or done)
    done = ImportReport("r.csv", usable=True)
    assert run("check", ratings)[0] == 130


def test_a_second_ctrl_c_ends_the_process_at_once():
    script = (
        "import signal, sys, time\n"
        "from transrec_core.system import remembering_interrupts\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with remembering_interrupts():\n"
        "    try: signal.raise_signal(signal.SIGINT)\n"
        "    finally:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "        print('cleaned up')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_where_ctrl_c_is_ignored_or_not_ours_it_stays_so(run, ratings, ctrl_c):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with remembering_interrupts():
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    codes = []
    thread = Thread(target=lambda: codes.append(cli.main(["check", str(ratings)])))
    thread.start()
    thread.join()
    assert codes == [0]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
def test_a_terminal_sees_progress_and_a_pipe_does_not(sample_data, tmp_path):
    import fcntl
    import pty
    import struct
    import termios

    command = [sys.executable, "-m", "transrec_core.cli", "recommend", "films.csv", "books.csv",
               "--rank", "8", "--lam", "0.006", "--method", "factor_map", "--out"]  # fmt: skip
    where = {"cwd": sample_data}
    piped = subprocess.run([*command, tmp_path / "a.csv"], capture_output=True, check=True, **where)
    assert piped.stdout.startswith(b"Whether the source helps was not measured")
    assert piped.stderr == b""
    terminal, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    with subprocess.Popen([*command, tmp_path / "b.csv"], stderr=stderr, **where) as process:
        os.close(stderr)
        shown = b""
        try:
            while block := os.read(terminal, 4096):
                shown += block
        except OSError:
            pass  # how Linux says that the other end is closed
    os.close(terminal)
    assert process.returncode == 0
    assert b"Fitting" in shown
    assert b"half-sweep" in shown
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


# ── the command that repeats a run ───────────────────────────────────────────────────────────────

OPTIONS = {
    "--top": st.integers(1, 30).map(str),
    "--seed": st.integers(0, 99).map(str),
    "--rank": st.sampled_from(["auto", "7"]),
    "--lam": st.sampled_from(["auto", "0.1"]),
    "--feedback": st.sampled_from(["ratings", "implicit"]),
    "--method": st.sampled_from(["joint", "ridge"]),
    "--model": st.just("nmf"),
    "--cold": st.just("items"),
    "--budget": st.floats(1, 99).map(repr),
    "--limit": st.sampled_from(["memory=2G", "columns=50"]),
    "--encoding": st.sampled_from(["source=cp1252", "latin-1"]),
    "--user-column": st.sampled_from(["a name", "target=it's", "-x"]),
    "--items": st.sampled_from(["my texts.csv", "ä.csv"]),
    "--text-model": st.just("some/model"),
}
SWITCHES = ("--deep", "--merge-editions", "--leave-out-crosslisted", "--no-header")
OWN = {
    "recommend": {"--settle": None, "--raw-ids": None, "--users": st.just("users.csv")},
    "compare": {"--shots": st.just("0,3"), "--raw-ids": None},
    "fit": {"--shots": st.just("0,3")},
}


@given(data=st.data(), command=st.sampled_from(list(OWN)))
def test_the_command_that_a_run_tells_is_the_one_that_was_given(data, command):
    own = {**OPTIONS, **dict.fromkeys(SWITCHES), **OWN[command]}
    words = [command, "films x.csv", "b.csv", "--out", data.draw(st.sampled_from(["ev0", "e v/"]))]
    for flag in data.draw(st.lists(st.sampled_from(sorted(own)), unique=True)):
        values = own[flag]
        words += [flag] if values is None else [f"{flag}={data.draw(values)}"]
    engine = data.draw(st.sampled_from([[], ["--engine", "spark", "--factorizer", "mllib"]]))
    token = data.draw(st.sampled_from([[], ["--master", "sc://h/;token=t"], ["--mas=sc://h/;t"]]))
    parsed = cli._parser().parse_args([*words, *engine, *token])
    parsed.given = [*words, *engine, *token]
    told = shlex.split(cli._repeating(parsed))
    again = cli._parser().parse_args(told[1:])
    assert told[0] == "transrec"
    wanted = {**vars(parsed), "master": None}
    del wanted["given"]
    assert vars(again) == wanted
    assert "token" not in " ".join(told)


@pytest.mark.parametrize(
    ("command", "out", "where"),
    [("compare", "ev0", "ev0"), ("fit", "run0/", "run0/evidence")],
)
def test_evidence_tells_the_command_that_was_given(
    run, catalogues, tmp_path, monkeypatch, command, out, where
):
    monkeypatch.chdir(tmp_path)
    given = [command, catalogues / "films.csv", catalogues / "books.csv", "--out", out, *QUICK,
             "--shots", "0", "--limit", "columns=99"]  # fmt: skip
    assert run(*given)[0] == 0
    told = json.loads((tmp_path / where / "evidence.json").read_text())["command"]
    assert told == shlex.join(["transrec", *map(str, given)])
    assert html.escape(told) in (tmp_path / where / "report.html").read_text()


def test_a_report_of_a_kept_run_tells_the_command_that_makes_the_same_evidence(
    run, catalogues, tmp_path
):
    kept, texts = tmp_path / "run.transrec", tmp_path / "texts.csv"
    texts.write_bytes("item_id;title\ni1;Café\n".encode("cp1252"))
    run("fit", catalogues / "films.csv", catalogues / "books.csv", "--out", kept, *QUICK,
        "--shots", "0", "--items", texts, "--encoding", "items=cp1252")  # fmt: skip
    assert run("report", kept, "--out", tmp_path / "one", "--raw-ids")[0] == 0
    words = shlex.split(json.loads((tmp_path / "one" / "evidence.json").read_text())["command"])
    assert words[words.index("--out") + 1] == str(tmp_path / "one")
    assert "--raw-ids" in words
    words[words.index("--out") + 1] = str(tmp_path / "two")
    assert run(*words[1:])[0] == 0
    one, two = ((tmp_path / name / "per_user.csv").read_bytes() for name in ("one", "two"))
    assert one == two


# ── what is said at the end ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def told(run, catalogues, tmp_path, monkeypatch):
    """Run a command on the small pair; what it says on both streams, each as one line."""
    monkeypatch.chdir(tmp_path)
    for name in ("films", "books"):
        (tmp_path / f"{name}.csv").write_bytes((catalogues / f"{name}.csv").read_bytes())

    def call(*words):
        code, out, err = run(*words)
        assert code == 0
        assert max(map(len, f"{out}\n{err}".splitlines())) <= 80 or "transrec: warning" in err
        return " ".join(out.split()), " ".join(err.split())

    return call


VERDICT = "For users with no history in the target, transfer helps: NDCG@10 rises by 0."


def test_a_comparison_ends_with_the_verdict_what_is_served_and_where_it_is(told):
    words = ("films.csv", "books.csv", "--rank", "4", "--lam", "0.02", "--feedback", "implicit",
             "--shots", "0,5", "--budget", "1")  # fmt: skip
    said, err = told("compare", *words, "--out", "ev0")
    assert err.count("transrec: ") == err.count("transrec: warning: films.csv and books.csv: ")
    assert said.startswith(VERDICT)
    assert "Verdict by known interactions in the target: 0: helps, 5: " in said
    assert "Auto serves users with no history in the target: Transfer (" in said
    where = "report.html for a browser, evidence.json, per_user.csv."
    assert said.endswith(f"Evidence in ev0: {where}")
    assert told("report", "ev0", "--out", "ev1")[0] == said.replace("ev0", "ev1")


@pytest.mark.parametrize("out", ["run.transrec", "run/"])
def test_a_kept_run_and_its_lists_end_so_too(told, out):
    said, _ = told("fit", "films.csv", "books.csv", *QUICK, "--shots", "0", "--out", out)
    assert said.startswith(VERDICT)
    assert "Served, as asked, is transfer (factor map)." in said
    assert f"The run is in {out}" in said
    assert said.endswith(
        f"transrec lists {out} --out lists.csv, transrec report {out} --out evidence."
    )
    for place, words in (("lists.csv", ["lists", out]), ("evidence", ["report", out])):
        assert place in told(*words, "--out", place)[0]
    lists = pd.read_csv("lists.csv")
    by = lists.groupby("user_id")["method"].first().value_counts()
    assert by.to_dict() == {"factor_map": 200}
    said, _ = told("lists", out, "--out", "lists.csv")
    assert said == "Lists for 200 users: 200 by transfer (factor map). They are in lists.csv."
    assert told("lists", out, "--out", "lists.csv", "--quiet") == ("", "")


def test_lists_end_with_how_many_are_by_which_method(told, tmp_path):
    (tmp_path / "u.txt").write_text("u000\nu001\nx\n")
    said, err = told("recommend", "films.csv", "books.csv", *QUICK, "--users", "u.txt",
                     "--out", "r.csv")  # fmt: skip
    assert said == (
        "Whether the source helps was not measured: transrec compare does that. Lists for 3 users: "
        "2 by transfer (factor map), 1 by popular items. They are in r.csv."
    )
    assert "1 of 3 user ids is in neither catalogue ('x')" in err


def test_a_loss_keeps_its_sign_on_any_console(capsys):
    options = cli._parser().parse_args(["lists", "run", "--out", "r.csv"])
    cli._close(options, ["a gain of −0.012"])
    assert capsys.readouterr().out == "a gain of -0.012\n"


# ── what is wrong with the data, and whom nobody knows ───────────────────────────────────────────

QUICK = ("--rank", "4", "--lam", "0.02", "--method", "factor_map", "--feedback", "implicit")


def warnings_in(err: str) -> list[str]:
    lines = err.splitlines()
    assert all(line.startswith("transrec: warning: ") for line in lines)
    return [line.removeprefix("transrec: warning: ") for line in lines]


@pytest.fixture(scope="module")
def flawed(catalogues):
    """The source with a row without an item, one with a third cell, and one twice."""
    path = catalogues / "flawed.csv"
    rows = (catalogues / "films.csv").read_text().splitlines()
    path.write_text("\n".join([*rows, "u1,", rows[1], "u1,i1,5"]))
    return path


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("recommend", QUICK),
        ("compare", (*QUICK, "--shots", "0")),
        ("fit", (*QUICK, "--shots", "0")),
        ("sparsity", (*QUICK, "--shots", "0", "--shares", "1", "--quiet")),
        ("sources", (*QUICK, "--quiet")),
    ],
)
def test_every_command_that_reads_ratings_warns_of_what_is_wrong_with_them(
    run, catalogues, flawed, tmp_path, command, more
):
    domains = [flawed, catalogues / "books.csv"]
    domains = domains[::-1] if command == "sources" else domains
    out = {"compare": "e", "fit": "run.transrec"}.get(command, "out.csv")
    code, _, err = run(command, *domains, "--out", tmp_path / out, *more)
    assert code == 0
    last = len(flawed.read_text().splitlines())
    told = warnings_in(err)
    for line, words, fix in (
        (last - 2, "without item id", "Fill in the ids"),
        (last, "does not have 2 cells", "Correct these rows"),
    ):
        (found,) = [line_ for line_ in told if words in line_]
        assert found.startswith(f"{flawed} (line {line}): ")
        assert fix in found


def test_item_texts_and_the_pair_are_warned_of_too(run, catalogues, tmp_path):
    texts = tmp_path / "texts.csv"
    texts.write_text("item_id,title\ni1,One\ni1,Two\n")
    code, _, err = run(
        "compare", catalogues / "films.csv", catalogues / "films.csv", "--out", tmp_path / "e",
        "--items", texts, *QUICK, "--shots", "0",
    )  # fmt: skip
    assert code == 0
    told = warnings_in(err)
    assert [line for line in told if line.startswith(f"{texts} (line 3): 1 row repeats an item id")]
    pair = f"{catalogues / 'films.csv'} and {catalogues / 'films.csv'}: "
    assert [line for line in told if line.startswith(pair) and "same products" in line]


def test_ids_that_nobody_knows_are_told_of_in_one_line(run, catalogues, tmp_path):
    users, out, kept = tmp_path / "u.txt", tmp_path / "r.csv", tmp_path / "run.transrec"
    users.write_text("u001\nnobody\nu002\nU003\n")
    domains = (catalogues / "films.csv", catalogues / "books.csv")
    assert run("fit", *domains, "--out", kept, *QUICK, "--shots", "0")[0] == 0
    folder = f"{tmp_path}/run/"
    assert run("fit", *domains, "--out", folder, *QUICK, "--shots", "0")[0] == 0
    for command, what in (
        (("recommend", *domains, *QUICK), "are in neither catalogue"),
        (("lists", kept), "are in neither catalogue"),
        (("lists", folder), f"have no list in {folder}"),
    ):
        code, _, err = run(*command, "--out", out, "--users", users)
        assert code == 0
        (line,) = warnings_in(err)
        assert line.startswith(f"2 of 4 user ids {what} ('nobody', 'U003'): they ")
        assert "Check for blanks, capitals" in line
        methods = pd.read_csv(out).groupby("user_id")["method"].first()
        if command[-1] == folder:
            assert set(methods.index) == {"u001", "u002"}
        else:
            assert methods["nobody"] == methods["U003"] == "popularity"
            assert methods["u001"] == "factor_map"


@pytest.mark.parametrize(
    ("name", "content", "flags"),
    [
        ("users.csv", "name,user_id\nx,u001\n", ()),
        ("users.csv", "Kunde\nu001\n", ("--user-column", "source=Kunde")),  # as the ratings say
        ("users.csv", "shop_user_id\nu001\n", ()),  # the same, and they need not be told
        ("users.csv", "a;b\nx;u001\n", ("--user-column", "users=b")),
        ("users.txt", "user_id\r\nu001\r\n", ()),
    ],
)
def test_users_are_read_from_a_column_of_a_table(run, catalogues, tmp_path, name, content, flags):
    users, out = tmp_path / name, tmp_path / "r.csv"
    users.write_text(content)
    films = tmp_path / "films.csv"
    text = (catalogues / "films.csv").read_text()
    named = content.split()[0]
    films.write_text(text.replace("user_id", named) if named in ("Kunde", "shop_user_id") else text)
    code, _, err = run("recommend", films, catalogues / "books.csv", "--out", out, "--users",
                       users, *QUICK, *flags)  # fmt: skip
    assert code == 0
    assert "neither catalogue" not in err
    assert ("2 columns; 'user_id' was taken" in err) == ("name," in content)
    assert list(pd.read_csv(out)["user_id"].unique()) == ["u001"]


# ── the sample ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def lists(sample_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    (folder / "users.txt").write_text("u0001\nu0002\nnobody\nu0001\n")
    code = cli.main(
        ["recommend", str(sample_data / "films.csv"), str(sample_data / "books.csv"),
         "--out", str(folder / "r.csv"), "--items", str(sample_data / "books_items.csv"),
         "--items", str(sample_data / "films_items.csv"), "--users", str(folder / "users.txt"),
         "--top", "5", "--rank", "8", "--lam", "0.006", "--method", "factor_map"]
    )  # fmt: skip
    assert code == 0
    return pd.read_csv(folder / "r.csv", dtype={"user_id": str, "item_id": str})


def test_recommend_writes_the_contract(lists):
    assert list(lists.columns) == ["user_id", "item_id", "rank", "score", "method", "title"]
    assert set(lists["user_id"]) == {"u0001", "u0002", "nobody"}
    for _, rows in lists.groupby("user_id"):
        assert rows["rank"].tolist() == [1, 2, 3, 4, 5]
        assert rows["score"].is_monotonic_decreasing
        assert rows["item_id"].is_unique
    methods = lists.groupby("user_id")["method"].unique()
    assert list(methods["u0001"]) == ["factor_map"]
    assert list(methods["nobody"]) == ["popularity"]


def test_recommend_leaves_out_what_was_seen_and_names_titles(lists, sample_data):
    seen = pd.read_csv(sample_data / "books.csv", dtype=str)[["user_id", "item_id"]]
    assert lists.merge(seen).empty
    titles = pd.read_csv(sample_data / "books_items.csv").set_index("item_id")["title"]
    assert (titles[lists["item_id"]].to_numpy() == lists["title"].to_numpy()).all()


@pytest.mark.parametrize("ending", ["parquet", "json"])
def test_recommend_writes_other_formats(run, sample_data, tmp_path, ending):
    out = tmp_path / f"r.{ending}"
    users = tmp_path / "users.txt"
    users.write_text("u0001")
    films, books = sample_data / "films.csv", sample_data / "books.csv"
    code, stdout, _ = run("recommend", films, books, "--out",
                          out, "--users", users, "--rank", 4, "--lam", "0.006", "--method",
                          "factor_map", "--top", 3)  # fmt: skip
    assert code == 0
    assert stdout.split()[-1] == f"{out}."
    frame = (
        pd.read_parquet(out) if ending == "parquet" else pd.DataFrame(json.loads(out.read_text()))
    )
    assert frame["rank"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(("flags", "told"), [((), "'=1+1"), (("--raw-ids",), "=1+1")])
def test_raw_ids_are_written_as_they_are_where_asked(run, sample_data, tmp_path, flags, told):
    users = tmp_path / "users.txt"
    users.write_text("u0001\n=1+1")
    out = tmp_path / "r.csv"
    code, _, _ = run("recommend", sample_data / "films.csv", sample_data / "books.csv",
                     "--out", out, "--users", users, "--rank", 4, "--lam", "0.006", "--method",
                     "factor_map", "--top", 3, *flags)  # fmt: skip
    assert code == 0
    assert list(pd.read_csv(out, dtype=str)["user_id"].unique()) == ["u0001", told]


@pytest.mark.parametrize("command", ["sources", "sparsity"])
@pytest.mark.parametrize("option", [["--text-model", "tfidf"], ["--merge-editions"]])
def test_what_reads_texts_is_no_option_where_no_texts_are_read(run, command, option):
    code, _, err = run(command, "a.csv", "b.csv", "--out", "c.csv", *option)
    assert code == 2
    assert option[0] in err


@pytest.mark.parametrize("command", ["recommend", "compare", "sources", "sparsity"])
def test_every_command_that_writes_csv_explains_raw_ids(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "--raw-ids" in out
    assert "spreadsheet" in out


def test_compare_writes_the_bundle(run, sample_data, tmp_path):
    out = tmp_path / "new" / "evidence"
    films, books = sample_data / "films.csv", sample_data / "books.csv"
    code, stdout, err = run("compare", films, books, "--out",
                            out, "--rank", 8, "--lam", "0.006", "--shots", "0,2", "--feedback",
                            "implicit", "--quiet")  # fmt: skip
    assert (code, stdout, err) == (0, "", "")
    assert sorted(p.name for p in out.iterdir()) == ["evidence.json", "per_user.csv", "report.html"]
    evidence = json.loads((out / "evidence.json").read_text())
    assert evidence["verdict"]["0"] == "helps"
    assert [shot["shots"] for shot in evidence["shots"]] == [0, 2]
    assert evidence["config"]["rank"] == 8
    assert evidence["data"]["source"]["users"] == 1200
    per_user = pd.read_csv(out / "per_user.csv", dtype={"user_id": str})
    cold = per_user.query("shots == 0 and method == 'factor_map' and metric == 'ndcg@10'")
    shot = evidence["shots"][0]
    assert len(cold) == shot["users"]
    assert cold["value"].mean() == pytest.approx(shot["methods"]["factor_map"]["mean"])


# ── sources ──────────────────────────────────────────────────────────────────────────────────────


def test_new_items_get_lists_of_users_and_evidence_of_their_own(run, sample_data, tmp_path):
    domains = (sample_data / "films.csv", sample_data / "books.csv")
    how = ("--cold", "items", "--items", sample_data / "books_items.csv", "--feedback", "implicit",
           "--rank", "8", "--lam", "0.02")  # fmt: skip
    out = tmp_path / "audience.csv"
    code, said, err = run("recommend", *domains, *how, "--out", out, "--top", "3")
    assert (code, err) == (0, "")
    assert said.startswith("For items with no history in the target, ")
    assert "Lists for 400 items: " in said
    table = pd.read_csv(out, dtype=str)
    assert list(table.columns) == ["item_id", "user_id", "rank", "score", "method", "title"]
    assert table.groupby("item_id").size().max() == 3
    assert run("compare", *domains, *how, "--out", tmp_path / "new", "--quiet") == (0, "", "")
    evidence = json.loads((tmp_path / "new" / "evidence.json").read_text())
    assert evidence["config"]["cold"] == "items"
    assert {"content", "similarity"} <= set(evidence["shots"][0]["methods"])
    assert "--cold items" in evidence["command"]
    assert f"--items {sample_data / 'books_items.csv'}" in evidence["command"]


def test_texts_of_both_catalogues_bring_content_into_the_comparison(run, sample_data, tmp_path):
    code, _, err = run(
        "compare", sample_data / "films.csv", sample_data / "books.csv", "--out", tmp_path / "e",
        "--items", sample_data / "books_items.csv",
        "--source-items", sample_data / "films_items.csv",
        "--method", "content", "--merge-editions", "--budget", "30", "--feedback", "implicit",
        "--rank", "8", "--lam", "0.02", "--shots", "0",
    )  # fmt: skip
    assert (code, err) == (0, "")
    evidence = json.loads((tmp_path / "e" / "evidence.json").read_text())
    assert evidence["shots"][0]["transfer"] == "content"
    for flag in ("--merge-editions", "--budget 30", "--source-items", "--method content"):
        assert flag in evidence["command"]
    assert json.loads((tmp_path / "e" / "evidence.json").read_text())["config"]["merge_editions"]


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogues")
    pair = checkerboard(users=200)
    other = checkerboard(users=200, shared=False, seed=1).target
    for name, domain in (("books", pair.target), ("films", pair.source), ("noise", other)):
        rows = domain.matrix.tocoo()
        pd.DataFrame(
            {"user_id": domain.users[rows.coords[0]], "item_id": domain.items[rows.coords[1]]}
        ).to_csv(folder / f"{name}.csv", index=False)
    return folder


def test_sources_says_which_source_to_choose(run, catalogues, tmp_path):
    out = tmp_path / "sources.json"
    noise, films = catalogues / "noise.csv", catalogues / "films.csv"
    code, said, err = run(
        "sources", catalogues / "books.csv", noise, films, "--rank", 4, "--out", out
    )
    assert code == 0
    assert " ".join(err.split()) == (
        f"{films} promises most for {catalogues / 'books.csv'}: a gain of "
        f"{json.loads(out.read_text())[0]['gain']:.3f} in NDCG@10. This is a first look; to be "
        f"sure: transrec compare {films} {catalogues / 'books.csv'} --out evidence "
        f"The table is in {out}."
    )
    first, second = said.splitlines()
    assert first.startswith(f"1. {films}: +0.")
    assert "ndcg@10" in first
    assert "200 shared users" in first
    assert second.startswith(f"2. {noise}: ")
    table = json.loads(out.read_text())
    assert [row["source"] for row in table] == [str(films), str(noise)]
    assert table[0]["low"] > 0
    assert table[0]["gain"] == pytest.approx(float(first.split(": ")[1].split()[0]), abs=5e-4)


def test_sources_refuses_what_it_cannot_do_before_it_works(run, catalogues, tmp_path):
    books, films = catalogues / "books.csv", catalogues / "films.csv"
    for arguments, word in (
        ((books, films, films), "twice"),
        ((books, films, "--out", tmp_path / "x.pdf"), "format"),
        ((books, films, "--out", tmp_path / "ratings.csv" / "x.csv"), "written"),
        ((books, tmp_path / "nowhere.csv"), "nowhere.csv"),
    ):
        (tmp_path / "ratings.csv").write_text(GOOD)
        code, said, err = run("sources", *arguments)
        assert code == 2
        assert said == ""
        assert word in one_line(err) or "folder" in err


def test_a_source_without_shared_users_is_told_so(run, catalogues, ratings):
    code, said, _ = run("sources", catalogues / "books.csv", ratings, "--rank", 2)
    assert code == 0
    assert "not measured; 0 shared users" in said


# ── sparsity ─────────────────────────────────────────────────────────────────────────────────────


def test_sparsity_says_what_the_source_is_worth_with_fewer_target_ratings(
    run, catalogues, tmp_path
):
    out = tmp_path / "sparsity.csv"
    code, said, err = run(
        "sparsity", catalogues / "films.csv", catalogues / "books.csv", "--out", out,
        "--shares", "0.3,1", "--shots", "0,5", "--rank", 4, "--lam", 0.02,
    )  # fmt: skip
    assert code == 0
    assert err.startswith(
        "For users with no history in the target, by shares of the target ratings:"
    )
    assert err.endswith((f"The table is in\n{out}.\n", f"The table is in {out}.\n"))
    lines = said.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("100% of the target ratings (")
    assert lines[2].startswith("30% of the target ratings (")
    assert "0 shots: ndcg@10 0." in lines[0]
    table = pd.read_csv(out)
    assert table["share"].tolist() == [1.0, 1.0, 0.3, 0.3]
    assert set(table["verdict"]) <= {"helps", "no evidence", "hurts"}


def test_sparsity_refuses_shares_that_are_none(run, catalogues, tmp_path):
    books, films = catalogues / "books.csv", catalogues / "films.csv"
    for shares, word in (("half", "not a list of numbers"), ("2", "at most 1")):
        code, _, err = run(
            "sparsity", films, books, "--out", tmp_path / "x.csv", "--shares", shares
        )
        assert code == 2
        assert word in one_line(err)
    assert not (tmp_path / "x.csv").exists()
