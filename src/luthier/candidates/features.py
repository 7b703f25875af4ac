"""One frozen pass over all rows, which the cheap candidates and the checks live on."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.candidates.earlier_features import LEARNT, KnownFeatures, rows_read, units_of
from luthier.candidates.pool import UNLABELLED, pool_of
from luthier.candidates.records import FeaturesRecord
from luthier.candidates.run import ANSWERED, Run
from luthier.candidates.zero_shot import compared, reader_of
from luthier.devices import with_threads
from luthier.events import Advanced, Event, Noted, Started
from luthier.folder.known_rows import MOST_ROWS, save_read
from luthier.hashes import hash_json
from luthier.predict import features_of
from luthier.prepare.prepare import Prepared


@dataclass(frozen=True)
class Begun:
    """The features of a part, of which some may be known before anything is read."""

    found: Array
    """(units, width)"""
    left: Ints
    """Places of the rows that are to be read."""

    @staticmethod
    def empty(run: Run, part: str, examples: Examples) -> "Begun":
        """With nothing known."""
        width = reader_of(run.ready, part).width
        return Begun(np.zeros((examples.units, width), np.float32), np.arange(len(examples)))


def compute_features(run: Run) -> Iterator[Event]:
    """One frozen pass over all rows: those that are learnt from in the fast precision, those that are reported on in fp32. What
    the run that is gone on from has read is not read again; nor are training rows that are answered in cross-validation, which
    are read once, in fp32."""
    ready = run.ready
    if ready.rows.task.probe is None:
        return  # nobody would read them but checks, and long texts take minutes
    parts = parts_read(ready)
    saved = run.shared.saved("features", FeaturesRecord)
    shapes = {part: (examples.units, reader_of(ready, part).width) for part, examples in parts.items()}
    if saved is not None and {part: vectors.shape for part, vectors in saved[0].items()} == shapes:
        yield Started("features", run.clock(), sum(len(examples) for examples in parts.values()))
        run.features, run.watch.earlier["features"] = with_asked(run, saved[0]), saved[1].seconds
        return
    begin, earlier, reading = run.clock(), run.plan.data.continues, hash_json(reading_of(run))
    recorded = sum(map(len, parts.values())) <= MOST_ROWS
    rows = {part: rows_read(examples) for part, examples in parts.items()} if recorded else {}
    begun = {part: Begun.empty(run, part, examples) for part, examples in parts.items()}
    if earlier is not None and recorded:
        known = KnownFeatures.of(Path(earlier), reading)
        begun = {
            part: Begun(own.found, known.filled(part, rows[part], own.found)) for part, own in begun.items()
        }
    features = yield from read_features(run, list(parts), begun)
    run.features = with_asked(run, features)
    if earlier is not None:
        every, left = sum(map(len, parts.values())), sum(len(own.left) for own in begun.values())
        yield Noted(words(earlier, every - left, every), run.clock())
    run.shared.save("features", features, FeaturesRecord(seconds=run.clock() - begin))
    if recorded:
        save_read(run.shared, rows, reading)


def parts_read(ready: Prepared) -> dict[str, Examples]:
    """The rows that go through the frozen model, by the key of their features."""
    own = {
        part: examples
        for part, examples in ready.examples.items()
        if part != "valid" or not ready.rows.split.crossed
    }
    pool = pool_of(ready)
    free = {} if pool is None else {UNLABELLED: pool}
    return {**own, **compared(ready, ANSWERED), **free}


def with_asked(run: Run, features: dict[str, Array]) -> dict[str, Array]:
    """The features of all parts: in cross-validation those that are asked are training rows, which were read."""
    split = run.ready.rows.split
    if not split.crossed:
        return features
    return features | {"valid": features["train"][np.searchsorted(split.train, split.valid)]}


def reading_of(run: Run) -> list[object]:
    """All that decides the features of a row beside what is read of it."""
    ready = run.ready
    exact = ready.rows.split.crossed and ready.device.precision != "fp32"
    return [*ready.made_by, *(["training rows in fp32"] if exact else [])]


def read_features(
    run: Run, names: Sequence[str], begun: Mapping[str, Begun] | None = None
) -> Generator[Event, None, dict[str, Array]]:
    """The features of some of these rows, as the model in memory gives them now. begun: what is known of all of them."""
    every, done = parts_read(run.ready), 0
    parts = {name: every[name] for name in names}
    yield Started("features", run.clock(), sum(len(examples) for examples in parts.values()))
    made: dict[str, Array] = {}
    for part, examples in parts.items():
        own = Begun.empty(run, part, examples) if begun is None else begun[part]
        done += len(examples) - len(own.left)
        for count, where, features in read(run, part, examples, own.left):
            own.found[where] = features
            done += count
            yield Advanced(done, run.clock())
            if run.stop():
                raise run.interrupted()
        made[part] = own.found
    return made


def read(run: Run, part: str, every: Examples, left: Ints) -> Iterator[tuple[int, Ints, Array]]:
    """The features of some rows of a part, batch by batch: how many rows there are, where their features belong, and these."""
    ready = run.ready
    if not len(left):
        return
    examples, places = (
        (every, None) if len(left) == len(every) else (every.select(left), units_of(rows_read(every), left))
    )
    fast = part in LEARNT and not ready.rows.split.crossed
    precision = ready.masters.training() if fast else ready.masters.reporting()
    with precision, with_threads(run.mode.wide):
        for batch, where, features in features_of(
            reader_of(ready, part), examples, ready.device, by_unit=every.tokens is not None
        ):
            yield len(batch.rows), where if places is None else places[where], features


def words(earlier: str, taken: int, rows: int) -> str:
    """How many rows were read before."""
    return f"Features of {taken:,} of {rows:,} texts and rows are those of {earlier}; the others went through the model."
