"""A next round of labelling: rows stay in their parts, what was read is not read again, and what new labels brought is told."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from command import Ended
from command import luthier as command
from luthier.candidates import features as computing
from luthier.candidates.earlier_features import KnownFeatures
from luthier.candidates.few_shot.contrasted import ANSWERS, steps_of
from luthier.candidates.few_shot.onward import SHARE, go_back
from luthier.candidates.records import ScoredRecord
from luthier.data.split import PARTS, Split
from luthier.errors import DataError, Interrupted, PlanError, RunError
from luthier.events import CandidateReady, Event
from luthier.folder.known_rows import WhatWasRead
from luthier.folder.model_folder import ModelFolder
from luthier.folder.run_folder import RunFolder
from luthier.folder.scorecard import Scorecard
from luthier.folder.scorecard_records import ScorecardRecord
from luthier.plan.continuing import with_those_of_earlier
from luthier.plan.plan import Plan, read_plan
from luthier.prepare.continued import Earlier, Usable, as_before, trains_on
from luthier.prepare.prepare import prepare
from luthier.scores.learning_curve import Curve, likely_gain
from luthier.steps import tune as steps
from luthier.steps.continued import last_trained_at, looks_beside
from luthier.steps.looks import Look
from luthier.steps.statements import statements
from tiny import messages, messages_csv


def rounds_csv(path: Path, rows: int, more: int = 0) -> Path:
    """Messages, and new ones after them."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *messages(rows), *messages(more, seed=9)])
    return path


def tune(data: Path, out: Path, *more: object) -> Ended:
    return command("tune", data, "--out", out, "--quiet", "--method", "probe", "--precision", "fp32", *more)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> Path:
    """A finished run over 60 messages."""
    home = tmp_path_factory.mktemp("loop")
    ended = tune(rounds_csv(home / "rows.csv", 60), home / "first", "--model", bert)
    assert ended.code == 0, ended.err
    return home / "first"


@pytest.fixture(scope="module")
def second(first: Path) -> Path:
    """The round after it, with 20 new rows."""
    out = first.parent / "second"
    ended = command(
        "tune", rounds_csv(first.parent / "more.csv", 60, 20), "--continue", first, "--out", out, "--quiet"
    )
    assert ended.code == 0, ended.err
    return out


def continuing(data: Path, run: Path, **settings: Any) -> Plan:
    """The plan of a next round."""
    return Plan.build(with_those_of_earlier({"data.path": str(data), "data.continues": str(run), **settings}))


def card_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "scorecard.json").read_text())
    return found


def asked_of(run: Path) -> list[tuple[str, Any]]:
    lines = map(json.loads, (run / "predictions" / "test.jsonl").read_text().splitlines())
    return [(line["text"], line["label"]) for line in lines]


def notes(run: Path) -> list[str]:
    events = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return [event["text"] for event in events if event["event"] == "noted"]


# The rows


def test_test_rows_stay_test_rows_and_new_ones_are_learnt_from(first: Path, second: Path) -> None:
    before, after = card_of(first)["rows"], card_of(second)["rows"]

    assert asked_of(first) == asked_of(second)
    assert after == {**before, "train": before["train"] + 20, "valid": before["valid"] + 20}
    assert f"60 rows are those of {first} and stay in their parts; 20 are new and are learnt from." in notes(
        second
    )


def test_only_new_rows_go_through_the_model(first: Path, second: Path) -> None:
    """60 rows, four names of labels, and 20 new rows."""
    assert (
        f"Features of 64 of 84 texts and rows are those of {first}; the others went through the model."
        in notes(second)
    )


def test_a_round_that_is_stopped_writes_no_model_and_names_the_one_before(
    first: Path, tmp_path: Path
) -> None:
    """That of the probe, which other runs leave on the way, would be the older model's poorer brother."""
    rows, out = rounds_csv(tmp_path / "more.csv", 60, 20), tmp_path / "second"
    plan = continuing(rows, first, **{"run.out": str(out)})
    told: list[Event] = []

    def probe_is_ready() -> bool:
        return "probe" in [event.name for event in told if isinstance(event, CandidateReady)]

    running = steps.tune(plan, probe_is_ready)
    with pytest.raises(Interrupted, match=f"the model is that of {first} until this round is over"):
        told.extend(running)
    assert probe_is_ready()
    assert not (out / "model").exists()


