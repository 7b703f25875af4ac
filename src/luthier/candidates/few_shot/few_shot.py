"""The candidate of few rows: the body brings those of a label together, then a head is solved for."""

from collections.abc import Generator

import torch

from luthier.candidates.candidate import Candidate, Passes
from luthier.candidates.few_shot.contrasted import (
    ANSWERS,
    NAME,
    rows_and_words,
    settings_for,
)
from luthier.candidates.few_shot.learning import learn
from luthier.candidates.few_shot.onward import SHARE, round_before
from luthier.candidates.few_shot.paying import expected
from luthier.candidates.keeping.impression import BesideBase
from luthier.candidates.records import FewShotRecord, ScoredRecord
from luthier.candidates.run import Run
from luthier.candidates.tuned.prefixes import SCORED
from luthier.comparing.fitted import Fitted, Weights
from luthier.events import Event, Noted
from luthier.prepare.prepare import Prepared
from luthier.train.probe.centred import FOLDS

TIMES = 4.0
"""What learning from a row takes, as a multiple of reading it: there, back, and the step itself."""


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
            made = yield from learn(run)
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
                part: run.task.saved_outputs(part, answered[0], answered[1].outputs, run.ready.examples[part])
                for part in SCORED
            }
        run.tuning[NAME] = record.told()
        run.watch.tokens += record.tokens
        run.watch.training += record.seconds
        return Fitted(NAME, self.words, record.seconds, outputs, weights=Weights(NAME))

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        learnt, examples = rows_and_words(ready), ready.examples["train"]
        settings = settings_for(ready, learnt)
        read = min(settings.batch_rows, len(learnt)) * settings.steps(len(learnt))
        if round_before(ready) is not None:
            return SHARE * TIMES * passes(examples) / len(examples) * read
        folds = FOLDS if ready.rows.split.crossed else 0
        return TIMES * passes(examples) / len(examples) * read * (1 + folds * (1 - 1 / FOLDS))


FEW_SHOT = FewShotCandidate()
