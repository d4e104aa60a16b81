"""The command line: a thin face of the package; scripts depend on what it takes and writes."""

import argparse
import json
import os
import shlex
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeVar

from transrec_core.console import shows_everything, spell_what_cannot_be_shown
from transrec_core.errors import (
    BadSettingError,
    TransrecError,
    TransrecWarning,
    UnknownUserWarning,
)
from transrec_core.limits import overridden
from transrec_core.places import require_apart, require_file, require_folder
from transrec_core.settings import DEFAULT_SHOTS, PRIORS, TFIDF, Settings
from transrec_core.showing import plain
from transrec_core.system import INTERRUPTED, raise_if_interrupted, remembering_interrupts

# Everything that loads NumPy or pandas is imported where it is used: help has to be quick.
if TYPE_CHECKING:
    import pandas as pd

    from transrec_core.data.formats import FileFormat
    from transrec_core.data.ratings import Ratings
    from transrec_core.data.report import ImportReport, Problem
    from transrec_core.engines import Outcome
    from transrec_core.progress import OnProgress, Progress

Number = TypeVar("Number", int, float)

LINE_WIDTH = 80
RUN_ENDING = ".transrec"
SIDES = ("source", "target")
USABLE, REFUSED, FAILED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Without the program's name; those of the process by default.

    Returns
    -------
    int
        0 done, 1 a file was refused by ``check``, 2 an error that stands on stderr in one line,
        130 interrupted.
    """
    spell_what_cannot_be_shown()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "app")
    try:
        options = _parser().parse_args(given)
        options.given = given
        command: Callable[[argparse.Namespace], int] = options.command
        # The dashboard's server has a way of its own to stop.
        stopping = nullcontext() if command is _app else remembering_interrupts()
        with overridden(options.limit), stopping, _warnings_in_lines():
            code = command(options)
            raise_if_interrupted()
            return code
    except TransrecError as error:
        return _failed(str(error))
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more at exit.
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed(f"{where}{error.strerror or error}. Nothing was left half-written.")
    except MemoryError:
        return _failed("There is not enough memory. Use a smaller rank or fewer ratings.")
    except KeyboardInterrupt:
        sys.stderr.write("\ntransrec: stopped. Nothing was left half-written.\n")
        return INTERRUPTED
    except Exception as error:
        return _failed(_unforeseen(error, given[0]))


def _unforeseen(error: Exception, command: str) -> str:
    """What to say of an error that is no user's fault; the log says where it happened."""
    from transrec_core.log import ENVIRONMENT, keep_error

    reference, path = keep_error(error, f"in transrec {command}")
    kept = (
        f"Please report it with {path}, which says where it happened and quotes no data."
        if path
        else f"Name a folder in {ENVIRONMENT}, run it again and report it with the log that is "
        "written there."
    )
    return f"Something went wrong inside transrec (error id {reference}). {kept}"


def _failed(message: str) -> int:
    sys.stderr.write(f"transrec: {_one_line(message)}\n")
    return FAILED


def _one_line(text: str) -> str:
    # An id can hold what makes a terminal act.
    return plain(" ".join(text.split()), len(text) + 1)


@contextmanager
def _warnings_in_lines() -> Iterator[None]:
    """Show our warnings on stderr, once and in one line each."""
    others = warnings.showwarning
    shown: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, TransrecWarning):
            others(message, category, filename, lineno, file, line)
        elif str(message) not in shown:
            from tqdm import tqdm

            shown.add(str(message))
            with tqdm.external_write_mode(sys.stderr):
                sys.stderr.write(f"transrec: warning: {_one_line(str(message))}\n")

    with warnings.catch_warnings():
        warnings.simplefilter("always", TransrecWarning)
        warnings.showwarning = show
        yield


