"""What it takes that the body learns from rows without labels before anything learns from those with labels."""

import time
from dataclasses import replace

import numpy as np

from luthier.arrays import Ints
from luthier.batches.examples import Examples
from luthier.batches.order import epoch_order, steps_per_epoch
from luthier.candidates.adapting.lesson import Lessons, adapts, lessons_of
from luthier.candidates.adapting.training import SHARE_OF_BUDGET, SHARES
from luthier.errors import ModelError
from luthier.forecast.looks import Cost, at_quantiles
from luthier.forecast.outline import sizes_of
from luthier.forecast.timing import Bench
from luthier.models.headed import HeadedModel
from luthier.models.ladder.ladder import find_ladder
from luthier.models.ladder.policies import AllRungs
from luthier.models.ladder.prefix import Prefix
from luthier.models.master_weights import MasterWeights
from luthier.prepare.prepare import Prepared
from luthier.tasks.probing import Probing
from luthier.train.loop import validation_steps
from luthier.train.probe.better_features import FEW_ROWS, REPEATS
from luthier.train.probe.probe import probe_seconds
from luthier.train.unfreezing import LadderUnfreezing
from luthier.train.weights import Weights

TRIED = 64
"""Rows that are read to see how fast that is."""
QUANTILES = (0.5, 0.1, 0.9)
"""Sizes of the steps that are tried, the first of them twice, as it pays what only the very first one does."""


def adapting_seconds(ready: Prepared, reading: float) -> float:
    """Seconds at the most until the body has learnt, is compared, and has read all rows once more, as it does where it is kept;
    nothing where there are no such rows. reading: seconds of a pass over all rows that are read.
    """
    lessons = lessons_of(ready) if adapts(ready) else ""
    how = ready.rows.task.probe
    if isinstance(lessons, str) or how is None:
        return 0.0
    try:
        model = lessons.model()
    except ModelError:
        return 0.0  # it does not learn so, which the run tells
    learning = stepping_seconds(lessons, model) + looking_seconds(lessons, model)
    budget = ready.plan.budget_seconds
    if budget is not None:
        learning = min(learning, SHARE_OF_BUDGET * budget)
    return learning + reading + comparing_seconds(ready, how)


def stepping_seconds(lessons: Lessons, model: HeadedModel) -> float:
    """Seconds of all steps: a few of them are taken, at rate zero, on a model that nobody needs."""
    ready, settings = lessons.ready, lessons.settings
    examples = lessons.varied(lessons.examples.select(lessons.parts[0]))
    micros, steps = micros_of(lessons, examples)
    bench = bench_of(lessons, model, examples)
    model.micro_tokens = settings.micro_tokens  # type: ignore[assignment]  # where rows are compared, it cuts by itself
    sizes = sizes_of(examples, micros)
    chosen = [micros[at] for at in at_quantiles(sizes, QUANTILES)]
    with ready.masters.training():
        bench.unfreezing.enter(0)
        bench.step(examples, chosen[0], 0)
        timed = [bench.step(examples, rows, 0) for rows in chosen]
    cost = Cost.fit(sizes_of(examples, chosen), [micro for micro, _ in timed])
    end = float(np.mean([end for _, end in timed]))
    wanted = settings.steps(len(examples))
    return (cost.of(sizes) + end * steps) * wanted / steps


def micros_of(lessons: Lessons, examples: Examples) -> tuple[list[Ints], int]:
    """The micro-batches of an epoch, as training makes them, and how many steps that is."""
    settings, learning = lessons.settings, lessons.task.learning
    lengths = np.zeros(len(examples), np.int64) if learning.mixes_lengths else examples.padded_lengths
    order = epoch_order(lengths, settings.batch_rows, lessons.ready.plan.run.seed, 0)
    if learning.compares_rows:
        return order, len(order)
    return [
        part for rows in order for part in examples.cut(rows, examples.lengths, settings.micro_tokens)
    ], len(order)


def bench_of(lessons: Lessons, model: HeadedModel, examples: Examples) -> Bench:
    """A model that takes steps as the stage does."""
    ready = lessons.ready
    few = examples.batch(np.zeros(1, np.int64)).to(ready.device.torch)
    ladder = find_ladder(model, lambda: model(few))
    masters = MasterWeights(model.body, ready.device.dtype)
    unfreezing = LadderUnfreezing(model, ladder, AllRungs(), new_head=False)
    weights = Weights(model, unfreezing.parts(1), masters, lessons.settings.weight_decay)
    own = replace(ready, model=model, masters=masters, ladder=ladder)
    return Bench(own, unfreezing, lessons.settings, lessons.task, Prefix(model, ladder), weights)


def looking_seconds(lessons: Lessons, model: HeadedModel) -> float:
    """Seconds of what the model is asked of the rows that say when to stop, and, where it is its own teacher, of all rows."""
    rows, held = len(lessons.parts[0]), len(lessons.parts[1])
    settings, reference, device = lessons.settings, lessons.task.reference, lessons.ready.device
    per_epoch = steps_per_epoch(rows, settings.batch_rows)
    looks = len(validation_steps(settings.steps(rows), per_epoch, settings.validations)) + 1 + len(SHARES)
    few = lessons.examples.select(np.arange(min(TRIED, lessons.rows)))
    with lessons.ready.masters.reporting():
        begin = time.perf_counter()
        taught = 0.0
        if reference is not None:
            told = [values for _, values in reference.told(lessons.task, model, few, device)]
            few = reference.given(lessons.task, few, np.concatenate(told))
            taught = (time.perf_counter() - begin) * lessons.rows / len(few)
        begin = time.perf_counter()
        lessons.task.infer(model, few, device)
        return taught + looks * held * (time.perf_counter() - begin) / len(few)


def comparing_seconds(ready: Prepared, how: Probing) -> float:
    """Seconds of the two probes that are compared, over all folds."""
    learnt = how.to_learn(ready.examples["train"].targets)
    repeats = REPEATS if len(learnt) <= FEW_ROWS else 1
    return 2 * repeats * probe_seconds(learnt, ready.model.read_width, how.outputs)
