from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from transrec_core.content import models
from transrec_core.content.models import (
    find_model,
    fingerprint,
    model_label,
    offer_models,
    offered_models,
)
from transrec_core.errors import MissingExtraError, TransrecError, UnusableModelError

PARTS = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "modules.json").write_text(json.dumps(PARTS))
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"\0" * 64)
    return made


def test_a_folder_is_a_model(folder):
    assert find_model(str(folder)) == folder


def test_a_package_that_carries_a_model_is_found_by_its_name_and_not_imported(
    folder, tmp_path, monkeypatch
):
    package = tmp_path / "site" / "my_small_model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    shutil.move(folder, package / "model")
    monkeypatch.syspath_prepend(str(package.parent))
    for name in ("my-small-model", "my_small_model"):
        assert find_model(name) == package / "model"
    assert "my_small_model" not in sys.modules


@pytest.mark.parametrize("name", ["/nowhere/at/all", "./here", "a/b/c", "~/models/x", "x y"])
def test_a_folder_that_is_not_there_is_said_to_be_missing(name):
    with pytest.raises(UnusableModelError, match="There is no folder"):
        find_model(name)


def test_a_name_on_the_hub_needs_the_extra(monkeypatch):
    monkeypatch.setattr("transrec_core.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"transrec\[text\]"):
        find_model("somebody/some-model")


def test_without_a_network_the_advice_is_a_local_folder(monkeypatch):
    hub = pytest.importorskip("huggingface_hub", reason="the extra text is not installed")
    asked = []

    def missing(name, **how):
        asked.append((name, how.get("local_files_only", False)))
        raise OSError("no route to host\nmore")

    monkeypatch.setattr(hub, "snapshot_download", missing)
    with pytest.raises(UnusableModelError, match=r"\(no route to host\).*give a local folder"):
        find_model("some-model")
    assert asked == [
        ("sentence-transformers/some-model", True),
        ("sentence-transformers/some-model", False),
    ]


def weights(name: str):
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")

    return change


def module(**values: str):
    def change(folder: Path) -> None:
        (folder / "modules.json").write_text(json.dumps([{**PARTS[0], **values}]))

    return change


HARMFUL = {
    "no list of parts": (lambda f: (f / "modules.json").unlink(), "no readable modules.json"),
    "a broken list": (lambda f: (f / "modules.json").write_text("[{"), "no readable modules.json"),
    "another list": (lambda f: (f / "modules.json").write_text("{}5"), "no readable modules.json"),
    "a class of its own": (module(type="modeling_x.Evil"), "may be any program"),
    "a class of Python's": (module(type="os.system"), "may be any program"),
    "another part": (module(type="sentence_transformers.models.BoW"), "may be any program"),
    "a part elsewhere": (module(path="../../x"), "outside its folder"),
    "a part at the root": (module(path="/etc"), "outside its folder"),
    "program code": (weights("modeling_x.py"), "program code"),
    "pickled weights of a part": (weights("2_Dense/pytorch_model.bin"), "can run code"),
}  # fmt: skip


@pytest.mark.parametrize("what", HARMFUL)
def test_what_would_have_to_be_trusted_is_refused(folder, what):
    change, words = HARMFUL[what]
    change(folder)
    with pytest.raises(UnusableModelError, match=words):
        find_model(str(folder))


def test_pickled_weights_beside_safe_ones_are_left_unread(folder):
    (folder / "pytorch_model.bin").write_bytes(b"x")
    assert find_model(str(folder)) == folder


def test_pickled_weights_alone_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UnusableModelError, match="can run code"):
        find_model(str(folder))


def test_a_fingerprint_changes_with_any_file(folder):
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "config.json").write_text("{ }")
    changed = fingerprint(folder)
    (folder / "config.json").rename(folder / "other.json")
    assert len({before, changed, fingerprint(folder)}) == 3


def test_a_page_offers_what_the_operator_named_and_packages_that_are_there(monkeypatch):
    monkeypatch.setattr(models, "installed", lambda extra: True)
    monkeypatch.setattr(models, "_in_package", lambda name: Path("there"))
    monkeypatch.setenv("TRANSREC_TEXT_MODELS", " /srv/models/e5 , owner/name,")
    assert offered_models() == ("tfidf", "/srv/models/e5", "owner/name", *models.PACKAGES)
    monkeypatch.setattr(models, "installed", lambda extra: False)
    assert offered_models() == ("tfidf",)


def test_models_are_looked_at_before_they_are_offered(folder, monkeypatch):
    monkeypatch.setenv("TRANSREC_TEXT_MODELS", "before")
    monkeypatch.setattr(models, "require_extra", lambda extra, what: None)
    for wrong, words in ((str(folder / "nothing"), "no folder"), ("a,b", "without a comma")):
        with pytest.raises(TransrecError, match=words):
            offer_models([str(folder), wrong])
        assert os.environ["TRANSREC_TEXT_MODELS"] == "before"
    offer_models([])
    assert os.environ["TRANSREC_TEXT_MODELS"] == "before"
    offer_models([str(folder), str(folder)])
    monkeypatch.setattr(models, "installed", lambda extra: True)
    assert offered_models()[:2] == ("tfidf", str(folder))


def test_a_label_does_not_tell_where_a_model_lies():
    labels = [model_label(name) for name in ("tfidf", "/srv/models/e5/", "owner/name", "x")]
    assert labels == ["tfidf", "e5", "name", "x"]
