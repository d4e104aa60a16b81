"""Everything that can be chosen about a run. Each default stands here and nowhere else."""

from dataclasses import asdict, dataclass
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

        require(
            self.feedback in ("auto", "ratings", "implicit"),
            "feedback",
            "auto, ratings or implicit",
        )
        require(self.method in METHODS, "method", " or ".join(METHODS))
        require(self.model in ("als", "nmf"), "model", "als or nmf")
        require(self.cold in ("users", "items"), "cold", "users or items")
        require(self.rank is None or 1 <= self.rank <= 1024, "rank", "between 1 and 1024, or auto")
        require(
            self.lam is None or 0 <= self.lam < float("inf"),
            "lam",
            "zero or a positive number, or auto",
        )
        require(self.alpha0 > 0, "alpha0", "above zero")
        require(
            0 <= self.regularization_exponent <= 1, "regularization_exponent", "between 0 and 1"
        )
        require(
            bool(self.shots)
            and min(self.shots) >= 0
            and len(set(self.shots)) == len(self.shots)
            and list(self.shots) == sorted(self.shots),
            "shots",
            "different whole numbers from 0 in rising order, as in 0,1,2,5,10",
        )
        require(1 <= self.top <= 1000, "top", "between 1 and 1000")
        require(0 < self.test_share < 1, "test_share", "between 0 and 1")
        require(self.min_target >= 2, "min_target", "at least 2")
        require(self.budget > 0, "budget", "above zero")
        require(
            bool(self.text_model.strip()) and self.text_model.isprintable(),
            "text_model",
            f"{TFIDF}, the name of a language model, or the folder of one",
        )
        require(self.seed >= 0, "seed", "zero or a positive whole number")

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return {**asdict(self), "shots": list(self.shots)}
