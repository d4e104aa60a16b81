"""Pre-flight: what is said about two domains before anything is fitted."""

import numpy as np
import pandas as pd
import pytest

from transrec_core.data import Interactions, check_pair, link, read_items, read_ratings
from transrec_core.data.crosslisted import find_crosslisted, without_crosslisted


def domain(rows) -> Interactions:
    """Rows of (user, item[, rating])."""
    names = ["user_id", "item_id", "rating"][: len(rows[0])]
    return Interactions.from_frame(pd.DataFrame(rows, columns=names))


def grid(users, items, rating=lambda u, i: 1 + (u + i) % 5):
    return [(f"u{u}", f"i{i}", rating(u, i)) for u in users for i in items]


def found(source, target, *texts) -> dict:
    return {problem.code: problem for problem in check_pair(link(source, target), *texts)}


def titled(**titles) -> pd.DataFrame:
    return pd.DataFrame({"title": titles, "genres": "", "description": ""}).rename_axis("item_id")


def test_two_good_domains_pass_everything():
    problems = found(domain(grid(range(220), range(9))), domain(grid(range(20, 200), range(8, 17))))
    overlap = problems["OVERLAP"]
    assert overlap.count == 180
    assert "82%" in overlap.message
    assert "100%" in overlap.message
    assert problems["COLD_USERS"].count == 40
    assert problems["TARGET_SUPPORT"].count == 180
    assert problems["TARGET_SUPPORT"].severity == "info"
    assert problems["SCALE_MATCH"].severity == "info"


def test_no_overlap_is_an_error():
    problems = check_pair(
        link(domain(grid(range(9), range(3))), domain(grid(range(9, 20), range(3, 6))))
    )
    assert [(p.code, p.severity) for p in problems] == [
        ("NO_OVERLAP", "error"),
        ("SHARING", "info"),
    ]
    assert problems[0].fix
    assert "only way of transfer that applies: codebook" in problems[1].message


def test_items_or_texts_can_stand_in_for_shared_users():
    source, target = domain(grid(range(9), range(3))), domain(grid(range(9, 20), range(3, 6)))
    both = titled(i0="Dune"), titled(i4="Solaris")
    problems = found(source, target, *both)
    assert problems["NO_OVERLAP"].severity == "warning"
    assert "through items" in problems["NO_OVERLAP"].message
    assert "content" in problems["SHARING"].message
    for texts in ((both[0], None), (both[0], titled(i9="of another catalogue"))):
        assert found(source, target, *texts)["NO_OVERLAP"].severity == "error"

    target = domain(grid(range(9, 20), range(1, 4)))
    problems = found(source, target)
    assert problems["NO_OVERLAP"].severity == "warning"
    assert problems["SHARING"].count == 2
    assert "no users, 2 item ids" in problems["SHARING"].message
    assert "in the place of users" in problems["SHARING"].message
    assert "content" not in problems["SHARING"].message


def test_an_id_with_two_titles_is_not_a_shared_item():
    source, target = domain(grid(range(9), range(3))), domain(grid(range(9), range(3)))
    one = titled(i0="Dune", i1="Solaris", i2="")
    sharing = found(source, target, one, titled(i0="DUNE", i1="Stalker", i2="Ran"))["SHARING"]
    assert "9 users, 2 item ids (1 more with another title" in sharing.message
    assert "content" in sharing.message
    assert sharing.count == 9


@pytest.mark.parametrize(
    ("users", "tests", "severity"), [(900, 270, "info"), (400, 120, "warning")]
)
def test_power_is_told_before_anything_is_fitted(users, tests, severity):
    problem = found(domain(grid(range(users), range(2))), domain(grid(range(users), range(3, 11))))
    least = (1.959964 + 0.841621) * 0.25 / np.sqrt(tests)
    assert problem["POWER"].severity == severity
    assert problem["POWER"].count == tests
    assert f"{least:.3f}" in problem["POWER"].message
    assert bool(problem["POWER"].fix) == (severity == "warning")


def test_without_test_users_no_gain_can_be_shown():
    problem = found(domain(grid(range(40), range(5))), domain(grid(range(40), range(5, 8))))
    assert problem["POWER"].severity == "warning"
    assert problem["POWER"].count == 0
    assert "no gain" in problem["POWER"].message


