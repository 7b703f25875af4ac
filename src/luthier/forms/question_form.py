"""A row that is a question with a text that may answer it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.batches.passages import Passage
from luthier.batches.text_examples import TextExamples
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms.form import Columns, Form, Role, is_blank
from luthier.models.hub.inspect import Folder
from luthier.models.readers.questions import read_questions
from luthier.models.readers.texts import Long, Texts

EMPTY_WINDOWS = 2
"""Windows without the answer that an epoch reads of each question, as nearly all windows of a long text are of that kind
(Alberti et al. 2019, arXiv:1901.08634, section 3, keep one in fifty)."""


@dataclass(frozen=True)
class QuestionForm(Form):
    """A question and a text a row, a `Passage`; a long text is read in windows that each begin with the question."""

    name: ClassVar[str] = "question"
    roles: ClassVar[Mapping[str, Role]] = {
        "text": Role(text=True),
        "question": Role(text=True),
    }
    effects: ClassVar[frozenset[str]] = frozenset(
        {"data.long", "data.long=windows", "model.dropout", "task.language", "train.cloze"}
    )
    alike_in_groups: ClassVar[bool] = True
    """The same words ask something else of another text."""

    def open(self, folder: Folder) -> Texts:
        return Texts(folder)

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        return read_questions(reader, rows, targets, way)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        questions, contexts = table.texts(columns["question"], rows), table.texts(columns["text"], rows)
        return [Passage(question, context) for question, context in zip(questions, contexts, strict=True)]

    def row(self, value: Any, place: str) -> Passage:
        if (
            not isinstance(value, tuple | list)
            or len(value) != 2
            or not all(isinstance(text, str) for text in value)
        ):
            raise no_question(value, place)
        return Passage(*value)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> Passage:
        """The text is called `context`, as in SQuAD, or `text`."""
        question, context = record.get("question"), record.get("context", record.get("text"))
        if not isinstance(question, str) or not isinstance(context, str):
            raise no_question(record, place)
        return Passage(question, context)

    def blank(self, row: Any) -> bool:
        return is_blank((row.question, row.context))

    def shown(self, table: Table, columns: Columns) -> list[str]:
        return table.texts(columns["question"])

    def thinned(self, examples: Examples) -> Examples:
        """A few windows with nothing to find of each row, as something is to be found in one window."""
        assert isinstance(examples, TextExamples), "questions are texts"
        return replace(examples, few=EMPTY_WINDOWS)


def no_question(value: Any, place: str) -> DataError:
    """What is said of a row that is no question with its text."""
    return DataError(
        f"{place}: {value!r} is not a question with its text. Give (question, text), or an object with `question` and "
        "`context`."
    )
