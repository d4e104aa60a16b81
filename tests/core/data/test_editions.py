"""Items of one domain that are the same work: found by title or by users, and merged."""

from collections import defaultdict
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transrec_core.data import Interactions, read_items, read_ratings
from transrec_core.data.editions import Editions, find_editions, merge_editions, work_title

TITLES = ["", "Film (2001)", "film  (2001) [DVD]", "Film (1998)", "FILM: 2001", "Saga 1", "Saga 2"]
GENRES = ["", "Drama|Comedy", "comedy, drama", "Drama", "(no genres listed)"]


def domain(rows, names=("user_id", "item_id", "rating", "timestamp")) -> Interactions:
    return Interactions.from_frame(pd.DataFrame(rows, columns=names[: len(rows[0])]))


def texts(titles: dict[str, str], genres: dict[str, str] | None = None) -> pd.DataFrame:
    columns = {"title": titles, "genres": genres or dict.fromkeys(titles, ""), "description": {}}
    return pd.DataFrame(columns, dtype=object).rename_axis("item_id").fillna("").astype("str")


def ids(data: Interactions, found: Editions) -> list[list[str]]:
    return [data.items[group].tolist() for group in found.groups]


@st.composite
def catalogues(draw):
    """Rows of ratings, some at unknown times, and texts of most of their items."""
    cells = draw(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=50))
    stars, times = st.sampled_from([0.0, 1.0, 2.5, 5.0]), st.sampled_from([float("nan"), 1.0, 2.0])
    rows = [(f"u{u}", f"i{i}", draw(stars), draw(times)) for u, i in sorted(cells)]
    items = [f"i{i}" for i in range(10)]
    return rows, texts(
        {item: draw(st.sampled_from(TITLES)) for item in items},
        {item: draw(st.sampled_from(GENRES)) for item in items},
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dune (Paperback)", "dune"),
        ("Dune [DVD]", "DUNE (Blu-ray)"),
        ("Dune (2-Disc Special Edition)", "Dune"),
        ("Dune (Mass Market Paperback, 1984)", "Dune (1984)"),
        ("Dune (20th Anniversary Edition)", "Dune (Director's Cut)"),
        ("Dune (2nd Edition) (Kindle Edition)", "Dune"),
        ("Spider-Man: Homecoming", "spider man homecoming"),
        ("Ocean’s Eleven", "Oceans Eleven"),
        ("Ｄｕｎｅ （１９８４）", "Dune (1984)"),
        ("Nausicaä", "Nausicaa\u0308"),
        ("Straße", "STRASSE"),
        ("Saga, Vol. 2", "Saga vol 2"),
        ("Kettle™ 1.7", "Kettle 1.7"),
    ],
)
def test_editions_have_one_title(one, other):
    assert work_title(one) == work_title(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dune (1984)", "Dune (2021)"),
        ("Dune (1984)", "Dune"),
        ("Dune (Paperback, 1984)", "Dune (Paperback, 1990)"),
        ("Saga (Volume 1)", "Saga (Volume 2)"),
        ("Saga 1-2", "Saga 12"),
        ("Saga (DVD 1)", "Saga (DVD 2)"),
        ("Dune (Special)", "Dune"),
        ("Dune (TV)", "Dune (Movie)"),
        ("K-On!", "K-On!!"),
        ("Nisekoi", "Nisekoi:"),
        ("Gintama'", "Gintama"),
        ("Learning C", "Learning C++"),
        ("Learning C", "Learning C#"),
        ("かき", "かぎ"),
    ],
)
def test_different_works_have_two_titles(one, other):
    assert work_title(one) != work_title(other)


@pytest.mark.parametrize("title", ["", "  ", "...", "(DVD)", "[ ]", "—"])
def test_titles_that_say_nothing_match_none(title):
    assert work_title(title) == ""
    data = domain([("u", "a"), ("u", "b")])
    assert find_editions(data, texts({"a": title, "b": title})).groups == ()


