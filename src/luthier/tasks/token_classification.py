"""Token classification: entities, slots and the like, found in a text."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from torch.nn import functional

from luthier.batches.examples import Batch, Examples
from luthier.batches.words import Words
from luthier.data.columns import ColumnGuess, names_there, normal
from luthier.data.split import key_of
from luthier.data.table import Ints, Table
from luthier.data.tags import scheme_of, spans_of, tags_of_spans, to_iob2, words_of
from luthier.errors import DataError, did_you_mean, listing
from luthier.scores import classification, entities
from luthier.scores.calibration import apply_temperature, fit_temperature
from luthier.scores.intervals import Difference, Estimate, bootstrap, paired_bootstrap_of, proportion
from luthier.tasks.classification import FEWEST_TO_CALIBRATE, bins_of
from luthier.tasks.iob2 import best_tags
from luthier.tasks.kind import Columns, Kind, Roles, Understood, Wishes
from luthier.tasks.labelled import refuse_nothing_left, useless
from luthier.tasks.labels import in_order
from luthier.tasks.metric import chosen_metric
from luthier.tasks.task import Array, Calibration, Loss, Model, Task

NAME = "token-classification"
METRICS = ("f1",)
TOKEN_NAMES = ("tokens", "words")
TAG_NAMES = ("tags", "ner_tags", "labels", "label", "slots")
SPAN_NAMES = ("spans", "entities", "slots", "annotations", "label", "labels")


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
    usual: ClassVar[str] = "nothing"
    answer: ClassVar[str] = "entities"
    long: ClassVar[str] = "windows"

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

    def usual_logits(self, targets: Array, examples: Examples) -> Array:
        """No entity anywhere."""
        found = np.full((examples.units, self.outputs), -10.0, np.float32)
        found[:, 0] = 10.0
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
        if len(examples) < FEWEST_TO_CALIBRATE:
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

    def score(self, predicted: Array, targets: Array) -> float:
        return entities.precision_recall_f1(self.counts(predicted, targets))[2]

    def scores(
        self, probabilities: Array, predicted: Array, targets: Array, seed: int
    ) -> dict[str, Estimate]:
        counts, rows = self.counts(predicted, targets), len(targets)
        right = (predicted == self.to_learn(targets)).astype(np.float64)
        return {
            "f1": bootstrap(entities.resampled_f1(counts), rows, seed=seed),
            "precision": bootstrap(entities.resampled_precision(counts), rows, seed=seed),
            "recall": bootstrap(entities.resampled_recall(counts), rows, seed=seed),
            "accuracy": proportion(right, seed=seed),
        }

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

    def difference(self, ours: Array, theirs: Array, targets: Array, seed: int) -> Difference:
        first, second = (self.counts(answers, targets) for answers in (ours, theirs))
        differing = int(np.any(first != second, axis=(1, 2)).sum())
        statistics = entities.resampled_f1(first), entities.resampled_f1(second)
        return paired_bootstrap_of(*statistics, len(targets), differing=differing, seed=seed)

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

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "reads": self.reads, "types": list(self.types), "metric": self.metric,
            "labels": list(self.tags),
            "blanks": self.blanks,
        }  # fmt: skip

    @staticmethod
    def from_json(record: dict[str, Any]) -> "TokenClassification":
        return TokenClassification(tuple(record["types"]), str(record["metric"]), bool(record["blanks"]))


def ends_of(targets: Array) -> Array:
    """(rows + 1,) where the words of each row begin."""
    return np.concatenate([[0], np.cumsum([len(tags) for tags in targets], dtype=np.int64)])


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """Tokens and tags, or a text and spans, by name or as asked."""
    text, label = asked["text"], asked["label"]
    for name in (text, label):
        if name is not None and name not in table.names:
            raise DataError(
                f"{table.files[0]}: there is no column {name!r}.{did_you_mean(name, table.names)} "
                f"Columns: {listing(table.names)}."
            )
    there = {normal(name): name for name in table.names}
    tokens = text or next((there[name] for name in TOKEN_NAMES if name in there), None)
    if tokens is not None and (text is not None or holds_lists(table, tokens)):
        texts_known = [tokens]
    else:
        texts_known = list(names_there(table, "text").values())
        tokens = next(
            (name for name in texts_known if normal(name) in ("text", "sentence", "utterance")), None
        )
    wanted = SPAN_NAMES if tokens is not None and not holds_lists(table, tokens) else TAG_NAMES
    label = label or next((there[name] for name in (*wanted, *TAG_NAMES) if name in there), None)
    if tokens is None or label is None:
        missing = "text" if tokens is None else "label"
        raise DataError(
            f"{table.files[0]}: no column looks like the {missing}. Token classification learns from tokens with tags, or a "
            f"text with spans. Name it with --{missing} COLUMN. Columns: {listing(table.names)}."
        )
    why = {
        role: "as named." if named else "by its name"
        for role, named in (("text", text), ("label", asked["label"]))
    }
    columns = {"text": tokens, "label": label}
    return ColumnGuess(columns, {role: f"column {name!r}, {why[role]}" for role, name in columns.items()})


def holds_lists(table: Table, name: str) -> bool:
    return bool(pa.types.is_list(table.columns.schema.field(name).type))


def holds_spans(table: Table, name: str) -> bool:
    """Whether a column holds lists of objects with a start and an end."""
    kind = table.columns.schema.field(name).type
    return bool(pa.types.is_list(kind) and pa.types.is_struct(kind.value_type))


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    label = columns["label"]
    blanks = not holds_spans(table, label)
    rows = rows_of_words(table, columns["text"], None, blanks)
    has_input = np.array([len(row) > 0 for row in rows], bool)
    values = table.values(label)
    has_label = np.array([value is not None for value in values], bool)
    refuse_nothing_left(table, {"text": (columns["text"], has_input), "label": (label, has_label)})
    usable = np.flatnonzero(has_input & has_label)
    repairs: dict[str, list[int]] = defaultdict(list)
    tagged = tags_of(table, columns, rows, values, usable, repairs)
    own = roles.rows(usable, "train")
    types = in_order({tag[2:] for row in own.tolist() for tag in tagged[row] if tag != "O"})
    if not types:
        raise useless(
            "one-label",
            len(own),
            f"{table.files[0]}: no row has an entity in column {label!r}.",
            "Name the column of tags or spans with --label.",
        )
    task = TokenClassification(
        types, chosen_metric(wishes.metric, METRICS, NAME), blanks and not holds_lists(table, columns["text"])
    )
    number = {tag: at for at, tag in enumerate(task.tags)}
    refuse_unknown_types(table, roles, usable, tagged, set(types))
    numbers = {row: np.array([number[tag] for tag in tagged[row]], np.int16) for row in usable.tolist()}

    def targets(chosen: Ints) -> Array:
        found = np.empty(len(chosen), object)
        found[:] = [numbers[row] for row in chosen.tolist()]
        return found

    return Understood(
        task=task,
        usable=usable,
        empty_input=np.flatnonzero(~has_input),
        empty_label=np.flatnonzero(has_input & ~has_label),
        strata=rarest_type(tagged, usable, types, len(table)),
        keys=np.array([key_of(row.text) for row in rows], np.int64),
        label_sets=np.array([key_of(" ".join(tagged.get(at, []))) for at in range(len(table))], np.int64),
        targets=targets,
        repairs={what: np.array(found, np.int64) for what, found in repairs.items()},
    )


def tags_of(
    table: Table,
    columns: Columns,
    rows: Sequence[Words],
    values: Sequence[Any],
    usable: Ints,
    repairs: dict[str, list[int]],
) -> dict[int, list[str]]:
    """Strict IOB2 tags of each usable row's words; what was mended is noted. Raises DataError for what cannot be."""
    found: dict[int, list[str]] = {}
    spans = holds_spans(table, columns["label"])
    split = {row: split_tags(values[row]) for row in usable.tolist()} if not spans else {}
    scheme = scheme_of(split.values())
    for row in usable.tolist():
        try:
            if spans:
                words = rows[row]
                found[row], counts = tags_of_spans(words.places, values[row], len(words.text))
            else:
                tags = split[row]
                if len(tags) != len(rows[row]):
                    raise ValueError(
                        f"{len(rows[row])} tokens and {len(tags)} tags, of which there must be as many"
                    )
                found[row], counts = to_iob2(tags, scheme)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{table.place(row)}: column {columns['label']!r}: {str(error).rstrip('.')}. Correct the row, or name another "
                "column with --label."
            ) from None
        for what in counts:
            repairs[what].append(row)
    return found


