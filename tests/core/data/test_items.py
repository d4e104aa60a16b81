"""Item files: ids and the texts that are there."""

import pytest

from transrec_core.data import read_items
from transrec_core.errors import UnreadableFileError


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("item_id,title,genres\n01,A,x|y\n", ("01", "A", "x|y", "")),
        ("title,isbn,overview\nA,01,long\n", ("01", "A", "", "long")),
        ("code,Name,Category\n01,A,x\n", ("01", "A", "x", "")),
        ("movieId,original_title,tags,Summary\n01,A,x,s\n", ("01", "A", "x", "s")),
        ("1::Toy Story (1995)::Animation\n2::Jumanji (1995)::Adventure\n",
         ("1", "Toy Story (1995)", "Animation", "")),
    ],
)  # fmt: skip
def test_columns_are_found_by_name_or_place(text, row):
    items = read_items(text.encode())
    assert list(items.frame.columns) == ["title", "genres", "description"]
    assert (items.frame.index[0], *items.frame.iloc[0]) == row


def test_rows_without_or_with_a_known_id_are_left_out():
    items = read_items(b"item_id,title\n1,A\n,B\n1,C\n2,D\n")
    assert items.frame["title"].to_dict() == {"1": "A", "2": "D"}
    found = {p.code: (p.count, p.rows) for p in items.report.problems}
    assert found == {"MISSING_ID": (1, (3,)), "DUPLICATE_ITEM": (1, (4,))}


def test_no_titles_are_reported_and_no_ids_refused():
    items = read_items(b"item_id,year\n1,1999\n")
    assert items.frame.loc["1"].tolist() == ["", "", ""]
    assert [p.code for p in items.report.problems] == ["NO_TITLE_COLUMN"]
    with pytest.raises(UnreadableFileError, match="no row has an item id"):
        read_items(b"item_id,title\n,A\n,B\n")


def test_real_item_files_load_whole(shared_data):
    items = read_items(shared_data / "ml1m" / "items.csv")
    assert len(items.frame) == 3706
    assert items.frame.loc["1", "title"] == "$1,000,000 Duck (1971)"
