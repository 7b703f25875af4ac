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
from luthier.errors import WorldError
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
AT_ONCE = 64
"""Prompts that are answered before what was written is saved, and a wish to stop is granted."""
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
    empty: float = 0.0
    """Share of all answers in which nothing stands, as they had not ended when they were as long as they may be."""

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
    """Let the model answer the training rows and learn from the answers that pass, round after round. Those of the last round
    take the place of the training rows.

    Returns whether training goes on: not where somebody asked to stop. Raises WorldError where no answer passes in the first
    round. Where none does in a later one, the rows are those of the round before.
    """
    how, rounds = run.task.checkable, run.plan.train.rounds
    if how is None:
        return True
    shares: list[float] = []
    rows: Examples | None = None
    for number in range(1, rounds + 1):
        found = yield from answered(run, how, number, over)
        if found is None:
            return False
        shares.append(found.share)
        run.tuning[NAME] = {"rounds": number, "passed": shares}
        yield Noted(found.words(number), run.clock())
        if not any(found.kept):
            if rows is None:
                raise WorldError(nothing_passes(run, found))
            yield Noted(f"Training goes on with the answers of round {number - 1}.", run.clock())
            break
        rows = rows_of(run.ready, how, found.kept)
        if number < rounds and not found.teaches:
            yield Noted(f"Most prompts teach nothing more: round {number} is the last.", run.clock())
            break
        if number < rounds and not (yield from learnt(run, rows, settings, unfreezing, over, number)):
            return False
    assert rows is not None, "there is a round, and its rows"
    run.ready = replace(run.ready, examples={**run.ready.examples, "train": rows})
    return True


def nothing_passes(run: Run, found: Round) -> str:
    """What to tell where a model has nothing to learn from: how good it is, and what else there is to do."""
    untouched = run.untouched
    score = (
        ""
        if untouched is None
        else f" It has {run.task.metric} {untouched.scores['valid'].value:.3f} on validation."
    )
    empty = (
        f" {found.empty:.0%} of the answers are empty, or had not ended when they were as long as they may be (--max-tokens)."
        if found.empty
        else ""
    )
    return (
        f"--verify: none of the answers that the model wrote to {len(found.kept):,} prompts passes, so it has nothing to learn "
        f"from and stays as it was.{empty}{score} Leave --verify out, so that it learns from the right answers, or begin with a "
        "model that has learnt some: --model RUN."
    )


def recall(run: Run) -> None:
    """Take note, for the scorecard, of the shares of an earlier command."""
    how, examples = run.task.checkable, run.ready.examples["train"]
    if how is None or NAME in run.tuning:
        return
    shares: list[float] = []
    while (known := run.folder.record(f"{NAME}-answers-{len(shares) + 1}", RoundRecord)) is not None:
        shares.append(round_of(how, known.answers, list(examples.targets[: len(known.answers)])).share)
    run.tuning[NAME] = {"rounds": len(shares), "passed": shares}


def forget_weights(run: Run) -> None:
    """Drop what rounds came to, once training has gone on from there to its end; their records stay."""
    for number in range(1, run.plan.train.rounds):
        run.folder.arrays_path(f"{NAME}-{number}").unlink(missing_ok=True)


def answered(
    run: Run, how: Checkable, number: int, over: Callable[[], str]
) -> Generator[Event, None, Round | None]:
    """The model's own answers to the training rows in a round; those that an earlier command left are not drawn anew.

    Where time is over the round consists of the prompts that were answered by then. None where somebody asked to stop.
    """
    name = f"{NAME}-answers-{number}"
    known, examples = run.folder.record(name, RoundRecord), run.ready.examples["train"]
    answers = [] if known is None else list(known.answers)
    if len(answers) < len(examples):
        yield Started(NAME, run.clock(), len(examples))
    before = 0.0 if known is None else known.seconds
    take_note(run, before)
    begin = run.clock()
    while len(answers) < len(examples):
        if run.stop():
            return None
        if answers and over():
            break
        at = np.arange(len(answers), min(len(answers) + AT_ONCE, len(examples)))
        seed = seeds.derive(run.plan.run.seed, NAME, number, int(at[0]))
        drawing = Sampled(run.plan.train.samples, TEMPERATURE, seed)
        answers += how.drawn(run.ready.model, examples.select(at), drawing, run.ready.device)
        run.folder.save(name, {}, RoundRecord(answers=answers, seconds=before + run.clock() - begin))
        yield Advanced(len(answers), run.clock())
    return round_of(how, answers, list(examples.targets[: len(answers)]))


def take_note(run: Run, seconds: float) -> None:
    """Count what an earlier command took."""
    run.watch.earlier["train"] = run.watch.earlier.get("train", 0.0) + seconds


def round_of(how: Checkable, answers: Sequence[Sequence[str]], rights: Sequence[object]) -> Round:
    passed = [[how.passes(one, right) for one in own] for own, right in zip(answers, rights, strict=True)]
    kept = passing(how, answers, rights)
    return Round(
        kept,
        share=float(np.mean(passed)),
        none=sum(not any(own) for own in passed),
        all=sum(all(own) for own in passed),
        empty=float(np.mean([not one for own in answers for one in own])),
    )


def rows_of(ready: Prepared, how: Checkable, kept: Sequence[Sequence[str]]) -> Examples:
    """The training rows with the answers that passed in the place of the right ones, a row for each. kept: of the first rows."""
    inputs = ready.rows.inputs(ready.rows.split.train[: len(kept)])
    rows = [how.answered(row, answer) for row, own in zip(inputs, kept, strict=True) for answer in own]
    targets = np.empty(len(rows), object)
    targets[:] = [answer for own in kept for answer in own]
    examples, _ = how.form(ready.rows.form).read(ready.base.reader, rows, targets, ready.long.way)
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
        checkpoints.forget()
        take_note(run, saved[1].seconds)
        return True
    weights = Weights(ready.model, unfreezing.parts(1), ready.masters, settings.weight_decay)
    state = State(ready.model, weights)
    if checkpoints.load(state) is not None:
        take_note(run, state.seconds)
    for words in checkpoints.damaged:
        yield Noted(words, run.clock(), warning=True)
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
    if why == "interrupted":
        return False
    arrays = {key: tensor.cpu().numpy() for key, tensor in ready.model.state_dict().items()}
    run.folder.save(name, arrays, RoundRecord(answers=[], seconds=state.seconds))
    checkpoints.forget()
    return True
