"""Lists and objects that stand as text in one cell, as JSON, Python or numpy write them. Nothing is evaluated.

pandas writes what a cell holds as Python shows it: `['B-PER', 'O']`, `{'text': array(['Paris'], dtype=object)}`, and of an
array without commas `['B-PER' 'O']`, which Python itself would read as one text.
"""

import ast
import json
import math
import re
import warnings
from typing import Any

MOST_CHARACTERS = 1_000_000
"""The most characters of a cell that is read."""
MOST_LEVELS = 32
"""The most levels of lists and objects within each other."""

TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>[bBrRuU]{0,2}(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'))
    | (?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)
    | (?P<name>[A-Za-z_][\w.]*)
    | (?P<sign>[\[\](){},:=])
    )""",
    re.VERBOSE | re.DOTALL,
)
CONSTANTS = {
    "None": None,
    "null": None,
    "nan": None,
    "NaN": None,
    "NaT": None,
    "True": True,
    "true": True,
    "False": False,
    "false": False,
    "inf": math.inf,
    "Infinity": math.inf,
}
CLOSING = {"[": "]", "(": ")", "{": "}"}
MAKERS = re.compile(r"(np\.|numpy\.)?(array|str_|bool_|u?int\d+|float\d+)|set|frozenset")
"""Names of calls that stand for their first argument, such as `array(...)`."""


def looks_like_literal(text: str) -> bool:
    """Whether a text begins and ends as a list or an object does.

    >>> looks_like_literal("['a', 'b']"), looks_like_literal("[sic] a text")
    (True, False)
    """
    text = text.strip()
    return (text[:1] in ("[", "{", "(") and text[-1:] == CLOSING[text[0]]) or text.startswith("array(")


def literal(text: str) -> Any:
    """The value that a text writes out. Raises ValueError for what is none, in words that follow "cannot be read".

    >>> literal("{'text': array(['Paris'], dtype=object), 'start': [7]}")
    {'text': ['Paris'], 'start': [7]}
    >>> literal("['B-PER' 'O']"), literal("[0 1]"), literal('["a", null]')
    (['B-PER', 'O'], [0, 1], ['a', None])
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has more than {MOST_CHARACTERS:,} characters")
    try:
        return json.loads(text, parse_constant=lambda name: CONSTANTS.get(name))
    except (ValueError, RecursionError):
        return Reader(text).whole()


class Reader:
    """A reader of one text, at some position in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Any:
        value = self.value(MOST_LEVELS)
        if self.text[self.at :].strip():
            raise self.fault()
        return value

    def value(self, levels: int) -> Any:
        match = self.take()
        if match["text"]:
            return text_of(match["text"])
        if match["number"]:
            return number_of(match["number"])
        if match["name"]:
            if MAKERS.fullmatch(match["name"]) and self.next_is("("):
                return self.made(levels)
            if match["name"] not in CONSTANTS:
                raise self.fault()
            return CONSTANTS[match["name"]]
        if match["sign"] not in CLOSING:
            raise self.fault()
        if not levels:
            raise ValueError(f"it has more than {MOST_LEVELS} levels of brackets")
        if match["sign"] == "{":
            return self.object(levels - 1)
        return self.items(CLOSING[match["sign"]], levels - 1)

    def items(self, closing: str, levels: int) -> list[Any]:
        """The values before a closing sign, with commas between them or, as in numpy, without."""
        found = []
        while not self.next_is(closing):
            found.append(self.value(levels))
            self.skip(",")
        self.skip(closing)
        return found

    def object(self, levels: int) -> dict[str, Any] | list[Any]:
        """An object, or the items of a set."""
        pairs: dict[str, Any] = {}
        loose = []
        while not self.next_is("}"):
            key = self.value(levels)
            if self.skip(":"):
                pairs[str(key)] = self.value(levels)
            else:
                loose.append(key)
            self.skip(",")
        self.skip("}")
        if pairs and loose:
            raise self.fault()
        return loose or pairs

    def made(self, levels: int) -> Any:
        """The first argument of a call of one of MAKERS; arguments by name are passed over."""
        if not levels:
            raise ValueError(f"it has more than {MOST_LEVELS} levels of brackets")
        self.skip("(")
        found = [] if self.next_is(")") else self.value(levels - 1)
        while self.skip(","):
            name = self.take()
            if not name["name"] or not self.skip("="):
                raise self.fault()
            if not (given := self.take())["text"] and not given["name"]:
                raise self.fault()
        if not self.skip(")"):
            raise self.fault()
        return found

    def take(self) -> re.Match[str]:
        match = TOKEN.match(self.text, self.at)
        if match is None:
            raise self.fault()
        self.at = match.end()
        return match

    def next_is(self, sign: str) -> bool:
        match = TOKEN.match(self.text, self.at)
        return match is not None and match["sign"] == sign

    def skip(self, sign: str) -> bool:
        if not self.next_is(sign):
            return False
        self.take()
        return True

    def fault(self) -> ValueError:
        rest = self.text[self.at :].strip()
        if rest.startswith("..."):
            return ValueError("numpy shortened it with '...', so a part of it is lost")
        return ValueError(f"at character {self.at + 1} no value of a list or an object stands")


def text_of(written: str) -> str:
    if written.startswith('"'):
        try:
            return str(json.loads(written))
        except ValueError:
            pass  # Python writes what JSON does not, such as \x80
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an escape that Python does not know
        try:
            value = ast.literal_eval(written)
        except (SyntaxError, ValueError, MemoryError):
            # A text of several lines stands between single quotes where numpy writes it.
            value = written.lstrip("bBrRuU")[1:-1]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def number_of(written: str) -> int | float:
    try:
        return int(written)
    except ValueError:
        return float(written)