def test_genres_tell_works_apart_and_unknown_ones_join_only_where_there_is_no_choice():
    data = domain([(f"u{u}", f"{item}") for item in "abcdef" for u in range(3)])
    one = dict.fromkeys("abc", "Hamlet")
    other = dict.fromkeys("def", "Dune")
    found = find_editions(
        data,
        texts(
            one | other, {"a": "Drama|War", "b": "war, drama", "c": "", "d": "War", "e": "Comedy"}
        ),
    )
    assert ids(data, found) == [["a", "b", "c"]]  # f is either d or e
    assert found.by_title


def test_the_most_rated_come_first():
    sizes = {"a": 1, "b": 3, "c": 2, "x": 4, "y": 5, "z": 4}
    data = domain([(f"u{u}", item) for item, size in sizes.items() for u in range(size)])
    titles = dict.fromkeys("abc", "Dune") | dict.fromkeys("xyz", "Solaris")
    assert ids(data, find_editions(data, texts(titles))) == [["y", "x", "z"], ["b", "c", "a"]]


def test_items_without_texts_match_none():
    data = domain([("u", "a"), ("u", "b"), ("v", "c")])
    found = find_editions(data, pd.DataFrame({"title": ["Dune"]}, index=["a"]))
    assert found == Editions((), by_title=True)


@given(catalogues())
def test_groups_by_title_equal_comparing_every_pair(catalogue):
    rows, known = catalogue
    data = domain(rows)
    kinds = {"Drama|Comedy": 1, "comedy, drama": 1, "Drama": 2}
    works = {"FILM: 2001": 1, "Film (2001)": 1, "film  (2001) [DVD]": 1}
    pairs = set()
    for one, other in combinations(data.items, 2):
        titles = [works.get(known.title[item], known.title[item]) for item in (one, other)]
        genres = [kinds.get(known.genres[item]) for item in (one, other)]
        choices = {
            kinds.get(known.genres[item])
            for item in data.items
            if works.get(known.title[item], known.title[item]) == titles[0]
        } - {None}
        same = genres[0] == genres[1] is not None or (None in genres and len(choices) < 2)
        if titles[0] == titles[1] != "" and same:
            pairs.add((one, other))
    if not (known.title[data.items] != "").any():
        return
    found = ids(data, find_editions(data, known))
    assert {pair for group in found for pair in combinations(sorted(group), 2)} == pairs


@given(catalogues())
def test_merging_keeps_every_users_works_and_all_weight(catalogue):
    rows, known = catalogue
    data = domain(rows)
    before = data.matrix.copy(), data.times.copy(), known.copy()
    found = find_editions(data, known)
    merged = merge_editions(data, found)

    kept = {item: group[0] for group in ids(data, found) for item in group}
    values, times = defaultdict(list), defaultdict(list)
    for user, item, rating, time in rows:
        values[user, kept.get(item, item)].append(rating)
        times[user, kept.get(item, item)].append(time)
    got = merged.matrix.tocoo()
    cells = list(zip(merged.users[got.row], merged.items[got.col], strict=True))
    assert cells == sorted(values)
    np.testing.assert_allclose(got.data, [np.mean(values[cell]) for cell in cells], rtol=1e-6)
    weights = [len(values[cell]) for cell in cells]
    assert np.dot(got.data, weights) == pytest.approx(sum(row[2] for row in rows))
    latest = [max((t for t in times[cell] if t == t), default=float("nan")) for cell in cells]
    np.testing.assert_array_equal(merged.times, latest)

    assert merged.users is data.users
    assert merged.items.tolist() == sorted({item for _, item in values})
    assert merged.matrix.dtype == np.float32
    assert merged.matrix.has_sorted_indices
    assert merged.explicit == (len(set(got.data)) > 1)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(before[0], part), getattr(data.matrix, part))
    np.testing.assert_array_equal(before[1], data.times)
    pd.testing.assert_frame_equal(before[2], known)
    if found.by_title:
        assert find_editions(merged, known).groups == ()


