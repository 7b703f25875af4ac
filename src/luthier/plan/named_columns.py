"""Columns that the user names by role: by fields of their own for the roles that all know, or as role=NAME for any other."""

from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import BeforeValidator, PlainSerializer

COLUMNS = "data.columns"
"""The setting of the others."""
OWN = ("text", "text2", "negative", "question", "image", "label")
"""Roles with a field of their own in the plan's `data`, and with a flag of their own."""


def columns_by_role(value: Any) -> dict[str, str]:
    """Columns by role, from such a mapping, from role=NAME, or from several of these. Raises ValueError for what is none.

    >>> columns_by_role(["audio=path", "speaker=who"])
    {'audio': 'path', 'speaker': 'who'}
    """
    several: Any = [value] if isinstance(value, str) else value
    several = list(several.items()) if isinstance(several, Mapping) else several
    pairs: list[Any] = [pair_of(one) for one in several] if isinstance(several, list | tuple) else [()]
    if not all(len(pair) == 2 and all(isinstance(part, str) and part for part in pair) for pair in pairs):
        raise ValueError("columns by their role, as in audio=path")
    twice = next((role for role, name in pairs if dict(pairs)[role] != name), None)
    if twice is not None:
        raise ValueError(f"one column for each role; {twice!r} has two")
    return dict(pairs)


def pair_of(value: Any) -> tuple[Any, ...]:
    """What may be a role with its column."""
    if isinstance(value, str):
        role, _, name = value.partition("=")
        return role, name
    return tuple(value) if isinstance(value, list | tuple) else ()


NamedColumns = Annotated[
    tuple[tuple[str, str], ...],
    MinLen(1),
    BeforeValidator(lambda value: sorted(columns_by_role(value).items())),
    PlainSerializer(dict),
]
"""Pairs of role and name in the order of the roles; a mapping in files."""


def by_their_fields(given: Any) -> Any:
    """The settings of `data` with columns of the roles that have a field brought there, so that one wish has one spelling.

    A column that another field contradicts stays, and the plan tells of it.
    """
    try:
        columns = columns_by_role(given["columns"])
    except (KeyError, TypeError, ValueError):  # none given, or told of by the field itself
        return given
    own = {role: name for role, name in columns.items() if role in OWN and given.get(role) in (None, name)}
    others = {role: name for role, name in columns.items() if role not in own}
    return {**given, **own, "columns": others or None}


def column_flag(role: str, name: str | None = None) -> str:
    """How a column is named on the command line.

    >>> column_flag("text"), column_flag("text", "review"), column_flag("audio", "path")
    ('--text', '--text review', '--column audio=path')
    """
    if role in OWN:
        return f"--{role}" if name is None else f"--{role} {name}"
    return f"--column {role}={'NAME' if name is None else name}"


def column_settings(columns: Mapping[str, str]) -> dict[str, Any]:
    """Settings of a plan that name these columns.

    >>> column_settings({"text": "review", "audio": "path"})
    {'data.text': 'review', 'data.columns': {'audio': 'path'}}
    """
    found: dict[str, Any] = {f"data.{role}": name for role, name in columns.items() if role in OWN}
    others = {role: name for role, name in columns.items() if role not in OWN}
    return found | ({COLUMNS: others} if others else {})
