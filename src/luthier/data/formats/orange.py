"""Orange's tables: below the names of the columns a row of their types and one of their roles, which are no rows of data."""

from collections.abc import Sequence
from dataclasses import dataclass

from luthier.data.formats.csv_rows import Row
from luthier.data.layout import Layout

TYPES = frozenset(
    ("d", "discrete", "c", "continuous", "s", "string", "text", "t", "time", "b", "basket", "w", "i")
)
ROLES = frozenset(("class", "c", "meta", "m", "i", "ignore", "w", "weight"))
HEADER_ROWS = 3


@dataclass(frozen=True)
class Orange:
    """What the second and third row of Orange's tables say about the columns."""

    classes: tuple[int, ...] = ()
    """Positions of the columns that are to be learnt."""
    texts: tuple[int, ...] = ()
    """Positions of the columns that Orange takes as texts."""

    def layout(self, names: Sequence[str]) -> Layout:
        """What is known of the columns of these names: the class is the label, where there is one, and the text the text."""
        known = {"label": self.classes, "text": self.texts}
        columns = {role: names[places[0]] for role, places in known.items() if len(places) == 1}
        return Layout(why="the file's row of roles, as Orange writes it, says so", columns=columns)


def orange(rows: Sequence[Row]) -> Orange | None:
    """What a table's first rows say of its columns, where they are those of Orange; None where they are not.

    A type may also be a list of the column's values, as `yes no`.
    """
    if len(rows) < HEADER_ROWS:
        return None
    names, types, roles = ([value.strip() for value in values] for _, values in rows[:HEADER_ROWS])
    roles += [""] * (len(names) - len(roles))
    if not len(names) == len(types) == len(roles) or not is_types(types, rows[HEADER_ROWS:]):
        return None
    if not any(roles) or not all(map(is_role, roles)):
        return None
    words = [role.lower().split() for role in roles]
    return Orange(
        tuple(at for at, role in enumerate(words) if {"class", "c"} & set(role)),
        tuple(at for at, role in enumerate(words) if "include=true" in role),
    )


def is_types(types: Sequence[str], below: Sequence[Row]) -> bool:
    others = [at for at, word in enumerate(types) if word.lower() not in TYPES]
    return len(others) < len(types) and all(
        types[at].strip()
        and {values[at].strip() for _, values in below if at < len(values)} - {""} <= set(types[at].split())
        for at in others
    )


def is_role(role: str) -> bool:
    """
    >>> is_role("meta include=True"), is_role("class"), is_role(""), is_role("positive")
    (True, True, True, False)
    """
    return all(word.lower() in ROLES or "=" in word for word in role.split())
