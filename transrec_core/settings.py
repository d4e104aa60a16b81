"""Everything that can be chosen about a run. Each default stands here and nowhere else."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any, Literal

from transrec_core.errors import BadSettingError

Feedback = Literal["auto", "ratings", "implicit"]
Cold = Literal["users", "items"]
Model = Literal["als", "nmf"]

DEEP = ("neural_map", "meta_map", "two_tower")
"""Networks, which need the extra ``deep``."""

PRIORS = ("factor_map", "row_map", "ridge", "joint", "content", "codebook", *DEEP)
METHODS = ("auto", *PRIORS)
DEFAULT_SHOTS = (0, 1, 2, 5, 10)
TFIDF = "tfidf"
"""The text model that a plain installation has: words, weighted by how rare they are."""

MAX_SEED = 2**32 - 1
"""The largest seed that NumPy and scikit-learn both take."""

MAX_WEIGHT = 1e6
"""Largest λ and α₀: beyond it nothing is learned, and sums leave single precision."""

MAX_TEST_SHARE = 0.7
"""A fifth of the eligible users choose parameters, and some have to be learned from."""


@dataclass(frozen=True)
class Settings:
    """What to fit and how to judge it.

    Attributes
    ----------
    feedback
        ``"implicit"``: an interaction is a 1, an unobserved cell a weak 0 (lists).
        ``"ratings"``: explicit values, unobserved is unknown (predicted ratings).
        ``"auto"``: lists, and predicted ratings beside them where the data has ratings.
    method
        How source knowledge reaches the target user: a map from source factors
        (``"factor_map"``) or from the source row itself (``"row_map"``), one factorization of both
        catalogues (``"joint"``), regression on single items (``"ridge"``), what the items are about
        (``"content"``), patterns of groups (``"codebook"``), or one of the networks of ``DEEP``.
        ``"auto"`` takes the one that suits validation users best, and only at those shots where
        they gain from it.
    deep
        Whether ``auto`` tries networks too.
    model
        ``"als"`` (signed factors) or ``"nmf"`` (non-negative factors).
    rank
        Number of latent factors; ``None`` lets validation users decide.
    lam
        Weight λ in ``J = ½ Σ (r − u·v)² + λ (Σ w‖u‖² + Σ w‖v‖²)``; ``None`` lets them decide.
    alpha0
        α₀, weight of an unobserved cell (implicit feedback).
    regularization_exponent
        ν in w = n^ν: at 1 the same λ suits small and large data, at 0 the weights are all 1.
    shots
        Numbers of target interactions that a test user is given.
    top
        Length of a recommendation list, and the cut-off of NDCG.
    test_share
        Share of the eligible shared users who are held out as test users.
    min_target
        Target interactions that a shared user needs to be eligible as a test user.
    budget
        Seconds that ``auto`` may spend on choosing, as estimated from the data's sizes alone, so
        that the same run tries the same things on every machine.
    cold
        Who is new to the target: ``"users"``, known from the source; or ``"items"``, known from
        their texts, or from the source where it has items of the same ids. Then lists name the
        users for an item.
    merge_editions
        Whether items of one catalogue that have the same title are made one.
    leave_out_crosslisted
        Whether source items with nearly the same users as a target item, probably the same product
        under another id, are left out: they would fake a gain.
    text_model
        What reads items' texts: ``"tfidf"`` counts words; else a language model of the extra
        ``text``, by the name of an installed package that carries one, by a name on the Hugging
        Face hub, or by its folder.
    seed
        Seed of everything random.
    """

    feedback: Feedback = "auto"
    method: str = "auto"
    deep: bool = False
    model: Model = "als"
    rank: int | None = None
    lam: float | None = None
    alpha0: float = 0.2
    regularization_exponent: float = 1.0
    shots: tuple[int, ...] = DEFAULT_SHOTS
    top: int = 10
    test_share: float = 0.3
    min_target: int = 8
    budget: float = 60.0
    cold: Cold = "users"
    merge_editions: bool = False
    leave_out_crosslisted: bool = False
    text_model: str = TFIDF
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises
        ------
        BadSettingError
            Naming the setting, its value and the range.
        """

        def require(ok: bool, name: str, need: str) -> None:
            if not ok:
                value = getattr(self, name)
                raise BadSettingError(f"{name} is {value!r}.", f"It must be {need}.")

        def require_number(name: str, low: float, high: float, need: str, *but: float) -> None:
            value = getattr(self, name)
            ok = isinstance(value, Real) and not isinstance(value, bool)
            require(ok and low <= value <= high and value not in but, name, need)

        def require_whole(name: str, low: float, high: float, need: str) -> None:
            require(_is_whole(getattr(self, name)), name, need)
            require_number(name, low, high, need)

        require(
            self.feedback in ("auto", "ratings", "implicit"),
            "feedback",
            "auto, ratings or implicit",
        )
        require(self.method in METHODS, "method", " or ".join(METHODS))
        require(self.model in ("als", "nmf"), "model", "als or nmf")
        require(self.cold in ("users", "items"), "cold", "users or items")
        if self.rank is not None:
            require_whole("rank", 1, 1024, "a whole number between 1 and 1024, or auto")
        if self.lam is not None:
            require_number("lam", 0, MAX_WEIGHT, f"between 0 and {MAX_WEIGHT:,.0f}, or auto")
        require_number("alpha0", 0, MAX_WEIGHT, f"above 0 and at most {MAX_WEIGHT:,.0f}", 0)
        require_number("regularization_exponent", 0, 1, "between 0 and 1")
        require(
            isinstance(self.shots, Sequence)
            and len(self.shots) > 0
            and all(_is_whole(shots) and shots >= 0 for shots in self.shots)
            and sorted(set(self.shots)) == list(self.shots),
            "shots",
            "different whole numbers from 0 in rising order, as in 0,1,2,5,10",
        )
        require_whole("top", 1, 1000, "a whole number between 1 and 1000")
        require_number("test_share", 0, MAX_TEST_SHARE, f"above 0 and at most {MAX_TEST_SHARE}", 0)
        require_whole("min_target", 2, math.inf, "a whole number, at least 2")
        require_number("budget", 0, math.inf, "a number of seconds above zero", 0, math.inf)
        require(
            isinstance(self.text_model, str)
            and bool(self.text_model.strip())
            and self.text_model.isprintable(),
            "text_model",
            f"{TFIDF}, the name of a language model, or the folder of one",
        )
        require_whole("seed", 0, MAX_SEED, f"a whole number between 0 and {MAX_SEED:,}")
        # A list, or NumPy's numbers, would neither be hashed nor be written as JSON.
        object.__setattr__(self, "shots", tuple(int(shots) for shots in self.shots))
        for name in ("rank", "top", "min_target", "seed"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else int(value))

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return {**asdict(self), "shots": list(self.shots)}


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number, of Python or of NumPy; ``True`` is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)
