"""One pass of the model as it came over all rows, where the loss compares what is learnt with that."""

from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.candidates.records import ReferenceRecord
from luthier.candidates.run import Run
from luthier.devices import with_threads
from luthier.events import Advanced, Event, Started
from luthier.prepare.prepare import Prepared
from luthier.tasks.reference import Reference

NAME = "reference"


def compute_reference(run: Run) -> Iterator[Event]:
    """Give all rows what the untouched model says of them; what an earlier command computed is found again.

    Training rows are read in the precision of training, so that nothing but learning makes a difference in the loss; rows that
    are reported on in fp32, as the tuned model reads them for the scorecard. While it trains, the model reads validation rows in
    the precision of training, and is compared with this same fp32 reference: how it was rounded is the same in every validation.
    """
    reference, examples = run.task.reference, run.ready.examples
    if reference is None:
        return
    yield Started(NAME, run.clock(), sum(map(len, examples.values())))
    saved = run.shared.saved(NAME, ReferenceRecord)
    if saved is not None and fits(run.ready, saved[0]):
        values, run.watch.earlier[NAME] = saved[0], saved[1].seconds
    else:
        begin = run.clock()
        values = yield from told_of_all(run, reference)
        run.shared.save(NAME, values, ReferenceRecord(seconds=run.clock() - begin))
    told = {part: reference.given(run.task, examples[part], found) for part, found in values.items()}
    run.ready = replace(run.ready, examples=examples | told)


def told_of_all(run: Run, reference: Reference) -> Generator[Event, None, dict[str, Array]]:
    """By part, what the untouched model says of its rows."""
    ready, done = run.ready, 0
    values: dict[str, Array] = {}
    for part, examples in filled(ready).items():
        batches = reference.told(run.task, ready.model, examples, ready.device)
        found: list[tuple[Ints, Array]] = []
        precision = ready.masters.training() if part == "train" else ready.masters.reporting()
        with precision, with_threads(run.mode.wide):
            for rows, numbers in batches:
                found.append((rows, numbers))
                done += len(rows)
                yield Advanced(done, run.clock())
                if run.stop():
                    raise run.interrupted()
        order = np.argsort(np.concatenate([rows for rows, _ in found]))
        values[part] = np.concatenate([numbers for _, numbers in found])[order]
    return values


def filled(ready: Prepared) -> dict[str, Examples]:
    """The rows of each part that has any."""
    return {part: examples for part, examples in ready.examples.items() if len(examples)}


def fits(ready: Prepared, values: dict[str, Array]) -> bool:
    """Whether numbers that were saved are of these rows."""
    rows = {part: len(examples) for part, examples in filled(ready).items()}
    return {part: len(found) for part, found in values.items()} == rows