def test_a_work_under_several_ids_is_named_with_its_domain():
    source, target = domain(grid(range(60), range(3))), domain(grid(range(60), range(3, 9)))
    books = titled(i3="Dune", i4="Dune (Paperback)", i5="Solaris", i6="Solaris", i7="Ran", i8="")
    problems = check_pair(link(source, target), titled(i0="Dune"), books)
    one, other = sorted(
        (p for p in problems if p.code == "EDITIONS"), key=lambda problem: problem.count
    )
    assert (one.severity, one.count, one.fix) == ("info", 0, "")
    assert "source" in one.message
    assert (other.severity, other.count) == ("warning", 2)
    assert "target under several ids (such as Dune: i3 and i4)" in other.message
    assert "merge_editions" in other.fix
    assert [p.severity for p in problems] == sorted(
        (p.severity for p in problems), key=["error", "warning", "info"].index
    )


def test_items_with_the_same_users_are_no_proof_of_one_work():
    parts = [(f"u{u}", f"part{part}") for u in range(0, 60, 3) for part in range(3)]
    clicks = [(user, item) for user, item, _ in grid(range(60), range(3))]
    problems = check_pair(link(domain(clicks), domain(clicks + parts)))
    problem = next(p for p in problems if p.code == "EDITIONS")  # warnings come first
    assert problem.severity == "warning"
    assert problem.count == 1
    assert "parts of a series" in problem.message
    assert "merge_editions" not in problem.fix


def test_a_real_pair_shares_users_and_texts_and_shows_small_gains(shared_data):
    folder = shared_data / "anime_tv_to_movie"
    source, target = (
        read_ratings(folder / f"{side}.csv").interactions() for side in ("source", "target")
    )
    texts = read_items(folder / "items.csv").frame
    problems = found(source, target, texts, texts)
    assert "3,421 users, no item ids" in problems["SHARING"].message
    assert "content" in problems["SHARING"].message
    assert problems["POWER"].severity == "info"
    assert problems["EDITIONS"].severity == "info"


@pytest.mark.parametrize("which", ["source", "target"])
def test_swapped_columns_are_noticed(which):
    good = grid(range(30), range(5))
    source, target = domain(good), domain(grid(range(30), range(5, 10)))
    swapped = [(item, user, rating) for user, item, rating in good]
    pair = (domain(swapped), target) if which == "source" else (source, domain(swapped))
    problem = found(*pair)["SWAPPED_COLUMNS"]
    assert problem.severity == "error"
    assert which in problem.message
    assert problem.count == 30


def numbered(swapped: str, seed: int = 0) -> tuple[Interactions, Interactions]:
    """Domains whose ids are whole numbers from 1 on, so that all of them meet."""
    rng = np.random.default_rng(seed)
    busy = rng.pareto(1.0, 400) + 2
    sides = []
    for name, items in (("source", 300), ("target", 200)):
        rows = [
            (str(user + 1), str(item + 1), 5)
            for user in range(400)
            for item in rng.choice(
                items, min(int(busy[user] * rng.uniform(0.7, 1.4)), items), False
            )
        ]
        swap = swapped in (name, "both")
        sides.append(domain([(item, user, stars) if swap else (user, item, stars)
                             for user, item, stars in rows]))  # fmt: skip
    return sides[0], sides[1]


@pytest.mark.parametrize("which", ["source", "target", "both"])
def test_swapped_columns_are_noticed_where_ids_are_whole_numbers(which):
    source, target = numbered(which)
    assert len(link(source, target).shared) >= 200
    problem = found(source, target)["SWAPPED_COLUMNS"]
    where = "both files" if which == "both" else f"the {which}"
    assert problem.fix.endswith(f"wap the two columns of {where}.")
    assert problem.severity == ("warning" if which == "both" else "error")


