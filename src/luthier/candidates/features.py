"""One frozen pass over all rows, which the cheap candidates and the checks live on."""

from collections.abc import Generator, Iterator, Sequence

import numpy as np

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.candidates.records import FeaturesRecord
from luthier.candidates.run import ANSWERED, Run
from luthier.candidates.zero_shot import compared, reader_of
from luthier.devices import with_threads
from luthier.events import Advanced, Event, Started
from luthier.predict import features_of


def compute_features(run: Run) -> Iterator[Event]:
    """One frozen pass over all rows: training rows in the fast precision, those that are reported on in fp32."""
    ready = run.ready
    if ready.rows.task.probe is None:
        return  # nobody would read them but checks, and long texts take minutes
    parts = parts_read(run)
    saved = run.shared.saved("features", FeaturesRecord)
    shapes = {part: (examples.units, reader_of(ready, part).width) for part, examples in parts.items()}
    if saved is not None and {part: vectors.shape for part, vectors in saved[0].items()} == shapes:
        yield Started("features", run.clock(), sum(len(examples) for examples in parts.values()))
        run.features, run.watch.earlier["features"] = saved[0], saved[1].seconds
        return
    begin = run.clock()
    run.features = yield from read_features(run, list(parts))
    run.shared.save("features", run.features, FeaturesRecord(seconds=run.clock() - begin))


def parts_read(run: Run) -> dict[str, Examples]:
    """The rows that go through the frozen model, by the key of their features."""
    return {**run.ready.examples, **compared(run.ready, ANSWERED)}


def read_features(run: Run, names: Sequence[str]) -> Generator[Event, None, dict[str, Array]]:
    """The features of some of these rows, as the model in memory gives them now."""
    ready, every = run.ready, parts_read(run)
    parts = {name: every[name] for name in names}
    yield Started("features", run.clock(), sum(len(examples) for examples in parts.values()))
    done = 0
    made: dict[str, Array] = {}
    for part, examples in parts.items():
        by_unit = examples.tokens is not None
        model = reader_of(ready, part)
        found = np.zeros((examples.units, model.width), np.float32)
        precision = ready.masters.training() if part == "train" else ready.masters.reporting()
        with precision, with_threads(run.mode.wide):
            for batch, where, features in features_of(model, examples, ready.device, by_unit=by_unit):
                found[where] = features
                done += len(batch.rows)
                yield Advanced(done, run.clock())
                if run.stop():
                    raise run.interrupted()
        made[part] = found
    return made