def _warn(where: str, problems: "Sequence[Problem]") -> None:
    """Warn of what is wrong with a file, or with a pair of files."""
    for problem in problems:
        if problem.severity != "info":
            warnings.warn(problem.in_one_line(where), TransrecWarning, stacklevel=2)


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, as every other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAILED, f"transrec: {message}. See {self.prog} --help.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="transrec",
        description="Find out whether what is known about people in one catalogue helps to "
        "recommend in another. Without a command, the dashboard opens.",
    )
    parser.add_argument("--version", action="version", version=f"transrec {version('transrec')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    shared = _Parser(add_help=False)
    shared.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a limit that 'transrec limits' lists; may be given several times",
    )

    app = commands.add_parser("app", parents=[shared], help="open the dashboard in a browser")
    app.add_argument("--port", type=int, help="port to listen on (default: 8501 or the next free)")
    app.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this computer)"
    )
    app.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    app.add_argument(
        "--base-path",
        default="",
        metavar="PATH",
        help="path under which a reverse proxy serves the dashboard, such as /transrec",
    )
    app.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="host name by which others reach it through a reverse proxy; may be given several "
        "times (default: this computer's own names)",
    )
    keeping = app.add_mutually_exclusive_group()
    keeping.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="folder that keeps data and runs, for this account alone (default: TRANSREC_STORE, "
        "or the platform's folder for users' data)",
    )
    keeping.add_argument(
        "--no-store", action="store_true", help="keep nothing on disk: all goes with the server"
    )
    app.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="folder whose run folders, as fit or a Spark job has written them, everybody who "
        "reaches the dashboard may open (default: TRANSREC_RUNS, or none)",
    )
    app.add_argument(
        "--text-model",
        action="append",
        default=[],
        metavar="NAME",
        help="language model that the pages offer, by its name or its folder; may be given several "
        "times (default: TRANSREC_TEXT_MODELS, and packages that carry one)",
    )
    app.set_defaults(command=_app)

    check = commands.add_parser(
        "check", parents=[shared], help="say what is in a file and what is wrong with it"
    )
    check.add_argument("files", nargs="+", metavar="FILE")
    check.add_argument("--json", action="store_true", help="one JSON object a file, one a line")
    _add_format(check)
    check.set_defaults(command=_check)

    recommend = commands.add_parser(
        "recommend", parents=[shared], help="write recommendation lists"
    )
    _add_domains(recommend)
    _add_lists(recommend)
    _add_items(recommend)
    recommend.add_argument("--top", type=int, default=10, help="length of a list (default: 10)")
    recommend.add_argument(
        "--settle",
        action="store_true",
        help="let validation users settle the source's weight also where method, rank and λ are "
        "all given, as the dashboard does; else there are defaults",
    )
    _add_settings(recommend)
    _add_format(recommend)
    _add_engine(recommend)
    _add_quiet(recommend)
    recommend.set_defaults(command=_recommend)

    compare = commands.add_parser(
        "compare", parents=[shared], help="measure whether the source helps"
    )
    _add_domains(compare)
    _add_bundle(compare)
    _add_items(compare)
    _add_judging(compare)
    _add_settings(compare)
    _add_format(compare)
    _add_engine(compare)
    _add_quiet(compare)
    compare.set_defaults(command=_compare)

    fit = commands.add_parser(
        "fit", parents=[shared], help="fit and compare, and keep the run in a file or a folder"
    )
    _add_domains(fit)
    fit.add_argument(
        "--out",
        required=True,
        metavar="RUN",
        help=f"file to write, such as name{RUN_ENDING}; the ratings of all users are in it. A name "
        "that ends with / is a run folder: lists and factors as Parquet, and the evidence",
    )
    _add_items(fit)
    _add_judging(fit)
    _add_settings(fit)
    _add_format(fit)
    _add_engine(fit)
    _add_quiet(fit)
    fit.set_defaults(command=_fit)

    lists = commands.add_parser(
        "lists", parents=[shared], help="write recommendation lists of a kept run"
    )
    _add_run(lists)
    _add_lists(lists)
    lists.add_argument("--top", type=int, help="length of a list (default: as it was fitted)")
    _add_quiet(lists)
    lists.set_defaults(command=_lists)

    report = commands.add_parser(
        "report", parents=[shared], help="write the evidence of a kept run"
    )
    _add_run(report)
    _add_bundle(report)
    _add_quiet(report)
    report.set_defaults(command=_report)

    sources = commands.add_parser(
        "sources", parents=[shared], help="rank several sources for one target"
    )
    sources.add_argument(
        "target", metavar="TARGET", help="ratings of the catalogue to recommend from"
    )
    sources.add_argument("sources", nargs="+", metavar="SOURCE", help="ratings of each candidate")
    sources.add_argument(
        "--out", type=Path, metavar="FILE", help="table to write as well: .csv, .parquet or .json"
    )
    _add_raw_ids(sources)
    _add_judging(sources, "N", "target interactions at which sources are compared (default: 0)")
    _add_settings(sources)
    _add_format(sources)
    _add_quiet(sources)
    sources.set_defaults(command=_sources)

    sparsity = commands.add_parser(
        "sparsity",
        parents=[shared],
        help="measure what the source is worth with fewer target ratings",
    )
    _add_domains(sparsity)
    _add_table(sparsity)
    sparsity.add_argument(
        "--shares",
        type=_list_of(float, "numbers such as 1,0.5,0.25,0.1"),
        metavar="X,X,…",
        help="shares of the target ratings (default: 1,0.5,0.25,0.1)",
    )
    _add_judging(sparsity)
    _add_settings(sparsity)
    _add_format(sparsity)
    _add_quiet(sparsity)
    sparsity.set_defaults(command=_sparsity)

    limits = commands.add_parser("limits", parents=[shared], help="list all limits")
    limits.set_defaults(command=_limits)
    return parser


