"""Text cells to ratings: nothing dropped, merged or changed in silence."""

import pickle
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transrec_core.data import Ratings, read_ratings, read_table, to_ratings
from transrec_core.errors import BadRatingsError


def ratings(text: str, **how) -> Ratings:
    return read_ratings(text.encode(), name="file.csv", **how)


def problem(found: Ratings, code: str):
    (match,) = [p for p in found.report.problems if p.code == code]
    return match


def codes(found: Ratings) -> list[str]:
    return [p.code for p in found.report.problems]


def test_ids_stay_exact_and_distinct():
    ids = ["001", "1", "01", "NA", "9007199254740993", "9007199254740992", "1e5"]
    text = "user,item,rating\n" + "".join(f"{name},{name}x,3\n" for name in ids)
    found = ratings(text)
    assert found.frame["user_id"].tolist() == ids
    assert sorted(found.interactions().users) == sorted(ids)


@pytest.mark.parametrize("cell", ["5", "4.5", ".5", "5.", "-1", "+3", "1e1", " 4 ", "0", "5.0e0"])
def test_decimal_numbers_are_read(cell):
    found = ratings(f"user,item,rating\nu,i,{cell}\n")
    assert found.frame["rating"].tolist() == [float(cell)]
    assert codes(found) == []


@pytest.mark.parametrize(
    "cell",
    ["1_000", "１２", "inf", "nan", "NaN", "TRUE", "five", "", "1e400", "0x10", "1 2", "++1",
     "1.2.3", "٣", "-", ".", "5 stars"],
)  # fmt: skip
def test_anything_else_is_left_out_and_reported(cell):
    found = ratings(f"user,item,rating\na,i,4\nb,i,{cell}\nc,i,5\n")
    assert found.frame["user_id"].tolist() == ["a", "c"]
    bad = problem(found, "BAD_RATING")
    assert (bad.count, bad.rows, bad.severity) == (1, (3,), "warning")
    assert repr(cell) in bad.message


@pytest.mark.parametrize("cell", ["1e30", "-1e30", "9780306406157", "1.7e9", "1e308"])
def test_a_number_that_is_no_rating_is_left_out_and_reported_with_what_to_do(cell):
    found = ratings(f"user,item,rating\na,i,4\nb,i,{cell}\nc,i,5\n")
    assert found.frame["user_id"].tolist() == ["a", "c"]
    huge = problem(found, "HUGE_RATING")
    assert (huge.count, huge.rows, huge.severity) == (1, (3,), "warning")
    assert repr(cell) in huge.message
    assert "choose another rating column" in huge.fix
    assert np.isfinite(found.interactions().matrix.data).all()


@pytest.mark.parametrize("scarce", [False, True])
def test_a_column_of_ids_is_refused_as_ratings(scarce, tmp_path, monkeypatch):
    path = tmp_path / "books.csv"
    rows = "".join(f"u{n},i{n},97803064061{n:02d}\n" for n in range(9))
    path.write_text(f"user,item,rating\nu,i,5\n{rows}")
    if scarce:  # the route of files that are larger than memory
        monkeypatch.setattr("transrec_core.data.streaming._streamed_anyway", lambda path: True)
        monkeypatch.setattr("transrec_core.data.streaming.read_plain_table", lambda *a, **k: None)
    with pytest.raises(BadRatingsError, match=r"9 of 10 ratings are larger.*line 3.*another"):
        read_ratings(path)


def test_plays_by_the_million_are_ratings_and_ten_digit_ids_are_doubted():
    found = ratings("user,item,rating\na,i,40000000\nb,i,1\n")
    assert codes(found) == []
    found = ratings("user,item,rating\na,i,306406152\nb,i,1000000000\n")
    assert len(found.frame) == 2
    assert problem(found, "LARGE_RATING").rows == (2, 3)


@pytest.mark.parametrize("number", [1e30, -2e9, np.inf, -np.inf, np.nan])
def test_a_table_from_python_passes_the_same_gate(number):
    frame = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["i", "j"], "rating": [1.0, number]})
    report = ratings("user,item,rating\nu,i,5\n").report
    with pytest.raises(BadRatingsError, match=r"1 rating is not a number .* of user b for item j"):
        Ratings(frame, report, "").interactions()
    with pytest.raises(BadRatingsError, match="There are no ratings"):
        Ratings(frame[:0], report, "").interactions()


