"""The whole path on tiny models: what a run leaves, what it reuses, how it ends when it is stopped."""

import errno
import hashlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import luthier
from budgets import run_within
from luthier.candidates.run import Mode
from luthier.candidates.tuned.budget import Budget
from luthier.errors import Interrupted, RunError, WorldError
from luthier.events import Chose, Event, Noted, Started, Stepped, Stopped, Validated, Work
from luthier.folder.model_folder import ModelFolder
from luthier.folder.run_folder import RunFolder
from luthier.plan.plan import Plan, read_plan
from luthier.prepare.prepare import prepare
from luthier.steps import tune as steps
from tiny import messages, messages_csv


def plan_for(data: Path, model: Path, out: Path, **settings: Any) -> Plan:
    quick = {"lr": 3e-3, "epochs": 4, "batch_rows": 8, "precision": "fp32", "threads": 1}
    if settings.get("method") == "probe":
        quick = {"precision": "fp32", "threads": 1}
    return Plan.build(
        {"data.path": str(data), "model.name": str(model), "run.out": str(out), **quick, **settings}
    )


def run(
    plan: Plan,
    stop: Callable[[], bool] = lambda: False,
    look: Callable[[Event], None] = lambda event: None,
    **more: Any,
) -> tuple[ModelFolder, list[Event]]:
    """The folder of a run, and all its events, each shown to `look` as it comes."""
    events = []
    work = Work(steps.tune(plan, stop, **more))
    for event in work:
        events.append(event)
        look(event)
    return work.result, events


def weights(out: Path) -> str:
    """Hash of all weights of a finished model."""
    digest = hashlib.sha256()
    for file in sorted((out / "model").rglob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, sentence_bert: Path
) -> tuple[ModelFolder, list[Event]]:
    """A run of 240 rows, method auto."""
    folder = tmp_path_factory.mktemp("finished")
    data = messages_csv(folder / "messages.csv", 240)
    return run(plan_for(data, sentence_bert, folder / "run"))


@pytest.mark.slow
def test_a_run_leaves_what_the_contract_names(finished: tuple[ModelFolder, list[Event]]) -> None:
    out = finished[0].path

    assert {file.name for file in out.iterdir()} == {
        "plan.toml", "table.json", "findings.json", "split.json", "events.jsonl", "state", "model", "scorecard.json",
        "predictions", "report.html", "README.md",
    }  # fmt: skip
    assert {file.name for file in (out / "predictions").iterdir()} == {"valid.jsonl", "test.jsonl"}
    assert (out / "model" / "README.md").read_text() == (out / "README.md").read_text()
    assert not list(out.rglob("*.part"))
    assert not list(out.rglob("*.bin"))


def test_the_scorecard_has_the_contracts_keys(finished: tuple[ModelFolder, list[Event]]) -> None:
    record = finished[0].scorecard.record

    assert record["task"] == "text-classification"
    assert sum(record["rows"].values()) == 240
    assert set(record["test"]) == {"accuracy", "macro_f1", "log_loss", "brier", "ece"}
    assert [one["name"] for one in record["candidates"]] == [
        "majority", "tf-idf", "zero-shot", "neighbours", "probe", "tuned"
    ]  # fmt: skip
    assert record["chosen"] in ("probe", "tuned")
    compared = {"difference", "low", "high", "outcome", "detectable", "words"}
    assert set(record["verdict"]) == {"ship", "against", *compared}
    assert set(record["worth"]) == {"dearer", "cheaper", *compared}
    assert (record["worth"]["dearer"], record["worth"]["cheaper"]) == ("tuned", "probe")
    assert set(record["calibration"]) >= {"temperature", "ece_before", "ece_after"}
    assert set(record["cost"]["seconds"]) == {"read", "check", "load", "features", "probe", "train", "total"}
    assert record["cost"]["peak_bytes"] > 1e8
    assert (record["verdict"]["ship"], record["verdict"]["against"]) == (False, "tf-idf"), (
        "a word tells the label"
    )


