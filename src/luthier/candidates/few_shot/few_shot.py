"""The candidate of few rows: the body brings those of a label together, then a head is solved for."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch

from luthier.arrays import Array, Ints
from luthier.candidates.candidate import Candidate, Passes
from luthier.candidates.crossing import folds_of, put_together, without_rows
from luthier.candidates.few_shot.contrasted import NAME, Contrasting, rows_and_words, settings_for, shown
from luthier.candidates.few_shot.paying import expected
from luthier.candidates.keeping.impression import BesideBase
from luthier.candidates.probe import last_layer
from luthier.candidates.records import FewShotRecord, ScoredRecord
from luthier.candidates.run import Run
from luthier.candidates.tuned.budget import Budget
from luthier.candidates.tuned.prefixes import SCORED
from luthier.candidates.zero_shot import NAMES, compared
from luthier.comparing.fitted import Fitted, Weights
from luthier.devices import with_threads
from luthier.events import Event, Noted, Started
from luthier.prepare.prepare import Prepared
from luthier.tasks.outputs import Outputs, arrays_of, to_arrays
from luthier.train.probe.centred import FOLDS, fit_centred
from luthier.train.probe.probe import Probe

TIMES = 4.0
"""What learning from a row takes, as a multiple of reading it: there, back, and the step itself."""
TOO_LATE = "Time was over before the few-shot model had learnt, so it is not among the candidates. Give it more: --budget."
ANSWERS = "few-shot-scored"
"""The artefact of what it gave for the rows that it is compared on."""


class FewShotCandidate(Candidate):
    """All layers but the embeddings learn to bring rows of a label together (tasks/contrast.py); a linear head is then solved for
    on what they give, pulled to the labels' words as the probe of few rows is.

    The two stages of SetFit (Tunstall et al. 2022, arXiv:2209.11055, section 3). It learns a fixed number of steps and looks at
    no other rows; where candidates are compared by cross-validation it learns once more without each fold.
    """

    name = NAME
    words = "the few-shot"
    to_beat = False
    trains = True
    crosses_itself = True

    def why_not(self, ready: Prepared) -> str:
        if ready.rows.task.contrasting is None:
            return "rows have no one label each whose name is a text"
        if not len(ready.rows.split.train):
            return "there is no row to learn from"
        if not ready.ladder.blocks:
            return "the model has no layers beside its embeddings, which stay as they are"
        method = ready.plan.train.method
        if method == "auto" and ready.rows.split.validates_apart:
            return "rows are held out by which layers can be tuned (--method few-shot)"
        return "" if method in ("auto", NAME) else f"{method} was asked for"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        saved, answered = run.folder.saved(NAME, FewShotRecord), run.folder.saved(ANSWERS, ScoredRecord)
        foretold = expected(run)
        if foretold is not None:
            run.tuning["paying"] = foretold.to_json()
            if not foretold.pays:
                yield Noted(foretold.words(), run.clock())
                return None
        if saved is None or answered is None:
            if run.plan.train.keep == "measure" and run.mode.writes_model:
                BesideBase(run)  # what the base makes of a few rows is kept while its weights are at hand
            made = yield from learnt(run)
            if made is None:
                return None
            record, outputs = made
        else:
            record = saved[1]
            run.begin_training(NAME)
            state = {name: torch.from_numpy(array) for name, array in saved[0].items()}
            run.ready.model.load_state_dict(state)
            run.watch.earlier["train"] = run.watch.earlier.get("train", 0.0) + record.seconds
            outputs = {
                part: run.task.read_outputs(
                    arrays_of(part, answered[0]), answered[1].outputs.get(part, {}), run.ready.examples[part]
                )
                for part in SCORED
            }
        run.tuning[NAME] = record.told()
        run.watch.tokens += record.tokens
        run.watch.training += record.seconds
        return Fitted(NAME, self.words, record.seconds, outputs, weights=Weights(NAME))

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        settings, examples = settings_for(ready, rows_and_words(ready)), ready.examples["train"]
        read = min(settings.batch_rows, len(examples)) * settings.steps(len(examples))
        folds = FOLDS if ready.rows.split.crossed else 0
        return TIMES * passes(examples) / len(examples) * read * (1 + folds * (1 - 1 / FOLDS))


FEW_SHOT = FewShotCandidate()


def learnt(run: Run) -> Generator[Event, None, tuple[FewShotRecord, dict[str, Outputs]] | None]:
    """Learn from all rows, and from all but those of each fold; None where time was over before that. Raises Interrupted where
    somebody asked to stop."""
    begin, folds, budget = run.clock(), folds_of(run), Budget(run)
    count = 0 if folds is None else int(folds.max()) + 1
    yield Started(NAME, begin)
    run.begin_training(NAME)
    whole = Stages(run, run.ready)
    if not (yield from whole.learn(budget)):
        yield Noted(TOO_LATE, run.clock(), warning=True)
        return None
    outputs: dict[str, Outputs] = {part: run.infer(run.ready.model, part) for part in SCORED}
    if folds is not None:
        found, order = [], []
        for fold in range(count):
            held = np.flatnonzero(folds == fold)
            part = Stages(run, without_rows(run.ready.renewed(), np.flatnonzero(folds != fold), held))
            if not (yield from part.learn(budget)):
                yield Noted(TOO_LATE, run.clock(), warning=True)
                return None
            found.append(run.task.infer(part.ready.model, part.ready.examples["valid"], run.ready.device))
            order.append(held)
        places = np.searchsorted(np.flatnonzero(folds >= 0), np.concatenate(order))
        outputs["valid"] = put_together(run.task, found, places, run.ready.examples["valid"])
    record = FewShotRecord(steps=whole.steps, tokens=whole.tokens, seconds=run.clock() - begin, folds=count)
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
    steps: int = 0
    tokens: int = 0

    def learn(self, budget: Budget) -> Generator[Event, None, bool]:
        """Bring rows of a label together, then solve for the head; false where time was over before. Raises Interrupted where
        somebody asked to stop."""
        run, ready = self.run, self.ready
        first = Contrasting(run, ready)
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