@pytest.mark.parametrize("seed", range(5))
def test_whole_numbers_in_their_columns_are_not_called_swapped(seed):
    assert "SWAPPED_COLUMNS" not in found(*numbered("none", seed))


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_prefix_before_the_same_people_is_not_called_a_swap(which):
    plain, target = numbered("none")
    rows = plain.matrix.tocoo()
    named = domain([(f"u{plain.users[u]}", plain.items[i], 5)
                    for u, i in zip(rows.row, rows.col, strict=True)])  # fmt: skip
    problems = found(*((named, target) if which == "source" else (target, named)))
    assert "SWAPPED_COLUMNS" not in problems
    assert "before the number is left out" in problems["NO_OVERLAP"].fix


def test_columns_swapped_in_both_files_are_said_with_an_if():
    rows = [[(item, user, stars) for user, item, stars in grid(range(30), items)]
            for items in (range(5), range(5, 10))]  # fmt: skip
    problem = found(*map(domain, rows))["SWAPPED_COLUMNS"]
    assert problem.severity == "warning"
    assert problem.fix == "If the item columns hold people, swap the two columns of both files."


def test_the_same_items_of_other_people_are_no_error():
    problems = found(domain(grid(range(30), range(9))), domain(grid(range(30, 60), range(9))))
    assert problems["SWAPPED_COLUMNS"].severity == "warning"
    assert problems["NO_OVERLAP"].severity == "warning"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda user: f" {user}", "blanks"),
        (str.upper, "capitals"),
        (lambda user: f"{user}.0", "trailing .0"),
    ],
)
def test_ids_that_nearly_match_say_how(change, word):
    source = grid(range(9), range(3))
    target = [(change(user), item, rating) for user, item, rating in source]
    problem = found(domain(source), domain(target))["NO_OVERLAP"]
    assert word in problem.fix
    assert "9 users" in problem.fix


def test_leading_zeros_that_were_lost_are_named():
    problem = found(domain([("007", "a"), ("042", "a")]), domain([("7", "b"), ("42", "b")]))
    assert "leading zeros" in problem["NO_OVERLAP"].fix


@pytest.mark.parametrize(
    ("one", "other", "word"),
    [
        ("{}", '"{}"', "quotation marks"),
        ("ab-{}-c", "AB{}C", "letters and digits"),
        ("U0{}", " u0{}.0", "blanks, capitals"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}{}", "A{}", "Unicode form"),
        ("{}", "user{}", "before the number"),
    ],
)
def test_the_repair_that_brings_most_users_together_is_named_with_an_example(one, other, word):
    source = [(one.format(u), f"i{i}", 1 + (u + i) % 5) for u in range(9) for i in range(3)]
    target = [(other.format(u), f"j{i}", r) for u, (_, i, r) in enumerate(source[:9])]
    problem = found(domain(source), domain(target))["NO_OVERLAP"]
    assert word in problem.fix
    assert "9 users match" in problem.fix
    assert repr(one.format(0)) in problem.fix
    assert repr(other.format(0)) in problem.fix


def test_more_overlap_is_found_where_some_users_match_already():
    source = grid(range(30), range(3))
    target = [(u if int(u[1:]) < 10 else u.upper(), i, r) for u, i, r in source]
    problems = found(domain(source), domain(target))
    assert problems["OVERLAP"].count == 10
    assert problems["OVERLAP_REPAIR"].count == 20
    assert "capitals" in problems["OVERLAP_REPAIR"].fix
    # A few strangers are no sign of ids that are written differently.
    target = [(u if int(u[1:]) < 27 else u.upper(), i, r) for u, i, r in source]
    assert "OVERLAP_REPAIR" not in found(domain(source), domain(target))


def test_few_shared_users_and_little_support_are_warnings():
    problems = found(domain(grid(range(40), range(5))), domain(grid(range(40), range(5, 8))))
    assert problems["FEW_SHARED"].severity == "warning"
    assert problems["FEW_SHARED"].count == 40
    assert problems["TARGET_SUPPORT"].severity == "warning"
    assert problems["TARGET_SUPPORT"].count == 0


def test_different_scales_are_a_warning_and_clicks_have_none():
    source = domain(grid(range(60), range(8)))
    wide = domain(grid(range(60), range(8, 16), lambda u, i: 1 + (u + i) % 10))
    assert found(source, wide)["SCALE_MISMATCH"].severity == "warning"
    clicks = domain([(user, item) for user, item, _ in grid(range(60), range(8, 16))])
    assert not {"SCALE_MISMATCH", "SCALE_MATCH"} & set(found(source, clicks))


