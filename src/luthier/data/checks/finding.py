"""What a check says, and what it may look at."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from luthier.data.split import Split
from luthier.data.table import Ints, Table

EXAMPLES = 10


@dataclass(frozen=True)
class Finding:
    """One thing to know about the data, with the rows it is about and what mends it."""

    check: str
    severity: Literal["note", "warn", "stop"]
    count: int
    share: float
    """Of the rows looked at, in [0, 1]."""
    rows: tuple[dict[str, Any], ...]
    """`file`, `row` (line in the file) and `text` of rows it is about."""
    message: str
    mend: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"rows": list(self.rows)}


@dataclass(frozen=True)
class Evidence:
    """What checks may look at. The test rows may be compared, never scored."""

    table: Table
    text: str
    label: str
    split: Split
    keys: Ints
    """(table rows,) equal for texts that differ only in case and white space."""
    label_sets: Ints
    """(table rows,) equal for rows with the same label, or the same set of them."""
    set_names: Sequence[tuple[str, ...]]
    """The labels behind each number in `label_sets`."""
    empty_text: Ints
    """Rows left out because they have no text."""
    empty_label: Ints
    """Rows left out because they have no label."""
    single: Ints
    """Rows left out because no training row shares their label."""

    def shown(self, rows: Ints | Sequence[int], most: int | None = EXAMPLES) -> tuple[dict[str, Any], ...]:
        """Rows as a finding lists them."""
        chosen = [int(row) for row in rows[:most]]
        texts = self.table.texts(self.text, chosen)
        places = [self.table.place(row) for row in chosen]
        return tuple(
            {"file": place.file, "row": place.line, "text": text[:200]}
            for place, text in zip(places, texts, strict=True)
        )
