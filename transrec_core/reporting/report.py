"""A report in one HTML file that needs no network and works in light and dark."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from transrec_core.evidence.costs import costs
from transrec_core.evidence.results import (
    Chosen,
    Comparison,
    Evidence,
    Gain,
    Interval,
    ShotEvidence,
    Verdict,
)
from transrec_core.reporting.curve import curve_svg
from transrec_core.reporting.sentences import (
    cohort_words,
    cost_sentences,
    counted,
    crosslisted_sentence,
    level_words,
    method_words,
    metric_help,
    metric_words,
    number,
    one,
    parameter_words,
    seconds_words,
    served_words,
    verdict_sentence,
    who,
)
from transrec_core.settings import TFIDF
from transrec_core.showing import plain

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
.scroll { overflow-x: auto; margin-bottom: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .35rem .6rem; text-align: left; border-bottom: 1px solid var(--line); }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { background: var(--raised); padding: .75rem 1rem; overflow-x: auto; }
td code { overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); } details { margin-top: 1.25rem; }
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
        From ``evidence_json``: the data, the settings and the command.

    Returns
    -------
    str
        A whole HTML document.
    """
    headline = comparison.headline
    kinds = [kind for kind in (comparison.ranking, comparison.ratings) if kind is not None]
    them = f"{one(headline.cold)}s"
    body = [
        f"<h1>{escape(verdict_sentence(headline.shots[0], headline))}</h1>",
        f'<p class="note">{_tested(comparison)}</p>',
        *_warnings(comparison),
        *(_evidence(kind, _chosen_for(comparison, kind)) for kind in kinds),
        "<h2>What was chosen</h2>",
        f"<p>Settled on validation {them}, before any test {one(headline.cold)} was looked at.</p>",
        *(_chosen(kind, chosen, headline.cold) for kind, chosen in comparison.chosen.items()),
        "<h2>Data</h2>",
        _data(evidence["data"]),
        *_reader(evidence["config"].get("text_model", TFIDF)),
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


def _reader(text_model: str) -> list[str]:
    """What read the items' texts, where that was a language model."""
    if text_model == TFIDF:
        return []
    from transrec_core.content.models import model_label  # loads scikit-learn

    return [f"<p>A language model read the items' texts: {escape(model_label(text_model))}.</p>"]


def escape(text: str) -> str:
    """Text as HTML that shows it on one line, without what cannot be seen or turns it round."""
    return html.escape(plain(text, len(text) + 1))


def _title(headline: Evidence, data: Mapping[str, Mapping[str, Any]]) -> str:
    names = [str(data.get(domain, {}).get("file", domain)) for domain in ("source", "target")]
    verdict = VERDICT_WORDS[headline.shots[0].verdict]
    return f"{verdict}: {names[0]} to {names[1]} (transrec)"


def _tested(comparison: Comparison) -> str:
    them = f"{one(comparison.headline.cold)}s"
    return (
        f"{comparison.test_users:,} test {them} whose target interactions were held out; "
        f"{comparison.validation_users:,} other {them} settled every choice."
    )


def _warnings(comparison: Comparison) -> list[str]:
    """What was noticed before the fit, and what products in both catalogues are worth."""
    told = [
        f"{problem.message} {problem.fix}"
        for problem in comparison.checks
        if problem.severity != "info"
        and (problem.code != "CROSSLISTED" or comparison.crosslisted is None)
    ]
    if comparison.crosslisted is not None:
        told.insert(0, crosslisted_sentence(comparison))
    if not told:
        return []
    rows = "".join(f"<li>{escape(words)}</li>" for words in told)
    return [f"<h2>Before you trust it</h2><ul>{rows}</ul>"]


def _chosen_for(comparison: Comparison, evidence: Evidence) -> Chosen | None:
    return comparison.chosen.get("ranking" if evidence is comparison.ranking else "ratings")


def _evidence(evidence: Evidence, chosen: Chosen | None) -> str:
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
        f"<figure>{curve_svg(evidence)}<figcaption>Mean over test {one(evidence.cold)}s; bands are "
        f"95 % bootstrap intervals.</figcaption></figure><ul>{sentences}</ul>{crossover}"
        f"{_methods(evidence)}{_costs(evidence, chosen)}{_gains(evidence)}"
        f"{_all_gains(evidence)}{_further(evidence)}{_cohorts(evidence)}"
    )


