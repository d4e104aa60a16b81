"""Texts as vectors of a language model, whose inner products say how alike their meanings are.

Whoever wants another model writes a class with ``embed``. This one reads sentence-transformers
models, which the extra ``text`` brings; PyTorch is loaded when a text is met for the first time.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from transrec_core.content.models import find_model, fingerprint, model_label
from transrec_core.content.vector_cache import VectorCache, default_folder
from transrec_core.data.report import Problem, plural
from transrec_core.errors import UnusableModelError
from transrec_core.extras import require_extra
from transrec_core.progress import UNTOLD, Meter
from transrec_core.settings import TFIDF

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 32
AT_ONCE = 256
"""Texts between two reports of progress; what is embedded by then is kept."""

TEXTS_CUT_SHORT = "TEXTS_CUT_SHORT"


class Embedder(Protocol):
    """Turns texts into vectors."""

    def embed(self, texts: Sequence[str], meter: Meter = ...) -> "NDArray[np.float32]":
        """Vectors of length 1, texts × dimensions; zero for an empty text.

        The meter is told how far the work is; what it raises stops it.
        """
        ...


class SentenceEmbedder:
    """A sentence-transformers model that lies in a folder.

    The same text has the same vector up to rounding (about 1e-6), whatever stands beside it, and
    the very same one as soon as it is in the cache.

    Parameters
    ----------
    model
        See ``find_model``.
    cache
        Vectors of earlier calls; by default in the platform's folder for such things. A text that
        is there needs neither the extra nor the model in memory.

    Raises
    ------
    UnusableModelError
        There is no such model, or it would have to be trusted.
    """

    def __init__(self, model: str, cache: VectorCache | None = None) -> None:
        self.name = model
        self._folder = find_model(model)
        self._seed = fingerprint(self._folder)
        self._cache = VectorCache(default_folder()) if cache is None else cache
        self._model: Any = None
        self._cut: dict[bytes, bool] = {}

    def embed(self, texts: Sequence[str], meter: Meter = UNTOLD) -> "NDArray[np.float32]":
        """See ``Embedder``.

        Raises
        ------
        MissingExtraError
            The extra ``text`` is not installed, and a text is not in the cache.
        UnusableModelError
            The model's files are damaged.
        """
        wanted = {self._key(text): text for text in texts if text.strip()}
        found = dict(self._cache.get(list(wanted)))
        sizes = {vector.shape for vector, _ in found.values()}
        if len(sizes) > 1:
            found = {}  # somebody else has written there
        # Texts of a length together, in an order that hangs on nothing but themselves.
        missing = sorted(wanted.keys() - found.keys(), key=lambda k: (len(wanted[k]), wanted[k]))
        total = sum(len(wanted[key]) for key in missing)
        done = 0
        for first in range(0, len(missing), AT_ONCE):
            keys = missing[first : first + AT_ONCE]
            told = f"{len(wanted) - len(missing) + first:,} of {len(wanted):,} texts"
            meter.report(done / max(total, 1), "Reading texts", told)
            made = self._made([wanted[key] for key in keys])
            self._cache.put(dict(zip(keys, made, strict=True)))
            found.update(zip(keys, made, strict=True))
            done += sum(len(wanted[key]) for key in keys)
        meter.report(1, "Reading texts", f"{len(wanted):,} of {len(wanted):,} texts")
        self._cut.update((key, cut) for key, (_, cut) in found.items())
        width = len(next(iter(found.values()))[0]) if found else 1
        rows = np.zeros((len(texts), width), np.float32)
        for row, text in zip(rows, texts, strict=True):
            if text.strip():
                row[:] = found[self._key(text)][0]
        return rows

    def cut_short(self, texts: Sequence[str]) -> int:
        """How many of some texts, embedded before, are longer than the model reads."""
        return sum(self._cut.get(self._key(text), False) for text in texts)

    def _key(self, text: str) -> bytes:
        # A lone surrogate is no text that a file can hold, but an id and a title may have one.
        return hashlib.sha256(self._seed + text.encode("utf-8", "surrogatepass")).digest()

    def _made(self, texts: list[str]) -> "list[tuple[NDArray[np.float32], bool]]":
        model = self._loaded()
        readable = [text.encode("utf-8", "replace").decode() for text in texts]
        vectors = model.encode(
            readable,
            batch_size=BATCH,
            convert_to_numpy=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        tokens = model.tokenizer(readable, truncation=False, verbose=False)["input_ids"]
        most = model.max_seq_length
        cut = [most is not None and len(text) > most for text in tokens]
        return list(zip(np.asarray(vectors, np.float32), cut, strict=True))

    def _loaded(self) -> Any:
        if self._model is None:
            require_extra("text", "A language model")
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            quiet: Any = logging
            quiet.disable_progress_bar()
            try:
                self._model = SentenceTransformer(
                    str(self._folder),
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
            except MemoryError:
                raise
            except Exception as error:
                reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
                raise UnusableModelError(
                    f"The language model {model_label(self.name)} cannot be loaded "
                    f"({reason.rstrip('.')}).",
                    "Its files may be damaged: copy or download it again.",
                ) from error
        return self._model


def embedder_of(text_model: str) -> Embedder | None:
    """The model that a setting names; ``None`` for TF-IDF, which reads words."""
    return None if text_model == TFIDF else SentenceEmbedder(text_model)


def cut_problems(embedder: Embedder, texts: Sequence[str]) -> tuple[Problem, ...]:
    """Say how many of the embedded texts a model has not read to their end."""
    count = embedder.cut_short(texts) if isinstance(embedder, SentenceEmbedder) else 0
    if not count:
        return ()
    return (
        Problem(
            TEXTS_CUT_SHORT,
            "warning",
            f"{plural(count, 'text is', 'texts are')} longer than the language model reads; what "
            "stands beyond that is left out.",
            "Put what matters first, or name a model that reads longer texts.",
            count,
        ),
    )
