"""What every candidate keeps to; and two that no luthier has, each a class and a row: one of them moves the body."""

import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from early_runs import run_of, small
from luthier.candidates import CANDIDATES, competing
from luthier.candidates.candidate import Candidate, Passes
from luthier.candidates.run import HELD_OUT, Run
from luthier.comparing.fitted import Fitted, Weights
from luthier.events import Event, Stepped, result_of
from luthier.folder.model_folder import ModelFolder
from luthier.models.headed import new_head
from luthier.plan.plan import Plan
from luthier.prepare.prepare import Prepared
from luthier.records import VersionedRecord
from luthier.session.runs import plan_of
from luthier.steps.choosing import add
from luthier.steps.tune import features_and_probe, tune
from present import present
from test_contract import CASES, outcome
from tiny import TINY, messages_csv


class NearestMean(Candidate):
    """The label whose training rows have the nearest mean: a linear head, without a search for its strength."""

    name = "nearest-mean"
    words = "the nearest mean"
    to_beat = False

    def why_not(self, ready: Prepared) -> str:
        return "" if ready.rows.task.labels_per_row == "one" else "rows have no one label"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        yield from ()  # a generator, as every `fit` is
        how, begin = present(run.task.probe), run.clock()
        features, labels = run.features["train"], run.targets("train")
        means = np.stack([features[labels == at].mean(axis=0) for at in range(how.outputs)])
        head = new_head(features.shape[1], (), how.outputs, 0.0)
        layer: Any = head[-1]
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(means))
            layer.bias.copy_(torch.from_numpy(-(means**2).sum(axis=1) / 2))
        outputs = {
            part: how.answered(
                (run.features[part] @ means.T - (means**2).sum(axis=1) / 2).astype(np.float32),
                run.ready.examples[part],
            )
            for part in HELD_OUT
        }
        return Fitted(self.name, self.words, run.clock() - begin, {**outputs}, weights=Weights(head=head))

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        return 0.01


class Shaken(Candidate):
    """The pre-trained body with noise in its weights, under the probe: it moves the body, as tuning does."""

    name = "shaken"
    words = "the shaken model"
    to_beat = False
    trains = True

    def why_not(self, ready: Prepared) -> str:
        return "" if ready.rows.task.probe is not None else "there is no probe"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        yield from ()  # a generator, as every `fit` is
        run.begin_training(self.name)
        model, begin = run.ready.model, run.clock()
        noise = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in model.body.parameters():
                weight.add_(0.02 * torch.randn(weight.shape, generator=noise))
        run.ready.masters.refresh()
        present(run.probe).start(model.head[-1])  # type: ignore[arg-type]
        arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        run.folder.save(self.name, arrays, VersionedRecord())
        outputs = {part: run.infer(model, part) for part in ("valid", "calibration")}
        weights = Weights(self.name)
        return Fitted(self.name, self.words, run.clock() - begin, outputs, weights=weights)


TOYS: dict[str, Candidate] = {"nearest-mean": NearestMean(), "shaken": Shaken()}


@pytest.fixture
def with_toys() -> Iterator[None]:
    """The toys in the table: the one beside the probe before it, the other before what is tuned. After a test the table is as it
    was, in its order too."""
    order = dict(CANDIDATES)
    CANDIDATES.clear()
    for name, candidate in order.items():
        toy = {"probe": "nearest-mean", "tuned": "shaken"}.get(name)
        CANDIDATES.update({toy: TOYS[toy]} if toy else {})
        CANDIDATES[name] = candidate
    yield
    CANDIDATES.clear()
    CANDIDATES.update(order)


# What every candidate keeps to


@pytest.mark.parametrize("name", [*CANDIDATES, *TOYS])
def test_a_candidate_stands_under_its_own_name_and_is_called_by_words(name: str, with_toys: None) -> None:
    candidate = CANDIDATES[name]

    assert candidate.name == name
    assert candidate.words
    assert not (candidate.trains and candidate.to_beat and candidate.counts), (
        "what is trained is not what a model must beat"
    )


