"""One analyst's session in one process: every command, then the app with a fit, then its end.

``python session.py FOLDER`` reads ``source.csv`` and ``target.csv`` there and leaves what the
commands write; the last line on stderr is ``done`` where all went as it should.
"""

import contextlib
import sys
import threading
import time
import traceback
import urllib.request
from pathlib import Path

COMMANDS = ("app", "check", "compare", "fit", "limits", "lists", "recommend", "report", "sources")


def run_commands(folder: Path) -> None:
    from transrec_core.cli import main

    def call(*words: object, code: int = 0) -> None:
        try:
            found = main([str(word) for word in words])
        except SystemExit as stopped:
            found = int(stopped.code or 0)
        assert found == code, (words, found)

    call("--help")
    for command in (*COMMANDS, "sparsity"):
        call(command, "--help")
    pair = (folder / "source.csv", folder / "target.csv")
    quick = ("--rank", "2", "--lam", "0.1", "--method", "row_map")
    call("limits")
    call("check", folder / "source.csv", folder / "target.csv")
    odd = next(folder.glob("odd*.csv"))  # as the system has it, which may know no such letters
    call("check", "--json", odd)
    call("check", odd)
    call("compare", *pair, *quick, "--out", folder / "evidence")
    call("compare", *pair, *quick, "--out", folder / "evidence")
    call("recommend", *pair, *quick, "--out", folder / "lists.csv")
    call("fit", *pair, *quick, "--out", folder / "fit.transrec")
    call("lists", folder / "fit.transrec", "--out", folder / "again.csv")
    call("lists", folder / "none.transrec", "--out", folder / "again.csv", code=2)


def fit_in_app(port: int) -> None:
    """Start the dashboard's server, let its child process do a fit, and stop it."""
    import _thread

    from dashboard import compute, jobs
    from dashboard.launch import launch
    from transrec_core.settings import Settings

    failures: list[str] = []

    def use() -> None:
        try:
            address = f"http://127.0.0.1:{port}/_stcore/health"
            for _ in range(600):
                try:
                    with urllib.request.urlopen(address, timeout=5) as answer:
                        assert answer.status == 200
                    break
                except OSError:
                    time.sleep(0.1)
            space = jobs.REGISTER.create()
            compute.load_sample(space)
            job = space.start(Settings(rank=2, lam=0.1, shots=(0,), method="row_map"))
            job.join(300)
            assert job.status == "done", (job.status, job.failure)
        except BaseException:
            failures.append(traceback.format_exc())
        finally:
            _thread.interrupt_main()

    threading.Thread(target=use, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        launch(port=port, open_browser=False)
    assert not failures, failures[0]


if __name__ == "__main__":
    run_commands(Path(sys.argv[1]))
    fit_in_app(int(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.write("done\n")
