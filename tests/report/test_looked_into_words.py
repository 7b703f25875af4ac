"""What is said of slices and of overfitting."""

from typing import Any

import pytest

from luthier.folder.looked_into_records import Course, CurvePoint, Overfitting, Slices
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.report.closing_words import closing_words
from luthier.report.overfitting_words import overfitting_words
from luthier.report.slices_words import slices_words

SLICE: dict[str, Any] = {
    "by": "channel",
    "name": "call",
    "rows": 43,
    "value": 0.712,
    "low": 0.56,
    "high": 0.83,
    "difference": -0.143,
    "difference_low": -0.25,
    "difference_high": -0.04,
    "p": 0.0004,
    "p_holm": 0.0096,
    "differs": True,
}
ALIKE = {**SLICE, "by": "length", "name": "1 to 40 characters", "p_holm": 1.0, "differs": False}
GAP: dict[str, Any] = {
    "metric": "accuracy",
    "train": {"rows": 128, "value": 0.977, "low": 0.93, "high": 0.99},
    "valid": {"rows": 128, "value": 0.891, "low": 0.82, "high": 0.93},
    "difference": 0.086,
    "low": 0.021,
    "high": 0.15,
}
COURSE: dict[str, Any] = {
    "candidate": "tuned",
    "steps": 120,
    "planned": 300,
    "best_step": 80,
    "why": "patience",
    "epochs": 1.2,
    "planned_epochs": 3.0,
    "best_epoch": 0.8,
    "curve": [
        {"step": 80, "epoch": 0.8, "score": 0.891, "loss": 0.45, "train_loss": 0.4, "best": True},
        {"step": 120, "epoch": 1.2, "score": 0.87, "loss": 0.61, "train_loss": 0.2, "best": False},
    ],
}
CLAIM: dict[str, Any] = {
    "dearer": "tuned",
    "cheaper": "probe",
    "rows": 63,
    "difference": 0.016,
    "low": -0.04,
    "high": 0.072,
    "outcome": "no difference",
    "detectable": 0.08,
    "too_small": True,
}


def overfitting(**told: Any) -> list[str]:
    return list(overfitting_words(Overfitting.of(told), "accuracy"))


def test_only_a_slice_that_differs_is_told() -> None:
    found = list(slices_words(Slices.of({"metric": "accuracy", "slices": [ALIKE, SLICE]})))

    assert found == [
        "Accuracy of the 43 test rows where channel is call is 71.2 % (56.0 to 83.0 %), 14.3 points worse than of the others "
        "(95 % interval −25.0 to −4.0 points) (p = 0.010 after Holm's correction for 2)."
    ]


def test_where_none_differs_it_is_told_how_many_were_looked_at_and_by_what() -> None:
    topic = {**ALIKE, "by": "alike rows", "name": "card, arrive"}
    columns = [{**ALIKE, "by": name} for name in ("channel", "country", "year", "shop")]

    found = list(slices_words(Slices.of({"metric": "accuracy", "slices": [ALIKE, topic, *columns]})))

    assert found == [
        "In none of 6 slices (by length, by what rows are about, by columns channel, country, year and 1 more) is accuracy "
        "different from that of the other test rows beyond noise, after Holm's correction."
    ]
    assert list(slices_words(None)) == list(slices_words(Slices(metric="accuracy"))) == []


def test_the_gap_of_a_loss_has_an_interval_of_numbers() -> None:
    loss = {**GAP, "metric": "loss", "difference": 0.037, "low": -0.001, "high": 0.074}

    (found,) = overfitting(gap=loss)

    assert found.endswith(
        "0.037 apart (95 % interval −0.001 to +0.074), which is no gap that these rows can show."
    )


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [
        (0.021, 0.15, "a gap of 8.6 points (95 % interval +2.1 to +15.0 points). So much of it is learnt by heart."),
        (-0.01, 0.18, "8.6 points apart (95 % interval −1.0 to +18.0 points), which is no gap that these rows can show."),
    ],
)  # fmt: skip
def test_a_gap_is_told_with_what_it_means(low: float, high: float, ends: str) -> None:
    (found,) = overfitting(gap={**GAP, "low": low, "high": high})

    assert found == (
        "On 128 rows that it has learnt from the kept model comes to 97.7 % accuracy, on 128 validation rows to 89.1 %: "
        + ends
    )


def test_a_training_that_was_stopped_tells_what_that_saved() -> None:
    assert overfitting(course=COURSE) == [
        "Training ran 1.2 of 3 epochs, as validation no longer improved; the state after 0.8 is the one that was taken. At the "
        "end accuracy on validation rows was 87.0 % (loss 0.610), there it was 89.1 % (loss 0.450); 180 steps of the plan were "
        "not taken."
    ]


def test_a_training_whose_last_validation_was_the_best_might_go_on() -> None:
    told = {**COURSE, "steps": 300, "best_step": 300, "why": "epochs", "epochs": 3.0, "best_epoch": 3.0}
    told["curve"] = [CurvePoint(step=300, score=0.9).to_json()]

    assert overfitting(course=told) == [
        "Training ran 3 of 3 epochs; the state after 3 is the one that was taken. The last validation was the best: longer "
        "training may give more."
    ]
    assert overfitting(course=Course.of({**told, "curve": []}).to_json()) == [
        "Training ran 3 of 3 epochs; the state after 3 is the one that was taken."
    ]


def test_a_validation_part_that_cannot_see_what_it_claims_is_warned_of() -> None:
    assert overfitting(claim=CLAIM) == [
        "The tuned model is 1.6 points better than the probe on 63 validation rows (95 % interval −4.0 to +7.2 points), but so "
        "few find a true difference of 8.0 points 8 times in 10: validation is too small to see what it claims. More "
        "validation rows tell (--valid-share, or a larger --valid FILE)."
    ]
    assert overfitting(claim={**CLAIM, "too_small": False}) == []


def test_a_run_ends_with_what_is_beyond_noise_and_with_nothing_else() -> None:
    base: dict[str, Any] = {"metric": "accuracy", "test": {"accuracy": {"value": 0.9}}, "chosen": "tuned"}
    loud = {
        "slices": {"metric": "accuracy", "slices": [SLICE] * 5},
        "overfitting": {"gap": GAP, "claim": CLAIM},
    }
    quiet = {
        "slices": {"metric": "accuracy", "slices": [ALIKE]},
        "overfitting": {
            "gap": {**GAP, "low": -0.1},
            "course": COURSE,
            "claim": {**CLAIM, "too_small": False},
        },
    }

    assert len(list(closing_words(ScorecardRecord.of({**base, **loud})))) == 3 + 2
    assert list(closing_words(ScorecardRecord.of({**base, **quiet}))) == []
    assert list(closing_words(ScorecardRecord.of(base))) == []
