"""The forecast of what rows without labels teach a body: all its steps, and its looks at the rows that say when to stop."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.candidates.adapting.lesson import Lessons, lessons_of
from luthier.candidates.adapting.training import SHARES
from luthier.forecast import adapting
from luthier.forecast.adapting import adapting_seconds, looking_seconds, stepping_seconds
from luthier.forecast.timing import Bench
from luthier.plan.plan import Plan
from luthier.prepare.prepare import Prepared, prepare
from tiny import TINY_IMAGES, images_folder, messages, messages_csv

MICRO, END = 2.0, 0.5
"""Seconds of a micro-batch and of the end of its step."""


def ready_of(home: Path, model: Path, free: int = 400, budget: str | None = None) -> Prepared:
    messages_csv(home / "rows.csv", 40)
    with open(home / "more.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text, _ in messages(free, seed=7))])
    quick = {"train.method": "probe", "run.precision": "fp32", "run.threads": 1, "run.out": str(home / "run")}
    places = {"data.path": str(home / "rows.csv"), "data.unlabelled": str(home / "more.csv")}
    return prepare(Plan.build({**places, "model.name": str(model), **quick, "run.budget": budget}))


def lessons_in(ready: Prepared) -> Lessons:
    found = lessons_of(ready)
    assert isinstance(found, Lessons)
    return found


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each micro-batch that is tried; each takes as long as the others."""
    rows: list[int] = []

    def step(self: Bench, examples: Any, chosen: Any, epoch: int, *clock: Any) -> tuple[float, float]:
        rows.append(len(chosen))
        return MICRO, END

    monkeypatch.setattr(Bench, "step", step)
    return rows


@pytest.mark.parametrize("name", ["sentence_bert", "bert"])
def test_every_step_is_counted(name: str, tmp_path: Path, tiny_model: Any, steps: list[int]) -> None:
    lessons = lessons_in(ready_of(tmp_path, tiny_model(name)))
    learnt = len(lessons.parts[0])

    found = stepping_seconds(lessons, lessons.model())

    assert found == pytest.approx(lessons.settings.steps(learnt) * (MICRO + END), rel=1e-6)
    assert len(steps) <= 4, "a few are tried, the first of them twice"


def test_what_is_asked_of_the_rows_that_stop_it_is_counted(
    tmp_path: Path, sentence_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons = lessons_in(ready_of(tmp_path, sentence_bert))
    now = iter(np.arange(0.0, 100.0, 1.0))  # each look at the clock is a second after the one before
    monkeypatch.setattr("luthier.forecast.adapting.time.perf_counter", lambda: float(next(now)))

    found = looking_seconds(lessons, lessons.model())

    per_epoch = -(-len(lessons.parts[0]) // lessons.settings.batch_rows)
    validations = -(-lessons.settings.steps(len(lessons.parts[0])) // per_epoch)  # one an epoch
    assert found == pytest.approx((validations + 1 + len(SHARES)) * len(lessons.parts[1]) / 64)


def test_a_model_that_is_its_own_teacher_reads_all_rows_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, more = images_folder(tmp_path / "images", 30), images_folder(tmp_path / "more", 70, seed=9)
    model = TINY_IMAGES["mobilenet_v2"](tmp_path / "model")
    plan = Plan.build(
        {"data.path": str(data), "data.unlabelled": str(more), "model.name": str(model), "run.out": str(tmp_path / "run"),
         "train.method": "probe", "run.precision": "fp32", "run.threads": 1}
    )  # fmt: skip
    lessons = lessons_in(prepare(plan))
    now = iter(np.arange(0.0, 100.0, 1.0))
    monkeypatch.setattr("luthier.forecast.adapting.time.perf_counter", lambda: float(next(now)))

    found = looking_seconds(lessons, lessons.model())

    looks = 3 + 1 + len(SHARES)  # three epochs, once more in the end, and at each share of the way back
    assert found == pytest.approx(70 / 64 + looks * len(lessons.parts[1]) / 64)


def test_a_quarter_of_a_budget_is_the_most_that_it_learns(
    tmp_path: Path, sentence_bert: Path, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting, "comparing_seconds", lambda *_: 0.0)
    ready = ready_of(tmp_path, sentence_bert, budget="40s")

    assert adapting_seconds(ready, reading=3.0) == 10.0 + 3.0


def test_nothing_is_foretold_where_the_body_learns_nothing(tmp_path: Path, sentence_bert: Path) -> None:
    assert adapting_seconds(ready_of(tmp_path, sentence_bert, free=30), reading=3.0) == 0.0


def test_trying_steps_leaves_the_run_as_it_is(tmp_path: Path, sentence_bert: Path) -> None:
    ready = ready_of(tmp_path, sentence_bert)
    before = {name: tensor.clone() for name, tensor in ready.model.state_dict().items()}

    assert adapting_seconds(ready, reading=0.0) > 0

    assert all(bool((before[name] == tensor).all()) for name, tensor in ready.model.state_dict().items())
