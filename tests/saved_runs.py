"""Runs that are quickly made, and what it is for two to be the same."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from worlds import checkerboard, ratings_of, texts_of

from transrec_core.data.items import Items
from transrec_core.data.report import ImportReport
from transrec_core.running import Run, run
from transrec_core.settings import Settings


def fitted(settings: Settings, users: int = 120, items: int = 40) -> Run:
    pair = checkerboard(users=users, items=items)
    source_items, target_items = (
        Items(frame, ImportReport("items.csv", usable=True))
        for frame in (texts_of(pair).source, texts_of(pair).target)
    )
    return run(
        ratings_of(pair.source, "s.csv"),
        ratings_of(pair.target, "t.csv"),
        settings,
        source_items=source_items,
        target_items=target_items,
    )


def require_same(ours: object, theirs: object, path: str = "run") -> None:
    """Assert that two objects hold the same to the bit, all the way down."""
    assert type(ours) is type(theirs), path
    if isinstance(ours, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), path
        assert ours.tobytes() == theirs.tobytes(), path
        assert ours.flags.writeable or not theirs.flags.writeable, path
    elif sp.issparse(ours):
        assert ours.shape == theirs.shape, path
        for name in ("data", "indices", "indptr"):
            require_same(getattr(ours, name), getattr(theirs, name), f"{path}.{name}")
    elif isinstance(ours, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    elif isinstance(ours, pd.Index):
        pd.testing.assert_index_equal(ours, theirs, exact=True)
    elif is_dataclass(ours):
        for field in fields(ours):
            name = field.name
            require_same(getattr(ours, name), getattr(theirs, name), f"{path}.{name}")
    elif isinstance(ours, tuple | list):
        assert len(ours) == len(theirs), path
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            require_same(one, other, f"{path}[{place}]")
    elif isinstance(ours, dict):
        assert list(ours) == list(theirs), path
        for key, value in ours.items():
            require_same(value, theirs[key], f"{path}[{key}]")
    else:
        assert ours == theirs or (ours != ours and theirs != theirs), path
