"""What is worth knowing about two domains before anything is fitted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from transrec_core.columns import DESCRIPTION, GENRES, TITLE
from transrec_core.data.crosslisted import find_crosslisted
from transrec_core.data.editions import find_editions, work_title
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair
from transrec_core.data.reading import SEVERITIES
from transrec_core.data.report import Problem, plural
from transrec_core.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW_SHARED = 50
FEW_TEST_USERS = 30

# Spread between users of the gain in NDCG; it was 0.2 to 0.3 in real pairs.
GAIN_SPREAD = 0.25
LARGE_GAIN = 0.05
# As the evidence has them.
LEVEL, POWER = 0.95, 0.8

WAYS = "factor map, row map, joint factors, ridge and neural map"

Ids = pd.Series

# How one file's ids come to look different from the other's, and the way back.
ID_REPAIRS: tuple[tuple[str, Callable[[Ids], Ids]], ...] = (
    ("blanks around ids are removed", lambda ids: ids.str.strip()),
    ("capitals are ignored", lambda ids: ids.str.casefold()),
    ("a trailing .0 is removed", lambda ids: ids.str.replace(r"\.0+$", "", regex=True)),
    ("leading zeros are removed", lambda ids: ids.str.replace(r"^0+(?=.)", "", regex=True)),
    ("quotation marks are removed", lambda ids: ids.str.strip("\"'`")),
    ("letters are written in one Unicode form", lambda ids: ids.str.normalize("NFKC")),
    (
        "capitals and everything but letters and digits are ignored",
        lambda ids: ids.str.casefold().str.replace(r"[\W_]+", "", regex=True),
    ),
    (
        "blanks, capitals, a trailing .0 and leading zeros are ignored",
        lambda ids: (
            ids.str.strip()
            .str.casefold()
            .str.replace(r"\.0+$", "", regex=True)
            .str.replace(r"^0+(?=.)", "", regex=True)
        ),
    ),
)
# Plain numbers meet by chance, so this is said with an if.
NUMBER_ALONE: tuple[str, Callable[[Ids], Ids]] = (
    "what stands before the number is left out, if u12 and 12 are the same person",
    lambda ids: ids.str.replace(r"^\D+(?=\d+$)", "", regex=True),
)
# Repairing more ids than this takes longer than a hint is worth.
MOST_REPAIRED = 200_000


# Users in both files, as a share of the smaller one's, that are next to none, and that are many.
FEW_MEET, MANY_MEET = 0.05, 0.5
WHOLE_NUMBER = r"[0-9]{1,18}"
LEAST_MEETING = 20
"""Common numbers from which on it can be said whether they meet by chance."""

SURE_LIFT, SURE_LIKENESS, LEAST_LIKENESS = 3.0, 5.0, 2.0


def check_pair(
    pair: DomainPair,
    source_items: pd.DataFrame | None = None,
    target_items: pd.DataFrame | None = None,
) -> tuple[Problem, ...]:
    """Check whether transfer between two domains can work and be measured.

    Parameters
    ----------
    pair
        The two linked domains.
    source_items, target_items
        Texts of their items, as in ``Items.frame``; ``None`` where there are none.

    Returns
    -------
    tuple of Problem
        Errors first; passes are there too, with severity ``info``. Codes: OVERLAP, NO_OVERLAP,
        OVERLAP_REPAIR, SWAPPED_COLUMNS, FEW_SHARED, TARGET_SUPPORT, POWER, COLD_USERS, SHARING,
        SCALE_MATCH, SCALE_MISMATCH, CROSSLISTED, EDITIONS (one a domain).
        NO_OVERLAP is an error only where items cannot carry anything over either.
    """
    texts = _texts_of(pair.source, source_items), _texts_of(pair.target, target_items)
    shared = len(pair.shared)
    sharing, usable = _sharing(pair, *texts)
    if shared == 0:
        problems = [*_no_overlap(pair, usable), sharing]
    else:
        problems = [_overlap(pair), *_swapped_columns(pair), *_more_overlap(pair)]
        if shared < FEW_SHARED:
            problems.append(
                Problem(
                    "FEW_SHARED",
                    "warning",
                    f"Only {plural(shared, 'user is', 'users are')} in both domains; what is "
                    f"learned from fewer than {FEW_SHARED} is unsure.",
                    "Use data that cover more common users.",
                    shared,
                )
            )
        problems += [_target_support(pair), _power(pair), _cold_users(pair), sharing]
        if pair.source.explicit and pair.target.explicit:
            problems.append(_scales(pair))
        problems.append(_crosslisted(pair))
    if usable:
        problems.append(_editions("source", pair.source, texts[0]))
        problems.append(_editions("target", pair.target, texts[1]))
    return tuple(sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity)))


def _texts_of(domain: Interactions, items: pd.DataFrame | None) -> pd.DataFrame | None:
    """Texts of the domain's own items, in their order; ``None`` where all are empty."""
    if items is None:
        return None
    texts = items.reindex(index=domain.items, columns=[TITLE, GENRES, DESCRIPTION])
    texts = texts.astype(object).fillna("").astype("str")
    return texts if (texts.to_numpy() != "").any() else None