def test_no_usable_row_is_an_error_with_the_reason():
    with pytest.raises(BadRatingsError, match=r"no usable row.*not a number.*'x'") as caught:
        ratings("user,item,rating\nu,i,x\nv,j,y\n")
    assert "rating" in caught.value.fix


def test_rows_without_ids_are_left_out():
    found = ratings("user,item,rating\n,i,1\nu, ,2\nu,i,3\n")
    assert found.frame.to_numpy().tolist() == [["u", "i", 3.0]]
    missing = problem(found, "MISSING_ID")
    assert missing.count == 2
    assert missing.rows == (2, 3)


def test_a_decimal_comma_is_read_where_it_is_consistent():
    found = ratings("user;item;rating\nu;i;4,5\nv;i;3\nw;i;2,5\n")
    assert found.frame["rating"].tolist() == [4.5, 3.0, 2.5]
    assert problem(found, "DECIMAL_COMMA").count == 2
    mixed = ratings("user;item;rating\nu;i;4,5\nv;i;3.5\n")
    assert mixed.frame["rating"].tolist() == [3.5]
    assert problem(mixed, "BAD_RATING").rows == (2,)


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=30))
def test_ratings_equal_what_python_reads(values):
    text = "user,item,rating\n" + "".join(f"u{i},i,{value!r}\n" for i, value in enumerate(values))
    assert ratings(text).frame["rating"].tolist() == values


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("1400000000", 1.4e9),
        ("1400000000000", 1.4e9),
        ("1400000000000000", 1.4e9),
        ("1400000000.5", 1400000000.5),
        ("2014-05-13T16:53:20Z", 1.4e9),
        ("2014-05-13 16:53:20", 1.4e9),
        ("2014-05-13T18:53:20+02:00", 1.4e9),
        ("1970-01-02", 86400.0),
    ],
)
def test_times_become_seconds(cell, seconds):
    found = ratings(f"user,item,rating,timestamp\nu,i,1,{cell}\n")
    assert found.frame["timestamp"].tolist() == [seconds]


def test_unreadable_times_are_reported():
    found = ratings("user,item,rating,time\nu,i,1,1400000000\nv,i,1,13/05/2014\nw,i,1,\n")
    assert np.isnan(found.frame["timestamp"].to_numpy()).tolist() == [False, True, True]
    assert problem(found, "BAD_TIME").rows == (3, 4)
    none = ratings("user,item,rating,time\nu,i,1,soon\nv,i,1,later\n")
    assert "timestamp" not in none.frame
    assert "ignored" in problem(none, "BAD_TIME").message


def test_without_a_rating_column_every_row_is_an_interaction():
    found = ratings("user,item\nu,i\nv,j\n")
    assert list(found.frame.columns) == ["user_id", "item_id"]
    assert not found.interactions().explicit
    assert codes(found) == ["NO_RATING_COLUMN"]


REPEATED = "user,item,rating,time\na,x,1,300\na,x,5,100\nb,x,2,1\na,x,3,200\nb,y,4,1\n"


def test_duplicates_keep_the_latest_by_time():
    found = ratings(REPEATED)
    assert found.frame.to_numpy().tolist() == [
        ["a", "x", 1.0, 300.0], ["b", "x", 2.0, 1.0], ["b", "y", 4.0, 1.0],
    ]  # fmt: skip
    merged = problem(found, "DUPLICATE_PAIR")
    assert (merged.count, merged.rows) == (2, (3, 5))


def test_duplicates_keep_the_last_of_the_file_without_times():
    table = read_table(REPEATED.encode())
    found = to_ratings(table, {"user": "user", "item": "item", "rating": "rating"})
    assert found.frame["rating"].tolist() == [2.0, 3.0, 4.0]


def test_duplicates_can_be_averaged_or_refused():
    found = ratings(REPEATED, duplicates="mean")
    assert found.frame.set_index(["user_id", "item_id"])["rating"].to_dict() == {
        ("a", "x"): 3.0, ("b", "x"): 2.0, ("b", "y"): 4.0,
    }  # fmt: skip
    with pytest.raises(BadRatingsError, match="line 3: user a, item x"):
        ratings(REPEATED, duplicates="refuse")


ROW = st.tuples(
    st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 5), st.integers(0, 3)
)


