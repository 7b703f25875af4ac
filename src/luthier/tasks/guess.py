"""Which task a table is for, by its columns."""

from collections.abc import Mapping

from luthier.data.annotations.multiple_choice import refuse_choices
from luthier.data.column_names import normal
from luthier.data.column_numbers import holds_numbers, lists_numbers
from luthier.data.columns import guess_text_and_label, names_there
from luthier.data.known_names import SCORE_NAMES
from luthier.data.table import Table
from luthier.data.text_pairs import guess_pair, pair_by_name, refuse_two_targets, refuse_two_texts
from luthier.errors import DataError, listing
from luthier.forms.words_form import holds_lists
from luthier.plan.named_columns import column_flag
from luthier.tasks import TASKS
from luthier.tasks.classification.image import image_column
from luthier.tasks.embedding.kind import belongs_together
from luthier.tasks.kind import Kind
from luthier.tasks.question_answering.kind import asks_questions
from luthier.tasks.token_classification.kind import (
    SPAN_NAMES,
    TAG_NAMES,
    TOKEN_NAMES,
)
from luthier.tasks.token_classification.tagged import holds_spans


def guess_kind(
    table: Table,
    asked: Mapping[str, str | None],
    labels_per_row: str = "auto",
    decimal: str | None = None,
) -> tuple[Kind, str]:
    """The task and why.

    asked: columns by role, where the user named them.  labels_per_row, decimal: as the user says; the one rules out numbers, the
    other labels that are numbers with commas between them.
    """
    layout = table.layout
    if layout.task is not None:
        return TASKS[layout.task], layout.why
    for kind in TASKS.values():
        named = {role for role, name in asked.items() if name is not None}
        if kind.claims is not None and named <= kind.roles.keys() and (why := kind.claims(table)) is not None:
            return kind, why
    writing = writing_kind(asked)
    if writing is not None:
        return writing
    if asked["image"] is not None or (asked["text"] is None and image_column(table) is not None):
        return TASKS["image-classification"], "images with labels"
    if asked["text"] is None or asked["label"] is None:
        refuse_choices(table)
    if asks_questions(table):
        return TASKS["question-answering"], "texts, questions and answers"
    if marks_words(table):
        return TASKS["token-classification"], "words with tags, or a text with spans"
    if belongs_together(table):
        return TASKS["embedding"], "an anchor and a positive"
    refuse_conversations(table, asked)
    pair = pair_by_name(table)
    if asked["text2"] is not None or (asked["text"] is None and pair is not None):
        two = [asked["text"], asked["text2"]] if asked["text2"] else list(pair or ())
        texts = " and ".join(repr(name) for name in two if name)
        if asked["label"] is None:
            refuse_two_targets(table, [name for name in two if name])
        label = asked["label"] or by_name(table) or guess_pair(table, asked).columns["label"]
        if label is not None and estimates(table, label, labels_per_row, decimal):
            return TASKS["regression"], f"two texts, {texts}, and numbers in {label!r}"
        return TASKS["pair-classification"], f"two texts, {texts}, and a label"
    own = layout.columns
    try:
        guess = guess_text_and_label(
            table, asked["text"] or own.get("text"), asked["label"] or own.get("label")
        )
    except DataError as error:
        raise DataError(f"{error}{or_written(table)}") from None
    if asked["text"] is None and "text" not in own:
        refuse_two_texts(table, guess)
    label = guess.label
    if label in table.names and estimates(table, label, labels_per_row, decimal):
        return TASKS["regression"], f"numbers in {label!r}, of many values"
    return TASKS["text-classification"], "a text and a label"


def or_written(table: Table) -> str:
    """What else a table without labels may be for: columns that are named as what is asked and what is answered."""
    chat = TASKS["chat"]
    try:
        found = chat.find(table, dict.fromkeys(chat.roles))
    except DataError:
        return ""
    names = listing(found.columns.values())
    return (
        f" If a language model is to write what it learns, from {names}, name the task: --task {chat.name}."
    )


def estimates(table: Table, label: str, labels_per_row: str, decimal: str | None) -> bool:
    """Whether a column holds numbers to be estimated. Raises DataError where its commas may stand between labels as well."""
    if labels_per_row != "auto":
        return False
    if decimal is not None:
        return decimal == "comma" or holds_numbers(table, label)
    if lists_numbers(table, label) is None:
        example = next(text for text in table.texts(label) if "," in text)
        raise DataError(
            f"{table.files[0]}: column {label!r} holds whole numbers and cells such as {example!r}, which may be the numbers of "
            "several labels or one number with a decimal comma. Say which with --labels-per-row many or --task regression "
            "--decimal comma."
        )
    return holds_numbers(table, label)


def writing_kind(asked: Mapping[str, str | None]) -> tuple[Kind, str] | None:
    """The first task whose rows have all roles that the user named, where one of these is of rows that are written to alone."""
    named = {role for role, name in asked.items() if name is not None}
    others = {role for kind in TASKS.values() if kind.claims is None for role in kind.roles}
    if (
        "label" in named or not named - others
    ):  # What a label means beside a prompt the columns' names do not tell.
        return None
    return next(
        (
            (kind, f"its columns are named: {listing(sorted(named))}")
            for kind in TASKS.values()
            if named <= kind.roles.keys()
        ),
        None,
    )


def refuse_conversations(table: Table, asked: Mapping[str, str | None]) -> None:
    """Rows that one task alone learns from are told by what they are, where a column is named that this task does not have."""
    for kind in TASKS.values():
        strange = [role for role, name in asked.items() if name is not None and role not in kind.roles]
        if strange and kind.claims is not None and (why := kind.claims(table)) is not None:
            raise DataError(
                f"{column_flag(strange[0], asked[strange[0]])}: {table.files[0]} is for {kind.name}, as {why}, and {kind.name} "
                f"has no such column; its columns are {', '.join(map(column_flag, kind.roles))}. Leave it out, or name the task "
                "with --task."
            )


def marks_words(table: Table) -> bool:
    """Whether there are lists of words with tags, or lists of spans."""
    there = {normal(name): name for name in table.names}
    tokens = [there[name] for name in TOKEN_NAMES if name in there and holds_lists(table, there[name])]
    spans = [there[name] for name in SPAN_NAMES if name in there and holds_spans(table, there[name])]
    return bool(spans or (tokens and any(name in there for name in TAG_NAMES)))


def by_name(table: Table) -> str | None:
    """The column that is named as numbers to be learnt are."""
    there = names_there(table, "label")
    return next((there[name] for name in SCORE_NAMES if name in there), None)
