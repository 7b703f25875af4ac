"""The loop: one function, in the order of time, that yields what happens."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from luthier import seeds
from luthier.arrays import Ints
from luthier.batches.examples import Batch, Examples, Variation
from luthier.batches.order import epoch_order, steps_per_epoch
from luthier.devices import Device
from luthier.errors import WorldError
from luthier.events import Event, Noted, Stepped, Stopped, Validated, WentBack
from luthier.models.kernels.dropout import DICE
from luthier.tasks.task import Taught
from luthier.train.checkpoints import Checkpoints
from luthier.train.replay import Replay
from luthier.train.schedule import multiplier
from luthier.train.state import State

TRIES = 3
"""How often a run goes back, with half the rate, before it gives up."""


@dataclass(frozen=True)
class TrainSettings:
    """How long, how fast, how often: the numbers of a plan and a recipe that the loop needs."""

    lr: float
    batch_rows: int
    epochs: float
    weight_decay: float
    warmup: float
    max_norm: float
    validations: int
    """Number of validations per epoch; 0: none at all, and the last state is the one that is kept."""
    patience: int
    """Number of validations without a better score after which training stops."""
    micro_tokens: int = 16_384
    """Padded tokens that go through the model at once; a larger step is cut into micro-batches."""
    schedule: str = "linear"

    def steps(self, rows: int) -> int:
        """Optimizer steps of the whole run."""
        return max(1, math.ceil(self.epochs * steps_per_epoch(rows, self.batch_rows)))


class Unfreezing(Protocol):
    """Which rungs move, and how fast, in each epoch (train/unfreezing.py)."""

    def enter(self, epoch: int) -> None:
        """Make the model ready to train in this epoch: what is frozen computes as it will be used."""

    def scales(self, epoch: int) -> dict[int, float]:
        """Multiplier of the learning rate by rung; zero means frozen."""
        ...


@dataclass(frozen=True)
class Lesson:
    """What is learnt: some rows, what they teach, and how it is known whether that helps."""

    task: Taught
    examples: Examples
    validate: Callable[[], tuple[float, float]]
    """Score and loss on rows that are not learnt from; the task knows which way its score is better."""
    seed: int = 0
    """Decides the order of the rows, how each is varied, and dropout."""
    groups: Ints | None = None
    """(rows,) labels from which rows are drawn alike often; None: every row once an epoch."""
    name: str = "tuned"
    """The candidate that is trained, as events call it."""
    beside: Callable[[Batch], Tensor] | None = None
    """What is added to the loss of a batch that has just gone through the model, summed over its rows; None: nothing."""
    replay: Replay | None = None
    """General rows that are learnt in each step too; None: none."""


@dataclass(frozen=True)
class Ending:
    """What ends a training before its epochs are over, beside a validation that no longer improves."""

    over: Callable[[], str] = lambda: ""
    """Why it is to end where it is, asked after each step; empty: it goes on."""
    stop: Callable[[], bool] = lambda: False
    """Whether somebody wants it to stop, and to go on later."""
    ceiling: float = math.inf
    """The goodness (`Task.goodness`) of a validation score from which on no better one is looked for."""
    lonely: bool = False
    """Whether there is no other model to hand back: one that was never validated is, before it ends."""


OF_ITSELF = Ending()
"""Nothing else ends it."""


def train(
    state: State,
    lesson: Lesson,
    settings: TrainSettings,
    unfreezing: Unfreezing,
    device: Device,
    clock: Callable[[], float],
    ending: Ending = OF_ITSELF,
    checkpoints: Checkpoints | None = None,
) -> Iterator[Event]:
    """Train until the epochs are over, validation stops improving, or `ending` says so; yield what happens.

    Gradients are those of the mean over the whole step: losses are summed over micro-batches and divided by the summed
    weight, so a step split in four equals the step whole. Order and dropout are functions of (seed, step, row): a run
    depends neither on how often it was looked at nor on where it was resumed. The state ends at the best validation.
    """
    task, examples, seed, name = lesson.task, lesson.examples, lesson.seed, lesson.name
    rows, lengths = len(examples), examples.lengths
    sorted_by = np.zeros(rows, np.int64) if task.learning.mixes_lengths else examples.padded_lengths
    per_epoch = steps_per_epoch(rows, settings.batch_rows)
    steps = settings.steps(rows)
    marks = validation_steps(steps, per_epoch, settings.validations)
    order: list[Ints] = []
    entered, varied = -1, Variation(seed, 0)
    why = "epochs"
    looked = clock()
    if checkpoints is not None:
        checkpoints.shelve(state)
        if not checkpoints.steps():
            checkpoints.save(state)  # to which every run can go back

    while state.step < steps:
        if state.best_score >= ending.ceiling:
            why = "ceiling"
            break
        if state.validations_since_best >= settings.patience:
            why = "patience"
            break
        epoch, place = divmod(state.step, per_epoch)
        if epoch != entered:
            order = epoch_order(sorted_by, settings.batch_rows, seed, epoch, lesson.groups)
            unfreezing.enter(epoch)
            entered, varied = epoch, Variation(seed, epoch)
        decided = decisions_at(state.step, checkpoints)
        lr = settings.lr * decided.rate * multiplier(settings.schedule, state.step, steps, settings.warmup)
        micro_tokens = decided.micro_tokens or settings.micro_tokens

        loss, weight, tokens = 0.0, 0.0, 0
        state.weights.begin()
        try:
            micros = (
                [order[place]]
                if task.learning.compares_rows
                else examples.cut(order[place], lengths, micro_tokens)
            )
            if task.learning.compares_rows:
                state.model.micro_tokens = micro_tokens  # type: ignore[assignment]  # it cuts by itself
            after = order[place + 1 : place + 2]
            ahead = [*micros[1:], *(examples.cut(rows, lengths, micro_tokens)[0] for rows in after)]
            for part, chosen in enumerate(micros):
                if part < len(ahead):
                    examples.expect(ahead[part], varied)
                batch = examples.batch(chosen, varied).to(device.torch)
                DICE.throw(seed, state.step, batch)
                torch.manual_seed(seeds.derive(seed, "torch", state.step, part))
                found = task.loss(state.model, batch)
                total = found.total if lesson.beside is None else found.total + lesson.beside(batch)
                total.backward()
                loss += float(total.detach())
                weight += found.weight
                tokens += batch.tokens
            for part, batch in enumerate(replayed(lesson.replay, state.step, micro_tokens)):
                batch = batch.to(device.torch)
                DICE.throw(seeds.derive(seed, "replay"), state.step, batch)
                torch.manual_seed(seeds.derive(seed, "replay", "torch", state.step, part))
                found = task.loss(state.model, batch)
                found.total.backward()
                loss += float(found.total.detach())
                weight += found.weight
                tokens += batch.tokens
        except (MemoryError, RuntimeError) as error:
            if not ran_out_of_memory(error):
                raise
            yield Noted(
                smaller(state, order[place], examples, micro_tokens, checkpoints, error),
                clock(),
                warning=True,
            )
            continue
        norm = state.weights.norm(weight)
        if not math.isfinite(norm) or not math.isfinite(loss):
            failed = FailedStep(name, order[place], loss / weight, lr)
            yield go_back(state, failed, last_mark(marks, state.step), checkpoints, clock())
            entered = -1
            continue
        if norm == 0 and loss != 0 and state.step == 0:
            raise nothing_learns(name, loss / weight)
        state.weights.step(lr, unfreezing.scales(epoch), weight, norm, settings.max_norm)
        state.step += 1
        state.tokens += tokens
        yield Stepped(
            name, state.step, state.step / per_epoch, loss / weight, lr, norm, len(order[place]), tokens, clock()
        )  # fmt: skip

        halted = ""
        if state.step < steps:
            halted = "interrupted" if ending.stop() else ending.over()
        if state.step in marks or (halted not in ("", "interrupted") and (state.best or ending.lonely)):
            with state.weights.averaged():
                score, valid_loss = lesson.validate()
                best = state.remember(task.goodness(score), valid_loss)
            entered = -1  # whoever looked may have left the model in another mode
            yield Validated(
                name, state.step, state.step / per_epoch, task.metric, score, valid_loss, best, clock()
            )
        state.seconds += clock() - looked
        looked = clock()
        if checkpoints is not None and (halted == "interrupted" or checkpoints.due()):
            checkpoints.save(state, last_mark(marks, state.step))
        if halted:
            why = halted
            break

    DICE.keys = None
    state.restore_best()
    yield Stopped(name, state.step, why, state.best_step, clock())


def replayed(replay: Replay | None, step: int, micro_tokens: int) -> Iterator[Batch]:
    """The batches of general rows of a step."""
    if replay is not None:
        for rows in replay.of_step(step, micro_tokens):
            yield replay.examples.batch(rows)


@dataclass(frozen=True)
class Decided:
    """The decisions made on the way that hold at a step."""

    rate: float
    micro_tokens: int | None


def decisions_at(step: int, checkpoints: Checkpoints | None) -> Decided:
    made = [] if checkpoints is None else [one for one in checkpoints.decisions if one["step"] <= step]
    halved = sum(1 for one in made if "rate" in one)
    sizes = [one["micro_tokens"] for one in made if "micro_tokens" in one]
    return Decided(0.5**halved, min(sizes) if sizes else None)


def validation_steps(steps: int, per_epoch: int, per_epoch_validations: int) -> set[int]:
    """The steps after which validation is scored: evenly over each epoch, and at the end; none where an epoch has none.

    >>> sorted(validation_steps(25, 10, 2))
    [5, 10, 15, 20, 25]
    """
    if not per_epoch_validations:
        return set()
    times = math.ceil(steps / per_epoch) * per_epoch_validations
    marks = {math.ceil((at + 1) * per_epoch / per_epoch_validations) for at in range(times)}
    return {mark for mark in marks if mark < steps} | {steps}


def last_mark(marks: set[int], step: int) -> int:
    """The validation at or before a step; 0 before the first."""
    before = [0, *sorted(marks)]
    return before[bisect_right(before, step) - 1]


@dataclass(frozen=True)
class FailedStep:
    """A step whose loss or gradient is not finite."""

    name: str
    """The candidate that is trained."""
    rows: Ints
    """Numbers of the training rows in it."""
    loss: float
    """Mean over the rows."""
    lr: float

    @property
    def what(self) -> str:
        """What of it is not finite."""
        return "loss" if not math.isfinite(self.loss) else "gradient"


def nothing_learns(name: str, loss: float) -> WorldError:
    """What to say where a first step has a loss, and no gradient at all. Where its loss is zero it has none rightly: a text that
    is compared with no other, a number that is met exactly.
    """
    return WorldError(
        f"{name}, step 1: the loss is {loss:g}, and no gradient of it reaches the weights that train, so training would teach "
        "nothing. Try another method (--method full), or --precision fp32."
    )


def go_back(
    state: State, failed: FailedStep, mark: int, checkpoints: Checkpoints | None, seconds: float
) -> WentBack:
    """Return to the last validation before a step that failed, after step `mark`; from there on, half the rate.

    The point to return to follows from the step alone, never from when a state happened to be saved: a saved state
    before it is taken, and the steps between are computed again.
    """
    halved = 0 if checkpoints is None else sum(1 for one in checkpoints.decisions if "rate" in one)
    if checkpoints is None or halved >= TRIES:
        tried = f" {TRIES} times the run went back and halved its rate, in vain." if halved else ""
        raise WorldError(
            f"{failed.name}, step {state.step + 1}: the {failed.what} is not finite (loss {failed.loss:g}, learning rate "
            f"{failed.lr:g}, training rows {listed(failed.rows)}).{tried} Try a smaller learning rate: --lr {failed.lr / 4:.2g}, "
            "or --precision fp32."
        )
    at = state.step
    checkpoints.decide(step=mark, rate=0.5, because=f"{failed.what} not finite at step {at + 1}")
    checkpoints.load(state, at_most=mark)
    return WentBack(
        failed.name, at + 1, mark, failed.what, failed.rows.tolist(), 0.5 ** (halved + 1), seconds
    )


def smaller(
    state: State,
    rows: Ints,
    examples: Examples,
    micro_tokens: int,
    checkpoints: Checkpoints | None,
    error: Exception,
) -> str:
    """Halve the micro-batches from this step on, and say so. Raises WorldError when they cannot be smaller."""
    lengths = examples.lengths
    widest = int(lengths[rows].max()) * len(rows)
    if checkpoints is None or len(examples.cut(rows, lengths, micro_tokens)) == len(rows):
        raise WorldError(
            f"step {state.step + 1}: memory ran out with a single row at a time. "
            "Try --recompute on, a smaller model, shorter texts (--long cut), or --method probe."
        ) from error
    half = min(micro_tokens, widest) // 2
    checkpoints.decide(step=state.step, micro_tokens=half)
    return f"Memory ran out at step {state.step + 1}: the same step again, {half:,} tokens at a time."


def ran_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def listed(rows: Ints, most: int = 5) -> str:
    """
    >>> import numpy
    >>> listed(numpy.array([3, 1]))
    '3, 1'
    """
    shown = ", ".join(str(row) for row in rows[:most])
    return shown + (f" and {len(rows) - most} more" if len(rows) > most else "")
