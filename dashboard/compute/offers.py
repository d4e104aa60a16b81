"""What this installation and its operator offer to fit with.

What a browser sends, or a saved run was made with elsewhere, may be something that is not there.
"""

from dataclasses import replace

from dashboard import wording
from transrec_core.content.models import offered_models
from transrec_core.extras import installed
from transrec_core.settings import DEEP, METHODS, TFIDF, Settings


def networks_offered() -> bool:
    """Whether networks can be fitted here."""
    return installed("deep")


def methods_offered() -> tuple[str, ...]:
    """The methods that can be fitted here, ``auto`` first."""
    return tuple(name for name in METHODS if name not in DEEP or networks_offered())


def text_models_offered() -> tuple[str, ...]:
    """What may read items' texts here, TF-IDF first."""
    return offered_models()


def offered(settings: Settings) -> Settings:
    """The same settings with the default for what is not offered here."""
    return replace(
        settings,
        method=settings.method if settings.method in methods_offered() else "auto",
        deep=settings.deep and networks_offered(),
        text_model=settings.text_model if settings.text_model in text_models_offered() else TFIDF,
    )


def not_offered(settings: Settings) -> str:
    """Say what of some settings is not offered here, and what stands in its place."""
    there = offered(settings)
    told = []
    if there.method != settings.method:
        told.append(
            f"{wording.method_word(settings.method)} needs an extra that is not installed here, so "
            "Method stands on Auto."
        )
    elif there.deep != settings.deep:
        told.append("This run tried deep models, whose extra is not installed here.")
    if there.text_model != settings.text_model:
        told.append(
            f"The language model {wording.text_model_word(settings.text_model)} is not offered "
            "here, so words are read."
        )
    return " ".join(told)
