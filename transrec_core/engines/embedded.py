"""Jobs on this computer."""

import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transrec_core.engines import Job, Outcome
from transrec_core.engines.folder import (
    TOP_LEVEL,
    is_run_folder,
    require_replaceable,
    write_run_folder,
)
from transrec_core.errors import BadSettingError
from transrec_core.persistence import save_run
from transrec_core.places import require_file, require_folder
from transrec_core.recommending import counted, unknown_users
from transrec_core.reporting.bundle import BUNDLE, write_bundle
from transrec_core.reporting.tables import kind_of, write_parts
from transrec_core.running import compare, describe, lists_from, run, run_for_lists

if TYPE_CHECKING:
    from transrec_core.data.items import Items
    from transrec_core.data.ratings import Ratings


class Engine:
    """See ``engines.Engine``."""

    def __init__(self, master: str | None = None, factorizer: str | None = None) -> None:
        for flag, value in (("master", master), ("factorizer", factorizer)):
            if value is not None:
                raise BadSettingError(f"--{flag} is for a cluster.", "Add --engine spark.")

    def require(self, command: str, out: str) -> None:
        """See ``engines.Engine``."""
        path = Path(out)
        if command == "recommend":
            kind_of(path)
        if command == "compare":
            require_folder(path)
        elif command == "fit" and _is_folder(out):
            require_folder(path)
            require_replaceable(path)
        else:
            require_file(path)

    def replaced(self, command: str, out: str) -> list[str]:
        """See ``engines.Engine``."""
        if command == "compare":
            return [str(Path(out, name)) for name in BUNDLE]
        if command == "fit" and _is_folder(out):
            return [str(Path(out, name)) for name in TOP_LEVEL]
        return [out]

    def compare(self, job: Job, out: str) -> Outcome:
        """See ``engines.Engine``."""
        started = time.perf_counter()
        source, target, source_items, target_items = _read(job)
        comparison = compare(
            source,
            target,
            job.settings,
            source_items=source_items,
            target_items=target_items,
            on_progress=job.on_progress,
        )
        job.tell_checks(comparison)
        seconds = time.perf_counter() - started
        write_bundle(
            Path(out),
            comparison,
            job.settings,
            _facts(job, source, target),
            seconds,
            raw=job.raw,
            command=job.command,
        )
        return Outcome(comparison)

    def recommend(self, job: Job, out: str) -> Outcome:
        """See ``engines.Engine``."""
        source, target, source_items, target_items = _read(job)
        fitted = run_for_lists(
            source,
            target,
            job.settings,
            items=target_items,
            source_items=source_items,
            settle=job.settle,
            on_progress=job.on_progress,
        )
        job.tell_checks(fitted.comparison)
        users = job.users
        role = "item" if job.settings.cold == "items" else "user"
        names = [ratings.report.mapping[role] for ratings in (source, target)]
        if users and users[1:] and users[0] in names and unknown_users(fitted.pair, users[:1]):
            users = users[1:]  # the first heads the column
        served: Counter[str] = Counter()
        write_parts(
            lambda: counted(lists_from(fitted, users=users), served), Path(out), raw=job.raw
        )
        return Outcome(fitted.comparison, fitted.no_comparison, served)

    def fit(self, job: Job, out: str) -> Outcome:
        """See ``engines.Engine``. The run becomes a file, or a folder where ``out`` ends with /."""
        source, target, source_items, target_items = _read(job)
        result = run(
            source,
            target,
            job.settings,
            source_items=source_items,
            target_items=target_items,
            on_progress=job.on_progress,
        )
        job.tell_checks(result.comparison)
        result = replace(result, data=_facts(job, source, target))
        path = Path(out)
        if _is_folder(out):
            write_run_folder(result, path, command=job.command)
            return Outcome(result.comparison, result.no_comparison)
        texts = {"source_items": job.source_items, "target_items": job.target_items}
        files = {"source": job.source, "target": job.target}
        files |= {name: given[-1] for name, given in texts.items() if given}
        about = {name: Path(file).name for name, file in files.items()}
        save_run(result, path, {"name": path.stem, **about})
        return Outcome(result.comparison, result.no_comparison)


def _facts(job: Job, source: "Ratings", target: "Ratings") -> dict[str, dict[str, Any]]:
    """What a run tells of its data: sizes and hashes, and which files of texts there were."""
    facts = describe(source, target)
    for side, files in (("source", job.source_items), ("target", job.target_items)):
        if files:
            facts[side]["items_files"] = list(files)
            asked = {file: job.format(file).asked for file in files}
            facts[side]["items_asked"] = {file: said for file, said in asked.items() if said}
    return facts


def _is_folder(out: str) -> bool:
    return out.endswith(("/", os.sep)) or is_run_folder(out)


def _read(job: Job) -> "tuple[Ratings, Ratings, Items | None, Items | None]":
    source, target = job.ratings("source"), job.ratings("target")
    return source, target, job.items(job.source_items), job.items(job.target_items)