def split_tags(value: Any) -> list[str]:
    """Tags given as a list, or as one text with blanks between them."""
    return value.split() if isinstance(value, str) else [str(tag) for tag in value]


def refuse_unknown_types(
    table: Table, roles: Roles, usable: Ints, tagged: Mapping[int, list[str]], known: set[str]
) -> None:
    """A valid or test row with an entity of a type that cannot have been learnt."""
    for role in roles.names[1:]:
        for row in roles.rows(usable, role).tolist():
            strange = next((tag[2:] for tag in tagged[row] if tag != "O" and tag[2:] not in known), None)
            if strange is not None:
                raise DataError(
                    f"{table.place(row)}: an entity of type {strange!r}, which never occurs in the training rows."
                    f"{did_you_mean(strange, known)} Correct it, or add training rows with it."
                )


def rarest_type(tagged: Mapping[int, list[str]], usable: Ints, types: tuple[str, ...], rows: int) -> Ints:
    """(table rows,) the number of the rarest type in each row, from 1; 0 where there is none."""
    kinds = {row: {tag[2:] for tag in tagged[row] if tag != "O"} for row in usable.tolist()}
    times = {kind: sum(kind in own for own in kinds.values()) for kind in types}
    found = np.zeros(rows, np.int64)
    for row, own in kinds.items():
        among = [kind for kind in own if kind in times]
        if among:
            found[row] = 1 + types.index(min(among, key=lambda kind: times[kind]))
    return found