def _add_domains(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="ratings of the catalogue that is known")
    parser.add_argument(
        "target", metavar="TARGET", help="ratings of the catalogue to recommend from"
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", metavar="RUN", help="file or run folder that fit or the dashboard has saved"
    )


def _add_table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="table to write: .csv, .parquet or .json",
    )
    _add_raw_ids(parser)


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        default="embedded",
        metavar="NAME",
        help="embedded: on this computer (default); spark: on a cluster, where files may be "
        "folders and URLs and the lists are a folder of Parquet",
    )
    parser.add_argument(
        "--master",
        metavar="URL",
        help="of the Spark cluster: local[2], spark://host:7077, yarn, or sc://host:15002 of a "
        "Spark Connect server (default: that of spark-submit, else this computer)",
    )
    parser.add_argument(
        "--factorizer",
        metavar="NAME",
        help="of the Spark engine: rows, the very objective of the embedded engine (default); "
        "mllib, for more items than some 300,000",
    )


def _add_lists(parser: argparse.ArgumentParser) -> None:
    _add_table(parser)
    parser.add_argument(
        "--users",
        metavar="FILE",
        help="file of user ids, one a line or a column of a table; of item ids with --cold items "
        "(default: all users of the source)",
    )


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for evidence.json, per_user.csv and report.html",
    )
    _add_raw_ids(parser)


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quiet",
        action="store_true",
        help="show no progress and say nothing at the end; warnings and errors are still said",
    )


def _add_raw_ids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--raw-ids",
        action="store_true",
        help="leave ids and titles in CSV as they are, without the ' before those that a "
        "spreadsheet would run as a formula; for programs",
    )