def test_the_course_of_training_and_what_validation_can_show_are_told(
    finished: tuple[ModelFolder, list[Event]],
) -> None:
    folder, events = finished
    record = folder.scorecard.record
    found, (stopped,) = record["overfitting"], [one for one in events if isinstance(one, Stopped)]

    course, curve = found["course"], found["course"]["curve"]
    assert (course["steps"], course["best_step"], course["why"]) == (
        stopped.step,
        stopped.best_step,
        stopped.why,
    )
    assert course["planned"] == 4 * -(-record["rows"]["train"] // 8)
    validations = [one for one in events if isinstance(one, Validated)]
    assert [(one["step"], one["score"], one["loss"]) for one in curve] == [
        (one.step, one.score, one.loss) for one in validations
    ]
    losses = [one.loss for one in events if isinstance(one, Stepped) and one.step <= curve[0]["step"]]
    assert curve[0]["train_loss"] == pytest.approx(sum(losses) / len(losses))
    assert (found["claim"]["dearer"], found["claim"]["cheaper"]) == ("tuned", "probe")
    assert found["claim"]["rows"] == record["rows"]["valid"]
    assert found["gap"]["train"]["rows"] == record["rows"]["valid"]


def test_the_words_of_the_messages_are_learnt(finished: tuple[ModelFolder, list[Event]]) -> None:
    folder = finished[0]
    assert folder.scorecard.test["accuracy"].value > 0.9
    assert folder.predict(["The parcel was delivered by courier."]).labels == ["delivery"]
    assert repr(folder).startswith(f"ModelFolder({str(folder.path)!r}, accuracy ")


def test_predictions_are_those_of_the_loaded_model(finished: tuple[ModelFolder, list[Event]]) -> None:
    folder = luthier.load(finished[0].path)
    lines = [
        json.loads(line) for line in (folder.path / "predictions" / "test.jsonl").read_text().splitlines()
    ]

    again = folder.predict([line["text"] for line in lines])

    assert again.labels == [line["prediction"] for line in lines]
    for line, answer in zip(lines, again, strict=True):
        assert answer["probabilities"] == pytest.approx(line["probabilities"], abs=1e-5)


def test_no_score_on_the_test_rows_is_told_before_the_choice(
    finished: tuple[ModelFolder, list[Event]],
) -> None:
    events = finished[1]
    chose = next(at for at, event in enumerate(events) if isinstance(event, Chose))
    opened = next(
        at for at, event in enumerate(events) if isinstance(event, Started) and event.step_name == "score"
    )

    assert chose < opened
    assert all("test" not in event.to_json() for event in events)


def test_the_saved_plan_repeats_the_run_to_the_same_bytes(
    finished: tuple[ModelFolder, list[Event]], tmp_path: Path
) -> None:
    first = finished[0].path
    again, _ = run(Plan.build({**read_plan(first / "plan.toml"), "run.out": str(tmp_path / "again")}))

    assert weights(again.path) == weights(first)
    assert (again.path / "predictions" / "test.jsonl").read_bytes() == (
        first / "predictions" / "test.jsonl"
    ).read_bytes()


def test_another_seed_gives_other_weights(finished: tuple[ModelFolder, list[Event]], tmp_path: Path) -> None:
    settings = read_plan(finished[0].path / "plan.toml")
    other, _ = run(Plan.build({**settings, "run.out": str(tmp_path / "other"), "run.seed": 1}))
    assert weights(other.path) != weights(finished[0].path)


def test_a_finished_run_is_not_done_again(finished: tuple[ModelFolder, list[Event]]) -> None:
    out = finished[0].path
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()}

    _, events = run(Plan.build({**read_plan(out / "plan.toml"), "run.out": str(out)}))

    assert {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()} == before
    assert isinstance(events[-1], Noted)
    assert (
        events[-1].text
        == f"{out} holds the finished run of this plan, data and model: nothing is left to do."
    )


def test_a_folder_of_another_plan_is_refused_and_left_as_it_was(
    finished: tuple[ModelFolder, list[Event]],
) -> None:
    out = finished[0].path
    plan = Plan.build({**read_plan(out / "plan.toml"), "run.out": str(out), "train.lr": 1e-3})

    with pytest.raises(RunError) as error:
        run(plan)

    assert str(error.value) == (
        f"{out}: holds a run of another plan, other data or another model. "
        "Choose another folder with --out, or delete this one if it is not needed."
    )
    assert (out / "report.html").is_file()


def stop_after(steps_taken: int) -> tuple[Callable[[], bool], Callable[[Event], None]]:
    """A wish to stop that comes true once so many steps were seen."""
    seen = {"steps": 0}

    def look(event: Event) -> None:
        seen["steps"] += isinstance(event, Stepped)

    return lambda: seen["steps"] >= steps_taken, look


