"""What is worth knowing about two domains before anything is fitted."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from transrec_core.data.crosslisted import find_crosslisted
from transrec_core.data.linking import DomainPair
from transrec_core.data.reading import SEVERITIES
from transrec_core.data.report import Problem
from transrec_core.settings import Settings

FEW_SHARED = 50
FEW_TEST_USERS = 30

# How one file's ids come to look different from the other's, and the way back.
ID_REPAIRS: tuple[tuple[str, Callable[[pd.Series], pd.Series]], ...] = (
    ("blanks around ids are removed", lambda ids: ids.str.strip()),
    ("capitals are ignored", lambda ids: ids.str.casefold()),
    ("a trailing .0 is removed", lambda ids: ids.str.replace(r"\.0+$", "", regex=True)),
    ("leading zeros are removed", lambda ids: ids.str.replace(r"^0+(?=.)", "", regex=True)),
)


def check_pair(pair: DomainPair) -> tuple[Problem, ...]:
    """Check whether transfer between two domains can work and be measured.

    Parameters
    ----------
    pair
        The two linked domains.

    Returns
    -------
    tuple of Problem
        Errors first; passes are there too, with severity ``info``. Codes: OVERLAP, NO_OVERLAP,
        SWAPPED_COLUMNS, FEW_SHARED, SCALE_MISMATCH, TARGET_SUPPORT, COLD_USERS, CROSSLISTED.
    """
    shared = len(pair.shared)
    if shared == 0:
        return _no_overlap(pair)
    problems = [_overlap(pair)]
    if shared < FEW_SHARED:
        problems.append(
            Problem(
                "FEW_SHARED",
                "warning",
                f"Only {shared} users are in both domains; what is learned "
                f"from fewer than {FEW_SHARED} is unsure.",
                "Use data that cover more common users.",
                shared,
            )
        )
    problems.append(_target_support(pair))
    problems.append(_cold_users(pair))
    if pair.source.explicit and pair.target.explicit:
        problems.append(_scales(pair))
    problems.append(_crosslisted(pair))
    return tuple(sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity)))


def _overlap(pair: DomainPair) -> Problem:
    shared, source, target = len(pair.shared), len(pair.source.users), len(pair.target.users)
    return Problem(
        "OVERLAP",
        "info",
        f"{shared:,} users are in both domains: {shared / source:.0%} of the "
        f"source's {source:,} and {shared / target:.0%} of the target's {target:,}.",
        "",
        shared,
    )


def _no_overlap(pair: DomainPair) -> tuple[Problem, ...]:
    problems = []
    swaps = (
        ("source", pair.source.items, pair.target.users),
        ("target", pair.source.users, pair.target.items),
    )
    for domain, one, other in swaps:
        common = one.intersection(other)
        # Plain numbers meet by chance; a swapped column matches most of the smaller side.
        if len(common) >= 0.5 * min(len(one), len(other)):
            problems.append(
                Problem(
                    "SWAPPED_COLUMNS",
                    "error",
                    f"The {domain}'s items match the other domain's users ({len(common):,} common "
                    f"ids, such as {common[0]}): its user and item columns are swapped.",
                    f"Swap the two columns of the {domain}.",
                    len(common),
                )
            )
    example = (
        f"source users look like {pair.source.users[0]}, target users like {pair.target.users[0]}"
    )
    fix = "Use the same user ids in both files."
    source, target = pd.Series(pair.source.users), pd.Series(pair.target.users)
    for what, repair in ID_REPAIRS:
        common = pd.Index(repair(source)).intersection(pd.Index(repair(target)))
        if len(common):
            fix = f"{len(common):,} users match when {what}: write the ids alike in both files."
            break
    problems.append(
        Problem(
            "NO_OVERLAP",
            "error",
            f"No user is in both domains ({example}), so nothing can be transferred through users.",
            fix,
        )
    )
    return tuple(problems)


def _target_support(pair: DomainPair) -> Problem:
    least = Settings.min_target
    enough = int((pair.target.counts[pair.target_rows] >= least).sum())
    tests = int(enough * Settings.test_share)
    message = (
        f"{enough:,} shared users have {least} or more target interactions; about {tests:,} "
        "of them will be test users."
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
        "Leave the source's copies out of the fit (leave_out_crosslisted).",
        count,
    )
