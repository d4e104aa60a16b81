"""Text from data, as it is shown: one line, one direction, nothing hidden."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from transrec_core.reporting.report import escape
from transrec_core.showing import plain


@given(st.text())
def test_nothing_unseen_is_left_and_everything_seen_is_kept(text):
    shown = plain(text, len(text) + 1)
    kinds = {unicodedata.category(c) for c in shown}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    seen = [c for c in text if unicodedata.category(c)[0] not in "CZ"]
    assert [c for c in shown if unicodedata.category(c)[0] not in "CZ"] == seen
    assert plain(shown, len(text) + 1) == shown


@given(st.text(min_size=1), st.integers(1, 30))
def test_a_long_text_is_cut_and_says_so(text, limit):
    whole = plain(text, len(text) + 1)
    cut = plain(text, limit)
    assert len(cut) <= limit
    assert cut == whole if len(whole) <= limit else cut == whole[: limit - 1] + "…"


def test_a_report_shows_text_as_it_is_and_nothing_that_turns_it_round():
    assert escape('<b>"a"\x1b[31m \u202eb\nc') == "&lt;b&gt;&quot;a&quot; [31m b c"
