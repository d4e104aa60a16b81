"""Messy files of every kind: read to the right cells, refused with the right code, never else."""

from typing import Any

import pytest
from messy import Case, all_cases

from transrec_core.data import read_table, to_ratings
from transrec_core.errors import BadRatingsError, UnreadableFileError

CASES = all_cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_messy_file_is_read_right_or_refused_by_name(case: Case) -> None:
    how: dict[str, Any] = dict(case.how)
    if case.rows is None:
        with pytest.raises(UnreadableFileError) as error:
            read_table(case.content, **how)
        report = error.value.report
        assert report is not None
        assert report.problems[0].code == case.codes[0]
        assert report.problems[0].fix
        return
    table = read_table(case.content, **how)
    names, cells = (case.rows[0], case.rows[1:]) if case.header else (None, case.rows)
    assert table.frame.to_numpy().tolist() == cells
    if names is not None and len(set(names)) == len(names) and "" not in names:
        assert list(table.frame.columns) == [name.strip() for name in names]
    codes = {problem.code for problem in table.report.problems}
    try:
        codes |= {problem.code for problem in to_ratings(table).report.problems}
    except BadRatingsError:
        codes.add("NO_RATINGS")
    assert set(case.codes) <= codes
    if not case.header and not how:
        assert "NO_HEADER_GUESS" in codes


@pytest.mark.parametrize("above", ["", "\n\n", ",,\n", "sep=,\n", '\n"",\n'])
def test_lines_count_as_in_the_file_whatever_stands_above_the_table(above: str) -> None:
    table = read_table((above + "user,item\nu,i\nv\nw,j\n,k\n").encode())
    line = above.count("\n") + 1
    (ragged,) = (p for p in table.report.problems if p.code == "RAGGED")
    assert ragged.rows == (line + 2,)
    (missing,) = (p for p in to_ratings(table).report.problems if p.code == "MISSING_ID")
    assert missing.rows == (line + 4,)
    clean = to_ratings(read_table((above + "user,item\nu,i\n,j\n").encode())).report
    assert next(p.rows for p in clean.problems if p.code == "MISSING_ID") == (line + 2,)
    names = read_table((above + "user,user\nu,i\n").encode()).report.problems
    assert next(p.rows for p in names if p.code == "DUPLICATE_COLUMN") == (line,)