def inputs(table: Table, columns: Columns, rows: Ints | None, task: Task) -> list[Any]:
    assert isinstance(task, TokenClassification), "words are of this task"
    return rows_of_words(table, columns["text"], rows, task.blanks)


def rows_of_words(table: Table, name: str, rows: Ints | None, blanks: bool) -> list[Words]:
    """Rows of words: as given, or as they stand in a text."""
    if holds_lists(table, name):
        values = table.values(name, rows)
        return [Words.of_tokens([str(token) for token in value or ()]) for value in values]
    return [in_text(text, blanks) for text in table.texts(name, rows)]


def in_text(text: str, blanks: bool) -> Words:
    """The words of a text: what stands between its blanks, or finer."""
    return Words.of_tokens(text.split()) if blanks else Words(text, tuple(words_of(text)))


def given(values: Sequence[Any], task: Task) -> list[Any]:
    """Texts, or lists of words, as a caller of `predict` hands them over."""
    assert isinstance(task, TokenClassification), "words are of this task"
    for at, one in enumerate(values):
        words = isinstance(one, list | tuple) and all(isinstance(word, str) for word in one)
        if not isinstance(one, str) and not words:
            raise DataError(f"row {at}: {one!r} is neither a text nor a list of words.")
    return [in_text(one, task.blanks) if isinstance(one, str) else Words.of_tokens(one) for one in values]


def shown(table: Table, columns: Columns) -> list[str]:
    if holds_lists(table, columns["text"]):
        return [" ".join(map(str, tokens or ())) for tokens in table.values(columns["text"])]
    return table.texts(columns["text"])


TOKEN_CLASSIFICATION = Kind(
    name=NAME,
    example=(
        {"tokens": ["A", "table", "in", "Turin", "please"], "tags": ["O", "O", "O", "B-place", "O"]},
        {"tokens": ["Ana", "Lima", "will", "come"], "tags": ["B-person", "I-person", "O", "O"]},
        {"tokens": ["See", "you", "soon"], "tags": ["O", "O", "O"]},
    ),
    roles=("text", "label"),
    find=find,
    understand=understand,
    inputs=inputs,
    given=given,
    restore=TokenClassification.from_json,
    shown=shown,
)
