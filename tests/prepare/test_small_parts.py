"""What a run says of parts of the split that are small: in the words of its task, and nothing where they are not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from luthier.plan.plan import Plan
from luthier.prepare.rows import understand
from luthier.tasks.regression import Regression
from tiny import write_jsonl

Rows = list[dict[str, Any]]


def texts(count: int, **columns: list[Any]) -> Rows:
    """Rows of texts, and columns whose values come in turns."""
    return [
        {"text": f"row {at}", **{name: values[at % len(values)] for name, values in columns.items()}}
        for at in range(count)
    ]


def warnings(folder: Path, rows: Rows, **settings: Any) -> list[str]:
    data = write_jsonl(folder / "rows.jsonl", rows)
    plan = Plan.build({"data.path": str(data), **settings})
    return list(understand(plan).split.warnings)


def test_few_rows_are_said_to_be_few(tmp_path: Path) -> None:
    assert warnings(tmp_path, texts(20, label=["good", "bad"]), **{"data.validation": "held-out"}) == [
        "The test part has 4 rows: a score of 80 % would be known to about 39 points either way. "
        "More test rows make the numbers firmer.",
        "Only 2 rows to calibrate on, which is too few: probabilities are the model's own, which are often too sure.",
    ]


def test_of_numbers_few_rows_mean_other_things(tmp_path: Path) -> None:
    assert warnings(tmp_path, texts(20, score=[at / 7 for at in range(20)])) == [
        "The test part has 4 rows: a correlation of 0.80 could be anything from -0.70 to 1.00 on all such rows. "
        "More test rows make the numbers firmer.",
        "Only 2 rows to calibrate on, which is too few: no number comes with an interval.",
    ]


def test_many_rows_are_not_talked_about(tmp_path: Path) -> None:
    assert warnings(tmp_path, texts(2000, label=["good", "bad"])) == []


def test_a_label_without_a_test_row_is_named(tmp_path: Path) -> None:
    rows = texts(1500, label=["good", "bad"]) + [{"text": f"odd {at}", "label": "odd"} for at in range(2)]

    assert warnings(tmp_path, rows) == [
        "Not in the test part: rows that have the label 'odd'. How well they are answered is not known."
    ]


def test_a_task_that_calibrates_nothing_is_not_told_of_it(tmp_path: Path) -> None:
    rows = texts(40, text2=[f"answer {at}" for at in range(40)])

    found = warnings(tmp_path, rows, **{"task.name": "embedding"})

    assert [text for text in found if "calibrate" in text] == []


@pytest.mark.parametrize("rows", [10, 100])
def test_the_interval_of_a_correlation_is_scipys(rows: int) -> None:
    first, noise = np.random.default_rng(0).normal(size=(2, rows))
    noise -= np.polyval(np.polyfit(first, noise, 1), first)
    second = 0.8 * (first - first.mean()) / first.std() + 0.6 * noise / noise.std()
    found = stats.pearsonr(first, second)
    assert found.statistic == pytest.approx(0.8)

    low, high = found.confidence_interval(0.95)

    assert Regression(mean=0.0, spread=1.0).firmness(rows) == (
        f"a correlation of 0.80 could be anything from {low:.2f} to {high:.2f} on all such rows"
    )
