"""What a step is foretold to take, which training is measured by once it runs."""

from dataclasses import replace

import numpy as np
import pytest

from luthier.forecast.forecast import Forecast
from luthier.forecast.outline import Outline, Stage


def forecast(train: float, stages: int = 1) -> Forecast:
    """What is foretold of ten steps, in so many stages."""
    stage = Stage(0, 0, False, 10, 1, [np.arange(4)], 1.0)
    return Forecast({"train": train}, 1, {}, Outline(10, 1, (stage,) * stages))


def test_a_step_takes_its_share_of_training() -> None:
    assert forecast(25.0).step_seconds == pytest.approx(2.5)


def test_a_budget_that_leaves_time_for_half_of_the_steps_makes_none_of_them_quicker() -> None:
    assert replace(forecast(12.5), unbounded=25.0).step_seconds == pytest.approx(2.5)


def test_no_pace_is_foretold_where_time_is_over_before_the_first_step() -> None:
    assert forecast(0.0).step_seconds is None


def test_no_pace_is_foretold_where_steps_differ() -> None:
    assert forecast(25.0, stages=2).step_seconds is None
