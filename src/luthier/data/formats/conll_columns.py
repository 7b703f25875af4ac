"""Which of the columns of a CoNLL file holds the tokens and which the tags, by the lines that come first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

from luthier.data.tags import parts
from luthier.errors import DataError

SAMPLE_LINES = 20_000
DOCUMENT = "-DOCSTART-"
COMMENTS = ("# ", "#\t", "#begin document", "#end document")
"""Beginnings of comments."""
TAGS = 0.9
"""A column holds tags when at least this share of its values are tags."""
NUMBERED = 0.9
"""The first column numbers words when it does so in at least this share of the sentences."""
ALIKE = 0.5
"""One of two columns is likely a prediction of the other when they agree on this share of the words that either has in an
entity."""
SPARSE = 0.25
"""Entities of the inner column for each of the outer one, at most, where outer and inner tags are told apart by them."""
PHRASES = 0.5
"""Tags are of phrases, and not of entities, when at least this share of the words lies in one."""
CONLLU_COLUMNS = 10
REMEDY = "A copy with only the right two columns, a token and its tag, corrects it."


@dataclass(frozen=True)
class Columns:
    """The columns of a file, by their position; no line that holds more than one is there where the width is 0."""

    width: int = 0
    tabs: bool = False
    """Whether tabs separate them, and a token may hold spaces."""
    token: int = 0
    tag: int = -1
    numbered: bool = False
    """Whether the first column counts the words of each sentence."""
    why: str = ""
    """Why another column than the last holds the tags, in words; empty where there is nothing to say."""

    def cells(self, line: str) -> list[str]:
        if self.tabs:
            return [cell.strip(" ") for cell in line.split("\t")]
        # Not at a no-break space, nor at other white space: a token may be one.
        return [cell for cell in line.replace("\t", " ").split(" ") if cell]

    def is_comment(self, line: str) -> bool:
        """Whether a line begins as a comment does, and is not that of the token #, as `# O` is."""
        if not line.startswith(COMMENTS):
            return False
        cells = self.cells(line)
        return self.numbered or len(cells) != (self.width or 2) or parts(cells[self.tag]) is None


@dataclass
class Sample:
    """The first lines of a file."""

    like: int = 0
    """The line that says how many columns there are: the first that has more than one and is no comment."""
    shape: Columns = field(default_factory=Columns)
    sentences: list[list[list[str]]] = field(default_factory=list)
    """The cells of each line that has all columns, sentence by sentence."""

    @property
    def rows(self) -> list[list[str]]:
        return [cells for sentence in self.sentences for cells in sentence]


def is_blank(line: str) -> bool:
    """Whether a line ends a sentence: a blank one, or one that begins a document."""
    return not line.strip() or line.split(maxsplit=1)[0] == DOCUMENT


def sample_of(lines: Iterable[str]) -> Sample:
    found = Sample(sentences=[[]])
    likely_comments: list[str] = []
    for number, ended in enumerate(islice(lines, SAMPLE_LINES), start=1):
        line = ended.rstrip("\r\n")
        if is_blank(line):
            found.sentences.append([])
            continue
        if not found.like and line.startswith(COMMENTS):
            likely_comments.append(line)
            continue
        if not found.like:
            shape = Columns(tabs="\t" in line)
            if (width := len(shape.cells(line))) > 1:
                found.like, found.shape = number, Columns(width, shape.tabs)
        cells = found.shape.cells(line)
        if line.startswith(COMMENTS) and all(parts(cell) is None for cell in cells):
            continue
        if found.like and len(cells) == found.shape.width and all((cells[0], cells[-1])):
            found.sentences[-1].append(cells)
    if not found.like and likely_comments:  # all tokens may be #
        found.shape = Columns(tabs="\t" in likely_comments[0])
    found.sentences = [sentence for sentence in found.sentences if sentence]
    return found


def find_columns(path: Path, lines: Iterable[str]) -> tuple[Columns, int]:
    """The columns, and the line that says how many there are. Raises DataError where it is not to be told which are meant."""
    sample = sample_of(lines)
    shape, rows = sample.shape, sample.rows
    if shape.width < 2 or not rows:
        return shape, sample.like
    tagged = [at for at in range(shape.width) if holds_tags([cells[at] for cells in rows])]
    numbered = shape.width > 2 and is_numbered(sample.sentences)
    if numbered and not tagged:
        raise DataError(no_tags(path, shape.width))
    words = [at for at in range(1 if numbered else 0, shape.width) if at not in tagged]
    token = words[0] if words else 0
    tag, why = shape.width - 1, ""
    if tagged:
        tag, why = which_tags(path, rows, tagged)
    return Columns(shape.width, shape.tabs, token, tag, numbered, why), sample.like


