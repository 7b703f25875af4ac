"""Which trial a search ends with: the best, or one that is as good and cheaper."""

from dataclasses import replace

import numpy as np
import pytest

from luthier.scores.measures import PerRow
from luthier.scores.metrics import METRICS, Metric
from luthier.searching.winner import Entrant, chance, corrected, name, spread_words
from luthier.tasks.classification.task import Classification, Labels


def labels(chosen: np.ndarray) -> Labels:
    """Answers of which the labels alone matter."""
    return Labels(np.zeros((len(chosen), 2)), chosen)


def entrant(number: int, score: float, work: float) -> Entrant:
    return Entrant(number, score, work, labels(np.zeros(0, np.int64)))


def named(*entrants: Entrant, error: float = 0.05) -> int:
    return name(entrants, lambda best, other: error, "accuracy").number


@pytest.mark.parametrize(
    "entrants",
    [
        (entrant(0, 0.80, 1.0), entrant(1, 0.90, 2.0)),
        (entrant(0, 0.86, 4.0), entrant(1, 0.90, 9.0), entrant(2, 0.87, 2.0), entrant(3, 0.88, 3.0)),
        (entrant(0, 0.88, 4.0), entrant(1, 0.90, 9.0), entrant(2, 0.87, 2.0)),
    ],
)
def test_where_lower_is_better_the_one_with_the_same_lead_is_named(entrants: tuple[Entrant, ...]) -> None:
    losses = [replace(one, score=1 - one.score) for one in entrants]

    found = name(losses, lambda best, other: 0.05, "log_loss")

    assert found.number == named(*entrants)
    assert found.score == next(one.score for one in losses if one.number == found.number)


def test_the_best_is_named_where_none_that_is_as_good_is_cheaper() -> None:
    assert named(entrant(0, 0.80, 1.0), entrant(1, 0.90, 2.0)) == 1
    assert named(entrant(0, 0.88, 1.7), entrant(1, 0.90, 2.0)) == 1, "0.85 of its work is not much cheaper"


def test_the_cheapest_within_one_standard_error_is_named() -> None:
    assert (
        named(entrant(0, 0.86, 4.0), entrant(1, 0.90, 9.0), entrant(2, 0.87, 2.0), entrant(3, 0.88, 3.0)) == 2
    )


def test_nothing_below_the_recipe_is_named_because_it_is_cheap() -> None:
    assert named(entrant(0, 0.88, 4.0), entrant(1, 0.90, 9.0), entrant(2, 0.87, 2.0)) == 0


def test_of_those_that_cost_nothing_none_is_cheaper_than_another() -> None:
    """Where the probe was kept no work counts."""
    assert named(*(entrant(number, 0.9, 0.0) for number in range(3))) == 0
    assert named(entrant(0, 0.80, 0.0), entrant(1, 0.86, 0.0), entrant(2, 0.90, 0.0), error=0.05) == 2


def test_chance_is_the_scatter_between_seeds_or_else_that_of_the_rows() -> None:
    assert chance([[0.8, 0.9], [0.7]], row_error=0.2) == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert chance([[0.8], [0.7]], row_error=0.2) == pytest.approx(0.2 / 2**0.5)


@pytest.mark.parametrize("higher", [True, False])
def test_luck_is_taken_out_of_the_best_of_many(monkeypatch: pytest.MonkeyPatch, higher: bool) -> None:
    if not higher:
        measures = {"text-classification": lambda found: PerRow(1 - found.right, share=True)}
        monkeypatch.setitem(
            METRICS, "accuracy", Metric("Errors", "the share that is wrong", measures, higher=False)
        )
    dice = np.random.default_rng(0)
    task, targets = Classification(labels=("a", "b")), dice.integers(2, size=300)
    guesses = [labels(dice.integers(2, size=300)) for _ in range(60)]
    best = max(task.goodness(task.score(one, targets)) for one in guesses)

    found = corrected(task, guesses, targets, seed=0)

    assert best > (0.55 if higher else -0.45), "by luck alone"
    assert found is not None
    assert found.value == pytest.approx(0.5, abs=0.025)
    assert found.low < 0.5 < found.high


def test_it_takes_nothing_from_one_that_is_better_indeed() -> None:
    dice = np.random.default_rng(0)
    task, targets = Classification(labels=("a", "b")), dice.integers(2, size=300)
    good = labels(np.where(dice.random(300) < 0.9, targets, 1 - targets))
    guesses = [labels(dice.integers(2, size=300)) for _ in range(20)]

    found = corrected(task, [*guesses, good], targets, seed=0)

    assert found is not None
    assert found.value == pytest.approx(task.score(good, targets), abs=0.01)


def test_of_few_rows_nothing_is_told() -> None:
    task, targets = Classification(labels=("a", "b")), np.zeros(20, np.int64)
    assert corrected(task, [labels(targets)], targets, seed=0) is None


def test_a_spread_within_chance_is_called_noise() -> None:
    assert spread_words([0.80, 0.81, 0.82], 0.02, "accuracy").endswith(
        "the difference between these trials is noise."
    )
    assert "noise" not in spread_words([0.70, 0.80, 0.90], 0.02, "accuracy")
    assert spread_words([0.7, 0.9], 0.02, "accuracy") == ""
