"""A learning rate found by a range test: training for a short while at a rate that rises, then as if nothing had been.

Smith 2017 (arXiv:1506.01186, section 3.3): the loss falls faster and faster while the rate rises, then flattens, then
rises. The rate that is taken is a tenth of the one at which the smoothed loss is lowest, where it still falls clearly.
"""

import math
from dataclasses import dataclass

import torch

from luthier import seeds
from luthier.batches.examples import Examples, Variation
from luthier.batches.order import epoch_order, steps_per_epoch
from luthier.devices import Device
from luthier.models.kernels.dropout import DICE
from luthier.tasks.task import Task
from luthier.train.loop import TrainSettings, Unfreezing
from luthier.train.state import State

LOWEST, HIGHEST, STEPS = 1e-6, 1e-1, 60
SMOOTHING = 0.9
"""Decay of the loss's moving average per step; its start is corrected as that of Adam's moments is."""
BLOWN_UP = 3.0
"""The test ends when the smoothed loss is so many times the lowest one."""
BELOW_LOWEST = 10.0


@dataclass(frozen=True)
class RateTest:
    """What a range test saw."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """The smoothed loss at each rate."""
    lr: float

    def to_json(self) -> dict[str, object]:
        return {"lr": self.lr, "rates": list(self.rates), "losses": list(self.losses)}

    def words(self) -> str:
        """The curve's numbers, at a few rates."""
        few = range(0, len(self.rates), max(1, len(self.rates) // 8))
        curve = ", ".join(f"{self.rates[at]:.0e}: {self.losses[at]:.3f}" for at in few)
        lowest = self.rates[self.losses.index(min(self.losses))]
        return f"Learning rate {self.lr:.1e}, a tenth of the {lowest:.1e} with the lowest loss (rate: loss {curve})."


def find_rate(
    state: State,
    task: Task,
    examples: Examples,
    settings: TrainSettings,
    device: Device,
    seed: int,
    unfreezing: Unfreezing,
) -> RateTest:
    """Run the test on a state, and leave the state as it was."""
    before, counted = state.weights.save(), dict(state.weights.steps)
    per_epoch = steps_per_epoch(len(examples), settings.batch_rows)
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    unfreezing.enter(0)
    for step in range(STEPS):
        epoch, place = divmod(step, per_epoch)
        own = seeds.derive(seed, "rate test")
        rows = epoch_order(examples.padded_lengths, settings.batch_rows, own, epoch)[place]
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        loss, weight = 0.0, 0.0
        state.weights.begin()
        whole = (
            task.learning.compares_rows
        )  # as in training: the model cuts by itself (models/heads/sentence_encoder.py)
        if whole:
            state.model.micro_tokens = settings.micro_tokens  # type: ignore[assignment]
        micros = [rows] if whole else examples.cut(rows, examples.lengths, settings.micro_tokens)
        for part, chosen in enumerate(micros):
            batch = examples.batch(chosen, Variation(seed, epoch)).to(device.torch)
            DICE.throw(seed, step, batch)
            torch.manual_seed(seeds.derive(seed, "rate test", step, part))
            found = task.loss(state.model, batch)
            found.total.backward()
            loss += float(found.total.detach())
            weight += found.weight
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss / weight
        smoothed = mean / (1 - SMOOTHING ** (step + 1))
        norm = state.weights.norm(weight)
        if (
            not math.isfinite(smoothed)
            or not math.isfinite(norm)
            or smoothed > BLOWN_UP * min([smoothed, *losses])
        ):
            break
        rates.append(rate)
        losses.append(smoothed)
        state.weights.step(rate, unfreezing.scales(0), weight, norm, settings.max_norm)
    DICE.keys = None
    state.weights.load(before, counted)
    lowest = rates[losses.index(min(losses))] if rates else LOWEST
    return RateTest(tuple(rates), tuple(losses), float(f"{lowest / BELOW_LOWEST:.2g}"))
