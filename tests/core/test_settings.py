"""Settings are the one gate of what is asked for, whoever asks."""

import json
import math

import numpy as np
import pytest

from transrec_core.errors import BadSettingError
from transrec_core.settings import MAX_SEED, Settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"rank": 2.5}, "a whole number between 1 and 1024"),
        ({"lam": -1.0}, "lam is -1.0"),
        ({"lam": math.nan}, "lam is nan"),
        ({"lam": 1e300}, "between 0 and 1,000,000"),
        ({"shots": (1, 1)}, "rising order"),
        ({"shots": ()}, "0,1,2,5,10"),
        ({"shots": (0.5, 1)}, "whole numbers"),
        ({"shots": (-1, 0)}, "whole numbers"),
        ({"shots": 5}, "whole numbers"),
        ({"method": "magic"}, "auto or factor_map"),
        ({"feedback": "stars"}, "auto, ratings or implicit"),
        ({"model": "svd"}, "als or nmf"),
        ({"top": 0}, "between 1 and 1000"),
        ({"top": "ten"}, "top is 'ten'"),
        ({"test_share": 1.0}, "above 0 and at most 0.7"),
        ({"test_share": 0.95}, "above 0 and at most 0.7"),
        ({"test_share": 0}, "above 0"),
        ({"min_target": 1}, "at least 2"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "between 0 and 4,294,967,295"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": True}, "seed is True"),
        ({"alpha0": 0.0}, "above 0"),
        ({"alpha0": math.inf}, "alpha0 is inf"),
        ({"budget": math.inf}, "budget is inf"),
        ({"regularization_exponent": 2.0}, "between 0 and 1"),
        ({"text_model": 5}, "text_model is 5"),
    ],
)
def test_what_is_out_of_range_is_named_with_the_range(change, words):
    with pytest.raises(BadSettingError, match=words):
        Settings(**change)


def test_numbers_of_numpy_and_lists_are_taken_as_python_has_them():
    given = Settings(seed=np.int64(7), rank=np.int32(3), shots=[np.int64(0), 2], top=np.int8(5))
    assert given == Settings(seed=7, rank=3, shots=(0, 2), top=5)
    assert hash(given) == hash(Settings(seed=7, rank=3, shots=(0, 2), top=5))
    assert json.loads(json.dumps(given.to_json()))["shots"] == [0, 2]


def test_the_largest_seed_is_one_that_every_library_takes():
    sklearn = pytest.importorskip("sklearn.utils")
    sklearn.check_random_state(MAX_SEED)
    np.random.default_rng(MAX_SEED)
    assert Settings(seed=MAX_SEED).seed == MAX_SEED