def test_a_run_whose_model_is_gone_is_refused_before_anything_is_read(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first, tmp_path / "first")
    shutil.rmtree(tmp_path / "first" / "model")

    ended = command(
        "tune",
        rounds_csv(tmp_path / "more.csv", 60, 20),
        "--continue",
        tmp_path / "first",
        "--out",
        tmp_path / "out",
    )

    assert ended.code == 2
    assert "has no model/luthier.json any more, beside which new labels are measured." in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_features_that_are_taken_over_are_those_that_would_be_computed(
    first: Path, second: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    alone = tune(
        rounds_csv(tmp_path / "more.csv", 60, 20), tmp_path / "alone", "--model", card_of(first)["model"]
    )

    assert alone.code == 0, alone.err
    taken, computed = (
        load_file(run / "state" / "features.safetensors") for run in (second, tmp_path / "alone")
    )
    ours, theirs = (
        np.sort(np.concatenate([found[part] for part in ("train", "test")]), axis=0)
        for found in (taken, computed)
    )
    assert np.allclose(ours, theirs, atol=1e-4)


def test_the_settings_of_the_round_before_are_kept(first: Path, second: Path) -> None:
    for key in ("model", "method", "seed"):
        assert card_of(second)[key] == card_of(first)[key]


def test_rows_that_were_held_out_for_validation_stay_so_though_they_are_few(
    first: Path, tmp_path: Path
) -> None:
    rows, out = first.parent / "rows.csv", tmp_path / "held-out"
    assert tune(rows, out, "--model", card_of(first)["model"], "--validation", "held-out").code == 0

    kept = prepare(continuing(first.parent / "more.csv", out))
    turned = prepare(continuing(first.parent / "more.csv", out, **{"data.validation": "crossed"}))

    before, split = card_of(out)["rows"], kept.rows.split
    assert (split.crossed, len(split.valid), len(split.train)) == (
        False,
        before["valid"],
        before["train"] + 20,
    )
    assert (turned.rows.split.crossed, len(turned.rows.split.train)) == (
        True,
        before["valid"] + before["train"] + 20,
    )


@pytest.fixture(scope="module")
def few_rounds(tmp_path_factory: pytest.TempPathFactory, sentence_bert: Path) -> tuple[Path, Path]:
    """Two rounds in which few-shot was asked for, the second with six rows more."""
    home = tmp_path_factory.mktemp("few")
    rows, more = rounds_csv(home / "rows.csv", 30), rounds_csv(home / "more.csv", 30, 6)
    few, onward = home / "few", home / "onward"
    ended = command("tune", rows, "--model", sentence_bert, "--method", "few-shot", "--out", few, *FEW)
    assert ended.code == 0, ended.err
    ended = command("tune", more, "--continue", few, "--out", onward, *FEW)
    assert ended.code == 0, ended.err
    return few, onward


FEW = ("--quiet", "--precision", "fp32", "--allow", "near-copies,copies,leaks")


def answers_of(run: Path) -> dict[int, list[float]]:
    """What few-shot gave in turn for the training rows of a run, by their keys."""
    earlier = Earlier.of(str(run))
    saved = RunFolder(earlier.path, earlier.key).saved(ANSWERS, ScoredRecord)
    assert saved is not None
    return dict(zip(earlier.keys["valid"].tolist(), saved[0]["valid"].tolist(), strict=True))


def steps_from_nothing(data: Path, model: Path) -> int:
    """How many steps few-shot takes of some rows, where it goes on from no other round."""
    allowed = {"data.allow": FEW[-1], "train.method": "few-shot"}
    ready = prepare(Plan.build({"data.path": str(data), "model.name": str(model), **allowed}))
    return steps_of(ready)


def test_few_shot_goes_on_from_the_round_before_with_a_part_of_the_steps(
    few_rounds: tuple[Path, Path], sentence_bert: Path
) -> None:
    few, onward = (card_of(run)["tuning"]["few-shot"] for run in few_rounds)

    assert (few["folds"], few["onward"]) == (3, False)
    assert (onward["folds"], onward["onward"]) == (0, True)
    assert onward["steps"] == round(
        SHARE * steps_from_nothing(few_rounds[0].parent / "more.csv", sentence_bert)
    )
    assert (
        f"few-shot went on from {few_rounds[0]}, with 40 % of the steps that it takes from nothing."
        in notes(few_rounds[1])
    )


def test_rows_keep_the_answers_of_the_round_before_and_new_ones_are_answered_by_its_model(
    few_rounds: tuple[Path, Path],
) -> None:
    """No row is answered by what has learnt from it."""
    before, now = (answers_of(run) for run in few_rounds)
    new = [now[key] for key in now if key not in before]
    model = ModelFolder(few_rounds[0])
    with open(few_rounds[0].parent / "more.csv", encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][30:]
    scores = [list(row["probabilities"].values()) for row in model.predict(texts)]
    expected = softmax(np.array(new) / card_of(few_rounds[0])["calibration"]["temperature"], axis=1)

    assert len(new) == 6
    assert {key: now[key] for key in before} == before
    assert np.allclose(np.sort(expected, axis=0), np.sort(np.array(scores), axis=0), atol=1e-4)


def test_a_body_goes_back_a_part_of_the_way_before_it_goes_on(sentence_bert: Path, tmp_path: Path) -> None:
    rows = rounds_csv(tmp_path / "rows.csv", 30)
    ready = prepare(Plan.build({"data.path": str(rows), "model.name": str(sentence_bert)}))
    begin = {name: one.clone() for name, one in ready.model.body.state_dict().items()}
    with torch.no_grad():
        for weight in ready.model.body.parameters():
            weight.add_(1.0)

    go_back(ready, begin)

    moved = [weight - begin[name] for name, weight in ready.model.body.named_parameters()]
    assert all(torch.allclose(one, torch.full_like(one, 1 - SHARE), atol=1e-6) for one in moved)


def test_with_another_label_few_shot_learns_anew_which_is_told(
    few_rounds: tuple[Path, Path], tmp_path: Path
) -> None:
    text = (few_rounds[0].parent / "more.csv").read_text(encoding="utf-8")
    more = tmp_path / "more.csv"
    more.write_text(
        text + "".join(f"something else entirely {at},new one\n" for at in range(3)), encoding="utf-8"
    )

    ended = command("tune", more, "--continue", few_rounds[0], "--out", tmp_path / "again", *FEW)

    assert ended.code == 0, ended.err
    assert card_of(tmp_path / "again")["tuning"]["few-shot"]["onward"] is False
    assert (
        notes(tmp_path / "again").count(
            "What few-shot trained in the round before is learnt anew, from all rows."
        )
        == 1
    )


# What is told


def test_what_the_new_labels_brought_is_told_by_a_paired_test_of_this_look(first: Path, second: Path) -> None:
    found = card_of(second)["continued"]
    brought = found["brought"]

    assert (found["round"], found["known"], found["new"], found["looks"]) == (2, 60, 20, 1)
    assert brought["before"] == pytest.approx(card_of(first)["test"]["accuracy"]["value"])
    assert brought["after"] == pytest.approx(card_of(second)["test"]["accuracy"]["value"])
    assert brought["difference"] == pytest.approx(brought["after"] - brought["before"])
    assert (brought["confidence"], brought["any_look"], brought["rows"]) == (
        0.975,
        True,
        len(asked_of(first)),
    )
    assert found["words"][0].startswith("The 20 new labels brought accuracy from ")
    assert found["words"][0].endswith(
        "It is look 1 at these rows: all such intervals together hold with 95 % confidence."
    )
    assert [one["rows"] for one in found["rounds"]] == [
        card_of(run)["rows"]["train"] for run in (first, second)
    ]


@pytest.mark.slow
def test_the_next_round_is_forecast_and_the_one_after_it_says_how_right_that_was(
    first: Path, second: Path
) -> None:
    out = first.parent / "third"
    with open(first.parent / "more.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with open(first.parent / "most.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*rows, *messages(8, seed=11)])

    ended = command("tune", first.parent / "most.csv", "--continue", second, "--out", out)

    found = card_of(out)["continued"]
    foretold = card_of(second)["continued"]["forecast"]
    assert foretold["low"] <= foretold["value"] <= foretold["high"]
    assert (found["round"], found["looks"], foretold["labels"]) == (3, 2, 20)
    assert found["brought"]["confidence"] == pytest.approx(1 - 0.05 / 6)
    assert found["words"][1].startswith("The round before foretold ")
    assert found["words"][0] in ended.out
    assert "Labelling rounds" in (out / "report.html").read_text()
    assert "## Labelling rounds" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("contents", "scored", "beside"),
    [("same", 1, 0), ("same", 3, 2), ("other", 2, 2), ("same", None, 0)],
    ids=["the round before alone", "rounds done over", "other rows than before", "not counted"],
)
def test_whoever_was_scored_on_the_test_rows_since_has_looked(
    first: Path, contents: str, scored: int | None, beside: int
) -> None:
    card = Scorecard.read(first).card
    assert card.looks is not None
    assert card.looks.earlier == 0
    same = contents == "same"
    look = Look(card.looks.contents if same else "0" * 64, card.looks.rows, scored)

    assert looks_beside(look, card) == beside


