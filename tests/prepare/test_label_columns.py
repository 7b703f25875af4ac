"""What a column of labels holds: marks of several kinds, numbers, times; what is told of it and what is asked."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import DataError, StopFinding
from luthier.plan.plan import Plan
from luthier.prepare.rows import Rows, understand
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
    found = rows.understood.answers
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
def test_marks_other_than_noughts_and_ones_are_understood_and_told(
    table: Callable[..., Path], named: dict[str, str], yes: int | str, no: int | str, said: str
) -> None:
    path = table(late=lambda at: yes if at % 2 else no, broken=lambda at: yes if at % 3 == 0 else no)

    rows = understood(path, **named)

    assert labels_of(rows, 4) == [("broken",), ("late",), (), ("broken", "late")]
    assert (rows.understanding.rows, rows.understanding.left_out) == (60, 0)
    assert any(said in one for one in (*rows.told, *rows.table.guesses))


def test_beside_noughts_a_minus_one_says_that_nothing_is_known(table: Callable[..., Path]) -> None:
    path = table(late=lambda at: (1, 0, -1)[at % 3], broken=lambda at: (-1, 1, -1, 0)[at % 4])

    rows = understood(path, **{"data.label": "late,broken"})

    assert rows.understanding.left_out == 5 + 5  # rows of which neither is known
    assert not any("-1 is taken" in one for one in rows.table.guesses)


# Numbers, and what looks like them


def test_a_number_that_stands_behind_several_others_and_never_alone_is_asked_about_and_each_remedy_works(
    table: Callable[..., Path],
) -> None:
    path = table(mood=lambda at: f"{at % 5 * 5},27" if at % 3 == 0 else at % 5 * 5)

    assert "which may be the numbers of several labels or one number with a decimal comma" in refusal(path)
    assert understood(path, **{"task.labels_per_row": "many"}).labels == ("0", "5", "10", "15", "20", "27")
    assert understood(path, **{"task.name": "regression", "data.decimal": "comma"}).kind.name == "regression"


def test_prices_that_end_alike_are_not_asked_about(table: Callable[..., Path]) -> None:
    path = table(preis=lambda at: f"{at % 15 + 3},99" if at % 3 else at % 15 + 3)

    assert understood(path).kind.name == "regression"


@pytest.mark.parametrize(
    "make",
    [
        lambda at: f"0:{at % 30:02d}:39",
        lambda at: f"2024-{at % 10 + 1:02d}-{at % 3 + 10}",
        lambda at: f"2024-01-{at % 30 + 1:02d}T08:00:00Z",
        lambda at: f"{at % 30 + 1}.1.2024 8:30 am",
        lambda at: f"v1.{at % 30}.0",
    ],
    ids=["durations", "dates", "times", "times of the day", "versions"],
)
def test_many_different_times_and_versions_are_refused_as_labels_unless_the_task_is_named(
    table: Callable[..., Path], make: Callable[..., Any]
) -> None:
    path = table(label=make)

    assert "30 different values such as " in (why := refusal(path))
    assert "which look like dates, times or versions rather than labels" in why
    assert len(understood(path, **{"task.name": "text-classification"}).labels) == 30


def test_a_word_for_nothing_among_numbers_is_left_out_and_not_told_to_be_a_label(
    table: Callable[..., Path],
) -> None:
    rows = understood(table(price=lambda at: "N/A" if at % 10 == 0 else f"{at * 3.5:.2f}"))

    assert (rows.kind.name, rows.understanding.left_out_by) == ("regression", {"no label": 6})
    assert not any("taken for" in one for one in rows.told)


def test_a_word_for_nothing_that_is_as_frequent_as_other_labels_is_told_to_be_one(
    table: Callable[..., Path],
) -> None:
    rows = understood(table(label=lambda at: ("good", "bad", "N/A")[at % 3]))

    assert any(
        "'N/A' in column 'label' is as frequent as other labels and taken for one" in one for one in rows.told
    )