@given(catalogues(), st.randoms())
def test_the_order_of_rows_does_not_matter(catalogue, random):
    rows, known = catalogue
    mixed = random.sample(rows, len(rows))
    data, other = domain(rows), domain(mixed)
    shuffled = known.loc[random.sample(list(known.index), len(known))]
    found, again = find_editions(data, known), find_editions(other, shuffled)
    assert ids(data, found) == ids(other, again)
    one, two = merge_editions(data, found), merge_editions(other, again)
    np.testing.assert_array_equal(one.matrix.toarray(), two.matrix.toarray())
    np.testing.assert_array_equal(one.times, two.times)


def test_a_domain_without_editions_stays_as_it_is():
    data = domain([("u", "a", 1.0), ("v", "b", 0.0)])
    assert merge_editions(data, Editions((), by_title=True)) is data


def test_clicks_stay_clicks_and_a_rating_of_zero_a_rating():
    group = Editions((np.array([0, 1]),), by_title=True)
    clicks = merge_editions(domain([("u", "a"), ("u", "b"), ("v", "b"), ("v", "c")]), group)
    assert clicks.matrix.toarray().tolist() == [[1, 0], [1, 1]]
    assert not clicks.explicit
    assert clicks.times is None
    zeros = merge_editions(domain([("u", "a", 0.0), ("u", "b", 0.0), ("v", "c", 2.0)]), group)
    assert zeros.matrix.data.tolist() == [0.0, 2.0]
    assert zeros.explicit


def test_the_lowest_of_equally_rated_ids_is_kept_whatever_the_order_of_the_group():
    data = domain([("u", "a"), ("v", "b"), ("v", "c")])
    merged = merge_editions(data, Editions((np.array([2, 0]),), by_title=True))
    assert merged.items.tolist() == ["a", "b"]


def test_without_titles_nearly_the_same_users_are_a_sign():
    rng = np.random.default_rng(5)
    rows = {(f"u{u:03}", f"i{i:02}") for i in range(60) for u in rng.choice(300, 30, replace=False)}
    for copy in range(20):  # copies that lose more and more users, and copies of copies
        users = sorted(user for user, item in rows if item == f"i{copy:02}")
        rows |= {(user, f"j{copy:02}") for user in users[copy:]}
        rows |= {(user, f"k{copy:02}") for user in users[: 30 - copy]}
    rows |= {(f"u{u:03}", item) for item in ("m", "n") for u in range(4)}  # too few to tell
    rows |= {(f"u{u:03}", item) for item in ("p", "q") for u in range(200)}  # alike by chance
    data = domain(sorted(rows))
    sets = {item: {user for user, other in rows if other == item} for item in data.items}
    group = {item: item for item in sets}
    for one, other in combinations(data.items.difference(["p", "q"]), 2):
        common = len(sets[one] & sets[other])
        if common >= 5 and common >= 0.8 * len(sets[one] | sets[other]):
            old, new = group[other], group[one]
            group = {item: new if named == old else named for item, named in group.items()}
    members = defaultdict(set)
    for item, named in group.items():
        members[named].add(item)
    expected = sorted(sorted(same) for same in members.values() if len(same) > 1)
    assert len(expected) > 5
    for known in (None, texts(dict.fromkeys(data.items, ""))):
        found = find_editions(data, known)
        assert sorted(sorted(group) for group in ids(data, found)) == expected
        assert not found.by_title


def test_films_that_are_listed_twice_in_real_data_are_found(shared_data):
    folder = shared_data / "ml100k"
    data = read_ratings(folder / "ratings.csv").interactions()
    known = read_items(folder / "items.csv").frame
    found = find_editions(data, known)
    assert len(found.groups) == 18
    assert all(len(set(known.title[data.items[group]])) == 1 for group in found.groups)
    assert len(merge_editions(data, found).items) == 1682 - 18


def test_series_whose_titles_differ_in_a_mark_are_no_editions(shared_data):
    folder = shared_data / "anime_tv_to_movie"
    known = read_items(folder / "items.csv").frame
    for side in ("source", "target"):
        data = read_ratings(folder / f"{side}.csv").interactions()
        assert find_editions(data, known) == Editions((), by_title=True)
