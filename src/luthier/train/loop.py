"""The loop: one function, in the order of time, that yields what happens."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from luthier import seeds
from luthier.batches.examples import Examples, Ints
from luthier.batches.order import cut_by_budget, epoch_order, steps_per_epoch
from luthier.devices import Device
from luthier.errors import WorldError
from luthier.events import Event, Stepped, Stopped, Validated
from luthier.tasks.task import Task
from luthier.train.schedule import warm_then_linear
from luthier.train.state import State


@dataclass(frozen=True)
class Pace:
    """How long, how fast, how often: the numbers of a plan and a recipe that the loop needs."""

    lr: float
    batch_rows: int
    epochs: float
    weight_decay: float
    warmup: float
    max_norm: float
    validations: int
    """Per epoch."""
    patience: int
    """Validations without a better score before it stops."""
    micro_tokens: int = 16_384
    """Padded tokens that go through the model at once; a larger step is cut into micro-batches."""

    def steps(self, rows: int) -> int:
        """Optimizer steps of the whole run."""
        return max(1, math.ceil(self.epochs * steps_per_epoch(rows, self.batch_rows)))


def train(
    state: State,
    task: Task,
    examples: Examples,
    validate: Callable[[], tuple[float, float]],
    pace: Pace,
    device: Device,
    seed: int,
    clock: Callable[[], float],
    until: float = math.inf,
    stop: Callable[[], bool] = lambda: False,
    name: str = "tuned",
) -> Iterator[Event]:
    """Train until the epochs are over, validation stops improving, `clock()` passes `until`, or `stop()`.

    Gradients are those of the mean over the whole step: losses are summed over micro-batches and divided by the summed
    weight, so a step split in four equals the step whole. Order and dropout are functions of (seed, step): a run does not
    depend on how often it was looked at. `validate` gives (score, loss). The state ends at the best validation.
    """
    rows = len(examples)
    lengths = examples.lengths
    per_epoch = steps_per_epoch(rows, pace.batch_rows)
    steps = pace.steps(rows)
    validate_at = validation_steps(steps, per_epoch, pace.validations)
    order: list[Ints] = []
    why = "epochs"

    while state.step < steps:
        epoch, place = divmod(state.step, per_epoch)
        if place == 0 or not order:
            order = epoch_order(lengths, pace.batch_rows, seed, epoch)
        lr = pace.lr * warm_then_linear(state.step, steps, pace.warmup)
        for group in state.optimizer.param_groups:
            group["lr"] = lr

        state.model.train()
        loss, weight, tokens = 0.0, 0.0, 0
        for part, chosen in enumerate(cut_by_budget(order[place], lengths, pace.micro_tokens)):
            batch = examples.batch(chosen).to(device.torch)
            torch.manual_seed(seeds.derive(seed, "dropout", state.step, part))
            with device.fast():
                found = task.loss(state.model, batch)
            found.total.backward()  # type: ignore[no-untyped-call]
            loss, weight, tokens = (
                loss + float(found.total.detach()),
                weight + found.weight,
                tokens + batch.tokens,
            )
        divide_gradients(state.model, weight)
        norm = float(torch.nn.utils.clip_grad_norm_(state.model.parameters(), pace.max_norm))
        if not math.isfinite(norm):
            raise WorldError(
                f"{name}, step {state.step + 1}: the gradient is not finite (loss {loss / weight:g}, learning rate {lr:g}). "
                f"Nothing was kept of this step. Try a smaller learning rate: --lr {pace.lr / 4:g}"
            )
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.step += 1
        yield Stepped(
            name,
            state.step,
            state.step / per_epoch,
            loss / weight,
            lr,
            norm,
            len(order[place]),
            tokens,
            clock(),
        )

        halted = None
        if state.step < steps:
            halted = "interrupted" if stop() else "budget" if clock() > until else None
        if state.step in validate_at or (halted and state.best_weights):
            score, valid_loss = validate()
            best = state.remember(score, valid_loss)
            yield Validated(
                name, state.step, state.step / per_epoch, task.metric, score, valid_loss, best, clock()
            )
        if halted:
            why = halted
            break
        if state.validations_since_best >= pace.patience:
            why = "patience"
            break

    state.restore_best()
    yield Stopped(name, state.step, why, state.best_step, clock())


def validation_steps(steps: int, per_epoch: int, per_epoch_validations: int) -> set[int]:
    """The steps after which validation is scored: evenly over each epoch, and at the end.

    >>> sorted(validation_steps(25, 10, 2))
    [5, 10, 15, 20, 25]
    """
    times = math.ceil(steps / per_epoch) * per_epoch_validations
    marks = {math.ceil((at + 1) * per_epoch / per_epoch_validations) for at in range(times)}
    return {mark for mark in marks if mark < steps} | {steps}


def divide_gradients(model: torch.nn.Module, weight: float) -> None:
    """Turn the gradient of the sum over a step into that of its mean."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    torch._foreach_div_(gradients, weight)
