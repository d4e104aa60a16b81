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
