"""The words for a finding say what the numbers say."""

import dataclasses

import pytest

from transrec_core.reporting import method_words, verdict_sentence
from transrec_core.reporting.sentences import number


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
    assert "gains up to 0.020 when the source users are shuffled" in sentence


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
