"""What is promised of single answers is told in whole sentences, with what is not promised."""

from typing import Any

from luthier.folder.trust_scores import TrustScores
from luthier.report.trust_words import trust_words

LIMITS: list[dict[str, Any]] = [
    {"error": 0.01, "answered": 0.0, "test_answered": 0.0},
    {"error": 0.05, "above": 0.8, "answered": 0.62, "test_answered": 0.6, "test_wrong": 0.04},
    {"error": 0.1, "above": 0.5, "answered": 0.9, "test_answered": 0.91, "test_wrong": 0.08},
]


def told(**keys: Any) -> list[str]:
    return list(trust_words(TrustScores.model_validate({"part": "calibration", "rows": 500, **keys})))


def test_the_smallest_limit_at_which_half_of_the_rows_are_answered_is_told() -> None:
    words = told(certainty=0.95, limits=LIMITS)

    assert words[0] == (
        "With --error 0.05 it answers 62 % of the rows with at most 5 % of these wrong, at 95 % confidence; it leaves the others "
        "to a person. Of the test rows it answers 60 %, 4 % of these wrongly."
    )
    assert words[-1] == (
        "All this is promised for rows of the kind of the calibration rows, on average over draws of these, and not for any one "
        "row or sort of row."
    )


def test_where_no_limit_could_be_shown_that_is_told() -> None:
    assert told(certainty=0.95, limits=LIMITS[:1])[0] == (
        "On 500 calibration rows no limit of error up to 1 % could be shown with 95 % confidence, so --error leaves every row to "
        "a person."
    )


def test_sets_and_intervals_say_for_whom_they_hold() -> None:
    sets = {"wanted": 0.9, "coverage": 0.912, "mean_size": 1.3}
    intervals = [{"wanted": 0.9, "margin": 12.3, "coverage": 0.89}]

    assert "of all rows together, not of each label" in told(sets=sets)[0]
    assert "90 % of the rows of each label" in told(sets=sets | {"by_label": True})[0]
    assert told(intervals=intervals)[0] == (
        "Intervals that hold the truth in a share of all rows together: 12.3 either way for 90 % (on the test rows 89 %)."
    )


def test_what_makes_a_promise_less_than_exact_is_told() -> None:
    assert told(limits=LIMITS, learnt_since=True)[-1].endswith("are those of the one that was kept.")
    assert told(limits=LIMITS, part="valid")[-1].endswith("so the promise is not exact.")


def test_a_task_that_promises_nothing_says_nothing() -> None:
    assert list(trust_words(None)) == []
    assert told() == []
