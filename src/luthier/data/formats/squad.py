"""The nested file of SQuAD: articles, their paragraphs, and the questions to each, with answers or none.

Versions 1.1 (Rajpurkar et al. 2016, arXiv:1606.05250) and 2.0, which adds questions without an answer
(Rajpurkar et al. 2018, arXiv:1806.03822); many data sets since are written in the same form.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from luthier.data.annotations.answer_places import answers_of
from luthier.data.formats.ceilings import check_values
from luthier.data.formats.json_objects import DECODER, NotAnObject, check_object
from luthier.data.formats.json_rows import Row, batches
from luthier.data.formats.json_types import WORDS
from luthier.data.formats.spill import spilling
from luthier.data.formats.text_files import TextFile
from luthier.data.problems import Problems
from luthier.data.table import Table
from luthier.errors import DataError, counted

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "title": pa.string(),
        "context": pa.string(),
        "question": pa.string(),
        "answers": pa.struct({"text": pa.list_(pa.string()), "answer_start": pa.list_(pa.int64())}),
    }
)

HEAD_CHARACTERS = 65_536

KEY = r'\s*"(?:[^"\\]|\\.)*+"\s*:'
SIMPLE = r'\s*(?:"(?:[^"\\]|\\.)*+"|[^\s"{}\[\],]+)\s*,'
OPENING = re.compile(
    rf'\s*\{{(?:{KEY}{SIMPLE})*+\s*"data"\s*:\s*\[\s*\{{(?:{KEY}{SIMPLE})*+\s*"paragraphs"\s*:\s*\['
)
"""The beginning of a file, up to its first paragraph; texts and numbers may stand before both lists."""

HALF = re.compile(r"\\u[dD][89a-fA-F]")

EXPECTED = (
    'Expected the form of SQuAD: {"data": [{"title": "…", "paragraphs": [{"context": "…", "qas": [{"id": "…", '
    '"question": "…", "answers": [{"text": "…", "answer_start": 0}]}]}]}]}'
)


class Fault(Exception):
    """A fault of a part of the file. The message says what the part is or lacks, to stand between brackets."""


def is_squad(file: TextFile) -> bool:
    """Whether a file begins as SQuAD does: an object whose "data" is a list of objects with "paragraphs"."""
    with file.open() as text:
        return OPENING.match(text.read(HEAD_CHARACTERS)) is not None


def read_squad(path: Path, encoding: str | None) -> Table:
    """The questions of a file as rows, each with its context, and with empty lists where it has no answer.

    The line of a row is the number of its question. The file is held in memory while it is read. Answers that
    are only plausible, to questions that are impossible, are passed over.
    """
    file = TextFile.at(path, encoding)
    seen = Seen(path)
    with spilling(path) as spill:
        for batch in batches(questions(file, seen)):
            columns = [
                pa.array([row[name] for _, row, _ in batch], SCHEMA.field(name).type) for name in SCHEMA.names
            ]
            spill.write(columns, SCHEMA, [number for number, _, _ in batch])
        seen.refuse_faults()
        return replace(spill.table(), guesses=(*file.guesses, *seen.guesses()), encodings=(file.encoding,))


@dataclass
class Seen:
    """Facts about the questions of a file, up to the last one read."""

    path: Path
    questions: int = 0
    unmarked: int = 0
    """Number of questions without an answer that are not marked as impossible to answer."""
    contrary: int = 0
    """Number of questions with an answer that are marked as impossible to answer."""
    faults: Problems = field(default_factory=Problems)

    @contextlib.contextmanager
    def noting(self, place: str) -> Iterator[None]:
        """Note what is found faulty inside as that of a place, and go on."""
        try:
            yield
        except (Fault, NotAnObject) as words:
            self.faults.add(f"{place} ({words})")

    def row(self, title: str | None, context: str, question: Any) -> dict[str, Any]:
        """A question as a row. Raises Fault."""
        answers = answers_in(question)
        if question.get("is_impossible") is True:
            self.contrary += bool(answers["text"])
            answers = {"text": [], "answer_start": []}
        else:
            self.unmarked += not answers["text"]
        return {
            "id": name_in(question, "id"),
            "title": title,
            "context": context,
            "question": text_in(question, "question"),
            "answers": answers,
        }

    def refuse_faults(self) -> None:
        """Raise DataError unless there are questions, all without fault."""
        if self.faults.count:
            raise DataError(
                f"{self.path}: {counted(self.faults.count, 'part')} cannot be read: {self.faults}. {EXPECTED}. "
                "Correct them, or remove them."
            )
        if not self.questions:
            raise DataError(f"{self.path}: holds no question. {EXPECTED}.")

    def guesses(self) -> Iterator[str]:
        """What the user should know of how the file was read."""
        if self.unmarked:
            yield (
                f"{self.path}: {self.unmarked:,} of {counted(self.questions, 'question')} without an answer, nor "
                "marked as impossible, are read as having none in their text; answers in the file correct it."
            )
        if self.contrary:
            yield (
                f"{self.path}: {self.contrary:,} of {counted(self.questions, 'question')} with answers but marked "
                "as impossible are read as having none; is_impossible set to false corrects it."
            )


def questions(file: TextFile, seen: Seen) -> Iterator[Row]:
    """Each question with its number; faulty parts are left out, and noted in `seen`."""
    whole, escape = parsed(file)
    for title, context, question in asked(whole, seen):
        seen.questions += 1
        row = None
        with seen.noting(f"question {seen.questions}"):
            # The escape stands for the text of the row: without one in the file, no character is halved.
            row = check_object(seen.row(title, context, question), escape)
        if row is not None:
            yield seen.questions, row, len(context) + len(row["question"])


def parsed(file: TextFile) -> tuple[Any, str]:
    """The value that is the whole text, and an escape in it of half a character, if there is one."""
    with file.open() as lines:
        text = lines.read()
    check_values(file.path, text)
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"{file.path}, line {error.lineno}, character {error.colno}"
        raise DataError(f"{place}: is not valid JSON ({error.msg}). Correct it there.") from None
    except (RecursionError, ValueError):
        raise DataError(
            f"{file.path}: is nested too deeply, or has a number of thousands of digits. {EXPECTED}."
        ) from None
    half = HALF.search(text)
    return value, half[0] if half else ""


def asked(whole: Any, seen: Seen) -> Iterator[tuple[str | None, str, Any]]:
    """Each question with its title and context before it; faulty articles and paragraphs are noted in `seen`."""
    articles: list[Any] = []
    with seen.noting("the file"):
        articles = list_in(whole, "data")
    for number, article in enumerate(articles, start=1):
        title, paragraphs = None, []
        with seen.noting(f"article {number}"):
            title, paragraphs = name_in(article, "title"), list_in(article, "paragraphs")
        for position, paragraph in enumerate(paragraphs, start=1):
            context, inside = "", []
            with seen.noting(f"article {number}, paragraph {position}"):
                context, inside = text_in(paragraph, "context"), list_in(paragraph, "qas")
            for question in inside:
                yield title, context, question


def answers_in(question: Any) -> dict[str, list[Any]]:
    """The answers of a question as SQuAD's rows have them. Raises Fault."""
    try:
        answers = answers_of(of_object(question, "question").get("answers"))
    except ValueError as error:
        raise Fault(str(error).partition(". Expected")[0]) from None
    return {"text": list(answers.texts), "answer_start": list(answers.starts)}


def list_in(value: Any, key: str) -> list[Any]:
    found = of_object(value, key).get(key)
    if not isinstance(found, list):
        raise Fault(told(key, found, "a list"))
    return found


def text_in(value: Any, key: str) -> str:
    found = of_object(value, key).get(key)
    if not isinstance(found, str):
        raise Fault(told(key, found, "a text"))
    return found


def name_in(value: Any, key: str) -> str | None:
    """A text that may be missing, or written as a number."""
    found = of_object(value, key).get(key)
    if found is None or isinstance(found, str):
        return found
    if type(found) is int:
        return str(found)
    raise Fault(told(key, found, "a text"))


def of_object(value: Any, key: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise Fault(f"is {'null' if value is None else WORDS[type(value)]}, not an object with {key!r}")


def told(key: str, found: Any, expected: str) -> str:
    return f"has no {key!r}" if found is None else f"{key!r} is {WORDS[type(found)]}, not {expected}"
