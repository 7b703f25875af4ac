"""What a check says, and what it may look at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from luthier.arrays import Array, Floats, Ints
from luthier.data.images.facts import ImageFacts
from luthier.data.row_facts import KnownAnswers, Unusable, no_rows
from luthier.data.split import Split
from luthier.data.table import Table
from luthier.forms import FORMS
from luthier.forms.form import Form

EXAMPLES = 10

Severity = Literal["note", "warn", "stop"]


@dataclass(frozen=True)
class Finding:
    """One thing to know about the data, with the rows it is about and what mends it."""

    check: str
    severity: Severity
    count: int
    share: float
    """Share of the rows looked at that are affected, in [0, 1]."""
    rows: tuple[dict[str, Any], ...]
    """The rows that are affected, or some of them: `file`, `row` (its line in the file) and `text` of each."""
    message: str
    matters: str
    """How the result suffers if nothing is done."""
    mend: str
    """What to do: a command, an option, or a change to the data."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"rows": list(self.rows)}


@dataclass(frozen=True)
class BrokenWords:
    """Into how many pieces a tokenizer breaks words."""

    rows: Ints
    """Table rows that were looked at."""
    pieces: Floats
    """(rows,) tokens that a word of each becomes, on average."""
    usual: float
    """The median of the same over general English sentences."""
    common: float
    """Share of the rows' words that are the commonest English ones."""


@dataclass(frozen=True)
class Tokens:
    """What a model's tokenizer made of the rows."""

    rows: Ints
    """Table rows that were tokenised."""
    lengths: Ints
    """(rows,) number of tokens of each row, before anything is cut."""
    unknown: Ints
    """(rows,) number of unknown tokens in each row: pieces of text that the vocabulary lacks."""
    limit: int
    """The most tokens of a row that the model reads."""
    way: str
    """What is done with texts longer than `limit`: `cut` or `windows`."""
    windows: bool = True
    """Whether such rows could be read in windows."""
    thing: str = "text"
    """What a row is called."""
    broken: BrokenWords | None = None
    """How words are broken; None where nobody looked."""


@dataclass(frozen=True)
class Frozen:
    """The features that the frozen model gives the rows, and the probabilities of a probe on them."""

    rows: Ints
    """Table rows that were looked at."""
    features: Array
    """(rows, width), one vector for each of `rows`."""
    probabilities: Array
    """(rows, labels), out of fold: the probe that judges a row has seen neither it nor a copy of it. (rows, 0) where answers are
    not labels."""
    targets: Array
    """(rows,) classes, or (rows, labels) truth values with several labels; where answers are not labels, the task's targets."""
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """The columns of a table, by what they serve for."""

    text: str
    """The column that shows a row in findings."""
    label: str
    used: frozenset[str] = frozenset()
    """Names of all that the task reads or learns."""
    within: frozenset[str] = frozenset()
    """Names of the file's columns that some of those are made of."""
    other_texts: tuple[str, ...] = ()
    """Columns beside the text that hold texts too, and are not read."""

    @property
    def read(self) -> str:
        """Names of what is read, as messages give them."""
        if self.text in self.used or not self.used:
            return repr(self.text)
        return " or ".join(repr(name) for name in sorted(self.used - {self.label}))


@dataclass(frozen=True)
class Parts:
    """Which rows serve for training, validation, calibration and test, and which of them had to stay together."""

    split: Split
    given: frozenset[str]
    """Names of the parts of the split that came in a file of their own."""
    group: str | None
    """The column whose equal values stay on one side of the split."""
    groups: tuple[Ints, ...] = ()
    """(table rows,) each: equal for rows that the task keeps on one side, such as questions on one text."""
    named_groups: Ints | None = None
    """(table rows,) equal where the column `group` is."""
    keeps_single: bool = False
    """Whether a label may have a single row to learn from."""


@dataclass(frozen=True)
class LeftOut:
    """Rows that are not used."""

    rows: Unusable
    """Their numbers, where something is missing in them."""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """How many rows whoever annotated them put aside, by reason."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """How many rows are not used, by reason; those that were put aside among them."""


@dataclass(frozen=True)
class Judged:
    """What a person has decided about labels that were doubted."""

    settled: Ints = field(default_factory=no_rows)
    """Numbers of the rows whose label is confirmed."""
    complete: bool = False
    """Whether there is a decision on every label that was doubted."""


@dataclass(frozen=True)
class Evidence:
    """What checks may look at. In `tune` the test rows may be compared with others, and their labels stay sealed."""

    table: Table
    """With all columns that every file has."""
    columns: Columns
    parts: Parts
    keys: Ints
    """(table rows,) hashes of the texts: equal for texts that differ only in case and white space."""
    answers: KnownAnswers
    left_out: LeftOut
    repairs: Mapping[str, Ints] = field(default_factory=dict)
    """What a task mended before it could learn, and in which rows."""
    reads: str = "text"
    """What a row is made of, by the task's name for it, such as `text`, `pair` or `image`."""
    images: ImageFacts | None = None
    """What was found when the images were decoded; None where rows are not images."""
    judged: Judged = field(default_factory=Judged)
    tokens: Tokens | None = None
    frozen: Frozen | None = None

    @property
    def used(self) -> Ints:
        """Rows of all parts, in table order."""
        split = self.parts.split
        return np.unique(np.concatenate([split.train, split.valid, split.calibration, split.test]))

    @property
    def form(self) -> Form:
        """What rows are made of."""
        return FORMS[self.reads]

    @property
    def thing(self) -> str:
        """What a row is, as messages call it."""
        return self.form.thing

    @property
    def a_thing(self) -> str:
        return self.form.a_thing

    @property
    def labelled(self) -> bool:
        """Whether rows have labels, which can be counted and doubted."""
        return bool(self.answers.labels)

    @property
    def rewritable(self) -> bool:
        """Whether the text that is shown is a value of the file, so that `--fix` can write it anew."""
        return not self.columns.used or self.columns.text in self.columns.used

    def texts(self) -> Iterator[tuple[int, str]]:
        """Each row that has a text, and that text, in table order; only a few texts are in memory at a time."""
        for begin, values in self.table.pieces(self.columns.text):
            for at, text in enumerate(values):
                if text:
                    yield begin + at, text

    def shown(self, rows: Ints | Sequence[int], most: int | None = EXAMPLES) -> tuple[dict[str, Any], ...]:
        """Rows as a finding lists them."""
        chosen = [int(row) for row in rows[:most]]
        texts = self.table.texts(self.columns.text, chosen)
        places = [self.table.place(row) for row in chosen]
        return tuple(
            {"file": place.file, "row": place.line, "text": text[:200]}
            for place, text in zip(places, texts, strict=True)
        )


def count_of(number: int, one: str, many: str) -> str:
    """
    >>> count_of(1, "row has", "rows have"), count_of(2000, "row has", "rows have")
    ('1 row has', '2,000 rows have')
    """
    return f"{number:,} {one if number == 1 else many}"
