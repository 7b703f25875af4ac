"""One table says of each metric how it is called, which way it is better, and how it is measured for every task that has it."""

import json
from pathlib import Path

import numpy as np
import pytest

from luthier.plan.plan import fields
from luthier.report.numbers import shown
from luthier.scores.evidence import Estimated
from luthier.scores.measures import OfAll, PerRow
from luthier.scores.metrics import ADAPTATION, CHAT, METRICS, PREFERENCE, judging, metric_named
from luthier.tasks import TASKS


def lines_of(file: Path) -> list[str]:
    """Lines of code, without the examples of docstrings."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.lstrip().startswith(">>>")]


def test_every_task_may_be_judged_by_something_and_no_metric_is_of_an_unknown_task() -> None:
    assert all(judging(task) for task in TASKS)
    measured = {task for metric in METRICS.values() for task in metric.measures}
    assert measured == TASKS.keys() | {CHAT, PREFERENCE, ADAPTATION}


def test_what_judges_a_task_can_be_measured_there() -> None:
    assert all(set(metric.judges) <= metric.measures.keys() for metric in METRICS.values())


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.judges])
def test_the_help_names_what_a_task_may_be_judged_by(name: str) -> None:
    assert name in str(fields()["task.metric"].description)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_said_in_words(name: str) -> None:
    metric = METRICS[name]

    assert metric.title[0].isupper()
    assert metric.words[0].islower() or metric.words == metric.title or metric.words.split()[0] in ("Brier",)
    assert metric.meaning


def test_a_metric_of_a_newer_version_is_called_by_its_key() -> None:
    assert metric_named("word_error_rate").title == "Word error rate"


def test_a_metric_may_mean_something_of_its_own_in_a_task() -> None:
    assert "answer" in shown("f1", "question-answering").meaning
    assert shown("f1", "token-classification").meaning == METRICS["f1"].meaning


def test_estimates_that_are_right_have_the_best_value_of_each_metric_of_numbers() -> None:
    truth = np.array([1.0, 2.0, 4.0, 3.0, 8.0])
    found = Estimated(truth, truth)

    values = {
        name: metric.measures["regression"](found).value
        for name, metric in METRICS.items()
        if "regression" in metric.measures
    }

    assert values == {"spearman": 1.0, "pearson": pytest.approx(1.0), "r2": 1.0, "mae": 0.0}


def test_two_measures_are_compared_on_the_same_rows() -> None:
    better, worse = (
        PerRow(np.array([1.0] * right + [0.0] * (100 - right)), share=True) for right in (90, 60)
    )

    gap = better.minus(worse, seed=0)

    assert gap.value == pytest.approx(0.3)
    assert gap.low > 0
    assert better.standard_error(worse, 0) == pytest.approx(np.std([1.0] * 30 + [0.0] * 70, ddof=1) / 10)


def test_a_measure_of_some_rows_is_that_of_them_alone() -> None:
    random = np.random.default_rng(0)
    truth, said = random.random(40), random.random(40)
    spearman = METRICS["spearman"].measures["regression"]
    some = np.arange(5, 30)

    assert isinstance(spearman(Estimated(truth, said)), OfAll)
    assert spearman(Estimated(truth, said)).of(some) == spearman(Estimated(truth[some], said[some])).value


def test_the_names_stand_nowhere_else() -> None:
    """A metric that is named in code is a metric that a second place must learn of."""
    source = Path(__file__).parents[2] / "src" / "luthier"
    at_home = {source / "scores" / "metrics.py", source / "tasks"}
    named = [
        f"{file.relative_to(source)}: {name}"
        for file in sorted(source.rglob("*.py"))
        if not any(file == home or home in file.parents for home in at_home)
        for name in ("macro_f1", "exact_match", "spearman", "recall_at_10", "log_loss", "brier", "mae")
        if any(json.dumps(name) in line for line in lines_of(file))
    ]

    assert named == []