@pytest.mark.slow
def test_a_wish_to_stop_leaves_the_best_model_so_far_and_the_same_command_goes_on(
    tmp_path: Path, sentence_bert: Path
) -> None:
    data = messages_csv(tmp_path / "messages.csv", 160)
    plan = plan_for(data, sentence_bert, tmp_path / "run")
    stop, look = stop_after(5)

    with pytest.raises(Interrupted) as error:
        run(plan, stop, look)

    assert str(error.value).startswith(f"Interrupted. {tmp_path}/run/model holds the best model so far: ")
    assert str(error.value).endswith(f"`luthier resume {tmp_path}/run` goes on from the last saved step.")
    assert luthier.load(tmp_path / "run").predict(["My parcel"]).labels
    assert not (tmp_path / "run" / "scorecard.json").exists()

    folder, _ = run(plan)
    undisturbed, _ = run(plan_for(data, sentence_bert, tmp_path / "undisturbed"))
    assert weights(folder.path) == weights(undisturbed.path)


def test_a_stopped_trainings_model_stays_until_there_is_a_better_one(
    tmp_path: Path, sentence_bert: Path
) -> None:
    plan = plan_for(
        messages_csv(tmp_path / "messages.csv", 160), sentence_bert, tmp_path / "run", method="full"
    )

    def kept() -> str:
        found: str = json.loads((tmp_path / "run/model/luthier.json").read_text())["method"]
        return found

    def until_it_trains() -> None:
        for event in steps.tune(plan):
            if isinstance(event, Stepped):
                return  # killed

    until_it_trains()
    assert kept() == "probe"
    with pytest.raises(Interrupted):
        run(plan, *stop_after(20))
    assert kept() == "tuned"
    until_it_trains()
    assert kept() == "tuned", "the probe has come and gone"
    with pytest.raises(Interrupted, match="model/ is what an earlier command came to"):
        run(plan, lambda: True)


@pytest.mark.slow
def test_a_budget_ends_training_in_time_with_a_whole_folder(tmp_path: Path, sentence_bert: Path) -> None:
    data = messages_csv(tmp_path / "messages.csv", 160)
    plan = plan_for(
        data, sentence_bert, tmp_path / "run", method="full", epochs=1000, patience=100000, budget="12s"
    )

    folder, events = run(plan)

    stopped = next(event for event in events if isinstance(event, Stopped))
    assert stopped.why == "budget"
    assert folder.scorecard.record["cost"]["seconds"]["total"] < 12