def _sharing(
    pair: DomainPair, source_texts: pd.DataFrame | None, target_texts: pd.DataFrame | None
) -> tuple[Problem, bool]:
    """What the domains share, and whether anything but the shape of their ratings is left."""
    users, content = len(pair.shared), source_texts is not None and target_texts is not None
    common = pair.source.items.intersection(pair.target.items)
    other_titles = 0
    if source_texts is not None and target_texts is not None and len(common):
        titles = [
            texts[TITLE].loc[common].map(work_title).to_numpy()
            for texts in (source_texts, target_texts)
        ]
        other_titles = int(((titles[0] != titles[1]) & (titles[0] != "") & (titles[1] != "")).sum())
    items = len(common) - other_titles
    message = f"In both domains: {_number(users, 'user')}, {_number(items, 'item id')}"
    if other_titles:
        message += f" ({other_titles:,} more with another title in each)"
    if users or items:
        place = "" if users else ", with items in the place of users if equal ids are equal items"
        message += f". Ways of transfer that apply: {WAYS}{place}"
        message += "; content, as both catalogues have texts." if content else "."
    elif content:
        message += ", but texts. The way of transfer that applies: content."
    else:
        message += ", nor texts. The only way of transfer that applies: codebook."
    return Problem("SHARING", "info", message, "", users or items), bool(users or items or content)


def _number(count: int, word: str) -> str:
    return f"{format(count, ',') if count else 'no'} {word}{'' if count == 1 else 's'}"


def _overlap(pair: DomainPair) -> Problem:
    shared, source, target = len(pair.shared), len(pair.source.users), len(pair.target.users)
    return Problem(
        "OVERLAP",
        "info",
        f"{plural(shared, 'user is', 'users are')} in both domains: {shared / source:.0%} of the "
        f"source's {source:,} and {shared / target:.0%} of the target's {target:,}.",
        "",
        shared,
    )


def _no_overlap(pair: DomainPair, usable: bool) -> list[Problem]:
    example = (
        f"source users look like {pair.source.users[0]}, target users like {pair.target.users[0]}"
    )
    fix = "Use the same user ids in both files."
    found = _repair(pair.source.users, pair.target.users, (*ID_REPAIRS, NUMBER_ALONE))
    problems = _swapped_columns(pair, found.count if found is not None else 0)
    if found is not None:
        fix = found.words
    so = "transfer must go through items" if usable else "nothing can be transferred through users"
    problems.append(
        Problem(
            "NO_OVERLAP",
            "warning" if usable else "error",
            f"No user is in both domains ({example}), so {so}.",
            f"If people should be in both: {fix[0].lower()}{fix[1:]}" if usable else fix,
        )
    )
    return problems