@pytest.mark.slow
def test_a_metric_of_all_rows_together_is_told_with_its_plain_interval(
    first: Path, second: Path, tmp_path: Path
) -> None:
    ended = command(
        "tune",
        first.parent / "more.csv",
        "--continue",
        first,
        "--out",
        tmp_path / "f1",
        "--quiet",
        "--metric",
        "macro_f1",
    )

    assert ended.code == 0, ended.err
    found = card_of(tmp_path / "f1")["continued"]
    assert (found["brought"]["confidence"], found["brought"]["any_look"]) == (0.95, False)
    assert found["words"][0].endswith(
        "It is look 1 at these rows, and this interval holds for one alone: no test of this metric is known that stays honest "
        "over many."
    )


# Training


@pytest.mark.slow
def test_training_goes_on_from_the_layers_that_the_round_before_has_trained(
    tmp_path: Path, bert: Path
) -> None:
    rows, more = rounds_csv(tmp_path / "rows.csv", 60), rounds_csv(tmp_path / "more.csv", 60, 8)
    trained, still = tmp_path / "trained", tmp_path / "still"
    asked = ("--quiet", "--precision", "fp32", "--method", "full")
    first = command("tune", rows, "--model", bert, "--epochs", 2, "--lr", 1e-3, "--out", trained, *asked)
    assert first.code == 0, first.err

    ended = command("tune", more, "--continue", trained, "--lr", 1e-12, "--epochs", 1, "--out", still, *asked)

    assert ended.code == 0, ended.err
    ours, theirs = (ModelFolder(run).model.body.state_dict() for run in (still, trained))
    assert all(np.allclose(ours[name].numpy(), theirs[name].numpy(), atol=1e-6) for name in theirs)
    assert "train.head = probe  (solved on the layers of the round before; --head corrects it)" in notes(
        still
    )


