"""Lists of ids are understood as people have them, and ids stay the text that they are."""

import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transrec_core.data.users import read_ids
from transrec_core.errors import UnreadableFileError

PLAIN = ("u1", "002", "1e5", "NA", "1.0")


@pytest.mark.parametrize(
    "content",
    [
        "u1\n002\n1e5\nNA\n1.0",
        "u1\r\n002\r\n\r\n  \r\n1e5\r\nNA\r\n1.0\r\n",
        "\ufeffuser_id\nu1\n002\n1e5\nNA\n1.0\n",
        "User ID\nu1\n002\n1e5\nNA\n1.0\nu1\n",
        '"user"\n"u1"\n"002"\n"1e5"\n"NA"\n"1.0"\n',
        "city,user_id\nX,u1\nX,002\nX,1e5\nX,NA\nX,1.0\n",
        "customer\tname\nu1\tX\n002\tX\n1e5\tX\nNA\tX\n1.0\tX\n",
        "u1;X\n002;X\n1e5;X\nNA;X\n1.0;X\n",
        '{"user": "u1"}\n{"user": "002"}\n{"user": "1e5"}\n{"user": "NA"}\n{"user": "1.0"}\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_ids_are_found_however_they_are_written(content, encoding):
    assert read_ids(content.lstrip("\ufeff").encode(encoding), name="x").ids == PLAIN
    assert read_ids(content.encode(), name="x").ids == PLAIN


def test_a_parquet_file_has_names():
    stream = io.BytesIO()
    pd.DataFrame({"x": ["a"] * 5, "user_id": PLAIN}).to_parquet(stream)
    assert read_ids(stream.getvalue(), name="x").ids == PLAIN


@given(st.lists(st.from_regex(r"[a-zA-Z0-9_@.:-]{1,12}", fullmatch=True), min_size=1, unique=True))
def test_ids_alone_are_all_ids_but_a_name_of_their_column(ids):
    from transrec_core.data.mapping import NAMES, plain

    wanted = ids[plain(ids[0]) in NAMES["user"] :]
    text = "\n".join(ids).encode()
    if wanted:
        assert read_ids(text, name="x").ids == tuple(wanted)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name,user_id\nx,u1\n", "There are 2 columns; 'user_id' was taken for the user ids."),
        (b"u1,x,y\n", "There are 3 columns; the first was taken for the user ids."),
    ],
)
def test_which_of_several_columns_was_taken_is_said(content, said):
    found = read_ids(content, name="x")
    assert found.ids == ("u1",)
    assert [problem.message for problem in found.problems] == [said]
    assert read_ids(b"u1\nu2", name="x").problems == ()


def test_a_column_can_be_named():
    content = b"x;Kunde\ny;u1\n"
    assert read_ids(content, name="x", column="Kunde").ids == ("u1",)
    assert read_ids(content, name="x", known=["Kunde"]).ids == ("u1",)
    assert read_ids(content, name="x", header=True, column="x").ids == ("y",)
    assert read_ids(b"y;u1\n", name="x", column="column_2").ids == ("u1",)
    assert read_ids(b"user_id\nu1\n", name="x", header=False).ids == ("user_id", "u1")
    with pytest.raises(UnreadableFileError, match=r"users\.csv: there is no column 'z'.*column_1"):
        read_ids(content, name="users.csv", column="z")


def test_items_are_named_by_other_names():
    content = b"user_id,item_id\nu1,i1\n"
    assert read_ids(content, name="x", role="item").ids == ("i1",)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"user_id\n", b'"', b"\xff\xfe\xe9", b"caf\xe9"])
def test_what_has_no_ids_is_refused_by_name(content):
    with pytest.raises(UnreadableFileError, match=r"^users\.csv: "):
        read_ids(content, name="users.csv")
