"""Before the user's own rows, some that were made of their texts: what the task is can be learnt without labels."""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import torch

from luthier import seeds
from luthier.batches.examples import Examples
from luthier.candidates.records import ClozeRecord
from luthier.candidates.run import Run
from luthier.events import Advanced, Event, Noted, Started, Stepped, Stopped, Validated, WentBack
from luthier.prepare.prepare import Prepared, windows
from luthier.train.checkpoints import Checkpoints
from luthier.train.loop import Ending, Lesson, TrainSettings, train
from luthier.train.state import State
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights

NAME = "cloze"
"""The name of the artefact, and the key of the scorecard."""
SHARE_OF_BUDGET = 1 / 3
"""Largest share of a command's budget of time that these rows take."""


def learn_cloze(
    run: Run, settings: TrainSettings, unfreezing: LadderUnfreezing, over: Callable[[], str]
) -> Generator[Event, None, bool]:
    """Train on the rows that were made of the training texts, once through, if there are such; the model goes on from there.

    Their steps are shown and not logged: the learning curve is that of the user's rows. Returns whether these come next:
    where somebody asked to stop, what was learnt is saved, and they do not.
    """
    ready, examples = run.ready, run.ready.made
    if examples is None:
        return True
    checkpoints = run.checkpoints("training-cloze")
    saved = run.folder.saved(NAME, ClozeRecord)
    if saved is not None:
        checkpoints.forget()
        recall(run)
        ready.model.load_state_dict({name: torch.from_numpy(array) for name, array in saved[0].items()})
        ready.masters.refresh()
        return True

    state = State(
        ready.model, Weights(ready.model, unfreezing.parts(1), ready.masters, settings.weight_decay)
    )
    if checkpoints.load(state) is not None:
        run.watch.earlier["train"] = state.seconds
    for words in checkpoints.damaged:
        yield Noted(words, run.clock(), warning=True)
    asked, gold = first_with_answer(examples)
    yield Noted(
        f"First {len(examples):,} questions made of the training texts (--cloze 0 leaves them out), as in {asked!r}, {gold!r}.",
        run.clock(),
    )
    stopped = yield from learn(run, state, settings_of_cloze(ready, settings), unfreezing, over, checkpoints)
    state.weights.release()
    if stopped == "interrupted":
        return False
    record = ClozeRecord(
        questions=len(examples),
        steps=state.step,
        why=stopped,
        tokens=state.tokens,
        seconds=state.seconds,
    )
    arrays = {name: tensor.cpu().numpy() for name, tensor in ready.model.state_dict().items()}
    run.folder.save(NAME, arrays, record)
    run.tuning[NAME] = record.told()
    checkpoints.forget()
    return True


def learn(
    run: Run,
    state: State,
    settings: TrainSettings,
    unfreezing: LadderUnfreezing,
    over: Callable[[], str],
    checkpoints: Checkpoints,
) -> Generator[Event, None, str]:
    """The loop's events as they concern a user who knows nothing of these rows; returns why it ended."""
    ready, examples, budget = run.ready, run.ready.made, run.ready.plan.budget_seconds
    assert examples is not None, "there are rows to learn from"

    def late() -> str:
        takes_too_long = budget is not None and run.clock() > SHARE_OF_BUDGET * budget
        return over() or ("budget" if takes_too_long else "")

    yield Started(NAME, run.clock(), settings.steps(len(examples)))
    why = "epochs"
    lesson = Lesson(run.task, examples, nothing, seed_of_cloze(ready), name=NAME)
    with ready.masters.training():
        for event in train(
            state, lesson, settings, unfreezing, ready.device, run.clock, Ending(late, run.stop), checkpoints
        ):
            if isinstance(event, Stopped):
                why = event.why
            elif isinstance(event, Stepped):
                yield Advanced(event.step, event.seconds)
            elif isinstance(event, WentBack):
                words = f"A {event.what} among the cloze questions was not finite: back to step {event.back_to} at half the rate."
                yield Noted(words, event.seconds, warning=True)
            elif not isinstance(event, Validated):
                yield event
    return why


def settings_of_cloze(ready: Prepared, settings: TrainSettings) -> TrainSettings:
    """The training settings of one epoch. A step holds as many windows as one over the user's own rows."""
    assert ready.made is not None, "there are rows to learn from"
    share = windows(ready.examples["train"], ready.rows.task) / windows(ready.made, ready.rows.task)
    return replace(settings, batch_rows=max(1, round(settings.batch_rows * share)), epochs=1.0, validations=1)


def seed_of_cloze(ready: Prepared) -> int:
    """The seed of the cloze rows, so that their order differs from that of the user's rows."""
    return seeds.derive(ready.plan.run.seed, NAME)


def first_with_answer(examples: Examples) -> tuple[str, str]:
    """A question to show, and its answer."""
    assert examples.sources is not None, "questions know their texts"
    pairs = zip(examples.sources, examples.targets, strict=True)
    return next(((row.question, gold.texts[0]) for row, gold in pairs if gold.texts), ("", ""))


def recall(run: Run) -> dict[str, Any]:
    """What was learnt from these rows, by this command or an earlier one, for the scorecard; empty where nothing was."""
    if NAME in run.tuning:
        return dict(run.tuning[NAME])
    record = run.folder.record(NAME, ClozeRecord)
    if record is None:
        return {}
    run.tuning[NAME] = record.told()
    run.watch.earlier["train"] = run.watch.earlier.get("train", 0.0) + record.seconds
    return record.told()


def nothing() -> tuple[float, float]:
    """What the loop is told at the end in the place of a validation: the weights it ends with are those to go on from."""
    return 0.0, 0.0
