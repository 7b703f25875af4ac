"""The layout of a file in a known form, which says what need not be guessed about its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from luthier.arrays import Ints


@dataclass(frozen=True)
class Layout:
    """Facts about a table that its known form tells, such as the export of an annotation tool."""

    task: str | None = None
    """The task that such rows are for, by its name; None where the columns decide."""
    why: str = ""
    """The form in words that follow "because", such as "it is Prodigy's export of spans"."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The columns that the form itself names, by role, as `{"label": "accept"}`."""
    set_aside: Mapping[str, Ints] = field(default_factory=dict)
    """Numbers of the rows that the annotators rejected or skipped, by reason, such as "rejected". They are not
    used, and are no fault of the data."""
    none_is_answer: frozenset[str] = frozenset()
    """Columns of lists of labels in which an empty list says that none of them holds; elsewhere it says that nobody has
    labelled the row."""
    turns: frozenset[str] = frozenset()
    """Columns whose cells hold the turns of conversations, as `data.conversations.cells` writes them."""
    as_in_file: bool = True
    """Whether rows and values stand in the file as they do in the table, so that a copy of it can be corrected row by row."""


NO_LAYOUT = Layout()
"""The layout of a table whose form says nothing."""
