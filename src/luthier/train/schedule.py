"""The learning rate over the steps of a run."""


def warm_then_linear(step: int, steps: int, warmup: float) -> float:
    """Multiplier of the peak rate: rises over the first `warmup` share of `steps`, then falls linearly towards zero.

    `step` counts from 0, and no step gets zero: a step that moves nothing would be a step for nothing.

    >>> [round(warm_then_linear(step, 4, 0.5), 2) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warm = max(1, round(warmup * steps))
    if step < warm:
        return (step + 1) / warm
    return (steps - step) / max(1, steps - warm)
