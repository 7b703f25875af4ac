"""Questions of multiple choice, answers to choose from in columns or lists, which are recognised in order to be refused."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data.annotations.cells import is_nested, is_text, sniffed
from luthier.data.column_names import normal, words_of_name
from luthier.data.table import Table
from luthier.errors import DataError, listing

STEMS = (
    *("ending", "option", "choice", "opt", "op", "answer", "ans", "sol", "solution"),
    *("alternative", "candidate", "distractor", "hypothesis"),
)
"""Names of columns of answers, without their number or letter."""
LISTS = ("choices", "options", "endings", "candidates", "alternatives", "answer_choices", "answer_options")
"""Names of columns of lists of answers."""
KEYS = (
    "label",
    "answer",
    "key",
    "correct",
    "gold",
    "target",
    "cop",
    "ans",
    "right",
    "option",
    "choice",
    "index",
)
"""Last words of names of columns that say which answer is right."""
LETTERS = "abcdefgh"
FEWEST = 3
"""Fewest columns that are taken for answers to choose from when their names are other ones."""
VARIED = 0.3
"""Smallest share of distinct values in a column of answers."""
LOOKED_AT = 200
"""The most rows that are looked at."""
NUMBERED = re.compile(r"(?:(?P<stem>.*?)_?(?P<number>\d))|(?:(?P<stem2>.*)_)?(?P<letter>[a-h])")


def refuse_choices(table: Table) -> None:
    """Raise DataError for rows of multiple choice, which no task here learns from."""
    found = in_columns(table) or in_lists(table)
    if found is not None:
        answers, key = found
        hold = "holds" if len(answers) == 1 else "hold"
        raise DataError(
            f"{table.files[0]}: its rows are questions of multiple choice: {listing(answers)} {hold} answers to choose from, "
            f"and {key!r} says which is right. No task here learns to choose. To learn whether an answer is right, write a row "
            "for each question with each of its answers, with the columns text, text2 and label. If they are something else, "
            "name both --text and --label."
        )


def in_columns(table: Table) -> tuple[list[str], str] | None:
    """Columns of answers side by side, and the one that says which is right."""
    rows = range(min(len(table), LOOKED_AT))
    for stem, marked in families(table).items():
        names = list(marked.values())
        answers = [table.texts(name, rows) for name in names]
        if not all(len(set(texts)) > VARIED * len(texts) for texts in answers):
            continue
        for key in keys_of(table, names):
            by_row: Sequence[Sequence[str]] = list(zip(*answers, strict=True))
            right = table.texts(key, rows)
            distracts = stem == "distractor" and "correct" in words_of_name(key)
            if distracts or says_which(right, by_row, [*names, *marked]):
                return names, key
    return None


def families(table: Table) -> dict[str, dict[str, str]]:
    """Columns of texts that are numbered, or lettered, by the stem of their names: their marks and names."""
    found: dict[str, dict[str, str]] = {}
    for name in table.names:
        own = normal(name)
        match = NUMBERED.fullmatch(own)
        if not is_text(table, name):
            continue
        if match is not None:
            stem, mark = match["stem"] or match["stem2"] or "", match["number"] or match["letter"]
        elif own[:-1] in STEMS and own[-1] in LETTERS:
            stem, mark = own[:-1], own[-1]
        else:
            continue
        found.setdefault(stem, {})[mark] = name
    return {
        stem: marked
        for stem, marked in found.items()
        if len(marked) >= (2 if words_of_name(stem)[-1:] in [[one] for one in STEMS] else FEWEST)
        and any("".join(sorted(marked)) in order for order in ("01234567", "123456789", LETTERS))
        and min(marked) in "01a"
    }


def keys_of(table: Table, besides: Sequence[str]) -> list[str]:
    """Columns whose names may say which answer is right."""
    named = [name for name in table.names if name not in besides and not is_nested(table, name)]
    return [
        name
        for name in named
        if {*words_of_name(name)[-1:], *words_of_name(name)[:1]} & set(KEYS) or normal(name) == "answerkey"
    ]


def says_which(right: Sequence[str], answers: Sequence[Sequence[str]], marks: Sequence[str] = ()) -> bool:
    """Whether values are the numbers, the letters or the names of answers, or one of the answers itself.

    >>> says_which(["0", "2"], [("x", "y", "z")] * 2), says_which(["B", "A"], [("x", "y")] * 2)
    (True, True)
    """
    pairs = [(value.strip(), own) for value, own in zip(right, answers, strict=True) if value.strip() and own]
    if not pairs or len({value for value, _ in pairs}) < 2:
        return False
    most = max(len(own) for _, own in pairs)
    numbers = {str(at) for at in range(most + 1)}
    letters = {*LETTERS[:most], *LETTERS[:most].upper()}
    values = {value.removesuffix(".0") for value, _ in pairs}
    if values <= numbers or values <= letters or values <= {*map(str, marks)}:
        return len(values) <= most
    return sum(value in own for value, own in pairs) >= 0.9 * len(pairs)


def in_lists(table: Table) -> tuple[list[str], str] | None:
    """A column of lists of answers, and the one that says which is right."""
    for name in table.names:
        if normal(name).removesuffix("_text") not in LISTS:
            continue
        lists = [answers_in(value) for value in sniffed(table, name)]
        if not lists or min(map(len, lists)) < 2:
            continue
        for key in keys_of(table, [name]):
            right = [text for text in table.texts(key) if text.strip()][: len(lists)]
            if len(right) == len(lists) and says_which(right, lists):
                return [name], key
    return None


def answers_in(value: Any) -> list[str]:
    """The texts of a list of answers, whether plain or beside their letters."""
    if isinstance(value, Mapping):
        value = next(
            (value[key] for key in ("text", "texts", "choices") if isinstance(value.get(key), list)), []
        )
    items = value if isinstance(value, list) else []
    found = [one.get("text") if isinstance(one, Mapping) else one for one in items]
    return [one for one in found if isinstance(one, str)]
