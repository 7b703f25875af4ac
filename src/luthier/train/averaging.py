"""A moving average over steps."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Averaging:
    """The decay of an exponential moving average over steps, small at first so that the beginning is soon forgotten."""

    decay: float
    logs: list[float] = field(default_factory=lambda: [0.0])
    """Logarithm of the product of all decays up to each step."""

    def advance(self) -> None:
        """Count one more step. Its decay is that of TensorFlow's ExponentialMovingAverage: min(decay, (1 + step) / (10 +
        step))."""
        step = len(self.logs) - 1
        self.logs.append(self.logs[-1] + math.log(min(self.decay, (1 + step) / (10 + step))))

    def kept(self, since: Tensor) -> Tensor:
        """How much is left now of an average that was last brought up to date at the steps `since`."""
        logs = torch.tensor(self.logs, dtype=torch.float64)
        return (logs[-1] - logs[since]).exp()

    @property
    def last(self) -> float:
        """The decay of the last step."""
        return math.exp(self.logs[-1] - self.logs[-2])

    @property
    def step(self) -> int:
        return len(self.logs) - 1