def test_a_training_that_ends_before_it_was_validated_leaves_the_probe_and_tells_what_it_took(
    tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = itertools.count()
    monkeypatch.setattr(Budget, "over", lambda self: "budget" if next(asked) >= 2 else "")

    folder, _ = run(plan_for(messages_csv(tmp_path / "messages.csv", 240), bert, tmp_path / "run"))

    record = folder.scorecard.record
    assert record["chosen"] == "probe"
    assert record["cost"]["tokens"] == record["tuning"]["tuned"]["tokens"] > 0
    rows = [
        json.loads(line) for line in (folder.path / "predictions" / "test.jsonl").read_text().splitlines()
    ]
    assert folder.predict([row["text"] for row in rows]).labels == [row["prediction"] for row in rows]
    assert "Learning rate" not in (folder.path / "README.md").read_text(), "the probe has none"


@pytest.mark.slow
def test_a_training_whose_outcome_could_not_be_written_is_not_lost(
    tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = messages_csv(tmp_path / "messages.csv", 240)
    whole, _ = run(plan_for(data, bert, tmp_path / "whole", method="full", save_every="0.001s"))
    save = RunFolder.save

    def full(self: RunFolder, name: str, *rest: Any) -> None:
        if name == "tuned":
            raise WorldError("no room")
        save(self, name, *rest)

    plan = plan_for(data, bert, tmp_path / "run", method="full", save_every="0.001s")
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save", full)
        with pytest.raises(WorldError):
            run(plan)

    again, events = run(plan)

    assert any(isinstance(one, Noted) and one.text.startswith("Going on from step ") for one in events)
    assert weights(again.path) == weights(whole.path)
    assert not (again.path / "state" / "training").exists()


@pytest.mark.parametrize(("name", "drawn"), [("bert", True), ("sentence_bert", False)])
def test_features_of_layers_that_are_drawn_belong_to_their_seed(
    name: str, drawn: bool, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    data = messages_csv(tmp_path / "messages.csv", 80)
    keys = {
        prepare(plan_for(data, tiny_model(name), tmp_path / f"{seed}", seed=seed, split_seed=0)).features_key
        for seed in (0, 1)
    }

    assert len(keys) == (2 if drawn else 1)


def test_the_probe_alone_is_asked_for(tmp_path: Path, bert: Path) -> None:
    data = messages_csv(tmp_path / "messages.csv", 80)
    folder, events = run(plan_for(data, bert, tmp_path / "run", method="probe"))

    assert folder.scorecard.chosen == "probe"
    assert not any(isinstance(event, (Stepped, Validated)) for event in events)
    assert folder.scorecard.record["worth"]["cheaper"] in ("majority", "tf-idf", "zero-shot")


def test_a_method_that_is_named_is_kept_even_where_the_cheaper_one_is_as_good(
    tmp_path: Path, sentence_bert: Path
) -> None:
    data = messages_csv(tmp_path / "messages.csv", 80)
    folder, _ = run(plan_for(data, sentence_bert, tmp_path / "run", method="full", epochs=1))
    assert folder.scorecard.chosen == "tuned"
    assert folder.model_record.method == "tuned"


def test_several_labels_per_row_are_found_learnt_and_given_as_lists(
    tmp_path: Path, sentence_bert: Path
) -> None:
    one = messages(120, seed=1)
    rows = [
        {"text": f"{a} {b}", "label": sorted({x, y})}
        for (a, x), (b, y) in zip(one, messages(120, seed=2)[1:] + one[:1], strict=True)
    ]
    rows += [{"text": text, "label": [label]} for text, label in one]
    data = tmp_path / "many.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    folder, _ = run(plan_for(data, sentence_bert, tmp_path / "run", epochs=12))

    record = folder.scorecard.record
    assert record["multi_label"] is True
    assert set(record["test"]) == {"accuracy", "macro_f1", "micro_f1", "log_loss", "brier", "ece"}
    assert record["test"]["macro_f1"]["value"] > 0.7
    assert all(
        isinstance(label, list) for label in folder.predict(["The courier has the parcel", "A refund"]).labels
    )
    assert len(folder.model_record.calibration.thresholds) == 4


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let every write of a file of some name fail as on a full disk."""
    import os

    real = os.replace

    def fill(name: str) -> None:
        def refuse(source: Any, target: Any) -> None:
            if Path(target).name == name:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(source, target)

        monkeypatch.setattr(os, "replace", refuse)

    return fill


@pytest.mark.parametrize("name", ["features.safetensors", "model", "scorecard.json", "report.html"])
def test_a_full_disk_ends_with_a_plain_message_and_a_folder_that_the_same_command_completes(
    name: str,
    tmp_path: Path,
    sentence_bert: Path,
    full_disk: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = messages_csv(tmp_path / "messages.csv", 80)
    plan = plan_for(data, sentence_bert, tmp_path / "run", method="probe")
    full_disk(name)

    with pytest.raises(WorldError, match="the disk is full") as error:
        run(plan)

    assert error.value.exit_code == 1
    assert not list((tmp_path / "run").rglob("*.part"))
    for record in (tmp_path / "run").rglob("*.json"):
        json.loads(record.read_text())

    monkeypatch.undo()
    folder, _ = run(plan)
    assert folder.scorecard.chosen == "probe"


def test_python_takes_the_plans_fields_as_keywords(
    tmp_path: Path, sentence_bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = messages_csv(tmp_path / "messages.csv", 80)
    folder = luthier.tune(
        str(data),
        model=str(sentence_bert),
        method="probe",
        out=str(tmp_path / "run"),
        run__precision="fp32",
        quiet=True,
    )
    assert isinstance(folder, luthier.ModelFolder)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "features", [20.0, 0.0], ids=["by the pass over the frozen features", "by the longest validation"]
)
def test_training_ends_in_time_for_what_comes_after_it(features: float) -> None:
    """100 s in all: 5 to write, and to score 30 seconds either way."""
    run = run_within(100.0, features=features, rows={"valid": 10, "calibration": 10, "test": 40})
    budget = Budget(run)
    if not features:
        run.clock = iter([10.0, 15.0]).__next__
        with budget.timed():
            pass  # five seconds of a validation: of all that is held out six times as much

    def over(seconds: float) -> str:
        run.clock = lambda: seconds
        return budget.over()

    assert [over(64.0), over(66.0)] == ["", "budget"]


def test_training_leaves_time_for_a_first_validation_where_there_is_no_other_model() -> None:
    """100 s in all: 5 to write; the untouched model took 10 s for 50 rows: 2 for the ten of a validation, and 12 to score 60."""
    rows = {"valid": 10, "calibration": 10, "test": 40}
    run = run_within(100.0, rows=rows, untouched=SimpleNamespace(seconds=10.0), learnt=[])

    assert Budget(run).end() == pytest.approx(81)


@pytest.mark.parametrize("enough", [False, True])
def test_without_a_budget_training_is_over_when_somebody_has_seen_enough(enough: bool) -> None:
    run = run_within(None, clock=lambda: 1e9, mode=Mode(enough=lambda: enough))

    assert Budget(run).over() == ("enough" if enough else "")
