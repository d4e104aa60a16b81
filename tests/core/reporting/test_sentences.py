"""The words for a finding say what the numbers say."""

import dataclasses

import pytest

from transrec_core.reporting import method_words, metric_words, verdict_sentence
from transrec_core.reporting.sentences import (
    METHOD_WORDS,
    cohort_words,
    level_words,
    metric_help,
    number,
    parameter_words,
    served_words,
)
from transrec_core.settings import METHODS


def test_helps(cases):
    assert verdict_sentence(cases.HELPS, cases.evidence(cases.HELPS)) == (
        "For users with no history in the target, transfer helps: NDCG@10 rises by 0.084 (95 % "
        "interval 0.071 to 0.097, 880 users) over popular items, the best method without the "
        "source."
    )


def test_no_evidence_says_what_could_have_been_seen(cases):
    assert verdict_sentence(cases.NONE, cases.evidence(cases.NONE)) == (
        "For users with 5 interactions in the target, there is no evidence that transfer helps: "
        "the gain in NDCG@10 is 0.002 (95 % interval −0.004 to 0.008) compared with target only, "
        "the best method without the source; these 500 users "
        "would have shown a gain of 0.009 or more."
    )


def test_a_gain_within_the_placebo_band_is_told_as_chance(cases):
    sentence = verdict_sentence(cases.CHANCE, cases.evidence(cases.CHANCE))
    assert "gains up to 0.020 when the source is shuffled" in sentence


def test_the_same_result_for_everybody_is_said(cases):
    same = dataclasses.replace(cases.NONE.gain, mean=0.0, low=0.0, high=0.0, helped=0.0, harmed=0.0)
    sentence = verdict_sentence(
        dataclasses.replace(cases.NONE, gains={"factor_map": same}), cases.evidence(cases.NONE)
    )
    assert sentence.endswith("; both gave the same result for 500 users.")


def test_hurts_turns_the_interval_round(cases):
    sentence = verdict_sentence(cases.HURTS, cases.evidence(cases.HURTS))
    assert (
        "transfer hurts: NDCG@10 falls by 0.030 (95 % interval 0.019 to 0.041, 1 user)" in sentence
    )


def test_errors_fall_where_transfer_helps(cases):
    rmse = cases.evidence(cases.HELPS, cases.HURTS, metric="rmse", better=False)
    assert "transfer helps: RMSE falls by 0.084" in verdict_sentence(cases.HELPS, rmse)
    assert "transfer hurts: RMSE rises by 0.030" in verdict_sentence(cases.HURTS, rmse)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.08449, "0.084"), (-0.004, "−0.004"), (-1e-9, "0.000"), (0.00016, "0.0002"), (1.5, "1.500")],
)
def test_numbers(value, text):
    assert number(value) == text


def test_methods_have_words_and_unknown_ones_keep_their_name():
    assert method_words("factor_map") == "Transfer (factor map)"
    assert method_words("magic_map") == "magic_map"
    assert set(METHODS) <= set(METHOD_WORDS)


def test_where_items_are_new_the_words_are_of_items(cases):
    evidence = dataclasses.replace(cases.evidence(cases.HELPS), cold="items")
    assert verdict_sentence(cases.HELPS, evidence) == (
        "For items with no history in the target, transfer helps: NDCG@10 rises by 0.084 (95 % "
        "interval 0.071 to 0.097, 880 items) over most active users, the best method without the "
        "source."
    )
    assert "these 500 items would have shown" in verdict_sentence(cases.NONE, evidence)
    assert method_words("item_mean", "items") == "User mean"
    assert level_words("item popularity", "popular", "items") == "busy"
    assert level_words("source", "popular", "items") == "popular"
    assert "user" in metric_help("coverage@10", "items")
    assert "user" not in metric_help("coverage@10")


def test_metrics_and_cohorts_have_words():
    assert metric_words("ndcg@10") == "NDCG@10"
    assert metric_words("popularity@5") == "Mean popularity@5"
    assert metric_words("mae") == "MAE"
    assert metric_help("ndcg@10") == ""
    assert cohort_words("item genre") == "By genre of the item"
    assert cohort_words("moon phase") == "moon phase"


def test_parameters_that_a_method_does_not_read_are_left_out(cases):
    parameters = cases.full().chosen["ranking"].parameters
    assert parameter_words(parameters["factor_map"]) == "rank 32, λ 0.5"
    assert parameter_words(parameters["ridge"]) == "penalty 600"
    assert parameter_words(parameters["joint"]) == "rank 8, λ 0.02, source weight 0.3"


def test_what_auto_serves(cases):
    chosen = cases.full().chosen["ranking"]
    assert served_words(chosen, 0) == "Transfer (factor map)"
    assert served_words(chosen, 5) == "75 % Transfer (factor map), 25 % Target only"
    # Damped biases make no lists.
    assert served_words(chosen, 10) == "Target only"
    assert served_words(chosen, 10, "items") == "Target only"
