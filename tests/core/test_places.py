"""Folders of ours are found on every account, or there are none."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from transrec_core.errors import BadSettingError
from transrec_core.places import folder_of

VARIABLE = "TRANSREC_A_FOLDER"
KINDS = ("data", "cache", "log")


@pytest.mark.parametrize("kind", KINDS)
def test_an_account_without_a_home_has_no_folder(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Versions of platformdirs refuse to name one, or name one below a folder called ``~``."""

    def refuse(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.chdir(tmp_path)
    for name in (refuse, lambda *_, **__: Path("~/.local/share/transrec")):
        monkeypatch.setattr(platformdirs, f"user_{kind}_path", name)
        assert folder_of(VARIABLE, kind) is None  # type: ignore[arg-type]
    monkeypatch.setattr(platformdirs, f"user_{kind}_path", lambda *_, **__: tmp_path)
    assert folder_of(VARIABLE, kind) == tmp_path  # type: ignore[arg-type]


def test_a_home_folder_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "~nobody-of-this-name/runs")
    with pytest.raises(BadSettingError, match="there is no such home folder"):
        folder_of(VARIABLE, "data")
    monkeypatch.setenv(VARIABLE, "OFF")
    assert folder_of(VARIABLE, "data") is None