@dataclass(frozen=True)
class _Column:
    """Distinct ids of a column and how many rows each has."""

    ids: pd.Index
    counts: "NDArray[np.integer[Any]]"


@dataclass(frozen=True)
class _Meeting:
    """Ids that two columns have in common.

    Attributes
    ----------
    common
        The ids.
    share
        How many of the smaller column's ids they are.
    numbers
        Whether most of them are whole numbers, which meet by chance.
    lift
        How many times as many numbers meet as would by chance in the range that both have.
    likeness
        How far the same numbers have alike many rows in both, more than neighbouring numbers
        have, in standard errors.
    """

    common: pd.Index
    share: float
    numbers: bool = False
    lift: float = 0.0
    likeness: float = 0.0

    def sure(self, least: float = SURE_LIKENESS) -> bool:
        """Whether the two columns hold the same people or things, and not just equal ids."""
        return not self.numbers or self.lift >= SURE_LIFT or self.likeness >= least


def _columns_of(domain: Interactions) -> tuple[_Column, _Column]:
    """The users and the items."""
    matrix = domain.matrix
    items = np.bincount(matrix.indices, minlength=len(domain.items))
    return _Column(domain.users, np.diff(matrix.indptr)), _Column(domain.items, items)


def _meeting(one: _Column, other: _Column) -> _Meeting:
    common = one.ids.intersection(other.ids)
    share = len(common) / max(min(len(one.ids), len(other.ids)), 1)
    whole = common[common.astype(str).str.fullmatch(WHOLE_NUMBER)]
    if len(common) < LEAST_MEETING or 2 * len(whole) < len(common):
        return _Meeting(common, share, bool(2 * len(whole) > len(common)))
    numbers = whole.astype(np.int64)
    order = np.argsort(numbers)
    whole, numbers = whole[order], numbers[order]
    low, high = int(numbers[0]), int(numbers[-1])
    within = [_numbers_within(column.ids, low, high) for column in (one, other)]
    by_chance = within[0] * within[1] / (high - low + 1)
    ranks = [
        pd.Series(column.counts[column.ids.get_indexer(whole)]).rank().to_numpy()
        for column in (one, other)
    ]
    # What ids owe to their age, neighbours have too.
    more = _correlation(ranks[0], ranks[1]) - _correlation(ranks[0][:-1], ranks[1][1:])
    likeness = more * (len(whole) / 2) ** 0.5
    return _Meeting(common, share, True, len(whole) / by_chance, likeness)


def _numbers_within(ids: pd.Index, low: int, high: int) -> int:
    whole = ids[ids.astype(str).str.fullmatch(WHOLE_NUMBER)].astype(np.int64)
    return int(((whole >= low) & (whole <= high)).sum())


def _correlation(one: "NDArray[np.floating[Any]]", other: "NDArray[np.floating[Any]]") -> float:
    """Pearson's, 0 where one side is all the same."""
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _swapped_columns(pair: DomainPair, repaired: int = 0) -> list[Problem]:
    """Whether users meet only once user and item change places in one file or in both.

    Parameters
    ----------
    pair
        The two domains.
    repaired
        How many users meet when their ids are written alike.
    """
    source_users, source_items = _columns_of(pair.source)
    target_users, target_items = _columns_of(pair.target)
    now = _meeting(source_users, target_users)
    if now.share > FEW_MEET and now.sure(LEAST_LIKENESS):
        return []
    swaps = {
        "the source": _meeting(source_items, target_users),
        "the target": _meeting(source_users, target_items),
        "both files": _meeting(source_items, target_items),
    }
    sure = {
        where: met
        for where, met in swaps.items()
        if met.sure() and met.share >= MANY_MEET and len(met.common) > repaired
    }
    if not sure:
        return []
    where, met = max(sure.items(), key=lambda swap: (swap[0] != "both files", len(swap[1].common)))
    after = (
        f"{plural(len(met.common), 'id')} (such as {met.common[0]}) "
        f"{'is' if len(met.common) == 1 else 'are'} in both files when user and item change places "
        f"in {where}, {len(pair.shared):,} as the columns are now"
    )
    if where == "both files":
        # The same items rated by other people look just like this.
        return [
            Problem(
                "SWAPPED_COLUMNS",
                "warning",
                f"{after}.",
                "If the item columns hold people, swap the two columns of both files.",
                len(met.common),
            )
        ]
    return [
        Problem(
            "SWAPPED_COLUMNS",
            "error",
            f"{after}: its user and item columns are swapped.",
            f"Swap the two columns of {where}.",
            len(met.common),
        )
    ]


