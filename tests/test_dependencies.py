"""What is installed, and the least that pyproject.toml allows, is at or above known-safe versions.

An audit tool asks a database over the network; these are the advisories that concern what the
project does with a dependency (reads files of strangers, serves HTTP), so that no environment that
runs the tests, and none that pip may choose, falls behind them.
"""

import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


@dataclass(frozen=True)
class Floor:
    """The first version of a package without a known fault, and the fault."""

    package: str
    least: str
    advisory: str
    why: str


FLOORS = (
    Floor(
        "streamlit", "1.54.0", "CVE-2026-33682", "paths in a request reach other hosts (Windows)"
    ),
    Floor("starlette", "1.3.1", "CVE-2026-54283", "limits on the parts of an upload are passed by"),
    Floor("starlette", "1.0.1", "CVE-2026-48710", "a Host header that is none is taken"),
    Floor("starlette", "0.49.1", "CVE-2025-62727", "a Range header costs quadratic time"),
    Floor("python-multipart", "0.0.30", "CVE-2026-53539", "a form costs quadratic time"),
    Floor("python-multipart", "0.0.27", "CVE-2026-42561", "headers of a part without bound"),
    Floor("h11", "0.16.0", "CVE-2025-43859", "requests smuggled past a reverse proxy"),
    Floor("pyarrow", "14.0.1", "CVE-2023-47248", "a Parquet or IPC file runs code"),
    Floor(
        "pyarrow", "23.0.1", "CVE-2026-25087", "an IPC file writes to memory that was given back"
    ),
    Floor("pillow", "12.1.1", "CVE-2026-25990", "a PSD picture writes out of bounds"),
    Floor("protobuf", "6.33.5", "CVE-2026-0994", "nested messages exhaust the stack"),
    Floor("requests", "2.32.4", "CVE-2024-47081", "an address leaks the passwords of another host"),
    Floor("urllib3", "2.6.3", "CVE-2026-21441", "a redirect unpacks without bound"),
    Floor("urllib3", "2.7.0", "CVE-2026-44432", "a stream unpacks without bound"),
    Floor("filelock", "3.20.1", "CVE-2025-68146", "a link in the way of a lock empties a file"),
    Floor("filelock", "3.20.3", "CVE-2026-22701", "the same for its soft locks"),
    Floor("jinja2", "3.1.6", "CVE-2025-27516", "a template leaves its sandbox"),
    Floor("scikit-learn", "1.5.0", "CVE-2024-5206", "a text model keeps words it has left out"),
    Floor("torch", "2.6.0", "CVE-2025-32434", "a file of weights runs code, whatever it is told"),
    Floor("keras", "3.12.0", "CVE-2025-12058", "a saved model reads other files"),
    Floor("tqdm", "4.66.3", "CVE-2024-34062", "arguments of its command are evaluated"),
)
WITHOUT_BOUND = {"llvmlite": "numba asks for the one version that suits it"}


def least_of(requirement: Requirement) -> Version | None:
    """The lowest version that a requirement allows; ``None`` where it sets no lower bound."""
    bounds = [Version(s.version) for s in requirement.specifier if s.operator in (">=", "==", "~=")]
    return max(bounds, default=None)


def declared() -> list[Requirement]:
    """All requirements of pyproject.toml, extras included, without the project itself."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    found = [Requirement(text) for texts in (project["dependencies"], *extras) for text in texts]
    return [requirement for requirement in found if requirement.name != project["name"]]


def installed_closure() -> set[str]:
    """Names of the dependencies that are installed here, and of theirs."""
    found: set[str] = set()
    waiting = [requirement.name for requirement in declared()]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            further = requires(name) or []
        except PackageNotFoundError:
            continue
        found.add(name)
        for text in further:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: f"{floor.package}-{floor.advisory}")
def test_what_is_installed_is_without_the_fault(floor: Floor) -> None:
    try:
        installed = version(floor.package)
    except PackageNotFoundError:
        pytest.skip(f"{floor.package} is not installed here")
    assert Version(installed) >= Version(floor.least), f"{floor.advisory}: {floor.why}"


def test_no_version_that_may_be_installed_has_a_known_fault() -> None:
    behind = [
        f"{requirement}: {floor.advisory} needs {floor.least}"
        for requirement in declared()
        for floor in FLOORS
        if canonicalize_name(requirement.name) == floor.package
        and (least_of(requirement) or Version("0")) < Version(floor.least)
    ]
    assert behind == []


def test_every_requirement_has_a_lower_bound() -> None:
    free = {r.name for r in declared() if least_of(r) is None}
    assert free == set(WITHOUT_BOUND)


def test_every_floor_is_of_something_that_the_project_needs() -> None:
    assert {floor.package for floor in FLOORS} <= installed_closure()


@pytest.mark.parametrize(
    ("text", "least"),
    [("a>=1.2", "1.2"), ("a~=2.0,<3", "2.0"), ("a==4", "4"), ("a<9", None), ("a", None)],
)
def test_the_lower_bound_of_a_requirement_is_read(text: str, least: str | None) -> None:
    assert least_of(Requirement(text)) == (None if least is None else Version(least))
