"""Few rows: nothing is held out, candidates are compared by cross-validation, and what is kept has learnt from all rows."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.arrays import Ints
from luthier.candidates import fewer_rows
from luthier.candidates.few_shot import paying
from luthier.candidates.records import FeaturesRecord
from luthier.candidates.zero_shot import NAMES
from luthier.errors import DataError, Interrupted, PlanError
from luthier.events import CandidateReady, Chose, Event, Noted, Started, Work
from luthier.folder.artefacts import Artefacts
from luthier.folder.model_folder import ModelFolder
from luthier.hashes import hash_file
from luthier.plan.plan import Plan
from luthier.prepare.prepare import Prepared, prepare
from luthier.progress import told
from luthier.steps import tune as steps
from tiny import messages_csv

SURE = {"delivery": "parcel", "refund": "money", "praise": "lovely"}
OTHERS = ("the", "my", "is", "was", "it", "and", "today", "please", "order")


def write(path: Path, count: int, seed: int) -> Path:
    """Texts in which a word, again and again, tells the label."""
    dice = np.random.default_rng(seed)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for row in range(count):
            label = list(SURE)[row % len(SURE)]
            writer.writerow((" ".join([*[SURE[label]] * 3, *dice.choice(OTHERS, 6)]), label))
    return path


def write_untold(home: Path) -> None:
    """Texts that do not give their label away."""
    dice = np.random.default_rng(0)
    table = [(" ".join(dice.permutation(OTHERS)[:5]), ("good", "bad")[row % 2]) for row in range(40)]
    asked = [("please the order", "good"), ("it was my order", "bad")]
    for name, rows in (("rows", table), ("test", asked)):
        with open(home / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path / "rows.csv", 12, 0)
    write(tmp_path / "test.csv", 30, 1)
    return tmp_path


def plan_of(home: Path, model: Path, out: str = "run", **settings: Any) -> Plan:
    named = {
        "data.path": str(home / "rows.csv"),
        "data.test": str(home / "test.csv"),
        "model.name": str(model),
    }
    quick = {
        "run.out": str(home / out),
        "run.precision": "fp32",
        "run.threads": 1,
        "data.allow": ("near-copies", "copies", "leaks"),
    }
    return Plan.build(named | quick | settings)


def run(plan: Plan) -> tuple[ModelFolder, list[Event]]:
    work = Work(steps.tune(plan))
    events = list(work)
    return work.result, events


def parts(ready: Prepared) -> tuple[int, int, bool]:
    split = ready.rows.split
    return len(split.train), len(split.valid), split.crossed


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (12, 12, True)),
        ({"train.method": "few-shot"}, (12, 12, True)),
        ({"train.method": "probe"}, (12, 12, True)),
        ({"train.method": "full"}, (11, 1, False)),
        ({"train.epochs": 2}, (11, 1, False)),
        ({"data.validation": "held-out"}, (11, 1, False)),
        ({"data.valid_share": 0.25}, (9, 3, False)),
        ({"data.valid_share": 0.25, "train.method": "probe"}, (9, 3, False)),
        ({"train.keep": "off"}, (12, 12, True)),
        ({"train.keep": "off", "train.method": "few-shot"}, (12, 12, True)),
        ({"train.keep": "strong"}, (11, 1, False)),
    ],
)  # fmt: skip
def test_of_few_rows_none_is_held_out_unless_something_is_asked_for_that_needs_some(
    home: Path, sentence_bert: Path, settings: dict[str, Any], expected: tuple[int, int, bool]
) -> None:
    assert parts(prepare(plan_of(home, sentence_bert, **settings))) == expected


def test_a_file_of_validation_rows_is_what_is_validated_on(home: Path, sentence_bert: Path) -> None:
    ready = prepare(plan_of(home, sentence_bert, **{"data.valid": str(write(home / "valid.csv", 9, 2))}))
    assert parts(ready) == (12, 9, False)


def test_of_many_rows_some_are_held_out(home: Path, sentence_bert: Path) -> None:
    write(home / "rows.csv", 450, 0)
    assert parts(prepare(plan_of(home, sentence_bert)))[2] is False
    assert parts(prepare(plan_of(home, sentence_bert, **{"data.validation": "crossed"})))[2] is True


def test_it_is_said_that_none_is_held_out_with_the_flag_that_corrects_it(
    home: Path, sentence_bert: Path
) -> None:
    guesses = [str(guess) for guess in prepare(plan_of(home, sentence_bert)).resolved.guesses]
    assert (
        "data.validation = crossed  (12 training rows, of which none is held out; --validation corrects it)"
        in guesses
    )


def test_methods_that_stop_by_validation_rows_are_refused_beside_crossing() -> None:
    with pytest.raises(PlanError) as refused:
        Plan.build({"data.path": "rows.csv", "data.validation": "crossed", "train.method": "full"})
    assert str(refused.value) == (
        "data.validation 'crossed' with train.method 'full', which needs rows to stop by. Leave it out, or choose "
        "--method few-shot."
    )


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (
            {"data.valid_share": 0.2},
            "data.valid_share with data.validation 'crossed', by which no rows are held out for validation. Leave one of the two "
            "out.",
        ),
        (
            {"train.epochs": 2, "model.hidden": (8,)},
            "train.epochs, model.hidden: no effect with data.validation 'crossed', by which nothing is tuned that needs rows to "
            "stop by. Leave one of the two out.",
        ),
    ],
)
def test_settings_of_what_crossing_does_without_are_refused_beside_it(
    setting: dict[str, Any], told: str
) -> None:
    with pytest.raises(PlanError) as refused:
        Plan.build({"data.path": "rows.csv", "data.validation": "crossed", **setting})
    assert str(refused.value) == told


@pytest.mark.parametrize(
    "setting", [{"train.epochs": 2}, {"model.hidden": (8,)}, {"train.label_smoothing": 0.1}]
)
def test_settings_of_tuning_are_refused_where_labels_have_one_row_to_learn_from(
    home: Path, sentence_bert: Path, setting: dict[str, Any]
) -> None:
    """Each way that is offered is one that can be gone."""
    write(home / "rows.csv", 3, 0)
    with pytest.raises(PlanError) as refused:
        prepare(plan_of(home, sentence_bert, **setting))
    assert str(refused.value) == (
        f"{next(iter(setting))}: no effect here. Labels have so few rows that none could be held out to say when to stop, so no "
        "layers are tuned unasked. Leave it out, name rows to validate on (--valid FILE), or choose --method full, which stops "
        "by the rows that it learns from."
    )
    prepare(plan_of(home, sentence_bert))
    prepare(plan_of(home, sentence_bert, **setting, **{"data.valid": str(write(home / "valid.csv", 9, 2))}))
    prepare(plan_of(home, sentence_bert, **setting, **{"train.method": "full"}))


def test_the_few_shot_model_learns_what_it_is_shown(home: Path, sentence_bert: Path) -> None:
    folder, events = run(plan_of(home, sentence_bert, **{"train.method": "few-shot"}))
    card = json.loads((folder.path / "scorecard.json").read_text(encoding="utf-8"))
    scores = {one["name"]: one["test"] for one in card["candidates"]}
    assert card["chosen"] == "few-shot"
    assert scores["few-shot"] > 0.8
    assert [event.words for event in events if isinstance(event, Chose)] == [
        "few-shot, the method that was asked for"
    ]
    again = folder.predict([{"text": "lovely lovely lovely order"}, {"text": "parcel parcel parcel my"}])
    assert again.labels == ["praise", "delivery"]


def test_validation_answers_are_of_what_did_not_learn_from_the_row(home: Path, sentence_bert: Path) -> None:
    """A label that no text gives away cannot be told: learnt by heart, it would be."""
    write_untold(home)
    folder, events = run(plan_of(home, sentence_bert))
    card = json.loads((folder.path / "scorecard.json").read_text(encoding="utf-8"))
    valid = {one["name"]: one["valid"] for one in card["candidates"]}
    lines = [told(event) or "" for event in events if isinstance(event, CandidateReady)]
    assert card["valid_from"] == "cross-validation"
    assert len(lines) == len(valid)
    assert all(" in cross-validation " in line for line in lines)
    assert card["rows"] == {"train": 40, "valid": 40, "calibration": 0, "test": 2}
    assert all(value < 0.8 for value in valid.values())


def test_how_scores_grow_is_found_once_and_not_without_each_fold(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    draws = fewer_rows.draws

    def counted(rows: int, seed: int) -> Iterator[Ints]:
        drawn.append(rows)
        return draws(rows, seed)

    monkeypatch.setattr(fewer_rows, "draws", counted)
    run(plan_of(home, sentence_bert, **{"train.method": "probe"}))

    assert drawn == [12, 12, 12], "TF-IDF, the nearest rows, and the probe, from all rows each"


def test_rows_that_are_learnt_and_asked_are_read_once(home: Path, sentence_bert: Path) -> None:
    folder, events = run(plan_of(home, sentence_bert, **{"train.method": "probe"}))
    ready = prepare(plan_of(home, sentence_bert, "other", **{"train.method": "probe"}))
    (begun,) = [event for event in events if isinstance(event, Started) and event.step_name == "features"]
    saved = Artefacts(folder.path / "state").saved("features", FeaturesRecord)

    assert begun.expects == 12 + len(ready.rows.split.test) + len(ready.rows.labels)
    assert saved is not None
    assert saved[0].keys() == {"train", "calibration", "test", NAMES}


def test_a_run_that_was_stopped_while_it_learnt_ends_in_the_same_bytes(
    home: Path, sentence_bert: Path
) -> None:
    plain = plan_of(home, sentence_bert, "plain", **{"train.method": "few-shot"})
    run(plain)
    stopped = plan_of(home, sentence_bert, "run", **{"train.method": "few-shot"})
    asked = iter([False] * 40)
    with pytest.raises(Interrupted):
        list(steps.tune(stopped, lambda: next(asked, True)))
    run(stopped)
    ours, theirs = (weights_of(home / name) for name in ("run", "plain"))
    assert ours == theirs


def weights_of(folder: Path) -> Sequence[str]:
    return [hash_file(path) for path in sorted((folder / "model").rglob("*.safetensors"))]


def test_labels_of_one_row_are_answered_by_their_words_and_that_row(home: Path, sentence_bert: Path) -> None:
    write(home / "rows.csv", 3, 0)
    folder, events = run(plan_of(home, sentence_bert))
    card = json.loads((folder.path / "scorecard.json").read_text(encoding="utf-8"))
    assert card["chosen"] == "few-shot"
    assert {one["name"] for one in card["candidates"]} >= {"zero-shot", "probe", "few-shot"}
    assert not any(isinstance(event, Noted) and "No layers are trained" in event.text for event in events)


@pytest.mark.parametrize("each", [2, 3, 4])
def test_with_rows_to_test_on_in_a_file_of_their_own_few_rows_of_two_labels_do(
    home: Path, sentence_bert: Path, each: int
) -> None:
    for name, count in (("rows.csv", 3 * each), ("test.csv", 30)):
        lines = write(home / name, count, 0).read_text(encoding="utf-8").splitlines()
        two = [line for line in lines if not line.endswith(list(SURE)[2])]
        (home / name).write_text("\n".join(two) + "\n", encoding="utf-8")

    ready = prepare(plan_of(home, sentence_bert))

    assert len(ready.rows.split.train) == 2 * each
    assert ready.rows.split.crossed


def test_it_is_not_tried_where_the_probe_leaves_little_to_win(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_untold(home)
    monkeypatch.setattr(paying, "MENDED", 0.0)
    folder, events = run(plan_of(home, sentence_bert))
    card = json.loads((folder.path / "scorecard.json").read_text(encoding="utf-8"))
    assert "few-shot" not in {one["name"] for one in card["candidates"]}
    share = card["tuning"]["paying"]["probe"]
    assert card["tuning"]["paying"] == {"probe": share, "gain": 0.0, "pays": False}
    assert any(
        event.text.startswith("The few-shot model is not tried: in cross-validation the probe has")
        for event in events
        if isinstance(event, Noted)
    )


@pytest.mark.parametrize(("right", "pays"), [(0.5, True), (0.89, True), (0.95, False), (1.0, False)])
def test_what_the_probe_has_right_says_whether_it_pays(right: float, pays: bool) -> None:
    assert paying.Paying(right, paying.MENDED * (1 - right)).pays is pays


def test_what_would_be_over_time_is_left_out_and_told(home: Path, sentence_bert: Path) -> None:
    write_untold(home)
    _, events = run(plan_of(home, sentence_bert, **{"run.budget": "1s"}))
    assert [event.name for event in events if isinstance(event, Chose)] == ["probe"]
    assert (
        "Time was over before the few-shot model had learnt, so it is not among the candidates. Give it more: --budget."
        in [event.text for event in events if isinstance(event, Noted)]
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"train.method": "few-shot"}, "train.method: works with texts that have one label each"),
        (
            {"data.validation": "crossed"},
            "data.validation: 'crossed' works with texts and with images that have one label each",
        ),
    ],
)
def test_rows_of_several_labels_are_not_brought_together(
    home: Path, sentence_bert: Path, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(PlanError) as refused:
        prepare(plan_of(home, sentence_bert, **{"task.labels_per_row": "many"}, **settings))
    assert str(refused.value).startswith(told)


def test_crossing_is_refused_beside_rows_to_validate_on(home: Path, sentence_bert: Path) -> None:
    valid = str(write(home / "valid.csv", 9, 2))
    with pytest.raises(PlanError, match="rows were given to validate on"):
        prepare(plan_of(home, sentence_bert, **{"data.valid": valid, "data.validation": "crossed"}))


@pytest.mark.parametrize(
    "setting", [{"run.recompute": "on"}, {"run.save_every": "5s"}, {"train.keep": "strong"}]
)
def test_settings_that_few_shot_does_not_read_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="--method full"):
        Plan.build({"data.path": "rows.csv", "train.method": "few-shot", **setting})


def test_where_a_test_part_leaves_each_label_one_row_it_is_said_so_and_what_helps(
    home: Path, sentence_bert: Path
) -> None:
    messages_csv(home / "rows.csv", 8)
    messages_csv(home / "test.csv", 12, seed=1)
    asked = {"data.path": str(home / "rows.csv"), "model.name": str(sentence_bert), "data.test_share": 0.5}
    plan = Plan.build({**asked, "data.allow": ("near-copies", "copies", "leaks")})

    with pytest.raises(DataError) as refused:
        prepare(plan)

    assert str(refused.value) == (
        f"{home / 'rows.csv'}: each label is left with a single training row once rows are set aside for the test, so none can "
        "be answered by what learnt from others. Add rows, name rows to test on (--test FILE), or set fewer aside (--test-share)."
    )
    for helps in (
        {"data.test_share": 0.2},
        {"data.test": str(home / "test.csv")},
        {"data.allow": ("one-shot", *plan.data.allow)},
    ):
        assert len(prepare(plan.with_settings(helps)).rows.split.train) > 0
