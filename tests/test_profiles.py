"""How much is tried follows the profile, and nothing goes past it."""

import re
from pathlib import Path

import pytest
from hypothesis import settings
from profiles import BRIEF_EXAMPLES, THOROUGH_EXAMPLES, scale

TESTS = Path(__file__).parent


def test_the_profile_of_the_command_line_is_the_one_that_is_used(
    pytestconfig: pytest.Config,
) -> None:
    thorough = pytestconfig.getoption("--hypothesis-profile") == "thorough"
    assert settings().max_examples == (THOROUGH_EXAMPLES if thorough else BRIEF_EXAMPLES)
    assert scale(10) == (80 if thorough else 10)


def test_no_test_sets_its_number_of_examples_past_the_profile() -> None:
    for file in TESTS.rglob("test_*.py"):
        for amount in re.findall(r"max_examples\s*=\s*(\w+)", file.read_text()):
            assert amount == "scale", f"{file.name}: max_examples={amount}; use profiles.scale"