@given(st.lists(ROW, min_size=1, max_size=25), st.sampled_from(["last", "mean"]))
def test_duplicates_equal_merging_by_hand(rows, policy):
    text = "user,item,rating,time\n" + "".join(f"{u},{i},{r},{t}\n" for u, i, r, t in rows)
    found = ratings(text, duplicates=policy).frame
    by_hand = {}
    for u, i, r, t in rows:
        by_hand.setdefault((u, i), []).append((t, r))
    expected = {
        pair: float(np.mean([r for _, r in seen])) if policy == "mean"
        else float(max(enumerate(seen), key=lambda at: (at[1][0], at[0]))[1][1])
        for pair, seen in by_hand.items()
    }  # fmt: skip
    got = found.set_index(["user_id", "item_id"])["rating"].to_dict()
    assert got == pytest.approx(expected)
    assert len(found) == len(expected)


def test_damaged_ids_are_noticed():
    composed = unicodedata.normalize("NFC", "Zoé")
    text = (
        "user,isbn,rating\n"
        f"{composed},9.78E+12,1\n{unicodedata.normalize('NFD', composed)},2,1\n u ,3,1\n"
    )
    found = ratings(text)
    assert set(codes(found)) == {"SCIENTIFIC_ID", "UNICODE_FORM", "ID_BLANKS"}
    assert "9.78E+12" in problem(found, "SCIENTIFIC_ID").message
    assert " u " in found.frame["user_id"].tolist()


@pytest.mark.parametrize(
    "mapping",
    [
        {"user": "nobody", "item": "item"},
        {"user": "user"},
        {"user": "user", "item": "user"},
        {"user": "user", "item": "item", "weight": "rating"},
    ],
)
def test_a_wrong_mapping_is_an_error_that_names_the_columns(mapping):
    table = read_table(b"user,item,rating\nu,i,1\n")
    with pytest.raises(BadRatingsError) as caught:
        to_ratings(table, mapping)
    assert "user, item, rating" in str(caught.value) or "twice" in str(caught.value)


def test_line_numbers_survive_quotes_blank_lines_and_ragged_rows():
    text = 'user,item,rating\n"a\na",i,1\n\nb,i\nc,i,bad\n'
    assert problem(ratings(text), "BAD_RATING").rows == (6,)


def test_the_table_is_not_changed():
    table = read_table(REPEATED.encode())
    before = table.frame.copy()
    to_ratings(table, duplicates="mean")
    pd.testing.assert_frame_equal(table.frame, before)


def test_ratings_can_be_pickled():
    found = ratings(REPEATED)
    copy = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(copy.frame, found.frame)
    assert copy.sha256 == found.sha256


class LooksWhilePickled:
    """Does what another thread may do while something is pickled."""

    def __init__(self, look):
        self.look = look

    def __reduce__(self):
        self.look()
        return (int, ())


def test_ratings_can_be_pickled_while_somebody_looks_at_them():
    ratings = read_ratings(b"user,item,rating\nu1,i1,4\nu2,i1,5\n", name="a.csv")
    encoded = ratings.__dict__["encoded"]
    ratings.__dict__["first"] = LooksWhilePickled(lambda: (ratings.frame, ratings.interactions()))
    encoded.__dict__["first"] = LooksWhilePickled(lambda: encoded.positions)
    back = pickle.loads(pickle.dumps(ratings))
    assert back.frame.equals(ratings.frame)
    assert (back.interactions().matrix != ratings.interactions().matrix).nnz == 0


def test_real_rating_files_load_whole(shared_data):
    for name, rows in (("ml100k/ratings.csv", 100_000), ("ml1m/ratings.csv.gz", 1_000_209),
                       ("ml_latest_small/ratings.csv", 100_004),
                       ("anime_tv_to_movie/source.csv", 288_869),
                       ("elec_to_cell/target.csv", 49_650)):  # fmt: skip
        found = read_ratings(shared_data / name)
        assert len(found.frame) == rows, name
        assert codes(found) == [], name


def test_an_id_of_a_left_out_row_is_no_user_and_the_frame_has_plain_columns():
    """Ids are encoded while reading; rows left out later may not leave their ids behind."""
    lines = ["user_id,item_id,rating"]
    lines += [f"u{n % 7},i{n % 11},{n % 5 + 1}" for n in range(60)]
    content = "\n".join([*lines, "ghost,i1,nonsense", "u1,spectre,", "", ",,"]).encode()
    found = read_ratings(content, name="ratings.csv", duplicates="mean")
    domain = found.interactions()
    assert "ghost" not in domain.users
    assert "spectre" not in domain.items
    assert sorted(domain.users) == [f"u{n}" for n in range(7)]
    assert found.frame.columns.name is None
    assert found.frame.index.name is None
    assert set(found.frame["user_id"]) == set(domain.users)
