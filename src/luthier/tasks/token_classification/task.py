"""Tags as answers: entities, slots and the like, found in a row of words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional

from luthier.arrays import Array, Ints
from luthier.batches.examples import Batch, Examples
from luthier.batches.tokens import runs
from luthier.batches.word_rows import Words
from luthier.data.tags import spans_of
from luthier.scores import classification, entities
from luthier.scores.calibration import apply_temperature, fit_temperature
from luthier.scores.calibration_gain import temperature_gain
from luthier.scores.evidence import Tagged
from luthier.tasks.answers import Answers
from luthier.tasks.calibration import Calibrating, Calibration
from luthier.tasks.classification.task import bins_of
from luthier.tasks.config_labels import labelled
from luthier.tasks.outputs import Logits
from luthier.tasks.probing import Probing
from luthier.tasks.recorded import Line, Recorded
from luthier.tasks.records import TagsRecord
from luthier.tasks.task import Baseline, Learning, Loss, Model, Task
from luthier.tasks.token_classification.iob2 import begun, best_tags
from luthier.tasks.token_classification.lookup import glossary_of, looked_up

NAME = "token-classification"
SURE = 10.0
"""Logit of what is said without a model; of all else the negative."""


@dataclass(frozen=True)
class Tags(Answers):
    """A tag for each word, in strict IOB2."""

    probabilities: Array
    """(words, tags)"""
    tags: Array
    """(words,) tag numbers."""
    ends: Ints
    """(rows + 1,) where the words of each row begin, and the last ones end."""

    def __len__(self) -> int:
        return len(self.ends) - 1

    def select(self, rows: Ints) -> "Tags":
        chosen = Logits(self.probabilities, self.ends).select(rows)
        assert chosen.ends is not None, "a row has several words"
        return Tags(chosen.values, self.tags[self.words_of(rows)], chosen.ends)

    def words_of(self, rows: Ints) -> Ints:
        """The numbers of the words of some rows."""
        return runs(self.ends[rows], self.ends[rows + 1] - self.ends[rows])


@dataclass(frozen=True)
class TokenClassification(Task[Logits, Tags]):
    """A row of words in, a tag for each out; what counts are whole entities.

    Units are words: logits are (words, tags). Targets are (rows,) objects, the tag numbers of each row's words.
    """

    types: tuple[str, ...]
    metric: str = "f1"
    blanks: bool = False
    """Whether the words of a text are what stands between its blanks; else signs are words of their own."""
    strict: bool = True
    """Whether only tags that may follow each other are answered. Else each word has its likeliest tag, and an I- that goes on
    with nothing begins an entity: so seqeval counts, if nobody asks for its strict mode, what a model of transformers answers."""

    name: ClassVar[str] = NAME  # type: ignore[misc]
    reads: ClassVar[str] = "words"  # type: ignore[misc]
    head: ClassVar[str] = "tags"
    answer_key: ClassVar[str] = "entities"
    long: ClassVar[str] = "windows"

    @property
    def probe(self) -> Probing:
        return ProbedTags(self)

    @property
    def calibrating(self) -> Calibrating[Logits, Tags]:
        return CalibratedTags(self)

    @property
    def recorded(self) -> Recorded[Tags]:
        return RecordedEntities(self)

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        return {"nothing": self.no_entity, "lookup": self.look_up}

    @property
    def learning(self) -> Learning:
        return Learning(steps_of_fewest=2.0)

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

    def mean_loss(self, outputs: Logits, examples: Examples) -> float:
        tags = torch.from_numpy(flat(examples.targets))
        return float(functional.cross_entropy(torch.from_numpy(outputs.values), tags))

    def no_entity(self, learnt: Examples, asked: Examples) -> Logits:
        """No entity anywhere."""
        return Logits(self.sure_of(np.zeros(asked.units, np.int64)), asked.unit_ends)

    def look_up(self, learnt: Examples, asked: Examples) -> Logits:
        """The entities of the training rows, wherever their words stand again."""
        assert learnt.sources is not None, "rows know their words"
        assert asked.sources is not None, "rows know their words"
        glossary = glossary_of(
            (row.tokens, [self.tags[tag] for tag in tags])
            for row, tags in zip(learnt.sources, learnt.targets, strict=True)
        )
        number = {tag: at for at, tag in enumerate(self.tags)}
        found = [number[tag] for row in asked.sources for tag in looked_up(row.tokens, glossary)]
        return Logits(self.sure_of(np.array(found, np.int64)), asked.unit_ends)

    def sure_of(self, tags: Array) -> Array:
        """(units, outputs) of one tag each, (units,), without a doubt."""
        found = np.full((len(tags), self.outputs), -SURE, np.float32)
        found[np.arange(len(tags)), tags] = SURE
        return found

    def answer(self, outputs: Logits, calibration: Calibration, examples: Examples) -> Tags:
        probabilities = apply_temperature(outputs.values, calibration.temperature)
        assert examples.unit_ends is not None, "words are units"
        ends = examples.unit_ends
        tags = best_tags(probabilities, ends, self.tags) if self.strict else probabilities.argmax(axis=1)
        return Tags(probabilities, tags, ends)

    def flawless(self, targets: Array) -> Tags:
        tags = flat(targets)
        return Tags(np.eye(self.outputs)[tags], tags, ends_of(targets))

    def counts(self, answers: Tags, targets: Array) -> Array:
        """(rows, types, 3) entities: right, predicted, true."""
        tags, ends = answers.tags, ends_of(targets)
        if not self.strict:
            tags = begun(tags, ends, self.tags)
        return entities.counts_per_row(flat(targets), tags, ends, self.tags)

    def evidence(self, answers: Tags, targets: Array) -> Tagged:
        right = (answers.tags == flat(targets)).astype(np.float64)
        rows = np.repeat(np.arange(len(targets)), [len(tags) for tags in targets])
        return Tagged(self.counts(answers, targets), right, rows)

    def reported(self, targets: Array) -> tuple[str, ...]:
        return ("f1", "precision", "recall", "accuracy")

    def details(self, answers: Tags, targets: Array) -> dict[str, Any]:
        found = entities.per_type(self.counts(answers, targets))
        return {
            "labels": list(self.types),
            "per_class": [
                {"label": kind, **score.to_json()} for kind, score in zip(self.types, found, strict=True)
            ],
        }

    def lines(self, answers: Tags, sources: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Entities as places in the row's text; their probability is that of their least sure word."""
        found, begin = [], 0
        for words in sources:
            own = slice(begin, begin + len(words))
            tags = answers.tags[own]
            sure = answers.probabilities[own][np.arange(len(words)), tags]
            found.append({"entities": self.entities(words, tags, sure)})
            begin += len(words)
        return found

    def known(self, targets: Array, sources: Sequence[Any] = ()) -> list[Any]:
        return [self.entities(words, tags) for words, tags in zip(sources, targets, strict=True)]

    def entities(self, words: Words, tags: Array, sure: Array | None = None) -> list[dict[str, Any]]:
        """Entities of a row, as JSON."""
        found = []
        if not self.strict:
            tags = begun(tags, np.array([0, len(tags)]), self.tags)
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