def _jaccard_pairs(pair, least, users):
    source = pair.source.matrix[pair.source_rows].toarray() != 0
    target = pair.target.matrix[pair.target_rows].toarray() != 0
    common = source.T.astype(int) @ target.astype(int)
    union = source.sum(0)[:, None] + target.sum(0)[None, :] - common
    similar = (common >= users) & (common >= least * union)
    return set(zip(*(at.tolist() for at in np.nonzero(similar)), strict=True))


def with_copies() -> tuple[Interactions, Interactions]:
    """Two domains whose target has twelve copies of source items."""
    rng = np.random.default_rng(3)
    source = [
        (f"u{u:03}", f"s{i:02}") for i in range(40) for u in rng.choice(300, 40, replace=False)
    ]
    target = [
        (f"u{u:03}", f"t{i:02}") for i in range(40) for u in rng.choice(300, 40, replace=False)
    ]
    for i in range(12):  # copies of source items that lose more and more users
        users = [user for user, item in source if item == f"s{i:02}"]
        target += [(user, f"copy{i:02}") for user in users[i:]]
    return domain(source), domain(target)


def test_crosslisted_items_equal_comparing_every_pair():
    source, target = with_copies()
    pair = link(source, target)
    expected = _jaccard_pairs(pair, 0.8, 5)
    got = find_crosslisted(pair)
    assert len(expected) >= 8
    assert set(zip(got.source_items.tolist(), got.target_items.tolist(), strict=True)) == expected
    assert (np.diff(got.similarity) <= 0).all()
    problem = found(source, target)["CROSSLISTED"]
    assert problem.severity == "warning"
    assert problem.count == len(expected)
    assert "s00" in problem.message


def test_crosslisted_products_of_real_data_are_found(shared_data):
    counts = {}
    for name in ("elec_to_cell", "elec_to_cell_crosslisted"):
        source, target = (read_ratings(shared_data / name / f"{side}.csv").interactions()
                          for side in ("source", "target"))  # fmt: skip
        counts[name] = found(source, target)["CROSSLISTED"].count
    assert counts["elec_to_cell"] == 0
    assert counts["elec_to_cell_crosslisted"] > 100


def test_copies_leave_the_source_and_nothing_else_changes():
    pair = link(*with_copies())
    found = find_crosslisted(pair)
    assert len(found.source_items)
    less = without_crosslisted(pair)
    assert len(find_crosslisted(less).source_items) == 0
    assert less.target is pair.target
    assert less.source.users is pair.source.users
    gone = pair.source.items[np.unique(found.source_items)]
    assert set(less.source.items) == set(pair.source.items) - set(gone)
    kept = pair.source.items.isin(less.source.items)
    np.testing.assert_array_equal(
        less.source.matrix.toarray(), pair.source.matrix.toarray()[:, kept]
    )
    assert without_crosslisted(less) is less


def test_times_stay_with_their_interactions_when_items_are_left_out():
    frame = pd.DataFrame(
        {
            "user_id": ["a", "a", "b", "c"],
            "item_id": ["x", "y", "x", "z"],
            "rating": [1.0, 2.0, 3.0, 0.0],
            "timestamp": [10.0, 20.0, 30.0, 40.0],
        }
    )
    less = Interactions.from_frame(frame).without_items(np.array([0]))
    assert less.items.tolist() == ["y", "z"]
    assert less.users.tolist() == ["a", "b", "c"]
    assert less.counts.tolist() == [1, 0, 1]
    assert less.times.tolist() == [20.0, 40.0]
    assert less.matrix.data.tolist() == [2.0, 0.0]  # a rating of zero is a rating


def test_one_user_is_spoken_of_in_the_singular():
    said = found(domain(grid(range(1), range(9))), domain(grid(range(1), range(9, 18))))
    assert said["FEW_SHARED"].message.startswith("Only 1 user is in both domains")
    assert said["OVERLAP"].message.startswith("1 user is in both domains")
    assert said["TARGET_SUPPORT"].message.startswith("1 shared user has 8 or more")
