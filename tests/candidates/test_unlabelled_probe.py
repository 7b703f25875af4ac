"""The probe learns from rows without labels too where cross-validation says so, and else the run ends as if there were none."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from cut_short import LEARNT, until
from early_runs import run_of
from luthier.arrays import Array
from luthier.candidates import half_labelled as half_module
from luthier.candidates import pool as pool_module
from luthier.candidates.adapting import stage
from luthier.candidates.features import compute_features
from luthier.candidates.half_labelled import kept_way
from luthier.candidates.pool import UNLABELLED, pool_of, words_on_pool
from luthier.candidates.probe import PROBE
from luthier.errors import Interrupted
from luthier.events import Event, Noted, Started, result_of
from luthier.folder.artefacts import Artefacts
from luthier.folder.model_folder import ModelFolder
from luthier.folder.scorecard import Scorecard
from luthier.hashes import hash_file
from luthier.plan.plan import Plan
from luthier.prepare.prepare import prepare
from luthier.steps import tune as steps
from luthier.tasks.probing import Probing
from luthier.train.probe.better_features import Gain
from luthier.train.probe.half_labelled import HalfLabelled
from luthier.train.probe.pseudo_labels import WAYS
from luthier.train.probe.worth_taking import PLAIN, Fold, Judged, judged
from tiny import TINY_IMAGES, images_folder, messages, messages_csv

FREE = 40
"""Rows without labels: too few for a body to learn from, which would take most of the time."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    messages_csv(tmp_path / "rows.csv", 60)
    write_free(tmp_path / "more.csv", [text for text, _ in messages(FREE, seed=7)])
    return tmp_path


def write_free(path: Path, texts: Sequence[str]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])


def plan_of(home: Path, model: Path, out: str = "run", unlabelled: Any = True, **settings: Any) -> Plan:
    more = {"data.unlabelled": str(home / "more.csv")} if unlabelled else {}
    return Plan.build(
        {"data.path": str(home / "rows.csv"), "model.name": str(model), "run.out": str(home / out),
         "train.method": "probe", "run.precision": "fp32", "run.threads": 1, **more, **settings}
    )  # fmt: skip


def judging(monkeypatch: pytest.MonkeyPatch, **gains: float) -> None:
    """Let ways come to such gains, with a standard error of 0.1; those that are not named to none."""

    def found(rows: HalfLabelled, folds: Sequence[Fold], how: Probing) -> dict[str, Judged]:
        told = judged(rows, folds, how)
        return {
            name: Judged(Gain(0.5, 0.5 + gains.get(name.replace("-", "_"), 0.0), 0.1), one.held_out)
            for name, one in told.items()
        }

    monkeypatch.setattr(half_module, "judged", found)


def told(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Noted)]


