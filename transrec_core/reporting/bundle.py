"""What ``compare`` leaves behind: evidence for programs, per-user values, a report for people."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from transrec_core.evidence.results import Comparison, Evidence
from transrec_core.reporting.report import report_html
from transrec_core.reporting.saving import write_folder
from transrec_core.reporting.tables import csv_bytes
from transrec_core.settings import TFIDF, Settings

BUNDLE = EVIDENCE, PER_USER, REPORT = "evidence.json", "per_user.csv", "report.html"


def evidence_json(
    comparison: Comparison,
    settings: Settings,
    data: Mapping[str, Mapping[str, Any]],
    seconds: float,
    *,
    command: str = "",
) -> dict[str, Any]:
    """Build the content of ``evidence.json`` from plain JSON values, without NaN.

    Parameters
    ----------
    comparison
        What was found.
    settings
        What was asked for.
    data
        For ``source`` and ``target``: ``sha256``, ``users``, ``items``, ``ratings`` and, where the
        data came from a file, ``file``.
    seconds
        Wall time of the whole run.
    command
        The command line that was given; by default one that repeats the comparison.

    Returns
    -------
    dict
        ``verdict``, ``metric`` and ``shots`` speak of the headline metric; ``ratings`` has the
        same three for predicted ratings where both kinds of evidence exist, ``crosslisted`` for
        the headline without products that are in both catalogues under two ids, or the ``reason``
        why nothing can be measured without them. ``checks`` is what
        was noticed beforehand.
    """
    evidence = {
        **_kind(comparison.headline),
        "chosen": {kind: chosen.to_json() for kind, chosen in comparison.chosen.items()},
        "data": {domain: dict(facts) for domain, facts in data.items()},
        "config": settings.to_json(),
        "version": version("transrec"),
        "test_users": comparison.test_users,
        "validation_users": comparison.validation_users,
        "seconds": seconds,
        "command": command or compare_command(settings, data),
    }
    evidence["checks"] = [problem.to_json() for problem in comparison.checks]
    if comparison.crosslisted is not None:
        found = comparison.crosslisted
        without = {"reason": found.reason} if found.evidence is None else _kind(found.evidence)
        evidence["crosslisted"] = {**without, "products": found.products}
    if comparison.ranking is not None and comparison.ratings is not None:
        evidence["ratings"] = _kind(comparison.ratings)
    plain: dict[str, Any] = plain_values(evidence)
    return plain


def _kind(evidence: Evidence) -> dict[str, Any]:
    return {
        "verdict": {str(shots): verdict for shots, verdict in evidence.verdict.items()},
        "metric": evidence.metric,
        "shots": [shot.to_json() for shot in evidence.shots],
        "cohorts": evidence.cohorts.to_dict("records"),
        "fit_seconds": dict(evidence.fit_seconds),
    }


def plain_values(value: Any) -> Any:
    """Turn NumPy scalars into Python's and numbers that JSON does not have into ``null``."""
    if isinstance(value, Mapping):
        return {str(key): plain_values(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


WITHOUT_FLAG = ("alpha0", "regularization_exponent", "test_share", "min_target")
"""Settings that Python alone can choose."""


def compare_command(
    settings: Settings,
    data: Mapping[str, Mapping[str, Any]],
    *,
    out: str = "evidence",
    raw: bool = False,
    engine: Sequence[str] = (),
) -> str:
    """Build the command line that repeats a comparison, run beside the files.

    Parameters
    ----------
    settings
        What was asked for. What the command line cannot ask for is said in a comment behind it.
    data
        As in ``evidence_json``; beside ``file``, ``asked`` may say how it was read,
        ``items_files`` which texts there were, and ``items_asked`` how each of them was read.
    out
        The folder.
    raw
        Whether ids are left as they are in CSV.
    engine
        Flags that name the engine, where it is not the embedded one.
    """
    more = ["--shots", ",".join(map(str, settings.shots)), *(["--raw-ids"] if raw else [])]
    return _command("compare", out, settings, data, [*more, *engine])


def recommend_command(
    settings: Settings, data: Mapping[str, Mapping[str, Any]], *, users: str = ""
) -> str:
    """Build the command line that makes the lists again, run beside the files.

    ``users`` is the file of those who get lists; else they are all of the source. The others are
    as in ``compare_command``.
    """
    more = ["--settle", *(["--users", users] if users else [])]
    return _command("recommend", "recommendations.csv", settings, data, more)


def _command(
    command: str,
    out: str,
    settings: Settings,
    data: Mapping[str, Mapping[str, Any]],
    more: Sequence[str],
) -> str:
    facts = [data.get(domain, {}) for domain in ("source", "target")]
    words = ["transrec", command]
    words += [
        _path(fact.get("file", domain))
        for domain, fact in zip(("SOURCE", "TARGET"), facts, strict=True)
    ]
    words += ["--out", _path(out)]
    for domain, fact in zip(("source", "target"), facts, strict=True):
        for name, value in fact.get("asked", {}).items():
            words.append(f"--{name}={domain}={value}")
    for flag, fact in zip(("--source-items", "--items"), facts, strict=True):
        for file in fact.get("items_files", ()):
            words += [flag, _path(file)]
            for name, value in fact.get("items_asked", {}).get(file, {}).items():
                words.append(f"--{name}={_path(file)}={value}")
    words += ["--feedback", settings.feedback]
    words += ["--method", settings.method, "--model", settings.model]
    words += ["--rank", "auto" if settings.rank is None else str(settings.rank)]
    words += ["--lam", "auto" if settings.lam is None else repr(settings.lam)]
    words += ["--cold", settings.cold, "--budget", repr(settings.budget).removesuffix(".0")]
    words += ["--deep"] if settings.deep else []
    words += ["--merge-editions"] if settings.merge_editions else []
    words += [f"--text-model={settings.text_model}"] if settings.text_model != TFIDF else []
    words += ["--leave-out-crosslisted"] if settings.leave_out_crosslisted else []
    words += ["--top", str(settings.top), "--seed", str(settings.seed), *more]
    return shlex.join(words) + _unsaid(settings)


def _unsaid(settings: Settings) -> str:
    """A comment of the shell on what the command cannot ask for; empty where it says all."""
    names = [name for name in WITHOUT_FLAG if getattr(settings, name) != getattr(Settings, name)]
    told = ", ".join(f"{name} = {getattr(settings, name):g}" for name in names)
    return f"  # without {told}, which Python alone can choose" if told else ""


def _path(file: object) -> str:
    """A name that begins with a dash would be read as an option."""
    return f"./{file}" if str(file).startswith("-") else str(file)


def metrics_table(comparison: Comparison) -> pd.DataFrame:
    """Every metric of every method at every number of shots, one row each.

    Returns
    -------
    metric, shots, users, method, mean, low, high (95 % interval; empty for further metrics), then
    for what is compared with the best baseline: baseline, gain, gain_low, gain_high, p, p_holm,
    helped, harmed; verdict, beside the method that it speaks of; and fit_seconds of methods whose
    time is known.
    """
    rows: list[dict[str, Any]] = []
    for kind in (comparison.ranking, comparison.ratings):
        for shot in () if kind is None else kind.shots:
            assert kind is not None
            told = {"shots": shot.shots, "users": shot.users}
            for name, found in shot.methods.items():
                row = {"metric": kind.metric, **told, "method": name, **vars(found)}
                row["fit_seconds"] = kind.fit_seconds.get(name)
                if name in shot.gains:
                    gain = shot.gains[name]
                    row |= {
                        "baseline": shot.best_baseline,
                        "gain": gain.mean,
                        "gain_low": gain.low,
                        "gain_high": gain.high,
                        "p": gain.p,
                        "p_holm": shot.p_holm.get(name),
                        "helped": gain.helped,
                        "harmed": gain.harmed,
                    }
                rows.append(row | ({"verdict": shot.verdict} if name == shot.transfer else {}))
            for name, values in shot.more.items():
                rows += [
                    {"metric": metric, **told, "method": name, "mean": value}
                    for metric, value in values.items()
                ]
    columns = (
        "metric", "shots", "users", "method", "mean", "low", "high", "baseline", "gain",
        "gain_low", "gain_high", "p", "p_holm", "helped", "harmed", "verdict",
        "fit_seconds",
    )  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=list(columns))
    return table.assign(**{name: table[name].fillna("") for name in ("baseline", "verdict")})


def bundle_files(
    comparison: Comparison,
    settings: Settings,
    data: Mapping[str, Mapping[str, Any]],
    seconds: float,
    *,
    raw: bool = False,
    command: str = "",
) -> dict[str, bytes]:
    """Content of every file of the bundle by name, in the order to write them.

    ``raw`` as in ``table_bytes``, ``command`` as in ``evidence_json``.
    """
    evidence = evidence_json(comparison, settings, data, seconds, command=command)
    kinds = [kind for kind in (comparison.ranking, comparison.ratings) if kind is not None]
    per_user = pd.concat([kind.per_user for kind in kinds], ignore_index=True)
    text = json.dumps(evidence, indent=2, ensure_ascii=False, allow_nan=False)
    return {
        EVIDENCE: (text + "\n").encode(),
        PER_USER: csv_bytes(per_user, raw=raw),
        REPORT: report_html(comparison, evidence).encode(),
    }


def write_bundle(
    folder: str | Path,
    comparison: Comparison,
    settings: Settings,
    data: Mapping[str, Mapping[str, Any]],
    seconds: float,
    *,
    raw: bool = False,
    command: str = "",
) -> None:
    """Write ``evidence.json``, ``per_user.csv`` and ``report.html`` into a folder.

    The folder is made where there is none; one of an earlier bundle is replaced in one step. See
    ``write_folder``. ``raw`` as in ``table_bytes``, ``command`` as in ``evidence_json``.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    command = command or compare_command(settings, data, out=str(folder), raw=raw)
    files = bundle_files(comparison, settings, data, seconds, raw=raw, command=command)
    write_folder(Path(folder), files)
