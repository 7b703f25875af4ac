"""What the form of a file says of its rows by itself, so that it need not be guessed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from luthier.arrays import Ints


@dataclass(frozen=True)
class Layout:
    """What a known form, such as the export of an annotation tool, says of the table that was made of it."""

    task: str | None = None
    """The task that such rows are for, by its name; None where the columns decide."""
    why: str = ""
    """Whose form it is, in words that follow "because": "it is Prodigy's export of spans"."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """By role, the columns that the form itself names, as `{"label": "accept"}`."""
    set_aside: Mapping[str, Ints] = field(default_factory=dict)
    """Rows that whoever annotated them put aside: by reason, such as "rejected", their numbers in the table. They are not
    used, and are no fault of the data."""
    none_is_answer: frozenset[str] = frozenset()
    """Columns of lists of labels in which an empty list says that none of them holds; elsewhere it says that nobody has
    labelled the row."""
    as_in_file: bool = True
    """Whether rows and values stand in the file as they do in the table, so that a copy of it can be corrected row by row."""


NO_LAYOUT = Layout()
"""Of a table whose form says nothing."""
