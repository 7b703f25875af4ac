"""How few-shot learns: from nothing, once without each fold and once from all rows; or on from the round before."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Array, Ints
from luthier.candidates.crossing import folds_of, put_together, without_rows
from luthier.candidates.few_shot.contrasted import ANSWERS, MOST_STEPS, NAME, Contrasting, shown, steps_of
from luthier.candidates.few_shot.onward import SHARE, RoundBefore, go_back, round_before, take_over
from luthier.candidates.probe import last_layer
from luthier.candidates.records import FewShotRecord, ScoredRecord
from luthier.candidates.run import Run
from luthier.candidates.tuned.budget import Budget
from luthier.candidates.tuned.prefixes import SCORED
from luthier.candidates.zero_shot import NAMES, compared
from luthier.devices import with_threads
from luthier.events import Event, Noted, Started
from luthier.prepare.continued import Earlier
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs, to_arrays
from luthier.train.probe.centred import fit_centred
from luthier.train.probe.probe import Probe

TOO_LATE = "Time was over before the few-shot model had learnt, so it is not among the candidates. Give it more: --budget."
ANEW = "What few-shot trained in the round before is learnt anew, from all rows."

Made = tuple[FewShotRecord, dict[str, Outputs]]
"""What came of learning, and what it gives for the rows that it is compared on, by part."""


def learn(run: Run) -> Generator[Event, None, Made | None]:
    """Learn, and save what came of it; None where time was over before. Raises Interrupted where somebody asked to stop."""
    before, continues = round_before(run.ready), run.plan.data.continues
    if before is not None:
        return (yield from learnt_on(run, before))
    if continues is not None and Earlier.of(continues).trained == NAME:
        yield Noted(ANEW, run.clock())
    return (yield from learnt_anew(run))


def learnt_anew(run: Run) -> Generator[Event, None, Made | None]:
    """Learn from all rows but those of each fold, and from all; None where time was over before that. Raises Interrupted where
    somebody asked to stop."""
    begin, folds, budget = run.clock(), folds_of(run), Budget(run)
    count = 0 if folds is None else int(folds.max()) + 1
    yield Started(NAME, begin)
    run.begin_training(NAME)
    outputs: dict[str, Outputs] = {}
    if folds is not None:
        found, order, steps = [], [], steps_of(run.ready)
        for fold in range(count):
            held = np.flatnonzero(folds == fold)
            learnt = without_rows(run.ready, np.flatnonzero(folds != fold), held)
            part = Stages(run, learnt, most_steps=steps)
            if not (yield from part.learn(budget)):
                yield Noted(TOO_LATE, run.clock(), warning=True)
                return None
            found.append(run.task.infer(run.ready.model, part.ready.examples["valid"], run.ready.device))
            order.append(held)
            run.ready.begin_anew()  # one model for all of them: a second would stand beside it in memory
        places = np.searchsorted(np.flatnonzero(folds >= 0), np.concatenate(order))
        outputs["valid"] = put_together(run.task, found, places, run.ready.examples["valid"])
    whole = Stages(run, run.ready)
    if not (yield from whole.learn(budget)):
        yield Noted(TOO_LATE, run.clock(), warning=True)
        return None
    outputs |= {part: run.infer(run.ready.model, part) for part in SCORED if part not in outputs}
    return saved_as(run, whole, begin, outputs, folds=count)


def learnt_on(run: Run, before: RoundBefore) -> Generator[Event, None, Made | None]:
    """Go on from the round before, with all rows; None where time was over before that. Raises Interrupted where somebody asked
    to stop."""
    begin, budget = run.clock(), Budget(run)
    yield Started(NAME, begin)
    run.begin_training(NAME)
    pretrained = take_over(run.ready, before.run)
    outputs: dict[str, Outputs] = {} if before.answers is None else {"valid": before.answered(run)}
    go_back(run.ready, pretrained)
    whole = Stages(run, run.ready, SHARE)
    if not (yield from whole.learn(budget)):
        yield Noted(TOO_LATE, run.clock(), warning=True)
        return None
    outputs |= {part: run.infer(run.ready.model, part) for part in SCORED if part not in outputs}
    words = f"few-shot went on from {before.run}, with {100 * SHARE:.0f} % of the steps that it takes from nothing."
    yield Noted(words, run.clock())
    return saved_as(run, whole, begin, outputs, onward=True)


def saved_as(
    run: Run, whole: "Stages", begin: float, outputs: dict[str, Outputs], folds: int = 0, onward: bool = False
) -> Made:
    """Save what was learnt, and what that gives for the rows that it is compared on."""
    record = FewShotRecord(
        steps=whole.steps, tokens=whole.tokens, seconds=run.clock() - begin, folds=folds, onward=onward
    )
    arrays, told = to_arrays(outputs)
    run.folder.save(ANSWERS, arrays, ScoredRecord(outputs=told))
    weights = {name: tensor.cpu().numpy() for name, tensor in run.ready.model.state_dict().items()}
    run.folder.save(NAME, weights, record)
    return record, outputs


@dataclass
class Stages:
    """The two stages, over the training rows of `ready`, whose model they change."""

    run: Run
    ready: Prepared
    share: float = 1.0
    """The part of the usual steps that it takes."""
    most_steps: int = MOST_STEPS
    """The most steps that it takes: without a fold no more than of all rows."""
    steps: int = 0
    tokens: int = 0

    def learn(self, budget: Budget) -> Generator[Event, None, bool]:
        """Bring rows of a label together, then solve for the head; false where time was over before. Raises Interrupted where
        somebody asked to stop."""
        run, ready = self.run, self.ready
        first = Contrasting(run, ready, self.share, self.most_steps)
        for event in first.learn():
            if run.stop():
                raise run.interrupted()
            if budget.over():
                return False
            yield from shown(event)
        self.steps, self.tokens = first.steps, first.tokens
        words = first.features(compared(ready, ())[NAMES])
        targets: Ints = ready.examples["train"].targets
        features: Array = first.features(ready.examples["train"])
        with with_threads(run.mode.wide):
            probe: Probe = fit_centred(features, targets, words, run.task.outputs, None).probe
        probe.start(last_layer(ready.model.head))
        return True
