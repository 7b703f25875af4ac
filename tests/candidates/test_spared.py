"""What cannot win is not trained: a cheaper candidate would be kept even beside a model with every validation row right."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.comparing.choice import beyond_reach, choose
from luthier.comparing.fitted import Fitted
from luthier.errors import Interrupted
from luthier.events import Event, Noted, Stepped, Stopped, Validated, Work
from luthier.folder.model_folder import ModelFolder
from luthier.plan.plan import Plan
from luthier.prepare.memo import Memo
from luthier.report.page import write_report
from luthier.scores.intervals import Estimate, paired_standard_error
from luthier.searching.folder import SearchFolder
from luthier.steps import tune as steps
from luthier.steps.spared import negligible
from luthier.steps.trial import trial
from luthier.tasks.classification.task import Classification, Labels
from searches import finished
from tiny import messages_csv

SURE = {"delivery": "parcel", "refund": "refund", "praise": "lovely", "broken": "cracked"}
WHY = (
    "No layers are trained: the accuracy of probe on the 24 validation rows is 1.0000, which nothing can exceed. "
    "--method full trains all the same."
)


def sure_csv(path: Path, rows: int = 240) -> Path:
    """Texts of which a linear head on an untrained body gets every one right: a word tells the label, again and again."""
    dice, plain = (
        np.random.default_rng(0),
        ("the", "my", "is", "was", "it", "and", "today", "please", "order"),
    )
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for row in range(rows):
            label = list(SURE)[row % len(SURE)]
            writer.writerow((" ".join([*[SURE[label]] * 6, *dice.choice(plain, 5)]), label))
    return path


def plan_for(data: Path, model: Path, out: Path, **settings: Any) -> Plan:
    quick = {"train.epochs": 3, "train.lr": 3e-3, "run.precision": "fp32", "run.threads": 1}
    named = {"data.path": str(data), "model.name": str(model), "run.out": str(out)}
    return Plan.build(named | quick | {"data.allow": ("near-copies", "copies", "leaks")} | settings)


def run(plan: Plan, stop: Callable[[], bool] = lambda: False) -> tuple[ModelFolder, list[Event]]:
    work = Work(steps.tune(plan, stop))
    events = list(work)
    return work.result, events


def right(wrong: int, rows: int, name: str = "probe") -> Fitted:
    """A candidate that answers all rows but some rightly."""
    answers = np.concatenate([np.zeros(wrong), np.ones(rows - wrong)])
    share = float(answers.mean())
    labels = Labels(np.zeros((rows, 2)), answers)
    scores = {"valid": Estimate(share, 0.0, 1.0)}
    return Fitted(name, name, 0.0, {}, to_beat=False, answers={"valid": labels}, scores=scores)


def labels_of(fitted: Fitted) -> Labels:
    found = fitted.answers["valid"]
    assert isinstance(found, Labels)
    return found


def standard_error(ours: Fitted, theirs: Fitted) -> float:
    return paired_standard_error(labels_of(ours).chosen, labels_of(theirs).chosen)


# The rule


def test_one_wrong_row_of_any_number_is_one_standard_error_and_two_are_more() -> None:
    for rows in range(3, 400):
        kept = [
            beyond_reach([right(n, rows)], right(0, rows, "tuned"), standard_error, "accuracy")
            for n in (0, 1, 2)
        ]

        assert [one is not None for one in kept] == [True, True, False]


def test_where_nothing_could_be_kept_in_its_place_a_model_is_trained() -> None:
    assert beyond_reach([], right(0, 10, "tuned"), standard_error, "accuracy") is None


def test_the_choice_and_the_rule_of_what_is_spared_are_one() -> None:
    probe, tuned = right(1, 80), right(0, 80, "tuned")

    assert choose([probe, tuned], standard_error, "accuracy")[0] is probe
    assert beyond_reach([probe], tuned, standard_error, "accuracy") is probe


@pytest.mark.parametrize(
    ("wrong", "rows", "spared"),
    [(2, 120, True), (5, 299, True), (3, 120, False), (3, 20, False), (6, 400, False), (1, 20, False)],
)
def test_a_small_lead_that_no_interval_would_tell_from_chance_is_not_trained_for(
    wrong: int, rows: int, spared: bool
) -> None:
    """Fewer than six rows are no evidence at 95 %, and of 120 rows two are less than two points."""
    task = Classification(("wrong", "right"))
    answers = Labels(np.zeros((rows, 2)), labels_of(right(wrong, rows)).chosen.astype(np.int64))
    targets = np.ones(rows, np.int64)

    lead = task.difference(task.flawless(targets), answers, targets, seed=0)

    assert negligible(lead) is spared


# A run


@pytest.mark.slow
def test_where_the_probe_has_every_validation_row_right_nothing_is_trained_and_a_line_says_why(
    tmp_path: Path, bert: Path
) -> None:
    plan = plan_for(sure_csv(tmp_path / "rows.csv"), bert, tmp_path / "run")

    folder, events = run(plan)

    record = folder.scorecard.record
    assert [event.text for event in events if isinstance(event, Noted) and "No layers" in event.text] == [WHY]
    assert not any(isinstance(event, Stepped) for event in events)
    assert [one["name"] for one in record["candidates"]] == [
        "majority",
        "tf-idf",
        "zero-shot",
        "neighbours",
        "probe",
    ]
    assert record["chosen"] == folder.model_record.method == "probe"
    assert record["tuning"]["not_trained"] == WHY
    assert "lr" not in record["tuning"], "no setting has moved a weight"
    assert record["worth"]["dearer"] == "probe"
    assert record["cost"]["tokens"] == 0
    assert "No layers are trained" in (folder.path / "report.html").read_text()


def test_with_a_teacher_layers_are_trained_all_the_same_and_a_probe_that_is_kept_has_not_learnt_from_it(
    tmp_path: Path, bert: Path
) -> None:
    data = sure_csv(tmp_path / "rows.csv")
    teacher, _ = run(plan_for(data, bert, tmp_path / "teacher"))

    folder, events = run(
        plan_for(data, bert, tmp_path / "run", **{"train.teacher": str(teacher.path), "train.epochs": 0.1})
    )

    told = folder.scorecard.record["distillation"]
    assert any(isinstance(event, Stepped) for event in events)
    assert folder.scorecard.record["chosen"] == "probe"
    assert told["words"].startswith(
        "Kept was the probe, which has learnt nothing from the teacher. The student has "
    )
    assert told["teacher_share"] == 0
    assert "It learnt from" not in (folder.path / "report.html").read_text()


def test_where_the_probe_misses_two_of_a_hundred_and_twenty_rows_nothing_is_trained(
    tmp_path: Path, bert: Path
) -> None:
    data, valid = sure_csv(tmp_path / "rows.csv"), sure_csv(tmp_path / "valid.csv", 120)
    head, first, second, *others = valid.read_text().splitlines()
    swapped = [f"{row.rsplit(',', 1)[0]},praise" for row in (first, second)]
    valid.write_text("\n".join([head, *swapped, *others]) + "\n")
    plan = plan_for(data, bert, tmp_path / "run", **{"data.valid": str(valid)})

    folder, events = run(plan)

    assert not any(isinstance(event, Stepped) for event in events)
    assert folder.scorecard.record["tuning"]["not_trained"] == (
        "No layers are trained: the accuracy of probe on the 120 validation rows is 0.9833, and even 1.0000, all rows right, "
        "would be no better beyond noise. --method full trains all the same."
    )


def test_it_ends_as_the_probe_does_that_was_asked_for(tmp_path: Path, bert: Path) -> None:
    data = sure_csv(tmp_path / "rows.csv")

    spared, _ = run(plan_for(data, bert, tmp_path / "spared"))
    asked = {
        "train.method": "probe",
        "train.epochs": None,
        "train.lr": None,
        "data.validation": "held-out",
    }
    settings = plan_for(data, bert, tmp_path / "asked").settings() | asked
    probe, _ = run(Plan.build({key: value for key, value in settings.items() if value is not None}))

    for name in ("model/model.safetensors", "predictions/test.jsonl"):
        assert (spared.path / name).read_bytes() == (probe.path / name).read_bytes()


def test_a_model_from_scratch_that_was_asked_for_is_said_to_be_left_out_too(
    tmp_path: Path, bert: Path
) -> None:
    plan = plan_for(sure_csv(tmp_path / "rows.csv"), bert, tmp_path / "run", **{"compare.scratch": "on"})

    folder, _ = run(plan)

    told = folder.scorecard.record["tuning"]["not_trained"]
    assert "Nor is anything trained from scratch, which stands beside what is tuned." in told


def test_with_a_method_named_it_trains_to_the_end_all_the_same(tmp_path: Path, bert: Path) -> None:
    plan = plan_for(sure_csv(tmp_path / "rows.csv"), bert, tmp_path / "run", **{"train.method": "full"})

    folder, events = run(plan)

    stopped = next(event for event in events if isinstance(event, Stopped))
    assert stopped.why == "epochs"
    assert folder.scorecard.record["chosen"] == "tuned"
    assert folder.scorecard.record["candidates"][-1]["valid"] == 1.0


def test_a_run_that_was_stopped_before_it_was_scored_comes_to_the_same_end(
    tmp_path: Path, bert: Path
) -> None:
    data = sure_csv(tmp_path / "rows.csv")
    whole, _ = run(plan_for(data, bert, tmp_path / "whole"))
    plan, told = plan_for(data, bert, tmp_path / "run"), tmp_path / "run" / "events.jsonl"
    with pytest.raises(Interrupted):
        run(plan, lambda: told.is_file() and "No layers" in told.read_text())

    resumed, _ = run(plan)

    for name in ("model/model.safetensors", "predictions/test.jsonl"):
        assert (resumed.path / name).read_bytes() == (whole.path / name).read_bytes()
    write_report(resumed.path)


def test_training_ends_with_the_first_score_that_cannot_be_better(
    tmp_path: Path, sentence_bert: Path
) -> None:
    data = messages_csv(tmp_path / "rows.csv", 160)
    longer = {"train.epochs": 100, "train.patience": 1000, "data.allow": ()}

    folder, events = run(plan_for(data, sentence_bert, tmp_path / "run", **longer))

    *before, last = [event.score for event in events if isinstance(event, Validated)]
    assert last == 1.0
    assert all(score < 1.0 for score in before)
    assert next(event.why for event in events if isinstance(event, Stopped)) == "ceiling"
    assert folder.scorecard.record["tuning"]["tuned"]["why"] == "ceiling"


def test_a_trial_of_a_search_is_spared_too_and_scored_by_its_probe(tmp_path: Path, bert: Path) -> None:
    plan = plan_for(sure_csv(tmp_path / "rows.csv"), bert, tmp_path / "trials" / "0")

    work = Work(trial(plan, Memo()))
    events = list(work)
    outcome = work.result

    assert (outcome.candidate, outcome.score, outcome.work, outcome.curve) == ("probe", 1.0, 0.0, ())
    assert not any(isinstance(event, Stepped) for event in events)


def test_a_search_whose_trials_are_all_spared_ends_with_the_recipe(
    begun: Callable[..., SearchFolder], tmp_path: Path
) -> None:
    data = sure_csv(tmp_path / "sure.csv")

    record = finished(begun(settings={"data.path": str(data), "train.method": "auto"}, trials=3))

    assert [(one["state"], one["score"]) for one in record["trials"]] == [("complete", 1.0)] * 3
    assert (record["best"]["number"], record["best"]["score"]) == (0, 1.0)
    assert ModelFolder(tmp_path / "search").model_record.method == "probe"


def test_vectors_that_are_right_as_they_are_are_kept_as_they_are(tmp_path: Path, sentence_bert: Path) -> None:
    dice = np.random.default_rng(0)
    texts = [" ".join("".join(dice.choice(list("abcdefghij"), 6)) for _ in range(3)) for _ in range(100)]
    rows = [{"anchor": text, "positive": text} for text in texts]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    folder, events = run(plan_for(data, sentence_bert, tmp_path / "run"))

    record = folder.scorecard.record
    assert not any(isinstance(event, Stepped) for event in events)
    assert record["chosen"] == "zero-shot"
    assert record["verdict"]["words"].startswith("Do not ship it yet. The model was left as it was:")
