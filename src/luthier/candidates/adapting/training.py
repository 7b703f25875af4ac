"""A body learns from rows without labels, and goes as far back towards the base as costs nothing on those that were held out."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from luthier import seeds
from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.candidates.adapting.lesson import Lessons
from luthier.candidates.run import Run
from luthier.events import Advanced, Event, Noted, Started, Stepped, Stopped, Validated, WentBack
from luthier.models.headed import HeadedModel
from luthier.models.ladder.interpolation import interpolated
from luthier.models.ladder.ladder import find_ladder
from luthier.models.ladder.policies import AllRungs
from luthier.models.master_weights import MasterWeights
from luthier.tasks.calibration import Calibration
from luthier.train.loop import Ending, Lesson, train
from luthier.train.state import State
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights

NAME = "adapted"
"""The name of the artefact, and of what is trained as events call it."""
CHECKPOINTS = "training-adapted"
SHARE_OF_BUDGET = 1 / 4
"""Largest share of a command's budget of time that these rows take."""
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the way from the base to where training ended that are tried (WiSE-FT, arXiv:2109.01903, eq. 1)."""


@dataclass(frozen=True)
class Learnt:
    """What a body has learnt from rows without labels."""

    body: dict[str, Tensor]
    """The weights of the body, as the model spells them that learnt."""
    steps: int
    why: str
    """Why training ended."""
    tokens: int
    share: float
    """How far the weights are from the base on the way to where training ended; 0: the base was best."""
    before: float
    """The loss on the held-out rows of the model as it came."""
    after: float
    """The loss there of these weights."""


def learn(run: Run, lessons: Lessons) -> Generator[Event, None, Learnt | None]:
    """Train on the rows without labels; None where somebody asked to stop: then what was learnt is saved, and goes on later.

    Steps are shown and not logged: the learning curve of a run is that of its own rows. Raises ModelError where the model cannot
    learn so.
    """
    ready, seed = run.ready, seeds.derive(run.plan.run.seed, NAME)
    model = lessons.model()
    base = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    learnt, held = yield from with_teacher(run, lessons, model)
    few = learnt.batch(np.zeros(1, np.int64)).to(ready.device.torch)
    ladder = find_ladder(model, lambda: model(few))
    masters = MasterWeights(model.body, ready.device.dtype)
    unfreezing = LadderUnfreezing(model, ladder, AllRungs(), new_head=False)
    settings, checkpoints = lessons.settings, run.checkpoints(CHECKPOINTS)
    state = State(model, Weights(model, unfreezing.parts(1), masters, settings.weight_decay))
    if checkpoints.load(state) is not None:
        run.watch.earlier["adapt"] = run.watch.earlier.get("adapt", 0.0) + state.seconds
    for words in checkpoints.damaged:
        yield Noted(words, run.clock(), warning=True)

    def validate() -> tuple[float, float]:
        with masters.reporting():
            loss = Measured.of(run, lessons, model, held).loss
        return loss, loss

    yield Started(NAME, run.clock(), settings.steps(len(learnt)))
    lesson, why = Lesson(lessons.task, learnt, validate, seed, name=NAME), "epochs"
    with masters.training():
        for event in train(
            state,
            lesson,
            settings,
            unfreezing,
            ready.device,
            run.clock,
            Ending(over(run), run.stop),
            checkpoints,
        ):
            if isinstance(event, Stopped):
                why = event.why
            yield from shown(event)
    state.weights.release()
    if why == "interrupted":
        return None
    masters.refresh()
    found = gone_back(run, lessons, model, base, held)
    checkpoints.forget()
    return replace(found, steps=state.step, why=why, tokens=state.tokens)


def shown(event: Event) -> Iterator[Event]:
    """An event of the loop as it concerns a user who knows nothing of these rows."""
    if isinstance(event, Stepped):
        yield Advanced(event.step, event.seconds)
    elif isinstance(event, WentBack):
        words = f"A {event.what} among the rows without labels was not finite: back to step {event.back_to} at half the rate."
        yield Noted(words, event.seconds, warning=True)
    elif not isinstance(event, Stopped | Validated):
        yield event


def over(run: Run) -> Any:
    """Why training is to end where it is: time is for the rows that have labels."""
    budget = run.ready.plan.budget_seconds

    def late() -> str:
        if run.mode.enough():
            return "enough"
        return "budget" if budget is not None and run.clock() > SHARE_OF_BUDGET * budget else ""

    return late


def with_teacher(
    run: Run, lessons: Lessons, model: HeadedModel
) -> Generator[Event, None, tuple[Examples, Examples]]:
    """The rows to learn from, varied as in training, and those that say when to stop; where the loss compares with what the model
    as it came says of them, with that."""
    task, examples = lessons.task, lessons.examples
    reference = task.reference
    if reference is not None:
        yield Started("reference", run.clock(), len(examples))
        found: dict[int, Array] = {}
        for rows, values in reference.told(task, model, examples, run.ready.device):
            found |= dict(zip(rows.tolist(), values, strict=True))
            yield Advanced(len(found), run.clock())
            if run.stop():
                raise run.interrupted()
        examples = reference.given(task, examples, np.stack([found[row] for row in range(len(found))]))
    learnt, held = lessons.parts
    return lessons.varied(examples.select(learnt)), examples.select(held)


@dataclass(frozen=True)
class Measured:
    """How a model does on held-out rows."""

    measure: Any
    loss: float

    @staticmethod
    def of(run: Run, lessons: Lessons, model: HeadedModel, held: Examples) -> "Measured":
        """The task's own measure of what a model gives for the rows, always with the same noise."""
        task = lessons.task
        outputs = task.infer(model, held, run.ready.device)
        answers = task.answer(outputs, Calibration(), held)
        return Measured(task.measure(answers, held.targets), float(task.mean_loss(outputs, held)))


def gone_back(
    run: Run, lessons: Lessons, model: HeadedModel, base: Mapping[str, Tensor], held: Examples
) -> Learnt:
    """The weights that are nearest to the base of those that are within one standard error of the best on held-out rows: a loss
    that only stands for what a model is for is not worth going farther for."""
    tuned = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found: list[tuple[float, Measured]] = []
    for share in (0.0, *SHARES):
        put(model, base, tuned, share)
        found.append((share, Measured.of(run, lessons, model, held)))
    best = min(found, key=lambda one: one[1].loss)[1]
    seed = run.plan.run.seed
    share, chosen = next(
        (share, one)
        for share, one in found
        if one is best or one.loss - best.loss <= best.measure.standard_error(one.measure, seed)
    )
    put(model, base, tuned, share)
    body = {name: tensor.detach().clone() for name, tensor in inner(model).state_dict().items()}
    return Learnt(body, 0, "", 0, share, found[0][1].loss, chosen.loss)


def put(model: HeadedModel, base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], share: float) -> None:
    """Give a model the weights between two."""
    model.load_state_dict(interpolated(base, tuned, dict.fromkeys(tuned, share)))


def inner(model: HeadedModel) -> torch.nn.Module:
    """What models with other heads on the same body have in common."""
    body: Any = model.body
    found: torch.nn.Module = body.base_model
    return found
