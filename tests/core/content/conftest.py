"""A real language model, where one is installed."""

from __future__ import annotations

import pytest
from text_models import PACKAGE

from transrec_core.content.embedding import SentenceEmbedder
from transrec_core.content.models import find_model
from transrec_core.content.vector_cache import VectorCache
from transrec_core.errors import UnusableModelError
from transrec_core.extras import installed


@pytest.fixture(scope="session")
def real_model() -> SentenceEmbedder:
    """Loaded once; nothing is cached."""
    if not installed("text"):
        pytest.skip("the extra text is not installed")
    try:
        find_model(PACKAGE)
    except UnusableModelError:
        pytest.skip(f"the package {PACKAGE}, which carries a model, is not installed")
    return SentenceEmbedder(PACKAGE, VectorCache(None))
