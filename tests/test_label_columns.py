"""What a column of labels holds: marks of several kinds, numbers, times; what is told of it and what is asked."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import DataError, StopFinding
from luthier.plan.plan import Plan
from luthier.steps.rows import Rows, understand
from tiny import messages

TEXTS = [text for text, _ in messages(60)]


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """A table of texts with other columns, each made from the number of a row."""

    def write(**columns: Callable[[int], Any]) -> Path:
        path = tmp_path / "rows.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", *columns])
            writer.writerows(
                [text, *(make(at) for make in columns.values())] for at, text in enumerate(TEXTS)
            )
        return path

    return write


def understood(path: Path, **settings: str) -> Rows:
    return understand(Plan.build({"data.path": str(path), **settings}))


def labels_of(rows: Rows, first: int) -> list[tuple[str, ...]]:
    """The labels of the first rows."""
    found = rows.understood
    return [found.set_names[at] for at in found.label_sets[:first]]


def refusal(path: Path, **settings: str) -> str:
    with pytest.raises((DataError, StopFinding)) as error:
        understood(path, **settings)
    return str(error.value)


# Marks


@pytest.mark.parametrize("named", [{}, {"data.label": "late,broken"}], ids=["guessed", "named"])
@pytest.mark.parametrize(
    ("yes", "no", "said"),
    [
        (1, -1, "columns 'late', 'broken' hold 1 and -1 and no 0, so -1 is taken to say that the label does not hold"),
        ("x", "", "columns 'late', 'broken' are marked or empty, so an empty cell is taken to say that the label does not hold"),
        ("\u2713", "", "columns 'late', 'broken' are marked or empty"),
    ],
)  # fmt: skip
def test_marks_other_than_noughts_and_ones_are_understood_and_told(table, named, yes, no, said):
    path = table(late=lambda at: yes if at % 2 else no, broken=lambda at: yes if at % 3 == 0 else no)

    rows = understood(path, **named)

    assert labels_of(rows, 4) == [("broken",), ("late",), (), ("broken", "late")]
    assert (rows.understanding.rows, rows.understanding.left_out) == (60, 0)
    assert any(said in one for one in (*rows.told, *rows.table.guesses))


def test_beside_noughts_a_minus_one_says_that_nothing_is_known(table):
    path = table(late=lambda at: (1, 0, -1)[at % 3], broken=lambda at: (-1, 1, -1, 0)[at % 4])

    rows = understood(path, **{"data.label": "late,broken"})

    assert rows.understanding.left_out == 5 + 5  # rows of which neither is known
    assert not any("-1 is taken" in one for one in rows.table.guesses)
