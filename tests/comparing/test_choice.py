"""What a model must beat, which candidate is kept, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from torch.nn import functional

from luthier.candidates import CANDIDATES
from luthier.comparing.choice import choose, choose_of_few, next_cheaper, verdict_words, worth_words
from luthier.comparing.fitted import Fitted
from luthier.scores.intervals import Difference, Estimate, paired_standard_error
from luthier.scores.measures import PerRow
from luthier.scores.metrics import METRICS, Metric
from luthier.tasks.baselines import majority_logits, nearest_logits, readable
from luthier.tasks.classification.task import Classification, Labels


def candidate(name: str, right: np.ndarray) -> Fitted:
    return scored(name, float(right.mean()), "valid")


def scored(name: str, score: float, part: str = "test", seconds: float = 0.0) -> Fitted:
    """A candidate that has such a score; one that is not in the house is trained."""
    known = CANDIDATES.get(name, CANDIDATES["probe"])
    scores = {part: Estimate(score, score, score)}
    return Fitted(name, known.words, seconds, {}, to_beat=known.to_beat, scores=scores)


def answers(rows: int, right: int) -> np.ndarray:
    """(rows,) 1 for the first `right` rows."""
    return (np.arange(rows) < right).astype(float)


def choice(**right: np.ndarray) -> tuple[str, str]:
    """The chosen one of some candidates, from cheap to dear, and why."""
    chosen, why = choose(
        [candidate(name, rows) for name, rows in right.items()],
        lambda ours, theirs: paired_standard_error(right[ours.name], right[theirs.name]),
        "accuracy",
    )
    return chosen.name, why


@pytest.mark.parametrize(
    ("probe", "few_shot", "chosen", "why"),
    [
        (12, 12, "few-shot", "few-shot is no worse in cross-validation, beyond noise (0.600 against 0.600)"),
        (13, 12, "few-shot", "few-shot is no worse in cross-validation, beyond noise (0.600 against 0.650)"),
        (18, 12, "probe", "probe is better in cross-validation, beyond noise (0.900 against 0.600)"),
    ],
)  # fmt: skip
def test_of_few_rows_the_dearest_is_kept_unless_a_cheaper_one_is_better_beyond_noise(
    probe: int, few_shot: int, chosen: str, why: str
) -> None:
    right = {"probe": answers(20, probe), "few-shot": answers(20, few_shot)}
    found, words = choose_of_few(
        [candidate(name, rows) for name, rows in right.items()],
        lambda ours, theirs: paired_standard_error(right[ours.name], right[theirs.name]),
        "accuracy",
    )
    assert (found.name, words) == (chosen, why)


def test_the_best_on_validation_is_kept() -> None:
    assert choice(probe=answers(500, 350), tuned=answers(500, 450)) == (
        "tuned",
        "tuned is best on the validation rows (0.900)",
    )


@pytest.mark.parametrize(
    ("right", "cheaper"),
    [
        ({"majority": 50, "zero-shot": 90, "probe": 80, "tuned": 95}, "probe"),
        ({"nothing": 60, "overlap": 20, "tuned": 95}, "nothing"),
        ({"majority": 50, "zero-shot": 90, "probe": 80}, "zero-shot"),
        ({"zero-shot": 90}, None),
    ],
)
def test_the_dearest_is_compared_with_the_next_cheaper_that_was_trained_or_the_best_that_was_not(
    right: dict[str, int], cheaper: str | None
) -> None:
    found = next_cheaper([candidate(name, answers(100, count)) for name, count in right.items()], "accuracy")

    assert (found.name if found else None) == cheaper


def test_a_model_that_is_kept_as_it_was_is_not_compared_with_itself() -> None:
    gap = Difference(0.0, 0.0, 0.0)

    assert verdict_words(
        scored("zero-shot", 0.942), scored("zero-shot", 0.942), "spearman", gap, ship=False
    ) == (
        "Do not ship it yet. Tuning made the model no better than it was, so it is kept as it was: 0.942 Spearman correlation on "
        "the test rows. More rows to learn from, or better ones, may tell."
    )


def test_a_cheaper_one_within_one_standard_error_is_kept() -> None:
    """They differ on 44 of 500 rows: the gap is 4 / 500, its standard error about sqrt(44) / 500."""
    tuned, probe = answers(500, 454), np.roll(answers(500, 450), 24)

    assert np.abs(tuned - probe).sum() == 44
    assert choice(probe=probe, tuned=tuned) == (
        "probe",
        "probe is within one standard error of tuned on the validation rows (0.900 against 0.908), and cheaper",
    )


@pytest.mark.parametrize(
    ("won", "lost", "chosen"),
    [
        (2, 0, "tuned"),
        (2, 1, "probe"),
        (5, 2, "tuned"),
        (20, 15, "probe"),
        (40, 30, "tuned"),
        (110, 100, "probe"),
    ],
)
def test_the_standard_error_is_that_of_the_same_rows(won: int, lost: int, chosen: str) -> None:
    """Right on `won` rows where the cheaper one is wrong, wrong on `lost` where it is right: won - lost against
    sqrt(won + lost), however many rows both answer alike."""
    tuned = answers(10_000, 8000)
    probe = tuned.copy()
    probe[:won], probe[10_000 - lost :] = 0, 1

    assert choice(probe=probe, tuned=tuned)[0] == chosen


def test_the_cheapest_of_several_within_reach_is_kept() -> None:
    best = answers(400, 300)
    near = [np.roll(answers(400, 299), by) for by in (40, 20)]

    assert choice(far=answers(400, 100), cheap=near[0], middle=near[1], dear=best)[0] == "cheap"


def test_a_dearer_one_that_is_worse_is_never_kept() -> None:
    assert choice(probe=answers(500, 450), tuned=answers(500, 350))[0] == "probe"


def test_among_equals_the_cheaper_is_kept() -> None:
    same = answers(100, 80)

    assert choice(probe=same, tuned=same) == ("probe", "probe is best on the validation rows (0.800)")


def test_one_validation_row_decides_nothing() -> None:
    assert choice(probe=np.zeros(1), tuned=np.ones(1))[0] == "probe"


def test_the_verdict_to_ship() -> None:
    gap = Difference(0.242, 0.219, 0.265)

    assert verdict_words(scored("tuned", 0.892), scored("zero-shot", 0.650), "accuracy", gap, ship=True) == (
        "Ship it. The tuned model is better than the untrained model, beyond noise: 89.2 % against 65.0 % accuracy "
        "on the test rows, +24.2 points (95 % interval +21.9 to +26.5)."
    )


def test_the_verdict_not_to_ship_yet() -> None:
    gap = Difference(0.012, -0.01, 0.034)

    assert verdict_words(scored("probe", 0.512), scored("majority", 0.5), "macro_f1", gap, ship=False) == (
        "Do not ship it yet. Between the probe model and always answering the most frequent label there is no difference that "
        "this test can see: 51.2 % against 50.0 % macro F1 on the test rows, +1.2 points (95 % interval -1.0 to +3.4). "
        "A test like this one finds a true difference of 3.1 points 8 times in 10. "
        "More test rows, or better rows to learn from, may tell."
    )


def test_the_verdict_on_a_model_that_answers_in_the_same_order_as_one_that_learnt_nothing() -> None:
    gap = Difference(0.0, -1e-7, 0.0)

    assert verdict_words(
        scored("probe", 0.8201), scored("zero-shot", 0.8201), "spearman", gap, ship=False
    ) == (
        "Do not ship it yet. By Spearman correlation the probe model is no different from the untrained model: 0.820 on the "
        "test rows. More rows to learn from, or better ones, may tell."
    )


def test_the_verdict_on_a_model_that_is_worse() -> None:
    gap = Difference(-0.1, -0.15, -0.05)

    assert verdict_words(scored("tuned", 0.4), scored("majority", 0.5), "accuracy", gap, ship=False) == (
        "Do not ship it. The tuned model is worse than always answering the most frequent label, beyond noise: "
        "40.0 % against 50.0 % accuracy on the test rows, -10.0 points (95 % interval -15.0 to -5.0)."
    )


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (
            Difference(0.08, 0.063, 0.097),
            "The tuned model is worth its time: +8.0 points of accuracy over the probe "
            "(95 % interval +6.3 to +9.7), for 1,204 more seconds.",
        ),
        (
            Difference(-0.02, -0.03, -0.01),
            "The tuned model is not worth its time: -2.0 points of accuracy against the probe "
            "(95 % interval -3.0 to -1.0), for 1,204 more seconds.",
        ),
        (
            Difference(0.001, -0.01, 0.012),
            "Between the tuned model and the probe there is no difference that this test can see: +0.1 points of accuracy "
            "(95 % interval -1.0 to +1.2), for 1,204 more seconds. "
            "A test like this one finds a true difference of 1.6 points 8 times in 10.",
        ),
    ],
)
def test_what_the_dearest_was_worth(gap: Difference, words: str) -> None:
    assert worth_words(scored("tuned", 0.9, seconds=1204.4), scored("probe", 0.8), "accuracy", gap) == words


def test_majority_answers_the_frequency_of_each_label() -> None:
    targets = np.array([0] * 50 + [1] * 30 + [2] * 20)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((100, 1)), targets)

    logits = majority_logits(targets, 3, rows=4)

    found = functional.softmax(torch.from_numpy(logits), dim=1).numpy()
    assert logits.dtype == np.float32
    assert np.abs(found - dummy.predict_proba(np.zeros((4, 1)))).max() < 0.005
    assert np.exp(logits[0]) == pytest.approx([50.5 / 101.5, 30.5 / 101.5, 20.5 / 101.5])


def test_majority_knows_labels_without_rows() -> None:
    logits = majority_logits(np.array([1, 1, 1]), 3, rows=1)

    assert np.isfinite(logits).all()
    assert logits[0].argmax() == 1


def test_majority_of_several_labels_is_the_chance_of_each() -> None:
    marks = np.array([[1, 0, 1]] * 9 + [[0, 0, 1]])

    logits = majority_logits(marks, 3, rows=2)

    assert logits.shape == (2, 3)
    assert logits[0] == pytest.approx(np.log([9.5 / 1.5, 0.5 / 10.5, 10.5 / 0.5]))


def test_zero_shot_answers_the_nearest_name() -> None:
    random = np.random.default_rng(0)
    texts, names = random.normal(size=(6, 8)), random.normal(size=(3, 8))
    cosines = functional.cosine_similarity(
        torch.from_numpy(texts)[:, None], torch.from_numpy(names)[None], dim=2
    )

    logits = nearest_logits(texts, 3 * names, many=False)

    assert logits == pytest.approx(20 * cosines.numpy(), abs=1e-4)


def test_zero_shot_for_several_labels_marks_the_nearest_one() -> None:
    random = np.random.default_rng(0)
    texts, names = random.normal(size=(20, 8)), random.normal(size=(5, 8))

    one, many = (nearest_logits(texts, names, many=many) for many in (False, True))

    assert ((many > 0).sum(axis=1) == 1).all()
    assert np.array_equal(many.argsort(axis=1), one.argsort(axis=1))


def test_a_text_without_a_direction_is_near_to_nothing() -> None:
    assert nearest_logits(np.zeros((1, 4)), np.ones((2, 4)), many=False).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"),
        ("CardArrival", "card arrival"),
        ("HUM", "hum"),
        ("why/not-now", "why not now"),
        ("Sci/Tech", "sci tech"),
        ("3", "3"),
        (" spaced  out ", "spaced out"),
    ],
)
def test_a_label_is_read_as_words(label: str, words: str) -> None:
    assert readable(label) == words


@pytest.mark.parametrize(
    "right", [{"probe": 350, "tuned": 450}, {"probe": 440, "tuned": 450}, {"probe": 450, "tuned": 350}]
)
def test_where_lower_is_better_the_same_candidate_is_kept(right: dict[str, int]) -> None:
    rows = {name: answers(500, count) for name, count in right.items()}
    wrong = {name: 1 - found for name, found in rows.items()}

    kept, why = choose(
        [candidate(name, found) for name, found in wrong.items()],
        lambda ours, theirs: paired_standard_error(wrong[ours.name], wrong[theirs.name]),
        "log_loss",
    )

    assert kept.name == choice(**rows)[0]
    assert f"{kept.scores['valid'].value:.3f}" in why


def test_a_verdict_on_a_loss_says_which_is_better_in_words() -> None:
    gap, scores = Difference(0.3, 0.2, 0.4), (scored("tuned", 1.2, seconds=9.0), scored("zero-shot", 1.5))

    assert verdict_words(*scores, "log_loss", gap, ship=True) == (
        "Ship it. The tuned model is better than the untrained model, beyond noise: 1.200 against 1.500 log loss on the test "
        "rows, 0.300 better (95 % interval 0.200 better to 0.400 better)."
    )
    assert worth_words(*scores, "log_loss", gap) == (
        "The tuned model is worth its time: 0.300 better in log loss than the untrained model (95 % interval 0.200 "
        "better to 0.400 better), for 9 more seconds."
    )
    assert worth_words(*scores, "log_loss", -gap).startswith(
        "The tuned model is not worth its time: 0.300 worse in log loss than the untrained model (95 % interval"
    )


def test_a_difference_is_how_much_better_whichever_way_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    task, targets = Classification(labels=("a", "b")), np.zeros(100, np.int64)
    ours, theirs = (Labels(np.zeros((100, 2)), (np.arange(100) < wrong).astype(int)) for wrong in (10, 30))
    by_right = task.difference(ours, theirs, targets, 0)
    monkeypatch.setitem(METRICS, task.metric, wrongness())

    by_wrong = task.difference(ours, theirs, targets, 0)

    assert by_right.value == pytest.approx(0.2)
    assert by_wrong.to_json() == pytest.approx(
        by_right.to_json(), abs=0.011
    )  # an interval is not quite symmetric
    assert task.goodness(task.score(ours, targets)) == pytest.approx(-0.1)


def wrongness() -> Metric:
    """Accuracy turned round: the share that is wrong."""
    measures = {
        name: lambda found: PerRow(1 - found.right, share=True) for name in METRICS["accuracy"].measures
    }
    return replace(METRICS["accuracy"], title="Errors", measures=measures, higher=False)