def record_of(run: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((run / "state" / "probe-0-unlabelled.json").read_text("utf-8"))[
        "learnt"
    ]
    return found


def head_of(run: Path) -> dict[str, Array]:
    """The arrays of the smallest file of weights: the head's."""
    path = min((run / "model").rglob("*.safetensors"), key=lambda file: file.stat().st_size)
    return load_file(path)


def files_of(run: Path) -> dict[str, str]:
    """The hashes of a model's files."""
    return {
        file.relative_to(run).as_posix(): hash_file(file)
        for file in sorted((run / "model").rglob("*"))
        if file.is_file()
    }


# What is kept


@pytest.mark.parametrize("validation", ["crossed", "held-out"])
def test_rows_that_help_are_learnt_from_and_told_of(
    home: Path, sentence_bert: Path, validation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, seeded_k_means=0.3)
    plan = plan_of(home, sentence_bert, **{"data.validation": validation})

    events = list(until(LEARNT, plan))

    record = record_of(home / "run")
    assert record["kept"] == "seeded-k-means"
    assert record["rows"] == FREE
    assert record["words"] in told(events)
    assert record["words"].startswith(
        f"The probe learnt from {FREE} rows without labels too, which were given some by clusters around the labelled rows: in "
        "cross-validation over the training rows it comes to 0.500 without and 0.800 with them, +0.300 with a standard error of "
        "0.100. It is kept."
    )
    taken = next(one for one in record["ways"] if one["kept"])
    assert (taken["way"], taken["taken"]) == ("seeded-k-means", FREE)
    list(until(LEARNT, plan_of(home, sentence_bert, "plain", False, **{"data.validation": validation})))
    ours, plain = head_of(home / "run"), head_of(home / "plain")
    assert any(not np.array_equal(ours[name], plain[name]) for name in ours)


@pytest.mark.parametrize("validation", ["crossed", "held-out"])
def test_the_head_that_is_written_has_learnt_from_all_rows_with_labels_and_those_without(
    home: Path, sentence_bert: Path, validation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, seeded_k_means=0.3)
    run = run_of(plan_of(home, sentence_bert, **{"data.validation": validation}))
    run.watch.took["features"] = 0.0
    list(compute_features(run))
    rows: list[HalfLabelled] = []
    plain_probe = HalfLabelled.probe

    def seen(self: HalfLabelled, *args: Any, **named: Any) -> Any:
        rows.append(self)
        return plain_probe(self, *args, **named)

    fitted = result_of(PROBE.fit(run))
    assert fitted is not None
    run.add(fitted)
    monkeypatch.setattr(HalfLabelled, "probe", seen)
    PROBE.settle(run, fitted)

    split, way = run.ready.rows.split, kept_way(run)
    assert way is WAYS["seeded-k-means"]
    if validation == "held-out":
        learnt = len(split.train) + len(split.valid) + len(split.calibration)
        assert len(rows[-1].targets) == learnt > len(split.train)
    assert run.kept is fitted


def test_what_is_answered_to_validation_rows_is_of_heads_that_did_not_see_them(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, seeded_k_means=0.3)
    run = run_of(plan_of(home, sentence_bert))
    run.watch.took["features"] = 0.0
    list(compute_features(run))
    kept: list[Sequence[Fold]] = []
    faked: Callable[..., dict[str, Judged]] = vars(half_module)["judged"]

    def seen(rows: HalfLabelled, folds: Sequence[Fold], how: Probing) -> dict[str, Judged]:
        kept.append(folds)
        return faked(rows, folds, how)

    monkeypatch.setattr(half_module, "judged", seen)
    fitted = result_of(PROBE.fit(run))

    assert fitted is not None
    first: Fold = kept[0][0]
    asked = first.folds >= 0
    np.testing.assert_array_equal(
        fitted.outputs["valid"].arrays()[""], first.logits["seeded-k-means"][asked].astype(np.float32)
    )
    assert set(first.logits) > {PLAIN}


@pytest.mark.parametrize("validation", ["crossed", "held-out"])
def test_rows_that_do_not_help_leave_the_run_as_it_is_without_them(
    home: Path, sentence_bert: Path, validation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, seeded_k_means=0.1)

    events = list(until(LEARNT, plan_of(home, sentence_bert, **{"data.validation": validation})))
    list(until(LEARNT, plan_of(home, sentence_bert, "plain", False, **{"data.validation": validation})))

    record = record_of(home / "run")
    assert record["kept"] is None
    assert record["words"] in told(events)
    assert record["words"].startswith(
        "The probe stays as it is without rows that have no labels. Given labels by clusters around the labelled rows, 40 of "
        "them bring +0.100 with a standard error of 0.100 in cross-validation over the training rows; by the probe's sure answers"
    )
    assert files_of(home / "run") == files_of(home / "plain")


def test_the_scorecard_report_and_card_tell_what_was_tried(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, pseudo_labels=0.3)

    folder: ModelFolder = result_of(steps.tune(plan_of(home, sentence_bert)))

    card = Scorecard.read(folder.path).card
    assert card.unlabelled is not None
    probe = card.unlabelled.probe
    assert probe is not None
    assert {one.way for one in probe.ways} == set(WAYS)
    assert probe.shares is not None
    assert set(probe.shares.labels) == set(card.labels or ())
    assert sum(own for own, _ in probe.shares.labels.values()) == pytest.approx(1.0)
    assert not card.unlabelled.kept, "the body learnt nothing"
    assert card.unlabelled.sentences == [card.unlabelled.words, probe.words]
    for page in ("report.html", "README.md"):
        written = (folder.path / page).read_text("utf-8")
        assert "sure answers" in written
        assert "at least 64 are wanted" in written
    assert card.chosen == "probe"


def test_what_was_learnt_is_found_again(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, seeded_k_means=0.3)
    list(until(LEARNT, plan_of(home, sentence_bert)))
    before = files_of(home / "run")
    monkeypatch.setattr(half_module, "tried", None)  # nobody asks for it

    again = list(until(LEARNT, plan_of(home, sentence_bert)))

    assert record_of(home / "run")["words"] in told(again)
    assert not [one for one in again if isinstance(one, Started) and one.step_name == "unlabelled"]
    assert files_of(home / "run") == before


def test_a_run_that_is_stopped_while_ways_are_compared_ends_with_the_same_bytes(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, seeded_k_means=0.3)
    seen: list[Event] = []

    def stop() -> bool:
        return any(isinstance(one, Started) and one.step_name == "unlabelled" for one in seen)

    def begin() -> None:
        for event in steps.tune(plan_of(home, sentence_bert), stop):
            seen.append(event)  # noqa: PERF402  it is looked at meanwhile

    with pytest.raises(Interrupted):
        begin()

    assert not (home / "run" / "state" / "probe-0-unlabelled.json").exists()
    list(until(LEARNT, plan_of(home, sentence_bert)))
    list(until(LEARNT, plan_of(home, sentence_bert, "whole")))
    assert files_of(home / "run") == files_of(home / "whole")


def test_a_body_that_learnt_first_gives_the_features_that_the_probe_then_learns_from(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, seeded_k_means=0.3)
    monkeypatch.setattr(stage, "gain_of", lambda *_: Gain(0.5, 0.8, 0.1))
    write_free(home / "more.csv", [text for text, _ in messages(100, seed=7)])

    list(until(LEARNT, plan_of(home, sentence_bert)))

    state = Artefacts(home / "run" / "state")
    before, after = (load_file(state.arrays_path(name)) for name in ("features", "features-adapted"))
    assert before[UNLABELLED].shape == after[UNLABELLED].shape
    assert not np.array_equal(before[UNLABELLED], after[UNLABELLED])
    assert record_of(home / "run")["kept"] == "seeded-k-means"


# Where labels are answered otherwise


def test_labels_that_are_answered_otherwise_are_told_as_a_warning(home: Path, sentence_bert: Path) -> None:
    names = sorted({label for _, label in messages(8)})
    one = [text for text, label in messages(400, seed=7) if label == names[0]][:60]
    write_free(home / "more.csv", one)

    events = list(until(LEARNT, plan_of(home, sentence_bert)))

    record = record_of(home / "run")
    assert record["shares"]["differ"]
    assert record["shares"]["p"] < 0.01
    told_of = [event for event in events if isinstance(event, Noted) and event.text == record["words"]]
    assert [event.warning for event in told_of] == [True]
    assert (
        " Labels are answered otherwise to rows without labels than to training rows, beyond chance (p 0.0"
        in (record["words"])
    )
    assert f"{names[0]} " in record["words"]


def test_labels_that_are_answered_alike_are_no_warning(home: Path, sentence_bert: Path) -> None:
    list(until(LEARNT, plan_of(home, sentence_bert)))

    record = record_of(home / "run")
    assert not record["shares"]["differ"]
    assert "otherwise" not in record["words"]


def test_rows_of_one_label_alone_are_not_learnt_from(home: Path, sentence_bert: Path) -> None:
    names = sorted({label for _, label in messages(8)})
    write_free(home / "more.csv", [text for text, label in messages(400, seed=7) if label == names[0]][:60])

    list(until(LEARNT, plan_of(home, sentence_bert)))

    record = record_of(home / "run")
    clusters, sure = record["ways"]
    assert record["kept"] is None
    assert clusters["taken"] == 60, "each is nearest to some cluster"
    assert clusters["score"]["after"] < clusters["score"]["before"]
    assert sure["why_not"] == "no row was given a label"


# Which rows, and which runs


def test_rows_that_the_probe_has_all_right_lend_it_all_answers(tmp_path: Path, sentence_bert: Path) -> None:
    rows = [f"{word} {number}" for number in range(20) for word in ("kettle", "parcel")]
    lines = [f"{text},{text.split()[0]}s" for text in rows]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *lines, ""]), encoding="utf-8")
    write_free(
        tmp_path / "more.csv",
        [f"{word} {number}" for number in range(30, 50) for word in ("kettle", "parcel")],
    )

    list(until(LEARNT, plan_of(tmp_path, sentence_bert)))

    sure = next(one for one in record_of(tmp_path / "run")["ways"] if one["way"] == "pseudo-labels")
    assert (sure["above"], sure["taken"], sure["right"]) == (0.0, 40, sure["answers"])


