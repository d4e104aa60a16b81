"""A report in one HTML file that needs no network and works in light and dark."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from transrec_core.evidence.results import Comparison, Evidence, Interval, Verdict
from transrec_core.reporting.curve import curve_svg
from transrec_core.reporting.sentences import (
    method_words,
    metric_words,
    number,
    verdict_sentence,
)

# Nothing may be loaded: a report is sent around and opened years later.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #565b62; --line: #d5d8dc;
  --paper: #ffffff; --raised: #f4f5f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9eaec; --soft: #a9afb7; --line: #3f444b;
  --paper: #16181b; --raised: #212429; } }
body { margin: 0 auto; max-width: 52rem; padding: 2rem 1.25rem 4rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.3; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin-top: 1.75rem; }
p.note, caption { color: var(--soft); } caption { text-align: left; padding-bottom: .5rem; }
figure { margin: 0; } figcaption { color: var(--soft); }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg .grid { stroke: var(--line); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { padding: .35rem .6rem; text-align: left; border-bottom: 1px solid var(--line); }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { background: var(--raised); padding: .75rem 1rem; overflow-x: auto; }
td code { overflow-wrap: anywhere; }
@media print { body { max-width: none; padding: 0; } }
"""
VERDICT_WORDS: Mapping[Verdict, str] = {
    "helps": "Transfer helps",
    "no evidence": "No evidence",
    "hurts": "Transfer hurts",
}


def report_html(comparison: Comparison, evidence: Mapping[str, Any]) -> str:
    """Build the report.

    Parameters
    ----------
    comparison
        What was found.
    evidence
        From ``evidence_json``: what was chosen, the data, the settings and the command.

    Returns
    -------
    str
        A whole HTML document.
    """
    headline = comparison.headline
    kinds = [kind for kind in (comparison.ranking, comparison.ratings) if kind is not None]
    body = [
        f"<h1>{escape(verdict_sentence(headline.shots[0], headline))}</h1>",
        f'<p class="note">{_tested(comparison)}</p>',
        *(_evidence(kind) for kind in kinds),
        "<h2>What was chosen</h2>",
        "<p>Settled on validation users, before any test user was looked at.</p>",
        *(_chosen(kind, chosen) for kind, chosen in evidence["chosen"].items()),
        "<h2>Data</h2>",
        _data(evidence["data"]),
        "<h2>Repeat this run</h2>",
        f"<pre><code>{escape(evidence['command'])}</code></pre>",
        f'<p class="note">transrec {escape(evidence["version"])}, '
        f"{evidence['seconds']:.1f} seconds.</p>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(_title(headline, evidence['data']))}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n" + "\n".join(body) + "\n</main>\n"
        "</body>\n</html>\n"
    )


def _title(headline: Evidence, data: Mapping[str, Mapping[str, Any]]) -> str:
    names = [str(data.get(domain, {}).get("file", domain)) for domain in ("source", "target")]
    verdict = VERDICT_WORDS[headline.shots[0].verdict]
    return f"{verdict}: {names[0]} to {names[1]} (transrec)"


def _tested(comparison: Comparison) -> str:
    return (
        f"{comparison.test_users:,} test users whose target interactions were held out; "
        f"{comparison.validation_users:,} other users settled every choice."
    )


def _evidence(evidence: Evidence) -> str:
    lists = evidence.higher_is_better
    what = "Recommendation lists" if lists else "Predicted ratings"
    sentences = "".join(f"<li>{escape(verdict_sentence(s, evidence))}</li>" for s in evidence.shots)
    crossover = (
        f"<p>From {evidence.crossover} target interactions on, transfer no longer pays.</p>"
        if evidence.crossover is not None
        else ""
    )
    return (
        f"<h2>{what}: {escape(metric_words(evidence.metric))}</h2>"
        f"<figure>{curve_svg(evidence)}<figcaption>Mean over test users; bands are 95 % bootstrap "
        f"intervals.</figcaption></figure><ul>{sentences}</ul>{crossover}"
        f"{_methods(evidence)}{_gains(evidence)}{_cohorts(evidence)}"
    )


def _methods(evidence: Evidence) -> str:
    names = list(dict.fromkeys(name for shot in evidence.shots for name in shot.methods))
    rows = []
    for name in names:
        cells = [_interval(shot.methods.get(name)) for shot in evidence.shots]
        rows.append([_head(method_words(name)), *cells])
    heads = ["Method", *(f"{shot.shots} shots, {shot.users:,} users" for shot in evidence.shots)]
    return _table(f"{metric_words(evidence.metric)} with 95 % interval", heads, rows)