def _add_format(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "how the files are written",
        "Guessed where nothing is said. A value holds for all files of ratings, or for one file as "
        "in source=cp1252, items=cp1252, users=cp1252 or films.csv=cp1252.",
    )
    for flag, metavar, help_ in (
        ("--encoding", "NAME", "of the text, such as cp1252 (default: utf-8, or by its mark)"),
        ("--delimiter", "NAME", "comma, semicolon, tab, bar, space, double colon, or the text"),
        ("--header", "YES", "whether the first row holds the column names: yes or no"),
        ("--user-column", "NAME", "column of the people"),
        ("--item-column", "NAME", "column of what was rated"),
        ("--rating-column", "NAME", "column of the ratings; '' where every row counts as one"),
        ("--time-column", "NAME", "column of the time; '' where there is none"),
        ("--duplicates", "RULE", "of several ratings of one item by one user: last, mean, refuse"),
    ):
        group.add_argument(flag, action="append", default=[], metavar=metavar, help=help_)
    group.add_argument(
        "--no-header", dest="header", action="append_const", const="no", help="as --header no"
    )


def _add_items(parser: argparse.ArgumentParser) -> None:
    """Files that tell of items, and what is done with what they tell."""
    for flag, whose in (("--items", "the target's"), ("--source-items", "the source's")):
        parser.add_argument(
            flag,
            action="append",
            default=[],
            metavar="FILE",
            help=f"titles, genres, descriptions of {whose} items; may be given several times",
        )
    parser.add_argument(
        "--merge-editions",
        action="store_true",
        help="make one item of those of a catalogue that have the same title",
    )
    parser.add_argument(
        "--text-model",
        default=TFIDF,
        metavar="NAME",
        help="what reads items' texts: tfidf (default), which counts words, or a language model of "
        "the extra 'text', by its name or its folder",
    )


def _add_judging(
    parser: argparse.ArgumentParser,
    shots: str = "N,N,…",
    what: str = "numbers of target interactions (default: 0,1,2,5,10)",
) -> None:
    parser.add_argument(
        "--shots", type=_list_of(int, "whole numbers such as 0,1,2,5,10"), metavar=shots, help=what
    )
    parser.add_argument(
        "--top", type=int, default=10, help="length of the lists that are judged (default: 10)"
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--feedback",
        default="auto",
        metavar="KIND",
        help="auto, ratings or implicit (default: auto)",
    )
    parser.add_argument(
        "--method",
        default="auto",
        metavar="NAME",
        help=f"auto, or one of {', '.join(PRIORS)} (default: auto)",
    )
    parser.add_argument(
        "--deep",
        action="store_true",
        help="let auto try networks too; they need pip install 'transrec[deep]'",
    )
    parser.add_argument("--model", default="als", metavar="NAME", help="als or nmf (default: als)")
    parser.add_argument(
        "--rank",
        type=_auto(int),
        metavar="K",
        help="number of latent factors, or auto (default: auto)",
    )
    parser.add_argument(
        "--lam",
        type=_auto(float),
        metavar="X",
        help="regularisation weight λ, or auto (default: auto)",
    )
    parser.add_argument(
        "--cold",
        default="users",
        metavar="SIDE",
        help="who is new to the target: users, or items, which get lists of users (default: users)",
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=Settings.budget,
        metavar="SECONDS",
        help=f"what auto may spend on choosing, as estimated (default: {Settings.budget:g})",
    )
    parser.add_argument(
        "--leave-out-crosslisted",
        action="store_true",
        help="leave out source items with the same users as a target item: the same product twice",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of everything random (default: 0)"
    )


def _auto(number: type[int] | type[float]) -> Callable[[str], int | float | None]:
    def parse(text: str) -> int | float | None:
        try:
            return None if text == "auto" else number(text)
        except ValueError:
            kind = "a whole number" if number is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is neither {kind} nor auto") from None

    return parse