def test_one_row_a_label_cannot_tell_whether_it_helps(tmp_path: Path, sentence_bert: Path) -> None:
    rows = messages(4)
    with open(tmp_path / "rows.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    write_free(tmp_path / "more.csv", [text for text, _ in messages(20, seed=7)])

    list(until("score", plan_of(tmp_path, sentence_bert)))

    record = record_of(tmp_path / "run")
    assert record["kept"] is None
    assert record["shares"] is None
    assert record["words"].startswith(
        "The probe stays as it is without rows that have no labels. Given labels by clusters "
    )
    assert record["words"].endswith("by the probe's sure answers, no row was given a label.")


def test_many_rows_are_drawn_and_counted(home: Path, bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "MOST_ROWS", 25)
    ready = prepare(plan_of(home, bert))

    pool = pool_of(ready)

    assert pool is not None
    assert len(pool) == 25
    assert words_on_pool(ready) == [
        "The probe may learn from 25 of 40 rows without labels, drawn at random, which are given labels by their features. That "
        "is kept where it is better in cross-validation over the training rows, beyond noise."
    ]
    monkeypatch.setattr(pool_module, "MOST_PRODUCTS", 40)
    fewer = pool_of(ready)
    assert fewer is None or len(fewer) == 10


def test_with_many_labelled_rows_it_is_not_tried_which_is_told(
    home: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "MOST_LABELLED", 30)
    ready = prepare(plan_of(home, bert))

    assert pool_of(ready) is None
    assert len(words_on_pool(ready)) == 1
    assert words_on_pool(ready)[0].endswith("from 31 on it takes long to tell.")
    list(until(LEARNT, plan_of(home, bert)))
    assert not (home / "run" / "state" / "probe-0-unlabelled.json").exists()


@pytest.mark.parametrize("kind", ["several labels", "numbers"])
def test_rows_without_one_label_each_are_as_before(kind: str, tmp_path: Path, sentence_bert: Path) -> None:
    with open(tmp_path / "rows.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for at, (text, label) in enumerate(messages(40)):
            writer.writerow(
                (text, f"{label};other" if at % 2 else label) if kind != "numbers" else (text, at / 7)
            )
    write_free(tmp_path / "more.csv", [text for text, _ in messages(20, seed=7)])
    settings = {"task.name": "regression"} if kind == "numbers" else {"task.labels_per_row": "many"}

    ready = prepare(plan_of(tmp_path, sentence_bert, **settings))

    assert pool_of(ready) is None
    assert words_on_pool(ready) == []


@pytest.mark.parametrize("validation", ["held-out", "auto"])
def test_images_are_given_labels_too_unless_they_are_so_few_that_none_is_held_out(
    tmp_path: Path, validation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, seeded_k_means=0.3)
    data, more = images_folder(tmp_path / "images", 30), images_folder(tmp_path / "more", 40, seed=9)
    model = TINY_IMAGES["mobilenet_v2"](tmp_path / "model")
    plan = Plan.build(
        {"data.path": str(data), "data.unlabelled": str(more), "model.name": str(model), "run.out": str(tmp_path / "run"),
         "train.method": "probe", "run.precision": "fp32", "run.threads": 1, "data.validation": validation}
    )  # fmt: skip

    events = list(until(LEARNT, plan))

    if validation == "held-out":
        assert record_of(tmp_path / "run")["rows"] == 40
        assert record_of(tmp_path / "run")["kept"] == "seeded-k-means"
    else:
        assert (
            "The probe does not learn from rows without labels: that of so few rows is a discriminant, whose rows count alike."
            in told(events)
        )


def test_few_shot_goes_on_beside_a_probe_that_learnt_from_rows_without_labels(
    home: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, seeded_k_means=0.3)

    folder: ModelFolder = result_of(steps.tune(plan_of(home, sentence_bert, **{"train.method": "few-shot"})))

    card = Scorecard.read(folder.path).card
    assert card.chosen == "few-shot"
    assert card.unlabelled is not None
    assert card.unlabelled.probe is not None
    assert card.unlabelled.probe.kept == "seeded-k-means"


def test_what_was_read_without_a_label_is_not_read_again_once_it_has_one(
    home: Path, sentence_bert: Path
) -> None:
    result_of(steps.tune(plan_of(home, sentence_bert)))
    labelled = [*messages(60), *messages(FREE, seed=7)]
    with open(home / "rows.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *labelled])
    plan = plan_of(home, sentence_bert, "next", False, **{"data.continues": str(home / "run")})

    words = told(list(until("probe", plan)))

    assert [one for one in words if one.startswith("Features of ")]
    counted = next(one for one in words if one.startswith("Features of "))
    taken, every = (int(word.replace(",", "")) for word in counted.split() if word[0].isdigit())
    assert taken == every


def test_the_plan_counts_what_rows_without_labels_take(
    home: Path, sentence_bert: Path, tiny_model: Callable[[str], Path]
) -> None:
    from luthier.steps.foresee import foresee

    write_free(home / "more.csv", [text for text, _ in messages(200, seed=7)])
    found = foresee(plan_of(home, sentence_bert))
    plain = foresee(plan_of(home, sentence_bert, unlabelled=False))

    ours, others = found["forecast"]["seconds_of"], plain["forecast"]["seconds_of"]
    assert ours["adapt"] > 0
    assert "adapt" not in others
    assert ours["probe"] > others["probe"]
    assert [
        one for one in found["notes"] if one.startswith("The probe may learn from 200 rows without labels")
    ]
    assert [one for one in found["notes"] if one.startswith("First the body learns from 180 rows")]
