"""Which trial a search ends with: the best, or one that is as good and cheaper."""

import numpy as np
import pytest

from luthier.searching.winner import Entrant, chance, name, spread_words


def entrant(number: int, score: float, work: float) -> Entrant:
    return Entrant(number, score, work, np.zeros(0))


def named(*entrants: Entrant, error: float = 0.05) -> int:
    return name(entrants, lambda best, other: error, "accuracy").number


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


def test_a_spread_within_chance_is_called_noise() -> None:
    assert spread_words([0.80, 0.81, 0.82], 0.02, "accuracy").endswith(
        "the difference between these trials is noise."
    )
    assert "noise" not in spread_words([0.70, 0.80, 0.90], 0.02, "accuracy")
    assert spread_words([0.7, 0.9], 0.02, "accuracy") == ""