def test_layers_are_not_trained_again_until_there_are_twice_the_rows_with_which_that_was_in_vain() -> None:
    record = {"metric": "accuracy", "test": {}, "chosen": "probe", "rows": {"train": 40}}
    in_vain = {**record, "candidates": [{"name": "probe"}, {"name": "tuned"}]}
    untried = {**record, "candidates": [{"name": "probe"}]}

    assert last_trained_at(ScorecardRecord.of(in_vain)) == 40
    assert last_trained_at(ScorecardRecord.of(untried)) is None


# What is refused


def test_another_model_is_refused_with_what_to_do(first: Path, tmp_path: Path, roberta: Path) -> None:
    ended = command(
        "tune",
        first.parent / "rows.csv",
        "--continue",
        first,
        "--model",
        roberta,
        "--out",
        tmp_path / "run",
        "--quiet",
    )

    assert ended.code == 2
    assert ended.err == (
        f"--continue {first}: began with another model than {roberta}, or its files have changed since. Leave out --model to go "
        "on with the same one, or leave out --continue to begin anew with this one.\n"
    )
    assert not (tmp_path / "run").exists()


def test_rows_of_which_none_was_there_before_are_refused(first: Path, tmp_path: Path) -> None:
    rows = messages_csv(tmp_path / "others.csv", 40, seed=77)

    ended = command("tune", rows, "--continue", first, "--out", tmp_path / "run", "--quiet")

    assert ended.code == 2
    assert ended.err == (
        f"--continue {first}: none of its rows is among these. Give the file that it learnt from with the new rows added, or "
        "leave out --continue to begin anew.\n"
    )


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    ended = command(
        "tune", messages_csv(tmp_path / "rows.csv", 40), "--continue", tmp_path / "nowhere", "--quiet"
    )

    assert ended.code == 2
    assert ended.err == (
        f"--continue {tmp_path / 'nowhere'}: is not the folder of a run, which holds a plan.toml. Name the run of the round "
        "before, as in --continue runs/reviews-1a2b3c4d; without --continue, luthier tune begins anew.\n"
    )


