"""The learning rate over the steps of a run: against closed forms, and against transformers."""

import math

import pytest
import torch
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

from luthier.train.schedule import multiplier

SCHEDULES = ("linear", "cosine", "constant")
RUNS = [(1, 0.1), (2, 0.5), (10, 0.0), (100, 0.1), (7, 1.0), (1000, 0.06)]
"""Steps and share of warm-up."""


def course(schedule: str, steps: int, warmup: float) -> list[float]:
    return [multiplier(schedule, step, steps, warmup) for step in range(steps)]


def theirs(schedule: str, steps: int, warm: int) -> list[float]:
    """The multipliers of transformers, one more than there are steps."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    made = {
        "linear": lambda: get_linear_schedule_with_warmup(optimizer, warm, steps),
        "cosine": lambda: get_cosine_schedule_with_warmup(optimizer, warm, steps),
        "constant": lambda: get_constant_schedule_with_warmup(optimizer, warm),
    }[schedule]()
    return [made.lr_lambdas[0](step) for step in range(steps + 1)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("steps", "warmup"), RUNS)
def test_the_rate_is_that_of_transformers_whose_warm_up_is_one_step_late(
    schedule: str, steps: int, warmup: float
) -> None:
    """Theirs begins with a step of zero, so the peak comes a step later; on the way down both are the same."""
    warm = max(1, round(warmup * steps))

    found, expected = course(schedule, steps, warmup), theirs(schedule, steps, warm)

    assert found[: warm - 1] == pytest.approx(expected[1:warm])
    assert found[warm - 1] == 1
    assert found[warm:] == pytest.approx(expected[warm:steps])


@pytest.mark.parametrize(
    ("schedule", "half"), [("linear", 0.5), ("cosine", 0.5), ("constant", 1.0)]
)  # fmt: skip
def test_the_way_down_has_its_closed_form(schedule: str, half: float) -> None:
    """20 steps of warm-up, 80 of the way down: a quarter, a half and three quarters of it."""
    quarter = {"linear": 0.75, "cosine": (1 + math.cos(math.pi / 4)) / 2, "constant": 1.0}[schedule]
    three = {"linear": 0.25, "cosine": (1 - math.cos(math.pi / 4)) / 2, "constant": 1.0}[schedule]

    found = course(schedule, 100, 0.2)

    assert [found[at] for at in (9, 19, 20, 40, 60, 80)] == pytest.approx([0.5, 1, 1, quarter, half, three])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("steps", "warmup"), RUNS)
def test_no_step_is_for_nothing_and_none_beyond_the_peak(schedule: str, steps: int, warmup: float) -> None:
    found = course(schedule, steps, warmup)

    assert min(found) > 0
    assert max(found) == 1