def holds_tags(values: Sequence[str]) -> bool:
    return sum(parts(value) is not None for value in values) >= TAGS * len(values)


def is_numbered(sentences: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Whether the first column counts the words of each sentence, from 1 or from 0; of CoNLL-U's words made of several, and of
    empty ones, the numbers are no whole ones."""
    counted = sum(counts_up([cells[0] for cells in sentence]) for sentence in sentences)
    longest = max(map(len, sentences), default=0)
    return longest > 1 and counted >= NUMBERED * len(sentences)


def counts_up(cells: Sequence[str]) -> bool:
    """Whether values count from 0 or 1, few of them left out, as those of faulty lines are.

    >>> counts_up(["1", "2-3", "2", "3", "5"]), counts_up(["1", "7", "9"])
    (True, False)
    """
    values = [cell for cell in cells if len(cell) == 1 or not {"-", "."} & set(cell)]
    if not values or not all(value.isascii() and value.isdecimal() for value in values):
        return False
    numbers = [int(value) for value in values]
    rising = all(after > before for before, after in pairwise(numbers))
    return rising and numbers[0] in (0, 1) and 2 * numbers[-1] <= 3 * len(numbers) + 1


def holds_numbered_tokens(lines: Iterable[str]) -> bool:
    """Whether lines hold a token and its tags each, behind a number that counts them, with a blank line after each sentence: as
    in GermEval's files, whose names end in .tsv."""
    sample = sample_of(lines)
    if sample.shape.width < 3 or len(sample.sentences) < 2 or sample.sentences[0][0][0] not in ("0", "1"):
        return False
    columns = list(zip(*sample.rows, strict=True))
    return is_numbered(sample.sentences) and any("O" in one and holds_tags(one) for one in columns[1:])


def which_tags(path: Path, rows: Sequence[Sequence[str]], tagged: Sequence[int]) -> tuple[int, str]:
    """The column of tags that is meant, of several, and why where it is not simply the last.

    The last one is, beside one of phrases. Raises DataError where the last two hold tags of entities and neither seems to be a
    prediction of the other, nor the inner tags beside outer ones.
    """
    *before, last = [at for at in tagged if any(cells[at] != "O" for cells in rows)] or tagged[-1:]
    if last != tagged[-1]:
        return last, f"column {tagged[-1] + 1} holds O alone"
    if not before:
        return last, ""
    other = before[-1]
    kinds = [{kind for cells in rows if (kind := type_in(cells[at]))} for at in (other, last)]
    counts = {at: sum(cells[at] != "O" for cells in rows) for at in (other, last)}
    akin = 2 * len(kinds[0] & kinds[1]) >= min(map(len, kinds))
    if not akin and counts[other] >= PHRASES * len(rows):
        return last, ""
    either = [cells for cells in rows if cells[other] != "O" or cells[last] != "O"]
    same = sum(type_in(cells[other]) == type_in(cells[last]) for cells in either)
    if same >= ALIKE * len(either):
        return (
            other,
            f"column {last + 1} mostly repeats it, and is taken for what a model answered, as conlleval reads it",
        )
    for few, many in ((last, other), (other, last)):
        if counts[few] <= SPARSE * counts[many]:
            return many, f"column {few + 1} has few entities, as of inner tags beside outer ones"
    raise DataError(
        f"{path}: columns {other + 1} and {last + 1} both hold tags ({example(kinds[0])}; {example(kinds[1])}), and it is not "
        f"to be told which are meant. {REMEDY}"
    )


def type_in(tag: str) -> str:
    """The type of a tag; empty for O, and for what is no tag."""
    return (parts(tag) or ("", ""))[1]


def example(kinds: set[str]) -> str:
    return ", ".join(map(repr, sorted(kinds)[:3]))


def no_tags(path: Path, width: int) -> str:
    """The message for words that are numbered and have no tags."""
    if width == CONLLU_COLUMNS:
        return (
            f"{path}: is in the form CoNLL-U, with parts of speech and syntax for each word, and no tags of entities, as O and "
            "B-LOC are. To learn the parts of speech, write a .conll with each word and its part of speech behind B-, as by "
            f"""`awk -F'\\t' '/^$/ {{print}} /^[0-9]+\\t/ {{print $2 "\\t" "B-" $4}}' {path.name} > words.conll`."""
        )
    return (
        f"{path}: the first of {width} columns counts the words of each sentence, and none of the others holds tags, as O and "
        "B-LOC are. Write a copy with two columns, a token and its tag; put I- before a type without a mark (PER becomes I-PER), "
        "or B- where each word stands for itself (NOUN becomes B-NOUN)."
    )
