"""Folders of ratings become people, as the embedded engine reads them."""

from typing import Any

import numpy as np
import pytest

from transrec_core.data.formats import FileFormat
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import link
from transrec_core.errors import BadRatingsError, NoOverlapError, UnreadableFileError


def test_people_are_the_rows_of_both_domains(
    people: Any, embedded: dict[str, Interactions]
) -> None:
    from transrec_core.engines.spark.fitting import pair_of
    from transrec_core.engines.spark.people import SIDES

    batch = people.frame.toArrow().combine_chunks().to_batches()[0]
    items = (people.source.items, people.target.items)
    pair = pair_of(batch, items, (True, True))
    for side in SIDES:
        mine, theirs = getattr(pair, side), embedded[side]
        assert people.side(side).users == len(theirs.users)
        assert list(mine.items) == list(theirs.items)
        np.testing.assert_array_equal(
            mine.matrix[mine.rows_of(theirs.users)].toarray(), theirs.matrix.toarray()
        )
        np.testing.assert_array_equal(
            people.side(side).item_counts, np.bincount(theirs.matrix.indices)
        )
    assert people.shared == len(link(embedded["source"], embedded["target"]).shared)


def test_rows_that_cannot_be_used_are_counted(spark: Any, dirty: str, tmp_path: Any) -> None:
    from transrec_core.engines.spark.people import read_people

    people = read_people(spark, dirty, dirty)
    assert people.source.left_out == {"MISSING_ID": 2, "BAD_RATING": 1, "DUPLICATES": 1}
    assert (people.source.users, people.source.ratings) == (2, 2)
    with pytest.raises(BadRatingsError, match="1 rows rate an item"):
        read_people(spark, dirty, dirty, formats={"source": FileFormat(duplicates="refuse")})


def test_what_cannot_be_read_or_joined_is_refused(
    spark: Any, files: dict[str, str], tmp_path: Any
) -> None:
    from transrec_core.engines.spark.people import read_people

    with pytest.raises(UnreadableFileError, match="nowhere"):
        read_people(spark, str(tmp_path / "nowhere"), files["target"])
    others = tmp_path / "others.csv"
    others.write_text("user_id,item_id,rating\nx1,a,3\nx2,b,4\n")
    with pytest.raises(NoOverlapError, match="share no user ids"):
        read_people(spark, str(others), files["target"])
    nothing = tmp_path / "nothing.csv"
    nothing.write_text("user_id,item_id,rating\nx1,a,good\nx2,b,bad\n")
    with pytest.raises(BadRatingsError, match="none of 2 rows"):
        read_people(spark, str(nothing), files["target"])


def test_parts_grow_with_the_items_whose_systems_each_of_them_sends() -> None:
    from transrec_core.engines.spark.people import MOST_PART_RATINGS, parts_of

    assert parts_of(1000, 100) == 4
    assert parts_of(20_000_000, 1000) == 40
    assert parts_of(20_000_000, 40_000) == 5
    assert parts_of(10**9, 200_000) == 10**9 // MOST_PART_RATINGS
    assert parts_of(10**9 + 1, 200_000) == 10**9 // MOST_PART_RATINGS + 1