def _methods(evidence: Evidence) -> str:
    names = list(dict.fromkeys(name for shot in evidence.shots for name in shot.methods))
    rows = []
    for name in names:
        cells = [_interval(shot.methods.get(name)) for shot in evidence.shots]
        if evidence.fit_seconds:
            seconds = evidence.fit_seconds.get(name)
            cells.append(_number("–" if seconds is None else seconds_words(seconds)))
        rows.append([_head(method_words(name, evidence.cold)), *cells])
    heads = [
        "Method",
        *(f"{s.shots} shots, {counted(s.users, evidence.cold)}" for s in evidence.shots),
        *(["Time to fit"] if evidence.fit_seconds else []),
    ]
    return _table(f"{metric_words(evidence.metric)} with 95 % interval", heads, rows)


def _costs(evidence: Evidence, chosen: Chosen | None) -> str:
    """Who is worth the wait, for the first number of shots."""
    shot = evidence.shots[0]
    told = cost_sentences(costs(evidence, shot, chosen), evidence)
    if not told:
        return ""
    words = " ".join(told)
    return f"<p>For {escape(who(shot.shots, evidence.cold))}: {escape(words)}</p>"


def _gains(evidence: Evidence) -> str:
    rows = []
    for shot in evidence.shots:
        gain = shot.gain
        rows.append(
            [
                _head(str(shot.shots)),
                _text(VERDICT_WORDS[shot.verdict]),
                _interval(Interval(gain.mean, gain.low, gain.high)),
                _number(_p(gain.p)),
                _number(f"{gain.helped:.0%} / {gain.harmed:.0%}"),
                _number(f"{number(shot.placebo.low)} to {number(shot.placebo.high)}"),
                _text(
                    f"{method_words(shot.transfer, evidence.cold)} against "
                    f"{method_words(shot.best_baseline, evidence.cold)}"
                ),
            ]
        )
    heads = [
        "Shots",
        "Verdict",
        "Gain",
        "p",
        f"{one(evidence.cold).capitalize()}s helped / harmed",
        "Shuffled source",
        "Compared",
    ]
    return _table(
        f"Gain of transfer, {one(evidence.cold)} by {one(evidence.cold)}; positive is better",
        heads,
        rows,
    )


def _all_gains(evidence: Evidence) -> str:
    names = list(dict.fromkeys(name for shot in evidence.shots for name in shot.gains))
    rows = [
        [
            _head(method_words(name, evidence.cold)),
            *(_gain(s.gains.get(name), s.p_holm.get(name)) for s in evidence.shots),
        ]
        for name in names
    ]
    return _table(
        "Gain of each transfer method and of auto over the best baseline, with 95 % interval and "
        "p; Holm corrects it for the number of methods, of which auto is no further one",
        ["Method", *(f"{shot.shots} shots" for shot in evidence.shots)],
        rows,
    )


def _gain(gain: Gain | None, holm: float | None) -> str:
    if gain is None:
        return _number("–")
    corrected = "" if holm is None else f"<br>Holm {escape(_p(holm))}"
    return (
        f'<td class="n">{number(gain.mean)}<br><small>{number(gain.low)} to {number(gain.high)}'
        f"<br>p {escape(_p(gain.p))}{corrected}</small></td>"
    )


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _further(evidence: Evidence) -> str:
    tables = "".join(_further_at(shot, evidence.cold) for shot in evidence.shots if shot.more)
    if not tables:
        return ""
    names = dict.fromkeys(
        name for s in evidence.shots for values in s.more.values() for name in values
    )
    meaning = "".join(
        f"<li>{escape(metric_words(name))}: {escape(metric_help(name, evidence.cold))}</li>"
        for name in names
    )
    return f"<details><summary>Further metrics</summary><ul>{meaning}</ul>{tables}</details>"


