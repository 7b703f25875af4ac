"""Tables that can only be of conversations or of preferences, by what their columns are called and hold; what is asked."""

import pyarrow as pa

from luthier.data.column_names import normal
from luthier.data.conversations.naming import (
    CHOSEN_NAMES,
    INSTRUCTION,
    LABEL,
    REJECTED_NAMES,
    first_of,
    names_of,
    turns_column,
)
from luthier.data.conversations.reading import COMPLETION, CONTEXT, PROMPT
from luthier.data.conversations.speakers import role_of
from luthier.data.marks import mark_of
from luthier.data.table import Table
from luthier.errors import DataError, listing

LABELS = ("label", "labels", "gold_label", "class", "intent", "sentiment")
"""Names of columns beside conversations that may be what is to be learnt of them."""
MOST_BESIDE_A_TURN = 6
"""The most columns of a table whose rows are single turns."""

SURE = (
    (PROMPT, COMPLETION),
    (INSTRUCTION, "input", "output"),
    (INSTRUCTION, CONTEXT, "response"),
)
"""Names that only rows for language models have together: OpenAI's pairs, Alpaca's, Dolly's."""
LIKELY = ((INSTRUCTION, "output"), (INSTRUCTION, "response"), (PROMPT, "response"))
"""Names that such rows have too, where the answers are texts of their own, and not a few that recur."""


def claims_conversation(table: Table) -> str | None:
    """Whether a table can only be of conversations, and why, in words. Raises DataError where it may be something else too."""
    if claims_preference(table) is not None:
        return None
    refuse_single_turns(table)
    whole, label = turns_column(table), first_of(table, LABELS)
    if whole is not None and label is not None:
        found = f"column {whole!r} holds conversations, and column {label!r} what may be their labels"
        raise two_meanings(table, found, label)
    return claims_pairs(table, label) if whole is None else f"column {whole!r} holds conversations"


def refuse_single_turns(table: Table) -> None:
    """Raise DataError where each row is one turn: which of them make a conversation, and in which order, is not plain."""
    there = names_of(table)
    said = first_of(table, ("content", "value"))
    speaker = first_of(table, ("role", "from"))
    if said is None or speaker is None or said in table.layout.turns or len(there) > MOST_BESIDE_A_TURN:
        return
    speakers = {str(value) for value in table.values(speaker, table.sample) if value is not None}
    if len(speakers) > 1 and all(role_of(one) is not None for one in speakers):
        raise DataError(
            f"{table.files[0]}: each row is one turn, with who speaks in {speaker!r} and what is said in {said!r}. Write a row "
            'for each conversation: {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}. '
            f"To tell who speaks by what is said: --task text-classification --text {said} --label {speaker}."
        )


def claims_pairs(table: Table, label: str | None) -> str | None:
    """Whether columns of what is asked and answered can only be for a language model, and why. label: a column beside them."""
    there = names_of(table)
    for names in (*SURE, *LIKELY):
        if not set(names) <= there.keys() or (names in LIKELY and label is not None):
            continue
        asked, answers = there[names[0]], there[names[-1]]
        if label is not None and normal(label) == LABEL:
            raise two_meanings(
                table, f"column {answers!r} holds answers, and column {label!r} what may be labels", label
            )
        if names in SURE or is_free(table, answers):
            return f"columns {listing(there[name] for name in names)} hold what is asked and what is answered"
        raise two_meanings(
            table, f"column {answers!r} holds few different answers to column {asked!r}", answers
        )
    return None


def claims_preference(table: Table) -> str | None:
    """Whether a table can only be of preferences, and why, in words."""
    chosen, rejected = first_of(table, CHOSEN_NAMES), first_of(table, REJECTED_NAMES)
    if chosen is not None and rejected is not None:
        return f"columns {chosen!r} and {rejected!r} hold answers that are preferred to others"
    there = names_of(table)
    if {PROMPT, COMPLETION, LABEL} <= there.keys() and holds_judgements(table, there[LABEL]):
        return f"column {there[LABEL]!r} says of each answer whether it is good"
    return None


def holds_judgements(table: Table, name: str) -> bool:
    """Whether a column says yes or no in its rows, in whatever way."""
    values = table.values(name, table.sample)
    return any(mark_of(value) in (0, 1) for value in values) and all(
        mark_of(value) is not None for value in values if not isinstance(value, list | dict)
    )


def is_free(table: Table, name: str) -> bool:
    """Whether a column holds turns, or texts that are mostly different, and not a few labels."""
    if name in table.layout.turns:
        return True
    facts = table.facts([name])[0]
    return pa.types.is_string(facts.kind) and facts.wordy > 0.5 and facts.repeated < 0.5


def two_meanings(table: Table, found: str, label: str) -> DataError:
    """The question to the user where rows may be for a language model or for a classifier."""
    return DataError(
        f"{table.files[0]}: {found}. Say which is meant: --task chat learns to write the answers, --task text-classification "
        f"--text COLUMN --label {label} the labels, --task preference which answers are good where a label says that."
    )
