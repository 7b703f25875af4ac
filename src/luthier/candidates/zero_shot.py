"""What the pre-trained model says before it has learnt anything: texts compared with labels' names, or with each other."""

from collections.abc import Generator

import numpy as np

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.candidates.candidate import Beside, Candidate, Passes
from luthier.candidates.run import ANSWERED, Run
from luthier.comparing.fitted import Fitted, Weights
from luthier.events import Event
from luthier.models.headed import HeadedModel
from luthier.models.heads.classifier import encoder_of
from luthier.prepare.prepare import Prepared
from luthier.tasks.zero_shot import Seen

NAMES = "labels"
"""The key of the features of labels' names."""


class ZeroShotCandidate(Candidate):
    """The pre-trained model as it is."""

    name = "zero-shot"
    words = "the untrained model"
    crosses_itself = True
    beside_judged: Beside = "base"

    def why_not(self, ready: Prepared) -> str:
        known = ready.rows.task.zero_shot is not None
        return "" if known else f"an untrained model has no answers of {ready.rows.task.name}"

    def fit(self, run: Run) -> Generator[Event, None, Fitted | None]:
        yield from ()  # a generator, as every `fit` is
        how, begin = run.task.zero_shot, run.clock()
        assert how is not None, "it competes only where there is a way"
        if how.as_it_is:
            outputs = {part: run.infer(run.ready.model, part) for part in ANSWERED}
            # Vectors are there before anything is learnt: they are kept where learning makes them no better.
            return Fitted(self.name, self.words, run.clock() - begin, outputs, weights=Weights())
        told = {part: how.outputs(seen(run.features, part)) for part in ANSWERED}
        found = {part: outputs for part, outputs in told.items() if outputs is not None}
        return Fitted(self.name, self.words, run.watch.took["features"], {**found}) if found else None

    def forecast(self, ready: Prepared, passes: Passes) -> float:
        how = ready.rows.task.zero_shot
        if how is None or not how.as_it_is:
            return 0.0
        return sum(passes(ready.examples[part]) for part in ANSWERED)


ZERO_SHOT = ZeroShotCandidate()


def compared(ready: Prepared, parts: tuple[str, ...]) -> dict[str, Examples]:
    """Texts whose features are compared, beside those of the rows themselves, by the key of their features."""
    how, texts = ready.rows.task.zero_shot, ready.base.reader.texts
    if how is None or texts is None:
        return {}
    found: dict[str, Examples] = {}
    if how.prompts:
        found[NAMES] = texts.examples(how.prompts, blank(len(how.prompts)))[0]
    if how.compares and ready.base.folder.pooling is not None:
        for part in parts:
            pairs = ready.rows.inputs(getattr(ready.rows.split, part))
            for side in (0, 1):
                found[key(part, side)] = texts.examples([pair[side] for pair in pairs], blank(len(pairs)))[0]
    return found


def cut_words(ready: Prepared) -> list[str]:
    """A sentence on what describes labels at more length than the model reads; none where all of it is read."""
    how, texts = ready.rows.task.zero_shot, ready.base.reader.texts
    if how is None or texts is None or not how.prompts:
        return []
    long = texts.examples(how.prompts, blank(len(how.prompts)))[1]
    if not long.rows:
        return []
    what = "label is described by a text" if long.rows == 1 else "labels are described by texts"
    return [
        f"{long.rows:,} {what} longer than the {long.limit:,} tokens that the model reads: zero-shot compares with the beginning "
        "alone. Shorten the descriptions."
    ]


def key(part: str, side: int) -> str:
    return f"{part}, text {side + 1}"


def blank(rows: int) -> Array:
    """Targets of rows from which nothing is learnt."""
    return np.zeros(rows, np.int64)


def reader_of(ready: Prepared, name: str) -> HeadedModel:
    """The model that reads some features: of single texts out of pairs, the body alone, pooled as its folder declares."""
    if ", text " in name and ready.base.folder.pooling is not None:
        return encoder_of(ready.model, ready.base.folder.pooling)
    return ready.model


def seen(features: dict[str, Array], part: str) -> Seen:
    """What the pre-trained model gave for a part's rows, and for what they are compared with."""
    return Seen(
        features[part],
        features["valid"],
        prompts=features.get(NAMES),
        sides=sides(features, part),
        known_sides=sides(features, "valid"),
    )


def sides(features: dict[str, Array], part: str) -> tuple[Array, Array] | None:
    """(rows, width) of the first texts of a part's rows, and of the second; None where they were not read by themselves."""
    if key(part, 0) not in features:
        return None
    return features[key(part, 0)], features[key(part, 1)]
