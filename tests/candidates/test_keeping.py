"""What tuning made a model forget, and what is given back of it: on tiny models, from the whole path."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from budgets import run_within
from kills import at_call, kill_in, outcome, run
from luthier.candidates.keeping import sweep
from luthier.candidates.keeping.forgetting import told_by_probe
from luthier.candidates.keeping.panel import FEWEST, SHARE, drawn, panel_of, room_of
from luthier.candidates.keeping.sweep import LOOKS, Tried, least_forgetful, within_noise, words_of
from luthier.candidates.tuned import tuned
from luthier.candidates.tuned.budget import Budget
from luthier.errors import DataError, PlanError
from luthier.forecast.keeping import keeping_bytes, keeping_seconds
from luthier.models.knowledge import Neighbours
from luthier.models.ladder.interpolation import SWEPT, TUNED_WHOLE, Point
from luthier.models.lora import SCALED, WEIGHTS, scale_written
from luthier.plan.plan import Plan
from luthier.prepare.general import OWN, read_general
from luthier.prepare.prepare import prepare
from tiny import messages_csv
from tiny_chats import chatting, plan_of_chat, talks, write_rows

QUICK: dict[str, Any] = {
    "train.method": "full",
    "train.lr": 3e-3,
    "train.epochs": 10,
    "train.batch_rows": 8,
    "run.precision": "fp32",
    "run.threads": 1,
}


def plan_for(folder: Path, model: Path, out: str = "run", **changed: Any) -> Plan:
    places = {
        "data.path": str(folder / "messages.csv"),
        "model.name": str(model),
        "run.out": str(folder / out),
    }
    return Plan.build(places | QUICK | {key.replace("__", "."): value for key, value in changed.items()})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    messages_csv(folder / "messages.csv", 120)
    messages_csv(folder / "general.csv", 40, seed=9, labels=2)
    return folder


@pytest.fixture(scope="module")
def cards(home: Path, sentence_bert: Path) -> Callable[[str], dict[str, Any]]:
    """The scorecard of a run by what it keeps, made when it is first asked for."""
    made: dict[str, dict[str, Any]] = {}

    def card(keep: str) -> dict[str, Any]:
        if keep not in made:
            general = {} if keep == "off" else {"data__general": str(home / "general.csv")}
            run(plan_for(home, sentence_bert, keep, train__keep=keep, **general))
            made[keep] = json.loads((home / keep / "scorecard.json").read_text())
        return made[keep]

    return card


def weights_of(run_folder: Path) -> dict[str, torch.Tensor]:
    files = sorted((run_folder / "model").rglob("*.safetensors"))
    return {
        f"{file.parent.name}/{name}": tensor for file in files for name, tensor in load_file(file).items()
    }


# The whole path


def test_a_run_tells_how_much_its_model_forgot(cards: Callable[[str], dict[str, Any]]) -> None:
    found = cards("measure")["forgetting"]

    assert found["kl_to_base"] > 0
    assert [one["rung"] for one in found["drift"]] == ["embeddings", "block 0", "block 1"]
    assert all(0 < one["cka"] <= 1 for one in found["drift"])
    assert found["drift"][-1]["cka"] < 1, "the upper block has moved"
    assert -1 <= found["feature_cosine"] < 1
    general = found["general"]
    assert general["texts"] == "40 texts of general.csv"
    assert general["change"] == pytest.approx(general["probe_after"] - general["probe_before"])
    assert general["low"] <= general["change"] <= general["high"]
    assert (
        "nats (KL) from the base in its distribution over which other one of them is nearest"
        in found["words"]
    )
    assert cards("measure")["keeping"] is None


def test_measuring_changes_no_weight(home: Path, cards: Callable[[str], dict[str, Any]]) -> None:
    for keep in ("off", "measure"):
        cards(keep)
    off, measured = (weights_of(home / keep) for keep in ("off", "measure"))

    assert off.keys() == measured.keys()
    assert all(torch.equal(off[name], measured[name]) for name in off)


def test_where_it_is_switched_off_nothing_is_measured(cards: Callable[[str], dict[str, Any]]) -> None:
    assert cards("off")["forgetting"] == {
        "words": "How much the model forgot was not measured, as --keep off asks for."
    }


def test_strong_keeps_the_least_forgetful_of_the_models_that_are_as_good(
    home: Path, cards: Callable[[str], dict[str, Any]]
) -> None:
    card, measured = cards("strong"), cards("measure")
    keeping = card["keeping"]
    points = keeping["points"]

    assert [(one["way"], one["alpha"]) for one in points] == [
        (one.way, one.alpha) for one in (TUNED_WHOLE, *SWEPT)
    ]
    near = [one for one in points if one["near"]]
    assert points[keeping["kept"]]["kl"] == min(one["kl"] for one in near)
    assert max(one["score"] for one in points) in [one["score"] for one in near]
    assert points[keeping["kept"]]["score"] == next(
        one["valid"] for one in card["candidates"] if one["name"] == "tuned"
    ), "the model that is kept is the one that is scored"
    assert card["forgetting"]["kl_to_base"] == pytest.approx(points[keeping["kept"]]["kl"], rel=1e-5)
    assert points[0]["kl"] == pytest.approx(measured["forgetting"]["kl_to_base"], rel=1e-5)
    assert card["tuning"]["tuned"]["steps"] == measured["tuning"]["tuned"]["steps"], "no step is taken for it"
    assert not [
        file
        for file in (home / "strong" / "state").iterdir()
        if file.name.startswith(("base", "kept", "tuned"))
    ]


def test_the_model_that_was_kept_lies_between_the_base_and_the_tuned_one(
    home: Path, sentence_bert: Path, cards: Callable[[str], dict[str, Any]]
) -> None:
    keeping = cards("strong")["keeping"]
    cards("measure")
    kept = keeping["points"][keeping["kept"]]
    base = load_file(sentence_bert / "model.safetensors")
    name = (
        "encoder.layer.1.attention.self.query.weight"  # of the uppermost block: LiNeS keeps all of its update
    )
    whole, found = (weights_of(home / run)[f"0_Transformer/{name}"] for run in ("measure", "strong"))
    share = kept["alpha"] if kept["way"] == "wise-ft" else 1.0

    assert torch.allclose(found, base[name] + share * (whole - base[name]), atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is forked to be killed")
@pytest.mark.parametrize(
    "arm", [at_call(sweep, "tried_at", 4), at_call(tuned, "scored", 1), at_call(sweep, "within_noise", 1)],
    ids=["in the midst of the points", "once one was chosen", "before one is chosen"],
)  # fmt: skip
def test_a_run_killed_while_it_looks_for_what_to_keep_ends_with_the_same_bytes(
    arm: Callable[[], None],
    tmp_path: Path,
    home: Path,
    sentence_bert: Path,
    cards: Callable[[str], dict[str, Any]],
) -> None:
    cards("strong")
    places = {"data__general": str(home / "general.csv"), "run__out": str(tmp_path / "run")}
    plan = plan_for(home, sentence_bert, train__keep="strong", **places)

    kill_in(plan, arm)
    run(plan)

    assert outcome(tmp_path / "run") == outcome(home / "strong")


@pytest.mark.slow
def test_an_adapter_adds_as_much_as_the_model_that_was_kept_has_of_it(tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    write_rows(tmp_path / "chat.jsonl", talks(60))
    model = chatting(tmp_path / "model")
    plan = plan_of_chat(
        tmp_path / "chat.jsonl", model, tmp_path / "run", **{"train.method": "lora:2", "train.keep": "strong"}
    )

    run(plan)

    card = json.loads((tmp_path / "run" / "scorecard.json").read_text())
    assert card["forgetting"]["over"] == "the next token"
    assert card["forgetting"]["kl_to_base"] > 0
    base = AutoModelForCausalLM.from_pretrained(model)
    merged = PeftModel.from_pretrained(base, str(tmp_path / "run" / "adapter")).merge_and_unload()
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "model").state_dict()
    for name, tensor in merged.state_dict().items():
        assert torch.allclose(tensor, whole[name], atol=1e-5), name


# The parts


def test_an_adapter_that_was_scaled_is_not_scaled_again(tmp_path: Path) -> None:
    start = "base_model.model.layers.0.q"
    tensors = {f"{start}.lora_A.weight": torch.ones(2, 3), f"{start}.lora_B.weight": torch.ones(3, 2)}
    save_file(tensors, tmp_path / WEIGHTS, metadata={"format": "pt"})

    for _ in range(2):
        scale_written(tmp_path, lambda name: {"layers.0.q.weight": 0.25}[name])

    found = load_file(tmp_path / WEIGHTS)
    assert torch.equal(found[f"{start}.lora_A.weight"], torch.ones(2, 3))
    assert torch.equal(found[f"{start}.lora_B.weight"], torch.full((3, 2), 0.25))
    assert SCALED


def tried(kl: float, score: float = 0.9, point: Point = TUNED_WHOLE) -> Tried:
    answers: Any = score
    return Tried(point, answers, score, kl)


def test_of_those_that_are_near_the_one_with_the_smallest_divergence_is_kept_and_of_equal_ones_the_first() -> (
    None
):
    points = [tried(3.0), tried(0.5), tried(1.0), tried(1.0)]

    assert least_forgetful(points, [True, False, True, True]) == 2


def test_near_is_within_one_standard_error_of_the_best_of_the_difference_on_the_same_rows() -> None:
    measure = SimpleNamespace(standard_error=lambda other, seed: 0.02)
    fake: Any = SimpleNamespace(
        task=SimpleNamespace(
            goodness=lambda score: -score, measure=lambda answers, targets, clusters: measure
        ),
        clusters=lambda part: None,
        targets=lambda part: np.zeros(1),
        plan=SimpleNamespace(run=SimpleNamespace(seed=0)),
    )

    found = within_noise(fake, [tried(1.0, 0.53), tried(1.0, 0.50), tried(1.0, 0.52)])

    assert found == [False, True, True], "of a metric of which lower values are better"


def test_words_tell_what_was_kept_and_what_that_gave_back() -> None:
    points = [
        {"way": "wise-ft", "alpha": 1.0, "score": 0.9, "kl": 0.2, "near": True},
        {"way": "lines", "alpha": 0.25, "score": 0.8952, "kl": 0.05, "near": True},
    ]

    assert words_of({"points": points, "kept": 1, "metric": "accuracy"}) == (
        "Of 2 models between the base and the tuned one 2 are within one standard error of the best on the validation rows. "
        "The one that is kept has 25 % of the lowest block's update rising to all of the uppermost's (LiNeS): 89.5 % accuracy "
        "where the tuned weights have 90.0 % accuracy, and a KL to the base of 0.05 nats where they have 0.2."
    )
    assert words_of({"points": points, "kept": 0, "metric": "accuracy"}).endswith(
        "The tuned weights are kept whole: none that is as good forgets less."
    )


def test_a_probe_tells_topics_apart_that_lie_apart_and_no_others() -> None:
    dice = np.random.default_rng(0)
    labels = np.arange(120) % 4
    apart = np.eye(4)[labels] + 0.05 * dice.standard_normal((120, 4))

    assert told_by_probe(apart, labels, 0).mean() == 1.0
    assert told_by_probe(dice.standard_normal((120, 4)), labels, 0).mean() < 0.5


# The rows


def test_the_panel_takes_no_more_than_its_share_of_the_planned_run(home: Path, sentence_bert: Path) -> None:
    ready = prepare(plan_for(home, sentence_bert, train__epochs=200))

    panel = panel_of(ready, Neighbours())

    assert panel.texts is not None
    looked = 3 * int(panel.valid.lengths.sum()) + 2 * int(panel.texts.lengths.sum())
    trained = 200 * 3 * int(ready.examples["train"].lengths.sum())
    assert looked <= 1.05 * SHARE * trained + 3 * FEWEST * int(panel.valid.lengths.max())
    assert room_of(ready) <= 1.05 * SHARE * trained * (1 + 1 / 100)


def test_a_short_run_is_measured_on_few_rows_and_on_no_general_ones(home: Path, sentence_bert: Path) -> None:
    panel = panel_of(prepare(plan_for(home, sentence_bert, train__epochs=1)), Neighbours())

    assert len(panel.rows) == min(FEWEST, 12)
    assert panel.texts is None


def test_rows_are_drawn_in_their_order_until_they_are_too_long_together() -> None:
    lengths = np.array([5, 1, 1, 1, 9])

    assert drawn(lengths, 7, 0, np.array([0, 3, 2, 4, 1])).tolist() == [0, 2, 3]
    assert drawn(lengths, 0, 2, np.array([4, 3, 2, 1, 0])).tolist() == [3, 4]


def test_luthiers_own_general_texts_are_200_different_sentences_in_eight_topics() -> None:
    found = read_general(None)

    assert (len(found.texts), len(set(found.texts)), found.topics) == (200, 200, 8)
    assert np.bincount(found.targets).tolist() == [25] * 8
    assert OWN.is_file()


def test_general_texts_are_read_from_a_file_with_labels_or_without(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("topic,body\nb,Some words here.\na,More words there.\nb,\nb,The last words.\n")

    found = read_general(str(file))

    assert found.texts == ("Some words here.", "More words there.", "The last words.")
    assert found.labels == (1, 0, 1)
    assert found.words == "3 texts of mine.csv"
    file.write_text("body\nSome words here.\nMore words there.\n")
    assert read_general(str(file)).labels is None


def test_a_general_file_without_texts_is_refused_before_anything_is_written(
    tmp_path: Path, home: Path, sentence_bert: Path
) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("label,size\na,1\nb,2\n")
    plan = plan_for(home, sentence_bert, "refused", data__general=str(file))

    with pytest.raises(DataError) as error:
        run(plan)

    assert str(error.value) == (
        f"{file}: has no column of texts; its columns: 'label', 'size'. --general takes a file with one, called text."
    )
    assert not (home / "refused").exists()


def test_other_general_texts_make_another_run(tmp_path: Path, home: Path, sentence_bert: Path) -> None:
    file = tmp_path / "mine.csv"
    keys = []
    for text in ("Some words here.", "Other words there."):
        file.write_text(f"text\n{text}\nMore of them.\n")
        keys.append(prepare(plan_for(home, sentence_bert, data__general=str(file))).place.key)
    keys.append(prepare(plan_for(home, sentence_bert)).place.key)

    assert len(set(keys)) == 3


def test_general_texts_are_refused_where_nothing_is_measured(
    tmp_path: Path, home: Path, sentence_bert: Path
) -> None:
    (tmp_path / "mine.csv").write_text("text\nSome words here.\n")

    with pytest.raises(PlanError) as error:
        prepare(plan_for(home, sentence_bert, data__general=str(tmp_path / "mine.csv"), train__keep="off"))

    assert (
        str(error.value)
        == "data.general: no effect with --keep off, by which nothing is measured. Leave it out."
    )


# What it takes


def test_training_ends_in_time_for_the_models_that_are_tried_after_it() -> None:
    """100 s in all: 5 to write, 12 to score twelve rows of a second each, and two models that answer the ten validation rows."""
    fake = run_within(100.0, rows={"valid": 10, "calibration": 1, "test": 1})
    budget = Budget(fake, validations=2)
    fake.clock = iter([0.0, 10.0]).__next__
    with budget.timed():
        pass

    def over(seconds: float) -> str:
        fake.clock = lambda: seconds
        return budget.over()

    assert [over(62.0), over(64.0)] == ["", "budget"]


def test_what_measuring_and_keeping_take_is_foretold(home: Path, sentence_bert: Path) -> None:
    def foretold(keep: str) -> dict[str, float]:
        ready = prepare(plan_for(home, sentence_bert, train__keep=keep))
        return keeping_seconds(ready, lambda rows: float(len(rows)), lambda rows: 10.0 * len(rows))

    rows = 12  # all validation rows, as the run is short
    assert foretold("off") == {"train": 0.0, "score": 0.0}
    assert foretold("measure") == {"train": rows, "score": 2 * rows}
    assert foretold("strong") == {"train": rows + LOOKS * (10 * rows + rows), "score": 2 * rows}


def test_keeping_holds_two_more_models_and_measuring_none(home: Path, sentence_bert: Path) -> None:
    strong, measure = (
        prepare(plan_for(home, sentence_bert, train__keep=keep)) for keep in ("strong", "measure")
    )
    weights = sum(weight.numel() for weight in strong.model.parameters())

    assert (keeping_bytes(strong), keeping_bytes(measure)) == (8 * weights, 0)


def test_the_points_are_many_enough_for_a_curve() -> None:
    assert len(SWEPT) + 1 == LOOKS == 14