@dataclass(frozen=True)
class ProbedTags(Probing):
    """Logistic regression of each word's tag."""

    task: TokenClassification

    @property
    def outputs(self) -> int:
        return self.task.outputs

    def to_learn(self, targets: Array) -> Array:
        return flat(targets)

    def fit_score(self, values: Array, learnt: Array) -> float:
        """F1 of single words with a tag other than O: of words apart no entity is known."""
        said = values.argmax(axis=1)
        right = int(((said == learnt) & (learnt > 0)).sum())
        named = int((said > 0).sum() + (learnt > 0).sum())
        return 2 * right / named if named else 0.0


@dataclass(frozen=True)
class RecordedEntities(Recorded[Tags]):
    """Entities by their places in the row's text; of single words nothing is told."""

    task: TokenClassification

    def beside(self, other: TokenClassification) -> "RecordedEntities":
        return RecordedEntities(
            replace(self.task, types=tuple(dict.fromkeys((*self.task.types, *other.types))))
        )

    def evidence(self, lines: Sequence[Line]) -> Tagged:
        number = {kind: at for at, kind in enumerate(self.task.types)}
        counts = np.zeros((len(lines), len(number), 3), np.int64)
        for row, line in enumerate(lines):
            found, true = (entities_of(line[key]) for key in ("prediction", "label"))
            for at, some in enumerate((found & true, found, true)):
                for *_, kind in some:
                    counts[row, number[kind], at] += 1
        return Tagged(counts, np.zeros(0), np.zeros(0, np.int64))

    def answer(self, line: Line) -> Any:
        return entities_of(line["prediction"])


def entities_of(told: Sequence[Mapping[str, Any]]) -> set[tuple[int, int, str]]:
    """Entities without how sure the model is of them: where each begins and ends, and its type."""
    return {(one["start"], one["end"], one["label"]) for one in told}


@dataclass(frozen=True)
class CalibratedTags(Calibrating[Logits, Tags]):
    """One temperature over all words; none where it does not help (scores/calibration_gain.py)."""

    task: TokenClassification

    part: ClassVar[str] = "valid"  # type: ignore[misc]

    def fit(self, outputs: Logits, examples: Examples) -> Calibration:
        if len(examples) < self.fewest:
            return Calibration()
        tags = flat(examples.targets)
        row = np.repeat(np.arange(len(examples)), np.diff(ends_of(examples.targets)))
        fitted = Calibration(temperature=fit_temperature(outputs.values, tags))
        return fitted.only_where(temperature_gain(outputs.values, tags, row))

    def trust(
        self, plain: Tags, calibrated: Tags, targets: Array, calibration: Calibration
    ) -> dict[str, Any]:
        tags, both = flat(targets), (plain.probabilities, calibrated.probabilities)
        before, after = (classification.expected_calibration_error(one, tags) for one in both)
        bins = [bins_of(classification.reliability(one, tags, 15)) for one in both]
        return {
            "calibration": {
                "temperature": calibration.temperature, "ece_before": before, "ece_after": after, "of": "words",
                **calibration.gain_record(),
            },
            "reliability": {"before": bins[0], "after": bins[1]},
        }  # fmt: skip


def flat(targets: Array) -> Array:
    """(words,) the tag numbers of all rows' words, one row after the other."""
    found: Array = np.concatenate([*targets, np.zeros(0, np.int64)]).astype(np.int64)
    return found


def ends_of(targets: Array) -> Array:
    """(rows + 1,) where the words of each row begin."""
    return np.concatenate([[0], np.cumsum([len(tags) for tags in targets], dtype=np.int64)])
