"""Labels with lists of examples, as files of intents have them: `tag` and `patterns`. A row for each example."""

from collections import Counter

import pyarrow as pa

from luthier.data.annotations.cells import is_nested, is_text, lists_in, replaced, sniffed, without
from luthier.data.annotations.expanding import expanded
from luthier.data.annotations.telling import named, noted
from luthier.data.column_facts import reads_like_text
from luthier.data.column_names import normal
from luthier.data.table import Table

LABELS = ("tag", "intent", "label", "category", "class", "topic", "name", "intent_name")
EXAMPLES = (
    *("examples", "patterns", "utterances", "texts", "phrases", "training_phrases", "sentences"),
    *("samples", "questions", "queries", "inputs", "user_says"),
)
"""Names of columns, in order of preference."""
ONCE = 0.8
"""Smallest share of examples that stand with a single label: lists in which fewer do may be labels themselves."""


def listed_examples(table: Table) -> Table | None:
    """A row for each example of a label. None where lists stand beside a text of their own."""
    if table.layout.task is not None:
        return None
    names = {normal(name): name for name in reversed(table.names)}
    label = next((names[one] for one in LABELS if one in names and is_text(table, names[one])), None)
    examples = examples_of(table, names)
    if label is None or examples is None or beside_text(table, label):
        return None
    lists = lists_in(table, examples, "lists of texts")
    texts = [[one for one in own or () if isinstance(one, str) and one.strip()] for own in lists]
    counts = Counter(text for own in texts for text in set(own))
    if not counts or len(counts) < len(table) or sum(n == 1 for n in counts.values()) < ONCE * len(counts):
        return None
    rows = [row for row, own in enumerate(texts) for _ in own]
    column = "text" if "text" not in table.names else examples
    made = without(expanded(table, rows), examples)
    made = replaced(made, column, [text for own in texts for text in own], pa.string())
    made = noted(
        made,
        f"{len(table):,} rows with lists in {examples!r} are read as {len(rows):,} rows, one for each item, with the label in "
        f"{label!r}; a file with a row for each text corrects it.",
    )
    why = f"its rows are labels with lists of texts in {examples!r}"
    return named(made, "text-classification", why, {"text": column, "label": label})


def examples_of(table: Table, names: dict[str, str]) -> str | None:
    """The column of examples: by its name, else the only one of lists, if these hold texts of several words."""
    known = [names[one] for one in EXAMPLES if one in names and lists_texts(table, names[one])]
    if known:
        return known[0]
    lists = [name for name in table.names if sniffed(table, name)]
    if len(lists) != 1 or not lists_texts(table, lists[0]):
        return None
    texts = [text for own in sniffed(table, lists[0]) for text in own]
    return lists[0] if sum(map(reads_like_text, texts)) > 0.5 * len(texts) else None


def lists_texts(table: Table, name: str) -> bool:
    """Whether a column holds lists of texts, some of them of several."""
    seen = sniffed(table, name)
    plain = all(isinstance(own, list) and all(isinstance(one, str) for one in own) for own in seen)
    return bool(seen) and plain and any(len(own) > 1 for own in seen)


def beside_text(table: Table, label: str) -> bool:
    """Whether a column beside the labels holds texts itself, so that the lists belong to it."""
    others = [
        name for name in table.names if name != label and not is_nested(table, name) and is_text(table, name)
    ]
    return any(
        sum(map(reads_like_text, texts)) > 0.5 * len(texts)
        for name in others
        if not sniffed(table, name) and (texts := [text for text in table.texts(name) if text.strip()])
    )
