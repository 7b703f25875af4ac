"""What every form of a row must have: the columns it takes, how a model reads it, which settings have an effect on it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms.pieces import Piece
from luthier.models.hub.inspect import TOKENIZER, Folder, ReaderFiles
from luthier.models.readers.reading import Reader
from luthier.models.readers.speaker import Speaker
from luthier.models.readers.texts import Long
from luthier.plan.places import PACKAGED

Columns = Mapping[str, str]
"""Names of columns, by role: `text`, `text2`, `label` and so on."""


@dataclass(frozen=True)
class Role:
    """What a column of a table is there for."""

    text: bool = False
    """Whether its cells are texts, in which nan or N/A may stand for nothing."""
    nested: bool = False
    """Whether its cells may be lists or objects."""
    predicts: bool = True
    """Whether a finished model reads it too, so that `predict` needs it."""


@dataclass(frozen=True)
class Variety:
    """How much rows are to be varied in training, as the plan's `train` section spells it."""

    augment: str
    flip: float
    mix: str
    outputs: int
    """Numbers that the head gives: as many labels are blended."""


class Form(ABC):
    """What a row is made of. Frozen; it knows no task, and a task names it by `Task.reads`.

    A row, in what follows, is the object that stands for one row between a table and the model: a text, a tuple of texts,
    `Words`, a `Passage`, a picture that can be opened.
    """

    name: ClassVar[str]
    """Its key in FORMS."""
    roles: ClassVar[Mapping[str, Role]]
    """The columns that a row may be made of; the first is the one that is always there."""
    effects: ClassVar[frozenset[str]]
    """The settings that have an effect here, of those that not every form knows, such as `model.pooling`."""

    thing: ClassVar[str] = "text"
    """What a row is called in messages."""
    a_thing: ClassVar[str] = "a text"
    files: ClassVar[ReaderFiles] = TOKENIZER
    """What a model's folder must hold to read such rows."""
    model: ClassVar[str] = PACKAGED
    """The model that reads such rows where nobody names one."""
    own_pooling: ClassVar[bool] = False
    """Whether only the architecture's own class knows what stands for a row, as of several texts in one part."""
    side_by_side: ClassVar[bool] = False
    """Whether the features of a row are those of its two texts, one after the other."""
    pair: ClassVar[str | None] = None
    """The value of `model.pair` that asks for this form; None where it is of no two texts."""
    alike_in_groups: ClassVar[bool] = False
    """Whether rows that are shown alike are near copies only where they share a group: questions on one text."""
    answers_vary: ClassVar[bool] = False
    """Whether equal rows may well have different answers, none of which is wrong, as a question to an assistant has many."""
    shows_words: ClassVar[bool] = True
    """Whether the text that is shown of a row says what is in it, which the name of an image does not."""
    of_texts: ClassVar[bool] = False
    """Whether a row is nothing but the texts that `texts` gives, so that it can be answered by their words."""
    of_pixels: ClassVar[bool] = False
    """Whether a batch of rows holds pixels, so that it can be answered by their colours."""
    reads_texts: ClassVar[bool] = True
    """Whether its models read texts, so that general ones tell what they have forgotten."""
    file_role: ClassVar[str | None] = None
    """The role whose column may name a file for each row; None where rows are in no files of their own."""

    pieces: ClassVar[str | None] = None
    """What the pieces are called that can be left out of a row; None where none can."""

    @abstractmethod
    def open(self, folder: Folder) -> Reader:
        """What brings rows into the form of a folder's model. Raises ModelError where the folder lacks it."""

    @abstractmethod
    def read(self, reader: Any, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        """Rows as a model reads them. reader: what `open` gave.  targets: (rows, ...) what is learnt.

        way: what is done with what is longer than the model reads, `cut`, `windows` or `refuse`. Raises DataError for rows
        that cannot be read so.
        """

    @abstractmethod
    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        """Some rows of a table, or all of them."""

    @abstractmethod
    def row(self, value: Any, place: str) -> Any:
        """One row from what a caller of `predict` hands over. place: how messages call it. Raises DataError."""

    @abstractmethod
    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> Any:
        """One row from a JSON object, whose keys are roles. place: how messages call it. Raises DataError."""

    @abstractmethod
    def blank(self, row: Any) -> bool:
        """Whether there is nothing to read in a row, so that `predict` has no answer to it."""

    def too_long(self, reader: Any, rows: Sequence[Any]) -> list[int]:
        """Numbers of the rows that leave no room for an answer, so that `predict` has none to them. reader: what `open` gave."""
        return []

    def columns_to_answer(
        self, table: Table, named: Mapping[str, str | None], known: Columns
    ) -> dict[str, str]:
        """The columns of a table that a finished model is to answer, by role.

        named: as the user says.  known: as the rows were called that were learnt from.
        """
        return {
            role: name
            for role, told in self.roles.items()
            if told.predicts and (name := named.get(role) or known.get(role))
        }

    def given(self, values: Sequence[Any]) -> list[Any]:
        """Rows as a caller of `predict` hands them over. Raises DataError that names the first which is none."""
        return [
            self.from_json(value, f"row {at}") if isinstance(value, Mapping) else self.row(value, f"row {at}")
            for at, value in enumerate(values)
        ]

    def texts(self, row: Any) -> tuple[str, ...]:
        """The texts of a row, where it is made of nothing else."""
        return ()

    def learnt(self, row: Any) -> Any:
        """A row as it is learnt from: without what teaches nothing."""
        return row

    def asked(self, row: Any) -> Any:
        """A row as it is asked for an answer: without an answer that it may have."""
        return row

    def occluded(self, row: Any) -> list[tuple[Piece, Any]]:
        """The pieces of a row, in their order, each with the row without it; none where there are none, or a single one."""
        return []

    def heat_map(self, row: Any, weights: Sequence[float]) -> Image.Image | None:
        """A picture of what the pieces of a row do; None where they are words. weights: of the pieces, in their order."""
        return None

    def speaker(self, reader: Any) -> Speaker | None:
        """How one talks to a model that was tuned on such rows; None where no language model is."""
        return None

    def shown(self, table: Table, columns: Columns) -> list[str] | None:
        """The text that stands for each row in findings and reports; None where that is the column of the first role."""
        return None

    def thinned(self, examples: Examples) -> Examples:
        """Training rows of which an epoch reads only some of the parts, where most parts teach little."""
        return examples

    def varied(self, examples: Examples, variety: Variety) -> Examples:
        """Training rows that are to look otherwise in each epoch."""
        return examples

    def rows_of_folder(self, path: Path) -> tuple[Table, dict[str, str]] | None:
        """A row for each file in a folder, and their columns by role; None where a path is no such folder."""
        return None


def texts_in(record: Mapping[str, Any], roles: Sequence[str], place: str) -> tuple[str, ...]:
    """The texts of a JSON object by the roles it must have; null is a text with nothing in it. Raises DataError."""
    strange = [role for role in roles if not isinstance(record.get(role, 0), str | None)]
    if strange:
        wanted = " and ".join(f"`{role}`" for role in roles)
        raise DataError(
            f"{place}: {str(dict(record))[:200]} holds no text under `{strange[0]}`. Expected an object with {wanted}."
        )
    return tuple(record[role] or "" for role in roles)


def is_blank(one: str | Sequence[str]) -> bool:
    """Whether a text, or one of several that belong together, holds nothing but white space.

    >>> is_blank(" "), is_blank(("a text", "")), is_blank("a text")
    (True, True, False)
    """
    return not all(text.strip() for text in ([one] if isinstance(one, str) else one))
