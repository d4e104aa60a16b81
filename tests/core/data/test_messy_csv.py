"""Other projects' messy CSV files: nothing may be read as another shape in silence."""

import csv
import time

import pytest
from corpus import FIRST_ROW_IS_DATA, OTHER_RIGHT_ANSWERS

from transrec_core.data import read_table, to_ratings
from transrec_core.errors import BadRatingsError, UnreadableFileError

# Refused, but for another reason than the manifest's: it is not UTF-8 before it is header-only.
OTHER_CODE = {"files/duckdb__test__invalid_utf.csv": "ENCODING"}
CODE_NAMES = {"NO_HEADER": "NO_HEADER_GUESS"}


@pytest.fixture(scope="module")
def answers(messy_csv):
    """For every file: the manifest's row, shape read (None: refused) and all codes."""
    found = []
    for row in csv.DictReader((messy_csv / "manifest.csv").open()):
        started = time.perf_counter()
        try:
            table = read_table(messy_csv / row["file"])
        except UnreadableFileError as error:
            shape, codes = None, {problem.code for problem in error.report.problems}
        else:
            shape = table.frame.shape
            codes = {problem.code for problem in table.report.problems}
            try:
                codes |= {problem.code for problem in to_ratings(table).report.problems}
            except BadRatingsError:
                codes.add("NO_RATINGS")
        assert time.perf_counter() - started < 5, row["file"]
        found.append((row, shape, codes))
    assert len(found) == 332
    return found


def _expected(row) -> tuple[int, int]:
    rows, cols = int(row["rows"]), int(row["cols"])
    return OTHER_RIGHT_ANSWERS.get(
        row["file"], (rows + (row["file"] in FIRST_ROW_IS_DATA), cols)
    )  # fmt: skip


def _of(answers, *expect):
    return [answer for answer in answers if answer[0]["expect"] in expect]


def test_accept_files_load_to_their_shape(answers):
    files = _of(answers, "accept")
    assert len(files) == 132
    wrong = [(row["file"], shape) for row, shape, _ in files if shape != _expected(row)]
    assert wrong == []
    silent = [
        row["file"]
        for row, shape, codes in files
        if shape != (int(row["rows"]), int(row["cols"])) and "NO_HEADER_GUESS" not in codes
    ]
    assert silent == []


def test_accept_report_files_load_and_name_what_is_odd(answers):
    files = _of(answers, "accept_report")
    wrong, unnamed = [], []
    for row, shape, codes in files:
        if shape != _expected(row):
            wrong.append((row["file"], shape, row["rows"], row["cols"]))
        if row["file"] in FIRST_ROW_IS_DATA:
            expected = {"NO_HEADER_GUESS"}
        elif row["file"] in OTHER_RIGHT_ANSWERS and row["code"] == "ONE_COLUMN":
            expected = set()
        else:
            named = {code.split(":")[0].split(" ")[0] for code in row["code"].split("+")}
            expected = {CODE_NAMES.get(code, code) for code in named}
        if expected - codes:
            unnamed.append((row["file"], expected - codes))
    assert wrong == []
    assert unnamed == []


def test_what_must_be_refused_is_refused_with_its_code(answers):
    files = _of(answers, "refuse")
    assert len(files) == 25
    for row, shape, codes in files:
        assert shape is None, row["file"]
        assert OTHER_CODE.get(row["file"], row["code"]) in codes, (row["file"], codes)


def test_unknown_encodings_are_asked_about(answers):
    for row, shape, codes in _of(answers, "ask_encoding"):
        assert shape is None, row["file"]
        assert "ENCODING" in codes, row["file"]


def test_broken_files_are_refused_or_reported(answers):
    mild = {"NO_MAPPING", "NO_RATING_COLUMN", "NO_RATINGS", "MISSING_ID", "DUPLICATE_PAIR"}
    silent = [row["file"] for row, shape, codes in
              _of(answers, "refuse_or_report", "accept_with_dialect_or_report")
              if shape is not None and not codes - mild]  # fmt: skip
    assert silent == []
