import sys

import pytest

from transrec_core import extras
from transrec_core.errors import MissingExtraError
from transrec_core.extras import EXTRAS, installed, require_extra


def only(monkeypatch: pytest.MonkeyPatch, *there: str) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: object() if name in there else None)


def test_an_extra_is_there_when_one_of_each_group_is(monkeypatch):
    only(monkeypatch, "keras", "jax")
    assert installed("deep")
    only(monkeypatch, "keras")
    assert not installed("deep")
    only(monkeypatch, "torch")
    assert not installed("deep")


def test_a_missing_extra_is_refused_with_what_brings_it(monkeypatch):
    only(monkeypatch)
    with pytest.raises(MissingExtraError) as refused:
        require_extra("deep", "The method meta_map")
    assert str(refused.value) == (
        "The method meta_map needs keras and torch or tensorflow or jax, which is not installed. "
        "Install it with: pip install 'transrec[deep]'."
    )
    only(monkeypatch, "keras", "torch")
    require_extra("deep", "The method meta_map")


def test_asking_imports_nothing():
    before = set(sys.modules)
    for extra in EXTRAS:
        installed(extra)
    assert not {name for group in EXTRAS.values() for names in group for name in names} & (
        set(sys.modules) - before
    )