def _further_at(shot: ShotEvidence, cold: str) -> str:
    names = list(dict.fromkeys(name for values in shot.more.values() for name in values))
    rows = [
        [
            _head(method_words(method, cold)),
            *(_number(number(values[name]) if name in values else "–") for name in names),
        ]
        for method, values in shot.more.items()
    ]
    return _table(f"{shot.shots} shots", ["Method", *map(metric_words, names)], rows)


def _cohorts(evidence: Evidence) -> str:
    if evidence.cohorts.empty:
        return ""
    cells: dict[str, dict[str, dict[int, str]]] = {}
    for row in evidence.cohorts.to_dict("records"):
        found = Interval(row["gain"], row["low"], row["high"])
        level = level_words(row["cohort"], row["level"], evidence.cold)
        levels = cells.setdefault(cohort_words(row["cohort"], evidence.cold), {})
        levels.setdefault(level, {})[row["shots"]] = _interval(found)
    shots = [shot.shots for shot in evidence.shots]
    heads = ["Level", *(f"{s} shots" for s in shots)]
    tables = "".join(
        _table(
            heading,
            heads,
            [
                [_head(level), *(by.get(s, _interval(None)) for s in shots)]
                for level, by in levels.items()
            ],
        )
        for heading, levels in cells.items()
    )
    return (
        '<h3>For whom, and on what</h3><p class="note">The gain in parts of the test data. Among '
        f"so many intervals some lie above or below zero by chance.</p>{tables}"
    )


def _chosen(kind: str, chosen: Chosen, cold: str) -> str:
    used = [str(shots) for shots, on in chosen.transfer_at.items() if on]
    words = f"at {', '.join(used)} shots" if used else "nowhere"
    rows = [
        [_head("Transfer method"), _text(method_words(chosen.method, cold))],
        [_head(f"Validation {one(cold)}s gained from transfer"), _text(words)],
        [_head("Best without the source"), _text(_by_shots(chosen.baseline_at, cold))],
        [_head("Candidates tried"), _text(str(len(chosen.tried)))],
    ]
    what = {"ranking": "Recommendation lists", "ratings": "Predicted ratings"}.get(kind, kind)
    served = [
        [_head(str(shots)), _text(served_words(chosen, shots, cold))]
        for shots in chosen.baseline_at
    ]
    methods = [
        [
            _head(method_words(method, cold)),
            _text(parameter_words(parameters)),
            _text(_taus(chosen.strengths.get(method, {}))),
        ]
        for method, parameters in chosen.parameters.items()
    ]
    left_out = "".join(
        f"<li>{escape(method_words(method, cold))}: {escape(reason)}.</li>"
        for method, reason in chosen.left_out.items()
    )
    return (
        f"<h3>{escape(what)}</h3>"
        + _table("Choices", ["Choice", "Value"], rows)
        + _table("What auto serves", ["Shots", "Served"], served)
        + _table(
            "Parameters of each method; τ is the weight of what the source says",
            ["Method", "Parameters", "τ by shots"],
            methods,
        )
        + (f"<p>Methods left out:</p><ul>{left_out}</ul>" if left_out else "")
    )


def _taus(strength: Mapping[int, float]) -> str:
    parts = [f"{tau:g} at {shots}" for shots, tau in strength.items() if shots != 0]
    return ", ".join(parts) or "–"


def _by_shots(methods: Mapping[int, str], cold: str) -> str:
    shots_of: dict[str, list[str]] = {}
    for shots, method in methods.items():
        shots_of.setdefault(method, []).append(str(shots))
    parts = (
        f"{method_words(method, cold)} at {', '.join(shots)} shots"
        for method, shots in shots_of.items()
    )
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
                f"<td><code>{escape(str(facts.get('sha256', '–')))}</code></td>",
            ]
        )
    return _table("Files", ["Domain", "File", "Users", "Items", "Ratings", "SHA-256"], rows)


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
