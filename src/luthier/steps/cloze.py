"""Before the user's own rows, some that were made of their texts: what the task is can be learnt without labels."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from luthier import seeds
from luthier.batches.examples import Examples
from luthier.events import Advanced, Event, Noted, Started, Stepped, Stopped, Validated
from luthier.plan.duration import seconds_of
from luthier.steps.prepare import windows
from luthier.steps.run import Run
from luthier.train.checkpoints import Checkpoints
from luthier.train.loop import Pace, train
from luthier.train.movement import LadderMovement
from luthier.train.state import State
from luthier.train.weights import Weights

NAME = "cloze"
"""Of the artefact, and of what the scorecard tells."""
SHARE_OF_BUDGET = 1 / 3
"""Of the time that a command is given, these rows take so much at the most."""


def learn_cloze(run: Run, pace: Pace, movement: LadderMovement, over: Callable[[], bool]) -> Iterator[Event]:
    """Train on the rows that were made of the training texts, once through; the model goes on from there.

    Their steps are shown and not logged: the learning curve is that of the user's rows. When `run.stop()` has turned true,
    it ends with its state saved.
    """
    ready, examples = run.ready, run.ready.cloze
    if ready.plan.train.cloze and examples is None:
        yield Noted(
            "No sentence of the training texts is long enough to make questions of.",
            run.clock(),
            warning=True,
        )
    if examples is None:
        return
    saved = run.folder.saved(NAME)
    if saved is not None:
        recall(run)
        ready.model.load_state_dict({name: torch.from_numpy(array) for name, array in saved[0].items()})
        ready.twin.refresh()
        return

    pace = replace(pace, batch_rows=rows_of_cloze(run, pace), epochs=1.0, validations=1)
    state = State(ready.model, Weights(ready.model, movement.parts(1), ready.twin, pace.weight_decay))
    every = ready.plan.run.save_every
    checkpoints = Checkpoints(
        run.folder.path / "state" / "training-cloze", run.clock, None if every is None else seconds_of(every)
    )
    if checkpoints.load(state) is not None:
        run.earlier["train"] = state.seconds
    for words in checkpoints.damaged:
        yield Noted(words, run.clock(), warning=True)

    def late() -> bool:
        budget = ready.plan.budget_seconds
        return over() or (budget is not None and run.clock() > SHARE_OF_BUDGET * budget)

    asked, gold = first_with_answer(examples)
    yield Noted(
        f"First {len(examples):,} questions made of the training texts (--cloze 0 leaves them out), as in {asked!r}, {gold!r}.",
        run.clock(),
    )
    yield Started(NAME, run.clock(), pace.steps(len(examples)))
    why = "epochs"
    with ready.twin.training():
        for event in train(
            state, run.task, examples, nothing, pace, ready.device, seeds.derive(run.plan.run.seed, "cloze"), run.clock,
            movement, over=late, stop=run.stop, name=NAME, checkpoints=checkpoints,
        ):  # fmt: skip
            if isinstance(event, Stopped):
                why = event.why
            elif isinstance(event, Stepped):
                yield Advanced(event.step, event.seconds)
            elif not isinstance(event, Validated):
                yield event
    state.weights.release()
    if why == "interrupted":
        return
    record = {"questions": len(examples), "steps": state.step, "why": why,
              "tokens": state.tokens, "seconds": state.seconds}  # fmt: skip
    arrays = {name: tensor.cpu().numpy() for name, tensor in ready.model.state_dict().items()}
    run.folder.save(NAME, arrays, record)
    run.tuning[NAME] = record
    checkpoints.forget()


def first_with_answer(examples: Examples) -> tuple[str, str]:
    """A question to show, and its answer."""
    assert examples.sources is not None, "questions know their texts"
    pairs = zip(examples.sources, examples.targets, strict=True)
    return next(((row.question, gold.texts[0]) for row, gold in pairs if gold.texts), ("", ""))


def recall(run: Run) -> None:
    """What an earlier command of this run learnt from these rows, for the scorecard."""
    record = run.folder.record(NAME)
    if record is not None:
        run.tuning[NAME] = record
        run.earlier["train"] = run.earlier.get("train", 0.0) + record["seconds"]


def rows_of_cloze(run: Run, pace: Pace) -> int:
    """Of a step: one of these rows is one window, and a step holds as many windows as of the user's own rows."""
    return max(1, round(pace.batch_rows * windows(run.ready.examples["train"], run.task)))


def nothing() -> tuple[float, float]:
    """What the loop is told at the end in the place of a validation: the weights it ends with are those to go on from."""
    return 0.0, 0.0
