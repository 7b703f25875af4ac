"""One frozen pass over all rows, which the cheap candidates and the checks live on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.candidates.earlier_features import KnownFeatures, rows_read, units_of
from luthier.candidates.records import FeaturesRecord
from luthier.candidates.run import ANSWERED, Run
from luthier.candidates.zero_shot import compared, reader_of
from luthier.devices import with_threads
from luthier.events import Advanced, Event, Noted, Started
from luthier.folder.known_rows import MOST_ROWS, save_read
from luthier.hashes import hash_json
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
    known, taken, done, begin = known_features(run), 0, 0, run.clock()
    recorded = sum(map(len, parts.values())) <= MOST_ROWS
    rows = {part: rows_read(examples) for part, examples in parts.items()} if recorded else {}
    for part, examples in parts.items():
        found, left = np.zeros(shapes[part], np.float32), np.arange(len(examples))
        if known.places and recorded:
            left = known.filled(part, rows[part], found)
            taken, done = taken + len(examples) - len(left), done + len(examples) - len(left)
        for count, where, features in read(run, part, examples, left):
            found[where] = features
            done += count
            yield Advanced(done, run.clock())
            if run.stop():
                raise run.interrupted()
        run.features[part] = found
    if run.plan.data.continues is not None:
        yield Noted(words(run.plan.data.continues, taken, done), run.clock())
    run.shared.save("features", run.features, FeaturesRecord(seconds=run.clock() - begin))
    if recorded:
        save_read(run.shared, rows, hash_json(ready.made_by))


def known_features(run: Run) -> KnownFeatures:
    """Features of the run that is gone on from; none where none is."""
    earlier = run.plan.data.continues
    return (
        KnownFeatures() if earlier is None else KnownFeatures.of(Path(earlier), hash_json(run.ready.made_by))
    )


def read(run: Run, part: str, every: Examples, left: Ints) -> Iterator[tuple[int, Ints, Array]]:
    """The features of some rows of a part, batch by batch: how many rows there are, where their features belong, and these."""
    ready = run.ready
    if not len(left):
        return
    examples, places = (
        (every, None) if len(left) == len(every) else (every.select(left), units_of(rows_read(every), left))
    )
    precision = ready.masters.training() if part == "train" else ready.masters.reporting()
    with precision, with_threads(run.mode.wide):
        for batch, where, features in features_of(
            reader_of(ready, part), examples, ready.device, by_unit=every.tokens is not None
        ):
            yield len(batch.rows), where if places is None else places[where], features


def words(earlier: str, taken: int, rows: int) -> str:
    """How many rows were read before."""
    return f"Features of {taken:,} of {rows:,} texts and rows are those of {earlier}; the others went through the model."
