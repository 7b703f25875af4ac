"""Token classification: entities, slots and the like, found in a text."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from luthier.arrays import Array, Ints
from luthier.data.column_names import normal
from luthier.data.columns import ColumnGuess, must_exist, names_there
from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.split import key_of
from luthier.data.table import Table
from luthier.data.tags import parts
from luthier.errors import DataError, ModelError, did_you_mean, listing
from luthier.forms.form import Columns, Form
from luthier.forms.words_form import WordsForm, holds_lists
from luthier.models.hub.tuned_head import TOKENS, TunedHead
from luthier.scores.metrics import judging
from luthier.tasks.classification.labelled import refuse_nothing_left, useless
from luthier.tasks.classification.labels import in_order
from luthier.tasks.kind import Finished, Kind, KindParts, Roles, Understood, Wishes
from luthier.tasks.matching import match_labels
from luthier.tasks.metric import chosen_metric
from luthier.tasks.task import Task
from luthier.tasks.token_classification.suggesting import SuggestingEntities
from luthier.tasks.token_classification.tagged import holds_spans, tags_of
from luthier.tasks.token_classification.task import NAME, TokenClassification

TOKEN_NAMES = ("tokens", "words")
TAG_NAMES = ("tags", "ner_tags", "labels", "label", "slots")
SPAN_NAMES = ("spans", "entities", "slots", "annotations", "label", "labels")


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """Tokens and tags, or a text and spans, by name or as asked."""
    text, label = asked["text"], asked["label"]
    for role, name in (("text", text), ("label", label)):
        if name is not None:
            must_exist(table, name, role)
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
        role: "as named" if named else "by its name"
        for role, named in (("text", text), ("label", asked["label"]))
    }
    columns = {"text": tokens, "label": label}
    return ColumnGuess(columns, {role: f"column {name!r}, {why[role]}" for role, name in columns.items()})


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    label = columns["label"]
    blanks = not holds_spans(table, label)
    rows = WordsForm(blanks).inputs(table, columns)
    has_input = np.array([len(row) > 0 for row in rows], bool)
    values = table.values(label)
    has_label = np.array([value is not None for value in values], bool)
    refuse_nothing_left(table, {"text": (columns["text"], has_input), "label": (label, has_label)})
    usable = np.flatnonzero(has_input & has_label)
    repairs: dict[str, list[int]] = defaultdict(list)
    tagged = tags_of(table, columns, rows, values, usable, repairs)
    own = roles.rows(usable, "train")
    types = in_order({tag[2:] for row in own.tolist() for tag in tagged[row] if tag != "O"})
    told: tuple[str, ...] = ()
    if wishes.finished is not None:
        types, tagged, told = as_types_of(wishes.finished, tagged, str(table.files[0]))
    if not types:
        raise useless(
            "one-label",
            len(own),
            f"{table.files[0]}: no row has an entity in column {label!r}.",
            "Name the column of tags or spans with --label.",
        )
    task = TokenClassification(
        types,
        chosen_metric(wishes.metric, judging(NAME), NAME),
        blanks and not holds_lists(table, columns["text"]),
    )
    if isinstance(wishes.finished, TokenClassification):
        task = replace(wishes.finished, blanks=task.blanks)
    number = {tag: at for at, tag in enumerate(task.tags)}
    if wishes.finished is None:
        refuse_unknown_types(table, roles, usable, tagged, set(types))
    numbers = {row: np.array([number[tag] for tag in tagged[row]], np.int16) for row in usable.tolist()}

    def targets(chosen: Ints) -> Array:
        found = np.empty(len(chosen), object)
        found[:] = [numbers[row] for row in chosen.tolist()]
        return found

    return Understood(
        task=task,
        usable=usable,
        unusable=Unusable(np.flatnonzero(~has_input), np.flatnonzero(has_input & ~has_label)),
        answers=KnownAnswers(
            label_sets=np.array([key_of(" ".join(tagged.get(at, []))) for at in range(len(table))], np.int64),
            strata=rarest_type(tagged, usable, types, len(table)),
            strata_names=("have no entity", *(f"have {kind!r} as their rarest entity" for kind in types)),
        ),
        keys=np.array([key_of(row.text) for row in rows], np.int64),
        targets=targets,
        repairs={what: np.array(found, np.int64) for what, found in repairs.items()},
        told=told,
    )


def as_types_of(
    finished: Task, tagged: dict[int, list[str]], place: str
) -> tuple[tuple[str, ...], dict[int, list[str]], tuple[str, ...]]:
    """The types of a finished model's entities, the rows' tags with these types, and what was taken for what.

    Raises DataError for a type that the model does not have. place: where the rows stand, for the message.
    """
    there = {tag[2:] for tags in tagged.values() for tag in tags if tag != "O"}
    matched = match_labels(there, finished.known_labels, place)
    spelt = {
        row: [tag[:2] + matched.to_model.get(tag[2:], "") for tag in tags] for row, tags in tagged.items()
    }
    return finished.known_labels, spelt, matched.told()


def of_head(head: TunedHead) -> Finished | None:
    """The entities of a head, by the names of its outputs. Raises ModelError for names that are no tags with B- and I-."""
    if head.kind != TOKENS:
        return None
    marked = [parts(name) for name in head.names]
    strange = [
        name for name, found in zip(head.names, marked, strict=True) if found is None or found[0] not in "BIO"
    ]
    types = tuple(dict.fromkeys(found[1] for found in marked if found is not None and found[1]))
    if strange or not types:
        raise ModelError(
            f"{head.words}: its outputs are called {listing(strange or head.names)}, and expected are O, and B- or I- with a "
            "type, such as B-LOC. Where they mean that, name them so, in the model's order: --label-names O,B-LOC,I-LOC"
        )
    task = TokenClassification(types, judging(NAME)[0], strict=False)
    number = {name: at for at, name in enumerate(head.names)}
    return Finished(task, order=tuple(number.get(tag) for tag in task.tags))


def refuse_unknown_types(
    table: Table, roles: Roles, usable: Ints, tagged: Mapping[int, list[str]], known: set[str]
) -> None:
    """Raise DataError for valid or test rows with an entity of a type that no training row has."""
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


def words_as_split(task: Task) -> Form:
    """Words as a task's own rows were split into them."""
    assert isinstance(task, TokenClassification), "words are of this task"
    return WordsForm(task.blanks)


TOKEN_CLASSIFICATION = Kind(
    name=NAME,
    example=(
        {"tokens": ["A", "table", "in", "Turin", "please"], "tags": ["O", "O", "O", "B-place", "O"]},
        {"tokens": ["Ana", "Lima", "will", "come"], "tags": ["B-person", "I-person", "O", "O"]},
        {"tokens": ["See", "you", "soon"], "tags": ["O", "O", "O"]},
    ),
    forms=("words",),
    find=find,
    understand=understand,
    restore=TokenClassification.from_json,
    own_form=words_as_split,
    parts=KindParts(suggests=SuggestingEntities()),
)
