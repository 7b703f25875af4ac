"""One frozen pass over all rows, which the cheap candidates and the checks live on."""

from collections.abc import Iterator

import numpy as np

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
    parts = {**ready.examples, **compared(ready, ANSWERED)}
    yield Started("features", run.clock(), sum(len(examples) for examples in parts.values()))
    saved = run.shared.saved("features", FeaturesRecord)
    shapes = {part: (examples.units, reader_of(ready, part).width) for part, examples in parts.items()}
    if saved is not None and {part: vectors.shape for part, vectors in saved[0].items()} == shapes:
        run.features, run.watch.earlier["features"] = saved[0], saved[1].seconds
        return
    done, begin = 0, run.clock()
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
        run.features[part] = found
    run.shared.save("features", run.features, FeaturesRecord(seconds=run.clock() - begin))
