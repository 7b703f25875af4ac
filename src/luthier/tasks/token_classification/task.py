"""Tags as answers: entities, slots and the like, found in a row of words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional

from luthier.batches.examples import Batch, Examples
from luthier.batches.word_rows import Words
from luthier.data.tags import spans_of
from luthier.scores import classification, entities
from luthier.scores.calibration import apply_temperature, fit_temperature
from luthier.scores.metrics import Tagged
from luthier.tasks.classification.task import bins_of
from luthier.tasks.config_labels import labelled
from luthier.tasks.records import TagsRecord
from luthier.tasks.task import Array, Calibration, Loss, Model, Task
from luthier.tasks.token_classification.iob2 import best_tags
from luthier.tasks.token_classification.lookup import glossary_of, looked_up

NAME = "token-classification"
SURE = 10.0
"""Logit of what is said without a model; of all else the negative."""


@dataclass(frozen=True)
class TokenClassification(Task):
    """A row of words in, a tag for each out; what counts are whole entities.

    Units are words: logits are (words, tags). Targets are (rows,) objects, the tag numbers of each row's words; answers
    (words,) tag numbers in strict IOB2.
    """

    types: tuple[str, ...]
    metric: str = "f1"
    blanks: bool = False
    """Whether the words of a text are what stands between its blanks; else signs are words of their own."""

    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "words"  # type: ignore[misc]
    head: ClassVar[str] = "tags"
    steps_of_fewest: ClassVar[float] = 2.0
    majority: ClassVar[str] = "nothing"
    rule: ClassVar[str] = "lookup"
    calibrates: ClassVar[str] = "valid"
    answer: ClassVar[str] = "entities"
    long: ClassVar[str] = "windows"

    @property
    def known_labels(self) -> tuple[str, ...]:
        return self.types

    @property
    def tags(self) -> tuple[str, ...]:
        """In the order of the logits: O, then B- and I- of each type."""
        return ("O", *(f"{mark}-{kind}" for kind in self.types for mark in "BI"))

    @property
    def outputs(self) -> int:  # type: ignore[override]
        return len(self.tags)

    def loss(self, model: Model, batch: Batch) -> Loss:
        """Cross-entropy at the first token of each word."""
        assert batch.marks is not None, "rows of words are marked"
        logits = model(batch)
        total = functional.cross_entropy(
            logits.flatten(0, 1), batch.marks.flatten(), reduction="sum", ignore_index=-1
        )
        return Loss(total, float((batch.marks >= 0).sum()))

    def mean_loss(self, logits: Array, examples: Examples) -> float:
        return float(
            functional.cross_entropy(
                torch.from_numpy(logits), torch.from_numpy(self.to_learn(examples.targets))
            )
        )

    def to_learn(self, targets: Array) -> Array:
        flat: Array = np.concatenate([*targets, np.zeros(0, np.int64)]).astype(np.int64)
        return flat

    def majority_logits(self, targets: Array, examples: Examples) -> Array:
        """No entity anywhere."""
        return self.sure_of(np.zeros(examples.units, np.int64))

    def rule_logits(self, learnt: Examples, examples: Examples) -> Array:
        """The entities of the training rows, wherever their words stand again."""
        assert learnt.sources is not None, "rows know their words"
        assert examples.sources is not None, "rows know their words"
        glossary = glossary_of(
            (row.tokens, [self.tags[tag] for tag in tags])
            for row, tags in zip(learnt.sources, learnt.targets, strict=True)
        )
        number = {tag: at for at, tag in enumerate(self.tags)}
        found = [number[tag] for row in examples.sources for tag in looked_up(row.tokens, glossary)]
        return self.sure_of(np.array(found, np.int64))

    def sure_of(self, tags: Array) -> Array:
        """(units, outputs) of one tag each, (units,), without a doubt."""
        found = np.full((len(tags), self.outputs), -SURE, np.float32)
        found[np.arange(len(tags)), tags] = SURE
        return found

    def fit_score(self, logits: Array, learnt: Array) -> float:
        """F1 of single words with a tag other than O: of words apart no entity is known."""
        said = logits.argmax(axis=1)
        right = int(((said == learnt) & (learnt > 0)).sum())
        named = int((said > 0).sum() + (learnt > 0).sum())
        return 2 * right / named if named else 0.0

    def calibrate(self, logits: Array, examples: Examples) -> Calibration:
        """One temperature over all words."""
        flat = self.to_learn(examples.targets)
        if len(examples) < self.fewest_to_calibrate:
            return Calibration()
        return Calibration(temperature=fit_temperature(logits, flat))

    def probabilities(
        self, logits: Array, calibration: Calibration, examples: Examples | None = None
    ) -> Array:
        return apply_temperature(logits, calibration.temperature)

    def predicted(
        self, probabilities: Array, calibration: Calibration, examples: Examples | None = None
    ) -> Array:
        assert examples is not None, "words are answered row by row"
        assert examples.unit_ends is not None, "words are units"
        return best_tags(probabilities, examples.unit_ends, self.tags)

    def counts(self, predicted: Array, targets: Array) -> Array:
        """(rows, types, 3) entities: right, predicted, true."""
        return entities.counts_per_row(self.to_learn(targets), predicted, ends_of(targets), self.tags)

    def evidence(self, predicted: Array, targets: Array, probabilities: Array | None = None) -> Tagged:
        right = (predicted == self.to_learn(targets)).astype(np.float64)
        return Tagged(self.counts(predicted, targets), right)

    def reported(self, targets: Array) -> tuple[str, ...]:
        return ("f1", "precision", "recall", "accuracy")

    def all_right(self, targets: Array) -> Array:
        return self.to_learn(targets)

    def trust(
        self, plain: Array, calibrated: Array, targets: Array, calibration: Calibration
    ) -> dict[str, Any]:
        flat = self.to_learn(targets)
        before, after = (classification.expected_calibration_error(one, flat) for one in (plain, calibrated))
        return {
            "calibration": {
                "temperature": calibration.temperature, "ece_before": before, "ece_after": after, "of": "words"
            },
            "reliability": {
                "before": bins_of(classification.reliability(plain, flat, 15)),
                "after": bins_of(classification.reliability(calibrated, flat, 15)),
            },
        }  # fmt: skip

    def details(self, probabilities: Array, predicted: Array, targets: Array) -> dict[str, Any]:
        found = entities.per_type(self.counts(predicted, targets))
        return {
            "labels": list(self.types),
            "per_class": [
                {"label": kind, **score.to_json()} for kind, score in zip(self.types, found, strict=True)
            ],
        }

    def answers(
        self, probabilities: Array, predicted: Array, sources: Sequence[Any] = ()
    ) -> list[dict[str, Any]]:
        """Entities as places in the row's text; their probability is that of their least sure word."""
        found, begin = [], 0
        for words in sources:
            own = slice(begin, begin + len(words))
            sure = probabilities[own][np.arange(len(words)), predicted[own]]
            found.append({"entities": self.entities(words, predicted[own], sure)})
            begin += len(words)
        return found

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [self.entities(words, tags) for words, tags in zip(sources, targets, strict=True)]

    def entities(self, words: Words, tags: Array, sure: Array | None = None) -> list[dict[str, Any]]:
        """Entities of a row, as JSON."""
        found = []
        for first, end, kind in spans_of([self.tags[tag] for tag in tags]):
            start, stop = words.places[first][0], words.places[end - 1][1]
            one = {"start": start, "end": stop, "label": kind, "text": words.text[start:stop]}
            if sure is not None:
                one["probability"] = round(float(sure[first:end].min()), 6)
            found.append(one)
        return found

    @property
    def config_labels(self) -> dict[str, Any]:
        return labelled(self.tags)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "reads": self.reads, "types": list(self.types), "metric": self.metric,
            "labels": list(self.tags),
            "blanks": self.blanks,
        }  # fmt: skip

    @staticmethod
    def from_json(record: dict[str, Any]) -> "TokenClassification":
        told = TagsRecord.model_validate(record)
        return TokenClassification(tuple(told.types), told.metric, told.blanks)


def ends_of(targets: Array) -> Array:
    """(rows + 1,) where the words of each row begin."""
    return np.concatenate([[0], np.cumsum([len(tags) for tags in targets], dtype=np.int64)])
