"""A small comparison with round numbers, built by hand; tests get it as the fixture ``cases``."""

import dataclasses
from types import SimpleNamespace

import pandas as pd
import pytest

from transrec_core.evidence.results import (
    Chosen,
    Comparison,
    Evidence,
    Gain,
    Interval,
    ShotEvidence,
)


def shot(
    shots, mean, low, high, verdict, *, users=880, placebo=(-0.004, 0.005), baseline="popularity"
):
    return ShotEvidence(
        shots,
        users,
        {
            "popularity": Interval(0.33, 0.32, 0.34),
            "target_only": Interval(0.3, 0.29, 0.31),
            "factor_map": Interval(0.33 + mean, 0.31 + mean, 0.35 + mean),
        },
        baseline,
        "factor_map",
        {"factor_map": Gain(mean, low, high, 0.0004, 0.7, 0.2, 0.009)},
        {"factor_map": 0.0004},
        Interval(0.0, *placebo),
        verdict,
    )


HELPS = shot(0, 0.084, 0.071, 0.097, "helps")
NONE = shot(5, 0.002, -0.004, 0.008, "no evidence", users=500, baseline="target_only")
CHANCE = shot(2, 0.012, 0.003, 0.021, "no evidence", placebo=(-0.02, 0.02))
HURTS = shot(10, -0.03, -0.041, -0.019, "hurts", users=1)


def evidence(*shots, metric="ndcg@10", better=True, user="u1"):
    rows = [(user, s.shots, metric, method, 0.5) for s in shots for method in s.methods]
    names = ["user_id", "shots", "metric", "method", "value"]
    return Evidence(metric, better, shots, pd.DataFrame(rows, columns=names))


def gain(mean, p=0.0004):
    return Gain(mean, mean - 0.013, mean + 0.013, p, 0.7, 0.2, 0.009)


# The same with several transfer methods, what auto serves, and further metrics.
MANY = dataclasses.replace(
    HELPS,
    methods={
        **HELPS.methods,
        "ridge": Interval(0.4, 0.38, 0.42),
        "auto": HELPS.methods["factor_map"],
    },
    gains={"factor_map": gain(0.084), "ridge": gain(0.07, 0.02), "auto": gain(0.084)},
    p_holm={"factor_map": 0.0008, "ridge": 0.04},
    more={
        "popularity": {"recall@10": 0.24, "coverage@10": 0.03},
        "ridge": {"recall@10": 0.31, "coverage@10": 0.55},
    },
)
COHORTS = pd.DataFrame(
    [
        (0, "source", "3 to 23", 300, 0.05, 0.03, 0.07),
        (0, "item popularity", "popular", 800, 0.06, 0.05, 0.07),
        (0, "item popularity", "rare", 700, 0.0, 0.0, 0.0),
        (0, "item genre", "gothic", 400, -0.01, -0.03, 0.01),
    ],
    columns=["shots", "cohort", "level", "users", "gain", "low", "high"],
)


def full(cold="users"):
    """A comparison with everything that a report can tell."""
    ranking = dataclasses.replace(evidence(MANY), cohorts=COHORTS, cold=cold)
    chosen = Chosen(
        "factor_map",
        32,
        0.5,
        {0: 1.0, 5: 0.5},
        {0: 0.0, 5: 0.25},
        {0: True, 5: True, 10: False},
        {0: "popularity", 5: "target_only", 10: "biases"},
        ({"method": "factor_map", "rank": 32, "lam": 0.5, "strength": {"0": 1.0}, "ndcg@10": 0.4},),
        {
            "factor_map": {"rank": 32, "lam": 0.5},
            "ridge": {"rank": 32, "lam": 0.5, "penalty": 600.0},
            "joint": {"rank": 8, "lam": 0.02, "source_weight": 0.3},
        },
        {"factor_map": {0: 1.0, 5: 0.5}, "ridge": {0: 0.125, 5: 0.25}},
        {0: 1.0, 5: 0.75, 10: 0.0},
        {"codebook": "it is for catalogues that share nobody"},
        {0: "popularity", 5: "target_only", 10: "target_only"},
    )
    return Comparison(ranking, None, {"ranking": chosen}, 880, 300, 12.5)


def comparison(*, both=True, user="u1"):
    ranking = evidence(HELPS, CHANCE, NONE, HURTS, user=user)
    ratings = evidence(HELPS, NONE, metric="rmse", better=False, user=user) if both else None
    chosen = {
        "ranking": Chosen(
            "factor_map",
            32,
            0.5,
            {0: 1.0, 5: 0.5},
            {0: 0.0, 5: 0.25},
            {0: True, 5: False},
            {0: "popularity"},
            ({"rank": 32, "score": 0.4},),
        )
    }
    return Comparison(ranking, ratings, chosen, 880, 300, 12.5)


def data(source="films.csv", target="books.csv"):
    sizes = {"users": 1200, "items": 500, "ratings": 47581}
    return {
        "source": {"file": source, "sha256": "ab" * 32, **sizes},
        "target": {"file": target, "sha256": "cd" * 32, **sizes},
    }


@pytest.fixture
def cases():
    return SimpleNamespace(
        HELPS=HELPS,
        NONE=NONE,
        CHANCE=CHANCE,
        HURTS=HURTS,
        MANY=MANY,
        full=full,
        evidence=evidence,
        comparison=comparison,
        data=data,
    )
