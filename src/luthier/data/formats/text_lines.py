"""Files that end in .txt, of which the lines tell what they hold: fastText's labels, rows of a table, tokens, or texts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from luthier.data.column_names import normal
from luthier.data.formats.conll import read_conll
from luthier.data.formats.conll_columns import holds_numbered_tokens
from luthier.data.formats.csv_rows import long_values
from luthier.data.formats.delimited import read_delimited
from luthier.data.formats.delimiter import DELIMITERS, best_consistency
from luthier.data.formats.dialect import separator_line
from luthier.data.formats.json_lines import read_json_lines
from luthier.data.formats.json_objects import NotAnObject, parse_object
from luthier.data.formats.json_rows import Row, table_of
from luthier.data.formats.other_forms import refuse_no_table
from luthier.data.formats.text_files import TextFile
from luthier.data.known_names import LABEL_NAMES, TEXT_NAMES
from luthier.data.table import Table
from luthier.data.tags import parts
from luthier.data.writing import Writing
from luthier.errors import DataError, counted, shorten

PREFIX = "__label__"
LABEL = re.compile(rf"(?:^|(?<=[\s,])){PREFIX}((?:(?!,\s*{PREFIX})\S)+)(?:\s*,\s*(?={PREFIX}))?\s*")
"""A label of fastText, and the blanks behind it."""
SAMPLE_CHARACTERS = 250_000
FEWEST_LINES = 5
"""Fewest lines that are cut alike with which that is no accident."""
LABELLED = 0.01
"""A file is fastText's when at least this share of its lines begin with a label: a text never begins so."""
MOSTLY = 0.9
"""Smallest share of the lines that decides what a file holds."""
SLASHED = re.compile(r"\S+/[A-Z$.,:(*]\S*")
"""A word with its tag behind a slash, as taggers write: `Haus/NN`."""
DOUBTFUL = 0.5
"""The user is asked about a file of texts when at least this share of its lines has a tab."""


def read_text(path: Path, writing: Writing) -> Table:
    """The rows of a .txt file; `text` is the column of a text a line, and `label` that of fastText's labels."""
    file = TextFile.at(path, writing.encoding)
    with file.open() as lines:
        sample = [line for line in lines.readlines(SAMPLE_CHARACTERS) if line.strip()]
    if not sample:
        raise DataError(f"{path}: is empty. Expected a text on each line, or a table.")
    if writing.delimiter is not None or separator_line(sample[0]):
        return read_delimited(path, writing)
    if share(line.lstrip().startswith(PREFIX) for line in sample) > LABELLED:
        return read_fasttext(file)
    if is_object(sample[0]):
        return told(read_json_lines(path, writing.encoding), "JSON lines", ".jsonl")
    refuse_no_table(file)
    if are_tokens(file):
        return told(read_conll(path, writing.encoding), "tokens and tags", ".conll")
    delimiter = table_delimiter(sample)
    if delimiter is not None:
        table = read_delimited(path, replace(writing, delimiter=delimiter))
        return told(
            table,
            f"a table whose values are separated by {delimiter!r}",
            ".tsv" if delimiter == "\t" else ".csv",
        )
    if share("\t" in line.strip() for line in sample) > DOUBTFUL:
        raise DataError(
            f"{path}: most lines hold a tab, but not all alike: it may be a table or a text a line. Let its name end in .tsv "
            "where it is a table, or replace the tabs by blanks."
        )
    refuse_slashed(file, sample)
    return read_lines(file)


def refuse_slashed(file: TextFile, sample: Sequence[str]) -> None:
    """Raise DataError where nearly all words of nearly all lines have a tag behind a slash."""
    words = [line.split() for line in sample]
    slashed = share(share(SLASHED.fullmatch(word) is not None for word in line) >= MOSTLY for line in words)
    if slashed >= MOSTLY and sum(map(len, words)) > len(words):
        shown = next((word for line in words for word in line if word[0].isalpha()), words[0][0])
        raise DataError(
            f"{file.path}: each word has a tag behind a slash, as {shorten(shown)!r}. Expected a .conll file with a word and its "
            "tag on each line and a blank line after each sentence. Write one, with B- before each tag, as with "
            """`awk '{for (i = 1; i <= NF; i++) {n = split($i, p, "/"); print substr($i, 1, length($i) - length(p[n]) - 1) """
            f"""" B-" p[n]}}; print ""}}' {file.path.name} > words.conll`."""
        )


