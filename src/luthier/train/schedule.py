"""The learning rate over the steps of a run."""

import math


def multiplier(schedule: str, step: int, steps: int, warmup: float) -> float:
    """Multiplier of the peak rate: rises over the first `warmup` share of `steps`, then follows `schedule`.

    `linear` falls straight towards zero, `cosine` along half a period (SGDR, arXiv:1608.03983, eq. 5, without restarts),
    `constant` stays. `step` counts from 0, and no step gets zero: a step that moves nothing would be a step for nothing.

    >>> [round(multiplier("linear", step, 4, 0.5), 2) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warm = max(1, round(warmup * steps))
    if step < warm:
        return (step + 1) / warm
    left = (steps - step) / max(1, steps - warm)
    return {"linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "constant": 1.0}[schedule]
