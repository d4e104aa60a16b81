"""What the README shows works as it stands there."""

import re
import shlex
import shutil
import warnings
from pathlib import Path

import pytest

from transrec_core import cli
from transrec_core.errors import TransrecWarning
from transrec_core.transfer.fitting import SERVED_BASELINES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(monkeypatch, capsys, tmp_path):
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    monkeypatch.chdir(tmp_path)
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", TransrecWarning)
        exec(example.group(1), names)
    assert "0: 'helps'" in capsys.readouterr().out
    assert list(names["lists"]["user_id"].unique()) == ["u0001"]
    assert not set(names["lists"]["method"]) & set(SERVED_BASELINES)  # there is something to show
    assert (tmp_path / "run.transrec").exists()
    assert len(names["model"].objective) > 2


@pytest.mark.parametrize(
    "line",
    re.findall(
        r"^transrec (?:check|compare|fit|lists|recommend|report|sources|sparsity) .*$", README, re.M
    ),
)
def test_the_commands_are_understood(line):
    command = re.split(r"\s{3,}", line)[0]
    options = cli._parser().parse_args(shlex.split(command)[1:])
    assert callable(options.command)


def test_the_picture_and_the_links_are_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
