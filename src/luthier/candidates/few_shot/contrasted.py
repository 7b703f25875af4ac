"""A body that has brought rows of each label together, and what it then makes of rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.batches.order import steps_per_epoch
from luthier.candidates.run import Run
from luthier.devices import FreedMemory, with_threads
from luthier.events import Advanced, Event, Noted, Stepped, WentBack
from luthier.models.ladder.policies import AllRungs, FrozenEmbeddings
from luthier.predict import all_features_of
from luthier.prepare.prepare import Prepared
from luthier.train.loop import Lesson, TrainSettings, train
from luthier.train.recipe import recipe_for
from luthier.train.state import State
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights

NAME = "few-shot"
"""The name of the candidate, and of its artefact."""
ANSWERS = "few-shot-scored"
"""The artefact of what it gave for the rows that it is compared on."""
ROWS, FEWEST_ROWS, TOKENS = 64, 8, 8_192
"""Rows of a step: each is compared with each. Fewer of long texts, so that a step has about so many tokens."""
FEWEST_STEPS, MOST_STEPS, EPOCHS = 4, 400, 1.0
"""Steps: as many as see each row so often, within these bounds. With 10 and 1.5 in their place they take half as long again or
more, which was worth about a point on banking77 with 1 to 4 rows a label, and nothing on TREC, SST-2 and AG News."""
ROWS_READ, STEPS_OF_FEW = 200, 10
"""Few rows are seen again and again: they take as many steps as read so many rows, and no more than these."""
WAY = 12.0
"""Steps times the learning rate, as a multiple of the recipe's: the way that weights can go. Beyond it labels that are alike are
torn apart, and what the model knew goes with them."""
WARMUP = 0.1


def rows_and_words(ready: Prepared) -> Examples:
    """The training rows, and for each label what it means as a row more, so that no label is alone."""
    how, rows = ready.rows.task.zero_shot, ready.rows
    assert how is not None, "labels are compared with texts"
    texts = [*rows.inputs(rows.split.train), *how.prompts]
    targets = np.concatenate([ready.examples["train"].targets, np.arange(len(how.prompts))])
    way = "windows" if ready.long.way == "windows" else "cut"  # what is cut was counted when rows were read
    examples, _ = rows.form.read(ready.base.reader, texts, targets, way)
    return examples


def settings_for(
    ready: Prepared, examples: Examples, share: float = 1.0, most_steps: int = MOST_STEPS
) -> TrainSettings:
    """How long and how fast a body learns of some rows: by the recipe of the model's family. share: of the steps, each as long as
    if all were taken. most_steps: of all."""
    parameters = sum(weight.numel() for weight in ready.model.parameters())
    recipe, plan = recipe_for(ready.base.folder.family, parameters), ready.plan
    long = int(np.sort(examples.lengths)[-ROWS:].mean()) or 1
    per_epoch = steps_per_epoch(len(examples), int(np.clip(TOKENS // long, FEWEST_ROWS, ROWS)))
    # Steps have as many rows as each other: two that were left over would teach little.
    batch_rows = steps_per_epoch(len(examples), per_epoch)
    again = min(ROWS_READ / batch_rows, STEPS_OF_FEW)
    steps = int(np.clip(max(EPOCHS * per_epoch, again), FEWEST_STEPS, most_steps))
    return TrainSettings(
        lr=WAY / steps * recipe.lr,
        batch_rows=batch_rows,
        epochs=max(1, round(share * steps)) / per_epoch,
        weight_decay=recipe.weight_decay,
        warmup=WARMUP,
        max_norm=plan.train.max_norm,
        validations=0,  # nothing is held out to look at: the last state is the one
        patience=1,
        micro_tokens=plan.run.micro_tokens,
    )


def steps_of(ready: Prepared) -> int:
    """How many steps a body takes of all training rows. Without some of them it takes no more, though it sees them more often."""
    examples = rows_and_words(ready)
    return settings_for(ready, examples).steps(len(examples))


@dataclass
class Contrasting:
    """A body, and how it learns of the training rows of `ready`, which has it."""

    run: Run
    ready: Prepared
    share: float = 1.0
    """The part of the usual steps that it takes."""
    most_steps: int = MOST_STEPS
    """The most steps that it takes: without a fold no more than of all rows."""
    tokens: int = 0
    steps: int = 0

    def learn(self) -> Iterator[Event]:
        """Train to the end; the model of `ready` has learnt then."""
        ready, task = self.ready, self.ready.rows.task.contrasting
        assert task is not None, "rows have one label each"
        examples = rows_and_words(ready)
        settings = settings_for(ready, examples, self.share, self.most_steps)
        policy = FrozenEmbeddings(AllRungs(), len(ready.ladder.rungs) - 1)
        unfreezing = LadderUnfreezing(ready.model, ready.ladder, policy, new_head=False)
        parts = unfreezing.parts(1)
        state = State(ready.model, Weights(ready.model, parts, ready.masters, settings.weight_decay))
        unasked = (0.0, 0.0)  # settings_for has no validations
        lesson = Lesson(task, examples, lambda: unasked, self.run.plan.run.seed, name=NAME)
        freed = FreedMemory()
        with ready.masters.training():
            for event in train(state, lesson, settings, unfreezing, ready.device, self.run.clock):
                if isinstance(event, Stepped):
                    freed.look()  # a step has the rows of its own, in pieces of other lengths than the last
                yield event
        state.weights.release()
        ready.masters.refresh()
        self.tokens, self.steps = state.tokens, state.step

    def features(self, examples: Examples) -> Array:
        """(rows, width) of some rows, in fp32."""
        with self.ready.masters.reporting(), with_threads(self.run.mode.wide):
            return all_features_of(self.ready.model, examples, self.ready.device)


def shown(event: Event) -> Iterator[Event]:
    """An event of the loop as it is told: steps are shown and not logged, as the learning curve of a run is that of the tuned
    candidate."""
    if isinstance(event, Stepped):
        yield Advanced(event.step, event.seconds)
    elif isinstance(event, WentBack):
        words = f"A {event.what} was not finite: back to step {event.back_to} at half the rate."
        yield Noted(words, event.seconds, warning=True)