def read_tabbed(path: Path, writing: Writing) -> Table:
    """The rows of a .tsv or .tab file: a table, or numbered tokens with their tags."""
    if writing.delimiter is None and writing.quoting is None:
        file = TextFile.at(path, writing.encoding)
        with file.open() as lines:
            tokens = holds_numbered_tokens(lines)
        if tokens:
            return told(read_conll(path, writing.encoding), "tokens and tags", ".conll")
    return read_delimited(path, writing)


def share(found: Iterator[bool]) -> float:
    marks = list(found)
    return sum(marks) / len(marks)


def told(table: Table, form: str, ending: str) -> Table:
    """The table, with a sentence on how it was read."""
    word = f"{table.files[0]}: is read as {form}; a name that ends in {ending} says so."
    return replace(table, guesses=(word, *table.guesses))


def is_object(line: str) -> bool:
    try:
        return line.lstrip().startswith("{") and bool(parse_object(line.rstrip("\r\n")))
    except NotAnObject:
        return False


def are_tokens(file: TextFile) -> bool:
    """Whether lines hold a token and a tag each, with blank lines between sentences."""
    with file.open() as lines:
        sample = [line.rstrip("\r\n") for line in islice(lines, 2_000)]
    filled = [line.split() for line in sample if line.strip() and not line.startswith("-DOCSTART-")]
    filled = [cells for cells in filled if cells[0] != "#" or parts(cells[-1]) is not None]
    if len(filled) == len(sample) or len(filled) < FEWEST_LINES:
        return False
    widths = {len(cells) for cells in filled}
    return len(widths) == 1 and widths != {1} and all(parts(cells[-1]) is not None for cells in filled)


def table_delimiter(sample: Sequence[str]) -> str | None:
    """The delimiter of a table that was saved as .txt; None where lines are no rows.

    Tabs hardly stand in texts. Of the others, all lines must have as many, and there must be lines enough; or the first must be
    a header.
    """
    for delimiter in ("\t", *DELIMITERS):
        names = [normal(name.strip().strip('"')) for name in sample[0].split(delimiter)]
        if (
            len(names) > 1
            and any(name in TEXT_NAMES for name in names)
            and any(name in LABEL_NAMES for name in names)
        ):
            return delimiter
    with long_values():
        shares = {one: best_consistency(sample, one) for one in ("\t", *DELIMITERS)}
    best = max(shares, key=shares.__getitem__)
    enough = shares[best] >= MOSTLY if best == "\t" else shares[best] == 1 and len(sample) >= FEWEST_LINES
    return best if enough else None


def read_lines(file: TextFile) -> Table:
    def rows() -> Iterator[Row]:
        with file.open() as lines:
            for number, line in enumerate(lines, start=1):
                if text := line.strip():
                    yield number, {"text": text}, len(text)

    guess = (
        f"{file.path}: is read as a text a line. With labels it is a .csv or .tsv file, or each line begins with "
        f"{PREFIX}NAME, as fastText has it."
    )
    return replace(
        table_of(file.path, rows, "line"), guesses=(*file.guesses, guess), encodings=(file.encoding,)
    )


def read_fasttext(file: TextFile) -> Table:
    """The columns `text` and `label`, which is a list where a line has several labels."""
    counts = [len(labels) for _, labels, _ in fasttext_lines(file)]
    many, without = max(counts) > 1, counts.count(0)

    def rows() -> Iterator[Row]:
        for number, labels, text in fasttext_lines(file):
            yield (
                number,
                {"text": text, "label": labels if many else (labels[0] if labels else "")},
                len(text) + 1,
            )

    table = replace(table_of(file.path, rows, "line"), encodings=(file.encoding,))
    guesses = [f"{file.path}: is read as fastText's form, in which {PREFIX} begins a label."]
    if without:
        guesses.append(f"{file.path}: {counted(without, 'line')} without a label.")
    return replace(table, guesses=(*file.guesses, *guesses))


def fasttext_lines(file: TextFile) -> Iterator[tuple[int, list[str], str]]:
    """Each line that is not blank: its number, its labels, and its text."""
    with file.open() as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, list(dict.fromkeys(LABEL.findall(line))), LABEL.sub("", line).strip()