def _gains(evidence: Evidence) -> str:
    rows = []
    for shot in evidence.shots:
        gain = shot.gain
        rows.append(
            [
                _head(str(shot.shots)),
                _text(VERDICT_WORDS[shot.verdict]),
                _interval(Interval(gain.mean, gain.low, gain.high)),
                _number(f"{gain.p:.3f}" if gain.p >= 0.001 else "< 0.001"),
                _number(f"{gain.helped:.0%} / {gain.harmed:.0%}"),
                _number(f"{number(shot.placebo.low)} to {number(shot.placebo.high)}"),
                _text(f"{method_words(shot.transfer)} against {method_words(shot.best_baseline)}"),
            ]
        )
    heads = [
        "Shots",
        "Verdict",
        "Gain",
        "p",
        "Users helped / harmed",
        "Shuffled source",
        "Compared",
    ]
    return _table("Gain of transfer, user by user; positive is better", heads, rows)


def _cohorts(evidence: Evidence) -> str:
    if evidence.cohorts.empty:
        return ""
    cells: dict[tuple[str, str], dict[int, str]] = {}
    for row in evidence.cohorts.to_dict("records"):
        found = Interval(row["gain"], row["low"], row["high"])
        cells.setdefault((row["cohort"], row["level"]), {})[row["shots"]] = _interval(found)
    shots = [shot.shots for shot in evidence.shots]
    rows = [
        [_head(f"{cohort} interactions: {level}"), *(by.get(s, _interval(None)) for s in shots)]
        for (cohort, level), by in cells.items()
    ]
    heads = ["Users with", *(f"{s} shots" for s in shots)]
    return _table("For whom: gain among a third of the test users each, by activity", heads, rows)


def _chosen(kind: str, chosen: Mapping[str, Any]) -> str:
    used = [shots for shots, on in chosen["transfer_at"].items() if on]
    words = f"at {', '.join(used)} shots" if used else "nowhere"
    rows = [
        [_head("Rank (latent factors)"), _number(str(chosen["rank"]))],
        [_head("Regularisation λ"), _number(_general(chosen["lam"]))],
        [_head("Strength of the transferred prior τ"), _number(_taus(chosen["strength"]))],
        [_head("Validation users gained from transfer"), _number(words)],
        [_head("Best without the source"), _text(_by_shots(chosen["baseline_at"]))],
        [_head("Candidates tried"), _number(str(len(chosen["tried"])))],
    ]
    what = {"ranking": "Recommendation lists", "ratings": "Predicted ratings"}.get(kind, kind)
    return _table(what, ["Setting", "Value"], rows)


def _taus(strength: Mapping[str, float]) -> str:
    parts = (f"{_general(tau)} at {shots}" for shots, tau in strength.items() if shots != "0")
    return f"{', '.join(parts)} shots" if any(shots != "0" for shots in strength) else "–"


def _by_shots(methods: Mapping[str, str]) -> str:
    shots_of: dict[str, list[str]] = {}
    for shots, method in methods.items():
        shots_of.setdefault(method, []).append(shots)
    parts = (f"{method_words(m)} at {', '.join(shots)} shots" for m, shots in shots_of.items())
    return "; ".join(parts)


def _data(data: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for domain, facts in data.items():
        sizes = [_number(f"{facts[size]:,}") for size in ("users", "items", "ratings")]
        rows.append(
            [
                _head(domain.capitalize()),
                _text(str(facts.get("file", ""))),
                *sizes,
                f"<td><code>{escape(str(facts['sha256']))}</code></td>",
            ]
        )
    return _table("Files", ["Domain", "File", "Users", "Items", "Ratings", "SHA-256"], rows)


def _general(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return _number("–")
    bounds = f"{number(interval.low)} to {number(interval.high)}"
    return f'<td class="n">{number(interval.mean)}<br><small>{bounds}</small></td>'


def _head(words: str) -> str:
    return f'<th scope="row">{escape(words)}</th>'


def _text(words: str) -> str:
    return f"<td>{escape(words)}</td>"


def _number(words: str) -> str:
    return f'<td class="n">{escape(words)}</td>'


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )
