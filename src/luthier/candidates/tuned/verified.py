"""Learning from what can be checked: a model answers, what passes is what it learns from, in rounds.

Rejection sampling as in Yuan et al. 2023, arXiv:2308.01825, section 3.3, in rounds as in Zelikman et al. 2022, arXiv:2203.14465.
Right answers serve to check, and are never learnt themselves.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from luthier import seeds
from luthier.batches.examples import Examples
from luthier.candidates.records import RoundRecord
from luthier.candidates.run import Run
from luthier.errors import PlanError
from luthier.events import Advanced, Event, Noted, Started, Stepped, Stopped, Validated
from luthier.prepare.prepare import Prepared
from luthier.tasks.checkable import Checkable, Sampled, passing
from luthier.train.loop import Ending, Lesson, TrainSettings, train
from luthier.train.state import State
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights

NAME = "verified"
"""The key of the scorecard, and the beginning of the artefacts' names."""
TEMPERATURE = 0.8
MOST = 0.5
"""Where more than this share of the prompts have no answer that passes, or only such, there is nothing to learn in a round."""


@dataclass(frozen=True)
class Round:
    """What a model's own answers came to."""

    kept: list[list[str]]
    """The different answers to each training row that passed."""
    share: float
    """Share of all answers that passed."""
    none: int
    """Prompts of which no answer passed."""
    all: int
    """Prompts of which all did."""

    @property
    def teaches(self) -> bool:
        """Whether most prompts have answers of both kinds."""
        return max(self.none, self.all) <= MOST * len(self.kept)

    def words(self, number: int) -> str:
        return (
            f"Round {number}: {100 * self.share:.1f} % of the model's own answers pass; of {len(self.kept):,} prompts "
            f"{self.none:,} have none that passes, {self.all:,} have no other."
        )


def learn_verified(
    run: Run, settings: TrainSettings, unfreezing: LadderUnfreezing, over: Callable[[], str]
) -> Generator[Event, None, bool]:
    """Let the model answer and learn from what passes, all rounds but the last, whose rows then are the training rows.

    Returns whether training goes on: not where somebody asked to stop. Raises PlanError where nothing that passes was found.
    """
    how, rounds = run.task.checkable, run.plan.train.rounds
    if how is None:
        return True
    shares: list[float] = []
    for number in range(1, rounds + 1):
        found = yield from answered(run, how, number)
        shares.append(found.share)
        run.tuning[NAME] = {"rounds": number, "passed": shares}
        yield Noted(found.words(number), run.clock())
        if not any(found.kept):
            raise PlanError(
                f"--verify: none of the model's own answers passes in round {number}, so there is nothing to learn from. Leave "
                "--verify out, so that it learns from the right answers, or begin with a model that has learnt some: --model RUN."
            )
        rows = rows_of(run.ready, how, found.kept)
        if number == rounds or not found.teaches:
            if number < rounds:
                yield Noted(f"Most prompts teach nothing more: round {number} is the last.", run.clock())
            run.ready = replace(run.ready, examples={**run.ready.examples, "train": rows})
            return True
        if not (yield from learnt(run, rows, settings, unfreezing, over, number)):
            return False
    return True


def answered(run: Run, how: Checkable, number: int) -> Generator[Event, None, Round]:
    """The model's own answers to the training rows in a round, as they were drawn or as an earlier command left them."""
    name = f"{NAME}-answers-{number}"
    known, examples = run.folder.record(name, RoundRecord), run.ready.examples["train"]
    if known is None:
        yield Started(NAME, run.clock(), len(examples))
        drawing = Sampled(run.plan.train.samples, TEMPERATURE, seeds.derive(run.plan.run.seed, NAME, number))
        answers = how.drawn(run.ready.model, examples, drawing, run.ready.device)
        known = RoundRecord(answers=answers)
        run.folder.save(name, {}, known)
    return round_of(how, known.answers, list(examples.targets))


def round_of(how: Checkable, answers: Sequence[Sequence[str]], rights: Sequence[object]) -> Round:
    passed = [[how.passes(one, right) for one in own] for own, right in zip(answers, rights, strict=True)]
    kept = passing(how, answers, rights)
    return Round(
        kept,
        share=float(np.mean(passed)),
        none=sum(not any(own) for own in passed),
        all=sum(all(own) for own in passed),
    )


def rows_of(ready: Prepared, how: Checkable, kept: Sequence[Sequence[str]]) -> Examples:
    """The training rows with the answers that passed in the place of the right ones, a row for each."""
    inputs = ready.rows.inputs(ready.rows.split.train)
    rows = [how.answered(row, answer) for row, own in zip(inputs, kept, strict=True) for answer in own]
    targets = np.empty(len(rows), object)
    targets[:] = [answer for own in kept for answer in own]
    examples, _ = ready.rows.form.read(ready.base.reader, rows, targets, ready.long.way)
    return ready.rows.task.asked("train", examples)


def learnt(
    run: Run,
    rows: Examples,
    settings: TrainSettings,
    unfreezing: LadderUnfreezing,
    over: Callable[[], str],
    number: int,
) -> Generator[Event, None, bool]:
    """Train on the rows of a round, or take the weights that an earlier command came to; whether all of them were learnt."""
    ready, name = run.ready, f"{NAME}-{number}"
    checkpoints = run.checkpoints(f"training-{name}")
    saved = run.folder.saved(name, RoundRecord)
    if saved is not None:
        ready.model.load_state_dict({key: torch.from_numpy(array) for key, array in saved[0].items()})
        ready.masters.refresh()
        return True
    weights = Weights(ready.model, unfreezing.parts(1), ready.masters, settings.weight_decay)
    state = State(ready.model, weights)
    checkpoints.load(state)
    own = replace(settings, epochs=1.0, validations=1)
    lesson = Lesson(
        run.task, rows, lambda: (0.0, 0.0), seeds.derive(run.plan.run.seed, NAME, number), name=NAME
    )
    yield Started(NAME, run.clock(), own.steps(len(rows)))
    why = "epochs"
    with ready.masters.training():
        ending = Ending(over, run.stop)
        for event in train(state, lesson, own, unfreezing, ready.device, run.clock, ending, checkpoints):
            if isinstance(event, Stopped):
                why = event.why
            elif isinstance(event, Stepped):
                yield Advanced(event.step, event.seconds)
            elif not isinstance(event, Validated):
                yield event
    state.weights.release()
    run.watch.earlier["train"] = run.watch.earlier.get("train", 0.0) + state.seconds
    if why == "interrupted":
        return False
    arrays = {key: tensor.cpu().numpy() for key, tensor in ready.model.state_dict().items()}
    run.folder.save(name, arrays, RoundRecord(answers=[]))
    checkpoints.forget()
    return True
