"""What a body learns from rows without labels: in which way, from which of them, for how long."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from luthier import seeds
from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.batches.order import steps_per_epoch
from luthier.errors import counted
from luthier.forms import FORMS
from luthier.forms.form import Variety
from luthier.models.headed import HeadedModel
from luthier.models.heads.head import Wanted
from luthier.models.load import load_model
from luthier.models.readers.reading import preparation_of
from luthier.prepare.prepare import Prepared
from luthier.tasks.adaptation.kind import way_for
from luthier.tasks.task import Task
from luthier.train.loop import TrainSettings
from luthier.train.probe.probe import FOLDS
from luthier.train.recipe import recipe_for

FEWEST = 64
"""Rows without labels from which on there is something to learn, those that say when to stop among them."""
HELD_OUT, MOST_HELD_OUT = 0.1, 1_000
"""Share of the rows that say when to stop, and how many at the most."""
MOST_EPOCHS = 3
MOST_STEPS = 300
"""Steps at the most: minutes of a small encoder on two cores."""
STEPS_A_LOOK = 30
"""Steps between two looks at the rows that say when to stop."""
PATIENCE = 3


@dataclass(frozen=True)
class Lessons:
    """Rows without labels, and how a body learns from them."""

    ready: Prepared
    task: Task

    @cached_property
    def examples(self) -> Examples:
        """All rows, as the task reads them; a row's target tells it from the others."""
        free = self.ready.unlabelled
        assert free is not None, "there are rows without labels"
        form = FORMS[self.task.reads]
        examples, _ = form.read(self.ready.base.reader, free.inputs, np.arange(len(free.inputs)), "cut")
        return examples

    def varied(self, examples: Examples) -> Examples:
        """Rows as they are to look in training."""
        plan = self.ready.plan.train
        augment = "light" if plan.augment == "auto" else plan.augment
        return FORMS[self.task.reads].varied(examples, Variety(augment, plan.flip, "none", 0))

    @property
    def rows(self) -> int:
        """How many rows without labels there are."""
        free = self.ready.unlabelled
        return 0 if free is None else len(free.inputs)

    @cached_property
    def parts(self) -> tuple[Ints, Ints]:
        """Numbers of the rows to learn from, and of those that say when to stop."""
        held = min(MOST_HELD_OUT, max(1, round(HELD_OUT * self.rows)))
        order = seeds.generator(self.ready.plan.run.seed, "unlabelled, held out").permutation(self.rows)
        return np.sort(order[held:]), np.sort(order[:held])

    def model(self) -> HeadedModel:
        """The pre-trained body under what it learns these rows with. Raises ModelError where the folder lacks that."""
        ready = self.ready
        wanted = Wanted(
            outputs=self.task.outputs,
            head=self.task.head,
            pooling=ready.plan.model.pooling,
            seed=ready.plan.run.seed,
            body_dropout=ready.plan.model.body_dropout,
        )
        model = load_model(ready.base.folder, wanted, preparation_of(ready.base.reader))
        return model.to(ready.device.torch)

    @cached_property
    def settings(self) -> TrainSettings:
        """By the recipe of the model's family; short, as it comes before the rows that matter."""
        ready, learning, rows = self.ready, self.task.learning, len(self.parts[0])
        parameters = sum(weight.numel() for weight in ready.model.parameters())
        recipe = recipe_for(ready.base.folder.family, parameters)
        batch_rows = learning.rows_per_step or recipe.batch_rows
        per_epoch = steps_per_epoch(rows, batch_rows)
        micro = ready.plan.run.micro_tokens
        return TrainSettings(
            lr=recipe.lr * learning.rate,
            batch_rows=batch_rows,
            epochs=min(MOST_EPOCHS, MOST_STEPS / per_epoch),
            weight_decay=recipe.weight_decay,
            warmup=recipe.warmup,
            max_norm=ready.plan.train.max_norm,
            validations=max(1, round(per_epoch / STEPS_A_LOOK)),
            patience=PATIENCE,
            micro_tokens=micro if learning.micro_tokens is None else min(micro, learning.micro_tokens),
        )

    def words(self) -> str:
        """What is going to be learnt, for who has not seen it yet."""
        learnt, held = self.parts
        return (
            f"First the body learns from {len(learnt):,} rows without labels, at most {self.settings.steps(len(learnt)):,} "
            f"steps; {len(held):,} others say when to stop. It is kept where a probe on it is better in cross-validation over "
            "the training rows, beyond noise."
        )


def adapts(ready: Prepared) -> bool:
    """Whether the body may learn from rows without labels by themselves; with a teacher its answers to them are learnt."""
    beside, learns = ready.beside, len(ready.rows.split.train) > 0
    return (
        beside.unlabelled is not None
        and beside.teacher is None
        and ready.rows.task.probe is not None
        and learns
    )


def lessons_of(ready: Prepared) -> Lessons | str:
    """How a run's body learns from rows without labels; or why it does not, in words. ready: with such rows."""
    task = way_for(ready.rows.form, ready.base.folder)
    if task is None:
        family = ready.base.folder.family
        return f"The body does not learn from the rows without labels: no way is known for {family} and such rows."
    found = Lessons(ready, task)
    if found.rows < FEWEST:
        return f"The body does not learn from {counted(found.rows, 'row')} without labels: at least {FEWEST} are wanted."
    if not can_be_compared(ready):
        return (
            "The body does not learn from the rows without labels: those with labels are too few to tell whether that helps, "
            "which takes two of one label at the least."
        )
    return found


def can_be_compared(ready: Prepared) -> bool:
    """Whether cross-validation over the training rows could tell one body from another: some label of theirs is learnt from one
    row and asked for by another."""
    targets = ready.examples["train"].targets
    if len(targets) < FOLDS:
        return False
    return ready.rows.task.labels_per_row != "one" or len(np.unique(targets)) < len(targets)