@dataclass(frozen=True)
class _Repair:
    """What makes ids of two files meet: how, and how many."""

    count: int
    words: str


def _repair(
    source: pd.Index, target: pd.Index, repairs: tuple[tuple[str, Callable[[Ids], Ids]], ...]
) -> _Repair | None:
    """The way of writing ids alike that makes most of them meet; ``None`` where none does."""
    if max(len(source), len(target)) > MOST_REPAIRED:
        return None
    ones, others = pd.Series(source.astype(str)), pd.Series(target.astype(str))
    best: _Repair | None = None
    for what, repair in repairs:
        left, right = repair(ones), repair(others)
        common = pd.Index(left).intersection(pd.Index(right))
        if len(common) and (best is None or len(common) > best.count):
            pair = ones[left == common[0]].iloc[0], others[right == common[0]].iloc[0]
            users = "user matches" if len(common) == 1 else "users match"
            best = _Repair(
                len(common),
                f"{len(common):,} {users} when {what} (such as {pair[0]!r} and {pair[1]!r}): "
                "write the ids alike in both files.",
            )
    return best


def _more_overlap(pair: DomainPair) -> list[Problem]:
    """Whether many more users would be in both if their ids were written alike."""
    source = pair.source.users.difference(pair.shared)
    target = pair.target.users.difference(pair.shared)
    if len(pair.shared) >= min(len(source), len(target)):
        return []
    found = _repair(source, target, ID_REPAIRS)
    if found is None or found.count < max(5, len(pair.shared) // 10):
        return []
    return [
        Problem(
            "OVERLAP_REPAIR",
            "warning",
            f"{found.count:,} more users seem to be in both, with ids written in another way.",
            found.words,
            found.count,
        )
    ]


def _test_users(pair: DomainPair) -> tuple[int, int]:
    """Shared users with enough target interactions, and how many of them will be test users."""
    enough = int((pair.target.counts[pair.target_rows] >= Settings.min_target).sum())
    return enough, int(enough * Settings.test_share)


def _target_support(pair: DomainPair) -> Problem:
    enough, tests = _test_users(pair)
    message = (
        f"{plural(enough, 'shared user has', 'shared users have')} "
        f"{Settings.min_target} or more target interactions; "
        f"about {plural(tests, 'of them will be a test user', 'of them will be test users')}."
    )
    if tests >= FEW_TEST_USERS:
        return Problem("TARGET_SUPPORT", "info", message, "", enough)
    return Problem(
        "TARGET_SUPPORT",
        "warning",
        message + " That shows only large differences.",
        "Use data with more target interactions per shared user.",
        enough,
    )


def _power(pair: DomainPair) -> Problem:
    """The smallest mean gain that test users show, (z₀.₉₇₅ + z₀.₈)·s/√n, before any fit."""
    # Here, because reading a file does not need it.
    from scipy.special import ndtri

    _, tests = _test_users(pair)
    least = float(ndtri((1 + LEVEL) / 2) + ndtri(POWER)) * GAIN_SPREAD / max(tests, 1) ** 0.5
    message = (
        f"{_number(tests, 'test user')} can show a mean gain in NDCG of {least:.3f} or more (with "
        f"{POWER:.0%} power), if gains differ between users as in real pairs (standard deviation "
        f"{GAIN_SPREAD:g})."
    )
    if tests and least <= LARGE_GAIN:
        return Problem("POWER", "info", message, "", tests)
    return Problem(
        "POWER",
        "warning",
        message if tests else "There will be no test users, so no gain can be shown.",
        f"Use data with more shared users who have {Settings.min_target} or more target "
        "interactions.",
        tests,
    )


def _cold_users(pair: DomainPair) -> Problem:
    cold = len(pair.source.users) - len(pair.shared)
    who = "source user has" if cold == 1 else "source users have"
    return Problem(
        "COLD_USERS",
        "info",
        f"{cold:,} {who} no target data; they get lists from what the source knows about them.",
        "",
        cold,
    )


def _scales(pair: DomainPair) -> Problem:
    ranges = [
        (float(d.matrix.data.min()), float(d.matrix.data.max())) for d in (pair.source, pair.target)
    ]
    (low, high), (target_low, target_high) = ranges
    message = (
        f"Source ratings go from {low:g} to {high:g}, target ratings from {target_low:g} to "
        f"{target_high:g}."
    )
    ratio = (high - low) / (target_high - target_low)
    if 0.8 <= ratio <= 1.25 and abs(low - target_low) <= 0.2 * (target_high - target_low):
        return Problem("SCALE_MATCH", "info", message)
    return Problem(
        "SCALE_MISMATCH",
        "warning",
        message + " Each domain keeps its own scale.",
        "This is fine if both are ratings; check that the columns mean the same.",
    )


def _crosslisted(pair: DomainPair) -> Problem:
    found = find_crosslisted(pair)
    count = len(np.unique(found.target_items))
    items = "target item has" if count == 1 else "target items have"
    if count == 0:
        return Problem(
            "CROSSLISTED",
            "info",
            "No target item has nearly the same shared users as a "
            "source item, so no product seems to be in both under two ids.",
            "",
            0,
        )
    example = (
        f"source {pair.source.items[found.source_items[0]]} and target "
        f"{pair.target.items[found.target_items[0]]}, {found.similarity[0]:.0%} the same users"
    )
    return Problem(
        "CROSSLISTED",
        "warning",
        f"{count:,} {items} nearly the same shared users as a "
        f"source item (such as {example}): the same products under two ids would fake a gain.",
        "Leave the source's copies out of the fit (leave_out_crosslisted)."
        if len(np.unique(found.source_items)) < len(pair.source.items)
        else "The source has nothing else: bring one with products of its own.",
        count,
    )


def _editions(where: str, domain: Interactions, texts: pd.DataFrame | None) -> Problem:
    found = find_editions(domain, texts)
    count = len(found.groups)
    if count == 0:
        how = "the same title and genres" if found.by_title else "nearly the same users"
        return Problem(
            "EDITIONS",
            "info",
            f"No two {where} items have {how}, so no work seems to be there twice.",
            "",
            0,
        )
    one, other = domain.items[found.groups[0][:2]]
    if texts is not None and found.by_title:
        works = "work is" if count == 1 else "works are"
        return Problem(
            "EDITIONS",
            "warning",
            f"{count:,} {works} in the {where} under several ids (such as "
            f"{texts.loc[one, TITLE]}: {one} and {other}): their ratings are divided, and a list "
            "can recommend what the user already has.",
            "Make one item of each work (merge_editions).",
            count,
        )
    groups = "group" if count == 1 else "groups"
    return Problem(
        "EDITIONS",
        "warning",
        f"{count:,} {groups} of {where} items are taken by nearly the same users (such as {one} "
        f"and {other}): editions of one work, or things that go together, as parts of a series do.",
        "Give the items' titles; they tell which.",
        count,
    )