def _list_of(number: type[Number], words: str) -> Callable[[str], tuple[Number, ...]]:
    def parse(text: str) -> tuple[Number, ...]:
        try:
            return tuple(number(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of {words}") from None

    return parse


def _settings(options: argparse.Namespace) -> Settings:

    return Settings(
        feedback=options.feedback,
        method=options.method,
        deep=options.deep,
        model=options.model,
        rank=options.rank,
        lam=options.lam,
        shots=getattr(options, "shots", None) or DEFAULT_SHOTS,
        top=options.top,
        cold=options.cold,
        budget=options.budget,
        merge_editions=getattr(options, "merge_editions", Settings.merge_editions),
        leave_out_crosslisted=options.leave_out_crosslisted,
        text_model=getattr(options, "text_model", Settings.text_model),
        seed=options.seed,
    )


@contextmanager
def _progress(options: argparse.Namespace) -> "Iterator[OnProgress]":
    """Show a progress bar on stderr, where that is a terminal."""
    from tqdm import tqdm

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
    off = True if options.quiet else None  # by itself where that is no terminal
    with tqdm(total=1.0, desc="Reading", bar_format=layout, disable=off, leave=False) as bar:

        def show(progress: "Progress") -> None:
            bar.set_description(progress.stage, refresh=False)
            bar.set_postfix_str(progress.detail, refresh=False)
            bar.update(max(progress.fraction - bar.n, 0.0))

        yield show


def _close(options: argparse.Namespace, lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Say at the end what was found and where it is, on stdout unless results are there."""
    if not options.quiet:
        stream = stream or sys.stdout
        for line in lines:
            # A minus sign that a console cannot show would turn a loss into a gain.
            text = _one_line(line).replace("−", "-")
            stream.write(
                textwrap.fill(text, LINE_WIDTH, break_long_words=False, break_on_hyphens=False)
            )
            stream.write("\n")


# ── commands ─────────────────────────────────────────────────────────────────────────────────────


def _app(options: argparse.Namespace) -> int:
    from dashboard.launch import launch

    launch(
        host=options.host,
        port=options.port,
        open_browser=not options.no_browser,
        base_path=options.base_path,
        names=options.allow_host,
        store=options.store,
        keep=not options.no_store,
        runs=options.runs,
        text_models=options.text_model,
    )
    return 0


def _check(options: argparse.Namespace) -> int:
    reports = []
    ascii_only = not shows_everything()  # JSON has its own way to write what a console cannot
    for file in options.files:
        report = _format(options, "", file).check(file, file)
        reports.append(report)
        text = (
            json.dumps(report.to_json(), ensure_ascii=ascii_only) if options.json else _told(report)
        )
        sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return USABLE if all(report.usable for report in reports) else REFUSED


def _told(report: "ImportReport") -> str:
    """Put a report into words."""
    from transrec_core.data.report import DELIMITER_NAMES

    lines = [f"{report.file}: {'usable' if report.usable else 'refused'}"]
    if report.usable:
        delimiter = report.delimiter or ""
        how = [
            report.encoding or "",
            DELIMITER_NAMES.get(delimiter, repr(delimiter) if delimiter else ""),
        ]
        how.append("names in the first row" if report.header else "no names in the first row")
        lines[0] += f", {report.rows:,} rows × {len(report.columns)} columns"
        lines.append(f"  read as {', '.join(part for part in how if part)}")
        parts = [f"{role} = {column}" for role, column in report.mapping.items() if column]
        lines.append(f"  columns: {', '.join(parts) or ', '.join(report.columns[:12])}")
    for problem in report.problems:
        where = f" (line {', '.join(map(str, problem.rows))})" if problem.rows else ""
        fix = f" {problem.fix}" if problem.fix else ""
        lines.append(f"  {problem.severity} {problem.code}{where}: {problem.message}{fix}")
    lines += [f"  in {choice.encoding}: {choice.preview}" for choice in report.encodings]
    return "\n".join(plain(line, len(line) + 1) for line in lines)


def _recommend(options: argparse.Namespace) -> int:
    return _by_engine(options, "recommend")


def _compare(options: argparse.Namespace) -> int:
    return _by_engine(options, "compare")


def _fit(options: argparse.Namespace) -> int:
    return _by_engine(options, "fit")


def _by_engine(options: argparse.Namespace, command: str) -> int:
    """Have an engine do one of the jobs that every engine can do."""
    from dataclasses import replace

    from transrec_core.engines import Job, engine_named
    from transrec_core.reporting.closing import evidence_line, found_lines, run_line, served_line

    job = Job(
        options.source,
        options.target,
        _settings(options),
        options.source_items,
        options.items,
        {
            **{side: _format(options, side, getattr(options, side)) for side in SIDES},
            **{file: _format(options, "items", file) for file in options.items},
            **{file: _format(options, "source-items", file) for file in options.source_items},
        },
        settle=getattr(options, "settle", False),
        raw=getattr(options, "raw_ids", False),
        command=_repeating(options),
        on_problems=_warn,
    )
    with _progress(options) as on_progress:
        engine = engine_named(options.engine, options.master, options.factorizer)
        engine.require(command, str(options.out))
        require_apart(engine.replaced(command, str(options.out)), _inputs(options))
        if getattr(options, "users", None) is not None:
            role = "item" if options.cold == "items" else "user"
            job = replace(job, users=_read_users(options, role))
        job = replace(job, on_progress=on_progress)
        done: Outcome = getattr(engine, command)(job, str(options.out))
    lines = found_lines(done.comparison, done.no_comparison, job.settings)
    if command == "compare":
        lines.append(evidence_line(options.out))
    elif command == "fit":
        lines.append(run_line(options.out, folder=Path(options.out).is_dir()))
    else:
        lines += [] if done.served is None else [served_line(done.served, options.cold)]
        lines.append(f"They are in {options.out}.")
    _close(options, lines)
    return 0


def _lists(options: argparse.Namespace) -> int:
    from transrec_core.recommending import counted
    from transrec_core.reporting.closing import served_line
    from transrec_core.reporting.tables import kind_of, write_parts

    out = Path(options.out)
    kind_of(out)
    require_file(out)
    require_apart([out], _inputs(options))
    if Path(options.run).is_dir():
        parts, cold = _lists_of_folder(options)
    else:
        from transrec_core.persistence import load_run
        from transrec_core.running import lists_from

        with _progress(options):
            run = load_run(options.run, name=options.run).run
        cold = run.settings.cold
        users = _users_of_run(options, cold)

        def parts() -> "Iterator[pd.DataFrame]":
            return lists_from(run, users=users, top=options.top)

    served: Counter[str] = Counter()
    write_parts(lambda: counted(parts(), served), out, raw=options.raw_ids)
    _close(options, [served_line(served, cold), f"They are in {out}."])
    return 0


def _users_of_run(options: argparse.Namespace, cold: str) -> list[str] | None:
    if options.users is None:
        return None
    return _read_users(options, "item" if cold == "items" else "user")


def _lists_of_folder(
    options: argparse.Namespace,
) -> "tuple[Callable[[], Iterator[pd.DataFrame]], str]":
    from transrec_core.engines.folder import open_run_folder

    folder = open_run_folder(options.run, options.run)
    written = options.top if folder.run is None else folder.run.settings.top
    if options.top is not None and not 1 <= options.top <= written:
        raise BadSettingError(
            f"top is {options.top}; the lists of {options.run} have {written} places.",
            "Name no more than that, or fit again with a larger --top.",
        )
    users = _users_of_run(options, folder.cold)
    if users is None:
        return lambda: folder.all_lists(options.top), folder.cold
    found = folder.lists_of(*users, top=options.top)
    there = set(found[folder.id_column])
    if missing := [user for user in users if user not in there]:
        from transrec_core.reporting.sentences import unknown_sentence

        verb, so = ("have", "they are") if len(missing) > 1 else ("has", "it is")
        where = f"{verb} no list in {options.run}"
        told = unknown_sentence(missing, len(users), where, f"{so} left out", folder.cold)
        warnings.warn(told, UnknownUserWarning, stacklevel=2)
    return lambda: iter([found]), folder.cold


def _report(options: argparse.Namespace) -> int:
    from transrec_core.reporting.bundle import BUNDLE, write_bundle
    from transrec_core.reporting.closing import evidence_line, found_lines

    require_folder(options.out)
    require_apart([options.out / name for name in BUNDLE], _inputs(options))
    if Path(options.run).is_dir():
        from transrec_core.engines.folder import copy_evidence, open_run_folder

        if options.raw_ids:
            raise BadSettingError(
                f"{options.run} is a folder, whose evidence is copied as it was written.",
                "Leave out --raw-ids.",
            )
        folder = open_run_folder(options.run, options.run)
        copy_evidence(folder, options.out)
        settings = Settings() if folder.run is None else folder.run.settings
        lines = found_lines(folder.comparison, "", settings)
        _close(options, [*lines, evidence_line(options.out)])
        return 0
    from transrec_core.persistence import load_run

    run = load_run(options.run, name=options.run).run
    if run.comparison is None:
        raise BadSettingError(
            f"{options.run} holds no evidence. {run.no_comparison}".strip(),
            "Fit it with more users in both catalogues.",
        )
    write_bundle(
        options.out, run.comparison, run.settings, run.data, run.seconds, raw=options.raw_ids
    )
    _close(options, [*found_lines(run.comparison, "", run.settings), evidence_line(options.out)])
    return 0


def _sources(options: argparse.Namespace) -> int:
    from transrec_core.reporting.closing import ranking_lines
    from transrec_core.reporting.tables import kind_of, write_table

    settings = _settings(options)
    if options.out is not None:
        kind_of(options.out)
        require_file(options.out)
        require_apart([options.out], _inputs(options))
    if len(set(options.sources)) < len(options.sources):
        raise BadSettingError("A source is named twice.", "Name each file once.")
    with _progress(options) as on_progress:
        from transrec_core.running import rank_sources

        target = _read_ratings(options, "target", options.target)
        sources = {file: _read_ratings(options, "source", file) for file in options.sources}
        table = rank_sources(target, sources, settings, on_progress=on_progress)
    if options.out is not None:
        write_table(table, options.out, raw=options.raw_ids)
    sys.stdout.write(_ranked(table))
    sys.stdout.flush()
    where = [] if options.out is None else [f"The table is in {options.out}."]
    _close(options, [*ranking_lines(table, options.target), *where], sys.stderr)
    return 0


def _sparsity(options: argparse.Namespace) -> int:
    from transrec_core.reporting.closing import sparsity_lines
    from transrec_core.reporting.tables import kind_of, write_table

    settings = _settings(options)
    out = Path(options.out)
    kind_of(out)
    require_file(out)
    require_apart([out], _inputs(options))
    with _progress(options) as on_progress:
        from transrec_core.evidence.sparsity import SHARES
        from transrec_core.running import sparsity

        source = _read_ratings(options, "source", options.source)
        target = _read_ratings(options, "target", options.target)
        shares = SHARES if options.shares is None else options.shares
        table = sparsity(source, target, settings, shares=shares, on_progress=on_progress)
    write_table(table, out, raw=options.raw_ids)
    for row in table.to_dict("records"):
        sys.stdout.write(
            f"{row['share']:.0%} of the target ratings ({row['ratings']:,}), {row['shots']} shots: "
            f"{row['metric']} {row['without']:.3f} without, {row['with']:.3f} with, gain "
            f"{row['gain']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}): {row['verdict']}\n"
        )
    sys.stdout.flush()
    _close(options, [*sparsity_lines(table, settings.cold), f"The table is in {out}."], sys.stderr)
    return 0


def _limits(options: argparse.Namespace) -> int:
    from dataclasses import fields

    from transrec_core.limits import Limits, origin, size_in_words

    limits = Limits.current()
    flagged = {setting.partition("=")[0] for setting in options.limit}
    for entry in fields(limits):
        value, unit = getattr(limits, entry.name), entry.metadata["unit"]
        shown = size_in_words(value) if unit == "bytes" else f"{value:,} {unit}"
        where = "--limit" if entry.name in flagged else origin(entry.name) or "default"
        sys.stdout.write(f"{entry.name} = {shown} ({where}): {entry.metadata['meaning']}\n")
    return 0


def _ranked(table: "pd.DataFrame") -> str:
    """Put a ranking of sources into lines, best first."""
    lines = []
    for place, row in enumerate(table.to_dict("records"), 1):
        size = f"{row['shared_users']:,} shared users, {row['ratings']:,} ratings"
        if row["note"]:
            lines.append(f"{place}. {row['source']}: not measured; {size}. {row['note']}")
            continue
        interval = f"{row['gain']:+.3f} {row['metric']} ({row['low']:+.3f} to {row['high']:+.3f})"
        lines.append(
            f"{place}. {row['source']}: {interval} over {row['baseline'].replace('_', ' ')} with "
            f"{row['shots']} target interactions, {row['judged_users']:,} users; {size}, "
            f"correlation {row['correlation']:.2f}, {row['seconds']:.1f} s"
        )
    return "".join(f"{plain(line, len(line) + 1)}\n" for line in lines)


def _repeating(options: argparse.Namespace) -> str:
    """The command line that was given, but for the address of a cluster: it may bear a token."""
    words = []
    given = iter(options.given)
    for word in given:
        flag, equals, _ = word.partition("=")
        # --m alone would be ambiguous.
        if options.master is not None and len(flag) > 3 and "--master".startswith(flag):
            if not equals:
                next(given)
        else:
            words.append(word)
    return shlex.join(["transrec", *words])


def _inputs(options: argparse.Namespace) -> list[str]:
    """Everything that a command reads: files and folders by their names."""
    given = vars(options)
    named = [given.get(name) for name in ("source", "target", "run", "users")]
    # A language model may be a folder.
    named += [*given.get("sources", ()), *_item_files(options), given.get("text_model")]
    return [name for name in named if name and name != TFIDF]


def _item_files(options: argparse.Namespace) -> list[str]:
    return [*getattr(options, "items", ()), *getattr(options, "source_items", ())]


def _read_users(options: argparse.Namespace, role: str) -> list[str]:
    """Ids of the file that ``--users`` names; a column that the ratings name so is one of them."""
    named = getattr(options, f"{role}_column", ())
    known = [column for name in named if (column := name.rpartition("=")[2])]
    found = _format(options, "users", options.users).ids(
        options.users, options.users, role=role, known=known
    )
    _warn(options.users, found.problems)
    return list(found.ids)


def _read_ratings(options: argparse.Namespace, role: str, file: str) -> "Ratings":
    found = _format(options, role, file).ratings(file, file)
    _warn(file, found.report.problems)
    return found


def _format(options: argparse.Namespace, role: str, file: str) -> "FileFormat":
    """What the flags say about one file; what is said of all holds for ratings alone."""
    from transrec_core.data.formats import FLAGS, FileFormat

    given = vars(options)
    files = [*given.get("files", ()), given.get("source"), given.get("target")]
    files += [*given.get("sources", ()), *_item_files(options), given.get("users")]
    roles = ("source", "target", "source-items", "items", "users")
    named = [f"{name}=" for name in (*roles, *files) if name]
    said: dict[str, str] = {}
    own: dict[str, str] = {}
    for flag in FLAGS:
        for value in given.get(flag.replace("-", "_"), ()):
            prefix = next((prefix for prefix in named if value.startswith(prefix)), "")
            if prefix in (f"{role}=", f"{file}="):
                own[flag] = value.removeprefix(prefix)
            elif not prefix and "items" not in role and role != "users":
                said[flag] = value
    return FileFormat.of(said | own)


if __name__ == "__main__":
    sys.exit(main())
