"""Training with Keras, on whichever backend is there: PyTorch, TensorFlow or JAX.

A network is trained through a model whose only output is the error of each user, so that every
method is one small graph, and what is learned stays apart from what is measured.
"""

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from transrec_core.extras import require_extra

if TYPE_CHECKING:
    from numpy.typing import NDArray

OnEpoch = Callable[[int, float], None]
"""Called after each epoch with how many were done and the error on users held back."""

BACKENDS = ("torch", "tensorflow", "jax")

ENOUGH_USERS = 20
"""With fewer users none can be held back to tell when to stop."""

HELD_BACK = 0.1
"""Share of the users to learn from whose error tells when to stop. They are never test users."""

EPOCHS, FEW_EPOCHS = 150, 20
"""Most passes over the users, and most where nobody can tell when to stop."""

UPDATES = 1200
"""Most steps of one training, however many users there are: what it may cost is known before."""

PATIENCE = 8
"""Epochs without a better error before training ends."""

BATCH, LEAST_BATCH = 128, 16
STEP = 3e-3
DECAY, FIRM_DECAY = 1e-2, 10.0
"""Weight decay of AdamW; firm where nobody can tell when to stop."""

MOST_USERS = 50_000
"""Of more users so many are drawn."""

MOST_ITEMS = 64
"""Of a longer row so many items are drawn."""


def updates(users: int) -> int:
    """Most steps that training on so many users makes."""
    _, steps, epochs = _plan(users)
    return steps * epochs


def _plan(users: int) -> tuple[int, int, int]:
    """Users in a batch, steps in an epoch, and epochs at most."""
    enough = users >= ENOUGH_USERS
    learn = users - int(HELD_BACK * users) if enough else users
    batch = min(max(LEAST_BATCH, learn // 8), BATCH, learn)
    steps = min(learn // batch, UPDATES)
    return batch, steps, max(min(EPOCHS if enough else FEW_EPOCHS, UPDATES // steps), 1)


def load_keras() -> Any:
    """Keras, on the backend that ``KERAS_BACKEND`` names, or else on the first that is installed.

    Raises
    ------
    MissingExtraError
        Where it is not installed.
    """
    require_extra("deep", "Training a network")
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ:
        os.environ["KERAS_BACKEND"] = next(name for name in BACKENDS if find_spec(name))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    return keras


class Layers:
    """Makes dense layers whose first weights hang on a seed alone."""

    def __init__(self, keras: Any, seed: int) -> None:
        self._keras = keras
        self._seed = seed
        self._made = 0

    def dense(self, units: int, activation: str | None = None, *, zero: bool = False) -> Any:
        """One more layer; ``zero`` starts it without any effect."""
        self._made += 1
        seed = self._seed * 1000 + self._made
        start = "zeros" if zero else self._keras.initializers.GlorotUniform(seed=seed)
        return self._keras.layers.Dense(units, activation, kernel_initializer=start)

    def rows(self, table: "NDArray[np.floating]") -> Any:
        """A layer that looks up rows of a fixed table; one past the last is a row of zeros."""
        padded = np.vstack([table, np.zeros_like(table[:1])]).astype(np.float32)
        found = self._keras.layers.Embedding(*padded.shape, trainable=False)
        found.build(None)
        found.set_weights([padded])
        return found


def train(
    errors: Any,
    inputs: Mapping[str, "NDArray[Any]"],
    *,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Train a model until the error on users held back no longer falls.

    Parameters
    ----------
    errors
        A Keras model of named inputs whose output is one error a user.
    inputs
        By name, one row a user.
    seed
        Of who is held back, and of the order of users.
    on_epoch
        Told after every epoch; what it raises stops the training.

    Notes
    -----
    On one thread: products this small gain nothing from more, whose rounding would add up over the
    epochs. At most ``UPDATES`` steps are made.
    """
    keras = load_keras()
    random = np.random.default_rng([seed, 11])
    n = len(next(iter(inputs.values())))
    order = random.permutation(n)
    enough = n >= ENOUGH_USERS
    held = order[: int(HELD_BACK * n)] if enough else order
    rest = order[len(held) :] if enough else order
    batch, steps, epochs = _plan(n)
    errors.compile(
        keras.optimizers.AdamW(STEP, weight_decay=DECAY if enough else FIRM_DECAY, clipnorm=1.0),
        loss=lambda _, error: keras.ops.mean(error),
    )

    def rows(who: "NDArray[np.integer]") -> dict[str, Any]:
        return {name: values[who] for name, values in inputs.items()}

    def error_on(who: "NDArray[np.integer]") -> float:
        parts = [who[at : at + 1024] for at in range(0, len(who), 1024)]
        found = [np.asarray(errors.predict_on_batch(rows(part))).ravel() for part in parts]
        return float(np.concatenate(found).mean())

    nothing = np.zeros((batch, 1), np.float32)
    with threadpool_limits(1), warnings.catch_warnings():
        # Of Keras's own: it asks PyTorch for arrays in a way that NumPy no longer likes.
        warnings.simplefilter("ignore", DeprecationWarning)
        best, kept, worse = error_on(held), errors.get_weights(), 0
        for epoch in range(1, epochs + 1):
            shuffled = random.permutation(rest)
            for step in range(steps):
                errors.train_on_batch(rows(shuffled[step * batch : (step + 1) * batch]), nothing)
            error = error_on(held)
            if on_epoch is not None:
                on_epoch(epoch, error)
            if error < best:
                best, kept, worse = error, errors.get_weights(), 0
            elif not np.isfinite(error) or (worse := worse + 1) >= PATIENCE:
                break
        errors.set_weights(kept)