@pytest.mark.parametrize("task", CASES)
def test_candidates_that_do_not_compete_say_why_and_those_that_do_answer_at_a_foretold_cost(
    task: str, with_toys: None, tmp_path: Path
) -> None:
    run = run_of(small(task, tmp_path))
    for candidate in CANDIDATES.values():
        assert isinstance(candidate.why_not(run.ready), str)
    for _ in features_and_probe(run):
        pass
    rivals = [*competing(run.ready, trains=False), *competing(run.ready, trains=True)]
    for candidate in competing(run.ready, trains=True):
        for _ in add(run, candidate):
            pass

    assert [one.name for one in run.candidates] == [one.name for one in rivals]
    for candidate, fitted in zip(rivals, run.candidates, strict=True):
        assert (fitted.to_beat, fitted.words) == (candidate.to_beat, candidate.words)
        assert fitted.seconds >= 0
        assert len(fitted.answers["valid"]) == len(run.targets("valid")) == len(fitted.outputs["valid"])
        assert fitted.scores["valid"].low <= fitted.scores["valid"].value <= fitted.scores["valid"].high
        assert candidate.forecast(run.ready, lambda part: 1.0) >= 0
        assert fitted.weights is not None or fitted.to_beat, "what learns has a model to keep"


@pytest.mark.parametrize("name", ["probe", "tuned", *TOYS])
def test_the_model_that_is_kept_of_a_candidate_gives_what_the_candidate_gave(
    name: str, with_toys: None, tmp_path: Path
) -> None:
    """Whoever has moved the body since: it is opened from disk again."""
    run = run_of(small("text-classification", tmp_path))
    for _ in features_and_probe(run):
        pass
    for candidate in competing(run.ready, trains=True):
        for _ in add(run, candidate):
            pass
    fitted = next(one for one in run.candidates if one.name == name)

    run.keep(fitted)

    saved = ModelFolder(run.folder.path)
    examples = run.ready.examples["valid"]
    again = saved.task.infer(saved.model.to(saved.device.torch), examples, saved.device)
    assert saved.model_record.method == name
    assert again.arrays()[""] == pytest.approx(fitted.outputs["valid"].arrays()[""], abs=1e-4)


# Toys in a whole run


def plan_for(path: Path, **changed: Any) -> Plan:
    settings = {"data.path": str(messages_csv(path / "rows.csv", 120)), "model.name": str(TINY["bert"](path / "bert")),
                "run.precision": "fp32", "run.threads": 1, "train.epochs": 2, "train.lr": 1e-9, "train.patience": 9}  # fmt: skip
    return Plan.build({**settings, "run.out": str(path / "run"), **changed})


def names_of(folder: ModelFolder) -> list[str]:
    return [one["name"] for one in folder.scorecard.record["candidates"]]


def test_a_candidate_of_ones_own_competes_is_told_of_and_may_win(with_toys: None, tmp_path: Path) -> None:
    for other in ("probe", "shaken"):
        del CANDIDATES[other]
    plan = plan_for(tmp_path)

    folder: ModelFolder = result_of(tune(Plan.build(plan.settings() | {"train.head": "fresh"})))

    assert names_of(folder) == ["majority", "tf-idf", "zero-shot", "neighbours", "nearest-mean", "tuned"]
    assert folder.scorecard.chosen == "nearest-mean"
    assert "nearest-mean" in (folder.path / "report.html").read_text()
    rows = [
        json.loads(line) for line in (folder.path / "predictions" / "test.jsonl").read_text().splitlines()
    ]
    assert folder.predict([row["text"] for row in rows]).labels == [row["prediction"] for row in rows]


def test_a_run_with_candidates_of_ones_own_that_was_killed_ends_in_the_same_bytes(
    with_toys: None, tmp_path: Path
) -> None:
    plan = plan_for(tmp_path, **{"train.lr": 3e-3})
    result_of(tune(plan))
    killed = Plan.build(plan.settings() | {"run.out": str(tmp_path / "killed"), "run.save_every": "0.001s"})

    for event in tune(killed):
        if isinstance(event, Stepped) and event.step == 7:
            break
    result_of(tune(plan_of(tmp_path / "killed")))

    assert names_of(ModelFolder(tmp_path / "run"))[-3:] == ["probe", "shaken", "tuned"]
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "run")