def test_a_run_of_names_alone_is_no_round_to_go_on_from(first: Path, tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.mkdir()
    (named / "plan.toml").write_text('[data]\npath = "rows.csv"\nlabel_names = ["a", "b"]\n')

    ended = command("tune", first.parent / "rows.csv", "--continue", named, "--quiet")

    assert ended.code == 2
    assert ended.err == (
        f"--continue {named}: was made of labels' names alone, and has no labelled rows that new ones could stand beside. Leave "
        "out --continue: the rows that are labelled now are a first round.\n"
    )


# The parts of rows


def earlier(**keys: list[int]) -> Earlier:
    by_part = {part: np.array(keys.get(part, []), np.int64) for part in PARTS}
    return Earlier(Path("before"), "key", "text-classification", "base", None, by_part)


def parted(split: Split) -> dict[str, list[int]]:
    return {part: getattr(split, part).tolist() for part in PARTS}


def dealt(**rows: list[int]) -> Split:
    train, valid, calibration, test = (np.array(rows.get(part, []), np.int64) for part in PARTS)
    return Split(train, valid, calibration, test, how="dealt")


def usable(keys: list[int], together: list[int] | None = None, free: list[bool] | None = None) -> Usable:
    rows = np.arange(len(keys))
    groups = rows if together is None else np.array(together)
    return Usable(rows, np.array(keys), groups, np.array(free or [True] * len(keys)))


def test_whatever_would_be_dealt_known_rows_stay_where_they_were() -> None:
    before = earlier(train=[10, 11], valid=[12], test=[13])

    found, told = as_before(dealt(train=[3, 4], valid=[0], test=[1, 2]), before, usable([10, 11, 12, 13, 99]))

    assert parted(found) == {"train": [0, 1, 4], "valid": [2], "calibration": [], "test": [3]}
    assert told == "4 rows are those of before and stay in their parts; 1 is new and is learnt from."


def test_a_new_row_that_belongs_to_a_test_row_is_not_learnt_from() -> None:
    before = earlier(train=[10], valid=[11], test=[12])

    found, told = as_before(
        dealt(train=[0, 1, 2, 3]), before, usable([10, 11, 12, 99], together=[0, 1, 2, 2])
    )

    assert parted(found)["test"] == [2, 3]
    assert "but for 1 held out with the rows that they belong to" in told


def test_where_the_earlier_run_validated_on_rows_by_turns_those_that_are_dealt_serve() -> None:
    before = earlier(train=[10, 11], valid=[10, 11], test=[12])

    found, told = as_before(dealt(train=[0, 2], valid=[1, 3]), before, usable([10, 11, 12, 99]))

    assert parted(found) == {"train": [0], "valid": [1, 3], "calibration": [], "test": [2]}
    assert told.endswith(". 1 row that it learnt from is held out now, as it had none for that.")


@pytest.mark.parametrize("candidate", ["tuned", "few-shot"])
def test_what_has_learnt_a_row_that_is_held_out_now_is_not_gone_on_from(candidate: str) -> None:
    """Few rows left none to calibrate on; of more some do, of which the layers of the round before have learnt."""
    before = replace(earlier(train=[10, 11, 12], valid=[13], test=[14]), trained=candidate)

    found, told = as_before(
        dealt(train=[1, 2, 5], valid=[3], calibration=[0], test=[4]), before, usable([10, 11, 12, 13, 14, 99])
    )

    keys = {"train": np.array([11, 12, 99]), "valid": np.array([13]), "calibration": np.array([10]),
            "test": np.array([14])}  # fmt: skip
    assert parted(found)["calibration"] == [0]
    assert told.endswith(" is held out now, as it had none for that, so that layers are trained anew.")
    assert before.has_learnt(keys, crossed=False)
    assert not trains_on(Plan.build({"data.path": "rows.csv"}), before, keys, crossed=False)


def test_training_rows_that_are_answered_in_turns_were_not_held_out() -> None:
    before = replace(earlier(train=[10, 11], valid=[10, 11], test=[14]), trained="tuned")
    keys = {"train": np.array([10, 11]), "valid": np.array([10, 11]), "calibration": np.array([], np.int64),
            "test": np.array([14])}  # fmt: skip

    assert not before.has_learnt(keys, crossed=True)
    assert before.has_learnt(keys, crossed=False)
    assert trains_on(Plan.build({"data.path": "rows.csv"}), before, keys, crossed=True)


def test_rows_of_a_file_of_their_own_stay_there_and_missing_ones_are_counted() -> None:
    before = earlier(train=[10, 11], valid=[12], test=[13, 14])

    found, told = as_before(
        dealt(train=[0, 1, 2], test=[3]), before, usable([10, 11, 12, 13], free=[True, True, True, False])
    )

    assert parted(found)["test"] == [3]
    assert told.endswith("1 of its rows are not here any more.")


# What was read


def test_features_are_found_by_what_was_read_and_how() -> None:
    vectors = {"train": np.array([[1.0], [2.0], [3.0]], np.float32), "test": np.array([[9.0]], np.float32)}
    places = {
        ("train", b"a"): ("train", 0, 2),
        ("train", b"b"): ("train", 2, 3),
        ("reported", b"a"): ("test", 0, 1),
    }
    known, found = KnownFeatures(vectors, places), np.zeros((4, 1), np.float32)

    left = known.filled("train", WhatWasRead([b"b", b"c", b"a"], np.array([0, 1, 2, 4])), found)

    assert left.tolist() == [1]
    assert found[:, 0].tolist() == [3.0, 0.0, 1.0, 2.0]


def test_a_gain_is_foretold_between_the_two_laws_and_grows_with_rows() -> None:
    rows = np.array([20.0, 40.0, 80.0, 160.0])
    curve = Curve(rows, 1 - 0.9 * rows**-0.5, np.full(4, 400.0))

    little, much = likely_gain(curve, 160, 180), likely_gain(curve, 160, 320)

    assert 0 < little.middle < much.middle
    assert much.low < much.middle < much.high
    assert computing.words("runs/a", 3, 4) == (
        "Features of 3 of 4 texts and rows are those of runs/a; the others went through the model."
    )


# What is missing


def test_rows_that_were_held_out_have_to_be_there(first: Path, tmp_path: Path) -> None:
    held = set(dict(asked_of(first)))
    with open(tmp_path / "rest.csv", "w", newline="", encoding="utf-8") as file:
        rest = [row for row in messages(60) if row[0] not in held]
        csv.writer(file).writerows([("text", "label"), *rest, *messages(20, seed=9)])

    with pytest.raises(DataError) as refused:
        prepare(continuing(tmp_path / "rest.csv", first))

    assert str(refused.value) == (
        f"--continue {first}: none of its test rows is among these. Give the file that it learnt from with the new rows added, "
        "or leave out --continue to begin anew."
    )


@pytest.mark.parametrize(
    ("key", "flag"), [("data.test", "--test FILE"), ("model.name", "--model FOLDER")], ids=["test", "model"]
)
def test_what_a_run_goes_on_with_and_is_gone_is_named_with_its_flag(
    first: Path, tmp_path: Path, key: str, flag: str
) -> None:
    shutil.copytree(first, tmp_path / "run")
    settings = read_plan(first / "plan.toml")
    gone = Plan.build({**settings, key: str(tmp_path / "gone")})
    (tmp_path / "run" / "plan.toml").write_text(gone.to_toml(), encoding="utf-8")
    rows = rounds_csv(tmp_path / "more.csv", 60, 20)

    with pytest.raises(PlanError) as refused:
        continuing(rows, tmp_path / "run")

    assert str(refused.value) == (
        f"--continue {tmp_path / 'run'}: goes on with {tmp_path / 'gone'} ({flag.split()[0]}), which is not there any more. Put "
        f"it back, or name where it is now: {flag}."
    )
    named = str(rows) if key == "data.test" else settings[key]
    assert continuing(rows, tmp_path / "run", **{key: named}).settings()[key] == named


def test_a_run_without_its_state_is_told_as_that(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "state")

    with pytest.raises(RunError) as refused:
        prepare(continuing(rounds_csv(tmp_path / "more.csv", 60, 20), tmp_path / "run"))

    assert str(refused.value).startswith(
        f"--continue {tmp_path / 'run'}: does not tell which of its rows were test rows"
    )


def test_a_round_without_new_rows_says_so(first: Path, tmp_path: Path) -> None:
    ended = command("tune", first.parent / "rows.csv", "--continue", first, "--out", tmp_path / "again")

    assert f"60 rows are those of {first} and stay in their parts; none is new." in ended.err
    assert "What has changed since brought accuracy from " in ended.out


def test_a_teacher_that_is_left_out_of_the_next_round_is_told_of(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first, tmp_path / "run")
    plan = tmp_path / "run" / "plan.toml"
    plan.write_text(plan.read_text().replace("[train]\n", '[train]\nteacher = "/a/teacher"\n'))

    ready = prepare(continuing(rounds_csv(tmp_path / "more.csv", 60, 20), tmp_path / "run"))

    assert statements(ready)[-1] == (
        f"{tmp_path / 'run'} learnt from the teacher /a/teacher, and this round does not: --teacher /a/teacher goes on with it."
    )
