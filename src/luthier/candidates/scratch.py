"""The same architecture trained from random weights, in as many steps: what pre-training is worth, by option."""

import math
from collections.abc import Generator
from dataclasses import replace

from luthier.candidates.candidate import Candidate, Passes
from luthier.candidates.ceiling import ceiling
from luthier.candidates.records import ScratchRecord
from luthier.candidates.run import HELD_OUT, Run
from luthier.candidates.tuned.budget import Budget
from luthier.candidates.tuned.settings import groups_of, micro_tokens_of, settings_of, weighted
from luthier.candidates.tuned.tuned import validated
from luthier.comparing.fitted import Fitted
from luthier.events import Advanced, Event, Noted, Started, Stepped, Stopped, Validated, WentBack
from luthier.models.ladder.policies import AllRungs
from luthier.models.ladder.recompute import recompute
from luthier.models.ladder.trainable import randomise
from luthier.plan.method import parse_method
from luthier.prepare.prepare import Prepared
from luthier.prepare.resolve import rate_of
from luthier.tasks.outputs import Outputs, to_arrays
from luthier.train.loop import Ending, Lesson, TrainSettings, train
from luthier.train.recipe import recipe_for
from luthier.train.state import State
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights

NAME = "scratch"
"""The name of the candidate, and of its artefact."""
FASTER, FASTEST = 5.0, 1e-3
"""Fresh weights learn at a rate so many times that of tuning, as BERT did (Devlin et al. 2019, arXiv:1810.04805: 1e-4 in appendix
A.2, from 2e-5 on in A.3), but no faster than Adam does by default, unless tuning itself is faster (Kingma and Ba 2015,
arXiv:1412.6980)."""


class ScratchCandidate(Candidate):
    """The architecture with random weights, all of which train, in as many steps as the tuned one, by the same rules.

    As in He, Girshick and Dollár 2019, "Rethinking ImageNet pre-training" (arXiv:1811.08883, section 3), nothing else is made to
    suit it but the rate, and batch norms, which learn their statistics from each batch. Its weights are nowhere kept.
    """

    name = NAME
    words = "the same model trained from scratch"
    counts = False
    learns = True
    trains = True
    in_trials = False

    def why_not(self, ready: Prepared) -> str:
        return "" if ready.plan.compare.scratch == "on" else "nobody asked for it (--scratch on)"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        saved = run.folder.saved(NAME, ScratchRecord)
        if saved is not None:
            arrays, record = saved
            outputs = {
                part: run.task.saved_outputs(part, arrays, record.outputs, examples)
                for part, examples in run.ready.examples.items()
                if part in HELD_OUT
            }
            run.watch.earlier["train"] = run.watch.earlier.get("train", 0.0) + record.seconds
            run.checkpoints(FOLDER).forget()
        else:
            learnt = yield from learn(run)
            if learnt is None:
                return None
            record, outputs = learnt
        run.tuning[NAME] = {key: value for key, value in record.told().items() if key != "outputs"}
        return Fitted(self.name, self.words, record.seconds, outputs)

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        return sum(passes(ready.examples[part]) for part in HELD_OUT)


SCRATCH = ScratchCandidate()
FOLDER = "training-scratch"
"""The name of the folder of its saved states."""
TOO_LATE = (
    "Time was over before the model from scratch was validated once, so it is not among the candidates. Give it more: "
    "--budget, or fewer --epochs."
)


def learn(run: Run) -> Generator[Event, None, tuple[ScratchRecord, dict[str, Outputs]] | None]:
    """Train from random weights, and answer the rows that are held out; None where somebody asked to stop, or time was over
    before the first validation.

    Its steps are shown and not logged: the learning curve of a run is that of the tuned candidate.
    """
    run.begin_training(NAME)
    ready, settings = run.ready, settings_from_scratch(run)
    randomise(ready.model, run.plan.run.seed)
    ready.masters.refresh()
    unfreezing = LadderUnfreezing(ready.model, ready.ladder, AllRungs(), live_batch_norm=True)
    if run.plan.run.recompute == "on":
        recompute(ready.model, unfreezing.ladder)
    parts = unfreezing.parts(math.ceil(settings.epochs))
    state = State(ready.model, Weights(ready.model, parts, ready.masters, settings.weight_decay))
    checkpoints, budget = run.checkpoints(FOLDER), Budget(run)
    if checkpoints.load(state) is not None:
        run.watch.earlier["train"] = run.watch.earlier.get("train", 0.0) + state.seconds
    for words in checkpoints.damaged:
        yield Noted(words, run.clock(), warning=True)

    def validate() -> tuple[float, float]:
        with budget.timed():
            return validated(run, run.infer(ready.model, "valid"))

    ended: Stopped | None = None
    yield Started(NAME, run.clock(), settings.steps(len(ready.examples["train"])))
    lesson = Lesson(
        weighted(ready), ready.examples["train"], validate, run.plan.run.seed, groups_of(ready), NAME
    )
    with ready.masters.training():
        ending = Ending(budget.over, run.stop, ceiling(run))
        for event in train(state, lesson, settings, unfreezing, ready.device, run.clock, ending, checkpoints):
            if isinstance(event, Stopped):
                ended = event
            else:
                yield from told(event)
    state.weights.release()
    assert ended is not None, "the loop says how it ended"
    if ended.why == "interrupted":
        return None
    if not state.best:
        yield Noted(TOO_LATE, run.clock(), warning=True)
        return None
    outputs = {part: run.infer(ready.model, part) for part in HELD_OUT}
    arrays, by_part = to_arrays(outputs)
    record = ScratchRecord(
        steps=ended.step,
        best_step=ended.best_step,
        why=ended.why,
        tokens=state.tokens,
        seconds=state.seconds,
        lr=settings.lr,
        outputs=by_part,
    )
    run.folder.save(NAME, arrays, record)
    checkpoints.forget()
    return record, outputs


def told(event: Event) -> Generator[Event, None, None]:
    """An event of the loop as it is told of a candidate that is only compared with."""
    if isinstance(event, Stepped):
        yield Advanced(event.step, event.seconds)
    elif isinstance(event, WentBack):
        words = f"From scratch, a {event.what} was not finite: back to step {event.back_to} at half the rate."
        yield Noted(words, event.seconds, warning=True)
    elif not isinstance(event, Validated):
        yield event


def settings_from_scratch(run: Run) -> TrainSettings:
    """The settings of the tuned candidate, but for the rate."""
    own = settings_of(run.plan.train, micro_tokens_of(run.plan.run, run.task))
    usual = rate_of_all_layers(run)
    return replace(own, lr=min(FASTER * usual, max(usual, FASTEST)))


def rate_of_all_layers(run: Run) -> float:
    """The rate at which all layers would be tuned, where fewer are, or adapters."""
    plan, ready = run.plan.train, run.ready
    asked = plan.lr if isinstance(plan.lr, float) else run.tuning["rate_test"]["lr"]
    parameters = sum(weight.numel() for weight in ready.model.parameters())
    recipe = recipe_for(ready.base.folder.family, parameters)
    return float(asked / rate_of(parse_method(plan.method), recipe))
