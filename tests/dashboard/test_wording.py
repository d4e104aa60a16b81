"""Formats that people read, and text from data that must stay text."""

import pytest

from dashboard import wording
from dashboard.wording import WORD_JOINER, escape_md, plain


@pytest.mark.parametrize(
    "text",
    [
        "<b>bold</b>",
        "[link](http://evil.example)",
        "![image](http://evil.example/x.png)",
        "**bold** _it_ ~~no~~ `code` $a^2$",
        "# heading",
        ":red[alarm] :material/delete: :smile:",
        "| a | b |",
        "http://evil.example and www.evil.example and a@b.example",
        "&lt;script&gt;",
        "\\*",
    ],
)
def test_escaped_markdown_shows_the_same_text(text: str) -> None:
    shown = []
    escaped = False
    for character in escape_md(text):
        if not escaped and character == "\\":
            escaped = True
            continue
        # Nothing that Markdown knows stands there without its backslash.
        assert escaped or character not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
        escaped = False
        shown.append(character)
    assert "".join(shown).replace(WORD_JOINER, "") == text


@pytest.mark.parametrize("text", [":smile:", ":material/x:", "http://a.example", "a@b.example"])
def test_what_is_looked_for_after_the_backslashes_is_broken_up(text: str) -> None:
    seen = escape_md(text).replace("\\", "")
    assert text not in seen


def test_plain_text_has_one_direction_and_one_line() -> None:
    assert plain("a\u202eb\nc\x00d\u200be") == "ab c de"
    assert plain("x" * 300, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("a b\u202e.csv", "a-b-.csv"),
        ("", "transrec"),
        ("..", "transrec"),
        ("con\x00.csv", "con-.csv"),
    ],
)
def test_download_names_are_slugs(name: str, safe: str) -> None:
    assert wording.safe_filename(name) == safe


def test_numbers_have_sensible_digits() -> None:
    assert wording.signed(0.0951) == "+0.095"
    assert wording.signed(-0.0951) == "−0.095"
    assert wording.signed(-0.0001) == wording.signed(0.0) == "0.000"
    assert wording.interval(-0.01, 0.2) == "−0.010 to +0.200"
    assert wording.share(0.004) == "under 1 %"
    assert wording.share(0.0) == "0 %"
    assert wording.share(0.734) == "73 %"
    assert wording.p_value(0.0002) == "p < 0.001"
    assert wording.p_value(0.0412) == "p = 0.041"
    assert wording.lam(None) == "auto"
    assert wording.lam(0.02) == "0.02"
    assert wording.plural(1, "user") == "1 user"
    assert wording.plural(1200, "user") == "1,200 users"
    assert wording.seconds(0.2) == "under 1 s"
    assert wording.seconds(75) == "75 s"
    assert wording.seconds(600) == "10 min"


def test_unknown_methods_and_metrics_still_have_a_name() -> None:
    assert wording.method_word("magic_map") == "Magic map"
    assert wording.metric_word("ndcg@10") == "NDCG@10"
